//! Creation intents: how a create survives a lost answer without idempotency keys (`SEMANTICS.md` §4).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::account::AccountIdentity;
use crate::cloud::ServerSpec;
use crate::dns::ServerRecord;
use crate::id::{InfrastructureName, ProviderId, RunId, ServerName};

/// Made durable before a create is sent. Belongs to (account, name), not to the run; one may be open per name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreationIntent {
    /// The account.
    pub account: AccountIdentity,
    /// On whose behalf: the file, or the account ([`crate::plan::Subject::owner`]).
    pub infrastructure: InfrastructureName,
    /// The name that is being created.
    pub name: ServerName,
    /// What is asked for.
    pub wanted: Created,
    /// Ids that already bore the name before the create was sent.
    pub known_ids: Vec<ProviderId>,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// The run that sent it.
    pub run: RunId,
    /// How it stands.
    pub state: IntentState,
}

/// The kind of object a create makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Created {
    /// A server of this specification.
    Server(Box<ServerSpec>),
    /// A private network.
    Network(crate::cloud::NetworkSpec),
    /// Another object of the account.
    Object(Box<crate::object::ObjectDraft>),
    /// A copy of this server.
    Copy(ProviderId),
    /// A public network.
    PublicNetwork(crate::public_network::PublicNetworkSpec),
    /// A record that leads to a server of a file.
    Record {
        /// Which one.
        record: Box<ServerRecord>,
        /// The address that it says.
        value: String,
    },
}

/// How an intent stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IntentState {
    /// Sent, outcome not known.
    Open,
    /// It made this object.
    Made(ProviderId),
    /// The provider refused it; nothing was made.
    Refused,
    /// Nothing appeared within the settle time. Kept, so that one that appears later is recognised and reported.
    GivenUp,
}
