//! The real runner: has `ansible-playbook` started in its private directory by a supervisor, and reads what is kept of
//! it.

mod listen;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use self::listen::{Heard, Reader};
use super::workdir::Workdir;
use super::{Ansible, AnsibleError, EarlierRun, Events, Guard, PlaybookRun, RunOutcome};
use crate::host::ssh::PrivateAgent;
use crate::host::ssh::interactive::quoted;
use crate::supervise::{End, Folder, Found, Launcher, Lost, Order, Owned, Owner, StartError, Why, take_up};

/// The variable that names another `ansible-playbook`.
const PROGRAM_VARIABLE: &str = "MUSTER_ANSIBLE_PLAYBOOK";
/// The variable that tells the plugin its socket.
const EVENTS_VARIABLE: &str = "MUSTER_EVENTS";
/// How often new events are looked for.
const EVENT_POLL: Duration = Duration::from_millis(50);
/// Given to a run beyond its own limit, which its supervisor watches.
const SPARE: Duration = Duration::from_secs(60);
/// Variables of ours that Ansible may see; everything else of our environment stays with us.
const PASSED_ON: [&str; 14] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "TZ",
    "TMPDIR",
    "VIRTUAL_ENV",
    "PYENV_ROOT",
    "PYENV_VERSION",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "LD_LIBRARY_PATH",
    "SSL_CERT_FILE",
];

/// How runs are started.
#[derive(Debug, Clone)]
pub struct RunnerSettings {
    /// Private directories are made below this one.
    pub directory: PathBuf,
    /// `ansible-playbook`, or another program in its place.
    pub program: OsString,
    /// Hosts at a time.
    pub forks: u16,
    /// How supervisors are started.
    pub supervisor: Launcher,
}

impl RunnerSettings {
    /// `MUSTER_ANSIBLE_PLAYBOOK`, else `ansible-playbook` of the path; 20 hosts at a time.
    pub fn new(directory: &Path) -> RunnerSettings {
        let program = std::env::var_os(PROGRAM_VARIABLE).filter(|program| !program.is_empty());
        RunnerSettings {
            directory: directory.to_owned(),
            program: program.unwrap_or_else(|| "ansible-playbook".into()),
            forks: 20,
            supervisor: Launcher::muster(),
        }
    }
}

/// Runs the system's Ansible.
#[derive(Debug, Clone)]
pub struct AnsibleRunner {
    settings: RunnerSettings,
}

impl AnsibleRunner {
    /// With these settings.
    pub fn new(settings: RunnerSettings) -> AnsibleRunner {
        AnsibleRunner { settings }
    }

    /// The argument list of a run. No secret is in it.
    fn arguments(&self, workdir: &Workdir, run: &PlaybookRun) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        let mut option = |name: &str, value: String| all.extend([name.to_owned(), value]);
        option("--inventory", text(&workdir.inventory()));
        option("--forks", self.settings.forks.to_string());
        option("--extra-vars", format!("@{}", workdir.extra_vars().display()));
        for (name, words) in [("--limit", &run.limit), ("--tags", &run.tags), ("--skip-tags", &run.skip_tags)]
        {
            if !words.is_empty() {
                option(name, words.join(","));
            }
        }
        if run.become_password.is_some() {
            // Read from standard input.
            option("--become-password-file", "-".to_owned());
        }
        if run.check {
            all.push("--check".to_owned());
        }
        all.extend(["--".to_owned(), run.playbook.clone()]);
        all
    }

    /// What its supervisor is told.
    fn order(&self, workdir: &Workdir, run: &PlaybookRun) -> Result<Order, AnsibleError> {
        let mut directories = Workdir::places(&self.settings.directory, run)?.to_vec();
        let agent = run.login.as_ref().map(|(below, keys)| (below.clone(), run.mark.clone(), keys.clone()));
        if let Some((below, mark, _)) = &agent {
            directories.extend(PrivateAgent::place(below, mark).parent().map(Path::to_owned));
        }
        let mut hidden = run.hidden.clone();
        hidden.extend(run.secret_vars.values().cloned());
        hidden.extend(run.become_password.clone());
        Ok(Order {
            program: PathBuf::from(&self.settings.program),
            arguments: self.arguments(workdir, run),
            environment: environment(workdir, run),
            directory: workdir.files(),
            input: run.become_password.clone(),
            hidden,
            events: Some(workdir.event_socket()),
            output: false,
            agent,
            limit: run.limit_of_time,
            directories,
            kept: Vec::new(),
        })
    }

    /// A run that nobody else knows of: its folder is named after its mark.
    fn own_guard(&self, run: &PlaybookRun) -> Guard {
        let lease = Arc::new(run.limit_of_time + SPARE);
        Guard {
            folder: Folder::at(self.settings.directory.join(format!("child-{}", run.mark)).join("1")),
            owner: Owner { token: 1, lease },
            let_go: CancellationToken::new(),
            outlives: false,
        }
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// The whole environment of a run. No secret is in it.
fn environment(workdir: &Workdir, run: &PlaybookRun) -> BTreeMap<String, String> {
    let passed = |name: &str| Some((name.to_owned(), std::env::var(name).ok()?));
    let mut all: BTreeMap<String, String> = PASSED_ON.into_iter().filter_map(passed).collect();
    let in_bundle = |name: &str| workdir.files().join(name);
    let known_hosts = workdir.known_hosts();
    let mut ssh = vec![
        "-o".to_owned(),
        format!("UserKnownHostsFile={}", quoted(&known_hosts)),
        "-o".to_owned(),
        "GlobalKnownHostsFile=/dev/null".to_owned(),
        "-o".to_owned(),
        "StrictHostKeyChecking=yes".to_owned(),
        "-o".to_owned(),
        "UpdateHostKeys=no".to_owned(),
    ];
    let agent = match run.agent_socket() {
        Some(agent) => {
            // Our own agent means our own machines: the person's settings and keys stay out of it.
            ssh.extend(["-F".to_owned(), "none".to_owned(), "-o".to_owned(), "IdentityFile=none".to_owned()]);
            Some(text(&agent))
        }
        None => std::env::var("SSH_AUTH_SOCK").ok(),
    };
    let mut set = |name: &str, value: String| all.insert(name.to_owned(), value);
    if let Some(agent) = agent {
        set("SSH_AUTH_SOCK", agent);
    }
    set("LC_ALL", "C.UTF-8".to_owned());
    set("PYTHONUNBUFFERED", "1".to_owned());
    set("PYTHONDONTWRITEBYTECODE", "1".to_owned());
    set(EVENTS_VARIABLE, text(&workdir.event_socket()));
    set("ANSIBLE_CONFIG", text(&workdir.config()));
    set("ANSIBLE_HOME", text(&workdir.root().join("home")));
    set("ANSIBLE_LOCAL_TEMP", text(&workdir.root().join("tmp")));
    set("ANSIBLE_CACHE_PLUGIN_CONNECTION", text(&workdir.root().join("facts")));
    set("ANSIBLE_CALLBACK_PLUGINS", text(&workdir.root().join("plugins")));
    set("ANSIBLE_ROLES_PATH", text(&in_bundle("roles")));
    set("ANSIBLE_SSH_CONTROL_PATH_DIR", text(&workdir.control_sockets()));
    set("ANSIBLE_SSH_ARGS", "-C -o ControlMaster=auto -o ControlPersist=15s".to_owned());
    set("ANSIBLE_SSH_COMMON_ARGS", crate::host::ssh::quote::command_line(&ssh));
    if in_bundle("collections").is_dir() {
        set("ANSIBLE_COLLECTIONS_PATH", text(&in_bundle("collections")));
    }
    all
}

#[async_trait]
impl Ansible for AnsibleRunner {
    async fn run(&self, run: &PlaybookRun, events: &mut dyn Events) -> Result<RunOutcome, AnsibleError> {
        let workdir = Workdir::prepare(&self.settings.directory, run)?;
        let order = self.order(&workdir, run)?;
        let guard = run.guard.clone().unwrap_or_else(|| self.own_guard(run));
        let started = self.settings.supervisor.start(&guard.folder, &guard.owner, &order).await;
        let owned = match started {
            Ok(owned) => owned,
            Err(StartError::NotFound) => {
                return Err(AnsibleError::NotInstalled { program: order.program.display().to_string() });
            }
            Err(source) => {
                if source.may_have_begun() {
                    // Its supervisor, or whoever proves it dead, removes the directory.
                    workdir.hand_over();
                }
                return Err(AnsibleError::Start { program: order.program.display().to_string(), source });
            }
        };
        // From here on its supervisor removes the directory.
        workdir.hand_over();
        let following = Following {
            playbook: &run.playbook,
            limit: run.limit_of_time,
            owned: Arc::new(owned),
            cancel: &run.cancel,
            let_go: &guard.let_go,
            stop_when_dropped: !guard.outlives,
        };
        let outcome = following.until_its_end(events).await;
        if run.guard.is_none() {
            guard.folder.forget();
        }
        outcome
    }

    async fn take_up(
        &self,
        earlier: &EarlierRun,
        events: &mut dyn Events,
    ) -> Result<Option<RunOutcome>, AnsibleError> {
        let EarlierRun { playbook, limit_of_time, guard, cancel } = earlier;
        let found = take_up(&guard.folder, &guard.owner).await.map_err(|source| AnsibleError::Start {
            program: self.settings.program.to_string_lossy().into_owned(),
            source,
        })?;
        match found {
            Found::Nothing => Ok(None),
            Found::Lost(what) => Err(AnsibleError::Lost { playbook: playbook.clone(), what }),
            Found::Running(owned, _) => {
                let following = Following {
                    playbook,
                    limit: *limit_of_time,
                    owned: Arc::new(*owned),
                    cancel,
                    let_go: &guard.let_go,
                    stop_when_dropped: !guard.outlives,
                };
                following.until_its_end(events).await.map(Some)
            }
            Found::Ended(end) => {
                let mut heard = Heard::default();
                let mut reader = Reader::new(&guard.folder);
                let kept = kept(playbook, &guard.folder);
                while reader.tell(&mut heard, events, || false).await.map_err(&kept)? {}
                outcome(playbook, *limit_of_time, end, heard).map(Some)
            }
        }
    }
}

fn kept(playbook: &str, folder: &Folder) -> impl Fn(std::io::Error) -> AnsibleError {
    move |source| AnsibleError::Kept { playbook: playbook.to_owned(), path: folder.path().to_owned(), source }
}

/// A run that is ours and has not ended.
struct Following<'r> {
    playbook: &'r str,
    limit: Duration,
    owned: Arc<Owned>,
    cancel: &'r CancellationToken,
    let_go: &'r CancellationToken,
    /// Otherwise somebody may take it up, or it ends before long.
    stop_when_dropped: bool,
}

impl Drop for Following<'_> {
    fn drop(&mut self) {
        if self.stop_when_dropped {
            self.owned.stop();
        }
    }
}

impl Following<'_> {
    async fn until_its_end(mut self, events: &mut dyn Events) -> Result<RunOutcome, AnsibleError> {
        let mut heard = Heard::default();
        let ended = {
            let reading = self.read(&mut heard, events);
            tokio::pin!(reading);
            tokio::select! {
                // While events are told, which may take its time, the run stays ours.
                () = self.owned.keep() => return Err(self.let_go_of()),
                ended = &mut reading => ended,
                () = self.cancel.cancelled() => {
                    self.owned.stop();
                    reading.await
                }
            }
        };
        let end = ended.map_err(kept(self.playbook, self.owned.folder()));
        match end? {
            None => {
                self.stop_when_dropped = false;
                // Until somebody has it, it stays ours: they may take their time.
                let owned = self.owned.clone();
                tokio::spawn(async move { owned.keep_until_taken().await });
                Err(self.let_go_of())
            }
            Some(Ok(end)) => outcome(self.playbook, self.limit, end, heard),
            Some(Err(what)) => Err(AnsibleError::Lost { playbook: self.playbook.to_owned(), what }),
        }
    }

    fn let_go_of(&self) -> AnsibleError {
        AnsibleError::LetGo { playbook: self.playbook.to_owned() }
    }

    /// Tells events until the run has ended; none: it was let go of.
    async fn read(
        &self,
        heard: &mut Heard,
        events: &mut dyn Events,
    ) -> std::io::Result<Option<Result<End, Lost>>> {
        if let Some(child) = self.owned.folder().child()? {
            events.child(&child).await;
        }
        let mut reader = Reader::new(self.owned.folder());
        loop {
            // Asked before the last reading, so that nothing comes after it.
            let end = self.owned.end()?;
            while reader.tell(heard, events, || self.let_go.is_cancelled()).await? {
                if self.let_go.is_cancelled() {
                    return Ok(None);
                }
            }
            match end {
                Ok(None) => {}
                Ok(Some(end)) => return Ok(Some(Ok(end))),
                Err(lost) => return Ok(Some(Err(lost))),
            }
            tokio::select! {
                () = self.let_go.cancelled() => return Ok(None),
                () = sleep(EVENT_POLL) => {}
            }
        }
    }
}

/// What a run that has ended came to.
fn outcome(playbook: &str, limit: Duration, end: End, heard: Heard) -> Result<RunOutcome, AnsibleError> {
    let playbook = playbook.to_owned();
    if !end.clean {
        tracing::warn!("processes of `{playbook}` could not be ended; look at this machine");
    }
    match (heard.hosts, end.why) {
        // It had told its last before anybody ended it.
        (Some(hosts), _) if end.status >= 0 => {
            Ok(RunOutcome { hosts, exit_status: end.status, complaint: end.complaint })
        }
        (Some(_) | None, Why::TimedOut) => Err(AnsibleError::TimedOut { playbook, limit }),
        (Some(_) | None, Why::Stopped) => Err(AnsibleError::Cancelled { playbook }),
        (Some(_) | None, why @ (Why::Unrenewed | Why::Unowned | Why::Shutdown)) => {
            Err(AnsibleError::Ended { playbook, why })
        }
        (_, Why::Itself) => {
            let complaint = match heard.nonsense {
                Some(error) => format!("{}\nan event could not be read: {error}", end.complaint),
                None => end.complaint,
            };
            let (exit_status, started) = (end.status, heard.started);
            Err(AnsibleError::NoOutcome { playbook, exit_status, complaint, started })
        }
    }
}
