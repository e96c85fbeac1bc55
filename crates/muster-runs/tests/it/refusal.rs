//! What the provider refuses, from one table: the simulator refuses each row, and the client, asked for the same thing in a
//! person's words, never sends it.

use std::collections::BTreeSet;

use muster_model::account::AccountSettings;
use muster_model::object::record::{RecordData, RecordSet, RecordType};
use muster_model::object::{FieldValue, Fields, ObjectClass, ObjectWish};
use muster_model::run::RunState;
use muster_runs::Engine;
use muster_runs::objects::ObjectProposal;
use muster_runs::reads::PlanState;
use muster_sim::onecloud::{Durations, JournalEntry, RefusalRow, RefusalWorld, refusals};
use serde_json::Value;

use crate::process::{Cut, KEY, Stage, ended, me, outside_only, update};

/// A row as somebody would ask for it.
enum Asked {
    /// In a file; perhaps of servers that stand already, by another text of the same file.
    File { standing: Option<String>, text: String },
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
        3 if body["NetworkID"].is_null() && body["SshKeys"].is_null() => file(&body, world),
        8 => action(&body, world),
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
    let speed = match text(body, "NetworkBandwidth").as_str() {
        "" => String::new(),
        speed => format!(", bandwidth: {speed}"),
    };
    let cpu = if body["CPU"].is_null() { return None } else { text(body, "CPU") };
    // A file cannot leave a name out: the key of an entry is one.
    let name = Some(text(body, "Name")).filter(|name| !name.is_empty())?;
    let text = format!(
        "version: 1\nlocation: {}\nstats: false\nservers:\n  {name}: {{ image: {image}, cpu: {cpu}{ram}, disk: {} GiB {}, \
         performance: {high}{days}{speed} }}\n",
        text(body, "DCLocation"),
        text(body, "HDD"),
        text(body, "HDDType").to_lowercase(),
    );
    Some(Asked::File { standing: None, text })
}

/// What is done to links of a server that the file has.
fn action(body: &Value, world: &RefusalWorld) -> Option<Asked> {
    let file = |networks: &str, linked: &str| {
        format!(
            "version: 1\nlocation: SdnSpb\nstats: false\nnetworks:\n  {networks}\nservers:\n  r: {{ image: Debian11x64, \
             cpu: 1, ram: 1 GiB, disk: 40 GiB ssd, networks: [{linked}] }}\n"
        )
    };
    let is = |name: &str, step: &str| {
        world.number(step).is_some_and(|number| text(body, name) == number.to_string())
    };
    let (standing, text) = match text(body, "Type").as_str() {
        "EditNetworkBandwidth" if is("NetworkLinkID", "link") => {
            let speed = text(body, "Bandwidth");
            (
                file("back: { dhcp: true }", "back"),
                file(&format!("back: {{ dhcp: true, bandwidth: {speed} }}"), "back"),
            )
        }
        "AddNetwork" if is("NetworkID", "network") => {
            (file("back: { dhcp: true }", ""), file("back: { dhcp: true }", "back"))
        }
        "AddNetwork" if is("NetworkID", "far_network") => {
            let far = "away: { dhcp: true, location: DsMsk }";
            (file(far, ""), file(far, "away"))
        }
        "AddNetwork" if text(body, "NetworkID") == "5" => {
            (file("back: { dhcp: true }", ""), file("back: { dhcp: true }", "no-such"))
        }
        _ => return None,
    };
    Some(Asked::File { standing: Some(standing), text })
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
        Asked::File { standing, text } => {
            if let Some(standing) = standing {
                let (_, run) = update(engine, &standing, outside_only()).await.unwrap();
                assert_eq!(run.map(|run| run.state), Some(RunState::Succeeded), "{standing}");
            }
            match update(engine, &text, outside_only()).await {
                Err(error) => error.to_string(),
                Ok((plan, run)) => format!("plan {plan}, run {:?}", run.map(|run| (run.state, run.message))),
            }
        }
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

/// What was sent of a row in a person's words, without questions, each with its status; and what the engine said. None
/// where nobody can say it.
fn sent(row: &RefusalRow) -> Option<(Vec<JournalEntry>, String)> {
    let stage = Stage::with(5, Durations::real(), AccountSettings::default());
    let world = RefusalWorld::lay_out(&stage.simulator, KEY).unwrap();
    let asked = asked(row, &world)?;
    stage.simulator.clear_journal();
    let lived = stage.process(Cut::Never, async |engine: Engine| carry_out(&engine, asked).await);
    let answer = lived.result.unwrap_or_else(|| panic!("{}: the engine said nothing", row.name));
    let sent = stage.simulator.journal().into_iter().filter(|entry| entry.method != "GET").collect();
    Some((sent, answer))
}

/// ICT-64: what the provider would refuse is refused before any request.
#[test]
fn nothing_that_the_provider_refuses_is_sent() {
    let (mut said, mut refused) = (0, Vec::new());
    for row in refusals() {
        let Some((sent, answer)) = sent(row) else { continue };
        said += 1;
        for entry in sent.into_iter().filter(|entry| entry.status >= 400) {
            refused.push(format!("{}: {} {} {} → {answer}", row.name, entry.method, entry.path, entry.body));
        }
    }
    println!("{said} of {} rows can be said", refusals().len());
    assert!(said >= 66, "{said} rows can be said");
    assert!(
        refused.is_empty(),
        "{} requests that the provider refuses:\n{}",
        refused.len(),
        refused.join("\n")
    );
}

const fn control(endpoint: u8, method: &'static str, path: &'static str, body: &'static str) -> RefusalRow {
    RefusalRow { name: "control", endpoint, method, path, body, status: 200, message: "", fact: "" }
}

/// Requests of every kind above without their faults.
#[rustfmt::skip]
const CONTROLS: [RefusalRow; 20] = [
    control(3, "POST", "/server", r#"{"Name":"r","CPU":1,"RAM":1024,"HDD":40,"HDDType":"SSD","ImageID":3783,"isHighPerformance":false,"DCLocation":"SdnSpb"}"#),
    control(3, "POST", "/server", r#"{"Name":"r","CPU":16,"RAM":16384,"HDD":250,"HDDType":"SAS","ImageID":3783,"isHighPerformance":false,"DCLocation":"SdnSpb"}"#),
    control(3, "POST", "/server", r#"{"Name":"r","CPU":1,"RAM":1024,"HDD":40,"HDDType":"SSD","ImageID":3240,"isHighPerformance":false,"DCLocation":"SdnSpb"}"#),
    control(3, "POST", "/server", r#"{"Name":"r","CPU":1,"RAM":1024,"HDD":40,"HDDType":"SSD","ImageID":"{own_image}","isHighPerformance":false,"DCLocation":"SdnSpb"}"#),
    control(3, "POST", "/server", r#"{"Name":"r","CPU":1,"RAM":1024,"HDD":40,"HDDType":"SSD","ImageID":3783,"isHighPerformance":true,"DCLocation":"MinskBy"}"#),
    control(3, "POST", "/server", r#"{"Name":"r","CPU":1,"RAM":1024,"HDD":40,"HDDType":"SSD","ImageID":3783,"isHighPerformance":false,"DCLocation":"SdnSpb","isBackupActive":true,"BackupPeriod":7}"#),
    control(3, "POST", "/server", r#"{"Name":"r","CPU":1,"RAM":1024,"HDD":40,"HDDType":"SSD","ImageID":3783,"isHighPerformance":false,"DCLocation":"SdnSpb","NetworkBandwidth":20}"#),
    control(8, "POST", "/server/{server}/action", r#"{"Type":"EditNetworkBandwidth","NetworkLinkID":"{link}","Bandwidth":50}"#),
    control(8, "POST", "/server/{server}/action", r#"{"Type":"AddNetwork","NetworkID":"{network}"}"#),
    control(12, "POST", "/image", r#"{"Name":"Silver","TechName":"silver1","ServerID":"{server}"}"#),
    control(17, "POST", "/network", r#"{"Name":"fresh","DCLocation":"SdnSpb"}"#),
    control(22, "POST", "/publicnetwork", r#"{"NetworkCapacity":5,"Name":"border","Bandwidth":10,"DCLocation":"SdnSpb"}"#),
    control(23, "PUT", "/publicnetwork/{public_network}", r#"{"Bandwidth":60}"#),
    control(34, "POST", "/dns", r#"{"Name":"example.com"}"#),
    control(37, "POST", "/dns/recorda", r#"{"DomainId":"{domain}","Name":"a","IP":"192.0.2.9","TTL":"60"}"#),
    control(37, "POST", "/dns/recordaaaa", r#"{"DomainId":"{domain}","Name":"a","IP":"2001:db8::1"}"#),
    control(37, "POST", "/dns/recordcname", r#"{"DomainId":"{domain}","Name":"www.example.org","MnemonicName":"alias"}"#),
    control(37, "POST", "/dns/recordmx", r#"{"DomainId":"{domain}","HostName":"mail.example.org","Priority":"10"}"#),
    control(37, "POST", "/dns/recordtxt", r#"{"DomainId":"{domain}","Name":"_t","Text":"two"}"#),
    control(37, "POST", "/dns/recordsrv", r#"{"DomainId":"{domain}","Service":"_sip","Proto":"_tcp","Name":"@","Priority":"1","Weight":"1","Port":"5060","Target":"www.example.org"}"#),
];

/// The same words without the fault are sent, and the provider takes them: it is the fault that is refused.
#[test]
fn what_the_provider_takes_is_sent() {
    for row in &CONTROLS {
        let (sent, answer) = sent(row).unwrap_or_else(|| panic!("{} cannot be said", row.body));
        let begin = row.path.split('{').next().unwrap();
        let end = if row.path.ends_with("/action") { "/action" } else { "" };
        let meant = |entry: &&JournalEntry| {
            let path = entry.path.to_lowercase();
            entry.method == row.method && path.starts_with(begin) && path.ends_with(end)
        };
        assert!(sent.iter().any(|entry| meant(&entry)), "{} {}: {answer}", row.path, row.body);
        assert!(sent.iter().all(|entry| entry.status < 400), "{} {}: {sent:?}", row.path, row.body);
    }
    // Every kind that is refused above has one.
    let kinds: BTreeSet<u8> = CONTROLS.iter().map(|row| row.endpoint).collect();
    let stage = Stage::with(5, Durations::real(), AccountSettings::default());
    let world = RefusalWorld::lay_out(&stage.simulator, KEY).unwrap();
    let said = refusals().iter().filter(|row| asked(row, &world).is_some()).map(|row| row.endpoint);
    assert_eq!(said.collect::<BTreeSet<_>>(), kinds);
}
