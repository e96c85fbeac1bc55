//! The real runner: starts `ansible-playbook` in its private directory and listens to the plugin.

mod listen;
mod process;

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use rustix::process::Pid;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixListener;
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use self::listen::{Heard, keep_end, listen};
use self::process::Group;
use super::event::hide;
use super::workdir::Workdir;
use super::{Ansible, AnsibleError, Events, PlaybookRun, RunOutcome};
use crate::host::ssh::interactive::quoted;

/// The variable that names another `ansible-playbook`.
const PROGRAM_VARIABLE: &str = "MUSTER_ANSIBLE_PLAYBOOK";
/// The variable that tells the plugin its socket.
const EVENTS_VARIABLE: &str = "MUSTER_EVENTS";
/// After the process has ended: for a plugin that may still be connecting.
const CONNECT_LIMIT: Duration = Duration::from_millis(500);
/// After the process has ended: for a slow listener to take the events that are still in the socket.
const DRAIN_LIMIT: Duration = Duration::from_secs(60);
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
}

impl RunnerSettings {
    /// `MUSTER_ANSIBLE_PLAYBOOK`, else `ansible-playbook` of the path; 20 hosts at a time.
    pub fn new(directory: &Path) -> RunnerSettings {
        let program = std::env::var_os(PROGRAM_VARIABLE).filter(|program| !program.is_empty());
        RunnerSettings {
            directory: directory.to_owned(),
            program: program.unwrap_or_else(|| "ansible-playbook".into()),
            forks: 20,
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
    fn arguments(&self, workdir: &Workdir, run: &PlaybookRun) -> Vec<OsString> {
        let mut all: Vec<OsString> = Vec::new();
        let mut option = |name: &str, value: OsString| all.extend([name.into(), value]);
        option("--inventory", workdir.inventory().into());
        option("--forks", self.settings.forks.to_string().into());
        let mut file = OsString::from("@");
        file.push(workdir.extra_vars());
        option("--extra-vars", file);
        for (name, words) in [("--limit", &run.limit), ("--tags", &run.tags), ("--skip-tags", &run.skip_tags)]
        {
            if !words.is_empty() {
                option(name, words.join(",").into());
            }
        }
        if run.become_password.is_some() {
            // Read from standard input.
            option("--become-password-file", "-".into());
        }
        if run.check {
            all.push("--check".into());
        }
        all.extend(["--".into(), run.playbook.clone().into()]);
        all
    }

    fn command(&self, workdir: &Workdir, run: &PlaybookRun) -> Command {
        let mut command = Command::new(&self.settings.program);
        command.args(self.arguments(workdir, run));
        command.current_dir(workdir.files());
        command.env_clear();
        command.envs(PASSED_ON.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
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
        if let Some(agent) = &run.agent {
            // Our own agent means our own machines: the person's settings and keys stay out of it.
            ssh.extend(["-F".to_owned(), "none".to_owned(), "-o".to_owned(), "IdentityFile=none".to_owned()]);
            command.env("SSH_AUTH_SOCK", agent);
        } else if let Some(agent) = std::env::var_os("SSH_AUTH_SOCK") {
            command.env("SSH_AUTH_SOCK", agent);
        }
        command
            .env("LC_ALL", "C.UTF-8")
            .env("PYTHONUNBUFFERED", "1")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env(EVENTS_VARIABLE, workdir.event_socket())
            .env("ANSIBLE_CONFIG", workdir.config())
            .env("ANSIBLE_HOME", workdir.root().join("home"))
            .env("ANSIBLE_LOCAL_TEMP", workdir.root().join("tmp"))
            .env("ANSIBLE_CACHE_PLUGIN_CONNECTION", workdir.root().join("facts"))
            .env("ANSIBLE_CALLBACK_PLUGINS", workdir.root().join("plugins"))
            .env("ANSIBLE_ROLES_PATH", in_bundle("roles"))
            .env("ANSIBLE_SSH_CONTROL_PATH_DIR", workdir.control_sockets())
            .env("ANSIBLE_SSH_ARGS", "-C -o ControlMaster=auto -o ControlPersist=15s")
            .env("ANSIBLE_SSH_COMMON_ARGS", crate::host::ssh::quote::command_line(&ssh))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0);
        if in_bundle("collections").is_dir() {
            command.env("ANSIBLE_COLLECTIONS_PATH", in_bundle("collections"));
        }
        command
    }
}

enum Stopped {
    Ended(io::Result<ExitStatus>),
    Cancelled,
    TimedOut,
}

#[async_trait]
impl Ansible for AnsibleRunner {
    async fn run(&self, run: &PlaybookRun, events: &mut dyn Events) -> Result<RunOutcome, AnsibleError> {
        let program = self.settings.program.to_string_lossy().into_owned();
        let workdir = Workdir::prepare(&self.settings.directory, run)?;
        let socket = workdir.event_socket();
        let listener = UnixListener::bind(&socket).map_err(|source| AnsibleError::Directory {
            doing: "making the event socket",
            path: socket,
            source,
        })?;
        let process = |doing| {
            let program = program.clone();
            move |source| AnsibleError::Process { doing, program, source }
        };
        let child = match self.command(&workdir, run).spawn() {
            Ok(child) => child,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(AnsibleError::NotInstalled { program });
            }
            Err(error) => return Err(process("starting")(error)),
        };
        let leader = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        // Declared after the directory, so that the processes go first.
        let mut group = Group { child, leader, socket: workdir.event_socket() };
        let mut hidden = run.hidden.clone();
        hidden.extend(run.secret_vars.values().cloned());
        hidden.extend(run.become_password.clone());
        let mut heard = Heard::default();
        let connected = AtomicBool::new(false);
        let mut complaint = VecDeque::new();
        let stdin = group.child.stdin.take();
        let stderr = group.child.stderr.take();
        let stopped = {
            let feed = async {
                if let (Some(mut stdin), Some(password)) = (stdin, &run.become_password) {
                    // It may have ended already; its exit status tells more than this error would.
                    let _ = stdin.write_all(password.expose().as_bytes()).await;
                }
            };
            let reading = async {
                tokio::join!(
                    feed,
                    keep_end(stderr, &mut complaint),
                    listen(listener, &connected, &hidden, &mut heard, events)
                )
            };
            tokio::pin!(reading);
            let mut all_read = false;
            let late = sleep(run.limit_of_time);
            tokio::pin!(late);
            let stopped = loop {
                tokio::select! {
                    status = group.wait() => break Stopped::Ended(status),
                    () = run.cancel.cancelled() => break Stopped::Cancelled,
                    () = &mut late => break Stopped::TimedOut,
                    _ = &mut reading, if !all_read => all_read = true,
                }
            };
            if !matches!(stopped, Stopped::Ended(_)) {
                group.end().await;
            }
            if !all_read {
                // A program that failed at once never connected; then nobody will ever write.
                let drained = timeout(CONNECT_LIMIT, &mut reading).await.is_ok();
                if !drained && connected.load(Ordering::Relaxed) && matches!(stopped, Stopped::Ended(_)) {
                    let _ = timeout(DRAIN_LIMIT, &mut reading).await;
                }
            }
            stopped
        };
        let complaint: Vec<u8> = complaint.into();
        let complaint = hide(String::from_utf8_lossy(&complaint).trim().to_owned(), &hidden);
        let playbook = run.playbook.clone();
        let status = match stopped {
            Stopped::Ended(status) => status.map_err(process("waiting for"))?,
            Stopped::Cancelled => return Err(AnsibleError::Cancelled { playbook }),
            Stopped::TimedOut => return Err(AnsibleError::TimedOut { playbook, limit: run.limit_of_time }),
        };
        let exit_status = exit_number(status);
        match heard.hosts {
            Some(hosts) => Ok(RunOutcome { hosts, exit_status, complaint }),
            None => {
                let complaint = match heard.nonsense {
                    Some(error) => format!("{complaint}\nan event could not be read: {error}"),
                    None => complaint,
                };
                Err(AnsibleError::NoOutcome { playbook, exit_status, complaint, started: heard.started })
            }
        }
    }
}

fn exit_number(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| -status.signal().unwrap_or(1))
}
