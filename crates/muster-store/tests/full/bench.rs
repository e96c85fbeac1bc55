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
/// Steps of the `dbos` crate, one at a time and many at once: some seconds of its work.
const DBOS_STEPS: [(usize, usize); 2] = [(1, 1_000), (256, 10_000)];
/// Step rows of the peer: more than it can do in that time.
const ROWS: u32 = 200_000;

/// What one measurement found.
pub struct Figures {
    pub steps: u64,
    pub wall_s: f64,
    pub cpu_s: f64,
    /// CPU of the database's processes; none where it is this process.
    database_s: Option<f64>,
}

impl Figures {
    pub fn a_second(&self) -> f64 {
        self.steps as f64 / self.wall_s
    }
}

/// What is measured.
#[derive(Clone, Copy)]
pub struct Shape {
    pub runs: usize,
    pub in_flight: usize,
    /// Bytes of an outcome beyond its own words.
    pub padding: usize,
}

impl Shape {
    fn words(&self) -> String {
        let runs = if self.runs == 1 { "1 run".to_owned() } else { format!("{} runs", self.runs) };
        let size = if self.padding > 0 { ", 1 KB" } else { "" };
        format!("{runs} x {}{size}", self.in_flight)
    }
}

/// One wide run at several widths, the widest with records of 1 KB too, and many sequential runs.
fn shapes() -> Vec<Shape> {
    let wide = IN_FLIGHT.map(|in_flight| Shape { runs: 1, in_flight, padding: 0 });
    let large = Shape { runs: 1, in_flight: 256, padding: 900 };
    let many = Shape { runs: 200, in_flight: 1, padding: 0 };
    wide.into_iter().chain([large, many]).collect()
}

/// Steps a second, each a durable *started* before its (empty) effect and an outcome that rides along with the next
/// *started*, on both stores. Beside it the usual queue of step rows by pgbench (claim one with `SKIP LOCKED` and commit,
/// finish it and commit), steps of the `dbos` crate that do nothing (it journals their outcomes only), and such tasks
/// of Celery over Redis.
#[test]
fn bench_runs() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    println!(
        "{:<34} {:<18} {:>10} {:>12} {:>12} {:>9}",
        "engine", "runs x in flight", "steps/s", "CPU us/step", "DB us/step", "x Celery"
    );
    runtime.block_on(async {
        let celery = [1, 256].map(|in_flight| (in_flight, celery(in_flight)));
        let best = celery
            .iter()
            .filter_map(|(_, rate)| *rate)
            .fold(None, |best: Option<f64>, rate| Some(best.map_or(rate, |best| best.max(rate))));
        for shape in shapes() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("muster.db");
            let store = Arc::new(SqliteStore::open(&path, WriterMode::Thread).unwrap());
            let contents = Arc::new(DirectoryContents::open(folder.path(), folder.path()).unwrap());
            let scene = Scene { store, contents, home: Home::Sqlite(folder) };
            tell("muster, SQLite (FULL)", &shape, &measure(&scene, shape, &|| None).await, best);
        }
        let settings = ["max_connections=300", "synchronous_commit=on"];
        let Some(server) = Server::start_with("store bench_runs", &settings, |_| {}) else { return };
        for shape in shapes() {
            let scene = crate::suite::scene::in_database_of(&server).await;
            let figures = measure(&scene, shape, &|| Some(server.cpu_s())).await;
            tell("muster, PostgreSQL", &shape, &figures, best);
        }
        for in_flight in IN_FLIGHT {
            let before = server.cpu_s();
            let rate = peer(&server, in_flight).await;
            let steps = rate * MEASURED.as_secs_f64();
            let database = (server.cpu_s() - before) * 1e6 / steps;
            line(
                "step rows, SKIP LOCKED (pgbench)",
                &in_flight.to_string(),
                rate,
                None,
                Some(database),
                best,
            );
        }
        for (in_flight, steps) in DBOS_STEPS {
            let before = server.cpu_s();
            match dbos(&server, in_flight, steps).await {
                Some(rate) => {
                    let database = (server.cpu_s() - before) * 1e6 / steps as f64;
                    line("dbos, PostgreSQL", &in_flight.to_string(), rate, None, Some(database), best);
                }
                None => println!("dbos: not built here (see `./dev bench`)"),
            }
        }
        for (in_flight, rate) in celery {
            match rate {
                Some(rate) => line("Celery + Redis", &in_flight.to_string(), rate, None, None, best),
                None => println!("Celery + Redis: not installed here (see `./dev bench`)"),
            }
        }
    });
}

fn tell(engine: &str, shape: &Shape, figures: &Figures, celery: Option<f64>) {
    let each = |cpu_s: f64| cpu_s * 1e6 / figures.steps as f64;
    let database = figures.database_s.map(each);
    line(engine, &shape.words(), figures.a_second(), Some(each(figures.cpu_s)), database, celery);
}

fn line(engine: &str, shape: &str, rate: f64, cpu: Option<f64>, database: Option<f64>, celery: Option<f64>) {
    let or_dash = |figure: Option<f64>| figure.map_or("-".to_owned(), |figure| format!("{figure:.1}"));
    println!(
        "{engine:<34} {shape:<18} {rate:>10.0} {:>12} {:>12} {:>9}",
        or_dash(cpu),
        or_dash(database),
        or_dash(celery.map(|celery| rate / celery))
    );
}

pub async fn measure(scene: &Scene, shape: Shape, database: &dyn Fn() -> Option<f64>) -> Figures {
    let mut claims = Vec::new();
    for number in 1..=shape.runs {
        claims.push(scene.running(number as u128, &format!("shop-{number}")).await);
    }
    let before = database();
    let (cpu, began) = (cpu_s(), tokio::time::Instant::now());
    let tasks: Vec<_> = claims
        .iter()
        .flat_map(|claim| (0..shape.in_flight).map(move |task| (claim.clone(), task as u32)))
        .map(|(claim, task)| {
            let store = scene.store.clone();
            let until = began + MEASURED;
            tokio::spawn(async move { steps(store.as_ref(), claim, task, until, shape.padding).await })
        })
        .collect();
    let mut steps = 0;
    for task in tasks {
        steps += task.await.unwrap();
    }
    let (wall_s, cpu_s) = (began.elapsed().as_secs_f64(), cpu_s() - cpu);
    let database_s = database().zip(before).map(|(after, before)| after - before);
    Figures { steps, wall_s, cpu_s, database_s }
}

async fn steps(
    store: &dyn Store,
    claim: Claim,
    task: u32,
    until: tokio::time::Instant,
    padding: usize,
) -> u64 {
    let started = |number| EntryKind::Started { step: StepNumber(number), attempt: Attempt(1) };
    let done = |number| EntryKind::Succeeded {
        step: StepNumber(number),
        attempt: Attempt(1),
        already: false,
        output: match padding {
            0 => Output::None,
            padding => Output::File { path: "x".repeat(padding) },
        },
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

/// Tasks a second through Celery and a Redis of our own; none where they are not installed.
fn celery(in_flight: usize) -> Option<f64> {
    let python = std::env::var_os("MUSTER_BENCH_CELERY")?;
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("redis.sock");
    // As durable as Redis gets, which is what a journal must be.
    let mut redis = Command::new("redis-server")
        .args(["--port", "0", "--appendonly", "yes", "--appendfsync", "always", "--save", "", "--dir"])
        .arg(folder.path())
        .arg("--unixsocket")
        .arg(&socket)
        .stdout(std::process::Stdio::null())
        .spawn()
        .ok()?;
    while !socket.exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let peers = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testing/peers");
    let said = Command::new(python)
        .current_dir(peers)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg("celery_noop.py")
        .arg(format!("redis+socket://{}", socket.display()))
        .args([in_flight.to_string(), MEASURED.as_secs().to_string()])
        .output()
        .unwrap();
    let _ = redis.kill();
    let _ = redis.wait();
    let rate = String::from_utf8_lossy(&said.stdout).trim().parse().ok();
    if rate.is_none() {
        println!("Celery: {}", String::from_utf8_lossy(&said.stderr));
    }
    rate
}

/// Steps a second of the `dbos` crate; none where it was not built.
async fn dbos(server: &Server, in_flight: usize, steps: usize) -> Option<f64> {
    let program = std::env::var_os("MUSTER_BENCH_DBOS")?;
    let url = server.database().await;
    let said =
        Command::new(program).arg(&url).args([in_flight.to_string(), steps.to_string()]).output().unwrap();
    let rate = String::from_utf8_lossy(&said.stdout).trim().parse().ok();
    if rate.is_none() {
        println!("dbos: {}", String::from_utf8_lossy(&said.stderr));
    }
    rate
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
