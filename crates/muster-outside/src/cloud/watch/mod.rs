//! Waiting for a provider: **one list** per account and interval, however many wait (`SEMANTICS.md` §12).
//!
//! A step that has asked for a change waits here until the list shows it. What it waits for is its own
//! predicate; how it is looked for, how many failures are borne and how long, is decided here.

mod shared;

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use muster_model::World;
use muster_model::cloud::SeenNetwork;
use muster_model::id::ProviderId;
use muster_model::object::{ObjectClass, SeenObject};
use muster_model::server::SeenServer;
use tokio::time::timeout;

use super::{Cloud, CloudError, CloudErrorKind};
use shared::Shared;

/// How many lists in a row may fail while somebody waits. Each of them has been retried by the client already.
pub const LIST_FAILURES_MAX: u32 = 5;

/// The shortest interval between two lists.
pub const INTERVAL_MIN: Duration = Duration::from_millis(10);

/// The servers of an account as one list showed them.
#[derive(Debug)]
pub struct SeenServers {
    /// When it had been read.
    pub seen_at: Timestamp,
    /// All of them.
    pub servers: Vec<SeenServer>,
    places: HashMap<ProviderId, usize>,
}

impl SeenServers {
    fn new(seen_at: Timestamp, servers: Vec<SeenServer>) -> SeenServers {
        let places = servers.iter().enumerate().map(|(place, server)| (server.id.clone(), place)).collect();
        SeenServers { seen_at, servers, places }
    }

    /// One of them.
    pub fn get(&self, id: &ProviderId) -> Option<&SeenServer> {
        self.places.get(id).map(|place| &self.servers[*place])
    }
}

/// Why a wait ended without what it waited for.
#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    /// It took too long.
    #[error(
        "waited {waited_s} s for {what}, without success; last seen: {last}{}. \
         Look at it in the provider's panel; running the command again takes up the wait",
        failed_lists(*.failures)
    )]
    TimedOut {
        /// What was waited for.
        what: String,
        /// How long, in seconds.
        waited_s: u64,
        /// How the object was last seen, in words.
        last: String,
        /// How many lists failed meanwhile.
        failures: u32,
    },
    /// The list could not be read, for good or too often in a row.
    #[error("while waiting for {what}: {error} ({failures} lists failed in a row)")]
    Blind {
        /// What was waited for.
        what: String,
        /// How many lists failed in a row.
        failures: u32,
        /// The last failure.
        #[source]
        error: CloudError,
    },
}

fn failed_lists(failures: u32) -> String {
    match failures {
        0 => String::new(),
        1 => "; 1 list failed meanwhile".to_owned(),
        more => format!("; {more} lists failed meanwhile"),
    }
}

/// The shared watch over one account. Cheap to share by `Arc`; keeps nothing running.
pub struct Watch {
    cloud: Arc<dyn Cloud>,
    world: World,
    servers: Shared<SeenServers>,
    networks: Shared<Vec<SeenNetwork>>,
    /// Objects by their class and what they belong to.
    objects: Mutex<HashMap<Listed, Arc<Shared<Vec<SeenObject>>>>>,
    interval: Duration,
    begun: Arc<AtomicU64>,
}

/// Which list of objects.
type Listed = (ObjectClass, Option<ProviderId>);

impl Watch {
    /// A watch that reads a list at most once per interval (at least [`INTERVAL_MIN`]) while somebody waits.
    pub fn new(cloud: Arc<dyn Cloud>, interval: Duration, world: World) -> Watch {
        let interval = interval.max(INTERVAL_MIN);
        let begun = Arc::<AtomicU64>::default();
        let (servers, networks) =
            (Shared::new(interval, begun.clone()), Shared::new(interval, begun.clone()));
        Watch { cloud, world, servers, networks, objects: Mutex::default(), interval, begun }
    }

    /// Waits until a list that was begun after this call satisfies the predicate, which is given the server, or
    /// `None` where the list lacks it. Returns the server as that list showed it (`None` = gone).
    ///
    /// A list may lag: right after a create the server may be missing for a while, so a predicate that waits for
    /// it must not take `None` for an end. `what` names the wait in errors: `server web-1 to become Active`.
    /// Failing lists are borne up to [`LIST_FAILURES_MAX`] in a row if they are passing. Dropping the wait is fine.
    pub async fn wait_server(
        &self,
        id: &ProviderId,
        what: &str,
        limit: Duration,
        predicate: impl Fn(Option<&SeenServer>) -> bool + Send,
    ) -> Result<Option<SeenServer>, WaitError> {
        let fetch = || self.read_servers();
        let judge = |list: &SeenServers| {
            let server = list.get(id);
            if predicate(server) { Ok(server.cloned()) } else { Err(describe(server)) }
        };
        wait(&self.servers, fetch, what, limit, judge).await
    }

    /// Waits until a list of the private networks that was begun after this call satisfies the predicate.
    /// Otherwise like [`Watch::wait_server`].
    pub async fn wait_networks(
        &self,
        what: &str,
        limit: Duration,
        predicate: impl Fn(&[SeenNetwork]) -> bool + Send,
    ) -> Result<Arc<Vec<SeenNetwork>>, WaitError> {
        let fetch = || self.cloud.networks();
        let judge = |list: &Vec<SeenNetwork>| match predicate(list) {
            true => Ok(Arc::new(list.clone())),
            false => Err(format!("{} networks", list.len())),
        };
        wait(&self.networks, fetch, what, limit, judge).await
    }

    /// A list of servers whose reading began after this call. Those who ask together share one.
    pub async fn fresh(&self) -> Result<Arc<SeenServers>, CloudError> {
        self.servers.fresh(|| self.read_servers()).await.result
    }

    /// A mark: lists that [`Watch::recent`] and [`Watch::recent_objects`] give for it began after this moment.
    pub fn mark(&self) -> u64 {
        self.servers.mark()
    }

    /// A list of servers whose reading began after the mark and at most one interval ago.
    pub async fn recent(&self, mark: u64) -> Result<Arc<SeenServers>, CloudError> {
        self.servers.recent(mark, || self.read_servers()).await.result
    }

    /// A list of private networks whose reading began after this call. Those who ask together share one.
    pub async fn fresh_networks(&self) -> Result<Arc<Vec<SeenNetwork>>, CloudError> {
        self.networks.fresh(|| self.cloud.networks()).await.result
    }

    /// A list of other objects whose reading began after this call. Those who ask together share one.
    pub async fn fresh_objects(
        &self,
        class: ObjectClass,
        of: Option<&ProviderId>,
    ) -> Result<Arc<Vec<SeenObject>>, CloudError> {
        self.list_of(class, of).fresh(|| self.cloud.objects(class, of)).await.result
    }

    /// A list of other objects whose reading began after the mark and at most one interval ago.
    pub async fn recent_objects(
        &self,
        mark: u64,
        class: ObjectClass,
        of: Option<&ProviderId>,
    ) -> Result<Arc<Vec<SeenObject>>, CloudError> {
        self.list_of(class, of).recent(mark, || self.cloud.objects(class, of)).await.result
    }

    fn list_of(&self, class: ObjectClass, of: Option<&ProviderId>) -> Arc<Shared<Vec<SeenObject>>> {
        let mut lists = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Shared::new(self.interval, self.begun.clone()));
        lists.entry((class, of.cloned())).or_insert_with(new).clone()
    }

    async fn read_servers(&self) -> Result<SeenServers, CloudError> {
        let servers = self.cloud.servers().await?;
        Ok(SeenServers::new(self.world.clock.now(), servers))
    }
}

fn describe(server: Option<&SeenServer>) -> String {
    match server {
        None => "not in the list".to_owned(),
        Some(server) => format!("{}, {}", server.state, server.power()),
    }
}

/// The wait itself: each reading is judged once, until one is right, too many failed, or time is over.
async fn wait<T, Found, Fetching>(
    list: &Shared<T>,
    fetch: impl Fn() -> Fetching,
    what: &str,
    limit: Duration,
    judge: impl Fn(&T) -> Result<Found, String>,
) -> Result<Found, WaitError>
where
    T: Send + Sync,
    Fetching: Future<Output = Result<T, CloudError>>,
{
    let mut mark = list.mark();
    let mut last = "no list yet".to_owned();
    let mut failures_in_a_row = 0;
    let mut failures = 0;
    let looking = async {
        // Bounded by `limit` around it, and by the failures in a row.
        loop {
            let reading = list.next(mark, &fetch).await;
            mark = reading.number;
            match reading.result {
                Ok(read) => {
                    failures_in_a_row = 0;
                    match judge(&read) {
                        Ok(found) => return Ok(found),
                        Err(seen) => last = seen,
                    }
                }
                Err(error) => {
                    failures_in_a_row += 1;
                    failures += 1;
                    let passing = error.kind == CloudErrorKind::Transient;
                    if !passing || failures_in_a_row >= LIST_FAILURES_MAX {
                        return Err(WaitError::Blind {
                            what: what.to_owned(),
                            failures: failures_in_a_row,
                            error,
                        });
                    }
                    tracing::warn!(what, failures_in_a_row, "still waiting for {what}, though: {error}");
                }
            }
        }
    };
    match timeout(limit, looking).await {
        Ok(ended) => ended,
        Err(_) => {
            Err(WaitError::TimedOut { what: what.to_owned(), waited_s: limit.as_secs(), last, failures })
        }
    }
}
