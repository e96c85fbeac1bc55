//! Amounts of money: whole thousandths of a currency, never a fraction of a machine's.

use std::fmt;
use std::iter::Sum;

use serde::{Deserialize, Serialize};

use super::{MONTH_DAYS, MONTH_HOURS, YEAR_MONTHS};

/// The highest price that is believed, in whole units of a currency.
pub const PRICE_UNITS_MAX: u64 = 1_000_000;
/// Parts of one unit.
const PARTS: u64 = 1_000;
/// The thousandths that an hour is rounded to.
const HOUR_STEP: u128 = 100;

/// An amount in thousandths; written `1234.50`, or `0.125` where two digits do not suffice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Amount(u64);

/// Why a text is no price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountProblem {
    /// It has a minus.
    #[error("is less than nothing")]
    Negative,
    /// It has more than three decimals.
    #[error("has more than three decimals")]
    TooFine,
    /// It is beyond belief.
    #[error("is more than {PRICE_UNITS_MAX}")]
    TooMuch,
    /// It is something else.
    #[error("is no plain number, like 150 or 9.50")]
    NotPlain,
}

impl Amount {
    /// A price as written: `150`, `9.5`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Amount, AmountProblem> {
        let text = text.trim();
        let thousandths = match text.strip_prefix('-') {
            Some(rest) => return Err(plain(rest).map_or_else(|problem| problem, |_| AmountProblem::Negative)),
            None => plain(text)?,
        };
        match u64::try_from(thousandths) {
            Ok(found) if found <= PRICE_UNITS_MAX * PARTS => Ok(Amount(found)),
            _ => Err(AmountProblem::TooMuch),
        }
    }

    /// A quotient, rounded half up; what is beyond all money is as much as there can be.
    pub(super) fn rounded(all: u128, parts: u128) -> Amount {
        Amount(u64::try_from((all + parts / 2) / parts).unwrap_or(u64::MAX))
    }

    /// Its thousandths, with room for products.
    pub(super) fn wide(self) -> u128 {
        u128::from(self.0)
    }

    /// An hour of this month, rounded to a tenth.
    pub fn hour(self) -> Amount {
        let tenths = Amount::rounded(self.wide(), u128::from(MONTH_HOURS) * HOUR_STEP);
        Amount::rounded(tenths.wide() * HOUR_STEP, 1)
    }

    /// A day of this month.
    pub fn day(self) -> Amount {
        Amount::rounded(self.wide(), u128::from(MONTH_DAYS))
    }

    /// A year of this month.
    pub fn year(self) -> Amount {
        Amount(self.0.saturating_mul(YEAR_MONTHS))
    }

    /// How it differs from an earlier amount, with its sign: `+12.00`, `-0.50`.
    pub fn since(self, earlier: Amount) -> String {
        match self.0.checked_sub(earlier.0) {
            Some(more) => format!("+{}", Amount(more)),
            None => format!("-{}", Amount(earlier.0 - self.0)),
        }
    }
}

/// Digits with at most three decimals, in thousandths.
fn plain(text: &str) -> Result<u128, AmountProblem> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.chars().all(|char| char.is_ascii_digit());
    if !digits(whole) || !digits(decimals) {
        return Err(AmountProblem::NotPlain);
    }
    let decimals = decimals.trim_end_matches('0');
    if decimals.len() > 3 {
        return Err(AmountProblem::TooFine);
    }
    let whole: u128 = whole.parse().map_err(|_| AmountProblem::TooMuch)?;
    let thousandths = format!("{decimals:0<3}").parse::<u128>().map_err(|_| AmountProblem::NotPlain)?;
    whole
        .checked_mul(u128::from(PARTS))
        .and_then(|whole| whole.checked_add(thousandths))
        .ok_or(AmountProblem::TooMuch)
}

/// For how many whole days a balance lasts at this cost a month. None where the balance is no plain number or nothing
/// costs anything. A balance below nothing lasts no day.
pub fn days_left(balance: &str, month: Amount) -> Option<u64> {
    let balance = balance.trim();
    let whole_of = |text: &str| {
        // Providers write more decimals than count for days.
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let cut = decimals.get(..decimals.len().min(3)).unwrap_or(decimals);
        plain(&format!("{whole}.{cut}")).ok().filter(|_| decimals.chars().all(|char| char.is_ascii_digit()))
    };
    let left = match balance.strip_prefix('-') {
        Some(debt) => whole_of(debt).map(|_| 0)?,
        None => whole_of(balance)?,
    };
    let days = left.checked_mul(u128::from(MONTH_DAYS))?.checked_div(month.wide())?;
    Some(u64::try_from(days).unwrap_or(u64::MAX))
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Amount>>(amounts: I) -> Amount {
        amounts.fold(Amount(0), |all, one| Amount(all.0.saturating_add(one.0)))
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (units, parts) = (self.0 / PARTS, self.0 % PARTS);
        match parts % 10 {
            0 => write!(out, "{units}.{:02}", parts / 10),
            _ => write!(out, "{units}.{parts:03}"),
        }
    }
}

impl From<Amount> for String {
    fn from(amount: Amount) -> String {
        amount.to_string()
    }
}

impl TryFrom<String> for Amount {
    type Error = AmountProblem;

    /// Any amount, also sums beyond what a single price may be.
    fn try_from(text: String) -> Result<Amount, AmountProblem> {
        u64::try_from(plain(&text)?).map(Amount).map_err(|_| AmountProblem::TooMuch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_as_people_write_them() {
        for (text, shown) in
            [("150", "150.00"), ("9.5", "9.50"), ("0.125", "0.125"), (" 1.5000 ", "1.50"), ("0", "0.00")]
        {
            assert_eq!(Amount::parse(text).unwrap().to_string(), shown, "{text}");
        }
        for (text, problem) in [
            ("-1", AmountProblem::Negative),
            ("-x", AmountProblem::NotPlain),
            ("1.0001", AmountProblem::TooFine),
            ("1000000.001", AmountProblem::TooMuch),
            (&"9".repeat(60), AmountProblem::TooMuch),
            ("", AmountProblem::NotPlain),
            ("1e3", AmountProblem::NotPlain),
            ("0x10", AmountProblem::NotPlain),
            ("1,5", AmountProblem::NotPlain),
            (".5", AmountProblem::NotPlain),
            ("1.", AmountProblem::NotPlain),
            ("+1", AmountProblem::NotPlain),
        ] {
            assert_eq!(Amount::parse(text), Err(problem), "{text}");
        }
    }

    #[test]
    fn sums_and_differences_are_exact() {
        let of = |text: &str| Amount::parse(text).unwrap();
        let tenth: Amount = (0..10).map(|_| of("0.1")).sum();
        assert_eq!(tenth, of("1"));
        assert_eq!((of("3").since(of("1.5")), of("1").since(of("1.001"))), ("+1.50".into(), "-0.001".into()));
        assert_eq!(of("2").since(of("2")), "+0.00");
        let huge = Amount(u64::MAX);
        assert_eq!([huge, huge].into_iter().sum::<Amount>(), huge, "never round the corner");
        let json = serde_json::to_string(&of("9.5")).unwrap();
        assert_eq!(json, "\"9.50\"");
        assert_eq!(serde_json::from_str::<Amount>(&json).unwrap(), of("9.5"));
        assert!(serde_json::from_str::<Amount>("\"-1\"").is_err());
    }

    /// ICT-67: balance / (month / 30), in whole days; what is no plain number tells nothing.
    #[test]
    fn days_that_a_balance_lasts() {
        let month = Amount::parse("300").unwrap();
        for (balance, days) in [
            ("100", Some(10)),
            ("99.99", Some(9)),
            ("100.1234567", Some(10)),
            ("-5", Some(0)),
            ("0", Some(0)),
            (" 20.00 ", Some(2)),
            ("", None),
            ("a lot", None),
            ("1 000", None),
            ("12.x", None),
        ] {
            assert_eq!(days_left(balance, month), days, "{balance}");
        }
        assert_eq!(days_left("100", Amount::default()), None, "nothing costs anything");
    }
}
