//! Steps that do nothing, so many at once in one workflow of the `dbos` crate, and how many it journals in a second.
//!
//! Arguments: the address of an empty database, steps in flight, steps. Prints the rate.

use std::time::Instant;

use dbos::{Config, DBOS, step};
use futures::StreamExt;

async fn nothing(padding: String) -> dbos::Result<String> {
    Ok(padding)
}

async fn many((in_flight, steps): (usize, usize)) -> dbos::Result<usize> {
    let steps = (0..steps).map(|_| step("nothing", || nothing("0".repeat(100))));
    let done = futures::stream::iter(steps).buffer_unordered(in_flight);
    Ok(done.filter(|outcome| std::future::ready(outcome.is_ok())).count().await)
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, in_flight, steps] = arguments.as_slice() else {
        panic!("say: dbos-noop URL IN_FLIGHT STEPS");
    };
    let (in_flight, steps): (usize, usize) = (in_flight.parse().unwrap(), steps.parse().unwrap());
    let config = Config {
        app_version: Some("1".to_owned()),
        max_connections: 32,
        ..Config::new("noop", url.as_str())
    };
    let dbos = DBOS::new(config);
    let many = dbos.register_workflow("many", many).unwrap();
    dbos.launch().await.unwrap();
    let began = Instant::now();
    let done = many.run((in_flight, steps)).await.unwrap();
    assert_eq!(done, steps);
    println!("{:.0}", steps as f64 / began.elapsed().as_secs_f64());
    dbos.shutdown().await;
}
