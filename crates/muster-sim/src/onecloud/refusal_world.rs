//! The world that the rows of `refusal_table` speak of, as requests, and how their placeholders are filled in.
//!
//! Plain data as well: whoever tests a client lays the same world out and then asks through the client.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Bytes;
use serde_json::Value;

use super::request::{Outcome, RawRequest};
use super::simulator::Simulator;

/// One request on the way to that world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusalStep {
    /// What later steps and rows call the number that its answer holds: `{NAME}`.
    pub name: &'static str,
    /// Method.
    pub method: &'static str,
    /// Path, perhaps with placeholders.
    pub path: &'static str,
    /// JSON body, perhaps with placeholders; empty: none.
    pub body: &'static str,
    /// Where in the answer the number stands (a JSON pointer); empty: it gives none.
    pub take: &'static str,
    /// How far the clock moves afterwards.
    pub then_ms: u64,
}

const fn step(
    name: &'static str,
    (method, path): (&'static str, &'static str),
    body: &'static str,
    take: &'static str,
    then_ms: u64,
) -> RefusalStep {
    RefusalStep { name, method, path, body, take, then_ms }
}

/// The times fit `Durations::real()`. Everything is ready at the end but what is called `new_…`.
#[rustfmt::skip]
static STEPS: [RefusalStep; 23] = [
    step("no_backup", ("POST", "/_sim/drift"), r#"{"location":"Nsk01","set":{"IsEnableBackup":false}}"#, "", 0),
    step("key", ("POST", "/sshkey"), r#"{"Title":"refusals","PublicKey":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ"}"#, "/ID", 0),
    step("network", ("POST", "/network"), r#"{"Name":"spare","DCLocation":"SdnSpb","IsDHCP":true}"#, "/ID", 0),
    step("linked_network", ("POST", "/network"), r#"{"Name":"linked","DCLocation":"SdnSpb","IsDHCP":true}"#, "/ID", 0),
    step("far_network", ("POST", "/network"), r#"{"Name":"far","DCLocation":"DsMsk","IsDHCP":false}"#, "/ID", 15_000),
    step("server", ("POST", "/server"), r#"{"Name":"stands","CPU":2,"RAM":2048,"HDD":40,"HDDType":"SSD","ImageID":3783,"isHighPerformance":false,"DCLocation":"SdnSpb","NetworkID":"{linked_network}","SshKeys":["{key}"]}"#, "/ID", 0),
    step("minsk_server", ("POST", "/server"), r#"{"Name":"minsk","CPU":1,"RAM":1024,"HDD":20,"HDDType":"SSD","ImageID":3783,"isHighPerformance":true,"DCLocation":"MinskBy"}"#, "/ID", 0),
    step("off_server", ("POST", "/server"), r#"{"Name":"off","CPU":1,"RAM":1024,"HDD":20,"HDDType":"SAS","ImageID":3783,"isHighPerformance":false,"DCLocation":"SdnSpb"}"#, "/ID", 60_000),
    step("action", ("POST", "/server/{off_server}/action"), r#"{"Type":"PowerOff"}"#, "/ID", 4_000),
    step("link", ("GET", "/server/{server}"), "", "/LinkedNetworks/1/LinkID", 0),
    step("own_image", ("POST", "/image"), r#"{"Name":"Golden","TechName":"golden1","ServerID":"{server}"}"#, "/ID", 60_000),
    step("public_network", ("POST", "/publicnetwork"), r#"{"Name":"edge","NetworkCapacity":5,"Bandwidth":50,"DCLocation":"SdnSpb"}"#, "/Id", 15_000),
    step("domain", ("POST", "/dns"), r#"{"Name":"example.org"}"#, "/ID", 0),
    step("record", ("POST", "/dns/recorda"), r#"{"DomainId":"{domain}","Name":"www","IP":"192.0.2.1","TTL":"3600"}"#, "/ID", 0),
    step("other_record", ("POST", "/dns/recorda"), r#"{"DomainId":"{domain}","Name":"mail","IP":"192.0.2.2","TTL":"3600"}"#, "/ID", 0),
    step("text_record", ("POST", "/dns/recordtxt"), r#"{"DomainId":"{domain}","Name":"_t","Text":"one","TTL":"60"}"#, "/ID", 3_000),
    step("storage", ("POST", "/storage"), "", "/Id", 0),
    step("storage_user", ("POST", "/storage/users"), r#"{"UserName":"backup","PersistPassword":false}"#, "/Id", 5_000),
    step("windows_server", ("POST", "/server"), r#"{"Name":"windows","CPU":2,"RAM":2048,"HDD":40,"HDDType":"SSD","ImageID":3240,"isHighPerformance":false,"DCLocation":"SdnSpb"}"#, "/ID", 0),
    step("key_2", ("POST", "/sshkey"), r#"{"Title":"spare","PublicKey":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK"}"#, "/ID", 60_000),
    step("empty_domain", ("POST", "/dns"), r#"{"Name":"example.net"}"#, "/ID", 3_000),
    step("new_server", ("POST", "/server"), r#"{"Name":"new","CPU":1,"RAM":1024,"HDD":20,"HDDType":"SSD","ImageID":3783,"isHighPerformance":false,"DCLocation":"SdnSpb"}"#, "/ID", 0),
    step("new_public_network", ("POST", "/publicnetwork"), r#"{"Name":"soon","NetworkCapacity":1,"Bandwidth":10,"DCLocation":"SdnSpb"}"#, "/Id", 0),
];

/// The requests that lay the world out, in order.
pub fn refusal_steps() -> &'static [RefusalStep] {
    &STEPS
}

/// The world is not laid out: a step was not answered as it should be.
#[derive(Debug, thiserror::Error)]
#[error("step {step} of the world of refusals was answered: {answer}")]
pub struct RefusalWorldError {
    /// Which step.
    pub step: &'static str,
    /// What came.
    pub answer: String,
}

/// The numbers of a world that is laid out.
#[derive(Clone, Debug, Default)]
pub struct RefusalWorld {
    numbers: BTreeMap<&'static str, u64>,
}

impl RefusalWorld {
    /// Lays the world out in the project of that key. The simulator needs `Durations::real()`; its clock is moved.
    pub fn lay_out(simulator: &Simulator, key: &str) -> Result<RefusalWorld, RefusalWorldError> {
        let mut world = RefusalWorld::default();
        for step in refusal_steps() {
            let outcome = simulator.respond(&RawRequest {
                method: step.method.to_owned(),
                path: world.fill(step.path),
                authorization: Some(format!("Bearer {key}")),
                content_type: Some("application/json".to_owned()),
                body: Some(Bytes::from(world.fill(step.body))),
            });
            let Outcome::Answer { status: 200, body, .. } = &outcome else {
                return Err(RefusalWorldError { step: step.name, answer: format!("{outcome:?}") });
            };
            if !step.take.is_empty() {
                let answer: Value = serde_json::from_slice(body).unwrap_or_default();
                let number = answer.pointer(step.take).and_then(Value::as_u64);
                let missing = || RefusalWorldError { step: step.name, answer: answer.to_string() };
                world.numbers.insert(step.name, number.ok_or_else(missing)?);
            }
            simulator.advance(Duration::from_millis(step.then_ms));
        }
        Ok(world)
    }

    /// The number that a step's answer held.
    pub fn number(&self, step: &str) -> Option<u64> {
        self.numbers.get(step).copied()
    }

    /// A path or body with its placeholders filled in.
    pub fn fill(&self, text: &str) -> String {
        self.numbers.iter().fold(text.to_owned(), |text, (name, number)| {
            text.replace(&format!("{{{name}}}"), &number.to_string())
        })
    }
}
