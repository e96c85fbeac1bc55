//! What the process says about itself on stderr: warnings; `-v` tells more, `MUSTER_LOG` decides itself, in the usual
//! directives. As text for people, or one JSON object a line for those who collect it; a line that belongs to a run
//! or a step bears their ids.

use std::io;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

#[cfg(feature = "otlp")]
use super::traces::Traces;
use crate::cli::LogFormat;

/// The variable with the directives.
const DIRECTIVES: &str = "MUSTER_LOG";

/// The log under way.
pub struct Log {
    #[cfg(feature = "otlp")]
    traces: Option<Traces>,
}

/// Begins it, once a process. What serves others says warnings by itself; a command says its problems in its answer.
pub fn begin(verbose: u8, format: LogFormat, serves: bool) -> Log {
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
    let lines = lines.with_filter(filter);
    #[cfg(feature = "otlp")]
    {
        let traces = Traces::begin();
        let layer = traces.as_ref().map(Traces::layer);
        let _ = tracing_subscriber::registry().with(layer).with(lines).try_init();
        Log { traces }
    }
    #[cfg(not(feature = "otlp"))]
    {
        let _ = tracing_subscriber::registry().with(lines).try_init();
        Log {}
    }
}

impl Log {
    /// Sends what is left.
    pub async fn end(self) {
        #[cfg(feature = "otlp")]
        if let Some(traces) = self.traces {
            traces.end().await;
        }
    }
}
