//! Random requests, faults, drift and time: never a panic, never an impossible world.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{Client, spec_with};

#[derive(Clone, Debug)]
enum Move {
    Send { method: &'static str, path: String, body: Value, other: bool },
    Fault(Value),
    ClearFaults,
    Drift(Value),
    Pass(u64),
}

/// Numbers that exist early in a world, and some that do not.
fn server() -> impl Strategy<Value = u64> {
    500_121..500_131u64
}

fn network() -> impl Strategy<Value = u64> {
    30_000..30_005u64
}

fn path() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just("/server".to_owned()),
        4 => server().prop_map(|id| format!("/server/{id}")),
        6 => server().prop_map(|id| format!("/Server/{id}/action/")),
        1 => server().prop_map(|id| format!("/server/{id}/rebuild")),
        2 => Just("/network".to_owned()),
        2 => network().prop_map(|id| format!("/network/{id}")),
        1 => server().prop_map(|id| format!("/server/{id}/copy")),
        1 => Just("/sshkey".to_owned()),
        4 => elsewhere(),
        1 => "/[a-z/%0-9]{0,12}".prop_map(|path| if path.is_empty() { "/".to_owned() } else { path.replace('%', "x") }),
    ]
}

/// What is not a server or a private network.
fn elsewhere() -> impl Strategy<Value = String> {
    let few = || 1..4u64;
    prop_oneof![
        prop::sample::select(vec![
            "/image",
            "/publicnetwork",
            "/dns",
            "/dns/recorda",
            "/dns/recordTXT",
            "/storage",
            "/storage/users",
        ])
        .prop_map(str::to_owned),
        few().prop_map(|id| format!("/image/{}", 8_000 + id)),
        few().prop_map(|id| format!("/publicnetwork/{}/", 60_000 + id)),
        few().prop_map(|id| format!("/dns/{}", 20_000 + id)),
        (few(), few()).prop_map(|(domain, record)| format!("/dns/{}/{}", 20_000 + domain, 200_000 + record)),
        few().prop_map(|id| format!("/dns/recorda/{}", 200_000 + id)),
        few().prop_map(|id| format!("/storage/users/{}/change-password", 11_000 + id)),
        few().prop_map(|id| format!("/storage/users/{}/block", 11_000 + id)),
    ]
}

fn body() -> impl Strategy<Value = Value> {
    let kinds = prop::sample::select(vec![
        "PowerOn",
        "PowerOff",
        "PowerReboot",
        "ShutDownGuestOS",
        "AddNetwork",
        "RemoveNetwork",
        "EditNetworkBandwidth",
    ]);
    let number = prop_oneof![4 => 0..20i64, 1 => any::<i64>()];
    prop_oneof![
        4 => (1..17u32, 1..5u32).prop_map(|(cpu, name)| spec_with(json!({"CPU": cpu, "Name": format!("s{name}")}))),
        2 => network().prop_map(|id| spec_with(json!({"NetworkID": id}))),
        6 => (kinds, network()).prop_map(|(kind, id)| json!({"Type": kind, "NetworkID": id, "NetworkLinkID": 70_001, "Bandwidth": 20})),
        3 => (1..17u32, 4..12u32).prop_map(|(cpu, ten)| json!({"CPU": cpu, "HDD": ten * 10})),
        2 => (0..4u32).prop_map(|name| json!({"Name": format!("n{name}"), "IsDHCP": true})),
        1 => Just(json!({"ImageID": 4302})),
        1 => (server(), 1..3u64).prop_map(|(id, name)| json!({"Name": "i", "TechName": format!("i{name}"), "ServerID": id})),
        1 => (1..3u64).prop_map(|name| json!({"Name": format!("d{name}.org"), "NetworkCapacity": 5, "Bandwidth": 50, "UserName": "u"})),
        2 => (1..4u64, 1..4u8).prop_map(|(id, last)| json!({"DomainId": 20_000 + id, "Name": "www", "IP": format!("192.0.2.{last}"), "Text": "t"})),
        1 => number.prop_map(|number| json!({"Name": number, "CPU": number, "RAM": number, "HDD": number, "ImageID": number, "NetworkID": number, "Type": number})),
        1 => Just(Value::Null),
    ]
}

fn fault() -> impl Strategy<Value = Value> {
    let fault = prop_oneof![
        Just(json!("drop_answer_after_effect")),
        (0..100_000u64).prop_map(|ms| json!({"effect_after_ms": ms})),
        (0..100_000u64).prop_map(|ms| json!({"stale_list_ms": ms})),
        Just(json!("duplicate_effect")),
        Just(json!("same_name_by_stranger")),
        Just(json!({"status": 500})),
        Just(json!({"no_message": 500})),
        Just(json!("truncated")),
        Just(json!("html")),
        Just(json!("stuck_action")),
        Just(json!({"state": "Odd"})),
        Just(json!(["same_name_by_stranger", "duplicate_effect", {"state": "Odd"}])),
    ];
    (fault, 1..3u64).prop_map(|(fault, times)| json!({"times": times, "fault": fault}))
}

fn drift() -> impl Strategy<Value = Value> {
    prop_oneof![
        (1..5u32, any::<bool>()).prop_map(|(name, on)| json!({"server": format!("s{name}"), "set": {"IsPowerOn": on}})),
        (1..5u32).prop_map(|name| json!({"server": format!("s{name}"), "delete": true})),
        (1..5u32, 0..4u32).prop_map(|(name, net)| json!({"server": format!("s{name}"), "set": {"LinkedNetworks": [format!("n{net}")]}})),
        (0..4u32).prop_map(|name| json!({"network": format!("n{name}"), "delete": true})),
        (1..5u32).prop_map(|name| json!({"create": {"Name": format!("s{name}")}})),
        prop::sample::select(vec![0, 100]).prop_map(|money| json!({"balance": money})),
        prop::sample::select(vec![0, 60]).prop_map(|price| json!({"server_price": price})),
        prop::sample::select(vec![json!(2), Value::Null]).prop_map(|most| json!({"quota": {"servers": most}})),
        Just(json!({"image": "Ubuntu20.04x64", "delete": true})),
        Just(json!({"publicnetwork": "d1.org", "delete": true})),
        Just(json!({"domain": "d1.org", "delete": true})),
    ]
}

fn a_move() -> impl Strategy<Value = Move> {
    let method = prop::sample::select(vec!["GET", "POST", "POST", "POST", "PUT", "DELETE"]);
    prop_oneof![
        12 => (method, path(), body(), prop::bool::weighted(0.1))
            .prop_map(|(method, path, body, other)| Move::Send { method, path, body, other }),
        1 => fault().prop_map(Move::Fault),
        1 => Just(Move::ClearFaults),
        2 => drift().prop_map(Move::Drift),
        4 => (0..100_000u64).prop_map(Move::Pass),
    ]
}

/// What must hold in every world.
fn check(state: &Value) {
    let mut ids = BTreeSet::new();
    let mut addresses = BTreeSet::new();
    for project in state["projects"].as_array().unwrap() {
        let mut zone_lines = BTreeSet::new();
        for domain in project["domains"].as_array().unwrap() {
            assert!(zone_lines.insert(domain["Name"].to_string()), "a domain twice");
            for record in domain["LinkedRecords"].as_array().unwrap() {
                assert!(zone_lines.insert(record["CanonicalDescription"].to_string()), "a record twice");
            }
        }
        let networks: BTreeSet<u64> =
            project["networks"].as_array().unwrap().iter().map(|one| one["ID"].as_u64().unwrap()).collect();
        let mut linked: BTreeMap<u64, usize> = BTreeMap::new();
        for server in project["servers"].as_array().unwrap() {
            assert!(ids.insert(server["ID"].as_u64().unwrap()), "a number twice");
            let state = server["State"].as_str().unwrap();
            if matches!(state, "New" | "NeedMoney") {
                assert_eq!((&server["IsPowerOn"], &server["IP"]), (&json!(false), &json!("")), "{server}");
            }
            if state == "Active" {
                assert!(
                    addresses.insert(server["IP"].as_str().unwrap().to_owned()),
                    "an address twice: {server}"
                );
                assert!(server["AdminPassword"].is_string());
            }
            let actions = server["Actions"].as_array().unwrap();
            let running = actions.iter().filter(|one| one["State"] == "InProgress").count();
            assert!(running <= 1, "two actions run: {server}");
            let waiting = actions.iter().any(|one| one["State"] == "Postponed");
            assert!(
                running == 1 || !waiting || state == "NeedMoney" || state == "Odd",
                "nobody runs: {server}"
            );
            for action in actions {
                assert_eq!(action["State"] == "Completed", action["EndDate"].is_string(), "{action}");
            }
            let mut here = BTreeSet::new();
            for link in server["LinkedNetworks"].as_array().unwrap() {
                let network = link["NetworkID"].as_u64().unwrap();
                assert!(here.insert(network), "linked twice: {server}");
                if network != 1 {
                    assert!(networks.contains(&network), "linked to nothing: {server}");
                    *linked.entry(network).or_default() += 1;
                }
            }
        }
        for network in project["networks"].as_array().unwrap() {
            let count = linked.get(&network["ID"].as_u64().unwrap()).copied().unwrap_or(0);
            assert_eq!(network["LinkedServers"].as_array().unwrap().len(), count);
        }
    }
}

async fn play(moves: &[Move]) -> Value {
    let client = Client::slow();
    for one in moves {
        match one {
            Move::Send { method, path, body, other } => {
                let client = if *other { client.other() } else { client.clone() };
                if let Ok(got) = client.try_send(method, path, body.clone()).await {
                    assert!(
                        [200, 400, 403, 404, 405, 500, 502].contains(&got.status),
                        "{one:?}: {}",
                        got.text
                    );
                }
            }
            Move::Fault(rule) => client.fault(rule.clone()).await,
            Move::ClearFaults => client.simulator.clear_faults(),
            Move::Drift(drift) => {
                let status = client.post("/_sim/drift", drift.clone()).await.status;
                assert!([200, 400, 404].contains(&status), "{one:?}");
            }
            Move::Pass(ms) => client.pass(*ms),
        }
        check(&client.simulator.state());
    }
    client.simulator.state()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The same moves lead to the same world, and every world on the way is possible.
    #[test]
    fn every_world_is_possible_and_repeatable(moves in prop::collection::vec(a_move(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let first = runtime.block_on(play(&moves));
        let second = runtime.block_on(play(&moves));
        prop_assert_eq!(first, second);
    }
}
