//! The replacement of `${…}` in every text of a file's tree.
//!
//! `${var:x}` as a whole value keeps the variable's type; inside a longer text it becomes text. `${env:X}` is
//! what the caller sent. Where a secret may stand (variables of a playbook and of a build), `${secret:…}` *and*
//! `${env:…}` stay as they are written, so that no such value reaches a plan: they are resolved just
//! before the step (`document::resolve`).

use std::collections::BTreeSet;

use crate::diagnostic::{nearest, shown};
use crate::document::walk::Walk;
use crate::document::{Entry, Kind, Node, Part, Span, Value, escaped, parts};
use crate::id::SecretName;
use crate::infrastructure::check::{Inputs, Need};

use super::vars::Vars;

/// What the replacement met on its way.
#[derive(Debug, Default)]
pub(crate) struct Used {
    pub secrets: BTreeSet<SecretName>,
    pub env: BTreeSet<String>,
}

/// Replaces placeholders in the whole tree.
pub(crate) fn substitute(walk: &mut Walk<'_>, mut node: Node, vars: &Vars, inputs: &Inputs) -> (Node, Used) {
    let mut used = Used::default();
    let mut pass = Pass { walk, vars, inputs, used: &mut used };
    if let Value::Map(entries) = &mut node.value {
        for entry in entries.iter_mut() {
            match entry.key.text.as_str() {
                "vars" => {}
                "deploy" => pass.deploy(entry),
                key if key.starts_with("x-") => {}
                _ => pass.node(&mut entry.node, entry.key.at, false),
            }
        }
    }
    (node, used)
}

struct Pass<'p, 'w> {
    walk: &'p mut Walk<'w>,
    vars: &'p Vars,
    inputs: &'p Inputs,
    used: &'p mut Used,
}

impl Pass<'_, '_> {
    fn deploy(&mut self, deploy: &mut Entry) {
        let Value::List(items) = &mut deploy.node.value else { return };
        for item in items {
            let Value::Map(entries) = &mut item.value else { continue };
            for entry in entries {
                let sealed = entry.key.text == "vars";
                if entry.key.text == "code" {
                    self.sealed_at(&mut entry.node, entry.key.at, &["build", "env"]);
                } else if !entry.key.text.starts_with("x-") {
                    self.node(&mut entry.node, entry.key.at, sealed);
                }
            }
        }
    }

    /// As [`Pass::node`], with what stands below this path of keys sealed.
    fn sealed_at(&mut self, node: &mut Node, key_at: Span, path: &[&str]) {
        let Some((key, rest)) = path.split_first() else { return self.node(node, key_at, true) };
        let Value::Map(entries) = &mut node.value else { return self.node(node, key_at, false) };
        for entry in entries {
            if entry.key.text == *key {
                self.sealed_at(&mut entry.node, entry.key.at, rest);
            } else if !entry.key.text.starts_with("x-") {
                self.node(&mut entry.node, entry.key.at, false);
            }
        }
    }

    fn node(&mut self, node: &mut Node, key_at: Span, sealed: bool) {
        match &mut node.value {
            Value::Text(text) if text.contains("${") => {
                let at = if node.at.start == node.at.end { key_at } else { node.at };
                let text = std::mem::take(text);
                node.value = self.text(text, at, sealed);
            }
            Value::List(items) => {
                for item in items {
                    self.node(item, key_at, sealed);
                }
            }
            Value::Map(entries) => {
                for entry in entries {
                    if !entry.key.text.starts_with("x-") {
                        self.node(&mut entry.node, entry.key.at, sealed);
                    }
                }
            }
            Value::Text(_) | Value::Null | Value::Bool(_) | Value::Int(..) | Value::Float(..) => {}
        }
    }

    fn text(&mut self, text: String, at: Span, sealed: bool) -> Value {
        let parts = match parts(&text) {
            Ok(parts) => parts,
            Err(problem) => {
                self.walk.error_help(at, "bad-placeholder", problem.message, problem.help);
                return Value::Text(text);
            }
        };
        if let [Part::Placeholder(placeholder)] = parts.as_slice() {
            match placeholder.kind {
                Kind::Var => {
                    return match self.var(&placeholder.name, at) {
                        Some(Value::Text(text)) if sealed => Value::Text(escaped(&text)),
                        Some(value) => value,
                        None => Value::Text(text),
                    };
                }
                Kind::Env if !sealed => {
                    return self
                        .env(&placeholder.name, at, false)
                        .map_or(Value::Text(text), |value| scalar(&value));
                }
                Kind::Env | Kind::Secret => {}
            }
        }
        let mut out = String::new();
        for part in parts {
            match part {
                Part::Text(text) => out.push_str(&if sealed { escaped(&text) } else { text }),
                Part::Placeholder(placeholder) => {
                    let name = &placeholder.name;
                    let value = match placeholder.kind {
                        Kind::Var => self.var(name, at).and_then(|value| match value {
                            Value::Bool(value) => Some(value.to_string()),
                            Value::Text(text) => Some(if sealed { escaped(&text) } else { text }),
                            Value::Int(_, spelling) | Value::Float(_, spelling) => Some(spelling),
                            Value::List(_) | Value::Null | Value::Map(_) => {
                                let message =
                                    format!("the variable `{name}` is a list and cannot stand inside text");
                                self.walk.error(at, "wrong-kind", message);
                                None
                            }
                        }),
                        Kind::Env if sealed => {
                            self.env(name, at, true);
                            Some(format!("${{env:{name}}}"))
                        }
                        Kind::Env => self.env(name, at, false),
                        Kind::Secret if sealed => {
                            self.used.secrets.insert(SecretName(name.clone()));
                            Some(format!("${{secret:{name}}}"))
                        }
                        Kind::Secret => {
                            self.walk.error_help(
                                at,
                                "secret-here",
                                format!("the secret `{name}` cannot stand here: this value is shown in plans and at the provider"),
                                "secrets may stand in the `vars:` of a `deploy:` entry, and in the `env:` of a build",
                            );
                            None
                        }
                    };
                    out.push_str(&value.unwrap_or_else(|| "x".to_owned()));
                }
            }
        }
        Value::Text(out)
    }

    fn var(&mut self, name: &str, at: Span) -> Option<Value> {
        if let Some(value) = self.vars.value(name) {
            return Some(value.clone());
        }
        // Declared without a value is a problem that has been reported where it is declared.
        if !self.vars.is_declared(name) {
            let help = match nearest(name, self.vars.names()) {
                Some(near) => format!("did you mean `${{var:{near}}}`?"),
                None => "variables are declared under `vars:`".to_owned(),
            };
            self.walk.error_help(
                at,
                "unknown-var",
                format!("the file has no variable `{}`", shown(name)),
                help,
            );
        }
        None
    }

    fn env(&mut self, name: &str, at: Span, sealed: bool) -> Option<String> {
        self.used.env.insert(name.to_owned());
        if let Some(value) = self.inputs.env.get(name) {
            return Some(value.expose().to_owned());
        }
        let message = format!("the environment variable `{}` is not set", shown(name));
        let help = "set it where the command is started; a server never reads its own environment";
        match self.inputs.need {
            Need::Servers if sealed => self.walk.warn(at, "missing-env", message, help),
            Need::Servers | Need::Everything => self.walk.error_help(at, "missing-env", message, help),
        }
        None
    }
}

/// Text as the scalar it would be in a file.
pub(crate) fn scalar(text: &str) -> Value {
    let text = text.trim();
    if let Ok(whole) = text.parse::<i128>()
        && (text == "0" || !text.trim_start_matches('-').starts_with('0'))
    {
        return Value::Int(whole, text.to_owned());
    }
    match text {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ if text.starts_with(|char: char| char.is_ascii_digit() || char == '-')
            && text.contains(['.', 'e', 'E'])
            && text.parse::<f64>().is_ok_and(f64::is_finite) =>
        {
            Value::Float(text.parse().unwrap_or_default(), text.to_owned())
        }
        _ => Value::Text(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_becomes_the_scalar_it_would_be_in_a_file() {
        assert_eq!(scalar("4"), Value::Int(4, "4".into()));
        assert_eq!(scalar("-5"), Value::Int(-5, "-5".into()));
        assert_eq!(scalar("0"), Value::Int(0, "0".into()));
        assert_eq!(scalar("1.10"), Value::Float(1.1, "1.10".into()));
        assert_eq!(scalar("true"), Value::Bool(true));
        // A zero in front, words and dates are text in a file, too.
        for text in ["007", "yes", "22:22", "2024-01-02", "", "inf", "nan", "0x1f", "1.2.3", "+5x"] {
            assert_eq!(scalar(text), Value::Text(text.to_owned()), "{text}");
        }
    }
}
