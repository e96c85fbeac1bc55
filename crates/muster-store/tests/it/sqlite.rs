//! What is special to SQLite.

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

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let (_folder, path) = new_file();
    std::fs::write(&path, "certainly not a database, and long enough to be taken for one".repeat(30))
        .unwrap();
    assert!(SqliteStore::open(&path, WriterMode::Task).is_err());
}
