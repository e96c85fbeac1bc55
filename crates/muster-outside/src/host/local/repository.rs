//! The packages that machines can install although nothing leads outside.
//!
//! A flat apt repository beside the shared root, bound read-only into each machine at `/opt/muster/repo`, which the
//! root's `sources.list` names. The computer's apt downloads what the root lacks. Packages are only ever added, and
//! the index is renamed into place last, so machines that already run see the new packages with their next update.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::argv;
use super::base::{Base, Progress, package_source};
use super::command::{SHORT, run};
use super::disk::make_folder;
use super::error::{LocalError, file};
use super::lock::Lock;
use super::record::{read, text, write, write_bytes};

/// Downloading some tens of packages over a slow network.
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(900);
/// The most packages that may be asked for at once.
const PACKAGES_MAX: usize = 200;

/// The machines' package repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Its folder on this computer.
    pub folder: PathBuf,
}

impl Repository {
    /// Makes an empty one: apt refuses a source without an index.
    pub(super) fn make(&self) -> Result<(), LocalError> {
        make_folder(&self.folder, 0o755)?;
        write_bytes(&self.folder.join("Packages"), b"")
    }

    fn requested(&self) -> PathBuf {
        self.folder.join("requested.json")
    }

    /// Adds packages, with all of their dependencies that the root lacks.
    pub(super) async fn ensure(
        &self,
        base: &Base,
        packages: &[&str],
        progress: Progress<'_>,
    ) -> Result<(), LocalError> {
        check(packages)?;
        let wanted: BTreeSet<String> = packages.iter().map(|name| (*name).to_owned()).collect();
        let has =
            |path: &Path| -> Result<BTreeSet<String>, LocalError> { Ok(read(path)?.unwrap_or_default()) };
        if wanted.is_subset(&has(&self.requested())?) {
            return Ok(());
        }
        let _lock = Lock::take(&base.folder.join("repository.lock"), DOWNLOAD_LIMIT).await?;
        let before = has(&self.requested())?;
        if wanted.is_subset(&before) {
            return Ok(());
        }
        let names: Vec<_> = wanted.difference(&before).map(String::as_str).collect();
        progress(&format!("downloading {} for the local machines", names.join(", ")));
        let apt = base.folder.join("apt");
        for part in ["state/lists/partial", "cache/archives/partial"] {
            make_folder(&apt.join(part), 0o755)?;
        }
        let source = package_source(&run(&argv::package_sources(), "", SHORT).await?, &base.suite)?;
        write_bytes(&apt.join("sources.list"), format!("deb {source} {} main\n", base.suite).as_bytes())?;
        let status = text(&base.root.join("var/lib/dpkg/status"));
        let command = |words: &[&str]| argv::apt(&text(&apt), &status, words);
        run(&command(&["update"]), "", DOWNLOAD_LIMIT).await?;
        let mut install = vec!["--yes", "--download-only", "install", "--"];
        install.extend(&names);
        run(&command(&install), "", DOWNLOAD_LIMIT).await?;
        self.take_over(&apt.join("cache/archives")).await?;
        write(&self.requested(), &wanted.union(&before).collect::<BTreeSet<_>>())
    }

    /// Moves downloaded packages in and writes the index anew.
    async fn take_over(&self, archives: &Path) -> Result<(), LocalError> {
        for path in packages_in(archives)? {
            let place = self.folder.join(path.file_name().unwrap_or_default());
            std::fs::rename(&path, &place).map_err(file("move", &path))?;
        }
        let mut index = String::new();
        for path in packages_in(&self.folder)? {
            let fields = run(&argv::package_fields(&text(&path)), "", SHORT).await?;
            let content = std::fs::read(&path).map_err(file("read", &path))?;
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            index.push_str(&stanza(&fields, &name, &content));
        }
        write_bytes(&self.folder.join("Packages"), index.as_bytes())
    }
}

/// Package names as Debian allows them; also keeps options and versions out of apt's arguments.
fn check(packages: &[&str]) -> Result<(), LocalError> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '+' | '-' | '.');
    if packages.len() > PACKAGES_MAX {
        return Err(LocalError::Limit { what: "the number of packages", limit: PACKAGES_MAX as u32 });
    }
    match packages
        .iter()
        .find(|name| name.len() < 2 || name.starts_with(['-', '.', '+']) || !name.chars().all(allowed))
    {
        None => Ok(()),
        Some(name) => Err(LocalError::Invalid {
            what: "package name",
            value: (*name).to_owned(),
            reason: "may hold lower-case letters, digits, '+', '-' and '.'".to_owned(),
        }),
    }
}

fn packages_in(folder: &Path) -> Result<Vec<PathBuf>, LocalError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(file("read", folder))? {
        let path = entry.map_err(file("read", folder))?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// One entry of the index.
fn stanza(fields: &str, name: &str, content: &[u8]) -> String {
    let sum = ring::digest::digest(&ring::digest::SHA256, content);
    let sum: String = sum.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}\nFilename: ./{name}\nSize: {}\nSHA256: {sum}\n\n", fields.trim_end(), content.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_entries() {
        assert_eq!(
            stanza("Package: a\nVersion: 1\n", "a_1_all.deb", b"abc"),
            "Package: a\nVersion: 1\nFilename: ./a_1_all.deb\nSize: 3\n\
             SHA256: ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n\n"
        );
    }

    #[test]
    fn package_names_are_no_options() {
        check(&["nginx-light", "libstdc++6", "prometheus-node-exporter"]).unwrap();
        for name in ["-o", "--yes", "a", "nginx=1", "A", "a b", ""] {
            assert!(check(&[name]).is_err(), "{name}");
        }
    }
}
