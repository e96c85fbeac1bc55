//! What must hold of every run's journal, whatever happened to the processes that wrote it.

use std::collections::{BTreeMap, BTreeSet};

use muster_model::id::{Fence, LaneNumber, Sequence, StepNumber};
use muster_model::plan::PlanDraft;
use muster_model::run::{Entry, EntryKind, Run, RunState};

/// The journal of a run is legal: dense, states follow the table, *started* before an outcome, nothing after the end.
///
/// A failure may come without *started*: the look before the effect failed, and so nothing was begun. The entries of
/// several lanes stand side by side: each lane is in order, and between lanes only what is there at all can be asked.
/// A failed run that a person tries again goes on in the same journal, and what it had left out may then be done.
pub fn journal_is_legal(run: &Run, draft: &PlanDraft, entries: &[Entry]) {
    let steps = &draft.steps;
    let done: BTreeSet<u32> = entries
        .iter()
        .filter_map(|entry| match &entry.kind {
            EntryKind::Succeeded { step, .. } => Some(step.0),
            _ => None,
        })
        .collect();
    let mut lanes: BTreeMap<LaneNumber, (Sequence, Fence)> = BTreeMap::new();
    let mut state = RunState::Ready;
    let mut started: BTreeMap<u32, u32> = BTreeMap::new();
    let mut ended: BTreeMap<u32, u32> = BTreeMap::new();
    let mut succeeded: BTreeSet<u32> = BTreeSet::new();
    let mut skipped: BTreeSet<u32> = BTreeSet::new();
    let mut left_out: BTreeSet<u32> = BTreeSet::new();
    let mut tries = 0;
    for entry in entries {
        let at = format!("run {} lane {} seq {}: {:?}", run.id, entry.lane, entry.seq, entry.kind);
        let (seq, fence) = lanes.entry(entry.lane).or_insert((Sequence(0), Fence(0)));
        assert_eq!(entry.seq.0, seq.0 + 1, "{at}: sequence numbers are dense");
        assert!(entry.fence >= *fence, "{at}: fences never fall");
        (*seq, *fence) = (entry.seq, entry.fence);
        let coordinates = entry.lane == LaneNumber(0);
        let tries_again = state == RunState::Failed
            && matches!(entry.kind, EntryKind::Run { state: RunState::Running, .. });
        if coordinates && tries_again {
            skipped.clear();
            tries += 1;
        }
        assert!(!coordinates || !state.is_final() || tries_again, "{at}: nothing follows {state:?}");
        match &entry.kind {
            EntryKind::Run { .. } if !coordinates => panic!("{at}: only lane 0 decides about the run"),
            EntryKind::Run { state: next, .. } => {
                assert!(state.may_become(*next), "{at}: {state:?} never becomes that");
                state = *next;
                continue;
            }
            // Whoever waits for nothing writes nothing.
            _ if coordinates => assert_eq!(state, RunState::Running, "{at}: only a running run writes"),
            _ => {}
        }
        let own = |step: &u32| draft.lane_of(StepNumber(*step)) == entry.lane;
        let of_entry = step_of(&entry.kind);
        let skips = matches!(entry.kind, EntryKind::Skipped { .. });
        assert!(skips || of_entry.is_none_or(|step| own(&step)), "{at}: a step of another lane");
        match &entry.kind {
            EntryKind::Started { step, attempt } => {
                let newest = started.get(&step.0).max(ended.get(&step.0)).copied().unwrap_or(0);
                assert!(attempt.0 > newest, "{at}: attempts rise (the last was {newest})");
                assert!(!succeeded.contains(&step.0), "{at}: what succeeded is not begun again");
                let of_plan = steps.iter().find(|one| one.number == *step).expect("a step of the plan");
                for before in &of_plan.after {
                    let known = if own(&before.0) { &succeeded } else { &done };
                    assert!(known.contains(&before.0), "{at}: {before} has not succeeded");
                }
                started.insert(step.0, attempt.0);
            }
            EntryKind::Succeeded { step, attempt, already, .. } => {
                if !already {
                    assert_eq!(started.get(&step.0), Some(&attempt.0), "{at}: no outcome without *started*");
                }
                assert!(succeeded.insert(step.0), "{at}: succeeds once");
                assert!(ended.get(&step.0).is_none_or(|last| attempt.0 > *last), "{at}: one outcome each");
                ended.insert(step.0, attempt.0);
            }
            EntryKind::Failed { step, attempt, message, .. } => {
                assert!(!succeeded.contains(&step.0), "{at}: fails after it succeeded");
                assert!(ended.get(&step.0).is_none_or(|last| attempt.0 > *last), "{at}: one outcome each");
                assert!(!message.is_empty(), "{at}: says why");
                ended.insert(step.0, attempt.0);
            }
            EntryKind::Skipped { step, message } => {
                assert!(!own(&step.0) || !succeeded.contains(&step.0), "{at}: was done");
                left_out.insert(step.0);
                assert!(skipped.insert(step.0), "{at}: is left out once");
                assert!(!message.is_empty(), "{at}: says why");
            }
            EntryKind::Run { .. } | EntryKind::Progress { .. } | EntryKind::Task { .. } => {}
        }
    }
    assert!(tries > 0 || left_out.is_disjoint(&done), "run {}: what was left out was done", run.id);
    assert_eq!(run.state, state, "run {}: its row and its journal agree", run.id);
    if matches!(state, RunState::Succeeded | RunState::Partly) {
        assert_eq!(succeeded.len(), steps.len(), "run {}: {state:?} means every step", run.id);
    }
    if matches!(state, RunState::Failed | RunState::Stale | RunState::Cancelled) {
        assert!(run.message.as_deref().is_some_and(|why| !why.is_empty()), "run {}: says why", run.id);
    }
}

fn step_of(kind: &EntryKind) -> Option<u32> {
    match kind {
        EntryKind::Started { step, .. }
        | EntryKind::Succeeded { step, .. }
        | EntryKind::Failed { step, .. }
        | EntryKind::Skipped { step, .. } => Some(step.0),
        EntryKind::Run { .. } | EntryKind::Progress { .. } | EntryKind::Task { .. } => None,
    }
}
