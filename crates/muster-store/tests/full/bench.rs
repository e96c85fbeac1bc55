//! Measurements that `./dev bench NAME` prints: never a verdict, only figures beside named peers.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use muster_model::id::{Attempt, StepNumber};
use muster_model::run::{EntryKind, Output};
use muster_store::*;

use crate::server::{Server, programs};
use crate::suite::scene::{Home, Scene, at, client};

/// Steps under way at once.
const IN_FLIGHT: [usize; 3] = [1, 64, 256];
/// How long each figure is measured.
const MEASURED: Duration = Duration::from_secs(5);
/// Step rows of the peer: more than it can do in that time.
const ROWS: u32 = 200_000;

/// What one measurement found.
pub struct Figures {
    pub steps: u64,
    pub wall_s: f64,
    pub cpu_s: f64,
}

/// Steps a second, each a durable *started* before its (empty) effect and an outcome that rides along with the next
/// *started*: one lane, both stores. Beside it the usual queue of step rows, by pgbench: claim one with `SKIP LOCKED`
/// and commit, finish it and commit.
#[test]
fn bench_runs() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    println!("{:<34} {:>9} {:>10} {:>14}", "store", "in flight", "steps/s", "CPU us/step");
    runtime.block_on(async {
        for in_flight in IN_FLIGHT {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("muster.db");
            let store = Arc::new(SqliteStore::open(&path, WriterMode::Thread).unwrap());
            let contents = Arc::new(DirectoryContents::open(folder.path(), folder.path()).unwrap());
            let scene = Scene { store, contents, home: Home::Sqlite(folder) };
            tell("muster, SQLite (FULL)", in_flight, &measure(&scene, in_flight).await);
        }
        let settings = ["max_connections=300", "synchronous_commit=on"];
        let Some(server) = Server::start_with("store bench_runs", &settings, |_| {}) else { return };
        for in_flight in IN_FLIGHT {
            let scene = crate::suite::scene::in_database_of(&server).await;
            tell("muster, PostgreSQL", in_flight, &measure(&scene, in_flight).await);
        }
        for in_flight in IN_FLIGHT {
            let steps_a_second = peer(&server, in_flight).await;
            println!(
                "{:<34} {in_flight:>9} {steps_a_second:>10.0} {:>14}",
                "step rows, SKIP LOCKED (pgbench)", "-"
            );
        }
    });
}

fn tell(store: &str, in_flight: usize, figures: &Figures) {
    println!(
        "{store:<34} {in_flight:>9} {:>10.0} {:>14.1}",
        figures.steps as f64 / figures.wall_s,
        figures.cpu_s * 1e6 / figures.steps as f64
    );
}

pub async fn measure(scene: &Scene, in_flight: usize) -> Figures {
    let claim = scene.running(1, "shop").await;
    let (cpu, began) = (cpu_s(), tokio::time::Instant::now());
    let tasks: Vec<_> = (0..in_flight)
        .map(|task| {
            let (store, claim) = (scene.store.clone(), claim.clone());
            tokio::spawn(async move { steps(store.as_ref(), claim, task as u32, began + MEASURED).await })
        })
        .collect();
    let mut steps = 0;
    for task in tasks {
        steps += task.await.unwrap();
    }
    Figures { steps, wall_s: began.elapsed().as_secs_f64(), cpu_s: cpu_s() - cpu }
}

async fn steps(store: &dyn Store, claim: Claim, task: u32, until: tokio::time::Instant) -> u64 {
    let started = |number| EntryKind::Started { step: StepNumber(number), attempt: Attempt(1) };
    let done = |number| EntryKind::Succeeded {
        step: StepNumber(number),
        attempt: Attempt(1),
        already: false,
        output: Output::None,
    };
    let record = |kind| vec![Record { at: at(3), kind, facts: vec![] }];
    let mut count = 0;
    let mut number = task * 1_000_000 + 1;
    store.append(claim.clone(), record(started(number))).await.unwrap();
    loop {
        count += 1;
        if tokio::time::Instant::now() >= until {
            store.append(claim, record(done(number))).await.unwrap();
            return count;
        }
        let (outcome, next) = tokio::join!(
            store.append(claim.clone(), record(done(number))),
            store.append(claim.clone(), record(started(number + 1)))
        );
        outcome.unwrap();
        next.unwrap();
        number += 1;
    }
}

async fn peer(server: &Server, in_flight: usize) -> f64 {
    let url = server.database().await;
    let rows = format!(
        "create table step (id integer primary key, state text not null, rc integer);
         create index step_ready on step (id) where state = 'ready';
         insert into step select n, 'ready', null from generate_series(1, {ROWS}) n"
    );
    client(&url).await.batch_execute(&rows).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("steps.sql");
    let text =
        "with next as (select id from step where state = 'ready' order by id limit 1 for update skip locked)
update step set state = 'started' from next where step.id = next.id returning step.id \\gset
update step set state = 'done', rc = 0 where id = :id;
";
    std::fs::write(&script, text).unwrap();
    let done = Command::new(programs().unwrap().join("pgbench"))
        .args(["-n", "-M", "prepared", "-j", "2", "-T", &MEASURED.as_secs().to_string()])
        .args(["-c", &in_flight.to_string(), "-f"])
        .arg(&script)
        .arg(&url)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    let tps = said.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
    tps.unwrap_or_else(|| panic!("pgbench: {said}{}", String::from_utf8_lossy(&done.stderr)))
}

/// CPU seconds of this process so far.
pub fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after = stat.rsplit_once(") ").unwrap().1;
    let ticks: f64 = after.split(' ').skip(11).take(2).map(|field| field.parse::<f64>().unwrap()).sum();
    ticks / 100.0
}
