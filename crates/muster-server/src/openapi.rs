//! The published description: what the handlers say, finished in one loop.
//!
//! The handlers name their own successes. What is the same everywhere (media type, problems) is added here.

use axum::Json;
use muster_api::media;
use muster_api::problem::Problems;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, ContentBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{OpenApi as _, ToSchema};

/// The name of the sign-in in the description.
const SCHEME: &str = "owner_token";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Muster",
        description = "Plans and runs of infrastructure files. JSON:API documents; every problem is a JSON:API error.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    servers((url = "/", description = "The server that answers this document")),
    components(schemas(Problems)),
    security(("owner_token" = []))
)]
struct Doc;

/// The description without its addresses.
pub fn base() -> OpenApi {
    let mut doc = Doc::openapi();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    doc.components.get_or_insert_default().add_security_scheme(SCHEME, SecurityScheme::Http(bearer));
    doc
}

/// Problems that any address may answer.
const EVERYWHERE: &[(&str, &str)] = &[
    ("400", "The request is wrong"),
    ("401", "Nobody is signed in"),
    ("403", "Not allowed"),
    ("404", "Nothing of that name or id"),
    ("406", "No accepted media type can be answered"),
    ("500", "The server failed"),
];

/// Writes the media type into every document, and the common problems into every address.
pub fn finished(mut doc: OpenApi) -> OpenApi {
    for item in doc.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            finish(operation);
        }
    }
    doc
}

fn finish(operation: &mut Operation) {
    if let Some(RefOr::T(body)) = &mut operation.request_body
        && let Some(json) = body.content.remove("application/json")
    {
        body.content.insert(media::JSON_API.to_owned(), json);
    }
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response
            && let Some(json) = response.content.shift_remove("application/json")
        {
            response.content.insert(media::JSON_API.to_owned(), json);
        }
    }
    for (status, description) in EVERYWHERE {
        operation
            .responses
            .responses
            .entry((*status).to_owned())
            .or_insert_with(|| RefOr::T(problem_response(description)));
    }
}

fn problem_response(description: &str) -> Response {
    let schema = Ref::from_schema_name(Problems::name());
    let content: Content = ContentBuilder::new().schema(Some(RefOr::Ref(schema))).build();
    ResponseBuilder::new().description(description).content(media::JSON_API, content).build()
}

/// Answers with the description.
pub async fn answer(doc: OpenApi) -> Json<OpenApi> {
    Json(doc)
}
