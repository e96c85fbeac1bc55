//! When a question is asked, and what counts as a difference: pure decisions over a plan as said.

use muster_api::plan::{LEFT_OUT, PlanAttributes, PurposeSaid, Touches};

use crate::exit::Exit;

/// The question to ask before this plan is carried out; none if it may go ahead.
///
/// - What changes something at the provider is asked, always (ICT-19).
/// - `update` also asks before it works inside servers; for `deploy` that is what was asked for (ICT-16, ICT-17).
/// - What only writes our own records changes nobody's servers and is not asked: a lost database finds its own.
pub fn question(purpose: PurposeSaid, plan: &PlanAttributes) -> Option<String> {
    let touches = |what: Touches| plan.steps.iter().any(|step| step.touches == what);
    let provider = touches(Touches::Provider);
    let inside = touches(Touches::Inside) && purpose != PurposeSaid::Deploy;
    match (provider, inside) {
        (true, _) if purpose == PurposeSaid::Deploy => Some("Make these changes, then deploy?".to_owned()),
        (true, _) => Some("Make these changes?".to_owned()),
        (false, true) => Some("Do this inside the servers?".to_owned()),
        (false, false) => None,
    }
}

/// Whether something wanted is not possible now. What `--only` left out was not wanted this time.
pub fn waits(plan: &PlanAttributes) -> bool {
    plan.waiting.iter().any(|waiting| waiting.why != LEFT_OUT)
}

/// Whether the world differs from the file. What `deploy` always does is no difference, and neither is a record.
pub fn differs(purpose: PurposeSaid, plan: &PlanAttributes) -> bool {
    let steps = plan.steps.iter().any(|step| match step.touches {
        Touches::Provider => true,
        Touches::Inside => purpose != PurposeSaid::Deploy,
        Touches::Record => false,
    });
    steps || waits(plan)
}

/// How a command ends that has nothing to carry out.
pub fn nothing_to_do(plan: &PlanAttributes) -> Exit {
    if waits(plan) { Exit::Partly } else { Exit::Done }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::sample;
    use muster_api::plan::WaitingSaid;

    /// ICT-16, ICT-17, ICT-19: `deploy` asks before changing servers, and not when it only provisions.
    #[test]
    fn asks_when_something_would_change() {
        let mut plan = sample::plan();
        assert_eq!(question(PurposeSaid::Update, &plan).unwrap(), "Make these changes?");
        assert_eq!(question(PurposeSaid::Deploy, &plan).unwrap(), "Make these changes, then deploy?");
        plan.steps.retain(|step| step.touches != Touches::Provider);
        assert_eq!(question(PurposeSaid::Update, &plan).unwrap(), "Do this inside the servers?");
        assert_eq!(question(PurposeSaid::Deploy, &plan), None);
        plan.steps.retain(|step| step.touches == Touches::Record);
        assert!(!plan.steps.is_empty());
        assert_eq!(question(PurposeSaid::Update, &plan), None);
        assert!(!differs(PurposeSaid::Update, &plan));
    }

    #[test]
    fn what_was_left_out_does_not_wait() {
        let mut plan = sample::empty_plan();
        assert_eq!(nothing_to_do(&plan), Exit::Done);
        let waiting =
            |why: &str| WaitingSaid { target: "web-1".into(), why: why.into(), message: String::new() };
        plan.waiting = vec![waiting(LEFT_OUT)];
        assert_eq!(nothing_to_do(&plan), Exit::Done);
        assert!(!differs(PurposeSaid::Update, &plan));
        plan.waiting.push(waiting("unclaimed"));
        assert_eq!(nothing_to_do(&plan), Exit::Partly);
        assert!(differs(PurposeSaid::Update, &plan));
    }
}
