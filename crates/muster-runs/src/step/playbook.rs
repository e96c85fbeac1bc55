//! Playbooks: checked before any host is touched, run by Ansible in a private directory, told per host and task. One
//! that an earlier owner began is taken up first; only where there is no trace of it may another one begin.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::time::Duration;

use muster_model::Secret;
use muster_model::ansible::{Inventory, Question, check};
use muster_model::code::EXPORTED;
use muster_model::diagnostic::{Diagnostic, Severity};
use muster_model::document::{Kind, Placeholder, resolve};
use muster_model::id::{ProviderId, SecretName};
use muster_model::ownership::Provisioned;
use muster_model::plan::{Action, PlanDraft, PlaybookRef, ProvisionAction, ProvisionHost};
use muster_model::run::{Fact, FailureClass, Output};
use muster_outside::ansible::builtin::{NODE_EXPORTER_PLAYBOOK, NodeExporterSource, node_exporter};
use muster_outside::ansible::{AnsibleError, Guard, PlaybookRun, RunFile};
use muster_outside::host::ssh::HostKeyPolicy;
use muster_outside::supervise::{Owner, StartError, Why};
use tokio_util::sync::CancellationToken;

use self::earlier::{folder, following, stays_here, taken_up};
pub(super) use self::earlier::{may_begin, settled};
use self::told::Told;
use super::provision::{Target, bundle_files, inventory_of, targets};
use super::{StepContext, StepError};
use crate::journal::Stop;
use crate::secret::BECOME_PASSWORD;

mod earlier;
mod told;

/// The longest one playbook may take.
const PLAYBOOK_LIMIT: Duration = Duration::from_secs(4 * 3600);
/// The name under which a client sends the password of `--ask-become-pass`.
/// Problems of a playbook that are shown at once.
const PROBLEMS_SHOWN_MAX: usize = 20;

pub(super) async fn act(
    ctx: &StepContext,
    action: &ProvisionAction,
) -> Result<(Output, Vec<Fact>), StepError> {
    let ProvisionAction::Playbook { playbook, digest, hosts, vars, tags, skip_tags, .. } = action else {
        return Err(StepError::refused("this step is not a playbook"));
    };
    // A playbook may speak of every host of the file (`groups['data']`), and touches those of its entry only.
    let everybody = targets(ctx, inventory_hosts(&ctx.plan.draft, playbook).unwrap_or(hosts)).await?;
    let inventory = inventory_of(&everybody)?;
    let targets: Vec<&Target> =
        everybody.iter().filter(|target| hosts.iter().any(|host| host.name == target.name)).collect();
    let (path, files, mut extra_vars) = files_of(ctx, playbook).await?;
    let opened = open_vars(ctx, vars).await?;
    extra_vars.extend(opened.vars);
    check_first(&path, &files, &inventory, &extra_vars, !tags.is_empty() || !skip_tags.is_empty())?;

    let guard = Guard {
        folder: folder(ctx, ctx.attempt),
        owner: Owner { token: ctx.journal.claim().fence.0, lease: ctx.engine.lease.clone() },
        let_go: CancellationToken::new(),
        outlives: stays_here(ctx),
    };
    let outcome = match taken_up(ctx, shown(playbook), &guard).await? {
        // A person who asked for another try wants one, unless the first went well without anybody's knowing.
        Some(outcome) if !ctx.asked_again || outcome.success() => outcome,
        Some(_) | None => {
            let key = ctx
                .engine
                .login_key_pair(&ctx.session.account)
                .await
                .map_err(|error| StepError::refused(error.to_string()))?;
            let mark = ctx.world().ids.next().simple().to_string();
            let mut run = PlaybookRun::new(&mark, &path, inventory);
            run.files = files;
            run.hosts = everybody
                .iter()
                // One that was never reached is in the inventory for its facts only.
                .filter(|target| !matches!(target.host.host_key, HostKeyPolicy::FirstUse))
                .map(|target| (target.name.to_string(), target.host.clone()))
                .collect();
            if targets.len() < everybody.len() {
                run.limit = targets.iter().map(|target| target.name.to_string()).collect();
            }
            run.tags.clone_from(tags);
            run.skip_tags.clone_from(skip_tags);
            run.extra_vars = extra_vars;
            run.hidden = opened.hidden;
            run.become_password = ctx.value_of_environment(BECOME_PASSWORD).await?;
            run.login = Some((ctx.engine.config.runtime_dir.clone(), vec![key]));
            run.limit_of_time = PLAYBOOK_LIMIT;
            run.guard = Some(guard.clone());
            ctx.engine.home.sweep_children(ctx.world().clock.now());
            let mut told = Told::new(ctx, guard.clone(), run.cancel.clone());
            let outcome = following(ctx, &guard, ctx.engine.outside.ansible.run(&run, &mut told)).await;
            told.flush().await?;
            match outcome {
                Ok(outcome) => outcome,
                Err(error) => return Err(failure(ctx, &error).await),
            }
        }
    };

    let facts: Vec<Fact> = targets
        .iter()
        .filter_map(|target| outcome.hosts.get(target.name.as_str()).map(|result| (target, result)))
        .map(|(target, result)| reached(ctx, &target.id, playbook, digest, result.stats.well()))
        .collect();
    if outcome.success() {
        let changed = outcome.hosts.values().filter(|result| result.stats.changed > 0).count() as u32;
        let unchanged = outcome.hosts.len() as u32 - changed;
        return Ok((Output::Hosts { changed, unchanged }, facts));
    }
    // What succeeded on some hosts stays known, so that the next plan begins with the others.
    ctx.say(format!("{} did not succeed everywhere", shown(playbook)), facts).await?;
    Err(StepError::Failed(FailureClass::Refused, complaint(playbook, &outcome, &targets)))
}

/// Variables with their placeholders replaced, and the texts that must not be seen.
pub(super) struct Opened {
    pub(super) vars: Vars,
    pub(super) hidden: Vec<Secret>,
}

/// Opens `${secret:…}` and `${env:…}` just before the step needs them.
pub(super) async fn open_vars(ctx: &StepContext, vars: &Vars) -> Result<Opened, StepError> {
    let mut wanted: Vec<Placeholder> = Vec::new();
    for value in vars.values() {
        let note = resolve(value, &mut |placeholder: &Placeholder| {
            wanted.push(placeholder.clone());
            Ok::<_, Infallible>(String::new())
        });
        note.unwrap_or_else(|never| match never {});
    }
    let mut values: Vec<(Placeholder, Secret)> = Vec::new();
    for placeholder in wanted {
        let value = match placeholder.kind {
            Kind::Secret => {
                let name = SecretName(placeholder.name.clone());
                let found = ctx.engine.secret_value(&ctx.plan.space, &name).await;
                found.map_err(|error| StepError::refused(error.to_string()))?.ok_or_else(|| {
                    StepError::refused(format!("the secret {name} is not there: `muster secret set {name}`"))
                })?
            }
            Kind::Env => ctx.value_of_environment(&placeholder.name).await?.ok_or_else(|| {
                StepError::refused(format!(
                    "${{env:{}}} was not sent with the plan; set it and plan again",
                    placeholder.name
                ))
            })?,
            Kind::Var => {
                let message =
                    format!("the variable {} was not replaced when the file was read", placeholder.name);
                return Err(StepError::refused(message));
            }
        };
        values.push((placeholder, value));
    }
    let mut lookup = |placeholder: &Placeholder| {
        let found = values.iter().find(|(known, _)| known == placeholder);
        Ok::<_, Infallible>(found.map_or_else(String::new, |(_, value)| value.expose().to_owned()))
    };
    let vars = vars
        .iter()
        .map(|(name, value)| {
            (name.clone(), resolve(value, &mut lookup).unwrap_or_else(|never| match never {}))
        })
        .collect();
    Ok(Opened { vars, hidden: values.into_iter().map(|(_, value)| value).collect() })
}

/// The hosts of the plan's inventory step, for playbooks of the file.
pub(crate) fn inventory_hosts<'p>(
    draft: &'p PlanDraft,
    playbook: &PlaybookRef,
) -> Option<&'p [ProvisionHost]> {
    if *playbook == PlaybookRef::NodeExporter {
        return None;
    }
    draft.steps.iter().find_map(|step| match &step.action {
        Action::Provision(ProvisionAction::Inventory { hosts }) => Some(hosts.as_slice()),
        _ => None,
    })
}

fn shown(playbook: &PlaybookRef) -> &str {
    match playbook {
        PlaybookRef::NodeExporter => "installing node_exporter",
        PlaybookRef::File(path) => path,
    }
}

type Files = BTreeMap<String, RunFile>;
type Vars = BTreeMap<String, serde_json::Value>;

async fn files_of(ctx: &StepContext, playbook: &PlaybookRef) -> Result<(String, Files, Vars), StepError> {
    match playbook {
        PlaybookRef::NodeExporter => {
            let (files, vars) = node_exporter(&NodeExporterSource::Package);
            Ok((NODE_EXPORTER_PLAYBOOK.to_owned(), files, vars))
        }
        PlaybookRef::File(path) => {
            let files = bundle_files(ctx, "").await?;
            let files = files
                .into_iter()
                // Ansible reads none of the code that was exported for delivery.
                .filter(|(path, _)| !path.starts_with(EXPORTED))
                .map(|(path, file)| (path, RunFile { content: file.content, mode: file.mode }))
                .collect();
            Ok((path.trim_start_matches("./").to_owned(), files, Vars::new()))
        }
    }
}

/// Checks every playbook of the file's deployment. The inventory comes before all of it, so that a playbook which
/// cannot work is found before the code or the playbook in front of it touches a host.
pub(super) async fn check_all(ctx: &StepContext, inventory: &Inventory) -> Result<(), StepError> {
    for step in &ctx.plan.draft.steps {
        let Action::Provision(ProvisionAction::Playbook {
            playbook: playbook @ PlaybookRef::File(_),
            vars,
            tags,
            skip_tags,
            ..
        }) = &step.action
        else {
            continue;
        };
        let (path, files, mut extra_vars) = files_of(ctx, playbook).await?;
        extra_vars.extend(vars.clone());
        check_first(&path, &files, inventory, &extra_vars, !tags.is_empty() || !skip_tags.is_empty())?;
    }
    Ok(())
}

/// ICT-27: what Ansible would stop at in the middle stops here, before any host is touched.
fn check_first(
    path: &str,
    files: &Files,
    inventory: &Inventory,
    vars: &Vars,
    tags: bool,
) -> Result<(), StepError> {
    let texts = files.iter().map(|(path, file)| (path.as_str(), file.content.as_ref()));
    let extra_vars: BTreeSet<String> = vars.keys().cloned().collect();
    let question = Question { playbook: path, inventory: Some(inventory), extra_vars, tags };
    let problems: Vec<String> = check(texts, &question)
        .items
        .iter()
        .filter(|problem| problem.severity == Severity::Error)
        .map(Diagnostic::one_line)
        .collect();
    if problems.is_empty() {
        return Ok(());
    }
    let more = problems.len().saturating_sub(PROBLEMS_SHOWN_MAX);
    let mut text = problems.into_iter().take(PROBLEMS_SHOWN_MAX).collect::<Vec<_>>().join("; ");
    if more > 0 {
        text.push_str(&format!("; and {more} more"));
    }
    Err(StepError::refused(format!("no host was touched, because {path} cannot work: {text}")))
}

async fn failure(ctx: &StepContext, error: &AnsibleError) -> StepError {
    match error {
        AnsibleError::LetGo { .. } => return StepError::LetGo,
        // Somebody else has the lane, and the playbook with it.
        AnsibleError::Start { source: StartError::Older { .. } | StartError::Lapsed, .. } => {
            return Stop::Fenced.into();
        }
        // Perhaps this process was frozen. If the lease is gone with it, the outcome is not ours to write.
        AnsibleError::Ended { why: Why::Unrenewed, .. } if !ctx.engine.lease.may_start().await => {
            return Stop::Fenced.into();
        }
        _ => {}
    }
    let message = crate::error::chain(error);
    if error.may_have_acted() { StepError::unknown(message) } else { StepError::refused(message) }
}

fn reached(
    ctx: &StepContext,
    id: &ProviderId,
    playbook: &PlaybookRef,
    digest: &str,
    succeeded: bool,
) -> Fact {
    Fact::Provisioned {
        account: ctx.session.account.identity.clone(),
        id: id.clone(),
        key: playbook.key().to_owned(),
        outcome: Provisioned { digest: digest.to_owned(), succeeded, at: ctx.world().clock.now() },
    }
}

fn complaint(
    playbook: &PlaybookRef,
    outcome: &muster_outside::ansible::RunOutcome,
    targets: &[&Target],
) -> String {
    let failed: Vec<String> = outcome
        .hosts
        .iter()
        .filter(|(_, result)| !result.stats.well())
        .map(|(host, result)| match &result.failure {
            Some((task, message)) => format!("{host} at `{task}`: {message}"),
            None => format!("{host}: it could not be reached"),
        })
        .collect();
    let what = if failed.is_empty() { outcome.complaint.clone() } else { failed.join("; ") };
    // Ansible's own words, the same since version 1.
    let next = if what.contains("Missing sudo password") {
        "; sudo there wants a password: run it again with `--ask-become-pass`"
    } else if what.contains("Incorrect sudo password") {
        "; the password given at `--ask-become-pass` is not the one that sudo wants there"
    } else {
        ""
    };
    format!(
        "{} failed on {} of {} servers: {what}{next}",
        shown(playbook),
        outcome.hosts.values().filter(|result| !result.stats.well()).count(),
        targets.len()
    )
}
