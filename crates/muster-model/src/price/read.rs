//! A price table as a document: YAML or JSON, every problem with its place.

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, Diagnostics, shown};
use crate::document::walk::{Walk, blame, field};
use crate::document::{Entry, Node, Span, Value, parse_bytes};
use crate::infrastructure::size::disk_kind;

use super::amount::Amount;
use super::{LocationPrices, PoolPrices, PriceTable};

/// The longest word for a currency, in characters.
const CURRENCY_CHARS_MAX: usize = 16;
/// The most places of one table.
const LOCATIONS_MAX: usize = 1_000;

const TOP: &[&str] = &["version", "currency", "locations"];
const LOCATION: &[&str] = &["base", "high", "backup", "windows", "address"];
const POOL: &[&str] = &["cpu", "ram", "disk"];

/// Reads a price table.
///
/// # Errors
/// Every problem of the file at once, sorted by place.
pub fn read_prices(file: &str, bytes: &[u8]) -> Result<PriceTable, Diagnostics> {
    let (source, root) = parse_bytes(file, bytes).map_err(|problem| Diagnostics::from(*problem))?;
    let mut walk = Walk::new(&source);
    let table = table(&mut walk, &root);
    let problems = walk.problems.sorted();
    if problems.has_errors() { Err(problems) } else { Ok(table) }
}

fn table(walk: &mut Walk<'_>, root: &Node) -> PriceTable {
    let mut table = PriceTable { currency: String::new(), locations: BTreeMap::new() };
    let start = Span::default();
    let Some(entries) = walk.map(root, start, "a price table") else { return table };
    walk.only(entries, "a price table", TOP, &[]);
    if let Some(version) = field(entries, "version") {
        walk.whole(version, "`version`", 1..=1);
    }
    match field(entries, "currency") {
        Some(entry) => table.currency = currency(walk, entry).unwrap_or_default(),
        None => walk.error_help(
            start,
            "missing-field",
            "the price table does not say its `currency`",
            "write the word to show behind amounts, e.g. `currency: RUB`",
        ),
    }
    let Some(locations) = field(entries, "locations") else {
        let help = "e.g. `locations: { SdnSpb: { base: { cpu: 150, ram: 200, disk: { ssd: 9.5 } } } }`";
        walk.error_help(start, "missing-field", "the price table has no `locations`", help);
        return table;
    };
    let Some(places) = walk.map(&locations.node, blame(locations), "`locations`") else { return table };
    let places: Vec<&Entry> = places.iter().filter(|place| !place.key.text.starts_with("x-")).collect();
    if places.is_empty() || places.len() > LOCATIONS_MAX {
        let message = format!("`locations` has 1 to {LOCATIONS_MAX} places, not {}", places.len());
        walk.error(locations.key.at, "out-of-range", message);
        return table;
    }
    for place in places {
        let word = place.key.text.trim().to_owned();
        let twice = table.locations.keys().find(|known| known.to_lowercase() == word.to_lowercase());
        if let Some(twice) = twice {
            let message = format!("`{}` and `{}` are one place", shown(twice), shown(&word));
            walk.error_help(
                place.key.at,
                "duplicate-name",
                message,
                "capitals do not count; keep one of them",
            );
            continue;
        }
        if let Some(prices) = location(walk, place) {
            table.locations.insert(word, prices);
        }
    }
    table
}

fn currency(walk: &mut Walk<'_>, entry: &Entry) -> Option<String> {
    let word = walk.text(&entry.node, blame(entry), "`currency`")?;
    let length = word.chars().count();
    if length > CURRENCY_CHARS_MAX {
        let message = format!("`currency` has at most {CURRENCY_CHARS_MAX} characters; this has {length}");
        walk.error_help(blame(entry), "too-long", message, "e.g. `currency: RUB`");
        return None;
    }
    Some(word)
}

fn location(walk: &mut Walk<'_>, place: &Entry) -> Option<LocationPrices> {
    let what = format!("the location `{}`", shown(&place.key.text));
    let entries = walk.map(&place.node, blame(place), &what)?;
    walk.only(entries, "a location", LOCATION, &[]);
    let mut pool_of = |word: &str| field(entries, word).and_then(|entry| pool(walk, entry));
    let (base, high) = (pool_of("base"), pool_of("high"));
    if field(entries, "base").is_none() && field(entries, "high").is_none() {
        let help = "e.g. `base: { cpu: 150, ram: 200, disk: { ssd: 9.5 } }`";
        walk.error_help(place.key.at, "missing-field", format!("{what} has neither `base` nor `high`"), help);
    }
    let mut price_of =
        |word: &str| field(entries, word).and_then(|entry| price(walk, entry, &format!("`{word}`")));
    Some(LocationPrices {
        base,
        high,
        backup: price_of("backup"),
        windows: price_of("windows"),
        address: price_of("address"),
    })
}

fn pool(walk: &mut Walk<'_>, entry: &Entry) -> Option<PoolPrices> {
    let what = format!("`{}`", entry.key.text);
    let entries = walk.map(&entry.node, blame(entry), &what)?;
    walk.only(entries, "a pool", POOL, &[]);
    for word in POOL.iter().filter(|word| field(entries, word).is_none()) {
        let message = format!("{what} does not say its price for `{word}`");
        walk.error_help(entry.key.at, "missing-field", message, "what costs nothing is written as 0");
    }
    let mut price_of =
        |word: &str| field(entries, word).and_then(|entry| price(walk, entry, &format!("`{word}`")));
    let (cpu, ram) = (price_of("cpu"), price_of("ram"));
    let mut disk = BTreeMap::new();
    if let Some(entry) = field(entries, "disk")
        && let Some(kinds) = walk.map(&entry.node, blame(entry), "`disk`")
    {
        if kinds.is_empty() {
            walk.error_help(entry.key.at, "empty", "`disk` has no kind of disk", "e.g. `disk: { ssd: 9.5 }`");
        }
        for kind in kinds {
            match disk_kind(&kind.key.text) {
                Ok(word) => {
                    if let Some(price) = price(walk, kind, &format!("`{}`", shown(&kind.key.text))) {
                        disk.insert(word, price);
                    }
                }
                Err(problem) => {
                    let place = walk.place(kind.key.at);
                    let diagnostic = Diagnostic::error("unknown-field", problem.message).at(place);
                    walk.problems.push(diagnostic.help_maybe(problem.help));
                }
            }
        }
    }
    Some(PoolPrices { cpu: cpu?, ram: ram?, disk })
}

fn price(walk: &mut Walk<'_>, entry: &Entry, what: &str) -> Option<Amount> {
    let at = blame(entry);
    let written = match &entry.node.value {
        Value::Int(_, _) | Value::Float(_, _) | Value::Text(_) => entry.node.spelling()?,
        Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) => {
            walk.wrong_kind(at, what, "a price", &entry.node);
            return None;
        }
    };
    match Amount::parse(written) {
        Ok(amount) => Some(amount),
        Err(problem) => {
            let message = format!("{what}: the price `{}` {problem}", shown(written));
            walk.error_help(at, "bad-price", message, "write the price of a month, e.g. `9.50`");
            None
        }
    }
}
