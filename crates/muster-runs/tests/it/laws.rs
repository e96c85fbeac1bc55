//! What must hold of every run's journal, whatever happened to the processes that wrote it.

use std::collections::{BTreeMap, BTreeSet};

use muster_model::plan::Step;
use muster_model::run::{Entry, EntryKind, Run, RunState};

/// The journal of a run is legal: dense, states follow the table, *started* before an outcome, nothing after the end.
///
/// A failure may come without *started*: the look before the effect failed, and so nothing was begun.
pub fn journal_is_legal(run: &Run, steps: &[Step], entries: &[Entry]) {
    let mut state = RunState::Ready;
    let mut started: BTreeMap<u32, u32> = BTreeMap::new();
    let mut ended: BTreeMap<u32, u32> = BTreeMap::new();
    let mut succeeded: BTreeSet<u32> = BTreeSet::new();
    let mut skipped: BTreeSet<u32> = BTreeSet::new();
    let mut fence = 0;
    for (expected, entry) in (1..).zip(entries) {
        let at = format!("run {} seq {}: {:?}", run.id, entry.seq, entry.kind);
        assert_eq!(entry.seq.0, expected, "{at}: sequence numbers are dense");
        assert!(entry.fence.0 >= fence, "{at}: fences never fall");
        fence = entry.fence.0;
        assert!(!state.is_final(), "{at}: nothing follows {state:?}");
        match &entry.kind {
            EntryKind::Run { state: next, .. } => {
                assert!(state.may_become(*next), "{at}: {state:?} never becomes that");
                state = *next;
                continue;
            }
            // Whoever waits for nothing writes nothing.
            _ => assert_eq!(state, RunState::Running, "{at}: only a running run writes"),
        }
        match &entry.kind {
            EntryKind::Started { step, attempt } => {
                let newest = started.get(&step.0).max(ended.get(&step.0)).copied().unwrap_or(0);
                assert!(attempt.0 > newest, "{at}: attempts rise (the last was {newest})");
                assert!(!succeeded.contains(&step.0), "{at}: what succeeded is not begun again");
                let of_plan = steps.iter().find(|one| one.number == *step).expect("a step of the plan");
                for before in &of_plan.after {
                    assert!(succeeded.contains(&before.0), "{at}: {before} has not succeeded");
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
                assert!(!succeeded.contains(&step.0), "{at}: was done");
                assert!(skipped.insert(step.0), "{at}: is left out once");
                assert!(!message.is_empty(), "{at}: says why");
            }
            EntryKind::Run { .. } | EntryKind::Progress { .. } | EntryKind::Task { .. } => {}
        }
    }
    assert_eq!(run.state, state, "run {}: its row and its journal agree", run.id);
    if matches!(state, RunState::Succeeded | RunState::Partly) {
        assert_eq!(succeeded.len(), steps.len(), "run {}: {state:?} means every step", run.id);
    }
    if matches!(state, RunState::Failed | RunState::Stale | RunState::Cancelled) {
        assert!(run.message.as_deref().is_some_and(|why| !why.is_empty()), "run {}: says why", run.id);
    }
}
