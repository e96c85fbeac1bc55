//! The speed of one link of a server, at the provider.

use muster_model::id::ProviderId;
use muster_model::plan::{SetBandwidth, WhichLink};
use muster_model::run::{Fact, Output};
use muster_model::server::{SeenLink, SeenServer};

use super::server::{accepted, find, let_actions_end, object, wait};
use super::{Intent, Looked, StepContext, StepError};

/// A link once its reference is resolved.
enum Link {
    Public,
    Private(ProviderId),
}

impl Link {
    fn of(ctx: &StepContext, link: &WhichLink) -> Result<Link, StepError> {
        Ok(match link {
            WhichLink::Public => Link::Public,
            WhichLink::Network { network, .. } => Link::Private(ctx.resolve(network)?),
        })
    }

    fn find<'s>(&self, server: &'s SeenServer) -> Option<&'s SeenLink> {
        server.links.iter().find(|link| match self {
            Link::Public => link.public,
            Link::Private(network) => !link.public && link.network == *network,
        })
    }

    fn has(&self, server: &SeenServer, mbit: u32) -> bool {
        self.find(server).is_some_and(|link| link.bandwidth_mbit == Some(mbit))
    }
}

pub(super) async fn look(ctx: &StepContext, speed: &SetBandwidth) -> Result<Looked, StepError> {
    let id = ctx.resolve(&speed.server)?;
    let link = Link::of(ctx, &speed.link)?;
    let_actions_end(ctx, &speed.name, &id).await?;
    if link.has(&find(ctx, &speed.name, &id).await?, speed.to_mbit) {
        return Ok(Looked::Already(object(&id), Vec::new()));
    }
    Ok(Looked::Act(Intent::Plain, Vec::new()))
}

pub(super) async fn act(ctx: &StepContext, speed: &SetBandwidth) -> Result<(Output, Vec<Fact>), StepError> {
    let id = ctx.resolve(&speed.server)?;
    let link = Link::of(ctx, &speed.link)?;
    let seen = find(ctx, &speed.name, &id).await?;
    let lacks = |what: &str| {
        let words = match &speed.link {
            WhichLink::Public => "public link".to_owned(),
            WhichLink::Network { name, .. } => format!("link to network {name}"),
        };
        StepError::refused(format!(
            "the {words} of server {} (id {id}) {what}, so its speed cannot be set",
            speed.name
        ))
    };
    let found = link.find(&seen).ok_or_else(|| lacks("is gone at the provider"))?;
    let link_id = found.id.as_ref().ok_or_else(|| lacks("has no id at the provider"))?;
    let sent = ctx.session.cloud.set_bandwidth(&id, link_id, speed.to_mbit).await;
    accepted(ctx, &id, sent, |server| link.has(server, speed.to_mbit)).await?;
    let what = format!("have a link of {} Mbit/s", speed.to_mbit);
    wait(ctx, &speed.name, &id, &what, |server| link.has(server, speed.to_mbit)).await?;
    Ok((object(&id), Vec::new()))
}
