//! The bundle's files as Ansible looks for them: by path, relative to several places.

use std::collections::BTreeMap;
use std::ops::Bound;

/// Files by path below the bundle's root.
pub(crate) struct Files<'f> {
    by_path: BTreeMap<&'f str, &'f [u8]>,
}

/// What became of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Search {
    /// This file.
    At(String),
    /// In none of the places.
    Missing,
    /// It may stand outside the bundle (absolute, or above the root): we cannot know.
    Outside,
}

impl<'f> Files<'f> {
    pub(crate) fn new(files: impl IntoIterator<Item = (&'f str, &'f [u8])>) -> Files<'f> {
        Files { by_path: files.into_iter().collect() }
    }

    pub(crate) fn get(&self, path: &str) -> Option<&'f [u8]> {
        self.by_path.get(path).copied()
    }

    pub(crate) fn paths(&self) -> impl Iterator<Item = &'f str> {
        self.by_path.keys().copied()
    }

    /// The files below a directory.
    pub(crate) fn below(&self, directory: &str) -> impl Iterator<Item = (&'f str, &'f [u8])> {
        let prefix = if directory.is_empty() { String::new() } else { format!("{directory}/") };
        let from = self.by_path.range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded));
        from.map(|(path, bytes)| (*path, *bytes)).take_while(move |(path, _)| path.starts_with(&prefix))
    }

    pub(crate) fn is_directory(&self, directory: &str) -> bool {
        self.below(directory).next().is_some()
    }

    /// Looks for a file or directory of this name in several directories, in order.
    pub(crate) fn search(&self, places: &[String], name: &str) -> Search {
        let mut outside = name.starts_with('/') || name.starts_with('~');
        for place in places {
            match join(place, name) {
                Some(path) if self.by_path.contains_key(path.as_str()) || self.is_directory(&path) => {
                    return Search::At(path);
                }
                Some(_) => {}
                None => outside = true,
            }
        }
        if outside { Search::Outside } else { Search::Missing }
    }
}

/// The directory of a path; the root is empty.
pub(crate) fn parent(path: &str) -> String {
    path.rsplit_once('/').map_or(String::new(), |(directory, _)| directory.to_owned())
}

/// A path below the root, or none if it leaves the root.
pub(crate) fn join(directory: &str, name: &str) -> Option<String> {
    if name.starts_with('/') || name.starts_with('~') {
        return None;
    }
    let mut parts: Vec<&str> = directory.split('/').filter(|part| !part.is_empty()).collect();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
