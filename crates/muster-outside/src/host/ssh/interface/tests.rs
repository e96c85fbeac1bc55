//! ICT-36: what is chosen for which guest, the text of every file, and the scripts against stand-ins of the programs
//! they call.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::super::{HostKeyPolicy, Login, ScriptedHosts};
use super::choice::{Configurer, Found, name_of};
use super::*;

const MAC: &str = "00:50:56:00:00:0a";

fn dhcp() -> Wanted {
    Wanted::new("00:50:56:00:00:0A", "10.20.0.11", "", true).unwrap()
}

fn fixed() -> Wanted {
    Wanted::new(MAC, "10.20.0.11", "255.255.0.0", false).unwrap()
}

fn host() -> Host {
    Host {
        name: "web-1".into(),
        address: "203.0.113.7".into(),
        port: 22,
        user: "root".into(),
        logins: Vec::<Login>::new(),
        host_key: HostKeyPolicy::FirstUse,
        jumps: Vec::new(),
    }
}

#[test]
fn what_the_provider_tells_is_checked_before_it_goes_anywhere() {
    for mask in ["255.255.0.0", "/16", "16"] {
        assert_eq!(Wanted::new(MAC, "10.20.0.11", mask, false).unwrap().fixed(), "10.20.0.11/16");
    }
    for (mac, address, mask, dhcp) in [
        ("", "10.0.0.1", "16", true),
        ("00:50:56:00:00", "10.0.0.1", "16", true),
        ("00:50:56:00:00:0a;reboot", "10.0.0.1", "16", true),
        (MAC, "10.0.0.1\nroot", "16", true),
        (MAC, "10.0.0.1", "255.0.255.0", false),
        (MAC, "10.0.0.1", "33", false),
        (MAC, "10.0.0.1", "", false),
        (MAC, "", "16", false),
    ] {
        assert!(Wanted::new(mac, address, mask, dhcp).is_err(), "{mac} {address} {mask}");
    }
    assert_eq!(
        (dhcp().compared(), fixed().compared()),
        ("10.20.0.11".to_owned(), "10.20.0.11/16".to_owned())
    );
    assert_eq!(Wanted::new(MAC, "", "", true).unwrap().compared(), "");
    assert_eq!(name_of(MAC), "muster-00505600000a");
}

#[test]
fn the_guest_decides_who_configures() {
    let chosen = |more: &str| {
        let found = Found::read(&format!("Welcome!\nroot yes\ndevice eth1\n{more}"));
        found.choose(&dhcp()).map(|(device, manager)| format!("{device} by {}", manager.word()))
    };
    for (more, expected) in [
        ("manager systemd-networkd\nmanager ifupdown\n", "eth1 by systemd-networkd"),
        ("manager ifupdown\n", "eth1 by ifupdown"),
        ("manager netplan\nmanager systemd-networkd\nmanager NetworkManager\n", "eth1 by netplan"),
        ("manager NetworkManager\nmanager ifupdown\n", "eth1 by NetworkManager"),
    ] {
        assert_eq!(chosen(more).unwrap(), expected);
    }
    for (more, words) in [
        ("tool networkctl\ntool wicked\n", "found: networkctl, wicked. Set eth1 up by hand"),
        ("", "found: none of them"),
        ("master br0\nmanager ifupdown\n", "part of br0"),
        ("lacks ip\n", "install iproute2"),
    ] {
        let refused = chosen(more).unwrap_err();
        assert!(refused.contains(words), "{refused}");
    }
    let without = Found::read("root yes\nmanager ifupdown\n").choose(&dhcp()).unwrap_err();
    assert!(without.contains("no interface with the hardware address 00:50:56:00:00:0a"), "{without}");
    let nobody = Found::read("device eth1\nmanager ifupdown\n").choose(&dhcp()).unwrap_err();
    assert!(nobody.contains("sudo"), "{nobody}");
}

#[test]
fn every_manager_gets_a_file_of_its_own_form() {
    let text = |manager: Configurer, wanted: &Wanted| {
        let (path, mode, content) = manager.file(wanted, "eth1").unwrap();
        format!("{path} {mode}\n{content}")
    };
    let head = "# Written by Muster; it goes when the server is unlinked from the network.\n";
    let networkd = format!(
        "/etc/systemd/network/05-muster-00505600000a.network 644\n{head}[Match]\nMACAddress={MAC}\n\n[Link]\n\
         RequiredForOnline=no\n\n[Network]\n"
    );
    assert_eq!(text(Configurer::Networkd, &fixed()), format!("{networkd}Address=10.20.0.11/16\n"));
    assert_eq!(
        text(Configurer::Networkd, &dhcp()),
        format!("{networkd}DHCP=ipv4\n\n[DHCPv4]\nUseRoutes=no\nUseDNS=no\n")
    );
    let netplan = format!(
        "/etc/netplan/90-muster-00505600000a.yaml 600\n{head}network:\n  version: 2\n  ethernets:\n    \
         muster-00505600000a:\n      match:\n        macaddress: \"{MAC}\"\n      optional: true\n"
    );
    assert_eq!(
        text(Configurer::Netplan, &fixed()),
        format!("{netplan}      dhcp4: false\n      addresses:\n        - \"10.20.0.11/16\"\n")
    );
    assert_eq!(
        text(Configurer::Netplan, &dhcp()),
        format!(
            "{netplan}      dhcp4: true\n      dhcp4-overrides:\n        use-routes: false\n        use-dns: false\n"
        )
    );
    let ifupdown = format!(
        "/etc/network/interfaces.d/muster-00505600000a 644\n{head}allow-hotplug eth1\niface eth1 inet"
    );
    assert_eq!(
        text(Configurer::Ifupdown, &fixed()),
        format!("{ifupdown} static\n    address 10.20.0.11/16\n")
    );
    assert_eq!(text(Configurer::Ifupdown, &dhcp()), format!("{ifupdown} dhcp\n    metric 9999\n"));
    assert!(Configurer::NetworkManager.file(&dhcp(), "eth1").is_none());
    let arguments =
        |wanted: &Wanted| apply(Configurer::NetworkManager, wanted, "eth1").arguments.split_off(3);
    let name = "muster-00505600000a";
    assert_eq!(arguments(&dhcp()), ["muster-interface-apply", name, MAC, "auto", ""]);
    assert_eq!(arguments(&fixed()), ["muster-interface-apply", name, MAC, "manual", "10.20.0.11/16"]);
}

/// A directory of programs that stand in for the guest's, and a place for what they were told.
struct Guest(tempfile::TempDir);

impl Guest {
    fn with(programs: &[(&str, &str)]) -> Guest {
        let guest = Guest(tempfile::tempdir().unwrap());
        for (name, body) in programs {
            let path = guest.0.path().join(name);
            let told = guest.0.path().join("told");
            let text = format!("#!/bin/sh\necho {name} \"$@\" >> {}\n{body}\n", told.display());
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        guest
    }

    fn run(&self, text: &str, arguments: &[&str], stdin: &str) -> (i32, String) {
        let path = format!("{}:/usr/bin:/bin", self.0.path().display());
        let argv = script(text, "test", arguments);
        let mut child = Command::new(&argv[0])
            .args(&argv[1..])
            .env("PATH", path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        let said = child.wait_with_output().unwrap();
        (said.status.code().unwrap(), String::from_utf8(said.stdout).unwrap())
    }

    fn told(&self) -> String {
        std::fs::read_to_string(self.0.path().join("told")).unwrap_or_default()
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

/// `ip` of a guest with a public and a private card, a VLAN on the private one, and an address on each.
const IP: &str = r#"
case "$*" in
*link*eth1*) printf '%s\n' '3: eth1@if9: <UP> mtu 1500 qdisc noqueue state UP mode DEFAULT group default \    link/ether 00:50:56:00:00:0a brd ff:ff:ff:ff:ff:ff' ;;
*link*)
  printf '%s\n' '1: lo: <LOOPBACK,UP> mtu 65536\    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00'
  printf '%s\n' '2: eth0: <UP> mtu 1500 \    link/ether 00:50:56:00:00:01 brd ff:ff:ff:ff:ff:ff'
  printf '%s\n' '4: eth1.7@eth1: <UP> mtu 1500 \    link/ether 00:50:56:00:00:0a brd ff:ff:ff:ff:ff:ff'
  printf '%s\n' '3: eth1@if9: <UP> mtu 1500 \    link/ether 00:50:56:00:00:0a brd ff:ff:ff:ff:ff:ff' ;;
*addr*)
  printf '%s\n' '2: eth0    inet 203.0.113.7/24 brd 203.0.113.255 scope global eth0\       valid_lft forever'
  printf '%s\n' '3: eth1    inet 10.20.0.11/16 brd 10.20.255.255 scope global eth1\       valid_lft forever' ;;
esac"#;

#[test]
fn a_look_finds_the_interface_by_its_hardware_address() {
    let systemctl = "[ \"$3\" = systemd-networkd ]";
    let guest = Guest::with(&[("ip", IP), ("id", "echo 0"), ("systemctl", systemctl), ("networkctl", "")]);
    let look = |mac: &str, want: &str| Found::read(&guest.run(scripts::LOOK, &[mac, want], "").1);
    for want in ["", "10.20.0.11", "10.20.0.11/16"] {
        let found = look(MAC, want);
        assert!(found.configured, "{want}: {found:?}");
        assert_eq!(
            (found.device.as_deref(), found.addresses.as_slice()),
            (Some("eth1"), &["10.20.0.11/16".to_owned()][..])
        );
        assert_eq!(found.choose(&dhcp()).unwrap(), ("eth1", Configurer::Networkd));
    }
    for want in ["10.20.0.1", "10.20.0.11/24", "10.20.0.12"] {
        assert!(!look(MAC, want).configured, "{want}");
    }
    let absent = look("00:50:56:00:00:99", "");
    assert!(absent.device.is_none() && !absent.configured, "{absent:?}");
}

#[test]
fn a_file_is_put_in_place_and_its_manager_told() {
    let guest = Guest::with(&[("networkctl", ""), ("systemctl", ""), ("netplan", "")]);
    let folder = guest.path().join("etc/network");
    let file = folder.join("05-muster.network");
    let apply = |manager: &str| {
        guest.run(scripts::APPLY, &[manager, file.to_str().unwrap(), "eth1", "644"], "[Match]\n")
    };
    for _ in 0..2 {
        assert_eq!(apply("systemd-networkd").0, 0);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "[Match]\n");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "nothing is left beside it");
    }
    assert_eq!(apply("netplan").0, 0);
    assert_eq!(apply("something").0, 2);
    assert_eq!(
        guest.told(),
        "networkctl reload\nnetworkctl reconfigure eth1\nnetworkctl reload\nnetworkctl reconfigure eth1\n\
         netplan generate\nnetplan apply\n"
    );
}

#[test]
fn an_old_networkd_is_restarted_and_a_refused_netplan_leaves_nothing() {
    let guest = Guest::with(&[("networkctl", "exit 1"), ("systemctl", ""), ("netplan", "exit 1")]);
    let file = guest.path().join("file");
    let apply =
        |manager: &str| guest.run(scripts::APPLY, &[manager, file.to_str().unwrap(), "eth1", "600"], "x\n").0;
    assert_eq!(apply("systemd-networkd"), 0);
    assert_eq!(guest.told(), "networkctl reload\nsystemctl restart systemd-networkd\n");
    assert_eq!(apply("netplan"), 1);
    assert!(!file.exists());
}

#[test]
fn a_connection_of_network_manager_is_made_anew() {
    let guest = Guest::with(&[("nmcli", "case \"$*\" in *show) echo muster-a ;; esac")]);
    let said = guest.run(scripts::APPLY_NETWORK_MANAGER, &["muster-a", MAC, "manual", "10.20.0.11/16"], "");
    assert_eq!(said.0, 0, "{said:?}");
    assert_eq!(
        guest.told(),
        "nmcli --terse --fields NAME connection show\nnmcli connection delete id muster-a\nnmcli connection add type \
         ethernet con-name muster-a ifname * 802-3-ethernet.mac-address 00:50:56:00:00:0a connection.autoconnect yes \
         ipv4.never-default yes ipv4.ignore-auto-dns yes ipv6.method ignore ipv4.addresses 10.20.0.11/16 ipv4.method \
         manual\nnmcli --wait 40 connection up id muster-a\n"
    );
}

#[test]
fn a_server_is_tried_a_few_times_by_one_packet_each() {
    let silent = Guest::with(&[("ping", "exit 1"), ("sleep", "")]);
    assert_eq!(silent.run(scripts::REACH, &["10.20.0.12", "3"], ""), (1, "ping\n".to_owned()));
    let told = silent.told();
    assert_eq!(told.lines().filter(|line| *line == "ping -c 1 -W 2 10.20.0.12").count(), 3, "{told}");
    let late =
        Guest::with(&[("ping", "[ \"$(grep -c ping \"$(dirname \"$0\")/told\")\" -ge 2 ]"), ("sleep", "")]);
    assert_eq!(late.run(scripts::REACH, &["10.20.0.12", "3"], ""), (0, "ping\n".to_owned()));
    assert_eq!(late.told().lines().filter(|line| line.starts_with("ping")).count(), 2);
}

#[test]
fn nothing_of_ours_is_nothing_to_remove() {
    let guest = Guest::with(&[("nmcli", "echo other"), ("netplan", ""), ("systemctl", "")]);
    assert_eq!(guest.run(scripts::RELEASE, &["muster-of-a-test"], ""), (0, String::new()));
    let guest = Guest::with(&[("nmcli", "case \"$*\" in *show) echo muster-of-a-test ;; esac")]);
    assert_eq!(guest.run(scripts::RELEASE, &["muster-of-a-test"], ""), (0, "removed\n".to_owned()));
    assert!(guest.told().ends_with("nmcli connection delete id muster-of-a-test\n"));
}

#[tokio::test(start_paused = true)]
async fn what_is_there_already_stays_untouched() {
    let hosts = ScriptedHosts::new();
    hosts.answer("web-1", "muster-interface-look", 0, "root yes\ndevice eth1\nconfigured\n", "");
    assert_eq!(configure(&hosts, &host(), &dhcp()).await.unwrap(), Configured::Already);
    assert_eq!(hosts.calls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_address_that_does_not_come_is_told_with_what_to_look_at() {
    let hosts = ScriptedHosts::new();
    let look = "root sudo\ndevice eth1\nmanager ifupdown\n";
    hosts.answer("web-1", "muster-interface-look", 0, look, "");
    let failed = configure(&hosts, &host(), &fixed()).await.unwrap_err().to_string();
    for words in
        ["web-1", "eth1 was configured through ifupdown", "not 10.20.0.11/16", "ip address show eth1"]
    {
        assert!(failed.contains(words), "{failed}");
    }
    assert!(hosts.calls().iter().any(|call| call.what.starts_with("exec sudo -n -- sh -c")));
    // What DHCP hands out may be another address than the provider tells.
    hosts.answer("web-1", "muster-interface-look", 0, &format!("{look}address 10.20.0.99/16\n"), "");
    let now = configure(&hosts, &host(), &dhcp()).await.unwrap();
    assert!(
        matches!(now, Configured::Now { manager: "ifupdown", addresses, .. } if addresses == ["10.20.0.99/16"])
    );
}

#[tokio::test(start_paused = true)]
async fn silence_is_told_from_a_guest_that_cannot_try() {
    let hosts = ScriptedHosts::new();
    let address = "10.20.0.12".parse().unwrap();
    for (status, said, expected) in [
        (0, "ping\n", Reach::Answered("ping".into())),
        (1, "tcp\n", Reach::Silent("tcp".into())),
        (0, "none\n", Reach::Untried),
    ] {
        hosts.answer("web-1", "muster-network-reach", status, said, "");
        assert_eq!(reach(&hosts, &host(), address).await.unwrap(), expected);
    }
    hosts.answer("web-1", "muster-network-reach", 127, "", "sh: not found");
    assert!(reach(&hosts, &host(), address).await.is_err());
}
