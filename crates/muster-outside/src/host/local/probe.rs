//! Finds out which technique this computer allows, by trying, and says exactly what is missing otherwise.

use std::path::{Path, PathBuf};

use super::error::Missing;

/// How machines are made here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Technique {
    /// systemd-nspawn over overlayfs.
    Nspawn,
}

/// The programs that are needed, and the Debian package of each.
const PROGRAMS: [(&str, &str); 9] = [
    ("ip", "iproute2"),
    ("systemd-nspawn", "systemd-container"),
    ("mmdebstrap", "mmdebstrap"),
    ("apt-get", "apt"),
    ("dpkg-deb", "dpkg"),
    ("unshare", "util-linux"),
    ("setsid", "util-linux"),
    ("mount", "mount"),
    ("chroot", "coreutils"),
];

/// Bits of `CapEff`: CAP_SYS_ADMIN and CAP_NET_ADMIN (`linux/capability.h`).
const CAPABILITIES: [(u32, &str); 2] = [(21, "CAP_SYS_ADMIN"), (12, "CAP_NET_ADMIN")];

/// What was seen of this computer.
#[derive(Debug, Clone)]
struct Facts {
    system: &'static str,
    root: bool,
    capabilities: u64,
    overlay: bool,
    programs_missing: Vec<(&'static str, &'static str)>,
}

/// Looks at this computer.
pub(super) fn probe() -> Result<Technique, Missing> {
    judge(&look())
}

fn look() -> Facts {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let capabilities = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0);
    let filesystems = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
    let modules = std::fs::read_to_string("/proc/sys/kernel/osrelease")
        .map(|release| PathBuf::from(format!("/lib/modules/{}/kernel/fs/overlayfs", release.trim())));
    Facts {
        system: std::env::consts::OS,
        root: rustix::process::geteuid().is_root(),
        capabilities,
        // A module that is not loaded yet comes with the first mount.
        overlay: filesystems.lines().any(|line| line.trim_start_matches("nodev").trim() == "overlay")
            || modules.is_ok_and(|folder| folder.exists()),
        programs_missing: PROGRAMS.iter().copied().filter(|(program, _)| which(program).is_none()).collect(),
    }
}

/// Where a program is, by `PATH` and the folders of administration programs.
fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders =
        std::env::split_paths(&path).chain(["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from));
    folders.map(|folder| folder.join(program)).find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// The decision, on facts only.
fn judge(facts: &Facts) -> Result<Technique, Missing> {
    if facts.system != "linux" {
        return Err(Missing::new(
            format!("they need Linux, this is {}", facts.system),
            "run Muster in a Linux virtual machine, or use the simulator without machines (`--machines none`)",
        ));
    }
    if !facts.root {
        return Err(Missing::new("they need root", "run the command with sudo"));
    }
    for (bit, name) in CAPABILITIES {
        if facts.capabilities & (1 << bit) == 0 {
            return Err(Missing::new(
                format!("root lacks the capability {name} here, as in an ordinary container"),
                "run Muster on the computer itself, or in a container with that capability",
            ));
        }
    }
    if !facts.programs_missing.is_empty() {
        let names: Vec<_> = facts.programs_missing.iter().map(|(program, _)| *program).collect();
        let mut packages: Vec<_> = facts.programs_missing.iter().map(|(_, package)| *package).collect();
        packages.sort_unstable();
        packages.dedup();
        return Err(Missing::new(
            format!("the programs {} are not installed", names.join(", ")),
            format!("on Debian or Ubuntu run `apt-get install {}`", packages.join(" ")),
        ));
    }
    if !facts.overlay {
        return Err(Missing::new(
            "the kernel has no overlay file system",
            "load it with `modprobe overlay`, or use a kernel that has it",
        ));
    }
    Ok(Technique::Nspawn)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Facts {
        Facts {
            system: "linux",
            root: true,
            capabilities: u64::MAX,
            overlay: true,
            programs_missing: Vec::new(),
        }
    }

    #[test]
    fn each_lack_has_its_sentence() {
        assert_eq!(judge(&good()), Ok(Technique::Nspawn));
        let said = |facts: &Facts| judge(facts).unwrap_err().to_string();
        assert_eq!(
            said(&Facts { system: "macos", ..good() }),
            "local machines cannot run here: they need Linux, this is macos; run Muster in a Linux virtual machine, \
             or use the simulator without machines (`--machines none`)"
        );
        assert_eq!(
            said(&Facts { root: false, ..good() }),
            "local machines cannot run here: they need root; run the command with sudo"
        );
        assert!(said(&Facts { capabilities: !(1 << 21), ..good() }).contains("CAP_SYS_ADMIN"));
        assert!(said(&Facts { overlay: false, ..good() }).contains("modprobe overlay"));
        let programs_missing = vec![("setsid", "util-linux"), ("ip", "iproute2"), ("unshare", "util-linux")];
        assert_eq!(
            said(&Facts { programs_missing, ..good() }),
            "local machines cannot run here: the programs setsid, ip, unshare are not installed; \
             on Debian or Ubuntu run `apt-get install iproute2 util-linux`"
        );
    }
}
