//! What every handler is given.

use std::sync::Arc;

use muster_model::Secret;
use muster_model::id::SpaceName;
use muster_model::rights::{Authority, Wish, may};
use muster_runs::Engine;
use tokio::sync::watch;

use crate::refusal::Refusal;

/// What every handler is given. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The engine.
    pub engine: Engine,
    /// Who signs in how.
    pub doors: Arc<Doors>,
    /// Becomes true when the server is closing, so that streams end.
    pub closing: watch::Receiver<bool>,
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
        App { engine, doors: Arc::new(Doors { owner_token: None, owner: String::new() }), closing }
    }

    /// For the network: the owner signs in with the token.
    pub fn with_owner(engine: Engine, token: Secret, owner: String, closing: watch::Receiver<bool>) -> App {
        App { engine, doors: Arc::new(Doors { owner_token: Some(token), owner }), closing }
    }
}

/// Whether this authority may look at things of this Space.
pub fn may_read(authority: &Authority, space: &SpaceName) -> Result<(), Refusal> {
    may(authority, Wish::Read, space).map_err(Refusal::from)
}
