//! What the provider refuses, from one table: the simulator refuses each row, and the client, asked for the same thing in a
//! person's words, never sends it.

use muster_model::account::AccountSettings;
use muster_model::object::record::{RecordData, RecordSet, RecordType};
use muster_model::object::{FieldValue, Fields, ObjectClass, ObjectWish};
use muster_runs::Engine;
use muster_runs::objects::ObjectProposal;
use muster_runs::reads::PlanState;
use muster_sim::onecloud::{Durations, RefusalRow, RefusalWorld, refusals};
use serde_json::Value;

use crate::process::{Cut, KEY, Stage, ended, me, outside_only, update};

/// A row as somebody would ask for it.
enum Asked {
    /// In a file.
    File(String),
    /// One by one.
    Wish(ObjectWish),
}

fn text(body: &Value, name: &str) -> String {
    match &body[name] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The row in a person's words; none where nobody can say it: a request without a field that ours always have, ids that
/// nobody writes, or an object that is not there.
fn asked(row: &RefusalRow, world: &RefusalWorld) -> Option<Asked> {
    let body: Value = serde_json::from_str(&world.fill(row.body)).unwrap_or_default();
    let wish = |class, name: &str, words: &[(&str, &str)]| {
        let fields: Fields = words
            .iter()
            .filter(|(_, field)| !body[field].is_null())
            .map(|(word, field)| ((*word).to_owned(), FieldValue::Text(text(&body, field))))
            .collect();
        Some(Asked::Wish(ObjectWish::Present { class, name: text(&body, name), fields }))
    };
    match row.endpoint {
        3 if body["NetworkID"].is_null()
            && body["SshKeys"].is_null()
            && body["NetworkBandwidth"].is_null() =>
        {
            file(&body, world)
        }
        12 => wish(ObjectClass::Image, "Name", &[("technical", "TechName"), ("server", "ServerID")]),
        17 => wish(ObjectClass::Network, "Name", &[("location", "DCLocation")]),
        22 => wish(
            ObjectClass::PublicNetwork,
            "Name",
            &[("location", "DCLocation"), ("capacity", "NetworkCapacity"), ("bandwidth", "Bandwidth")],
        ),
        23 => {
            let id = world.fill(row.path).rsplit('/').next()?.to_owned();
            let bandwidth = FieldValue::Text(text(&body, "Bandwidth"));
            let fields = Fields::from([("bandwidth".to_owned(), bandwidth)]);
            let class = ObjectClass::PublicNetwork;
            Some(Asked::Wish(ObjectWish::Changed { class, name: id, rename: None, fields }))
        }
        34 => wish(ObjectClass::Zone, "Name", &[]),
        37 => record(row, &body),
        _ => None,
    }
}

fn file(body: &Value, world: &RefusalWorld) -> Option<Asked> {
    let image = match text(body, "ImageID").as_str() {
        "3783" => "Debian11x64",
        "3240" => "WinServer2019x64En",
        own if Some(own) == world.number("own_image").map(|id| id.to_string()).as_deref() => "golden1",
        "" => return None,
        _ => "NoSuchImage",
    };
    let high = match text(body, "isHighPerformance").as_str() {
        "true" => "high",
        "false" => "base",
        other => other,
    }
    .to_owned();
    let ram = if body["RAM"].is_null() { String::new() } else { format!(", ram: {} MiB", text(body, "RAM")) };
    let days = match text(body, "BackupPeriod").as_str() {
        "" => String::new(),
        days => format!(", backup_days: {days}"),
    };
    let cpu = if body["CPU"].is_null() { return None } else { text(body, "CPU") };
    // A file cannot leave a name out: the key of an entry is one.
    let name = Some(text(body, "Name")).filter(|name| !name.is_empty())?;
    Some(Asked::File(format!(
        "version: 1\nlocation: {}\nstats: false\nservers:\n  {name}: {{ image: {image}, cpu: {cpu}{ram}, disk: {} GiB {}, \
         performance: {high}{days} }}\n",
        text(body, "DCLocation"),
        text(body, "HDD"),
        text(body, "HDDType").to_lowercase(),
    )))
}

fn record(row: &RefusalRow, body: &Value) -> Option<Asked> {
    let kind = RecordType::of_word(row.path.strip_prefix("/dns/record")?)?;
    let (name, value) = match kind {
        RecordType::A | RecordType::Aaaa => (text(body, "Name"), text(body, "IP")),
        RecordType::Cname => (text(body, "MnemonicName"), text(body, "Name")),
        RecordType::Mx => ("@".to_owned(), text(body, "HostName")),
        RecordType::Ns => (text(body, "Name"), text(body, "HostName")),
        RecordType::Txt => (text(body, "Name"), text(body, "Text")),
        RecordType::Srv => {
            (format!("{}.{}", text(body, "Service"), text(body, "Proto")), text(body, "Target"))
        }
    };
    let number = |name: &str| text(body, name).parse().ok();
    let data = RecordData {
        value,
        // One that does not fit into its type cannot be said at all.
        priority: number("Priority").and_then(|number: u32| u16::try_from(number).ok()),
        weight: number("Weight").and_then(|number: u32| u16::try_from(number).ok()),
        port: number("Port").and_then(|number: u32| u16::try_from(number).ok()),
        ttl: number("TTL"),
    };
    let zone = text(body, "DomainId");
    let zone = if zone.is_empty() { "no.such".to_owned() } else { zone };
    let set = RecordSet { zone, name, kind, records: vec![data], keep_others: true, remove: false };
    Some(Asked::Wish(ObjectWish::Records(set)))
}

/// Carries out what is asked for as far as it goes.
async fn carry_out(engine: &Engine, asked: Asked) -> String {
    match asked {
        Asked::File(text) => match update(engine, &text, outside_only()).await {
            Err(error) => error.to_string(),
            Ok((plan, run)) => format!("plan {plan}, run {:?}", run.map(|run| (run.state, run.message))),
        },
        Asked::Wish(wish) => {
            let proposal = ObjectProposal {
                space: "default".into(),
                account: "onecloud".into(),
                wishes: vec![wish],
                idempotency_key: None,
            };
            let plan = match engine.submit_objects(&me(), proposal).await {
                Ok(plan) => plan,
                Err(error) => return error.to_string(),
            };
            let view = engine.planned(plan).await.unwrap();
            let draft = view.plan.unwrap().draft;
            if view.state == PlanState::Ready && !draft.steps.is_empty() {
                let run = engine.approve(&me(), plan, None).await.unwrap();
                ended(engine, run).await;
            }
            format!("{:?} {:?} {:?}", view.state, draft.refusals, draft.notes)
        }
    }
}

/// ICT-64: what the provider would refuse is refused before any request.
#[test]
fn nothing_that_the_provider_refuses_is_sent() {
    let (mut said, mut sent) = (0, Vec::new());
    for row in refusals() {
        let stage = Stage::with(5, Durations::real(), AccountSettings::default());
        let world = RefusalWorld::lay_out(&stage.simulator, KEY).unwrap();
        let Some(asked) = asked(row, &world) else { continue };
        said += 1;
        stage.simulator.clear_journal();
        let lived = stage.process(Cut::Never, async |engine: Engine| carry_out(&engine, asked).await);
        let refused = stage
            .simulator
            .journal()
            .into_iter()
            .filter(|entry| entry.method != "GET" && entry.status >= 400);
        for entry in refused {
            let answer = lived.result.clone().unwrap_or_default();
            sent.push(format!("{}: {} {} {} → {answer}", row.name, entry.method, entry.path, entry.body));
        }
    }
    println!("{said} of {} rows can be said", refusals().len());
    assert!(said >= 60, "{said} rows can be said");
    assert!(sent.is_empty(), "{} requests that the provider refuses:\n{}", sent.len(), sent.join("\n"));
}
