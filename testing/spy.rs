//! Who sees a secret: looks at the arguments and environments of all processes, again and again, while a test runs.
//!
//! Included by path, as `skip.rs`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Looks until it is asked what it saw.
pub struct Spy {
    stop: Arc<AtomicBool>,
    looks: Arc<AtomicUsize>,
    thread: std::thread::JoinHandle<BTreeSet<String>>,
}

/// Begins to look for these texts, the processes that run inside local machines included.
pub fn watch(secrets: &[&str]) -> Spy {
    let secrets: Vec<String> = secrets.iter().map(|&secret| secret.to_owned()).collect();
    let (stop, looks) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let (until, count) = (stop.clone(), looks.clone());
    let thread = std::thread::spawn(move || {
        let mut seen = BTreeSet::new();
        while !until.load(Ordering::Relaxed) {
            for process in std::fs::read_dir("/proc").expect("a /proc").flatten() {
                for place in ["cmdline", "environ"] {
                    // One that has ended, or no process at all.
                    let Ok(text) = std::fs::read(process.path().join(place)) else { continue };
                    let text = String::from_utf8_lossy(&text).replace('\0', " ");
                    if secrets.iter().any(|secret| text.contains(secret)) {
                        seen.insert(format!("{place} of process {:?}: {text}", process.file_name()));
                    }
                }
            }
            count.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        seen
    });
    Spy { stop, looks, thread }
}

impl Spy {
    /// Ends, and gives every process in which one of the texts was seen.
    ///
    /// # Panics
    /// When it hardly looked, because then it proves nothing.
    pub fn end(self) -> BTreeSet<String> {
        self.stop.store(true, Ordering::Relaxed);
        let seen = self.thread.join().expect("the spy lives");
        let looks = self.looks.load(Ordering::Relaxed);
        assert!(looks > 5, "only {looks} looks");
        seen
    }
}

/// No file below this directory holds the text.
///
/// # Panics
/// When one does, or when there is no file at all.
#[allow(dead_code, reason = "included by several test binaries, not all of which leave files")]
pub fn absent_below(directory: &std::path::Path, secret: &str) {
    let (mut places, mut files) = (vec![directory.to_owned()], 0);
    while let Some(place) = places.pop() {
        for entry in std::fs::read_dir(&place).expect("a directory").flatten() {
            let kind = entry.file_type().expect("its kind");
            if kind.is_dir() {
                places.push(entry.path());
            } else if kind.is_file() {
                files += 1;
                let bytes = std::fs::read(entry.path()).expect("a file");
                let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!found, "{} holds the secret", entry.path().display());
            }
        }
    }
    assert!(files > 0, "there is no file below {}", directory.display());
}
