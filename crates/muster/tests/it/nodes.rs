//! Several nodes over one database, the engine in the background, and control planes elsewhere: the program itself.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::place::{MUSTER, Place, Ran, Running};
use crate::server::Server;

/// Twelve servers, linked to a network once they are there.
pub const FLEET: &str = "version: 1
location: SdnSpb
stats: false
networks:
  backend: {}
servers:
  web: { count: 12, image: Ubuntu 22.04, cpu: 1, ram: 1 GiB, disk: 20 GiB ssd, networks: [backend] }
";
/// A provider that needs a while for a server, so that a run is under way when something happens.
pub const SLOW: &str = r#"{"create": 4000}"#;
/// The same, longer than a takeover takes.
const SLOWER: &str = r#"{"create": 25000}"#;
/// The lease in these tests, in seconds.
pub const LEASE_S: u64 = 6;
/// The longest that anything here may take.
const WAIT_MAX: Duration = Duration::from_secs(90);

pub const UPDATE: &[&str] = &["infra", "update", "shop", "--yes", "--skip-provision", "--format", "json"];

/// A node of the control plane, with a home of its own.
pub struct Node {
    pub running: Running,
    _home: tempfile::TempDir,
    token: String,
}

impl Node {
    pub fn start(place: &Place, database: &str, roles: &str) -> Node {
        Node::start_with(place, database, roles, &[])
    }

    /// The same with further variables of the environment.
    pub fn start_with(place: &Place, database: &str, roles: &str, variables: &[(&str, &str)]) -> Node {
        let home = tempfile::tempdir().unwrap();
        let mut command = Command::new(MUSTER);
        place.dress(&mut command);
        command.env("MUSTER_HOME", home.path()).env("MUSTER_DATABASE_URL", database);
        command.env("MUSTER_KEY", crate::place::KEY).env("MUSTER_LEASE_SECONDS", LEASE_S.to_string());
        command.envs(variables.iter().copied());
        command.args(["server", "--listen", "127.0.0.1:0", "--role", roles]);
        let running = Running::start(command);
        let token = std::fs::read_to_string(home.path().join("token")).unwrap_or_default().trim().to_owned();
        Node { running, _home: home, token }
    }

    /// A node that answers requests only; the commands of this place go there from now on.
    pub fn asked_by(place: &Place, database: &str) -> Node {
        Node::asked_by_with(place, database, &[])
    }

    /// The same with further variables of its environment.
    pub fn asked_by_with(place: &Place, database: &str, variables: &[(&str, &str)]) -> Node {
        let api = Node::start_with(place, database, "api", variables);
        let added = ok(place.run(&["context", "add", "prod", &api.running.address(), "--token", &api.token]));
        assert!(added.out.contains("prod answers"), "{added:?}");
        ok(place.run(&["context", "use", "prod"]));
        api
    }
}

pub async fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + WAIT_MAX;
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(tokio::time::Instant::now() < deadline, "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

pub fn ok(ran: Ran) -> Ran {
    assert_eq!(ran.code, 0, "{ran:?}");
    ran
}

/// The run of a detached update.
pub fn detached(place: &Place) -> String {
    let answer = place.run(&[UPDATE, &["--detach"]].concat()).json(0);
    assert_eq!(answer["outcome"], "detached", "{answer}");
    answer["run"]["id"].as_str().unwrap().to_owned()
}

pub fn shown(place: &Place, run: &str) -> Value {
    place.run(&["run", "show", run, "--format", "json"]).json(0)
}

/// Waits until all servers are in the making.
pub async fn begun(place: &Place, run: &str) {
    until("the run's progress", || (shown(place, run)["steps"]["running"].as_u64()? >= 12).then_some(()))
        .await;
}

pub async fn ended(place: &Place, run: &str) -> Value {
    until("the run's end", || {
        Some(shown(place, run)).filter(|run| run["state"] != "running" && run["state"] != "ready")
    })
    .await
}

pub fn names(place: &Place) -> Vec<String> {
    let servers = place.run(&["server", "list", "--format", "json"]).json(0);
    let mut names: Vec<String> =
        servers.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

/// NEP-31, EDG-01, EDG-14: three nodes over one database. What one is asked, another carries out; a worker that is told to end
/// hands its lanes over at once; one that is killed loses them after its lease; nothing is made twice.
#[tokio::test]
async fn three_nodes_share_one_database() {
    let Some(postgres) = Server::start("nodes::three_nodes_share_one_database") else { return };
    let database = postgres.database().await;
    let place = Place::slow(FLEET, SLOWER);
    let _api = Node::asked_by(&place, &database);
    let first = Node::start(&place, &database, "api,worker");

    let run = detached(&place);
    begun(&place, &run).await;
    let second = Node::start(&place, &database, "worker");
    // Told to end: the lanes change hands without waiting for the lease.
    let asked = tokio::time::Instant::now();
    first.running.signal("-TERM");
    let taken = |place: &Place| {
        let log = ok(place.run(&["run", "log", &run])).out;
        log.matches("taken up by node").count()
    };
    until("the hand-over", || (taken(&place) >= 1).then_some(())).await;
    println!("handed over after {:?}", asked.elapsed());

    // Killed: only the lease tells.
    let third = Node::start(&place, &database, "worker");
    let killed = tokio::time::Instant::now();
    second.running.signal("-KILL");
    until("the takeover", || (taken(&place) >= 2).then_some(())).await;
    println!("taken over after {:?}; the lease is {LEASE_S} s", killed.elapsed());
    assert!(killed.elapsed() < Duration::from_secs(LEASE_S * 3), "{:?}", killed.elapsed());

    let run = ended(&place, &run).await;
    assert_eq!(run["state"], "succeeded", "{run}");
    let expected: Vec<String> = (1..=12).map(|number| format!("web-{number}")).collect();
    let mut expected = expected;
    expected.sort();
    assert_eq!(names(&place), expected, "each once");
    drop(third);
}

/// A node that was stopped past its lease and wakes up writes nothing and starts nothing.
#[tokio::test]
async fn a_node_that_wakes_up_late_is_fenced() {
    let Some(postgres) = Server::start("nodes::a_node_that_wakes_up_late_is_fenced") else { return };
    let database = postgres.database().await;
    let place = Place::slow(FLEET, SLOWER);
    let _api = Node::asked_by(&place, &database);
    let sleeper = Node::start(&place, &database, "worker");
    let run = detached(&place);
    begun(&place, &run).await;
    sleeper.running.signal("-STOP");
    let other = Node::start(&place, &database, "worker");
    until("the takeover", || {
        ok(place.run(&["run", "log", &run])).out.contains("taken up by node").then_some(())
    })
    .await;
    sleeper.running.signal("-CONT");
    let run = ended(&place, &run).await;
    assert_eq!(run["state"], "succeeded", "{run}");
    assert_eq!(names(&place).len(), 12, "each once");
    drop((sleeper, other));
}

/// NEP-23, NEP-24, NEP-26, NEP-27, NEP-28, NEP-32: a detached run outlives the command; whoever attaches later gets what was missed and goes on
/// to the end; from any cursor the rest is byte for byte the same.
#[tokio::test]
async fn a_run_goes_on_in_the_background() {
    let place = Place::slow(FLEET, SLOW);
    let run = detached(&place);
    let attach = |from: Option<&str>| {
        let mut arguments = vec!["run", "attach", &run, "--format", "json"];
        if let Some(from) = from {
            arguments.extend(["--from", from]);
        }
        ok(place.run(&arguments)).out
    };
    let live = attach(None);
    let lines: Vec<&str> = live.lines().collect();
    let last: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    assert_eq!(last["state"], "succeeded");
    assert_eq!(attach(None), live, "history is what was seen live");
    for after in [1, lines.len() / 2, lines.len() - 1, lines.len()] {
        let rest: String = lines[after..].iter().map(|line| format!("{line}\n")).collect();
        assert_eq!(attach(Some(&format!("0:{after}"))), rest);
    }
    assert_eq!(place.run(&["run", "attach", &run, "--from", "x:y"]).code, 2);
    assert_eq!(names(&place).len(), 12);
    place.end_background();
}

/// Whoever goes on with a run begins in another directory, and finds the same home.
#[test]
fn a_home_may_be_named_from_where_one_stands() {
    let place = Place::new(crate::place::SHOP);
    let mut command = Command::new(MUSTER);
    place.dress(&mut command);
    command.env("MUSTER_HOME", "home").args(UPDATE).arg("--detach");
    let run = ok(Ran::from(command.output().unwrap())).json(0)["run"]["id"].as_str().unwrap().to_owned();
    ok(place.run(&["run", "attach", &run]));
    place.end_background();
}

/// A run is paused between steps, holds its locks meanwhile, and goes on where it was.
#[tokio::test]
async fn a_run_is_paused_and_goes_on() {
    let place = Place::slow(FLEET, SLOW);
    let run = detached(&place);
    begun(&place, &run).await;
    ok(place.run(&["run", "pause", &run]));
    until("the pause", || ok(place.run(&["run", "log", &run])).out.contains("paused").then_some(())).await;
    let before = shown(&place, &run)["steps"]["succeeded"].clone();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(shown(&place, &run)["steps"]["succeeded"], before, "nothing further was begun");
    let busy = place.run(&["infra", "destroy", "shop", "--yes", "--allow-deletes", "12"]);
    assert_eq!(busy.code, 6, "{busy:?}");
    assert!(busy.err.contains(&run), "{}", busy.err);
    let resumed = place.run(&["run", "resume", &run, "--format", "json"]).json(0);
    assert_eq!(resumed["state"], "succeeded");
    assert_eq!(names(&place).len(), 12);
    place.end_background();
}

/// Contexts: listed, used for one command or for all, refused when wrong, forgotten; the token is sealed.
#[tokio::test]
async fn commands_go_where_the_context_says() {
    let place = Place::new(crate::place::SHOP);
    let elsewhere = Place::new(crate::place::SHOP);
    let mut command = Command::new(MUSTER);
    elsewhere.dress(&mut command);
    command.args(["server", "--listen", "127.0.0.1:0"]);
    let server = Running::start(command);
    let token = std::fs::read_to_string(elsewhere.home().join("token")).unwrap().trim().to_owned();

    let wrong = place.run(&["context", "add", "prod", &server.address(), "--token", &"0".repeat(64)]);
    assert_eq!(wrong.code, 2, "{wrong:?}");
    let clear = place.run(&["context", "add", "prod", "http://192.0.2.1:1", "--token", &token]);
    assert_eq!(clear.code, 2, "{clear:?}");
    assert!(clear.err.contains("clear text"), "{}", clear.err);
    let unasked = place.run(&["context", "add", "prod", &server.address()]);
    assert_eq!(unasked.code, 2, "{unasked:?}");
    assert!(unasked.err.contains("--token -"), "{}", unasked.err);
    ok(place.run(&["context", "add", "prod", &server.address(), "--token", &token]));
    crate::spy::absent_below(&place.home(), &token);

    ok(place.run(&[&["--context", "prod"], UPDATE].concat()));
    assert_eq!(elsewhere.run(&["run", "list", "--format", "json"]).json(0).as_array().unwrap().len(), 1);
    assert_eq!(place.run(&["run", "list", "--format", "json"]).json(0).as_array().unwrap().len(), 0);
    ok(place.run(&["context", "use", "prod"]));
    assert_eq!(place.run(&["run", "list", "--format", "json"]).json(0).as_array().unwrap().len(), 1);
    let here = place.run(&["--context", "local", "run", "list", "--format", "json"]).json(0);
    assert_eq!(here.as_array().unwrap().len(), 0);
    let known = place.run(&["context", "list", "--format", "json"]).json(0);
    assert_eq!(known[1]["name"], "prod");
    assert_eq!(known[1]["current"], true);
    let unknown = place.run(&["--context", "prdo", "run", "list"]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.err.contains("prod") && unknown.err.contains("local"), "{}", unknown.err);
    ok(place.run(&["context", "remove", "prod"]));
    assert_eq!(place.run(&["run", "list", "--format", "json"]).json(0).as_array().unwrap().len(), 0);
}

/// NEP-32, NEP-33: whoever follows a run can leave it with Ctrl-\ without stopping it, also where his own process carries it out.
#[tokio::test]
async fn a_follower_leaves_and_the_run_goes_on() {
    let place = Place::slow(FLEET, SLOW);
    let mut command = Command::new(MUSTER);
    place.dress(&mut command);
    command.args(UPDATE).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let child = command.spawn().unwrap();
    let run = until("the run", || {
        let runs = place.run(&["run", "list", "--format", "json"]).json(0);
        runs[0]["id"].as_str().map(str::to_owned)
    })
    .await;
    begun(&place, &run).await;
    let sent = Command::new("kill").args(["-QUIT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let left = child.wait_with_output().unwrap();
    assert_eq!(left.status.code(), Some(0), "{left:?}");
    assert!(String::from_utf8_lossy(&left.stderr).contains("goes on in the background"), "{left:?}");
    let attached = place.run(&["run", "attach", &run]);
    assert_eq!(attached.code, 0, "{attached:?}");
    assert_eq!(names(&place).len(), 12, "each once");
    place.end_background();
}

/// Why nothing happens is said in words: who carries the run out, that no worker lives, what each step waits for; and
/// `doctor` names what nobody carries out.
#[tokio::test]
async fn a_run_explains_itself() {
    let Some(postgres) = Server::start("nodes::a_run_explains_itself") else { return };
    let database = postgres.database().await;
    let place = Place::slow(FLEET, SLOW);
    let _api = Node::asked_by(&place, &database);
    let run = detached(&place);
    let explained = || ok(place.run(&["run", "explain", &run])).out;
    let alone = explained();
    assert!(alone.contains("waits for a worker, and none lives"), "{alone}");
    assert!(alone.contains("for step"), "links wait for their servers: {alone}");
    let doctor = place.run(&["doctor"]);
    assert_eq!(doctor.code, 1, "{doctor:?}");
    assert!(doctor.out.contains(&format!("nobody carries out {run}")), "{}", doctor.out);
    let worker = Node::start(&place, &database, "worker");
    until("the worker's name", || explained().contains("Lane 0 is carried out by node").then_some(())).await;
    let machine = place.run(&["run", "explain", &run, "--format", "json"]).json(0);
    assert_eq!(machine["steps"][0]["number"], 1);
    assert!(machine["steps"][0]["why"].as_str().is_some_and(|why| !why.is_empty()), "{machine}");
    assert_eq!(ended(&place, &run).await["state"], "succeeded");
    assert!(!explained().contains("Lane 0"), "{}", explained());
    let doctor = place.run(&["doctor"]);
    assert!(!doctor.out.contains("nobody carries out"), "{}", doctor.out);
    drop(worker);
}

/// A command that was stopped for longer than its lease (a laptop that slept) gives its run up in words, and resuming
/// makes nothing twice.
#[tokio::test]
async fn a_command_that_slept_gives_its_run_up() {
    let place = Place::slow(FLEET, SLOWER);
    let mut command = Command::new(MUSTER);
    place.dress(&mut command);
    command.env("MUSTER_LEASE_SECONDS", LEASE_S.to_string());
    command.args(UPDATE).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let child = command.spawn().unwrap();
    let run = until("the run", || {
        let runs = place.run(&["run", "list", "--format", "json"]).json(0);
        runs[0]["id"].as_str().map(str::to_owned)
    })
    .await;
    begun(&place, &run).await;
    let tell = |word: &str| {
        assert!(Command::new("kill").args([word, &child.id().to_string()]).status().unwrap().success())
    };
    tell("-STOP");
    tokio::time::sleep(Duration::from_secs(LEASE_S + 2)).await;
    tell("-CONT");
    let slept = child.wait_with_output().unwrap();
    assert_eq!(slept.status.code(), Some(130), "{slept:?}");
    assert!(String::from_utf8_lossy(&slept.stdout).contains("the machine slept"), "{slept:?}");
    let resumed = place.run(&["run", "resume", &run, "--format", "json"]).json(0);
    assert_eq!(resumed["state"], "succeeded", "{resumed}");
    assert_eq!(names(&place).len(), 12, "each once");
}

/// EDG-01: a step that takes its node with it is found among everything that was under way, and it alone is set aside.
#[tokio::test]
async fn a_step_that_kills_its_nodes_is_found_and_set_aside() {
    let test = "nodes::a_step_that_kills_its_nodes_is_found_and_set_aside";
    let Some(postgres) = Server::start(test) else { return };
    let database = postgres.database().await;
    let place = Place::slow(FLEET, r#"{"create": 1000}"#);
    let _front = Node::asked_by(&place, &database);
    let run = detached(&place);
    let steps = postgres.ask(&database, "select steps_total from run");
    assert!(steps[0].parse::<u32>().unwrap() > 12, "{steps:?}");
    let mut deaths = 0;
    let ended = loop {
        let poison = [("MUSTER_CRASH_AT", "started:5"), ("ONECLOUD_SETTLE_MS", "1000")];
        let mut worker = Node::start_with(&place, &database, "worker", &poison);
        let seen = until("an end of the worker, or of the run", || {
            let seen = shown(&place, &run);
            let over = seen["state"] != "running" && seen["state"] != "ready";
            (over || worker.running.has_ended()).then_some((over, seen))
        })
        .await;
        if seen.0 {
            break seen.1;
        }
        deaths += 1;
        assert!(deaths < 10, "it goes on killing: {}", seen.1);
    };
    assert_eq!(deaths, 5, "two with all, one with a few, two alone");
    assert_eq!(ended["state"], "failed", "{ended}");
    let message = ended["message"].as_str().unwrap();
    assert!(message.starts_with("step 5 (") && message.contains("is set aside: 5 nodes died"), "{message}");
    let failed = "select distinct step from journal where kind = 'failed'";
    assert_eq!(postgres.ask(&database, failed), ["5"], "nothing else is blamed");
}
