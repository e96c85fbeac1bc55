//! What is chosen for which guest, the text of every file, and what becomes of answers. The scripts themselves are
//! tested in `script_tests.rs`.

use super::super::{HostKeyPolicy, Login, ScriptedHosts};
use super::choice::{Configurer, Found, name_of};
use super::*;

pub(super) const MAC: &str = "00:50:56:00:00:0a";

pub(super) fn dhcp() -> Wanted {
    Wanted::new("00:50:56:00:00:0A", "10.20.0.11", "", true).unwrap()
}

pub(super) fn fixed() -> Wanted {
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
        (MAC, "10.0.0.1", "0", false),
        (MAC, "10.0.0.1", "/0", false),
        (MAC, "10.0.0.1", "0.0.0.0", true),
        (MAC, "10.0.0.1", "0.0.255.255", false),
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

/// ICT-36: by the hardware address where that can be said; and where the provider tells the address it is not asked for,
/// since the DHCP client there would take name servers and routes of a private network.
#[test]
fn ifupdown_is_told_the_hardware_address_and_not_to_ask() {
    let text = |wanted: &Wanted, matches_mac: bool| {
        let (path, mode, content) = Configurer::Ifupdown.file(wanted, "eth1", matches_mac).unwrap();
        assert_eq!((path.as_str(), mode), ("/etc/network/interfaces.d/muster-00505600000a", "644"));
        content.split_once('\n').unwrap().1.to_owned()
    };
    let told = Wanted::new(MAC, "10.20.0.11", "255.255.0.0", true).unwrap();
    let by_mac = format!("auto mac/{MAC}=muster-00505600000a\niface muster-00505600000a inet");
    for wanted in [&fixed(), &told] {
        assert_eq!(text(wanted, true), format!("{by_mac} static\n    address 10.20.0.11/16\n"));
    }
    assert_eq!(text(&dhcp(), true), format!("{by_mac} dhcp\n    metric 9999\n"));
    // By its name only as long as it is that interface.
    let guard = format!("    pre-up grep -qix {MAC} /sys/class/net/$IFACE/address\n");
    assert_eq!(
        text(&fixed(), false),
        format!("allow-hotplug eth1\niface eth1 inet static\n    address 10.20.0.11/16\n{guard}")
    );
    for (said, expected) in [
        ("ifupdown ifup version 0.8.41", true),
        ("ifupdown ifup version 0.8.35+b1", true),
        ("ifupdown ifup version 0.9", true),
        ("ifupdown ifup version 0.8.17ubuntu1.1", false),
        ("ifupdown ifup version 0.7.53.1", false),
        ("ifupdown ifupdown2:3.2.0", false),
        ("ifupdown ifupdown-ng 0.12.1", false),
        ("ifupdown ", false),
        ("", false),
    ] {
        assert_eq!(Found::read(&format!("manager ifupdown\n{said}\n")).matches_mac(), expected, "{said}");
    }
}

#[test]
fn every_manager_gets_a_file_of_its_own_form() {
    let text = |manager: Configurer, wanted: &Wanted| {
        let (path, mode, content) = manager.file(wanted, "eth1", false).unwrap();
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
    assert!(Configurer::NetworkManager.file(&dhcp(), "eth1", false).is_none());
    let found = Found::default();
    let arguments =
        |wanted: &Wanted| apply(&found, Configurer::NetworkManager, wanted, "eth1").arguments.split_off(3);
    let name = "muster-00505600000a";
    assert_eq!(arguments(&dhcp()), ["muster-interface-apply", name, MAC, "auto", ""]);
    assert_eq!(arguments(&fixed()), ["muster-interface-apply", name, MAC, "manual", "10.20.0.11/16"]);
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
    let Configured::Now { manager: "ifupdown", addresses, remark: Some(remark), .. } = now else {
        panic!("{now:?}");
    };
    assert_eq!(addresses, ["10.20.0.99/16"]);
    assert!(remark.contains("name servers"), "{remark}");
}

#[tokio::test(start_paused = true)]
async fn silence_is_told_from_a_guest_that_cannot_try() {
    let hosts = ScriptedHosts::new();
    let address = "10.20.0.12".parse().unwrap();
    let astray = |why: &str| Reach::Astray(why.into());
    for (status, said, expected) in [
        (0, "ping\n", Reach::Answered("ping".into())),
        (1, "ping or tcp\n", Reach::Silent("ping or tcp".into())),
        (1, "elsewhere eth0\n", astray("its way there leads over eth0, which is not that link")),
        (1, "nowhere\n", astray("it has no way there")),
        (1, "absent\n", astray("it has no interface with the link's hardware address")),
        (0, "none\n", Reach::Untried),
    ] {
        hosts.answer("web-1", "muster-network-reach", status, said, "");
        assert_eq!(reach(&hosts, &host(), MAC, address).await.unwrap(), expected);
    }
    hosts.answer("web-1", "muster-network-reach", 127, "", "sh: not found");
    assert!(reach(&hosts, &host(), MAC, address).await.is_err());
}
