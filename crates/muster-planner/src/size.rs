//! The provider's limits on sizes, checked before any request is sent (ICT-64).
//!
//! Only sizes that a request would carry are judged: a server that stands with an odd size is left alone. The
//! ranges are the model's; here stands what depends on the place, the image and the system.
//! Source: `spec/onecloud-api.md` §1.3.

use muster_model::account::Provider;
use muster_model::cloud::{SeenImage, SeenLocation};
use muster_model::infrastructure::{local_size_problems, onecloud_size_problems};
use muster_model::server::{Performance, Size};

use crate::location::Problem;

const RAM_MB_MIN_WINDOWS: u32 = 1_024;
const DISK_GB_MIN_WINDOWS: u32 = 40;
/// Two documented ones, and one that an older client sent: the provider decides about it.
const DISK_TYPES: &[&str] = &["SSD", "SAS", "HDD"];
/// The places of this operator have one kind of disk only.
const SSD_ONLY_LOCATION_PREFIX: &str = "minsk";
const BACKUP_DAYS: &[u32] = &[0, 7, 14, 21, 28];

/// Whether an operating system's family is Windows.
fn is_windows(family: &str) -> bool {
    family.eq_ignore_ascii_case("windows")
}

/// Whether Muster provisions inside it: Linux, or not told.
pub(crate) fn is_linux(family: &str) -> bool {
    family.is_empty() || family.eq_ignore_ascii_case("linux")
}

/// Every limit that a size breaks at a place.
pub(crate) fn problems(
    provider: Provider,
    size: &Size,
    family: &str,
    location: &SeenLocation,
) -> Vec<Problem> {
    let messages = match provider {
        Provider::Onecloud => onecloud_messages(size, family, location),
        Provider::Local => local_size_problems(size),
    };
    let limits = messages
        .into_iter()
        .map(|message| ("size-limit", format!("{message}. Write another size in the file.")));
    limits.chain(pool(size.performance, location)).collect()
}

fn onecloud_messages(size: &Size, family: &str, location: &SeenLocation) -> Vec<String> {
    let mut messages = onecloud_size_problems(size);
    if is_windows(family) && size.ram_mb < RAM_MB_MIN_WINDOWS {
        messages
            .push(format!("Windows needs at least {RAM_MB_MIN_WINDOWS} MB of memory, not {}", size.ram_mb));
    }
    if is_windows(family) && size.disk_gb < DISK_GB_MIN_WINDOWS {
        messages
            .push(format!("Windows needs a disk of at least {DISK_GB_MIN_WINDOWS} GB, not {}", size.disk_gb));
    }
    let kind = size.disk_type.to_ascii_uppercase();
    if !DISK_TYPES.contains(&kind.as_str()) {
        messages.push(format!("1cloud has disks of the types {}, not {kind}", DISK_TYPES.join(", ")));
    } else if kind != "SSD" && location.technical.to_lowercase().starts_with(SSD_ONLY_LOCATION_PREFIX) {
        messages.push(format!("{} has disks of the type SSD only, not {kind}", location.technical));
    }
    messages
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
    provider: Provider,
    size: &Size,
    backup_days: u32,
    image: &SeenImage,
    location: &SeenLocation,
) -> Vec<Problem> {
    let mut found = problems(provider, size, &image.family, location);
    if size.disk_gb < image.disk_min_gb {
        found.push((
            "image-disk-minimum",
            format!(
                "The image {} needs a disk of at least {} GB, not {}. Write a larger one in the file.",
                image.technical, image.disk_min_gb, size.disk_gb
            ),
        ));
    }
    if provider == Provider::Onecloud && !BACKUP_DAYS.contains(&backup_days) {
        found.push((
            "size-limit",
            format!("1cloud makes backups every 7, 14, 21 or 28 days, not every {backup_days}. Write one of these in the file."),
        ));
    } else if backup_days > 0 && !location.backup {
        found.push((
            "backup-missing",
            format!(
                "The location {} makes no backups. Take them out of the file, or choose another location.",
                location.technical
            ),
        ));
    }
    found
}
