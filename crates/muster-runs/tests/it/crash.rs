//! Crash anywhere: the process is killed before and after every commit of an update, and afterwards either the
//! same run is resumed or a fresh update is made. The world must be the same each time.

use muster_model::run::RunState;
use muster_runs::Engine;

use crate::process::*;

const BEFORE: &str = "
version: 1
account: onecloud
location: SdnSpb
servers:
  old: { count: 5, image: Ubuntu 20.04, cpu: 1, ram: 1 GiB, disk: 40 GiB ssd }
";
const AFTER: &str = "
version: 1
account: onecloud
location: SdnSpb
networks:
  backend: { dhcp: true }
servers:
  old: { count: 5, image: Ubuntu 20.04, cpu: 2, ram: 2 GiB, disk: 50 GiB ssd }
  web: { count: 20, image: Ubuntu 20.04, cpu: 1, ram: 1 GiB, disk: 40 GiB ssd, networks: [backend] }
";

/// The most targets of one lane, in every other part of the enumeration: 25 servers are four lanes then.
const FEW_TARGETS: usize = 8;

fn prepared(seed: u64, part: u64) -> Stage {
    let mut stage = Stage::new(seed);
    if part % 2 == 1 {
        stage.lane_targets = FEW_TARGETS;
    }
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        update(&engine, BEFORE, outside_only()).await.unwrap().1.unwrap().state
    });
    assert_eq!(lived.result, Some(RunState::Succeeded));
    stage
}

/// What must hold after the dust has settled.
fn check(stage: &Stage, expected: &[String], point: &str) {
    assert_eq!(
        stage.picture(),
        expected,
        "{point}: the account is as the file says, nothing twice, nothing left"
    );
    let ids: std::collections::BTreeSet<String> =
        stage.simulator.servers().iter().map(|server| server.id.to_string()).collect();
    let before = stage.writes();
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        let (steps, _) = update(&engine, AFTER, outside_only()).await.unwrap();
        let owned: std::collections::BTreeSet<String> = engine
            .reads()
            .infrastructures(&"default".into())
            .await
            .unwrap()
            .into_iter()
            .flat_map(|view| view.records)
            .filter(|record| record.kind == muster_model::ownership::ObjectKind::Server)
            .map(|record| record.id.to_string())
            .collect();
        (steps, owned)
    });
    let (steps, owned) = lived.result.unwrap();
    assert_eq!(steps, 0, "{point}: a further update has nothing to do");
    assert_eq!(owned, ids, "{point}: every server is ours on record, and no record is without its server");
    assert_eq!(stage.writes(), before, "{point}: a further update sends no write");
}

fn recover(stage: &Stage, resume: bool) {
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        let newest = engine.reads().runs(&"default".into(), 1).await.unwrap().remove(0).run;
        if resume && newest.state == RunState::Interrupted {
            engine.resume(&me(), newest.id).await.unwrap();
            let run = ended(&engine, newest.id).await;
            assert_eq!(run.state, RunState::Succeeded, "{:?}", run.message);
        } else {
            let (_, run) = update(&engine, AFTER, outside_only()).await.unwrap();
            assert!(run.is_none_or(|run| run.state == RunState::Succeeded));
        }
    });
    assert!(lived.result.is_some());
}

/// Parts of the enumeration, so that it uses every core; together they hold every point.
const PARTS: u64 = 4;

/// Kills the update before and after every commit of this part, alternating resume and fresh update.
fn kill_at_every_commit(part: u64) {
    let whole = prepared(1, part);
    let lived = whole.process(Cut::Never, async |engine: Engine| {
        update(&engine, AFTER, outside_only()).await.unwrap().1.unwrap().state
    });
    assert_eq!(lived.result, Some(RunState::Succeeded));
    let commits = lived.commits;
    let expected = whole.picture();
    assert_eq!(expected.len(), 25);
    check(&whole, &expected, "no cut");
    assert!(commits > 50, "an update of 20 servers has many commits, not {commits}");

    let mut points = 0;
    for commit in (1..=commits).filter(|commit| commit % PARTS == part) {
        for cut in [Cut::Before(commit), Cut::After(commit)] {
            let stage = prepared(1, part);
            let lived = stage.process(cut, async |engine: Engine| {
                update(&engine, AFTER, outside_only()).await.unwrap();
            });
            // After the very last commit nothing waits for an answer any more.
            assert!(lived.result.is_none() || cut == Cut::After(commits), "{cut:?} did not kill");
            recover(&stage, (commit / PARTS + u64::from(points % 2 == 0)).is_multiple_of(2));
            check(&stage, &expected, &format!("{cut:?}"));
            points += 1;
        }
    }
    println!(
        "part {part} of {PARTS}: killed at {points} points (before and after each of its commits, of {commits} in \
         all); every one converged"
    );
    assert!(points > 0);
}

#[test]
fn an_update_survives_a_kill_at_every_commit_part_0() {
    kill_at_every_commit(0);
}

#[test]
fn an_update_survives_a_kill_at_every_commit_part_1() {
    kill_at_every_commit(1);
}

#[test]
fn an_update_survives_a_kill_at_every_commit_part_2() {
    kill_at_every_commit(2);
}

#[test]
fn an_update_survives_a_kill_at_every_commit_part_3() {
    kill_at_every_commit(3);
}
