//! Following a run to its end. Ctrl-\ leaves it to the engine in the background. Ctrl-C: first lets running steps finish and leaves the run *interrupted*; second stops
//! at once, which must converge too (`SEMANTICS.md` §7).

use muster_api::Resource;
use muster_api::cursor::Cursor;
use muster_api::plan::PlanAttributes;
use muster_api::run::RunAttributes;
use muster_model::id::RunId;

use super::Context;
use crate::connect::background;
use crate::exit::{Exit, Failure};

/// How often, and with which pause, the engine in the background is asked to take a run that this process still holds.
const HAND_OVER_TRIES: u32 = 600;
const HAND_OVER_PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

/// A run's id from text.
pub fn run_id(text: &str) -> Result<RunId, Failure> {
    text.parse().map_err(|_| Failure::usage(format!("`{text}` is no run's id")))
}

/// How following ended.
pub struct Followed {
    /// The run as it is now.
    pub run: Resource<RunAttributes>,
    /// Whether the person left it to itself.
    pub left: bool,
}

impl Followed {
    /// The exit code; `waiting` = something was left waiting by the plan.
    pub fn exit(&self, waiting: bool) -> Exit {
        if self.left { Exit::Done } else { Exit::of_run(&self.run.attributes.state, waiting) }
    }
}

/// Follows a run from a cursor; the plan, where it is at hand, says how much there is to do.
pub async fn follow(
    run: &str,
    from: Cursor,
    plan: Option<&PlanAttributes>,
    context: &Context<'_>,
) -> Result<Followed, Failure> {
    let id = run_id(run)?;
    let mut events = context.client.events(id, from);
    let mut signals = Signals::new()?;
    let mut interrupted = false;
    context.screen.begin(run, plan);
    loop {
        let event = tokio::select! {
            event = events.next() => event?,
            told = signals.next() => {
                if told == Told::Leave {
                    leave(id, context).await?;
                    context.screen.end();
                    return Ok(Followed { run: context.client.run(id).await?, left: true });
                }
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
    Ok(Followed { run: context.client.run(id).await?, left: false })
}

/// The second Ctrl-C: nothing is tidied up, the journal knows enough.
fn stop_at_once(run: &str) -> ! {
    anstream::eprintln!("Stopped at once. Take it up again with: muster run resume {run}");
    std::process::exit(i32::from(Exit::Interrupted.code()))
}

/// Leaves the run to itself: to the engine in the background, if it executes in this process.
async fn leave(run: RunId, context: &Context<'_>) -> Result<(), Failure> {
    if context.in_process {
        context.screen.say("Leaving it to the engine in the background: playbooks run on, other steps under way are being finished.");
        context.client.hand_over(run).await?;
        let background = background::start(&context.home).await?;
        // It goes on as soon as the last step here has its outcome.
        for _ in 0..HAND_OVER_TRIES {
            match background.resume(run).await {
                Ok(_) => break,
                Err(error) if error.exit() == 6 => tokio::time::sleep(HAND_OVER_PAUSE).await,
                Err(error) => return Err(error.into()),
            }
        }
    }
    context
        .screen
        .say(&format!("It goes on in the background. Follow it again with: muster run attach {run}"));
    Ok(())
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// Stop.
    Stop,
    /// Leave the run to itself.
    Leave,
}

/// Ctrl-C, SIGTERM and Ctrl-\, as often as they come.
struct Signals {
    leave: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> Result<Signals, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        let failed = |error| Failure::new(Exit::Failed, format!("signals cannot be received: {error}"));
        Ok(Signals {
            leave: signal(SignalKind::quit()).map_err(failed)?,
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
        })
    }

    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.leave.recv() => Told::Leave,
            _ = self.interrupt.recv() => Told::Stop,
            _ = self.terminate.recv() => Told::Stop,
        }
    }
}
