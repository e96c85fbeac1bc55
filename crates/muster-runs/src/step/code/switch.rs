//! One server from its old release to the new one, and back again if the new one does not get healthy.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use muster_model::code::{HttpCheck, short};
use muster_outside::host::ssh::deliver::Switched as Ended;
use muster_outside::host::ssh::{End, Finished, Output, OutputStream, SshError};

use super::super::host::Lines;
use super::super::{StepContext, StepError};
use super::{RESTART_LIMIT, Roll, Site, at_once};

/// Between two tries of a check.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// The status of a command that the server ended because its time was over, and of one that it had to kill for that.
const ENDED: u32 = 124;
const KILLED: u32 = 137;

/// What became of a switch.
pub(super) enum Switched {
    /// The new release serves.
    Healthy,
    /// It does not, for this reason, and this was done about it.
    Left(String),
}

/// One way to find out whether a release is healthy.
#[derive(Clone, Copy)]
enum Check<'a> {
    Command(&'a [String]),
    Http(&'a HttpCheck),
}

/// Where a command runs.
#[derive(Clone, Copy)]
enum Where<'a> {
    /// In this release, whether `current` points to it or not.
    Release(&'a str),
    /// In `current`, which points to this release.
    Current(&'a str),
}

impl Roll<'_> {
    /// Runs the health command in the new release, before anything is switched: if it fails on one server, no server is.
    pub(super) async fn check(&self, due: &[Site]) -> Result<(), StepError> {
        let Some(health) = self.health.filter(|health| !health.command.is_empty()) else { return Ok(()) };
        let within = Duration::from_secs(u64::from(health.within_s));
        let mut work: Vec<BoxFuture<'_, Result<(), String>>> = Vec::new();
        for site in due {
            work.push(self.healthy(site, Check::Command(&health.command), within).boxed());
        }
        let mut failed = None;
        let mut entries = Vec::new();
        for (site, outcome) in due.iter().zip(at_once(work).await) {
            let Err(why) = outcome else { continue };
            let name = &site.target.name;
            entries.push((self.entry(&site.target, "failed", why.clone()), Vec::new()));
            failed.get_or_insert(StepError::refused(format!(
                "{name}: release {} is not healthy: {why}; it was found before the switch, and no server was switched",
                short(&self.release.name)
            )));
        }
        self.ctx.output.flush().await;
        self.ctx.journal.write_all(entries).await?;
        failed.map_or(Ok(()), Err)
    }

    /// Tries a check again, with pauses, until it is well or the time is over; then with the reason of the last try.
    async fn healthy(&self, site: &Site, check: Check<'_>, within: Duration) -> Result<(), String> {
        let mut last = "it was not answered".to_owned();
        let tries = async {
            while let Err(why) = self.once(site, check, within).await {
                last = why;
                tokio::time::sleep(CHECK_EVERY).await;
            }
        };
        match tokio::time::timeout(within, tries).await {
            Ok(()) => Ok(()),
            Err(_) => Err(format!("{last} (tried for {} s)", within.as_secs())),
        }
    }

    async fn once(&self, site: &Site, check: Check<'_>, limit: Duration) -> Result<(), String> {
        match check {
            Check::Command(command) => {
                let words = command.join(" ");
                match self.run(site, Where::Release(&self.release.name), command, limit).await {
                    Ok(End::Exit(0)) => Ok(()),
                    Ok(end) => Err(format!("`{words}` ended with {end}")),
                    Err(error) => Err(format!("`{words}`: {}", crate::error::chain(&error))),
                }
            }
            Check::Http(http) => {
                let hosts = &self.ctx.engine.outside.hosts;
                match hosts.http_get(&site.target.host, http.port, &http.path).await {
                    Ok(answer) if answer.status == http.status => Ok(()),
                    Ok(answer) => Err(format!("{http} answered {}, not {}", answer.status, http.status)),
                    Err(error) => Err(format!("{http}: {}", crate::error::chain(&error))),
                }
            }
        }
    }

    /// Switches one server, begins to serve, and asks whether it does.
    ///
    /// # Errors
    /// The server cannot be spoken to: the switch stays unfinished there, and whoever comes next goes on with it.
    pub(super) async fn switch(&self, site: &Site) -> Result<Switched, StepError> {
        let hosts = self.ctx.engine.outside.hosts.as_ref();
        let host = &site.target.host;
        let previous = site.standing.previous(&self.release.name);
        self.place.switch(hosts, host, &self.release, previous).await?;
        let served = self.serve(site).await;
        let unfinished = "; the switch is not finished there, and goes on when the step is repeated";
        let why = match served.map_err(|error| error.with(unfinished))? {
            None => {
                let serves = Ended::Serves { release: &self.release.name, previous };
                self.place.settle(hosts, host, &site.standing, serves, self.keep).await?;
                return Ok(Switched::Healthy);
            }
            Some(why) => why,
        };
        let release = short(&self.release.name);
        let Some(previous) = previous else {
            let stays = Ended::Stays { release: &self.release.name };
            let swept = self.place.settle(hosts, host, &site.standing, stays, self.keep).await;
            let unswept = swept.err().map_or_else(String::new, |error| {
                format!("; old releases could not be removed: {}", crate::error::chain(&error))
            });
            return Ok(Switched::Left(format!(
                "release {release} is not healthy: {why}; there is no earlier release to go back to, so `current` \
                 stays on it{unswept}"
            )));
        };
        self.place.go_back(hosts, host, previous).await.map_err(|error| {
            StepError::from(error).with(&format!(
                "; release {release} is not healthy ({why}), and `current` could not be put back to {}",
                short(previous)
            ))
        })?;
        let again = match self.restart(site, previous).await {
            _ if self.restart.is_empty() => String::new(),
            Ok(None) => "; the restart command ran again".to_owned(),
            Ok(Some(why)) => format!("; the restart command ran again, and failed: {why}"),
            Err(error) => {
                format!("; the restart command could not run again: {}", crate::error::chain(&error))
            }
        };
        let back = Ended::Back { release: &self.release.name, to: previous };
        self.place.settle(hosts, host, &site.standing, back, self.keep).await?;
        Ok(Switched::Left(format!(
            "release {release} is not healthy: {why}; `current` is back at {}{again}",
            short(previous)
        )))
    }

    /// Begins to serve the release that `current` points to. Some: why it does not.
    async fn serve(&self, site: &Site) -> Result<Option<String>, StepError> {
        if let Some(why) = self.restart(site, &self.release.name).await? {
            return Ok(Some(why));
        }
        let Some(health) = self.health else { return Ok(None) };
        let Some(http) = &health.http else { return Ok(None) };
        let within = Duration::from_secs(u64::from(health.within_s));
        Ok(self.healthy(site, Check::Http(http), within).await.err())
    }

    /// Runs the restart command in `current`. Some: why it is no good.
    async fn restart(&self, site: &Site, release: &str) -> Result<Option<String>, SshError> {
        if self.restart.is_empty() {
            return Ok(None);
        }
        let words = self.restart.join(" ");
        match self.run(site, Where::Current(release), self.restart, RESTART_LIMIT).await {
            Ok(End::Exit(0)) => Ok(None),
            Ok(end) => Ok(Some(format!("`{words}` ended with {end}"))),
            Err(SshError::TimedOut { limit, started: true, .. }) => {
                Ok(Some(format!("`{words}` took longer than {} s", limit.as_secs())))
            }
            Err(error) => Err(error),
        }
    }

    async fn run(
        &self,
        site: &Site,
        place: Where<'_>,
        command: &[String],
        limit: Duration,
    ) -> Result<End, SshError> {
        let ctx: &StepContext = self.ctx;
        let target = site.target.name.as_str();
        let mut lines = Lines::new(ctx.output.clone(), ctx.world().clock.clone(), ctx.step.number, target);
        let hosts = ctx.engine.outside.hosts.as_ref();
        let (in_current, release) = match place {
            Where::Release(release) => (false, release),
            Where::Current(release) => (true, release),
        };
        let host = &site.target.host;
        let begun = ctx.world().clock.now();
        let ended = self.place.command(hosts, host, release, in_current, (command, limit), &mut lines).await;
        if let Ok(Finished { held_open: true, .. }) = &ended {
            let words = command.join(" ");
            let said = format!(
                "\n`{words}` left a process behind that holds its output open; it is not listened to any longer. Let \
                 that process write to a file, as with `> app.log 2>&1`\n"
            );
            lines.chunk(OutputStream::Stderr, said.into()).await;
        }
        lines.end();
        let end = ended?.end;
        let lasted = Duration::try_from(ctx.world().clock.now().duration_since(begun)).unwrap_or_default();
        let was_ended = matches!(&end, End::Exit(ENDED | KILLED) | End::Signal(_));
        if was_ended && lasted >= limit {
            return Err(SshError::TimedOut {
                host: target.to_owned(),
                doing: "a command",
                limit,
                started: true,
            });
        }
        Ok(end)
    }
}
