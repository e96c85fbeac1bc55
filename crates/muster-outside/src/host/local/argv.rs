//! Every command that this room runs, as argument vectors from pure functions. `command` runs them.

use std::net::Ipv4Addr;

use super::command::Argv;
use super::record::Interface;
use super::subnet::Subnet;

/// What a machine has: systemd as PID 1, a login, Python for Ansible, and what playbooks usually call.
pub(super) const PACKAGES: &str = "systemd,systemd-sysv,dbus,openssh-server,openssl,python3,python3-apt,sudo,iproute2,\
procps,curl,ca-certificates,git,rsync,passwd,gzip,tar";

/// `ip` inside a namespace.
fn ip_in(namespace: &str, words: &[&str]) -> Argv {
    Argv::new(&[&["ip", "-n", namespace], words].concat())
}

/// Makes a network namespace.
pub(super) fn namespace_add(namespace: &str) -> Argv {
    Argv::new(&["ip", "netns", "add", namespace])
}

/// Removes a network namespace; links into it go with it.
pub(super) fn namespace_delete(namespace: &str) -> Argv {
    Argv::new(&["ip", "netns", "delete", namespace])
}

/// Removes a link of the computer's own namespace.
pub(super) fn link_delete(link: &str) -> Argv {
    Argv::new(&["ip", "link", "delete", link])
}

/// Removes a link of a namespace.
pub(super) fn link_delete_in(namespace: &str, link: &str) -> Argv {
    ip_in(namespace, &["link", "delete", link])
}

/// Lists the links of a namespace.
pub(super) fn links_in(namespace: &str) -> Argv {
    ip_in(namespace, &["-o", "link", "show"])
}

/// Lists the links of the computer's own namespace.
pub(super) fn links() -> Argv {
    Argv::new(&["ip", "-o", "link", "show"])
}

/// Lists the routes of the computer.
pub(super) fn routes() -> Argv {
    Argv::new(&["ip", "-4", "-o", "route", "show", "table", "all"])
}

/// Brings up the loopback of a namespace.
pub(super) fn loopback_up(namespace: &str) -> Argv {
    ip_in(namespace, &["link", "set", "lo", "up"])
}

/// Makes a bridge and brings it up.
pub(super) fn bridge_add(namespace: &str, bridge: &str) -> Vec<Argv> {
    vec![
        ip_in(namespace, &["link", "add", bridge, "type", "bridge"]),
        ip_in(namespace, &["link", "set", bridge, "up"]),
    ]
}

/// The one veth by which the computer reaches the machines: its address is the first of the subnet, the route to
/// the machines is the one that the kernel makes for that address. No default route, no translation.
pub(super) fn host_link_add(
    link: &str,
    hub: &str,
    bridge: &str,
    subnet: Subnet,
    address: Ipv4Addr,
) -> Vec<Argv> {
    vec![
        Argv::new(&["ip", "link", "add", link, "type", "veth", "peer", "name", "host", "netns", hub]),
        // Otherwise the kernel gives it an IPv6 address and speaks first.
        Argv::new(&["ip", "link", "set", link, "addrgenmode", "none"]),
        ip_in(hub, &["link", "set", "host", "master", bridge, "up"]),
        Argv::new(&["ip", "address", "replace", &format!("{address}/{}", subnet.prefix()), "dev", link]),
        Argv::new(&["ip", "link", "set", link, "up"]),
    ]
}

/// A cable between a bridge of the hub and a machine.
pub(super) fn cable_add(
    hub: &str,
    bridge: &str,
    port: &str,
    namespace: &str,
    interface: &Interface,
) -> Vec<Argv> {
    let device = interface.device.as_str();
    vec![
        ip_in(
            hub,
            &[
                "link",
                "add",
                port,
                "type",
                "veth",
                "peer",
                "name",
                device,
                "address",
                &interface.mac,
                "netns",
                namespace,
            ],
        ),
        ip_in(hub, &["link", "set", port, "master", bridge, "up"]),
    ]
}

/// Gives an interface of a machine its address.
pub(super) fn interface_up(namespace: &str, interface: &Interface) -> Vec<Argv> {
    let device = interface.device.as_str();
    let address = format!("{}/{}", interface.address, interface.subnet.prefix());
    vec![
        ip_in(namespace, &["address", "replace", &address, "dev", device]),
        ip_in(namespace, &["link", "set", device, "up"]),
    ]
}

/// Builds the machines' root in a folder, from the package source of this computer.
pub(super) fn base_build(suite: &str, folder: &str, source: &str) -> Argv {
    let mut argv =
        Argv::new(&["mmdebstrap", "--quiet", "--mode=root", "--format=directory", "--variant=minbase"]);
    argv.0.push(format!("--include={PACKAGES}"));
    argv.0.push("--aptopt=APT::Install-Recommends \"false\"".to_owned());
    for path in ["man", "doc", "locale"] {
        argv.0.push(format!("--dpkgopt=path-exclude=/usr/share/{path}/*"));
    }
    argv.0.extend([suite, folder, source].map(str::to_owned));
    argv
}

/// Asks apt where this computer gets its packages.
pub(super) fn package_sources() -> Argv {
    let format = "$(ORIGIN)|$(CODENAME)|$(COMPONENT)|$(REPO_URI)";
    Argv::new(&["apt-get", "indextargets", "--format", format, "Created-By: Packages"])
}

/// apt with folders of its own, so that neither the state nor the lock of the computer's apt is touched.
pub(super) fn apt(folder: &str, status: &str, words: &[&str]) -> Argv {
    let mut argv = Argv::new(&["apt-get", "-q"]);
    for option in [
        format!("Dir::State={folder}/state"),
        format!("Dir::State::status={status}"),
        format!("Dir::Cache={folder}/cache"),
        format!("Dir::Etc::sourcelist={folder}/sources.list"),
        "Dir::Etc::sourceparts=-".to_owned(),
        "APT::Install-Recommends=false".to_owned(),
        "Acquire::Languages=none".to_owned(),
        "Acquire::Retries=3".to_owned(),
        // The computer's own hooks (listings, container clean-up) have nothing to do here.
        "APT::Update::Post-Invoke::=true".to_owned(),
    ] {
        argv.0.extend(["-o".to_owned(), option]);
    }
    argv.0.extend(words.iter().map(|word| (*word).to_owned()));
    argv
}

/// Reads the description inside a package file.
pub(super) fn package_fields(file: &str) -> Argv {
    Argv::new(&["dpkg-deb", "--field", file])
}

/// Makes the first host key of a machine, inside its root.
pub(super) fn host_key(root: &str) -> Argv {
    Argv::new(&["chroot", root, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", HOST_KEY])
}

/// Where a machine keeps its host key.
pub(super) const HOST_KEY: &str = "/etc/ssh/ssh_host_ed25519_key";

/// Turns a password (on standard input) into what `/etc/shadow` holds.
pub(super) fn password_hash(base: &str) -> Argv {
    Argv::new(&["chroot", base, "openssl", "passwd", "-6", "-stdin"])
}

/// What one nspawn needs to know.
pub(super) struct Boot<'a> {
    /// Name on this computer, e.g. `muster-0-web-1`; also of its network namespace.
    pub label: &'a str,
    /// Name that the machine has of itself.
    pub hostname: &'a str,
    /// Its root.
    pub root: &'a str,
    /// The package repository that it sees.
    pub repository: &'a str,
}

/// Where machines see the package repository.
pub(super) const REPOSITORY_INSIDE: &str = "/opt/muster/repo";

/// Boots a machine; ends when it goes off, with 133 when it asked for a reboot.
///
/// `--keep-unit --register=no`: the cgroup is ours (`cgroup`), systemd-machined is not asked, so it also works
/// where the computer's PID 1 is not systemd.
pub(super) fn nspawn(boot: &Boot<'_>) -> Argv {
    Argv(vec![
        "systemd-nspawn".to_owned(),
        "--settings=no".to_owned(),
        "--register=no".to_owned(),
        "--keep-unit".to_owned(),
        "--boot".to_owned(),
        "--console=read-only".to_owned(),
        "--link-journal=no".to_owned(),
        "--resolv-conf=off".to_owned(),
        "--timezone=off".to_owned(),
        // Its own namespace; without this a playbook could not set up a firewall.
        "--capability=CAP_NET_ADMIN".to_owned(),
        format!("--network-namespace-path=/run/netns/{}", boot.label),
        format!("--machine={}", boot.label),
        format!("--hostname={}", boot.hostname),
        format!("--bind-ro={}:{REPOSITORY_INSIDE}", boot.repository),
        format!("--directory={}", boot.root),
    ])
}

/// The service that a keeper becomes under systemd.
pub(super) struct Unit {
    /// Its name, without `.service`.
    pub name: String,
    /// The most memory of the machine, for computers where systemd hands over no memory controller.
    pub memory: Option<u64>,
}

/// Starts the keeper of a machine detached: a session of its own, and a mount namespace of its own, so that the
/// machine's root is mounted nowhere else and goes with the keeper.
///
/// Under systemd it becomes a transient service: a child would end with the service or session that started it.
/// `KillMode=process`: a machine survives its keeper there too. `OOMPolicy=continue`: a machine that is short of
/// memory loses a process, not its keeper.
pub(super) fn keeper(
    unit: Option<&Unit>,
    launcher: &[String],
    environment: &[(String, String)],
    folder: &str,
) -> Argv {
    let mut argv = match unit {
        Some(unit) => {
            let mut run = Argv::new(&["systemd-run", "--quiet", "--collect", "--service-type=exec"]);
            run.0.push(format!("--unit={}", unit.name));
            let mut properties = ["Delegate=yes", "KillMode=process", "OOMPolicy=continue", "TasksMax=16384"]
                .map(str::to_owned)
                .to_vec();
            properties.extend(unit.memory.map(|bytes| format!("MemoryMax={bytes}")));
            properties.extend(
                ["Output", "Error"].map(|stream| format!("Standard{stream}=append:{folder}/keeper.log")),
            );
            run.0.extend(properties.iter().map(|property| format!("--property={property}")));
            run.0.extend(environment.iter().map(|(name, value)| format!("--setenv={name}={value}")));
            run.0.push("--".to_owned());
            run
        }
        None => Argv::new(&["setsid"]),
    };
    argv.0.extend(["unshare", "--mount", "--propagation", "slave", "--"].map(str::to_owned));
    argv.0.extend(launcher.iter().cloned());
    argv.0.push(folder.to_owned());
    argv
}

/// The data of an overlay mount.
pub(super) fn overlay_data(base: &str, folder: &str) -> String {
    format!("lowerdir={base},upperdir={folder}/up,workdir={folder}/work")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(commands: &[Argv]) -> String {
        commands.iter().map(|argv| argv.text() + "\n").collect()
    }

    #[test]
    fn network_commands() {
        let subnet: Subnet = "10.210.0.0/22".parse().unwrap();
        let interface = Interface {
            device: "eth0".into(),
            network: None,
            address: Ipv4Addr::new(10, 210, 0, 10),
            subnet,
            mac: "02:4d:00:00:00:01".into(),
        };
        let mut all = vec![namespace_add("muster-0")];
        all.extend(bridge_add("muster-0", "br0"));
        all.extend(host_link_add("muster0", "muster-0", "br0", subnet, Ipv4Addr::new(10, 210, 0, 1)));
        all.extend(cable_add("muster-0", "br0", "p1", "muster-0-web", &interface));
        all.extend(interface_up("muster-0-web", &interface));
        assert_eq!(
            text(&all),
            "ip netns add muster-0\n\
             ip -n muster-0 link add br0 type bridge\n\
             ip -n muster-0 link set br0 up\n\
             ip link add muster0 type veth peer name host netns muster-0\n\
             ip link set muster0 addrgenmode none\n\
             ip -n muster-0 link set host master br0 up\n\
             ip address replace 10.210.0.1/22 dev muster0\n\
             ip link set muster0 up\n\
             ip -n muster-0 link add p1 type veth peer name eth0 address 02:4d:00:00:00:01 netns muster-0-web\n\
             ip -n muster-0 link set p1 master br0 up\n\
             ip -n muster-0-web address replace 10.210.0.10/22 dev eth0\n\
             ip -n muster-0-web link set eth0 up\n"
        );
    }

    #[test]
    fn nothing_ever_adds_a_default_route_or_translation() {
        let source = include_str!("argv.rs");
        let code = source.split("#[cfg(test)]").next().unwrap();
        for word in ["\"default\"", "masquerade", "MASQUERADE", "iptables", "nft"] {
            assert!(!code.contains(word), "{word}");
        }
    }

    #[test]
    fn boot_command() {
        let boot = Boot {
            label: "muster-0-web",
            hostname: "web.example",
            root: "/h/m/web/root",
            repository: "/c/r",
        };
        assert_eq!(
            nspawn(&boot).text(),
            "systemd-nspawn --settings=no --register=no --keep-unit --boot --console=read-only --link-journal=no \
             --resolv-conf=off --timezone=off --capability=CAP_NET_ADMIN \
             --network-namespace-path=/run/netns/muster-0-web --machine=muster-0-web --hostname=web.example \
             --bind-ro=/c/r:/opt/muster/repo --directory=/h/m/web/root"
        );
    }

    #[test]
    fn keeper_commands() {
        let launcher = ["/usr/bin/muster".to_owned(), "__machine".to_owned()];
        assert_eq!(
            keeper(None, &launcher, &[], "/h/m/web").text(),
            "setsid unshare --mount --propagation slave -- /usr/bin/muster __machine /h/m/web"
        );
        let environment = [("A".to_owned(), "b c".to_owned())];
        let unit = Unit { name: "muster-0-web.812-1".to_owned(), memory: Some(1024) };
        assert_eq!(
            keeper(Some(&unit), &launcher, &environment, "/h/m/web").text(),
            "systemd-run --quiet --collect --service-type=exec --unit=muster-0-web.812-1 --property=Delegate=yes \
             --property=KillMode=process --property=OOMPolicy=continue --property=TasksMax=16384 \
             --property=MemoryMax=1024 --property=StandardOutput=append:/h/m/web/keeper.log \
             --property=StandardError=append:/h/m/web/keeper.log --setenv=A=b c -- \
             unshare --mount --propagation slave -- /usr/bin/muster __machine /h/m/web"
        );
    }

    #[test]
    fn build_command() {
        assert_eq!(
            base_build("bookworm", "/c/x.partial", "http://mirror/debian/").text(),
            format!(
                "mmdebstrap --quiet --mode=root --format=directory --variant=minbase --include={PACKAGES} \
                 --aptopt=APT::Install-Recommends \"false\" --dpkgopt=path-exclude=/usr/share/man/* \
                 --dpkgopt=path-exclude=/usr/share/doc/* --dpkgopt=path-exclude=/usr/share/locale/* \
                 bookworm /c/x.partial http://mirror/debian/"
            )
        );
    }

    #[test]
    fn a_password_is_never_an_argument() {
        assert_eq!(password_hash("/c/root").text(), "chroot /c/root openssl passwd -6 -stdin");
    }
}
