//! What is asked for when a plan is proposed.

use std::collections::{BTreeMap, BTreeSet};

use muster_model::code::ReleaseWish;
use muster_model::policy::{Policy, Purpose};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::default_space;
use crate::blob::ManifestSaid;
use crate::document::Said;
use crate::release::ReleaseWishSaid;
use crate::secret::SecretText;

/// Ask for a plan about one infrastructure file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanRequest {
    /// The Space.
    #[serde(default = "default_space")]
    pub space: String,
    /// The file's name without extension.
    pub infrastructure: String,
    /// The files, by content; their blobs were sent before.
    #[serde(default)]
    pub bundle: ManifestSaid,
    /// Which of them is the infrastructure file.
    #[serde(default)]
    pub entry: Option<String>,
    /// Variables, as text.
    #[serde(default)]
    pub vars: BTreeMap<String, String>,
    /// Files of variables, in their order: paths of the bundle.
    #[serde(default)]
    pub var_files: Vec<String>,
    /// Environment variables that the document names, read by the client.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>)]
    pub env: BTreeMap<String, SecretText>,
    /// The account to use instead of the file's.
    #[serde(default)]
    pub account: Option<String>,
    /// Consent and narrowing.
    #[serde(default)]
    pub policy: PolicySaid,
}

impl Said for PlanRequest {
    const TYPE: &'static str = "plans";
}

/// Consent and narrowing for one plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PolicySaid {
    /// What the plan is for.
    pub purpose: PurposeSaid,
    /// At most this many deletions.
    pub allow_deletes: Option<u32>,
    /// Whether a server may be replaced.
    pub allow_replace: bool,
    /// Whether same-named strangers are taken under the file.
    pub adopt: bool,
    /// Leave the inside of servers alone.
    pub skip_provision: bool,
    /// Only these servers, groups or networks.
    pub only: BTreeSet<String>,
    /// Names a disown or an adopt is about.
    pub names: BTreeSet<String>,
    /// Ansible tags to run.
    pub tags: Vec<String>,
    /// Ansible tags to skip.
    pub skip_tags: Vec<String>,
    /// Extra variables for playbooks.
    pub extra_vars: BTreeMap<String, serde_json::Value>,
    /// Instead of everything else: go back to this release of the file's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_release: Option<ReleaseWishSaid>,
}

/// What a plan is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PurposeSaid {
    /// Make the servers as the file says.
    #[default]
    Update,
    /// The same, then what `deploy:` says.
    Deploy,
    /// Delete what the file owns.
    Destroy,
    /// Take same-named strangers under the file.
    Adopt,
    /// Give objects up.
    Disown,
}

impl From<PolicySaid> for Policy {
    fn from(said: PolicySaid) -> Policy {
        Policy {
            purpose: match said.purpose {
                PurposeSaid::Update => Purpose::Update,
                PurposeSaid::Deploy => Purpose::Deploy,
                PurposeSaid::Destroy => Purpose::Destroy,
                PurposeSaid::Adopt => Purpose::Adopt,
                PurposeSaid::Disown => Purpose::Disown,
            },
            allow_deletes: said.allow_deletes,
            allow_replace: said.allow_replace,
            adopt: said.adopt,
            skip_provision: said.skip_provision,
            only: said.only,
            names: said.names,
            tags: said.tags,
            skip_tags: said.skip_tags,
            extra_vars: said.extra_vars,
            to_release: said.to_release.map(ReleaseWish::from),
            // The settle time is the account's; the engine puts it in.
            ..Policy::default()
        }
    }
}
