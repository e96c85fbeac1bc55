//! Scalars as 1cloud writes them: numbers and booleans as strings, ids as numbers or strings, `null` for "not
//! known", two forms of dates (`spec/onecloud-api.md` §1.1). Each type here accepts every such form and says in
//! plain words what it expected when it gets something else. Nothing is parsed twice and texts are borrowed.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use muster_model::Secret;
use muster_model::id::ProviderId;
use serde::de::{self, Deserialize, Deserializer, Visitor};

/// Longest piece of a value that an error repeats, in characters.
const SHOWN_MAX: usize = 40;

fn shown(text: &str) -> String {
    if text.chars().count() <= SHOWN_MAX {
        format!("{text:?}")
    } else {
        format!("{:?}…", text.chars().take(SHOWN_MAX).collect::<String>())
    }
}

/// Text; `null` is empty, a number or boolean is its spelling.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text<'a>(pub Cow<'a, str>);

impl Text<'_> {
    /// The text as an owned value.
    pub fn owned(&self) -> String {
        self.0.trim().to_owned()
    }
}

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Text<'de>;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("text")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Text::default())
            }
            fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(value.to_string())))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(value.to_string())))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(value.to_string())))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(value.to_string())))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// An identifier: a number or a non-empty string. Never `null`: an object without an id cannot be spoken about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Id(pub ProviderId);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Id;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an id (a number or text)")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Id, E> {
                match text.trim() {
                    "" => Err(E::custom("expected an id, got empty text")),
                    text => Ok(Id(ProviderId(text.to_owned()))),
                }
            }
            fn visit_u64<E>(self, value: u64) -> Result<Id, E> {
                Ok(Id(ProviderId(value.to_string())))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Id, E> {
                Ok(Id(ProviderId(value.to_string())))
            }
            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Id, E> {
                match whole(value) {
                    Some(value) => Ok(Id(ProviderId(value.to_string()))),
                    None => Err(E::custom(format!("expected an id, got {value}"))),
                }
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// A float that is a whole number which a float holds exactly.
pub(super) fn whole(value: f64) -> Option<i64> {
    (value.fract() == 0.0 && value.abs() < 9.0e15).then_some(value as i64)
}

/// A whole number from 0; `"2"`, `2` and `2.0` are the same, `null` and `""` are 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Whole(pub u32);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Whole;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a whole number")
            }
            fn visit_unit<E>(self) -> Result<Whole, E> {
                Ok(Whole(0))
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Whole, E> {
                u32::try_from(value)
                    .map(Whole)
                    .map_err(|_| E::custom(format!("the number {value} is too large")))
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Whole, E> {
                u32::try_from(value)
                    .map(Whole)
                    .map_err(|_| E::custom(format!("expected a whole number from 0, got {value}")))
            }
            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Whole, E> {
                match whole(value) {
                    Some(value) => self.visit_i64(value),
                    None => Err(E::custom(format!("expected a whole number, got {value}"))),
                }
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Whole, E> {
                let text = text.trim();
                if text.is_empty() {
                    return Ok(Whole(0));
                }
                if let Ok(value) = text.parse::<u32>() {
                    return Ok(Whole(value));
                }
                match text.parse::<f64>() {
                    Ok(value) => self.visit_f64(value),
                    Err(_) => Err(E::custom(format!("expected a whole number, got {}", shown(text)))),
                }
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// Yes or no: `true`, `"True"`, `"1"`, `1`; `null` and `""` are no.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flag(pub bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Flag;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("true or false")
            }
            fn visit_unit<E>(self) -> Result<Flag, E> {
                Ok(Flag(false))
            }
            fn visit_bool<E>(self, value: bool) -> Result<Flag, E> {
                Ok(Flag(value))
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Flag, E> {
                match value {
                    0 => Ok(Flag(false)),
                    1 => Ok(Flag(true)),
                    other => Err(E::custom(format!("expected true or false, got {other}"))),
                }
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Flag, E> {
                let text = text.trim();
                if text.is_empty() || text == "0" || text.eq_ignore_ascii_case("false") {
                    Ok(Flag(false))
                } else if text == "1" || text.eq_ignore_ascii_case("true") {
                    Ok(Flag(true))
                } else {
                    Err(E::custom(format!("expected true or false, got {}", shown(text))))
                }
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// A time, where one can be read. A date that cannot be read is *not known*, not an error: nothing that must
/// not go wrong depends on it alone, and zero dates (`0001-01-01T00:00:00`) are in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment(pub Option<Timestamp>);

/// What a date without an offset is taken to be: Moscow, whose offset the dates with one bear.
const OFFSET_UNSAID: Offset = Offset::constant(3);

impl Moment {
    fn read(text: &str) -> Moment {
        let text = text.trim();
        if let Ok(time) = text.parse::<Timestamp>() {
            return Moment(not_zero(time));
        }
        let time = text
            .parse::<DateTime>()
            .ok()
            .and_then(|time| TimeZone::fixed(OFFSET_UNSAID).to_timestamp(time).ok());
        Moment(time.and_then(not_zero))
    }
}

/// Dates before 1970 are somebody's zero.
fn not_zero(time: Timestamp) -> Option<Timestamp> {
    (time > Timestamp::UNIX_EPOCH).then_some(time)
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Text(text) = Text::deserialize(deserializer)?;
        Ok(Moment::read(&text))
    }
}

/// A password in clear text, which becomes a secret while it is read; `null` and `""` are none.
#[derive(Clone, Debug, Default)]
pub struct Clear(pub Option<Secret>);

impl<'de> Deserialize<'de> for Clear {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Clear;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("text")
            }
            fn visit_unit<E>(self) -> Result<Clear, E> {
                Ok(Clear(None))
            }
            fn visit_str<E>(self, text: &str) -> Result<Clear, E> {
                Ok(Clear((!text.is_empty()).then(|| Secret::new(text))))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Clear, E> {
                Ok(Clear(Some(Secret::new(value.to_string()))))
            }
            // Every other type is refused without its value: serde's own words would repeat it.
            fn visit_i64<E: de::Error>(self, _: i64) -> Result<Clear, E> {
                Err(E::custom("expected text, got a number"))
            }
            fn visit_f64<E: de::Error>(self, _: f64) -> Result<Clear, E> {
                Err(E::custom("expected text, got a number"))
            }
            fn visit_bool<E: de::Error>(self, _: bool) -> Result<Clear, E> {
                Err(E::custom("expected text, got true or false"))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_dates_are_read() {
        let at = |text: &str| Moment::read(text).0.map(|time| time.to_string());
        assert_eq!(at("2026-01-02T03:04:05.678901+03:00").unwrap(), "2026-01-02T00:04:05.678901Z");
        assert_eq!(at("2026-01-02T00:04:05Z").unwrap(), "2026-01-02T00:04:05Z");
        let fractions = ["6", "64", "641", "6412", "64123", "641234", "6412345"];
        for fraction in fractions {
            let read = at(&format!("2019-02-02T21:17:11.{fraction}")).unwrap();
            assert_eq!(read, format!("2019-02-02T18:17:11.{fraction}Z"));
        }
        assert_eq!(at("2019-02-02T21:17:11").unwrap(), "2019-02-02T18:17:11Z");
        for none in ["", "0001-01-01T00:00:00", "0001-01-01T00:00:00+03:00", "yesterday", "2019-13-40"] {
            assert_eq!(at(none), None, "{none}");
        }
    }

    #[test]
    fn numbers_and_booleans_may_be_text() {
        let number = |text: &str| serde_json::from_str::<Whole>(text).map(|n| n.0).map_err(|e| e.to_string());
        for two in ["2", "\"2\"", "2.0", "\" 2 \"", "\"2.0\""] {
            assert_eq!(number(two), Ok(2), "{two}");
        }
        assert_eq!(number("null"), Ok(0));
        assert!(number("-1").unwrap_err().contains("from 0"));
        assert!(number("4294967296").unwrap_err().contains("too large"));
        assert!(number("\"many\"").unwrap_err().contains("expected a whole number, got \"many\""));
        assert!(number("[]").unwrap_err().contains("expected a whole number"));
        let flag = |text: &str| serde_json::from_str::<Flag>(text).map(|n| n.0).map_err(|e| e.to_string());
        for yes in ["true", "\"true\"", "\"True\"", "1", "\"1\""] {
            assert_eq!(flag(yes), Ok(true), "{yes}");
        }
        for no in ["false", "\"False\"", "0", "null", "\"\""] {
            assert_eq!(flag(no), Ok(false), "{no}");
        }
        assert!(flag("\"maybe\"").unwrap_err().contains("true or false"));
    }
}
