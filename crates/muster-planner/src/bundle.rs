//! What the planner needs to know of a bundle: which files it holds, by content. Never the contents.

use std::collections::BTreeMap;

use muster_model::bundle::{LINK, Manifest};
use muster_model::code::{CodeSource, is_commit};
use muster_model::document::path;
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use crate::hash::hex;

/// Permission bits that let anybody execute a file.
const EXECUTABLE: u32 = 0o111;

/// The facts of one bundle (`SEMANTICS.md` §1), as the planner reads them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleFacts {
    /// The bundle's own digest (SHA-256, hex); part of the plan's hash.
    pub digest: String,
    /// Every file of the bundle: its path below the root → what tells its versions apart: SHA-256 of its content,
    /// hex, with `+x` after it if it may be executed, `+link` if it is a link.
    pub files: BTreeMap<String, String>,
    /// Digest of the built-in node_exporter playbook with its files (SHA-256, hex): a new one is installed anew.
    pub node_exporter: String,
}

impl BundleFacts {
    /// The facts of a manifest, with the digest of the built-in node_exporter playbook.
    pub fn of(manifest: &Manifest, node_exporter: impl Into<String>) -> BundleFacts {
        let files = manifest.files.iter().map(|(path, entry)| {
            let kind = match entry.mode {
                LINK => "+link",
                mode if mode & EXECUTABLE == 0 => "",
                _ => "+x",
            };
            (path.clone(), format!("{}{kind}", entry.sha256))
        });
        BundleFacts { digest: manifest.digest(), files: files.collect(), node_exporter: node_exporter.into() }
    }

    /// Digest of running one playbook: its own text and, because it may read any of them, all files of the bundle.
    /// `None` if the bundle lacks the playbook.
    pub fn playbook_digest(&self, playbook: &str) -> Option<String> {
        let playbook = path::normal(playbook).ok()?;
        let content = self.files.get(&playbook)?;
        Some(digest(["playbook", &playbook, content, &self.digest].into_iter()))
    }

    /// Digest of one directory of code, from the paths below it and their contents: only a change inside it makes
    /// a new release. `None` if the bundle holds no file below it.
    pub fn code_digest(&self, directory: &str) -> Option<String> {
        let directory = path::normal(directory).ok()?;
        let prefix = if directory.is_empty() { directory } else { format!("{directory}/") };
        let below = || {
            let from = self.files.range(prefix.clone()..);
            from.map_while(|(path, content)| Some((path.strip_prefix(prefix.as_str())?, content.as_str())))
        };
        below().next()?;
        Some(digest(["code"].into_iter().chain(below().flat_map(|(path, content)| [path, content]))))
    }

    /// Where the code of a source stands in the bundle, and what tells an exported one apart: its commit, or the
    /// archive's digest. `None` if the bundle does not hold it.
    pub fn code(&self, source: &CodeSource) -> Option<(String, Option<String>)> {
        let directory = path::normal(&source.bundle_directory()).ok()?;
        if !source.is_exported() {
            return Some((directory, None));
        }
        let prefix = format!("{directory}/");
        let mut below = self.files.range(prefix.clone()..).map_while(|(path, _)| path.strip_prefix(&prefix));
        let (revision, _) = below.next()?.split_once('/')?;
        let is_only = below.all(|path| path.split_once('/').is_some_and(|(other, _)| other == revision));
        (is_only && is_commit(revision)).then(|| (format!("{prefix}{revision}"), Some(revision.to_owned())))
    }

    /// Every file, and every directory that holds one, for "did you mean".
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        let directories = |path: &str| -> Vec<usize> { path.match_indices('/').map(|(at, _)| at).collect() };
        self.files.keys().flat_map(move |path| {
            directories(path).into_iter().map(move |at| &path[..at]).chain([path.as_str()])
        })
    }
}

/// SHA-256 over lines, hex. Paths hold no control characters, so lines cannot be forged.
fn digest<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let mut context = Context::new(&SHA256);
    for line in lines {
        context.update(line.as_bytes());
        context.update(b"\n");
    }
    hex(context.finish().as_ref())
}

#[cfg(test)]
mod tests {
    use muster_model::bundle::ManifestFile;
    use muster_model::code::GitSource;

    use super::*;

    fn facts(files: &[(&str, &str, bool)]) -> BundleFacts {
        let entries = files.iter().map(|(path, text, executable)| {
            (path.to_string(), ManifestFile::of(text.as_bytes(), *executable))
        });
        BundleFacts::of(&Manifest { files: entries.collect() }, "n")
    }

    #[test]
    fn code_digest_reads_its_own_directory_only() {
        let (a, b) = (("app/a", "1", false), ("app/b", "2", false));
        let one = facts(&[a, b, ("application", "3", false), ("x", "4", false)]);
        let two = facts(&[a, b, ("application", "9", false)]);
        assert!(one.code_digest("app").is_some());
        assert_eq!(one.code_digest("./app/"), two.code_digest("app"));
        assert_ne!(one.code_digest("app"), facts(&[a]).code_digest("app"));
        assert_ne!(one.code_digest("app"), facts(&[a, ("app/b", "2", true)]).code_digest("app"));
        assert_eq!(one.code_digest("ap"), None);
        assert_eq!(one.code_digest("../app"), None);
    }

    /// What was exported tells the commit, and its content tells the release.
    #[test]
    fn exported_code_tells_its_commit() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let source = GitSource { git: ".".into(), revision: "main".into(), path: String::new() };
        let source = CodeSource::Git(source);
        let at = source.bundle_directory();
        let path = |commit: &str, file: &str| format!("{at}/{commit}/{file}");
        let (one, two) = (path(commit, "a"), path(commit, "b/c"));
        let all =
            facts(&[(&one, "1", false), (&two, "2", true), ("app/a", "1", false), ("app/b/c", "2", true)]);
        let (directory, revision) = all.code(&source).unwrap();
        assert_eq!(
            (directory.as_str(), revision.as_deref()),
            (path(commit, "").trim_end_matches('/'), Some(commit))
        );
        assert_eq!(all.code_digest(&directory), all.code_digest("app"), "wherever the same content stands");
        let other = path(&commit.replace('0', "f"), "a");
        assert_eq!(facts(&[(&one, "1", false), (&other, "1", false)]).code(&source), None, "two commits");
        assert_eq!(facts(&[(&path("main", "a"), "1", false)]).code(&source), None, "no commit");
        assert_eq!(facts(&[("app/a", "1", false)]).code(&source), None);
        assert_eq!(facts(&[]).code(&"./app".into()), Some(("app".into(), None)));
    }

    #[test]
    fn playbook_digest_changes_with_the_bundle() {
        let one = facts(&[("site.yml", "1", false)]);
        let two = facts(&[("site.yml", "1", false), ("roles/x.yml", "2", false)]);
        assert_eq!(one.playbook_digest("./site.yml"), one.playbook_digest("site.yml"));
        assert_ne!(one.playbook_digest("site.yml"), two.playbook_digest("site.yml"));
        assert_eq!(one.playbook_digest("sight.yml"), None);
    }

    #[test]
    fn paths_are_files_and_directories() {
        let all = facts(&[("a/b/c", "1", false), ("d", "2", false)]);
        assert_eq!(all.paths().collect::<Vec<_>>(), ["a", "a/b", "a/b/c", "d"]);
    }
}
