//! Infrastructures as said: what a file owns, and its newest run.

use jiff::Timestamp;
use muster_model::ownership::{Claim, ObjectKind, Ownership};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::document::Said;
use crate::run::RunAttributes;

/// What is said about one file's possessions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InfrastructureAttributes {
    /// Its name.
    pub name: String,
    /// How many servers it owns.
    pub servers: u32,
    /// How many networks it owns, public ones among them.
    pub networks: u32,
    /// How many records in DNS it owns.
    #[serde(default, skip_serializing_if = "is_nought")]
    pub records: u32,
    /// Every object it owns.
    pub objects: Vec<ObjectSaid>,
    /// Its newest run's id.
    pub last_run: Option<String>,
    /// How that run stands.
    pub last_run_state: Option<String>,
}

impl Said for InfrastructureAttributes {
    const TYPE: &'static str = "infrastructures";
}

fn is_nought(number: &u32) -> bool {
    *number == 0
}

/// One owned object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ObjectSaid {
    /// `server`, `network`, `public-network` or `record` (in DNS).
    pub kind: String,
    /// Its name in the file.
    pub name: String,
    /// Its id at the provider.
    pub id: String,
    /// Its name at the provider.
    pub provider_name: String,
    /// Who the account is at the provider.
    pub account: String,
    /// `created`, `adopted` or `claimed`.
    pub claim: String,
    /// Whether the file protected it when last seen.
    pub protect: bool,
    /// The image in the file's words; empty for networks.
    pub image: String,
    /// Since when it is ours.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// Playbooks whose last attempt here failed.
    pub provision_failed: Vec<String>,
}

impl From<&Ownership> for ObjectSaid {
    fn from(record: &Ownership) -> ObjectSaid {
        let failed = record.provisioned.iter().filter(|(_, outcome)| !outcome.succeeded);
        ObjectSaid {
            kind: record.kind.word().replace(' ', "-"),
            name: record.name.to_string(),
            id: record.id.to_string(),
            provider_name: record.provider_name.clone(),
            account: record.account.to_string(),
            claim: match record.claim {
                Claim::Created => "created".to_owned(),
                Claim::Adopted => "adopted".to_owned(),
                Claim::Claimed => "claimed".to_owned(),
            },
            protect: record.protect,
            image: record.image_words.clone(),
            since: record.since,
            provision_failed: failed.map(|(key, _)| key.clone()).collect(),
        }
    }
}

impl InfrastructureAttributes {
    /// The possessions in the words of the API.
    pub fn new(name: &str, records: &[Ownership], last_run: Option<(&str, &RunAttributes)>) -> Self {
        let count = |kind| records.iter().filter(|record| record.kind == kind).count() as u32;
        InfrastructureAttributes {
            name: name.to_owned(),
            servers: count(ObjectKind::Server),
            networks: count(ObjectKind::Network) + count(ObjectKind::PublicNetwork),
            records: count(ObjectKind::Record),
            objects: records.iter().map(ObjectSaid::from).collect(),
            last_run: last_run.map(|(id, _)| id.to_owned()),
            last_run_state: last_run.map(|(_, run)| run.state.clone()),
        }
    }
}
