//! One method a route.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Method;
use muster_model::id::{PlanId, RunId};

use super::{Answer, Client, encoded, plan_path, run_path, with_query};
use crate::about::VersionAttributes;
use crate::account::{AccountAttributes, AccountRegistration, AccountTestAttributes, OffersAttributes};
use crate::blob::{BlobAttributes, BlobCheck};
use crate::document::{Many, One, Resource};
use crate::exec::{ExecRequest, PasswordRequest, SshAccessAttributes};
use crate::infrastructure::InfrastructureAttributes;
use crate::limit::{LimitAttributes, LimitNumber};
use crate::log::{LogFilter, OutputFrom};
use crate::media::{BASE, IDEMPOTENCY_KEY, JSON_API, OCTETS};
use crate::object::{AccountDetails, ObjectAttributes, ObjectsRequest, PasswordAttributes};
use crate::plan::{PlanAttributes, PlanRequest};
use crate::queue::{QueueRequest, QueuedAttributes};
use crate::release::ReleasesAttributes;
use crate::run::{CheckupAttributes, OutputAttributes, RunAttributes, RunRequest, StandingAttributes};
use crate::secret::{SecretAttributes, SecretText, SecretValue};
use crate::server::ServerAttributes;
use crate::stats::StatsAttributes;

impl Client {
    /// Which Muster answers.
    pub async fn version(&self) -> Answer<Resource<VersionAttributes>> {
        self.one("/version").await
    }

    /// Which of these blobs the server does not have.
    pub async fn missing_blobs(&self, digests: Vec<String>) -> Answer<Vec<String>> {
        let path = format!("{BASE}/blobs/missing");
        let missing: Many<BlobAttributes> = self.call(Method::POST, &path, BlobCheck { digests }).await?;
        Ok(missing.data.into_iter().map(|blob| blob.id).collect())
    }

    /// Stores a blob under its digest.
    pub async fn put_blob(&self, digest: &str, content: Bytes) -> Answer<()> {
        let path = format!("{BASE}/blobs/{}", encoded(digest));
        let request = Self::request(Method::PUT, &path, JSON_API, Some((OCTETS, content)))?;
        self.send(request).await.map(drop)
    }

    /// Asks for a plan; it is *observing* when this returns.
    pub async fn submit(
        &self,
        plan: PlanRequest,
        idempotency_key: Option<&str>,
    ) -> Answer<Resource<PlanAttributes>> {
        let path = format!("{BASE}/plans");
        Ok(self.keyed::<_, One<PlanAttributes>>(&path, plan, idempotency_key).await?.data)
    }

    /// One plan, after waiting at most so many seconds for it to be more than *observing*.
    pub async fn plan(&self, plan: PlanId, wait_seconds: u64) -> Answer<Resource<PlanAttributes>> {
        self.one(&format!("{}?wait={wait_seconds}", plan_path(plan))).await
    }

    /// Approves a plan: a run begins.
    pub async fn approve(
        &self,
        request: RunRequest,
        idempotency_key: Option<&str>,
    ) -> Answer<Resource<RunAttributes>> {
        let path = format!("{BASE}/runs");
        Ok(self.keyed::<_, One<RunAttributes>>(&path, request, idempotency_key).await?.data)
    }

    /// The objects of a class of an account; `query` holds `of`, `sort` and `filter[FIELD]`.
    pub async fn objects(
        &self,
        account: &str,
        class: &str,
        query: &BTreeMap<String, String>,
    ) -> Answer<Vec<Resource<ObjectAttributes>>> {
        let path = format!("{BASE}/accounts/{}/objects/{}", encoded(account), encoded(class));
        self.list(&with_query(path, query)).await
    }

    /// Asks for a plan about objects of an account.
    pub async fn submit_objects(
        &self,
        account: &str,
        request: ObjectsRequest,
    ) -> Answer<Resource<PlanAttributes>> {
        let path = format!("{BASE}/accounts/{}/object-plans", encoded(account));
        Ok(self.keyed::<_, One<PlanAttributes>>(&path, request, None).await?.data)
    }

    /// Asks for a plan that takes a run about objects back.
    pub async fn undo(&self, run: RunId) -> Answer<Resource<PlanAttributes>> {
        Ok(self.post_empty::<One<PlanAttributes>>(&run_path(run, "/undo")).await?.data)
    }

    /// What the provider tells about the customer, the project and the money.
    pub async fn account_details(&self, account: &str) -> Answer<Resource<AccountDetails>> {
        self.one(&format!("{BASE}/accounts/{}/details", encoded(account))).await
    }

    /// The password of a storage user.
    pub async fn object_password(&self, account: &str, user: &str) -> Answer<Resource<PasswordAttributes>> {
        let path =
            format!("{BASE}/accounts/{}/objects/storage-user/{}/password", encoded(account), encoded(user));
        self.one(&path).await
    }

    /// Lets a ready plan wait until nothing is in its way.
    pub async fn enqueue(&self, request: QueueRequest) -> Answer<Resource<QueuedAttributes>> {
        Ok(self.keyed::<_, One<QueuedAttributes>>(&format!("{BASE}/queue"), request, None).await?.data)
    }

    /// One queued request.
    pub async fn queued(&self, plan: PlanId) -> Answer<Resource<QueuedAttributes>> {
        self.one(&format!("{BASE}/queue/{plan}")).await
    }

    /// Queued requests, the newest first, also those that do not wait any more.
    pub async fn queue(&self) -> Answer<Vec<Resource<QueuedAttributes>>> {
        self.list(&format!("{BASE}/queue")).await
    }

    /// Takes a request out of the queue.
    pub async fn withdraw(&self, plan: PlanId) -> Answer<Resource<QueuedAttributes>> {
        Ok(self.post_empty::<One<QueuedAttributes>>(&format!("{BASE}/queue/{plan}/withdraw")).await?.data)
    }

    /// The newest runs first.
    pub async fn runs(&self, limit: u32) -> Answer<Vec<Resource<RunAttributes>>> {
        self.list(&format!("{BASE}/runs?limit={limit}")).await
    }

    /// One run.
    pub async fn run(&self, run: RunId) -> Answer<Resource<RunAttributes>> {
        self.one(&run_path(run, "")).await
    }

    /// Asks a run to stop between steps.
    pub async fn cancel(&self, run: RunId) -> Answer<Resource<RunAttributes>> {
        Ok(self.post_empty::<One<RunAttributes>>(&run_path(run, "/cancel")).await?.data)
    }

    /// How a run stands now.
    pub async fn standing(&self, run: RunId) -> Answer<Resource<StandingAttributes>> {
        self.one(&run_path(run, "/standing")).await
    }

    /// What `doctor` wants to know of the engine.
    pub async fn checkup(&self) -> Answer<Resource<CheckupAttributes>> {
        self.one(&format!("{BASE}/checkup")).await
    }

    /// Lets the answering process let go of a run, for another one to resume.
    pub async fn hand_over(&self, run: RunId) -> Answer<Resource<RunAttributes>> {
        Ok(self.post_empty::<One<RunAttributes>>(&run_path(run, "/hand-over")).await?.data)
    }

    /// Lets steps under way finish and begins nothing further until the run is resumed.
    pub async fn pause(&self, run: RunId) -> Answer<Resource<RunAttributes>> {
        Ok(self.post_empty::<One<RunAttributes>>(&run_path(run, "/pause")).await?.data)
    }

    /// Takes up an interrupted or paused run.
    pub async fn resume(&self, run: RunId) -> Answer<Resource<RunAttributes>> {
        Ok(self.post_empty::<One<RunAttributes>>(&run_path(run, "/resume")).await?.data)
    }

    /// Takes a failed run up again: what failed begins once more.
    pub async fn retry(&self, run: RunId) -> Answer<Resource<RunAttributes>> {
        Ok(self.post_empty::<One<RunAttributes>>(&run_path(run, "/retry")).await?.data)
    }

    /// Lets running steps finish and leaves the run *interrupted*.
    pub async fn interrupt(&self, run: RunId) -> Answer<Resource<RunAttributes>> {
        Ok(self.post_empty::<One<RunAttributes>>(&run_path(run, "/interrupt")).await?.data)
    }

    /// Lines of a run's output that a filter takes: at most so many, from a place on.
    pub async fn output(
        &self,
        run: RunId,
        from: &OutputFrom,
        filter: &LogFilter,
        limit: u32,
    ) -> Answer<Many<OutputAttributes>> {
        self.get(&run_path(run, &format!("/output?{}&limit={limit}{}", from.query(), filter.query()))).await
    }

    /// Registered accounts, and the one from the environment.
    pub async fn accounts(&self) -> Answer<Vec<Resource<AccountAttributes>>> {
        self.list(&format!("{BASE}/accounts")).await
    }

    /// One account.
    pub async fn account(&self, name: &str) -> Answer<Resource<AccountAttributes>> {
        self.one(&format!("{BASE}/accounts/{}", encoded(name))).await
    }

    /// Registers an account after the provider has confirmed the key.
    pub async fn register(
        &self,
        name: &str,
        registration: AccountRegistration,
    ) -> Answer<Resource<AccountAttributes>> {
        let path = format!("{BASE}/accounts/{}", encoded(name));
        Ok(self.call::<_, One<AccountAttributes>>(Method::PUT, &path, registration).await?.data)
    }

    /// Asks the provider who the account is and what it has left.
    pub async fn test_account(&self, name: &str) -> Answer<Resource<AccountTestAttributes>> {
        let path = format!("{BASE}/accounts/{}/test", encoded(name));
        Ok(self.post_empty::<One<AccountTestAttributes>>(&path).await?.data)
    }

    /// What an account's provider offers: kept for a day, or asked for `now`.
    pub async fn offers(&self, name: &str, now: bool) -> Answer<Resource<OffersAttributes>> {
        let account = format!("{BASE}/accounts/{}", encoded(name));
        Ok(match now {
            true => self.post_empty::<One<OffersAttributes>>(&format!("{account}/refresh")).await?.data,
            false => self.get::<One<OffersAttributes>>(&format!("{account}/offers")).await?.data,
        })
    }

    /// The servers of an account as the provider shows them now; `query`: `sort=FIELD`, `filter[FIELD]=VALUE`.
    pub async fn servers(
        &self,
        account: &str,
        query: &BTreeMap<String, String>,
    ) -> Answer<Vec<Resource<ServerAttributes>>> {
        self.list(&with_query(format!("{BASE}/accounts/{}/servers", encoded(account)), query)).await
    }

    /// Files that own something or had a run.
    pub async fn infrastructures(&self) -> Answer<Vec<Resource<InfrastructureAttributes>>> {
        self.list(&format!("{BASE}/infrastructures")).await
    }

    /// What one file owns.
    pub async fn infrastructure(&self, name: &str) -> Answer<Resource<InfrastructureAttributes>> {
        self.one(&format!("{BASE}/infrastructures/{}", encoded(name))).await
    }

    /// Releases that the servers of a file keep.
    pub async fn releases(&self, infrastructure: &str) -> Answer<Vec<Resource<ReleasesAttributes>>> {
        self.list(&format!("{BASE}/infrastructures/{}/releases", encoded(infrastructure))).await
    }

    /// One scrape of every running server of a file.
    pub async fn stats(&self, infrastructure: &str) -> Answer<Vec<Resource<StatsAttributes>>> {
        self.list(&format!("{BASE}/infrastructures/{}/stats", encoded(infrastructure))).await
    }

    /// Names of sealed secrets.
    pub async fn secrets(&self) -> Answer<Vec<Resource<SecretAttributes>>> {
        self.list(&format!("{BASE}/secrets")).await
    }

    /// Seals and stores a secret.
    pub async fn set_secret(&self, name: &str, value: muster_model::Secret) -> Answer<()> {
        let path = format!("{BASE}/secrets/{}", encoded(name));
        let value = SecretValue { value: SecretText(value) };
        self.call::<_, serde_json::Value>(Method::PUT, &path, value).await.map(drop)
    }

    /// Forgets a secret; *not found* if there was none.
    pub async fn unset_secret(&self, name: &str) -> Answer<()> {
        let path = format!("{BASE}/secrets/{}", encoded(name));
        self.send(Self::request(Method::DELETE, &path, JSON_API, None)?).await.map(drop)
    }

    /// Limits of concurrency, and how much of each is taken.
    pub async fn limits(&self) -> Answer<Vec<Resource<LimitAttributes>>> {
        self.list(&format!("{BASE}/limits")).await
    }

    /// Sets a limit.
    pub async fn set_limit(&self, key: &str, cap: u32) -> Answer<Resource<LimitAttributes>> {
        let path = format!("{BASE}/limits/{}", encoded(key));
        Ok(self.call::<_, One<LimitAttributes>>(Method::PUT, &path, LimitNumber { cap }).await?.data)
    }

    /// Removes a limit; *not found* if there was none.
    pub async fn remove_limit(&self, key: &str) -> Answer<()> {
        let path = format!("{BASE}/limits/{}", encoded(key));
        self.send(Self::request(Method::DELETE, &path, JSON_API, None)?).await.map(drop)
    }

    /// Asks for a plan that gives servers another password.
    pub async fn change_passwords(&self, request: PasswordRequest) -> Answer<Resource<PlanAttributes>> {
        let path = format!("{BASE}/password-changes");
        Ok(self.keyed::<_, One<PlanAttributes>>(&path, request, None).await?.data)
    }

    /// The password that a server was given; two where it is not known which of them it has.
    pub async fn server_password(&self, server: &str) -> Answer<Vec<Resource<PasswordAttributes>>> {
        self.list(&format!("{BASE}/servers/{}/password", encoded(server))).await
    }

    /// Asks for a plan that runs one command on servers.
    pub async fn exec(&self, request: ExecRequest) -> Answer<Resource<PlanAttributes>> {
        let path = format!("{BASE}/execs");
        Ok(self.call::<_, One<PlanAttributes>>(Method::POST, &path, request).await?.data)
    }

    /// How to log in to an owned server.
    pub async fn ssh_access(&self, server: &str) -> Answer<Resource<SshAccessAttributes>> {
        let path = format!("{BASE}/servers/{}/ssh", encoded(server));
        Ok(self.post_empty::<One<SshAccessAttributes>>(&path).await?.data)
    }

    async fn keyed<In, Out>(&self, path: &str, attributes: In, key: Option<&str>) -> Answer<Out>
    where
        In: serde::Serialize + crate::document::Said,
        Out: serde::de::DeserializeOwned,
    {
        let body = serde_json::to_vec(&crate::document::Incoming::new(attributes))
            .map_err(|error| super::ClientError::Unreadable(format!("cannot write the request: {error}")))?;
        let mut request = Self::request(Method::POST, path, JSON_API, Some((JSON_API, Bytes::from(body))))?;
        if let Some(key) = key {
            let value = http::HeaderValue::from_str(key).map_err(|_| {
                super::ClientError::Unreadable("the idempotency key is no header text".into())
            })?;
            request.headers_mut().insert(IDEMPOTENCY_KEY, value);
        }
        super::read(self.send(request).await?).await
    }
}
