//! Configuration as documents: `muster.yaml` of a root, `MUSTER_HOME/config.yaml` of a person, and the old
//! `data/ict_conf.json`. Looking at the disk is done elsewhere; what was seen is judged here.

use crate::Secret;
use crate::diagnostic::{Diagnostic, Diagnostics, shown};
use crate::document::walk::{Walk, blame, field};
use crate::document::{Entry, Node, Span, Value, parse_bytes, path};
use crate::id::AccountName;

pub mod elastic;

pub use elastic::Elastic;

/// The length of an API key of 1cloud, in hexadecimal characters (`spec/onecloud-api.md` §1.1).
pub const API_KEY_CHARS: usize = 64;
/// The most directories of templates.
pub const DIRECTORIES_MAX: usize = 100;

/// Settings, of a root or of a person; the root's are looked at first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Directories that are searched for infrastructure files besides `infra` and `templates`, relative to the root.
    pub templates: Vec<String>,
    /// The account for files that name none.
    pub account: Option<AccountName>,
    /// Where records of runs are sent; a person's setting, never a root's.
    pub elastic: Option<Elastic>,
}

impl Config {
    /// Both settings as one: the root's account wins, directories add up.
    pub fn over(mut self, person: Config) -> Config {
        self.account = self.account.or(person.account);
        self.elastic = person.elastic;
        for directory in person.templates {
            if !self.templates.contains(&directory) {
                self.templates.push(directory);
            }
        }
        self
    }
}

/// Reads `muster.yaml` or `config.yaml`. An empty file is good: it only marks the root.
///
/// # Errors
/// Every problem of the file.
pub fn read_config(file: &str, bytes: &[u8]) -> Result<Config, Diagnostics> {
    let (source, root) = parse_bytes(file, bytes).map_err(|problem| Diagnostics::from(*problem))?;
    let mut walk = Walk::new(&source);
    let mut config = Config::default();
    if !matches!(root.value, Value::Null)
        && let Some(entries) = walk.map(&root, Span::default(), "the configuration")
    {
        walk.only(
            entries,
            "the configuration",
            &["version", "templates", "account", "elastic"],
            &["server", "channels", "spaces"],
        );
        if let Some(version) = field(entries, "version") {
            walk.whole(version, "`version`", 1..=1);
        }
        if let Some(entry) = field(entries, "account") {
            config.account = walk.text(&entry.node, blame(entry), "`account`").map(AccountName);
        }
        if let Some(entry) = field(entries, "elastic") {
            config.elastic = elastic::read(&mut walk, entry);
        }
        if let Some(entry) = field(entries, "templates") {
            config.templates = directories(&mut walk, entry);
        }
    }
    let problems = walk.problems.sorted();
    if problems.has_errors() { Err(problems) } else { Ok(config) }
}

fn directories(walk: &mut Walk<'_>, entry: &Entry) -> Vec<String> {
    let written = walk.texts(entry, "`templates`");
    if written.len() > DIRECTORIES_MAX {
        walk.error(
            entry.key.at,
            "too-much",
            format!("`templates` has more than {DIRECTORIES_MAX} directories"),
        );
    }
    let mut found = Vec::new();
    for (directory, at) in written {
        match path::normal(&directory) {
            Ok(directory) => found.push(directory),
            Err(problem) => walk.error(at, "bad-path", format!("`{}`: {problem}", shown(&directory))),
        }
    }
    found
}

/// What was found where a configuration should be.
#[derive(Clone, Copy, Debug)]
pub enum Found<'b> {
    /// Its directory is not there.
    NoDirectory,
    /// The directory is there, the file is not.
    NoFile,
    /// The file's bytes.
    File(&'b [u8]),
}

/// How the configuration of an account stands (ICT-47).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigState {
    /// Its directory is missing: an error, nothing is made there unasked.
    MissingDirectory,
    /// The file is missing: ask for the key and write it.
    MissingFile,
    /// The file is empty, or has no key yet: ask for the key.
    Empty,
    /// It has a key that cannot be one: say why, ask again.
    BadKey(KeyProblem),
    /// It cannot be read.
    Unreadable(Diagnostics),
    /// It has a usable key.
    Good(Secret),
}

/// What is wrong with the form of an API key. The key itself is never repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyProblem {
    /// Nothing was given.
    #[error("the API key is empty; it has {API_KEY_CHARS} characters")]
    Empty,
    /// Wrong length.
    #[error("the API key has {0} characters; it has to be exactly {API_KEY_CHARS}")]
    Length(usize),
    /// A character that is not hexadecimal.
    #[error("the API key's character {0} is not one of 0-9 and a-f")]
    Character(usize),
}

/// Takes an API key as a person typed it; white space around it is left out.
///
/// # Errors
/// What is wrong with its form.
pub fn api_key(typed: &str) -> Result<Secret, KeyProblem> {
    let key = typed.trim();
    if key.is_empty() {
        return Err(KeyProblem::Empty);
    }
    let length = key.chars().count();
    if length != API_KEY_CHARS {
        return Err(KeyProblem::Length(length));
    }
    match key.chars().position(|char| !char.is_ascii_hexdigit()) {
        Some(position) => Err(KeyProblem::Character(position + 1)),
        None => Ok(Secret::new(key)),
    }
}

/// Judges an old `data/ict_conf.json`: both its shapes, `{"API_key": …}` and `{"Config": [{"API_key": …}, …]}`.
pub fn ict_config(file: &str, found: Found<'_>) -> ConfigState {
    let bytes = match found {
        Found::NoDirectory => return ConfigState::MissingDirectory,
        Found::NoFile => return ConfigState::MissingFile,
        Found::File(bytes) => bytes,
    };
    let root = match parse_bytes(file, bytes) {
        Ok((_, root)) => root,
        // A problem's excerpt is a line of the file, and a line of this file may hold the key.
        Err(problem) => return ConfigState::Unreadable(without_excerpts(*problem).into()),
    };
    if matches!(root.value, Value::Null) {
        return ConfigState::Empty;
    }
    if root.entries().is_none() {
        let message = format!("`{}` is not an ict configuration", shown(file));
        return ConfigState::Unreadable(Diagnostic::error("wrong-kind", message).into());
    }
    match key_of(&root) {
        None => ConfigState::Empty,
        Some(key) => match api_key(key) {
            Ok(key) => ConfigState::Good(key),
            Err(KeyProblem::Empty) => ConfigState::Empty,
            Err(problem) => ConfigState::BadKey(problem),
        },
    }
}

fn key_of(root: &Node) -> Option<&str> {
    if let Some(entry) = root.get("API_key") {
        return Some(entry.node.spelling().unwrap_or_default());
    }
    match &root.get("Config")?.node.value {
        Value::List(parts) => parts.iter().find_map(|part| part.get("API_key")?.node.spelling()),
        _ => None,
    }
}

fn without_excerpts(mut problem: Diagnostic) -> Diagnostic {
    if let Some(place) = &mut problem.place {
        place.excerpt = None;
    }
    problem.message = format!("the configuration cannot be read ({})", problem.code);
    problem
}
