//! What every handler is given.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use muster_model::Secret;
use muster_model::id::SpaceName;
use muster_model::rights::{Authority, Wish, may};
use muster_runs::Engine;
use muster_runs::SshAccess;
use tokio::sync::watch;

use crate::refusal::Refusal;

/// What every handler is given. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The engine.
    pub engine: Engine,
    /// Who signs in how.
    pub doors: Arc<Doors>,
    /// Logins that were prepared.
    pub sessions: Sessions,
    /// Becomes true when the server is closing, so that streams end.
    pub closing: watch::Receiver<bool>,
}

/// Prepared logins, the newest ones: each keeps its private agent alive.
#[derive(Clone, Default)]
pub struct Sessions(Arc<Mutex<VecDeque<SshAccess>>>);

/// Prepared logins kept at once; the oldest is dropped for a further one.
pub const SESSIONS_MAX: usize = 64;

impl Sessions {
    /// Keeps a login.
    pub fn keep(&self, access: SshAccess) {
        // A panic in between cannot leave the list half-changed.
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sessions.len() >= SESSIONS_MAX {
            sessions.pop_front();
        }
        sessions.push_back(access);
    }
}

/// Who signs in how.
pub struct Doors {
    /// The owner's token; none = only callers in this process are let in.
    pub owner_token: Option<Secret>,
    /// The name that the owner's changes bear.
    pub owner: String,
}

impl App {
    /// For callers in this process only, who bring their authority with them.
    pub fn in_process(engine: Engine) -> App {
        let (_, closing) = watch::channel(false);
        App {
            engine,
            doors: Arc::new(Doors { owner_token: None, owner: String::new() }),
            sessions: Sessions::default(),
            closing,
        }
    }

    /// For the network: the owner signs in with the token.
    pub fn with_owner(engine: Engine, token: Secret, owner: String, closing: watch::Receiver<bool>) -> App {
        App {
            engine,
            doors: Arc::new(Doors { owner_token: Some(token), owner }),
            sessions: Sessions::default(),
            closing,
        }
    }
}

/// Whether this authority may look at things of this Space.
pub fn may_read(authority: &Authority, space: &SpaceName) -> Result<(), Refusal> {
    may(authority, Wish::Read, space).map_err(Refusal::from)
}
