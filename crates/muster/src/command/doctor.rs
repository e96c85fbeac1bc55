//! `muster doctor`: looks at this machine itself, and asks the engine through the API.

use std::path::Path;

use super::report::Check;
use super::{Answer, Report};
use crate::connect::{Wish, connect};
use crate::exit::{Exit, Failure};

/// The most that this machine's clock may differ from the engine's, in seconds.
const CLOCKS_APART_MAX_S: i64 = 30;
/// The least free space, in MiB: a full disk stops the journal.
const DISK_FREE_MIN_MB: u64 = 200;

/// Longest wait for a program to say its version.
const VERSION_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(20);

/// Looks whether everything Muster needs is here. 0 if nothing needed is missing, else 1.
pub async fn doctor(home: &Path) -> Result<Answer, Failure> {
    let mut checks = vec![home_check(home), key_check(home), disk_check(home)];
    checks.push(program("ssh", &["-V"], false, "`server ssh`, and settings of ~/.ssh/config").await);
    checks.push(program("ansible-playbook", &["--version"], false, "playbooks and node_exporter").await);
    match connect(home, &Wish::default()).await {
        Ok(connection) => {
            checks.push(check("store", true, "opens".to_owned()));
            checks.extend(engine_checks(&connection.client).await);
            checks.extend(account_checks(&connection.client).await);
            connection.close().await?;
        }
        Err(failure) => checks.push(check("store", false, failure.to_string())),
    }
    let exit = if checks.iter().any(|check| check.needed && !check.well) { Exit::Failed } else { Exit::Done };
    Ok(Answer { exit, report: Report::Checks(checks) })
}

fn check(what: &str, well: bool, message: String) -> Check {
    Check { what: what.to_owned(), well, needed: true, message }
}

fn home_check(home: &Path) -> Check {
    match crate::home::prepare(home) {
        Ok(()) => match others_may(home) {
            None => check("home", true, home.display().to_string()),
            Some(mode) => check(
                "home",
                false,
                format!("{} is open to others (mode {mode}); chmod 700 it", home.display()),
            ),
        },
        Err(failure) => check("home", false, failure.to_string()),
    }
}

fn disk_check(home: &Path) -> Check {
    match rustix::fs::statvfs(home) {
        Err(error) => check("disk", false, format!("{}: {error}", home.display())),
        Ok(disk) => {
            let free_mb = disk.f_bavail.saturating_mul(disk.f_frsize) / (1024 * 1024);
            let well = free_mb >= DISK_FREE_MIN_MB;
            let next = if well { "" } else { "; make room: a full disk stops every run" };
            check("disk", well, format!("{free_mb} MiB free{next}"))
        }
    }
}

fn key_check(home: &Path) -> Check {
    let key = home.join("key");
    if !key.exists() {
        return check("sealing key", true, "is made with the first secret".to_owned());
    }
    match others_may(&key) {
        None => check("sealing key", true, "only its owner can read it".to_owned()),
        Some(mode) => check(
            "sealing key",
            false,
            format!("{} is open to others (mode {mode}); chmod 600 it", key.display()),
        ),
    }
}

/// The mode of a file that others than its owner may use.
fn others_may(path: &Path) -> Option<String> {
    #[cfg(unix)]
    {
        let metadata = std::fs::metadata(path).ok()?;
        let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777;
        (mode & 0o077 != 0).then(|| format!("{mode:03o}"))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

async fn program(name: &str, arguments: &[&str], needed: bool, purpose: &str) -> Check {
    let mut child = tokio::process::Command::new(name);
    child.args(arguments).stdin(std::process::Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(VERSION_TIMEOUT, child.output()).await;
    let (well, message) = match output {
        Ok(Ok(output)) => {
            // ssh writes its version to stderr.
            let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
            (true, String::from_utf8_lossy(&text).lines().next().unwrap_or("").trim().to_owned())
        }
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            (false, format!("not found; it is needed for {purpose}"))
        }
        Ok(Err(error)) => (false, format!("cannot be started: {error}")),
        Err(_) => (false, format!("did not answer within {} seconds", VERSION_TIMEOUT.as_secs())),
    };
    Check { what: name.to_owned(), well, needed, message }
}

/// What the engine finds in its store: nodes, what nobody carries out, what is not settled, clocks that disagree.
async fn engine_checks(client: &muster_api::Client) -> Vec<Check> {
    let found = match client.checkup().await {
        Ok(found) => found.attributes,
        Err(error) => return vec![check("engine", false, error.to_string())],
    };
    let mut checks = Vec::new();
    let lapsed: Vec<&str> = found
        .nodes
        .iter()
        .filter(|node| node.lease_until <= found.now)
        .map(|node| node.id.as_str())
        .collect();
    let workers = found.nodes.iter().filter(|node| node.worker).count();
    checks.push(match lapsed.as_slice() {
        [] if found.leased => {
            check("nodes", true, format!("{} live, {workers} of them workers", found.nodes.len()))
        }
        [] => check("nodes", false, "the node that answers has lost its lease; start it again".into()),
        lapsed => check(
            "nodes",
            false,
            format!("the lease of {} has ended; a worker that lives takes over from them", lapsed.join(", ")),
        ),
    });
    checks.push(if found.stranded.is_empty() {
        check("runs", true, format!("{} can be resumed, none is without an owner", found.interrupted.len()))
    } else {
        check(
            "runs",
            false,
            format!(
                "nobody carries out {}; see `muster run explain {}`",
                found.stranded.join(", "),
                found.stranded[0]
            ),
        )
    });
    let intents: Vec<String> =
        found.open_intents.iter().map(|intent| format!("{} (sent {})", intent.of, intent.sent_at)).collect();
    checks.push(Check {
        what: "open creations".into(),
        well: intents.is_empty(),
        needed: false,
        message: match intents.as_slice() {
            [] => "none".into(),
            open => format!("{}; the next update of their files settles them", open.join(", ")),
        },
    });
    let here = crate::connect::real_clock().now();
    let apart_s = (here.as_second() - found.now.as_second()).abs();
    checks.push(if apart_s <= CLOCKS_APART_MAX_S {
        check("clock", true, "agrees with the engine's".into())
    } else {
        check("clock", false, format!("differs from the engine's by {apart_s} s; set both by NTP"))
    });
    checks
}

async fn account_checks(client: &muster_api::Client) -> Vec<Check> {
    let accounts = match client.accounts().await {
        Ok(accounts) => accounts,
        Err(error) => return vec![check("accounts", false, error.to_string())],
    };
    if accounts.is_empty() {
        let message = format!("none is known; run `muster register` or set {}", crate::home::KEY);
        return vec![Check { what: "accounts".into(), well: false, needed: false, message }];
    }
    let mut checks = Vec::new();
    for account in accounts {
        let what = format!("account {}", account.id);
        checks.push(match client.test_account(&account.id).await {
            Ok(test) => check(&what, true, format!("answers; balance {}", test.attributes.balance)),
            Err(error) => check(&what, false, error.to_string()),
        });
    }
    checks
}
