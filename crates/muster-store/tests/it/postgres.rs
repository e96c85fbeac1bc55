//! What is special to PostgreSQL: opening, migrating, lost connections, TLS.

use muster_store::*;

use crate::server::Server;
use crate::suite::scene::client;

#[tokio::test]
async fn a_postgres_database_of_a_newer_muster_is_refused() {
    let Some(server) = Server::start("store a_postgres_database_of_a_newer_muster_is_refused") else {
        return;
    };
    let url = server.database().await;
    // Two processes that start together make the tables once.
    let (one, two) = tokio::join!(PostgresStore::open(&url), PostgresStore::open(&url));
    drop((one.unwrap(), two.unwrap()));
    let sql = "insert into refinery_schema_history (version, name, applied_on, checksum)
               values (99, 'later', '2030-01-01T00:00:00Z', '0')";
    client(&url).await.batch_execute(sql).await.unwrap();
    let error = PostgresStore::open(&url).await.err().unwrap();
    assert!(error.to_string().contains("newer Muster"), "{error}");
}
