//! The router: every address, and the layers around them.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use muster_api::media;
use muster_api::problem::ProblemKind;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

use crate::app::App;
use crate::handler::{
    about, account, blob, checkup, event, exec, infrastructure, limit, metrics, object, plan, queue,
    revision, run, secret, server,
};
use crate::refusal::Refusal;
use crate::{layers, openapi, signin};

fn native() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::base())
        .routes(routes!(about::health))
        .routes(routes!(about::ready))
        .routes(routes!(about::version))
        .routes(routes!(checkup::checkup))
        .routes(routes!(blob::missing::missing))
        .routes(routes!(blob::put::put).layer(DefaultBodyLimit::max(media::BLOB_BYTES_MAX)))
        .routes(routes!(plan::create::create))
        .routes(routes!(plan::show::show))
        .routes(routes!(run::list::list, run::create::create))
        .routes(routes!(run::show::show))
        .routes(routes!(run::standing::standing))
        .routes(routes!(run::ask::cancel))
        .routes(routes!(run::ask::resume))
        .routes(routes!(run::ask::retry))
        .routes(routes!(run::ask::interrupt))
        .routes(routes!(run::ask::pause))
        .routes(routes!(run::ask::hand_over))
        .routes(routes!(queue::create, queue::list))
        .routes(routes!(queue::show))
        .routes(routes!(queue::withdraw))
        .routes(routes!(run::events::events))
        .routes(routes!(run::output::output))
        .routes(routes!(event::search::search))
        .routes(routes!(account::list::list))
        .routes(routes!(account::show::show, account::register::register))
        .routes(routes!(account::test::test))
        .routes(routes!(account::offers::offers))
        .routes(routes!(account::offers::refresh))
        .routes(routes!(object::list))
        .routes(routes!(object::password))
        .routes(routes!(object::propose))
        .routes(routes!(object::undo))
        .routes(routes!(object::details))
        .routes(routes!(account::prices::show, account::prices::set, account::prices::remove))
        .routes(routes!(account::cost::cost))
        .routes(routes!(server::list::list))
        .routes(routes!(server::ssh::ssh))
        .routes(routes!(infrastructure::list::list))
        .routes(routes!(infrastructure::show::show))
        .routes(routes!(infrastructure::releases::releases))
        .routes(routes!(infrastructure::stats::stats))
        .routes(routes!(revision::list::list))
        .routes(routes!(revision::show::show))
        .routes(routes!(revision::file::file))
        .routes(routes!(revision::difference::between, revision::difference::from_now))
        .routes(routes!(revision::rollback::rollback))
        .routes(routes!(secret::list::list))
        .routes(routes!(secret::set::set, secret::unset::unset))
        .routes(routes!(limit::list::list))
        .routes(routes!(limit::set::set, limit::remove::remove))
        .routes(routes!(exec::create::create))
        .routes(routes!(exec::password::change))
        .routes(routes!(exec::password::show))
}

/// The published description of the API (OpenAPI 3.1).
pub fn description() -> OpenApi {
    openapi::finished(native().split_for_parts().1)
}

/// The whole API with its layers.
pub fn router(app: App) -> Router {
    let (router, description) = native().split_for_parts();
    let description = openapi::finished(description);
    router
        .route("/openapi.json", get(move || openapi::answer(description.clone())))
        .route("/metrics", get(metrics::metrics))
        .fallback(async || Refusal::new(ProblemKind::NotFound, "there is nothing at this address"))
        .method_not_allowed_fallback(async || {
            Refusal::new(ProblemKind::MethodNotAllowed, "this address exists, this method of it does not")
        })
        .layer(DefaultBodyLimit::max(media::DOCUMENT_BYTES_MAX))
        .layer(from_fn_with_state(app.clone(), signin::sign_in))
        .layer(CatchPanicLayer::custom(layers::panicked))
        .layer(layers::compression())
        .layer(from_fn_with_state(layers::Counter::default(), layers::request_id))
        .with_state(app)
}
