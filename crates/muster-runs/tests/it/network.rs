//! What becomes of a network inside the guests, and of the speed of its links.

use bytes::Bytes;
use muster_model::policy::Policy;
use muster_model::run::{EntryKind, Run, RunState};
use muster_outside::host::ssh::SshError;
use muster_runs::Engine;
use muster_sim::in_process::InProcess;

use crate::process::*;

const SHOP: &str = "
version: 1
account: onecloud
location: SdnSpb
stats: false
networks:
  backend: { dhcp: true }
servers:
  web: { count: 2, image: Ubuntu 20.04, cpu: 1, ram: 1 GiB, disk: 40 GiB ssd, networks: [backend] }
";

/// What a look says in a guest whose interface has its address.
const CONFIGURED: &str = "root yes\ndevice eth1\nconfigured\n";

/// A stage whose guests have this to say when they are looked at, and reach each other.
fn stage(look: &str) -> Stage {
    let stage = Stage::new(36);
    stage.hosts.answer("*", "muster-interface-look", 0, look, "");
    stage.hosts.answer("*", "muster-network-reach", 0, "ping\n", "");
    stage
}

/// One update: its number of steps, its run, and what the journal says.
fn updated(stage: &Stage, text: &str) -> (usize, Option<Run>, String) {
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        let (steps, run) = update(&engine, text, Policy::default()).await.unwrap();
        let entries = match &run {
            Some(run) => journal_of(&engine, run.id).await,
            None => Vec::new(),
        };
        let said = entries.into_iter().filter_map(|entry| match entry.kind {
            EntryKind::Progress { message, .. } | EntryKind::Task { message, .. } => Some(message),
            _ => None,
        });
        (steps, run, said.collect::<Vec<_>>().join("\n"))
    });
    lived.result.unwrap()
}

fn well(stage: &Stage, text: &str) -> String {
    let (_, run, said) = updated(stage, text);
    let run = run.expect("something to do");
    assert_eq!(run.state, RunState::Succeeded, "{:?}", run.message);
    said
}

/// Commands of one kind that were run inside, by their script's name; the root of their files is the guest's own.
fn ran(stage: &Stage, script: &str) -> Vec<String> {
    let calls = stage.hosts.calls().into_iter();
    calls
        .filter_map(|call| {
            let arguments = call.what.split_once(script)?.1.trim();
            Some(format!("{}: {}", call.host, arguments.strip_prefix("'' ").unwrap_or(arguments)))
        })
        .collect()
}

/// ICT-36: servers that the file links to a network are configured inside and reach each other; then nothing is left.
#[test]
fn links_are_configured_and_tried_once() {
    let stage = stage("root yes\ndevice eth1\nmanager systemd-networkd\naddress 10.99.0.5/16\n");
    let said = well(&stage, SHOP);
    let mut applied = ran(&stage, "muster-interface-apply");
    applied.sort();
    assert_eq!(applied.len(), 2, "{applied:?}");
    for (applied, name) in applied.iter().zip(["web-1", "web-2"]) {
        let start = format!("{name}: systemd-networkd /etc/systemd/network/05-muster-005056");
        assert!(applied.starts_with(&start) && applied.ends_with(".network eth1 644"), "{applied}");
    }
    assert!(said.contains("eth1 in network backend has 10.99.0.5/16, through systemd-networkd"), "{said}");
    let mut tried = ran(&stage, "muster-network-reach");
    tried.sort();
    let servers = stage.simulator.servers();
    let links: Vec<_> = servers.iter().map(|server| server.links[1].clone()).collect();
    let addresses: Vec<String> = links.iter().map(|link| link.ip.to_string()).collect();
    // Each over its own link, to the other's address.
    assert_eq!(
        tried,
        [
            format!("web-1: {} 5 {}", addresses[1], links[0].mac.to_lowercase()),
            format!("web-2: {} 5 {}", addresses[0], links[1].mac.to_lowercase())
        ]
    );
    assert!(
        said.contains(&format!("web-1 ({}) reaches web-2 ({}) by ping", addresses[0], addresses[1])),
        "{said}"
    );
    assert_eq!(updated(&stage, SHOP).0, 0, "a second plan is empty");
}

#[test]
fn a_guest_that_has_its_address_is_left_as_it_is() {
    let stage = stage(CONFIGURED);
    well(&stage, SHOP);
    assert_eq!(ran(&stage, "muster-interface-apply"), Vec::<String>::new());
    assert_eq!(ran(&stage, "muster-network-reach").len(), 2);
    assert_eq!(updated(&stage, SHOP).0, 0);
}

#[test]
fn a_guest_with_nothing_to_configure_with_is_refused() {
    let stage = stage("root yes\ndevice eth1\ntool wicked\n");
    let (_, run, _) = updated(&stage, SHOP);
    let run = run.unwrap();
    assert_eq!(run.state, RunState::Failed);
    let message = run.message.unwrap();
    assert!(message.contains("found: wicked. Set eth1 up by hand"), "{message}");
}

#[test]
fn servers_that_do_not_reach_each_other_fail_and_are_tried_again() {
    let stage = stage(CONFIGURED);
    stage.hosts.answer("web-2", "muster-network-reach", 1, "ping\n", "");
    let (_, run, _) = updated(&stage, SHOP);
    let run = run.unwrap();
    assert_eq!(run.state, RunState::Failed);
    let message = run.message.unwrap();
    for words in
        ["network backend", "web-2 (10.", "does not reach web-1 (10.", "firewall", "infra update shop"]
    {
        assert!(message.contains(words), "{words}: {message}");
    }
    // What web-1 proved stays; only web-2 tries again.
    stage.hosts.answer("web-2", "muster-network-reach", 0, "none\n", "");
    let said = well(&stage, SHOP);
    assert!(said.contains("was not verified: there is neither `ping`"), "{said}");
    assert_eq!(ran(&stage, "muster-network-reach").len(), 3);
    assert_eq!(updated(&stage, SHOP).0, 0);
}

/// A server that could not be asked does not take from the others what they proved, and only it is asked again.
#[test]
fn one_that_cannot_be_asked_hides_no_proof() {
    let stage = stage(CONFIGURED);
    let three = SHOP.replace("count: 2", "count: 3");
    stage.hosts.answer("web-2", "muster-network-reach", 127, "", "sh: not found");
    let (_, run, _) = updated(&stage, &three);
    let run = run.unwrap();
    assert_eq!(run.state, RunState::Failed);
    let message = run.message.unwrap();
    assert!(message.contains("web-2 was not asked: ") && !message.contains("web-1"), "{message}");
    let before = ran(&stage, "muster-network-reach").len();
    stage.hosts.answer("web-2", "muster-network-reach", 0, "ping\n", "");
    let said = well(&stage, &three);
    assert!(said.contains("web-2 (10.") && !said.contains("web-3 (10.0"), "{said}");
    let again = ran(&stage, "muster-network-reach").split_off(before);
    assert!(again.len() == 1 && again[0].starts_with("web-2: "), "{again:?}");
    assert_eq!(updated(&stage, &three).0, 0);
}

/// A list may show the world as it was before the links; whether a server has one its own address tells.
#[test]
fn a_list_that_lags_hides_no_link() {
    let lists = |stage: &Stage| {
        let journal = stage.simulator.journal();
        journal.iter().filter(|entry| entry.method == "GET" && entry.path == "/server").count()
    };
    // Only the check is left; the lists that are read until its end, of which the last one may lag.
    let checked = |lags: Option<usize>| {
        let stage = stage(CONFIGURED);
        stage.hosts.answer("*", "muster-network-reach", 1, "ping\n", "");
        assert_eq!(updated(&stage, SHOP).1.unwrap().state, RunState::Failed);
        stage.hosts.answer("*", "muster-network-reach", 0, "ping\n", "");
        stage.clock.pass(std::time::Duration::from_secs(10));
        for (times, behind_ms) in lags.into_iter().flat_map(|lists| [(lists - 1, 1), (1, 600_000)]) {
            stage.fault(serde_json::json!({
                "match": {"method": "GET", "path": "/server"}, "times": times, "fault": {"stale_list_ms": behind_ms}
            }));
        }
        let before = lists(&stage);
        let (steps, run, _) = updated(&stage, SHOP);
        let run = run.unwrap();
        assert_eq!((steps, run.state), (1, RunState::Succeeded), "{:?}", run.message);
        lists(&stage) - before
    };
    let in_time = checked(None);
    assert_eq!(checked(Some(in_time)), in_time);
}

/// An answer that came over another link proves nothing about this one.
#[test]
fn a_way_over_another_link_is_told() {
    let stage = stage(CONFIGURED);
    stage.hosts.answer("web-1", "muster-network-reach", 1, "elsewhere eth0\n", "");
    let (_, run, _) = updated(&stage, SHOP);
    let message = run.unwrap().message.unwrap();
    assert!(message.contains("): its way there leads over eth0, which is not that link"), "{message}");
}

#[test]
fn an_unlink_takes_the_configuration_along() {
    let stage = stage(CONFIGURED);
    well(&stage, SHOP);
    let without = SHOP.replace(", networks: [backend]", "");
    // A server that does not answer any more does not keep its link.
    stage.hosts.fail_at("web-2", "wait", || SshError::Unreachable {
        host: "web-2".into(),
        address: "198.18.0.2:22".into(),
        source: std::io::ErrorKind::TimedOut.into(),
    });
    let said = well(&stage, &without);
    let released = ran(&stage, "muster-interface-release");
    assert_eq!(released.len(), 1, "{released:?}");
    assert!(
        released[0].starts_with("web-1: muster-005056") && released[0].ends_with(" eth1"),
        "{released:?}"
    );
    assert!(said.contains("the configuration of network backend stays on web-2, because"), "{said}");
    assert!(stage.picture().iter().all(|server| server.ends_with("networks=")), "{:?}", stage.picture());
    assert_eq!(updated(&stage, &without).0, 0);
    // Linked again: configured again.
    well(&stage, SHOP);
    assert_eq!(ran(&stage, "muster-network-reach").len(), 4);
}

/// Killed after any commit, the next update reaches the same end, and then is silent.
#[test]
fn killed_anywhere_it_converges() {
    let commits = {
        let whole = stage(CONFIGURED);
        whole
            .process(Cut::Never, async |engine: Engine| update(&engine, SHOP, Policy::default()).await)
            .commits
    };
    for commit in 1..=commits {
        for cut in [Cut::Before(commit), Cut::After(commit)] {
            let stage = stage(CONFIGURED);
            stage.process(cut, async |engine: Engine| update(&engine, SHOP, Policy::default()).await);
            stage.clock.pass(std::time::Duration::from_secs(300));
            let (_, run, _) = updated(&stage, SHOP);
            assert!(run.is_none_or(|run| run.state == RunState::Succeeded), "{cut:?}");
            assert_eq!(updated(&stage, SHOP).0, 0, "{cut:?}");
            let picture = stage.picture();
            assert!(
                picture.len() == 2 && picture.iter().all(|server| server.ends_with("networks=backend")),
                "{cut:?}: {picture:?}"
            );
        }
    }
}

fn speeds(stage: &Stage) -> Vec<Vec<u32>> {
    let servers = stage.simulator.servers();
    servers.iter().map(|server| server.links.iter().map(|link| link.bandwidth).collect()).collect()
}

/// ICT-36: links to the networks of the file get the speed that it says; what nobody said anything of has the provider's
/// own.
#[test]
fn speeds_are_set_and_brought_back() {
    let stage = Stage::new(37);
    let fast = SHOP.replace("{ dhcp: true }", "{ dhcp: true, bandwidth: 50 }");
    let fast = fast.replace("networks: [backend]", "networks: [backend], bandwidth: 20");
    let run = |text: &str| {
        let lived = stage.process(Cut::Never, async |engine: Engine| {
            let (steps, run) = update(&engine, text, outside_only()).await.unwrap();
            (steps, run.map(|run| (run.state, run.message)))
        });
        lived.result.unwrap()
    };
    assert_eq!(run(SHOP).1, Some((RunState::Succeeded, None)));
    assert_eq!(speeds(&stage), [[10, 10], [10, 10]]);
    assert_eq!(run(&fast).1, Some((RunState::Succeeded, None)));
    assert_eq!(speeds(&stage), [[20, 50], [20, 50]]);
    assert_eq!(run(&fast), (0, None));
    // Somebody turns one link down in the panel.
    let (server, link) = {
        let servers = stage.simulator.servers();
        (servers[0].id, servers[0].links[1].id)
    };
    let body = format!(r#"{{"Type": "EditNetworkBandwidth", "NetworkLinkID": {link}, "Bandwidth": 10}}"#);
    let request = http::Request::post(format!("http://127.0.0.1:1/server/{server}/action"))
        .header("authorization", format!("Bearer {KEY}"))
        .header("content-type", "application/json")
        .body(Bytes::from(body))
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answer = runtime.block_on(InProcess::new(stage.simulator.clone()).call(request)).unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(speeds(&stage)[0], [20, 10]);
    let (steps, done) = run(&fast);
    assert_eq!((steps, done), (1, Some((RunState::Succeeded, None))));
    assert_eq!(speeds(&stage)[0], [20, 50]);
    // Where the file says nothing, the speed is nobody's business.
    assert_eq!(run(SHOP), (0, None));
}
