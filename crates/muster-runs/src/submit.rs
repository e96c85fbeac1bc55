//! Proposals: what somebody asks the engine to plan.

use std::collections::BTreeMap;

use muster_model::Secret;
use muster_model::bundle::Manifest;
use muster_model::id::{AccountName, InfrastructureName, SpaceName};
use muster_model::policy::Policy;

/// Ask for a plan about one infrastructure file.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// The Space; locally `default`.
    pub space: SpaceName,
    /// The file's name without extension.
    pub infrastructure: InfrastructureName,
    /// The files, by content; their blobs are in the store already.
    pub bundle: Manifest,
    /// Which of them is the infrastructure file; none for a `Disown` or for a `Destroy` of a file that is gone.
    pub entry: Option<String>,
    /// Variables given on the command line, as text.
    pub vars: BTreeMap<String, String>,
    /// Environment variables that the document names, read by the client; kept sealed.
    pub env: BTreeMap<String, Secret>,
    /// The account to use instead of the file's.
    pub account: Option<AccountName>,
    /// Consent and narrowing.
    pub policy: Policy,
    /// The same key twice is the same request.
    pub idempotency_key: Option<String>,
}
