//! `vars:` of a file and their overrides: var files first, then single ones; each has a type and keeps it.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::{Diagnostic, Diagnostics, nearest, shown};
use crate::document::walk::{Walk, blame};
use crate::document::{Entry, Files, Span, Value, parse_bytes};
use crate::infrastructure::check::Inputs;

use super::substitute::scalar;

/// The most variables of one file.
pub const VARS_MAX: usize = 1_000;

/// What a variable may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Text,
    Whole,
    Number,
    Boolean,
    List,
}

const TYPES: &[(&str, Type)] = &[
    ("text", Type::Text),
    ("whole", Type::Whole),
    ("number", Type::Number),
    ("boolean", Type::Boolean),
    ("list", Type::List),
];

impl Type {
    fn wants(self) -> &'static str {
        match self {
            Type::Text => "text",
            Type::Whole => "a whole number",
            Type::Number => "a number",
            Type::Boolean => "`true` or `false`",
            Type::List => "a list",
        }
    }

    fn of(value: &Value) -> Option<Type> {
        match value {
            Value::Text(_) => Some(Type::Text),
            Value::Int(..) => Some(Type::Whole),
            Value::Float(..) => Some(Type::Number),
            Value::Bool(_) => Some(Type::Boolean),
            Value::List(_) => Some(Type::List),
            Value::Null | Value::Map(_) => None,
        }
    }

    fn takes(self, value: &Value) -> bool {
        match (self, value) {
            // Text takes numbers as they are spelled: `--var release=1.10`.
            (Type::Text, Value::Text(_) | Value::Int(..) | Value::Float(..))
            | (Type::Whole, Value::Int(..))
            | (Type::Number, Value::Int(..) | Value::Float(..))
            | (Type::Boolean, Value::Bool(_)) => true,
            (Type::List, Value::List(items)) => {
                items.iter().all(|item| item.spelling().is_some() || matches!(item.value, Value::Bool(_)))
            }
            _ => false,
        }
    }
}

/// The variables of a file with their values.
#[derive(Debug, Default)]
pub(crate) struct Vars {
    declared: BTreeMap<String, (Type, Span)>,
    values: BTreeMap<String, Value>,
    /// Var files that were read.
    pub files_used: BTreeSet<String>,
}

impl Vars {
    /// The value of a variable.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// Whether the file declares it, with or without a value.
    pub fn is_declared(&self, name: &str) -> bool {
        self.declared.contains_key(name)
    }

    /// Every declared name.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.declared.keys().map(String::as_str)
    }

    /// Reads `vars:`, then the var files in order, then the single overrides; each later one wins.
    pub fn read(walk: &mut Walk<'_>, entry: Option<&Entry>, files: &Files, inputs: &Inputs) -> Vars {
        let mut vars = Vars::default();
        if let Some(entry) = entry {
            vars.declare(walk, entry);
        }
        for path in &inputs.var_files {
            vars.read_file(walk, files, path);
        }
        for (name, text) in &inputs.vars {
            let origin = format!("--var {}", shown(name));
            if let Some((type_, _)) = vars.known(&mut walk.problems, name, &origin) {
                match value_of(type_, text) {
                    Some(value) => {
                        vars.values.insert(name.clone(), value);
                    }
                    None => walk.problems.push(Diagnostic::error(
                        "wrong-kind",
                        format!("`{origin}` wants {}, but this is `{}`", type_.wants(), shown(text)),
                    )),
                }
            }
        }
        let missing: Vec<(String, Span)> = vars
            .declared
            .iter()
            .filter(|(name, _)| !vars.values.contains_key(*name))
            .map(|(name, (_, at))| (name.clone(), *at))
            .collect();
        for (name, at) in missing {
            let message = format!("the variable `{}` has no value", shown(&name));
            walk.error_help(
                at,
                "no-value",
                message,
                format!("give it with `--var {}=…`, or write a `default:`", shown(&name)),
            );
        }
        vars
    }

    fn declare(&mut self, walk: &mut Walk<'_>, entry: &Entry) {
        let Some(entries) = walk.map(&entry.node, blame(entry), "`vars`") else { return };
        if entries.len() > VARS_MAX {
            walk.error(entry.key.at, "too-many-vars", format!("a file has at most {VARS_MAX} variables"));
            return;
        }
        for entry in entries {
            let name = entry.key.text.clone();
            if name.starts_with("x-") {
                continue;
            }
            if !is_var_name(&name) {
                let message = format!("`{}` cannot be the name of a variable", shown(&name));
                walk.error_help(
                    entry.key.at,
                    "bad-name",
                    message,
                    "it has letters, digits and `_`, and starts with a letter",
                );
                continue;
            }
            let what = format!("the variable `{name}`");
            let (type_, default) = match &entry.node.value {
                Value::Map(body) => {
                    walk.only(body, &what, &["type", "default", "help"], &[]);
                    let Some(type_) = body.iter().find(|part| part.key.text == "type") else {
                        walk.error_help(
                            entry.key.at,
                            "missing-field",
                            format!("{what} does not say its `type`"),
                            "types are text, whole, number, boolean and list",
                        );
                        continue;
                    };
                    let Some(type_) = walk.word(
                        type_,
                        "`type`",
                        TYPES,
                        &[
                            ("string", "text"),
                            ("integer", "whole"),
                            ("int", "whole"),
                            ("float", "number"),
                            ("bool", "boolean"),
                        ],
                    ) else {
                        continue;
                    };
                    (type_, body.iter().find(|part| part.key.text == "default"))
                }
                value => match Type::of(value) {
                    Some(type_) => (type_, Some(entry)),
                    None => {
                        walk.error_help(
                            entry.key.at,
                            "no-value",
                            format!("{what} has no value"),
                            "write a value, or `{ type: text }` for one that must be given with `--var`",
                        );
                        continue;
                    }
                },
            };
            self.declared.insert(name.clone(), (type_, entry.key.at));
            if let Some(default) = default {
                if !type_.takes(&default.node.value) {
                    walk.wrong_kind(blame(default), &what, type_.wants(), &default.node);
                } else if has_placeholder(&default.node.value) {
                    walk.error_help(
                        blame(default),
                        "placeholder-here",
                        format!("{what} cannot be made of other values"),
                        "`${…}` may stand everywhere else",
                    );
                }
                self.values.insert(name, default.node.value.clone());
            }
        }
    }

    fn known(&self, problems: &mut Diagnostics, name: &str, origin: &str) -> Option<(Type, Span)> {
        let found = self.declared.get(name).copied();
        if found.is_none() {
            let near = nearest(name, self.declared.keys().map(String::as_str));
            let help = near.map_or_else(
                || "variables are declared under `vars:`".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            problems.push(
                Diagnostic::error(
                    "unknown-var",
                    format!("`{origin}`: the file has no variable `{}`", shown(name)),
                )
                .help(help),
            );
        }
        found
    }

    fn read_file(&mut self, walk: &mut Walk<'_>, files: &Files, path: &str) {
        let Some(bytes) = files.get(path) else {
            let mut diagnostic =
                Diagnostic::error("missing-file", format!("the var file `{}` is not there", shown(path)));
            if let Some(near) = nearest(path, files.paths()) {
                diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
            }
            walk.problems.push(diagnostic);
            return;
        };
        self.files_used.insert(path.to_owned());
        let (source, node) = match parse_bytes(path, bytes) {
            Ok(parsed) => parsed,
            Err(problem) => return walk.problems.push(*problem),
        };
        let mut inner = Walk::new(&source);
        let entries = match &node.value {
            Value::Null => &[],
            _ => inner.map(&node, node.at, "a var file").unwrap_or_default(),
        };
        for entry in entries {
            let name = &entry.key.text;
            let mut unplaced = Diagnostics::new();
            match self.known(&mut unplaced, name, path) {
                None => {
                    for problem in unplaced.items {
                        let place = inner.place(entry.key.at);
                        inner.problems.push(problem.at(place));
                    }
                }
                Some((type_, _)) if type_.takes(&entry.node.value) => {
                    self.values.insert(name.clone(), entry.node.value.clone());
                }
                Some((type_, _)) => {
                    inner.wrong_kind(
                        blame(entry),
                        &format!("the variable `{}`", shown(name)),
                        type_.wants(),
                        &entry.node,
                    );
                }
            }
        }
        let problems = inner.problems;
        walk.problems.append(problems);
    }
}

fn is_var_name(name: &str) -> bool {
    name.len() <= 63
        && name.starts_with(|char: char| char.is_ascii_alphabetic())
        && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_' || char == '-')
}

fn has_placeholder(value: &Value) -> bool {
    match value {
        Value::Text(text) => text.contains("${"),
        Value::List(items) => items.iter().any(|item| has_placeholder(&item.value)),
        _ => false,
    }
}

/// Text from the command line as a value of a type.
fn value_of(type_: Type, text: &str) -> Option<Value> {
    match type_ {
        Type::Text => Some(Value::Text(text.to_owned())),
        Type::Whole | Type::Number | Type::Boolean => Some(scalar(text)).filter(|value| type_.takes(value)),
        Type::List => {
            let node = parse_bytes("--var", text.as_bytes()).ok()?.1;
            Some(node.value).filter(|value| type_.takes(value))
        }
    }
}
