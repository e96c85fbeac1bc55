//! `run retry`: what failed begins again.

use std::process::Command;

use serde_json::json;

use crate::nodes::{UPDATE, ok};
use crate::place::{MUSTER, Place, Running, SHOP};

/// The next creation of a server is refused.
async fn refuse_once(place: &Place) {
    let fault = json!({"match": {"method": "POST", "path": "/server"}, "times": 1, "fault": {"status": 400}});
    place.sim("faults", fault).await;
}

async fn failed(place: &Place) -> String {
    refuse_once(place).await;
    place.run(UPDATE).json(1)["run"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_failed_run_is_tried_again_by_the_command_or_by_a_server() {
    let place = Place::new(SHOP);
    let run = failed(&place).await;
    let shown = ok(place.run(&["run", "show", &run])).out;
    assert!(shown.contains(&format!("muster run retry {run}")), "{shown}");
    // It fails once more, and says only what is new.
    refuse_once(&place).await;
    let again = place.run(&["run", "retry", &run]);
    assert_eq!(again.code, 1, "{again:?}");
    assert!(again.out.contains("create server, attempt 2"), "{again:?}");
    assert_eq!(again.out.matches("create server failed").count(), 1, "{again:?}");
    // A server does it as well, for whoever asks.
    let mut command = Command::new(MUSTER);
    place.dress(&mut command);
    command.args(["server", "--listen", "127.0.0.1:0"]);
    let server = Running::start(command);
    let done = place.run(&["run", "retry", &run, "--format", "json"]).json(0);
    assert_eq!((done["id"].as_str(), done["state"].as_str()), (Some(run.as_str()), Some("succeeded")));
    assert_eq!(done["steps"]["failed"], 0, "{done}");
    drop(server);
    let over = place.run(&["run", "retry", &run]);
    assert_eq!(over.code, 6, "{over:?}");
    assert!(over.err.contains("is succeeded; only what failed is tried again"), "{}", over.err);

    // What came later is not undone by an older plan.
    std::fs::write(place.project().join("infra/shop.yaml"), SHOP.replace("count: 2", "count: 4")).unwrap();
    let old = failed(&place).await;
    let newer = place.run(UPDATE).json(0)["run"]["id"].as_str().unwrap().to_owned();
    let late = place.run(&["run", "retry", &old]);
    assert_eq!(late.code, 6, "{late:?}");
    assert!(late.err.contains(&newer), "{}", late.err);
}
