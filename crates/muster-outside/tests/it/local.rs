//! Real local machines: systemd, sshd, reboot, power cuts, networks, and nothing left behind.
//!
//! Where this computer cannot hold them (no root, …) the tests say `SKIPPED: …`; with `CI=true` that is a failure.

pub mod home;

use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::time::Duration;

use muster_model::Secret;
use muster_outside::host::local::{
    LocalError, LocalMachines, MachineState, NetworkSpec, machine_supervisor_main,
};
use tokio::time::Instant;

use self::home::{Home, KEEPER, launcher, name, run};

/// Not a test: the keeper of a machine, in this same executable. Its last argument is the machine's folder.
#[test]
fn keeper_process() {
    if std::env::var_os(KEEPER).is_none() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let code = runtime.block_on(machine_supervisor_main(std::env::args().next_back()));
    std::process::exit(code);
}

/// Waits for something that happens by itself.
async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn greeting(address: Ipv4Addr) -> Option<String> {
    use std::io::Read;
    let mut stream = TcpStream::connect_timeout(&(address, 22).into(), Duration::from_secs(1)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
    let mut start = [0; 8];
    stream.read_exact(&mut start).ok()?;
    String::from_utf8(start.to_vec()).ok()
}

/// The whole life of one machine: create, log in, reboot from both sides, off, on, power cut, delete.
#[tokio::test(flavor = "multi_thread")]
async fn a_machine_lives() {
    let Some(home) = Home::open().await else { return };
    let mut spec = home.spec("web-1");
    spec.hostname = "web-1.example".to_owned();
    spec.root_password = Some(Secret::new("correct horse"));
    spec.memory_bytes_max = Some(512 * 1024 * 1024);
    let began = Instant::now();
    let web = home.machines.create(&spec).await.unwrap();
    println!("created in {} ms", began.elapsed().as_millis());
    assert_eq!(web.state, MachineState::Running);
    assert_eq!(greeting(web.address).as_deref(), Some("SSH-2.0-"));

    assert_eq!(home.ssh(&web, "cat /proc/1/comm"), "systemd");
    assert_eq!(home.ssh(&web, "hostname"), "web-1.example");
    assert_eq!(home.ssh(&web, "python3 -c 'print(6 * 7)'"), "42");
    assert!(home.ssh(&web, "ip -4 -o address show eth0").contains(&web.address.to_string()));
    assert_eq!(home.ssh(&web, "ip route show default"), "", "nothing leads outside");
    assert!(home.memory_limits("web-1").contains(&"536870912".to_owned()));
    let hash = home.ssh(&web, "grep ^root: /etc/shadow");
    assert!(hash.starts_with("root:$6$"), "{hash}");
    let clash = home.machines.create(&spec).await.unwrap_err();
    assert!(matches!(clash, LocalError::Exists(_)), "{clash}");

    home.ssh(&web, "echo kept > /root/file");
    let first = home.ssh(&web, "cat /proc/sys/kernel/random/boot_id");
    // Asked from inside, as Ansible's reboot module does.
    let _ = home.try_ssh(&web, "systemctl reboot");
    until("the reboot", || {
        home.try_ssh(&web, "cat /proc/sys/kernel/random/boot_id").is_ok_and(|second| second != first)
    })
    .await;
    let second = home.ssh(&web, "cat /proc/sys/kernel/random/boot_id");
    home.machines.reboot(&web.name).await.unwrap();
    assert_ne!(home.ssh(&web, "cat /proc/sys/kernel/random/boot_id"), second);

    home.machines.stop(&web.name).await.unwrap();
    assert_eq!(home.get("web-1").await.state, MachineState::Stopped);
    assert_eq!(greeting(web.address), None);
    home.machines.stop(&web.name).await.unwrap();
    assert!(home.machines.reboot(&web.name).await.is_err());
    let again = home.machines.start(&web.name).await.unwrap();
    assert_eq!((again.state, again.address), (MachineState::Running, web.address));
    assert_eq!(home.ssh(&web, "cat /root/file"), "kept");

    home.machines.kill(&web.name).await.unwrap();
    assert_eq!(home.get("web-1").await.state, MachineState::Stopped);
    home.machines.start(&web.name).await.unwrap();
    assert_eq!(home.ssh(&web, "cat /root/file"), "kept");

    // Off from inside stays off.
    let _ = home.try_ssh(&web, "systemctl poweroff");
    let mut off = false;
    for _ in 0..200 {
        off = home.get("web-1").await.state == MachineState::Stopped;
        if off {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(off);

    home.machines.delete(&web.name).await.unwrap();
    home.machines.delete(&web.name).await.unwrap();
    let gone = home.machines.start(&web.name).await.unwrap_err();
    assert!(matches!(gone, LocalError::NotFound(_)), "{gone}");
    home.end().await;
}

/// Three at once; they have keys of their own, reach each other, and get a second network while they run.
#[tokio::test(flavor = "multi_thread")]
async fn machines_reach_each_other() {
    let Some(home) = Home::open().await else { return };
    let mut specs = ["a", "b", "c"].map(|text| home.spec(text));
    specs[2].networks.push(NetworkSpec::named("from birth"));
    let began = Instant::now();
    let made = futures::future::join_all(specs.iter().map(|spec| home.machines.create(spec))).await;
    println!("three created in {} ms", began.elapsed().as_millis());
    let [a, b, c] = made.into_iter().map(Result::unwrap).collect::<Vec<_>>().try_into().unwrap();
    assert_ne!(a.host_key, b.host_key);
    assert_ne!(home.ssh(&a, "cat /etc/machine-id"), home.ssh(&b, "cat /etc/machine-id"));
    home.ssh(&a, &format!("timeout 5 bash -c 'echo > /dev/tcp/{}/22'", b.address));

    let born = c.interfaces[1].clone();
    assert!(home.ssh(&c, "ip -4 -o address show eth1").contains(&born.address.to_string()));
    let back = NetworkSpec {
        name: "back".to_owned(),
        subnet: Some("192.168.77.0/24".parse().unwrap()),
        address: Some(Ipv4Addr::new(192, 168, 77, 5)),
    };
    let ours = home.machines.add_interface(&a.name, &back).await.unwrap();
    let theirs = home.machines.add_interface(&b.name, &NetworkSpec::named("back")).await.unwrap();
    assert_eq!(home.machines.add_interface(&b.name, &NetworkSpec::named("back")).await.unwrap(), theirs);
    assert_eq!(ours.address, Ipv4Addr::new(192, 168, 77, 5));
    let knock = |address: Ipv4Addr| format!("timeout 3 bash -c 'echo > /dev/tcp/{address}/22'");
    home.ssh(&a, &knock(theirs.address));
    assert!(home.try_ssh(&c, &knock(theirs.address)).is_err(), "not in that network");
    // It is there again after a reboot.
    home.machines.reboot(&a.name).await.unwrap();
    home.ssh(&a, &knock(theirs.address));
    home.machines.remove_interface(&a.name, "back").await.unwrap();
    home.machines.remove_interface(&a.name, "back").await.unwrap();
    assert!(home.try_ssh(&a, "ip link show eth1").is_err());
    assert_eq!(home.get("a").await.interfaces.len(), 1);
    home.end().await;
}

/// Muster may end, and even the keeper may be killed: the machine stays, and whoever comes next takes it over.
#[tokio::test(flavor = "multi_thread")]
async fn machines_outlive_muster() {
    let Some(mut home) = Home::open().await else { return };
    let web = home.machines.create(&home.spec("web")).await.unwrap();
    home.machines = LocalMachines::open(home.folder.path(), launcher()).await.unwrap();
    assert_eq!(home.get("web").await.state, MachineState::Running);
    home.ssh(&web, "true");

    let keeper = std::fs::read(home.folder.path().join("machines/web/keeper.json")).unwrap();
    let keeper: serde_json::Value = serde_json::from_slice(&keeper).unwrap();
    let keeper = keeper["pid"].as_i64().unwrap().to_string();
    let environment = std::fs::read_to_string(format!("/proc/{keeper}/environ")).unwrap();
    assert!(!environment.contains("CARGO"), "a keeper does not inherit our environment: {environment}");
    for stream in 0..3 {
        let target = std::fs::read_link(format!("/proc/{keeper}/fd/{stream}")).unwrap();
        assert!(!target.to_string_lossy().starts_with("pipe:"), "{target:?}");
    }
    run("kill", &["-KILL", &keeper]);
    until("the keeper's end", || !Path::new(&format!("/proc/{keeper}")).exists()).await;
    assert_eq!(home.get("web").await.state, MachineState::Running);
    let boot = home.ssh(&web, "cat /proc/sys/kernel/random/boot_id");
    home.machines.start(&web.name).await.unwrap();
    assert_eq!(home.ssh(&web, "cat /proc/sys/kernel/random/boot_id"), boot, "it was not touched");
    // The new keeper does its work.
    let _ = home.try_ssh(&web, "systemctl reboot");
    until("the reboot", || {
        home.try_ssh(&web, "cat /proc/sys/kernel/random/boot_id").is_ok_and(|second| second != boot)
    })
    .await;
    // Killed once more: also without any keeper a machine can be deleted.
    let keeper = std::fs::read(home.folder.path().join("machines/web/keeper.json")).unwrap();
    let keeper: serde_json::Value = serde_json::from_slice(&keeper).unwrap();
    run("kill", &["-KILL", &keeper["pid"].as_i64().unwrap().to_string()]);
    home.end().await;
}

/// Two homes side by side have networks of their own; deleting one leaves the other alone.
#[tokio::test(flavor = "multi_thread")]
async fn two_homes_do_not_meet() {
    let Some(one) = Home::open().await else { return };
    let Some(two) = Home::open().await else { return };
    let (spec_one, spec_two) = (one.spec("same"), two.spec("same"));
    let (a, b) = tokio::join!(one.machines.create(&spec_one), two.machines.create(&spec_two));
    let (a, b) = (a.unwrap(), b.unwrap());
    assert!(!a.interfaces[0].subnet.overlaps(b.interfaces[0].subnet));
    assert!(one.try_ssh(&a, &format!("timeout 3 bash -c 'echo > /dev/tcp/{}/22'", b.address)).is_err());
    one.end().await;
    assert_eq!(two.ssh(&b, "hostname"), "same");
    two.end().await;
}

/// Packages come from the repository of this computer, with no way outside; also for a machine that runs already.
#[tokio::test(flavor = "multi_thread")]
async fn packages_install_offline() {
    let Some(home) = Home::open().await else { return };
    let web = home.machines.create(&home.spec("web")).await.unwrap();
    let packages = ["prometheus-node-exporter", "nginx-light"];
    home.machines.ensure_repository(&packages, &|line| println!("{line}")).await.unwrap();
    home.ssh(&web, "apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -qy install nginx-light");
    assert_eq!(home.ssh(&web, "systemctl is-active nginx"), "active");
    let page =
        run("curl", &["-sS", "--noproxy", "*", "--max-time", "5", &format!("http://{}/", web.address)]);
    assert!(page.contains("nginx"), "{page}");
    assert!(home.ssh(&web, "apt-cache policy prometheus-node-exporter").contains("/opt/muster/repo"));
    let error = home.machines.ensure_repository(&["no-such-package"], &|_| ()).await.unwrap_err().to_string();
    assert!(error.contains("no-such-package"), "{error}");
    home.end().await;
}

/// A creation that fails leaves nothing; what was interrupted can be seen and deleted.
#[tokio::test(flavor = "multi_thread")]
async fn failed_and_interrupted_creations() {
    let Some(home) = Home::open().await else { return };
    let mut broken = launcher();
    broken.program = "/bin/false".into();
    let machines = LocalMachines::open(home.folder.path(), broken).await.unwrap();
    let error = machines.create(&home.spec("web")).await.unwrap_err();
    assert!(matches!(error, LocalError::WentOff { .. }), "{error}");
    assert_eq!(home.machines.leftovers().await.unwrap().total(), 0);

    home.machines.create(&home.spec("web")).await.unwrap();
    let record = home.folder.path().join("machines/web/machine.json");
    let text = std::fs::read_to_string(&record).unwrap().replace("\"complete\": true", "\"complete\": false");
    std::fs::write(&record, text).unwrap();
    assert_eq!(home.get("web").await.state, MachineState::Incomplete);
    let error = home.machines.start(&name("web")).await.unwrap_err().to_string();
    assert_eq!(error, "the local machine \"web\" was never finished: delete it and create it again");
    home.end().await;
}

/// A home whose path cannot be part of a mount is refused with the reason.
#[tokio::test]
async fn impossible_homes_are_refused() {
    if LocalMachines::probe().is_err() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let error = LocalMachines::open(&folder.path().join("a:b"), launcher()).await.unwrap_err().to_string();
    assert!(error.contains("must not hold ':'"), "{error}");
}

/// A stop that comes while the machine is still starting does not wait for ever, and the next start works.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_during_the_boot() {
    let Some(home) = Home::open().await else { return };
    let web = home.machines.create(&home.spec("web")).await.unwrap();
    home.machines.stop(&web.name).await.unwrap();
    let starter = {
        let (machines, name) = (home.machines.clone(), web.name.clone());
        tokio::spawn(async move { machines.start(&name).await })
    };
    until("the power-on", || home.folder.path().join("machines/web/nspawn.json").exists()).await;
    starter.abort();
    let _ = starter.await;
    let began = Instant::now();
    home.machines.stop(&web.name).await.unwrap();
    println!("stopped during the boot in {} ms", began.elapsed().as_millis());
    assert!(began.elapsed() < Duration::from_secs(45));
    assert_eq!(home.get("web").await.state, MachineState::Stopped);
    home.machines.start(&web.name).await.unwrap();
    assert_eq!(home.ssh(&web, "hostname"), "web");
    home.end().await;
}

/// Ten at once.
#[tokio::test(flavor = "multi_thread")]
async fn ten_at_once() {
    let Some(home) = Home::open().await else { return };
    let specs: Vec<_> = (1..=10).map(|number| home.spec(&format!("m{number}"))).collect();
    let began = Instant::now();
    let made = futures::future::join_all(specs.iter().map(|spec| home.machines.create(spec))).await;
    println!("ten created in {} ms", began.elapsed().as_millis());
    let mut addresses: Vec<_> = made.into_iter().map(|machine| machine.unwrap().address).collect();
    addresses.sort();
    addresses.dedup();
    assert_eq!(addresses.len(), 10);
    let machines = home.machines.list().await.unwrap();
    let began = Instant::now();
    let gone =
        futures::future::join_all(machines.iter().map(|machine| home.machines.delete(&machine.name))).await;
    gone.into_iter().for_each(Result::unwrap);
    println!("ten deleted in {} ms", began.elapsed().as_millis());
    home.end().await;
}
