//! What must always hold, whatever the file, the account, our records and the consent look like.

use std::collections::{BTreeSet, HashSet};

use muster_model::intent::IntentState;
use muster_model::ownership::{Claim, ObjectKind};
use muster_model::plan::{
    Action, DnsAction, HostAction, KeyAction, NetworkAction, ObjectRef, PlanDraft, ProvisionAction,
    RecordAction, ServerAction, WaitingReason,
};
use muster_model::policy::Purpose;
use muster_model::server::{Power, ServerState, WantedServer};
use muster_planner::{DELETIONS_FREE_MIN, DELETIONS_FREE_PERCENT};
use proptest::prelude::*;

use crate::apply::apply;
use crate::references::references;
use crate::world::{Setting, intent, link, network, provisioned, record, server, wanted};

/// How a name stands before the plan.
#[derive(Clone, Debug)]
struct Before {
    in_file: bool,
    /// None, ours, a stranger, or our record of something gone.
    standing: Standing,
    claim: Claim,
    protect: bool,
    drift: BTreeSet<u8>,
    change: BTreeSet<u8>,
    /// A stranger that bears the same name besides.
    double: bool,
    intent: Option<IntentState>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Nothing,
    Ours,
    Stranger,
    Gone,
}

fn before() -> impl Strategy<Value = Before> {
    let standing = prop_oneof![
        1 => Just(Standing::Nothing),
        3 => Just(Standing::Ours),
        1 => Just(Standing::Stranger),
        1 => Just(Standing::Gone),
    ];
    let claim = prop_oneof![Just(Claim::Created), Just(Claim::Adopted), Just(Claim::Claimed)];
    let open = prop_oneof![Just(IntentState::Open), Just(IntentState::GivenUp)];
    (
        prop::bool::weighted(0.8),
        standing,
        claim,
        prop::bool::weighted(0.2),
        prop::collection::btree_set(0u8..14, 0..3),
        prop::collection::btree_set(0u8..9, 0..2),
        prop::bool::weighted(0.1),
        prop::option::weighted(0.15, open),
    )
        .prop_map(|(in_file, standing, claim, protect, drift, change, double, intent)| Before {
            in_file,
            standing,
            claim,
            protect,
            drift,
            change,
            double,
            intent,
        })
}

/// What somebody did to a server behind our back.
fn drift(setting: &mut Setting, id: &str, what: u8) {
    let mut servers = setting.seen.world.servers.iter_mut();
    let server = servers.find(|server| server.id.as_str() == id).expect("the server");
    match what {
        0 => server.size.cpu = 1,
        1 => server.size.ram_mb = 1024,
        2 => server.size.disk_gb = 20,
        3 => server.power_on = false,
        4 => server.image = "Debian12x64".into(),
        5 => server.location = "DsMsk".into(),
        6 => server.links.push(link("51")),
        7 => server.links.push(link("50")),
        8 => {
            server.state = ServerState::New;
            server.power_on = false;
        }
        9 => server.state = ServerState::Blocked,
        11 => server.links.iter_mut().for_each(|link| link.mac = "00:50:56:00:00:0b".into()),
        12 => server.links.iter_mut().for_each(|link| link.bandwidth_mbit = Some(100)),
        10 => {
            let mut records = setting.seen.owned.iter_mut();
            if let Some(record) = records.find(|record| record.id.as_str() == id) {
                record.provisioned.insert("builtin:node_exporter".into(), provisioned("exporter-1", false));
            }
        }
        _ => server.size.disk_type = "SAS".into(),
    }
}

/// What somebody changed in the file.
fn change(server: &mut WantedServer, what: u8) {
    match what {
        0 => server.size.cpu = 4,
        1 => server.size.disk_gb = 60,
        2 => server.power = Power::Stopped,
        3 => server.image = "Debian 12".into(),
        4 => server.location = "DataSpace".into(),
        5 => {
            server.networks.insert("backend".into());
        }
        6 => server.keys.push("ssh-ed25519 AAAAC3ann ann".into()),
        7 => server.bandwidth_mbit = Some(50),
        _ => server.image = "ubuntu22.04X64".into(),
    }
}

fn setting() -> impl Strategy<Value = Setting> {
    let consent = (any::<bool>(), prop::option::of(0u32..12), prop::bool::weighted(0.3), any::<bool>());
    let purpose =
        prop_oneof![4 => Just(Purpose::Update), 1 => Just(Purpose::Deploy), 1 => Just(Purpose::Destroy)];
    (prop::collection::vec(before(), 1..8), consent, purpose, 0u8..4, any::<bool>()).prop_map(
        |(servers, (allow_replace, allow_deletes, adopt, skip_provision), purpose, networks, stranger)| {
            let mut setting = Setting::new(&[]);
            setting.policy.allow_replace = allow_replace;
            setting.policy.allow_deletes = allow_deletes;
            setting.policy.adopt = adopt;
            setting.policy.skip_provision = skip_provision;
            setting.policy.purpose = purpose;
            setting.want_network("backend", &[]);
            setting.seen.world.networks.push(network("51", "office"));
            match networks {
                0 => {}
                1 => setting.our_network("50", "backend", &[]),
                2 => setting.seen.world.networks.push(network("50", "backend")),
                _ => {
                    setting.our_network("50", "backend", &[]);
                    setting.seen.world.networks[1].dhcp = false;
                }
            }
            for (at, before) in servers.into_iter().enumerate() {
                populate(&mut setting, at, &before);
            }
            if stranger {
                setting.seen.world.servers.push(server("5000", "mail"));
                setting.at("mail").links.push(link("51"));
            }
            let linked: Vec<_> =
                setting.seen.world.servers.iter().map(|s| (s.id.clone(), s.links.clone())).collect();
            let known: HashSet<_> = setting.seen.world.networks.iter().map(|n| n.id.clone()).collect();
            for server in &mut setting.seen.world.servers {
                server.links.retain(|link| link.public || known.contains(&link.network));
            }
            for network in &mut setting.seen.world.networks {
                let users =
                    linked.iter().filter(|(_, links)| links.iter().any(|link| link.network == network.id));
                network.servers = users.map(|(id, _)| id.clone()).collect();
            }
            setting
        },
    )
}

fn populate(setting: &mut Setting, at: usize, before: &Before) {
    let (name, id) = (format!("web-{at}"), format!("{}", 100 + at));
    if before.in_file {
        let mut server = wanted(&name);
        server.protect = before.protect;
        before.change.iter().for_each(|what| change(&mut server, *what));
        setting.file.servers.push(server);
    }
    if matches!(before.standing, Standing::Ours | Standing::Stranger) {
        setting.seen.world.servers.push(server(&id, &name));
    }
    if matches!(before.standing, Standing::Ours | Standing::Gone) {
        let mut own = record(ObjectKind::Server, &id, &name, before.claim);
        own.protect = before.protect;
        setting.seen.owned.push(own);
    }
    if matches!(before.standing, Standing::Ours | Standing::Stranger) {
        before.drift.iter().for_each(|what| drift(setting, &id, *what));
    }
    if before.double {
        setting.seen.world.servers.push(server(&format!("{}", 200 + at), &name));
    }
    // An open intent and a record of the same name exclude each other: one transaction settles and records.
    let settled = |state: &IntentState| *state == IntentState::Open && before.standing == Standing::Ours;
    if let Some(state) = before.intent.as_ref().filter(|state| !settled(state)) {
        setting.seen.intents.push(intent(&name, &[], state.clone()));
    }
}

/// Every id at the provider that a step would act on.
fn touched(draft: &PlanDraft) -> HashSet<String> {
    let mut ids = HashSet::new();
    let mut seen = |reference: &ObjectRef| match reference {
        ObjectRef::Seen(id) => {
            ids.insert(id.to_string());
        }
        ObjectRef::Made(_) => {}
    };
    for step in &draft.steps {
        match &step.action {
            Action::Server(ServerAction::Create(_)) | Action::Key(KeyAction::Ensure { .. }) => {}
            Action::Server(ServerAction::Resize(resize)) => seen(&resize.server),
            Action::Server(ServerAction::Power(power)) => seen(&power.server),
            Action::Server(ServerAction::Link(link)) => {
                seen(&link.server);
                seen(&link.network);
            }
            Action::Server(ServerAction::Unlink(unlink)) => seen(&unlink.server),
            Action::Server(ServerAction::Bandwidth(speed)) => seen(&speed.server),
            Action::Server(ServerAction::Delete(delete)) => seen(&ObjectRef::Seen(delete.server.clone())),
            Action::Network(NetworkAction::Create { .. }) => {}
            Action::Network(NetworkAction::Public(_)) => panic!("these files have none"),
            Action::Object(_) => panic!("a file's plan holds none of these"),
            Action::Dns(DnsAction::Point(point)) => seen(&point.server),
            Action::Dns(DnsAction::Delete(delete)) => seen(&ObjectRef::Seen(delete.id.clone())),
            Action::Network(NetworkAction::Delete { network, .. }) => seen(&ObjectRef::Seen(network.clone())),
            Action::Record(
                RecordAction::Own { id, .. }
                | RecordAction::Amend { id, .. }
                | RecordAction::Forget { id, .. },
            ) => seen(&ObjectRef::Seen(id.clone())),
            Action::Host(HostAction::Password { .. }) => panic!("a file's plan changes no password"),
            Action::Host(HostAction::Reach { server, .. } | HostAction::Exec { server, .. }) => seen(server),
            Action::Host(HostAction::Configure(configure)) => seen(&configure.server),
            Action::Host(HostAction::Release(release)) => seen(&release.server),
            Action::Provision(ProvisionAction::CheckNetwork { pairs, .. }) => {
                pairs.iter().for_each(|pair| seen(&pair.from.server));
            }
            Action::Provision(action) => action.hosts().iter().for_each(|host| seen(&host.server)),
        }
    }
    ids
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    /// ICT-06, ICT-08: applying a plan gives the desired world, and the second plan is empty.
    #[test]
    fn applied_once_nothing_is_left(before in setting()) {
        let draft = before.plan();
        if !draft.refusals.is_empty() {
            return Ok(());
        }
        let mut after = before.clone();
        apply(&mut after, &draft);
        let mut again = after.plan();
        // What waits for others to leave a network is possible once this very plan has made them leave.
        for _ in 0..2 {
            if draft.waiting.iter().any(|waiting| waiting.why == WaitingReason::InUse) && again.refusals.is_empty() {
                apply(&mut after, &again);
                again = after.plan();
            }
        }
        prop_assert!(again.is_empty(), "first:\n{}second:\n{}", before.text(), after.text());
        prop_assert!(again.refusals.is_empty());
        if before.policy.purpose == Purpose::Destroy {
            // Whatever is left is protected, claimed only, or in use by strangers.
            let left = after.seen.owned.iter().all(|record| record.protect || !record.claim.may_delete());
            prop_assert!(left || again.waiting.iter().any(|waiting| waiting.why == WaitingReason::InUse));
            return Ok(());
        }
        let waiting: HashSet<&str> = again.waiting.iter().map(|waiting| waiting.target.as_str()).collect();
        for wanted in &after.file.servers {
            if waiting.contains(wanted.name.as_str()) {
                continue;
            }
            let owned = after.seen.owned.iter().find(|own| own.kind == ObjectKind::Server && own.name == wanted.name);
            let owned = owned.expect("what is wanted and does not wait is ours");
            let server = after.seen.world.servers.iter().find(|server| server.id == owned.id).expect("and exists");
            prop_assert_eq!(&server.size, &wanted.size);
            prop_assert_eq!(server.power(), wanted.power);
            let private = server.links.iter().filter(|link| !link.public).count();
            if !waiting.contains("backend") {
                prop_assert_eq!(private, wanted.networks.len());
            }
            prop_assert_eq!(owned.protect, wanted.protect);
            let place = if wanted.location == "DataSpace" { "DsMsk" } else { "SdnSpb" };
            prop_assert_eq!(server.location.as_str(), place);
            let image = if wanted.image.starts_with("Debian") { "Debian12x64" } else { "Ubuntu22.04x64" };
            prop_assert_eq!(server.image.as_str(), image);
        }
    }

    /// ICT-13, ICT-65: strangers are in no step, protected ones are never deleted, and the budget holds.
    #[test]
    fn deletions_are_safe(before in setting()) {
        let draft = before.plan();
        let touched = touched(&draft);
        prop_assert!(!touched.contains("5000") && !touched.contains("51"), "{}", before.text());
        let settles = |id: &str| draft.steps.iter().any(|step| match &step.action {
            Action::Record(RecordAction::Own { id: own, .. }) => own.as_str() == id,
            _ => false,
        });
        let mut servers = 0;
        for step in &draft.steps {
            let (kind, id) = match &step.action {
                Action::Server(ServerAction::Delete(delete)) => (ObjectKind::Server, &delete.server),
                Action::Network(NetworkAction::Delete { network, .. }) => (ObjectKind::Network, network),
                _ => continue,
            };
            servers += u32::from(kind == ObjectKind::Server);
            match before.seen.record_of(kind, id) {
                Some(record) => {
                    let adopted = before.policy.adopt && settles(id.as_str());
                    prop_assert!(record.claim.may_delete() || adopted);
                    let wanted = before.file.servers.iter().any(|wanted| wanted.name == record.name && !wanted.protect);
                    prop_assert!(!record.protect || wanted, "{}", before.text());
                }
                None => prop_assert!(settles(id.as_str()), "{}", before.text()),
            }
        }
        let owned = before.seen.owned.iter().filter(|record| record.kind == ObjectKind::Server).count() as u32;
        let free = DELETIONS_FREE_MIN.max(owned * DELETIONS_FREE_PERCENT / 100);
        let free = if before.policy.purpose == Purpose::Destroy { 0 } else { free };
        if draft.refusals.is_empty() {
            prop_assert!(servers <= before.policy.allow_deletes.unwrap_or(free));
        }
    }

    /// Steps are numbered from 1, wait for earlier ones only, and for every step that they refer to.
    #[test]
    fn order_is_sound(before in setting()) {
        let draft = before.plan();
        let mut waits: Vec<HashSet<u32>> = vec![HashSet::new()];
        for (at, step) in draft.steps.iter().enumerate() {
            prop_assert_eq!(step.number.0 as usize, at + 1);
            let mut all = HashSet::new();
            for after in &step.after {
                prop_assert!(after.0 < step.number.0);
                all.insert(after.0);
                all.extend(waits[after.0 as usize].iter().copied());
            }
            for reference in references(&step.action) {
                if let ObjectRef::Made(step) = reference {
                    prop_assert!(all.contains(&step.0), "{}", before.text());
                }
            }
            waits.push(all);
        }
        let mut locks = draft.locks.clone();
        locks.sort();
        locks.dedup();
        prop_assert_eq!(locks, draft.locks);
    }

    /// The order of every list, and who else is in the account, decide nothing.
    #[test]
    fn order_of_lists_decides_nothing(before in setting()) {
        let draft = before.plan();
        let mut after = before.clone();
        after.seen.world.servers.reverse();
        after.seen.world.networks.reverse();
        after.seen.owned.reverse();
        after.seen.intents.reverse();
        let again = after.plan();
        prop_assert_eq!(&again, &draft);
        after.seen.world.servers.push(server("6000", "another stranger"));
        let again = after.plan();
        prop_assert_eq!(&again.steps, &draft.steps);
        prop_assert_eq!(&again.hash, &draft.hash);
    }
}
