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

    /// Where links have no speed (machines of this computer), a file that names one still works.
    fn shows_no_speed(&self, server: &SeenServer) -> bool {
        match self.find(server) {
            Some(link) => link.bandwidth_mbit.is_none(),
            None => matches!(self, Link::Public),
        }
    }

    fn has(&self, server: &SeenServer, mbit: u32) -> bool {
        self.find(server).is_some_and(|link| link.bandwidth_mbit == Some(mbit))
    }
}

pub(super) async fn look(ctx: &StepContext, speed: &SetBandwidth) -> Result<Looked, StepError> {
    let id = ctx.resolve(&speed.server)?;
    let link = Link::of(ctx, &speed.link)?;
    let_actions_end(ctx, &speed.name, &id).await?;
    let seen = find(ctx, &speed.name, &id).await?;
    if link.has(&seen, speed.to_mbit) {
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
    if link.shows_no_speed(&seen) {
        let said = format!("the provider shows no speed of this link of {}, so it is left alone", speed.name);
        ctx.say(said, Vec::new()).await?;
        return Ok((object(&id), Vec::new()));
    }
    let found = link.find(&seen).ok_or_else(|| lacks("is gone at the provider"))?;
    let link_id = found.id.as_ref().ok_or_else(|| lacks("has no id at the provider"))?;
    let sent = ctx.session.cloud.set_bandwidth(&id, link_id, speed.to_mbit).await;
    accepted(ctx, &id, sent, |server| link.has(server, speed.to_mbit)).await?;
    let what = format!("have a link of {} Mbit/s", speed.to_mbit);
    wait(ctx, &speed.name, &id, &what, |server| link.has(server, speed.to_mbit)).await?;
    Ok((object(&id), Vec::new()))
}
