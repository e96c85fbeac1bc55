//! How a server of ours is brought back to the file: in place, by a replacement, or not now and why.

use muster_model::cloud::SeenLocation;
use muster_model::field::Field;
use muster_model::id::ProviderId;
use muster_model::ownership::{Claim, Ownership};
use muster_model::plan::{FieldChange, Reason, RecordAction, WaitingReason};
use muster_model::server::{SeenServer, ServerState, WantedServer};

use crate::creation::create;
use crate::difference::{Difference, Target, between, change_words};
use crate::image::Verdict;
use crate::scene::{NetworkPlaces, Scene};
use crate::server::{ServerDecision, inside};
use crate::size;
use crate::why::Says;

/// An object that is ours, or becomes so by this plan.
pub(crate) struct Ours<'a> {
    pub(crate) seen: &'a SeenServer,
    pub(crate) claim: Claim,
    pub(crate) record: Option<&'a Ownership>,
    pub(crate) image: Verdict,
}

/// Brings a server of ours back to the file.
pub(crate) fn bring_back<'a>(
    scene: &Scene<'a>,
    places: &NetworkPlaces<'a>,
    says: &mut Says,
    decision: &mut ServerDecision<'a>,
    location: &'a SeenLocation,
    ours: Ours<'a>,
) {
    let Ours { seen, claim, record, image } = ours;
    let wanted = decision.wanted;
    let name = wanted.name.as_str();
    decision.seen = Some(seen);
    if let Some((why, message)) = held_up(scene, name, seen) {
        return says.wait(why, name, message);
    }
    if let Verdict::Refused(problem) = &image {
        return says.refuse(problem.0, name, problem.1.clone());
    }
    let difference = between(scene, places, &Target { wanted, location, image: &image }, seen);
    if difference.is_empty() {
        decision.inside = inside(scene, wanted, seen, record, claim);
        return;
    }
    if !difference.replace.is_empty() {
        let words: Vec<String> = difference.replace.iter().map(change_words).collect();
        match may_replace(scene, wanted, claim, &words.join(", ")) {
            Ok(()) => return replace(scene, says, decision, location, seen, difference),
            Err((why, message)) => says.wait(why, name, message),
        }
    }
    change_in_place(scene, says, decision, location, seen, difference);
    decision.inside = inside(scene, wanted, seen, record, claim);
}

/// States in which nothing can be done to a server, in words.
fn held_up(scene: &Scene<'_>, name: &str, seen: &SeenServer) -> Option<(WaitingReason, String)> {
    let id = &seen.id;
    let again = format!("then `muster infra update {}`", scene.file());
    Some(match &seen.state {
        // One of ours that is being made becomes Active by itself; its steps wait for that.
        ServerState::Active | ServerState::New => return None,
        ServerState::Blocked => (
            WaitingReason::Blocked,
            format!(
                "The provider has blocked {name} (id {id}) because it was not paid. Top up the account's balance, wait until the provider unblocks it, {again}."
            ),
        ),
        ServerState::NeedMoney => (
            WaitingReason::NeedsMoney,
            format!(
                "The provider has not made {name} (id {id}) because the balance does not suffice. Top up the account's balance, {again}."
            ),
        ),
        ServerState::Deleting => (
            WaitingReason::Unsettled,
            format!("The provider is deleting {name} (id {id}). Wait until it is gone, {again}."),
        ),
        ServerState::Other(word) => (
            WaitingReason::Unsettled,
            format!(
                "The provider says that {name} (id {id}) is in the state \"{word}\", which this version does not know; it is left alone. Look at it in the provider's panel, {again}."
            ),
        ),
    })
}

/// Whether a server may be replaced, or what is missing for it.
fn may_replace(
    scene: &Scene<'_>,
    wanted: &WantedServer,
    claim: Claim,
    changes: &str,
) -> Result<(), (WaitingReason, String)> {
    let (file, name) = (scene.file(), &wanted.name);
    if !claim.may_delete() {
        return Err((
            WaitingReason::ClaimForbids,
            format!(
                "Only making it anew would set this: {changes}. Muster did not make it and so does not replace it. `muster infra adopt {file} {name}` allows that."
            ),
        ));
    }
    if wanted.protect {
        return Err((
            WaitingReason::Protected,
            format!(
                "Only making it anew would set this: {changes}. It is protected and so not deleted. Take `protect: true` out of the file first, or set the fields back."
            ),
        ));
    }
    if !scene.policy.allow_replace {
        return Err((
            WaitingReason::NeedsReplaceConsent,
            format!(
                "Only making it anew would set this: {changes}. Its disk and address would be lost. `muster infra update {file} --allow-replace` consents to that; or set the fields back."
            ),
        ));
    }
    Ok(())
}

fn replace<'a>(
    scene: &Scene<'a>,
    says: &mut Says,
    decision: &mut ServerDecision<'a>,
    location: &'a SeenLocation,
    seen: &'a SeenServer,
    difference: Difference<'a>,
) {
    let fields: Vec<Field> = difference.replace.iter().map(|change| change.field).collect();
    let changes: Vec<FieldChange> = difference.replace.into_iter().chain(difference.resize).collect();
    let known: Vec<ProviderId> = known_ids(scene, decision.wanted, Some(seen));
    // Its record goes with the deletion, so changes to it are pointless. What becomes ours only now is recorded
    // first, so that a crash in between leaves no server that nobody owns.
    decision.records.retain(|(record, reason)| match record {
        RecordAction::Forget { .. } => true,
        RecordAction::Own { .. } => !matches!(reason, Reason::RecordDiffers),
        RecordAction::Amend { .. } => false,
    });
    decision.seen = None;
    create(scene, says, decision, location, known, Reason::MustReplace { fields }, changes);
    decision.replaced = decision.create.is_some().then_some(seen);
}

/// Ids that bear the name already, and the one that makes room.
fn known_ids(scene: &Scene<'_>, wanted: &WantedServer, replaced: Option<&SeenServer>) -> Vec<ProviderId> {
    let mut ids: Vec<ProviderId> = scene
        .servers
        .named(wanted.name.as_str())
        .iter()
        .map(|server| server.id.clone())
        .chain(replaced.map(|server| server.id.clone()))
        .collect();
    ids.sort();
    ids.dedup();
    ids
}

fn change_in_place<'a>(
    scene: &Scene<'a>,
    says: &mut Says,
    decision: &mut ServerDecision<'a>,
    location: &'a SeenLocation,
    seen: &'a SeenServer,
    difference: Difference<'a>,
) {
    let wanted = decision.wanted;
    let name = wanted.name.as_str();
    if difference.shrinks {
        says.refuse(
            "disk-shrink",
            name,
            format!(
                "The file wants a disk of {} GB, the server has {} GB, and a disk cannot be reduced. Write at least {} GB in the file; or save the data, give the server up (`muster infra disown {} NAME`), delete it at the provider and plan again.",
                wanted.size.disk_gb,
                seen.size.disk_gb,
                seen.size.disk_gb,
                scene.file()
            ),
        );
    } else if !difference.resize.is_empty() {
        // A server that stays at another place for now is resized there, so its own place's pools count.
        let here = scene.locations.find(&seen.location).unwrap_or(location);
        let problems = size::problems(scene.provider(), &wanted.size, &seen.family, here);
        if problems.is_empty() {
            decision.resize = Some((seen.size.clone(), difference.resize));
        }
        for (code, message) in problems {
            says.refuse(code, name, message);
        }
    }
    decision.links = difference.links;
    decision.unlinks = difference.unlinks;
    decision.speeds = difference.speeds;
    decision.power = match (difference.state, difference.power) {
        // While it is being made it is off and comes up by itself: the step waits for that, then sets what is wanted.
        (Some(state), power) => Some((wanted.power, std::iter::once(state).chain(power).collect())),
        (None, Some(power)) => Some((wanted.power, vec![power])),
        (None, None) => None,
    };
}
