//! The supervisor's body: one process, one child, one folder. It takes no orders after its first but the owner's file.

use std::io::{PipeReader, Read};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use muster_model::Secret;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::net::UnixListener;
use tokio::net::unix::pipe;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use zeroize::Zeroizing;

use super::order::{Clear, Wire};
use super::owner::{Held, held};
use super::record::{Refusal, Why};
use super::{ADOPTION_LIMIT, Child, ENDING_LIMIT, End, Folder, Process, clock, kin, talk};
use crate::host::ssh::PrivateAgent;
use crate::secret::LoginKey;

/// How often the owner is looked at.
const TICK: Duration = Duration::from_millis(100);
/// A deadline that has passed is read once more after this, because the first reading may have met half a writing.
const READ_AGAIN: Duration = Duration::from_millis(5);
/// After the child has ended: for what is still in its socket.
const DRAIN_LIMIT: Duration = Duration::from_secs(60);
/// The same for a child that may never have connected.
const CONNECT_LIMIT: Duration = Duration::from_millis(500);
/// How long processes that were killed may take to go; one in an uninterruptible wait takes longer.
const KILL_LIMIT: Duration = Duration::from_secs(10);
/// The longest order, in bytes.
const ORDER_BYTES_MAX: u64 = 64 << 20;

/// The body of the hidden `muster __supervise FOLDER`; `arguments` are what follows the word. Reads its order from
/// standard input and gives the exit code. Makes a session and a runtime of its own.
pub fn supervisor_main(arguments: impl IntoIterator<Item = String>) -> i32 {
    let arguments: Vec<String> = arguments.into_iter().collect();
    let [folder] = &arguments[..] else {
        eprintln!("usage: __supervise FOLDER (Muster starts this itself)");
        return 2;
    };
    // Neither Ctrl-C at the owner's terminal nor its end reaches us.
    let _ = rustix::process::setsid();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = runtime.and_then(|runtime| runtime.block_on(supervise(&Folder::at(folder.into()))));
    match done {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("{error}");
            1
        }
    }
}

fn refuse(folder: &Folder, not_found: bool, message: String) -> std::io::Result<()> {
    folder.remove_directories();
    folder.remove_kept();
    folder.write("refusal.json", &Refusal { not_found, message })
}

async fn supervise(folder: &Folder) -> std::io::Result<()> {
    let mut text = Zeroizing::new(Vec::new());
    std::io::stdin().lock().take(ORDER_BYTES_MAX).read_to_end(&mut text)?;
    let wire: Wire = serde_json::from_slice(&text)?;
    drop(text);
    kin::become_subreaper()?;
    let mut ended = signal(SignalKind::child())?;
    let mut told = signal(SignalKind::terminate())?;
    let Some(supervisor) = Process::of(std::process::id().cast_signed()) else {
        return Err(std::io::Error::other("the start of this process cannot be told: is /proc there?"));
    };
    let mut running = match prepare(folder, wire) {
        Ok(prepared) => {
            if !folder.begin(Some(supervisor.clone()))? {
                return Ok(());
            }
            match prepared.spawn() {
                Ok(running) => running,
                Err(error) => {
                    let not_found = error.kind() == std::io::ErrorKind::NotFound;
                    return refuse(folder, not_found, error.to_string());
                }
            }
        }
        Err(message) => return refuse(folder, false, message),
    };
    let leader = running.leader;
    // A zombie has no start time; then it has ended already, and so has nothing to be named for.
    let process = Process::of(leader).unwrap_or(Process { pid: leader, start_ticks: 0, boot: clock::boot() });
    let noted = folder.write("child.json", &Child { process, supervisor });
    let mut watched = Watched { limit_at: clock::now() + running.limit, free_since: None };
    let mut ending: Option<(Why, Duration)> = None;
    let status = loop {
        if let Some(status) = kin::reap(leader).leader {
            break status;
        }
        let wanted = match ending {
            // What nobody could find again must not run.
            None if noted.is_err() => Some(Why::Stopped),
            None => watched.verdict(folder).await,
            Some((_, since)) => {
                if clock::now() >= since + ENDING_LIMIT {
                    kin::kill_descendants(own_pid());
                }
                None
            }
        };
        if let Some(why) = wanted {
            tell_group(leader, Signal::TERM);
            ending = Some((why, clock::now()));
        }
        tokio::select! {
            _ = ended.recv() => {}
            _ = told.recv(), if ending.is_none() => {
                tell_group(leader, Signal::TERM);
                ending = Some((Why::Shutdown, clock::now()));
            }
            () = sleep(TICK) => {}
        }
    };
    let clean = end_all(leader).await;
    let complaint = running.drain().await;
    let why = ending.map_or(Why::Itself, |(why, _)| why);
    drop(running);
    folder.remove_directories();
    if why != Why::Itself || status != 0 {
        folder.remove_kept();
    }
    folder.write("end.json", &End { status, why, clean, complaint })?;
    noted
}

fn own_pid() -> i32 {
    std::process::id().cast_signed()
}

fn tell_group(leader: i32, signal: Signal) {
    if let Some(leader) = Pid::from_raw(leader) {
        // Nobody left to hear it is fine.
        let _ = kill_process_group(leader, signal);
    }
}

/// Ends whoever the leader left behind. True once nobody is left.
async fn end_all(leader: i32) -> bool {
    let until = clock::now() + KILL_LIMIT;
    loop {
        if kin::reap(leader).nobody_left {
            return true;
        }
        if clock::now() >= until {
            return false;
        }
        tell_group(leader, Signal::KILL);
        kin::kill_descendants(own_pid());
        sleep(Duration::from_millis(10)).await;
    }
}

/// What is known of the owner from one look to the next.
struct Watched {
    limit_at: Duration,
    free_since: Option<Duration>,
}

impl Watched {
    async fn verdict(&mut self, folder: &Folder) -> Option<Why> {
        if !folder.exists() {
            // Nobody could ever find the child again.
            return Some(Why::Stopped);
        }
        let first = self.judge(clock::now(), held(folder));
        first?;
        sleep(READ_AGAIN).await;
        self.judge(clock::now(), held(folder))
    }

    /// Whether the child must end, and why.
    fn judge(&mut self, now: Duration, held: Option<Held>) -> Option<Why> {
        if now >= self.limit_at {
            return Some(Why::TimedOut);
        }
        let deadline = match held {
            Some(Held::Until(Duration::ZERO) | Held::Free(Duration::ZERO)) => return Some(Why::Stopped),
            Some(Held::Until(deadline)) => {
                self.free_since = None;
                return (deadline <= now).then_some(Why::Unrenewed);
            }
            Some(Held::Free(deadline)) => deadline,
            // A file without a whole deadline is about to get one, unless its owner died at just that moment.
            None => Duration::MAX,
        };
        let since = *self.free_since.get_or_insert(now);
        (deadline <= now || since + ADOPTION_LIMIT <= now).then_some(Why::Unowned)
    }
}

/// Everything a child needs, before it is started.
struct Prepared {
    command: Command,
    output: Option<(PipeReader, std::fs::File)>,
    listener: Option<(UnixListener, std::fs::File)>,
    agent: Option<PrivateAgent>,
    input: Option<Secret>,
    hidden: Vec<Secret>,
    limit: Duration,
}

fn prepare(folder: &Folder, wire: Wire) -> Result<Prepared, String> {
    match held(folder) {
        Some(Held::Until(deadline)) if deadline > clock::now() => {}
        Some(Held::Until(_) | Held::Free(_)) | None => {
            return Err("its owner was gone before it could start".to_owned());
        }
    }
    let mut command = Command::new(&wire.program);
    command.args(&wire.arguments).env_clear().envs(&wire.environment).current_dir(&wire.directory);
    let (mark, path) = kin::process_mark(folder.path());
    command.env(mark, path).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut output = None;
    if wire.output {
        let path = folder.output();
        let failed = |error| format!("keeping its output in {}: {error}", path.display());
        let file = talk::events_file(&path).map_err(failed)?;
        if wire.hidden.is_empty() {
            command.stdout(file.try_clone().map_err(failed)?).stderr(file);
        } else {
            // Through us, so that nothing is on disk that must not be seen.
            let (reader, writer) = std::io::pipe().map_err(failed)?;
            command.stdout(writer.try_clone().map_err(failed)?).stderr(writer);
            output = Some((reader, file));
        }
    }
    command.process_group(0);
    let listener = match &wire.events {
        None => None,
        Some(socket) => {
            let failed = |error| format!("making the event socket {}: {error}", socket.display());
            let listener = UnixListener::bind(socket).map_err(failed)?;
            Some((listener, talk::events_file(&folder.events()).map_err(failed)?))
        }
    };
    let agent = match &wire.agent {
        None => None,
        Some((below, mark, keys)) => {
            let read = |text: &Clear| LoginKey::read(&text.secret(), None).map_err(|error| error.to_string());
            let keys = keys.iter().map(read).collect::<Result<Vec<_>, _>>()?;
            let agent = PrivateAgent::serve(below, mark, keys);
            Some(agent.map_err(|error| format!("cannot serve the login key: {error}"))?)
        }
    };
    Ok(Prepared {
        command,
        output,
        listener,
        agent,
        input: wire.input.as_ref().map(Clear::secret),
        hidden: wire.hidden.iter().map(Clear::secret).collect(),
        limit: Duration::from_millis(wire.limit_ms),
    })
}

/// A child that was started, and the tasks that listen to it.
struct Running {
    leader: i32,
    limit: Duration,
    connected: Arc<AtomicBool>,
    events: Option<JoinHandle<std::io::Result<()>>>,
    output: Option<JoinHandle<std::io::Result<()>>>,
    complaint: Option<JoinHandle<String>>,
    _agent: Option<PrivateAgent>,
}

impl Prepared {
    fn spawn(mut self) -> std::io::Result<Running> {
        // Its own wait is never called: everybody who ends is collected in one place.
        let mut child = self.command.spawn()?;
        if let Some(input) = child.stdin.take() {
            let pipe = pipe::Sender::from_owned_fd(OwnedFd::from(input))?;
            tokio::spawn(talk::feed(pipe, self.input.take()));
        }
        let complaint = match child.stderr.take() {
            None => None,
            Some(pipe) => {
                let pipe = pipe::Receiver::from_owned_fd(OwnedFd::from(pipe))?;
                Some(tokio::spawn(talk::keep_end(pipe, self.hidden.clone())))
            }
        };
        let output = match self.output.take() {
            None => None,
            Some((pipe, file)) => {
                let pipe = pipe::Receiver::from_owned_fd(OwnedFd::from(pipe))?;
                Some(tokio::spawn(talk::keep_output(pipe, self.hidden.clone(), file)))
            }
        };
        let connected = Arc::new(AtomicBool::new(false));
        let events = self.listener.take().map(|(listener, file)| {
            tokio::spawn(talk::keep_events(listener, connected.clone(), self.hidden.clone(), file))
        });
        Ok(Running {
            leader: child.id().cast_signed(),
            limit: self.limit,
            connected,
            events,
            output,
            complaint,
            _agent: self.agent,
        })
    }
}

impl Running {
    /// Takes what the dead child has left in its socket and pipe; gives the end of its standard error.
    async fn drain(&mut self) -> String {
        if let Some(events) = &mut self.events {
            // A program that failed at once never connected; then nobody will ever write.
            let limit = if self.connected.load(Ordering::Relaxed) { DRAIN_LIMIT } else { CONNECT_LIMIT };
            match timeout(limit, &mut *events).await {
                Ok(Ok(Ok(()))) => {}
                Ok(Ok(Err(error))) => eprintln!("keeping its events: {error}"),
                Ok(Err(error)) => eprintln!("keeping its events: {error}"),
                Err(_) => events.abort(),
            }
        }
        if let Some(output) = &mut self.output {
            match timeout(DRAIN_LIMIT, &mut *output).await {
                Ok(Ok(Ok(()))) => {}
                Ok(Ok(Err(error))) => eprintln!("keeping its output: {error}"),
                Ok(Err(error)) => eprintln!("keeping its output: {error}"),
                Err(_) => output.abort(),
            }
        }
        match &mut self.complaint {
            None => String::new(),
            Some(complaint) => timeout(CONNECT_LIMIT, complaint)
                .await
                .map_or_else(|_| String::new(), |kept| kept.unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_is_judged_by_lock_and_deadline() {
        let at = Duration::from_secs;
        let mut watched = Watched { limit_at: at(1_000), free_since: None };
        assert_eq!(watched.judge(at(10), None), None, "about to be written");
        assert_eq!(watched.judge(at(10), Some(Held::Until(at(11)))), None);
        assert_eq!(watched.judge(at(11), Some(Held::Until(at(11)))), Some(Why::Unrenewed));
        assert_eq!(watched.judge(at(11), Some(Held::Until(at(0)))), Some(Why::Stopped));
        // Nobody owns it for a while, somebody takes it up, and then nobody comes.
        assert_eq!(watched.judge(at(20), Some(Held::Free(at(60)))), None);
        assert_eq!(watched.judge(at(39), Some(Held::Free(at(60)))), None);
        assert_eq!(watched.judge(at(39), Some(Held::Until(at(60)))), None);
        assert_eq!(watched.judge(at(41), Some(Held::Free(at(70)))), None);
        assert_eq!(watched.judge(at(61), Some(Held::Free(at(70)))), Some(Why::Unowned));
        // A short lease is not made longer by the time to adopt.
        watched.free_since = None;
        assert_eq!(watched.judge(at(71), Some(Held::Free(at(70)))), Some(Why::Unowned));
        // A new owner that dies before it has written its deadline is nobody.
        watched.free_since = None;
        assert_eq!(watched.judge(at(100), None), None);
        assert_eq!(watched.judge(at(119), None), None);
        assert_eq!(watched.judge(at(120), None), Some(Why::Unowned));
        assert_eq!(watched.judge(at(1_000), Some(Held::Until(at(2_000)))), Some(Why::TimedOut));
    }
}
