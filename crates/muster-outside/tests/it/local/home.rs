//! A Muster home with real machines in it, for every test that needs one.

use std::path::PathBuf;
use std::process::Command;

use muster_outside::host::local::{Launcher, LocalMachines, Machine, MachineName, MachineSpec};

/// Set for the keeper processes that the tests start.
pub const KEEPER: &str = "MUSTER_TEST_KEEPER";

pub fn launcher() -> Launcher {
    Launcher {
        program: std::env::current_exe().unwrap(),
        arguments: ["--exact", "local::keeper_process", "--nocapture"].map(str::to_owned).to_vec(),
        environment: vec![(KEEPER.to_owned(), "1".to_owned())],
    }
}

pub fn name(text: &str) -> MachineName {
    MachineName::parse(text).unwrap()
}

/// A Muster home of its own; at the end of each test it must have left nothing.
pub struct Home {
    pub folder: tempfile::TempDir,
    pub machines: LocalMachines,
    pub key: PathBuf,
}

impl Home {
    pub async fn open() -> Option<Home> {
        if let Err(missing) = LocalMachines::probe() {
            crate::skip::skip("local machines", &missing.to_string());
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let machines = LocalMachines::open(folder.path(), launcher()).await.unwrap();
        machines.ensure_base(&|line| println!("{line}")).await.unwrap();
        let key = folder.path().join("id");
        run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", key.to_str().unwrap()]);
        Some(Home { folder, machines, key })
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
    pub fn memory_limits(&self, text: &str) -> Vec<String> {
        let groups =
            std::fs::read(self.folder.path().join("machines").join(text).join("cgroups.json")).unwrap();
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

/// Runs a program of this computer that must succeed.
pub fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
