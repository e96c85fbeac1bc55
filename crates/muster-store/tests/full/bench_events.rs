//! Measurements of detail output that `./dev bench events` prints: writing, size, searching, and what a loud run costs
//! its neighbours. Never a verdict, only figures beside named peers.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use muster_model::id::{LaneNumber, RunId, Sequence};
use muster_store::output::{LineFilter, OutputPositions, Pattern, search_output};
use muster_store::*;

use crate::bench::{Shape, cpu_s, measure};
use crate::suite::scene::{Home, Scene, at, id};

/// Lines of the loud run.
const LINES: u64 = 5_000_000;
/// Lines between two outcomes of its steps, each of which makes them durable.
const LINES_A_STEP: u64 = 20_000;
/// Lines a second of a loud neighbour: the promised rate.
const LOUD_LINES_S: u64 = 100_000;
/// The quiet run beside a loud neighbour.
const STEPS: Shape = Shape { runs: 1, in_flight: 64, padding: 0 };
/// Events that are indexed.
const INDEXED: u64 = 100_000;
/// How often steps are measured alone and beside it, in turn.
const ROUNDS: usize = 4;

/// Ordinary output: what apt, systemd, docker and Ansible say, with names and numbers that change.
fn line(number: u64) -> OutputRecord {
    let host = number % 12 + 1;
    let noise = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
    let text = match number % 7 {
        0 => format!(
            "Get:{} http://archive.ubuntu.com/ubuntu jammy-updates/main amd64 libssl3 amd64 {}",
            number % 300,
            noise % 4_000_000
        ),
        1 => format!("Setting up libpam-systemd:amd64 (249.11-0ubuntu3.{}) ...", noise % 40),
        2 => format!(
            "ok: [web-{host}] => (item={{'name': 'unit-{}', 'state': 'present', 'mode': '0644'}})",
            noise % 900
        ),
        3 => format!("{:012x}: Pull complete, {} of {} layers", noise & 0xffff_ffff_ffff, number % 17, 17),
        4 => format!("systemd[1]: Started Session {} of User deploy.", noise % 100_000),
        5 => format!(
            "changed: [web-{host}] => copied templates/app-{}.conf.j2 to /etc/app/conf.d/{}.conf",
            noise % 50,
            noise % 50
        ),
        _ => format!(
            "Unpacking linux-headers-5.15.0-{} over (5.15.0-{}) ... {} files",
            noise % 120,
            noise % 119,
            noise % 30_000
        ),
    };
    let at = at(0) + jiff::SignedDuration::from_micros(number as i64 * 10);
    OutputRecord { at, step: (number / LINES_A_STEP) as u32 + 1, target: format!("web-{host}"), text }
}

fn lines_folder(folder: &Path) -> Arc<DirectoryContents> {
    Arc::new(DirectoryContents::open(&folder.join("blobs"), &folder.join("output")).unwrap())
}

/// Lines a second into durable segments, bytes a line on disk, and MB of output searched a second, each on one core;
/// then the steps a second of another run beside a run of 100,000 lines a second.
#[test]
fn bench_events() {
    let folder = tempfile::tempdir().unwrap();
    let alone = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    println!("{:<44} {:>12} {:>14} {:>8}", "what", "measured", "promised", "ratio");
    alone.block_on(async {
        write(folder.path()).await;
        search(folder.path()).await;
    });
    index();
    let several = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    several.block_on(beside());
}

fn row(what: &str, measured: f64, promised: f64) {
    println!("{what:<44} {measured:>12.1} {promised:>14.1} {:>8.2}", measured / promised);
}

fn peer(what: &str, measured: f64, unit: &str) {
    println!("{what:<44} {measured:>12.1} {unit}");
}

async fn write(folder: &Path) {
    let contents = lines_folder(folder);
    let log = OutputLog::open(contents, RunId(id(1)), LaneNumber(0)).await.unwrap();
    let (mut cpu, mut wall, mut bytes) = (0.0, 0.0, 0u64);
    let mut number = 0;
    let mut plain = std::io::BufWriter::new(std::fs::File::create(folder.join("plain.txt")).unwrap());
    while number < LINES {
        let some: Vec<OutputRecord> = (number..number + LINES_A_STEP).map(line).collect();
        let (cpu_before, began) = (cpu_s(), tokio::time::Instant::now());
        for record in &some {
            log.push(record).unwrap();
            // What runs beside the step gets its turns.
            if number % 1_000 == 0 {
                tokio::task::yield_now().await;
            }
            number += 1;
        }
        log.flush().await.unwrap();
        cpu += cpu_s() - cpu_before;
        wall += began.elapsed().as_secs_f64();
        for record in &some {
            bytes += record.text.len() as u64 + 1;
            std::io::Write::write_all(&mut plain, record.text.as_bytes()).unwrap();
            std::io::Write::write_all(&mut plain, b"\n").unwrap();
        }
    }
    drop(plain);
    let file = folder.join("output").join(format!("{}.blocks", RunId(id(1))));
    let size = std::fs::metadata(file).unwrap().len();
    row("write: lines/s, durable (wall)", LINES as f64 / wall, 100_000.0);
    row("write: lines/s, one core (CPU)", LINES as f64 / cpu, 100_000.0);
    row("size: bytes/line on disk (less is better)", size as f64 / LINES as f64, 60.0);
    peer("  the same lines as plain text, without times", bytes as f64 / LINES as f64, "bytes/line");
    let packed = Command::new("gzip").args(["-1", "-c"]).arg(folder.join("plain.txt")).output().unwrap();
    peer("  the same by gzip -1", packed.stdout.len() as f64 / LINES as f64, "bytes/line");
    for file in ["/var/log/dpkg.log", "/var/log/apt/term.log"] {
        if let Ok(text) = std::fs::read_to_string(file) {
            let size = kept_size(folder, &text).await;
            row(&format!("size: bytes/line, {file} of here"), size / text.lines().count() as f64, 60.0);
        }
    }
}

/// What a real text takes on disk as the output of a run.
async fn kept_size(folder: &Path, text: &str) -> f64 {
    let run = RunId(id(3));
    let contents = lines_folder(folder);
    contents.forget_output(run).await.unwrap();
    let log = OutputLog::open(contents, run, LaneNumber(0)).await.unwrap();
    for (number, text) in text.lines().enumerate() {
        log.push(&OutputRecord { text: text.to_owned(), ..line(number as u64) }).unwrap();
    }
    log.flush().await.unwrap();
    let file = folder.join("output").join(format!("{run}.blocks"));
    std::fs::metadata(file).unwrap().len() as f64
}

async fn search(folder: &Path) {
    let contents = lines_folder(folder);
    let raw = contents.output_end(RunId(id(1)), LaneNumber(0)).await.unwrap().bytes as f64;
    let plain = folder.join("plain.txt");
    for (what, pattern) in [
        ("a text that is not there", "certificate has expired"),
        ("an expression, 1 line in 700", r"app-7\.conf\.j2 to /etc/app/conf\.d/\d+"),
        ("an anchored expression, 1 line in 280", r"^systemd\[1\]: Started Session \d*77 of"),
        ("words without case", r"(?i)PULL COMPLETE, 16 of"),
    ] {
        let (cpu, began) = (cpu_s(), tokio::time::Instant::now());
        let found = matches(contents.as_ref(), pattern).await;
        let (cpu, wall) = (cpu_s() - cpu, began.elapsed().as_secs_f64());
        row(&format!("search: MB/s a core, {what}"), raw / 1e6 / cpu.max(wall), 500.0);
        let mut grep = Command::new("grep");
        grep.args(["-c", "-P", pattern]).arg(&plain).env("LC_ALL", "C");
        let began = tokio::time::Instant::now();
        let said = grep.output().unwrap();
        let bytes = std::fs::metadata(&plain).unwrap().len() as f64;
        peer("  grep -P over the plain text", bytes / 1e6 / began.elapsed().as_secs_f64(), "MB/s");
        assert_eq!(String::from_utf8_lossy(&said.stdout).trim(), found.to_string(), "{pattern}");
    }
}

async fn matches(contents: &dyn Contents, pattern: &str) -> usize {
    let filter = LineFilter { pattern: Some(Pattern::regular(pattern).unwrap()), ..LineFilter::default() };
    let (mut found, mut from) = (0, OutputPositions::new());
    loop {
        let page = search_output(contents, RunId(id(1)), &[LaneNumber(0)], &from, &filter, 10_000).await;
        let page = page.unwrap();
        found += page.lines.len();
        from = page.next;
        if !page.more {
            return found;
        }
    }
}

/// What an event costs in the index of words, in batches as it is filled, and in a commit of its own as a step would.
fn index() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for (what, batch) in [("in batches of 500", 500), ("one a commit", 1)] {
            let (scene, _folder) = fresh();
            let claim = scene.running(1, "shop").await;
            let events = |first: u64| {
                let of = |number| EventWords {
                    seq: Sequence(number),
                    at: at(0),
                    target: Some(line(number).target),
                    text: format!("{} create server succeeded {}", line(number).target, line(number).text),
                };
                (first + 1..=first + batch).map(of).collect::<Vec<_>>()
            };
            let (mut cpu, mut done) = (0.0, 0);
            while done < INDEXED / (500 / batch).min(20) {
                let some = events(done);
                let lane = Unindexed { run: claim.run, lane: claim.lane, after: Sequence(done) };
                done += batch;
                let before = cpu_s();
                scene.store.index(lane, some, Sequence(done)).await.unwrap();
                cpu += cpu_s() - before;
            }
            peer(&format!("index: CPU an event, {what}"), cpu * 1e6 / done as f64, "us");
        }
        let (scene, _folder) = fresh();
        let figures = measure(&scene, STEPS, &|| None).await;
        peer("  a journaled step, two entries", figures.cpu_s * 1e6 / figures.steps as f64, "us");
    });
}

/// Steps of a quiet run, alone and beside a loud one, in turn.
async fn beside() {
    let (mut quiet, mut loud) = (Vec::new(), Vec::new());
    let written = Arc::new(AtomicU64::new(0));
    for round in 0..ROUNDS {
        // In turn, and each as often the first: a machine is not the same from second to second.
        for is_loud in [round % 2 == 0, round % 2 != 0] {
            let (scene, _folder) = fresh();
            if !is_loud {
                quiet.push(measure(&scene, STEPS, &|| None).await.a_second());
                continue;
            }
            let stop = Arc::new(AtomicBool::new(false));
            let neighbour = tokio::spawn(neighbour(scene.contents.clone(), stop.clone(), written.clone()));
            loud.push(measure(&scene, STEPS, &|| None).await.a_second());
            stop.store(true, Ordering::SeqCst);
            neighbour.await.unwrap();
        }
    }
    let median = |rates: &mut Vec<f64>| {
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    };
    let (quiet, loud) = (median(&mut quiet), median(&mut loud));
    peer("beside: steps/s alone", quiet, "steps/s");
    row("beside: steps/s next to a loud run", loud, quiet * 0.9);
    peer("  lines of the loud run", written.load(Ordering::SeqCst) as f64, "lines");
}

fn fresh() -> (Scene, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let store = Arc::new(SqliteStore::open(&path.join("muster.db"), WriterMode::Thread).unwrap());
    let contents = lines_folder(&path);
    (Scene { store, contents, home: Home::Sqlite(folder) }, path)
}

/// Writes at the promised rate until told to stop.
async fn neighbour(contents: Arc<dyn Contents>, stop: Arc<AtomicBool>, written: Arc<AtomicU64>) {
    let log = OutputLog::open(contents, RunId(id(2)), LaneNumber(0)).await.unwrap();
    let some: Vec<OutputRecord> = (0..LINES_A_STEP).map(line).collect();
    let mut turn = tokio::time::interval(Duration::from_millis(10));
    let mut number = 0;
    while !stop.load(Ordering::SeqCst) {
        turn.tick().await;
        for _ in 0..LOUD_LINES_S / 100 {
            log.push(&some[(number % LINES_A_STEP) as usize]).unwrap();
            number += 1;
            if number % LINES_A_STEP == 0 {
                log.flush().await.unwrap();
            }
        }
    }
    written.fetch_add(number, Ordering::SeqCst);
}
