//! What the planner needs to know of a bundle: which files it holds, by content. Never the contents.

use std::collections::BTreeMap;

use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use crate::hash::hex;

/// The facts of one bundle (`SEMANTICS.md` §1), as the planner reads them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleFacts {
    /// The bundle's own digest (SHA-256, hex); part of the plan's hash.
    pub digest: String,
    /// Every file of the bundle: its path below the root → SHA-256 of its content, hex.
    pub files: BTreeMap<String, String>,
    /// Digest of the built-in node_exporter playbook with its files (SHA-256, hex): a new one is installed anew.
    pub node_exporter: String,
}

impl BundleFacts {
    /// Digest of running one playbook: its own text and, because it may read any of them, all files of the bundle.
    /// `None` if the bundle lacks the playbook.
    pub fn playbook_digest(&self, path: &str) -> Option<String> {
        let path = clean(path);
        let content = self.files.get(path)?;
        let mut context = Context::new(&SHA256);
        for part in ["playbook", path, content, &self.digest] {
            context.update(part.as_bytes());
            context.update(b"\n");
        }
        Some(hex(context.finish().as_ref()))
    }

    /// Digest of one directory of code: the paths below it and their contents, so that only a change inside it
    /// makes a new release. `None` if the bundle holds no file below it.
    pub fn code_digest(&self, directory: &str) -> Option<String> {
        let directory = clean(directory);
        let prefix = if directory.is_empty() { String::new() } else { format!("{directory}/") };
        let mut context = Context::new(&SHA256);
        let mut found = false;
        for (path, content) in self.files.range(prefix.clone()..) {
            let Some(below) = path.strip_prefix(prefix.as_str()) else { break };
            found = true;
            for part in [below, content] {
                context.update(part.as_bytes());
                context.update(b"\n");
            }
        }
        found.then(|| hex(context.finish().as_ref()))
    }

    /// Every directory that holds a file of the bundle, for "did you mean".
    pub(crate) fn directories(&self) -> impl Iterator<Item = &str> {
        self.files.keys().flat_map(|path| path.match_indices('/').map(move |(at, _)| &path[..at]))
    }
}

/// A path below the root as the manifest spells it: no leading `./`, no trailing `/`.
pub(crate) fn clean(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    let path = path.strip_prefix("./").unwrap_or(path);
    if path == "." { "" } else { path }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(files: &[(&str, &str)]) -> BundleFacts {
        BundleFacts {
            digest: "d".into(),
            files: files.iter().map(|(path, sha)| (path.to_string(), sha.to_string())).collect(),
            node_exporter: "n".into(),
        }
    }

    #[test]
    fn code_digest_reads_its_own_directory_only() {
        let one = facts(&[("app/a", "1"), ("app/b", "2"), ("application", "3"), ("x", "4")]);
        let two = facts(&[("app/a", "1"), ("app/b", "2"), ("application", "9")]);
        assert_eq!(one.code_digest("./app/"), two.code_digest("app"));
        assert_ne!(one.code_digest("app"), facts(&[("app/a", "1")]).code_digest("app"));
        assert_eq!(one.code_digest("ap"), None);
        assert_eq!(
            one.code_digest("."),
            facts(&[("app/a", "1"), ("app/b", "2"), ("application", "3"), ("x", "4")]).code_digest("")
        );
    }

    #[test]
    fn playbook_digest_changes_with_the_bundle() {
        let one = facts(&[("site.yml", "1")]);
        let two = BundleFacts { digest: "other".into(), ..one.clone() };
        assert_eq!(one.playbook_digest("./site.yml"), one.playbook_digest("site.yml"));
        assert_ne!(one.playbook_digest("site.yml"), two.playbook_digest("site.yml"));
        assert_eq!(one.playbook_digest("sight.yml"), None);
    }
}
