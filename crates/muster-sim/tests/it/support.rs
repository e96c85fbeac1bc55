//! A clock that stands still, and a client that says what it sends.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::Request;
use jiff::Timestamp;
use muster_model::world::Clock;
use muster_sim::in_process::{Broken, InProcess};
use muster_sim::onecloud::{Durations, Simulator, SimulatorConfig};
use serde_json::{Value, json};

/// The key of the first project.
pub const KEY: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
/// The key of the second project.
pub const OTHER_KEY: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/// A clock that only the simulator's own control moves.
pub struct Standing;

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_767_312_245).unwrap()
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

pub fn config() -> SimulatorConfig {
    SimulatorConfig::new(vec![KEY.to_owned(), OTHER_KEY.to_owned()], Arc::new(Standing))
}

/// Durations that can be told apart.
pub fn slow() -> Durations {
    Durations::from_json(
        r#"{"create": 60000, "resize": 30000, "power": 10000, "network": 5000, "network_create": 15000,
            "network_delete": 2000, "rebuild": 40000, "delete": 20000, "image": 50000, "dns": 3000, "storage": 4000}"#,
    )
    .unwrap()
}

/// A client of one key.
#[derive(Clone)]
pub struct Client {
    pub simulator: Simulator,
    pub key: &'static str,
}

/// What came back.
#[derive(Debug, Clone, PartialEq)]
pub struct Got {
    pub status: u16,
    pub text: String,
}

impl Got {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The body of a success.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        if self.text.is_empty() { Value::Null } else { self.json() }
    }

    /// The `Message` of a refusal with that status.
    #[track_caller]
    pub fn refused(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text);
        self.json()["Message"].as_str().expect("an error has a Message").to_owned()
    }
}

impl Client {
    pub fn instant() -> Client {
        Client::of(config())
    }

    pub fn slow() -> Client {
        Client::of(SimulatorConfig { durations: slow(), ..config() })
    }

    pub fn of(config: SimulatorConfig) -> Client {
        Client { simulator: Simulator::new(config), key: KEY }
    }

    pub fn other(&self) -> Client {
        Client { simulator: self.simulator.clone(), key: OTHER_KEY }
    }

    pub async fn raw(&self, method: &str, path: &str, kind: &str, body: &str) -> Result<Got, Broken> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {}", self.key))
            .header("content-type", kind)
            .body(Bytes::from(body.to_owned()))
            .unwrap();
        let response = InProcess::new(self.simulator.clone()).call(request).await?;
        // A truncated answer may end within a character.
        let text = String::from_utf8_lossy(response.body()).into_owned();
        Ok(Got { status: response.status().as_u16(), text })
    }

    pub async fn try_send(&self, method: &str, path: &str, body: Value) -> Result<Got, Broken> {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        self.raw(method, path, "application/json", &text).await
    }

    pub async fn send(&self, method: &str, path: &str, body: Value) -> Got {
        self.try_send(method, path, body).await.unwrap()
    }

    pub async fn get(&self, path: &str) -> Got {
        self.send("GET", path, Value::Null).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Got {
        self.send("POST", path, body).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Got {
        self.send("PUT", path, body).await
    }

    pub async fn delete(&self, path: &str) -> Got {
        self.send("DELETE", path, Value::Null).await
    }

    /// Creates a server; gives its number.
    pub async fn create(&self, name: &str) -> u64 {
        self.post("/server", spec(name)).await.ok()["ID"].as_u64().unwrap()
    }

    /// Creates a network; gives its number.
    pub async fn create_network(&self, name: &str) -> u64 {
        let body = json!({"Name": name, "DCLocation": "SdnSpb", "IsDHCP": true});
        self.post("/network", body).await.ok()["ID"].as_u64().unwrap()
    }

    pub async fn server(&self, id: u64) -> Value {
        self.get(&format!("/server/{id}")).await.ok()
    }

    pub async fn act(&self, id: u64, body: Value) -> Got {
        self.post(&format!("/server/{id}/action"), body).await
    }

    pub async fn action_state(&self, id: u64, action: &Value) -> String {
        let path = format!("/server/{id}/action/{}", action["ID"]);
        self.get(&path).await.ok()["State"].as_str().unwrap().to_owned()
    }

    pub async fn names(&self) -> Vec<String> {
        let list = self.get("/server").await.ok();
        list.as_array().unwrap().iter().map(|one| one["Name"].as_str().unwrap().to_owned()).collect()
    }

    pub async fn fault(&self, rule: Value) {
        self.post("/_sim/faults", rule).await.ok();
    }

    pub fn pass(&self, ms: u64) {
        self.simulator.advance(Duration::from_millis(ms));
    }
}

/// A server that can be had.
pub fn spec(name: &str) -> Value {
    json!({"Name": name, "CPU": 2, "RAM": 2048, "HDD": 40, "HDDType": "SSD", "ImageID": 3492,
           "isHighPerformance": false, "DCLocation": "SdnSpb"})
}

/// That server with other fields.
pub fn spec_with(changes: Value) -> Value {
    let mut spec = spec("s");
    for (name, value) in changes.as_object().unwrap() {
        spec[name] = value.clone();
    }
    spec
}
