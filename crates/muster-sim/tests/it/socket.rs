//! Over a real loopback socket, with the HTTP library that clients use.

use std::sync::Once;
use std::time::Duration;

use muster_sim::serve;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::support::{Client, KEY, spec};

struct Served {
    url: String,
    client: reqwest::Client,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Served {
    async fn start() -> Served {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            let _already = rustls::crypto::ring::default_provider().install_default();
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel();
        let simulator = Client::instant().simulator;
        let task = tokio::spawn(serve(listener, simulator, async move {
            let _either_way = stopped.await;
        }));
        let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build().unwrap();
        Served { url, client, stop, task }
    }

    async fn send(&self, method: &str, path: &str, body: Value) -> reqwest::Result<reqwest::Response> {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.client.request(method, format!("{}{path}", self.url)).bearer_auth(KEY);
        if body.is_null() { request.send().await } else { request.json(&body).send().await }
    }

    async fn fault(&self, fault: &str) {
        let rule = json!({"match": {"method": "POST", "path": "/server"}, "fault": fault});
        assert_eq!(self.send("POST", "/_sim/faults", rule).await.unwrap().status(), 200);
    }

    async fn count(&self) -> usize {
        let list = self.send("GET", "/server", Value::Null).await.unwrap().json::<Value>().await.unwrap();
        list.as_array().unwrap().len()
    }

    async fn end(self) {
        drop(self.client);
        self.stop.send(()).unwrap();
        tokio::time::timeout(Duration::from_secs(5), self.task).await.unwrap().unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_dropped_answer_closes_the_connection_and_the_next_request_works() {
    let served = Served::start().await;
    // Also on a connection that was used before.
    assert_eq!(served.count().await, 0);
    served.fault("drop_answer_after_effect").await;
    let error = served.send("POST", "/server", spec("web")).await.unwrap_err();
    assert!(!error.is_timeout() && error.status().is_none(), "{error:?}");
    assert_eq!(served.count().await, 1);
    let form = "Name=second&CPU=1&RAM=1024&HDD=20&ImageID=3492";
    let answer = served
        .client
        .post(format!("{}/Server/", served.url))
        .bearer_auth(KEY)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["content-type"], "application/json; charset=utf-8");
    assert_eq!(answer.json::<Value>().await.unwrap()["State"], "New");
    assert_eq!(served.count().await, 2);
    served.end().await;
}

#[tokio::test]
async fn a_hang_ends_with_the_time_out_of_the_client() {
    let served = Served::start().await;
    served.fault("hang").await;
    let request = served.client.post(format!("{}/server", served.url)).bearer_auth(KEY).json(&spec("web"));
    let error = request.timeout(Duration::from_millis(200)).send().await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(served.count().await, 0);
    served.end().await;
}

#[tokio::test]
async fn control_needs_no_key_and_moves_the_clock() {
    let served = Served::start().await;
    let answer = served
        .client
        .post(format!("{}/_sim/clock", served.url))
        .json(&json!({"advance_ms": 1500}))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.json::<Value>().await.unwrap()["now"], "2026-01-02T00:04:06.5Z");
    let body = "x".repeat(2 << 20);
    let url = format!("{}/server", served.url);
    match served.client.post(url).bearer_auth(KEY).body(body).send().await {
        Ok(answer) => assert_eq!(answer.status(), 413),
        // The answer came before the body was sent whole, and the connection was closed.
        Err(error) => assert!(!error.is_timeout(), "{error:?}"),
    }
    let state = served.send("GET", "/_sim/state", Value::Null).await.unwrap().json::<Value>().await.unwrap();
    assert_eq!(state["projects"].as_array().unwrap().len(), 2);
    served.end().await;
}

#[tokio::test]
async fn a_hang_does_not_hold_up_the_end_of_serving() {
    let served = Served::start().await;
    served.fault("hang").await;
    let request = served.client.post(format!("{}/server", served.url)).bearer_auth(KEY).json(&spec("web"));
    let hung = tokio::spawn(request.send());
    while served.send("GET", "/_sim/journal", Value::Null).await.unwrap().text().await.unwrap() == "[]" {
        tokio::task::yield_now().await;
    }
    served.end().await;
    let error = hung.await.unwrap().unwrap_err();
    assert!(!error.is_timeout(), "{error:?}");
}
