//! Every call of the Docker client, as argument vectors from pure functions.

use std::net::Ipv4Addr;

use super::super::argv::{HOST_KEY, REPOSITORY_INSIDE};
use super::super::command::Argv;
use super::super::record::MachineRecord;
use super::super::subnet::Subnet;

/// The label that names the home something belongs to: its `machines` folder.
const HOME_LABEL: &str = "muster.home";

fn docker(words: &[&str]) -> Argv {
    Argv::new(&[&["docker"], words].concat())
}

/// What the engine says of itself, in four parts.
pub(super) fn info() -> Argv {
    docker(&[
        "info",
        "--format",
        "{{.OSType}}|{{.ServerVersion}}|{{.OperatingSystem}}|{{json .SecurityOptions}}",
    ])
}

/// Where the client looks for its engine.
pub(super) fn endpoint() -> Argv {
    docker(&["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"])
}

/// Makes a machine's container; it stays off.
pub(super) fn create(machine: &MachineRecord, image: &str, home: &str) -> Argv {
    let label = machine.label();
    let mut argv = docker(&["create", "--pull", "never", "--name", &label, "--hostname", &machine.hostname]);
    let network = super::network::main_name(machine.slot);
    argv.0.extend(
        [
            "--label",
            &format!("{HOME_LABEL}={home}"),
            "--network",
            &network,
            "--ip",
            &machine.address().to_string(),
            // The console, for the end of a boot that fails.
            "--tty",
            "--log-driver",
            "json-file",
            "--log-opt",
            "max-size=4m",
            // What systemd needs to mount its own; the rest of the usual fence stays.
            "--cap-add",
            "SYS_ADMIN",
            // Without this a playbook could not set up a firewall.
            "--cap-add",
            "NET_ADMIN",
            "--security-opt",
            "seccomp=unconfined",
            // Ubuntu's profile for containers forbids every mount.
            "--security-opt",
            "apparmor=unconfined",
            "--cgroupns",
            "private",
            "--tmpfs",
            "/run:exec,mode=755",
            "--tmpfs",
            "/run/lock",
            "--env",
            "container=docker",
            "--stop-signal",
            "SIGRTMIN+3",
            "--mount",
            &format!("type=bind,source={},target={REPOSITORY_INSIDE},readonly", machine.repository),
        ]
        .map(str::to_owned),
    );
    if let Some(bytes) = machine.memory_bytes_max {
        argv.0.push(format!("--memory={bytes}"));
    }
    argv.0.extend([image.to_owned(), "/opt/muster/init".to_owned()]);
    argv
}

/// Copies what is in a folder over a container's root, as root's.
pub(super) fn copy_in(folder: &str, label: &str) -> Argv {
    docker(&["cp", &format!("{folder}/."), &format!("{label}:/")])
}

/// Lets a container start again when it reboots, or not.
pub(super) fn restart(label: &str, again: bool) -> Argv {
    docker(&["update", "--restart", if again { "on-failure" } else { "no" }, label])
}

/// Limits the memory of a container that exists; with as much swap again, as a new one has by itself.
pub(super) fn memory(label: &str, bytes: u64) -> Argv {
    let both = bytes.saturating_mul(2);
    docker(&["update", &format!("--memory={bytes}"), &format!("--memory-swap={both}"), label])
}

/// Starts a container.
pub(super) fn start(label: &str) -> Argv {
    docker(&["start", label])
}

/// Sends a signal to a container's first process.
pub(super) fn signal(label: &str, signal: &str) -> Argv {
    docker(&["kill", "--signal", signal, label])
}

/// Removes a container, running or not.
pub(super) fn remove(label: &str) -> Argv {
    docker(&["rm", "--force", "--volumes", label])
}

/// What a container is doing, and since when.
pub(super) fn state(label: &str) -> Argv {
    docker(&["container", "inspect", "--format", "{{.State.Status}} {{.State.StartedAt}}", label])
}

/// The end of a container's console.
pub(super) fn console(label: &str) -> Argv {
    docker(&["logs", "--tail", "40", label])
}

/// Names and homes of containers: of one home or of all.
pub(super) fn containers(home: Option<&str>) -> Argv {
    let format = format!("{{{{.Names}}}} {{{{.Label \"{HOME_LABEL}\"}}}}");
    docker(&["ps", "--all", "--filter", &filter(home), "--format", &format])
}

/// Names and homes of those containers of a home that are on.
pub(super) fn running(home: &str) -> Argv {
    let mut argv = containers(Some(home));
    argv.0.extend(
        ["running", "restarting", "paused"]
            .iter()
            .flat_map(|status| ["--filter".to_owned(), format!("status={status}")]),
    );
    argv
}

/// Names and homes of networks: of one home or of all.
pub(super) fn networks(home: Option<&str>) -> Argv {
    let format = format!("{{{{.Name}}}} {{{{.Label \"{HOME_LABEL}\"}}}}");
    docker(&["network", "ls", "--filter", &filter(home), "--format", &format])
}

fn filter(home: Option<&str>) -> String {
    match home {
        Some(home) => format!("label={HOME_LABEL}={home}"),
        None => format!("label={HOME_LABEL}"),
    }
}

/// All networks, whoever made them.
pub(super) fn all_networks() -> Argv {
    docker(&["network", "ls", "--quiet"])
}

/// The subnets of networks, in lines.
pub(super) fn subnets(networks: &[&str]) -> Argv {
    let format = "{{range .IPAM.Config}}{{.Subnet}} {{end}}";
    docker(&[&["network", "inspect", "--format", format], networks].concat())
}

/// Makes a network that leads nowhere but to the computer.
pub(super) fn network_create(name: &str, home: &str, subnet: Subnet, gateway: Ipv4Addr) -> Argv {
    docker(&[
        "network",
        "create",
        "--internal",
        "--subnet",
        &subnet.to_string(),
        "--gateway",
        &gateway.to_string(),
        "--label",
        &format!("{HOME_LABEL}={home}"),
        name,
    ])
}

/// Removes a network.
pub(super) fn network_remove(name: &str) -> Argv {
    docker(&["network", "rm", name])
}

/// Plugs a container in, also while it runs.
pub(super) fn connect(network: &str, label: &str, address: Ipv4Addr) -> Argv {
    docker(&["network", "connect", "--ip", &address.to_string(), network, label])
}

/// Takes a container out, also while it runs.
pub(super) fn disconnect(network: &str, label: &str) -> Argv {
    docker(&["network", "disconnect", network, label])
}

/// Takes away the default route that connecting may have set.
pub(super) fn no_way_out(label: &str) -> Argv {
    docker(&["exec", label, "ip", "-4", "route", "flush", "exact", "0.0.0.0/0"])
}

/// What interfaces a machine has, as JSON.
pub(super) fn addresses(label: &str) -> Argv {
    docker(&["exec", label, "ip", "-json", "address", "show"])
}

/// The public host key of a machine's sshd.
pub(super) fn host_key(label: &str) -> Argv {
    docker(&["exec", label, "cat", &format!("{HOST_KEY}.pub")])
}

/// Asks whether an image is there.
pub(super) fn image(tag: &str) -> Argv {
    docker(&["image", "ls", "--quiet", tag])
}

/// Writes a folder as an archive, for [`import`].
pub(super) fn archive(folder: &str) -> Argv {
    Argv::new(&["tar", "--create", "--numeric-owner", "--directory", folder, "."])
}

/// Makes an image of an archive on standard input.
pub(super) fn import(tag: &str) -> Argv {
    docker(&["import", "-", tag])
}

/// Makes an image by a recipe on standard input.
pub(super) fn build(tag: &str) -> Argv {
    docker(&["build", "--tag", tag, "-"])
}

/// Reads a file of an image.
pub(super) fn read(tag: &str, path: &str) -> Argv {
    docker(&["run", "--rm", "--network", "none", "--pull", "never", tag, "cat", path])
}

/// Turns a password (on standard input) into what `/etc/shadow` holds.
pub(super) fn password_hash(tag: &str) -> Argv {
    let openssl = ["openssl", "passwd", "-6", "-stdin"];
    docker(
        &[&["run", "--rm", "--interactive", "--network", "none", "--pull", "never", tag][..], &openssl]
            .concat(),
    )
}

#[cfg(test)]
mod tests {
    use super::super::super::network::main_interface;
    use super::super::super::spec::MachineName;
    use super::*;

    #[test]
    fn a_container_is_made_without_privileges() {
        let name = MachineName::parse("web").unwrap();
        let eth0 = main_interface(0, "10.210.0.0/22".parse().unwrap(), 1).unwrap();
        let (base, repository) = ("/c/root".to_owned(), "/c/repository".to_owned());
        let memory = Some(536_870_912);
        let machine =
            MachineRecord::new(name, 1, 0, "web.example".into(), base, repository, memory, vec![eth0]);
        assert_eq!(
            create(&machine, "muster-machine:1", "/h/machines").text(),
            "docker create --pull never --name muster-0-web --hostname web.example --label muster.home=/h/machines \
             --network muster-0 --ip 10.210.0.10 --tty --log-driver json-file --log-opt max-size=4m \
             --cap-add SYS_ADMIN --cap-add NET_ADMIN --security-opt seccomp=unconfined \
             --security-opt apparmor=unconfined --cgroupns private --tmpfs /run:exec,mode=755 --tmpfs /run/lock \
             --env container=docker --stop-signal SIGRTMIN+3 \
             --mount type=bind,source=/c/repository,target=/opt/muster/repo,readonly --memory=536870912 \
             muster-machine:1 /opt/muster/init"
        );
    }

    #[test]
    fn networks_lead_nowhere() {
        let subnet = "10.210.0.0/22".parse().unwrap();
        assert_eq!(
            network_create("muster-0", "/h/machines", subnet, Ipv4Addr::new(10, 210, 0, 1)).text(),
            "docker network create --internal --subnet 10.210.0.0/22 --gateway 10.210.0.1 \
             --label muster.home=/h/machines muster-0"
        );
        assert_eq!(
            running("/h/machines").text(),
            "docker ps --all --filter label=muster.home=/h/machines --format {{.Names}} {{.Label \"muster.home\"}} \
             --filter status=running --filter status=restarting --filter status=paused"
        );
    }

    #[test]
    fn a_password_is_never_an_argument() {
        assert_eq!(
            password_hash("muster-machine:1").text(),
            "docker run --rm --interactive --network none --pull never muster-machine:1 openssl passwd -6 -stdin"
        );
    }
}
