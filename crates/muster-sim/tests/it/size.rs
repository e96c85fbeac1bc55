//! Ten thousand servers.

use serde_json::Value;

use crate::support::Client;

/// Time is not asserted here (the machine is shared); that a list is only copied together is: the second list of
/// an unchanged world is byte-identical, and a change of one server changes one entry.
#[tokio::test]
async fn ten_thousand_servers_are_listed_whole() {
    let client = Client::instant();
    assert_eq!(client.simulator.seed_servers(0, "web", 10_000), 10_000);
    let started = tokio::time::Instant::now();
    let first = client.get("/server").await;
    let first_took = started.elapsed();
    let again = client.get("/server").await;
    println!(
        "first list {first_took:?}, next {:?}, {} bytes",
        started.elapsed() - first_took,
        again.text.len()
    );
    let list: Vec<Value> = serde_json::from_str(&first.text).unwrap();
    assert_eq!(list.len(), 10_000);
    assert_eq!(list[9_999]["Name"], "web-10000");
    assert!(
        list.iter().all(|one| one["State"] == "Active" && one["IP"].as_str().unwrap().starts_with("198.1"))
    );
    assert_eq!(again, first);
    assert_eq!(client.simulator.seed_servers(0, "more", 20_000), 20_000, "stops where the project is full");
    assert_eq!(client.simulator.seed_servers(9, "none", 1), 0);
}
