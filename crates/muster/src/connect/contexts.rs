//! Contexts: control planes that commands can be sent to, and which one is used. A file below `MUSTER_HOME`; tokens
//! in it are sealed with the home's key.

use std::collections::BTreeMap;
use std::path::Path;

use muster_model::Secret;
use serde::{Deserialize, Serialize};

use crate::exit::{Exit, Failure};

/// The variable that names a context.
pub const CONTEXT: &str = "MUSTER_CONTEXT";
/// The context that is this machine.
pub const LOCAL: &str = "local";
/// The file.
const FILE: &str = "contexts.json";

/// Known contexts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contexts {
    /// The one that is used when none is named; none = this machine.
    #[serde(default)]
    pub current: Option<String>,
    /// By name.
    #[serde(default)]
    pub known: BTreeMap<String, Remote>,
}

/// A control plane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remote {
    /// Its base address.
    pub url: String,
    /// Its token, sealed, as hex.
    pub sealed_token: String,
}

/// The name under which a context's token is sealed.
fn sealed_as(name: &str) -> String {
    format!("context/{name}")
}

impl Contexts {
    /// Reads the file; none is no context.
    pub fn read(home: &Path) -> Result<Contexts, Failure> {
        let path = home.join(FILE);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Contexts::default()),
            Err(error) => return Err(unusable(&path, &error)),
        };
        serde_json::from_slice(&text).map_err(|error| unusable(&path, &error))
    }

    /// Writes the file, readable by its owner only.
    pub fn write(&self, home: &Path) -> Result<(), Failure> {
        crate::home::prepare(home)?;
        let path = home.join(FILE);
        let text = serde_json::to_vec_pretty(self).map_err(|error| unusable(&path, &error))?;
        let write = || {
            use std::io::Write;
            use std::os::unix::fs::OpenOptionsExt;
            let unfinished = path.with_extension("new");
            let mut options = std::fs::OpenOptions::new();
            let mut file = options.create(true).truncate(true).write(true).mode(0o600).open(&unfinished)?;
            file.write_all(&text)?;
            file.sync_all()?;
            std::fs::rename(&unfinished, &path)
        };
        write().map_err(|error: std::io::Error| unusable(&path, &error))
    }

    /// The control plane that is meant, if it is not this machine.
    pub fn chosen(&self, asked: Option<&str>) -> Result<Option<(String, &Remote)>, Failure> {
        let Some(name) = asked.or(self.current.as_deref()).filter(|name| *name != LOCAL) else {
            return Ok(None);
        };
        match self.known.get(name) {
            Some(remote) => Ok(Some((name.to_owned(), remote))),
            None => Err(unknown(name, self)),
        }
    }
}

/// A name that no context bears, with those that exist.
pub fn unknown(name: &str, contexts: &Contexts) -> Failure {
    let mut names: Vec<&str> = contexts.known.keys().map(String::as_str).collect();
    names.push(LOCAL);
    Failure::usage(format!(
        "no context is called {name}; known: {}. Add one with `muster context add {name} URL`",
        names.join(", ")
    ))
}

/// Seals a token for the file.
pub fn seal(home: &Path, name: &str, token: &Secret) -> Result<String, Failure> {
    let sealed = sealer(home)?.seal(&sealed_as(name), token);
    Ok(sealed.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The token of a control plane.
pub fn token(home: &Path, name: &str, remote: &Remote) -> Result<Secret, Failure> {
    let text = &remote.sealed_token;
    let bytes: Option<Vec<u8>> = (0..text.len() / 2)
        .map(|index| text.get(index * 2..index * 2 + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect();
    let again = || {
        Failure::new(
            Exit::Failed,
            format!(
                "the token of context {name} cannot be unsealed; add it again: muster context add {name} {}",
                remote.url
            ),
        )
    };
    sealer(home)?.unseal(&sealed_as(name), &bytes.ok_or_else(again)?).map_err(|_| again())
}

fn sealer(home: &Path) -> Result<muster_runs::Sealer, Failure> {
    crate::home::prepare(home)?;
    muster_runs::Sealer::open(&home.join("key"), muster_runs::world::real())
        .map_err(|error| Failure::new(Exit::Failed, error.to_string()))
}

fn unusable(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Exit::Failed, format!("{}: {error}", path.display()))
}
