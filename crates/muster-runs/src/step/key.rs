//! Steps on the account's public keys.

use muster_model::plan::KeyAction;
use muster_model::run::{Fact, Output};
use muster_outside::cloud::same_key;

use super::{Intent, Looked, StepContext, StepError};

pub(super) async fn look(ctx: &StepContext, action: &KeyAction) -> Result<Looked, StepError> {
    let KeyAction::Ensure { public_key, .. } = action;
    let keys = ctx.session.cloud.keys().await?;
    Ok(match keys.into_iter().find(|key| same_key(&key.public_key, public_key)) {
        Some(key) => Looked::Already(Output::Object { kind: "key".into(), id: key.id }, Vec::new()),
        None => Looked::Act(Intent::Plain, Vec::new()),
    })
}

pub(super) async fn act(ctx: &StepContext, action: &KeyAction) -> Result<(Output, Vec<Fact>), StepError> {
    let KeyAction::Ensure { title, public_key } = action;
    let key = ctx.session.cloud.create_key(title, public_key).await?;
    Ok((Output::Object { kind: "key".into(), id: key.id }, Vec::new()))
}
