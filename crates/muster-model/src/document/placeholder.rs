//! `${var:x}`, `${env:NAME}` and `${secret:name}` inside text.
//!
//! `$${` stands for a literal `${`. What a placeholder may be used for is decided by whoever reads the
//! document; values that must not be seen are put in at the last moment, by [`resolve`].

use std::ops::Range;

use serde_json::Value as Json;

/// What a placeholder refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A variable of the document.
    Var,
    /// A variable of the caller's environment, as the caller sent it.
    Env,
    /// A sealed secret.
    Secret,
}

impl Kind {
    /// The word before the colon.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Var => "var",
            Kind::Env => "env",
            Kind::Secret => "secret",
        }
    }
}

/// One placeholder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Placeholder {
    /// What it refers to.
    pub kind: Kind,
    /// The name after the colon.
    pub name: String,
}

/// A piece of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// As it stands; `$${` is already `${`.
    Text(String),
    /// A placeholder.
    Placeholder(Placeholder),
}

/// Why text with `${` cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartProblem {
    /// The bytes inside the text.
    pub at: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to try.
    pub help: String,
}

const HELP: &str = "write `${var:name}`, `${env:NAME}` or `${secret:name}`; `$${` stands for a plain `${`";

/// Cuts text into its parts.
///
/// # Errors
/// The first `${…}` that is no placeholder.
pub fn parts(text: &str) -> Result<Vec<Part>, PartProblem> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut rest = 0;
    while let Some(found) = text[rest..].find("${") {
        let start = rest + found;
        if text[..start].ends_with('$') && start > rest {
            plain.push_str(&text[rest..start - 1]);
            plain.push_str("${");
            rest = start + 2;
            continue;
        }
        plain.push_str(&text[rest..start]);
        let Some(length) = text[start..].find('}') else {
            let message = "a `${` without its `}`".to_owned();
            return Err(PartProblem { at: start..text.len(), message, help: HELP.to_owned() });
        };
        let end = start + length + 1;
        let placeholder = one(&text[start + 2..end - 1]).map_err(|message| PartProblem {
            at: start..end,
            message,
            help: HELP.to_owned(),
        })?;
        if !plain.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut plain)));
        }
        parts.push(Part::Placeholder(placeholder));
        rest = end;
    }
    plain.push_str(&text[rest..]);
    if !plain.is_empty() || parts.is_empty() {
        parts.push(Part::Text(plain));
    }
    Ok(parts)
}

fn one(inner: &str) -> Result<Placeholder, String> {
    let inner_shown = crate::diagnostic::shown(inner);
    let (word, name) =
        inner.split_once(':').ok_or_else(|| format!("`${{{inner_shown}}}` does not say from where"))?;
    let kind = match word {
        "var" => Kind::Var,
        "env" => Kind::Env,
        "secret" => Kind::Secret,
        _ => return Err(format!("`${{{inner_shown}}}` refers to something unknown")),
    };
    let good = match kind {
        Kind::Var | Kind::Env => {
            !name.starts_with(|char: char| char.is_ascii_digit())
                && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_' || char == '-')
        }
        Kind::Secret => name.chars().all(|char| char.is_ascii_alphanumeric() || "_-./".contains(char)),
    };
    if name.is_empty() || !good {
        return Err(format!("`${{{inner_shown}}}` has no usable name"));
    }
    Ok(Placeholder { kind, name: name.to_owned() })
}

/// Text as it must be written so that [`parts`] gives it back.
pub fn escaped(text: &str) -> String {
    text.replace("${", "$${")
}

/// A JSON value with every placeholder in its texts replaced, and `$${` made `${`.
///
/// For the last moment before a step: `lookup` opens the sealed values. Keys of maps are left as they are.
///
/// # Errors
/// What `lookup` says; text that is not well formed is left as it stands (checking has refused it before).
pub fn resolve<E>(
    value: &Json,
    lookup: &mut dyn FnMut(&Placeholder) -> Result<String, E>,
) -> Result<Json, E> {
    Ok(match value {
        Json::String(text) => {
            let Ok(parts) = parts(text) else { return Ok(value.clone()) };
            let mut out = String::new();
            for part in &parts {
                match part {
                    Part::Text(text) => out.push_str(text),
                    Part::Placeholder(placeholder) => out.push_str(&lookup(placeholder)?),
                }
            }
            Json::String(out)
        }
        Json::Array(items) => {
            Json::Array(items.iter().map(|item| resolve(item, lookup)).collect::<Result<_, E>>()?)
        }
        Json::Object(entries) => Json::Object(
            entries
                .iter()
                .map(|(key, item)| Ok((key.clone(), resolve(item, lookup)?)))
                .collect::<Result<_, E>>()?,
        ),
        Json::Null | Json::Bool(_) | Json::Number(_) => value.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placeholder(kind: Kind, name: &str) -> Part {
        Part::Placeholder(Placeholder { kind, name: name.to_owned() })
    }

    #[test]
    fn cuts_text() {
        assert_eq!(parts("plain").unwrap(), [Part::Text("plain".into())]);
        assert_eq!(parts("${var:x}").unwrap(), [placeholder(Kind::Var, "x")]);
        assert_eq!(
            parts("a ${env:HOME}/${secret:db/pass} $${x}").unwrap(),
            [
                Part::Text("a ".into()),
                placeholder(Kind::Env, "HOME"),
                Part::Text("/".into()),
                placeholder(Kind::Secret, "db/pass"),
                Part::Text(" ${x}".into()),
            ]
        );
        for bad in ["${x}", "${var:}", "${var:1}", "${vra:x}", "${var:x", "${secret:a b}"] {
            assert!(parts(bad).is_err(), "{bad}");
        }
        assert_eq!(parts(&escaped("a ${b} $${c}")).unwrap(), [Part::Text("a ${b} $${c}".into())]);
    }

    #[test]
    fn resolves_deep_inside() {
        let value = serde_json::json!({"a": ["x${secret:s}y", 1], "b": {"c": "$${keep}"}});
        let got = resolve::<()>(&value, &mut |placeholder| Ok(format!("<{}>", placeholder.name)));
        assert_eq!(got, Ok(serde_json::json!({"a": ["x<s>y", 1], "b": {"c": "${keep}"}})));
        assert_eq!(resolve(&value, &mut |_| Err("no such secret")), Err("no such secret"));
    }
}
