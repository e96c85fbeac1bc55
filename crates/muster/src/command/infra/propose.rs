//! Getting a finished plan: gather the files, send what is missing, propose, wait.

use std::collections::BTreeMap;

use muster_api::Resource;
use muster_api::plan::{PlanAttributes, PlanRequest, PolicySaid, PurposeSaid, default_space};
use muster_api::secret::SecretText;
use muster_model::Secret;
use muster_model::id::PlanId;
use muster_model::infrastructure::Need;

use super::super::find::{config, find};
use super::super::first_run::{ask_for, missing_account};
use super::super::gather::{Document, Gathered, Given, gather, read};
use super::super::{Context, vars};
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
    let request = request(purpose, asked, context).await?;
    let plan = match context.client.submit(request.clone(), None).await {
        Ok(plan) => plan,
        Err(error) => {
            // The first run: ask for what is missing, then still do what was asked (ICT-59).
            let Some(account) = missing_account(&error) else { return Err(error.into()) };
            ask_for(context, &account).await?;
            context.client.submit(request, None).await?
        }
    };
    finished(plan, context).await
}

/// A file as it is here, with everything it needs sent.
pub async fn request(
    purpose: PurposeSaid,
    asked: &Asked,
    context: &Context<'_>,
) -> Result<PlanRequest, Failure> {
    let options = &asked.options;
    let vars = vars::vars(&options.vars)?;
    let extra_vars = vars::extra_vars(&options.extra_vars)?;
    let document = document(purpose, asked, &vars, context)?;
    let var_files = document.as_ref().map(|document| document.var_files.clone()).unwrap_or_default();
    let mut env = document.as_ref().map(environment).unwrap_or_default();
    if options.ask_become_pass {
        env.insert(BECOME_PASS.to_owned(), SecretText(become_pass(context)?));
    }
    let account = match &options.account {
        Some(account) => Some(account.clone()),
        None if document.as_ref().is_some_and(|document| !document.checked.names_account) => {
            config(&context.here, &context.home)?.account.map(|account| account.to_string())
        }
        None => None,
    };
    let delivers =
        purpose == PurposeSaid::Deploy && asked.to_release.is_none() && !options.consent.skip_provision;
    let mut gathered = document.as_ref().map(gather).transpose()?;
    if let (Some(gathered), Some(document), true) = (&mut gathered, &document, delivers) {
        let say = |text: &str| context.screen.say(text);
        gathered.export(&document.found.root, &document.checked, &say)?;
        let tags = !options.tags.is_empty() || !options.skip_tags.is_empty();
        let names = extra_vars.keys().cloned().collect();
        let problems = gathered.playbook_problems(&document.checked, &names, tags)?;
        if problems.has_errors() {
            return Err(Failure::document(&problems));
        }
    }
    if let Some(gathered) = &gathered {
        gathered.send(&context.client).await?;
    }
    Ok(PlanRequest {
        space: default_space(),
        infrastructure: document
            .as_ref()
            .map_or_else(|| asked.name.clone(), |document| document.found.name.clone()),
        bundle: gathered.as_ref().map(Gathered::said).unwrap_or_default(),
        entry: document.map(|document| document.found.entry),
        vars,
        var_files,
        env,
        account,
        policy: PolicySaid {
            purpose,
            allow_deletes: options.consent.allow_deletes,
            allow_replace: options.consent.allow_replace,
            adopt: options.consent.adopt || purpose == PurposeSaid::Adopt,
            skip_provision: options.consent.skip_provision,
            only: options.only.iter().cloned().collect(),
            names: asked.names.iter().cloned().collect(),
            tags: options.tags.clone(),
            skip_tags: options.skip_tags.clone(),
            extra_vars,
            to_release: asked.to_release.clone().map(Into::into),
        },
    })
}

/// The document; a plan that only lets go needs none, so that a file that is gone can be destroyed too.
fn document(
    purpose: PurposeSaid,
    asked: &Asked,
    vars: &BTreeMap<String, String>,
    context: &Context<'_>,
) -> Result<Option<Document>, Failure> {
    let need = match purpose {
        // A release that the servers keep needs nothing that the file delivers.
        PurposeSaid::Deploy if asked.to_release.is_some() => Need::Servers,
        PurposeSaid::Deploy => Need::Everything,
        PurposeSaid::Update | PurposeSaid::Destroy | PurposeSaid::Adopt | PurposeSaid::Disown => {
            Need::Servers
        }
    };
    match (find(&asked.name, &context.here, &context.home), purpose) {
        (Ok(found), _) => {
            read(found, Given { vars, var_files: &asked.options.var_files, need }, &context.here).map(Some)
        }
        (Err(_), PurposeSaid::Destroy | PurposeSaid::Disown) => Ok(None),
        (Err(failure), PurposeSaid::Update | PurposeSaid::Deploy | PurposeSaid::Adopt) => Err(failure),
    }
}

/// Environment variables that the document uses.
fn environment(document: &Document) -> BTreeMap<String, SecretText> {
    let used = document.checked.env_used.iter();
    used.filter_map(|name| Some((name.clone(), SecretText(Secret::new(std::env::var(name).ok()?))))).collect()
}

pub(super) fn become_pass(context: &Context<'_>) -> Result<Secret, Failure> {
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
