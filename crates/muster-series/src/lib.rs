//! What we measure: the text that exporters serve, read into typed samples, and what one host says about itself.
//!
//! Lives here: the parser of the Prometheus and OpenMetrics text formats and its writer ([`exposition`]), and the summary of a
//! machine from node_exporter's samples ([`host`]). Does not live here: fetching the text (that is
//! `muster-outside`), storing series, and PromQL (they come with the metrics work). Everything is pure.

pub mod exposition;
pub mod host;

pub use exposition::{Exposition, Family, Kind, Limits, ParseError, Sample};
pub use host::{HostSummary, host_summary};
