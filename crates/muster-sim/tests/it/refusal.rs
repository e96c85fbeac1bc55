//! The table of refusals, row by row.

use std::collections::BTreeSet;

use muster_sim::onecloud::{Durations, RefusalWorld, SimulatorConfig, refusal_steps, refusals};

use crate::support::{Client, KEY, config};

/// Each row is refused with its status and its text, and leaves the world as it was.
#[tokio::test]
async fn every_row_is_refused_as_it_says_and_changes_nothing() {
    let client = Client::of(SimulatorConfig { durations: Durations::real(), ..config() });
    let world = RefusalWorld::lay_out(&client.simulator, KEY).unwrap();
    let mut before = client.simulator.state();
    let mut wrong = Vec::new();
    for row in refusals() {
        let (path, body) = (world.fill(row.path), world.fill(row.body));
        let got = client.raw(row.method, &path, "application/json", &body).await.unwrap();
        let wanted = serde_json::json!({ "Message": row.message }).to_string();
        if got.status != row.status || got.text != wanted {
            wrong
                .push(format!("{}: {} {path} {body} gave {} {}", row.name, row.method, got.status, got.text));
        }
        let after = client.simulator.state();
        if after != before {
            wrong.push(format!("{} changed something", row.name));
            before = after;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rows_have_names_of_their_own_and_speak_only_of_steps_that_exist() {
    let names: BTreeSet<_> = refusals().iter().map(|row| row.name).collect();
    assert_eq!(names.len(), refusals().len());
    let steps: BTreeSet<_> = refusal_steps().iter().map(|step| step.name).collect();
    assert_eq!(steps.len(), refusal_steps().len());
    for row in refusals() {
        assert!((1..=49).contains(&row.endpoint) && row.fact.starts_with('§'), "{}", row.name);
        for text in [row.path, row.body] {
            for (start, _) in text.match_indices('{') {
                let word = text[start + 1..].split('}').next().unwrap();
                let placeholder = !word.contains(['"', ':']) && !word.is_empty();
                assert!(!placeholder || steps.contains(word), "{}: {{{word}}}", row.name);
            }
        }
    }
}

/// Whoever misuses the table is told at which step.
#[test]
fn a_world_that_cannot_be_laid_out_names_the_step() {
    let client = Client::instant();
    // Drift needs no key: the first step that is refused is the second one.
    let error = RefusalWorld::lay_out(&client.simulator, "nobody").unwrap_err();
    assert_eq!(error.step, "key");
    assert!(error.to_string().contains("401"), "{error}");
}
