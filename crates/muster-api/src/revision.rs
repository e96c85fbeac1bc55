//! Revisions as said: each application of a file, what it left behind, how two differ, and the request to go back.

use std::collections::BTreeMap;

use jiff::Timestamp;
use muster_model::ownership::Provisioned;
use muster_model::policy::Purpose;
use muster_model::revision::{Applied, AppliedServer, Difference, Revision, TextDifference};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::document::{Resource, Said};
use crate::plan::{PolicySaid, PurposeSaid, SummarySaid, default_space};
use crate::secret::SecretText;

/// What is said about one revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RevisionAttributes {
    /// The file.
    pub infrastructure: String,
    /// The account it was applied to.
    pub account: String,
    /// Who that account is at the provider.
    pub identity: String,
    /// Its number, from 1.
    pub number: u32,
    /// `update`, `deploy` or `destroy`.
    pub purpose: PurposeSaid,
    /// The revision that it went back to.
    pub rollback_to: Option<u32>,
    /// Its plan.
    pub plan: String,
    /// Its run.
    pub run: String,
    /// How that run stands.
    pub state: String,
    /// Why it ended so, where there is more to say.
    pub message: Option<String>,
    /// Who applied it.
    pub actor: String,
    /// When it was approved.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// When its run ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// What its plan was to do.
    pub summary: SummarySaid,
    /// The digest of its bundle (SHA-256, hex).
    pub bundle: String,
    /// Whether its files are still kept, so that it can be compared and gone back to.
    pub kept: bool,
    /// The rest, where one revision was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<RevisionDetail>,
}

impl Said for RevisionAttributes {
    const TYPE: &'static str = "revisions";
}

/// What a list of revisions leaves out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RevisionDetail {
    /// The infrastructure file, below the bundle's root.
    pub entry: Option<String>,
    /// Names of variables that were given beside it.
    pub vars: Vec<String>,
    /// Names of environment variables that came with it.
    pub env: Vec<String>,
    /// Its documents and playbooks: path → SHA-256, hex.
    pub documents: BTreeMap<String, String>,
    /// How many files its bundle has.
    pub files: u64,
    /// What it left behind; none if its run did not end well, or if it is not kept any more.
    pub applied: Option<AppliedSaid>,
}

/// What a revision left behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AppliedSaid {
    /// Its servers.
    pub servers: Vec<AppliedServerSaid>,
    /// Its networks: name → id.
    pub networks: BTreeMap<String, String>,
}

/// One server as a revision left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AppliedServerSaid {
    /// Its name in the file.
    pub name: String,
    /// Its id at the provider.
    pub id: String,
    /// Its name at the provider.
    pub provider_name: String,
    /// `created`, `adopted` or `claimed`.
    pub claim: String,
    /// Cores.
    pub cpu: Option<u32>,
    /// Memory, in the provider's MB.
    pub ram_mb: Option<u32>,
    /// Disk, in the provider's GB.
    pub disk_gb: Option<u32>,
    /// The kind of disk.
    pub disk_type: Option<String>,
    /// The pool.
    pub performance: Option<String>,
    /// `running` or `stopped`.
    pub power: Option<String>,
    /// The place; empty if nobody saw it.
    pub location: String,
    /// Private networks.
    pub networks: Vec<String>,
    /// The image's technical name.
    pub image: String,
    /// Which versions are inside it: releases of code, playbooks, and what Muster puts there by itself.
    pub inside: Vec<InsideSaid>,
}

/// What one playbook or delivery reached on a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InsideSaid {
    /// A playbook's path, `code:` and where it was delivered to, or the name of a built-in.
    pub what: String,
    /// Its version (SHA-256, hex); of code, the name of the release.
    pub version: String,
    /// Whether it succeeded.
    pub succeeded: bool,
    /// When it ended.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

impl From<&Revision> for RevisionAttributes {
    fn from(revision: &Revision) -> RevisionAttributes {
        let Revision { space: _, infrastructure, account, number, approved, run, is_kept } = revision;
        RevisionAttributes {
            infrastructure: infrastructure.to_string(),
            account: account.to_string(),
            identity: approved.identity.to_string(),
            number: number.0,
            purpose: match approved.purpose {
                Purpose::Update => PurposeSaid::Update,
                Purpose::Deploy => PurposeSaid::Deploy,
                Purpose::Destroy => PurposeSaid::Destroy,
                Purpose::Adopt => PurposeSaid::Adopt,
                Purpose::Disown => PurposeSaid::Disown,
            },
            rollback_to: approved.back_to.map(|number| number.0),
            plan: run.plan.to_string(),
            run: run.id.to_string(),
            state: run.state.word().to_owned(),
            message: run.message.clone(),
            actor: run.actor.clone(),
            started_at: run.started_at,
            ended_at: run.ended_at,
            summary: SummarySaid::from(approved.summary),
            bundle: approved.bundle.clone(),
            kept: *is_kept,
            detail: None,
        }
    }
}

impl RevisionAttributes {
    /// A revision as a resource.
    pub fn resource(self) -> Resource<RevisionAttributes> {
        let id = format!("{}/{}/{}", self.account, self.infrastructure, self.number);
        Resource::new(id, self)
    }
}

impl From<&Applied> for AppliedSaid {
    fn from(applied: &Applied) -> AppliedSaid {
        let networks = applied.networks.iter();
        AppliedSaid {
            servers: applied.servers.iter().map(AppliedServerSaid::from).collect(),
            networks: networks.map(|network| (network.name.to_string(), network.id.to_string())).collect(),
        }
    }
}

impl From<&AppliedServer> for AppliedServerSaid {
    fn from(server: &AppliedServer) -> AppliedServerSaid {
        let size = server.size.as_ref();
        let inside = |(what, reached): (&String, &Provisioned)| InsideSaid {
            what: what.clone(),
            version: reached.digest.clone(),
            succeeded: reached.succeeded,
            at: reached.at,
        };
        AppliedServerSaid {
            name: server.name.to_string(),
            id: server.id.to_string(),
            provider_name: server.provider_name.clone(),
            claim: server.claim.word().to_owned(),
            cpu: size.map(|size| size.cpu),
            ram_mb: size.map(|size| size.ram_mb),
            disk_gb: size.map(|size| size.disk_gb),
            disk_type: size.map(|size| size.disk_type.clone()),
            performance: size.map(|size| size.performance.to_string()),
            power: server.power.map(|power| power.to_string()),
            location: server.location.clone(),
            networks: server.networks.iter().map(ToString::to_string).collect(),
            image: server.image.clone(),
            inside: server.provisioned.iter().map(inside).collect(),
        }
    }
}

/// One file of a revision, as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RevisionFileAttributes {
    /// Its path below the root.
    pub path: String,
    /// SHA-256 of its content, hex.
    pub sha256: String,
    /// Its content.
    pub text: String,
}

impl Said for RevisionFileAttributes {
    const TYPE: &'static str = "revision-files";
}

/// How a revision differs from another one, or from a file as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DifferenceAttributes {
    /// The file.
    pub infrastructure: String,
    /// The revision before.
    pub from: u32,
    /// The revision after; none = the file as it is now.
    pub to: Option<u32>,
    /// What differs in what is wanted.
    pub fields: Vec<FieldDifferenceSaid>,
    /// Which files differ.
    pub files: Vec<FileDifferenceSaid>,
    /// How many further files differ.
    pub files_more: u64,
}

impl Said for DifferenceAttributes {
    const TYPE: &'static str = "revision-differences";
}

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldDifferenceSaid {
    /// What it is about: `server web-1`.
    pub target: String,
    /// Which field; empty where the whole thing came or went.
    pub field: String,
    /// Before.
    pub old: Option<String>,
    /// After.
    pub new: Option<String>,
}

impl From<&Difference> for FieldDifferenceSaid {
    fn from(difference: &Difference) -> FieldDifferenceSaid {
        let Difference { target, field, old, new } = difference.clone();
        FieldDifferenceSaid { target, field, old, new }
    }
}

/// One file that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileDifferenceSaid {
    /// Its path below the root.
    pub path: String,
    /// Its content before (SHA-256, hex); none if it was not there.
    pub old: Option<String>,
    /// Its content after.
    pub new: Option<String>,
    /// The texts as a unified diff, secrets hidden: of documents and playbooks.
    pub diff: Option<String>,
    /// Why there is none.
    pub note: Option<String>,
}

impl FileDifferenceSaid {
    /// A file that differs, with what is to be said of its text.
    pub fn new(path: &str, old: Option<String>, new: Option<String>, text: Option<&TextDifference>) -> Self {
        let (diff, note) = match text {
            Some(TextDifference::Unified(text)) => (Some(text.clone()), None),
            Some(TextDifference::Hidden) => (None, Some("only hidden values differ".to_owned())),
            Some(TextDifference::NotShown(why)) => (None, Some((*why).to_owned())),
            Some(TextDifference::None) => (None, Some("its permissions differ".to_owned())),
            None => (None, None),
        };
        FileDifferenceSaid { path: path.to_owned(), old, new, diff, note }
    }
}

/// Ask for a plan that goes back to an earlier revision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RollbackRequest {
    /// The Space.
    #[serde(default = "default_space")]
    pub space: String,
    /// The account; may be left out where the file has a history at one only.
    #[serde(default)]
    pub account: Option<String>,
    /// The revision; left out, the last good one before the current one.
    #[serde(default)]
    pub to: Option<u32>,
    /// Whether to deploy; left out, as the revision had it.
    #[serde(default)]
    pub deploy: Option<bool>,
    /// Leave disks as they are that are larger now.
    #[serde(default)]
    pub keep_disks: bool,
    /// Environment variables for this plan; they win over those kept with the revision.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>)]
    pub env: BTreeMap<String, SecretText>,
    /// Consent and narrowing; its purpose does not count.
    #[serde(default)]
    pub policy: PolicySaid,
}

impl Said for RollbackRequest {
    const TYPE: &'static str = "rollbacks";
}
