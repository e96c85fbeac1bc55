//! Code and its releases: where code comes from, how it is built, what releases share, when one is healthy, and how a
//! release is called.
//!
//! Fetching, building and delivering are done elsewhere; here is what they agree on.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::bundle::sha256_hex;
use crate::id::{AccountName, ServerName};

/// Below this directory of a bundle stands what a client exported from git and from archives.
pub const EXPORTED: &str = ".muster/code";
/// Characters of a source's digest that name its directory.
const KEY_CHARS: usize = 16;
/// Characters of a commit, or of a digest, that people get to see.
const SHOWN_CHARS: usize = 12;
/// Characters of the content's digest behind a commit in the name of a release.
const NAME_DIGEST_CHARS: usize = 16;
/// Characters of a git commit: SHA-1 and SHA-256.
const COMMIT_CHARS: [usize; 2] = [40, 64];
/// The fewest characters of a release's name that stand for it.
const NAME_PREFIX_MIN: usize = 4;
/// What is checked, waited and run for unless the file says otherwise, in seconds.
pub const HEALTH_WITHIN_S: u32 = 30;
/// How long a build may take unless the file says otherwise, in seconds.
pub const BUILD_WITHIN_S: u32 = 900;

/// Where code comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum CodeSource {
    /// A directory below the root, as it is now.
    Directory(String),
    /// A commit of a git repository.
    Git(GitSource),
    /// An archive below the root.
    Archive(ArchiveSource),
}

/// A commit of a git repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GitSource {
    /// A URL, or the path of a repository seen from the root.
    pub git: String,
    /// A branch, a tag or a commit.
    pub revision: String,
    /// Only what is below this directory; empty = everything.
    pub path: String,
}

/// An archive: tar, as it is or compressed by gzip.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArchiveSource {
    /// Its path below the root.
    pub archive: String,
    /// Only what is below this directory; empty = everything.
    pub path: String,
}

impl From<&str> for CodeSource {
    fn from(directory: &str) -> CodeSource {
        CodeSource::Directory(directory.to_owned())
    }
}

impl CodeSource {
    /// The directory of the bundle that is, or holds, what this source stands for. Below that of an exported source
    /// there is one directory, named after the commit, or after the archive's digest.
    pub fn bundle_directory(&self) -> String {
        match self {
            CodeSource::Directory(path) => path.clone(),
            CodeSource::Git(GitSource { git, revision, path }) => exported(&["git", git, revision, path]),
            CodeSource::Archive(ArchiveSource { archive, path }) => exported(&["archive", archive, path]),
        }
    }

    /// Whether a client must export it before it can be part of a bundle.
    pub fn is_exported(&self) -> bool {
        match self {
            CodeSource::Directory(_) => false,
            CodeSource::Git(_) | CodeSource::Archive(_) => true,
        }
    }
}

/// Texts hold no control characters, so lines cannot be forged.
fn exported(words: &[&str]) -> String {
    format!("{EXPORTED}/{}", &sha256_hex(words.join("\n").as_bytes())[..KEY_CHARS])
}

impl fmt::Display for CodeSource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, path) = match self {
            CodeSource::Directory(path) => (path.clone(), ""),
            CodeSource::Git(source) => {
                (format!("{} at {}", source.git, source.revision), source.path.as_str())
            }
            CodeSource::Archive(source) => (source.archive.clone(), source.path.as_str()),
        };
        match path {
            "" => write!(out, "{what}"),
            path => write!(out, "{path} of {what}"),
        }
    }
}

/// A build on the controller, in a private copy of the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Only what is below this directory of the copy is delivered; empty = everything.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub output: String,
    /// Further variables of its environment, as written: `${env:…}` and `${secret:…}` are opened just before the build,
    /// and `$${` is a plain `${`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// How long it may take, in seconds.
    pub within_s: u32,
}

/// What all releases of one place on a server have in common: it stands in `shared/`, and each release links to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Shared {
    /// Directories, by their path below a release.
    pub directories: Vec<String>,
    /// Files.
    pub files: Vec<String>,
}

impl Shared {
    /// Whether nothing is shared.
    pub fn is_empty(&self) -> bool {
        self.directories.is_empty() && self.files.is_empty()
    }
}

/// When a release is healthy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// Run in the new release before the switch; exit status 0 is healthy. Empty = nothing is run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Asked on the server itself after the switch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpCheck>,
    /// How long each of them is tried, in seconds.
    pub within_s: u32,
}

/// One GET on the server itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpCheck {
    /// Its port on 127.0.0.1.
    pub port: u16,
    /// The path, with the query.
    pub path: String,
    /// The status that is healthy.
    pub status: u16,
}

impl fmt::Display for HttpCheck {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "http://127.0.0.1:{}{}", self.port, self.path)
    }
}

/// The digest of what a release holds (SHA-256, hex), known before anything is built: over the source, the build and
/// what is shared. Without the latter two it is the source's own, so that the releases of old files keep their names.
pub fn content_digest(source: &str, build: Option<&Build>, shared: &Shared) -> String {
    if build.is_none() && shared.is_empty() {
        return source.to_owned();
    }
    // How long a build may take changes nothing of what comes out.
    let build = build.map(|build| (&build.command, &build.output, &build.env));
    // These types cannot fail: their maps have text keys.
    let text = serde_json::to_string(&("release", source, build, shared)).unwrap_or_default();
    sha256_hex(text.as_bytes())
}

/// The name of a release: its content's digest, and before it the commit it was made from.
pub fn release_name(digest: &str, commit: Option<&str>) -> String {
    match commit {
        None => digest.to_owned(),
        Some(commit) => format!("{}-{}", cut(commit, SHOWN_CHARS), cut(digest, NAME_DIGEST_CHARS)),
    }
}

/// Whether this can be the name of a release: letters and digits, and one `-` between them.
pub fn is_release_name(name: &str) -> bool {
    let good = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match name.split_once('-') {
        None => good(name),
        Some((commit, digest)) => good(commit) && good(digest),
    }
}

/// Whether this is a whole commit as git writes it.
pub fn is_commit(text: &str) -> bool {
    COMMIT_CHARS.contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// As much of a commit, a digest or a release's name as people get to see.
pub fn short(name: &str) -> &str {
    // The whole commit and the beginning of the digest.
    let behind = name.find('-').map_or(0, |at| at + 1 + 4);
    cut(name, SHOWN_CHARS.max(behind))
}

fn cut(text: &str, chars: usize) -> &str {
    text.get(..chars).unwrap_or(text)
}

/// A release that a server keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenRelease {
    /// Its name.
    pub name: String,
    /// Its number: the same on all servers that it was delivered to. An earlier version of Muster gave none.
    pub number: Option<u32>,
    /// The commit it was made from.
    pub revision: Option<String>,
    /// Where its code came from, in words.
    pub source: Option<String>,
    /// When it was last switched to.
    pub at: Option<Timestamp>,
}

/// The releases that one server keeps at one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenReleases {
    /// The server.
    pub server: ServerName,
    /// Its account, where the servers that were asked belong to several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountName>,
    /// The directory that holds `releases/` and `current`.
    pub to: String,
    /// The release that `current` points to.
    pub current: Option<String>,
    /// A switch that nobody has finished: to this release, and from that one.
    pub unfinished: Option<(String, Option<String>)>,
    /// Newest first.
    pub releases: Vec<SeenRelease>,
    /// Why it could not be looked at.
    pub error: Option<String>,
}

impl SeenReleases {
    /// The release of this name.
    pub fn named(&self, name: &str) -> Option<&SeenRelease> {
        self.releases.iter().find(|release| release.name == name)
    }

    /// What it keeps, in words: `web-1 keeps 7 3f2a… (current), 6 …`.
    pub fn words(&self) -> String {
        if let Some(error) = &self.error {
            return format!("{} could not be asked: {error}", self.server);
        }
        if self.releases.is_empty() {
            return format!("{} keeps none", self.server);
        }
        let word = |release: &SeenRelease| {
            let number = release.number.map_or_else(String::new, |number| format!("{number} "));
            let current = if self.current.as_ref() == Some(&release.name) { " (current)" } else { "" };
            format!("{number}{}{current}", short(&release.name))
        };
        let kept: Vec<String> = self.releases.iter().map(word).collect();
        format!("{} keeps {}", self.server, kept.join(", "))
    }
}

/// Which release a person wants to go back to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseWish {
    /// The directory on the servers; none: the file has only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Its number, its name, or the beginning of its name.
    pub release: String,
}

impl ReleaseWish {
    /// From `7`, `3f2a9c`, or with the directory: `/srv/app=7`.
    pub fn read(text: &str) -> Result<ReleaseWish, &'static str> {
        let (to, release) = match text.split_once('=') {
            Some((to, release)) => (Some(to.trim_end_matches('/').to_owned()), release),
            None => (None, text),
        };
        if to.as_ref().is_some_and(|to| !to.starts_with('/')) {
            return Err("before `=` stands the directory on the servers, as in `/srv/app=7`");
        }
        if !is_release_name(release) {
            return Err("a release is a number or a name, as `muster infra releases` shows them");
        }
        Ok(ReleaseWish { to, release: release.to_owned() })
    }

    /// Whether it means this release.
    pub fn means(&self, release: &SeenRelease) -> bool {
        let wanted = self.release.as_str();
        if wanted == release.name {
            return true;
        }
        // A short number is a number; a name that looks like one is never so short.
        match wanted.parse::<u32>() {
            Ok(number) if wanted.len() < SHOWN_CHARS => release.number == Some(number),
            _ => wanted.len() >= NAME_PREFIX_MIN && release.name.starts_with(wanted),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(command: &str) -> Build {
        Build {
            command: vec![command.to_owned()],
            output: String::new(),
            env: BTreeMap::new(),
            within_s: BUILD_WITHIN_S,
        }
    }

    /// ICT-02: what a release holds is known before it is built, and old files keep their releases.
    #[test]
    fn the_digest_is_over_source_build_and_what_is_shared() {
        let none = Shared::default();
        let source = sha256_hex(b"source");
        assert_eq!(content_digest(&source, None, &none), source);
        let built = content_digest(&source, Some(&build("make")), &none);
        assert_ne!(built, source);
        assert_eq!(built, content_digest(&source, Some(&Build { within_s: 1, ..build("make") }), &none));
        assert_ne!(built, content_digest(&source, Some(&build("ninja")), &none));
        let shared = Shared { directories: vec!["uploads".into()], files: Vec::new() };
        let files = Shared { directories: Vec::new(), files: vec!["uploads".into()] };
        assert_ne!(content_digest(&source, None, &shared), source);
        assert_ne!(content_digest(&source, None, &shared), content_digest(&source, None, &files));
    }

    #[test]
    fn a_release_is_called_after_its_commit_and_its_content() {
        let (digest, commit) = (sha256_hex(b"x"), "0123456789abcdef0123456789abcdef01234567");
        assert_eq!(release_name(&digest, None), digest);
        let name = release_name(&digest, Some(commit));
        assert!(name.starts_with("0123456789ab-") && is_release_name(&name), "{name}");
        assert_eq!(short(&name).len(), 12 + 1 + 4);
        assert_eq!(short(&digest).len(), 12);
        for bad in ["", "-", "a-", "-a", "a-b-c", "../x", "a b"] {
            assert!(!is_release_name(bad), "{bad}");
        }
    }

    #[test]
    fn releases_are_meant_by_number_name_or_beginning() {
        let release = SeenRelease {
            name: "123456789012abcd".into(),
            number: Some(7),
            revision: None,
            source: None,
            at: None,
        };
        let means = |text: &str| ReleaseWish::read(text).is_ok_and(|wish| wish.means(&release));
        assert!(means("7") && means("123456789012") && means("123456789012abcd") && means("/srv/app=7"));
        assert!(!means("70") && !means("1234") && !means("bcd"));
        assert!(ReleaseWish::read("app=7").is_err() && ReleaseWish::read("--x").is_err());
    }

    #[test]
    fn sources_have_places_of_their_own() {
        let git = |revision: &str| {
            let (git, revision) = ("https://example.org/a.git".to_owned(), revision.to_owned());
            CodeSource::Git(GitSource { git, revision, path: String::new() })
        };
        assert_eq!(CodeSource::from("app").bundle_directory(), "app");
        assert!(git("main").bundle_directory().starts_with(".muster/code/"));
        assert_ne!(git("main").bundle_directory(), git("v1").bundle_directory());
        let stored: CodeSource = serde_json::from_str("\"app\"").unwrap();
        assert_eq!(stored, CodeSource::from("app"), "what was stored before there was anything else");
        let text = serde_json::to_string(&git("main")).unwrap();
        assert_eq!(serde_json::from_str::<CodeSource>(&text).unwrap(), git("main"));
    }
}
