//! `muster infra rollback`: an ordinary plan over an earlier revision, and what is said about the file here.

use std::collections::BTreeMap;
use std::path::Path;

use muster_api::Resource;
use muster_api::plan::{PlanAttributes, PolicySaid, PurposeSaid, default_space};
use muster_api::revision::{RevisionDetail, RollbackRequest};
use muster_api::secret::SecretText;
use muster_model::bundle::sha256_hex;

use super::super::find::find;
use super::super::first_run::{ask_for, missing_account};
use super::super::report::Outcome;
use super::super::{Answer, Context, Report};
use super::change::{Asked, Manner, deal};
use super::propose::{BECOME_PASS, become_pass, fetched, finished};
use crate::cli::infra::Rollback;
use crate::exit::Failure;

/// Files that differ here, named one by one.
const FILES_NAMED_MAX: usize = 5;

/// Goes back to an earlier revision.
pub async fn rollback(asked: &Rollback, context: &Context<'_>) -> Result<Answer, Failure> {
    let plan = match &asked.plan {
        Some(id) => made_before(id, asked, context).await?,
        None => proposed(asked, context).await?,
    };
    let to = plan.attributes.rollback_to;
    let manner = match (asked.check, asked.dry_run, asked.yes) {
        (true, _, _) => Manner::Check,
        (_, true, _) => Manner::Show,
        (_, _, true) => Manner::Yes,
        _ => Manner::Ask,
    };
    let account = account_of(&plan, asked);
    // Whatever it does inside servers is asked about, as for an update: it is not the deployment somebody asked for.
    let answer = deal(PurposeSaid::Update, plan, manner, &asked.begin, context).await?;
    if let (Report::Planned(planned), Some(to)) = (&answer.report, to)
        && matches!(
            planned.outcome,
            Outcome::Ran | Outcome::Detached | Outcome::Queued | Outcome::NothingToDo
        )
    {
        say_file(&asked.name, account.as_deref(), to, context).await;
    }
    Ok(answer)
}

/// Proposes the way back and waits for its plan.
async fn proposed(asked: &Rollback, context: &Context<'_>) -> Result<Resource<PlanAttributes>, Failure> {
    let mut env = BTreeMap::new();
    if asked.ask_become_pass {
        env.insert(BECOME_PASS.to_owned(), SecretText(become_pass(context)?));
    }
    let request = RollbackRequest {
        space: default_space(),
        account: asked.account.clone(),
        to: asked.to,
        deploy: match (asked.deploy, asked.no_deploy) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            (false, false) => None,
        },
        keep_disks: asked.keep_disks,
        env,
        policy: PolicySaid {
            allow_deletes: asked.consent.allow_deletes,
            allow_replace: asked.consent.allow_replace,
            adopt: asked.consent.adopt,
            skip_provision: asked.consent.skip_provision,
            only: asked.only.iter().cloned().collect(),
            ..PolicySaid::default()
        },
    };
    let plan = match context.client.roll_back(&asked.name, request.clone()).await {
        Ok(plan) => plan,
        Err(error) => {
            let Some(account) = missing_account(&error) else { return Err(error.into()) };
            ask_for(context, &account).await?;
            context.client.roll_back(&asked.name, request).await?
        }
    };
    finished(plan, context).await
}

/// A plan of a rollback that was made before.
async fn made_before(
    id: &str,
    asked: &Rollback,
    context: &Context<'_>,
) -> Result<Resource<PlanAttributes>, Failure> {
    let file = Asked { name: asked.name.clone(), ..Asked::default() };
    let plan = fetched(id, &file, context).await?;
    match plan.attributes.rollback_to {
        Some(_) => Ok(plan),
        None => Err(Failure::usage(format!(
            "the plan {id} goes back to no revision; `muster infra update {} --plan {id}` carries it out",
            asked.name
        ))),
    }
}

fn account_of(plan: &Resource<PlanAttributes>, asked: &Rollback) -> Option<String> {
    plan.attributes.account.clone().or_else(|| asked.account.clone())
}

/// Says what the files here are to the revision that was gone back to: they are never touched.
async fn say_file(name: &str, account: Option<&str>, to: u32, context: &Context<'_>) {
    // Whether it can be read does not change what was done.
    let Ok(revision) = context.client.revision(name, account, to).await else { return };
    let Some(RevisionDetail { entry: Some(entry), documents, .. }) = revision.attributes.detail else {
        return;
    };
    let write = format!("muster infra history {name} --revision {to} --write PATH");
    let Ok(found) = find(name, &context.here, &context.home) else {
        context.screen.say(&format!("{entry} is not here. To write the file of revision {to} out: {write}"));
        return;
    };
    let here = |path: &str| std::fs::read(found.root.join(path)).map(|content| sha256_hex(&content)).ok();
    let differ: Vec<String> = documents
        .iter()
        .filter(|(path, sha256)| {
            let path = if **path == entry { found.entry.as_str() } else { path.as_str() };
            here(path).as_ref() != Some(*sha256)
        })
        .map(|(path, _)| shown(&found.root, if *path == entry { &found.entry } else { path }, &context.here))
        .collect();
    if differ.is_empty() {
        return;
    }
    let named = differ.iter().take(FILES_NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
    let more = match differ.len().saturating_sub(FILES_NAMED_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    context.screen.say(&format!(
        "Files here were not touched, and differ from revision {to}: {named}{more}. The next `muster infra update {name}` \
         would undo this.\nWhat differs: muster infra diff {name} {to} now\nTo write the old file out: {write}"
    ));
}

/// A file of the bundle as it is named from here.
fn shown(root: &Path, below: &str, here: &Path) -> String {
    let full = root.join(below);
    full.strip_prefix(here).unwrap_or(&full).display().to_string()
}
