//! The executable: reads the command line, speaks the API, draws the answer.
//!
//! Three parts that do not know each other's business: [`cli`] says which words exist, [`command`] does the work
//! and returns data, [`view`] draws it. Only [`connect`] and [`serve`] know that there is an engine in here.

mod ask;
mod cli;
mod command;
mod connect;
mod exit;
mod home;
mod serve;
mod view;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

fn main() -> ExitCode {
    // First of all: without a crypto provider the first TLS client would panic.
    rustls::crypto::ring::default_provider().install_default().ok();
    if let Some(code) = command::machine::asked_for().or_else(command::child::asked_for) {
        return code;
    }
    clap_complete::CompleteEnv::with_factory(cli::Cli::command).complete();
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to stdout and are no failure; everything else is wrong usage.
            let code = if error.use_stderr() { exit::Exit::Usage } else { exit::Exit::Done };
            let _ = error.print();
            if let Some(hint) = cli::hint(&error) {
                anstream::eprintln!("{hint}");
            }
            return code.into();
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            anstream::eprintln!("muster: cannot start: {error}");
            return exit::Exit::Failed.into();
        }
    };
    let code = runtime.block_on(command::run(cli));
    // A task that does not end (a provider that hangs) must not keep the process.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    code.into()
}
