//! What is ours and not wanted any more: objects that left the file, or all of them when it is taken down; and
//! creates whose answer was lost, of names that nobody wants now. Never a stranger (ICT-65).

use std::collections::HashSet;

use jiff::SignedDuration;
use muster_model::cloud::SeenNetwork;
use muster_model::id::{ProviderId, ServerName};
use muster_model::intent::{Created, CreationIntent, IntentState};
use muster_model::ownership::{Claim, Ownership};
use muster_model::plan::{NoteKind, Reason, RecordAction, WaitingReason};
use muster_model::policy::Purpose;
use muster_model::server::SeenServer;

use crate::intent::{Settled, settle};
use crate::network::users;
use crate::ownership::{Index, Object, say_late_duplicates};
use crate::scene::Scene;
use crate::server::ServerDecision;
use crate::why::{Says, names};

/// One object that goes, or a record that goes.
pub(crate) struct Surplus<'a, T> {
    /// The name it had in the file.
    pub(crate) name: &'a ServerName,
    /// Changes to our records.
    pub(crate) records: Vec<(RecordAction, Reason)>,
    /// The object to delete.
    pub(crate) delete: Option<&'a T>,
}

/// Why an object of the file is deleted.
pub(crate) fn reason(scene: &Scene<'_>) -> Reason {
    match scene.policy.purpose {
        Purpose::Destroy => Reason::Destroyed,
        Purpose::Update | Purpose::Deploy | Purpose::Adopt | Purpose::Disown => Reason::NotInFile,
    }
}

/// Decides about every object of one kind that is ours and not wanted. `taken` are ids that the file's own
/// servers have (a renamed one is not surplus).
pub(crate) fn decide_all<'a, T: Object>(
    scene: &Scene<'a>,
    says: &mut Says,
    index: &Index<'a, T>,
    taken: &HashSet<&'a ProviderId>,
) -> Vec<Surplus<'a, T>> {
    let mut found = Vec::new();
    let unwanted =
        |name: &str| !scene.wants(T::KIND, name) && scene.only.name(name) && !scene.left_out_earlier(name);
    for record in index.ours() {
        if unwanted(record.name.as_str()) && !taken.contains(&record.id) {
            found.push(of_record(scene, says, index, record));
        }
    }
    for name in index.intent_names() {
        if unwanted(name) {
            found.extend(of_intents(scene, says, index, name));
        }
    }
    found
}

fn of_record<'a, T: Object>(
    scene: &Scene<'a>,
    says: &mut Says,
    index: &Index<'a, T>,
    record: &'a Ownership,
) -> Surplus<'a, T> {
    let name = record.name.as_str();
    let mut surplus = Surplus { name: &record.name, records: Vec::new(), delete: None };
    let Some(object) = index.get(&record.id) else {
        let forget = RecordAction::Forget { kind: T::KIND, name: record.name.clone(), id: record.id.clone() };
        surplus.records.push((forget, Reason::Vanished));
        return surplus;
    };
    say_late_duplicates(index, says, name, &record.id);
    let (file, word, id) = (scene.file(), T::KIND.word(), &record.id);
    let why = match scene.policy.purpose {
        Purpose::Destroy => "The file is being taken down",
        Purpose::Update | Purpose::Deploy | Purpose::Adopt | Purpose::Disown => {
            "It is not in the file any more"
        }
    };
    if record.protect {
        says.wait(
            WaitingReason::Protected,
            name,
            format!(
                "{why}, but the {word} {name} (id {id}) is protected and stays. `muster infra disown {file} {name}` gives it up without touching it; to delete it, write it back without `protect: true`, update, and take it out again."
            ),
        );
    } else if !record.claim.may_delete() {
        says.wait(
            WaitingReason::ClaimForbids,
            name,
            format!(
                "{why}, but Muster did not make the {word} {name} (id {id}), it only claimed it, and so does not delete it. `muster infra disown {file} {name}` gives it up without touching it."
            ),
        );
    } else if object.going() {
        says.wait(
            WaitingReason::Unsettled,
            name,
            format!("The provider is deleting the {word} {name} (id {id}) already. `muster infra update {file}` again when it is gone."),
        );
    } else {
        surplus.delete = Some(object);
    }
    surplus
}

/// A create whose answer was lost, of a name that nobody wants now: what it made is ours, and goes; as long as
/// nothing is to be seen it is said in every plan, so that it is never forgotten.
fn of_intents<'a, T: Object>(
    scene: &Scene<'a>,
    says: &mut Says,
    index: &Index<'a, T>,
    name: &'a str,
) -> Option<Surplus<'a, T>> {
    let word = T::KIND.word();
    match settle(index, name) {
        // With a record of that name a second object is a late duplicate: said there, never deleted.
        Settled::One(_, _) | Settled::Several(_) if lives(index, name) => None,
        // Given up means: promised to nobody. What comes so late is never deleted unasked.
        Settled::One(intent, object) if intent.state == IntentState::GivenUp => {
            says.note(
                NoteKind::LateDuplicate,
                name,
                format!(
                    "A create of the {word} {name}, sent at {} and given up, has made one after all (id {}), and the file does not want it. Muster leaves it alone; if nobody needs it, delete it at the provider.",
                    intent.sent_at,
                    object.id()
                ),
            );
            None
        }
        Settled::One(intent, object) => {
            let own = own_settled(intent, object);
            Some(Surplus {
                name: &intent.name,
                records: vec![(own, Reason::SettlesIntent)],
                delete: Some(object),
            })
        }
        Settled::Several(ids) => {
            let ids = names(ids.iter().map(|id| id.as_str()));
            says.refuse(
                "two-of-one-name",
                name,
                format!(
                    "A create of the {word} {name} lost its answer, and several objects may come from it: {ids}. Muster cannot tell which. Delete the ones that nobody needs at the provider, then plan again."
                ),
            );
            None
        }
        Settled::Nothing => {
            let intent = index.intents(name).iter().find(|intent| intent.state == IntentState::Open)?;
            let settles =
                SignedDuration::from_millis(i64::try_from(scene.policy.settle_ms).unwrap_or(i64::MAX));
            let seen = if scene.now.duration_since(intent.sent_at) > settles {
                "Nothing of that name has appeared within the settle time"
            } else {
                "Nothing of that name is to be seen yet"
            };
            says.note(
                NoteKind::OpenIntent,
                name,
                format!(
                    "A create of the {word} {name} was sent at {}, its answer was lost, and the file does not want it any more. {seen}; should it appear, the next plan takes it over and deletes it.",
                    intent.sent_at
                ),
            );
            None
        }
    }
}

fn lives<T: Object>(index: &Index<'_, T>, name: &str) -> bool {
    index.ours_named(name).iter().any(|record| index.get(&record.id).is_some())
}

fn own_settled<T: Object>(intent: &CreationIntent, object: &T) -> RecordAction {
    let image = match &intent.wanted {
        Created::Server(spec) => spec.image.clone(),
        Created::Network(_)
        | Created::PublicNetwork(_)
        | Created::Object(_)
        | Created::Copy(_)
        | Created::Record { .. } => String::new(),
    };
    RecordAction::Own {
        kind: T::KIND,
        name: intent.name.clone(),
        id: object.id().clone(),
        provider_name: object.name().to_owned(),
        claim: Claim::Created,
        image_words: image.clone(),
        image,
        protect: false,
        settles: Some(Box::new(intent.clone())),
        dns: None,
    }
}

/// Keeps networks that somebody would still use after this plan, and says so.
pub(crate) fn keep_used_networks<'a>(
    scene: &Scene<'a>,
    says: &mut Says,
    servers: &[ServerDecision<'a>],
    deleted: &[Surplus<'a, SeenServer>],
    networks: &mut [Surplus<'a, SeenNetwork>],
) {
    if networks.iter().all(|surplus| surplus.delete.is_none()) {
        return;
    }
    let mut freed: HashSet<(&ProviderId, Option<&ProviderId>)> = HashSet::new();
    freed.extend(deleted.iter().filter_map(|surplus| surplus.delete).map(|server| (&server.id, None)));
    for decision in servers {
        freed.extend(decision.replaced.map(|server| (&server.id, None)));
        if let Some(server) = decision.seen {
            freed.extend(decision.unlinks.iter().map(|network| (&server.id, Some(*network))));
        }
    }
    for surplus in networks {
        let Some(network) = surplus.delete else { continue };
        let left: Vec<&ProviderId> = users(scene, network)
            .into_iter()
            .filter(|server| {
                !freed.contains(&(*server, None)) && !freed.contains(&(*server, Some(&network.id)))
            })
            .collect();
        if left.is_empty() {
            continue;
        }
        surplus.delete = None;
        says.wait(
            WaitingReason::InUse,
            surplus.name.as_str(),
            format!(
                "The network {} (id {}) would go, but servers that stay are linked to it: {}. Unlink them at the provider, then plan again; `muster infra disown {} {}` gives it up instead.",
                surplus.name,
                network.id,
                names(left.iter().map(|id| id.as_str())),
                scene.file(),
                surplus.name
            ),
        );
    }
}
