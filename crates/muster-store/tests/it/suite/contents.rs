//! Blobs and output: whole, in order, durable when told so.

use std::collections::BTreeSet;
use std::time::Duration;

use muster_model::id::{LaneNumber, RunId};
use muster_model::run::RunState;
use muster_store::output::{LINE_MAX, LineFilter, OutputPositions, read_output, search_output};
use muster_store::*;

use super::queue::{left, request};
use super::scene::*;

const FIRST: LaneNumber = LaneNumber(0);

fn line(step: u32, text: &str) -> OutputRecord {
    OutputRecord { at: at(i64::from(step)), step, target: "web-1".into(), text: text.into() }
}

async fn log(scene: &Scene, run: u128, lane: u16) -> OutputLog {
    OutputLog::open(scene.contents.clone(), RunId(id(run)), LaneNumber(lane)).await.unwrap()
}

async fn lines(scene: &Scene, run: u128, lane: u16) -> Vec<OutputRecord> {
    let run = RunId(id(run));
    read_output(scene.contents.as_ref(), run, LaneNumber(lane), None, 0, 100_000).await.unwrap()
}

pub async fn a_content_comes_back_whole(scene: Scene) {
    let contents = &scene.contents;
    // Around the size of a part, and some parts; the digest is only a name here.
    for (number, size) in [0, 1, 65_535, 65_536, 65_537, 3_000_000].into_iter().enumerate() {
        let digest = format!("{number:064x}");
        let content: Vec<u8> = (0..size).map(|at| (at * 7 + at / 251 + number) as u8).collect();
        assert!(!contents.has(&digest).await.unwrap());
        let missing = contents.get(&digest).await;
        assert!(missing.is_err(), "{missing:?}");
        let (one, two) = tokio::join!(contents.put(&digest, &content), contents.put(&digest, &content));
        one.unwrap();
        two.unwrap();
        contents.put(&digest, &content).await.unwrap();
        assert!(contents.has(&digest).await.unwrap());
        assert!(contents.get(&digest).await.unwrap() == content, "{size} bytes");
    }
    for bad in ["", "../../etc/passwd", &"A".repeat(64), &"0".repeat(63)] {
        assert!(matches!(contents.put(bad, b"x").await, Err(StoreError::Conflict(_))), "{bad}");
    }
}

pub async fn lines_come_back_by_step_and_number(scene: Scene) {
    let writer = log(&scene, 1, 0).await;
    for number in 0..5_000 {
        writer.push(&line(number % 2, &format!("line {number}"))).unwrap();
    }
    writer.flush().await.unwrap();
    let all = lines(&scene, 1, 0).await;
    assert_eq!(all.len(), 5_000);
    assert_eq!(all[4_999].text, "line 4999");
    let odd = read_output(scene.contents.as_ref(), RunId(id(1)), FIRST, Some(1), 4_000, 10).await.unwrap();
    assert_eq!(odd.len(), 10);
    assert_eq!(odd[0].text, "line 4001");
    assert_eq!(odd[0].at, at(1));
    assert!(lines(&scene, 2, 0).await.is_empty());
    assert!(lines(&scene, 1, 1).await.is_empty());
}

pub async fn a_lane_goes_on_where_its_output_ended(scene: Scene) {
    for round in 0..3 {
        for lane in [0, 2] {
            let writer = log(&scene, 1, lane).await;
            writer.push(&line(round, &format!("lane {lane} round {round}"))).unwrap();
            writer.flush().await.unwrap();
        }
    }
    for lane in [0, 2] {
        let texts: Vec<String> = lines(&scene, 1, lane).await.into_iter().map(|line| line.text).collect();
        assert_eq!(texts, [0, 1, 2].map(|round| format!("lane {lane} round {round}")));
    }
}

pub async fn output_is_durable_when_flushed_and_many_flush_at_once(scene: Scene) {
    let writer = log(&scene, 1, 0).await;
    let steps = (0..20).map(|step| {
        let writer = writer.clone();
        let contents = scene.contents.clone();
        async move {
            for number in 0..200 {
                writer.push(&line(step, &format!("{number} {}", "x".repeat(100)))).unwrap();
            }
            writer.flush().await.unwrap();
            // Whoever's flush wrote it: this step's lines are there now.
            let mine =
                read_output(contents.as_ref(), RunId(id(1)), FIRST, Some(step), 0, 1_000).await.unwrap();
            assert_eq!(mine.len(), 200, "step {step}");
        }
    });
    futures::future::join_all(steps).await;
    assert_eq!(lines(&scene, 1, 0).await.len(), 4_000);
}

pub async fn a_page_of_long_lines_is_short_and_goes_on(scene: Scene) {
    let run = RunId(id(1));
    for lane in [0, 1] {
        let writer = log(&scene, 1, lane).await;
        for number in 0..600 {
            writer.push(&line(number, &format!("{lane} {number} {}", "x".repeat(LINE_MAX - 20)))).unwrap();
        }
        writer.flush().await.unwrap();
    }
    let (mut from, mut seen, mut pages) = (OutputPositions::new(), Vec::new(), 0);
    loop {
        let lanes = [FIRST, LaneNumber(1)];
        let filter = LineFilter::default();
        let page = search_output(scene.contents.as_ref(), run, &lanes, &from, &filter, 10_000).await.unwrap();
        pages += 1;
        seen.extend(page.lines.iter().map(|line| (line.number, line.lane.0)));
        from = page.next;
        if !page.more {
            break;
        }
    }
    // Lines of one moment: the lower lane first.
    assert_eq!(seen, (0..600).flat_map(|number| [(number, 0), (number, 1)]).collect::<Vec<_>>());
    assert_eq!(pages, 3, "19 MB of text, 8 MiB a page");
}

pub async fn a_very_long_line_is_cut_and_says_so(scene: Scene) {
    let writer = log(&scene, 1, 0).await;
    writer.push(&line(1, &"я".repeat(LINE_MAX))).unwrap();
    writer.flush().await.unwrap();
    assert!(lines(&scene, 1, 0).await[0].text.ends_with("(line cut)"));
}

/// A day.
const DAY: Duration = Duration::from_secs(24 * 3_600);

fn digest(number: u32) -> String {
    format!("{number:064x}")
}

pub async fn contents_that_nothing_refers_to_are_forgotten(scene: Scene) {
    let contents = &scene.contents;
    for number in 0..5 {
        contents.put(&digest(number), &vec![number as u8; 100_000]).await.unwrap();
    }
    let kept = BTreeSet::from([digest(0)]);
    assert_eq!(contents.forget_unused(&kept, DAY).await.unwrap(), 0, "all are young");
    scene.home.age_contents().await;
    // Asked for, or sent again: a plan may be about to come.
    assert!(contents.has(&digest(1)).await.unwrap());
    contents.put(&digest(2), &vec![2; 100_000]).await.unwrap();
    assert_eq!(contents.forget_unused(&kept, DAY).await.unwrap(), 2);
    for (number, there) in [(0, true), (1, true), (2, true), (3, false), (4, false)] {
        assert_eq!(contents.has(&digest(number)).await.unwrap(), there, "{number}");
        assert_eq!(contents.get(&digest(number)).await.is_ok(), there, "{number}");
    }
    // What is gone can be sent again, whole.
    contents.put(&digest(3), &vec![3; 100_000]).await.unwrap();
    assert_eq!(contents.get(&digest(3)).await.unwrap().len(), 100_000);
}

pub async fn contents_of_plans_are_kept_as_long_as_they_may_be_needed(scene: Scene) {
    let manifest = |number| format!(r#"{{"files":{{"a.yaml":{{"sha256":"{}"}}}}}}"#, digest(number));
    for number in 0..4 {
        scene.contents.put(&digest(number), b"x").await.unwrap();
    }
    scene.plan_of(1, "shop", &manifest(0)).await;
    let second = scene.plan_of(2, "shop", &manifest(1)).await;
    scene.plan_of(3, "bank", &manifest(2)).await;
    let opened = Opened { store: scene.store.clone(), contents: scene.contents.clone() };
    let left = async |opened: &Opened| {
        scene.home.age_contents().await;
        let gone = opened.forget_unused(DAY).await.unwrap();
        let mut left = Vec::new();
        for number in 0..4 {
            left.extend(scene.contents.get(&digest(number)).await.is_ok().then_some(number));
        }
        (gone, left)
    };
    // A newer plan of the same file came before the first one was approved; the fourth content never had a plan.
    assert_eq!(left(&opened).await, (2, vec![1, 2]));
    let run = scene.store.approve(scene.approval(2, second, "shop")).await.unwrap();
    let claim = scene.store.claim(run, node(1), exclusive("shop")).await.unwrap();
    scene.become_state(&claim, RunState::Running).await.unwrap();
    scene.plan_of(4, "shop", "{}").await;
    assert_eq!(left(&opened).await, (0, vec![1, 2]), "its run goes on");
    scene.become_state(&claim, RunState::Succeeded).await.unwrap();
    assert_eq!(left(&opened).await.1, [1, 2]);
    opened.prune(at(5), Keep::runs(0), at(9)).await.unwrap();
    assert_eq!(left(&opened).await, (1, vec![2]));
}

/// A request that waits is planned anew from its own bundle, whatever was planned for its file meanwhile.
pub async fn contents_of_a_request_that_waits_are_kept(scene: Scene) {
    scene.contents.put(&digest(0), b"x").await.unwrap();
    let manifest = format!(r#"{{"files":{{"a.yaml":{{"sha256":"{}"}}}}}}"#, digest(0));
    let plan = scene.plan_of(1, "shop", &manifest).await;
    scene.store.enqueue(request(plan, "wish")).await.unwrap();
    scene.plan_of(2, "shop", "{}").await;
    let opened = Opened { store: scene.store.clone(), contents: scene.contents.clone() };
    scene.home.age_contents().await;
    assert_eq!(opened.forget_unused(DAY).await.unwrap(), 0);
    scene.store.leave_queue(plan, left(QueueState::Dropped, "late")).await.unwrap();
    assert_eq!(opened.forget_unused(DAY).await.unwrap(), 1);
}

pub async fn pruned_runs_lose_their_output(scene: Scene) {
    let claim = scene.running(1, "shop").await;
    for lane in [0, 1] {
        let writer = OutputLog::open(scene.contents.clone(), claim.run, LaneNumber(lane)).await.unwrap();
        writer.push(&line(1, "text")).unwrap();
        writer.flush().await.unwrap();
    }
    scene.become_state(&claim, RunState::Succeeded).await.unwrap();
    let opened = Opened { store: scene.store.clone(), contents: scene.contents.clone() };
    assert!(opened.prune(at(1), Keep::runs(0), at(9)).await.unwrap().is_empty());
    assert_eq!(opened.prune(at(5), Keep::runs(0), at(9)).await.unwrap(), [claim.run]);
    for lane in [0, 1] {
        let end = scene.contents.output_end(claim.run, LaneNumber(lane)).await.unwrap();
        assert_eq!(end, OutputEnd::default());
    }
}
