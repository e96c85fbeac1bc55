//! The proof that the servers of a private network reach each other: each tries one other, from the inside.

use futures::{FutureExt, StreamExt};
use muster_model::id::{NetworkName, ProviderId};
use muster_model::plan::{NetworkPair, interface_digest, reached_record};
use muster_model::run::{EntryKind, Fact, Output};
use muster_outside::cloud::watch::SeenServers;
use muster_outside::host::ssh::interface::{Reach, reach};

use super::interface::{private_link, reached_fact};
use super::server::recent;
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
    let list = recent(ctx).await?;
    let tries: Vec<_> = pairs
        .iter()
        .map(|pair| {
            let list = &list;
            async move { (pair, try_one(ctx, list, question, pair).await) }.boxed()
        })
        .collect();
    let done: Vec<_> = futures::stream::iter(tries).buffered(TRIES_AT_ONCE).collect().await;
    let (mut entries, mut facts, mut failures) = (Vec::new(), Vec::new(), Vec::new());
    for (pair, tried) in done {
        let tried = tried?;
        if tried.fact.is_none() {
            failures.push(tried.message.clone());
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
    Err(StepError::refused(format!(
        "network {network_name}: {words}. Look at `ip address` and at the firewall on both, and at their links in the \
         provider's panel; then `muster infra update {}` tries again",
        ctx.infrastructure
    )))
}

async fn try_one(
    ctx: &StepContext,
    list: &SeenServers,
    question: &Question<'_>,
    pair: &NetworkPair,
) -> Result<Tried, StepError> {
    let (from, to) = (ctx.resolve(&pair.from.server)?, ctx.resolve(&pair.to.server)?);
    let link_of = |id: &ProviderId| list.get(id).and_then(|seen| private_link(seen, &question.network));
    let (from_name, to_name) = (&pair.from.name, &pair.to.name);
    let unlinked = |name| Tried {
        outcome: "failed",
        message: format!("{name} is not linked to it any more"),
        fact: None,
    };
    let Some(own) = link_of(&from) else { return Ok(unlinked(from_name)) };
    let Some(peer) = link_of(&to) else { return Ok(unlinked(to_name)) };
    let recorded = || {
        let digest = interface_digest(question.dhcp, &own.mac, &own.address);
        Some(reached_fact(ctx, &from, reached_record(&question.network), digest))
    };
    let unverified = |why: &str| Tried {
        outcome: "skipped",
        message: format!("whether {from_name} reaches {to_name} was not verified: {why}"),
        fact: recorded(),
    };
    let Ok(address) = peer.address.parse() else {
        return Ok(unverified("the provider does not tell the address"));
    };
    let reached = ctx.engine.reach(&ctx.session, from_name, &from).await?;
    let tried = reach(ctx.engine.outside.hosts.as_ref(), &reached.host, address).await?;
    let own = if own.address.is_empty() { "no address told" } else { own.address.as_str() };
    Ok(match tried {
        Reach::Answered(how) => Tried {
            outcome: "ok",
            message: format!("{from_name} ({own}) reaches {to_name} ({address}) by {how}"),
            fact: recorded(),
        },
        Reach::Silent(how) => Tried {
            outcome: "failed",
            message: format!("{from_name} ({own}) does not reach {to_name} ({address}) by {how}"),
            fact: None,
        },
        Reach::Untried => unverified("there is neither `ping` nor `bash` with `timeout`"),
    })
}
