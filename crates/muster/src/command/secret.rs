//! `muster secret`.

use muster_model::Secret;

use super::register::stdin_text;
use super::report::rows;
use super::{Answer, Context, Report};
use crate::cli::SecretCommand;
use crate::exit::Failure;

/// Longest secret, in bytes.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// Sealed secrets. A value is asked for on a terminal, else read from stdin; never an argument.
pub async fn secret(command: &SecretCommand, context: &Context<'_>) -> Result<Answer, Failure> {
    match command {
        SecretCommand::Set { name } => {
            let value = if context.ask.present() {
                context.ask.secret(&format!("Value of {name} (not shown):"))?
            } else {
                let text = stdin_text(SECRET_BYTES_MAX)?;
                // One line break at the end is the shell's, not the secret's.
                let text = text.strip_suffix('\n').unwrap_or(&text);
                Secret::new(text.strip_suffix('\r').unwrap_or(text))
            };
            if value.expose().is_empty() {
                return Err(Failure::usage("an empty secret protects nothing; nothing was changed"));
            }
            context.client.set_secret(name, value).await?;
            Answer::done(Report::Did(format!("{name} is sealed")))
        }
        SecretCommand::List => Answer::done(Report::Secrets(rows(context.client.secrets().await?))),
        SecretCommand::Unset { name } => {
            context.client.unset_secret(name).await?;
            Answer::done(Report::Did(format!("{name} is forgotten")))
        }
    }
}
