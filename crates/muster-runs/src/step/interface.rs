//! The guest's interface of a private link: configured once the link stands, and given up before it goes.

use std::time::Duration;

use muster_model::id::ProviderId;
use muster_model::ownership::Provisioned;
use muster_model::plan::{ConfigureInterface, ReleaseInterface, interface_digest, interface_record};
use muster_model::run::{Fact, Output};
use muster_model::server::{SeenLink, SeenServer};
use muster_outside::host::ssh::interface::{self, Configured, InterfaceError, Wanted};

use super::server::{find, object, recent, wait};
use super::{Intent, Looked, StepContext, StepError};

/// A server whose link is to go may take this long to let us in; then the link goes all the same.
const RELEASE_WAIT: Duration = Duration::from_secs(30);

impl From<InterfaceError> for StepError {
    fn from(error: InterfaceError) -> StepError {
        match error {
            InterfaceError::Ssh(error) => error.into(),
            InterfaceError::Refused { .. } => StepError::refused(error.to_string()),
        }
    }
}

/// The private link of a server to a network.
pub(super) fn private_link<'s>(server: &'s SeenServer, network: &ProviderId) -> Option<&'s SeenLink> {
    server.links.iter().find(|link| !link.public && link.network == *network)
}

/// That something was reached on a server.
pub(super) fn reached_fact(ctx: &StepContext, id: &ProviderId, key: String, digest: String) -> Fact {
    Fact::Provisioned {
        account: ctx.session.account.identity.clone(),
        id: id.clone(),
        key,
        outcome: Provisioned { digest, succeeded: true, at: ctx.world().clock.now() },
    }
}

/// What the interface should be, as the provider tells it now, and the record of that.
async fn wanted(
    ctx: &StepContext,
    configure: &ConfigureInterface,
    id: &ProviderId,
    network: &ProviderId,
) -> Result<(Wanted, Fact), StepError> {
    let (name, network_name) = (&configure.name, &configure.network_name);
    // The link may stand before it bears its addresses; a network that hands them out need not tell them here.
    let complete =
        |link: &SeenLink| link.ready && !link.mac.is_empty() && (configure.dhcp || !link.address.is_empty());
    let there = |server: &SeenServer| private_link(server, network).is_none_or(complete);
    let mut seen = find(ctx, name, id).await?;
    if !there(&seen) {
        seen = wait(ctx, name, id, &format!("have an address in network {network_name}"), there).await?;
    }
    let Some(link) = private_link(&seen, network) else {
        return Err(StepError::refused(format!(
            "server {name} (id {id}) is not linked to network {network_name} any more; `muster infra update {}` plans \
             anew",
            ctx.infrastructure
        )));
    };
    let mut mask = link.mask.clone();
    if mask.is_empty() && !link.address.is_empty() {
        let networks = ctx.session.watch.fresh_networks().await?;
        mask = networks
            .iter()
            .find(|seen| seen.id == *network)
            .map(|seen| seen.mask.clone())
            .unwrap_or_default();
    }
    let wanted = Wanted::new(&link.mac, &link.address, &mask, configure.dhcp).map_err(|problem| {
        StepError::refused(format!("server {name} in network {network_name}: {problem}"))
    })?;
    let digest = interface_digest(configure.dhcp, &link.mac, &link.address);
    Ok((wanted, reached_fact(ctx, id, interface_record(network), digest)))
}

pub(super) async fn look(ctx: &StepContext, configure: &ConfigureInterface) -> Result<Looked, StepError> {
    let (id, network) = (ctx.resolve(&configure.server)?, ctx.resolve(&configure.network)?);
    let (wanted, fact) = wanted(ctx, configure, &id, &network).await?;
    let reached = ctx.engine.reach(&ctx.session, &configure.name, &id).await?;
    let hosts = ctx.engine.outside.hosts.as_ref();
    if interface::is_configured(hosts, &reached.host, &wanted).await? {
        return Ok(Looked::Already(object(&id), vec![fact]));
    }
    Ok(Looked::Act(Intent::Plain, Vec::new()))
}

pub(super) async fn configure(
    ctx: &StepContext,
    configure: &ConfigureInterface,
) -> Result<(Output, Vec<Fact>), StepError> {
    let (id, network) = (ctx.resolve(&configure.server)?, ctx.resolve(&configure.network)?);
    let (wanted, fact) = wanted(ctx, configure, &id, &network).await?;
    let reached = ctx.engine.reach(&ctx.session, &configure.name, &id).await?;
    let done = interface::configure(ctx.engine.outside.hosts.as_ref(), &reached.host, &wanted).await?;
    if let Configured::Now { manager, device, addresses, remark } = done {
        let (name, network) = (&configure.name, &configure.network_name);
        let addresses = addresses.join(", ");
        let remark = remark.map(|remark| format!(" ({remark})")).unwrap_or_default();
        let said =
            format!("{name}: {device} in network {network} has {addresses}, through {manager}{remark}");
        ctx.say(said, Vec::new()).await?;
    }
    Ok((object(&id), vec![fact]))
}

/// Takes the configuration away while the link still stands. A server that does not answer, or a guest that will
/// not, does not hinder the unlink: what is left behind names an interface that no longer exists.
pub(super) async fn release(
    ctx: &StepContext,
    release: &ReleaseInterface,
) -> Result<(Output, Vec<Fact>), StepError> {
    let id = ctx.resolve(&release.server)?;
    let fact = reached_fact(ctx, &id, interface_record(&release.network), String::new());
    let list = recent(ctx).await?;
    let link = list.get(&id).and_then(|seen| private_link(seen, &release.network));
    if let Some(link) = link
        && let Err(problem) = release_link(ctx, release, &id, link).await
    {
        let (name, network) = (&release.name, &release.network_name);
        ctx.say(
            format!(
                "the configuration of network {network} stays on {name}, because {problem}; the link goes all the same"
            ),
            Vec::new(),
        )
        .await?;
    }
    Ok((object(&id), vec![fact]))
}

async fn release_link(
    ctx: &StepContext,
    release: &ReleaseInterface,
    id: &ProviderId,
    link: &SeenLink,
) -> Result<(), String> {
    let hosts = ctx.engine.outside.hosts.as_ref();
    let wanted = Wanted::new(&link.mac, "", "", true)?;
    let host = ctx.engine.host_by_id(&ctx.session, &release.name, id).await;
    let host = host.map_err(|error| error.to_string())?;
    hosts.wait(&host, RELEASE_WAIT).await.map_err(|error| crate::error::chain(&error))?;
    interface::release(hosts, &host, &wanted).await.map_err(|error| crate::error::chain(&error))?;
    Ok(())
}
