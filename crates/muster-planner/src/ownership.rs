//! Whose is what: how a name of the file stands at the provider (`SEMANTICS.md` §3, §4).
//!
//! The same rules for servers and networks. What follows from it is decided in `server.rs`, `network.rs` and
//! `surplus.rs`.

use std::collections::HashMap;

use jiff::Timestamp;
use muster_model::id::{ProviderId, ServerName};
use muster_model::intent::{Created, CreationIntent};
use muster_model::inventory::Inventory;
use muster_model::ownership::{ObjectKind, Ownership};
use muster_model::plan::NoteKind;
use muster_model::server::{SeenServer, ServerState};

use muster_model::cloud::SeenNetwork;

use crate::intent::{Settled, candidates, kind, settle, unsettled};
use crate::scene::Scene;
use crate::why::{Says, names};

/// A server or a network as seen.
pub(crate) trait Object {
    /// Which of the two.
    const KIND: ObjectKind;
    /// Its id at the provider.
    fn id(&self) -> &ProviderId;
    /// Its name at the provider.
    fn name(&self) -> &str;
    /// When it was made, where the provider says so.
    fn created_at(&self) -> Option<Timestamp>;
    /// Whether it is on its way out.
    fn going(&self) -> bool;
    /// Whether it is what this create asked for, names aside.
    fn fits(&self, created: &Created) -> bool;
}

impl Object for SeenServer {
    const KIND: ObjectKind = ObjectKind::Server;
    fn id(&self) -> &ProviderId {
        &self.id
    }
    fn name(&self) -> &str {
        &self.name
    }
    fn created_at(&self) -> Option<Timestamp> {
        self.created_at
    }
    fn going(&self) -> bool {
        self.state == ServerState::Deleting
    }
    fn fits(&self, created: &Created) -> bool {
        match created {
            Created::Server(spec) => {
                spec.size.cpu == self.size.cpu
                    && spec.size.ram_mb == self.size.ram_mb
                    && spec.size.disk_gb == self.size.disk_gb
                    && spec.size.disk_type.eq_ignore_ascii_case(&self.size.disk_type)
                    && spec.size.performance == self.size.performance
                    && spec.location.eq_ignore_ascii_case(&self.location)
                    && spec.image.eq_ignore_ascii_case(&self.image)
            }
            Created::Network(_)
            | Created::PublicNetwork(_)
            | Created::Object(_)
            | Created::Copy(_)
            | Created::Record { .. } => false,
        }
    }
}

impl Object for SeenNetwork {
    const KIND: ObjectKind = ObjectKind::Network;
    fn id(&self) -> &ProviderId {
        &self.id
    }
    fn name(&self) -> &str {
        &self.name
    }
    fn created_at(&self) -> Option<Timestamp> {
        None
    }
    fn going(&self) -> bool {
        self.state == "Deleting"
    }
    fn fits(&self, created: &Created) -> bool {
        match created {
            Created::Network(spec) => {
                spec.dhcp == self.dhcp
                    && (self.location.is_empty() || spec.location.eq_ignore_ascii_case(&self.location))
            }
            Created::Server(_)
            | Created::PublicNetwork(_)
            | Created::Object(_)
            | Created::Copy(_)
            | Created::Record { .. } => false,
        }
    }
}

/// Everything of one kind at the account, and what we remember of it, by id and by name.
pub(crate) struct Index<'a, T> {
    all: &'a [T],
    by_id: HashMap<&'a str, &'a T>,
    by_name: HashMap<&'a str, Vec<&'a T>>,
    recorded: HashMap<&'a str, &'a Ownership>,
    ours: Vec<&'a Ownership>,
    ours_by_name: HashMap<&'a str, Vec<&'a Ownership>>,
    /// Names at the provider that belong to another file, by record or by unsettled intent.
    others: HashMap<&'a str, &'a str>,
    intents: HashMap<&'a str, Vec<&'a CreationIntent>>,
}

impl<'a, T: Object> Index<'a, T> {
    /// Indexes the objects, and the records and intents of `file` and of the others.
    pub(crate) fn new(all: &'a [T], seen: &'a Inventory, file: &str) -> Index<'a, T> {
        let mut index = Index {
            all,
            by_id: HashMap::with_capacity(all.len()),
            by_name: HashMap::with_capacity(all.len()),
            recorded: HashMap::new(),
            ours: Vec::new(),
            ours_by_name: HashMap::new(),
            others: HashMap::new(),
            intents: HashMap::new(),
        };
        for object in all {
            index.by_id.insert(object.id().as_str(), object);
            index.by_name.entry(object.name()).or_default().push(object);
        }
        let account = &seen.world.account;
        for record in seen.owned.iter().filter(|record| record.kind == T::KIND && record.account == *account)
        {
            if record.infrastructure.as_str() == file {
                index.recorded.insert(record.id.as_str(), record);
                index.ours.push(record);
                index.ours_by_name.entry(record.name.as_str()).or_default().push(record);
            } else {
                index.recorded.entry(record.id.as_str()).or_insert(record);
                index.others.insert(&record.provider_name, record.infrastructure.as_str());
            }
        }
        for intent in &seen.intents {
            if intent.account != *account || kind(&intent.wanted) != T::KIND || !unsettled(intent) {
                continue;
            }
            if intent.infrastructure.as_str() == file {
                index.intents.entry(intent.name.as_str()).or_default().push(intent);
            } else {
                index.others.entry(intent.name.as_str()).or_insert(intent.infrastructure.as_str());
            }
        }
        // The order of lists must not decide anything.
        for objects in index.by_name.values_mut() {
            objects.sort_by(|one, two| one.id().cmp(two.id()));
        }
        for intents in index.intents.values_mut() {
            intents.sort_by_key(|intent| intent.sent_at);
        }
        for records in index.ours_by_name.values_mut() {
            records.sort_by(|one, two| one.id.cmp(&two.id));
        }
        index.ours.sort_by(|one, two| (&one.name, &one.id).cmp(&(&two.name, &two.id)));
        index
    }

    /// Every object, ours or not.
    pub(crate) fn all(&self) -> &'a [T] {
        self.all
    }
    /// An object by its id.
    pub(crate) fn get(&self, id: &ProviderId) -> Option<&'a T> {
        self.by_id.get(id.as_str()).copied()
    }
    /// Every object of a name.
    pub(crate) fn named(&self, name: &str) -> &[&'a T] {
        self.by_name.get(name).map(Vec::as_slice).unwrap_or_default()
    }
    /// The record of an object, whichever file it belongs to.
    pub(crate) fn record(&self, id: &ProviderId) -> Option<&'a Ownership> {
        self.recorded.get(id.as_str()).copied()
    }
    /// The file's own records, by name.
    pub(crate) fn ours(&self) -> &[&'a Ownership] {
        &self.ours
    }
    /// The file's own records under a name.
    pub(crate) fn ours_named(&self, name: &str) -> &[&'a Ownership] {
        self.ours_by_name.get(name).map(Vec::as_slice).unwrap_or_default()
    }
    /// The file's unsettled intents of a name, oldest first.
    pub(crate) fn intents(&self, name: &str) -> &[&'a CreationIntent] {
        self.intents.get(name).map(Vec::as_slice).unwrap_or_default()
    }
    /// Names with unsettled intents of the file, sorted.
    pub(crate) fn intent_names(&self) -> Vec<&'a str> {
        let mut names: Vec<&str> = self.intents.keys().copied().collect();
        names.sort_unstable();
        names
    }
}

/// How a wanted name stands.
pub(crate) struct Standing<'a, T> {
    /// Records of the name whose object is gone.
    pub(crate) gone: Vec<&'a Ownership>,
    /// What is there.
    pub(crate) found: Found<'a, T>,
}

/// What is there under a wanted name.
pub(crate) enum Found<'a, T> {
    /// Ours, by a record.
    Recorded(&'a Ownership, &'a T),
    /// Ours: a create whose answer was lost made it.
    Settled(&'a CreationIntent, &'a T),
    /// Bears the name, and nobody recorded it.
    Stranger(&'a T),
    /// Nothing; these ids bear the name and are none of ours.
    Absent(Vec<ProviderId>),
    /// It cannot be told, and that was said.
    Refused,
}

/// How a wanted name stands. `was` are its earlier names; one that is itself wanted is another's.
pub(crate) fn standing<'a, T: Object>(
    index: &Index<'a, T>,
    scene: &Scene<'a>,
    says: &mut Says,
    name: &'a str,
    was: &'a [ServerName],
) -> Standing<'a, T> {
    let earlier = || was.iter().map(ServerName::as_str).filter(|old| !scene.wants(T::KIND, old));
    let mut records = index.ours_named(name);
    if records.is_empty() {
        records =
            earlier().map(|old| index.ours_named(old)).find(|found| !found.is_empty()).unwrap_or_default();
    }
    let mut gone = Vec::new();
    let mut alive = Vec::new();
    for record in records {
        match index.get(&record.id) {
            Some(object) => alive.push((*record, object)),
            None => gone.push(*record),
        }
    }
    let found = match alive.as_slice() {
        [] => without_record(index, scene, says, name, earlier),
        [(record, object)] => {
            say_late_duplicates(index, says, name, &record.id);
            Found::Recorded(record, *object)
        }
        several => {
            let ids: Vec<&str> = several.iter().map(|(record, _)| record.id.as_str()).collect();
            refuse_two(says, scene, T::KIND, name, &ids, true);
            Found::Refused
        }
    };
    Standing { gone, found }
}

fn without_record<'a, T: Object, I: Iterator<Item = &'a str>>(
    index: &Index<'a, T>,
    scene: &Scene<'a>,
    says: &mut Says,
    name: &'a str,
    earlier: impl Fn() -> I,
) -> Found<'a, T> {
    if let Some(file) = index.others.get(name) {
        says.refuse(
            "name-of-another-file",
            name,
            format!(
                "The {} {name} of this account belongs to the file {file}. Choose another name, or give it up there: `muster infra disown {file} {name}`.",
                T::KIND.word()
            ),
        );
        return Found::Refused;
    }
    match settle(index, name) {
        Settled::One(intent, object) => return Found::Settled(intent, object),
        Settled::Several(ids) => {
            let ids: Vec<&str> = ids.iter().map(|id| id.as_str()).collect();
            refuse_two(says, scene, T::KIND, name, &ids, false);
            return Found::Refused;
        }
        Settled::Nothing => {}
    }
    let mut strangers = strangers(index, name);
    if strangers.is_empty() {
        // Our records are lost, perhaps: a renamed server still bears its old name at the provider.
        strangers =
            earlier().map(|old| strangers_of(index, old)).find(|found| !found.is_empty()).unwrap_or_default();
    }
    match strangers.as_slice() {
        [] if still_borne(index, scene, says, name) => Found::Refused,
        [] => Found::Absent(index.named(name).iter().map(|object| object.id().clone()).collect()),
        [one] => Found::Stranger(*one),
        several => {
            let ids: Vec<&str> = several.iter().map(|object| object.id().as_str()).collect();
            refuse_two(says, scene, T::KIND, name, &ids, false);
            Found::Refused
        }
    }
}

/// Whether a server of the file that was renamed in the file still bears this name at the provider: a second one
/// of the name could be told apart by our records only, and never again once they are lost.
fn still_borne<T: Object>(index: &Index<'_, T>, scene: &Scene<'_>, says: &mut Says, name: &str) -> bool {
    let records = index.named(name).iter().filter_map(|object| index.record(object.id()));
    let mut renamed = records.filter(|record| {
        record.infrastructure.as_str() == scene.file() && scene.wants(T::KIND, record.name.as_str())
    });
    let Some(record) = renamed.next() else { return false };
    let word = T::KIND.word();
    says.refuse(
        "name-still-borne",
        name,
        format!(
            "The {word} {} of the file still bears the name {name} at the provider (id {}), where names cannot be changed. Choose another name for the new one.",
            record.name, record.id
        ),
    );
    true
}

fn strangers<'a, T: Object>(index: &Index<'a, T>, name: &str) -> Vec<&'a T> {
    index
        .named(name)
        .iter()
        .copied()
        .filter(|object| index.record(object.id()).is_none() && !object.going())
        .collect()
}

fn strangers_of<'a, T: Object>(index: &Index<'a, T>, old: &str) -> Vec<&'a T> {
    if index.others.contains_key(old) { Vec::new() } else { strangers(index, old) }
}

fn refuse_two(says: &mut Says, scene: &Scene<'_>, kind: ObjectKind, name: &str, ids: &[&str], ours: bool) {
    let word = kind.word();
    let next = if ours {
        format!("Delete or rename one of them at the provider, then `muster infra update {}`.", scene.file())
    } else {
        "Muster cannot tell which one the file means. Rename or delete the others at the provider, then plan again.".to_owned()
    };
    says.refuse(
        "two-of-one-name",
        name,
        format!(
            "{} {word}s are called {name}, with the ids {}. {next}",
            ids.len(),
            names(ids.iter().copied())
        ),
    );
}

/// Says that a create whose answer was lost has made a second object after all. It is never deleted unasked.
pub(crate) fn say_late_duplicates<T: Object>(
    index: &Index<'_, T>,
    says: &mut Says,
    name: &str,
    ours: &ProviderId,
) {
    for (intent, object) in candidates(index, name) {
        let word = T::KIND.word();
        says.note(
            NoteKind::LateDuplicate,
            name,
            format!(
                "A create of the {word} {name}, sent at {}, whose answer was lost, has made a second one after all: {} is ours, {} came late. Muster leaves the late one alone; if nobody needs it, delete it at the provider.",
                intent.sent_at,
                ours,
                object.id()
            ),
        );
    }
}
