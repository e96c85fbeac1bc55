//! What the journal tells of the attempts at an opaque step before this one.

use jiff::Timestamp;
use muster_model::id::{Attempt, StepNumber};
use muster_model::run::{Entry, EntryKind, FailureClass};

use super::{StepContext, StepError};
use crate::runner::retry_between;

/// The attempts at one step so far, seen from the last time that a person asked for another try.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Past {
    /// The first attempt since one was given up: all that follow it ask for the same thing, under its name, however
    /// many owners there were in between.
    pub(super) first: Option<Attempt>,
    /// The newest attempt if it was begun and has no outcome in the journal.
    pub(super) open: Option<Attempt>,
    /// The newest attempt that was begun.
    newest: Option<Attempt>,
    /// What was said when an outcome could not be learned: it is not begun again by itself.
    pub(super) unknown: Option<String>,
    /// Attempts before a person asked for another try, newest first.
    pub(super) before_retry: Vec<Attempt>,
}

/// Reads it; nothing is read for a step that was never begun.
pub(super) async fn past(ctx: &StepContext) -> Result<Past, StepError> {
    if ctx.previous.is_none() {
        return Ok(Past::default());
    }
    let (run, lane) = (ctx.journal.run(), ctx.journal.claim().lane);
    let entries = ctx.history.of_lane(&ctx.engine, run, lane).await?;
    let retried_at = ctx.history.retried_at(&ctx.engine, run, lane).await?;
    Ok(Past::of(ctx.step.number, &entries, retried_at))
}

impl Past {
    /// From the journal of the step's lane, and the time of the last retry where that is told in another lane's.
    fn of(number: StepNumber, entries: &[Entry], mut retried_at: Option<Timestamp>) -> Past {
        let mut past = Past::default();
        let mut has_failed = false;
        for entry in entries {
            if retried_at.is_some_and(|at| at < entry.at) {
                retried_at = None;
                past.begin_anew();
            }
            if retry_between(&mut has_failed, &entry.kind) {
                past.begin_anew();
            }
            past.note(number, &entry.kind);
        }
        if retried_at.is_some() {
            past.begin_anew();
        }
        past
    }

    fn begin_anew(&mut self) {
        let newest = self.newest;
        let before_retry = (1..=newest.map_or(0, |newest| newest.0)).rev().map(Attempt).collect();
        *self = Past { newest, before_retry, ..Past::default() };
    }

    fn note(&mut self, number: StepNumber, kind: &EntryKind) {
        match kind {
            EntryKind::Started { step, attempt } if *step == number => {
                self.first.get_or_insert(*attempt);
                self.open = Some(*attempt);
                self.newest = Some(*attempt);
            }
            EntryKind::Failed { step, class, message, again, .. } if *step == number => {
                self.open = None;
                if *class == FailureClass::UnknownOutcome && !again {
                    self.unknown.get_or_insert_with(|| message.clone());
                } else if !again {
                    self.first = None;
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use muster_model::id::{Fence, LaneNumber, RunId, Sequence};
    use muster_model::run::RunState;

    use super::*;

    fn past(kinds: &[EntryKind], retried_at: Option<i64>) -> Past {
        let entry = |(number, kind): (usize, &EntryKind)| Entry {
            run: RunId(uuid::Uuid::nil()),
            lane: LaneNumber(1),
            seq: Sequence(number as u64 + 1),
            fence: Fence(1),
            at: Timestamp::from_second(number as i64).unwrap(),
            kind: kind.clone(),
        };
        let entries: Vec<Entry> = kinds.iter().enumerate().map(entry).collect();
        Past::of(StepNumber(1), &entries, retried_at.map(|at| Timestamp::from_second(at).unwrap()))
    }

    fn started(attempt: u32) -> EntryKind {
        EntryKind::Started { step: StepNumber(1), attempt: Attempt(attempt) }
    }

    fn failed(class: FailureClass, again: bool) -> EntryKind {
        EntryKind::Failed { step: StepNumber(1), attempt: Attempt(2), class, message: "m".into(), again }
    }

    #[test]
    fn every_owner_asks_for_the_same_command() {
        use FailureClass::{Refused, Transient, UnknownOutcome};
        let first = |kinds: &[EntryKind]| past(kinds, None).first.map(|attempt| attempt.0);
        assert_eq!(first(&[started(1), started(2), started(3)]), Some(1), "taken over twice");
        assert_eq!(first(&[started(1), failed(Transient, true), started(2)]), Some(1));
        assert_eq!(first(&[started(1), failed(Refused, false), started(2), started(3)]), Some(2));
        let unknown = past(&[started(1), failed(UnknownOutcome, false), started(2)], None);
        assert_eq!(unknown.unknown.as_deref(), Some("m"), "only a person begins that again");
        let other = EntryKind::Started { step: StepNumber(2), attempt: Attempt(1) };
        assert_eq!(past(&[other], None), Past::default());
    }

    #[test]
    fn a_person_who_asks_again_begins_a_new_command() {
        let run = |state| EntryKind::Run { state, message: None };
        let unknown = failed(FailureClass::UnknownOutcome, false);
        let told =
            [started(1), started(2), unknown, run(RunState::Failed), run(RunState::Running), started(3)];
        let wanted = Past {
            first: Some(Attempt(3)),
            open: Some(Attempt(3)),
            newest: Some(Attempt(3)),
            unknown: None,
            before_retry: vec![Attempt(2), Attempt(1)],
        };
        assert_eq!(past(&told, None), wanted);
        // Told in another lane, in the second after the second attempt.
        let elsewhere = past(&[started(1), started(2), started(3)], Some(1));
        assert_eq!(elsewhere.first, Some(Attempt(3)));
        assert_eq!(elsewhere.before_retry, vec![Attempt(2), Attempt(1)]);
        let waiting = past(&[started(1)], Some(5));
        assert_eq!((waiting.first, waiting.before_retry), (None, vec![Attempt(1)]));
    }
}
