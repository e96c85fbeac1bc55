//! A real PostgreSQL of our own: one server per test process, one database per scene, on loopback and in a
//! temporary folder, with fsync on. A small guard process holds the other end of a pipe: when the test ends, however
//! it ends, the server is stopped and its folder removed.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::skip::skip;

/// Ends the server when its standard input does, and starts it again after each line there. The words after the folder
/// are the server's command.
const GUARD: &str = r#"
folder=$1; shift
while :; do
  "$@" </dev/null & server=$!
  read -r again || again=
  kill -QUIT "$server" 2>/dev/null
  wait "$server"
  [ -n "$again" ] || break
done
rm -rf "$folder"
"#;

/// How long the server may take to answer.
const START_TRIES_MAX: u32 = 600;

pub struct Server {
    guard: Child,
    pub port: u16,
    folder: PathBuf,
    databases: AtomicU32,
}

impl Server {
    /// Makes and starts a server, or notes why that is not possible here.
    pub fn start(test: &str) -> Option<Server> {
        Server::start_with(test, &[], |_| {})
    }

    /// The same with settings of the server, after something was put into its folder.
    pub fn start_with(test: &str, settings: &[&str], prepare: impl FnOnce(&Path)) -> Option<Server> {
        let Some(programs) = programs() else {
            skip(test, "PostgreSQL is not installed (Debian package postgresql)");
            return None;
        };
        let folder = tempfile::Builder::new().prefix("muster-pg-").tempdir().unwrap().keep();
        let user = match unprivileged(&folder) {
            Ok(user) => user,
            Err(reason) => {
                let _ = std::fs::remove_dir_all(&folder);
                skip(test, &reason);
                return None;
            }
        };
        let data = folder.join("data");
        let made = user
            .command(&programs.join("initdb"))
            .args(["--no-sync", "-A", "trust", "-U", "muster", "-E", "UTF8", "--locale=C.UTF-8", "-D"])
            .arg(&data)
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        prepare(&data);
        let port = free_port();
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let mut guard = Command::new("sh");
        guard.args(["-c", GUARD, "guard"]).arg(&folder).args(user.prefix());
        guard
            .arg(programs.join("postgres"))
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string(), "-k"])
            .arg(&folder);
        for setting in
            ["listen_addresses=127.0.0.1", "fsync=on", "max_connections=200", "shared_buffers=32MB"]
                .iter()
                .chain(settings)
        {
            guard.args(["-c", setting]);
        }
        // In a group of its own: whoever kills the test's group leaves the guard to its work.
        let guard = guard
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let server = Server { guard, port, folder, databases: AtomicU32::new(0) };
        server.wait_until_it_answers(&programs);
        Some(server)
    }

    /// Ends the server as a power cut would (it recovers from its log) and starts it again.
    #[allow(dead_code, reason = "each test binary uses a part of this file")]
    pub fn crash(&mut self) {
        let pid = || std::fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap_or_default();
        let before = pid();
        self.guard.stdin.as_mut().unwrap().write_all(b"again\n").unwrap();
        while pid() == before {
            std::thread::sleep(Duration::from_millis(20));
        }
        self.wait_until_it_answers(&programs().unwrap());
    }

    /// CPU seconds of all its processes so far.
    #[allow(dead_code, reason = "each test binary uses a part of this file")]
    pub fn cpu_s(&self) -> f64 {
        let pid = std::fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap().trim().to_owned();
        let numbers = |process: &str| -> Option<Vec<f64>> {
            let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
            Some(stat.rsplit_once(") ")?.1.split(' ').skip(1).map_while(|field| field.parse().ok()).collect())
        };
        // Its own and its ended children's time, and that of the children that live; fields as `man 5 proc` counts them.
        let own = numbers(&pid).map_or(0.0, |fields| fields[10..14].iter().sum::<f64>());
        let children = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
            let fields = numbers(entry.ok()?.file_name().to_str()?)?;
            (fields[0].to_string() == pid).then(|| fields[10] + fields[11])
        });
        (own + children.sum::<f64>()) / 100.0
    }

    /// What a query of one column says, a line a row.
    #[allow(dead_code, reason = "each test binary uses a part of this file")]
    pub fn ask(&self, url: &str, query: &str) -> Vec<String> {
        let program = programs().unwrap().join("psql");
        let said = Command::new(program).args(["-X", "-A", "-t", "-d", url, "-c", query]).output().unwrap();
        assert!(said.status.success(), "{query}: {}", String::from_utf8_lossy(&said.stderr));
        String::from_utf8_lossy(&said.stdout).lines().map(str::to_owned).collect()
    }

    fn wait_until_it_answers(&self, programs: &Path) {
        let folder = &self.folder;
        for _ in 0..START_TRIES_MAX {
            let asked = Command::new(programs.join("pg_isready"))
                .args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()])
                .status()
                .unwrap();
            // Its own file says that it is ours, and not somebody else's on the same port.
            if asked.success() && folder.join("data/postmaster.pid").exists() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!(
            "the server did not start: {}",
            std::fs::read_to_string(folder.join("log")).unwrap_or_default()
        );
    }

    /// The address of a database.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://muster@127.0.0.1:{}/{database}", self.port)
    }

    /// A new, empty database.
    pub async fn database(&self) -> String {
        let name = format!("scene{}", self.databases.fetch_add(1, Ordering::SeqCst));
        let made = Command::new(programs().unwrap().join("createdb"))
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "muster", &name])
            .output()
            .unwrap();
        assert!(made.status.success(), "createdb: {}", String::from_utf8_lossy(&made.stderr));
        self.url(&name)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The guard reads the end of its input.
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// A port that nobody listens on, from below the range that outgoing connections take theirs from: one of those could
/// take it in the moment before the server does. Each process begins to look elsewhere.
fn free_port() -> u16 {
    let begin = std::process::id() * 7;
    (0..12_000)
        .map(|step| 20_000 + ((begin + step) % 12_000) as u16)
        .find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}

/// Where Debian keeps the server's programs: the newest version's.
pub fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let version = path.file_name()?.to_str()?.parse().ok()?;
            path.join("bin/initdb").exists().then(|| (version, path.join("bin")))
        })
        .collect();
    found.sort();
    found.pop().map(|(_, path)| path)
}

/// PostgreSQL refuses to run as root.
struct User {
    root: bool,
}

impl User {
    fn prefix(&self) -> &'static [&'static str] {
        if self.root { &["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] } else { &[] }
    }

    fn command(&self, program: &Path) -> Command {
        match self.prefix() {
            [first, rest @ ..] => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
            [] => Command::new(program),
        }
    }
}

/// Gives the folder to the user that the server will run as.
fn unprivileged(folder: &Path) -> Result<User, String> {
    use std::os::unix::fs::MetadataExt;
    let root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    if root {
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let line = passwd.lines().find(|line| line.starts_with("postgres:"));
        let id = |index: usize| line?.split(':').nth(index)?.parse::<u32>().ok();
        let (Some(uid), Some(gid)) = (id(2), id(3)) else {
            return Err("there is no user postgres to run PostgreSQL as".into());
        };
        std::os::unix::fs::chown(folder, Some(uid), Some(gid)).map_err(|error| error.to_string())?;
    }
    Ok(User { root })
}
