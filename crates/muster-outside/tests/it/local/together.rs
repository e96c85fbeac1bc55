//! Machines beside each other, by either technique.

use std::net::Ipv4Addr;

use muster_outside::host::local::{NetworkSpec, Technique};
use tokio::time::Instant;

use super::home::{Home, run};

/// Three at once; they have keys of their own, reach each other, and get a second network while they run.
pub async fn machines_reach_each_other(technique: Technique) {
    let Some(home) = Home::open(technique).await else { return };
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

/// Two homes side by side have networks of their own; deleting one leaves the other alone.
pub async fn two_homes_do_not_meet(technique: Technique) {
    let Some(one) = Home::open(technique).await else { return };
    let Some(two) = Home::open(technique).await else { return };
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
pub async fn packages_install_offline(technique: Technique) {
    let Some(home) = Home::open(technique).await else { return };
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
