//! A bundle: a document with the files it refers to, by content (`SEMANTICS.md` §1).
//!
//! Pure rules: what a manifest is and its digest, which paths are good, what is ignored, how large anything
//! may be (`ignore.rs`), and which files belong to a document (`gather.rs`). Reading the disk and sending
//! blobs is done elsewhere.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::document::path::{self, PathProblem};

mod gather;
mod ignore;

pub use gather::{documents_to_read, files_to_gather};
pub use ignore::{IGNORE_FILE, Ignore};

/// The most files of one bundle.
pub const FILES_MAX: usize = 20_000;
/// The largest file of a bundle, in bytes (100 MiB).
pub const FILE_BYTES_MAX: u64 = 104_857_600;
/// The largest bundle, in bytes (1 GiB).
pub const TOTAL_BYTES_MAX: u64 = 1_073_741_824;
/// The mode of a symbolic link inside exported or built code, as git writes it; its content is where it leads, and that
/// is inside the code. Other links are followed when a bundle is gathered.
pub const LINK: u32 = 0o120000;
/// The length of a SHA-256 in hex.
const DIGEST_CHARS: usize = 64;

/// One file of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ManifestFile {
    /// SHA-256 of its contents, lower-case hex: the name of its blob.
    pub sha256: String,
    /// Its permissions; of them only "may be executed" is kept: 0o644 or 0o755. Or [`LINK`].
    pub mode: u32,
    /// Its length in bytes.
    pub size: u64,
}

/// The same under the name it had first; goes when the planner's tests say [`ManifestFile`].
#[doc(hidden)]
pub type ManifestEntry = ManifestFile;

/// What a bundle holds: relative path → file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The files, by their path below the root.
    pub files: BTreeMap<String, ManifestFile>,
}

/// Why a bundle is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleProblem {
    /// A path is no good.
    #[error("`{path}` cannot be part of a bundle: {problem}")]
    Path {
        /// The path.
        path: String,
        /// What is wrong with it.
        problem: PathProblem,
    },
    /// A path is not in its one spelling, or names a file and a directory at once.
    #[error("`{path}` is not spelled as a bundle spells it")]
    Spelling {
        /// The path.
        path: String,
    },
    /// A digest is not 64 characters of lower-case hex.
    #[error("`{path}` has no usable digest")]
    Digest {
        /// The path.
        path: String,
    },
    /// A link leads out of the root.
    #[error("the link `{path}` leads out of the root, to `{target}`")]
    Link {
        /// The link.
        path: String,
        /// Where it leads.
        target: String,
    },
    /// Too many files.
    #[error(
        "the bundle has {files} files; it may have {FILES_MAX}; list what is not needed in `{IGNORE_FILE}`"
    )]
    TooManyFiles {
        /// How many.
        files: usize,
    },
    /// One file is too large.
    #[error("`{path}` has {size} bytes; a file of a bundle has at most {FILE_BYTES_MAX}")]
    FileTooLarge {
        /// The path.
        path: String,
        /// Its size in bytes.
        size: u64,
    },
    /// All together are too large.
    #[error(
        "the bundle has {size} bytes; it may have {TOTAL_BYTES_MAX}; list what is not needed in `{IGNORE_FILE}`"
    )]
    TooLarge {
        /// The size of all, in bytes.
        size: u64,
    },
}

impl ManifestFile {
    /// The entry of a symbolic link to this place.
    pub fn link(target: &str) -> ManifestFile {
        ManifestFile { mode: LINK, ..ManifestFile::of(target.as_bytes(), false) }
    }

    /// The entry of a file's contents.
    pub fn of(contents: &[u8], executable: bool) -> ManifestFile {
        ManifestFile {
            sha256: sha256_hex(contents),
            mode: if executable { 0o755 } else { 0o644 },
            size: contents.len() as u64,
        }
    }
}

impl Manifest {
    /// Checks every path, digest and limit. Whoever takes a manifest from outside calls this first.
    ///
    /// # Errors
    /// The first thing that is not allowed.
    pub fn check(&self) -> Result<(), BundleProblem> {
        if self.files.len() > FILES_MAX {
            return Err(BundleProblem::TooManyFiles { files: self.files.len() });
        }
        let mut total: u64 = 0;
        for (path, entry) in &self.files {
            let spelled = path::normal(path)
                .map_err(|problem| BundleProblem::Path { path: crate::diagnostic::shown(path), problem })?;
            let is_also_directory = self.has_below(path);
            if spelled != *path || spelled.is_empty() || is_also_directory {
                return Err(BundleProblem::Spelling { path: crate::diagnostic::shown(path) });
            }
            let good = |char: u8| char.is_ascii_digit() || (b'a'..=b'f').contains(&char);
            if entry.sha256.len() != DIGEST_CHARS || !entry.sha256.bytes().all(good) {
                return Err(BundleProblem::Digest { path: path.clone() });
            }
            if entry.size > FILE_BYTES_MAX {
                return Err(BundleProblem::FileTooLarge { path: path.clone(), size: entry.size });
            }
            total = total.saturating_add(entry.size);
        }
        if total > TOTAL_BYTES_MAX {
            return Err(BundleProblem::TooLarge { size: total });
        }
        Ok(())
    }

    fn has_below(&self, path: &str) -> bool {
        let prefix = format!("{path}/");
        self.files.range(prefix.clone()..).next().is_some_and(|(next, _)| next.starts_with(&prefix))
    }

    /// The digest of the whole bundle: SHA-256 over its manifest, lower-case hex.
    pub fn digest(&self) -> String {
        digest_of(self.files.iter().map(|(path, entry)| (path.as_str(), entry)))
    }

    /// The digest of one directory (with or without a closing `/`): over its manifest, paths taken relative
    /// to it, so that the same content elsewhere is the same release. None if nothing stands below it.
    pub fn directory_digest(&self, directory: &str) -> Option<String> {
        let mut below = self.below(directory).peekable();
        below.peek()?;
        Some(digest_of(below))
    }

    /// The files below a directory (empty = all), paths relative to it, sorted.
    pub fn below<'m>(&'m self, directory: &str) -> impl Iterator<Item = (&'m str, &'m ManifestFile)> {
        let directory = directory.trim_end_matches('/');
        let prefix = if directory.is_empty() { String::new() } else { format!("{directory}/") };
        let length = prefix.len();
        self.files
            .range(prefix.clone()..)
            .take_while(move |(path, _)| path.starts_with(&prefix))
            .map(move |(path, entry)| (&path[length..], entry))
    }
}

/// Digest over lines `mode sha256 size path`. A path has no control character, so lines cannot be forged.
fn digest_of<'m>(files: impl Iterator<Item = (&'m str, &'m ManifestFile)>) -> String {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    context.update(b"muster manifest 1\n");
    for (path, entry) in files {
        context.update(format!("{:o} {} {} {path}\n", entry.mode, entry.sha256, entry.size).as_bytes());
    }
    hex(context.finish().as_ref())
}

/// SHA-256 of bytes that come in pieces.
pub struct Digester(ring::digest::Context);

impl Digester {
    /// Of nothing yet.
    pub fn new() -> Digester {
        Digester(ring::digest::Context::new(&ring::digest::SHA256))
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all of them, lower-case hex.
    pub fn hex(self) -> String {
        hex(self.0.finish().as_ref())
    }
}

impl Default for Digester {
    fn default() -> Self {
        Digester::new()
    }
}

/// SHA-256 of some bytes, lower-case hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// Where a symbolic link leads, below the root; the file behind it is what the bundle holds.
///
/// # Errors
/// A link that is absolute or leaves the root.
pub fn link_target(link: &str, target: &str) -> Result<String, BundleProblem> {
    let joined = path::join(path::parent(link), target);
    let refused = || BundleProblem::Link {
        path: crate::diagnostic::shown(link),
        target: crate::diagnostic::shown(target),
    };
    if target.starts_with('/') {
        return Err(refused());
    }
    path::normal(&joined).map_err(|_| refused())
}

/// Links followed on one way; more are a ring.
const LINKS_FOLLOWED_MAX: usize = 40;

/// Checks where symbolic links lead when each is followed as a system does: through the others. A link that stays below
/// the root by its spelling may leave it on its way through a second one.
///
/// # Errors
/// The first link that leaves the root, or never ends.
pub fn links_stay(links: &BTreeMap<&str, &str>) -> Result<(), BundleProblem> {
    for (link, target) in links {
        link_target(link, target)?;
        let refused = || BundleProblem::Link {
            path: crate::diagnostic::shown(link),
            target: crate::diagnostic::shown(target),
        };
        let parts = |text: &str| text.split('/').rev().map(str::to_owned).collect::<Vec<_>>();
        let mut at: Vec<String> = link.split('/').map(str::to_owned).collect();
        at.pop();
        let mut to_go = parts(target);
        let mut followed = 0;
        while let Some(part) = to_go.pop() {
            match part.as_str() {
                "" | "." => continue,
                ".." => {
                    at.pop().ok_or_else(refused)?;
                    continue;
                }
                _ => at.push(part),
            }
            if let Some(next) = links.get(at.join("/").as_str()) {
                followed += 1;
                if followed > LINKS_FOLLOWED_MAX || next.starts_with('/') {
                    return Err(refused());
                }
                at.pop();
                to_go.extend(parts(next));
            }
        }
    }
    Ok(())
}
