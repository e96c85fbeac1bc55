//! Logging in: every way that a host allows us, in order, and a sentence about what was tried.

use russh::MethodKind;
use russh::client::{AuthResult, Handle};
use russh::keys::PrivateKeyWithHashAlg;
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;

use super::connect::{KeyJudge, read_bounded};
use super::error::KeyFileError;
use super::{Host, Login, SshError};
use crate::secret::LoginKey;

/// Keys of an agent that are tried; servers hang up after a few (OpenSSH: MaxAuthTries 6).
const AGENT_KEYS_TRIED_MAX: usize = 5;
/// A key file is a few KiB.
const KEY_FILE_BYTES_MAX: u64 = 64 << 10;

pub(super) async fn log_in(handle: &mut Handle<KeyJudge>, host: &Host) -> Result<(), SshError> {
    let protocol =
        |source| SshError::Protocol { host: host.shown(), doing: "logging in", source: Box::new(source) };
    let mut tried: Vec<String> = Vec::new();
    let mut offered: Vec<String> = Vec::new();
    let note = |result: &AuthResult, offered: &mut Vec<String>| {
        if let AuthResult::Failure { remaining_methods, .. } = result {
            *offered = remaining_methods.iter().map(|method| <&str>::from(method).to_owned()).collect();
        }
        result.success()
    };
    for login in &host.logins {
        match login {
            Login::Key(key) => {
                tried.push(format!("the key {}", key.fingerprint()));
                let result = with_key(handle, host, key).await.map_err(protocol)?;
                if note(&result, &mut offered) {
                    return Ok(());
                }
            }
            Login::KeyFile { path, pass_phrase } => {
                let failed = |source| SshError::KeyFile {
                    host: host.shown(),
                    path: path.clone(),
                    source: Box::new(source),
                };
                if !path.exists() {
                    tried.push(format!("{} (missing)", path.display()));
                    continue;
                }
                let text = read_bounded(path, KEY_FILE_BYTES_MAX);
                let text =
                    text.ok_or_else(|| failed(KeyFileError::Io(std::io::ErrorKind::InvalidData.into())))?;
                let key = LoginKey::read(&muster_model::Secret::new(text), pass_phrase.as_ref());
                let key = key.map_err(|error| failed(KeyFileError::Key(error)))?;
                tried.push(format!("the key file {}", path.display()));
                let result = with_key(handle, host, &key).await.map_err(protocol)?;
                if note(&result, &mut offered) {
                    return Ok(());
                }
            }
            Login::Agent(socket) => {
                let agent = AgentClient::connect_uds(socket).await;
                let Ok(mut agent) = agent else {
                    tried.push(format!("the agent at {} (not there)", socket.display()));
                    continue;
                };
                let identities = agent.request_identities().await.unwrap_or_default();
                tried.push(format!("{} keys of the agent", identities.len()));
                let hash = handle.best_supported_rsa_hash().await.map_err(protocol)?.flatten();
                for identity in identities.into_iter().take(AGENT_KEYS_TRIED_MAX) {
                    let AgentIdentity::PublicKey { key, .. } = identity else { continue };
                    let hash = if key.algorithm().is_rsa() { hash } else { None };
                    // A key that the agent will not sign with is as good as refused: the next one may do.
                    let result = handle.authenticate_publickey_with(&host.user, key, hash, &mut agent).await;
                    if let Ok(result) = result
                        && note(&result, &mut offered)
                    {
                        return Ok(());
                    }
                }
            }
            Login::Password(password) => {
                tried.push("a password".to_owned());
                let result = handle.authenticate_password(&host.user, password.expose()).await;
                let result = result.map_err(protocol)?;
                if note(&result, &mut offered) {
                    return Ok(());
                }
                let asks = matches!(&result, AuthResult::Failure { remaining_methods, .. }
                    if remaining_methods.contains(&MethodKind::KeyboardInteractive));
                if asks && keyboard_interactive(handle, host, password).await.map_err(protocol)? {
                    return Ok(());
                }
            }
        }
    }
    let or_nothing = |words: Vec<String>| {
        if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
    };
    Err(SshError::Login {
        host: host.shown(),
        user: host.user.clone(),
        tried: or_nothing(tried),
        offered: or_nothing(offered),
    })
}

async fn with_key(
    handle: &mut Handle<KeyJudge>,
    host: &Host,
    key: &LoginKey,
) -> Result<AuthResult, russh::Error> {
    let hash = match key.public().algorithm().is_rsa() {
        true => handle.best_supported_rsa_hash().await?.flatten(),
        false => None,
    };
    let key = PrivateKeyWithHashAlg::new(key.private().clone(), hash);
    handle.authenticate_publickey(&host.user, key).await
}

/// Some images ask for the password this way only. The first hidden question gets it; a further one is the same again
/// (it was wrong) or wants a new one (it has run out), and neither is ours to answer.
async fn keyboard_interactive(
    handle: &mut Handle<KeyJudge>,
    host: &Host,
    password: &muster_model::Secret,
) -> Result<bool, russh::Error> {
    use russh::client::KeyboardInteractiveAuthResponse as Response;
    const ROUNDS_MAX: usize = 4;
    let mut answer = handle.authenticate_keyboard_interactive_start(&host.user, None).await?;
    let mut told = false;
    for _ in 0..ROUNDS_MAX {
        match answer {
            Response::Success => return Ok(true),
            Response::Failure { .. } => return Ok(false),
            Response::InfoRequest { prompts, .. } => {
                let mut answers = Vec::with_capacity(prompts.len());
                for prompt in prompts {
                    if prompt.echo {
                        answers.push(String::new());
                    } else if std::mem::replace(&mut told, true) {
                        return Ok(false);
                    } else {
                        answers.push(password.expose().to_owned());
                    }
                }
                answer = handle.authenticate_keyboard_interactive_respond(answers).await?;
            }
        }
    }
    Ok(false)
}
