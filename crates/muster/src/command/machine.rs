//! The hidden `muster __machine FOLDER`: keeps one local machine alive, and outlives whoever started it
//! (`SEMANTICS.md` §14). Not a command for people, so it is not among the words of [`crate::cli`].

use std::process::ExitCode;

/// Runs the keeper if the program was started as one; gives its exit code.
pub fn asked_for() -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next()? != "__machine" {
        return None;
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            anstream::eprintln!("muster __machine: cannot start: {error}");
            return Some(ExitCode::FAILURE);
        }
    };
    let code = runtime.block_on(muster_runs::machine_supervisor_main(arguments));
    Some(u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from))
}
