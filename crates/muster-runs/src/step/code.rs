//! Code on servers: releases are prepared everywhere, checked everywhere, and only then switched to; one that does not
//! get healthy is left again.
//!
//! Which commands do that on one machine is known in `muster_outside::host::ssh::deliver`; here is their order over
//! machines, and what is said about it. Every stage looks first, so a step that died anywhere may be repeated.

use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use muster_model::code::{Health, SeenRelease, Shared, short};
use muster_model::ownership::Provisioned;
use muster_model::plan::{DeliverCode, ProvisionHost, SwitchRelease};
use muster_model::run::{EntryKind, Fact, Output};
use muster_outside::build::Tree;
use muster_outside::host::ssh::SshError;
use muster_outside::host::ssh::deliver::{Packed, Place, Prepared, Standing};

use self::switch::Switched;
use super::build::built;
use super::provision::{Target, bundle_files, targets};
use super::{StepContext, StepError};

mod switch;

/// Servers that are worked on at once.
const SERVERS_AT_ONCE: usize = 16;
/// The longest one restart command may take.
const RESTART_LIMIT: Duration = Duration::from_secs(300);

/// One release on its way to its servers.
struct Roll<'a> {
    ctx: &'a StepContext,
    place: Place,
    to: &'a str,
    /// What is written down of it on each server.
    release: SeenRelease,
    /// What is done, in words.
    task: String,
    keep: u32,
    health: Option<&'a Health>,
    restart: &'a [String],
}

/// One server with what stands there.
struct Site {
    target: Target,
    standing: Standing,
}

/// What became of one server.
struct Fate {
    outcome: &'static str,
    message: String,
}

/// Delivers a release and switches to it.
pub(super) async fn deliver(
    ctx: &StepContext,
    action: &DeliverCode,
) -> Result<(Output, Vec<Fact>), StepError> {
    let mut roll = Roll {
        ctx,
        place: Place::new(&action.to).map_err(StepError::refused)?,
        to: &action.to,
        release: SeenRelease {
            name: action.release().to_owned(),
            number: None,
            revision: action.revision.clone(),
            source: Some(action.source().to_owned()),
            at: Some(ctx.world().clock.now()),
        },
        task: format!("deliver {} as release {}", action.source(), short(action.release())),
        keep: action.keep,
        health: action.health.as_ref(),
        restart: &action.restart,
    };
    let sites = roll.look(&action.hosts).await?;
    roll.number(&sites);
    let lacking: Vec<&Site> =
        sites.iter().filter(|site| site.standing.named(&roll.release.name).is_none()).collect();
    if !lacking.is_empty() {
        let packed = Packed::new(&roll.files(action, &lacking).await?).map_err(StepError::refused)?;
        roll.prepare(&lacking, &packed, &action.shared).await?;
    }
    roll.go(sites).await
}

/// Goes back to a release that the servers keep.
pub(super) async fn go_back(
    ctx: &StepContext,
    action: &SwitchRelease,
) -> Result<(Output, Vec<Fact>), StepError> {
    let name = action.release.clone();
    let mut roll = Roll {
        ctx,
        place: Place::new(&action.to).map_err(StepError::refused)?,
        to: &action.to,
        task: format!("go back to release {}", short(&name)),
        release: SeenRelease { name, number: action.number, revision: None, source: None, at: None },
        keep: action.keep,
        health: action.health.as_ref(),
        restart: &action.restart,
    };
    let sites = roll.look(&action.hosts).await?;
    if let Some(site) = sites.iter().find(|site| site.standing.named(&roll.release.name).is_none()) {
        return Err(StepError::refused(format!(
            "{} keeps release {} no more; nothing was switched. `muster infra releases` shows what it keeps",
            site.target.name,
            short(&roll.release.name)
        )));
    }
    // What is known of it stays known.
    if let Some(known) = sites.iter().find_map(|site| site.standing.named(&roll.release.name)) {
        roll.release = SeenRelease { at: Some(ctx.world().clock.now()), ..known.clone() };
    }
    roll.go(sites).await
}

impl Roll<'_> {
    /// What stands on each server. Nothing is touched before all of them answered.
    async fn look(&self, hosts: &[ProvisionHost]) -> Result<Vec<Site>, StepError> {
        let targets = targets(self.ctx, hosts).await?;
        let mut looks: Vec<BoxFuture<'_, _>> = Vec::new();
        for target in &targets {
            looks.push(self.place.look(self.ctx.engine.outside.hosts.as_ref(), &target.host).boxed());
        }
        let seen = at_once(looks).await;
        let mut sites = Vec::new();
        let mut failed = Vec::new();
        for (target, seen) in targets.into_iter().zip(seen) {
            match seen {
                Ok(standing) => sites.push(Site { target, standing }),
                Err(error) => failed.push((target, error)),
            }
        }
        self.all_or_none(failed).await?;
        Ok(sites)
    }

    /// The release's number: the one that a server knows, else the next one after all of them.
    fn number(&mut self, sites: &[Site]) {
        let known = sites.iter().filter_map(|site| site.standing.named(&self.release.name)?.number).max();
        let all = sites.iter().flat_map(|site| &site.standing.releases).filter_map(|release| release.number);
        self.release.number = Some(known.unwrap_or_else(|| all.max().unwrap_or(0).saturating_add(1)));
    }

    /// What the release holds.
    async fn files(&self, action: &DeliverCode, lacking: &[&Site]) -> Result<Tree, StepError> {
        if !action.needs_build {
            return bundle_files(self.ctx, action.from.trim_start_matches("./").trim_end_matches('/')).await;
        }
        if let Some(step) = action.built_by {
            return match self.ctx.made.get(&step) {
                Some(Output::Built { manifest, .. }) => built(self.ctx, manifest).await,
                _ => Err(StepError::refused(format!("step {step} built nothing that could be delivered"))),
            };
        }
        // By our record it stood there, so it was not built; the record is corrected for the next plan.
        let facts = lacking.iter().map(|site| self.fact(&site.target, false)).collect();
        let names: Vec<&str> = lacking.iter().map(|site| site.target.name.as_str()).collect();
        let message = format!(
            "release {} is gone from {}, where it stood; nothing was switched. Deploy again: it is built anew then",
            short(&self.release.name),
            names.join(", ")
        );
        self.ctx.say(message.clone(), facts).await?;
        Err(StepError::refused(message))
    }

    /// Delivers the release to the servers that lack it. It is switched to nowhere yet.
    async fn prepare(&self, lacking: &[&Site], packed: &Packed, shared: &Shared) -> Result<(), StepError> {
        let hosts = self.ctx.engine.outside.hosts.as_ref();
        let mut work: Vec<BoxFuture<'_, Result<Prepared, SshError>>> = Vec::new();
        for site in lacking {
            let prepare = self.place.prepare(hosts, &site.target.host, &self.release, packed, shared);
            work.push(prepare.boxed());
        }
        let mut failed = Vec::new();
        for (site, outcome) in lacking.iter().zip(at_once(work).await) {
            match outcome {
                Ok(prepared) => self.say_shared(site, &prepared).await?,
                Err(error) => failed.push((&site.target, error)),
            }
        }
        self.all_or_none(failed).await?;
        let message = format!(
            "release {} (number {}) stands beside the others on {} servers",
            short(&self.release.name),
            self.release.number.unwrap_or(0),
            lacking.len()
        );
        self.ctx.say(message, Vec::new()).await
    }

    async fn say_shared(&self, site: &Site, prepared: &Prepared) -> Result<(), StepError> {
        let name = &site.target.name;
        if !prepared.made.is_empty() {
            let made = prepared.made.join(", ");
            self.ctx.say(format!("{name}: made in {}/shared: {made}", self.to), Vec::new()).await?;
        }
        if !prepared.replaced.is_empty() {
            let replaced = prepared.replaced.join(", ");
            let message = format!(
                "{name}: the code has {replaced} of its own; the release links to {}/shared instead",
                self.to
            );
            self.ctx.say(message, Vec::new()).await?;
        }
        Ok(())
    }

    /// Nothing was switched yet: if some server failed, none is.
    async fn all_or_none<T>(&self, failed: Vec<(T, SshError)>) -> Result<(), StepError>
    where
        T: std::borrow::Borrow<Target>,
    {
        let mut entries = Vec::new();
        let mut first = None;
        for (target, error) in failed {
            let message = crate::error::chain(&error);
            entries.push((self.entry(target.borrow(), "failed", message), Vec::new()));
            first.get_or_insert(error);
        }
        let Some(error) = first else { return Ok(()) };
        self.ctx.journal.write_all(entries).await?;
        Err(StepError::from(error).with("; no server was switched"))
    }

    /// Checks the release where it is to be switched to, and switches: to one server first if it can be asked how it
    /// does, then to the others.
    async fn go(&self, sites: Vec<Site>) -> Result<(Output, Vec<Fact>), StepError> {
        let stands = |site: &Site| {
            site.standing.current.as_ref() == Some(&self.release.name)
                && site.standing.unfinished.is_none()
                && site.standing.named(&self.release.name).is_some()
        };
        let (ready, due): (Vec<Site>, Vec<Site>) = sites.into_iter().partition(stands);
        self.check(&due).await?;
        let mut facts: Vec<Fact> = ready.iter().map(|site| self.fact(&site.target, true)).collect();
        let mut entries: Vec<_> =
            ready.iter().map(|site| (self.entry(&site.target, "ok", String::new()), Vec::new())).collect();
        let asked = self.health.is_some_and(|health| health.http.is_some());
        let (first, rest) = due.split_at(if asked { due.len().min(1) } else { 0 });
        let mut changed = 0;
        let mut left = Vec::new();
        let mut failed = None;
        for wave in [first, rest] {
            if failed.is_some() {
                break;
            }
            let mut work: Vec<BoxFuture<'_, Result<Switched, StepError>>> = Vec::new();
            for site in wave {
                work.push(self.switch(site).boxed());
            }
            for (site, outcome) in wave.iter().zip(at_once(work).await) {
                let name = site.target.name.as_str();
                let fate = match outcome {
                    Ok(Switched::Healthy) => {
                        changed += 1;
                        left.push(name);
                        let before =
                            site.standing.current.as_deref().map(|before| format!("was {}", short(before)));
                        Fate { outcome: "changed", message: before.unwrap_or_default() }
                    }
                    Ok(Switched::Left(why)) => {
                        failed.get_or_insert(StepError::refused(format!("{name}: {why}")));
                        Fate { outcome: "failed", message: why }
                    }
                    Err(error) => {
                        let message = error.words();
                        failed.get_or_insert(error);
                        Fate { outcome: "failed", message }
                    }
                };
                facts.push(self.fact(&site.target, fate.outcome == "changed"));
                entries.push((self.entry(&site.target, fate.outcome, fate.message), Vec::new()));
            }
        }
        self.ctx.output.flush().await;
        self.ctx.journal.write_all(entries).await?;
        let Some(error) = failed else {
            return Ok((Output::Hosts { changed, unchanged: ready.len() as u32 }, facts));
        };
        self.ctx.say("what was delivered stays recorded", facts).await?;
        let begun = facts_begun(first, rest, &left);
        Err(error.with(&begun))
    }

    fn entry(&self, target: &Target, outcome: &str, message: String) -> EntryKind {
        EntryKind::Task {
            step: self.ctx.step.number,
            host: target.name.to_string(),
            task: self.task.clone(),
            outcome: outcome.to_owned(),
            message,
        }
    }

    fn fact(&self, target: &Target, succeeded: bool) -> Fact {
        Fact::Provisioned {
            account: self.ctx.session.account.identity.clone(),
            id: target.id.clone(),
            key: format!("code:{}", self.to),
            outcome: Provisioned {
                digest: self.release.name.clone(),
                succeeded,
                at: self.ctx.world().clock.now(),
            },
        }
    }
}

/// Which servers have the new release now, for the end of a sentence that says why another one has not.
fn facts_begun(first: &[Site], rest: &[Site], left: &[&str]) -> String {
    let others = first.iter().chain(rest).map(|site| site.target.name.as_str());
    let others: Vec<&str> = others.filter(|name| !left.contains(name)).collect();
    match left {
        [] => "; no other server was switched".to_owned(),
        left => format!(
            "; switched in this run, and left so: {}; not switched, or gone back: {}",
            left.join(", "),
            others.join(", ")
        ),
    }
}

/// So many at once, the answers in the order of the questions.
async fn at_once<T>(work: Vec<BoxFuture<'_, T>>) -> Vec<T> {
    futures::stream::iter(work).buffered(SERVERS_AT_ONCE).collect().await
}
