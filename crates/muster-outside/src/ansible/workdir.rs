//! The private directory of one run: the bundle's files, our settings, sockets; gone when the run is. It is written by
//! whoever starts the run and removed by the run's supervisor.

use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{AnsibleError, PlaybookRun};
use crate::host::ssh::{Host, HostKeyPolicy, interactive, quote};

/// `sun_path` is 108 bytes with its end on Linux, 104 elsewhere; `ssh` adds a name of 10 and an ending of 17.
const SOCKET_DIRECTORY_BYTES_MAX: usize = 70;

const PLUGIN: &str = include_str!("muster_events.py");

/// Settings that do not depend on the run. What holds paths goes through the environment.
const CONFIG: &str = "\
# Written by Muster.
[defaults]
host_key_checking = True
gathering = smart
fact_caching = jsonfile
fact_caching_timeout = 3600
stdout_callback = muster_events
retry_files_enabled = False
interpreter_python = auto_silent
nocows = True
deprecation_warnings = False
timeout = 20
[inventory]
enable_plugins = yaml
any_unparsed_is_failed = True
[ssh_connection]
pipelining = True
retries = 2
";

/// Removed with everything in it when dropped, unless somebody else has it by then.
pub(crate) struct Workdir {
    root: PathBuf,
    sockets: PathBuf,
    is_ours: bool,
}

impl Drop for Workdir {
    fn drop(&mut self) {
        if !self.is_ours {
            return;
        }
        // Best effort: what stays is private, and its name is never used again.
        let _ = std::fs::remove_dir_all(&self.sockets);
        let _ = std::fs::remove_dir_all(&self.root);
    }
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> AnsibleError {
    let path = path.to_owned();
    move |source| AnsibleError::Directory { doing, path, source }
}

fn private(path: &Path) -> Result<(), AnsibleError> {
    let made = std::fs::DirBuilder::new().mode(0o700).recursive(true).create(path);
    made.map_err(failed("making the directory", path))
}

fn write(path: &Path, content: &[u8], mode: u32) -> Result<(), AnsibleError> {
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode & 0o700).open(path);
    file.and_then(|mut file| file.write_all(content)).map_err(failed("writing", path))
}

impl Workdir {
    /// Where a run's directories will be: the larger one, and the one for sockets.
    pub(crate) fn places(parent: &Path, run: &PlaybookRun) -> Result<[PathBuf; 2], AnsibleError> {
        let fine = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if run.mark.is_empty() || !run.mark.chars().all(fine) {
            let message = format!("`{}` cannot name a directory", run.mark);
            return Err(AnsibleError::BadRun { playbook: run.playbook.clone(), message });
        }
        let root = parent.join(format!("ansible-{}", run.mark));
        let short = root.join("s");
        let sockets = match short.as_os_str().len() <= SOCKET_DIRECTORY_BYTES_MAX {
            true => short,
            false => std::env::temp_dir().join(format!("muster-{}", run.mark)),
        };
        Ok([root, sockets])
    }

    /// From here on somebody else removes it.
    pub(crate) fn hand_over(mut self) {
        self.is_ours = false;
    }

    /// Writes everything a run needs below `parent`.
    pub(crate) fn prepare(parent: &Path, run: &PlaybookRun) -> Result<Workdir, AnsibleError> {
        let bad = |message: String| AnsibleError::BadRun { playbook: run.playbook.clone(), message };
        let [root, sockets] = Workdir::places(parent, run)?;
        if !run.files.contains_key(&run.playbook) {
            return Err(bad("the playbook is not among its files".to_owned()));
        }
        private(parent)?;
        // Not recursive: a directory of this name must not exist yet.
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&root)
            .map_err(failed("making the directory", &root))?;
        let workdir = Workdir { root, sockets, is_ours: true };
        let made = std::fs::DirBuilder::new().mode(0o700).create(&workdir.sockets);
        made.map_err(failed("making the directory for sockets", &workdir.sockets))?;
        for (path, file) in &run.files {
            if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
                return Err(bad(format!("`{path}` is not a path below the bundle's root")));
            }
            let place = workdir.files().join(path);
            if let Some(directory) = place.parent() {
                private(directory)?;
            }
            write(&place, &file.content, file.mode | 0o600)?;
        }
        for directory in ["plugins", "facts", "tmp", "home"] {
            private(&workdir.root.join(directory))?;
        }
        write(&workdir.root.join("plugins/muster_events.py"), PLUGIN.as_bytes(), 0o600)?;
        write(&workdir.config(), CONFIG.as_bytes(), 0o600)?;
        write(&workdir.inventory(), run.inventory.to_yaml().as_bytes(), 0o600)?;
        write(&workdir.known_hosts(), known_hosts(run)?.as_bytes(), 0o600)?;
        let mut vars: serde_json::Map<String, serde_json::Value> =
            run.extra_vars.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        for (name, secret) in &run.secret_vars {
            vars.insert(name.clone(), secret.expose().into());
        }
        for (name, arguments) in ssh_arguments(run, &workdir.known_hosts()) {
            // Beside the inventory, so that a play's own variables do not replace it.
            let directory = workdir.root.join("host_vars");
            private(&directory)?;
            let text = serde_json::json!({ "ansible_ssh_extra_args": arguments }).to_string();
            write(&directory.join(format!("{name}.json")), text.as_bytes(), 0o600)?;
        }
        let vars = zeroize::Zeroizing::new(serde_json::Value::Object(vars).to_string());
        write(&workdir.extra_vars(), vars.as_bytes(), 0o600)?;
        Ok(workdir)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The bundle's root, where Ansible runs.
    pub(crate) fn files(&self) -> PathBuf {
        self.root.join("files")
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.root.join("ansible.cfg")
    }

    pub(crate) fn inventory(&self) -> PathBuf {
        self.root.join("inventory.yml")
    }

    pub(crate) fn known_hosts(&self) -> PathBuf {
        self.root.join("known_hosts")
    }

    pub(crate) fn extra_vars(&self) -> PathBuf {
        self.root.join("extra_vars.json")
    }

    pub(crate) fn event_socket(&self) -> PathBuf {
        self.sockets.join("events")
    }

    /// Where `ssh` keeps the sockets of shared connections.
    pub(crate) fn control_sockets(&self) -> PathBuf {
        self.sockets.clone()
    }
}

/// The recorded host keys of all hosts and of those on the way.
fn known_hosts(run: &PlaybookRun) -> Result<String, AnsibleError> {
    let mut lines = std::collections::BTreeSet::new();
    let all = run
        .hosts
        .iter()
        .flat_map(|(name, host)| host.jumps.iter().chain([host]).map(move |host| (name, host)));
    for (name, host) in all {
        match &host.host_key {
            HostKeyPolicy::Known(key) => {
                lines.insert(key.known_hosts_line(&host.address, host.port));
            }
            HostKeyPolicy::KnownHosts { .. } => {}
            HostKeyPolicy::FirstUse => {
                return Err(AnsibleError::BadRun {
                    playbook: run.playbook.clone(),
                    message: format!("the host key of {name} is not recorded yet; wait for SSH there first"),
                });
            }
        }
    }
    Ok(lines.into_iter().map(|line| line + "\n").collect())
}

/// What `ssh` must know per host beyond the common settings: the way there, and the person's own known_hosts files.
fn ssh_arguments(run: &PlaybookRun, known_hosts: &Path) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (name, host) in &run.hosts {
        let mut arguments: Vec<String> = Vec::new();
        if let HostKeyPolicy::KnownHosts { files, alias, accept_new } = &host.host_key {
            let files: Vec<String> = files.iter().map(|file| interactive::quoted(file)).collect();
            let files = files.join(" ");
            arguments.push(format!("UserKnownHostsFile={} {files}", interactive::quoted(known_hosts)));
            if let Some(alias) = alias {
                arguments.push(format!("HostKeyAlias={alias}"));
            }
            if *accept_new {
                arguments.push("StrictHostKeyChecking=accept-new".to_owned());
            }
        }
        if let Some(proxy) = proxy(host, known_hosts, run.agent_socket().as_deref()) {
            arguments.push(format!("ProxyCommand={proxy}"));
        }
        if !arguments.is_empty() {
            let words: Vec<String> =
                arguments.into_iter().flat_map(|argument| ["-o".to_owned(), argument]).collect();
            all.push((name.clone(), quote::command_line(&words)));
        }
    }
    all
}

fn proxy(host: &Host, known_hosts: &Path, agent: Option<&Path>) -> Option<String> {
    (!host.jumps.is_empty()).then(|| interactive::proxy_command(host, known_hosts, agent))
}
