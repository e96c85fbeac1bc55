//! One machine's life, by either technique.

use std::path::Path;
use std::time::Duration;

use muster_model::Secret;
use muster_outside::host::local::{LocalError, LocalMachines, Machine, MachineState, NetworkSpec, Technique};
use tokio::time::Instant;

use super::home::{Home, launcher, name, run, wish};
use super::{greeting, until};

/// The whole life of one machine: create, log in, reboot from both sides, off, on, power cut, delete.
pub async fn a_machine_lives(technique: Technique) {
    let Some(home) = Home::open(technique).await else { return };
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
    assert!(home.memory_limits(&web).contains(&"536870912".to_owned()));
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

/// Muster may end, and even the keeper may be killed: the machine stays, and whoever comes next takes it over.
pub async fn machines_outlive_muster(technique: Technique) {
    let Some(mut home) = Home::open(technique).await else { return };
    let web = home.machines.create(&home.spec("web")).await.unwrap();
    home.machines = LocalMachines::open_as(home.folder.path(), launcher(), &wish(technique)).await.unwrap();
    assert_eq!(home.get("web").await.state, MachineState::Running);
    home.ssh(&web, "true");

    if technique == Technique::Nspawn {
        a_killed_keeper_is_replaced(&home, &web).await;
    }
    home.end().await;
}

async fn a_killed_keeper_is_replaced(home: &Home, web: &Machine) {
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
    let boot = home.ssh(web, "cat /proc/sys/kernel/random/boot_id");
    home.machines.start(&web.name).await.unwrap();
    assert_eq!(home.ssh(web, "cat /proc/sys/kernel/random/boot_id"), boot, "it was not touched");
    // The new keeper does its work.
    let _ = home.try_ssh(web, "systemctl reboot");
    until("the reboot", || {
        home.try_ssh(web, "cat /proc/sys/kernel/random/boot_id").is_ok_and(|second| second != boot)
    })
    .await;
    // Killed once more: also without any keeper a machine can be deleted.
    let keeper = std::fs::read(home.folder.path().join("machines/web/keeper.json")).unwrap();
    let keeper: serde_json::Value = serde_json::from_slice(&keeper).unwrap();
    run("kill", &["-KILL", &keeper["pid"].as_i64().unwrap().to_string()]);
}

/// A creation that fails leaves nothing; what was interrupted can be seen and deleted.
pub async fn failed_and_interrupted_creations(technique: Technique) {
    let Some(home) = Home::open(technique).await else { return };
    match technique {
        Technique::Nspawn => {
            let mut broken = launcher();
            broken.program = "/bin/false".into();
            let machines =
                LocalMachines::open_as(home.folder.path(), broken, &wish(technique)).await.unwrap();
            let error = machines.create(&home.spec("web")).await.unwrap_err();
            assert!(matches!(error, LocalError::WentOff { .. }), "{error}");
        }
        Technique::Docker => {
            let clash = "192.168.78.0/24";
            run("docker", &["network", "create", "--internal", "--subnet", clash, "muster-test-clash"]);
            let mut spec = home.spec("web");
            let subnet = Some(clash.parse().unwrap());
            spec.networks.push(NetworkSpec { name: "back".to_owned(), subnet, address: None });
            let error = home.machines.create(&spec).await.unwrap_err().to_string();
            run("docker", &["network", "rm", "muster-test-clash"]);
            assert!(
                error.contains("192.168.78.0/24") && error.contains("another network of Docker"),
                "{error}"
            );
        }
    }
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

/// A deletion that died at any moment is finished by the next one: no disk, no network and no slot is left.
pub async fn interrupted_deletions(technique: Technique) {
    let Some(home) = Home::open(technique).await else { return };
    for lived_ms in [0, 5, 20, 60, 150, 400] {
        let web = home.machines.create(&home.spec("web")).await.unwrap();
        let (machines, name) = (home.machines.clone(), web.name.clone());
        let deleting = tokio::spawn(async move { machines.delete(&name).await });
        tokio::time::sleep(std::time::Duration::from_millis(lived_ms)).await;
        deleting.abort();
        let _ = deleting.await;
        home.machines.delete(&web.name).await.unwrap();
        let left = home.machines.leftovers().await.unwrap();
        assert_eq!(left.total(), 0, "after {lived_ms} ms: {left:#?}");
    }
    // The same at the one moment that no clock hits for sure: out of the list, and everything else still there.
    let web = home.machines.create(&home.spec("web")).await.unwrap();
    home.machines.kill(&web.name).await.unwrap();
    let machines = home.folder.path().join("machines");
    std::fs::rename(machines.join("web"), machines.join(".web.gone")).unwrap();
    assert!(home.machines.list().await.unwrap().is_empty());
    home.machines.delete(&web.name).await.unwrap();
    let left = home.machines.leftovers().await.unwrap();
    assert_eq!(left.total(), 0, "{left:#?}");
    home.end().await;
}

/// A stop that comes while the machine is still starting does not wait for ever, and the next start works.
pub async fn a_stop_during_the_boot(technique: Technique) {
    let Some(home) = Home::open(technique).await else { return };
    let web = home.machines.create(&home.spec("web")).await.unwrap();
    home.machines.stop(&web.name).await.unwrap();
    let starter = {
        let (machines, name) = (home.machines.clone(), web.name.clone());
        tokio::spawn(async move { machines.start(&name).await })
    };
    let began = home.folder.path().join("machines/web/nspawn.json");
    until("the power-on", || match technique {
        Technique::Nspawn => began.exists(),
        Technique::Docker => {
            let home = format!("label=muster.home={}/machines", home.folder.path().display());
            !run("docker", &["ps", "--quiet", "--filter", &home]).is_empty()
        }
    })
    .await;
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
pub async fn ten_at_once(technique: Technique) {
    let Some(home) = Home::open(technique).await else { return };
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
