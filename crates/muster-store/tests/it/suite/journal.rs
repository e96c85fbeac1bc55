//! The journal: dense numbers, fences, legal transitions, group commit.

use muster_model::id::{Attempt, Sequence, StepNumber};
use muster_model::run::{EntryKind, FailureClass, Output, RunState};
use muster_store::*;

use super::scene::*;

fn record(kind: EntryKind) -> Record {
    Record { at: at(3), kind, facts: vec![] }
}

pub async fn numbers_are_dense_even_from_many_writers(scene: Scene) {
    let scene = std::sync::Arc::new(scene);
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

pub async fn an_older_fence_writes_nothing(scene: Scene) {
    let claim = scene.running(1, "shop").await;
    scene.store.bury(node(1), at(4), "died".into()).await.unwrap();
    let error = scene.store.append(claim.clone(), vec![progress("late")]).await.unwrap_err();
    assert!(matches!(error, StoreError::Fenced), "{error}");
    let entries = scene.store.entries(claim.run, Sequence(0), 100).await.unwrap();
    assert!(!format!("{entries:?}").contains("late"));
}

pub async fn an_illegal_transition_is_refused_and_leaves_no_entry(scene: Scene) {
    let claim = scene.running(1, "shop").await;
    scene.become_state(&claim, RunState::Succeeded).await.unwrap();
    let error = scene.become_state(&claim, RunState::Running).await.unwrap_err();
    assert!(error.to_string().contains("cannot become running"), "{error}");
    assert_eq!(scene.store.entries(claim.run, Sequence(0), 100).await.unwrap().len(), 2);
}

pub async fn a_failed_neighbour_in_the_same_commit_undoes_itself_alone(scene: Scene) {
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

pub async fn steps_are_counted_by_their_last_word(scene: Scene) {
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

pub async fn what_was_acknowledged_is_seen_by_another_process(scene: Scene) {
    let claim = scene.running(1, "shop").await;
    scene.store.append(claim.clone(), vec![progress("kept")]).await.unwrap();
    let entries = scene.again().await.entries(claim.run, Sequence(0), 100).await.unwrap();
    assert!(format!("{entries:?}").contains("kept"));
}

pub async fn appends_of_one_lane_keep_their_order(scene: Scene) {
    let claim = scene.running(1, "shop").await;
    let texts: Vec<String> = (0..300).map(|number| format!("line {number}")).collect();
    // All at once and none waited for: those that change more than the journal stand among the others.
    let appends = texts.iter().enumerate().map(|(index, text)| {
        let mut records = vec![progress(text)];
        if index % 7 == 0 {
            let (account, kind) = (identity(), muster_model::ownership::ObjectKind::Server);
            records[0].facts = vec![muster_model::run::Fact::Forget {
                account,
                kind,
                id: index.to_string().as_str().into(),
            }];
        }
        scene.store.append(claim.clone(), records)
    });
    // Without tokio's budget, which would make some of them yield before they stand in the queue.
    let outcomes = tokio::task::unconstrained(futures::future::join_all(appends)).await;
    for (number, outcome) in outcomes.into_iter().enumerate() {
        assert_eq!(outcome.unwrap(), Sequence(number as u64 + 2));
    }
    let entries = scene.store.entries(claim.run, Sequence(1), 1_000).await.unwrap();
    let said: Vec<String> = entries
        .into_iter()
        .map(|entry| match entry.kind {
            EntryKind::Progress { message, .. } => message,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(said, texts);
}

pub async fn a_state_and_facts_stand_where_they_were_written(scene: Scene) {
    let claim = scene.running(1, "shop").await;
    let end = record(EntryKind::Run { state: RunState::Succeeded, message: Some("well".into()) });
    let late = record(EntryKind::Run { state: RunState::Failed, message: None });
    let (one, two, three, four) = tokio::join!(
        scene.store.append(claim.clone(), vec![progress("before")]),
        scene.store.append(claim.clone(), vec![end]),
        scene.store.append(claim.clone(), vec![late]),
        scene.store.append(claim.clone(), vec![progress("after")]),
    );
    assert_eq!((one.unwrap(), two.unwrap()), (Sequence(2), Sequence(3)));
    assert!(matches!(three, Err(StoreError::Conflict(_))), "{three:?}");
    assert_eq!(four.unwrap(), Sequence(4));
    let run = scene.store.run(claim.run).await.unwrap().unwrap();
    assert_eq!((run.state, run.message.as_deref()), (RunState::Succeeded, Some("well")));
}

/// What hosts print is not always text that a database likes.
pub async fn any_text_comes_back(scene: Scene) {
    let claim = scene.running(1, "shop").await;
    let texts =
        ["", "nul \0 inside", "\u{1b}[31mred", "snow \u{2603} and 𝄞", "quote ' \" \\ $1 %s", "\r\n\t"];
    for text in texts {
        scene.store.append(claim.clone(), vec![progress(text)]).await.unwrap();
    }
    let entries = scene.store.entries(claim.run, Sequence(1), 100).await.unwrap();
    let kinds: Vec<EntryKind> = entries.into_iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, texts.map(|text| progress(text).kind));
}
