//! Where Muster's files are, and what the environment says.
//!
//! `MUSTER_HOME`, else `$XDG_DATA_HOME/muster`, else `~/.local/share/muster`: the database and the sealing key
//! are data that a person would miss, so they are not among caches or passing state.

use std::path::{Path, PathBuf};

use muster_model::Secret;
use muster_model::account::AccountSettings;

use crate::exit::Failure;

/// The variable that moves all of Muster's files.
pub const HOME: &str = "MUSTER_HOME";
/// The variable with an API key that makes an account without `register`.
pub const KEY: &str = "ONECLOUD_API_KEY";
/// The variable with the base address of that account.
pub const URL: &str = "ONECLOUD_URL";
/// The variable with that account's settle time, in ms.
pub const SETTLE_MS: &str = "ONECLOUD_SETTLE_MS";
/// The base address where none is given. Source: `spec/onecloud-api.md` §1.1.
pub const URL_DEFAULT: &str = "https://api.1cloud.ru";
/// The name of the account from the environment, and the default one.
pub const ACCOUNT_DEFAULT: &str = "onecloud";

/// The directory of all of Muster's files; not made yet.
pub fn directory() -> Result<PathBuf, Failure> {
    if let Some(home) = variable(HOME) {
        // Processes that outlive this one begin elsewhere.
        return std::path::absolute(&home)
            .map_err(|error| Failure::usage(format!("{HOME}: `{home}` is no directory: {error}")));
    }
    if let Some(data) = variable("XDG_DATA_HOME").filter(|path| Path::new(path).is_absolute()) {
        return Ok(PathBuf::from(data).join("muster"));
    }
    match std::env::home_dir() {
        Some(home) if home.is_absolute() => Ok(home.join(".local/share/muster")),
        _ => {
            Err(Failure::usage(format!("there is no home directory; set {HOME} to a directory of your own")))
        }
    }
}

/// Makes the directory, closed to others, if it is not there.
pub fn prepare(home: &Path) -> Result<(), Failure> {
    let made = {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(home)
    };
    made.map_err(|error| {
        Failure::usage(format!(
            "cannot use {} for Muster's files: {error}; set {HOME} to another place",
            home.display()
        ))
    })
}

/// The account that the environment names, if it does.
pub struct EnvironmentAccount {
    /// Its API key.
    pub key: Secret,
    /// Its base address.
    pub url: String,
    /// How it wants to be treated.
    pub settings: AccountSettings,
}

/// Reads the account from the environment.
pub fn environment_account() -> Result<Option<EnvironmentAccount>, Failure> {
    let settle = variable(SETTLE_MS);
    let Some(key) = variable(KEY) else { return Ok(None) };
    let key = checked_key(&key).map_err(|why| Failure::usage(format!("{KEY}: {why}")))?;
    let url = variable(URL).unwrap_or_else(|| URL_DEFAULT.to_owned());
    checked_url(&url).map_err(|why| Failure::usage(format!("{URL}: {why}")))?;
    let mut settings = AccountSettings::default();
    if let Some(settle) = settle {
        settings.settle_ms = settle
            .parse()
            .map_err(|_| Failure::usage(format!("{SETTLE_MS}: `{settle}` is no number of milliseconds")))?;
    }
    Ok(Some(EnvironmentAccount { key, url, settings }))
}

/// An API key of the right form.
pub fn checked_key(text: &str) -> Result<Secret, String> {
    muster_model::config::api_key(text).map_err(|problem| problem.to_string())
}

/// A base address that can be dialled.
pub fn checked_url(text: &str) -> Result<(), String> {
    if text.starts_with("http://") || text.starts_with("https://") {
        return Ok(());
    }
    Err(format!("`{text}` does not begin with https:// (or http:// for a simulator)"))
}

/// Who the person is, for the record of changes: the user's name, else the number.
pub fn actor() -> String {
    variable("USER")
        .or_else(|| variable("LOGNAME"))
        .unwrap_or_else(|| format!("uid-{}", rustix::process::getuid().as_raw()))
}

/// The variable that lets everybody who reaches the address read `/metrics`.
pub const METRICS_OPEN: &str = "MUSTER_METRICS_OPEN";

/// Whether `/metrics` answers without the owner's token.
pub fn metrics_open() -> bool {
    variable(METRICS_OPEN).as_deref() == Some("1")
}

/// A variable of the environment that is set and not empty.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_scheme() {
        assert!(checked_url("http://127.0.0.1:1").is_ok());
        assert!(checked_url("api.1cloud.ru").unwrap_err().contains("api.1cloud.ru"));
    }
}
