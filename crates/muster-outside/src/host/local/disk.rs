//! A new machine's disk: what makes it different from the shared root before its first boot.
//!
//! The files are written straight into the overlay's upper folder, so nothing needs to be mounted for it.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::error::{LocalError, file};
use super::record::Folder;
use super::spec::MachineSpec;

/// Prepares the disk. `root` is what lies below it; `hash` is the root password as `/etc/shadow` holds it.
pub(super) fn prepare(
    folder: &Folder,
    spec: &MachineSpec,
    root: &Path,
    hash: Option<&str>,
) -> Result<(), LocalError> {
    let disk = folder.disk();
    // The upper folder's own mode becomes that of the machine's `/`.
    for (path, mode) in [("", 0o755), ("etc", 0o755), ("root", 0o700), ("root/.ssh", 0o700)] {
        make_folder(&disk.join(path), mode)?;
    }
    make_folder(&folder.work(), 0o700)?;
    make_folder(&folder.root(), 0o755)?;
    let short = spec.hostname.split('.').next().unwrap_or_default();
    let names = if short == spec.hostname { short.to_owned() } else { format!("{} {short}", spec.hostname) };
    make_file(&disk.join("etc/hostname"), &format!("{}\n", spec.hostname), 0o644)?;
    let hosts = format!("127.0.0.1 localhost\n127.0.1.1 {names}\n::1 localhost ip6-localhost ip6-loopback\n");
    make_file(&disk.join("etc/hosts"), &hosts, 0o644)?;
    let keys: String = spec.authorized_keys.iter().map(|key| format!("{key}\n")).collect();
    make_file(&disk.join("root/.ssh/authorized_keys"), &keys, 0o600)?;
    if let Some(hash) = hash {
        let base = root.join("etc/shadow");
        let shadow = std::fs::read_to_string(&base).map_err(file("read", &base))?;
        make_file(&disk.join("etc/shadow"), &with_root_password(&shadow, hash.trim()), 0o600)?;
        make_folder(&disk.join("etc/ssh"), 0o755)?;
        make_folder(&disk.join("etc/ssh/sshd_config.d"), 0o755)?;
        make_file(&disk.join("etc/ssh/sshd_config.d/muster.conf"), "PermitRootLogin yes\n", 0o644)?;
    }
    Ok(())
}

/// The shadow file with another password for root.
fn with_root_password(shadow: &str, hash: &str) -> String {
    let mut lines = String::new();
    for line in shadow.lines() {
        match line.strip_prefix("root:").and_then(|rest| rest.split_once(':')) {
            Some((_, rest)) => lines.push_str(&format!("root:{hash}:{rest}\n")),
            None => lines.push_str(&format!("{line}\n")),
        }
    }
    lines
}

/// Makes a folder with exactly this mode, whatever the umask.
pub(super) fn make_folder(path: &Path, mode: u32) -> Result<(), LocalError> {
    std::fs::create_dir_all(path).map_err(file("create", path))?;
    std::fs::set_permissions(path, Permissions::from_mode(mode)).map_err(file("create", path))
}

/// Makes a file with exactly this mode. In a machine's private folder, so a moment with another mode is harmless.
pub(super) fn make_file(path: &Path, content: &str, mode: u32) -> Result<(), LocalError> {
    std::fs::write(path, content).map_err(file("write", path))?;
    std::fs::set_permissions(path, Permissions::from_mode(mode)).map_err(file("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_roots_password_changes() {
        let shadow = "root:*:19000:0:99999:7:::\ndaemon:*:19000:0:99999:7:::\n";
        assert_eq!(
            with_root_password(shadow, "$6$s$h"),
            "root:$6$s$h:19000:0:99999:7:::\ndaemon:*:19000:0:99999:7:::\n"
        );
    }
}
