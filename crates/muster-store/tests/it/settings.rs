//! Settings: accounts and secrets with their audit, sealed bytes only.

use muster_model::account::{Account, AccountSettings};
use muster_store::*;

use crate::scene::*;

fn audit(what: &str) -> Audit {
    Audit { space: "default".into(), at: at(1), actor: "ann".into(), what: what.into(), about: "x".into() }
}

#[tokio::test]
async fn accounts_and_secrets_are_kept_replaced_and_forgotten() {
    let scene = scene();
    let space = "default".into();
    let account = |url: &str| Account {
        name: "prod".into(),
        identity: identity(),
        url: url.into(),
        settings: AccountSettings::default(),
    };
    let store = &scene.store;
    store
        .put_account("default".into(), account("http://a"), vec![1], audit("account.registered"))
        .await
        .unwrap();
    store
        .put_account("default".into(), account("http://b"), vec![2], audit("account.registered"))
        .await
        .unwrap();
    assert_eq!(store.accounts(&space).await.unwrap(), [(account("http://b"), vec![2])]);
    assert!(store.accounts(&"other".into()).await.unwrap().is_empty());

    store.put_secret("default".into(), "db".into(), vec![9], audit("secret.set")).await.unwrap();
    assert_eq!(store.secret(&space, &"db".into()).await.unwrap(), Some(vec![9]));
    assert_eq!(store.secrets(&space).await.unwrap(), ["db".into()]);
    assert!(store.delete_secret("default".into(), "db".into(), audit("secret.unset")).await.unwrap());
    assert!(!store.delete_secret("default".into(), "db".into(), audit("secret.unset")).await.unwrap());
    let said: Vec<String> =
        store.audits(&space, 10).await.unwrap().into_iter().map(|audit| audit.what).collect();
    assert_eq!(said, ["secret.unset", "secret.set", "account.registered", "account.registered"]);
}

#[tokio::test]
async fn a_database_of_a_newer_muster_is_refused() {
    let scene = scene();
    let path = scene.folder.path().join("muster.db");
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
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("muster.db");
    std::fs::write(&path, "certainly not a database, and long enough to be taken for one".repeat(30))
        .unwrap();
    assert!(SqliteStore::open(&path, WriterMode::Task).is_err());
}
