//! Code that is no directory: a commit of a git repository, or an archive, becomes files of the bundle here, on the
//! machine where the command is typed. A server sees contents only, and needs neither git nor the way to a repository.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use muster_model::bundle::{FILE_BYTES_MAX, FILES_MAX, ManifestFile, TOTAL_BYTES_MAX, sha256_hex};
use muster_model::code::{CodeSource, short};
use muster_model::infrastructure::{DeployEntry, Infrastructure};

use crate::exit::Failure;

mod archive;
mod git;

/// Files on their way into a bundle, with their contents in a private directory that goes with this.
#[derive(Debug)]
pub struct Exported {
    directory: tempfile::TempDir,
    /// The files, by their path in the bundle.
    pub files: BTreeMap<String, ManifestFile>,
    /// Where each digest can be read.
    pub sources: BTreeMap<String, PathBuf>,
    bytes: u64,
}

/// Exports every source of the file's code that needs it, each once.
pub fn export(
    root: &Path,
    infrastructure: &Infrastructure,
    say: &dyn Fn(&str),
) -> Result<Option<Exported>, Failure> {
    let sources = infrastructure.deploy.iter().filter_map(|entry| match entry {
        DeployEntry::Code(entry) if entry.from.is_exported() => Some(&entry.from),
        DeployEntry::Code(_) | DeployEntry::Playbook(_) => None,
    });
    let sources: BTreeSet<&CodeSource> = sources.collect();
    if sources.is_empty() {
        return Ok(None);
    }
    let mut exported = Exported::new()?;
    for source in sources {
        let mut tree = Tree::default();
        let id = match source {
            CodeSource::Git(git) => git::export(root, git, &mut exported, &mut tree)?,
            CodeSource::Archive(archive) => archive::export(root, archive, &mut exported, &mut tree)?,
            CodeSource::Directory(_) => continue,
        };
        say(&format!("{source} is {} with {} files", short(&id), tree.len()));
        let place = format!("{}/{id}", source.bundle_directory());
        exported.files.extend(tree.into_iter().map(|(path, file)| (format!("{place}/{path}"), file)));
    }
    Ok(Some(exported))
}

/// The files of one source, by their path below it.
type Tree = BTreeMap<String, ManifestFile>;

impl Exported {
    fn new() -> Result<Exported, Failure> {
        let directory = tempfile::Builder::new()
            .prefix("muster-code-")
            .tempdir()
            .map_err(|error| Failure::usage(format!("no temporary directory can be made: {error}")))?;
        Ok(Exported { directory, files: BTreeMap::new(), sources: BTreeMap::new(), bytes: 0 })
    }

    /// A path in the private directory.
    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Whether the content of this file was taken.
    fn has(&self, file: &ManifestFile) -> bool {
        self.sources.contains_key(&file.sha256)
    }

    /// Takes the content of one file, within the bounds of a bundle.
    fn keep(&mut self, what: &str, path: &str, content: &[u8], entry: &ManifestFile) -> Result<(), Failure> {
        let size = content.len() as u64;
        self.bytes += size;
        let bound = if size > FILE_BYTES_MAX {
            Some(format!("`{path}` has more than {FILE_BYTES_MAX} bytes, the most for one file"))
        } else if self.bytes > TOTAL_BYTES_MAX {
            Some(format!("it holds more than {TOTAL_BYTES_MAX} bytes"))
        } else if self.sources.len() >= FILES_MAX {
            Some(format!("it holds more than {FILES_MAX} files"))
        } else {
            None
        };
        if let Some(bound) = bound {
            return Err(Failure::usage(format!("{what}: {bound}; name less of it with `path:`")));
        }
        debug_assert_eq!(sha256_hex(content), entry.sha256);
        if !self.sources.contains_key(&entry.sha256) {
            let to = self.path(&entry.sha256);
            std::fs::write(&to, content)
                .map_err(|error| Failure::usage(format!("{} cannot be written: {error}", to.display())))?;
            self.sources.insert(entry.sha256.clone(), to);
        }
        Ok(())
    }
}
