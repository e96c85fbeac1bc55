//! A plan as people read it: every step with its why, what waits, what is worth saying, one summary line.

use std::fmt::Write;

use muster_api::plan::{NOT_RESTORED, NoteSaid, PlanAttributes, Sign, StepSaid, Touches};

use super::price;
use super::style::{self, BAD, FAINT, STRONG, WARN};

/// Steps drawn one by one; the rest is counted (`--format json` has all).
pub const STEPS_SHOWN_MAX: usize = 1_000;
/// Notes of one kind drawn one by one.
pub const NOTES_SHOWN_MAX: usize = 10;

/// Things that do not come back, drawn one by one.
const LOST_SHOWN_MAX: usize = 100;

/// A plan.
pub fn plan(plan: &PlanAttributes) -> String {
    let mut out = String::new();
    head(&mut out, plan);
    steps(&mut out, plan);
    waiting(&mut out, plan);
    not_restored(&mut out, plan);
    notes(&mut out, plan);
    refusals(&mut out, plan);
    summary(&mut out, plan);
    if let Some(cost) = &plan.cost {
        out.push_str(&price::plan(cost));
    }
    out
}

fn head(out: &mut String, plan: &PlanAttributes) {
    let _ = write!(out, "{STRONG}Plan for {}{STRONG:#}", plan.subject);
    if let Some(number) = plan.rollback_to {
        let _ = write!(out, "{STRONG}, back to revision {number}{STRONG:#}");
    }
    if let (Some(account), Some(identity)) = (&plan.account, &plan.identity) {
        let _ = write!(out, " {FAINT}at {account} ({identity}){FAINT:#}");
    }
    out.push('\n');
    for warning in &plan.warnings {
        let _ = writeln!(out, "{WARN}warning{WARN:#}: {warning}");
    }
}

fn steps(out: &mut String, plan: &PlanAttributes) {
    if plan.steps.is_empty() {
        return;
    }
    out.push('\n');
    let shown = &plan.steps[..plan.steps.len().min(STEPS_SHOWN_MAX)];
    let target = width(shown, |step| &step.target, 32);
    let action = width(shown, |step| &step.action, 20);
    for step in shown {
        line(out, step, target, action);
    }
    if plan.steps.len() > shown.len() {
        let _ =
            writeln!(out, "  … and {} more steps (--format json has all)", plan.steps.len() - shown.len());
    }
}

fn width(steps: &[StepSaid], of: impl Fn(&StepSaid) -> &str, most: usize) -> usize {
    steps.iter().map(|step| of(step).chars().count()).max().unwrap_or(0).min(most)
}

fn line(out: &mut String, step: &StepSaid, target: usize, action: usize) {
    let (mark, color) = style::sign(step.sign);
    let _ = write!(out, "  {color}{mark} {:<target$}  {:<action$}{color:#}", step.target, step.action);
    if !step.detail.is_empty() {
        let _ = write!(out, "  {}", step.detail);
    }
    trim(out);
    let _ = writeln!(out, "  {FAINT}({}){FAINT:#}", step.reason);
    // What is made has all its values in its detail already.
    let made = step.sign == Sign::Create;
    for change in step.changes.iter().filter(|_| !made) {
        let old = if change.old.is_empty() { "nothing" } else { &change.old };
        let new = if change.new.is_empty() { "nothing" } else { &change.new };
        let _ = writeln!(out, "      {}: {old} → {new}", change.field);
    }
    if step.touches == Touches::Provider {
        match step.risk.as_str() {
            "interrupts" => drop(writeln!(out, "      {WARN}the server may pause{WARN:#}")),
            "destroys" => drop(writeln!(out, "      {BAD}its data is lost{BAD:#}")),
            _ => {}
        }
    }
}

fn trim(out: &mut String) {
    while out.ends_with(' ') {
        out.pop();
    }
}

fn waiting(out: &mut String, plan: &PlanAttributes) {
    if plan.waiting.is_empty() {
        return;
    }
    out.push_str("\nWanted, and not possible now:\n");
    for waiting in plan.waiting.iter().take(STEPS_SHOWN_MAX) {
        let _ = writeln!(out, "  {WARN}! {}{WARN:#}  {}: {}", waiting.target, waiting.why, waiting.message);
    }
}

/// What going back to a revision does not bring back.
fn not_restored(out: &mut String, plan: &PlanAttributes) {
    let lost: Vec<&NoteSaid> = plan.notes.iter().filter(|note| note.kind == NOT_RESTORED).collect();
    if lost.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{WARN}What does not come back:{WARN:#}");
    for note in lost.iter().take(LOST_SHOWN_MAX) {
        let _ = writeln!(out, "  {WARN}! {}{WARN:#}  {}", note.target, note.message);
    }
    if lost.len() > LOST_SHOWN_MAX {
        let _ = writeln!(out, "  … and {} more (--format json has all)", lost.len() - LOST_SHOWN_MAX);
    }
}

fn notes(out: &mut String, plan: &PlanAttributes) {
    let notes: Vec<&NoteSaid> = plan.notes.iter().filter(|note| note.kind != NOT_RESTORED).collect();
    if notes.is_empty() {
        return;
    }
    out.push_str("\nWorth knowing:\n");
    for note in notes.iter().take(NOTES_SHOWN_MAX) {
        let _ = writeln!(out, "  {FAINT}i {}{FAINT:#}  {}", note.target, note.message);
    }
    if notes.len() > NOTES_SHOWN_MAX {
        let _ = writeln!(out, "  … and {} more (--format json has all)", notes.len() - NOTES_SHOWN_MAX);
    }
}

fn refusals(out: &mut String, plan: &PlanAttributes) {
    if plan.state != "refused" {
        return;
    }
    let _ = writeln!(out, "\n{BAD}This plan is refused:{BAD:#}");
    for refusal in &plan.refusals {
        let _ = writeln!(
            out,
            "  {BAD}✗ {}{BAD:#}  {} {FAINT}({}){FAINT:#}",
            refusal.target, refusal.message, refusal.code
        );
    }
    if let Some(message) = &plan.message {
        let _ = writeln!(out, "  {BAD}✗{BAD:#} {message}");
    }
}

fn summary(out: &mut String, plan: &PlanAttributes) {
    if plan.state == "refused" && plan.hash.is_none() {
        return;
    }
    let nothing = plan.steps.is_empty() && plan.waiting.is_empty() && plan.refusals.is_empty();
    out.push('\n');
    if let (true, Some(number)) = (nothing, plan.rollback_to) {
        let _ = writeln!(out, "Nothing to do: everything is as revision {number} says.");
        return;
    }
    if nothing {
        let wanted = if plan.infrastructure.is_some() { "as the file says" } else { "as you want it" };
        let _ = writeln!(out, "Nothing to do: everything is {wanted}.");
        return;
    }
    let _ = writeln!(out, "{STRONG}{}.{STRONG:#}", plan.summary.text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::sample;
    use crate::view::style::plain;
    use muster_api::plan::{RefusalSaid, SummarySaid, WaitingSaid};

    /// ICT-18, ICT-62: before the question every difference is told, with old and new values, names and numbers.
    #[test]
    fn a_plan_tells_every_step() {
        let mut sample = sample::plan();
        sample.waiting.push(WaitingSaid {
            target: "web-3".into(),
            why: "unclaimed".into(),
            message: "a server of this name is not ours; `muster infra adopt shop web-3` takes it".into(),
        });
        sample.notes.push(NoteSaid {
            target: "mail".into(),
            kind: "stranger".into(),
            message: "in the account, not ours, not touched".into(),
        });
        insta::assert_snapshot!(plain(&plan(&sample)));
    }

    #[test]
    fn a_refused_plan_says_why() {
        let mut sample = sample::empty_plan();
        sample.state = "refused".into();
        sample.refusals.push(RefusalSaid {
            target: "db-1".into(),
            code: "disk-shrink".into(),
            message: "the disk cannot shrink from 100 to 40 GiB".into(),
        });
        sample.summary = SummarySaid { text: "0 to create".into(), ..SummarySaid::default() };
        insta::assert_snapshot!(plain(&plan(&sample)));
    }

    /// ICT-37: before the question, what going back loses stands apart from what is merely worth knowing.
    #[test]
    fn a_rollback_says_what_does_not_come_back() {
        let note = |target: &str, kind: &str, message: &str| NoteSaid {
            target: target.into(),
            kind: kind.into(),
            message: message.into(),
        };
        let mut sample = sample::plan();
        sample.rollback_to = Some(1);
        sample.steps.truncate(1);
        sample.notes = vec![
            note("shop", "rollback", "This goes back to revision 1 of 2026-11-21 05:00 UTC by ann."),
            note("web-1", "not-restored", "It comes back empty: a new disk, a new id, new addresses."),
        ];
        sample.summary.text = "1 to create, 0 to change, 0 to replace, 0 to delete".into();
        insta::assert_snapshot!(plain(&plan(&sample)));
    }

    #[test]
    fn nothing_to_do_is_one_sentence() {
        insta::assert_snapshot!(plain(&plan(&sample::empty_plan())));
    }

    #[test]
    fn a_large_plan_is_cut() {
        let mut sample = sample::plan();
        let step = sample.steps[0].clone();
        sample.steps = vec![step; STEPS_SHOWN_MAX + 7];
        let text = plain(&plan(&sample));
        assert!(text.contains("and 7 more steps"));
        assert!(text.lines().count() < STEPS_SHOWN_MAX + 20);
    }
}
