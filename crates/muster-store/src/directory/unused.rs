//! Forgetting contents that nothing refers to. A file's time of change is when it was put or asked for last, by the
//! clock of the file system; no other clock takes part.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW};

use super::file_error;
use crate::error::StoreError;

/// Held by whoever uses or forgets contents.
const LOCK: &str = ".lock";

/// The lock of a folder of contents, open and not yet locked.
pub(super) fn lock_of(blobs: &Path) -> Result<fs::File, StoreError> {
    let path = blobs.join(LOCK);
    let opened = fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    opened.map_err(|source| file_error(format!("open {}", path.display()), source))
}

/// Notes that a content is used; false if it is not here.
pub(super) fn used(path: &Path) -> Result<bool, StoreError> {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let times = Timestamps { last_access: now, last_modification: now };
    match rustix::fs::utimensat(CWD, path, &times, AtFlags::empty()) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::NOENT) => Ok(false),
        Err(error) => Err(file_error(format!("use {}", path.display()), error.into())),
    }
}

/// Forgets contents that are not among these and were not used for so long.
pub(super) fn forget(blobs: &Path, kept: &BTreeSet<String>, idle: Duration) -> Result<u64, StoreError> {
    let lock = lock_of(blobs)?;
    used(&blobs.join(LOCK))?;
    let failed = |source| file_error(format!("look through {}", blobs.display()), source);
    let now = lock.metadata().and_then(|lock| lock.modified()).map_err(failed)?;
    let before = now.checked_sub(idle).unwrap_or(SystemTime::UNIX_EPOCH);
    let mut gone = 0;
    for folder in fs::read_dir(blobs).map_err(failed)? {
        let folder = folder.map_err(failed)?.path();
        if !folder.is_dir() {
            continue;
        }
        for file in fs::read_dir(&folder).map_err(failed)? {
            let file = file.map_err(failed)?;
            if !kept.contains(file.file_name().to_string_lossy().as_ref()) && is_old(&file.path(), before)? {
                gone += u64::from(forget_one(&lock, &file.path(), before)?);
            }
        }
    }
    Ok(gone)
}

/// Whether a file is there and was not used since then. What was left half-written by a crash counts too.
fn is_old(path: &Path, before: SystemTime) -> Result<bool, StoreError> {
    match fs::metadata(path).and_then(|file| file.modified()) {
        Ok(at) => Ok(at <= before),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(file_error(format!("look at {}", path.display()), source)),
    }
}

/// Nobody uses a content while this holds the lock alone: it is looked at again, and only then removed.
fn forget_one(lock: &fs::File, path: &Path, before: SystemTime) -> Result<bool, StoreError> {
    lock.lock().map_err(|source| file_error("lock the contents".into(), source))?;
    let gone = is_old(path, before).and_then(|old| {
        if old {
            fs::remove_file(path)
                .map_err(|source| file_error(format!("forget {}", path.display()), source))?;
        }
        Ok(old)
    });
    lock.unlock().map_err(|source| file_error("unlock the contents".into(), source))?;
    gone
}
