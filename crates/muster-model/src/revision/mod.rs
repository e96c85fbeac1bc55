//! Revisions: each application of an infrastructure file, numbered per infrastructure and account, with what it was
//! asked with and what was there after it.
//!
//! Here are the nouns. Beside them: what a good run leaves behind (`applied.rs`), what differs between two wanted
//! states (`difference.rs`) and between two texts (`text.rs`), secrets hidden (`hide.rs`, with `secret.rs` for names and
//! `cut.rs` for lines). What going back would lose is decided in `muster-planner`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::account::AccountIdentity;
use crate::id::{AccountName, InfrastructureName, RevisionNumber, SpaceName};
use crate::plan::Summary;
use crate::policy::Purpose;
use crate::run::{Run, RunState};

mod applied;
mod cut;
mod difference;
mod hide;
mod secret;
mod text;

pub use applied::{Applied, AppliedNetwork, AppliedServer, applied};
pub use difference::{Difference, differences};
pub use hide::hidden;
pub use secret::is_secret_name;
pub use text::{LINES_MAX, TextDifference, text_difference};

/// What a plan was asked with, beside its bundle and policy: enough to ask for the same again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Source {
    /// The infrastructure file, below the bundle's root; none where a file that is gone was taken down.
    pub entry: Option<String>,
    /// Variables given beside it, as text.
    pub vars: BTreeMap<String, String>,
    /// Files of variables, in their order.
    pub var_files: Vec<String>,
    /// Names of environment variables that came with it; their values are sealed under the plan.
    pub env: BTreeSet<String>,
    /// Documents whose text decided: the file, files of variables, old templates, the root's settings.
    pub documents: BTreeSet<String>,
    /// The revision that it goes back to.
    pub back_to: Option<RevisionNumber>,
}

/// What is kept of a revision from its approval on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approved {
    /// Who the account is at the provider.
    pub identity: AccountIdentity,
    /// Update, deploy or destroy.
    pub purpose: Purpose,
    /// The revision that it went back to.
    pub back_to: Option<RevisionNumber>,
    /// The digest of its bundle (SHA-256, hex).
    pub bundle: String,
    /// What its plan was to do.
    pub summary: Summary,
}

/// One application of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// The Space.
    pub space: SpaceName,
    /// The file.
    pub infrastructure: InfrastructureName,
    /// The account it was applied to.
    pub account: AccountName,
    /// Its number, from 1.
    pub number: RevisionNumber,
    /// What was approved.
    pub approved: Approved,
    /// The run that applied it, with its outcome.
    pub run: Run,
    /// Whether its files are still kept.
    pub is_kept: bool,
}

/// Whether a plan of this purpose applies a file, and so becomes a revision.
pub fn applies(purpose: Purpose) -> bool {
    match purpose {
        Purpose::Update | Purpose::Deploy | Purpose::Destroy => true,
        // They change records, not servers.
        Purpose::Adopt | Purpose::Disown => false,
    }
}

impl Revision {
    /// Whether it ended well.
    pub fn ended_well(&self) -> bool {
        matches!(self.run.state, RunState::Succeeded | RunState::Partly)
    }
}

/// The last revision before the current one that ended well and left servers standing: what "back" means where nobody
/// says how far. One that was *stale* touched nothing, and so is never the current one.
pub fn before_current(newest_first: &[Revision]) -> Option<&Revision> {
    let mut revisions = newest_first.iter().skip_while(|revision| revision.run.state == RunState::Stale);
    revisions.next()?;
    revisions.find(|revision| revision.ended_well() && revision.approved.purpose != Purpose::Destroy)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::account::Provider;
    use crate::id::{PlanId, RunId};
    use crate::plan::Subject;

    fn revision(number: u32, purpose: Purpose, state: RunState) -> Revision {
        let identity =
            AccountIdentity { provider: Provider::Onecloud, customer: "17".into(), project: "4".into() };
        Revision {
            space: "default".into(),
            infrastructure: "shop".into(),
            account: "onecloud".into(),
            number: RevisionNumber(number),
            approved: Approved {
                identity,
                purpose,
                back_to: None,
                bundle: String::new(),
                summary: Summary::default(),
            },
            run: Run {
                id: RunId(Uuid::from_u128(u128::from(number))),
                space: "default".into(),
                subject: Subject::Infrastructure("shop".into()),
                plan: PlanId(Uuid::from_u128(u128::from(number))),
                state,
                message: None,
                actor: "ann".into(),
                started_at: "2026-11-21T05:00:00Z".parse().unwrap(),
                ended_at: None,
            },
            is_kept: true,
        }
    }

    #[test]
    fn back_is_the_last_good_one_before_the_current_one() {
        use Purpose::{Deploy, Destroy, Update};
        use RunState::{Failed, Partly, Stale, Succeeded};
        let back = |oldest_first: &[(Purpose, RunState)]| {
            let mut revisions: Vec<Revision> = (1..)
                .zip(oldest_first)
                .map(|(number, (purpose, state))| revision(number, *purpose, *state))
                .collect();
            revisions.reverse();
            before_current(&revisions).map(|revision| revision.number.0)
        };
        assert_eq!(back(&[]), None);
        assert_eq!(back(&[(Update, Succeeded)]), None);
        assert_eq!(back(&[(Update, Succeeded), (Deploy, Succeeded)]), Some(1));
        assert_eq!(
            back(&[(Update, Succeeded), (Update, Failed)]),
            Some(1),
            "what failed half-way is current"
        );
        assert_eq!(back(&[(Update, Partly), (Update, Failed), (Update, Succeeded)]), Some(1));
        assert_eq!(back(&[(Update, Succeeded), (Update, Succeeded), (Update, Stale)]), Some(1));
        assert_eq!(back(&[(Update, Succeeded), (Destroy, Succeeded)]), Some(1));
        assert_eq!(back(&[(Update, Succeeded), (Destroy, Succeeded), (Update, Succeeded)]), Some(1));
        assert_eq!(back(&[(Update, Failed), (Update, Succeeded)]), None);
    }
}
