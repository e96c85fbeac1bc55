//! The argument list for the system's own `ssh`: for `muster server ssh`, where a person types.

use std::path::Path;

use super::Host;

/// What `ssh` is started with. `known_hosts` is a file that holds the recorded host keys (of the jump hosts too);
/// `agent` is the private agent's socket, or `None` for the person's own keys.
pub fn arguments(host: &Host, known_hosts: &Path, agent: Option<&Path>, command: &[String]) -> Vec<String> {
    let mut all = vec!["ssh".to_owned()];
    let mut option = |text: String| all.extend(["-o".to_owned(), text]);
    option(format!("UserKnownHostsFile={}", quoted(known_hosts)));
    option("GlobalKnownHostsFile=/dev/null".to_owned());
    option("StrictHostKeyChecking=yes".to_owned());
    option("UpdateHostKeys=no".to_owned());
    if let Some(socket) = agent {
        option(format!("IdentityAgent={}", quoted(socket)));
    }
    if !host.jumps.is_empty() {
        // `ssh` starts a second `ssh` for a jump, which would not know our options; so the way is spelled out.
        option(format!("ProxyCommand={}", proxy_command(host, known_hosts, agent)));
    }
    all.extend(["-p".to_owned(), host.port.to_string(), "-l".to_owned(), host.user.clone(), "--".to_owned()]);
    all.push(host.address.clone());
    if !command.is_empty() {
        // `ssh` joins its arguments with blanks for the other side's shell; so they are quoted here.
        all.push(super::quote::command_line(command));
    }
    all
}

/// The command through which the connection runs: `ssh -W address:port` on the nearest jump host, nested.
pub(crate) fn proxy_command(host: &Host, known_hosts: &Path, agent: Option<&Path>) -> String {
    let Some((nearest, before)) = host.jumps.split_last() else { return String::new() };
    let mut nearest = nearest.clone();
    nearest.jumps = before.to_vec();
    let mut inner = arguments(&nearest, known_hosts, agent, &[]);
    let to = if host.address.contains(':') { format!("[{}]", host.address) } else { host.address.clone() };
    inner.splice(1..1, ["-W".to_owned(), format!("{to}:{}", host.port)]);
    // `%` means something to `ssh` here, and one level is read away.
    super::quote::command_line(&inner).replace('%', "%%")
}

/// `ssh` splits option values at blanks unless they are quoted.
pub(crate) fn quoted(path: &Path) -> String {
    let text = path.display().to_string().replace('%', "%%");
    if text.contains([' ', '"']) { format!("\"{}\"", text.replace('"', "\\\"")) } else { text }
}
