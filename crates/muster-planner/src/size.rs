//! The provider's limits on sizes, checked before any request is sent (ICT-64).
//!
//! Only sizes that a request would carry are judged: a server that stands with an odd size is left alone.
//! Source: `spec/onecloud-api.md` §1.3; where the documented limit and the one seen in use differ, the wider one.

use muster_model::cloud::{SeenImage, SeenLocation};
use muster_model::server::{Performance, Size};

use crate::location::Problem;

const CPU_MAX: u32 = 16;
const RAM_MB_MAX: u32 = 16_384;
const RAM_MB_MIN_LINUX: u32 = 512;
const RAM_MB_MIN_WINDOWS: u32 = 1_024;
const RAM_MB_STEP_SMALL: u32 = 256;
const RAM_MB_STEP: u32 = 1_024;
const DISK_GB_MAX: u32 = 250;
const DISK_GB_MIN_LINUX: u32 = 10;
const DISK_GB_MIN_WINDOWS: u32 = 40;
const DISK_GB_STEP: u32 = 10;
const DISK_TYPES: &[&str] = &["SAS", "SSD"];
/// The places of this operator have one kind of disk only.
const SSD_ONLY_LOCATION_PREFIX: &str = "minsk";
const BACKUP_DAYS: &[u32] = &[0, 7, 14, 21, 28];

/// Whether an operating system's family is Windows.
pub(crate) fn is_windows(family: &str) -> bool {
    family.eq_ignore_ascii_case("windows")
}

/// Whether Muster provisions inside it: Linux, or not told.
pub(crate) fn is_linux(family: &str) -> bool {
    family.is_empty() || family.eq_ignore_ascii_case("linux")
}

/// Every limit that a size breaks at a place.
pub(crate) fn problems(size: &Size, family: &str, location: &SeenLocation) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut limit = |message: String| found.push(("size-limit", message));
    let windows = is_windows(family);
    if !(1..=CPU_MAX).contains(&size.cpu) {
        limit(format!("cpu is {}; the provider allows 1 to {CPU_MAX}.", size.cpu));
    }
    let ram_min = if windows { RAM_MB_MIN_WINDOWS } else { RAM_MB_MIN_LINUX };
    let step = if size.ram_mb <= RAM_MB_STEP { RAM_MB_STEP_SMALL } else { RAM_MB_STEP };
    if !(ram_min..=RAM_MB_MAX).contains(&size.ram_mb) {
        limit(format!(
            "ram is {} MB; the provider allows {ram_min} to {RAM_MB_MAX} MB for this system.",
            size.ram_mb
        ));
    } else if !size.ram_mb.is_multiple_of(step) {
        let below = size.ram_mb / step * step;
        limit(format!(
            "ram is {} MB; the provider has steps of {step} MB here: {below} or {}.",
            size.ram_mb,
            below + step
        ));
    }
    let disk_min = if windows { DISK_GB_MIN_WINDOWS } else { DISK_GB_MIN_LINUX };
    if !(disk_min..=DISK_GB_MAX).contains(&size.disk_gb) {
        limit(format!(
            "disk is {} GB; the provider allows {disk_min} to {DISK_GB_MAX} GB for this system.",
            size.disk_gb
        ));
    } else if !size.disk_gb.is_multiple_of(DISK_GB_STEP) {
        let below = size.disk_gb / DISK_GB_STEP * DISK_GB_STEP;
        limit(format!(
            "disk is {} GB; the provider has steps of {DISK_GB_STEP} GB: {below} or {}.",
            size.disk_gb,
            below + DISK_GB_STEP
        ));
    }
    let kind = size.disk_type.to_ascii_uppercase();
    if !DISK_TYPES.contains(&kind.as_str()) {
        limit(format!("the disk type is {kind}; the provider has {}.", DISK_TYPES.join(" and ")));
    } else if kind != "SSD" && location.technical.to_lowercase().starts_with(SSD_ONLY_LOCATION_PREFIX) {
        limit(format!("the disk type is {kind}; {} has SSD only.", location.technical));
    }
    found.extend(pool(size.performance, location));
    found
}

/// A pool that the place lacks.
fn pool(performance: Performance, location: &SeenLocation) -> Option<Problem> {
    let (has, other, other_exists) = match performance {
        Performance::Base => (location.base_pool, Performance::High, location.high_pool),
        Performance::High => (location.high_pool, Performance::Base, location.base_pool),
    };
    if has {
        return None;
    }
    let instead =
        if other_exists { format!(" Write `performance: {other}`, or") } else { " Choose".to_owned() };
    Some((
        "pool-missing",
        format!("The location {} has no {performance} pool.{instead} another location.", location.technical),
    ))
}

/// What only a creation asks of an image and a place.
pub(crate) fn creation_problems(
    size: &Size,
    backup_days: u32,
    image: &SeenImage,
    location: &SeenLocation,
) -> Vec<Problem> {
    let mut found = problems(size, &image.family, location);
    if size.disk_gb < image.disk_min_gb {
        found.push((
            "image-disk-minimum",
            format!(
                "disk is {} GB; the image {} needs at least {} GB.",
                size.disk_gb, image.technical, image.disk_min_gb
            ),
        ));
    }
    if !BACKUP_DAYS.contains(&backup_days) {
        found.push((
            "size-limit",
            format!("backups every {backup_days} days: the provider makes them every 7, 14, 21 or 28 days."),
        ));
    } else if backup_days > 0 && !location.backup {
        found.push(("backup-missing", format!("The location {} makes no backups.", location.technical)));
    }
    found
}
