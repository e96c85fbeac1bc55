//! Revisions: which application of a file was which, and what it left behind. The words and their meaning; the two
//! databases stand in `sqlite/` and `postgres/`.

use async_trait::async_trait;
use muster_model::id::{AccountName, InfrastructureName, RevisionNumber, RunId, SpaceName};
use muster_model::ownership::Ownership;
use muster_model::revision::{Applied, Approved, Revision};

use crate::store::StoreResult;

/// Revisions of each infrastructure at each account whose files and inputs are kept, however old they are.
pub const REVISIONS_KEPT: u32 = 20;
/// The most revisions in one answer.
pub const REVISIONS_MAX: u32 = 1_000;

/// Whose revisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevisionsOf {
    /// The Space.
    pub space: SpaceName,
    /// The file.
    pub infrastructure: InfrastructureName,
    /// The account.
    pub account: AccountName,
}

/// A revision that appears with the approval of its run; the store gives its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRevision {
    /// Whose.
    pub of: RevisionsOf,
    /// What was approved.
    pub approved: Approved,
}

/// What retention leaves alone, however old it is: the newest ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Runs of each subject.
    pub runs: u32,
    /// Revisions of each infrastructure at each account.
    pub revisions: u32,
}

impl Keep {
    /// So many runs of each subject, and no revisions.
    pub fn runs(runs: u32) -> Keep {
        Keep { runs, revisions: 0 }
    }
}

/// Reading revisions. They are written by an approval and by the good end of its run.
#[async_trait]
pub trait Revisions: Send + Sync {
    /// Accounts at which a file has revisions, by name.
    async fn revision_accounts(
        &self,
        space: &SpaceName,
        infrastructure: &InfrastructureName,
    ) -> StoreResult<Vec<AccountName>>;
    /// The newest revisions first, those below a number only, at most [`REVISIONS_MAX`].
    async fn revisions(
        &self,
        of: &RevisionsOf,
        below: Option<RevisionNumber>,
        limit: u32,
    ) -> StoreResult<Vec<Revision>>;
    /// One revision.
    async fn revision(&self, of: &RevisionsOf, number: RevisionNumber) -> StoreResult<Option<Revision>>;
    /// What the run of a revision left behind; none if it did not end well, or is so old that it was emptied.
    async fn applied(&self, run: RunId) -> StoreResult<Option<Applied>>;
    /// Every record of one file.
    async fn owned_by(
        &self,
        space: &SpaceName,
        infrastructure: &InfrastructureName,
    ) -> StoreResult<Vec<Ownership>>;
}
