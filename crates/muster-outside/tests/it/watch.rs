//! Waiting on a paused clock: one list per interval for all, failures borne within a bound, drops harmless.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use muster_model::cloud::{NetworkSpec, ServerSpec};
use muster_model::id::ProviderId;
use muster_model::server::ServerState;
use muster_outside::cloud::memory::{MemoryCloud, Scripted, small};
use muster_outside::cloud::watch::WaitError;
use muster_outside::cloud::{Cloud, CloudErrorKind, Watch};
use tokio::time::{Instant, sleep, timeout};

use crate::onecloud::stub::world;

const INTERVAL: Duration = Duration::from_millis(1_500);
const HOUR: Duration = Duration::from_secs(3_600);

fn spec(name: &str) -> ServerSpec {
    ServerSpec {
        name: name.into(),
        size: small(),
        location: "SdnSpb".into(),
        image_id: "3783".into(),
        image: "Debian11x64".into(),
        backup_days: 0,
    }
}

fn lists(cloud: &MemoryCloud) -> usize {
    cloud.calls().iter().filter(|call| call.method == "servers").count()
}

fn watch(cloud: &Arc<MemoryCloud>) -> Arc<Watch> {
    Arc::new(Watch::new(cloud.clone(), INTERVAL, world()))
}

async fn activate(cloud: &MemoryCloud, id: &ProviderId) {
    let mut state = cloud.state();
    let server = state.world.servers.iter_mut().find(|server| server.id == *id).unwrap();
    server.state = ServerState::Active;
}

fn failing(times: u32, kind: CloudErrorKind) -> Scripted {
    Scripted { method: "servers", after: 1, times, kind, effect: false }
}

/// Two hundred waiters, whose servers become ready one after another, cost one list per interval in all.
#[tokio::test(start_paused = true)]
async fn two_hundred_waiters_share_one_list() {
    let cloud = MemoryCloud::shared();
    cloud.state().instant = false;
    let ids: Vec<ProviderId> = (0..200).map(|n| cloud.add_server(&spec(&format!("web-{n}"))).id).collect();
    let watch = watch(&cloud);
    let began = Instant::now();
    let waiting = join_all(ids.iter().map(|id| {
        watch.wait_server(id, "it to be Active", HOUR, |seen| {
            seen.is_some_and(|server| server.state == ServerState::Active)
        })
    }));
    let making = async {
        for id in &ids {
            sleep(Duration::from_millis(300)).await;
            activate(&cloud, id).await;
        }
    };
    let (found, ()) = futures::join!(waiting, making);
    assert!(found.into_iter().all(|server| server.unwrap().unwrap().state == ServerState::Active));
    let intervals = began.elapsed().as_millis() / INTERVAL.as_millis();
    assert_eq!(lists(&cloud) as u128, intervals + 1, "one at once, then one per interval");
    assert!((40..=41).contains(&intervals), "the last change meets a list on the same tick: {intervals}");
    // Nobody waits: nothing is read.
    sleep(HOUR).await;
    assert_eq!(lists(&cloud) as u128, intervals + 1);
}

/// A server that is gone is `None`, if that is what the waiter waits for.
#[tokio::test(start_paused = true)]
async fn gone_is_none() {
    let cloud = MemoryCloud::shared();
    let id = cloud.add_server(&spec("web-1")).id;
    let watch = watch(&cloud);
    let waiting = watch.wait_server(&id, "web-1 to go", HOUR, |seen| seen.is_none());
    let deleting = async {
        sleep(Duration::from_secs(4)).await;
        cloud.delete_server(&id).await.unwrap();
    };
    assert_eq!(futures::join!(waiting, deleting).0.unwrap(), None);
    assert_eq!(lists(&cloud), 4);
}

/// A waiter never judges a list that was begun before it came, since that may show the world before its change.
#[tokio::test(start_paused = true)]
async fn old_lists_are_not_believed() {
    let cloud = MemoryCloud::shared();
    let id = cloud.add_server(&spec("web-1")).id;
    let watch = watch(&cloud);
    let first = watch.wait_server(&id, "it", HOUR, |seen| seen.is_some()).await.unwrap();
    assert!(first.is_some());
    cloud.delete_server(&id).await.unwrap();
    let began = Instant::now();
    let second = watch.wait_server(&id, "it", Duration::from_secs(2), |seen| seen.is_some()).await;
    assert!(second.is_err(), "the first list would have satisfied it");
    assert_eq!(began.elapsed(), Duration::from_secs(2));
    assert_eq!(lists(&cloud), 2);
}

/// Failing lists are borne, up to the bound, and told.
#[tokio::test(start_paused = true)]
async fn passing_failures_are_borne_within_a_bound() {
    let cloud = MemoryCloud::shared();
    cloud.script(failing(4, CloudErrorKind::Transient));
    let id = ProviderId::from("1");
    let watch = watch(&cloud);
    let error = watch
        .wait_server(&id, "server web-1 to become Active", Duration::from_secs(59), |seen| seen.is_some())
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "waited 59 s for server web-1 to become Active, without success; last seen: not in the list; 4 lists \
         failed meanwhile. Look at it in the provider's panel; running the command again takes up the wait"
    );
    assert_eq!(lists(&cloud), 40);

    let cloud = MemoryCloud::shared();
    cloud.script(failing(5, CloudErrorKind::Transient));
    let watch = self::watch(&cloud);
    let error = watch.wait_server(&id, "web-1", HOUR, |seen| seen.is_some()).await.unwrap_err();
    assert!(matches!(&error, WaitError::Blind { failures: 5, .. }), "{error}");

    let cloud = MemoryCloud::shared();
    cloud.script(failing(1, CloudErrorKind::Unauthorized));
    let watch = self::watch(&cloud);
    let error = watch.wait_server(&id, "web-1", HOUR, |seen| seen.is_some()).await.unwrap_err();
    assert!(matches!(&error, WaitError::Blind { failures: 1, .. }), "a refusal is not waited out: {error}");
}

/// Lookers who come together share one list; one who comes later gets a later one.
#[tokio::test(start_paused = true)]
async fn fresh_lists_are_shared_by_those_who_come_together() {
    let cloud = MemoryCloud::shared();
    cloud.state().latency = Duration::from_millis(200);
    let watch = watch(&cloud);
    let all = join_all((0..50).map(|_| watch.fresh())).await;
    assert!(all.iter().all(|list| list.is_ok()));
    // The first one's list had begun when the other 49 came; they share the next.
    assert_eq!(lists(&cloud), 2);
    let id = cloud.add_server(&spec("web-1")).id;
    assert!(watch.fresh().await.unwrap().get(&id).is_some());
    assert_eq!(lists(&cloud), 3);
}

/// The waiter whose turn it is may be dropped while it reads; the next one reads on.
#[tokio::test(start_paused = true)]
async fn a_dropped_reader_does_not_stop_the_others() {
    use crate::onecloud::stub::{Reply, SERVER, Stub, ok};
    let stub = Stub::new(|before, _| if before == 0 { Reply::Hang } else { ok(&format!("[{SERVER}]")) });
    let watch = Watch::new(stub.cloud(), INTERVAL, world());
    let id = ProviderId::from("500123");
    let wait = || watch.wait_server(&id, "web_1", HOUR, |seen| seen.is_some());
    let reader = timeout(Duration::from_secs(1), wait());
    let other = timeout(Duration::from_secs(10), wait());
    let (reader, other) = futures::join!(reader, other);
    assert!(reader.is_err());
    assert!(other.unwrap().unwrap().is_some());
}

/// Networks are waited for in the same way.
#[tokio::test(start_paused = true)]
async fn networks_are_waited_for() {
    let cloud = MemoryCloud::shared();
    cloud.state().instant = false;
    let spec = NetworkSpec { name: "back".into(), location: "SdnSpb".into(), dhcp: true };
    cloud.create_network(&spec).await.unwrap();
    let watch = watch(&cloud);
    let wait = || watch.wait_networks("network back", HOUR, |all| all.iter().any(|network| network.ready));
    let making = async {
        sleep(Duration::from_secs(5)).await;
        cloud.state().world.networks[0].ready = true;
    };
    let (one, two, ()) = futures::join!(wait(), wait(), making);
    assert_eq!((one.unwrap()[0].name.as_str(), two.unwrap().len()), ("back", 1));
    assert_eq!(cloud.calls().iter().filter(|call| call.method == "networks").count(), 5);
    assert_eq!(watch.fresh_networks().await.unwrap().len(), 1);
}

/// The stand-in's script: a lost answer has its effect, a fault before it has none, and calls are journaled.
#[tokio::test(start_paused = true)]
async fn the_stand_in_follows_its_script() {
    let cloud = MemoryCloud::shared();
    let lost = |effect| Scripted {
        method: "create_server",
        after: 1,
        times: 1,
        kind: CloudErrorKind::UnknownOutcome,
        effect,
    };
    cloud.script(lost(true));
    cloud.create_server(&spec("a"), &[]).await.unwrap();
    let error = cloud.create_server(&spec("b"), &[]).await.unwrap_err();
    assert_eq!(error.kind, CloudErrorKind::UnknownOutcome);
    assert_eq!(cloud.servers().await.unwrap().len(), 2);
    cloud.create_server(&spec("c"), &[]).await.unwrap();
    cloud.script(lost(false));
    cloud.create_server(&spec("d"), &[]).await.unwrap();
    cloud.create_server(&spec("e"), &[]).await.unwrap_err();
    assert_eq!(cloud.servers().await.unwrap().len(), 4);
    let written: Vec<String> = cloud.writes().into_iter().map(|call| call.object).collect();
    assert_eq!(written, ["a", "b", "c", "d", "e"]);
}
