//! What a person wants of objects of an account, one by one, against what is there: a plan without a file.

use std::collections::{BTreeMap, HashSet};

use muster_model::account::AccountIdentity;
use muster_model::cloud::{SeenImage, SeenLocation};
use muster_model::diagnostic::nearest;
use muster_model::id::{AccountName, Generation, ProviderId, StepNumber};
use muster_model::intent::CreationIntent;
use muster_model::object::{ObjectClass, ObjectDraft, ObjectVerb, ObjectWish, SeenObject};
use muster_model::ownership::{ObjectKind, Ownership};
use muster_model::plan::{
    Action, HostAction, LockKey, LockMode, Note, NoteKind, ObjectAction, ObjectRef, OnFailure, PlanDraft,
    PlanHash, Reason, Refusal, Risk, Step, Subject,
};
use muster_model::server::SeenServer;
use ring::digest::{SHA256, digest};

use crate::hash::hex;
use crate::why::did_you_mean;

mod absent;
mod changed;
mod present;
mod records;
mod server;
mod undo;

pub use server::find as the_server;
pub use undo::{Undone, undo};

/// What is known of an account when its objects are planned. Lists that no wish needs may be empty.
#[derive(Clone, Debug, Default)]
pub struct SeenObjects {
    /// The objects of the classes that the wishes are about; records by their domain.
    pub objects: Vec<SeenObject>,
    /// Servers.
    pub servers: Vec<SeenServer>,
    /// Places on offer.
    pub locations: Vec<SeenLocation>,
    /// Images on offer.
    pub images: Vec<SeenImage>,
    /// What files own at this account.
    pub owned: Vec<Ownership>,
    /// Creates of objects whose answer was lost.
    pub intents: Vec<CreationIntent>,
    /// Muster's own login key, as an OpenSSH line.
    pub login_key: Option<String>,
    /// The public keys that files want on servers which are to be made anew.
    pub keys: BTreeMap<ProviderId, Vec<String>>,
}

impl SeenObjects {
    /// The objects of a class.
    pub(crate) fn of(&self, class: ObjectClass) -> impl Iterator<Item = &SeenObject> {
        self.objects.iter().filter(move |object| object.class == class)
    }
}

/// Steps, refusals and notes in the making.
#[derive(Default)]
pub(crate) struct Made {
    steps: Vec<Step>,
    notes: Vec<Note>,
    refusals: Vec<Refusal>,
    locks: Vec<LockKey>,
    /// What is done already.
    actions: HashSet<String>,
}

impl Made {
    pub(crate) fn refuse(&mut self, target: &str, code: &str, message: impl Into<String>) {
        self.refusals.push(Refusal {
            target: target.to_owned(),
            code: code.to_owned(),
            message: message.into(),
        });
    }

    /// Worth saying; nothing to do.
    pub(crate) fn note(&mut self, target: &str, message: impl Into<String>) {
        self.notes.push(Note { target: target.to_owned(), kind: NoteKind::Skipped, message: message.into() });
    }

    pub(crate) fn step(&mut self, target: &str, action: ObjectAction, reason: Reason, risk: Risk) {
        self.step_after(Vec::new(), target, Action::Object(action), reason, risk);
    }

    /// A step that waits for others. Asked for twice, it is done once.
    pub(crate) fn step_after(
        &mut self,
        after: Vec<StepNumber>,
        target: &str,
        action: Action,
        reason: Reason,
        risk: Risk,
    ) {
        if !self.actions.insert(format!("{action:?}")) {
            return;
        }
        let number = self.next();
        let target = target.to_owned();
        self.steps.push(Step { number, after, target, action, reason, changes: Vec::new(), risk });
    }

    /// The number of the next step.
    pub(crate) fn next(&self) -> StepNumber {
        StepNumber(self.steps.len() as u32 + 1)
    }

    /// After its disk was written anew, which the last step does, a server of ours gets our login key again, and the keys
    /// of its file.
    pub(crate) fn reach(&mut self, record: &Ownership, server: &ProviderId, keys: Vec<String>) {
        let action =
            HostAction::Reach { name: record.name.clone(), server: ObjectRef::Seen(server.clone()), keys };
        let after = self.steps.last().map(|step| step.number).into_iter().collect();
        self.step_after(after, record.name.as_str(), Action::Host(action), Reason::NeededBy, Risk::None);
    }

    pub(crate) fn lock(&mut self, key: LockKey) {
        self.locks.push(key);
    }
}

/// Plans what is wanted of objects. Each step stands for itself: what fails is no reason to leave out the others.
pub fn plan_objects(
    name: &AccountName,
    account: &AccountIdentity,
    seen: &SeenObjects,
    wishes: &[ObjectWish],
) -> PlanDraft {
    let mut made = Made::default();
    for wish in wishes {
        if let Some(class) = wish.class().filter(|class| class.is_only_shown()) {
            made.refuse(
                class.word(),
                "only-shown",
                format!("an {} is the provider's own and only shown", class.word()),
            );
            continue;
        }
        match wish {
            ObjectWish::Present { class, name, fields } => {
                present::present(seen, &mut made, *class, name, fields)
            }
            ObjectWish::Changed { class, name, rename, fields } => {
                changed::changed(seen, &mut made, *class, name, rename.as_deref(), fields);
            }
            ObjectWish::Absent { class, name } => absent::absent(seen, &mut made, *class, name),
            ObjectWish::Done { class, name, verb } => done(seen, &mut made, *class, name, *verb),
            ObjectWish::Records(set) => records::records(seen, &mut made, set),
            ObjectWish::Rebuilt { server, image, sysprep } => {
                server::rebuilt(seen, &mut made, account, server, image.as_deref(), *sysprep);
            }
            ObjectWish::Copied { server, copy, network } => {
                server::copied(seen, &mut made, account, server, copy, network.as_deref());
            }
        }
    }
    let words = made.steps.iter().flat_map(lock_words);
    let named = words.map(|word| LockKey::Name(account.to_string(), word));
    let mut locks: Vec<LockKey> = named.chain(made.locks).collect();
    locks.sort();
    locks.dedup();
    let text: String = made.steps.iter().map(|step| format!("{:?}\n", step.action)).collect();
    PlanDraft {
        subject: Subject::Account(name.clone()),
        based_on: Generation(0),
        steps: made.steps,
        waiting: Vec::new(),
        notes: made.notes,
        refusals: made.refusals,
        locks: locks.into_iter().map(|key| (key, LockMode::Exclusive)).collect(),
        lanes: Vec::new(),
        on_failure: OnFailure::Continue,
        hash: PlanHash(hex(digest(&SHA256, text.as_bytes()).as_ref())),
    }
}

/// What a step keeps others from meanwhile. A network bears the word under which a file's plan locks it, and one that
/// is renamed keeps both of its names.
fn lock_words(step: &Step) -> Vec<String> {
    match &step.action {
        Action::Object(ObjectAction::Create { draft, .. } | ObjectAction::Delete { was: draft, .. }) => {
            vec![format!("{} {}", draft.class.word(), step.target)]
        }
        Action::Object(ObjectAction::Change { class, rename, .. }) => {
            let names = [Some(&step.target), rename.as_ref()].into_iter().flatten();
            names.map(|name| format!("{} {name}", class.word())).collect()
        }
        Action::Object(ObjectAction::Do { class, .. }) => vec![format!("{} {}", class.word(), step.target)],
        _ => vec![step.target.clone()],
    }
}

/// Whether an object is meant by a name. The storage has none of its own.
fn is_the_one(class: ObjectClass, object: &SeenObject, name: &str) -> bool {
    // People see one name of an image, and servers report another.
    let technical = class == ObjectClass::Image && object.text("technical") == name;
    class == ObjectClass::Storage
        || technical
        || class.same_name(&object.name, name)
        || object.id.as_str() == name
}

/// The name under which a create of it is remembered until its outcome is known.
pub fn intent_name(draft: &ObjectDraft) -> String {
    let of = draft.of.as_ref().map(|of| format!("{of} ")).unwrap_or_default();
    let mut name = format!("{} {of}{}", draft.class.word(), draft.name);
    // Records of one name and type are told apart by what they say.
    if draft.class == ObjectClass::Record {
        for word in ["type", "value", "priority", "port"] {
            if let Some(value) = draft.fields.get(word) {
                name.push_str(&format!(" {value}"));
            }
        }
    }
    name
}

/// The one object that a name or id means.
///
/// # Errors
/// A code and what to do.
pub(crate) fn find<'a>(
    seen: &'a SeenObjects,
    class: ObjectClass,
    name: &str,
) -> Result<Option<&'a SeenObject>, String> {
    let same: Vec<&SeenObject> = seen.of(class).filter(|object| is_the_one(class, object, name)).collect();
    match same.as_slice() {
        [] => Ok(None),
        [only] => Ok(Some(only)),
        several => match several.iter().find(|object| object.id.as_str() == name) {
            Some(by_id) => Ok(Some(by_id)),
            None => Err(several_said(class, name, several)),
        },
    }
}

fn several_said(class: ObjectClass, name: &str, several: &[&SeenObject]) -> String {
    let ids: Vec<&str> = several.iter().map(|object| object.id.as_str()).collect();
    format!(
        "{} objects of the class {} are called {name}; name one by its id: {}",
        several.len(),
        class.word(),
        ids.join(", ")
    )
}

/// The one object that a name or id means, where it must be there.
///
/// # Errors
/// What to say: there is none, with the nearest name, or there are several, with their ids.
pub fn the_object<'a>(
    seen: &'a SeenObjects,
    class: ObjectClass,
    name: &str,
) -> Result<&'a SeenObject, String> {
    find(seen, class, name)?.ok_or_else(|| unknown(seen, class, name))
}

pub(crate) fn unknown(seen: &SeenObjects, class: ObjectClass, name: &str) -> String {
    let words = seen.of(class).map(|object| object.name.as_str());
    format!("there is no {} {name}.{}", class.word(), did_you_mean(nearest(name, words)))
}

/// The file that an object belongs to.
fn owner<'a>(seen: &'a SeenObjects, object: &SeenObject) -> Option<&'a Ownership> {
    seen.owned.iter().find(|record| match object.class {
        ObjectClass::Network => record.kind == ObjectKind::Network && record.id == object.id,
        ObjectClass::Record => record.kind == ObjectKind::Record && record.id == object.id,
        // A domain goes with all that it holds.
        ObjectClass::Zone => record.dns.as_ref().is_some_and(|dns| dns.zone == object.id),
        ObjectClass::PublicNetwork => record.kind == ObjectKind::PublicNetwork && record.id == object.id,
        ObjectClass::Image
        | ObjectClass::Key
        | ObjectClass::Storage
        | ObjectClass::StorageUser
        | ObjectClass::Action => false,
    })
}

fn owned_said(class: ObjectClass, name: &str, record: &Ownership, what: &str) -> String {
    let file = &record.infrastructure;
    if class == ObjectClass::Zone {
        return format!(
            "zone {name} holds {}, which belongs to the file {file}; take the name out of the file and run `muster \
             infra update {file}`, or give it up first: `muster infra disown {file} {}`",
            record.name, record.provider_name
        );
    }
    format!(
        "{} {name} belongs to the file {file} and is not {what} behind its back; change the file and run \
         `muster infra update {file}`, or give it up first: `muster infra disown {file} {name}`",
        class.word()
    )
}

fn done(seen: &SeenObjects, made: &mut Made, class: ObjectClass, name: &str, verb: ObjectVerb) {
    if class != ObjectClass::StorageUser {
        return made.refuse(name, "verb", format!("a {} cannot be told to {}", class.word(), verb.word()));
    }
    let object = match find(seen, class, name) {
        Ok(Some(object)) => object,
        Ok(None) => return made.refuse(name, "unknown", unknown(seen, class, name)),
        Err(message) => return made.refuse(name, "ambiguous", message),
    };
    let is_blocked = object.state.eq_ignore_ascii_case("Blocked");
    let is_so = match verb {
        ObjectVerb::Block => is_blocked,
        ObjectVerb::Unblock => object.state.eq_ignore_ascii_case("Active"),
        ObjectVerb::ChangePassword => false,
    };
    if is_so {
        return;
    }
    let action = ObjectAction::Do { class, id: object.id.clone(), name: object.name.clone(), verb };
    made.step(&object.name, action, Reason::Asked, Risk::Interrupts);
}

/// The classes whose lists some wishes need; for records the domains' names or ids.
pub fn needed(wishes: &[ObjectWish]) -> (Vec<ObjectClass>, Vec<String>) {
    let mut classes = BTreeMap::new();
    let mut zones = Vec::new();
    for wish in wishes {
        if let Some(class) = wish.class() {
            classes.insert(class, ());
        }
        if let ObjectWish::Records(set) = wish {
            zones.push(set.zone.clone());
        }
    }
    classes.retain(|class, ()| !class.is_only_shown());
    if classes.remove(&ObjectClass::Record).is_some() {
        classes.insert(ObjectClass::Zone, ());
    }
    zones.sort();
    zones.dedup();
    (classes.into_keys().collect(), zones)
}
