//! `/metrics` of the program itself: who may read it, and that a real Prometheus does.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::place::{MUSTER, Place, Running, SHOP, client};
use crate::skip;

fn server(place: &Place, open: bool) -> Running {
    let mut command = Command::new(MUSTER);
    place.dress(&mut command);
    if open {
        command.env("MUSTER_METRICS_OPEN", "1");
    }
    command.args(["server", "--listen", "127.0.0.1:0"]);
    Running::start(command)
}

async fn status_of(url: &str) -> u16 {
    client().get(url).send().await.unwrap().status().as_u16()
}

/// The owner's token over the address, nothing over the owner's own socket, or nothing at all where the owner says so;
/// and whatever is open, the rest is not.
#[tokio::test]
async fn who_may_read_the_numbers() {
    let place = Place::new(SHOP);
    let running = server(&place, false);
    let url = format!("{}/metrics", running.address());
    assert_eq!(status_of(&url).await, 401);
    let token = std::fs::read_to_string(place.home().join("token")).unwrap();
    let answer = client().get(&url).bearer_auth(token.trim()).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    assert!(answer.text().await.unwrap().contains("muster_build_info{version="));
    let by_socket =
        reqwest::Client::builder().no_proxy().unix_socket(place.home().join("engine.sock")).build().unwrap();
    let socket =
        async |path: &str| by_socket.get(format!("http://muster{path}")).send().await.unwrap().status();
    assert_eq!(socket("/metrics").await, 200);
    assert_eq!(socket("/api/v1/runs").await, 401);
    assert_eq!(status_of(&format!("{}/ready", running.address())).await, 200);
    drop(running);
    let open = server(&place, true);
    assert_eq!(status_of(&format!("{}/metrics", open.address())).await, 200);
    assert_eq!(status_of(&format!("{}/api/v1/runs", open.address())).await, 401);
}

/// A real Prometheus scrapes it with the owner's token and answers a query about it.
#[tokio::test]
async fn a_real_prometheus_reads_them() {
    let found =
        Command::new("prometheus").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !found.is_ok_and(|status| status.success()) {
        skip::skip("metrics::a_real_prometheus", "prometheus is not installed (Debian: prometheus)");
        return;
    }
    let place = Place::new(SHOP);
    let running = server(&place, false);
    let ran = place.run(&["infra", "update", "shop", "--yes", "--skip-provision"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let target = running.address().trim_start_matches("http://").to_owned();
    let token = place.home().join("token");
    let config = format!(
        "global: {{ scrape_interval: 1s }}\nscrape_configs:\n- job_name: muster\n  authorization: {{ credentials_file: {} }}\n  \
         static_configs: [{{ targets: ['{target}'] }}]\n",
        token.display()
    );
    let folder = place.project().join("prometheus");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("prometheus.yml"), config).unwrap();
    // A free port; whoever takes it in between fails this test by name.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut prometheus = Command::new("prometheus")
        .arg(format!("--config.file={}", folder.join("prometheus.yml").display()))
        .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let ask = async |query: &str| -> Option<String> {
        let url = format!("http://127.0.0.1:{port}/api/v1/query");
        let answer = client().get(url).query(&[("query", query)]).send().await.ok()?;
        let answer: serde_json::Value = serde_json::from_str(&answer.text().await.ok()?).ok()?;
        Some(answer["data"]["result"][0]["value"][1].as_str()?.to_owned())
    };
    let mut runs = None;
    for _ in 0..120 {
        runs = ask("muster_runs{state='succeeded'}").await;
        if runs.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let quantile = ask("histogram_quantile(0.5, muster_journal_commit_seconds_bucket)").await;
    let _ = prometheus.kill();
    let _ = prometheus.wait();
    assert_eq!(runs.as_deref(), Some("1"));
    assert!(quantile.is_some_and(|seconds| seconds.parse::<f64>().is_ok_and(|seconds| seconds > 0.0)));
}

/// The server's log as JSON: each line one object, and what happens in a step bears the run's and the step's ids.
#[tokio::test]
async fn the_log_can_be_read_by_machines() {
    let place = Place::new(SHOP);
    let log = place.project().join("log");
    let mut command = Command::new(MUSTER);
    place.dress(&mut command);
    command.env("MUSTER_LOG", "debug").stderr(std::fs::File::create(&log).unwrap());
    command.args(["server", "--listen", "127.0.0.1:0", "--log-format", "json"]);
    let running = Running::start(command);
    let fault = serde_json::json!({"match": {"method": "POST", "path": "/server"}, "times": 1, "fault": {"status": 400}});
    place.sim("faults", fault).await;
    let ran =
        place.run(&["infra", "update", "shop", "--yes", "--skip-provision", "--format", "json"]).json(1);
    let run = ran["run"]["id"].as_str().unwrap();
    drop(running);
    let text = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect();
    assert!(lines.iter().all(|line| line["timestamp"].is_string() && line["level"].is_string()), "{text}");
    let warned = lines.iter().find(|line| line["level"] == "WARN" && line["span"]["name"] == "step");
    let warned = warned.unwrap_or_else(|| panic!("{text}"));
    assert_eq!(warned["span"]["run"], run);
    assert!(
        warned["span"]["step"].is_u64() && warned["message"].as_str().unwrap().contains("web-"),
        "{warned}"
    );
    assert!(!text.contains(crate::place::KEY));
}
