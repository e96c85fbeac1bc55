//! Finds out which technique this computer allows, by trying, and says exactly what is missing otherwise.
//!
//! systemd-nspawn comes first: its machines are quicker, lighter, and their private networks meet nobody else's.
//! Docker's engine is asked only where nspawn cannot be, or where a person wants it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::docker;
use super::error::Missing;

/// How machines are made here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Technique {
    /// systemd-nspawn over overlayfs.
    #[default]
    Nspawn,
    /// Docker containers with systemd.
    Docker,
}

impl Technique {
    /// Its name, as `MUSTER_MACHINES` takes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Technique::Nspawn => "nspawn",
            Technique::Docker => "docker",
        }
    }

    /// The technique of this name.
    pub(super) fn parse(name: &str) -> Option<Technique> {
        [Technique::Nspawn, Technique::Docker].into_iter().find(|one| one.as_str() == name)
    }
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

/// Looks at this computer. With a technique that is wanted, no other will do.
pub(super) fn probe(wanted: Option<Technique>) -> Result<Technique, Missing> {
    choose(wanted, || judge(&look()), docker::probe)
}

/// The choice. Pure, but for what the two questions do.
fn choose(
    wanted: Option<Technique>,
    nspawn: impl FnOnce() -> Result<(), Missing>,
    docker: impl FnOnce() -> Result<(), Missing>,
) -> Result<Technique, Missing> {
    match wanted {
        Some(Technique::Nspawn) => nspawn().map(|()| Technique::Nspawn),
        Some(Technique::Docker) => docker().map(|()| Technique::Docker),
        None => {
            let Err(first) = nspawn() else { return Ok(Technique::Nspawn) };
            let Err(second) = docker() else { return Ok(Technique::Docker) };
            if first == second {
                return Err(first); // what both need, such as Linux
            }
            Err(Missing::new(
                format!("for systemd-nspawn {}, and for Docker instead {}", first.missing, second.missing),
                format!("{}; or, for Docker, {}", first.remedy, second.remedy),
            ))
        }
    }
}

/// What both techniques need.
pub(super) fn judge_system(system: &str) -> Result<(), Missing> {
    if system == "linux" {
        return Ok(());
    }
    Err(Missing::new(
        format!("they need Linux, this is {system}"),
        "run Muster in a Linux virtual machine, or use the simulator without machines (`--machines none`)",
    ))
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
pub(super) fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders =
        std::env::split_paths(&path).chain(["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from));
    folders.map(|folder| folder.join(program)).find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// Whether nspawn can run, on facts only.
fn judge(facts: &Facts) -> Result<(), Missing> {
    judge_system(facts.system)?;
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
    judge_programs(&facts.programs_missing)?;
    if !facts.overlay {
        return Err(Missing::new(
            "the kernel has no overlay file system",
            "load it with `modprobe overlay`, or use a kernel that has it",
        ));
    }
    Ok(())
}

/// One sentence for all programs that are missing, each with its Debian package.
pub(super) fn judge_programs(missing: &[(&str, &str)]) -> Result<(), Missing> {
    let names: Vec<_> = missing.iter().map(|(program, _)| *program).collect();
    let mut packages: Vec<_> = missing.iter().map(|(_, package)| *package).collect();
    packages.sort_unstable();
    packages.dedup();
    let what = match names[..] {
        [] => return Ok(()),
        [one] => format!("the program {one} is not installed"),
        _ => format!("the programs {} are not installed", names.join(", ")),
    };
    Err(Missing::new(what, format!("on Debian or Ubuntu run `apt-get install {}`", packages.join(" "))))
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
        assert_eq!(judge(&good()), Ok(()));
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

    /// A look that must not happen: asking Docker's engine may take long.
    fn unasked() -> Result<(), Missing> {
        panic!("not to be asked")
    }

    #[test]
    fn the_first_that_can_run_is_chosen() {
        let no = |what: &str| Err(Missing::new(what, "mend it"));
        assert_eq!(choose(None, || Ok(()), unasked), Ok(Technique::Nspawn));
        assert_eq!(choose(None, || no("root is missing"), || Ok(())), Ok(Technique::Docker));
        assert_eq!(choose(Some(Technique::Docker), unasked, || Ok(())), Ok(Technique::Docker));
        assert_eq!(choose(Some(Technique::Nspawn), || Ok(()), unasked), Ok(Technique::Nspawn));
        let forced = choose(Some(Technique::Docker), unasked, || no("docker is missing")).unwrap_err();
        assert_eq!(
            forced.to_string(),
            "local machines cannot run here: docker is missing; mend it",
            "who wants one technique is not told about the other"
        );
        assert!(choose(Some(Technique::Nspawn), || no("root is missing"), unasked).is_err());
    }

    #[test]
    fn where_neither_can_run_one_sentence_says_why() {
        let no_root = || judge(&Facts { root: false, ..good() });
        let no_docker = || judge_programs(&[("docker", "docker.io")]);
        assert_eq!(
            choose(None, no_root, no_docker).unwrap_err().to_string(),
            "local machines cannot run here: for systemd-nspawn they need root, and for Docker instead the program \
             docker is not installed; run the command with sudo; or, for Docker, on Debian or Ubuntu run \
             `apt-get install docker.io`"
        );
        let elsewhere = || judge(&Facts { system: "macos", ..good() });
        assert_eq!(
            choose(None, elsewhere, || judge_system("macos")).unwrap_err().to_string(),
            "local machines cannot run here: they need Linux, this is macos; run Muster in a Linux virtual machine, \
             or use the simulator without machines (`--machines none`)"
        );
    }
}
