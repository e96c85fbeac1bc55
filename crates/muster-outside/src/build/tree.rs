//! A tree of files, written into a private directory and read back from one.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use bytes::Bytes;
use muster_model::bundle::{FILE_BYTES_MAX, FILES_MAX, LINK, TOTAL_BYTES_MAX, link_target};
use muster_model::document::path;

use super::{BuildError, Tree};
use crate::host::ssh::deliver::DeliveredFile;

/// How deep directories may stand in each other.
const DEPTH_MAX: usize = 64;

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BuildError {
    move |source| BuildError::File { doing, path: path.to_owned(), source }
}

/// Writes files below a directory that is made, readable by its owner only.
///
/// # Errors
/// A path that leaves the directory, or a file that cannot be written.
pub fn write(directory: &Path, files: &Tree) -> Result<(), BuildError> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed("making", directory))?;
    for (below, file) in files {
        if path::normal(below).as_deref() != Ok(below.as_str()) {
            return Err(BuildError::Result(format!("`{below}` is no path below the code")));
        }
        let full = directory.join(below);
        if let Some(parent) = full.parent() {
            fs::create_dir_all(parent).map_err(failed("making", parent))?;
        }
        if file.mode == LINK {
            let target = String::from_utf8_lossy(&file.content);
            link_target(below, &target).map_err(|problem| BuildError::Result(problem.to_string()))?;
            std::os::unix::fs::symlink(target.as_ref(), &full).map_err(failed("linking", &full))?;
        } else {
            let mut options = OpenOptions::new();
            let opened = options.write(true).create_new(true).mode(file.mode & 0o777).open(&full);
            let mut opened = opened.map_err(failed("writing", &full))?;
            opened.write_all(&file.content).map_err(failed("writing", &full))?;
        }
    }
    Ok(())
}

/// Reads everything below a directory, within the bounds of a bundle. Links stay links, and must not leave it.
///
/// # Errors
/// What cannot be delivered, in words.
pub fn read(directory: &Path) -> Result<Tree, BuildError> {
    let mut reading = Reading { files: Tree::new(), bytes: 0 };
    reading.below(directory, "", 0)?;
    Ok(reading.files)
}

struct Reading {
    files: Tree,
    bytes: u64,
}

impl Reading {
    fn below(&mut self, directory: &Path, below: &str, depth: usize) -> Result<(), BuildError> {
        if depth > DEPTH_MAX {
            return Err(BuildError::Result(format!("`{below}` stands deeper than {DEPTH_MAX} directories")));
        }
        for entry in fs::read_dir(directory).map_err(failed("reading", directory))? {
            let entry = entry.map_err(failed("reading", directory))?;
            let full = entry.path();
            let name = entry.file_name();
            let name = name.to_str().map(|name| path::join(below, name));
            let good = name.filter(|name| path::normal(name).as_deref() == Ok(name.as_str()));
            let Some(name) = good else {
                return Err(BuildError::Result(format!(
                    "`{}` has a name that cannot be delivered",
                    full.display()
                )));
            };
            let data = fs::symlink_metadata(&full).map_err(failed("reading", &full))?;
            if data.is_dir() {
                self.below(&full, &name, depth + 1)?;
            } else if data.is_symlink() {
                let target = fs::read_link(&full).map_err(failed("reading", &full))?;
                let target = target.to_string_lossy().into_owned();
                link_target(&name, &target).map_err(|_| {
                    BuildError::Result(format!("the link `{name}` leads out of it, to `{target}`"))
                })?;
                self.add(name, Bytes::from(target), LINK)?;
            } else if data.is_file() {
                if data.len() > FILE_BYTES_MAX {
                    let message =
                        format!("`{name}` has {} bytes; a file has at most {FILE_BYTES_MAX}", data.len());
                    return Err(BuildError::Result(message));
                }
                let mode = if data.permissions().mode() & 0o111 == 0 { 0o644 } else { 0o755 };
                let mut content = Vec::new();
                let file = fs::File::open(&full).map_err(failed("reading", &full))?;
                file.take(FILE_BYTES_MAX).read_to_end(&mut content).map_err(failed("reading", &full))?;
                self.add(name, Bytes::from(content), mode)?;
            } else {
                return Err(BuildError::Result(format!(
                    "`{name}` is neither a file nor a directory nor a link"
                )));
            }
        }
        Ok(())
    }

    fn add(&mut self, name: String, content: Bytes, mode: u32) -> Result<(), BuildError> {
        self.bytes += content.len() as u64;
        if self.files.len() >= FILES_MAX {
            return Err(BuildError::Result(format!(
                "it has more than {FILES_MAX} files; name less with `output:`"
            )));
        }
        if self.bytes > TOTAL_BYTES_MAX {
            return Err(BuildError::Result(format!("it has more than {TOTAL_BYTES_MAX} bytes")));
        }
        self.files.insert(name, DeliveredFile { content, mode });
        Ok(())
    }
}
