//! Objects of an account: what is there, and plans about them.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::HeaderMap;
use muster_api::document::{Incoming, Many, One, Resource};
use muster_api::listing::Order;
use muster_api::media;
use muster_api::object::{AccountDetails, ObjectAttributes, ObjectsRequest, PasswordAttributes};
use muster_api::plan::PlanAttributes;
use muster_api::problem::ProblemKind;
use muster_model::id::{AccountName, RunId, SpaceName};
use muster_model::object::ObjectClass;
use muster_runs::objects::ObjectProposal;

use crate::answer::{Handled, all, one, unkept};
use crate::app::App;
use crate::extract::{Asking, Document, Key, Path, Query};
use crate::handler::plan::create::saved;
use crate::handler::{Reading, plan};
use crate::negotiate::accept;
use crate::refusal::Refusal;

fn class_of(word: &str) -> Result<ObjectClass, Refusal> {
    ObjectClass::of_word(word).ok_or_else(|| {
        let words: Vec<&str> = ObjectClass::ALL.into_iter().map(ObjectClass::word).collect();
        Refusal::new(
            ProblemKind::NotFound,
            format!("there is no class of objects \"{word}\"; there are {}", words.join(", ")),
        )
    })
}

/// The objects of a class, as the provider shows them now.
#[utoipa::path(get, path = "/api/v1/accounts/{name}/objects/{class}", operation_id = "object_list", tag = "objects",
    params(("name" = String, Path, description = "The account"),
        ("class" = String, Path, description = "`image`, `network`, `public-network`, `key`, `zone`, `record`, `storage`, `storage-user`"),
        ("space" = Option<String>, Query, description = "The Space"),
        ("of" = Option<String>, Query, description = "Records: the domain, by its name or id"),
        ("sort" = Option<String>, Query, description = "`name`, `id`, `state` or a field; `-` before it turns the order"),
        ("filter[…]" = Option<String>, Query, description = "Only those with this value of `name`, `state` or a field")),
    responses(
        (status = 200, description = "The objects", body = Many<ObjectAttributes>),
        (status = 502, description = "The provider did not answer well", body = muster_api::Problems)))]
pub async fn list(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Path((name, class)): Path<(String, String)>,
    Query(mut query): Query<BTreeMap<String, String>>,
) -> Handled {
    accept(&headers, &[media::JSON_API])?;
    let class = class_of(&class)?;
    let space = SpaceName(query.remove("space").unwrap_or_else(muster_api::plan::default_space));
    let (of, sort) = (query.remove("of"), query.remove("sort"));
    let filters = filters(class, &query)?;
    let order = sort.map_or_else(Order::by_name, |sort| Order::read(&sort));
    known(class, &order.field)?;
    let account = AccountName::from(name.as_str());
    let seen = app.engine.objects(&authority, &space, &account, class, of.as_deref()).await?;
    let mut said: Vec<Resource<ObjectAttributes>> = seen.into_iter().map(Resource::from).collect();
    said.retain(|object| {
        filters.iter().all(|(word, wanted)| value_of(object, word).eq_ignore_ascii_case(wanted))
    });
    order.sort(&mut said, value_of);
    all(said)
}

fn value_of(object: &Resource<ObjectAttributes>, word: &str) -> String {
    match word {
        "id" => object.id.clone(),
        "name" => object.attributes.name.clone(),
        "state" => object.attributes.state.clone(),
        field => object.attributes.fields.get(field).map(ToString::to_string).unwrap_or_default(),
    }
}

fn known(class: ObjectClass, word: &str) -> Result<(), Refusal> {
    if ["id", "name", "state"].contains(&word) || class.field(word).is_some() {
        return Ok(());
    }
    let words: Vec<&str> = class.fields().iter().map(|rule| rule.word).collect();
    Err(Refusal::new(
        ProblemKind::Invalid,
        format!("a {} has no \"{word}\"; it has id, name, state, {}", class.word(), words.join(", ")),
    ))
}

fn filters(class: ObjectClass, query: &BTreeMap<String, String>) -> Result<Vec<(String, String)>, Refusal> {
    let mut filters = Vec::new();
    for (key, value) in query {
        let word = key.strip_prefix("filter[").and_then(|rest| rest.strip_suffix(']')).ok_or_else(|| {
            Refusal::new(
                ProblemKind::Invalid,
                format!("\"{key}\" is not asked for here; there are space, of, sort, filter[FIELD]"),
            )
        })?;
        known(class, word)?;
        filters.push((word.to_owned(), value.clone()));
    }
    Ok(filters)
}

/// Proposes what is wanted of objects of an account as a plan, a step each.
#[utoipa::path(post, path = "/api/v1/accounts/{name}/object-plans", operation_id = "object_plan", tag = "objects",
    params(("name" = String, Path, description = "The account"),
        ("idempotency-key" = Option<String>, Header, description = "The same key twice is the same request")),
    request_body = Incoming<ObjectsRequest>,
    responses(
        (status = 202, description = "The plan", body = One<PlanAttributes>),
        (status = 502, description = "The provider did not answer well", body = muster_api::Problems)))]
pub async fn propose(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Path(name): Path<String>,
    Key(key): Key,
    body: Document<ObjectsRequest>,
) -> Handled {
    accept(&headers, &[media::JSON_API])?;
    let ObjectsRequest { space, wishes } = body.attributes;
    let proposal = ObjectProposal {
        space: SpaceName::from(space),
        account: AccountName::from(name),
        wishes,
        idempotency_key: key,
    };
    let id = app.engine.submit_objects(&authority, proposal).await?;
    saved(&app, id).await
}

/// Proposes what takes a run about objects back. What cannot be taken back is among the plan's warnings.
#[utoipa::path(post, path = "/api/v1/runs/{id}/undo", operation_id = "run_undo", tag = "runs",
    params(("id" = String, Path, description = "The run"),
        ("idempotency-key" = Option<String>, Header, description = "The same key twice is the same request")),
    responses((status = 202, description = "The plan", body = One<PlanAttributes>)))]
pub async fn undo(
    State(app): State<App>,
    headers: HeaderMap,
    Asking(authority): Asking,
    Path(id): Path<RunId>,
    Key(key): Key,
) -> Handled {
    accept(&headers, &[media::JSON_API])?;
    let (plan, cannot) = app.engine.submit_undo(&authority, id, key).await?;
    let view = app.engine.reads().plan(plan).await?.ok_or_else(|| Refusal::not_found("plan", plan))?;
    let mut said = plan::said(&view);
    said.attributes.warnings.extend(cannot.into_iter().map(|why| format!("not taken back: {why}")));
    crate::answer::accepted(said)
}

/// What the provider tells about the customer, the project and the money.
#[utoipa::path(get, path = "/api/v1/accounts/{name}/details", operation_id = "account_details", tag = "accounts",
    params(("name" = String, Path, description = "The account"),
        ("space" = Option<String>, Query, description = "The Space")),
    responses(
        (status = 200, description = "The provider's answer", body = One<AccountDetails>),
        (status = 502, description = "The provider did not answer well", body = muster_api::Problems)))]
pub async fn details(
    State(app): State<App>,
    Reading { authority, space }: Reading,
    Path(name): Path<String>,
) -> Handled {
    let account = AccountName::from(name.as_str());
    let fields = app.engine.account_details(&authority, &space, &account).await?;
    one(Resource::new(name, AccountDetails { fields }))
}

/// The password of a storage user, where it was made or changed here. Needs the role of an admin.
#[utoipa::path(get, path = "/api/v1/accounts/{name}/objects/storage-user/{user}/password",
    operation_id = "object_password", tag = "objects",
    params(("name" = String, Path, description = "The account"),
        ("user" = String, Path, description = "The user, by name or id"),
        ("space" = Option<String>, Query, description = "The Space")),
    responses((status = 200, description = "The password", body = One<PasswordAttributes>)))]
pub async fn password(
    State(app): State<App>,
    Reading { authority, space }: Reading,
    Path((name, user)): Path<(String, String)>,
) -> Handled {
    let account = AccountName::from(name.as_str());
    let (seen, password) = app.engine.object_password(&authority, &space, &account, &user).await?;
    let said = PasswordAttributes { name: seen.name, password: password.expose().to_owned() };
    unkept(one(Resource::new(seen.id.to_string(), said)))
}
