//! The hidden `muster __supervise FOLDER`: guards one long child, such as a playbook, and outlives whoever started it
//! (`SEMANTICS.md` §5). Not a command for people, so it is not among the words of [`crate::cli`].

use std::process::ExitCode;

/// Runs the supervisor if the program was started as one; gives its exit code.
pub fn asked_for() -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next()? != "__supervise" {
        return None;
    }
    let code = muster_runs::supervisor_main(arguments);
    Some(u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from))
}
