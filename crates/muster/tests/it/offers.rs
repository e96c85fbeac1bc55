//! What a provider offers: kept with its date, asked for anew when old or on demand.

use serde_json::Value;

use crate::place::{Place, SHOP};

const OFFERS: &[&str] = &["account", "offers", "--format", "json"];

/// Whether the provider was asked for its images since the last question.
async fn asked(place: &Place) -> bool {
    place.requests().await.iter().any(|request| request.to_lowercase().starts_with("get /image"))
}

fn kept(place: &Place) -> std::path::PathBuf {
    place.home().join("offers/default/onecloud.json")
}

/// ICT-60: locations and images are kept with a date; a second look asks nobody, one on demand or after a day does,
/// and so does one that finds a broken file.
#[tokio::test]
async fn offers_are_kept_with_a_date() {
    let place = Place::new(SHOP);
    let first = place.run(OFFERS).json(0);
    assert!(asked(&place).await);
    let images = first["images"].as_array().unwrap();
    assert!(images.iter().any(|image| image["name"] == "Ubuntu20.04x64"), "{first}");
    assert!(first["locations"].as_array().unwrap().iter().any(|location| location["name"] == "SdnSpb"));

    assert_eq!(place.run(OFFERS).json(0), first, "the kept one, with its date");
    assert!(!asked(&place).await);

    let refreshed = place.run(&["account", "refresh"]);
    assert_eq!(refreshed.code, 0, "{refreshed:?}");
    assert!(refreshed.out.contains("13 locations"), "{}", refreshed.out);
    assert!(asked(&place).await);
    let second = place.run(OFFERS).json(0);
    assert!(second["seen_at"].as_str() > first["seen_at"].as_str(), "{second}");

    let mut old: Value = serde_json::from_slice(&std::fs::read(kept(&place)).unwrap()).unwrap();
    old["seen_at"] = "2026-01-01T00:00:00Z".into();
    std::fs::write(kept(&place), old.to_string()).unwrap();
    assert!(place.run(OFFERS).json(0)["seen_at"].as_str() > second["seen_at"].as_str());
    assert!(asked(&place).await, "it was old");

    std::fs::write(kept(&place), "{\"form\":1,").unwrap();
    assert_eq!(place.run(OFFERS).json(0)["locations"], first["locations"]);
    assert!(asked(&place).await, "it was broken");
}

/// ICT-60: a plan reads fresh, and keeps what it read; completion uses it and asks nobody; an unknown location is
/// refused with the known ones.
#[tokio::test]
async fn a_plan_keeps_what_it_read() {
    let place = Place::new(SHOP);
    for _ in 0..2 {
        let shown = place.run(&["infra", "update", "shop", "--dry-run", "--skip-provision"]);
        assert_eq!(shown.code, 0, "{shown:?}");
        assert!(asked(&place).await, "a plan never uses what is kept");
    }
    assert!(kept(&place).exists());

    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_muster"));
    place.dress(&mut command);
    command.env("COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", "4").env("_CLAP_COMPLETE_COMP_TYPE", "9");
    command.args(["--", "muster", "account", "offers", "--location", "Sdn"]);
    let words = String::from_utf8(command.output().unwrap().stdout).unwrap();
    assert_eq!(words.split_whitespace().collect::<Vec<_>>(), ["SdnSpb", "SdnSpb2", "SdnSpb3"]);
    assert_eq!(place.requests().await, Vec::<String>::new());

    let there = place.run(&["account", "offers", "--location", "sdnspb", "--format", "json"]).json(0);
    assert_eq!(there["locations"].as_array().unwrap().len(), 1, "{there}");
    let wrong = place.run(&["account", "offers", "--location", "Mars"]);
    assert_eq!(wrong.code, 2, "{wrong:?}");
    assert!(wrong.err.contains("AhKz") && wrong.err.contains("muster account refresh"), "{}", wrong.err);
}
