//! What we measure: the exposition parser (for now).

/// One server's load at a glance.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostSummary {}
