//! A cgroup of its own for each machine, in every hierarchy that is mounted.
//!
//! Without it nspawn would put all machines into the same `payload` group. Each machine has two groups: `machine`,
//! in which nspawn is started and below which it makes its own, and `keeper`, into which the keeper steps aside
//! (cgroup v2 wants no processes in inner groups). Without systemd they lie below `muster/LABEL` in the group of
//! whoever started the keeper, so that limits set on that one hold; under systemd below the keeper's own service,
//! which systemd hands over (`Delegate=`) in version 2 and in its own hierarchy, and in no other.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;

use super::error::{LocalError, file};
use super::process::ProcessId;

/// Where groups without systemd lie.
const PARENT: &str = "muster";
/// How deep below a hierarchy's top a `muster` group is looked for.
const DEPTH_MAX: u32 = 8;
/// Removing waits so long for the last processes to be gone.
const REMOVE_TRIES: u32 = 100;
const REMOVE_PAUSE: Duration = Duration::from_millis(50);

/// One mounted hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Hierarchy {
    mount: PathBuf,
    version2: bool,
    /// Its controllers (version 1), e.g. `memory` or `name=systemd`.
    controllers: Vec<String>,
}

/// The hierarchies in `/proc/self/mounts`. Pure.
fn hierarchies(mounts: &str) -> Vec<Hierarchy> {
    const OPTIONS: [&str; 10] = [
        "rw",
        "ro",
        "nosuid",
        "nodev",
        "noexec",
        "relatime",
        "noatime",
        "xattr",
        "nsdelegate",
        "memory_recursiveprot",
    ];
    let mut found: Vec<Hierarchy> = Vec::new();
    for line in mounts.lines() {
        let words: Vec<_> = line.split(' ').collect();
        let [_, mount, kind @ ("cgroup" | "cgroup2"), options, ..] = words[..] else { continue };
        let controllers: Vec<_> =
            options.split(',').filter(|option| !OPTIONS.contains(option)).map(str::to_owned).collect();
        let hierarchy = Hierarchy { mount: mount.into(), version2: kind == "cgroup2", controllers };
        let same = |other: &Hierarchy| {
            other.version2 == hierarchy.version2
                && (hierarchy.version2 || other.controllers == hierarchy.controllers)
        };
        if !found.iter().any(same) {
            found.push(hierarchy);
        }
    }
    found
}

/// The path of a process in a hierarchy, from its `/proc/PID/cgroup`. Pure.
fn own_path<'a>(hierarchy: &Hierarchy, listing: &'a str) -> Option<&'a str> {
    listing.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (number, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let fits = if hierarchy.version2 {
            number == "0" && controllers.is_empty()
        } else {
            !controllers.is_empty()
                && controllers.split(',').all(|one| hierarchy.controllers.iter().any(|c| c == one))
        };
        fits.then_some(path.trim_start_matches('/'))
    })
}

/// Where the groups of a machine belong in a hierarchy: the group that its keeper came from, and the machine's own
/// top group; `None` where there shall be none. `there` says whether a group exists. Pure, but for that question.
fn place(
    hierarchy: &Hierarchy,
    listing: &str,
    label: &str,
    systemd: bool,
    there: impl Fn(&Path) -> bool,
) -> Option<(PathBuf, PathBuf)> {
    // From outside of our cgroup namespace the kernel shows `/../…`, which leads out of the hierarchy.
    let path = own_path(hierarchy, listing).filter(|path| !path.split('/').any(|part| part == ".."));
    let from = path.map(|path| hierarchy.mount.join(path)).filter(|path| there(path));
    if !systemd {
        // A container sees its own group as the top.
        let from = from.unwrap_or_else(|| hierarchy.mount.clone());
        let top = from.join(PARENT).join(label);
        return Some((from, top));
    }
    let delegated = hierarchy.version2 || hierarchy.controllers.iter().any(|one| one == "name=systemd");
    // The keeper's own service and nothing else: whatever is in the top group may be killed one day.
    let from = from.filter(|from| delegated && is_unit(from, label))?;
    Some((from.clone(), from))
}

/// Whether a group is the one of a service that `argv::keeper` starts for this machine.
fn is_unit(group: &Path, label: &str) -> bool {
    let name =
        group.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".service"));
    name.and_then(|name| name.strip_prefix(label)).is_some_and(|launch| launch.starts_with('.'))
}

/// The groups in which a controller must be handed down (version 2) so that it reaches the groups in `top`: from
/// where the keeper came from to `top` itself, the highest first. Pure.
fn levels(from: &Path, top: &Path) -> Vec<PathBuf> {
    let mut levels: Vec<_> =
        top.ancestors().take_while(|level| *level != from).map(Path::to_path_buf).collect();
    levels.push(from.to_path_buf());
    levels.reverse();
    levels
}

/// The groups of one machine.
pub(super) struct Groups {
    /// Hierarchy, the group that the keeper came from, and the machine's own top group there.
    tops: Vec<(Hierarchy, PathBuf, PathBuf)>,
    systemd: bool,
}

impl Groups {
    /// Finds out where the groups of a machine belong; makes nothing.
    pub(super) fn plan(label: &str, systemd: bool) -> Result<Groups, LocalError> {
        let (mounts, own) = ("/proc/self/mounts", "/proc/self/cgroup");
        let mounts = std::fs::read_to_string(mounts).map_err(file("read", mounts))?;
        let own = std::fs::read_to_string(own).map_err(file("read", own))?;
        let mut tops = Vec::new();
        for hierarchy in hierarchies(&mounts) {
            if let Some((from, top)) = place(&hierarchy, &own, label, systemd, Path::exists) {
                tops.push((hierarchy, from, top));
            }
        }
        Ok(Groups { tops, systemd })
    }

    /// The machine's own top groups, for removal by whoever comes later.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        self.tops.iter().map(|(_, _, top)| top.clone()).collect()
    }

    /// Steps into the groups with this last name (`machine` or `keeper`), making them first.
    pub(super) fn enter(&self, part: &str) -> Result<(), LocalError> {
        for (hierarchy, from, top) in &self.tops {
            let group = top.join(part);
            std::fs::create_dir_all(&group).map_err(file("create", &group))?;
            if hierarchy.controllers.iter().any(|one| one == "cpuset") {
                inherit_cpuset(from, &group)?;
            }
            join(&group)?;
        }
        Ok(())
    }

    /// Limits the machine's memory; call when the keeper has stepped aside.
    pub(super) fn limit_memory(&self, bytes: u64) -> Result<(), LocalError> {
        for (hierarchy, from, top) in &self.tops {
            let group = top.join("machine");
            if hierarchy.controllers.iter().any(|one| one == "memory") {
                let limit = group.join("memory.limit_in_bytes");
                return std::fs::write(&limit, bytes.to_string()).map_err(file("write", &limit));
            }
            if hierarchy.version2 {
                // Refused where the controller is elsewhere, not delegated, or the group holds processes (of the
                // topmost one that is no matter); then `memory.max` does not appear.
                for level in levels(from, top) {
                    let _ = std::fs::write(level.join("cgroup.subtree_control"), "+memory");
                }
                let limit = group.join("memory.max");
                if limit.exists() {
                    return std::fs::write(&limit, bytes.to_string()).map_err(file("write", &limit));
                }
            }
        }
        if self.systemd {
            return Ok(()); // the service has the limit (`argv::keeper`), also where it has its controller in version 1
        }
        let reason = "this computer offers no memory controller for it".to_owned();
        Err(LocalError::Invalid { what: "memory limit", value: bytes.to_string(), reason })
    }

    /// Steps back to where the keeper came from and removes the groups.
    pub(super) async fn leave(&self) {
        if self.systemd {
            return; // systemd removes the service's groups
        }
        for (_, from, top) in &self.tops {
            // On failure the group stays, and whoever deletes the machine tries again.
            let _ = join(from);
            remove(top).await;
        }
    }
}

/// `0` means whoever writes it.
fn join(group: &Path) -> Result<(), LocalError> {
    let list = group.join("cgroup.procs");
    std::fs::write(&list, "0").map_err(file("join", &list))
}

/// A new cpuset is empty and lets no process in: each level takes over its parent's values.
fn inherit_cpuset(from: &Path, group: &Path) -> Result<(), LocalError> {
    let mut levels: Vec<_> = group.ancestors().take_while(|level| *level != from).collect();
    levels.reverse();
    for level in levels {
        for setting in ["cpuset.cpus", "cpuset.mems"] {
            let path = level.join(setting);
            if std::fs::read_to_string(&path).map_err(file("read", &path))?.trim().is_empty() {
                let parent = level.parent().unwrap_or(from).join(setting);
                let value = std::fs::read_to_string(&parent).map_err(file("read", &parent))?;
                std::fs::write(&path, value.trim()).map_err(file("write", &path))?;
            }
        }
    }
    Ok(())
}

/// All groups below one, deepest first, itself last.
fn tree(group: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    if let Ok(entries) = std::fs::read_dir(group) {
        for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
            all.extend(tree(&entry.path()));
        }
        all.push(group.to_path_buf());
    }
    all
}

/// The processes in a group and below it, without ourselves.
pub(super) fn processes(group: &Path) -> Vec<ProcessId> {
    let me = std::process::id().cast_signed();
    let mut found = Vec::new();
    for one in tree(group) {
        let listed = std::fs::read_to_string(one.join("cgroup.procs")).unwrap_or_default();
        found.extend(
            listed
                .lines()
                .filter_map(|pid| pid.parse().ok())
                .filter(|pid| *pid != me)
                .filter_map(ProcessId::of),
        );
    }
    found
}

/// Ends every process in a group.
pub(super) fn kill(group: &Path) {
    for process in processes(group) {
        process.signal(Signal::KILL);
    }
}

/// Removes a group with what is below it, and the common parent when it is empty. Gives up after a while: the
/// caller counts what is left.
pub(super) async fn remove(group: &Path) {
    for _ in 0..REMOVE_TRIES {
        for one in tree(group) {
            let _ = std::fs::remove_dir(one);
        }
        if !group.exists() {
            break;
        }
        tokio::time::sleep(REMOVE_PAUSE).await;
    }
    if let Some(parent) = group.parent().filter(|parent| parent.ends_with(PARENT)) {
        let _ = std::fs::remove_dir(parent);
    }
}

/// Machines' top groups anywhere on this computer whose label fits.
pub(super) fn find(fits: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    fn walk(folder: &Path, depth: u32, found: &mut Vec<PathBuf>) {
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
            if folder.ends_with(PARENT) {
                found.push(entry.path());
            } else if depth < DEPTH_MAX {
                walk(&entry.path(), depth + 1, found);
            }
        }
    }
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mut found = Vec::new();
    for hierarchy in hierarchies(&mounts) {
        walk(&hierarchy.mount, 0, &mut found);
    }
    found.retain(|group| group.file_name().and_then(|name| name.to_str()).is_some_and(&fits));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0\n\
                          cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,nosuid,nodev,noexec,relatime,cpu,cpuacct 0 0\n\
                          cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,name=systemd 0 0\n\
                          cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0\n\
                          /dev/vda / ext4 rw 0 0\n";

    #[test]
    fn hybrid_and_unified_hierarchies_are_found() {
        let found = hierarchies(HYBRID);
        let shown: Vec<_> =
            found.iter().map(|one| (one.mount.to_str().unwrap(), one.controllers.join("+"))).collect();
        assert_eq!(
            shown,
            [
                ("/sys/fs/cgroup/memory", "memory".to_owned()),
                ("/sys/fs/cgroup/cpu,cpuacct", "cpu+cpuacct".to_owned()),
                ("/sys/fs/cgroup/systemd", "name=systemd".to_owned()),
                ("/sys/fs/cgroup/unified", String::new()),
            ]
        );
        let unified =
            hierarchies("cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nsdelegate,memory_recursiveprot 0 0\n");
        assert_eq!(unified.len(), 1);
        assert!(unified[0].version2);
    }

    #[test]
    fn each_hierarchy_has_its_own_path() {
        let listing = "4:cpuacct,cpu:/a\n3:memory:/session/x:y\n1:name=systemd:/\n0::/user.slice\n";
        let paths: Vec<_> = hierarchies(HYBRID).iter().map(|one| own_path(one, listing)).collect();
        assert_eq!(paths, [Some("session/x:y"), Some("a"), Some(""), Some("user.slice")]);
    }

    const UNIFIED: &str = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nsdelegate,memory_recursiveprot 0 0\n";

    /// The machine's top groups, where every group exists.
    fn tops(mounts: &str, listing: &str, systemd: bool) -> Vec<String> {
        let places = hierarchies(mounts).into_iter().filter_map(|hierarchy| {
            let (_, top) = place(&hierarchy, listing, "muster-0-web", systemd, |_| true)?;
            Some(top.to_string_lossy().into_owned())
        });
        places.collect()
    }

    #[test]
    fn without_systemd_a_machine_is_below_its_starters_group() {
        let listing = "4:cpuacct,cpu:/a\n3:memory:/session/x\n1:name=systemd:/\n0::/\n";
        assert_eq!(
            tops(HYBRID, listing, false),
            [
                "/sys/fs/cgroup/memory/session/x/muster/muster-0-web",
                "/sys/fs/cgroup/cpu,cpuacct/a/muster/muster-0-web",
                "/sys/fs/cgroup/systemd/muster/muster-0-web",
                "/sys/fs/cgroup/unified/muster/muster-0-web",
            ]
        );
        assert_eq!(tops(UNIFIED, "0::/job\n", false), ["/sys/fs/cgroup/job/muster/muster-0-web"]);
        // Moved out of its namespace, or into a group that is gone.
        assert_eq!(tops(UNIFIED, "0::/../other\n", false), ["/sys/fs/cgroup/muster/muster-0-web"]);
        let gone = place(&hierarchies(UNIFIED)[0], "0::/gone\n", "muster-0-web", false, |_| false).unwrap();
        assert_eq!(gone.1, Path::new("/sys/fs/cgroup/muster/muster-0-web"));
    }

    #[test]
    fn under_systemd_a_machine_is_below_its_keepers_service_only() {
        let unit = "0::/system.slice/muster-0-web.812-1.service\n";
        assert_eq!(tops(UNIFIED, unit, true), ["/sys/fs/cgroup/system.slice/muster-0-web.812-1.service"]);
        let hybrid = "4:cpuacct,cpu:/system.slice\n3:memory:/system.slice/muster-0-web.812-1.service\n\
                      1:name=systemd:/system.slice/muster-0-web.812-1.service\n0::/system.slice/muster-0-web.812-1.service\n";
        assert_eq!(
            tops(HYBRID, hybrid, true),
            [
                "/sys/fs/cgroup/systemd/system.slice/muster-0-web.812-1.service",
                "/sys/fs/cgroup/unified/system.slice/muster-0-web.812-1.service",
            ]
        );
        for elsewhere in ["0::/\n", "0::/user.slice\n", "0::/system.slice/muster-0-web-2.812-1.service\n"] {
            assert_eq!(tops(UNIFIED, elsewhere, true), Vec::<String>::new(), "{elsewhere}");
        }
    }

    #[test]
    fn a_controller_is_handed_down_level_by_level() {
        let shown = |from: &str, top: &str| -> Vec<String> {
            let levels = levels(Path::new(from), Path::new(top));
            levels.iter().map(|level| level.to_string_lossy().into_owned()).collect()
        };
        assert_eq!(
            shown("/sys/fs/cgroup", "/sys/fs/cgroup/muster/muster-0-web"),
            ["/sys/fs/cgroup", "/sys/fs/cgroup/muster", "/sys/fs/cgroup/muster/muster-0-web"]
        );
        assert_eq!(shown("/c/u.service", "/c/u.service"), ["/c/u.service"]);
    }
}
