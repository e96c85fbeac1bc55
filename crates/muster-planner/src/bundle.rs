//! What the planner needs to know of a bundle: which files it holds, by content. Never the contents.

use muster_model::bundle::Manifest;
use muster_model::document::path;
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use crate::hash::hex;

/// The facts of one bundle (`SEMANTICS.md` §1), as the planner reads them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleFacts {
    /// What the bundle holds; its digest is part of the plan's hash.
    pub manifest: Manifest,
    /// Digest of the built-in node_exporter playbook with its files (SHA-256, hex): a new one is installed anew.
    pub node_exporter: String,
}

impl BundleFacts {
    /// Digest of running one playbook: its own text and, because it may read any of them, all files of the bundle.
    /// `None` if the bundle lacks the playbook.
    pub fn playbook_digest(&self, playbook: &str) -> Option<String> {
        let playbook = path::normal(playbook).ok()?;
        let content = &self.manifest.files.get(&playbook)?.sha256;
        let mut context = Context::new(&SHA256);
        for part in ["playbook", &playbook, content, &self.manifest.digest()] {
            context.update(part.as_bytes());
            context.update(b"\n");
        }
        Some(hex(context.finish().as_ref()))
    }

    /// Digest of one directory of code: only a change inside it makes a new release. `None` if the bundle holds
    /// no file below it.
    pub fn code_digest(&self, directory: &str) -> Option<String> {
        self.manifest.directory_digest(&path::normal(directory).ok()?)
    }

    /// Every file, and every directory that holds one, for "did you mean".
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        let directories = |path: &str| -> Vec<usize> { path.match_indices('/').map(|(at, _)| at).collect() };
        self.manifest.files.keys().flat_map(move |path| {
            directories(path).into_iter().map(move |at| &path[..at]).chain([path.as_str()])
        })
    }
}

#[cfg(test)]
mod tests {
    use muster_model::bundle::ManifestEntry;

    use super::*;

    fn facts(files: &[(&str, &str)]) -> BundleFacts {
        let entries =
            files.iter().map(|(path, text)| (path.to_string(), ManifestEntry::of(text.as_bytes(), false)));
        BundleFacts { manifest: Manifest { files: entries.collect() }, node_exporter: "n".into() }
    }

    #[test]
    fn code_digest_reads_its_own_directory_only() {
        let one = facts(&[("app/a", "1"), ("app/b", "2"), ("application", "3"), ("x", "4")]);
        let two = facts(&[("app/a", "1"), ("app/b", "2"), ("application", "9")]);
        assert!(one.code_digest("app").is_some());
        assert_eq!(one.code_digest("./app/"), two.code_digest("app"));
        assert_ne!(one.code_digest("app"), facts(&[("app/a", "1")]).code_digest("app"));
        assert_eq!(one.code_digest("ap"), None);
        assert_eq!(one.code_digest("../app"), None);
    }

    #[test]
    fn playbook_digest_changes_with_the_bundle() {
        let one = facts(&[("site.yml", "1")]);
        let two = facts(&[("site.yml", "1"), ("roles/x.yml", "2")]);
        assert_eq!(one.playbook_digest("./site.yml"), one.playbook_digest("site.yml"));
        assert_ne!(one.playbook_digest("site.yml"), two.playbook_digest("site.yml"));
        assert_eq!(one.playbook_digest("sight.yml"), None);
    }

    #[test]
    fn paths_are_files_and_directories() {
        let all = facts(&[("a/b/c", "1"), ("d", "2")]);
        assert_eq!(all.paths().collect::<Vec<_>>(), ["a", "a/b", "a/b/c", "d"]);
    }
}
