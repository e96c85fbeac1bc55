//! Limits of concurrency: never more at the provider than they allow, whichever node works, and nothing is left behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use muster_model::Secret;
use muster_model::id::RunId;
use muster_model::limit::LimitKey;
use muster_model::rights::{Authority, Role};
use muster_model::run::{EntryKind, RunState};
use muster_runs::{Engine, EngineError};
use muster_sim::onecloud::{Durations, Life, Simulator};
use muster_store::PlanState;
use tokio::time::sleep;

use crate::process::*;
use crate::provision::deploy_to;

/// A provider that needs five seconds for a server, and an account that lets several writes be under way.
fn slow(seed: u64) -> Stage {
    let durations = Durations { create_ms: 5_000, ..Durations::instant() };
    let mut settings = Stage::new(seed).settings;
    settings.writes_in_flight = 16;
    Stage::with(seed, durations, settings)
}

fn file(group: &str, count: usize) -> String {
    format!(
        "version: 1\naccount: onecloud\nlocation: SdnSpb\nservers:\n  {group}: {{ count: {count}, \
         image: Ubuntu 20.04, cpu: 1, ram: 1 GiB, disk: 40 GiB ssd }}\n"
    )
}

fn key(text: &str) -> LimitKey {
    LimitKey::read(text, &"default".into()).unwrap()
}

async fn limit(engine: &Engine, text: &str, cap: u32) {
    engine.set_limit(&me(), key(text), cap).await.unwrap();
}

async fn begun(engine: &Engine, infrastructure: &str, text: &str) -> RunId {
    let plan = propose_as(engine, infrastructure, text, outside_only()).await.unwrap();
    assert_eq!(engine.planned(plan).await.unwrap().state, PlanState::Ready);
    engine.approve(&me(), plan, None).await.unwrap()
}

/// Servers in the making, as the provider sees it.
fn in_the_making(simulator: &Simulator) -> usize {
    simulator.servers().iter().filter(|server| server.life == Life::New).count()
}

/// The most servers that were in the making at once since this was last asked.
struct Most(Arc<AtomicUsize>);

impl Most {
    fn watch(stage: &Stage) -> Most {
        let most = Arc::new(AtomicUsize::new(0));
        let (seen, simulator) = (most.clone(), stage.simulator.clone());
        tokio::spawn(async move {
            loop {
                seen.fetch_max(in_the_making(&simulator), Ordering::SeqCst);
                sleep(Duration::from_millis(50)).await;
            }
        });
        Most(most)
    }

    fn take(&self) -> usize {
        self.0.swap(0, Ordering::SeqCst)
    }
}

async fn taken(engine: &Engine, text: &str) -> u32 {
    let limits = engine.limits(&me(), &"default".into()).await.unwrap();
    limits.iter().find(|limit| limit.key == key(text)).unwrap().taken
}

#[test]
fn two_nodes_share_a_limit_and_leave_nothing_behind() {
    let all = ["account:onecloud", "provider:onecloud", "space:default"];
    for limited in [&all[..1], &all[1..2], &all[2..], &all[..]] {
        let stage = slow(61);
        let lived = stage.process(Cut::Never, async |engine: Engine| {
            let second = stage.second_engine().await;
            for key in limited {
                limit(&engine, key, 3).await;
            }
            let most = Most::watch(&stage);
            let begun_at = tokio::time::Instant::now();
            let one = begun(&engine, "shop", &file("web", 12)).await;
            sleep(Duration::from_millis(500)).await;
            let other = begun(&second, "market", &file("app", 12)).await;
            let mut together = false;
            let (first, last) = tokio::join!(ended(&engine, one), async {
                loop {
                    let of = |group: &str| {
                        let servers = stage.simulator.servers();
                        servers
                            .iter()
                            .any(|server| server.life == Life::New && server.name.starts_with(group))
                    };
                    together |= of("web") && of("app");
                    let run = engine.reads().run(other).await.unwrap().unwrap().run;
                    if run.state.is_final() {
                        return run;
                    }
                    sleep(Duration::from_millis(100)).await;
                }
            });
            assert_eq!((first.state, last.state), (RunState::Succeeded, RunState::Succeeded));
            assert_eq!(most.take(), 3, "{limited:?}");
            let took = begun_at.elapsed();
            // Three at once need forty seconds; the rest is what giving way and taking again may cost.
            assert!(took < Duration::from_secs(60), "{limited:?}: {took:?}");
            assert!(together, "the first node gave way to the second");
            sleep(Duration::from_secs(3)).await;
            for key in limited {
                assert_eq!(taken(&engine, key).await, 0, "{key}");
            }
        });
        assert!(lived.result.is_some());
        assert_eq!(stage.picture().len(), 24);
    }
}

#[test]
fn a_limit_is_set_lowered_raised_and_removed_while_a_run_goes_on() {
    let stage = slow(62);
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        let most = Most::watch(&stage);
        let run = begun(&engine, "shop", &file("web", 100)).await;
        sleep(Duration::from_secs(4)).await;
        assert_eq!(most.take(), 16, "as many as the node has room for");
        // A limit that another node sets is heard of within two seconds; what is under way then ends by itself.
        let second = stage.second_engine().await;
        limit(&second, "provider:onecloud", 4).await;
        sleep(Duration::from_secs(10)).await;
        most.take();
        sleep(Duration::from_secs(10)).await;
        assert_eq!(most.take(), 4);
        limit(&second, "provider:onecloud", 1).await;
        sleep(Duration::from_secs(10)).await;
        most.take();
        sleep(Duration::from_secs(11)).await;
        assert_eq!(most.take(), 1);
        limit(&second, "provider:onecloud", 6).await;
        sleep(Duration::from_secs(12)).await;
        assert_eq!(most.take(), 6, "raised for the run that goes on");
        assert!(second.remove_limit(&me(), &key("provider:onecloud")).await.unwrap());
        let ended = ended(&engine, run).await;
        assert_eq!(ended.state, RunState::Succeeded, "{:?}", ended.message);
        assert_eq!(most.take(), 16);
    });
    assert!(lived.result.is_some());
    assert_eq!(stage.picture().len(), 100);
}

/// However many could begin, no more are in the making than their account may have; the journal says the same.
#[test]
fn twenty_servers_are_made_two_at_a_time() {
    let stage = slow(67);
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        limit(&engine, "account:onecloud", 2).await;
        let most = Most::watch(&stage);
        let run = begun(&engine, "shop", &file("web", 20)).await;
        let ended = ended(&engine, run).await;
        assert_eq!(ended.state, RunState::Succeeded, "{:?}", ended.message);
        assert_eq!(most.take(), 2);
        let (mut now, mut most) = (0, 0);
        for entry in journal_of(&engine, run).await {
            match entry.kind {
                EntryKind::Started { .. } => now += 1,
                EntryKind::Succeeded { .. } => now -= 1,
                _ => {}
            }
            most = most.max(now);
        }
        assert_eq!((now, most), (0, 2));
    });
    assert!(lived.result.is_some());
    assert_eq!(stage.picture().len(), 20);
}

/// Tokens are taken in blocks: a hundred steps under a limit cost a handful of commits more than without one.
#[test]
fn a_step_costs_no_commit_of_its_own() {
    let commits = |limited: bool| {
        let stage = slow(69);
        let lived = stage.process(Cut::Never, async |engine: Engine| {
            if limited {
                limit(&engine, "account:onecloud", 1_000).await;
            }
            let run = begun(&engine, "shop", &file("web", 100)).await;
            sleep(Duration::from_secs(4)).await;
            if limited {
                assert_eq!(taken(&engine, "account:onecloud").await, 16, "the limit is in force");
            }
            assert_eq!(ended(&engine, run).await.state, RunState::Succeeded);
        });
        assert!(lived.result.is_some());
        lived.commits
    };
    let (free, limited) = (commits(false), commits(true));
    assert!(limited <= free + 20, "{limited} commits instead of {free}");
}

/// A playbook counts at each of its hosts, and has them all before it begins.
#[test]
fn a_playbook_takes_all_of_its_hosts() {
    let stage = Stage::new(68);
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        engine.set_secret(&me(), &"default".into(), "db".into(), Secret::new("quiet")).await.unwrap();
        limit(&engine, "host:*", 1).await;
        limit(&engine, "space:default", 1).await;
        let run = deploy_to(&engine, 150).await;
        assert_eq!(run.state, RunState::Succeeded, "{:?}", run.message);
        sleep(Duration::from_secs(3)).await;
        let limits = engine.limits(&me(), &"default".into()).await.unwrap();
        assert!(limits.iter().all(|limit| limit.taken == 0), "{limits:?}");
    });
    assert!(lived.result.is_some());
    assert_eq!(stage.ansible.runs().len(), 1);
}

#[test]
fn what_a_killed_node_took_comes_back() {
    let stage = slow(63);
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        limit(&engine, "provider:onecloud", 2).await;
        let run = begun(&engine, "shop", &file("web", 8)).await;
        sleep(Duration::from_secs(7)).await;
        assert_eq!(taken(&engine, "provider:onecloud").await, 2);
        run
        // Whatever was under way dies with the runtime.
    });
    let run = lived.result.unwrap();
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        assert_eq!(taken(&engine, "provider:onecloud").await, 0);
        let most = Most::watch(&stage);
        engine.resume(&me(), run).await.unwrap();
        assert_eq!(ended(&engine, run).await.state, RunState::Succeeded);
        assert_eq!(most.take(), 2);
    });
    assert!(lived.result.is_some());
    assert_eq!(stage.picture().len(), 8);
}

/// A run that waits for its account does not keep the inside of servers waiting, and says what it waits for.
#[test]
fn a_limited_account_keeps_no_host_waiting() {
    let stage = slow(64);
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        update(&engine, &file("web", 2), outside_only()).await.unwrap();
        limit(&engine, "account:onecloud", 1).await;
        let fleet = begun(&engine, "market", &file("app", 6)).await;
        sleep(Duration::from_secs(3)).await;
        let standing = engine.standing(&me(), fleet).await.unwrap();
        assert_eq!(standing.limits.len(), 1, "{standing:?}");
        assert_eq!(standing.limits[0].key, key("account:onecloud"));
        let argv = vec!["true".to_owned()];
        let servers = vec!["web-1".into(), "web-2".into()];
        let plan = engine.submit_exec(&me(), &"default".into(), servers, argv).await.unwrap();
        let exec = engine.approve(&me(), plan, None).await.unwrap();
        let state = tokio::time::timeout(Duration::from_secs(4), ended(&engine, exec)).await;
        assert!(state.unwrap().state.is_final());
        assert!(engine.standing(&me(), exec).await.unwrap().limits.is_empty());
        assert_eq!(ended(&engine, fleet).await.state, RunState::Succeeded);
    });
    assert!(lived.result.is_some());
}

#[test]
fn a_run_that_waits_for_a_limit_can_be_cancelled() {
    let stage = slow(65);
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        limit(&engine, "space:default", 1).await;
        let run = begun(&engine, "shop", &file("web", 6)).await;
        sleep(Duration::from_secs(2)).await;
        engine.cancel(&me(), run).await.unwrap();
        assert_eq!(ended(&engine, run).await.state, RunState::Cancelled);
        assert_eq!(stage.picture().len(), 1, "what was under way was finished");
    });
    assert!(lived.result.is_some());
}

#[test]
fn who_may_set_what() {
    let stage = Stage::new(66);
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        let roles = vec![("default".into(), Role::Admin)];
        let admin = Authority { actor: "ann".into(), owner: false, roles };
        let denied = engine.set_limit(&admin, key("provider:onecloud"), 3).await;
        assert!(matches!(denied, Err(EngineError::Denied(_))), "{denied:?}");
        let denied = engine.set_limit(&admin, key("space:bank"), 3).await;
        assert!(matches!(denied, Err(EngineError::Denied(_))), "{denied:?}");
        assert_eq!(engine.set_limit(&admin, key("account:onecloud"), 3).await.unwrap().cap, 3);
        let none = engine.set_limit(&admin, key("host:*"), 0).await;
        let Err(EngineError::Invalid(message)) = none else { panic!("{none:?}") };
        assert!(message.contains("from 1 to 100000"), "{message}");
        assert!(!engine.remove_limit(&admin, &key("host:*")).await.unwrap());
        assert!(engine.limits(&admin, &"bank".into()).await.is_err());
        assert!(engine.limits(&me(), &"bank".into()).await.unwrap().is_empty());
    });
    assert!(lived.result.is_some());
}
