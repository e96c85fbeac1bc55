//! Blobs: contents by their SHA-256, in a directory beside the database.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::StoreError;

/// The most bytes one blob may have.
pub const BLOB_MAX: u64 = 256 * 1024 * 1024;

/// A directory of blobs.
#[derive(Clone, Debug)]
pub struct Blobs {
    directory: PathBuf,
}

impl Blobs {
    /// Opens (and creates) the directory.
    pub fn open(directory: &Path) -> Result<Blobs, StoreError> {
        fs::create_dir_all(directory)
            .map_err(|source| file_error(format!("create {}", directory.display()), source))?;
        Ok(Blobs { directory: directory.to_owned() })
    }

    fn path(&self, digest: &str) -> Result<PathBuf, StoreError> {
        let is_digest = digest.len() == 64
            && digest.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        if !is_digest {
            return Err(StoreError::Conflict(format!("`{digest}` is not a SHA-256 in lower-case hex")));
        }
        Ok(self.directory.join(&digest[..2]).join(digest))
    }

    /// Whether this content is here.
    pub fn has(&self, digest: &str) -> Result<bool, StoreError> {
        Ok(self.path(digest)?.exists())
    }

    /// Keeps a content. The caller has checked that the digest is that of the content.
    pub fn put(&self, digest: &str, content: &[u8]) -> Result<(), StoreError> {
        let path = self.path(digest)?;
        if path.exists() {
            return Ok(());
        }
        let folder = path.parent().unwrap_or(&self.directory).to_owned();
        fs::create_dir_all(&folder)
            .map_err(|source| file_error(format!("create {}", folder.display()), source))?;
        let unfinished = folder.join(format!("{digest}.{}", std::process::id()));
        let write = || -> std::io::Result<()> {
            let mut file = fs::File::create(&unfinished)?;
            file.write_all(content)?;
            file.sync_all()?;
            fs::rename(&unfinished, &path)?;
            fs::File::open(&folder)?.sync_all()
        };
        write().map_err(|source| file_error(format!("write {}", path.display()), source))
    }

    /// Reads a content.
    pub fn get(&self, digest: &str) -> Result<Vec<u8>, StoreError> {
        let path = self.path(digest)?;
        fs::read(&path).map_err(|source| file_error(format!("read {}", path.display()), source))
    }
}

fn file_error(doing: String, source: std::io::Error) -> StoreError {
    StoreError::File { doing, source }
}
