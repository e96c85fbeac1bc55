//! The memory of a machine: whether this computer can limit it, and another limit for a machine that exists.
//!
//! A new limit is written down first and acts at the latest when the machine is next switched on. Where its group
//! is ours, it acts at once; under systemd the group belongs to the keeper's service and keeps what it began with.

use std::path::{Path, PathBuf};

use super::LocalMachines;
use super::error::{LocalError, file};
use super::keeper::systemd_runs;
use super::probe::Technique;
use super::record::write;
use super::spec::MachineName;

impl LocalMachines {
    /// Whether a machine's memory can be limited here; where not, a machine with a limit does not start.
    pub fn limits_memory(&self) -> bool {
        match self.technique {
            Technique::Docker => true,
            Technique::Nspawn => {
                let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
                systemd_runs() || controls_memory(&mounts, |path| std::fs::read_to_string(path).ok())
            }
        }
    }

    /// Gives a machine another limit of its memory, in bytes. A running one has it at once where this computer can
    /// do that, else from its next start.
    ///
    /// # Errors
    /// When the machine does not exist, or uses more than that and cannot be made to give it back.
    pub async fn limit_memory(&self, name: &MachineName, bytes: u64) -> Result<(), LocalError> {
        let (_lock, folder, mut machine) = self.take(name).await?;
        machine.memory_bytes_max = Some(bytes);
        self.substrate.limit_memory(&folder, &machine, bytes).await?;
        write(&folder.record(), &machine)
    }
}

/// Whether some mounted hierarchy has the memory controller. `contents` reads a file.
fn controls_memory(mounts: &str, contents: impl Fn(&Path) -> Option<String>) -> bool {
    mounts.lines().any(|line| match line.split(' ').collect::<Vec<_>>()[..] {
        [_, _, "cgroup", options, ..] => options.split(',').any(|option| option == "memory"),
        [_, mount, "cgroup2", ..] => contents(&Path::new(mount).join("cgroup.controllers"))
            .is_some_and(|controllers| controllers.split_whitespace().any(|one| one == "memory")),
        _ => false,
    })
}

/// Writes the limit into a machine's groups, as far as it has any with the controller. `tops` are its top groups.
pub(super) fn limit(tops: &[PathBuf], bytes: u64) -> Result<(), LocalError> {
    if systemd_runs() {
        return Ok(());
    }
    for top in tops {
        for name in ["memory.limit_in_bytes", "memory.max"] {
            let path = top.join("machine").join(name);
            if path.exists() {
                std::fs::write(&path, bytes.to_string()).map_err(file("write", &path))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_controller_is_found_in_both_versions() {
        let nothing = |_: &Path| None;
        assert!(controls_memory("cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n", nothing));
        assert!(!controls_memory("cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n", nothing));
        let unified = "cgroup2 /sys/fs/cgroup cgroup2 rw,nsdelegate 0 0\n";
        assert!(controls_memory(unified, |path| {
            assert_eq!(path, Path::new("/sys/fs/cgroup/cgroup.controllers"));
            Some("cpuset cpu io memory pids\n".to_owned())
        }));
        assert!(!controls_memory(unified, |_| Some("cpuset cpu\n".to_owned())));
    }

    #[test]
    fn a_limit_reaches_the_groups_that_have_one() {
        let folder = tempfile::tempdir().unwrap();
        let (with, without) = (folder.path().join("memory"), folder.path().join("cpu"));
        for top in [&with, &without] {
            std::fs::create_dir_all(top.join("machine")).unwrap();
        }
        let path = with.join("machine/memory.limit_in_bytes");
        std::fs::write(&path, "1").unwrap();
        limit(&[without.clone(), with], 4096).unwrap();
        let now = std::fs::read_to_string(&path).unwrap();
        assert_eq!(now, if systemd_runs() { "1" } else { "4096" });
        assert!(!without.join("machine/memory.limit_in_bytes").exists());
    }
}
