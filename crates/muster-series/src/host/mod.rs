//! What a machine says about itself through node_exporter: the few numbers a person asks for first.
//!
//! The families are node_exporter's own (`node_cpu_seconds_total`, `node_memory_MemTotal_bytes`, …). Shares and
//! rates need two scrapes; everything else comes from the newer one. Counters that went back (a reboot, a restart
//! of the exporter) count from zero again, as Prometheus' `increase` does.

use std::collections::HashMap;

use crate::{Exposition, Sample};

/// File systems that are memory, kernel windows or copies of another one, not room for data.
const UNREAL_FILESYSTEMS: [&str; 16] = [
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "devpts",
    "devtmpfs",
    "fuse.lxcfs",
    "mqueue",
    "nsfs",
    "proc",
    "ramfs",
    "rpc_pipefs",
    "squashfs",
    "sysfs",
    "tmpfs",
];

/// Devices whose traffic is no traffic of the machine.
const UNREAL_DISKS: [&str; 4] = ["loop", "ram", "sr", "zram"];

/// One mounted file system that can hold data.
#[derive(Debug, Clone, PartialEq)]
pub struct Filesystem {
    /// Where it is mounted.
    pub mountpoint: String,
    /// The device or its name.
    pub device: String,
    /// `ext4`, `xfs`, `overlay`, …
    pub kind: String,
    /// Size, bytes.
    pub size_bytes: f64,
    /// What an ordinary user may still write, bytes.
    pub available_bytes: f64,
}

impl Filesystem {
    /// Share in use, 0 to 1.
    pub fn used_share(&self) -> f64 {
        if self.size_bytes > 0.0 {
            (1.0 - self.available_bytes / self.size_bytes).clamp(0.0, 1.0)
        } else {
            0.0
        }
    }
}

/// Bytes in both directions of one kind of device, all devices together.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Traffic {
    /// Read from disk, or received from the network: bytes since boot.
    pub in_bytes_total: f64,
    /// Written, or sent: bytes since boot.
    pub out_bytes_total: f64,
    /// Bytes a second between the two scrapes, if there were two.
    pub in_bytes_per_second: Option<f64>,
    /// Bytes a second between the two scrapes, if there were two.
    pub out_bytes_per_second: Option<f64>,
}

/// Who the machine says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uname {
    /// Host name.
    pub nodename: String,
    /// `Linux`.
    pub sysname: String,
    /// Kernel release.
    pub release: String,
    /// `x86_64`, `aarch64`, …
    pub machine: String,
}

/// One machine at one time. `None` means: the exporter did not say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HostSummary {
    /// Share of processor time that was not idle between the two scrapes, 0 to 1.
    pub cpu_busy_share: Option<f64>,
    /// Number of processors.
    pub cpu_count: usize,
    /// Load averages over 1, 5 and 15 minutes.
    pub load: Option<[f64; 3]>,
    /// Memory, bytes.
    pub memory_total_bytes: Option<f64>,
    /// Memory that programs could still get, bytes.
    pub memory_available_bytes: Option<f64>,
    /// Real file systems, by mount point.
    pub filesystems: Vec<Filesystem>,
    /// Disks.
    pub disk: Traffic,
    /// Network, without loopback.
    pub network: Traffic,
    /// Boot, seconds since 1970.
    pub boot_time_seconds: Option<f64>,
    /// The machine's clock at the scrape, seconds since 1970.
    pub time_seconds: Option<f64>,
    /// Who it says it is.
    pub uname: Option<Uname>,
}

/// Sums up one machine from its newest scrape and, for shares and rates, one before.
///
/// `first` alone gives what one scrape can give; with `second` (the later one) everything is told as of `second`.
pub fn host_summary(first: &Exposition, second: Option<&Exposition>) -> HostSummary {
    let newest = second.unwrap_or(first);
    let pair = second.map(|later| Pair::new(first, later));
    HostSummary {
        cpu_busy_share: pair.as_ref().and_then(Pair::cpu_busy_share),
        cpu_count: cpu_count(newest),
        load: load(newest),
        memory_total_bytes: newest.value("node_memory_MemTotal_bytes"),
        memory_available_bytes: newest.value("node_memory_MemAvailable_bytes"),
        filesystems: filesystems(newest),
        disk: traffic(
            newest,
            pair.as_ref(),
            ["node_disk_read_bytes_total", "node_disk_written_bytes_total"],
            is_real_disk,
        ),
        network: traffic(
            newest,
            pair.as_ref(),
            ["node_network_receive_bytes_total", "node_network_transmit_bytes_total"],
            is_real_interface,
        ),
        boot_time_seconds: newest.value("node_boot_time_seconds"),
        time_seconds: newest.value("node_time_seconds"),
        uname: uname(newest),
    }
}

/// Two scrapes of one machine.
struct Pair<'e> {
    earlier: &'e Exposition,
    later: &'e Exposition,
    /// The machine was booted in between: every counter of it began again.
    rebooted: bool,
}

impl<'e> Pair<'e> {
    fn new(earlier: &'e Exposition, later: &'e Exposition) -> Pair<'e> {
        // The boot time is computed from the clock and may shake by a second.
        const BOOT_TIME_SHAKE_SECONDS: f64 = 2.0;
        let boots = earlier.value("node_boot_time_seconds").zip(later.value("node_boot_time_seconds"));
        let rebooted = boots.is_some_and(|(before, after)| after - before > BOOT_TIME_SHAKE_SECONDS);
        Pair { earlier, later, rebooted }
    }

    /// How much each counter of a family grew, with its sample.
    fn growth(&self, name: &str) -> impl Iterator<Item = (&'e Sample, f64)> {
        let rebooted = self.rebooted;
        let mut before: HashMap<Vec<(&str, &str)>, f64> = HashMap::new();
        for sample in self.earlier.samples(name) {
            before.insert(key(sample), sample.value);
        }
        self.later.samples(name).iter().filter_map(move |sample| {
            let grown = match before.get(&key(sample)) {
                Some(earlier) if !rebooted && sample.value >= *earlier => sample.value - earlier,
                // Went back, or the whole machine began again: it counts from zero.
                Some(_) => sample.value,
                // New since the first scrape: how long it has been counting is not known.
                None => return None,
            };
            grown.is_finite().then_some((sample, grown))
        })
    }

    fn cpu_busy_share(&self) -> Option<f64> {
        let (mut idle, mut all) = (0.0, 0.0);
        for (sample, grown) in self.growth("node_cpu_seconds_total") {
            all += grown;
            if sample.label("mode") == Some("idle") {
                idle += grown;
            }
        }
        (all > 0.0).then(|| (1.0 - idle / all).clamp(0.0, 1.0))
    }

    /// Time over which the counters grew: between the scrapes, or since boot if that is shorter.
    fn seconds(&self) -> Option<f64> {
        let now = self.later.value("node_time_seconds")?;
        let mut from = self.earlier.value("node_time_seconds")?;
        if self.rebooted {
            from = from.max(self.later.value("node_boot_time_seconds")?);
        }
        (now > from).then_some(now - from)
    }
}

fn key(sample: &Sample) -> Vec<(&str, &str)> {
    let mut labels: Vec<_> =
        sample.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    labels.sort_unstable();
    labels
}

fn cpu_count(newest: &Exposition) -> usize {
    let samples = newest.samples("node_cpu_seconds_total");
    samples.iter().filter(|sample| sample.label("mode") == Some("idle")).count()
}

fn load(newest: &Exposition) -> Option<[f64; 3]> {
    Some([newest.value("node_load1")?, newest.value("node_load5")?, newest.value("node_load15")?])
}

fn filesystems(newest: &Exposition) -> Vec<Filesystem> {
    let mut available: HashMap<(&str, &str), f64> = HashMap::new();
    for sample in newest.samples("node_filesystem_avail_bytes") {
        if let Some(place) = sample.label("mountpoint") {
            available.insert((place, sample.label("device").unwrap_or("")), sample.value);
        }
    }
    let mut all: Vec<Filesystem> = newest
        .samples("node_filesystem_size_bytes")
        .iter()
        .filter_map(|sample| {
            let kind = sample.label("fstype").unwrap_or("");
            let mountpoint = sample.label("mountpoint")?;
            let device = sample.label("device").unwrap_or("");
            let real = !UNREAL_FILESYSTEMS.contains(&kind) && sample.value > 0.0;
            real.then(|| Filesystem {
                mountpoint: mountpoint.to_owned(),
                device: device.to_owned(),
                kind: kind.to_owned(),
                size_bytes: sample.value,
                available_bytes: available.get(&(mountpoint, device)).copied().unwrap_or(0.0),
            })
        })
        .collect();
    all.sort_by(|one, other| one.mountpoint.cmp(&other.mountpoint));
    all
}

fn traffic(
    newest: &Exposition,
    pair: Option<&Pair<'_>>,
    names: [&str; 2],
    real: fn(&str) -> bool,
) -> Traffic {
    let is_real = |sample: &Sample| sample.label("device").is_some_and(real);
    let total = |name: &str| -> f64 {
        newest.samples(name).iter().filter(|sample| is_real(sample)).map(|sample| sample.value).sum()
    };
    let rate = |name: &str| -> Option<f64> {
        let pair = pair?;
        let grown: f64 =
            pair.growth(name).filter(|(sample, _)| is_real(sample)).map(|(_, grown)| grown).sum();
        Some(grown / pair.seconds()?)
    };
    Traffic {
        in_bytes_total: total(names[0]),
        out_bytes_total: total(names[1]),
        in_bytes_per_second: rate(names[0]),
        out_bytes_per_second: rate(names[1]),
    }
}

fn is_real_disk(device: &str) -> bool {
    !UNREAL_DISKS.iter().any(|prefix| {
        device.strip_prefix(prefix).is_some_and(|number| number.starts_with(|c: char| c.is_ascii_digit()))
    })
}

fn is_real_interface(device: &str) -> bool {
    device != "lo"
}

fn uname(newest: &Exposition) -> Option<Uname> {
    let sample = newest.samples("node_uname_info").first()?;
    let label = |name: &str| sample.label(name).unwrap_or("").to_owned();
    Some(Uname {
        nodename: label("nodename"),
        sysname: label("sysname"),
        release: label("release"),
        machine: label("machine"),
    })
}
