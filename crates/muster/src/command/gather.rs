//! Gathering a bundle: the files below a root, by content. Only what the server lacks is sent.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use muster_api::Client;
use muster_api::blob::manifest_said;
use muster_model::bundle::{Manifest, ManifestFile};

use super::find::{Found, relative};
use crate::exit::Failure;

/// Most files in a bundle.
pub const FILES_MAX: usize = 20_000;
/// Largest file, in bytes.
pub const FILE_BYTES_MAX: u64 = muster_api::media::BLOB_BYTES_MAX as u64;
/// Largest infrastructure file, in bytes: one of 10,000 servers has a tenth of it.
pub const ENTRY_BYTES_MAX: u64 = 10 * 1024 * 1024;
/// Most bytes in a bundle.
pub const BUNDLE_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Deepest directory below the root.
const DEPTH_MAX: usize = 32;
/// Directories that never belong to a bundle.
const IGNORED: &[&str] =
    &[".git", ".hg", ".svn", "node_modules", "target", "__pycache__", ".venv", ".vagrant"];

/// A bundle on this machine.
#[derive(Debug)]
pub struct Gathered {
    /// What it holds.
    pub manifest: Manifest,
    /// The infrastructure file's path below the root.
    pub entry: String,
    /// The infrastructure file's text.
    pub text: String,
    /// Where each digest can be read.
    sources: BTreeMap<String, PathBuf>,
}

/// Gathers the files of a bundle.
pub fn gather(found: &Found) -> Result<Gathered, Failure> {
    let say =
        |error: std::io::Error| Failure::usage(format!("{} cannot be read: {error}", found.path.display()));
    let size = std::fs::metadata(&found.path).map_err(say)?.len();
    if size > ENTRY_BYTES_MAX {
        return Err(Failure::usage(format!(
            "{} has {size} bytes; an infrastructure file has at most {ENTRY_BYTES_MAX}",
            found.path.display()
        )));
    }
    let text = String::from_utf8(std::fs::read(&found.path).map_err(say)?).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::usage(format!("{} is not UTF-8 (byte {})", found.path.display(), at + 1))
    })?;
    let mut gathering =
        Gathering { root: &found.root, manifest: Manifest::default(), sources: BTreeMap::new(), bytes: 0 };
    gathering.directory(&found.root, 0)?;
    let entry = found.entry();
    if !gathering.manifest.files.contains_key(&entry) {
        gathering.file(&found.path, entry.clone())?;
    }
    Ok(Gathered { manifest: gathering.manifest, entry, text, sources: gathering.sources })
}

struct Gathering<'a> {
    root: &'a Path,
    manifest: Manifest,
    sources: BTreeMap<String, PathBuf>,
    bytes: u64,
}

impl Gathering<'_> {
    fn directory(&mut self, directory: &Path, depth: usize) -> Result<(), Failure> {
        let say = |error: std::io::Error| {
            Failure::usage(format!("{} cannot be read: {error}", directory.display()))
        };
        if depth > DEPTH_MAX {
            let message = format!("{} is deeper than {DEPTH_MAX} directories", directory.display());
            return Err(Failure::usage(message));
        }
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(directory).map_err(say)? {
            paths.push(entry.map_err(say)?.path());
        }
        paths.sort();
        for path in paths {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let below = relative(self.root, &path);
            let kind = std::fs::symlink_metadata(&path).map_err(say)?;
            if kind.is_dir() {
                if !IGNORED.contains(&name.as_str()) {
                    self.directory(&path, depth + 1)?;
                }
            } else if kind.is_symlink() {
                self.link(&path, below)?;
            } else if kind.is_file() {
                self.file(&path, below)?;
            }
        }
        Ok(())
    }

    /// A link counts as the file it leads to, as long as that lies below the root.
    fn link(&mut self, path: &Path, below: String) -> Result<(), Failure> {
        let root = self.root.canonicalize().map_err(|error| Failure::usage(error.to_string()))?;
        match path.canonicalize() {
            Ok(target) if !target.starts_with(&root) => {
                Err(Failure::usage(format!("{below} is a link that leaves {}", self.root.display())))
            }
            Ok(target) if target.is_file() => self.file(path, below),
            // A linked directory is gathered where it lies; a dangling link is nobody's file.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn file(&mut self, path: &Path, below: String) -> Result<(), Failure> {
        let say = |error: std::io::Error| Failure::usage(format!("{below} cannot be read: {error}"));
        let metadata = std::fs::metadata(path).map_err(say)?;
        self.bytes += metadata.len();
        let complaint = if metadata.len() > FILE_BYTES_MAX {
            Some(format!(
                "{below} has {} bytes; a file of a bundle has at most {FILE_BYTES_MAX}",
                metadata.len()
            ))
        } else if self.manifest.files.len() >= FILES_MAX {
            Some(format!("more than {FILES_MAX} files lie below {}", self.root.display()))
        } else if self.bytes > BUNDLE_BYTES_MAX {
            Some(format!("the files below {} have more than {BUNDLE_BYTES_MAX} bytes", self.root.display()))
        } else {
            None
        };
        if let Some(complaint) = complaint {
            return Err(Failure::usage(format!(
                "{complaint}; name what does not belong to it in .musterignore"
            )));
        }
        let content = std::fs::read(path).map_err(say)?;
        let sha256 = digest(&content);
        #[cfg(unix)]
        let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777;
        #[cfg(not(unix))]
        let mode = 0o644;
        self.sources.insert(sha256.clone(), path.to_owned());
        self.manifest.files.insert(below, ManifestFile { sha256, mode, size: content.len() as u64 });
        Ok(())
    }
}

/// SHA-256, hex.
pub fn digest(content: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, content);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Gathered {
    /// Sends the blobs that the server lacks.
    pub async fn send(&self, client: &Client) -> Result<(), Failure> {
        let digests: Vec<String> = self.sources.keys().cloned().collect();
        for missing in client.missing_blobs(digests).await? {
            let Some(path) = self.sources.get(&missing) else { continue };
            let content = std::fs::read(path)
                .map_err(|error| Failure::usage(format!("{} cannot be read: {error}", path.display())))?;
            if digest(&content) != missing {
                return Err(Failure::usage(format!(
                    "{} changed while it was read; try again",
                    path.display()
                )));
            }
            client.put_blob(&missing, Bytes::from(content)).await?;
        }
        Ok(())
    }

    /// The manifest in the words of the API.
    pub fn said(&self) -> muster_api::blob::ManifestSaid {
        manifest_said(&self.manifest)
    }
}

/// Names of environment variables that the text asks for: `${env:NAME}`.
pub fn env_names(text: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for part in text.split("${env:").skip(1) {
        let Some((name, _)) = part.split_once('}') else { continue };
        let fits = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if fits && !name.is_empty() && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gathers_by_content_and_ignores_what_never_belongs() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        for (file, content) in
            [("shop.yaml", "version: 1\n"), ("app/a", "x"), ("app/b", "x"), (".git/HEAD", "y")]
        {
            std::fs::create_dir_all(root.join(file).parent().unwrap()).unwrap();
            std::fs::write(root.join(file), content).unwrap();
        }
        let found = Found { root: root.to_owned(), path: root.join("shop.yaml") };
        let gathered = gather(&found).unwrap();
        let names: Vec<&str> = gathered.manifest.files.keys().map(String::as_str).collect();
        assert_eq!(names, ["app/a", "app/b", "shop.yaml"]);
        assert_eq!(gathered.sources.len(), 2);
        assert_eq!(
            gathered.manifest.files["app/a"].sha256,
            "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
        );
        assert_eq!(gathered.entry, "shop.yaml");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leaves_the_root_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("root");
        std::fs::create_dir(&root).unwrap();
        std::fs::write(directory.path().join("secret"), "s").unwrap();
        std::fs::write(root.join("shop.yaml"), "version: 1\n").unwrap();
        std::os::unix::fs::symlink("../secret", root.join("out")).unwrap();
        let failure = gather(&Found { root: root.clone(), path: root.join("shop.yaml") }).unwrap_err();
        assert!(failure.message.contains("out is a link that leaves"), "{failure}");
    }

    #[test]
    fn a_file_that_is_not_utf8_or_too_large_has_its_message() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("shop.yaml");
        let found = Found { root: directory.path().to_owned(), path: path.clone() };
        std::fs::write(&path, b"version: \xff").unwrap();
        assert!(gather(&found).unwrap_err().message.contains("not UTF-8 (byte 10)"));
        std::fs::File::create(&path).unwrap().set_len(ENTRY_BYTES_MAX + 1).unwrap();
        assert!(gather(&found).unwrap_err().message.contains("at most 10485760"));
    }

    #[test]
    fn finds_the_environment_variables_that_are_asked_for() {
        assert_eq!(
            env_names("a ${env:ONE} ${env:TWO_2}${env:ONE} ${env:} ${env:x y} ${secret:z}"),
            ["ONE", "TWO_2"]
        );
    }
}
