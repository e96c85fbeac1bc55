//! What the supervisor is told to do. It travels through a pipe, because secrets are in it, and is never written.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use muster_model::Secret;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::GONE_WITHIN;
use super::owner::{Owned, Owner, StartError};
use super::record::Folder;
use crate::secret::LoginKey;

/// How often it is looked whether a supervisor that refused has ended.
const GONE_POLL: Duration = Duration::from_millis(5);
/// What the hidden command is called.
const WORD: &str = "__supervise";

/// One child to be started. No secret is in its arguments or environment.
#[derive(Debug, Clone)]
pub struct Order {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its whole environment.
    pub environment: BTreeMap<String, String>,
    /// Where it runs.
    pub directory: PathBuf,
    /// What it reads from its standard input.
    pub input: Option<Secret>,
    /// Texts that are never written.
    pub hidden: Vec<Secret>,
    /// A socket that the child tells events to, one a line, as Ansible's plugin does.
    pub events: Option<PathBuf>,
    /// Whether everything it prints is kept in its folder, as it comes, or line by line if something is to be hidden;
    /// else only the end of its standard error.
    pub output: bool,
    /// A private agent: the directory below which it stands, its mark, and its keys.
    pub agent: Option<(PathBuf, String, Vec<LoginKey>)>,
    /// How long the child may take.
    pub limit: Duration,
    /// Removed with everything in them when the child has ended.
    pub directories: Vec<PathBuf>,
    /// Removed if it comes to nothing; else with its folder, so that its owner can take what it made.
    pub kept: Vec<PathBuf>,
}

/// A secret on its way through the pipe; wiped from memory when dropped.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Clear(String);

impl Drop for Clear {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Clear {
    pub(super) fn secret(&self) -> Secret {
        Secret::new(self.0.as_str())
    }
}

/// The same as it goes through the pipe.
#[derive(Serialize, Deserialize)]
pub(super) struct Wire {
    pub program: PathBuf,
    pub arguments: Vec<String>,
    pub environment: BTreeMap<String, String>,
    pub directory: PathBuf,
    pub input: Option<Clear>,
    pub hidden: Vec<Clear>,
    pub events: Option<PathBuf>,
    #[serde(default)]
    pub output: bool,
    pub agent: Option<(PathBuf, String, Vec<Clear>)>,
    pub limit_ms: u64,
    pub directories: Vec<PathBuf>,
}

fn exposed(secret: &Secret) -> Clear {
    Clear(secret.expose().to_owned())
}

impl Order {
    fn wire(&self) -> Wire {
        let keys = |keys: &Vec<LoginKey>| keys.iter().map(|key| exposed(&key.to_secret())).collect();
        Wire {
            program: self.program.clone(),
            arguments: self.arguments.clone(),
            environment: self.environment.clone(),
            directory: self.directory.clone(),
            input: self.input.as_ref().map(exposed),
            hidden: self.hidden.iter().map(exposed).collect(),
            events: self.events.clone(),
            output: self.output,
            agent: self.agent.as_ref().map(|(below, mark, all)| (below.clone(), mark.clone(), keys(all))),
            limit_ms: u64::try_from(self.limit.as_millis()).unwrap_or(u64::MAX),
            directories: self.directories.clone(),
        }
    }
}

/// How to start a supervisor.
#[derive(Debug, Clone)]
pub struct Launcher {
    /// The executable.
    pub program: PathBuf,
    /// Arguments before the folder.
    pub arguments: Vec<String>,
    /// Its whole environment.
    pub environment: Vec<(String, String)>,
}

impl Launcher {
    /// The running executable with its hidden command, also when its file was replaced meanwhile.
    pub fn muster() -> Launcher {
        let program = if cfg!(target_os = "linux") {
            PathBuf::from("/proc/self/exe")
        } else {
            std::env::current_exe().unwrap_or_else(|_| PathBuf::from("muster"))
        };
        Launcher { program, arguments: vec![WORD.to_owned()], environment: Vec::new() }
    }

    /// Starts a child under a supervisor in a folder that must not exist yet.
    ///
    /// # Errors
    /// Nothing was started, or, if [`StartError::may_have_begun`], nobody can tell.
    pub async fn start(&self, folder: &Folder, owner: &Owner, order: &Order) -> Result<Owned, StartError> {
        self.create(folder, order)?;
        self.launch(folder, owner, order).await
    }

    /// Makes the folder of a child and writes down what goes with it; nothing is started yet. From here on nothing that
    /// is put there can be forgotten.
    ///
    /// # Errors
    /// The folder is there already, or cannot be made.
    pub fn create(&self, folder: &Folder, order: &Order) -> Result<(), StartError> {
        folder.create(&order.directories, &order.kept).map_err(StartError::Folder)
    }

    /// Starts the child whose folder was made.
    ///
    /// # Errors
    /// As [`Launcher::start`].
    pub async fn launch(&self, folder: &Folder, owner: &Owner, order: &Order) -> Result<Owned, StartError> {
        let owned = Owned::take(folder, owner)?;
        let spawned = self
            .spawn(folder, &order.wire())
            .map_err(|source| StartError::Supervisor { program: self.program.display().to_string(), source });
        let gone = match spawned {
            Ok(gone) => gone,
            Err(error) => {
                folder.forget();
                return Err(error);
            }
        };
        match owned.begun(|| gone.load(Ordering::Acquire)).await {
            Ok(()) => Ok(owned),
            Err(error) => {
                owned.stop();
                if !error.may_have_begun() {
                    // Whoever said why is about to end; until then the folder is not let go of.
                    let mut waited = Duration::ZERO;
                    while folder.is_guarded() && waited < GONE_WITHIN {
                        tokio::time::sleep(GONE_POLL).await;
                        waited += GONE_POLL;
                    }
                    folder.forget();
                }
                Err(error)
            }
        }
    }

    /// Starts the supervisor; what is given becomes true when it has ended.
    fn spawn(&self, folder: &Folder, wire: &Wire) -> std::io::Result<Arc<AtomicBool>> {
        let mut command = Command::new(&self.program);
        #[cfg(unix)]
        std::os::unix::process::CommandExt::arg0(&mut command, "muster");
        command.args(&self.arguments).arg(folder.path()).env_clear().envs(self.environment.iter().cloned());
        let log = std::fs::File::create(folder.log())?;
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log).current_dir(Path::new("/"));
        let mut child = command.spawn()?;
        let text = Zeroizing::new(serde_json::to_vec(wire)?);
        if let Some(mut input) = child.stdin.take() {
            // It reads to the end before it does anything; if it is dead, its folder stays silent.
            input.write_all(&text)?;
        }
        // Collected by nobody but the kernel once we are gone; until then by this thread's end.
        let gone = Arc::new(AtomicBool::new(false));
        let tells = gone.clone();
        std::thread::Builder::new().name("supervisor".to_owned()).spawn(move || {
            let ended = child.wait();
            tells.store(true, Ordering::Release);
            ended
        })?;
        Ok(gone)
    }
}
