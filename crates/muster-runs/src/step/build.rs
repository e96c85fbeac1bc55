//! Builds on the controller: one command in a private copy of the code. What comes out is kept as contents, so that
//! whichever node delivers it finds it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use muster_model::Secret;
use muster_model::bundle::{LINK, Manifest, ManifestFile};
use muster_model::id::Attempt;
use muster_model::plan::BuildCode;
use muster_model::run::{Fact, FailureClass, Output};
use muster_outside::build::{BuildRun, Tree};
use muster_outside::supervise::{Folder, Found, GONE_WITHIN, Owner, take_up};

use super::host::Lines;
use super::playbook::open_vars;
use super::provision::{bundle_files, files_of};
use super::server::store_failed;
use super::{StepContext, StepError};
use crate::engine::Role;

/// How often the end of an earlier attempt is looked for.
const END_POLL: Duration = Duration::from_millis(50);

pub(super) async fn act(ctx: &StepContext, action: &BuildCode) -> Result<(Output, Vec<Fact>), StepError> {
    if let Some(why) = &ctx.engine.config.builds_refused {
        return Err(StepError::refused(format!(
            "{} was not built, and no server was touched: {why}",
            action.source
        )));
    }
    ctx.engine.home.sweep_children(ctx.world().clock.now());
    let owner = Owner { token: ctx.journal.claim().fence.0, lease: ctx.engine.lease.clone() };
    for attempt in 1..ctx.attempt.0 {
        end(&folder(ctx, Attempt(attempt)), &owner).await;
    }
    let (mut environment, hidden) = environment(ctx, &action.build.env).await?;
    environment.insert("RELEASE".to_owned(), action.release.clone());
    if let Some(revision) = &action.revision {
        environment.insert("REVISION".to_owned(), revision.clone());
    }
    let is_apart = ctx.engine.config.role != Role::Foreground;
    let run = BuildRun {
        files: bundle_files(ctx, &action.from).await?,
        command: action.build.command.clone(),
        environment,
        output: action.build.output.clone(),
        hidden,
        limit: Duration::from_secs(u64::from(action.build.within_s)),
        place: place(ctx, is_apart),
        own_home: is_apart,
        folder: folder(ctx, ctx.attempt),
        owner,
    };
    let mut lines = Lines::new(ctx.output.clone(), ctx.world().clock.clone(), ctx.step.number, "build");
    let built = tokio::select! {
        built = ctx.engine.outside.builder.build(&run, &mut lines) => built,
        // Another process goes on with the run, and builds anew: dropped, this one is ended.
        () = ctx.hand_over.cancelled() => return Err(StepError::LetGo),
    };
    lines.end();
    ctx.output.flush().await;
    let built = built.map_err(|error| {
        let class = if error.is_transient() { FailureClass::Transient } else { FailureClass::Refused };
        let why = crate::error::chain(&error);
        StepError::Failed(class, format!("{} was not built, and no server was touched: {why}", action.source))
    })?;
    let (manifest, files, bytes) = keep(ctx, &built).await?;
    ctx.say(format!("built {}: {files} files, {bytes} bytes", action.source), Vec::new()).await?;
    Ok((Output::Built { manifest, files, bytes }, Vec::new()))
}

/// The variables of a build, with what must not be seen put in at the last moment, and those values.
async fn environment(
    ctx: &StepContext,
    written: &BTreeMap<String, String>,
) -> Result<(BTreeMap<String, String>, Vec<Secret>), StepError> {
    let vars = written.iter().map(|(name, text)| (name.clone(), text.as_str().into())).collect();
    let opened = open_vars(ctx, &vars).await?;
    // A text stays a text when it is opened.
    let text = |value: serde_json::Value| value.as_str().map(str::to_owned).unwrap_or_default();
    let environment = opened.vars.into_iter().map(|(name, value)| (name, text(value))).collect();
    Ok((environment, opened.hidden))
}

/// Where an attempt at this step is kept.
fn folder(ctx: &StepContext, attempt: Attempt) -> Folder {
    let claim = ctx.journal.claim();
    Folder::at(ctx.engine.home.children().join(claim.run.to_string()).join(name(ctx, attempt)))
}

fn name(ctx: &StepContext, attempt: Attempt) -> String {
    format!("{}-{}-{}", ctx.journal.claim().lane.0, ctx.step.number, attempt.0)
}

/// Where the code is built. A server does that outside its home, where other people's things are.
fn place(ctx: &StepContext, is_apart: bool) -> PathBuf {
    if is_apart {
        return std::env::temp_dir().join(format!("muster-build-{}", ctx.world().ids.next().simple()));
    }
    let run = ctx.journal.claim().run;
    ctx.engine.home.root().join("builds").join(format!("{run}-{}", name(ctx, ctx.attempt)))
}

/// Ends an earlier attempt, whose owner is gone: nothing of it is of use to anybody. What cannot be ended now is swept
/// later.
async fn end(folder: &Folder, owner: &Owner) {
    if let Ok(Found::Running(owned, _)) = take_up(folder, owner).await {
        owned.stop();
        let mut waited = Duration::ZERO;
        while waited < GONE_WITHIN && matches!(folder.end(), Ok(None)) {
            tokio::time::sleep(END_POLL).await;
            waited += END_POLL;
        }
    }
    folder.forget();
}

/// The outcome is durable: what is kept of the attempts goes.
pub(super) fn settled(ctx: &StepContext) {
    for attempt in 1..=ctx.attempt.0 {
        folder(ctx, Attempt(attempt)).forget();
    }
}

/// Keeps what was built: each file, and a manifest of them, whose digest it gives.
async fn keep(ctx: &StepContext, built: &Tree) -> Result<(String, u32, u64), StepError> {
    let contents = &ctx.engine.contents;
    let mut manifest = Manifest::default();
    let mut bytes = 0;
    for (path, file) in built {
        let mut entry = ManifestFile::of(&file.content, file.mode & 0o111 != 0);
        if file.mode == LINK {
            entry.mode = LINK;
        }
        bytes += entry.size;
        if !contents.has(&entry.sha256).await.map_err(store_failed)? {
            contents.put(&entry.sha256, &file.content).await.map_err(store_failed)?;
        }
        manifest.files.insert(path.clone(), entry);
    }
    manifest
        .check()
        .map_err(|problem| StepError::refused(format!("what was built is no good: {problem}")))?;
    let text = serde_json::to_vec(&manifest).map_err(|error| StepError::refused(error.to_string()))?;
    let digest = ManifestFile::of(&text, false).sha256;
    contents.put(&digest, &text).await.map_err(store_failed)?;
    Ok((digest, built.len() as u32, bytes))
}

/// What a step built.
pub(super) async fn built(ctx: &StepContext, manifest: &str) -> Result<Tree, StepError> {
    let gone = |what: String| {
        StepError::refused(format!(
            "what was built is not kept any more ({what}); deploy again, and it is built anew"
        ))
    };
    let text = ctx.engine.contents.get(manifest).await.map_err(|error| gone(error.to_string()))?;
    let manifest: Manifest = serde_json::from_slice(&text).map_err(|error| gone(error.to_string()))?;
    files_of(ctx, &manifest, "").await
}
