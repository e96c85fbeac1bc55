//! `muster completions`.

use clap::CommandFactory;

use super::{Answer, Report};
use crate::exit::Failure;

/// The completion script for a shell.
pub fn completions(shell: clap_complete::Shell) -> Result<Answer, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut crate::cli::Cli::command(), "muster", &mut script);
    Answer::done(Report::Text(String::from_utf8_lossy(&script).into_owned()))
}
