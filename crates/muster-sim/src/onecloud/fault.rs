//! Faults: what is bent, for which requests, how many times.
//!
//! The first rule that matches a request bends it and is used up by one. A rule may carry several faults at once
//! (a stranger takes the name *and* the answer is lost).

use serde_json::{Value, json};

/// One way to bend a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The effect happens; then the connection is closed without an answer.
    DropAnswerAfterEffect,
    /// The connection is closed without an answer; the effect comes that much later on the virtual clock.
    EffectAfterMs(u64),
    /// From this request on, for that long, lists show the world as it was that long ago.
    StaleListMs(u64),
    /// What the request does is done twice.
    DuplicateEffect,
    /// A stranger's server of the same name, with another shape, appears with a create.
    SameNameByStranger {
        /// Whether its `DateCreate` is a second after the create's instead of before it.
        newer: bool,
    },
    /// Nothing happens; the answer has this status and a `Message`.
    Status(u16),
    /// Nothing happens; the answer has this status and a JSON object without a `Message`.
    NoMessage(u16),
    /// Nothing happens and no answer comes until the connection closes (or the bound of hanging is reached).
    Hang,
    /// The effect happens, and no answer comes.
    HangAfterEffect,
    /// The effect happens; half of the JSON comes, as a complete answer.
    Truncated,
    /// Nothing happens; an HTML page comes, with this status.
    Html(u16),
    /// The actions that the request makes never end, until the faults are cleared.
    StuckAction,
    /// What the request makes (for good) or reads (this once) shows this word as its `State`.
    State(String),
}

/// Which requests are bent, how many of them, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultRule {
    /// Method, or `*`.
    pub method: String,
    /// Path in any case, perhaps with a `*` at its end for every continuation.
    pub path: String,
    /// Only requests whose body has this `Name` (`Title`, `UserName`), or whose path names an object of that name; for
    /// reading lists: only objects of this name show the `State` of the fault.
    pub name: Option<String>,
    /// How many more requests it bends.
    pub times: u64,
    /// How it bends them.
    pub faults: Vec<Fault>,
}

/// A fault that was not understood.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("fault: {0}")]
pub struct FaultError(pub String);

/// The longest delay that a fault may ask for: 30 days.
const FAULT_MS_MAX: u64 = 30 * 24 * 60 * 60 * 1000;
/// How often one rule may bend.
const FAULT_TIMES_MAX: u64 = 1_000_000;

impl FaultRule {
    /// A rule for one request.
    pub fn once(method: &str, path: &str, fault: Fault) -> FaultRule {
        FaultRule {
            method: method.to_owned(),
            path: path.to_owned(),
            name: None,
            times: 1,
            faults: vec![fault],
        }
    }

    /// Reads `{match: {method, path, name}, times, fault}`. `fault` is a word, an object of one word and its value,
    /// or a list of these. `times` is 1 when left out.
    pub fn from_json(value: &Value) -> Result<FaultRule, FaultError> {
        let object = value.as_object().ok_or_else(|| error("must be an object"))?;
        known(object.keys(), &["match", "times", "fault"])?;
        let empty = json!({});
        let matching = object.get("match").unwrap_or(&empty);
        let matching = matching.as_object().ok_or_else(|| error("match must be an object"))?;
        known(matching.keys(), &["method", "path", "name"])?;
        let text = |name: &str| match matching.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(error(&format!("match.{name} must be text"))),
        };
        let times = match object.get("times") {
            None | Some(Value::Null) => 1,
            Some(times) => times.as_u64().ok_or_else(|| error("times must be a whole number"))?,
        };
        if times == 0 || times > FAULT_TIMES_MAX {
            return Err(error(&format!("times must be from 1 to {FAULT_TIMES_MAX}")));
        }
        let faults = match object.get("fault") {
            None => return Err(error("fault is missing")),
            Some(Value::Array(list)) => list.iter().map(Fault::from_json).collect::<Result<_, _>>()?,
            Some(one) => vec![Fault::from_json(one)?],
        };
        Ok(FaultRule {
            method: text("method")?.unwrap_or_else(|| "*".to_owned()),
            path: text("path")?.unwrap_or_else(|| "*".to_owned()),
            name: text("name")?,
            times,
            faults,
        })
    }

    /// Whether the rule is about such a request. `path` has no query.
    pub(super) fn matches(&self, method: &str, path: &str) -> bool {
        let plain = |text: &str| text.trim_end_matches('/').to_lowercase();
        let path_fits = match self.path.strip_suffix('*') {
            Some(start) => path.to_lowercase().starts_with(&start.to_lowercase()),
            None => plain(path) == plain(&self.path),
        };
        path_fits && (self.method == "*" || self.method.eq_ignore_ascii_case(method))
    }
}

impl Fault {
    /// Reads a word, or an object of one word and its value.
    pub fn from_json(value: &Value) -> Result<Fault, FaultError> {
        let nothing = Value::Null;
        let (word, value) = match value {
            Value::String(word) => (word.as_str(), &nothing),
            Value::Object(object) if object.len() == 1 => {
                object.iter().next().map(|(word, value)| (word.as_str(), value)).unwrap_or(("", &nothing))
            }
            _ => return Err(error("a fault is a word, or an object of one word and its value")),
        };
        let wanted = |form: &str| error(&format!("{word} needs {form}"));
        let ms = || {
            let ms = value.as_u64().filter(|ms| *ms <= FAULT_MS_MAX);
            ms.ok_or_else(|| wanted(&format!("whole milliseconds, at most {FAULT_MS_MAX}")))
        };
        let status = || {
            let status = value.as_u64().and_then(|status| u16::try_from(status).ok());
            status
                .filter(|status| (200..600).contains(status))
                .ok_or_else(|| wanted("a status from 200 to 599"))
        };
        match word {
            "drop_answer_after_effect" => Ok(Fault::DropAnswerAfterEffect),
            "effect_after_ms" => ms().map(Fault::EffectAfterMs),
            "stale_list_ms" => ms().map(Fault::StaleListMs),
            "duplicate_effect" => Ok(Fault::DuplicateEffect),
            "same_name_by_stranger" => match value {
                Value::String(age) if age == "newer" => Ok(Fault::SameNameByStranger { newer: true }),
                Value::String(age) if age == "older" => Ok(Fault::SameNameByStranger { newer: false }),
                Value::Null | Value::Bool(true) => Ok(Fault::SameNameByStranger { newer: false }),
                _ => Err(wanted("older or newer")),
            },
            "status" => status().map(Fault::Status),
            "no_message" => status().map(Fault::NoMessage),
            "hang" => Ok(Fault::Hang),
            "hang_after_effect" => Ok(Fault::HangAfterEffect),
            "truncated" => Ok(Fault::Truncated),
            "html" if value.is_u64() => status().map(Fault::Html),
            "html" => Ok(Fault::Html(502)),
            "stuck_action" => Ok(Fault::StuckAction),
            "state" => {
                value.as_str().map(|word| Fault::State(word.to_owned())).ok_or_else(|| wanted("a word"))
            }
            _ => Err(error(&format!("no fault is called {word:?}"))),
        }
    }
}

fn error(text: &str) -> FaultError {
    FaultError(text.to_owned())
}

fn known<'a>(names: impl Iterator<Item = &'a String>, known: &[&str]) -> Result<(), FaultError> {
    for name in names {
        if !known.contains(&name.as_str()) {
            return Err(FaultError(format!("unknown field {name:?}; there are: {}", known.join(", "))));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_and_matched() {
        let rule = FaultRule::from_json(
            &json!({"match": {"method": "post", "path": "/Server*"}, "times": 2, "fault": {"status": 500}}),
        )
        .unwrap();
        assert_eq!(rule.faults, vec![Fault::Status(500)]);
        assert!(rule.matches("POST", "/server") && rule.matches("POST", "/SERVER/5/action"));
        assert!(!rule.matches("GET", "/server") && !rule.matches("POST", "/network"));
        let exact = FaultRule::once("*", "/server/", Fault::Hang);
        assert!(exact.matches("PUT", "/Server") && !exact.matches("PUT", "/server/5"));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for wrong in [
            json!({"fault": "explode"}),
            json!({"fault": {"status": 99}}),
            json!({"fault": "status"}),
            json!({"fault": {"effect_after_ms": -1}}),
            json!({"fault": "hang", "times": 0}),
            json!({"fault": "hang", "time": 1}),
            json!({"match": {"paht": "/"}, "fault": "hang"}),
            json!({"match": {"path": 5}, "fault": "hang"}),
            json!({}),
            json!([]),
        ] {
            assert!(FaultRule::from_json(&wrong).is_err(), "{wrong}");
        }
    }
}
