//! Lanes: claimed by priority, passed on, waiting, followed.

use std::collections::{BTreeMap, BTreeSet};

use muster_model::id::{LaneNumber, RunId, Sequence};
use muster_model::run::{Entry, EntryKind, RunState};
use muster_store::*;

use super::scene::*;

fn plain(first: u32, last: u32) -> LanePlan {
    LanePlan { steps: range(first, last), waits: false }
}

fn names(claims: &[Claim]) -> Vec<(RunId, u16)> {
    claims.iter().map(|claim| (claim.run, claim.lane.0)).collect()
}

async fn lane(scene: &Scene, run: RunId, number: usize) -> LaneRow {
    scene.store.lanes(run).await.unwrap().swap_remove(number)
}

pub async fn lanes_are_claimed_by_priority_and_age(scene: Scene) {
    scene.join(7, "worker").await;
    let first = scene.open_run(1, "a", vec![plain(1, 2), plain(3, 4)]).await;
    let plan = scene.plan(2, "b").await;
    let mut urgent = scene.approval(2, plan, "b");
    (urgent.node, urgent.priority) = (None, 5);
    let urgent = scene.store.approve(urgent).await.unwrap();
    let third = scene.open_run(3, "c", vec![]).await;
    assert_eq!(names(&scene.next(7, 1).await), [(urgent, 0)]);
    assert_eq!(names(&scene.next(7, 2).await), [(first, 0), (first, 1)]);
    assert_eq!(names(&scene.next(7, 10).await), [(first, 2), (third, 0)]);
    assert!(scene.next(7, 10).await.is_empty());
    let row = lane(&scene, first, 2).await;
    assert_eq!((row.state, row.node, row.steps), (LaneState::Held, Some(node(7)), Some(range(3, 4))));
    assert_eq!(lane(&scene, first, 0).await.steps, None);
}

pub async fn two_nodes_get_disjoint_lanes(scene: Scene) {
    scene.join(7, "worker").await;
    scene.join(8, "worker").await;
    let run = scene.open_run(1, "a", (1..1_000).map(|lane| plain(lane, lane)).collect()).await;
    let other = scene.again().await;
    let mut tasks = Vec::new();
    for worker in [7, 8, 7, 8] {
        let store = if worker == 7 { scene.store.clone() } else { other.clone() };
        tasks.push(tokio::spawn(async move {
            let mut mine = Vec::new();
            loop {
                let claims = store.claim_next(wish(worker, 20)).await.unwrap();
                if claims.is_empty() {
                    return (worker, mine);
                }
                mine.extend(claims);
                tokio::task::yield_now().await;
            }
        }));
    }
    let mut all = BTreeSet::new();
    let mut total = 0;
    for task in tasks {
        let (worker, claims) = task.await.unwrap();
        total += claims.len();
        for claim in claims {
            assert_eq!(claim.run, run);
            assert!(all.insert(claim.lane), "lane {} twice", claim.lane);
            assert_eq!(claim.fence.0, 1, "lane {} was taken from somebody by {worker}", claim.lane);
        }
    }
    assert_eq!((total, all.len()), (1_000, 1_000));
}

pub async fn unknown_forms_and_paused_runs_are_left_alone(scene: Scene) {
    scene.join(7, "worker").await;
    let run = scene.open_run(1, "a", vec![]).await;
    let newer = ClaimNext { forms: vec![2, 3], ..wish(7, 10) };
    assert!(scene.store.claim_next(newer).await.unwrap().is_empty());
    let other = ClaimNext { only: vec![RunId(id(99))], ..wish(7, 10) };
    assert!(scene.store.claim_next(other).await.unwrap().is_empty());
    scene.store.set_want(run, Want::Pause, "ann".into(), at(1)).await.unwrap();
    assert!(scene.next(7, 10).await.is_empty());
    assert_eq!(scene.store.want(run).await.unwrap(), Want::Pause);
    scene.store.set_want(run, Want::Run, "ann".into(), at(2)).await.unwrap();
    let mine = ClaimNext { only: vec![run], ..wish(7, 10) };
    assert_eq!(scene.store.claim_next(mine).await.unwrap().len(), 1);
    let said: Vec<String> =
        scene.store.audits(&"default".into(), 2).await.unwrap().into_iter().map(|audit| audit.what).collect();
    assert_eq!(said, ["run.continued", "run.paused"]);
}

pub async fn lanes_kept_for_a_node_are_not_claimed_by_another(scene: Scene) {
    scene.join(1, "foreground").await;
    scene.join(7, "worker").await;
    let plan = scene.plan(1, "a").await;
    let mut approval = scene.approval(1, plan, "a");
    approval.lanes = vec![plain(1, 2)];
    let run = scene.store.approve(approval).await.unwrap();
    assert!(scene.next(7, 10).await.is_empty());
    let claim = scene.store.claim(run, node(1), exclusive("a")).await.unwrap();
    scene.become_state(&claim, RunState::Running).await.unwrap();
    assert_eq!(names(&scene.next(1, 10).await), [(run, 1)]);
    // It waits, and is still kept for the node that began it.
    let wait = Wait { until: Some(long_ago()), signals_seen: 0 };
    assert_eq!(scene.store.park(claim, wait).await.unwrap(), LaneState::Waiting);
    assert!(scene.next(7, 10).await.is_empty());
    assert_eq!(names(&scene.next(1, 10).await), [(run, 0)]);
}

pub async fn a_released_lane_goes_to_another_node(scene: Scene) {
    for worker in [7, 8, 9] {
        scene.join(worker, "worker").await;
    }
    let run = scene.open_run(1, "a", vec![]).await;
    let claim = scene.next(7, 1).await.remove(0);
    scene.become_state(&claim, RunState::Running).await.unwrap();
    scene.store.append(claim.clone(), vec![started(1), succeeded(1)]).await.unwrap();
    scene.store.release(claim.clone(), None).await.unwrap();
    let late = scene.store.append(claim.clone(), vec![progress("late")]).await;
    assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
    assert!(matches!(scene.store.release(claim, None).await, Err(StoreError::Fenced)));
    let again = scene.next(8, 1).await.remove(0);
    assert_eq!((again.run, again.last), (run, Sequence(3)));
    // Handed to one node, it is not for the others.
    scene.store.release(again, Some(node(9))).await.unwrap();
    assert!(scene.next(7, 1).await.is_empty());
    assert_eq!(scene.next(9, 1).await.len(), 1);
    assert_eq!(scene.store.run(run).await.unwrap().unwrap().state, RunState::Running);
    assert_eq!(scene.store.wants(node(9)).await.unwrap(), [(run, Want::Run)]);
    assert!(scene.store.wants(node(7)).await.unwrap().is_empty());
}

pub async fn a_lane_waits_for_a_time_or_a_signal(scene: Scene) {
    scene.join(7, "worker").await;
    let run = scene.open_run(1, "a", vec![]).await;
    let claim = scene.next(7, 1).await.remove(0);
    let later = Wait { until: Some(at(1_000_000)), signals_seen: 0 };
    assert_eq!(scene.store.park(claim.clone(), later).await.unwrap(), LaneState::Waiting);
    assert!(matches!(scene.store.append(claim, vec![progress("late")]).await, Err(StoreError::Fenced)));
    let row = lane(&scene, run, 0).await;
    assert_eq!((row.state, row.node, row.wake_at), (LaneState::Waiting, None, Some(at(1_000_000))));
    assert!(scene.next(7, 1).await.is_empty());
    let tell = |key: &str| scene.store.signal(run, "approved".into(), key.into(), "yes".into(), at(4));
    assert!(tell("ann").await.unwrap());
    assert!(!tell("ann").await.unwrap());
    let claim = scene.next(7, 1).await.remove(0);
    let signals = scene.store.signals(run, 0).await.unwrap();
    assert_eq!(signals.len(), 1);
    assert_eq!((signals[0].number, signals[0].body.as_str()), (1, "yes"));
    // Nothing new since, and its time has come.
    let now = Wait { until: Some(long_ago()), signals_seen: 1 };
    assert_eq!(scene.store.park(claim, now).await.unwrap(), LaneState::Waiting);
    assert_eq!(scene.next(7, 1).await.len(), 1);
    assert!(scene.store.signals(run, 1).await.unwrap().is_empty());
}

pub async fn a_signal_before_the_wait_is_not_missed(scene: Scene) {
    scene.join(7, "worker").await;
    let run = scene.open_run(90, "told before", vec![]).await;
    let claim = scene.next(7, 1).await.remove(0);
    scene.store.signal(run, "go".into(), "k".into(), String::new(), at(1)).await.unwrap();
    let unread = scene.store.park(claim, Wait { until: None, signals_seen: 0 }).await.unwrap();
    assert_eq!(unread, LaneState::Ready);
    assert_eq!(names(&scene.next(7, 1).await), [(run, 0)]);
    for round in 0..20 {
        let run = scene.open_run(round + 1, &format!("a{round}"), vec![]).await;
        let claim = scene.next(7, 1).await.remove(0);
        let other = scene.again().await;
        let (parked, told) = tokio::join!(
            scene.store.park(claim, Wait { until: None, signals_seen: 0 }),
            other.signal(run, "go".into(), "k".into(), String::new(), at(1))
        );
        parked.unwrap();
        assert!(told.unwrap());
        assert_eq!(lane(&scene, run, 0).await.state, LaneState::Ready);
        assert_eq!(names(&scene.next(7, 1).await), [(run, 0)]);
    }
}

pub async fn a_later_wave_waits_for_lane_0(scene: Scene) {
    scene.join(7, "worker").await;
    let wave = LanePlan { steps: range(3, 4), waits: true };
    let run = scene.open_run(1, "a", vec![plain(1, 2), wave]).await;
    let claims = scene.next(7, 10).await;
    assert_eq!(names(&claims), [(run, 0), (run, 1)]);
    scene.become_state(&claims[0], RunState::Running).await.unwrap();
    // A signal is for lane 0, which decides about waves.
    scene.store.signal(run, "x".into(), "1".into(), String::new(), at(1)).await.unwrap();
    assert!(scene.next(7, 10).await.is_empty());
    scene.store.park(claims[0].clone(), Wait { until: None, signals_seen: 1 }).await.unwrap();
    scene.store.finish_lane(claims[1].clone(), at(2)).await.unwrap();
    assert_eq!(lane(&scene, run, 1).await.state, LaneState::Done);
    let woken = scene.next(7, 10).await;
    assert_eq!(names(&woken), [(run, 0)]);
    scene.store.wake_lanes(woken[0].clone(), vec![LaneNumber(2)]).await.unwrap();
    assert_eq!(names(&scene.next(7, 10).await), [(run, 2)]);
}

pub async fn a_wish_wakes_what_waits(scene: Scene) {
    scene.join(7, "worker").await;
    let run = scene.open_run(1, "a", vec![]).await;
    let claim = scene.next(7, 1).await.remove(0);
    scene.store.set_want(run, Want::Pause, "ann".into(), at(1)).await.unwrap();
    assert_eq!(scene.store.wants(node(7)).await.unwrap(), [(run, Want::Pause)]);
    scene.store.park(claim, Wait::default()).await.unwrap();
    assert!(scene.next(7, 1).await.is_empty());
    scene.store.set_want(run, Want::Cancel, "ann".into(), at(2)).await.unwrap();
    let claim = scene.next(7, 1).await.remove(0);
    scene.become_state(&claim, RunState::Cancelled).await.unwrap();
    let told = scene.store.signal(run, "x".into(), "1".into(), String::new(), at(1)).await.unwrap_err();
    assert!(told.to_string().contains("has ended"), "{told}");
}

pub async fn followers_see_every_lane_without_gaps(scene: Scene) {
    scene.join(7, "worker").await;
    let run = scene.open_run(1, "a", vec![plain(1, 2), plain(3, 4)]).await;
    let claims = scene.next(7, 10).await;
    let mut writers = Vec::new();
    for claim in &claims {
        let (store, claim) = (scene.store.clone(), claim.clone());
        writers.push(tokio::spawn(async move {
            for number in 0..40 {
                let text = format!("{} {number}", claim.lane);
                store.append(claim.clone(), vec![progress(&text)]).await.unwrap();
            }
        }));
    }
    let mut cursor: BTreeMap<LaneNumber, Sequence> = BTreeMap::new();
    let mut seen: Vec<Entry> = Vec::new();
    while seen.len() < 120 {
        let page = scene.store.follow(run, cursor.clone(), 7).await.unwrap();
        for entry in page {
            let last = cursor.entry(entry.lane).or_default();
            assert_eq!(entry.seq.0, last.0 + 1, "lane {}", entry.lane);
            *last = entry.seq;
            seen.push(entry);
        }
        tokio::task::yield_now().await;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert!(scene.store.follow(run, cursor.clone(), 7).await.unwrap().is_empty());
    // A page is full as long as any lane has enough.
    cursor.remove(&LaneNumber(2));
    let page = scene.store.follow(run, cursor, 7).await.unwrap();
    let places: Vec<_> = page.iter().map(|entry| (entry.lane.0, entry.seq.0)).collect();
    assert_eq!(places, (1..=7).map(|seq| (2, seq)).collect::<Vec<_>>());
    for lane in 0..3 {
        let whole = scene.store.entries_of(run, LaneNumber(lane), Sequence(0), 1_000).await.unwrap();
        let followed: Vec<Entry> = seen.iter().filter(|entry| entry.lane.0 == lane).cloned().collect();
        assert_eq!(whole, followed);
    }
}

pub async fn a_run_that_ends_takes_all_its_lanes(scene: Scene) {
    scene.join(7, "worker").await;
    let run = scene.open_run(1, "a", vec![plain(1, 2), plain(3, 4)]).await;
    let claims = scene.next(7, 10).await;
    scene.become_state(&claims[0], RunState::Running).await.unwrap();
    // In the same commit: what the other lanes wrote before stands, what comes after is refused.
    let end =
        Record { at: at(5), kind: EntryKind::Run { state: RunState::Failed, message: None }, facts: vec![] };
    let (before, ended, after) = tokio::join!(
        scene.store.append(claims[1].clone(), vec![progress("before")]),
        scene.store.append(claims[0].clone(), vec![end]),
        scene.store.append(claims[2].clone(), vec![progress("after")]),
    );
    assert!(before.is_ok() && ended.is_ok(), "{before:?} {ended:?}");
    assert!(matches!(after, Err(StoreError::Fenced)), "{after:?}");
    let lanes = scene.store.lanes(run).await.unwrap();
    assert!(lanes.iter().all(|lane| lane.state == LaneState::Done && lane.node.is_none()), "{lanes:?}");
    assert_eq!(lanes.iter().map(|lane| lane.last.0).collect::<Vec<_>>(), [2, 1, 0]);
    assert!(scene.next(7, 10).await.is_empty());
}

pub async fn an_interrupted_run_is_taken_up_by_workers(scene: Scene) {
    scene.join(1, "foreground").await;
    scene.join(7, "worker").await;
    let claim = scene.running(1, "shop").await;
    scene.store.bury(node(1), at(4), "closed".into()).await.unwrap();
    assert!(scene.next(7, 10).await.is_empty());
    scene.store.requeue(claim.run, exclusive("shop"), "ann".into(), at(5)).await.unwrap();
    assert_eq!(scene.store.run(claim.run).await.unwrap().unwrap().state, RunState::Running);
    let again = scene.store.requeue(claim.run, exclusive("shop"), "ann".into(), at(5)).await.unwrap_err();
    assert!(again.to_string().contains("is running"), "{again}");
    // Its locks are held again.
    let plan = scene.plan(2, "shop").await;
    assert!(scene.store.approve(scene.approval(2, plan, "shop")).await.is_err());
    assert_eq!(names(&scene.next(7, 10).await), [(claim.run, 0)]);
}

pub async fn hints_come_and_are_not_needed(scene: Scene) {
    let claim = scene.running(1, "shop").await;
    let other = scene.again().await;
    let mut hints = scene.store.hints();
    // Until the listener is there; each append is another chance.
    let heard = async {
        loop {
            scene.store.append(claim.clone(), vec![progress("x")]).await.unwrap();
            let wait = std::time::Duration::from_millis(200);
            while let Ok(Ok(hint)) = tokio::time::timeout(wait, hints.recv()).await {
                if hint == Hint::Lane(claim.run, claim.lane) {
                    return;
                }
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), heard).await.expect("a hint");
    // Nobody needs it: what was acknowledged is there for whoever looks.
    let last = scene.store.append(claim.clone(), vec![progress("last")]).await.unwrap();
    assert_eq!(other.entries(claim.run, Sequence(last.0 - 1), 10).await.unwrap().len(), 1);
}
