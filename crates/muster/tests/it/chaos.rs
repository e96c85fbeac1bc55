//! Several nodes over one PostgreSQL while everything around them breaks: nodes are killed and started again, one is
//! stopped past its lease, one loses the network to the database, the database itself is killed twice. Whatever can be
//! counted is counted outside Muster: at the simulated provider, on the machines, in the database.
//!
//! `MUSTER_TEST_FULL=1` (`./dev test-full`) takes 200 runs of 50 steps and one over 5,000 servers.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use muster_outside::host::local::{LocalMachines, Technique, Wish};
use serde_json::Value;
use tokio::time::Instant;

use crate::nodes::{LEASE_S, Node};
use crate::partition::{LISTEN, Partition, Technique as Cut, technique};
use crate::place::{Place, client};
use crate::server::Server;

/// How much of it.
struct Size {
    /// Runs, and the servers of each; a server is two steps (made, linked), a network one.
    runs: usize,
    servers_each: usize,
    /// Servers of the one run that is cut into lanes, and of each lane.
    wide: usize,
    lane: usize,
    /// The longest that all of it may take.
    limit: Duration,
}

impl Size {
    fn here() -> Size {
        match std::env::var_os("MUSTER_TEST_FULL") {
            Some(_) => Size {
                runs: 200,
                servers_each: 24,
                wide: 5_000,
                lane: 500,
                limit: Duration::from_secs(3_000),
            },
            None => Size { runs: 8, servers_each: 6, wide: 60, lane: 6, limit: Duration::from_secs(240) },
        }
    }
}

/// A provider that takes long enough for everything to break while servers are made, and again while they are linked.
const SLOW: &str = r#"{"create": 25000, "network": 15000}"#;

/// What was done to the nodes.
#[derive(Debug, Default)]
struct Done {
    killed: u32,
    stopped: u32,
    cut: u32,
    database: u32,
    /// The longest that a lapsed lease stood, in seconds: what a takeover took beyond the lease.
    lapsed_s: f64,
}

/// Three workers, the last behind a wire.
struct Nodes<'a> {
    place: &'a Place,
    database: Vec<String>,
    running: Vec<Option<Node>>,
    lane: String,
}

impl Nodes<'_> {
    fn start(&mut self, number: usize) {
        let extra = [("MUSTER_LANE_TARGETS", self.lane.as_str())];
        let node = Node::start_with(self.place, &self.database[number], "api,worker,scheduler", &extra);
        self.running[number] = Some(node);
    }

    /// A node that lost its lease ends, as it should; whoever looks after processes starts it again.
    fn start_what_ended(&mut self) {
        for number in 0..self.running.len() {
            if self.running[number].as_mut().is_none_or(|node| node.running.has_ended()) {
                self.running[number] = None;
                self.start(number);
            }
        }
    }

    fn signal(&self, number: usize, word: &str) {
        if let Some(node) = &self.running[number] {
            node.running.signal(word);
        }
    }
}

fn file(name: &str, servers: usize) -> String {
    format!(
        "version: 1\nlocation: SdnSpb\nstats: false\nnetworks:\n  n{name}: {{}}\nservers:\n  {name}: {{ count: {servers}, \
         image: Ubuntu 22.04, cpu: 1, ram: 1 GiB, disk: 20 GiB ssd, networks: [n{name}] }}\n"
    )
}

/// How many runs are in each state.
fn states(postgres: &Server, database: &str) -> BTreeMap<String, u32> {
    let rows = postgres.ask(database, "select state || ' ' || count(*) from run group by state");
    rows.iter()
        .map(|row| row.split_once(' ').unwrap())
        .map(|(state, count)| (state.to_owned(), count.parse().unwrap()))
        .collect()
}

/// How long nothing is broken in between. A large fleet takes minutes, in which nodes die less often than in seconds.
fn pause() -> Duration {
    match std::env::var_os("MUSTER_TEST_FULL") {
        Some(_) => Duration::from_secs(8),
        None => Duration::from_millis(1_500),
    }
}

/// Breaks things until every run has ended.
async fn break_things(
    postgres: &mut Server,
    database: &str,
    partition: &Partition,
    nodes: &mut Nodes<'_>,
    limit: Duration,
) -> Done {
    let mut done = Done::default();
    let began = Instant::now();
    let mut turn = 0_u64;
    loop {
        tokio::time::sleep(pause()).await;
        let lapsed = "select coalesce(max(extract(epoch from now() - lease_until)), 0) from node
                      where gone_at is null and kind = 'server'";
        let lapsed_s: f64 = postgres.ask(database, lapsed)[0].parse().unwrap();
        done.lapsed_s = done.lapsed_s.max(lapsed_s);
        let open = states(postgres, database);
        let open: u32 = ["ready", "running", "interrupted"].iter().filter_map(|state| open.get(*state)).sum();
        if open == 0 {
            return done;
        }
        assert!(began.elapsed() < limit, "{open} runs stand still: {:?}", states(postgres, database));
        nodes.start_what_ended();
        turn += 1;
        match turn {
            3 => {
                nodes.signal(1, "-STOP");
                tokio::time::sleep(Duration::from_secs(LEASE_S + 3)).await;
                nodes.signal(1, "-CONT");
                done.stopped += 1;
            }
            6 => {
                partition.cut();
                tokio::time::sleep(Duration::from_secs(LEASE_S + 3)).await;
                partition.heal();
                done.cut += 1;
            }
            5 | 8 => {
                let asked = Instant::now();
                postgres.crash();
                println!("the database was away for {:?}", asked.elapsed());
                done.database += 1;
            }
            _ => {
                // A fixed order that visits every node; the moment is chance enough.
                let number = (turn * 7 / 3) as usize % nodes.running.len();
                nodes.signal(number, "-KILL");
                done.killed += 1;
            }
        }
    }
}

/// EDG-01: nothing is lost, nothing stands still, and everything is made once.
#[test]
fn a_fleet_is_made_once_whatever_breaks() {
    let test = "chaos::a_fleet_is_made_once_whatever_breaks";
    let Some(cut) = technique(test) else { return };
    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    threads.unwrap().block_on(a_fleet(test, cut));
}

async fn a_fleet(test: &str, cut: Cut) {
    let Some(mut postgres) = Server::start_with(test, &[LISTEN], |_| {}) else { return };
    let size = Size::here();
    let database = postgres.database().await;
    let place = Place::slow(&file("wide", size.wide), SLOW);
    for number in 0..size.runs {
        let name = format!("f{number}");
        let path = place.project().join(format!("infra/{name}.yaml"));
        std::fs::write(path, file(&name, size.servers_each)).unwrap();
    }
    let partition = Partition::new(cut, &postgres);
    let lane = size.lane.to_string();
    let mut front = Node::asked_by_with(&place, &database, &[("MUSTER_LANE_TARGETS", &lane)]);
    submit_all(&place, &size);
    let total = (size.runs + 1) as u32;
    assert_eq!(states(&postgres, &database).get("ready"), Some(&total), "all wait for a worker");
    let lanes = postgres.ask(&database, "select count(*) from lane where no > 0");
    assert_eq!(lanes[0], size.wide.div_ceil(size.lane).to_string());

    let behind = partition.behind(&database, &postgres);
    let databases = vec![database.clone(), database.clone(), behind];
    let mut nodes = Nodes { place: &place, database: databases, running: vec![None, None, None], lane };
    nodes.start_what_ended();
    let began = Instant::now();
    let done = break_things(&mut postgres, &database, &partition, &mut nodes, size.limit).await;
    println!("{done:?} in {:?}", began.elapsed());
    for said in postgres.ask(&database, "select state || ': ' || message from run where message is not null")
    {
        println!("{said}");
    }
    println!("{:?}", journal_counts(&postgres, &database));

    assert_eq!(states(&postgres, &database), BTreeMap::from([("succeeded".to_owned(), total)]));
    let servers = names(&place).await;
    let wanted = size.wide + size.runs * size.servers_each;
    assert_eq!(servers.len(), wanted, "each server by its name");
    assert!(servers.values().all(|count| *count == 1), "each once");
    let steps = postgres.ask(&database, "select coalesce(sum(steps_total), 0) from run");
    let counts = journal_counts(&postgres, &database);
    assert_eq!(counts["succeeded"].to_string(), steps[0], "every step succeeded once");
    assert!(counts.get("failed").is_none_or(|failed| *failed < 200), "few attempts failed: {counts:?}");
    assert!(done.killed > 1 && done.stopped == 1 && done.cut == 1 && done.database == 2, "{done:?}");
    // A heartbeat is a fifth of the lease; twice that is for a machine that has other things to do.
    assert!(done.lapsed_s < LEASE_S as f64 * 2.0, "{done:?}");
    if front.running.has_ended() {
        // The database was away for longer than its lease.
        drop(front);
        front = Node::asked_by_with(&place, &database, &[]);
    }
    let again = place.run(&["infra", "plan", "shop", "--skip-provision", "--format", "json"]).json(0);
    assert_eq!(again["plan"]["steps"].as_array().map(Vec::len), Some(0), "nothing is left to do: {again}");
    drop(front);
}

/// EDG-01: commands are started at most once on each machine, whatever breaks, and what is not known is said. Counted
/// on the machines, where each start leaves a line.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_is_started_once_whatever_breaks() {
    let test = "chaos::a_command_is_started_once_whatever_breaks";
    let wish = Wish { technique: Some(Technique::Nspawn), range: "10.210.0.0/16".parse().unwrap() };
    if let Err(missing) = LocalMachines::probe_as(&wish) {
        return crate::skip::skip(test, &missing.to_string());
    }
    let Some(mut postgres) = Server::start(test) else { return };
    let full = std::env::var_os("MUSTER_TEST_FULL").is_some();
    let (machines, commands) = if full { (4, 60) } else { (2, 12) };
    let database = postgres.database().await;
    let place = Place::with_machines(&file("host", machines), &wish);
    // The machines are on a network that is shared; so here the bytes are held.
    let partition = Partition::new(Cut::Wire, &postgres);
    let mut front = Node::asked_by(&place, &database);
    let first = Node::start(&place, &database, "worker");
    let made = place.run(&["infra", "update", "shop", "--yes"]);
    assert_eq!(made.code, 0, "{made:?}");
    drop(first);

    let hosts: Vec<String> = (1..=machines).map(|number| format!("host-{number}")).collect();
    for number in 0..commands {
        let line = format!("echo run-{number} >>/root/started; sleep 25; echo run-{number} >>/root/ended");
        let mut wish = vec!["server", "exec", "--detach"];
        wish.extend(hosts.iter().map(String::as_str));
        wish.extend(["--", "sh", "-c", &line]);
        let ran = place.run(&wish);
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    let behind = partition.behind(&database, &postgres);
    let databases = vec![database.clone(), database.clone(), behind];
    let lane = "500".to_owned();
    let mut nodes = Nodes { place: &place, database: databases, running: vec![None, None, None], lane };
    nodes.start_what_ended();
    let limit = Duration::from_secs(if full { 900 } else { 240 });
    let done = break_things(&mut postgres, &database, &partition, &mut nodes, limit).await;
    nodes.running.clear();
    println!("{done:?}; {:?}; {:?}", states(&postgres, &database), journal_counts(&postgres, &database));

    if front.running.has_ended() {
        drop(front);
        front = Node::asked_by(&place, &database);
    }
    let worker = Node::start(&place, &database, "worker");
    let (mut once, mut never) = (0, 0);
    for host in &hosts {
        let lines = |name: &str| {
            let said = place.run(&["server", "exec", host, "--", "cat", name]);
            assert_eq!(said.code, 0, "{said:?}");
            said.out.lines().map(str::to_owned).collect::<Vec<_>>()
        };
        let started = lines("/root/started");
        for number in 0..commands {
            let word = format!("run-{number}");
            let times = started.iter().filter(|line| line.ends_with(&word)).count();
            assert!(times <= 1, "{word} was started {times} times on {host}");
            once += usize::from(times == 1);
            never += usize::from(times == 0);
        }
    }
    // What succeeded was started; what was not started, or whose end nobody saw, is told as failed.
    let told = |kind: &str| -> usize {
        let query = format!(
            "select count(distinct (run, step)) from journal where kind = '{kind}'
            and run in (select id from run where plan in (select id from plan where purpose = 'exec'))"
        );
        postgres.ask(&database, &query)[0].parse().unwrap()
    };
    let (succeeded, failed) = (told("succeeded"), told("failed"));
    println!("started once: {once}, never: {never}; told as succeeded {succeeded}, as failed {failed}");
    assert!(succeeded >= hosts.len() * commands / 2, "most of them went well");
    assert!(succeeded <= once + 2 * hosts.len(), "nothing succeeded that was not started");
    assert!(never <= failed, "what was never started is told");
    drop((worker, front));
}

/// Every file is submitted, four at a time, before any worker lives.
fn submit_all(place: &Place, size: &Size) {
    let mut names: Vec<String> = (0..size.runs).map(|number| format!("f{number}")).collect();
    names.push("shop".into());
    let names = Mutex::new(names);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let Some(name) = names.lock().unwrap().pop() else { return };
                    let wish = ["infra", "update", &name, "--yes", "--skip-provision", "--detach"];
                    let ran = place.run(&wish);
                    assert_eq!(ran.code, 0, "{ran:?}");
                }
            });
        }
    });
}

/// Entries of each kind, of all runs.
fn journal_counts(postgres: &Server, database: &str) -> BTreeMap<String, u64> {
    let rows = postgres.ask(database, "select kind || ' ' || count(*) from journal group by kind");
    rows.iter()
        .map(|row| row.split_once(' ').unwrap())
        .map(|(kind, count)| (kind.to_owned(), count.parse().unwrap()))
        .collect()
}

/// What the provider has, by name.
async fn names(place: &Place) -> BTreeMap<String, u32> {
    let answer = client().get(format!("{}/_sim/state", place.cloud.address())).send().await.unwrap();
    let state: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    let mut names = BTreeMap::new();
    for server in state["projects"][0]["servers"].as_array().unwrap() {
        let name = server["Name"].as_str().or(server["name"].as_str()).unwrap().to_owned();
        *names.entry(name).or_default() += 1;
    }
    names
}
