//! Which variables a Jinja template or expression needs.
//!
//! Not a Jinja parser: a reader that finds names where a variable must stand and leaves out everything it is not
//! sure of. An expression with a `default` filter or a `defined` test makes all its names optional; a name that is
//! called, filtered through, tested with, or set in the template itself is none.

use std::collections::BTreeSet;

/// A name that must have a value, and where it stands in the text (bytes).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needed {
    /// The variable.
    pub name: String,
    /// Byte offset.
    pub at: usize,
}

/// Words that are never variables.
const NOT_VARIABLES: [&str; 36] = [
    "and",
    "or",
    "not",
    "in",
    "is",
    "if",
    "else",
    "elif",
    "true",
    "false",
    "none",
    "True",
    "False",
    "None",
    "loop",
    "self",
    "super",
    "caller",
    "varargs",
    "kwargs",
    "range",
    "lookup",
    "query",
    "q",
    "dict",
    "lipsum",
    "cycler",
    "joiner",
    "namespace",
    "now",
    "undef",
    "omit",
    "vars",
    "recursive",
    "ignore",
    "missing",
];

/// The variables of a text with `{{ … }}` and `{% … %}` in it.
pub fn needed(text: &str) -> Vec<Needed> {
    let mut found = Found::default();
    let mut at = 0;
    let mut raw = false;
    while let Some(open) = find_open(&text[at..]) {
        let (start, kind) = (at + open.0, open.1);
        let inside = start + 2;
        if kind == '#' {
            at = text[inside..].find("#}").map_or(text.len(), |end| inside + end + 2);
            continue;
        }
        let close = if kind == '{' { "}}" } else { "%}" };
        let Some(end) = find_close(&text[inside..], close) else { break };
        let body = &text[inside..inside + end];
        at = inside + end + 2;
        let words = body.trim_matches(['-', '+', ' ', '\t', '\n']);
        match (kind, raw, words) {
            ('%', _, "raw") => raw = true,
            ('%', _, "endraw") => raw = false,
            (_, true, _) => {}
            ('%', false, _) => found.statement(body, inside),
            _ => found.expression(body, inside),
        }
    }
    found.finish()
}

/// The variables of a bare expression, as in `when:`.
pub fn needed_by_expression(text: &str) -> Vec<Needed> {
    if text.contains("{{") || text.contains("{%") {
        return needed(text);
    }
    let mut found = Found::default();
    found.expression(text, 0);
    found.finish()
}

/// Whether a text holds a template at all.
pub fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

fn find_open(text: &str) -> Option<(usize, char)> {
    let bytes = text.as_bytes();
    (0..bytes.len().saturating_sub(1)).find_map(|at| match (bytes[at], bytes[at + 1]) {
        (b'{', b'{') => Some((at, '{')),
        (b'{', b'%') => Some((at, '%')),
        (b'{', b'#') => Some((at, '#')),
        _ => None,
    })
}

/// The closing mark outside quotes; braces of dictionaries inside are skipped.
fn find_close(text: &str, close: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut depth, mut quote) = (0, 0_usize, None);
    while at < bytes.len() {
        let byte = bytes[at];
        match quote {
            Some(_) if byte == b'\\' => at += 1,
            Some(mark) if byte == mark => quote = None,
            Some(_) => {}
            None if depth == 0 && text[at..].starts_with(close) => return Some(at),
            None => match byte {
                b'"' | b'\'' => quote = Some(byte),
                b'{' => depth += 1,
                b'}' => depth = depth.saturating_sub(1),
                _ => {}
            },
        }
        at += 1;
        while at < bytes.len() && !text.is_char_boundary(at) {
            at += 1;
        }
    }
    None
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token<'t> {
    Name(&'t str, usize),
    Text,
    Sign(&'t str),
}

#[derive(Default)]
struct Found {
    needed: Vec<Needed>,
    /// Set by the template itself.
    own: BTreeSet<String>,
    /// Tested with `is defined` in an `if` statement: what stands inside may rely on it.
    guarded: BTreeSet<String>,
}

impl Found {
    fn finish(self) -> Vec<Needed> {
        let Found { needed, own, guarded } = self;
        needed.into_iter().filter(|use_| !own.contains(&use_.name) && !guarded.contains(&use_.name)).collect()
    }

    fn statement(&mut self, body: &str, at: usize) {
        let tokens = tokens(body, at);
        let mut rest = tokens.as_slice();
        while let [Token::Sign("-" | "+"), after @ ..] = rest {
            rest = after;
        }
        let Some((Token::Name(word, _), rest)) = rest.split_first() else { return };
        match *word {
            "for" => {
                let split = rest.iter().position(|token| matches!(token, Token::Name("in", _)));
                let (names, iterable) = rest.split_at(split.unwrap_or(rest.len()));
                self.own(names);
                self.expression_tokens(iterable.get(1..).unwrap_or_default());
            }
            "set" | "with" => {
                // `a = x`, `a, b = x`, `a = x, b = y`: whatever stands before a single `=` is set here.
                let before: Vec<usize> =
                    (0..rest.len()).filter(|&index| rest[index] == Token::Sign("=")).collect();
                for index in &before {
                    let names = rest[..*index].iter().rev();
                    let names = names.take_while(|token| matches!(token, Token::Name(..) | Token::Sign(",")));
                    let names: Vec<_> = names.cloned().collect();
                    self.own(&names);
                }
                match before.first() {
                    Some(index) => self.expression_tokens(&rest[index + 1..]),
                    // `{% set x %}…{% endset %}`
                    None => self.own(rest),
                }
            }
            "if" | "elif" => {
                for window in rest.windows(3) {
                    let [Token::Name(name, _), Token::Name("is", _), Token::Name(test, _)] = window else {
                        continue;
                    };
                    if matches!(*test, "defined" | "undefined" | "not") {
                        self.guarded.insert((*name).to_owned());
                    }
                }
                self.expression_tokens(rest);
            }
            "macro" | "call" | "import" | "from" => self.own(rest),
            // `else`, `endfor`, `block name`, `include`, `filter name`, `do`, …: nothing we are sure of.
            _ => {}
        }
    }

    fn own(&mut self, tokens: &[Token<'_>]) {
        for token in tokens {
            if let Token::Name(name, _) = token {
                self.own.insert((*name).to_owned());
            }
        }
    }

    fn expression(&mut self, body: &str, at: usize) {
        self.expression_tokens(&tokens(body, at));
    }

    fn expression_tokens(&mut self, tokens: &[Token<'_>]) {
        let optional = tokens.windows(2).any(|two| match two {
            [Token::Sign("|"), Token::Name("default" | "d" | "mandatory", _)] => true,
            [Token::Name("is", _), Token::Name("defined" | "undefined", _)] => true,
            [Token::Name("not", _), Token::Name("defined" | "undefined", _)] => true,
            // `'x' in vars`, `x in hostvars[…]`: somebody checks by hand.
            [Token::Name("in", _), Token::Name("vars" | "hostvars", _)] => true,
            _ => false,
        });
        // A filter or test of a collection: `ansible.builtin.default`.
        let optional = optional
            || tokens.windows(2).any(|two| matches!(two, [Token::Sign("."), Token::Name("default", _)]));
        if optional {
            return;
        }
        for (index, token) in tokens.iter().enumerate() {
            let Token::Name(name, at) = token else { continue };
            let before = index.checked_sub(1).map(|before| &tokens[before]);
            let after = tokens.get(index + 1);
            let is_part = matches!(before, Some(Token::Sign("." | "|")));
            let is_test = match before {
                Some(Token::Name("is", _)) => true,
                Some(Token::Name("not", _)) => {
                    index >= 2 && matches!(tokens[index - 2], Token::Name("is", _))
                }
                _ => false,
            };
            let is_called = matches!(after, Some(Token::Sign("(")));
            let is_argument_name = matches!(after, Some(Token::Sign("=")));
            // `x is divisibleby y`, `x | f.g.h`: the word after a dotted filter name is a part too.
            let plain = !is_part && !is_test && !is_called && !is_argument_name;
            if plain && !NOT_VARIABLES.contains(name) {
                self.needed.push(Needed { name: (*name).to_owned(), at: *at });
            }
        }
    }
}

fn tokens(body: &str, at: usize) -> Vec<Token<'_>> {
    let bytes = body.as_bytes();
    let mut tokens = Vec::new();
    let mut index = 0;
    while index < bytes.len() {
        let byte = bytes[index];
        let start = index;
        if byte.is_ascii_alphabetic() || byte == b'_' {
            while index < bytes.len() && (bytes[index].is_ascii_alphanumeric() || bytes[index] == b'_') {
                index += 1;
            }
            tokens.push(Token::Name(&body[start..index], at + start));
        } else if byte.is_ascii_digit() {
            while index < bytes.len() && (bytes[index].is_ascii_alphanumeric() || bytes[index] == b'_') {
                index += 1;
            }
            tokens.push(Token::Text);
        } else if byte == b'"' || byte == b'\'' {
            index += 1;
            while index < bytes.len() && bytes[index] != byte {
                index += if bytes[index] == b'\\' { 2 } else { 1 };
            }
            index += 1;
            tokens.push(Token::Text);
        } else if byte.is_ascii_whitespace() {
            index += 1;
        } else {
            let two = body.get(start..start + 2).unwrap_or("");
            index += if matches!(two, "==" | "!=" | "<=" | ">=" | "**" | "//") { 2 } else { 1 };
            while index < bytes.len() && !body.is_char_boundary(index) {
                index += 1;
            }
            tokens.push(Token::Sign(&body[start..index]));
        }
    }
    tokens
}
