//! Memory and disk as people write them, and what is provably no size.
//!
//! `GiB` and `GB` both mean the provider's own unit: `40 GiB` is what the provider calls 40.

use crate::diagnostic::{nearest, shown};
use crate::server::Size;

/// The most cores that are believed.
pub const CPU_MAX: u32 = 1_024;
/// The most memory that is believed, in MB: 64 TiB.
pub const RAM_MB_MAX: u32 = 67_108_864;
/// The largest disk that is believed, in GB: 1 PiB.
pub const DISK_GB_MAX: u32 = 1_048_576;
/// The kind of disk where the file does not say.
pub const DISK_TYPE_DEFAULT: &str = "SSD";
/// Kinds of disk that are known.
const DISK_TYPES: &[&str] = &["SSD", "SAS", "HDD"];

/// What is wrong with a size, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SizeProblem {
    /// What is wrong.
    pub message: String,
    /// What to try.
    pub help: Option<String>,
}

fn problem(message: impl Into<String>, help: impl Into<String>) -> SizeProblem {
    SizeProblem { message: message.into(), help: Some(help.into()) }
}

/// Memory, in the provider's MB: `4 GiB`, `4096 MB`, `1.5G`.
///
/// # Errors
/// What is wrong, in words.
pub fn ram_mb(text: &str) -> Result<u32, SizeProblem> {
    let (mb, rest) = quantity(text, "4 GiB")?;
    if !rest.is_empty() {
        return Err(problem(format!("`{}` stands after the amount of memory", shown(rest)), "write `4 GiB`"));
    }
    within(mb, 1, RAM_MB_MAX, "memory", "MB")
}

/// A disk: its size in the provider's GB and the kind, upper case: `40 GiB ssd`.
///
/// # Errors
/// What is wrong, in words.
pub fn disk(text: &str) -> Result<(u32, String), SizeProblem> {
    let (mb, rest) = quantity(text, "40 GiB ssd")?;
    if mb % 1_024 != 0 {
        return Err(problem("a disk has whole GB", "write `40 GiB ssd`"));
    }
    let gb = within(mb / 1_024, 1, DISK_GB_MAX, "a disk", "GB")?;
    if rest.is_empty() {
        return Ok((gb, DISK_TYPE_DEFAULT.to_owned()));
    }
    Ok((gb, disk_kind(rest)?))
}

/// A kind of disk, upper case.
///
/// # Errors
/// What is wrong, in words.
pub fn disk_kind(word: &str) -> Result<String, SizeProblem> {
    let kind = word.to_uppercase();
    if DISK_TYPES.contains(&kind.as_str()) {
        return Ok(kind);
    }
    let help = match nearest(&kind, DISK_TYPES.iter().copied()) {
        Some(near) => format!("did you mean `{}`?", near.to_lowercase()),
        None => "kinds of disk are `ssd`, `sas` and `hdd`".to_owned(),
    };
    Err(problem(format!("`{}` is no kind of disk", shown(word)), help))
}

fn within(value: u64, least: u32, most: u32, what: &str, unit: &str) -> Result<u32, SizeProblem> {
    match u32::try_from(value) {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(SizeProblem {
            message: format!("{what} of {value} {unit} is not believable; it is {least} to {most} {unit}"),
            help: None,
        }),
    }
}

/// An amount in MB, and what stands after its unit.
fn quantity<'a>(text: &'a str, example: &str) -> Result<(u64, &'a str), SizeProblem> {
    let text = text.trim();
    let digits = text.find(|char: char| !(char.is_ascii_digit() || char == '.')).unwrap_or(text.len());
    let (number, rest) = text.split_at(digits);
    if text.starts_with('-') {
        return Err(problem(format!("`{}` is less than nothing", shown(text)), format!("write `{example}`")));
    }
    if number.is_empty() || number.len() > 12 || number.starts_with('.') || number.ends_with('.') {
        return Err(problem(
            format!("`{}` does not start with an amount", shown(text)),
            format!("write `{example}`"),
        ));
    }
    let rest = rest.trim_start();
    let word = rest.find(|char: char| !char.is_ascii_alphabetic()).unwrap_or(rest.len());
    let (unit, after) = rest.split_at(word);
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "mib" | "mb" | "m" => 1,
        "gib" | "gb" | "g" => 1_024,
        "tib" | "tb" | "t" => 1_048_576,
        "" => {
            return Err(problem(
                format!("`{}` does not say its unit", shown(text)),
                format!("write `{number} GiB` or `{number} MiB`"),
            ));
        }
        other => {
            return Err(problem(
                format!("`{}` is no unit of memory or disk", shown(other)),
                format!("units are MiB, GiB and TiB; write `{example}`"),
            ));
        }
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let not_exact =
        || problem(format!("`{}` is not a whole number of MB", shown(text)), format!("write `{example}`"));
    if fraction.len() > 6 || fraction.contains('.') {
        return Err(not_exact());
    }
    let scale = 10_u64.pow(u32::try_from(fraction.len()).unwrap_or(0));
    let parsed = |digits: &str| if digits.is_empty() { Some(0) } else { digits.parse::<u64>().ok() };
    let total = parsed(whole)
        .and_then(|whole| whole.checked_mul(scale))
        .zip(parsed(fraction))
        .and_then(|(whole, fraction)| whole.checked_add(fraction))
        .and_then(|scaled| scaled.checked_mul(factor))
        .ok_or_else(not_exact)?;
    if total % scale != 0 {
        return Err(not_exact());
    }
    Ok((total / scale, after.trim()))
}

/// What 1cloud would refuse about a size: its documented ranges, widened by what ict sent successfully
/// (`spec/onecloud-api.md` §1.3). Empty = nothing known to be wrong. Image and pool have limits of their own.
pub fn onecloud_size_problems(size: &Size) -> Vec<String> {
    let mut problems = Vec::new();
    if !(1..=16).contains(&size.cpu) {
        problems.push(format!("1cloud has 1 to 16 cores, not {}", size.cpu));
    }
    if !(512..=16_384).contains(&size.ram_mb) {
        problems.push(format!("1cloud has 512 to 16384 MB of memory, not {}", size.ram_mb));
    } else if size.ram_mb <= 1_024 && !size.ram_mb.is_multiple_of(256) {
        problems.push(format!("up to 1024 MB 1cloud has memory in steps of 256 MB, not {}", size.ram_mb));
    } else if size.ram_mb > 1_024 && !size.ram_mb.is_multiple_of(1_024) {
        problems.push(format!("above 1024 MB 1cloud has memory in steps of 1024 MB, not {}", size.ram_mb));
    }
    if !(10..=250).contains(&size.disk_gb) || !size.disk_gb.is_multiple_of(10) {
        problems.push(format!("1cloud has disks of 10 to 250 GB in steps of 10, not {}", size.disk_gb));
    }
    problems
}

/// The least memory of a machine of this computer, in MB: below it systemd, sshd and Ansible's Python do not fit.
pub const LOCAL_RAM_MB_MIN: u32 = 128;

/// What a machine of this computer cannot be. Memory is a limit that it is given; cores, disk and pool are only
/// written down, so that a file of a cloud account fits a laptop too.
pub fn local_size_problems(size: &Size) -> Vec<String> {
    let mut problems = Vec::new();
    if size.cpu == 0 {
        problems.push("a machine of this computer has at least 1 core, not 0".to_owned());
    }
    if size.ram_mb < LOCAL_RAM_MB_MIN {
        problems.push(format!(
            "a machine of this computer needs at least {LOCAL_RAM_MB_MIN} MB of memory, not {}",
            size.ram_mb
        ));
    }
    if size.disk_gb == 0 {
        problems.push("a machine of this computer has a disk of at least 1 GB, not 0".to_owned());
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::Performance;

    #[test]
    fn memory_as_people_write_it() {
        for (text, mb) in [
            ("4 GiB", 4096),
            ("4096 MB", 4096),
            ("4G", 4096),
            ("1.5 GiB", 1536),
            ("0.5gb", 512),
            ("512MiB", 512),
            ("1 TiB", 1_048_576),
        ] {
            assert_eq!(ram_mb(text), Ok(mb), "{text}");
        }
        for bad in [
            "",
            "4",
            "4 Gib ssd",
            "four",
            "-4 GiB",
            "0 GiB",
            "1.0001 MiB",
            "4 KiB",
            "9999999 TiB",
            "1.2.3 GiB",
            ".",
        ] {
            assert!(ram_mb(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn disks_as_people_write_them() {
        assert_eq!(disk("40 GiB ssd"), Ok((40, "SSD".to_owned())));
        assert_eq!(disk("40GB SAS"), Ok((40, "SAS".to_owned())));
        assert_eq!(disk("100 GiB"), Ok((100, "SSD".to_owned())));
        assert_eq!(disk("40 GiB sdd").unwrap_err().help.unwrap(), "did you mean `ssd`?");
        assert!(disk("40.5 GiB").is_err());
        assert!(disk("40").is_err());
    }

    fn size(cpu: u32, ram_mb: u32, disk_gb: u32) -> Size {
        Size { cpu, ram_mb, disk_gb, disk_type: "SSD".to_owned(), performance: Performance::Base }
    }

    #[test]
    fn what_this_computer_cannot_hold() {
        assert_eq!(local_size_problems(&size(64, 128, 45)), Vec::<String>::new());
        assert_eq!(local_size_problems(&size(0, 127, 0)).len(), 3);
    }

    #[test]
    fn what_1cloud_would_refuse() {
        for good in [size(1, 512, 10), size(16, 16_384, 250), size(2, 768, 40), size(2, 3_072, 60)] {
            assert_eq!(onecloud_size_problems(&good), Vec::<String>::new(), "{good:?}");
        }
        for bad in [
            size(17, 1_024, 10),
            size(1, 500, 10),
            size(1, 1_536, 10),
            size(1, 1_024, 45),
            size(1, 32_768, 10),
        ] {
            assert_eq!(onecloud_size_problems(&bad).len(), 1, "{bad:?}");
        }
        assert_eq!(onecloud_size_problems(&size(0, 0, 0)).len(), 3);
    }
}
