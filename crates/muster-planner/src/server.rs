//! What is decided about one server of the file: nothing, a record, changes in place, a replacement, a creation,
//! or why none of these is possible now.

use muster_model::cloud::SeenLocation;
use muster_model::id::{NetworkName, ProviderId};
use muster_model::intent::Created;
use muster_model::ownership::{Claim, ObjectKind, Ownership};
use muster_model::plan::{FieldChange, NoteKind, Reason, RecordAction, Risk, WaitingReason};
use muster_model::policy::Purpose;
use muster_model::server::{Power, SeenServer, ServerState, Size, WantedServer};

use crate::bandwidth::Speed;
use crate::bring_back::{Ours, bring_back};
use crate::creation::{Creation, create};
use crate::difference::{Target, between};
use crate::image::{Verdict, judge};
use crate::network;
use crate::ownership::{Found, standing};
use crate::scene::{NetworkPlaces, Scene};
use crate::size;
use crate::why::Says;

/// Everything decided about one server of the file, not yet in order.
pub(crate) struct ServerDecision<'a> {
    /// The server of the file.
    pub(crate) wanted: &'a WantedServer,
    /// The object that is ours, or becomes so, and stays.
    pub(crate) seen: Option<&'a SeenServer>,
    /// Changes to our records.
    pub(crate) records: Vec<(RecordAction, Reason)>,
    /// The object that makes room for a new one.
    pub(crate) replaced: Option<&'a SeenServer>,
    /// It is made.
    pub(crate) create: Option<Creation<'a>>,
    /// It is resized.
    pub(crate) resize: Option<(Size, Vec<FieldChange>)>,
    /// It is linked.
    pub(crate) links: Vec<&'a NetworkName>,
    /// It is unlinked.
    pub(crate) unlinks: Vec<&'a ProviderId>,
    /// Its links get another speed.
    pub(crate) speeds: Vec<Speed<'a>>,
    /// It is switched on or off.
    pub(crate) power: Option<(Power, Vec<FieldChange>)>,
    /// Whether its inside may be provisioned: it is ours, runs Linux, and nothing holds it up.
    pub(crate) inside: Option<Inside<'a>>,
}

/// What is known of a server's inside.
pub(crate) struct Inside<'a> {
    /// Its record; none for one that is only now made or taken over.
    pub(crate) record: Option<&'a Ownership>,
    /// Whether Muster goes inside by itself: made by us or given to us, not merely claimed.
    pub(crate) automatic: bool,
    /// Further keys that have not reached it.
    pub(crate) keys_missing: usize,
}

impl<'a> ServerDecision<'a> {
    fn new(wanted: &'a WantedServer) -> ServerDecision<'a> {
        ServerDecision {
            wanted,
            seen: None,
            records: Vec::new(),
            replaced: None,
            create: None,
            resize: None,
            links: Vec::new(),
            unlinks: Vec::new(),
            speeds: Vec::new(),
            power: None,
            inside: None,
        }
    }
}

/// Decides about one server of the file.
pub(crate) fn decide<'a>(
    scene: &Scene<'a>,
    places: &NetworkPlaces<'a>,
    says: &mut Says,
    wanted: &'a WantedServer,
) -> ServerDecision<'a> {
    let mut decision = ServerDecision::new(wanted);
    let name = wanted.name.as_str();
    let standing = standing(&scene.servers, scene, says, name, &wanted.was);
    let location = match scene.locations.find(&wanted.location) {
        Ok(location) => location,
        Err((code, message)) => {
            says.refuse(code, name, message);
            if let Found::Recorded(_, seen) = standing.found {
                decision.seen = Some(seen);
            }
            return decision;
        }
    };
    for record in &standing.gone {
        let forget = RecordAction::Forget {
            kind: ObjectKind::Server,
            name: record.name.clone(),
            id: record.id.clone(),
        };
        decision.records.push((forget, Reason::Vanished));
    }
    match standing.found {
        Found::Refused => {}
        Found::Recorded(record, seen) => {
            let image = judge(
                &scene.images,
                &wanted.image,
                &location.technical,
                &record.image_words,
                &record.image,
                &seen.image,
            );
            keep_record(&mut decision, says, scene, record, seen, &image);
            let ours = Ours { seen, claim: scene.claim(record), record: Some(record), image };
            bring_back(scene, places, says, &mut decision, location, ours);
        }
        Found::Settled(intent, seen) => {
            let recorded = match &intent.wanted {
                Created::Server(spec) => spec.image.as_str(),
                Created::Network(_)
                | Created::PublicNetwork(_)
                | Created::Object(_)
                | Created::Copy(_)
                | Created::Record { .. } => "",
            };
            let image = judge(&scene.images, &wanted.image, &location.technical, "", recorded, &seen.image);
            let mut own = own(wanted, seen, Claim::Created, &image);
            if let RecordAction::Own { settles, .. } = &mut own {
                *settles = Some(Box::new(intent.clone()));
            }
            decision.records.push((own, Reason::SettlesIntent));
            let ours = Ours { seen, claim: Claim::Created, record: None, image };
            bring_back(scene, places, says, &mut decision, location, ours);
        }
        Found::Stranger(seen) => stranger(scene, places, says, &mut decision, location, seen),
        Found::Absent(known_ids) => {
            let reason = if standing.gone.is_empty() { Reason::Missing } else { Reason::Vanished };
            create(scene, says, &mut decision, location, known_ids, reason, Vec::new());
        }
    }
    let place = decision.seen.map_or(&location.technical, |seen| &seen.location);
    network::check_links(scene, places, says, &wanted.name, place, &decision.links);
    decision
}

/// The record that makes a seen server ours.
pub(crate) fn own(wanted: &WantedServer, seen: &SeenServer, claim: Claim, image: &Verdict) -> RecordAction {
    let image_words = match image {
        Verdict::Same | Verdict::OtherWords | Verdict::OtherMeaning { .. } => wanted.image.clone(),
        // It has another image than the words mean: recorded under its own name, so that the difference stays.
        Verdict::Other { .. } | Verdict::Refused(_) => seen.image.clone(),
    };
    RecordAction::Own {
        kind: ObjectKind::Server,
        name: wanted.name.clone(),
        id: seen.id.clone(),
        provider_name: seen.name.clone(),
        claim,
        image_words,
        image: seen.image.clone(),
        protect: wanted.protect,
        settles: None,
        dns: None,
    }
}

/// Brings our own record up to the file, and says what has changed around it.
fn keep_record<'a>(
    decision: &mut ServerDecision<'a>,
    says: &mut Says,
    scene: &Scene<'a>,
    record: &Ownership,
    seen: &SeenServer,
    image: &Verdict,
) {
    let wanted = decision.wanted;
    let name = wanted.name.as_str();
    if scene.claim(record) != record.claim {
        decision.records.push((own(wanted, seen, Claim::Adopted, image), Reason::Asked));
    } else if matches!(image, Verdict::OtherWords) {
        decision.records.push((own(wanted, seen, record.claim, image), Reason::RecordDiffers));
    } else if record.name != wanted.name || record.protect != wanted.protect {
        let amend = RecordAction::Amend {
            kind: ObjectKind::Server,
            id: record.id.clone(),
            name: wanted.name.clone(),
            protect: wanted.protect,
        };
        decision.records.push((amend, Reason::RecordDiffers));
    }
    if let Verdict::OtherMeaning { now } = image {
        says.note(
            NoteKind::MeaningChanged,
            name,
            format!(
                "The words \"{}\" mean the image {now} today; the server has {}, which they meant when it was made. Nothing is done. To move it, write the new image's name in the file.",
                wanted.image, seen.image
            ),
        );
    }
    if !record.provider_name.is_empty() && record.provider_name != seen.name {
        says.note(
            NoteKind::Renamed,
            name,
            format!(
                "The server with the id {} is ours and was called {} at the provider; there it is called {} now. It stays ours. The provider's API cannot rename: set the name back in the panel, or write it in the file with `was: [{name}]`.",
                seen.id, record.provider_name, seen.name
            ),
        );
    }
}

/// Somebody else's server with a name of the file.
fn stranger<'a>(
    scene: &Scene<'a>,
    places: &NetworkPlaces<'a>,
    says: &mut Says,
    decision: &mut ServerDecision<'a>,
    location: &'a SeenLocation,
    seen: &'a SeenServer,
) {
    let wanted = decision.wanted;
    let name = wanted.name.as_str();
    let image = judge(&scene.images, &wanted.image, &location.technical, "", "", &seen.image);
    if scene.policy.adopt {
        decision.records.push((own(wanted, seen, Claim::Adopted, &image), Reason::Asked));
        let ours = Ours { seen, claim: Claim::Adopted, record: None, image };
        return bring_back(scene, places, says, decision, location, ours);
    }
    if let Verdict::Refused(problem) = &image {
        return says.refuse(problem.0, name, problem.1.clone());
    }
    let difference = between(scene, places, &Target { wanted, location, image: &image }, seen);
    if difference.is_empty() {
        decision.records.push((own(wanted, seen, Claim::Claimed, &image), Reason::Fits));
        decision.seen = Some(seen);
        decision.inside = inside(scene, wanted, seen, None, Claim::Claimed);
        says.note(NoteKind::Claimed, name, claimed(scene.file(), "server"));
        return;
    }
    let file = scene.file();
    if seen.state == ServerState::New {
        return says.wait(
            WaitingReason::Unsettled,
            name,
            format!(
                "A server called {} (id {}) is being made, and not by Muster. Run `muster infra update {file}` again when it stands.",
                seen.name, seen.id
            ),
        );
    }
    says.wait(
        WaitingReason::Unclaimed,
        name,
        format!(
            "A server called {} (id {}) exists, is not ours, and differs from the file: {}. It is left alone. `muster infra adopt {file} {name}` brings it under the file; or choose another name.",
            seen.name,
            seen.id,
            difference.words()
        ),
    );
}

/// What is said of a claim.
pub(crate) fn claimed(file: &str, word: &str) -> String {
    format!(
        "Claimed, not made by us: it bears the name and fits the file exactly. From now on it may be changed, but never replaced or deleted, and its inside is left alone, until `muster infra adopt {file}` gives the {word} to Muster."
    )
}

pub(crate) fn inside<'a>(
    scene: &Scene<'a>,
    wanted: &WantedServer,
    seen: &SeenServer,
    record: Option<&'a Ownership>,
    claim: Claim,
) -> Option<Inside<'a>> {
    if wanted.power != Power::Running || !size::is_linux(&seen.family) {
        return None;
    }
    let purpose_reaches = match scene.policy.purpose {
        Purpose::Update | Purpose::Deploy => !scene.policy.skip_provision,
        Purpose::Destroy | Purpose::Adopt | Purpose::Disown => false,
    };
    purpose_reaches.then(|| Inside {
        record,
        automatic: claim.may_delete(),
        keys_missing: scene.keys.missing(wanted, seen, record),
    })
}

/// What a step that changes a running server may do to its service.
pub(crate) fn interrupts(seen: Option<&SeenServer>) -> Risk {
    match seen {
        Some(seen) if seen.power_on => Risk::Interrupts,
        Some(_) | None => Risk::None,
    }
}
