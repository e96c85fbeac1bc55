//! Searching basic events: what is found, by which words, and what is left to index.

use muster_model::id::Sequence;
use muster_model::run::RunState;
use muster_store::*;

use super::scene::*;

/// Events of a lane, numbered from 1, as their words.
fn events(texts: &[(&str, &str)]) -> Vec<EventWords> {
    let event = |(index, (target, text)): (usize, &(&str, &str))| EventWords {
        seq: Sequence(index as u64 + 1),
        at: at(index as i64),
        target: Some((*target).into()),
        text: (*text).into(),
    };
    texts.iter().enumerate().map(event).collect()
}

async fn found(scene: &Scene, words: &[&str]) -> Vec<u64> {
    let query = EventQuery {
        space: "default".into(),
        phrases: words.iter().filter_map(|word| Phrase::of(word)).collect(),
        since: None,
        target: None,
        limit: 10,
    };
    scene.store.search(query).await.unwrap().iter().map(|event| event.seq.0).collect()
}

/// The only lane that has something to index.
async fn next(scene: &Scene) -> Unindexed {
    let lanes = scene.store.unindexed(false, 10).await.unwrap();
    assert_eq!(lanes.len(), 1, "{lanes:?}");
    lanes[0]
}

pub async fn events_are_found_by_their_words(scene: Scene) {
    let claim = scene.running(1, "shop").await;
    scene
        .store
        .append(claim.clone(), vec![started(1), succeeded(1), progress("x"), progress("y")])
        .await
        .unwrap();
    let texts = [
        ("web-1", "web-1 create server failed: HTTP 500, «Ошибка сервера»"),
        ("web-10", "web-10 create server succeeded 7001"),
        ("db-1", "db-1: it's 'quoted' \\ and \"odd\"; 500 percent & more | !"),
        ("web-1", "web 2 timed out after 1 s"),
        ("shop", ""),
    ];
    scene.store.index(next(&scene).await, events(&texts), Sequence(5)).await.unwrap();
    assert_eq!(found(&scene, &["500"]).await, [3, 1]);
    assert_eq!(found(&scene, &["WEB-1"]).await, [1], "words next to each other, whole");
    assert_eq!(found(&scene, &["web", "1"]).await, [4, 1], "words anywhere");
    assert_eq!(found(&scene, &["web-1*"]).await, [2, 1]);
    assert_eq!(found(&scene, &["ОШИБКА"]).await, [1]);
    assert_eq!(found(&scene, &["it's", "\"odd\""]).await, [3]);
    assert_eq!(found(&scene, &["OR"]).await, [0; 0]);
    assert_eq!(found(&scene, &["server", "nothing"]).await, [0; 0]);
    let query = EventQuery {
        space: "default".into(),
        phrases: vec![Phrase::of("web").unwrap()],
        since: None,
        target: Some("web-1".into()),
        limit: 10,
    };
    let of = async |query: EventQuery| {
        scene.store.search(query).await.unwrap().iter().map(|event| event.seq.0).collect::<Vec<_>>()
    };
    assert_eq!(of(query.clone()).await, [4, 1]);
    assert_eq!(of(EventQuery { limit: 1, ..query.clone() }).await, [4]);
    assert_eq!(of(EventQuery { since: Some(at(2)), ..query.clone() }).await, [4]);
    assert_eq!(of(EventQuery { space: "other".into(), ..query }).await, [0; 0]);
}

pub async fn the_index_follows_the_journal(scene: Scene) {
    let claim = scene.running(1, "shop").await;
    let lane = next(&scene).await;
    assert_eq!((lane.run, lane.lane, lane.after), (claim.run, claim.lane, Sequence(0)));
    assert!(scene.store.unindexed(true, 10).await.unwrap().is_empty(), "it has not ended");
    scene.store.index(lane, events(&[("shop", "running")]), Sequence(1)).await.unwrap();
    // Whoever comes late does nothing.
    scene.store.index(lane, events(&[("shop", "running")]), Sequence(1)).await.unwrap();
    assert_eq!(found(&scene, &["running"]).await, [1]);
    assert!(scene.store.unindexed(false, 10).await.unwrap().is_empty());
    scene.become_state(&claim, RunState::Succeeded).await.unwrap();
    let lane = scene.store.unindexed(true, 10).await.unwrap()[0];
    assert_eq!(lane.after, Sequence(1));
    // Nothing of an entry has to be found for it to be done.
    scene.store.index(lane, vec![], Sequence(2)).await.unwrap();
    assert!(scene.store.unindexed(false, 10).await.unwrap().is_empty());
}

pub async fn pruned_runs_are_not_found(scene: Scene) {
    let claim = scene.running(1, "shop").await;
    scene.store.index(next(&scene).await, events(&[("shop", "running")]), Sequence(1)).await.unwrap();
    scene.become_state(&claim, RunState::Succeeded).await.unwrap();
    scene.store.prune(vec![claim.run], at(9)).await.unwrap();
    assert_eq!(found(&scene, &["running"]).await, [0; 0]);
    assert!(scene.store.unindexed(false, 10).await.unwrap().is_empty());
}

/// An older run may be indexed after a newer one: what is cut off is the oldest, not what was indexed first.
pub async fn the_newest_come_first_whenever_they_were_indexed(scene: Scene) {
    let newer = scene.running(1, "shop").await;
    let older = scene.running(2, "bank").await;
    for (claim, second) in [(&newer, 20), (&older, 10)] {
        let lanes = scene.store.unindexed(false, 10).await.unwrap();
        let lane = lanes.into_iter().find(|lane| lane.run == claim.run).unwrap();
        let event = EventWords { seq: Sequence(1), at: at(second), target: None, text: "running".into() };
        scene.store.index(lane, vec![event], Sequence(1)).await.unwrap();
    }
    for (limit, runs) in [(10, vec![newer.run, older.run]), (1, vec![newer.run])] {
        let query = EventQuery {
            space: "default".into(),
            phrases: vec![Phrase::of("running").unwrap()],
            since: None,
            target: None,
            limit,
        };
        let found = scene.store.search(query).await.unwrap();
        assert_eq!(found.iter().map(|event| event.run).collect::<Vec<_>>(), runs);
    }
}
