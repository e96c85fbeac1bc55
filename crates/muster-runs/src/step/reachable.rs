//! The proof that the servers of a private network reach each other: each tries one other, from the inside.

use futures::{FutureExt, StreamExt};
use muster_model::id::{NetworkName, ProviderId};
use muster_model::plan::{NetworkPair, interface_digest, reached_record};
use muster_model::run::{EntryKind, Fact, FailureClass, Output};
use muster_model::server::SeenLink;
use muster_outside::cloud::watch::SeenServers;
use muster_outside::host::ssh::interface::{Reach, reach};

use super::interface::{private_link, reached_fact};
use super::server::fresh;
use super::{StepContext, StepError};

/// Servers that try at once.
const TRIES_AT_ONCE: usize = 16;
/// Failures that a message tells one by one.
const FAILURES_SHOWN_MAX: usize = 5;

/// What became of one pair.
struct Tried {
    outcome: &'static str,
    message: String,
    fact: Option<Fact>,
    /// Whether trying again by itself may help: the way in was in the way, not the network.
    passing: bool,
}

impl Tried {
    /// It did not succeed, and that is what the network is like.
    fn failed(message: String) -> Tried {
        Tried { outcome: "failed", message, fact: None, passing: false }
    }
}

/// In which network.
pub(super) struct Question<'a> {
    pub(super) network: ProviderId,
    pub(super) name: &'a NetworkName,
    /// Whether it hands addresses out.
    pub(super) dhcp: bool,
}

pub(super) async fn check(
    ctx: &StepContext,
    question: &Question<'_>,
    pairs: &[NetworkPair],
) -> Result<(Output, Vec<Fact>), StepError> {
    let network_name = question.name;
    let list = fresh(ctx).await?;
    let tries: Vec<_> = pairs
        .iter()
        .map(|pair| {
            let list = &list;
            async move { (pair, try_one(ctx, list, question, pair).await) }.boxed()
        })
        .collect();
    let done: Vec<_> = futures::stream::iter(tries).buffered(TRIES_AT_ONCE).collect().await;
    let (mut entries, mut facts, mut failures) = (Vec::new(), Vec::new(), Vec::new());
    let mut passing = true;
    for (pair, tried) in done {
        // One that could not be asked says nothing against what the others proved.
        let tried = match tried {
            Err(StepError::Failed(class, message)) => Tried {
                passing: class != FailureClass::Refused,
                ..Tried::failed(format!("{} was not asked: {message}", pair.from.name))
            },
            Err(other) => return Err(other),
            Ok(tried) => tried,
        };
        if tried.fact.is_none() {
            failures.push(tried.message.clone());
            passing &= tried.passing;
        }
        facts.extend(tried.fact);
        let task = EntryKind::Task {
            step: ctx.step.number,
            host: pair.from.name.to_string(),
            task: format!("reach {} in network {network_name}", pair.to.name),
            outcome: tried.outcome.to_owned(),
            message: tried.message,
        };
        entries.push((task, Vec::new()));
    }
    ctx.journal.write_all(entries).await?;
    if failures.is_empty() {
        let unchanged = pairs.len() as u32;
        return Ok((Output::Hosts { changed: 0, unchanged }, facts));
    }
    if !facts.is_empty() {
        ctx.say("who was reached stays recorded", facts).await?;
    }
    let more = failures.len().saturating_sub(FAILURES_SHOWN_MAX);
    let mut words = failures.into_iter().take(FAILURES_SHOWN_MAX).collect::<Vec<_>>().join("; ");
    if more > 0 {
        words.push_str(&format!("; and {more} more"));
    }
    let class = if passing { FailureClass::Transient } else { FailureClass::Refused };
    let message = format!(
        "network {network_name}: {words}. Look at `ip address` and at the firewall on both, and at their links in the \
         provider's panel; then `muster infra update {}` tries again",
        ctx.infrastructure
    );
    Err(StepError::Failed(class, message))
}

/// A server's link to the network. A list may lag behind what other lanes and people just did; only the server's own
/// address tells that it has none.
async fn link_of(
    ctx: &StepContext,
    list: &SeenServers,
    id: &ProviderId,
    network: &ProviderId,
) -> Result<Option<SeenLink>, StepError> {
    if let Some(link) = list.get(id).and_then(|seen| private_link(seen, network)) {
        return Ok(Some(link.clone()));
    }
    let seen = ctx.session.cloud.server(id).await?;
    Ok(seen.as_ref().and_then(|seen| private_link(seen, network)).cloned())
}

async fn try_one(
    ctx: &StepContext,
    list: &SeenServers,
    question: &Question<'_>,
    pair: &NetworkPair,
) -> Result<Tried, StepError> {
    let (from, to) = (ctx.resolve(&pair.from.server)?, ctx.resolve(&pair.to.server)?);
    let (from_name, to_name) = (&pair.from.name, &pair.to.name);
    let unlinked = |name| Tried::failed(format!("{name} is not linked to it any more"));
    let Some(own) = link_of(ctx, list, &from, &question.network).await? else {
        return Ok(unlinked(from_name));
    };
    let Some(peer) = link_of(ctx, list, &to, &question.network).await? else { return Ok(unlinked(to_name)) };
    let recorded = || {
        let digest = interface_digest(question.dhcp, &own.mac, &own.address);
        Some(reached_fact(ctx, &from, reached_record(&question.network), digest))
    };
    let unverified = |why: &str| Tried {
        outcome: "skipped",
        message: format!("whether {from_name} reaches {to_name} was not verified: {why}"),
        fact: recorded(),
        passing: false,
    };
    let Ok(address) = peer.address.parse() else {
        return Ok(unverified("the provider does not tell the address"));
    };
    let reached = ctx.engine.reach(&ctx.session, from_name, &from).await?;
    let tried = reach(ctx.engine.outside.hosts.as_ref(), &reached.host, &own.mac, address).await?;
    let own = if own.address.is_empty() { "no address told" } else { own.address.as_str() };
    let failed =
        |why: String| Tried::failed(format!("{from_name} ({own}) does not reach {to_name} ({address}){why}"));
    Ok(match tried {
        Reach::Answered(how) => Tried {
            outcome: "ok",
            message: format!("{from_name} ({own}) reaches {to_name} ({address}) by {how}"),
            fact: recorded(),
            passing: false,
        },
        Reach::Silent(how) => failed(format!(" by {how}")),
        Reach::Astray(why) => failed(format!(": {why}")),
        Reach::Untried => unverified("there is neither `ping` nor `bash` with `timeout`"),
    })
}
