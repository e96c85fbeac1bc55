//! Running Ansible: playbooks of the person and of ours, with events instead of text.
//!
//! Lives here: the trait [`Ansible`], the real runner ([`AnsibleRunner`]), the stand-in ([`ScriptedAnsible`]), the
//! events, and Muster's own playbooks ([`builtin`]). Does not live here: the documents and the check before a run
//! (`muster_model::ansible`).
//!
//! The idea: `ansible-playbook` runs in a private directory that holds exactly the files of the bundle and settings
//! of ours, and a callback plugin tells over a socket what happens. Nothing is read from its screen. Its process belongs
//! to a supervisor ([`crate::supervise`]), so that a run outlives its owner for a while and another one can take it up.

pub mod builtin;
mod event;
mod runner;
mod stand_in;
mod workdir;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use muster_model::Secret;
use muster_model::ansible::Inventory;
use tokio_util::sync::CancellationToken;

use crate::host::ssh::{Host, PrivateAgent};
use crate::secret::LoginKey;
use crate::supervise::{Child, Folder, Lost, Owner, StartError, Why};

pub use event::{AnsibleEvent, HostResult, HostStats, HostTask, TaskKind, TaskOutcome};
pub(crate) use event::{hide, read_line, without_output};
pub use runner::{AnsibleRunner, RunnerSettings};
pub use stand_in::ScriptedAnsible;

/// One file of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFile {
    /// Its content.
    pub content: Bytes,
    /// Permission bits; others than the owner get none.
    pub mode: u32,
}

/// One run of one playbook.
#[derive(Debug, Clone)]
pub struct PlaybookRun {
    /// A name for its private directory, unique (an identifier of the world): letters, digits, `-`.
    pub mark: String,
    /// Path below the bundle's root → file.
    pub files: BTreeMap<String, RunFile>,
    /// Which of them.
    pub playbook: String,
    /// Every host that the playbook may speak of.
    pub inventory: Inventory,
    /// How each of them is reached, by inventory name: host keys, jump hosts.
    pub hosts: BTreeMap<String, Host>,
    /// Restrict the run to these hosts or groups; empty: no restriction.
    pub limit: Vec<String>,
    /// `--tags`
    pub tags: Vec<String>,
    /// `--skip-tags`
    pub skip_tags: Vec<String>,
    /// `--extra-vars`
    pub extra_vars: BTreeMap<String, serde_json::Value>,
    /// Extra variables whose values must not be seen.
    pub secret_vars: BTreeMap<String, Secret>,
    /// For `--ask-become-pass`.
    pub become_password: Option<Secret>,
    /// An agent that logs in, and goes on without us.
    pub agent: Option<PathBuf>,
    /// Or keys for a private agent that lives as long as the run, and the directory below which its socket stands.
    pub login: Option<(PathBuf, Vec<LoginKey>)>,
    /// Further texts that must not appear in events or errors.
    pub hidden: Vec<Secret>,
    /// `--check`
    pub check: bool,
    /// How long it may take.
    pub limit_of_time: Duration,
    /// Ends the run with all its children.
    pub cancel: CancellationToken,
    /// Who owns it and where it is kept; without one it is over when we are.
    pub guard: Option<Guard>,
}

/// Who owns a run, and where it is kept.
#[derive(Debug, Clone)]
pub struct Guard {
    /// Its folder; must not exist when the run begins.
    pub folder: Folder,
    /// Its owner.
    pub owner: Owner,
    /// Lets go of the run without ending it: somebody else is about to take it up.
    pub let_go: CancellationToken,
    /// Whether a run whose future is dropped may be taken up; otherwise it is ended at once.
    pub outlives: bool,
}

/// A run that an earlier owner began.
#[derive(Debug, Clone)]
pub struct EarlierRun {
    /// Its playbook, for messages.
    pub playbook: String,
    /// How long it may take.
    pub limit_of_time: Duration,
    /// Its folder, and who wants to own it.
    pub guard: Guard,
    /// Ends the run with all its children.
    pub cancel: CancellationToken,
}

impl PlaybookRun {
    /// A run of this playbook with nothing special, within an hour.
    pub fn new(mark: &str, playbook: &str, inventory: Inventory) -> PlaybookRun {
        PlaybookRun {
            mark: mark.to_owned(),
            files: BTreeMap::new(),
            playbook: playbook.to_owned(),
            inventory,
            hosts: BTreeMap::new(),
            limit: Vec::new(),
            tags: Vec::new(),
            skip_tags: Vec::new(),
            extra_vars: BTreeMap::new(),
            secret_vars: BTreeMap::new(),
            become_password: None,
            agent: None,
            login: None,
            hidden: Vec::new(),
            check: false,
            limit_of_time: Duration::from_secs(3600),
            cancel: CancellationToken::new(),
            guard: None,
        }
    }

    /// The value for `SSH_AUTH_SOCK`.
    pub(crate) fn agent_socket(&self) -> Option<PathBuf> {
        let private = || self.login.as_ref().map(|(below, _)| PrivateAgent::place(below, &self.mark));
        self.agent.clone().or_else(private)
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunOutcome {
    /// Per host of the run. A host that no play touched is not in it.
    pub hosts: BTreeMap<String, HostResult>,
    /// `ansible-playbook`'s own exit status.
    pub exit_status: i32,
    /// The end of what it wrote to standard error, secrets hidden.
    pub complaint: String,
}

impl RunOutcome {
    /// Whether every host ended well and Ansible agrees.
    pub fn success(&self) -> bool {
        self.exit_status == 0 && self.hosts.values().all(|host| host.stats.well())
    }
}

/// Takes events as they come, from the first one on, also of a run that was taken up.
#[async_trait]
pub trait Events: Send {
    /// The run has a process now.
    async fn child(&mut self, _child: &Child) {}

    /// The next one.
    async fn event(&mut self, event: AnsibleEvent);
}

#[async_trait]
impl Events for Vec<AnsibleEvent> {
    async fn event(&mut self, event: AnsibleEvent) {
        self.push(event);
    }
}

#[async_trait]
impl Events for tokio::sync::mpsc::Sender<AnsibleEvent> {
    async fn event(&mut self, event: AnsibleEvent) {
        // Nobody listens any more; the run still goes to its end.
        let _ = self.send(event).await;
    }
}

/// Runs playbooks.
#[async_trait]
pub trait Ansible: Send + Sync {
    /// Runs one. Hosts that fail are part of a successful answer. Dropping the future ends the run with all its
    /// children, unless its guard says otherwise. What is kept of it stays until its folder is told to forget.
    ///
    /// # Errors
    /// There was no run, nobody can tell how it ended, or it was let go of.
    async fn run(&self, run: &PlaybookRun, events: &mut dyn Events) -> Result<RunOutcome, AnsibleError>;

    /// Goes on with a run that somebody else began: takes its outcome if it has ended, follows it to its end if it
    /// still runs. None: there is no trace of it on this machine.
    ///
    /// # Errors
    /// As for [`Ansible::run`]. Then no process of the run is left, unless it was let go of.
    async fn take_up(
        &self,
        earlier: &EarlierRun,
        events: &mut dyn Events,
    ) -> Result<Option<RunOutcome>, AnsibleError>;
}

/// Why there is no outcome.
#[derive(Debug, thiserror::Error)]
pub enum AnsibleError {
    /// It is not installed.
    #[error(
        "`{program}` is not there; install ansible-core (Debian: `apt install ansible-core`, or `pip install \
         ansible-core`), or name it in MUSTER_ANSIBLE_PLAYBOOK"
    )]
    NotInstalled {
        /// What was looked for.
        program: String,
    },
    /// The run itself makes no sense.
    #[error("the playbook run of `{playbook}` cannot start: {message}")]
    BadRun {
        /// Which.
        playbook: String,
        /// Why.
        message: String,
    },
    /// The private directory.
    #[error("{doing} {}", path.display())]
    Directory {
        /// What was being attempted.
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Starting the process, or taking it up.
    #[error("starting `{program}`")]
    Start {
        /// Which program.
        program: String,
        /// Why.
        source: StartError,
    },
    /// What is kept of the run cannot be read.
    #[error("reading what is kept of `{playbook}` in {}", path.display())]
    Kept {
        /// Which.
        playbook: String,
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It goes on, and is not ours any more.
    #[error("`{playbook}` was let go of and runs on")]
    LetGo {
        /// Which.
        playbook: String,
    },
    /// It was ended from outside before it was through.
    #[error("`{playbook}` was ended before it was through: {}", ended(*why))]
    Ended {
        /// Which.
        playbook: String,
        /// What ended it.
        why: Why,
    },
    /// Nobody can tell.
    #[error("how `{playbook}` ended is not known: {}", lost(*what))]
    Lost {
        /// Which.
        playbook: String,
        /// What happened.
        what: Lost,
    },
    /// It ended without telling how the hosts fared.
    #[error("Ansible ended before it ran `{playbook}` (exit status {exit_status}): {complaint}")]
    NoOutcome {
        /// Which.
        playbook: String,
        /// Its status; negative: a signal.
        exit_status: i32,
        /// The end of what it said.
        complaint: String,
        /// Whether some task may have begun on some host.
        started: bool,
    },
    /// It took too long and was ended.
    #[error("`{playbook}` took longer than {} s and was ended", limit.as_secs())]
    TimedOut {
        /// Which.
        playbook: String,
        /// The bound.
        limit: Duration,
    },
    /// It was cancelled.
    #[error("`{playbook}` was cancelled")]
    Cancelled {
        /// Which.
        playbook: String,
    },
}

impl AnsibleError {
    /// Whether some task may have begun on some host: then only looking tells what is there.
    pub fn may_have_acted(&self) -> bool {
        match self {
            AnsibleError::NoOutcome { started, .. } => *started,
            AnsibleError::TimedOut { .. }
            | AnsibleError::Cancelled { .. }
            | AnsibleError::Kept { .. }
            | AnsibleError::LetGo { .. }
            | AnsibleError::Ended { .. } => true,
            AnsibleError::Start { source, .. } => source.may_have_begun(),
            AnsibleError::Lost { what, .. } => match what {
                Lost::NeverBegan => false,
                Lost::Rebooted | Lost::Killed => true,
            },
            AnsibleError::NotInstalled { .. }
            | AnsibleError::BadRun { .. }
            | AnsibleError::Directory { .. } => false,
        }
    }
}

fn ended(why: Why) -> &'static str {
    match why {
        Why::Itself => "it ended without a result",
        Why::Unrenewed => "the process that ran it was stopped, or lost its lease",
        Why::Unowned => "the process that ran it died, and nobody took it up in time",
        Why::TimedOut => "it took too long",
        Why::Stopped => "it was told to stop",
        Why::Shutdown => "the machine was going down",
    }
}

fn lost(what: Lost) -> &'static str {
    match what {
        Lost::NeverBegan => "it was about to start when something stopped it, and it did not",
        Lost::Rebooted => "this machine was restarted while it ran",
        Lost::Killed => "its supervisor was killed, and what was left of it has been ended",
    }
}
