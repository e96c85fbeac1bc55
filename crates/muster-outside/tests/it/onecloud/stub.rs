//! A scripted provider: a function from (how many requests came before, the request) to an answer; it stands
//! behind the client as a transport in the same process, or as an axum server behind a real socket.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use jiff::Timestamp;
use muster_model::account::{AccountSettings, Provider};
use muster_model::world::{Clock, Ids, Random};
use muster_model::{Secret, World};
use muster_outside::cloud::{Cloud, open};
use muster_outside::transport::{Broken, HttpTransport, Transport};

pub const KEY: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabeef";

/// A made-up server as the documentation's example of our specification shows it, ready.
pub const SERVER: &str = r#"{"ID": 500123, "Name": "web_1", "HostName": "web-1", "State": "Active", "IsPowerOn": true,
 "CPU": 2, "RAM": 2048, "HDD": 40, "IP": "198.18.0.7", "AdminUserName": "root", "AdminPassword": "Pa55-word-clear",
 "Image": "Debian11x64", "IsHighPerformance": false, "HDDType": "SSD", "PrimaryNetworkIp": "198.18.0.7",
 "LinkedNetworks": [{"LinkID": 1, "NetworkID": 10, "LinkState": "Active", "NetworkType": "PublicShared",
   "NetworkName": "Общая публичная сеть", "IP": "198.18.0.7", "MAC": "00:50:56:00:00:01", "Mask": "255.255.255.0",
   "Gateway": "198.18.0.1", "Bandwidth": 10}],
 "DCLocation": "SdnSpb", "ImageFamily": "Linux", "LinkedSshKeys": [],
 "DateCreate": "2026-01-02T03:04:05.678901+03:00"}"#;

/// What arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub body: String,
    pub authorization: String,
    /// Since the stub began.
    pub at: Duration,
}

#[derive(Clone, Debug)]
pub enum Reply {
    Text(u16, String),
    RetryAfter(u16, &'static str),
    Hang,
    NeverSent,
    Broken,
}

pub fn ok(body: &str) -> Reply {
    Reply::Text(200, body.to_owned())
}

pub fn status(status: u16, body: &str) -> Reply {
    Reply::Text(status, body.to_owned())
}

type Script = Box<dyn Fn(usize, &Asked) -> Reply + Send + Sync>;

pub struct Stub {
    script: Script,
    asked: Mutex<Vec<Asked>>,
    began: tokio::time::Instant,
}

impl Stub {
    pub fn new(script: impl Fn(usize, &Asked) -> Reply + Send + Sync + 'static) -> Arc<Stub> {
        Arc::new(Stub {
            script: Box::new(script),
            asked: Mutex::new(Vec::new()),
            began: tokio::time::Instant::now(),
        })
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub fn lines(&self) -> Vec<String> {
        let line = |asked: Asked| format!("{} {} {}", asked.method, asked.path, asked.body).trim().to_owned();
        self.asked().into_iter().map(line).collect()
    }

    fn answer(&self, parts: &http::request::Parts, body: &[u8]) -> Reply {
        let header = parts.headers.get("authorization").and_then(|value| value.to_str().ok());
        let asked = Asked {
            method: parts.method.to_string(),
            path: parts.uri.path_and_query().unwrap().to_string(),
            body: String::from_utf8(body.to_vec()).unwrap(),
            authorization: header.unwrap_or_default().to_owned(),
            at: self.began.elapsed(),
        };
        let before = {
            let mut all = self.asked.lock().unwrap();
            all.push(asked.clone());
            all.len() - 1
        };
        (self.script)(before, &asked)
    }

    /// The client with this stub in the same process.
    pub fn cloud(self: &Arc<Stub>) -> Arc<dyn Cloud> {
        self.cloud_with(AccountSettings::default())
    }

    pub fn cloud_with(self: &Arc<Stub>, settings: AccountSettings) -> Arc<dyn Cloud> {
        let transport = Arc::new(InProcess(self.clone()));
        open(Provider::Onecloud, "https://api.example.org/", Secret::new(KEY), &settings, transport, world())
            .unwrap()
    }

    /// The client with this stub behind a real socket. The server ends with the test's runtime.
    pub async fn serve(self: &Arc<Stub>) -> Arc<dyn Cloud> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stub = self.clone();
        let app = axum::Router::new().fallback(move |request: axum::extract::Request| {
            let stub = stub.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
                match stub.answer(&parts, &body) {
                    Reply::Text(status, text) => {
                        Response::builder().status(status).body(axum::body::Body::from(text)).unwrap()
                    }
                    other => panic!("not for sockets: {other:?}"),
                }
            }
        });
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        let transport = Arc::new(HttpTransport::new().unwrap());
        open(Provider::Onecloud, &url, Secret::new(KEY), &AccountSettings::default(), transport, world())
            .unwrap()
    }
}

struct InProcess(Arc<Stub>);

#[async_trait]
impl Transport for InProcess {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Broken> {
        let (parts, body) = request.into_parts();
        match self.0.answer(&parts, &body) {
            Reply::Text(status, text) => {
                Ok(Response::builder().status(status).body(Bytes::from(text)).unwrap())
            }
            Reply::RetryAfter(status, seconds) => Ok(Response::builder()
                .status(status)
                .header("retry-after", seconds)
                .body(Bytes::new())
                .unwrap()),
            Reply::Hang => std::future::pending().await,
            Reply::NeverSent => Err(Broken::never_sent("Connection refused (os error 111)")),
            Reply::Broken => Err(Broken::maybe_sent("connection closed before message completed")),
        }
    }
}

/// A world whose clock is tokio's (paused in most tests), whose ids are nil, and whose dice always show 0.
pub fn world() -> World {
    struct Tokio(tokio::time::Instant);
    impl Clock for Tokio {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH + self.monotonic()
        }
        fn monotonic(&self) -> Duration {
            self.0.elapsed()
        }
    }
    struct Nil;
    impl Ids for Nil {
        fn next(&self) -> uuid::Uuid {
            uuid::Uuid::nil()
        }
    }
    struct Zero;
    impl Random for Zero {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(0);
        }
    }
    World { clock: Arc::new(Tokio(tokio::time::Instant::now())), ids: Arc::new(Nil), random: Arc::new(Zero) }
}
