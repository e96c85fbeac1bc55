//! Which blobs are missing.

use axum::extract::State;
use axum::http::HeaderMap;
use muster_api::ProblemKind;
use muster_api::blob::{BlobAttributes, BlobCheck};
use muster_api::document::{Incoming, Many, Resource};
use muster_api::media;

use crate::answer::{Handled, all};
use crate::app::App;
use crate::extract::Document;
use crate::negotiate::accept;
use crate::refusal::Refusal;

/// Most digests in one question.
pub const DIGESTS_MAX: usize = 50_000;

/// Says which of these blobs the server does not have.
#[utoipa::path(post, path = "/api/v1/blobs/missing", operation_id = "blobs_missing", tag = "blobs",
    request_body = Incoming<BlobCheck>,
    responses((status = 200, description = "The missing ones", body = Many<BlobAttributes>)))]
pub async fn missing(State(app): State<App>, headers: HeaderMap, body: Document<BlobCheck>) -> Handled {
    accept(&headers, &[media::JSON_API])?;
    if body.attributes.digests.len() > DIGESTS_MAX {
        return Err(Refusal::new(
            ProblemKind::Invalid,
            format!("ask about at most {DIGESTS_MAX} digests at once"),
        ));
    }
    let missing = app.engine.reads().missing_blobs(&body.attributes.digests).await?;
    all(missing.into_iter().map(|digest| Resource::new(digest, BlobAttributes { stored: false })).collect())
}
