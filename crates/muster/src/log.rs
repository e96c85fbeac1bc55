//! What the process says about itself on stderr: warnings; `-v` tells more, `MUSTER_LOG` decides itself, in the usual
//! directives. As text for people, or one JSON object a line for those who collect it; a line that belongs to a run
//! or a step bears their ids.

use std::io;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::cli::LogFormat;

/// The variable with the directives.
const DIRECTIVES: &str = "MUSTER_LOG";

/// Begins it, once a process. What serves others says warnings by itself; a command says its problems in its answer.
pub fn begin(verbose: u8, format: LogFormat, serves: bool) {
    let level = match (verbose, serves) {
        (0, false) => "error",
        (0, true) => "warn",
        (1, _) => "muster=info,muster_runs=info,muster_outside=info,muster_server=info,warn",
        (2, _) => "muster=debug,muster_runs=debug,muster_outside=debug,muster_server=debug,info",
        (_, _) => "trace",
    };
    let filter = EnvFilter::try_from_env(DIRECTIVES).unwrap_or_else(|_| EnvFilter::new(level));
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let lines = match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
    };
    let _ = tracing_subscriber::registry().with(lines.with_filter(filter)).try_init();
}
