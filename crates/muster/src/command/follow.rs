//! Following a run to its end. Ctrl-C: first lets running steps finish and leaves the run *interrupted*; second stops
//! at once, which must converge too (`SEMANTICS.md` §7).

use muster_api::Resource;
use muster_api::cursor::Cursor;
use muster_api::plan::PlanAttributes;
use muster_api::run::RunAttributes;
use muster_model::id::RunId;

use super::Context;
use crate::exit::{Exit, Failure};

/// A run's id from text.
pub fn run_id(text: &str) -> Result<RunId, Failure> {
    text.parse().map_err(|_| Failure::usage(format!("`{text}` is no run's id")))
}

/// Follows a run from a cursor; the plan, where it is at hand, says how much there is to do.
pub async fn follow(
    run: &str,
    from: Cursor,
    plan: Option<&PlanAttributes>,
    context: &Context<'_>,
) -> Result<Resource<RunAttributes>, Failure> {
    let id = run_id(run)?;
    let mut events = context.client.events(id, from);
    let mut signals = Signals::new()?;
    let mut interrupted = false;
    context.screen.begin(run, plan);
    loop {
        let event = tokio::select! {
            event = events.next() => event?,
            () = signals.next() => {
                if interrupted {
                    context.screen.end();
                    stop_at_once(run);
                }
                interrupted = true;
                context.screen.say("Interrupted: steps under way are being finished. Press again to stop at once.");
                // A run that just ended cannot be interrupted any more; its end will be followed.
                if let Err(error) = context.client.interrupt(id).await {
                    context.screen.say(&error.to_string());
                }
                continue;
            }
        };
        match event {
            Some(event) => context.screen.event(&event),
            None => break,
        }
    }
    context.screen.end();
    Ok(context.client.run(id).await?)
}

/// The second Ctrl-C: nothing is tidied up, the journal knows enough.
fn stop_at_once(run: &str) -> ! {
    anstream::eprintln!("Stopped at once. Take it up again with: muster run resume {run}");
    std::process::exit(i32::from(Exit::Interrupted.code()))
}

/// Ctrl-C and SIGTERM, as often as they come.
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> Result<Signals, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        let failed = |error| Failure::new(Exit::Failed, format!("signals cannot be received: {error}"));
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
