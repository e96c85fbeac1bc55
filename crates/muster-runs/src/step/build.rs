//! Builds on the controller: one command in a private copy of the code. What comes out is kept as contents, so that
//! whichever node delivers it finds it.

use std::time::Duration;

use muster_model::bundle::{LINK, Manifest, ManifestFile};
use muster_model::id::Attempt;
use muster_model::plan::BuildCode;
use muster_model::run::{Fact, FailureClass, Output};
use muster_outside::build::{BuildRun, Tree};
use muster_outside::supervise::{Folder, Owner};

use super::host::Lines;
use super::provision::{bundle_files, files_of};
use super::server::store_failed;
use super::{StepContext, StepError};

pub(super) async fn act(ctx: &StepContext, action: &BuildCode) -> Result<(Output, Vec<Fact>), StepError> {
    for attempt in 1..ctx.attempt.0 {
        // Its owner is gone, so it ends by itself; nothing of it is of use to anybody.
        folder(ctx, Attempt(attempt)).forget();
    }
    let mut environment = action.build.env.clone();
    environment.insert("RELEASE".to_owned(), action.release.clone());
    if let Some(revision) = &action.revision {
        environment.insert("REVISION".to_owned(), revision.clone());
    }
    let run = BuildRun {
        files: bundle_files(ctx, &action.from).await?,
        command: action.build.command.clone(),
        environment,
        output: action.build.output.clone(),
        limit: Duration::from_secs(u64::from(action.build.within_s)),
        folder: folder(ctx, ctx.attempt),
        owner: Owner { token: ctx.journal.claim().fence.0, lease: ctx.engine.lease.clone() },
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

/// Where an attempt at this step is kept.
fn folder(ctx: &StepContext, attempt: Attempt) -> Folder {
    let claim = ctx.journal.claim();
    let name = format!("{}-{}-{}", claim.lane.0, ctx.step.number, attempt.0);
    Folder::at(ctx.engine.home.children().join(claim.run.to_string()).join(name))
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
