//! One command, or another password, on several servers, as a plan like any other: one step a server, none after
//! another.

use muster_model::account::AccountIdentity;
use muster_model::id::{Generation, InfrastructureName, ProviderId, ServerName, StepNumber};
use muster_model::plan::{
    Action, HostAction, LockKey, LockMode, ObjectRef, OnFailure, PlanDraft, PlanHash, Reason, Risk, Step,
    Subject,
};
use ring::digest::{SHA256, digest};

use crate::hash::hex;

/// Plans one command on servers that are ours. Their locks are shared: commands may meet each other, not a change.
pub fn plan_exec(
    infrastructure: &InfrastructureName,
    account: &AccountIdentity,
    servers: &[(ServerName, ProviderId)],
    argv: &[String],
) -> PlanDraft {
    on_each(infrastructure, account, servers, LockMode::Shared, |name, server| HostAction::Exec {
        name,
        server,
        argv: argv.to_vec(),
    })
}

/// Plans another password on servers that are ours, each of its own. Nothing else may change them meanwhile.
pub fn plan_passwords(
    infrastructure: &InfrastructureName,
    account: &AccountIdentity,
    servers: &[(ServerName, ProviderId)],
) -> PlanDraft {
    let password = |name, server| HostAction::Password { name, server };
    on_each(infrastructure, account, servers, LockMode::Exclusive, password)
}

fn on_each(
    infrastructure: &InfrastructureName,
    account: &AccountIdentity,
    servers: &[(ServerName, ProviderId)],
    lock: LockMode,
    action: impl Fn(ServerName, ObjectRef) -> HostAction,
) -> PlanDraft {
    let steps: Vec<Step> = servers
        .iter()
        .zip(1..)
        .map(|((name, id), number)| Step {
            number: StepNumber(number),
            after: Vec::new(),
            target: name.to_string(),
            action: Action::Host(action(name.clone(), ObjectRef::Seen(id.clone()))),
            reason: Reason::Asked,
            changes: Vec::new(),
            risk: Risk::Interrupts,
        })
        .collect();
    let mut locks: Vec<(LockKey, LockMode)> =
        servers.iter().map(|(_, id)| (LockKey::Server(account.to_string(), id.clone()), lock)).collect();
    locks.sort();
    let text: String = steps.iter().map(|step| format!("{:?}\n", step.action)).collect();
    PlanDraft {
        subject: Subject::Infrastructure(infrastructure.clone()),
        based_on: Generation(0),
        steps,
        waiting: Vec::new(),
        notes: Vec::new(),
        refusals: Vec::new(),
        locks,
        lanes: Vec::new(),
        // One command on many servers: what one of them says is no reason to leave the others out.
        on_failure: OnFailure::Continue,
        hash: PlanHash(hex(digest(&SHA256, text.as_bytes()).as_ref())),
    }
}
