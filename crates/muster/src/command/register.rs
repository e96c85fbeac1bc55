//! `muster register`.

use std::io::Read;

use muster_api::account::{AccountRegistration, SettingsSaid};
use muster_api::plan::default_space;
use muster_api::secret::SecretText;
use muster_model::account::LOCAL_ACCOUNT;

use super::first_run::register_asking;
use super::{Answer, Context, Report};
use crate::cli::Register;
use crate::exit::Failure;
use crate::home;

/// Registers an account: the key is asked for on a terminal, else read from stdin; never an argument.
pub async fn register(arguments: &Register, context: &Context<'_>) -> Result<Answer, Failure> {
    if arguments.name == LOCAL_ACCOUNT {
        return Err(Failure::usage(format!(
            "{LOCAL_ACCOUNT} is the account of this computer's own machines and needs no key; choose another name"
        )));
    }
    home::checked_url(&arguments.url).map_err(|why| Failure::usage(format!("--url: {why}")))?;
    let settings = SettingsSaid { settle_ms: arguments.settle_ms, ..SettingsSaid::default() };
    let account = if context.ask.present() {
        register_asking(context, &arguments.name, &arguments.url, settings).await?
    } else {
        let text = stdin_text(KEY_BYTES_MAX)?;
        let key = home::checked_key(&text).map_err(|why| Failure::usage(format!("stdin: {why}")))?;
        let url = arguments.url.clone();
        let registration =
            AccountRegistration { space: default_space(), url, key: SecretText(key), settings };
        context.client.register(&arguments.name, registration).await?
    };
    Answer::done(Report::Account(Box::new(account.into())))
}

/// Most bytes read from stdin for a key.
const KEY_BYTES_MAX: u64 = 4096;

/// What stdin holds, up to a limit.
pub fn stdin_text(limit: u64) -> Result<String, Failure> {
    let mut text = String::new();
    let read = std::io::stdin().lock().take(limit + 1).read_to_string(&mut text);
    read.map_err(|error| Failure::usage(format!("stdin cannot be read: {error}")))?;
    if text.len() as u64 > limit {
        return Err(Failure::usage(format!("stdin holds more than {limit} bytes")));
    }
    Ok(text)
}
