//! Store a blob.

use axum::extract::State;
use muster_api::ProblemKind;

use crate::answer::{Handled, nothing};
use crate::app::App;
use crate::extract::{Octets, Path};
use crate::refusal::Refusal;

/// Stores a blob under its digest; the digest is checked.
#[utoipa::path(put, path = "/api/v1/blobs/{sha256}", operation_id = "blob_put", tag = "blobs",
    params(("sha256" = String, Path, description = "SHA-256 of the content, hex")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 204, description = "Stored")))]
pub async fn put(State(app): State<App>, Path(sha256): Path<String>, Octets(content): Octets) -> Handled {
    if sha256.len() != 64
        || !sha256.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    {
        return Err(Refusal::new(ProblemKind::Invalid, "a digest is 64 lower-case hexadecimal digits"));
    }
    app.engine.put_blob(&sha256, content).await?;
    nothing()
}
