//! Getting a finished plan: gather the files, send what is missing, propose, wait.

use std::collections::BTreeMap;

use muster_api::Resource;
use muster_api::plan::{PlanAttributes, PlanRequest, PolicySaid, PurposeSaid, default_space};
use muster_api::secret::SecretText;
use muster_model::Secret;
use muster_model::id::PlanId;

use super::super::first_run::ensure_account;
use super::super::gather::{Gathered, env_names, gather};
use super::super::{Context, find, vars};
use super::change::Asked;
use crate::exit::{Exit, Failure};

/// Longest wait for a plan, in seconds: six lists of a slow provider with their retries.
const PLAN_SECONDS_MAX: u64 = 600;

/// The variable in which the password of `--ask-become-pass` travels; sealed with the run.
pub const BECOME_PASS: &str = "ANSIBLE_BECOME_PASS";

/// A plan's id from text.
pub fn plan_id(text: &str) -> Result<PlanId, Failure> {
    text.parse().map_err(|_| Failure::usage(format!("`{text}` is no plan's id")))
}

/// Proposes a plan and waits for it.
pub async fn proposed(
    purpose: PurposeSaid,
    asked: &Asked,
    context: &Context<'_>,
) -> Result<Resource<PlanAttributes>, Failure> {
    let options = &asked.options;
    let vars = vars::vars(&options.vars, &options.var_files)?;
    let extra_vars = vars::extra_vars(&options.extra_vars)?;
    let gathered = gathered(purpose, asked, context)?;
    ensure_account(context, options.account.as_deref()).await?;
    let mut env = environment(gathered.as_ref())?;
    if options.ask_become_pass {
        env.insert(BECOME_PASS.to_owned(), SecretText(become_pass(context)?));
    }
    if let Some(gathered) = &gathered {
        gathered.send(&context.client).await?;
    }
    let request = PlanRequest {
        space: default_space(),
        infrastructure: asked.name.clone(),
        bundle: gathered.as_ref().map(Gathered::said).unwrap_or_default(),
        entry: gathered.map(|gathered| gathered.entry),
        vars,
        env,
        account: options.account.clone(),
        policy: PolicySaid {
            purpose,
            allow_deletes: options.allow_deletes,
            allow_replace: options.allow_replace,
            adopt: options.adopt || purpose == PurposeSaid::Adopt,
            skip_provision: options.skip_provision,
            only: options.only.iter().cloned().collect(),
            names: asked.names.iter().cloned().collect(),
            tags: options.tags.clone(),
            skip_tags: options.skip_tags.clone(),
            extra_vars,
        },
    };
    let plan = context.client.submit(request, None).await?;
    finished(plan, context).await
}

/// The files; a plan that only lets go needs none, so that a file that is gone can be destroyed too.
fn gathered(purpose: PurposeSaid, asked: &Asked, context: &Context<'_>) -> Result<Option<Gathered>, Failure> {
    let found = find::find(&asked.name, &find::places(&context.here, &context.home));
    match (found, purpose) {
        (Ok(found), _) => gather(&found).map(Some),
        (Err(_), PurposeSaid::Destroy | PurposeSaid::Disown) => Ok(None),
        (Err(failure), PurposeSaid::Update | PurposeSaid::Deploy | PurposeSaid::Adopt) => Err(failure),
    }
}

/// Environment variables that the document asks for, read here and nowhere else.
fn environment(gathered: Option<&Gathered>) -> Result<BTreeMap<String, SecretText>, Failure> {
    let names = gathered.map(|gathered| env_names(&gathered.text)).unwrap_or_default();
    // One that is not set is left out: the check of the document names its place.
    let read = names.into_iter().filter_map(|name| {
        let value = std::env::var(&name).ok()?;
        Some((name, SecretText(Secret::new(value))))
    });
    Ok(read.collect())
}

fn become_pass(context: &Context<'_>) -> Result<Secret, Failure> {
    if !context.ask.present() {
        return Err(Failure::usage("--ask-become-pass needs a terminal"));
    }
    context.ask.secret("Password to become root (not shown):")
}

/// A plan made before, about the same file.
pub async fn fetched(
    id: &str,
    asked: &Asked,
    context: &Context<'_>,
) -> Result<Resource<PlanAttributes>, Failure> {
    let plan = context.client.plan(plan_id(id)?, 0).await?;
    match &plan.attributes.infrastructure {
        Some(name) if *name != asked.name => {
            Err(Failure::usage(format!("the plan {id} is about {name}, not about {}", asked.name)))
        }
        _ => finished(plan, context).await,
    }
}

/// Waits until a plan is more than *observing*.
pub async fn finished(
    mut plan: Resource<PlanAttributes>,
    context: &Context<'_>,
) -> Result<Resource<PlanAttributes>, Failure> {
    let mut left = PLAN_SECONDS_MAX;
    while plan.attributes.state == "observing" {
        if left == 0 {
            let message =
                format!("the provider has not been looked at within {PLAN_SECONDS_MAX} seconds; try again");
            return Err(Failure::new(Exit::Busy, message));
        }
        let wait = left.min(muster_api::media::WAIT_SECONDS_MAX);
        plan = context.client.plan(plan_id(&plan.id)?, wait).await?;
        left -= wait;
    }
    Ok(plan)
}
