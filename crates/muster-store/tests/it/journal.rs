//! The journal: dense numbers, fences, legal transitions, group commit.

use muster_model::id::{Attempt, Sequence, StepNumber};
use muster_model::run::{EntryKind, FailureClass, Output, RunState};
use muster_store::*;

use crate::scene::*;

fn record(kind: EntryKind) -> Record {
    Record { at: at(3), kind, facts: vec![] }
}

fn progress(text: &str) -> Record {
    record(EntryKind::Progress { step: None, message: text.into() })
}

#[tokio::test]
async fn numbers_are_dense_even_from_many_writers() {
    let scene = std::sync::Arc::new(scene());
    let claim = scene.running(1, "shop").await;
    let mut writers = Vec::new();
    for writer in 0..20 {
        let (scene, claim) = (scene.clone(), claim.clone());
        writers.push(tokio::spawn(async move {
            for line in 0..10 {
                let text = format!("{writer}/{line}");
                scene.store.append(claim.clone(), vec![progress(&text)]).await.unwrap();
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let entries = scene.store.entries(claim.run, Sequence(0), 1000).await.unwrap();
    let numbers: Vec<u64> = entries.iter().map(|entry| entry.seq.0).collect();
    assert_eq!(numbers, (1..=201).collect::<Vec<u64>>());
    let page = scene.store.entries(claim.run, Sequence(199), 1).await.unwrap();
    assert_eq!(page[0].seq, Sequence(200));
}

#[tokio::test]
async fn an_older_fence_writes_nothing() {
    let scene = scene();
    let claim = scene.running(1, "shop").await;
    scene.store.bury(node(1), at(4), "died".into()).await.unwrap();
    let error = scene.store.append(claim.clone(), vec![progress("late")]).await.unwrap_err();
    assert!(matches!(error, StoreError::Fenced), "{error}");
    let entries = scene.store.entries(claim.run, Sequence(0), 100).await.unwrap();
    assert!(!format!("{entries:?}").contains("late"));
}

#[tokio::test]
async fn an_illegal_transition_is_refused_and_leaves_no_entry() {
    let scene = scene();
    let claim = scene.running(1, "shop").await;
    scene.become_state(&claim, RunState::Succeeded).await.unwrap();
    let error = scene.become_state(&claim, RunState::Running).await.unwrap_err();
    assert!(error.to_string().contains("cannot become running"), "{error}");
    assert_eq!(scene.store.entries(claim.run, Sequence(0), 100).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_failed_neighbour_in_the_same_commit_undoes_itself_alone() {
    let scene = scene();
    let claim = scene.running(1, "shop").await;
    let mut stale = claim.clone();
    stale.fence.0 += 7;
    let (good, bad, also_good) = tokio::join!(
        scene.store.append(claim.clone(), vec![progress("one")]),
        scene.store.append(stale, vec![progress("never")]),
        scene.store.append(claim.clone(), vec![progress("two")]),
    );
    assert!(good.is_ok() && also_good.is_ok());
    assert!(matches!(bad, Err(StoreError::Fenced)));
    let text = format!("{:?}", scene.store.entries(claim.run, Sequence(0), 100).await.unwrap());
    assert!(text.contains("one") && text.contains("two") && !text.contains("never"));
}

#[tokio::test]
async fn steps_are_counted_by_their_last_word() {
    let scene = scene();
    let claim = scene.running(1, "shop").await;
    let (one, two) = (StepNumber(1), StepNumber(2));
    let started = |step, attempt| record(EntryKind::Started { step, attempt: Attempt(attempt) });
    let failed = EntryKind::Failed {
        step: one,
        attempt: Attempt(1),
        class: FailureClass::Transient,
        message: "again".into(),
        again: true,
    };
    let done = EntryKind::Succeeded { step: one, attempt: Attempt(2), already: false, output: Output::None };
    let records = vec![started(one, 1), record(failed), started(one, 2), record(done), started(two, 1)];
    scene.store.append(claim.clone(), records).await.unwrap();
    let tally = scene.store.tally(claim.run).await.unwrap();
    assert_eq!(tally, StepTally { total: 3, succeeded: 1, failed: 0, running: 1, skipped: 0 });
}

#[tokio::test]
async fn what_was_acknowledged_is_seen_by_another_process() {
    let scene = scene();
    let claim = scene.running(1, "shop").await;
    scene.store.append(claim.clone(), vec![progress("kept")]).await.unwrap();
    let entries = scene.again().entries(claim.run, Sequence(0), 100).await.unwrap();
    assert!(format!("{entries:?}").contains("kept"));
}
