//! A Muster home with real machines in it, for every test that needs one.

use std::path::PathBuf;
use std::process::Command;

use muster_outside::host::local::{
    Launcher, LocalMachines, Machine, MachineName, MachineSpec, Technique, Wish,
};

/// Set for the keeper processes that the tests start.
pub const KEEPER: &str = "MUSTER_TEST_KEEPER";

pub fn launcher() -> Launcher {
    Launcher {
        program: std::env::current_exe().unwrap(),
        arguments: ["--exact", "local::keeper_process", "--nocapture"].map(str::to_owned).to_vec(),
        environment: vec![(KEEPER.to_owned(), "1".to_owned())],
    }
}

/// One technique, in the range that leads to its machines: `./dev test` runs an engine behind a route of its own.
pub fn wish(technique: Technique) -> Wish {
    let range = match technique {
        Technique::Nspawn => None,
        Technique::Docker => std::env::var("MUSTER_TEST_DOCKER_NETWORK").ok(),
    };
    Wish { technique: Some(technique), range: range.as_deref().unwrap_or("10.210.0.0/16").parse().unwrap() }
}

pub fn name(text: &str) -> MachineName {
    MachineName::parse(text).unwrap()
}

/// A Muster home of its own; at the end of each test it must have left nothing.
pub struct Home {
    pub technique: Technique,
    pub folder: tempfile::TempDir,
    pub machines: LocalMachines,
    pub key: PathBuf,
}

impl Home {
    pub async fn open(technique: Technique) -> Option<Home> {
        if let Err(missing) = LocalMachines::probe_as(&wish(technique)) {
            let test = std::thread::current().name().unwrap_or("local machines").to_owned();
            crate::skip::skip(&test, &missing.to_string());
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let machines = LocalMachines::open_as(folder.path(), launcher(), &wish(technique)).await.unwrap();
        assert_eq!(machines.technique(), technique);
        machines.ensure_base(&|line| println!("{line}")).await.unwrap();
        let key = folder.path().join("id");
        run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", key.to_str().unwrap()]);
        Some(Home { technique, folder, machines, key })
    }

    pub fn spec(&self, text: &str) -> MachineSpec {
        let public = std::fs::read_to_string(self.key.with_extension("pub")).unwrap();
        MachineSpec { authorized_keys: vec![public.trim().to_owned()], ..MachineSpec::new(name(text)) }
    }

    /// Runs a command on a machine by the computer's plain `ssh`, with the host key that the machine told us.
    pub fn try_ssh(&self, machine: &Machine, command: &str) -> Result<String, String> {
        let known = self.folder.path().join("known_hosts");
        let host_key = machine.host_key.as_deref().expect("a host key after the first boot");
        std::fs::write(&known, format!("{} {host_key}\n", machine.address)).unwrap();
        let output = Command::new("ssh")
            .args(["-F", "none", "-i", self.key.to_str().unwrap(), "-o", "BatchMode=yes"])
            .args(["-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=5"])
            .args(["-o", &format!("UserKnownHostsFile={}", known.display())])
            .args([&format!("root@{}", machine.address), command])
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    pub fn ssh(&self, machine: &Machine, command: &str) -> String {
        self.try_ssh(machine, command).unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// What limits the kernel knows for a machine's groups (version 1 and 2 name the file differently).
    pub fn memory_limits(&self, machine: &Machine) -> Vec<String> {
        if self.technique == Technique::Docker {
            // A container sees its own group as the top.
            let files = "/sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max";
            return vec![self.ssh(machine, &format!("cat {files} 2>/dev/null; true"))];
        }
        let folder = self.folder.path().join("machines").join(machine.name.as_str());
        let groups = std::fs::read(folder.join("cgroups.json")).unwrap();
        let groups: Vec<PathBuf> = serde_json::from_slice(&groups).unwrap();
        let files = groups.iter().flat_map(|group| {
            ["memory.limit_in_bytes", "memory.max"].map(|limit| group.join("machine").join(limit))
        });
        files
            .filter_map(|limit| std::fs::read_to_string(limit).ok())
            .map(|limit| limit.trim().to_owned())
            .collect()
    }

    pub async fn get(&self, text: &str) -> Machine {
        self.machines.get(&name(text)).await.unwrap().unwrap()
    }

    /// Deletes all machines and counts what is left.
    pub async fn end(self) {
        for machine in self.machines.list().await.unwrap() {
            self.machines.delete(&machine.name).await.unwrap();
        }
        let left = self.machines.leftovers().await.unwrap();
        assert_eq!(left.total(), 0, "{left:#?}");
        let mine: Vec<_> =
            std::fs::read_dir(self.folder.path()).unwrap().flatten().map(|one| one.file_name()).collect();
        assert!(
            mine.iter().all(|file| ["id", "id.pub", "known_hosts"].iter().any(|name| file == name)),
            "{mine:?}"
        );
    }
}

pub fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
