//! What may have happened to an object between the plan and its step.

use muster_model::id::ProviderId;
use muster_model::object::{Fields, ObjectClass, ObjectDraft, SeenObject};
use muster_model::ownership::ObjectKind;
use muster_store::About;

use super::super::server::store_failed;
use super::super::{Intent, Looked, StepContext, StepError};
use super::object;

/// Whether deleting it would still hurt nobody but those whom the plan named.
pub(super) async fn still_harmless(
    ctx: &StepContext,
    was: &ObjectDraft,
    seen: &SeenObject,
) -> Result<(), StepError> {
    let kind = match was.class {
        ObjectClass::Record => Some(ObjectKind::Record),
        ObjectClass::Network => Some(ObjectKind::Network),
        ObjectClass::PublicNetwork => Some(ObjectKind::PublicNetwork),
        _ => None,
    };
    if let Some(kind) = kind {
        let about = About::ids(kind, vec![seen.id.clone()]);
        let account = &ctx.session.account.identity;
        let owned = ctx.store().facts_about(account, &about).await.map_err(store_failed)?.owned;
        if let Some(record) = owned.first() {
            let (class, file) = (was.class.word(), &record.infrastructure);
            return Err(StepError::refused(format!(
                "{class} {} belongs to the file {file} meanwhile; it stays",
                seen.name
            )));
        }
    }
    let word = match was.class {
        ObjectClass::Record if !seen.has(&was.fields) => "value",
        ObjectClass::Zone => "records",
        ObjectClass::Network | ObjectClass::PublicNetwork => "servers",
        _ => return Ok(()),
    };
    let before = was.fields.get(word).map(ToString::to_string).unwrap_or_default();
    if was.class == ObjectClass::Record || before != seen.text(word) {
        return Err(moved(seen, word, &before));
    }
    Ok(())
}

/// Whether a name that an object is to get is still nobody's.
pub(super) async fn still_free(
    ctx: &StepContext,
    class: ObjectClass,
    id: &ProviderId,
    name: &str,
) -> Result<(), StepError> {
    let list = ctx.session.watch.fresh_objects(class, None).await?;
    match list.iter().find(|other| other.id != *id && class.same_name(&other.name, name)) {
        None => Ok(()),
        Some(other) => Err(StepError::refused(format!(
            "there is a {} {name} (id {}) meanwhile; choose another name",
            class.word(),
            other.id
        ))),
    }
}

fn moved(seen: &SeenObject, word: &str, before: &str) -> StepError {
    let before = if before.is_empty() { "nothing" } else { before };
    StepError::refused(format!(
        "{word} of {} {} was {before} when this was planned and is {} now; look again and plan anew",
        seen.class.word(),
        seen.name,
        seen.text(word)
    ))
}

/// Whether it is still what was to be changed.
pub(super) fn look_change(
    seen: &SeenObject,
    name: &str,
    rename: Option<&str>,
    expected: &Fields,
    to: &Fields,
) -> Result<Looked, StepError> {
    if seen.has(to) && rename.is_none_or(|name| name == seen.name) {
        return Ok(Looked::Already(object(seen.class, &seen.id), Vec::new()));
    }
    // A change says the name with it, and would take a newer one back.
    if !seen.class.same_name(&seen.name, name) && rename != Some(seen.name.as_str()) {
        return Err(StepError::refused(format!(
            "{} id {} was called {name} when this was planned and is called {} now; look again and plan anew",
            seen.class.word(),
            seen.id,
            seen.name
        )));
    }
    let changed = expected.iter().find(|(word, value)| {
        let now = seen.text(word);
        now != value.to_string() && to.get(*word).is_none_or(|to| now != to.to_string())
    });
    match changed {
        Some((word, value)) => Err(moved(seen, word, &value.to_string())),
        None => Ok(Looked::Act(Intent::Plain, Vec::new())),
    }
}
