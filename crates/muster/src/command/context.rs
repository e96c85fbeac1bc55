//! `muster context`: control planes that commands can be sent to.

use std::path::Path;

use muster_model::Secret;

use super::register::stdin_text;
use super::report::KnownContext;
use super::{Answer, Report};
use crate::ask::Ask;
use crate::cli::ContextCommand;
use crate::connect::contexts::{Contexts, LOCAL, Remote, seal, unknown};
use crate::connect::to_url;
use crate::exit::Failure;

/// Longest token, in bytes.
const TOKEN_BYTES_MAX: u64 = 4096;

/// Contexts.
pub async fn context(command: &ContextCommand, home: &Path, ask: &dyn Ask) -> Result<Answer, Failure> {
    let mut contexts = Contexts::read(home)?;
    let did = match command {
        ContextCommand::List => return Answer::done(Report::Contexts(list(&contexts))),
        ContextCommand::Add { name, url, token } => {
            if name == LOCAL {
                return Err(Failure::usage(format!("{LOCAL} is this machine; choose another name")));
            }
            let token = told(name, token.as_deref(), ask)?;
            // Asked before it is kept: a wrong address or token is found now, not at three in the morning.
            let version = to_url(url, token.clone())?.version().await?.attributes.version;
            to_url(url, token.clone())?.runs(1).await?;
            let remote = Remote { url: url.clone(), sealed_token: seal(home, name, &token)? };
            contexts.known.insert(name.clone(), remote);
            format!(
                "{name} answers (Muster {version}); use it with `muster context use {name}` or --context {name}"
            )
        }
        ContextCommand::Use { name } => {
            if name != LOCAL && !contexts.known.contains_key(name) {
                return Err(unknown(name, &contexts));
            }
            contexts.current = (name != LOCAL).then(|| name.clone());
            format!("commands go to {name} from now on")
        }
        ContextCommand::Remove { name } => {
            if contexts.known.remove(name).is_none() {
                return Err(unknown(name, &contexts));
            }
            if contexts.current.as_deref() == Some(name) {
                contexts.current = None;
            }
            format!("{name} is forgotten")
        }
    };
    contexts.write(home)?;
    Answer::done(Report::Did(did))
}

fn told(name: &str, token: Option<&str>, ask: &dyn Ask) -> Result<Secret, Failure> {
    let secret = match token {
        Some("-") => Secret::new(stdin_text(TOKEN_BYTES_MAX)?.trim()),
        Some(token) => Secret::new(token.trim()),
        None if ask.present() => ask.secret(&format!("Token of {name} (not shown):"))?,
        None => {
            return Err(Failure::usage(format!(
                "context {name} needs a token, and there is no terminal to ask at; give --token - and the token on \
                 stdin. The server's token is in the file `token` of its MUSTER_HOME"
            )));
        }
    };
    if secret.expose().is_empty() {
        return Err(Failure::usage("the token is empty; nothing was changed"));
    }
    Ok(secret)
}

fn list(contexts: &Contexts) -> Vec<KnownContext> {
    let local = KnownContext { name: LOCAL.to_owned(), url: None, current: contexts.current.is_none() };
    let remote = contexts.known.iter().map(|(name, remote)| KnownContext {
        name: name.clone(),
        url: Some(remote.url.clone()),
        current: contexts.current.as_ref() == Some(name),
    });
    std::iter::once(local).chain(remote).collect()
}
