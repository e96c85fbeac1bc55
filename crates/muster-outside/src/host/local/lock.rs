//! File locks that end with their owner's death.
//!
//! `flock` rather than a marker file: a killed process leaves no lock behind. A lock file may be removed by its
//! holder, so whoever waited on the old file compares it with the path again and starts over.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use tokio::time::Instant;

use super::error::{LocalError, file};

const POLL: Duration = Duration::from_millis(15);

/// A held lock; let go on drop.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock, waiting at most `limit`; makes the folder of the file when it is missing.
    pub(crate) async fn take(path: &Path, limit: Duration) -> Result<Lock, LocalError> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(lock) = Lock::try_take(path)? {
                return Ok(lock);
            }
            if Instant::now() >= deadline {
                return Err(LocalError::TooLong {
                    what: format!("waiting for the lock {}", path.display()),
                    limit,
                    detail: ": another Muster process holds it".to_owned(),
                });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Takes the lock if it is free.
    pub(super) fn try_take(path: &Path) -> Result<Option<Lock>, LocalError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(file("create", folder))?;
        }
        let handle = match OpenOptions::new().create(true).truncate(false).write(true).open(path) {
            Ok(handle) => handle,
            // The holder removed the folder between the two calls.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(file("open", path)(error)),
        };
        match flock(&handle, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => return Ok(None),
            Err(error) => return Err(file("lock", path)(error.into())),
        }
        let mine = handle.metadata().map_err(file("read", path))?;
        match std::fs::metadata(path) {
            Ok(there) if there.ino() == mine.ino() && there.dev() == mine.dev() => {
                Ok(Some(Lock { file: handle, path: path.to_path_buf() }))
            }
            _ => Ok(None),
        }
    }

    /// Whether somebody holds the lock now. Looks without making the file.
    pub(crate) fn is_held(path: &Path) -> bool {
        let Ok(handle) = File::open(path) else { return false };
        match flock(&handle, FlockOperation::NonBlockingLockShared) {
            Ok(()) => false,
            Err(error) => error == rustix::io::Errno::WOULDBLOCK,
        }
    }

    /// Removes the lock's file, then lets go.
    pub(crate) fn remove(self) {
        // A failure leaves an empty file behind, which the next taker uses.
        let _ = std::fs::remove_file(&self.path);
        drop(self.file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_holder_at_a_time_and_removal_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/lock");
        let first = Lock::take(&path, Duration::from_secs(1)).await.unwrap();
        assert!(Lock::is_held(&path));
        assert!(Lock::try_take(&path).unwrap().is_none());
        let late = Lock::take(&path, Duration::from_millis(60)).await.unwrap_err();
        assert!(late.to_string().contains("another Muster process holds it"), "{late}");
        first.remove();
        assert!(!Lock::is_held(&path));
        let second = Lock::take(&path, Duration::from_secs(1)).await.unwrap();
        drop(second);
        assert!(!Lock::is_held(&path));
    }
}
