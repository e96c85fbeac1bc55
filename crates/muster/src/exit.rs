//! Exit codes (`SEMANTICS.md` §11), and failures that carry one.

use std::fmt;
use std::process::ExitCode;

use muster_api::{ClientError, ProblemKind, Problems};
use muster_model::diagnostic::{Diagnostics, Style};

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: done, or nothing to do.
    Done,
    /// 1: failed.
    Failed,
    /// 2: wrong usage or document, a refused plan, or a question that could not be asked; nothing changed.
    Usage,
    /// 3: declined; nothing changed.
    Declined,
    /// 4: differences found (`--check`).
    Differences,
    /// 5: partly done, or something is left waiting after an otherwise good run.
    Partly,
    /// 6: busy or stale; trying again may help.
    Busy,
    /// 130: interrupted; the run is named.
    Interrupted,
    /// The exit code of a program that was run on somebody's behalf (`server ssh`).
    Of(u8),
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Declined => 3,
            Exit::Differences => 4,
            Exit::Partly => 5,
            Exit::Busy => 6,
            Exit::Interrupted => 130,
            Exit::Of(code) => code,
        }
    }

    /// How a run of this state ends its command; `waiting` = something wanted was not possible.
    pub fn of_run(state: &str, waiting: bool) -> Exit {
        match state {
            "succeeded" if waiting => Exit::Partly,
            "succeeded" => Exit::Done,
            "partly" | "cancelled" => Exit::Partly,
            "stale" | "superseded" => Exit::Busy,
            "interrupted" | "running" | "ready" => Exit::Interrupted,
            // `failed`, and states of a later version.
            _ => Exit::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// Why a command ends without its answer.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What went wrong, where, and what to try next.
    pub message: String,
    /// More for machines: the API's problems.
    pub problems: Vec<muster_api::Problem>,
}

impl Failure {
    /// A failure of a kind.
    pub fn new(exit: Exit, message: impl Into<String>) -> Failure {
        Failure { exit, message: message.into(), problems: Vec::new() }
    }

    /// Problems of a document, drawn with their places.
    pub fn document(problems: &Diagnostics) -> Failure {
        use std::io::IsTerminal;
        // The writer drops the colours again where they are not wanted.
        let style = if std::io::stderr().is_terminal() { Style::Coloured } else { Style::Plain };
        let message = problems.render(style);
        Failure { exit: Exit::Usage, message, problems: Problems::from(problems).errors }
    }

    /// Whether the message already looks like problems with their places.
    pub fn is_drawn(&self) -> bool {
        self.problems.iter().any(|problem| problem.code == ProblemKind::Document.row().code)
    }

    /// Wrong usage, a wrong document, a question that could not be asked.
    pub fn usage(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Usage, message)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Failure {
        let exit = match error.exit() {
            2 => Exit::Usage,
            6 => Exit::Busy,
            _ => Exit::Failed,
        };
        Failure { exit, message: error.to_string(), problems: error.problems().to_vec() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_decides_the_code() {
        let codes = |state| (Exit::of_run(state, false).code(), Exit::of_run(state, true).code());
        assert_eq!(codes("succeeded"), (0, 5));
        assert_eq!(codes("partly"), (5, 5));
        assert_eq!(codes("failed"), (1, 1));
        assert_eq!(codes("stale"), (6, 6));
        assert_eq!(codes("interrupted"), (130, 130));
        assert_eq!(codes("a word of tomorrow"), (1, 1));
    }

    #[test]
    fn a_problem_decides_the_code() {
        let of = |kind| {
            let problem = muster_api::Problem::new(kind, "x");
            Failure::from(ClientError::Problems(problem.into())).exit.code()
        };
        assert_eq!(of(muster_api::ProblemKind::Document), 2);
        assert_eq!(of(muster_api::ProblemKind::Busy), 6);
        assert_eq!(of(muster_api::ProblemKind::Outside), 1);
    }
}
