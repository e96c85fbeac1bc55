//! One folder a thing, one file a verb. A handler extracts, asks the engine, and says the answer.

pub mod about;
pub mod account;
pub mod blob;
pub mod checkup;
pub mod event;
pub mod exec;
pub mod infrastructure;
pub mod limit;
pub mod metrics;
pub mod object;
pub mod plan;
pub mod queue;
pub mod revision;
pub mod run;
pub mod secret;
pub mod server;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use muster_api::media;
use muster_model::id::SpaceName;
use muster_model::rights::Authority;
use serde::Deserialize;

use crate::app::may_read;
use crate::extract::{Asking, Query};
use crate::negotiate::accept;
use crate::refusal::Refusal;

/// The Space that a request is about.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InSpace {
    /// Its name; `default` when left out.
    #[serde(default = "muster_api::plan::default_space")]
    pub space: String,
}

impl InSpace {
    /// The Space's name.
    pub fn name(&self) -> SpaceName {
        SpaceName::from(self.space.as_str())
    }
}

/// Somebody who may look at a Space and wants an answer in JSON:API.
pub struct Reading {
    /// Who.
    pub authority: Authority,
    /// The Space.
    pub space: SpaceName,
}

impl<S: Send + Sync> FromRequestParts<S> for Reading {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Asking(authority) = Asking::from_request_parts(parts, state).await?;
        let Query(space) = Query::<InSpace>::from_request_parts(parts, state).await?;
        accept(&parts.headers, &[media::JSON_API])?;
        let space = space.name();
        may_read(&authority, &space)?;
        Ok(Reading { authority, space })
    }
}
