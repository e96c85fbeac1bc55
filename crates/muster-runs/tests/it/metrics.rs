//! What a node counts, read by the parser that reads other exporters too.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use muster_outside::sink::MemorySink;
use muster_runs::Engine;
use muster_runs::sink::SinkConfig;
use muster_series::{Exposition, Kind, Limits};
use serde_json::json;

use crate::process::*;

const SHOP: &str = "
version: 1
account: onecloud
location: SdnSpb
servers:
  web: { count: 3, image: Ubuntu 20.04, cpu: 1, ram: 1 GiB, disk: 40 GiB ssd }
";

async fn read(engine: &Engine) -> Exposition {
    Exposition::parse(&engine.metrics().await.unwrap(), &Limits::default()).unwrap()
}

fn of(page: &Exposition, family: &str, word: &str) -> f64 {
    let samples = page.samples(family);
    let found = samples.iter().find(|sample| sample.labels.iter().any(|(_, value)| value == word));
    found.unwrap_or_else(|| panic!("{family} has no {word}: {samples:?}")).value
}

/// Every number moves with what it counts, and none bears the name of anything that is managed.
#[test]
fn numbers_follow_what_happens() {
    let stage = Stage::new(51);
    let sink = Arc::new(MemorySink::new());
    let lived = stage.process(Cut::Never, async |engine: Engine| {
        let before = read(&engine).await;
        assert_eq!(of(&before, "muster_runs", "succeeded"), 0.0);
        assert_eq!(of(&before, "muster_steps_total", "started"), 0.0);
        assert_eq!(before.value("muster_lanes_held"), Some(0.0));
        assert!(before.get("muster_sink_documents_total").is_none(), "no sink is set up");
        assert!(engine.ready().await.is_ok());

        let shipping = engine.ship(sink.clone(), SinkConfig::default()).unwrap();
        stage.fault(
            json!({"match": {"method": "GET", "path": "/server"}, "times": 1, "fault": {"status": 429}}),
        );
        let (planned, _) = update(&engine, SHOP, outside_only()).await.unwrap();
        let planned = planned as f64;
        tokio::time::sleep(Duration::from_secs(20)).await;
        let after = read(&engine).await;
        assert_eq!(of(&after, "muster_runs", "succeeded"), 1.0);
        let again = of(&after, "muster_steps_total", "tried-again");
        assert_eq!(of(&after, "muster_steps_total", "started"), planned + again);
        assert_eq!(of(&after, "muster_steps_total", "succeeded"), planned);
        assert_eq!(of(&after, "muster_steps_total", "failed"), 0.0);
        assert!(of(&after, "muster_provider_requests_total", "done") > 3.0);
        assert!(of(&after, "muster_provider_requests_total", "limited") >= 1.0);
        let sent = of(&after, "muster_sink_documents_total", "sent");
        assert_eq!(sent, sink.documents().len() as f64);
        assert!(sent > 0.0);
        assert_eq!(after.value("muster_sink_backlog_bytes"), Some(0.0));
        let age = after.value("muster_heartbeat_age_seconds").unwrap();
        assert!((0.0..60.0).contains(&age), "{age}");

        for family in ["muster_journal_commit_seconds", "muster_store_commit_changes"] {
            let found = after.get(family).unwrap();
            assert_eq!(found.kind, Kind::Histogram);
            let count = found.samples.iter().find(|sample| sample.name.ends_with("_count")).unwrap().value;
            let was = before.get(family).unwrap().samples.last().unwrap().value;
            assert!(count > was, "{family}: {was} and then {count}");
            let last = found.samples.iter().rfind(|sample| sample.name.ends_with("_bucket")).unwrap();
            assert_eq!((last.label("le"), last.value), (Some("+Inf"), count));
        }
        shipping.end(Duration::from_secs(5)).await;
        after
    });
    let page = lived.result.unwrap();
    let mut labels = BTreeSet::new();
    for family in page.families() {
        assert!(family.help.is_some() && family.kind != Kind::Unknown, "{}", family.name);
        for sample in &family.samples {
            labels.extend(sample.labels.iter().map(|(label, _)| label.clone()));
            let text = format!("{sample:?}");
            assert!(!text.contains("web-") && !text.contains("shop"), "{text}");
        }
    }
    let known = ["event", "le", "outcome", "state", "version"].map(str::to_owned);
    assert_eq!(labels, BTreeSet::from(known));
}
