//! What is special to SQLite.

use muster_model::id::Sequence;
use muster_model::run::RunState;
use muster_store::*;

use crate::suite::scene;

/// ICT-65: what we own is a record; nothing is ours without one.
#[tokio::test]
async fn ownership_is_made_amended_and_forgotten() {
    crate::suite::facts::ownership_is_made_amended_and_forgotten(scene::sqlite().await).await;
}

fn new_file() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("muster.db");
    (folder, path)
}

#[tokio::test]
async fn a_database_of_a_newer_muster_is_refused() {
    let (_folder, path) = new_file();
    drop(SqliteStore::open(&path, WriterMode::Task).unwrap());
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute(
            "insert into refinery_schema_history (version, name, applied_on, checksum)
             values (99, 'later', '2030-01-01T00:00:00Z', '0')",
            [],
        )
        .unwrap();
    let error = SqliteStore::open(&path, WriterMode::Task).err().unwrap();
    assert!(error.to_string().contains("newer Muster"), "{error}");
}

/// Commands that start together on a new home do not both make the tables.
#[test]
fn a_new_file_is_opened_by_many_at_once() {
    for _ in 0..20 {
        let (_folder, path) = new_file();
        let gate = std::sync::Barrier::new(8);
        std::thread::scope(|scope| {
            let opened: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        gate.wait();
                        SqliteStore::open(&path, WriterMode::Thread).map(drop)
                    })
                })
                .collect();
            for opened in opened {
                opened.join().unwrap().unwrap();
            }
        });
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let (_folder, path) = new_file();
    std::fs::write(&path, "certainly not a database, and long enough to be taken for one".repeat(30))
        .unwrap();
    assert!(SqliteStore::open(&path, WriterMode::Task).is_err());
}

/// What the first version wrote is migrated and read.
#[tokio::test]
async fn a_database_of_the_first_schema_is_migrated_and_its_run_read() {
    let (_folder, path) = new_file();
    let old = rusqlite::Connection::open(&path).unwrap();
    old.execute_batch(include_str!("../schemas/sqlite-1.sql")).unwrap();
    drop(old);
    let store = SqliteStore::open(&path, WriterMode::Task).unwrap();
    let runs = store.runs(&"default".into(), 10).await.unwrap();
    assert_eq!(runs.len(), 2);
    let run = runs.iter().find(|run| run.state == RunState::Succeeded).unwrap();
    let entries = store.entries(run.id, Sequence(0), 1_000).await.unwrap();
    let numbers: Vec<u64> = entries.iter().map(|entry| entry.seq.0).collect();
    assert_eq!(numbers, (1..=entries.len() as u64).collect::<Vec<_>>());
    let tally = store.tally(run.id).await.unwrap();
    assert_eq!((tally.succeeded, tally.running), (tally.total, 0));
    assert!(tally.total > 0);
    assert!(store.plan(run.plan).await.unwrap().unwrap().plan.is_some());
    assert!(store.plan_inputs(run.plan).await.unwrap().is_some());
    assert!(!store.owned(&"default".into()).await.unwrap().is_empty());
    let lanes = store.lanes(run.id).await.unwrap();
    assert_eq!((lanes.len(), lanes[0].state, lanes[0].steps), (1, LaneState::Done, None));
    // And it goes on living: the interrupted run is cancelled, the old one emptied.
    let left = runs.iter().find(|run| run.state == RunState::Interrupted).unwrap();
    store.set_want(left.id, Want::Cancel, "ann".into(), scene::at(0)).await.unwrap();
    store.prune(vec![run.id], scene::at(1)).await.unwrap();
    assert_eq!(store.tally(run.id).await.unwrap(), tally);
}

/// Every acknowledged commit was synced: the kernel's own count says so. The test runs itself again under strace.
#[tokio::test]
async fn every_acknowledged_commit_is_synced() {
    const NAME: &str = "sqlite::every_acknowledged_commit_is_synced";
    const COMMITS: usize = 25;
    if let Some(path) = std::env::var_os("MUSTER_TEST_SYNCED") {
        let store = SqliteStore::open(path.as_ref(), WriterMode::Task).unwrap();
        for number in 0..COMMITS {
            let subject = scene::subject(&format!("s{number}"));
            store.next_generation(&subject).await.unwrap();
        }
        return;
    }
    let (folder, path) = new_file();
    let count = |commits: bool| {
        let trace = folder.path().join(format!("trace-{commits}"));
        let mut command = std::process::Command::new("strace");
        command.args(["-f", "-qq", "-e", "trace=fsync,fdatasync", "-o"]).arg(&trace);
        command.arg(std::env::current_exe().unwrap()).args(["--exact", NAME]);
        if commits {
            command.env("MUSTER_TEST_SYNCED", &path);
        } else {
            command.arg("--list");
        }
        let done = command.output().map_err(|error| error.to_string())?;
        let text = std::fs::read_to_string(&trace).unwrap_or_default();
        if !done.status.success() {
            return Err(String::from_utf8_lossy(&done.stderr).into_owned());
        }
        Ok(text.lines().filter(|line| line.contains("sync(")).count())
    };
    // Whether strace is here and may trace is asked first, so that a failure below is one of ours.
    if let Err(reason) = count(false) {
        return crate::skip::skip(&format!("store {NAME}"), &format!("strace cannot be used: {reason}"));
    }
    drop(SqliteStore::open(&path, WriterMode::Task).unwrap());
    let synced = count(true).unwrap();
    assert!(synced >= COMMITS, "{synced} syncs for {COMMITS} commits");
}
