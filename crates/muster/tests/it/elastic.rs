//! Records of runs in Elasticsearch: the program itself, a strict emulator (`testing/elastic/emulator.py`), and the
//! official client as the witness.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::place::{Place, Ran, Running, SHOP, client};
use crate::{skip, source};

const API_KEY: &str = "VnVhQ2ZHY0JDZGJrUW0tZTVhT3g6dWkybHAyYXhUTm1zeWFrdzl0dk5udw==";

struct Elastic {
    place: Place,
    running: Option<Running>,
    url: String,
}

fn python() -> Command {
    let mut command = Command::new("python3");
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

impl Elastic {
    /// None where the client is not installed; then the test says so.
    fn new(test: &str) -> Option<Elastic> {
        let found = python().args(["-c", "import elasticsearch"]).stderr(Stdio::null()).status();
        if !found.is_ok_and(|status| status.success()) {
            skip::skip(test, "the Python client is missing (PyPI: elasticsearch)");
            return None;
        }
        let mut elastic = Elastic { place: Place::new(SHOP), running: None, url: String::new() };
        elastic.start("0");
        Some(elastic)
    }

    fn start(&mut self, port: &str) {
        let mut command = python();
        command.arg(source::root().join("testing/elastic/emulator.py")).args([
            "--port",
            port,
            "--api-key",
            API_KEY,
        ]);
        let running = Running::start(command);
        self.url = running.address();
        self.running = Some(running);
    }

    fn stop(&mut self) {
        self.running = None;
    }

    fn port(&self) -> String {
        self.url.rsplit(':').next().unwrap().to_owned()
    }

    /// Runs a command with the sink set up.
    fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(crate::place::MUSTER);
        self.place.dress(&mut command);
        command
            .env("MUSTER_ELASTIC_URL", &self.url)
            .env("MUSTER_ELASTIC_API_KEY", API_KEY)
            .env("MUSTER_LOG", "warn");
        Ran::from(command.args(arguments).stdin(Stdio::null()).output().unwrap())
    }

    fn update(&self, count: u32) -> Value {
        let shop = SHOP.replace("count: 2", &format!("count: {count}"));
        std::fs::write(self.place.project().join("infra/shop.yaml"), shop).unwrap();
        let ran = self.run(&["infra", "update", "shop", "--yes", "--skip-provision", "--format", "json"]);
        assert!(!format!("{ran:?}").contains(API_KEY));
        ran.json(0)
    }

    fn try_read(&self) -> Ran {
        let mut command = python();
        command.arg(source::root().join("testing/elastic/read.py")).args([&self.url, API_KEY]);
        Ran::from(command.output().unwrap())
    }

    /// Everything that is kept, as the official client reads it.
    fn read(&self) -> Value {
        self.try_read().json(0)
    }

    async fn tell(&self, what: &str, body: Value) {
        let sent =
            client().post(format!("{}/_test/{what}", self.url)).body(body.to_string()).send().await.unwrap();
        assert!(sent.status().is_success());
    }

    /// The requests since the last question.
    async fn log(&self) -> Vec<Value> {
        let answer = client().delete(format!("{}/_test/log", self.url)).send().await.unwrap();
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }

    /// What the journal of a run must have become.
    fn journal(&self, run: &str) -> Vec<String> {
        let log = self.place.run(&["run", "log", run, "--format", "json"]).json(0);
        let entries = log.as_array().unwrap();
        entries.iter().map(|entry| format!("{run}:{}:{}", entry["lane"], entry["seq"])).collect()
    }
}

fn ids(found: &Value, kind: &str) -> Vec<String> {
    let mut ids: Vec<String> =
        found[kind].as_array().unwrap().iter().map(|one| one["_id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

/// The emulator refuses what the real one refuses: else what follows would prove nothing.
#[test]
fn the_emulator_is_strict() {
    let Some(elastic) = Elastic::new("elastic::the_emulator_is_strict") else { return };
    let mut command = python();
    command.arg(source::root().join("testing/elastic/read.py")).args([&elastic.url, API_KEY, "--check"]);
    let ran = Ran::from(command.output().unwrap());
    assert_eq!(ran.json(0)["count"], 4);
}

/// EDG-55, EDG-56, EDG-57, EDG-59, EDG-61, EDG-62: each run of the program is found by the official client in two
/// daily indices under its id, with the fields and mappings that searches need; a further command sends nothing again.
#[tokio::test]
async fn every_run_is_found_under_its_correlation() {
    let Some(elastic) = Elastic::new("elastic::every_run_is_found") else { return };
    let run = elastic.update(2)["run"]["id"].as_str().unwrap().to_owned();
    let found = elastic.read();
    let mut all = [ids(&found, "basic"), ids(&found, "detail")].concat();
    let mut expected = elastic.journal(&run);
    all.sort();
    expected.sort();
    assert_eq!(all, expected);
    assert_eq!(found["by_correlation"], json!({run.as_str(): expected.len()}), "mapped, so that it is found");
    let basic = found["basic"].as_array().unwrap();
    for record in basic {
        assert_eq!(record["correlation"], run);
        let day = &record["timestamp"].as_str().unwrap()[..10];
        assert_eq!(record["_index"], format!("muster-basic-{day}"));
        assert_eq!(record["action"], "update");
        assert!(
            record["worker_host"].is_string() && record["server"].is_string() && record["method"].is_string()
        );
    }
    for server in ["web-1", "web-2"] {
        let done = basic.iter().find(|one| one["server"] == server && one["status"] == true).unwrap();
        assert_eq!(done["method"], "server.create");
        assert!(done["starttime"].is_string() && done["endtime"].is_string() && done["duration"].is_number());
    }
    let template = &found["templates"]["muster-basic"];
    assert_eq!(template["index_patterns"], json!(["muster-basic-*"]));
    assert_eq!(template["template"]["mappings"]["properties"]["correlation"]["type"], "keyword");
    assert!(found["templates"]["muster-detail"].is_object());

    elastic.log().await;
    elastic.run(&["run", "list"]);
    let again: Vec<Value> = elastic.log().await.into_iter().filter(|one| one["path"] == "/_bulk").collect();
    assert!(again.is_empty(), "{again:?}");
    assert_eq!(elastic.read(), found);
}

/// EDG-55: an outage is no reason to lose a record or to fail a run: what happened meanwhile arrives afterwards, once.
#[tokio::test]
async fn an_outage_is_caught_up_with_by_the_next_command() {
    let Some(mut elastic) = Elastic::new("elastic::an_outage") else { return };
    let port = elastic.port();
    elastic.stop();
    let run = elastic.update(3)["run"]["id"].as_str().unwrap().to_owned();
    let spilled = std::fs::read_dir(elastic.place.home().join("sink/spill")).unwrap().count();
    assert!(spilled > 0);
    let said = elastic.run(&["run", "list"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.contains("cannot be sent") && !said.err.contains(API_KEY), "{said:?}");
    elastic.start(&port);
    elastic.run(&["run", "list"]);
    let found = elastic.read();
    let mut all = [ids(&found, "basic"), ids(&found, "detail")].concat();
    let mut expected = elastic.journal(&run);
    all.sort();
    expected.sort();
    assert_eq!(all, expected);
    assert_eq!(std::fs::read_dir(elastic.place.home().join("sink/spill")).unwrap().count(), 0);
}

/// Items that are put off are sent again, and only those; one that is refused is set aside and said; a request that
/// is too long is sent in smaller parts.
#[tokio::test]
async fn single_items_fail_alone() {
    let Some(elastic) = Elastic::new("elastic::single_items") else { return };
    elastic.tell("bytes", json!({"max": 4_000})).await;
    elastic
        .tell("item", json!({"id": "*:0:2", "status": 400, "type": "document_parsing_exception", "count": 1}))
        .await;
    elastic.tell("item", json!({"id": "*:0:3", "status": 429, "count": 1})).await;
    elastic.tell("fault", json!({"path": "/_bulk", "status": 503, "count": 1, "retry_after": 1})).await;
    let mut command = Command::new(crate::place::MUSTER);
    elastic.place.dress(&mut command);
    command.env("MUSTER_ELASTIC_URL", &elastic.url).env("MUSTER_ELASTIC_API_KEY", API_KEY);
    command.args(["server", "--listen", "127.0.0.1:0"]);
    let server = Running::start(command);
    let run = elastic.update(2)["run"]["id"].as_str().unwrap().to_owned();
    let expected = elastic.journal(&run);
    let missing = format!("{run}:0:2");
    let mut found = json!({});
    for _ in 0..100 {
        // As long as there is nothing, there are not even templates to be found.
        let ran = elastic.try_read();
        found = if ran.code == 0 { ran.json(0) } else { json!({"basic": [], "detail": []}) };
        if ids(&found, "basic").len() + ids(&found, "detail").len() == expected.len() - 1 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    let all = [ids(&found, "basic"), ids(&found, "detail")].concat();
    let absent: Vec<&String> = expected.iter().filter(|id| !all.contains(id)).collect();
    assert_eq!(absent, [&missing]);
    let aside = std::fs::read_to_string(elastic.place.home().join("sink/refused.ndjson")).unwrap();
    assert!(aside.contains("document_parsing_exception") && aside.contains(&missing), "{aside}");
    assert_eq!(aside.lines().count(), 1);
    let log = elastic.log().await;
    let statuses: Vec<u64> =
        log.iter().filter(|one| one["path"] == "/_bulk").map(|one| one["status"].as_u64().unwrap()).collect();
    for status in [200, 413, 503] {
        assert!(statuses.contains(&status), "{statuses:?}");
    }
    drop(server);
}

/// Who may not sign in is told so, without the key, and nothing is lost by it.
#[tokio::test]
async fn a_wrong_key_is_said_without_showing_it() {
    let Some(elastic) = Elastic::new("elastic::a_wrong_key") else { return };
    let wrong = "d3Jvbmctd3Jvbmctd3Jvbmc6a2V5";
    let mut command = Command::new(crate::place::MUSTER);
    elastic.place.dress(&mut command);
    command
        .env("MUSTER_ELASTIC_URL", &elastic.url)
        .env("MUSTER_ELASTIC_API_KEY", wrong)
        .env("MUSTER_LOG", "trace");
    command.args(["infra", "update", "shop", "--yes", "--skip-provision"]);
    let ran = Ran::from(command.output().unwrap());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.err.contains("401") && ran.err.contains("security_exception"), "{ran:?}");
    assert!(!format!("{ran:?}").contains(wrong), "{ran:?}");
    crate::spy::absent_below(&elastic.place.home(), wrong);
    elastic.run(&["run", "list"]);
    assert!(!ids(&elastic.read(), "basic").is_empty());
}

/// Settings that cannot work are said before anything happens; a project cannot choose where records go.
#[test]
fn settings_are_the_persons_own() {
    let place = Place::new(SHOP);
    let with = |name: &str, value: &str| {
        let mut command = Command::new(crate::place::MUSTER);
        place.dress(&mut command);
        command.env(name, value).args(["run", "list"]);
        Ran::from(command.stdin(Stdio::null()).output().unwrap())
    };
    let ran = with("MUSTER_ELASTIC_URL", "https://me:hunter2@search.example.org");
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("MUSTER_ELASTIC_API_KEY") && !ran.err.contains("hunter2"), "{ran:?}");
    std::fs::write(
        place.home().join("config.yaml"),
        "elastic: { url: 'http://127.0.0.1:9', prefix: Shop }\n",
    )
    .unwrap();
    let ran = place.run(&["run", "list"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("config.yaml") && ran.err.contains("`Shop`"), "{ran:?}");
    std::fs::remove_file(place.home().join("config.yaml")).unwrap();
    std::fs::write(place.project().join("muster.yaml"), "elastic: { url: 'http://127.0.0.1:9' }\n").unwrap();
    let ran = place.run(&["infra", "update", "shop", "--dry-run"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("config.yaml"), "{ran:?}");
}
