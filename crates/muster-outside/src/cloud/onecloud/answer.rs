//! Reading the body of a successful answer into a model, or saying clearly why it cannot be read: which field,
//! what was expected there, and a short masked piece of the text around it.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::excerpt::{byte_at, excerpt, hide, looks_like_html};
use super::judge::{Unreadable, is_missing, message, without_mark};
use super::request::Ask;

/// Reads a body as `T`, borrowing from it.
pub fn read<'body, T: Deserialize<'body>>(
    ask: &Ask,
    body: &'body [u8],
    hidden: &[&str],
) -> Result<T, Unreadable> {
    let body = without_mark(body);
    serde_json::from_slice(body).map_err(|error| unreadable(ask, body, &error, hidden))
}

/// Accepts the answer to a change whose content does not matter: nothing, or any data that is no complaint.
pub fn acknowledge(ask: &Ask, body: &[u8], hidden: &[&str]) -> Result<(), Unreadable> {
    let body = without_mark(body);
    if body.trim_ascii().is_empty() {
        return Ok(());
    }
    let _: IgnoredAny = read(ask, body, hidden)?;
    match message(body) {
        // An Action has no `Message`; what has one complains under a status of success.
        Some(_) => Err(complaint(ask, body, hidden)),
        None => Ok(()),
    }
}

/// Reads whatever data an answer holds, unless it is a complaint under a status of success.
pub fn value(ask: &Ask, body: &[u8], hidden: &[&str]) -> Result<serde_json::Value, Unreadable> {
    let value = read(ask, body, hidden)?;
    match message(without_mark(body)) {
        Some(_) => Err(complaint(ask, without_mark(body), hidden)),
        None => Ok(value),
    }
}

/// The amount of money: a bare number, possibly quoted.
pub fn amount(body: &[u8], hidden: &[&str]) -> Result<String, Unreadable> {
    let text = String::from_utf8_lossy(without_mark(body));
    let text = text.trim().trim_matches('"').trim();
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let plain =
        text.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ',' | '-' | '+' | ' ' | '\u{a0}'));
    if digits > 0 && plain && text.len() <= 40 {
        Ok(text.to_owned())
    } else if looks_like_html(body) {
        Err(Unreadable::Damaged(format!(
            "the answer is a web page, not data: {}",
            excerpt(body, None, hidden)
        )))
    } else {
        Err(Unreadable::Shape(format!("expected an amount of money, got: {}", excerpt(body, None, hidden))))
    }
}

fn complaint(ask: &Ask, body: &[u8], hidden: &[&str]) -> Unreadable {
    let says = super::excerpt::mask_words(&message(body).unwrap_or_default());
    let what = hide(format!("the provider answers with success but says: {says}"), hidden);
    if is_missing(ask, 200, body) { Unreadable::Missing(what) } else { Unreadable::Shape(what) }
}

fn unreadable(ask: &Ask, body: &[u8], error: &serde_json::Error, hidden: &[&str]) -> Unreadable {
    if body.trim_ascii().is_empty() {
        return Unreadable::Damaged("the answer is empty".to_owned());
    }
    if looks_like_html(body) {
        return Unreadable::Damaged(format!(
            "the answer is a web page, not data: {}",
            excerpt(body, None, hidden)
        ));
    }
    // A wrapped error has lost its category, so ask the text itself whether it is whole.
    if let Err(damage) = serde_json::from_slice::<IgnoredAny>(body) {
        let (how, place) = if damage.is_eof() {
            ("the answer is broken off", body.len())
        } else {
            ("the answer is not JSON", byte_at(body, damage.line(), damage.column()))
        };
        return Unreadable::Damaged(format!(
            "{how} at byte {place} of {}, after: {}",
            body.len(),
            excerpt(&body[..place], Some(place), hidden)
        ));
    }
    if message(body).is_some() {
        return complaint(ask, body, hidden);
    }
    let place = byte_at(body, error.line(), error.column());
    Unreadable::Shape(format!(
        "the answer has an unexpected shape: {}; near: {}",
        hide(reason(error), hidden),
        excerpt(body, Some(place), hidden)
    ))
}

/// serde's words without its position and without any text value, which it would repeat whole.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    match (text.find("string \""), text.rfind("\", expected")) {
        (Some(start), Some(end)) if start < end => format!("{}text{}", &text[..start], &text[end + 1..]),
        _ => text.chars().take(300).collect(),
    }
}
