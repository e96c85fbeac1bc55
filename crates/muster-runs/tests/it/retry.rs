//! A failed run that a person tries again: what failed begins once more in the same journal, what succeeded stays.

use muster_model::id::StepNumber;
use muster_model::run::{Entry, EntryKind, Run, RunState};
use muster_outside::host::ssh::SshError;
use muster_runs::Engine;
use serde_json::json;

use crate::process::*;

const SHOP: &str = "
version: 1
account: onecloud
location: SdnSpb
stats: false
servers:
  web: { count: 3, image: Ubuntu 20.04, cpu: 1, ram: 1 GiB, disk: 40 GiB ssd }
";

/// The attempts at a step that were begun.
fn begun(entries: &[Entry], number: u32) -> Vec<u32> {
    let of = |entry: &Entry| match &entry.kind {
        EntryKind::Started { step, attempt } if *step == StepNumber(number) => Some(attempt.0),
        _ => None,
    };
    entries.iter().filter_map(of).collect()
}

/// One command on the three servers of the shop, followed to its end.
async fn exec(engine: &Engine, argv: &[&str]) -> Run {
    let servers = ["web-1", "web-2", "web-3"].map(Into::into).to_vec();
    let argv = argv.iter().map(|word| (*word).to_owned()).collect();
    let plan = engine.submit_exec(&me(), &"default".into(), servers, argv).await.unwrap();
    let run = engine.approve(&me(), plan, None).await.unwrap();
    ended(engine, run).await
}

async fn again(engine: &Engine, run: &Run) -> Run {
    engine.retry(&me(), run.id).await.unwrap();
    ended(engine, run.id).await
}

/// What was asked of a machine, by its first word.
fn asked(stage: &Stage, host: &str, word: &str) -> usize {
    stage.hosts.calls().iter().filter(|call| call.host == host && call.what.starts_with(word)).count()
}

#[test]
fn what_failed_begins_again_and_what_succeeded_stays() {
    let stage = Stage::new(61);
    stage.fault(json!({"match": {"method": "POST", "path": "/server", "name": "web-2"}, "times": 1,
        "fault": {"status": 400}}));
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        let failed = update(&engine, SHOP, outside_only()).await.unwrap().1.unwrap();
        assert_eq!(failed.state, RunState::Failed, "{:?}", failed.message);
        let before = journal_of(&engine, failed.id).await;
        let run = again(&engine, &failed).await;
        assert_eq!(run.state, RunState::Succeeded, "{:?}", run.message);
        let all = journal_of(&engine, run.id).await;
        assert_eq!(all[..before.len()], before, "the same journal goes on");
        let refused = before.iter().find_map(|entry| match &entry.kind {
            EntryKind::Failed { step, .. } => Some(*step),
            _ => None,
        });
        for number in 1..=4 {
            let expected: &[u32] = if refused == Some(StepNumber(number)) { &[1, 2] } else { &[1] };
            assert_eq!(begun(&all, number), expected, "step {number}");
        }
        let over = engine.retry(&me(), run.id).await.unwrap_err();
        assert!(over.to_string().contains("is succeeded"), "{over}");
        let (steps, _) = update(&engine, SHOP, outside_only()).await.unwrap();
        assert_eq!(steps, 0);
    });
    lived.result.unwrap();
    assert_eq!(stage.picture().len(), 3);
}

#[test]
fn a_later_run_of_the_file_is_named() {
    let stage = Stage::new(62);
    stage
        .fault(json!({"match": {"method": "POST", "path": "/server"}, "times": 1, "fault": {"status": 400}}));
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        let failed = update(&engine, SHOP, outside_only()).await.unwrap().1.unwrap();
        let later = update(&engine, SHOP, outside_only()).await.unwrap().1.unwrap();
        assert_eq!(later.state, RunState::Succeeded);
        let refused = engine.retry(&me(), failed.id).await.unwrap_err().to_string();
        assert!(refused.contains(&later.id.to_string()), "{refused}");
    });
    lived.result.unwrap();
}

/// Of a command on three servers one failed: only there it runs again.
#[test]
fn a_command_runs_again_only_where_it_failed() {
    let stage = Stage::new(63);
    stage.hosts.answer("web-2", "uptime", 3, "", "");
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        update(&engine, SHOP, outside_only()).await.unwrap();
        let failed = exec(&engine, &["uptime"]).await;
        assert_eq!(failed.state, RunState::Failed);
        assert_eq!(again(&engine, &failed).await.state, RunState::Failed, "nothing has changed");
        stage.hosts.answer("web-2", "uptime", 0, "", "");
        let run = again(&engine, &failed).await;
        assert_eq!(run.state, RunState::Succeeded, "{:?}", run.message);
        let all = journal_of(&engine, run.id).await;
        assert_eq!([1, 2, 3].map(|number| begun(&all, number)), [vec![1], vec![1, 2, 3], vec![1]]);
    });
    lived.result.unwrap();
    assert_eq!(["web-1", "web-2", "web-3"].map(|host| asked(&stage, host, "start")), [1, 3, 1]);
}

/// Whether a command did its work is not known. It is asked after first; only what left no trace, or is known to have
/// failed, is begun once more.
#[test]
fn a_command_of_unknown_outcome_is_asked_after_first() {
    let stage = Stage::new(64);
    let lose = || {
        stage.hosts.fail_at("web-2", "fetch", || SshError::Lost { host: "web-2".into(), doing: "a command" });
    };
    lose();
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        update(&engine, SHOP, outside_only()).await.unwrap();
        let failed = exec(&engine, &["uptime"]).await;
        assert_eq!(failed.state, RunState::Failed);
        assert_eq!(asked(&stage, "web-2", "start"), 1);
        let run = again(&engine, &failed).await;
        assert_eq!(run.state, RunState::Succeeded, "{:?}", run.message);
        assert_eq!(asked(&stage, "web-2", "start"), 1, "it had done its work");

        lose();
        let failed = exec(&engine, &["uptime"]).await;
        stage.hosts.lose_attempts("web-2");
        let run = again(&engine, &failed).await;
        assert_eq!(run.state, RunState::Succeeded, "{:?}", run.message);
        assert_eq!(asked(&stage, "web-2", "start"), 3, "nobody can tell, and a person asked");
    });
    lived.result.unwrap();
}
