//! Playbooks whose command dies, freezes or hands over, with the program itself, stock Ansible and a real machine:
//! no process is left behind, what is told is the truth, and nothing is started twice.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use muster_outside::host::local::{LocalMachines, Wish};
use serde_json::Value;

use crate::nodes::LEASE_S;
use crate::place::{APP, MUSTER, Place, Ran, Running, has_ansible};
use crate::server::Server;

/// The playbook is told how long its long task takes.
fn shop() -> String {
    let variables = "    vars: { pause: \"${var:pause}\" }\n";
    APP.replace("servers:\n", "vars: { pause: 3 }\nservers:\n") + variables
}

/// Counts its beginnings and its ends on the machine, and starts a process here that hides in a session of its own.
const SITE: &str = "- hosts: all
  gather_facts: false
  tasks:
    - name: A beginning
      ansible.builtin.shell: echo begun >> /root/begun
    - name: A daemon here
      ansible.builtin.shell: setsid sleep 4711.5 > /dev/null 2>&1 &
      delegate_to: localhost
      vars: { ansible_connection: local }
    - name: The long one
      ansible.builtin.command: sleep {{ pause }}
    - name: An end
      ansible.builtin.shell: echo over >> /root/over
";

/// After a deadline everything is gone within this.
const GONE_WITHIN: Duration = Duration::from_secs(10);

fn place(test: &str) -> Option<Place> {
    if let Err(missing) = LocalMachines::probe() {
        crate::skip::skip(test, &missing.to_string());
        return None;
    }
    if !has_ansible(test, &["ansible-playbook"]) {
        return None;
    }
    let place = Place::with_machines(&shop(), &Wish::from_environment().unwrap());
    for (path, text) in [("muster.yaml", "version: 1\n"), ("site.yml", SITE)] {
        std::fs::write(place.project().join(path), text).unwrap();
    }
    Some(place)
}

fn place_with_a_machine(test: &str) -> Option<Place> {
    let place = place(test)?;
    let made = place.run(&["infra", "update", "shop", "--yes"]);
    assert_eq!(made.code, 0, "{made:?}");
    Some(place)
}

/// Processes of this machine that belong to a playbook of this place, by their environment.
fn of_playbooks(place: &Place) -> Vec<String> {
    of_playbooks_below(&place.home())
}

fn of_playbooks_below(home: &Path) -> Vec<String> {
    let mark = format!("MUSTER_CHILD={}/", home.display());
    let processes = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let has_mark = |path: &std::path::PathBuf| {
        let environment = std::fs::read(path.join("environ")).unwrap_or_default();
        String::from_utf8_lossy(&environment).contains(&mark)
    };
    let line = |path: std::path::PathBuf| std::fs::read(path.join("cmdline")).unwrap_or_default();
    let lines = processes.filter(has_mark).map(line);
    lines
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| !line.is_empty())
        .collect()
}

/// What is kept of playbooks whose outcome nobody took.
fn kept(place: &Place) -> usize {
    let below = |name: &str| std::fs::read_dir(place.home().join(name)).map_or(0, Iterator::count);
    below("children") + below("work")
}

async fn until<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(tokio::time::Instant::now() < deadline, "{what} did not come within {limit:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn log(place: &Place, run: &str) -> Vec<Value> {
    place.run(&["run", "log", run, "--format", "json"]).json(0).as_array().unwrap().clone()
}

fn tasks(place: &Place, run: &str) -> Vec<String> {
    let events = log(place, run);
    let tasks = events.iter().filter(|event| event["kind"] == "task");
    tasks.map(|event| event["task"].as_str().unwrap().to_owned()).collect()
}

fn lines_on_machine(place: &Place, path: &str) -> usize {
    let script = format!("cat {path} || true");
    let said = place.run(&["--format", "json", "server", "exec", "app-1", "--", "sh", "-c", &script]).json(0);
    let lines = said.as_array().unwrap().iter();
    lines.filter(|line| ["begun", "over"].contains(&line["text"].as_str().unwrap())).count()
}

/// A deploy that has come to its long task.
struct Deploy {
    child: Child,
    run: String,
}

impl Deploy {
    async fn begin(place: &Place, pause_s: u32) -> Deploy {
        Deploy::begin_with(place, pause_s, LEASE_S).await
    }

    async fn begin_with(place: &Place, pause_s: u32, lease_s: u64) -> Deploy {
        let mut command = Command::new(MUSTER);
        place.dress(&mut command);
        command.env("MUSTER_LEASE_SECONDS", lease_s.to_string());
        command.args(["infra", "deploy", "shop", "--yes", "--var", &format!("pause={pause_s}")]);
        let child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let run = until("the run", Duration::from_secs(60), || {
            let runs = place.run(&["run", "list", "--format", "json"]).json(0);
            (runs[0]["state"] == "running").then(|| runs[0]["id"].as_str().unwrap().to_owned())
        })
        .await;
        let long = || tasks(place, &run).contains(&"A daemon here".to_owned()).then_some(());
        until("the long task", Duration::from_secs(60), long).await;
        let daemon = || of_playbooks(place).iter().any(|line| line.contains("sleep 4711.5"));
        assert!(daemon(), "{:?}", of_playbooks(place));
        Deploy { child, run }
    }

    fn tell(&self, word: &str) {
        assert!(Command::new("kill").args([word, &self.child.id().to_string()]).status().unwrap().success());
    }

    fn ended(self) -> Ran {
        Ran::from(self.child.wait_with_output().unwrap())
    }
}

fn resume(place: &Place, run: &str) -> Value {
    let said = place.run(&["run", "resume", run, "--format", "json"]);
    serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}"))
}

/// The command is killed, frozen for longer than its lease, or ended by a second Ctrl-C: its playbook ends with every process that it started,
/// and whoever resumes the run is told so; it is not started again.
#[tokio::test]
async fn a_playbook_on_a_machine_does_not_outlive_its_command() {
    let Some(place) = place_with_a_machine("supervise::a_playbook_on_a_machine_does_not_outlive") else {
        return;
    };
    let limit = Duration::from_secs(LEASE_S) + GONE_WITHIN;
    for (round, word) in ["-KILL", "-STOP", "-INT"].into_iter().enumerate() {
        let deploy = Deploy::begin(&place, 120).await;
        let run = deploy.run.clone();
        deploy.tell(word);
        if word == "-INT" {
            // The first Ctrl-C waits for what is under way, the second one does not.
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert!(!of_playbooks(&place).is_empty());
            deploy.tell(word);
        }
        until("the end of its processes", limit, || of_playbooks(&place).is_empty().then_some(())).await;
        if word == "-STOP" {
            // The store's clock and the supervisor's need not agree to the millisecond.
            tokio::time::sleep(Duration::from_secs(2)).await;
            deploy.tell("-CONT");
        }
        let ended = deploy.ended();
        assert_eq!(ended.code, if word == "-KILL" { -1 } else { 130 }, "{ended:?}");
        let resumed = resume(&place, &run);
        assert_eq!(resumed["state"], "failed", "{resumed}");
        let message = resumed["message"].as_str().unwrap();
        assert!(message.contains("ended before it was through"), "{message}");
        assert_eq!(lines_on_machine(&place, "/root/begun"), round + 1, "started once");
        assert_eq!(lines_on_machine(&place, "/root/over"), 0);
        assert_eq!(kept(&place), 0, "nothing is kept once it is told");
    }
}

/// What still runs is taken up, and what ended while nobody owned it is taken as it was, with everything it said; it is
/// not run again.
#[tokio::test]
async fn a_playbook_on_a_machine_of_nobody_is_taken_up() {
    let Some(place) = place_with_a_machine("supervise::a_playbook_on_a_machine_of_nobody") else {
        return;
    };
    let deploy = Deploy::begin_with(&place, 8, 60).await;
    let run = deploy.run.clone();
    deploy.tell("-KILL");
    deploy.ended();
    assert!(!of_playbooks(&place).is_empty(), "it runs on for a while");
    let resumed = resume(&place, &run);
    assert_eq!(resumed["state"], "succeeded", "{resumed}");
    told_once(&place, &run, 1);

    let deploy = Deploy::begin(&place, 2).await;
    let run = deploy.run.clone();
    deploy.tell("-KILL");
    until("its end", Duration::from_secs(20), || of_playbooks(&place).is_empty().then_some(())).await;
    deploy.ended();
    assert!(kept(&place) > 0);
    let resumed = resume(&place, &run);
    assert_eq!(resumed["state"], "succeeded", "{resumed}");
    told_once(&place, &run, 2);
}

/// NEP-32, NEP-33: Ctrl-\ in mid-playbook. The engine in the background takes the playbook up; it is neither waited
/// for nor interrupted.
#[tokio::test]
async fn a_playbook_on_a_machine_changes_hands_while_it_runs() {
    let Some(place) = place_with_a_machine("supervise::a_playbook_on_a_machine_changes_hands") else {
        return;
    };
    let deploy = Deploy::begin(&place, 15).await;
    let run = deploy.run.clone();
    let began = tokio::time::Instant::now();
    deploy.tell("-QUIT");
    let left = deploy.ended();
    assert_eq!(left.code, 0, "{left:?}");
    assert!(left.err.contains("goes on in the background"), "{left:?}");
    assert!(began.elapsed() < Duration::from_secs(12), "it was not waited for: {:?}", began.elapsed());
    assert!(!of_playbooks(&place).is_empty(), "it runs on");
    let attached = place.run(&["run", "attach", &run]);
    assert_eq!(attached.code, 0, "{attached:?}");
    told_once(&place, &run, 1);
    let events = log(&place, &run);
    let says = |text: &str| {
        events.iter().any(|event| event["message"].as_str().is_some_and(|said| said.contains(text)))
    };
    assert!(says("Ansible is process") && says("Ansible goes on as process"), "{events:#?}");
    place.end_background();
}

/// The database of this machine cannot be written for a while: the run stops writing and the playbook goes on; when the
/// run is taken up again, so is the playbook.
#[tokio::test]
async fn a_playbook_on_a_machine_goes_on_while_the_journal_is_away() {
    let Some(place) = place_with_a_machine("supervise::a_playbook_on_a_machine_goes_on") else { return };
    // A result each second, so that something is to be written all the time.
    let task = |number: u32| format!("    - name: Second {number}\n      ansible.builtin.command: sleep 1\n");
    let seconds: String = (1..=25).map(task).collect();
    let (before, after) = SITE.split_once("    - name: An end").unwrap();
    std::fs::write(place.project().join("site.yml"), format!("{before}{seconds}    - name: An end{after}"))
        .unwrap();
    let deploy = Deploy::begin_with(&place, 1, 60).await;
    let run = deploy.run.clone();
    let locked = Command::new("python3")
        .args(["-c", LOCK, &place.home().join("muster.db").display().to_string()])
        .status()
        .unwrap();
    assert!(locked.success());
    let ended = deploy.ended();
    assert_eq!(ended.code, 0, "{ended:?}");
    let done = tasks(&place, &run);
    assert_eq!(done.len(), 29, "{done:#?}");
    let unique: std::collections::BTreeSet<&String> = done.iter().collect();
    assert_eq!(unique.len(), 29, "each once: {done:#?}");
    assert_eq!(lines_on_machine(&place, "/root/begun"), 1);
    let says = |event: &Value| {
        event["message"].as_str().is_some_and(|said| said.contains("Ansible goes on as process"))
    };
    assert!(log(&place, &run).iter().any(says), "{:#?}", log(&place, &run));
    assert_eq!(kept(&place), 0);
}

/// Keeps others from writing for longer than they wait for it.
const LOCK: &str = "import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
database.execute('begin immediate')
time.sleep(14)
database.execute('rollback')
";

/// Every task stands once in the journal and in the output, and has happened once per run.
fn told_once(place: &Place, run: &str, runs: usize) {
    assert_eq!(tasks(place, run), ["A beginning", "A daemon here", "The long one", "An end"]);
    let output = place.run(&["run", "log", run, "--output"]);
    for task in ["A beginning", "A daemon here", "The long one", "An end"] {
        assert_eq!(output.out.matches(&format!("{task}: changed")).count(), 1, "{task}: {}", output.out);
    }
    assert_eq!(lines_on_machine(place, "/root/begun"), runs);
    assert_eq!(lines_on_machine(place, "/root/over"), runs);
    assert!(of_playbooks(place).is_empty(), "{:?}", of_playbooks(place));
    assert_eq!(kept(place), 0);
}

/// A node over one database, in the home that is given.
fn node(place: &Place, database: &str, home: &Path, roles: &str) -> Running {
    let mut command = Command::new(MUSTER);
    place.dress(&mut command);
    command.env("MUSTER_HOME", home).env("MUSTER_DATABASE_URL", database);
    command.env("MUSTER_KEY", crate::place::KEY).env("MUSTER_LEASE_SECONDS", LEASE_S.to_string());
    Running::start({
        command.args(["server", "--listen", "127.0.0.1:0", "--role", roles]);
        command
    })
}

/// Several nodes: a worker beside the dead one adopts its playbook; one on another machine (another home) begins its
/// own only when nothing of the frozen one's is left.
#[tokio::test]
async fn a_worker_goes_on_with_a_playbook_on_a_machine_or_waits_until_it_is_gone() {
    let test = "supervise::a_worker_goes_on";
    let Some(postgres) = Server::start(test) else { return };
    let Some(place) = place(test) else { return };
    let repeatable = shop().replace("hosts: all\n", "hosts: all\n    repeatable: true\n");
    std::fs::write(place.project().join("infra/shop.yaml"), repeatable).unwrap();
    let database = postgres.database().await;
    let homes: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    let [api_home, here, elsewhere] = [&homes[0], &homes[1], &homes[2]].map(tempfile::TempDir::path);
    let api = node(&place, &database, api_home, "api");
    let token = std::fs::read_to_string(api_home.join("token")).unwrap();
    let ok = |arguments: &[&str]| {
        let ran = place.run(arguments);
        assert_eq!(ran.code, 0, "{ran:?}");
        ran
    };
    ok(&["context", "add", "prod", &api.address(), "--token", token.trim()]);
    ok(&["context", "use", "prod"]);
    let first = node(&place, &database, here, "worker");
    ok(&["infra", "update", "shop", "--yes"]);
    let deploy = |pause: &str| {
        let pause = format!("pause={pause}");
        let said = ok(&["infra", "deploy", "shop", "--yes", "--detach", "--format", "json", "--var", &pause]);
        said.json(0)["run"]["id"].as_str().unwrap().to_owned()
    };
    let in_the_middle = async |run: &str| {
        let long = || tasks(&place, run).contains(&"A daemon here".to_owned()).then_some(());
        until("the long task", Duration::from_secs(60), long).await;
    };
    let ended = async |run: &str| {
        let shown = || ok(&["run", "show", run, "--format", "json"]).json(0);
        until("the run's end", Duration::from_secs(90), || {
            Some(shown()).filter(|run| run["state"] != "running")
        })
        .await
    };

    let run = deploy("12");
    in_the_middle(&run).await;
    let second = node(&place, &database, here, "worker");
    first.signal("-KILL");
    let over = ended(&run).await;
    assert_eq!(over["state"], "succeeded", "{over}");
    assert_eq!(lines_on_machine(&place, "/root/begun"), 1, "adopted");
    assert_eq!(tasks(&place, &run).len(), 4);

    let run = deploy("20");
    in_the_middle(&run).await;
    let third = node(&place, &database, elsewhere, "worker");
    second.signal("-STOP");
    let began = || (!of_playbooks_below(elsewhere).is_empty()).then_some(());
    until("the playbook of the other machine", Duration::from_secs(90), began).await;
    assert_eq!(of_playbooks_below(here), Vec::<String>::new(), "nothing of the frozen one's is left");
    second.signal("-CONT");
    assert_eq!(ok(&["run", "cancel", &run]).code, 0);
    let over = ended(&run).await;
    assert!(["cancelled", "succeeded"].contains(&over["state"].as_str().unwrap()), "{over}");
    assert_eq!(lines_on_machine(&place, "/root/begun"), 3, "a repeatable playbook is begun anew");
    assert_eq!(
        lines_on_machine(&place, "/root/over"),
        2,
        "and the first beginning of it never came to its end"
    );
    drop(third);
}
