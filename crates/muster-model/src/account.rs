//! An account: credentials and limits at one provider, and who it is at that provider.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::AccountName;

/// The account of this computer's own machines: it exists without registration and without a key.
pub const LOCAL_ACCOUNT: &str = "local";

/// Which kind of cloud an account belongs to. A provider is data and a trait, never a variant of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Provider {
    /// 1cloud.ru and its sibling brand.
    Onecloud,
    /// Sandboxes on this computer, which need no account anywhere.
    Local,
}

impl Provider {
    /// Every one.
    pub const ALL: &[Provider] = &[Provider::Onecloud, Provider::Local];

    /// The word used in documents and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Provider::Onecloud => "onecloud",
            Provider::Local => "local",
        }
    }

    /// The provider of this word.
    pub fn parse(word: &str) -> Option<Provider> {
        Provider::ALL.iter().copied().find(|provider| provider.word() == word)
    }
}

/// Who an account is: provider plus customer and project as the provider itself tells them.
///
/// Not the key: keys rotate, and ownership must survive that (`SEMANTICS.md` §3).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AccountIdentity {
    /// The kind of cloud.
    pub provider: Provider,
    /// The customer's id at the provider.
    pub customer: String,
    /// The project's id at the provider; empty where the provider has none.
    pub project: String,
}

impl fmt::Display for AccountIdentity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}/{}", self.provider.word(), self.customer, self.project)
    }
}

/// An account as the person registered it. The key itself is a sealed secret beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The person's name for it, e.g. `onecloud-prod`.
    pub name: AccountName,
    /// Who it is at the provider.
    pub identity: AccountIdentity,
    /// The base address of the API.
    pub url: String,
    /// How it wants to be treated.
    pub settings: AccountSettings,
}

/// Manners towards a provider (`SEMANTICS.md` §12); every one can be changed per account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccountSettings {
    /// Time between two reads of the one list that waiting steps share, in ms. 0 = the default: 1,500, and 50 on loopback.
    pub poll_ms: u64,
    /// Writes in flight at once.
    pub writes_in_flight: u32,
    /// Least time between two writes, in ms.
    pub write_gap_ms: u64,
    /// Longest time one request may take, in ms; at most 20,000.
    pub request_timeout_ms: u64,
    /// How long a create without an answer may stay invisible, in ms. 0 = request time-out + 120,000.
    pub settle_ms: u64,
    /// Longest time a waiting step waits for the provider, in ms.
    pub wait_timeout_ms: u64,
}

impl Default for AccountSettings {
    fn default() -> Self {
        AccountSettings {
            poll_ms: 0,
            writes_in_flight: 1,
            write_gap_ms: 0,
            request_timeout_ms: 20_000,
            settle_ms: 0,
            wait_timeout_ms: 3_600_000,
        }
    }
}

impl AccountSettings {
    /// The settle time in force, in ms.
    pub fn settle_time_ms(&self) -> u64 {
        if self.settle_ms == 0 { self.request_timeout_ms + 120_000 } else { self.settle_ms }
    }
}
