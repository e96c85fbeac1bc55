//! The scripts as they run in a guest, below a root of their own, where stand-ins of the programs they call
//! note what they were told; by both shells that are met as `sh`.

use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use super::super::quote::script;
use super::choice::{Configurer, Found};
use super::scripts;
use super::tests::{MAC, dhcp, fixed};

/// Real programs that scripts use; nothing else of the computer that runs the tests is to be found.
const REAL: [&str; 12] =
    ["bash", "cat", "chmod", "dirname", "env", "grep", "id", "mkdir", "mv", "rm", "sh", "timeout"];
const SHELLS: [&str; 2] = ["sh", "bash"];

/// A guest's root: its files, its programs in `bin`, and in `told` what these were told.
struct Guest(tempfile::TempDir);

impl Guest {
    fn with(programs: &[(&str, &str)]) -> Guest {
        let guest = Guest(tempfile::tempdir().unwrap());
        let bin = guest.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        for (name, body) in programs {
            let path = bin.join(name);
            let told = guest.path().join("told");
            let text = format!("#!/bin/sh\necho {name} \"$@\" >> {}\n{body}\n", told.display());
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        for name in REAL.iter().filter(|name| !programs.iter().any(|(program, _)| program == *name)) {
            let places = ["/usr/bin", "/bin"].map(|folder| Path::new(folder).join(name));
            let real = places.iter().find(|place| place.exists());
            symlink(real.unwrap_or_else(|| panic!("{name} is needed here")), bin.join(name)).unwrap();
        }
        guest
    }

    /// Runs a script; its end and what it printed.
    fn run(&self, shell: &str, text: &str, arguments: &[&str], stdin: &str) -> (i32, String) {
        let argv = script(text, "test", arguments);
        let mut child = Command::new(self.path().join("bin").join(shell))
            .args(&argv[1..])
            .env_clear()
            .env("PATH", self.path().join("bin"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A script that reads nothing may be gone before.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        let said = child.wait_with_output().unwrap();
        (said.status.code().unwrap(), String::from_utf8(said.stdout).unwrap())
    }

    /// The root, as an argument.
    fn root(&self) -> &str {
        self.path().to_str().unwrap()
    }

    fn write(&self, file: &str, content: &str) {
        let path = self.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    fn read(&self, file: &str) -> Option<String> {
        std::fs::read_to_string(self.path().join(file)).ok()
    }

    /// What its programs were told since this was asked last.
    fn told(&self) -> String {
        let told = self.read("told").unwrap_or_default();
        let _ = std::fs::remove_file(self.path().join("told"));
        told
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
*route*) printf '%s\n' '10.20.0.12 dev eth1 src 10.20.0.11 uid 0 \    cache' ;;
esac"#;

fn look(guest: &Guest, mac: &str, want: &str) -> Found {
    let said = SHELLS.map(|shell| guest.run(shell, scripts::LOOK, &[guest.root(), mac, want], "").1);
    assert_eq!(said[0], said[1]);
    Found::read(&said[0])
}

#[test]
fn a_look_finds_the_interface_by_its_hardware_address() {
    let systemctl = "[ \"$3\" = systemd-networkd ]";
    let guest = Guest::with(&[("ip", IP), ("id", "echo 0"), ("systemctl", systemctl), ("networkctl", "")]);
    for want in ["", "10.20.0.11", "10.20.0.11/16"] {
        let found = look(&guest, MAC, want);
        assert!(found.configured, "{want}: {found:?}");
        assert_eq!(
            (found.device.as_deref(), found.addresses.as_slice()),
            (Some("eth1"), &["10.20.0.11/16".to_owned()][..])
        );
        assert_eq!(found.choose(&dhcp()).unwrap(), ("eth1", Configurer::Networkd));
    }
    for want in ["10.20.0.1", "10.20.0.11/24", "10.20.0.12"] {
        assert!(!look(&guest, MAC, want).configured, "{want}");
    }
    let absent = look(&guest, "00:50:56:00:00:99", "");
    assert!(absent.device.is_none() && !absent.configured, "{absent:?}");
}

/// An address on another interface is not that of the link, on the bridge that the interface is part of it is.
#[test]
fn an_address_counts_where_its_link_is() {
    let elsewhere = IP.replace("3: eth1    inet", "2: eth0    inet").replace("global eth1", "global eth0");
    let guest = Guest::with(&[("ip", &elsewhere), ("id", "echo 0")]);
    for want in ["", "10.20.0.11", "10.20.0.11/16"] {
        let found = look(&guest, MAC, want);
        assert!(!found.configured && found.addresses.is_empty(), "{want}: {found:?}");
    }
    let bridged =
        IP.replace("3: eth1    inet", "5: br0    inet").replace("noqueue state", "noqueue master br0 state");
    let found = look(&Guest::with(&[("ip", &bridged), ("id", "echo 0")]), MAC, "10.20.0.11/16");
    assert!(found.configured, "{found:?}");
    assert!(found.choose(&fixed()).unwrap_err().contains("part of br0"));
}

#[test]
fn a_look_tells_who_configures() {
    let guest = Guest::with(&[
        ("ip", IP),
        ("id", "echo 0"),
        ("netplan", ""),
        ("nmcli", ""),
        ("networkctl", ""),
        ("systemctl", ""),
        ("ifup", "echo 'ifup version 0.8.41'; echo 'Copyright'"),
    ]);
    guest.write("etc/netplan/50-cloud-init.yaml", "network:\n");
    guest.write("etc/network/interfaces", "auto lo\niface lo inet loopback\n");
    assert_eq!(look(&guest, MAC, "10.0.0.1").choose(&dhcp()).unwrap().1, Configurer::Netplan);
    std::fs::remove_dir_all(guest.path().join("etc/netplan")).unwrap();
    assert_eq!(look(&guest, MAC, "10.0.0.1").choose(&dhcp()).unwrap().1, Configurer::NetworkManager);

    let plain = "echo 'ifup version 0.8.41'; echo 'Copyright'";
    let guest = Guest::with(&[("ip", IP), ("id", "echo 0"), ("systemctl", "exit 3"), ("ifup", plain)]);
    assert!(look(&guest, MAC, "10.0.0.1").choose(&dhcp()).is_err(), "it has no file");
    guest.write("etc/network/interfaces", "auto lo\niface lo inet loopback\n");
    guest.write("etc/network/interfaces.d/muster-00505600000a", "iface eth1 inet dhcp\n");
    let found = look(&guest, MAC, "10.0.0.1");
    assert_eq!(found.choose(&dhcp()).unwrap().1, Configurer::Ifupdown);
    assert!(found.matches_mac(), "{found:?}");
    guest.write("etc/network/interfaces.d/50-cloud-init", "auto eth1\niface eth1 inet manual\n");
    assert!(!look(&guest, MAC, "10.0.0.1").matches_mac(), "another file names the device");
}

/// ICT-36: every manager's file comes to its place below the root, twice the same, with nothing left beside it; the manager is
/// told; and all of it goes again.
#[test]
fn what_is_applied_is_read_and_released() {
    let name = "muster-00505600000a";
    for shell in SHELLS {
        for (manager, file, mode, told, untold) in [
            (
                Configurer::Networkd,
                format!("etc/systemd/network/05-{name}.network"),
                0o644,
                "networkctl reload\nnetworkctl reconfigure eth1\n".to_owned(),
                "networkctl reload\n",
            ),
            (
                Configurer::Netplan,
                format!("etc/netplan/90-{name}.yaml"),
                0o600,
                "netplan generate\nnetplan apply\n".to_owned(),
                "netplan apply\n",
            ),
            (
                Configurer::Ifupdown,
                format!("etc/network/interfaces.d/{name}"),
                0o644,
                format!("ifdown --force eth1\nifup eth1={name}\n"),
                "ifdown --force eth1\n",
            ),
        ] {
            let guest = Guest::with(&[
                ("networkctl", ""),
                ("systemctl", ""),
                ("netplan", ""),
                ("ifup", ""),
                // Not up yet: that does not matter.
                ("ifdown", "exit 1"),
            ]);
            guest.write("etc/network/interfaces", "auto lo\n");
            let (path, octal, content) = manager.file(&fixed(), "eth1", true).unwrap();
            assert_eq!(path, format!("/{file}"));
            for _ in 0..2 {
                let arguments = [guest.root(), manager.word(), path.as_str(), "eth1", octal];
                assert_eq!(guest.run(shell, scripts::APPLY, &arguments, &content), (0, String::new()));
                assert_eq!(guest.told(), told);
                assert_eq!(guest.read(&file), Some(content.clone()));
                let there = guest.path().join(&file);
                assert_eq!(std::fs::metadata(&there).unwrap().permissions().mode() & 0o777, mode);
                assert_eq!(std::fs::read_dir(there.parent().unwrap()).unwrap().count(), 1, "{file}");
            }
            let sourced = match manager {
                Configurer::Ifupdown => "auto lo\n\nsource /etc/network/interfaces.d/*\n",
                Configurer::Netplan | Configurer::NetworkManager | Configurer::Networkd => "auto lo\n",
            };
            assert_eq!(guest.read("etc/network/interfaces").as_deref(), Some(sourced));
            let arguments = [guest.root(), name, "eth1"];
            assert_eq!(guest.run(shell, scripts::RELEASE, &arguments, ""), (0, "removed\n".to_owned()));
            assert_eq!((guest.told().as_str(), guest.read(&file)), (untold, None));
            assert_eq!(guest.run(shell, scripts::RELEASE, &arguments, ""), (0, String::new()));
            assert_eq!(guest.told(), "");
        }
    }
}

#[test]
fn ifupdown_is_made_to_read_its_folder_once() {
    for (line, adds) in [
        ("source /etc/network/interfaces.d/*", false),
        ("  source-directory /etc/network/interfaces.d", false),
        ("source interfaces.d/*", false),
        ("source /etc/network/other.d/*", true),
        ("# source /etc/network/interfaces.d/*", true),
    ] {
        let guest = Guest::with(&[("ifup", ""), ("ifdown", "")]);
        guest.write("etc/network/interfaces", &format!("{line}\n"));
        let (path, mode, content) = Configurer::Ifupdown.file(&fixed(), "eth1", false).unwrap();
        let arguments = [guest.root(), "ifupdown", path.as_str(), "eth1", mode];
        assert_eq!(guest.run("sh", scripts::APPLY, &arguments, &content).0, 0);
        assert_eq!(guest.told(), "ifdown --force eth1\nifup eth1\n");
        let more = if adds { "\nsource /etc/network/interfaces.d/*\n" } else { "" };
        assert_eq!(guest.read("etc/network/interfaces"), Some(format!("{line}\n{more}")));
    }
}

#[test]
fn an_old_networkd_is_restarted_and_what_is_refused_leaves_nothing() {
    let guest = Guest::with(&[
        ("networkctl", "exit 1"),
        ("systemctl", ""),
        ("netplan", "exit 1"),
        ("ifdown", ""),
        ("ifup", "exit 1"),
    ]);
    guest.write("etc/network/interfaces", "");
    let apply = |manager: &str| {
        guest.run("sh", scripts::APPLY, &[guest.root(), manager, "/etc/file", "eth1", "600"], "iface a\n").0
    };
    assert_eq!(apply("systemd-networkd"), 0);
    assert_eq!(guest.told(), "networkctl reload\nsystemctl restart systemd-networkd\n");
    assert_eq!(apply("netplan"), 1);
    assert_eq!(guest.read("etc/file"), None);
    assert_eq!(apply("ifupdown"), 1, "a manager that fails is heard");
    assert_eq!(apply("something"), 2);
}

#[test]
fn a_connection_of_network_manager_is_made_anew() {
    let guest = Guest::with(&[("nmcli", "case \"$*\" in *show) echo muster-a ;; esac")]);
    let arguments = ["muster-a", MAC, "manual", "10.20.0.11/16"];
    let said = guest.run("sh", scripts::APPLY_NETWORK_MANAGER, &arguments, "");
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
fn nothing_of_ours_is_nothing_to_remove() {
    let guest = Guest::with(&[("nmcli", "echo other"), ("netplan", ""), ("systemctl", ""), ("ifdown", "")]);
    let arguments = [guest.root(), "muster-of-a-test", ""];
    assert_eq!(guest.run("sh", scripts::RELEASE, &arguments, ""), (0, String::new()));
    // The interface is gone already: there is nothing to bring down.
    guest.write("etc/network/interfaces.d/muster-of-a-test", "iface eth1 inet dhcp\n");
    guest.told();
    assert_eq!(guest.run("sh", scripts::RELEASE, &arguments, ""), (0, "removed\n".to_owned()));
    assert!(!guest.told().contains("ifdown"));
    let guest = Guest::with(&[("nmcli", "case \"$*\" in *show) echo muster-of-a-test ;; esac")]);
    let arguments = [guest.root(), "muster-of-a-test", ""];
    assert_eq!(guest.run("sh", scripts::RELEASE, &arguments, ""), (0, "removed\n".to_owned()));
    assert!(guest.told().ends_with("nmcli connection delete id muster-of-a-test\n"));
}

fn reach(guest: &Guest, shell: &str) -> (i32, String) {
    guest.run(shell, scripts::REACH, &["10.20.0.12", "3", MAC], "")
}

/// What was tried, without the looks at interfaces and ways.
fn tried(guest: &Guest) -> Vec<String> {
    guest.told().lines().filter(|line| !line.starts_with("ip ")).map(str::to_owned).collect()
}

const PING: &str = "ping -c 1 -W 2 -I eth1 10.20.0.12";
const TCP: &str = "timeout 2 bash -c : < \"/dev/tcp/$1/22\" reach 10.20.0.12";

#[test]
fn a_server_is_tried_a_few_times_by_one_packet_each() {
    for shell in SHELLS {
        let silent = Guest::with(&[("ip", IP), ("ping", "exit 1"), ("timeout", "exit 124"), ("sleep", "")]);
        assert_eq!(reach(&silent, shell), (1, "ping or tcp\n".to_owned()));
        assert_eq!(tried(&silent), [PING, TCP, "sleep 1", PING, TCP, "sleep 1", PING, TCP]);
        // ICMP may be filtered; whoever takes or refuses a connection was reached.
        for end in ["exit 0", "echo 'connect: Connection refused' >&2; exit 1"] {
            let filtered = Guest::with(&[("ip", IP), ("ping", "exit 1"), ("timeout", end), ("sleep", "")]);
            assert_eq!(reach(&filtered, shell), (0, "tcp\n".to_owned()));
            assert_eq!(tried(&filtered), [PING, TCP]);
        }
        let late = "n=$(grep -c ^ping \"$(dirname \"$0\")/../told\"); [ \"$n\" -ge 2 ]";
        let late = Guest::with(&[("ip", IP), ("ping", late), ("timeout", "exit 124"), ("sleep", "")]);
        assert_eq!(reach(&late, shell), (0, "ping\n".to_owned()));
        assert_eq!(tried(&late), [PING, TCP, "sleep 1", PING]);
    }
}

/// A way over another link proves nothing, whoever answers there.
#[test]
fn only_the_way_over_the_link_counts() {
    for (ip, said) in [
        (IP.replace("dev eth1 src", "via 203.0.113.1 dev eth0 src"), "elsewhere eth0\n"),
        (IP.replace("*route*)", "*route*) exit 2;;\n*no*)"), "nowhere\n"),
        (IP.replace("00:50:56:00:00:0a", "00:50:56:00:00:0b"), "absent\n"),
    ] {
        let guest = Guest::with(&[("ip", &ip), ("ping", ""), ("timeout", ""), ("sleep", "")]);
        for shell in SHELLS {
            assert_eq!(reach(&guest, shell), (1, said.to_owned()));
            assert!(tried(&guest).iter().all(|told| told.starts_with("sleep")));
        }
    }
    // A bridge that the interface is part of is the way over it.
    let bridged =
        IP.replace("noqueue state", "noqueue master br0 state").replace("dev eth1 src", "dev br0 src");
    let guest = Guest::with(&[("ip", &bridged), ("ping", "")]);
    assert_eq!(reach(&guest, "sh"), (0, "ping\n".to_owned()));
    assert_eq!(tried(&guest), [PING.replace("eth1", "br0")]);
}
