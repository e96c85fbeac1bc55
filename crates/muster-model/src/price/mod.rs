//! Prices of an account's provider, and what servers cost by them (`spec/onecloud-api.md` §1.7).
//!
//! The provider tells no prices, so a person writes them down. All arithmetic is exact: amounts are whole thousandths
//! of a currency, a month is rounded once, and what has no price is named and never counted as nothing. A server that
//! is stopped costs what it costs running: no other tariff is known.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cloud::SeenLocation;
use crate::server::{Performance, SeenServer, Size};

mod amount;
mod read;

pub use amount::{Amount, AmountProblem, PRICE_UNITS_MAX, days_left};
pub use read::read_prices;

/// Days that a month is reckoned with.
pub const MONTH_DAYS: u64 = 30;
/// Hours that a month is reckoned with.
pub const MONTH_HOURS: u64 = 720;
/// Months of a year.
pub const YEAR_MONTHS: u64 = 12;
/// The provider's word for the family of images that need a licence.
pub const WINDOWS: &str = "Windows";
/// Memory of one "GB" in the provider's MB.
const RAM_GB_MB: u128 = 1_024;
/// The period that the price of backups is for, in days.
const BACKUP_PERIOD_DAYS: u128 = 7;

/// What an account's servers cost, by place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceTable {
    /// The word behind every amount: `RUB`.
    pub currency: String,
    /// Prices by place: the provider's technical word, or its public title.
    pub locations: BTreeMap<String, LocationPrices>,
}

/// Prices of one place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocationPrices {
    /// The base pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<PoolPrices>,
    /// The high-performance pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<PoolPrices>,
    /// A GB of a disk that is backed up each seven days, a month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<Amount>,
    /// The licence of a Windows server, a month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows: Option<Amount>,
    /// A server's public address, a month; where it is left out, an address costs nothing of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Amount>,
}

/// Prices of one pool, each for a month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolPrices {
    /// A core.
    pub cpu: Amount,
    /// A GB of memory.
    pub ram: Amount,
    /// A GB of disk, by the kind of disk in upper case.
    pub disk: BTreeMap<String, Amount>,
}

/// What a server is paid for.
#[derive(Clone, Copy, Debug)]
pub struct Billed<'a> {
    /// Its size.
    pub size: &'a Size,
    /// Its place: the provider's technical word.
    pub location: &'a str,
    /// The family of its image.
    pub family: &'a str,
    /// Days between backups; 0 = none.
    pub backup_days: u32,
}

impl<'a> Billed<'a> {
    /// A server as seen. Whether it is backed up is not to be seen.
    pub fn of(server: &'a SeenServer, backup_days: u32) -> Billed<'a> {
        Billed { size: &server.size, location: &server.location, family: &server.family, backup_days }
    }
}

/// A server without a cost, and which prices are missing for that.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Unpriced {
    /// The server's name.
    pub server: String,
    /// In words: `no price for SAS disks at SdnSpb (base)`.
    pub missing: Vec<String>,
}

/// What a plan does to the monthly cost of its file's servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanCost {
    /// A month of the servers that are there.
    pub now: Amount,
    /// A month of the servers that are there afterwards.
    pub then: Amount,
    /// The word behind the amounts.
    pub currency: String,
    /// Servers that neither amount contains.
    #[serde(default)]
    pub unpriced: Vec<Unpriced>,
}

impl PriceTable {
    /// The prices of a place, by its technical word, or by a title that no other place has.
    pub fn place(&self, technical: &str, locations: &[SeenLocation]) -> Option<&LocationPrices> {
        let named = |word: &str| {
            let mut found =
                self.locations.iter().filter(|(key, _)| key.to_lowercase() == word.to_lowercase());
            found.next().map(|(_, prices)| prices)
        };
        if let Some(prices) = named(technical) {
            return Some(prices);
        }
        let of = locations.iter().find(|location| location.technical.eq_ignore_ascii_case(technical))?;
        [&of.title, &of.short].into_iter().filter(|title| !title.is_empty()).find_map(|title| {
            let lower = title.to_lowercase();
            let bears = |other: &&SeenLocation| {
                other.title.to_lowercase() == lower || other.short.to_lowercase() == lower
            };
            (locations.iter().filter(bears).count() == 1).then(|| named(title)).flatten()
        })
    }

    /// A month of a server, rounded to a thousandth.
    ///
    /// # Errors
    /// Every price that is missing for it, in words.
    pub fn month(&self, server: &Billed<'_>, locations: &[SeenLocation]) -> Result<Amount, Vec<String>> {
        let (size, at) = (server.size, server.location);
        let Some(prices) = self.place(at, locations) else {
            return Err(vec![format!("no prices for the location {at}")]);
        };
        let pool = match size.performance {
            Performance::Base => &prices.base,
            Performance::High => &prices.high,
        };
        let mut missing = Vec::new();
        let mut all = 0_u128;
        // Everything counts in parts of a thousandth that both divisions of the formula leave whole.
        const PARTS: u128 = RAM_GB_MB * BACKUP_PERIOD_DAYS;
        match pool {
            None => missing.push(format!("no prices for the {} pool at {at}", size.performance)),
            Some(pool) => {
                all += pool.cpu.wide() * u128::from(size.cpu) * PARTS;
                all += pool.ram.wide() * u128::from(size.ram_mb) * BACKUP_PERIOD_DAYS;
                match pool.disk.get(&size.disk_type.to_uppercase()) {
                    Some(price) => all += price.wide() * u128::from(size.disk_gb) * PARTS,
                    None => missing.push(format!(
                        "no price for {} disks at {at} ({})",
                        size.disk_type, size.performance
                    )),
                }
            }
        }
        match (server.backup_days, prices.backup) {
            (0, _) => {}
            (days, Some(price)) => {
                all += price.wide() * u128::from(size.disk_gb) * u128::from(days) * RAM_GB_MB;
            }
            (_, None) => missing.push(format!("no price for backups at {at}")),
        }
        if server.family.eq_ignore_ascii_case(WINDOWS) {
            match prices.windows {
                Some(price) => all += price.wide() * PARTS,
                None => missing.push(format!("no price for the licence of Windows at {at}")),
            }
        }
        all += prices.address.map_or(0, Amount::wide) * PARTS;
        if missing.is_empty() { Ok(Amount::rounded(all, PARTS)) } else { Err(missing) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(text: &str) -> Amount {
        Amount::parse(text).unwrap()
    }

    fn table() -> PriceTable {
        let pool = |cpu: &str, ram: &str, ssd: &str| PoolPrices {
            cpu: amount(cpu),
            ram: amount(ram),
            disk: BTreeMap::from([("SSD".to_owned(), amount(ssd))]),
        };
        let spb = LocationPrices {
            base: Some(pool("150", "200.50", "9.5")),
            high: Some(pool("240.001", "300", "12")),
            backup: Some(amount("1.25")),
            windows: Some(amount("700")),
            address: None,
        };
        let titled = LocationPrices { base: Some(pool("1", "1", "1")), ..LocationPrices::default() };
        PriceTable {
            currency: "RUB".into(),
            locations: BTreeMap::from([("SdnSpb".to_owned(), spb), ("DataSpace".to_owned(), titled)]),
        }
    }

    fn size(cpu: u32, ram_mb: u32, disk_gb: u32, performance: Performance) -> Size {
        Size { cpu, ram_mb, disk_gb, disk_type: "SSD".into(), performance }
    }

    fn month(size: &Size, location: &str, family: &str, backup_days: u32) -> Result<String, Vec<String>> {
        let billed = Billed { size, location, family, backup_days };
        table().month(&billed, &locations()).map(|amount| amount.to_string())
    }

    fn locations() -> Vec<SeenLocation> {
        let of = |technical: &str, title: &str| SeenLocation {
            technical: technical.into(),
            title: title.into(),
            short: String::new(),
            base_pool: true,
            high_pool: true,
            backup: true,
        };
        vec![of("SdnSpb", "Xelent"), of("DsMsk", "DataSpace"), of("A", "МТС"), of("B", "МТС")]
    }

    /// The formula of §1.7, by hand: 2 × 150 + 200.50 × 1 + 9.5 × 40 = 880.50.
    #[test]
    fn a_month_by_hand() {
        assert_eq!(month(&size(2, 1_024, 40, Performance::Base), "SdnSpb", "Linux", 0).unwrap(), "880.50");
        // Half a GB: 150 + 100.25 + 95.
        assert_eq!(month(&size(1, 512, 10, Performance::Base), "sdnspb", "Linux", 0).unwrap(), "345.25");
        // Backups each 14 days: + 14 / 7 × 1.25 × 40 = 100; Windows: + 700.
        assert_eq!(
            month(&size(2, 1_024, 40, Performance::Base), "SdnSpb", "windows", 14).unwrap(),
            "1680.50"
        );
        // Backups each 10 days: 10 / 7 × 1.25 × 10 = 17.857142…; 345.25 + 17.857 = 363.107.
        assert_eq!(month(&size(1, 512, 10, Performance::Base), "SdnSpb", "", 10).unwrap(), "363.107");
        // The high pool: 3 × 240.001 + 0.75 × 300 + 12 × 20.
        assert_eq!(month(&size(3, 768, 20, Performance::High), "SdnSpb", "Bsd", 0).unwrap(), "1185.003");
        let with_address = {
            let mut table = table();
            table.locations.get_mut("SdnSpb").unwrap().address = Some(amount("90.10"));
            let size = size(2, 1_024, 40, Performance::Base);
            table.month(&Billed { size: &size, location: "SdnSpb", family: "", backup_days: 0 }, &[]).unwrap()
        };
        assert_eq!(with_address.to_string(), "970.60");
    }

    /// Hour = month / 720 rounded to 0.1, day = month / 30, year = month × 12.
    #[test]
    fn hour_day_and_year_of_a_month() {
        let month = amount("880.50");
        assert_eq!(month.hour().to_string(), "1.20", "1.2229…");
        assert_eq!(month.day().to_string(), "29.35");
        assert_eq!(month.year().to_string(), "10566.00");
        assert_eq!(amount("36").hour().to_string(), "0.10", "0.05 is rounded up");
        assert_eq!(amount("35.999").hour().to_string(), "0.00");
    }

    /// A place is known by its public title too, if only one place has it.
    #[test]
    fn places_by_word_and_by_title() {
        let size = size(1, 1_024, 1, Performance::Base);
        assert_eq!(month(&size, "DsMsk", "", 0).unwrap(), "3.00");
        let mut ambiguous = table();
        let prices = ambiguous.locations["DataSpace"].clone();
        ambiguous.locations.insert("МТС".into(), prices);
        assert!(ambiguous.place("A", &locations()).is_none());
    }

    #[test]
    fn what_has_no_price_is_named_all_of_it() {
        let mut disk = size(1, 1_024, 10, Performance::Base);
        disk.disk_type = "SAS".into();
        assert_eq!(
            month(&disk, "DsMsk", "Windows", 7).unwrap_err(),
            [
                "no price for SAS disks at DsMsk (base)",
                "no price for backups at DsMsk",
                "no price for the licence of Windows at DsMsk"
            ]
        );
        let high = size(1, 1_024, 10, Performance::High);
        assert_eq!(month(&high, "DsMsk", "", 0).unwrap_err(), ["no prices for the high pool at DsMsk"]);
        assert_eq!(month(&high, "A", "", 0).unwrap_err(), ["no prices for the location A"]);
    }
}
