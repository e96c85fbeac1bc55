//! Finding an infrastructure file by its name without extension, and the root of its bundle.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::exit::Failure;

/// Directories that are searched, below the working directory.
pub const PLACES: &[&str] = &["infra", "templates"];
/// Endings of an infrastructure file.
pub const ENDINGS: &[&str] = &["yaml", "yml", "json"];
/// Deepest directory below a place.
const DEPTH_MAX: usize = 8;
/// Most entries looked at below one place.
const ENTRIES_MAX: usize = 50_000;
/// Most names in a message.
const NAMES_SHOWN: usize = 10;
/// The file that marks a root.
pub const ROOT_MARKER: &str = "muster.yaml";

/// A file that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The root of its bundle.
    pub root: PathBuf,
    /// The file.
    pub path: PathBuf,
}

impl Found {
    /// Its path below the root, `/` between parts.
    pub fn entry(&self) -> String {
        relative(&self.root, &self.path)
    }
}

/// A path below a root, `/` between parts.
pub fn relative(root: &Path, path: &Path) -> String {
    let below = path.strip_prefix(root).unwrap_or(path);
    below.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// Directories that are searched: the usual ones, then those of the settings.
pub fn places(here: &Path, home: &Path) -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> = PLACES.iter().map(|place| here.join(place)).collect();
    for settings in [here.join(ROOT_MARKER), home.join("config.yaml")] {
        places.extend(configured(&settings));
    }
    places
}

/// The key `templates:` of a settings file: one directory or a list, relative to the file.
fn configured(settings: &Path) -> Vec<PathBuf> {
    #[derive(serde::Deserialize)]
    struct Settings {
        #[serde(default)]
        templates: Vec<String>,
    }
    let Ok(text) = std::fs::read_to_string(settings) else { return Vec::new() };
    let Ok(read) = serde_saphyr::from_str::<Settings>(&text) else { return Vec::new() };
    let base = settings.parent().unwrap_or(Path::new("."));
    read.templates.iter().map(|path| base.join(path)).collect()
}

/// Every infrastructure file below the places, by name. Servers' templates and playbooks of old projects lie in
/// folders of their own beside `infrastructure/` and are none.
pub fn known(places: &[PathBuf]) -> BTreeMap<String, Vec<PathBuf>> {
    let mut known = BTreeMap::new();
    for place in places {
        let mut left = ENTRIES_MAX;
        let old = place.join("infrastructure");
        let top = if old.is_dir() { &old } else { place };
        walk(top, 0, &mut left, &mut known);
    }
    known
}

fn walk(directory: &Path, depth: usize, left: &mut usize, known: &mut BTreeMap<String, Vec<PathBuf>>) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if *left == 0 {
            return;
        }
        *left -= 1;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with('.') || name == ROOT_MARKER {
            continue;
        }
        if path.is_dir() && !path.is_symlink() {
            if depth < DEPTH_MAX
                && !matches!(name.as_str(), "playbooks" | "servers" | "roles" | "node_modules")
            {
                walk(&path, depth + 1, left, known);
            }
            continue;
        }
        let ending =
            path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
        if ENDINGS.contains(&ending.as_str())
            && let Some(stem) = path.file_stem()
        {
            known.entry(stem.to_string_lossy().into_owned()).or_default().push(path);
        }
    }
}

/// Finds one file by its name.
pub fn find(name: &str, places: &[PathBuf]) -> Result<Found, Failure> {
    if name.is_empty() || name.contains(['/', '\\']) {
        return Err(Failure::usage(format!("`{name}` is no name of an infrastructure file")));
    }
    let mut known = known(places);
    let paths = known.remove(name).unwrap_or_default();
    match paths.as_slice() {
        [path] => Ok(Found { root: root_of(path), path: path.clone() }),
        [] => Err(Failure::usage(unknown(name, &known, places))),
        several => {
            let list: Vec<String> = several.iter().map(|path| path.display().to_string()).collect();
            Err(Failure::usage(format!("{name} is ambiguous: {}; keep one of them", list.join(", "))))
        }
    }
}

fn unknown(name: &str, known: &BTreeMap<String, Vec<PathBuf>>, places: &[PathBuf]) -> String {
    let searched: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
    let mut message = format!("there is no infrastructure file {name} below {}", searched.join(" or "));
    if let Some(stem) = ENDINGS.iter().find_map(|ending| name.strip_suffix(&format!(".{ending}"))) {
        message.push_str(&format!("; name it without its extension: {stem}"));
        return message;
    }
    if known.is_empty() {
        message.push_str("; make one, for example infra/");
        message.push_str(name);
        message.push_str(".yaml");
    } else {
        let names: Vec<&str> = known.keys().map(String::as_str).take(NAMES_SHOWN).collect();
        message.push_str(&format!("; there is {}", names.join(", ")));
        if known.len() > NAMES_SHOWN {
            message.push_str(&format!(" and {} more", known.len() - NAMES_SHOWN));
        }
    }
    message
}

/// The root of a file's bundle: the nearest ancestor with the marker, else the directory above `infrastructure/`
/// (old projects), else the file's own directory.
pub fn root_of(path: &Path) -> PathBuf {
    let own = path.parent().unwrap_or(Path::new("."));
    if let Some(marked) = own.ancestors().find(|directory| directory.join(ROOT_MARKER).is_file()) {
        return marked.to_owned();
    }
    let old =
        own.ancestors().find(|directory| directory.file_name().is_some_and(|name| name == "infrastructure"));
    old.and_then(Path::parent).unwrap_or(own).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(files: &[&str]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for file in files {
            let path = directory.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "version: 1\n").unwrap();
        }
        directory
    }

    /// ICT-57: a template is named without its extension and found below the templates directory; an unknown one
    /// is a clear error.
    #[test]
    fn finds_by_name() {
        let project = project(&["infra/shop.yaml", "infra/deep/er/bank.yml", "infra/playbooks/site.yml"]);
        let places = places(project.path(), Path::new("/nowhere"));
        let shop = find("shop", &places).unwrap();
        assert_eq!(
            (shop.root.as_path(), shop.entry().as_str()),
            (project.path().join("infra").as_path(), "shop.yaml")
        );
        assert_eq!(find("bank", &places).unwrap().entry(), "bank.yml");
        let unknown = find("shp", &places).unwrap_err();
        assert!(unknown.message.contains("no infrastructure file shp"), "{unknown}");
        assert!(unknown.message.contains("there is bank, shop"), "{unknown}");
        assert!(find("shop.yaml", &places).unwrap_err().message.contains("without its extension: shop"));
        assert!(find("site", &places).is_err());
    }

    #[test]
    fn an_old_project_keeps_its_files_below_infrastructure() {
        let project = project(&[
            "templates/infrastructure/shop-spb.yml",
            "templates/servers/min_01.yml",
            "templates/playbooks/Nginx_install.yml",
        ]);
        let places = places(project.path(), Path::new("/nowhere"));
        let found = find("shop-spb", &places).unwrap();
        assert_eq!(found.root, project.path().join("templates"));
        assert_eq!(found.entry(), "infrastructure/shop-spb.yml");
        assert!(find("min_01", &places).is_err());
    }

    #[test]
    fn a_marker_is_the_root_and_names_further_places() {
        let project = project(&["infra/shop.yaml", "more/bank.yaml"]);
        std::fs::write(project.path().join(ROOT_MARKER), "templates: [more]\n").unwrap();
        let places = places(project.path(), Path::new("/nowhere"));
        assert_eq!(find("shop", &places).unwrap().root, project.path());
        assert_eq!(find("bank", &places).unwrap().entry(), "more/bank.yaml");
    }

    #[test]
    fn two_files_of_one_name_are_refused() {
        let project = project(&["infra/shop.yaml", "templates/shop.yml"]);
        let places = places(project.path(), Path::new("/nowhere"));
        assert!(find("shop", &places).unwrap_err().message.contains("ambiguous"));
    }
}
