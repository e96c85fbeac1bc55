//! Reading: the only way to the store from outside this crate. Rights are decided by the server before.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use muster_model::account::{Account, AccountIdentity, LOCAL_ACCOUNT, Provider};
use muster_model::id::{
    InfrastructureName, LaneNumber, PlanId, RevisionNumber, RunId, SecretName, Sequence, SpaceName,
};
use muster_model::ownership::Ownership;
use muster_model::plan::{Plan, Subject};
use muster_model::run::{Entry, Run};
pub use muster_store::output::{FoundLine, LineFilter, OutputPage, OutputPositions, Pattern, PatternError};
pub use muster_store::{OutputRecord as OutputLine, PlanState, StepTally as StepCounts};

use crate::account::ENVIRONMENT_ACCOUNT;

/// The last sequence number read in each lane of a run.
pub type EventPositions = BTreeMap<LaneNumber, Sequence>;

/// How often a follower looks by itself.
const FOLLOW_POLL: Duration = Duration::from_millis(200);
/// Entries or lines given at once.
const PAGE_MAX: u32 = 10_000;

/// A plan with its circumstances.
#[derive(Clone, Debug)]
pub struct PlanView {
    /// Its id.
    pub id: PlanId,
    /// The Space.
    pub space: SpaceName,
    /// What it is about.
    pub subject: Subject,
    /// How it stands.
    pub state: PlanState,
    /// Why it was refused, when that is not in the plan (a provider that did not answer).
    pub message: Option<String>,
    /// The plan, once it was made.
    pub plan: Option<Plan>,
    /// The revision that it goes back to.
    pub back_to: Option<RevisionNumber>,
    /// Warnings of the document (old spellings), rendered.
    pub warnings: Vec<String>,
    /// Who proposed it.
    pub actor: String,
    /// When.
    pub created_at: jiff::Timestamp,
}

/// A run with its counts.
#[derive(Clone, Debug)]
pub struct RunView {
    /// The run.
    pub run: Run,
    /// Its steps.
    pub steps: StepCounts,
    /// When it begins, while it waits in its countdown.
    pub begins_at: Option<Timestamp>,
    /// How long that is from now.
    pub begins_in: Option<SignedDuration>,
}

/// What one file owns.
#[derive(Clone, Debug)]
pub struct InfrastructureView {
    /// Its name.
    pub name: InfrastructureName,
    /// Its records.
    pub records: Vec<Ownership>,
    /// Its newest run.
    pub last_run: Option<Run>,
}

/// Read access to what the engine remembers.
#[derive(Clone)]
pub struct Reads {
    pub(crate) engine: crate::Engine,
}

/// Kinds of results that reads give; errors are the store's.
pub type ReadResult<T> = Result<T, crate::EngineError>;

impl Reads {
    /// One plan.
    pub async fn plan(&self, id: PlanId) -> ReadResult<Option<PlanView>> {
        let row = self.engine.inner.store.plan(id).await?;
        Ok(row.map(|row| PlanView {
            id,
            space: row.new.space,
            subject: row.new.subject,
            state: row.state,
            message: row.message,
            plan: row.plan,
            back_to: row.new.source.and_then(|source| source.back_to),
            warnings: row.new.warnings,
            actor: row.new.actor,
            created_at: row.new.at,
        }))
    }

    /// One run without its counts, which are made from its whole journal: for those who ask often.
    pub async fn run_row(&self, id: RunId) -> ReadResult<Option<Run>> {
        Ok(self.engine.inner.store.run(id).await?)
    }

    /// One run.
    pub async fn run(&self, id: RunId) -> ReadResult<Option<RunView>> {
        let store = &self.engine.inner.store;
        let Some(run) = store.run(id).await? else { return Ok(None) };
        Ok(Some(self.view(run).await?))
    }

    /// The newest runs first.
    pub async fn runs(&self, space: &SpaceName, limit: u32) -> ReadResult<Vec<RunView>> {
        let store = &self.engine.inner.store;
        let mut views = Vec::new();
        for run in store.runs(space, limit.min(PAGE_MAX)).await? {
            views.push(self.view(run).await?);
        }
        Ok(views)
    }

    async fn view(&self, run: Run) -> ReadResult<RunView> {
        let inner = &self.engine.inner;
        let begins_at = inner.begins_at(&run).await?;
        let left = |at: Timestamp| at.duration_since(inner.world.clock.now()).max(SignedDuration::ZERO);
        Ok(RunView {
            steps: inner.store.tally(run.id).await?,
            begins_in: begins_at.map(left),
            begins_at,
            run,
        })
    }

    /// Journal entries of all lanes behind a cursor: in order within each lane, lanes side by side. A lane that the
    /// cursor does not name begins at its beginning.
    pub async fn follow(&self, run: RunId, cursor: &EventPositions, limit: u32) -> ReadResult<Vec<Entry>> {
        Ok(self.engine.inner.store.follow(run, cursor.clone(), limit.min(PAGE_MAX)).await?)
    }

    /// Resolves when something was committed behind a cursor, or a poll interval has passed: a hint for followers, who
    /// then read [`Reads::follow`].
    pub async fn more(&self, run: RunId, cursor: &EventPositions) {
        let hint = self.engine.inner.committed.notified();
        if let Ok(entries) = self.follow(run, cursor, 1).await
            && !entries.is_empty()
        {
            return;
        }
        // Another process may be the writer; then only looking again helps.
        let _ = tokio::time::timeout(FOLLOW_POLL, hint).await;
    }

    /// The next lines of a run's output that a filter takes, of all its lanes, merged by time.
    pub async fn output(
        &self,
        run: RunId,
        from: &OutputPositions,
        filter: &LineFilter,
        limit: u32,
    ) -> ReadResult<OutputPage> {
        let contents = self.engine.inner.contents.as_ref();
        let lanes = self.lanes(run).await?;
        let limit = limit.min(PAGE_MAX) as usize;
        Ok(muster_store::output::search_output(contents, run, &lanes, from, filter, limit).await?)
    }

    /// Where the last lines of each lane's output begin, at most so many of each.
    pub async fn output_tail(&self, run: RunId, lines: u64) -> ReadResult<OutputPositions> {
        let mut positions = OutputPositions::new();
        for lane in self.lanes(run).await? {
            let end = self.engine.inner.contents.output_end(run, lane).await?;
            positions.insert(lane, end.lines.saturating_sub(lines));
        }
        Ok(positions)
    }

    async fn lanes(&self, run: RunId) -> ReadResult<Vec<LaneNumber>> {
        Ok(self.engine.inner.store.lanes(run).await?.into_iter().map(|row| row.lane).collect())
    }

    /// Registered accounts; the one from the environment unless a registered one has its name; and this computer's own
    /// machines once they were used.
    pub async fn accounts(&self, space: &SpaceName) -> ReadResult<Vec<Account>> {
        let inner = &self.engine.inner;
        let mut accounts: Vec<Account> =
            inner.store.accounts(space).await?.into_iter().map(|(account, _)| account).collect();
        if let Some(environment) = &inner.config.environment_account
            && !accounts.iter().any(|account| account.name.as_str() == ENVIRONMENT_ACCOUNT)
        {
            let name = ENVIRONMENT_ACCOUNT.into();
            let account = match inner.session(space, &name).await {
                Ok(session) => session.account.clone(),
                // A provider that does not answer must not hide that the account is there.
                Err(_) => Account {
                    name,
                    identity: AccountIdentity {
                        provider: Provider::Onecloud,
                        customer: "?".into(),
                        project: "?".into(),
                    },
                    url: environment.url.clone(),
                    settings: environment.settings.clone(),
                },
            };
            accounts.push(account);
        }
        if !accounts.iter().any(|account| account.name.as_str() == LOCAL_ACCOUNT) {
            accounts.extend(inner.local_account(space).await);
        }
        Ok(accounts)
    }

    /// Names of sealed secrets.
    pub async fn secrets(&self, space: &SpaceName) -> ReadResult<Vec<SecretName>> {
        Ok(self.engine.inner.store.secrets(space).await?)
    }

    /// Infrastructures that own something, with their newest run.
    pub async fn infrastructures(&self, space: &SpaceName) -> ReadResult<Vec<InfrastructureView>> {
        let store = &self.engine.inner.store;
        let mut by_name: BTreeMap<InfrastructureName, Vec<Ownership>> = BTreeMap::new();
        for record in store.owned(space).await? {
            by_name.entry(record.infrastructure.clone()).or_default().push(record);
        }
        let mut views = Vec::new();
        for (name, records) in by_name {
            let last_run = store.last_run(space, &name).await?;
            views.push(InfrastructureView { name, records, last_run });
        }
        Ok(views)
    }

    /// Which of these blobs (SHA-256, hex) are not stored yet.
    pub async fn missing_blobs(&self, digests: &[String]) -> ReadResult<Vec<String>> {
        let mut missing = Vec::new();
        for digest in digests {
            if !self.engine.inner.contents.has(digest).await? {
                missing.push(digest.clone());
            }
        }
        Ok(missing)
    }
}
