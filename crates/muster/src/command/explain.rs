//! `muster run explain`: why this step, why waiting, why stopped; from the plan, the journal, and who holds the run now.

use std::collections::BTreeMap;

use muster_api::cursor::Cursor;
use muster_api::document::Resource;
use muster_api::event::Happened;
use muster_api::limit::LimitAttributes;
use muster_api::plan::{PlanAttributes, StepSaid};
use muster_api::run::{LaneSaid, NodeSaid, RunAttributes, StandingAttributes};

use super::follow::run_id;
use super::infra::propose::plan_id;
use super::report::{Explained, StepExplained};
use super::{Answer, Context, Report};
use crate::exit::Failure;

/// What the journal says of one step so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Told {
    state: Option<&'static str>,
    last: String,
}

/// Explains a run.
pub async fn explain(id: &str, context: &Context<'_>) -> Result<Answer, Failure> {
    let id = run_id(id)?;
    let run = context.client.run(id).await?;
    let plan = context.client.plan(plan_id(&run.attributes.plan)?, 0).await?.attributes;
    let standing = context.client.standing(id).await?.attributes;
    let mut told: BTreeMap<u32, Told> = BTreeMap::new();
    let mut cursor = Cursor::start();
    loop {
        let page = context.client.history(id, &cursor).await?;
        for event in page.data {
            cursor.saw(event.attributes.lane, event.attributes.seq);
            note(&mut told, &event.attributes.what);
        }
        if !page.meta.more {
            break;
        }
    }
    let because = because(&run.attributes, &run.id, &standing);
    let steps = steps(&plan, &told);
    Answer::done(Report::Explained(Box::new(Explained { run: run.into(), because, steps })))
}

/// Says why nothing happens, where nobody carries the run out: whoever follows it would wait in silence.
pub async fn say_if_stranded(id: &str, context: &Context<'_>) -> Result<(), Failure> {
    let run = context.client.run(run_id(id)?).await?;
    if !matches!(run.attributes.state.as_str(), "ready" | "running") {
        return Ok(());
    }
    let standing = context.client.standing(run_id(id)?).await?.attributes;
    if is_stranded(&standing) {
        for sentence in because(&run.attributes, &run.id, &standing) {
            context.screen.say(&sentence);
        }
    }
    Ok(())
}

/// Says which limits a run that is carried out may be waiting for.
pub async fn say_limits(run: &Resource<RunAttributes>, context: &Context<'_>) -> Result<(), Failure> {
    if run.attributes.state == "running" {
        let standing = context.client.standing(run_id(&run.id)?).await?.attributes;
        standing.limits.iter().for_each(|limit| context.screen.say(&used_up(limit)));
    }
    Ok(())
}

/// Whether no lane belongs to a node that lives, and no worker lives that could take one.
fn is_stranded(standing: &StandingAttributes) -> bool {
    let lives = |node: &&NodeSaid| node.lease_until > standing.now;
    let belongs = |lane: &LaneSaid| {
        standing.nodes.iter().filter(lives).any(|node| lane.node.as_ref().is_some_and(|of| node.id == *of))
    };
    !standing.nodes.iter().filter(lives).any(|node| node.worker) && !standing.lanes.iter().any(belongs)
}

fn note(told: &mut BTreeMap<u32, Told>, what: &Happened) {
    let Some(step) = what.step() else { return };
    let told = told.entry(step).or_default();
    match what {
        Happened::Started { attempt, .. } => {
            told.state = Some("under way");
            told.last = if *attempt > 1 { format!("attempt {attempt}") } else { String::new() };
        }
        Happened::Succeeded { already, output, .. } => {
            told.state = Some("done");
            told.last = if *already { "it was so already".into() } else { output.clone() };
        }
        Happened::Failed { class, message, again, .. } => {
            told.state = Some(if *again { "will be tried again" } else { "failed" });
            told.last = format!("{message} ({class})");
        }
        Happened::Skipped { message, .. } => {
            told.state = Some("not begun");
            told.last.clone_from(message);
        }
        Happened::Progress { message, .. } => told.last.clone_from(message),
        Happened::Run { .. } | Happened::Task { .. } => {}
    }
}

/// Every step with its reason in the plan and what became of it.
fn steps(plan: &PlanAttributes, told: &BTreeMap<u32, Told>) -> Vec<StepExplained> {
    let done = |number: &u32| told.get(number).is_some_and(|told| told.state == Some("done"));
    let explained = |step: &StepSaid| {
        let told = told.get(&step.number).cloned().unwrap_or_default();
        let missing: Vec<u32> = step.after.iter().filter(|number| !done(number)).copied().collect();
        let state = told.state.unwrap_or(if missing.is_empty() { "can begin" } else { "waits" });
        let last = match (told.state, missing.is_empty()) {
            (None, false) => {
                let numbers: Vec<String> = missing.iter().map(u32::to_string).collect();
                format!("for step {}", numbers.join(", "))
            }
            _ => told.last,
        };
        StepExplained {
            number: step.number,
            target: step.target.clone(),
            action: step.action.clone(),
            why: step.reason.clone(),
            state: state.to_owned(),
            last,
        }
    };
    plan.steps.iter().map(explained).collect()
}

fn named(node: &NodeSaid) -> String {
    format!("node {} (pid {} on {}, {})", node.id, node.pid, node.host, node.kind)
}

/// Why the run stands as it does, in sentences.
fn because(run: &RunAttributes, id: &str, standing: &StandingAttributes) -> Vec<String> {
    let mut because = Vec::new();
    if let Some(message) = &run.message {
        because.push(message.clone());
    }
    let node =
        |id: &Option<String>| id.as_ref().and_then(|id| standing.nodes.iter().find(|node| node.id == *id));
    if run.is_final {
        return because;
    }
    if run.state == "interrupted" {
        because.push(format!("Nobody carries it out. Take it up: muster run resume {id}"));
        return because;
    }
    match standing.want.as_str() {
        "pause" => because.push(format!("Somebody wants it to pause. Go on: muster run resume {id}")),
        "cancel" => because.push("Somebody wants it to stop; it stops after the steps under way.".into()),
        _ => {}
    }
    let workers = standing.nodes.iter().filter(|node| node.worker && node.lease_until > standing.now).count();
    for lane in &standing.lanes {
        let sentence = match (lane.state.as_str(), node(&lane.node)) {
            ("held", Some(holder)) if holder.lease_until > standing.now => {
                format!("Lane {} is carried out by {}.", lane.lane, named(holder))
            }
            ("held", Some(holder)) => format!(
                "Lane {} was carried out by {}, whose lease ended at {}; another node takes it over within moments \
                 if one lives.",
                lane.lane,
                named(holder),
                holder.lease_until
            ),
            ("held", None) => {
                format!(
                    "Lane {} was carried out by a node that is gone; `muster doctor` looks after it.",
                    lane.lane
                )
            }
            ("ready", Some(kept_for)) => format!("Lane {} is kept for {}.", lane.lane, named(kept_for)),
            ("ready", None) if workers == 0 => format!(
                "Lane {} waits for a worker, and none lives. Start one: muster server --role worker, or take it up \
                 here: muster run resume {id}",
                lane.lane
            ),
            ("ready", None) => format!("Lane {} waits until one of {workers} workers has room.", lane.lane),
            ("waiting", _) => match lane.wake_at {
                Some(at) => format!(
                    "Lane {} waits until {at}, {} s from now. Nothing is done before that; revoke it: muster run \
                     cancel {id}",
                    lane.lane,
                    at.duration_since(standing.now).as_secs().max(0)
                ),
                None => format!("Lane {} waits until it is told to go on.", lane.lane),
            },
            _ => continue,
        };
        because.push(sentence);
    }
    because.extend(standing.limits.iter().map(used_up));
    because
}

fn used_up(limit: &LimitAttributes) -> String {
    format!(
        "The limit {} is used up ({} of {} taken): steps that count towards it wait until one ends.",
        limit.key, limit.taken, limit.cap
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_api::run::StepCountsSaid;

    fn standing(want: &str, state: &str, node: Option<&str>) -> StandingAttributes {
        StandingAttributes {
            want: want.into(),
            lanes: vec![LaneSaid {
                lane: 0,
                state: state.into(),
                node: node.map(str::to_owned),
                wake_at: None,
            }],
            nodes: vec![NodeSaid {
                id: "n1".into(),
                kind: "server".into(),
                worker: true,
                host: "box".into(),
                pid: 7,
                version: "0".into(),
                lease_until: "2026-11-21T05:01:00Z".parse().unwrap(),
            }],
            limits: Vec::new(),
            now: "2026-11-21T05:00:00Z".parse().unwrap(),
        }
    }

    fn run(state: &str) -> RunAttributes {
        RunAttributes {
            space: "default".into(),
            subject: "infrastructure shop".into(),
            infrastructure: Some("shop".into()),
            plan: "p".into(),
            state: state.into(),
            is_final: false,
            message: None,
            actor: "ann".into(),
            started_at: "2026-11-21T05:00:00Z".parse().unwrap(),
            ended_at: None,
            begins_at: None,
            begins_in_seconds: None,
            steps: StepCountsSaid::default(),
        }
    }

    fn says(state: &str, standing: StandingAttributes) -> String {
        because(&run(state), "r1", &standing).join("\n")
    }

    #[test]
    fn each_way_of_waiting_has_its_sentence() {
        assert!(
            says("running", standing("run", "held", Some("n1")))
                .contains("carried out by node n1 (pid 7 on box")
        );
        assert!(says("ready", standing("run", "ready", None)).contains("one of 1 workers"));
        let mut alone = standing("run", "ready", None);
        alone.nodes.clear();
        assert!(says("ready", alone).contains("none lives. Start one: muster server --role worker"));
        let mut lapsed = standing("run", "held", Some("n1"));
        lapsed.now = "2026-11-21T05:02:00Z".parse().unwrap();
        assert!(says("running", lapsed).contains("whose lease ended at 2026-11-21T05:01:00Z"));
        assert!(says("running", standing("pause", "waiting", None)).contains("wants it to pause"));
        let mut limited = standing("run", "held", Some("n1"));
        let (key, cap, taken) = ("account:prod".to_owned(), 2, 2);
        limited.limits.push(LimitAttributes { key, cap, taken });
        assert!(says("running", limited).contains("The limit account:prod is used up (2 of 2 taken)"));
        assert!(says("interrupted", standing("run", "ready", None)).contains("muster run resume r1"));
    }

    #[test]
    fn a_run_is_stranded_when_nobody_lives_who_could_go_on() {
        let mut now = standing("run", "ready", None);
        assert!(!is_stranded(&now), "a worker lives");
        now.nodes[0].worker = false;
        assert!(is_stranded(&now));
        now.lanes[0].node = Some("n1".into());
        assert!(!is_stranded(&now), "it is kept for a node that lives");
        now.now = "2026-11-21T05:02:00Z".parse().unwrap();
        assert!(is_stranded(&now));
    }
}
