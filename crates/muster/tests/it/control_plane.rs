//! `muster server`: the API over HTTP, as others use it.

use std::process::Command;

use serde_json::{Value, json};

use crate::place::{MUSTER, Place, Running, SHOP, client};

const JSON_API: &str = "application/vnd.api+json";

struct ControlPlane {
    place: Place,
    server: Running,
    token: String,
}

impl ControlPlane {
    fn new() -> ControlPlane {
        let place = Place::new(SHOP);
        let mut command = Command::new(MUSTER);
        place.dress(&mut command);
        command.args(["server", "--listen", "127.0.0.1:0"]);
        let server = Running::start(command);
        let token = std::fs::read_to_string(place.home().join("token")).unwrap().trim().to_owned();
        ControlPlane { place, server, token }
    }

    async fn get(&self, path: &str, accept: &str) -> (u16, String, String) {
        let url = format!("{}{path}", self.server.address());
        let answer =
            client().get(url).bearer_auth(&self.token).header("accept", accept).send().await.unwrap();
        let kind = answer.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
        assert!(answer.headers().contains_key("x-request-id"));
        (answer.status().as_u16(), kind.unwrap_or_default(), answer.text().await.unwrap())
    }
}

fn problem(answer: &(u16, String, String), status: u16, code: &str) {
    assert_eq!(answer.0, status, "{}", answer.2);
    assert_eq!(answer.1, JSON_API);
    let body: Value = serde_json::from_str(&answer.2).unwrap();
    assert_eq!(body["errors"][0]["code"], code);
    assert_eq!(body["errors"][0]["status"], status.to_string());
}

#[tokio::test]
async fn only_the_owner_is_let_in() {
    let plane = ControlPlane::new();
    let url = format!("{}/api/v1/runs", plane.server.address());
    assert_eq!(client().get(&url).send().await.unwrap().status(), 401);
    let wrong = client().get(&url).bearer_auth("0".repeat(64)).send().await.unwrap();
    assert_eq!(wrong.status(), 401);
    assert_eq!(wrong.headers()["www-authenticate"], "Bearer");
    assert_eq!(plane.get("/api/v1/runs", JSON_API).await.0, 200);
    let health = client().get(format!("{}/health", plane.server.address())).send().await.unwrap();
    assert_eq!(health.status(), 200);
    #[cfg(unix)]
    for file in ["token", "engine.sock"] {
        let mode = std::fs::metadata(plane.place.home().join(file)).unwrap().permissions();
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777, 0o600, "{file}");
    }
}

#[tokio::test]
async fn what_cannot_be_answered_is_said_in_json_api() {
    let plane = ControlPlane::new();
    problem(&plane.get("/api/v1/nothing", JSON_API).await, 404, "not-found");
    problem(&plane.get("/api/v1/runs/nonsense", JSON_API).await, 404, "not-found");
    problem(&plane.get("/api/v1/runs?limit=many", JSON_API).await, 400, "invalid");
    problem(&plane.get("/api/v1/runs", "text/html").await, 406, "not-acceptable");
    problem(&plane.get("/api/v1/execs", JSON_API).await, 405, "method-not-allowed");
    let post = async |path: &str, kind: &str, body: String| {
        let url = format!("{}{path}", plane.server.address());
        let sent = client().post(url).bearer_auth(&plane.token).header("content-type", kind).body(body);
        let answer = sent.send().await.unwrap();
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        (answer.status().as_u16(), kind, answer.text().await.unwrap())
    };
    problem(&post("/api/v1/runs", "application/json", "{}".into()).await, 415, "unsupported-media-type");
    problem(&post("/api/v1/runs", JSON_API, "{}".into()).await, 400, "invalid");
    let wrong_type = json!({"data": {"type": "plans", "attributes": {"plan": "x"}}}).to_string();
    problem(&post("/api/v1/runs", JSON_API, wrong_type).await, 409, "refused");
    let large = " ".repeat(8 * 1024 * 1024 + 1);
    problem(&post("/api/v1/runs", JSON_API, large).await, 413, "too-large");
}

#[tokio::test]
async fn a_command_uses_the_server_that_runs_and_events_can_be_followed() {
    let plane = ControlPlane::new();
    let update = ["infra", "update", "shop", "--yes", "--skip-provision", "--format", "json"];
    let run = plane.place.run(&update).json(0)["run"].clone();
    let id = run["id"].as_str().unwrap();
    // The server of this home carried it out: it knows the run without opening the store anew.
    let (status, kind, body) = plane.get(&format!("/api/v1/runs/{id}"), JSON_API).await;
    assert_eq!((status, kind.as_str()), (200, JSON_API), "{body}");
    let shown: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(shown["data"]["attributes"]["state"], "succeeded");

    let path = format!("/api/v1/runs/{id}/events");
    let (_, kind, lines) = plane.get(&path, "application/x-ndjson").await;
    assert_eq!(kind, "application/x-ndjson");
    let events: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.last().unwrap()["state"], "succeeded");
    let (_, kind, stream) = plane.get(&path, "text/event-stream").await;
    assert_eq!(kind, "text/event-stream");
    assert_eq!(stream.matches("\nid: ").count(), events.len(), "{stream}");
    assert!(stream.contains(&format!("id: 0:{}", events.len())));
    let (_, _, rest) =
        plane.get(&format!("{path}?after=0:{}", events.len() - 1), "application/x-ndjson").await;
    assert_eq!(rest.lines().count(), 1);
    let (_, _, page) = plane.get(&path, JSON_API).await;
    let page: Value = serde_json::from_str(&page).unwrap();
    assert_eq!(page["meta"]["count"], events.len());
}

#[tokio::test]
async fn addresses_that_others_reach_are_refused() {
    let place = Place::new(SHOP);
    let ran = place.run(&["server", "--listen", "0.0.0.0:0"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("TLS") && ran.err.contains("token"), "{}", ran.err);
}
