//! Problems: JSON:API errors, and the one table that says which status and exit code each kind has.

use std::fmt;

use muster_model::diagnostic::{Diagnostic, Diagnostics, Style};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The kinds of problems. The word of a kind is the stable `code` that scripts read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProblemKind {
    /// The request itself is wrong: a bad name, a missing field, no JSON.
    Invalid,
    /// Nobody is signed in, or the token is wrong.
    Unauthorized,
    /// Signed in, and not allowed.
    Forbidden,
    /// Nothing of that name or id.
    NotFound,
    /// No account of that name is known; `meta.account` names it.
    AccountMissing,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// None of the accepted media types can be answered.
    NotAcceptable,
    /// Busy, superseded or not the newest; trying again may help.
    Busy,
    /// Something named is in the way that the person must mend.
    Refused,
    /// The body is larger than allowed.
    TooLarge,
    /// The body's media type is not one that the route reads.
    UnsupportedMediaType,
    /// The document has problems.
    Document,
    /// The server failed.
    Internal,
    /// Something outside (a provider, a host) failed.
    Outside,
    /// The server is shutting down or has too much to do.
    Unavailable,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct ProblemRow {
    /// The kind.
    pub kind: ProblemKind,
    /// The stable word.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The same for every problem of the kind.
    pub title: &'static str,
    /// The exit code of a command that ends with it (`SEMANTICS.md` §11).
    pub exit: u8,
}

const fn row(
    kind: ProblemKind,
    code: &'static str,
    status: u16,
    title: &'static str,
    exit: u8,
) -> ProblemRow {
    ProblemRow { kind, code, status, title, exit }
}

/// The table.
pub const PROBLEMS: &[ProblemRow] = &[
    row(ProblemKind::Invalid, "invalid", 400, "The request is wrong", 2),
    row(ProblemKind::Unauthorized, "unauthorized", 401, "Sign in first", 2),
    row(ProblemKind::Forbidden, "forbidden", 403, "Not allowed", 2),
    row(ProblemKind::NotFound, "not-found", 404, "Not found", 2),
    row(ProblemKind::AccountMissing, "account-missing", 404, "The account is not known", 2),
    row(ProblemKind::MethodNotAllowed, "method-not-allowed", 405, "Not a method of this address", 2),
    row(ProblemKind::NotAcceptable, "not-acceptable", 406, "No accepted media type can be answered", 2),
    row(ProblemKind::Busy, "busy", 409, "Busy, or overtaken", 6),
    row(ProblemKind::Refused, "refused", 409, "Refused", 2),
    row(ProblemKind::TooLarge, "too-large", 413, "The body is too large", 2),
    row(
        ProblemKind::UnsupportedMediaType,
        "unsupported-media-type",
        415,
        "The body's media type is not read here",
        2,
    ),
    row(ProblemKind::Document, "document", 422, "The document has a problem", 2),
    row(ProblemKind::Internal, "internal", 500, "The server failed", 1),
    row(ProblemKind::Outside, "outside", 502, "Something outside failed", 1),
    row(ProblemKind::Unavailable, "unavailable", 503, "Not now", 6),
];

impl ProblemKind {
    /// This kind's row.
    pub fn row(self) -> &'static ProblemRow {
        PROBLEMS.iter().find(|row| row.kind == self).unwrap_or(&PROBLEMS[0])
    }
}

/// One problem (a JSON:API error object).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// The HTTP status, as text.
    pub status: String,
    /// The stable word for scripts.
    pub code: String,
    /// The same for every problem of the kind.
    pub title: String,
    /// What went wrong here, and what to try next.
    pub detail: String,
    /// Where in the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// More for machines: the place in a document, the request's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<serde_json::Value>,
}

/// Where in the request a problem is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Source {
    /// A JSON pointer into the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// A query parameter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// A header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
}

impl Problem {
    /// A problem of a kind.
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Problem {
        let row = kind.row();
        Problem {
            status: row.status.to_string(),
            code: row.code.to_owned(),
            title: row.title.to_owned(),
            detail: detail.into(),
            source: None,
            meta: None,
        }
    }

    /// With the header it is about.
    pub fn header(mut self, name: &str) -> Problem {
        self.source = Some(Source { header: Some(name.to_owned()), ..Source::default() });
        self
    }

    /// With the query parameter it is about.
    pub fn parameter(mut self, name: &str) -> Problem {
        self.source = Some(Source { parameter: Some(name.to_owned()), ..Source::default() });
        self
    }

    /// With the place in the body it is about.
    pub fn pointer(mut self, pointer: &str) -> Problem {
        self.source = Some(Source { pointer: Some(pointer.to_owned()), ..Source::default() });
        self
    }

    /// With more for machines.
    pub fn meta(mut self, meta: serde_json::Value) -> Problem {
        self.meta = Some(meta);
        self
    }

    /// The row of its code; a code of a later version counts as the status class it came with.
    pub fn row(&self) -> &'static ProblemRow {
        let known = PROBLEMS.iter().find(|row| row.code == self.code);
        known.unwrap_or_else(|| match self.status.as_bytes().first() {
            Some(b'4') => ProblemKind::Invalid.row(),
            _ => ProblemKind::Internal.row(),
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(if self.detail.is_empty() { &self.title } else { &self.detail })
    }
}

/// An answer that is nothing but problems.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Problems {
    /// At least one.
    pub errors: Vec<Problem>,
}

impl Problems {
    /// The status of the answer: the first problem's.
    pub fn status(&self) -> u16 {
        self.errors.first().and_then(|problem| problem.status.parse().ok()).unwrap_or(500)
    }
}

impl From<&Diagnostics> for Problems {
    /// Every problem of a document, each with its place: drawn in `detail`, as data in `meta`.
    fn from(diagnostics: &Diagnostics) -> Problems {
        let mut errors: Vec<Problem> = diagnostics.items.iter().map(of_diagnostic).collect();
        if diagnostics.left_out > 0 || errors.is_empty() {
            let detail = format!("and {} more problems", diagnostics.left_out);
            errors.push(Problem::new(ProblemKind::Document, detail));
        }
        Problems { errors }
    }
}

fn of_diagnostic(diagnostic: &Diagnostic) -> Problem {
    let meta = serde_json::to_value(diagnostic).unwrap_or_default();
    Problem::new(ProblemKind::Document, diagnostic.render(Style::Plain)).meta(meta)
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Problems {
        Problems { errors: vec![problem] }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.errors.iter().enumerate() {
            if index > 0 {
                out.write_str("\n")?;
            }
            problem.fmt(out)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_one_row() {
        let mut codes: Vec<&str> = PROBLEMS.iter().map(|row| row.code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), PROBLEMS.len());
        for row in PROBLEMS {
            assert_eq!(row.kind.row().code, row.code);
            assert!((400..600).contains(&row.status), "{}", row.code);
            assert!([1, 2, 6].contains(&row.exit), "{}", row.code);
        }
    }

    #[test]
    fn an_unknown_code_counts_as_its_status_class() {
        let mut problem = Problem::new(ProblemKind::Busy, "x");
        assert_eq!(problem.row().exit, 6);
        problem.code = "new-word".into();
        assert_eq!(problem.row().exit, 2);
        problem.status = "507".into();
        assert_eq!(problem.row().exit, 1);
    }
}
