//! A place to try commands in: a simulated cloud, a home and a project of its own. What it starts, it ends.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::Duration;

use muster_outside::host::local::Wish;
use serde_json::Value;

/// The program under test.
pub const MUSTER: &str = env!("CARGO_BIN_EXE_muster");
/// The key that the simulated cloud accepts.
pub const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// Two servers of one kind.
pub const SHOP: &str = "version: 1
location: SdnSpb
stats: false
servers:
  web:
    count: 2
    image: Ubuntu 22.04
    cpu: 1
    ram: 1 GiB
    disk: 20 GiB ssd
";

/// One server and a playbook for it; no node_exporter, so that it is quick.
pub const APP: &str = "version: 1
location: SdnSpb
stats: false
servers:
  app:
    image: Ubuntu20.04x64
    cpu: 1
    ram: 1 GiB
    disk: 20 GiB ssd
deploy:
  - playbook: site.yml
    hosts: all
";

/// Longest wait for a process that clears up before it ends (it turns off machines).
const END_WAIT_MAX: Duration = Duration::from_secs(90);

/// A process that is ended with the test.
pub struct Running {
    child: Child,
    /// What it said first.
    pub greeting: String,
    /// Whether it has something to clear up, so that it is asked to end and not killed.
    clears_up: bool,
    /// Kept open, because it may say more.
    _stdout: BufReader<ChildStdout>,
}

impl Running {
    /// Starts a program and waits for its first line.
    pub fn start(mut command: Command) -> Running {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut greeting = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut greeting).unwrap();
        Running { child, greeting: greeting.trim().to_owned(), clears_up: false, _stdout: stdout }
    }

    /// Starts a program that first tells of its preparations, and waits for the line with its address. At the end
    /// it is asked to end, and waited for.
    pub fn start_prepared(command: Command) -> Running {
        let mut running = Running::start(command);
        running.clears_up = true;
        while !running.greeting.contains("http://") {
            let mut line = String::new();
            let count = running._stdout.read_line(&mut line).unwrap();
            assert!(count > 0, "it ended before it had an address; its last words: {}", running.greeting);
            running.greeting = line.trim().to_owned();
        }
        running
    }

    /// Sends a signal, e.g. `-KILL`.
    pub fn signal(&self, word: &str) {
        let sent = Command::new("kill").args([word, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Whether the process is gone.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// The address in the first line.
    pub fn address(&self) -> String {
        let start = self.greeting.find("http://").unwrap_or_else(|| panic!("no address: {}", self.greeting));
        self.greeting[start..].split([' ', ';']).next().unwrap().to_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.clears_up {
            let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
            let deadline = tokio::time::Instant::now() + END_WAIT_MAX;
            while tokio::time::Instant::now() < deadline {
                if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
                    return;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            eprintln!("the simulator did not end within {END_WAIT_MAX:?}; its machines may be left");
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A place to try commands in.
pub struct Place {
    /// The simulated cloud; ends before the directory goes.
    pub cloud: Running,
    directory: tempfile::TempDir,
    /// Whether the environment names the account.
    pub account: bool,
    /// The database of its commands; none is the SQLite file of the home.
    pub database: Option<String>,
}

impl Place {
    /// With `infra/shop.yaml`.
    pub fn new(shop: &str) -> Place {
        let directory = Place::directory(shop);
        Place { directory, cloud: Running::start(Place::cloud()), account: true, database: None }
    }

    /// The same with a provider that takes its time.
    pub fn slow(shop: &str, durations: &str) -> Place {
        let directory = Place::directory(shop);
        let file = directory.path().join("durations.json");
        std::fs::write(&file, durations).unwrap();
        let mut command = Place::cloud();
        command.arg("--durations").arg(file);
        Place { directory, cloud: Running::start(command), account: true, database: None }
    }

    /// Ends the engine in the background, if one was started.
    pub fn end_background(&self) {
        let ended = self.run(&["engine", "--stop"]);
        assert_eq!(ended.code, 0, "{ended:?}");
    }

    /// The same, where each server is a real machine of this computer, made as is wished. The cloud has a home of
    /// its own.
    pub fn with_machines(shop: &str, wish: &Wish) -> Place {
        let directory = Place::directory(shop);
        let mut command = Place::cloud();
        command.args(["--machines", "local"]).env("MUSTER_HOME", directory.path().join("cloud"));
        command.env("MUSTER_MACHINES", wish.technique.map_or("", |technique| technique.as_str()));
        command.env("MUSTER_MACHINE_NETWORK", wish.range.to_string());
        Place { directory, cloud: Running::start_prepared(command), account: true, database: None }
    }

    fn directory(shop: &str) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("infra")).unwrap();
        std::fs::write(directory.path().join("infra/shop.yaml"), shop).unwrap();
        directory
    }

    fn cloud() -> Command {
        let mut command = Command::new(MUSTER);
        command.args(["sim", "onecloud", "--listen", "127.0.0.1:0", "--key", KEY]);
        command
    }

    /// `MUSTER_HOME`.
    pub fn home(&self) -> PathBuf {
        self.directory.path().join("home")
    }

    /// The project.
    pub fn project(&self) -> &Path {
        self.directory.path()
    }

    /// The environment of a command.
    pub fn dress(&self, command: &mut Command) {
        command.current_dir(self.project()).env_remove("ONECLOUD_SETTLE_MS").env("NO_COLOR", "1");
        command.env("MUSTER_HOME", self.home()).env("ONECLOUD_URL", self.cloud.address());
        if let Some(database) = &self.database {
            command.env("MUSTER_DATABASE_URL", database);
        }
        if self.account {
            command.env("ONECLOUD_API_KEY", KEY);
        } else {
            command.env_remove("ONECLOUD_API_KEY");
        }
    }

    /// Runs a command without a terminal.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(MUSTER);
        self.dress(&mut command);
        Ran::from(command.args(arguments).stdin(Stdio::null()).output().unwrap())
    }

    /// Runs a command at a terminal, typing these lines; each only after its prompt was shown. With `…` in a prompt,
    /// its parts come one after the other: a prompt is drawn again when it is answered, and what is typed before the
    /// next one stands is echoed by the terminal.
    pub fn at_terminal(&self, arguments: &[&str], typed: &[(&str, &str)]) -> Ran {
        let line: Vec<String> = [MUSTER].iter().chain(arguments).map(|word| format!("'{word}'")).collect();
        let mut command = Command::new("script");
        self.dress(&mut command);
        command.args(["-qefc", &line.join(" "), "/dev/null"]).env("TERM", "xterm").env("SHELL", "/bin/sh");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let mut seen = Vec::new();
        for (prompt, text) in typed {
            for part in prompt.split('…') {
                let mut byte = [0];
                let mut since = String::new();
                while !since.contains(part) {
                    let count = std::io::Read::read(&mut stdout, &mut byte).unwrap();
                    assert!(count == 1, "{prompt} was never asked: {}", String::from_utf8_lossy(&seen));
                    seen.push(byte[0]);
                    since.push(char::from(byte[0]));
                }
            }
            stdin.write_all(format!("{text}\r").as_bytes()).unwrap();
        }
        std::io::Read::read_to_end(&mut stdout, &mut seen).unwrap();
        drop(stdin);
        let status = child.wait().unwrap();
        let out = String::from_utf8_lossy(&seen).replace('\r', "");
        Ran { code: status.code().unwrap_or(-1), out, err: String::new() }
    }

    /// Requests that the simulated cloud got since the last question, except reads.
    pub async fn writes(&self) -> Vec<String> {
        self.requests().await.into_iter().filter(|request| !request.starts_with("GET ")).collect()
    }

    /// Requests that the simulated cloud got since the last question.
    pub async fn requests(&self) -> Vec<String> {
        let client = client();
        let address = format!("{}/_sim/journal", self.cloud.address());
        let text = client.get(&address).send().await.unwrap().text().await.unwrap();
        client.delete(&address).send().await.unwrap();
        let journal: Value = serde_json::from_str(&text).unwrap();
        let word = |entry: &Value, field: &str| entry[field].as_str().unwrap().to_owned();
        let entries = journal.as_array().unwrap().iter();
        entries
            .map(|entry| format!("{} {}", word(entry, "method").to_uppercase(), word(entry, "path")))
            .collect()
    }

    /// Changes something behind Muster's back.
    pub async fn sim(&self, what: &str, body: Value) {
        let address = format!("{}/_sim/{what}", self.cloud.address());
        let sent = client().post(&address).body(body.to_string()).header("content-type", "application/json");
        let answer = sent.send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }
}

/// Whether these programs of Ansible are here; if not, the test is skipped with the reason said.
pub fn has_ansible(test: &str, programs: &[&str]) -> bool {
    let lacks = |program: &&&str| {
        let said = Command::new(program).arg("--version").output();
        !said.is_ok_and(|said| said.status.success())
    };
    let missing = programs.iter().find(lacks);
    if let Some(program) = missing {
        crate::skip::skip(test, &format!("no {program} (PyPI: ansible-core)"));
    }
    missing.is_none()
}

/// An HTTP client.
pub fn client() -> reqwest::Client {
    // Both builds of a test process may come here; the second one finds it installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// What a command gave back.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        Ran {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Ran {
    /// The answer, which must come with this exit code.
    pub fn json(&self, code: i32) -> Value {
        assert_eq!(self.code, code, "{self:?}");
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}
