//! What a person allowed and asked for when proposing a plan; part of the plan's hash.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::code::ReleaseWish;

/// What the plan is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Make the servers as the file says, and measured.
    Update,
    /// The same, then what the file's `deploy:` says.
    Deploy,
    /// Delete what the file owns.
    Destroy,
    /// Take same-named strangers under the file; change nothing at the provider.
    Adopt,
    /// Give objects up without touching them.
    Disown,
}

/// Consent and narrowing for one plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// What the plan is for.
    pub purpose: Purpose,
    /// At most this many deletions (replacements count); none = the budget of `SEMANTICS.md` §3.
    pub allow_deletes: Option<u32>,
    /// Whether a server may be replaced where no change in place exists.
    pub allow_replace: bool,
    /// Whether same-named strangers are taken under the file.
    pub adopt: bool,
    /// Leave the inside of servers (and so SSH) alone.
    pub skip_provision: bool,
    /// Only these servers, groups or networks; empty = all. Globs allowed.
    pub only: BTreeSet<String>,
    /// Names a disown or an adopt is about.
    pub names: BTreeSet<String>,
    /// Ansible tags to run.
    pub tags: Vec<String>,
    /// Ansible tags to skip.
    pub skip_tags: Vec<String>,
    /// Extra variables for playbooks. Secrets do not belong here.
    pub extra_vars: BTreeMap<String, serde_json::Value>,
    /// Instead of everything else: go back to this release of the file's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_release: Option<ReleaseWish>,
    /// How long a create without an answer may stay invisible, in ms (from the account's settings).
    pub settle_ms: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            purpose: Purpose::Update,
            allow_deletes: None,
            allow_replace: false,
            adopt: false,
            skip_provision: false,
            only: BTreeSet::new(),
            names: BTreeSet::new(),
            tags: Vec::new(),
            skip_tags: Vec::new(),
            extra_vars: BTreeMap::new(),
            to_release: None,
            settle_ms: 140_000,
        }
    }
}
