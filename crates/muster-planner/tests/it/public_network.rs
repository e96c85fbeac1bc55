//! ICT-36: public networks of the file, and the firewall that they should have.

use insta::assert_snapshot;
use muster_model::id::{NetworkName, ProviderId};
use muster_model::ownership::{Claim, ObjectKind};
use muster_model::plan::{NoteKind, PublicNetworkAction, WaitingReason};
use muster_model::policy::Purpose;
use muster_model::public_network::{ANY, Firewall, FirewallRule, SeenPublicNetwork, WantedPublicNetwork};

use crate::apply::apply as carry_out;
use crate::world::{Setting, record};

fn seen(id: &str, name: &str) -> SeenPublicNetwork {
    SeenPublicNetwork {
        id: id.into(),
        name: name.into(),
        state: "Active".into(),
        location: "SdnSpb".into(),
        addresses: Some(8),
        bandwidth_mbit: Some(100),
        servers: String::new(),
        firewall: Firewall { enabled: Some(false), default: Some("allow".into()), rules: Some(Vec::new()) },
    }
}

/// Carries out what a plan does about public networks.
pub fn apply(setting: &mut Setting, action: &PublicNetworkAction, id: &mut impl FnMut() -> ProviderId) {
    let kind = ObjectKind::PublicNetwork;
    let all = &mut setting.seen.public_networks;
    match action {
        PublicNetworkAction::Create { name, spec, protect, .. } => {
            let id = id();
            let made = SeenPublicNetwork {
                location: spec.location.clone(),
                addresses: Some(spec.addresses),
                bandwidth_mbit: Some(spec.bandwidth_mbit),
                ..seen(id.as_str(), &spec.name)
            };
            all.push(made);
            let mut own = record(kind, id.as_str(), name.as_str(), Claim::Created);
            own.protect = *protect;
            setting.seen.owned.push(own);
        }
        PublicNetworkAction::Change { name, network, expected_mbit, to_mbit } => {
            let seen = all.iter_mut().find(|seen| seen.id == *network).expect("the network");
            assert_eq!(seen.bandwidth_mbit, *expected_mbit);
            seen.name = name.to_string();
            seen.bandwidth_mbit = Some(*to_mbit);
        }
        PublicNetworkAction::Delete { network, .. } => {
            let ours = setting.seen.owned.iter().find(|record| record.kind == kind && record.id == *network);
            assert!(ours.is_some_and(|record| record.claim.may_delete()), "{network} may be deleted");
            all.retain(|seen| seen.id != *network);
            setting.seen.owned.retain(|record| record.kind != kind || record.id != *network);
        }
    }
}

fn wanting() -> Setting {
    let mut setting = Setting::standing(&["web-1"]);
    let wanted = WantedPublicNetwork {
        location: "Xelent".into(),
        addresses: 8,
        bandwidth_mbit: 100,
        protect: false,
        firewall: None,
    };
    setting.file.public_networks.insert(NetworkName::from("front"), wanted);
    setting
}

fn standing() -> Setting {
    let mut setting = wanting();
    setting.seen.public_networks.push(seen("60", "front"));
    setting.seen.owned.push(record(ObjectKind::PublicNetwork, "60", "front", Claim::Created));
    setting
}

fn want(setting: &mut Setting) -> &mut WantedPublicNetwork {
    setting.file.public_networks.get_mut(&NetworkName::from("front")).expect("the network")
}

fn silent(setting: &Setting) {
    assert!(setting.plan().is_empty(), "{}", setting.text());
}

#[test]
fn made_changed_and_deleted() {
    let mut setting = wanting();
    assert_snapshot!("made", setting.text());
    let draft = setting.plan();
    carry_out(&mut setting, &draft);
    silent(&setting);
    setting.seen.public_networks[0].name = "renamed".into();
    want(&mut setting).bandwidth_mbit = 200;
    assert_snapshot!("changed", setting.text());
    let draft = setting.plan();
    carry_out(&mut setting, &draft);
    silent(&setting);
    let mut used = setting.clone();
    setting.file.public_networks.clear();
    assert_snapshot!("deleted", setting.text());
    let draft = setting.plan();
    carry_out(&mut setting, &draft);
    silent(&setting);
    used.file.public_networks.clear();
    used.seen.public_networks[0].servers = "100, 101".into();
    silent(&used);
    assert_eq!(used.plan().waiting[0].why, WaitingReason::InUse);
}

#[test]
fn what_is_in_step_stays_and_what_vanished_comes_back() {
    let mut setting = standing();
    silent(&setting);
    setting.seen.public_networks.clear();
    let draft = setting.plan();
    assert_eq!(draft.steps.len(), 2, "{}", setting.text());
    carry_out(&mut setting, &draft);
    silent(&setting);
}

/// What is given at creation only is refused with the way out.
#[test]
fn addresses_cannot_change() {
    let mut setting = standing();
    want(&mut setting).addresses = 16;
    assert_snapshot!(setting.text());
    assert_eq!(setting.plan().refusals[0].code, "public-network-fixed");
}

/// Each difference of a firewall is a note, never a step.
#[test]
fn a_firewall_is_told_and_never_touched() {
    let mut setting = standing();
    let any = || ANY.to_owned();
    let rule = FirewallRule {
        action: "allow".into(),
        protocol: "tcp".into(),
        source: any(),
        source_port: any(),
        destination: any(),
        destination_port: "443".into(),
    };
    let wanted = Firewall { enabled: Some(true), default: Some("deny".into()), rules: Some(vec![rule]) };
    want(&mut setting).firewall = Some(wanted.clone());
    assert_snapshot!(setting.text());
    let notes = setting.plan().notes;
    assert_eq!(notes.iter().filter(|note| note.kind == NoteKind::Firewall).count(), 3);
    silent(&setting);
    setting.seen.public_networks[0].firewall = wanted;
    assert_eq!(setting.plan().notes, []);
}

/// A stranger that fits is claimed and not deleted; one that differs waits for an adoption.
#[test]
fn strangers() {
    let mut setting = wanting();
    setting.seen.public_networks.push(seen("60", "front"));
    setting.seen.public_networks.push(seen("61", "other"));
    let mut differs = setting.clone();
    let draft = setting.plan();
    assert_snapshot!(setting.text());
    carry_out(&mut setting, &draft);
    silent(&setting);
    setting.file.public_networks.clear();
    silent(&setting);
    assert_eq!(setting.plan().waiting[0].why, WaitingReason::ClaimForbids);
    differs.seen.public_networks[0].bandwidth_mbit = Some(50);
    silent(&differs);
    assert_eq!(differs.plan().waiting[0].why, WaitingReason::Unclaimed);
    differs.policy.purpose = Purpose::Adopt;
    differs.policy.names = ["front".to_owned()].into();
    let draft = differs.plan();
    carry_out(&mut differs, &draft);
    differs.policy = Default::default();
    let draft = differs.plan();
    assert_eq!(draft.steps.len(), 1, "{}", differs.text());
    carry_out(&mut differs, &draft);
    silent(&differs);
    differs.policy.purpose = Purpose::Disown;
    differs.policy.names = ["front".to_owned()].into();
    let draft = differs.plan();
    carry_out(&mut differs, &draft);
    assert_eq!(differs.seen.public_networks.len(), 2, "given up, untouched");
    assert!(differs.seen.owned.iter().all(|record| record.kind == ObjectKind::Server));
}
