//! Which shapes of servers the provider sells: steps, smallest and largest values, pools, disk types.

use super::catalog::{DataCentre, DiskType, Family};
use super::image::Image;
use super::object::Shape;
use super::refusal::Refusal;
use super::switches::Limits;

/// Refuses a shape that cannot be had from this image in this data centre.
pub(super) fn check(shape: &Shape, image: &Image, dc: &DataCentre, limits: &Limits) -> Result<(), Refusal> {
    if shape.cpu < 1 || shape.cpu > limits.cpu_max {
        return Err(Refusal::bad(format!("CPU must be from 1 to {}", limits.cpu_max)));
    }
    check_ram(shape.ram_mb, image.family, limits)?;
    check_hdd(shape.hdd_gb, image, limits)?;
    if dc.ssd_only && shape.hdd_type == DiskType::Sas {
        return Err(Refusal::bad(format!("HDDType SAS is not available in {}", dc.tech_title)));
    }
    if shape.high && !dc.high_pool {
        return Err(Refusal::bad(format!("{} has no high performance pool", dc.tech_title)));
    }
    if !shape.high && !dc.low_pool {
        return Err(Refusal::bad(format!("{} has no base performance pool", dc.tech_title)));
    }
    Ok(())
}

fn check_ram(ram_mb: u32, family: Family, limits: &Limits) -> Result<(), Refusal> {
    let min = match family {
        Family::Windows => 1024,
        Family::Linux | Family::Bsd => 512,
    };
    if ram_mb < min || ram_mb > limits.ram_mb_max {
        return Err(Refusal::bad(format!("RAM must be from {min} to {} MB", limits.ram_mb_max)));
    }
    let step = if ram_mb <= 1024 { 256 } else { 1024 };
    if !ram_mb.is_multiple_of(step) {
        return Err(Refusal::bad(format!("RAM must be a multiple of {step} MB")));
    }
    Ok(())
}

fn check_hdd(hdd_gb: u32, image: &Image, limits: &Limits) -> Result<(), Refusal> {
    let min = match image.family {
        Family::Windows => image.hdd_gb.max(40),
        Family::Linux | Family::Bsd => image.hdd_gb.max(10),
    };
    if hdd_gb < min || hdd_gb > limits.hdd_gb_max {
        return Err(Refusal::bad(format!(
            "HDD must be from {min} to {} GB for {}",
            limits.hdd_gb_max, image.name
        )));
    }
    if !hdd_gb.is_multiple_of(10) {
        return Err(Refusal::bad("HDD must be a multiple of 10 GB"));
    }
    Ok(())
}

/// Refuses a speed that a public network cannot have.
pub(super) fn check_public_bandwidth(speed: u32) -> Result<(), Refusal> {
    if (10..=1000).contains(&speed) && speed.is_multiple_of(10) {
        Ok(())
    } else {
        Err(Refusal::bad("Bandwidth must be from 10 to 1000 Mbit/s in steps of 10"))
    }
}

/// Refuses a link speed that the slider does not have.
pub(super) fn check_bandwidth(speed: u32) -> Result<(), Refusal> {
    if (10..=100).contains(&speed) && speed.is_multiple_of(10) {
        Ok(())
    } else {
        Err(Refusal::bad("Bandwidth must be from 10 to 100 Mbit/s in steps of 10"))
    }
}
