//! Finding an infrastructure file by its name: looks at the disk; what is found is judged by `muster-model`.

use std::path::{Path, PathBuf};

use muster_model::config::{Config, read_config};
use muster_model::document::Files;
use muster_model::infrastructure::find::{self as rules, DIRECTORIES, ROOT_MARKER};

use crate::exit::Failure;

/// Deepest directory below a place.
const DEPTH_MAX: usize = 16;
/// Most entries looked at below one place.
pub const ENTRIES_MAX: usize = 200_000;
/// A person's own settings, below `MUSTER_HOME`.
const PERSON_CONFIG: &str = "config.yaml";
/// Largest file of settings, in bytes.
const CONFIG_BYTES_MAX: u64 = 1024 * 1024;

/// A file that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The root of its bundle.
    pub root: PathBuf,
    /// Its path below the root, `/` between parts.
    pub entry: String,
    /// The infrastructure's name.
    pub name: String,
}

/// The settings that count here: those of the nearest root, then the person's.
pub fn config(here: &Path, home: &Path) -> Result<Config, Failure> {
    let root = here.ancestors().find(|directory| directory.join(ROOT_MARKER).is_file()).unwrap_or(here);
    let of_root = read_settings(&root.join(ROOT_MARKER))?;
    if of_root.elastic.is_some() {
        return Err(Failure::usage(format!(
            "{}: `elastic` is a person's setting; it belongs into {}",
            root.join(ROOT_MARKER).display(),
            home.join(PERSON_CONFIG).display()
        )));
    }
    Ok(of_root.over(person(home)?))
}

/// A person's own settings.
pub fn person(home: &Path) -> Result<Config, Failure> {
    read_settings(&home.join(PERSON_CONFIG))
}

fn read_settings(path: &Path) -> Result<Config, Failure> {
    let say = |error: std::io::Error| Failure::usage(format!("{} cannot be read: {error}", path.display()));
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.len() > CONFIG_BYTES_MAX => {
            Err(Failure::usage(format!("{} has more than {CONFIG_BYTES_MAX} bytes", path.display())))
        }
        Ok(_) => {
            let bytes = std::fs::read(path).map_err(say)?;
            read_config(&path.display().to_string(), &bytes).map_err(|problems| Failure::document(&problems))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Config::default()),
        Err(error) => Err(say(error)),
    }
}

/// Every file below the directories that are searched, relative to `here`.
fn listing(here: &Path, config: &Config) -> Result<Files, Failure> {
    let mut found = Files::new();
    for place in DIRECTORIES.iter().copied().chain(config.templates.iter().map(String::as_str)) {
        walk(
            here,
            place,
            &mut |path| {
                found.list(path);
                Ok(())
            },
            &|_| false,
        )?;
    }
    Ok(found)
}

/// Calls `each` with every file below a directory of `root`, in order, by its path below the root. Directories for
/// which `prune` is true are left out; links to directories are not followed.
pub fn walk(
    root: &Path,
    below: &str,
    each: &mut dyn FnMut(&str) -> Result<(), Failure>,
    prune: &dyn Fn(&str) -> bool,
) -> Result<(), Failure> {
    let mut left = ENTRIES_MAX;
    descend(root, below, 0, &mut left, each, prune)
}

fn descend(
    root: &Path,
    below: &str,
    depth: usize,
    left: &mut usize,
    each: &mut dyn FnMut(&str) -> Result<(), Failure>,
    prune: &dyn Fn(&str) -> bool,
) -> Result<(), Failure> {
    let directory = root.join(below);
    let say =
        |error: std::io::Error| Failure::usage(format!("{} cannot be read: {error}", directory.display()));
    let entries = match std::fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if depth == 0 && error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(say(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(say)?;
        names.push((entry.file_name().to_string_lossy().into_owned(), entry.file_type().map_err(say)?));
    }
    names.sort_by(|a, b| a.0.cmp(&b.0));
    for (name, kind) in names {
        if *left == 0 {
            return Err(Failure::usage(format!(
                "more than {ENTRIES_MAX} files lie below {}; put a {ROOT_MARKER} nearer to the file, or name what \
                 does not belong to it in .musterignore",
                root.display()
            )));
        }
        *left -= 1;
        let path = if below.is_empty() || below == "." { name } else { format!("{below}/{name}") };
        if kind.is_dir() {
            if depth < DEPTH_MAX && !prune(&path) {
                descend(root, &path, depth + 1, left, each, prune)?;
            }
        } else if kind.is_file() || (kind.is_symlink() && root.join(&path).is_file()) {
            each(&path)?;
        }
    }
    Ok(())
}

/// Names of the infrastructure files here, with their paths.
pub fn known(here: &Path, home: &Path) -> Result<Vec<(String, String)>, Failure> {
    let config = config(here, home)?;
    let listing = listing(here, &config)?;
    let templates = rules::candidates(&config.templates, &listing);
    Ok(templates.into_iter().map(|template| (template.name.to_string(), template.path)).collect())
}

/// Finds one file by its name without extension.
pub fn find(name: &str, here: &Path, home: &Path) -> Result<Found, Failure> {
    let config = config(here, home)?;
    let listing = listing(here, &config)?;
    let template = rules::find(name, &config.templates, &listing)
        .map_err(|problem| Failure::document(&muster_model::diagnostic::Diagnostics::from(*problem)))?;
    Ok(rooted(&here.join(template.path), template.name.as_str()))
}

/// A file by its path, wherever it lies, or else by its name without extension.
pub fn find_or_take(file: &str, here: &Path, home: &Path) -> Result<Found, Failure> {
    let path = here.join(file);
    if !path.is_file() {
        return find(file, here, home);
    }
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(rooted(&path, &stem))
}

/// A file with the root of its bundle.
pub fn rooted(path: &Path, name: &str) -> Found {
    let text = path.to_string_lossy();
    let root = rules::root_of(&text, &|directory| Path::new(directory).join(ROOT_MARKER).is_file());
    let entry = text.strip_prefix(root).unwrap_or(&text).trim_start_matches('/').to_owned();
    let root = PathBuf::from(if root.is_empty() { "." } else { root });
    Found { root, entry, name: name.to_owned() }
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
        let home = Path::new("/nowhere");
        let shop = find("shop", project.path(), home).unwrap();
        assert_eq!(
            shop,
            Found { root: project.path().join("infra"), entry: "shop.yaml".into(), name: "shop".into() }
        );
        let bank = find("bank", project.path(), home).unwrap();
        assert_eq!((bank.entry.as_str(), bank.name.as_str()), ("bank.yml", "deep.er.bank"));
        let unknown = find("shp", project.path(), home).unwrap_err();
        assert_eq!(unknown.exit, crate::exit::Exit::Usage);
        assert!(unknown.message.contains("no infrastructure file `shp`"), "{unknown}");
        assert!(unknown.message.contains("did you mean `shop`"), "{unknown}");
        assert!(find("site", project.path(), home).is_err());
    }

    #[test]
    fn an_old_project_keeps_its_files_below_infrastructure() {
        let project = project(&[
            "templates/infrastructure/shop-spb.yml",
            "templates/servers/min_01.yml",
            "templates/playbooks/Nginx_install.yml",
        ]);
        let found = find("shop-spb", project.path(), Path::new("/nowhere")).unwrap();
        assert_eq!(found.root, project.path().join("templates"));
        assert_eq!(found.entry, "infrastructure/shop-spb.yml");
        assert!(find("min_01", project.path(), Path::new("/nowhere")).is_err());
    }

    #[test]
    fn a_marker_is_the_root_and_names_further_places() {
        let project = project(&["infra/shop.yaml", "more/bank.yaml"]);
        std::fs::write(project.path().join(ROOT_MARKER), "templates: [more]\n").unwrap();
        let home = Path::new("/nowhere");
        assert_eq!(find("shop", project.path(), home).unwrap().root, project.path());
        assert_eq!(find("bank", project.path(), home).unwrap().entry, "more/bank.yaml");
        std::fs::write(project.path().join(ROOT_MARKER), "templats: [more]\n").unwrap();
        assert!(find("shop", project.path(), home).unwrap_err().message.contains("did you mean `templates`"));
    }

    #[test]
    fn two_files_of_one_name_are_refused() {
        let project = project(&["infra/shop.yaml", "templates/shop.yml"]);
        assert!(
            find("shop", project.path(), Path::new("/nowhere"))
                .unwrap_err()
                .message
                .contains("could be any of")
        );
    }
}
