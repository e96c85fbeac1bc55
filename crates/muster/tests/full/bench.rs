//! Measurements that `./dev bench NAME` prints: never a verdict, only figures beside named peers.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::cost::{Cost, cost};

const MUSTER: &str = env!("CARGO_BIN_EXE_muster");
const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
/// Runs of each command; the median is printed.
const RUNS: usize = 5;

struct Cloud {
    child: Child,
    url: String,
}

impl Drop for Cloud {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn cloud() -> Cloud {
    let mut child = Command::new(MUSTER)
        .args(["sim", "onecloud", "--listen", "127.0.0.1:0", "--key", KEY])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let start = line.find("http://").unwrap();
    Cloud { child, url: line[start..].trim().to_owned() }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn measured(mut command: impl FnMut() -> Command) -> Cost {
    let costs: Vec<Cost> = (0..RUNS).map(|_| cost(&mut command()).0).collect();
    Cost {
        cpu_s: median(costs.iter().map(|cost| cost.cpu_s).collect()),
        wall_s: median(costs.iter().map(|cost| cost.wall_s).collect()),
        peak_mb: median(costs.iter().map(|cost| cost.peak_mb).collect()),
    }
}

fn muster(folder: &Path, cloud: &Cloud, arguments: &[&str]) -> Command {
    let mut command = Command::new(MUSTER);
    command
        .args(arguments)
        .current_dir(folder)
        .env("MUSTER_HOME", folder.join("home"))
        .env("ONECLOUD_URL", &cloud.url)
        .env("ONECLOUD_API_KEY", KEY);
    command
}

/// The most resources that terraform is given.
const TERRAFORM_MAX: usize = 5_000;

/// A plan with nothing to change, 1,000 to 10,000 servers; terraform beside it where it is installed.
#[test]
fn bench_plan() {
    let terraform = Command::new("terraform").arg("version").output().is_ok();
    println!(
        "{:>8}  {:>22}  {:>9}  {:>9}  {:>9}  requests",
        "servers", "command", "CPU s", "wall s", "peak MB"
    );
    for servers in [1_000_usize, 5_000, 10_000] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("infra")).unwrap();
        let file = format!(
            "version: 1\nlocation: SdnSpb\nstats: false\nservers:\n  web: {{ count: {servers}, image: Ubuntu 22.04, cpu: 1, \
             ram: 1 GiB, disk: 20 GiB ssd }}\n"
        );
        std::fs::write(folder.path().join("infra/shop.yaml"), file).unwrap();
        let cloud = cloud();
        let update = ["infra", "update", "shop", "--yes", "--quiet"];
        let began = tokio::time::Instant::now();
        let made = muster(folder.path(), &cloud, &update).stdout(Stdio::null()).status().unwrap();
        assert!(made.success());
        println!(
            "{servers:>8}  {:>22}  {:>9}  {:>9.3}",
            "muster, making them",
            "",
            began.elapsed().as_secs_f64()
        );
        let journal = requests_seen(&cloud, true);
        assert!(journal > 0);
        let plan =
            measured(|| muster(folder.path(), &cloud, &["infra", "update", "shop", "--dry-run", "--quiet"]));
        let requests = requests_seen(&cloud, false) / RUNS;
        println!(
            "{servers:>8}  {:>22}  {:>9.3}  {:>9.3}  {:>9.1}  {requests}",
            "muster infra update -n", plan.cpu_s, plan.wall_s, plan.peak_mb
        );
        // Its apply of 10,000 takes many minutes, and two sizes show how it grows.
        if terraform && servers <= TERRAFORM_MAX {
            let peer = terraform_plan(servers);
            println!(
                "{servers:>8}  {:>22}  {:>9.3}  {:>9.3}  {:>9.1}",
                "terraform plan", peer.cpu_s, peer.wall_s, peer.peak_mb
            );
        }
    }
    if !terraform {
        println!("terraform is not installed here, so there is no peer's row");
    }
}

/// Lists of 5,000 servers and an inventory of 10,000 hosts, beside what people type instead.
#[test]
fn bench_list() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("infra")).unwrap();
    let file = "version: 1\nlocation: SdnSpb\nstats: false\nservers:\n  web: { count: 5000, image: Ubuntu 22.04, cpu: 1, \
                ram: 1 GiB, disk: 20 GiB ssd }\n";
    std::fs::write(folder.path().join("infra/shop.yaml"), file).unwrap();
    let cloud = cloud();
    let update = ["infra", "update", "shop", "--yes", "--quiet"];
    assert!(muster(folder.path(), &cloud, &update).stdout(Stdio::null()).status().unwrap().success());
    println!("{:<64}  {:>9}  {:>9}  {:>9}", "5,000 servers", "CPU s", "wall s", "peak MB");
    let row = |what: &str, cost: &Cost| {
        println!("{what:<64}  {:>9.3}  {:>9.3}  {:>9.1}", cost.cpu_s, cost.wall_s, cost.peak_mb);
    };
    let list: [&[&str]; 4] = [
        &["server", "list", "--format", "table"],
        &["server", "list", "--format", "table", "--where", "name=web-4999"],
        &["server", "list", "--format", "table", "--sort=-name"],
        &["server", "list", "--format", "json"],
    ];
    for arguments in list {
        let cost = measured(|| muster(folder.path(), &cloud, arguments));
        row(&format!("muster {}", arguments.join(" ")), &cost);
    }
    // The provider's part of it: the same list, and nothing done with it.
    let fetch = format!("curl -fsS -H 'Authorization: Bearer {KEY}' {}/server", cloud.url);
    let shell = |script: String| {
        measured(move || {
            let mut command = Command::new("sh");
            command.args(["-c", &script]);
            command
        })
    };
    row("curl (the request alone)", &shell(format!("{fetch} > /dev/null")));
    let fields = "jq -r '.[] | [.ID, .Name, .State, .CPU, .RAM, .HDD, .DCLocation, .Image, .IP] | @tsv'";
    row("curl | jq | column", &shell(format!("{fetch} | {fields} | column -t -s '\t' > /dev/null")));
    inventory(folder.path());
}

/// Writing an inventory, in this process; a stock Ansible that reads it is the peer.
fn inventory(folder: &Path) {
    use muster_model::ansible::{Inventory, InventoryHost};
    let path = folder.join("hosts.yml");
    let write = || {
        let began = tokio::time::Instant::now();
        let hosts = (0..10_000).map(|number| InventoryHost {
            name: format!("web-{number}"),
            address: format!("192.0.2.{}", number % 250),
            port: 22,
            user: "root".to_owned(),
            groups: ["web".to_owned(), "front-end".to_owned()].into(),
            playbook: None,
            vars: [("release".to_owned(), number.into())].into(),
        });
        let text = Inventory::build(hosts).unwrap().to_yaml();
        std::fs::write(&path, text).unwrap();
        began.elapsed().as_secs_f64()
    };
    let wall_s = median((0..RUNS).map(|_| write()).collect());
    println!("{:<64}  {:>9}  {wall_s:>9.3}", "10,000 hosts: the inventory, built and written", "");
    if Command::new("ansible-inventory").arg("--version").output().is_ok_and(|said| said.status.success()) {
        let (read, _) = cost(Command::new("ansible-inventory").arg("-i").arg(&path).arg("--list"));
        println!(
            "{:<64}  {:>9.3}  {:>9.3}  {:>9.1}",
            "ansible-inventory --list (reads it)", read.cpu_s, read.wall_s, read.peak_mb
        );
    }
}

/// How many requests the cloud has seen; forgets them if asked to.
fn requests_seen(cloud: &Cloud, forget: bool) -> usize {
    let url = format!("{}/_sim/journal", cloud.url);
    let text = Command::new("curl").args(["-fsS", &url]).output().unwrap().stdout;
    let count = serde_json::from_slice::<Vec<serde_json::Value>>(&text).unwrap().len();
    if forget {
        Command::new("curl").args(["-fsS", "-X", "DELETE", &url]).output().unwrap();
    }
    count
}

/// `terraform plan` of as many `terraform_data` with nothing to change.
fn terraform_plan(servers: usize) -> Cost {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("resource \"terraform_data\" \"web\" {{\n  count = {servers}\n  input = \"1\"\n}}\n");
    std::fs::write(folder.path().join("main.tf"), text).unwrap();
    for arguments in [&["init", "-no-color"][..], &["apply", "-auto-approve", "-no-color"]] {
        let done = Command::new("terraform")
            .args(arguments)
            .current_dir(folder.path())
            .env_remove("TF_CLI_CONFIG_FILE")
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(done.success());
    }
    measured(|| {
        let mut command = Command::new("terraform");
        command.args(["plan", "-no-color"]).env_remove("TF_CLI_CONFIG_FILE").current_dir(folder.path());
        command
    })
}
