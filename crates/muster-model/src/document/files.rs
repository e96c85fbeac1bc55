//! The files that belong to a document, in memory: some with their contents, some only known to exist.

use std::collections::BTreeMap;

/// Files by their path below the root (`/` between parts, no leading `./`).
///
/// A file may be listed without its contents: checking needs to know that a playbook exists, not what is in it.
#[derive(Clone, Debug, Default)]
pub struct Files {
    files: BTreeMap<String, Option<Vec<u8>>>,
}

impl Files {
    /// No files.
    pub fn new() -> Files {
        Files::default()
    }

    /// Adds a file with its contents.
    pub fn insert(&mut self, path: impl Into<String>, contents: impl Into<Vec<u8>>) {
        self.files.insert(path.into(), Some(contents.into()));
    }

    /// Notes that a file exists; keeps contents that are there already.
    pub fn list(&mut self, path: impl Into<String>) {
        self.files.entry(path.into()).or_insert(None);
    }

    /// The contents of a file, where they are at hand.
    pub fn get(&self, path: &str) -> Option<&[u8]> {
        self.files.get(path)?.as_deref()
    }

    /// Every file with its contents; those that are only known to exist are empty.
    pub fn contents(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_deref().unwrap_or_default()))
    }

    /// Whether the file exists.
    pub fn contains(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// Whether at least one file stands below this directory (empty = the root).
    pub fn contains_directory(&self, directory: &str) -> bool {
        self.below(directory).next().is_some()
    }

    /// Every file below a directory (empty = the root), sorted.
    pub fn below<'a>(&'a self, directory: &str) -> impl Iterator<Item = &'a str> {
        let prefix = if directory.is_empty() { String::new() } else { format!("{directory}/") };
        self.files
            .range(prefix.clone()..)
            .map(|(path, _)| path.as_str())
            .take_while(move |path| path.starts_with(&prefix))
    }

    /// Every file, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }
}
