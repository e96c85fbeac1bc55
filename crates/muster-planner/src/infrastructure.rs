//! The way through: index, decide, order, judge, hash. Each part is a file of its own.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use muster_model::diagnostic::nearest;
use muster_model::id::ProviderId;
use muster_model::infrastructure::Infrastructure;
use muster_model::inventory::Inventory;
use muster_model::plan::{NoteKind, OnFailure, PlanDraft, RecordAction, Subject, WaitingReason};
use muster_model::policy::{Policy, Purpose};

use crate::bundle::BundleFacts;
use crate::order::{Decisions, order};
use crate::ownership::{Index, Object};
use crate::scene::{NetworkPlaces, Scene};
use crate::selector::{matches_name, matches_server};
use crate::steps::Steps;
use crate::why::{Says, did_you_mean, names};
use crate::{
    adopt, budget, code, disown, dns, hash, locks, network, provision, public_network, release, server,
    surplus,
};

/// Decides what should change, and why, so that the account's servers are as the file says.
///
/// Pure and linear in the size of the file and the account. A draft with refusals may not be carried out; its
/// steps still show what would have been done.
pub fn plan_infrastructure(
    wanted: &Infrastructure,
    seen: &Inventory,
    policy: &Policy,
    bundle: &BundleFacts,
    now: Timestamp,
) -> PlanDraft {
    let scene = Scene::new(wanted, seen, policy, bundle, now);
    let mut says = Says::default();
    check_file(&scene, &mut says);
    if let Some(wish) = &policy.to_release {
        let mut steps = Steps::default();
        release::release(&scene, &mut says, wish, &mut steps);
        say_left_out(&scene, &mut says);
        return finish(&scene, says, &Decisions::default(), steps);
    }
    let (decisions, places) = decide(&scene, &mut says);
    let mut steps = Steps::default();
    let releases = match policy.purpose == Purpose::Deploy && !policy.skip_provision {
        true => code::releases(&scene, &mut says, &decisions.servers, &mut steps),
        false => BTreeMap::new(),
    };
    let (mut steps, tracks) = order(&scene, &places, &decisions, steps);
    let servers = &decisions.servers;
    provision::provision(&scene, &places, &mut says, servers, &tracks, &releases, &mut steps);
    budget::judge(&scene, &mut says, &steps.list);
    say_strangers(&scene, &mut says, &decisions);
    say_left_out(&scene, &mut says);
    finish(&scene, says, &decisions, steps)
}

fn decide<'a>(scene: &Scene<'a>, says: &mut Says) -> (Decisions<'a>, NetworkPlaces<'a>) {
    let mut decisions = Decisions::default();
    let mut places = NetworkPlaces::new();
    match scene.policy.purpose {
        Purpose::Adopt => decisions.records = adopt::decide(scene, says),
        Purpose::Disown => decisions.records = disown::decide(scene, says),
        Purpose::Destroy => decide_surplus(scene, says, &mut decisions),
        Purpose::Update | Purpose::Deploy => {
            (decisions.networks, places) = network::decide_all(scene, says);
            public_network::decide_all(scene, says, &mut decisions.public_networks);
            decisions.servers =
                scene.selected().map(|wanted| server::decide(scene, &places, says, wanted)).collect();
            decide_surplus(scene, says, &mut decisions);
        }
    }
    (decisions, places)
}

fn decide_surplus<'a>(scene: &Scene<'a>, says: &mut Says, decisions: &mut Decisions<'a>) {
    let taken: HashSet<&ProviderId> = decisions
        .servers
        .iter()
        .flat_map(|decision| decision.seen.into_iter().chain(decision.replaced))
        .map(|server| &server.id)
        .collect();
    decisions.surplus_servers = surplus::decide_all(scene, says, &scene.servers, &taken);
    decisions.surplus_networks = surplus::decide_all(scene, says, &scene.networks, &HashSet::new());
    public_network::decide_surplus(scene, says, &mut decisions.public_networks);
    decisions.names = dns::decide(scene, says, &decisions.servers, &decisions.surplus_servers);
    surplus::keep_used_networks(
        scene,
        says,
        &decisions.servers,
        &decisions.surplus_servers,
        &mut decisions.surplus_networks,
    );
}

/// What is wrong with the question itself: two servers of one name, a selector that means nothing.
fn check_file(scene: &Scene<'_>, says: &mut Says) {
    let mut known = HashSet::new();
    for server in &scene.wanted.servers {
        if !known.insert(server.name.as_str()) {
            says.refuse(
                "duplicate-name",
                server.name.as_str(),
                format!("The file {} has two servers of this name. Names are per file; give one another key or a `prefix:`.", scene.file()),
            );
        }
    }
    let mut earlier = HashSet::new();
    for server in &scene.wanted.servers {
        for old in server.was.iter().filter(|old| !earlier.insert(old.as_str())) {
            says.refuse(
                "duplicate-was",
                server.name.as_str(),
                format!(
                    "Two servers of the file {} say `was: [{old}]`, and only one can have been it.",
                    scene.file()
                ),
            );
        }
    }
    for pattern in scene.only.patterns() {
        let wanted = scene.wanted.servers.iter().any(|server| matches_server(pattern, server))
            || scene.wanted.networks.keys().any(|name| matches_name(pattern, name.as_str()))
            || scene.wanted.public_networks.keys().any(|name| matches_name(pattern, name.as_str()));
        let networks = scene.networks.ours().iter().chain(scene.public_networks.ours());
        let mut ours = scene.servers.ours().iter().chain(networks);
        if wanted || ours.any(|record| matches_name(pattern, record.name.as_str())) {
            continue;
        }
        let words = scene.wanted.servers.iter().flat_map(|server| {
            [server.name.as_str(), server.key.as_str()]
                .into_iter()
                .chain(server.groups.iter().map(|group| group.as_str()))
        });
        let near = nearest(pattern, words.chain(scene.wanted.networks.keys().map(|name| name.as_str())));
        says.refuse(
            "only-unknown",
            pattern,
            format!(
                "`--only` means a server, group or network of the file {}, and there is none of this name.{}",
                scene.file(),
                did_you_mean(near)
            ),
        );
    }
}

/// Who else is in the account: said once, never touched.
fn say_strangers(scene: &Scene<'_>, says: &mut Says, decisions: &Decisions<'_>) {
    let mut ours: HashSet<&ProviderId> =
        decisions.servers.iter().filter_map(|decision| decision.seen).map(|server| &server.id).collect();
    ours.extend(decisions.networks.iter().filter_map(|decision| decision.seen).map(|network| &network.id));
    ours.extend(
        decisions.surplus_servers.iter().filter_map(|surplus| surplus.delete).map(|server| &server.id),
    );
    ours.extend(
        decisions.surplus_networks.iter().filter_map(|surplus| surplus.delete).map(|network| &network.id),
    );
    ours.extend(decisions.records.iter().filter_map(|(record, _)| match record {
        RecordAction::Own { id, .. } => Some(id),
        RecordAction::Amend { .. } | RecordAction::Forget { .. } => None,
    }));
    say_strangers_of(scene, says, &scene.servers, &ours);
    say_strangers_of(scene, says, &scene.networks, &ours);
    ours.extend(decisions.public_networks.ids());
    say_strangers_of(scene, says, &scene.public_networks, &ours);
}

fn say_strangers_of<T: Object>(
    scene: &Scene<'_>,
    says: &mut Says,
    index: &Index<'_, T>,
    ours: &HashSet<&ProviderId>,
) {
    let mut strangers: Vec<(&str, &ProviderId)> = index
        .all()
        .iter()
        .filter(|object| index.record(object.id()).is_none() && !ours.contains(object.id()))
        .map(|object| (object.name(), object.id()))
        .collect();
    if strangers.is_empty() {
        return;
    }
    strangers.sort_unstable();
    let word = T::KIND.word();
    let count = strangers.len();
    let (plural, verb) =
        if count == 1 { ("", "belongs to no file and is") } else { ("s", "belong to no file and are") };
    // Those that bear a name of the file come first: they are the ones a person will wonder about.
    let (mut listed, others): (Vec<_>, Vec<_>) =
        strangers.into_iter().partition(|(name, _)| scene.wants(T::KIND, name));
    listed.extend(others);
    let listed: Vec<String> = listed.into_iter().map(|(name, id)| format!("{name} (id {id})")).collect();
    says.note(
        NoteKind::Stranger,
        scene.file(),
        format!(
            "{count} {word}{plural} of the account {verb} left alone: {}.",
            names(listed.iter().map(String::as_str))
        ),
    );
}

/// One line about everything that `--only` leaves out.
fn say_left_out(scene: &Scene<'_>, says: &mut Says) {
    let left: Vec<&str> = scene
        .wanted
        .servers
        .iter()
        .filter(|server| !scene.only.server(server))
        .map(|server| server.name.as_str())
        .collect();
    if left.is_empty() {
        return;
    }
    says.wait(
        WaitingReason::LeftOut,
        scene.file(),
        format!(
            "`--only` leaves out {} of {} servers: {}. Nothing is said about them here.",
            left.len(),
            scene.wanted.servers.len(),
            names(left.iter().copied())
        ),
    );
}

fn finish(scene: &Scene<'_>, says: Says, decisions: &Decisions<'_>, steps: Steps) -> PlanDraft {
    let mut servers: Vec<_> = decisions
        .servers
        .iter()
        .flat_map(|decision| decision.seen.into_iter().chain(decision.replaced))
        .collect();
    servers.extend(decisions.surplus_servers.iter().filter_map(|surplus| surplus.delete));
    let mut networks: Vec<_> = decisions
        .networks
        .iter()
        .flat_map(|decision| decision.seen.into_iter().chain(decision.replaced))
        .collect();
    networks.extend(decisions.surplus_networks.iter().filter_map(|surplus| surplus.delete));
    let subject = Subject::Infrastructure(scene.wanted.name.clone());
    let others = others(decisions);
    let digest = &scene.bundle.digest;
    let hash =
        hash::hash(&subject.to_string(), digest, scene.policy, &steps.list, servers, networks, &others);
    let locks = locks::locks(scene, &steps.list);
    let (refusals, waiting, notes) = says.finish();
    PlanDraft {
        subject,
        based_on: scene.seen.generation,
        steps: steps.list,
        waiting,
        notes,
        refusals,
        locks,
        lanes: Vec::new(),
        on_failure: OnFailure::Stop,
        hash,
    }
}

/// What else was read: names in DNS and public networks, where the file has any.
fn others(decisions: &Decisions<'_>) -> Vec<serde_json::Value> {
    // These types hold nothing that JSON cannot say.
    let names = decisions.names.facts.iter().map(serde_json::to_value);
    names.filter_map(Result::ok).chain(decisions.public_networks.facts()).collect()
}
