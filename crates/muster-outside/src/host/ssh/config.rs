//! The person's own SSH configuration, asked of `ssh -G` where `ssh` exists.
//!
//! `ssh` is the only program that reads `Host`, `Match`, `Include` and its tokens rightly, so we do not try. Without
//! it, the name is the address and the usual defaults hold.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::{Host, HostKeyPolicy, Login, SshError};

/// `ssh -G` only reads files, except for `Match exec`.
const ASKING_LIMIT: Duration = Duration::from_secs(10);
/// Machines on the way.
const JUMPS_MAX: usize = 8;

/// What the configuration says about one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshConfig {
    /// HostName.
    pub address: String,
    /// User, if one is set there or is the default of `ssh`.
    pub user: Option<String>,
    /// Port.
    pub port: u16,
    /// IdentityFile, in order.
    pub identity_files: Vec<PathBuf>,
    /// IdentityAgent, or `SSH_AUTH_SOCK`.
    pub agent: Option<PathBuf>,
    /// ProxyJump, the nearest to us first, as written (`user@host:port`).
    pub jumps: Vec<String>,
    /// StrictHostKeyChecking lets unknown machines through.
    pub accept_new: bool,
    /// UserKnownHostsFile and GlobalKnownHostsFile.
    pub known_hosts: Vec<PathBuf>,
    /// HostKeyAlias.
    pub alias: Option<String>,
}

/// Reads what `ssh -G` prints. `home` replaces `~`, `agent` is `SSH_AUTH_SOCK`.
pub fn read(printed: &str, name: &str, home: &Path, agent: Option<PathBuf>) -> Result<SshConfig, String> {
    let mut config = defaults(name, home, agent.clone());
    config.identity_files.clear();
    config.known_hosts.clear();
    let tilde = |word: &str| match word.strip_prefix("~/") {
        Some(rest) => home.join(rest),
        None => PathBuf::from(word),
    };
    for line in printed.lines() {
        let Some((key, value)) = line.split_once(' ') else { continue };
        let value = value.trim();
        match key {
            "hostname" => config.address = value.to_owned(),
            "user" => config.user = Some(value.to_owned()),
            "port" => config.port = value.parse().map_err(|_| format!("port {value} is no port"))?,
            "identityfile" if value != "none" => config.identity_files.push(tilde(value)),
            "identityagent" => {
                config.agent = match value {
                    "none" => None,
                    "SSH_AUTH_SOCK" => agent.clone(),
                    path => Some(tilde(path)),
                }
            }
            "proxyjump" if value != "none" => {
                config.jumps = value.split(',').map(|jump| jump.trim().to_owned()).collect();
            }
            "stricthostkeychecking" => {
                config.accept_new = matches!(value, "accept-new" | "no" | "off" | "false");
            }
            "userknownhostsfile" | "globalknownhostsfile" if value != "none" => {
                config.known_hosts.extend(value.split_ascii_whitespace().map(tilde));
            }
            "hostkeyalias" if value != "none" => config.alias = Some(value.to_owned()),
            _ => {}
        }
    }
    Ok(config)
}

/// What holds without any configuration.
pub fn defaults(name: &str, home: &Path, agent: Option<PathBuf>) -> SshConfig {
    let ssh = home.join(".ssh");
    SshConfig {
        address: name.to_owned(),
        user: None,
        port: 22,
        identity_files: ["id_ed25519", "id_ecdsa", "id_rsa"].map(|file| ssh.join(file)).to_vec(),
        agent,
        jumps: Vec::new(),
        accept_new: false,
        known_hosts: vec![ssh.join("known_hosts"), PathBuf::from("/etc/ssh/ssh_known_hosts")],
        alias: None,
    }
}

/// Asks `program` (usually `ssh`) about a name; `config_file` stands for its `-F`.
///
/// # Errors
/// `ssh` refuses the configuration, or the name looks like an option.
pub async fn ask(program: &str, name: &str, config_file: Option<&Path>) -> Result<SshConfig, SshError> {
    let failed = |message: String| SshError::Config { host: name.to_owned(), message };
    if name.is_empty() || name.starts_with('-') || name.contains(char::is_whitespace) {
        return Err(failed("a host name is one word and does not begin with `-`".to_owned()));
    }
    let home = std::env::home_dir().unwrap_or_else(|| PathBuf::from("/"));
    let agent = std::env::var_os("SSH_AUTH_SOCK").map(PathBuf::from);
    let mut command = Command::new(program);
    if let Some(file) = config_file {
        command.arg("-F").arg(file);
    }
    command.args(["-G", "--", name]).stdin(Stdio::null()).kill_on_drop(true);
    let output = match tokio::time::timeout(ASKING_LIMIT, command.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(defaults(name, &home, agent));
        }
        Ok(Err(error)) => return Err(failed(error.to_string())),
        Err(_) => {
            return Err(failed(format!("`{program} -G` took longer than {} s", ASKING_LIMIT.as_secs())));
        }
    };
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    read(&String::from_utf8_lossy(&output.stdout), name, &home, agent).map_err(failed)
}

/// The machine behind a name of the person's configuration, with its way there.
///
/// # Errors
/// As [`ask`]; more than eight jump hosts.
pub async fn host(program: &str, name: &str, config_file: Option<&Path>) -> Result<Host, SshError> {
    let config = ask(program, name, config_file).await?;
    if config.jumps.len() > JUMPS_MAX {
        let message = format!("{} jump hosts, at most {JUMPS_MAX} are followed", config.jumps.len());
        return Err(SshError::Config { host: name.to_owned(), message });
    }
    let mut jumps = Vec::new();
    for jump in &config.jumps {
        let (user, jump_name, port) = split_jump(jump);
        let mut jump = to_host(jump_name, ask(program, jump_name, config_file).await?);
        jump.user = user.map_or(jump.user, str::to_owned);
        jump.port = port.unwrap_or(jump.port);
        jumps.push(jump);
    }
    let mut host = to_host(name, config);
    host.jumps = jumps;
    Ok(host)
}

fn to_host(name: &str, config: SshConfig) -> Host {
    let files = config.identity_files.into_iter();
    let files = files.map(|path| Login::KeyFile { path, pass_phrase: None });
    // A locked key file would end the login; the agent stands first because it holds such keys unlocked.
    let logins = config.agent.map(Login::Agent).into_iter().chain(files).collect();
    let user = config.user.or_else(|| std::env::var("USER").ok()).unwrap_or_else(|| "root".to_owned());
    Host {
        name: name.to_owned(),
        address: config.address,
        port: config.port,
        user,
        logins,
        host_key: HostKeyPolicy::KnownHosts {
            files: config.known_hosts,
            alias: config.alias,
            accept_new: config.accept_new,
        },
        jumps: Vec::new(),
    }
}

/// `[ssh://][user@]host[:port]`, IPv6 addresses in brackets.
fn split_jump(jump: &str) -> (Option<&str>, &str, Option<u16>) {
    let jump = jump.strip_prefix("ssh://").unwrap_or(jump).trim_end_matches('/');
    let (user, rest) = match jump.rsplit_once('@') {
        Some((user, rest)) => (Some(user), rest),
        None => (None, jump),
    };
    if let Some((inside, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return (user, inside, after.strip_prefix(':').and_then(|port| port.parse().ok()));
    }
    match rest.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') => (user, name, port.parse().ok()),
        Some(_) | None => (user, rest, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_jump_hosts() {
        assert_eq!(split_jump("gate"), (None, "gate", None));
        assert_eq!(split_jump("me@gate:2222"), (Some("me"), "gate", Some(2222)));
        assert_eq!(split_jump("ssh://me@[fd00::1]:22"), (Some("me"), "fd00::1", Some(22)));
        assert_eq!(split_jump("fd00::1"), (None, "fd00::1", None));
    }

    #[test]
    fn reads_what_ssh_prints() {
        let printed = "host web\nuser deploy\nhostname 10.0.0.1\nport 2222\nidentityfile ~/.ssh/a\n\
                       identityfile /k/b\nproxyjump me@gate:22,inner\nstricthostkeychecking accept-new\n\
                       userknownhostsfile ~/.ssh/known_hosts /x\nglobalknownhostsfile /etc/g\nidentityagent none\n";
        let home = Path::new("/home/me");
        let config = read(printed, "web", home, Some("/agent".into())).unwrap();
        assert_eq!(
            config,
            SshConfig {
                address: "10.0.0.1".into(),
                user: Some("deploy".into()),
                port: 2222,
                identity_files: vec!["/home/me/.ssh/a".into(), "/k/b".into()],
                agent: None,
                jumps: vec!["me@gate:22".into(), "inner".into()],
                accept_new: true,
                known_hosts: vec!["/home/me/.ssh/known_hosts".into(), "/x".into(), "/etc/g".into()],
                alias: None,
            }
        );
    }
}
