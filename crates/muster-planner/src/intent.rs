//! Creates whose answer was lost: which object at the provider, if any, such a create made (`SEMANTICS.md` §4).

use jiff::{SignedDuration, Timestamp};
use muster_model::id::ProviderId;
use muster_model::intent::{Created, CreationIntent, IntentState};
use muster_model::ownership::ObjectKind;

use crate::ownership::{Index, Object};

/// How far the provider's clock may be behind ours, in ms, when an object's date is compared with the time at
/// which its create was sent. Wide, because the id must be new as well.
pub const CLOCK_SKEW_MS: i64 = 300_000;

/// Whether an intent may still lead to an object.
pub(crate) fn unsettled(intent: &CreationIntent) -> bool {
    match intent.state {
        IntentState::Open | IntentState::GivenUp => true,
        IntentState::Made(_) | IntentState::Refused => false,
    }
}

/// Whether this create may have made this object: a new id, of its name, fitting its specification, not older.
fn made<T: Object>(intent: &CreationIntent, object: &T) -> bool {
    object.name() == intent.name.as_str()
        && !intent.known_ids.contains(object.id())
        && object.fits(&intent.wanted)
        && object.created_at().is_none_or(|created| !too_old(created, intent.sent_at))
}

fn too_old(created: Timestamp, sent: Timestamp) -> bool {
    // A bound that lies before all time excludes nothing.
    sent.checked_sub(SignedDuration::from_millis(CLOCK_SKEW_MS)).is_ok_and(|bound| created < bound)
}

/// What the unsettled creates of one name have led to.
pub(crate) enum Settled<'a, T> {
    /// Nothing is to be seen.
    Nothing,
    /// Exactly this object.
    One(&'a CreationIntent, &'a T),
    /// More than one: a person must say which.
    Several(Vec<&'a ProviderId>),
}

/// Looks for what the unsettled creates of one name have made. Objects with a record are known already.
pub(crate) fn settle<'a, T: Object>(index: &Index<'a, T>, name: &str) -> Settled<'a, T> {
    let candidates = candidates(index, name);
    match candidates.as_slice() {
        [] => Settled::Nothing,
        [(intent, object)] => Settled::One(intent, object),
        several => Settled::Several(several.iter().map(|(_, object)| object.id()).collect()),
    }
}

/// Objects without a record that an unsettled create of this name may have made, each with its intent; an open
/// intent before a given-up one.
pub(crate) fn candidates<'a, T: Object>(
    index: &Index<'a, T>,
    name: &str,
) -> Vec<(&'a CreationIntent, &'a T)> {
    let intents = index.intents(name);
    if intents.is_empty() {
        return Vec::new();
    }
    index
        .named(name)
        .iter()
        .copied()
        .filter(|object| index.record(object.id()).is_none())
        .filter_map(|object| {
            let open =
                intents.iter().find(|intent| intent.state == IntentState::Open && made(intent, object));
            open.or_else(|| intents.iter().find(|intent| made(intent, object)))
                .map(|intent| (*intent, object))
        })
        .collect()
}

/// The kind of object that a create was about.
pub(crate) fn kind(created: &Created) -> ObjectKind {
    match created {
        Created::Server(_) => ObjectKind::Server,
        Created::Network(_) => ObjectKind::Network,
        Created::Object(_) | Created::Copy(_) => ObjectKind::Object,
        Created::PublicNetwork(_) => ObjectKind::PublicNetwork,
        Created::Record { .. } => ObjectKind::Record,
    }
}
