//! The account `local` where it differs from every other: its provider is this process, which may die at any moment,
//! and its servers are machines that anybody at this computer can take away.

use std::time::Duration;

use muster_model::cloud::ServerSpec;
use muster_model::id::ProviderId;
use muster_model::server::{Performance, SeenServer, ServerState, Size};
use muster_outside::cloud::local::{LocalCloud, LocalPlace};
use muster_outside::cloud::{Cloud, CloudErrorKind};
use muster_outside::secret::Sealer;
use tokio::time::Instant;

use crate::conformance::machines_place as place;

/// Longest wait for a machine; the first one of a fresh clone waits for the root that all share.
const WAIT: Duration = Duration::from_secs(300);

async fn open(place: &LocalPlace, seed: u64) -> LocalCloud {
    let world = crate::world::world(seed);
    let sealer = Sealer::open_file(&place.home.join("key"), world.clone()).unwrap();
    LocalCloud::open(place, sealer, world).await.unwrap()
}

async fn spec(cloud: &LocalCloud, name: &str) -> ServerSpec {
    let image = cloud.images().await.unwrap().remove(0);
    ServerSpec {
        name: name.into(),
        size: Size {
            cpu: 1,
            ram_mb: 512,
            disk_gb: 10,
            disk_type: "SSD".into(),
            performance: Performance::Base,
        },
        location: "local".into(),
        image_id: image.id,
        image: image.technical,
        backup_days: 0,
    }
}

async fn wait_active(cloud: &LocalCloud, id: &ProviderId) -> SeenServer {
    let deadline = Instant::now() + WAIT;
    loop {
        let seen = cloud.server(id).await.unwrap().expect("it is there");
        if seen.state == ServerState::Active {
            return seen;
        }
        assert!(Instant::now() < deadline, "it did not become active: {seen:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn end(cloud: &LocalCloud) {
    for server in cloud.servers().await.unwrap() {
        cloud.delete_server(&server.id).await.unwrap();
    }
    let left = cloud.machines().leftovers().await.unwrap();
    assert_eq!(left.total(), 0, "{left:#?}");
}

/// How far a machine is when the process that makes it dies.
#[derive(Clone, Copy, Debug)]
enum Lived {
    NotAtAll,
    UntilBegun,
    UntilAddressed,
}

impl Lived {
    async fn until(self, cloud: &LocalCloud, id: &ProviderId) {
        let deadline = Instant::now() + WAIT;
        loop {
            let is_so = match self {
                Lived::NotAtAll => true,
                Lived::UntilBegun => !cloud.machines().list().await.unwrap().is_empty(),
                Lived::UntilAddressed => {
                    cloud.server(id).await.unwrap().is_some_and(|server| server.address.is_some())
                }
            };
            if is_so {
                return;
            }
            assert!(Instant::now() < deadline, "{self:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// A process that dies while it makes a machine leaves a server in the making, and whoever looks next makes it: one
/// machine, not two, wherever the first one was cut short.
#[test]
fn machines_that_a_dead_process_began_are_made_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let test = "local::account::machines_that_a_dead_process_began_are_made_by_the_next";
    let Some(place) = place(folder.path(), test) else { return };
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime().block_on(async {
        open(&place, 1).await.machines().ensure_base(&|line| println!("{line}")).await.unwrap();
    });
    for (round, lived) in [Lived::NotAtAll, Lived::UntilBegun, Lived::UntilAddressed].into_iter().enumerate()
    {
        let first = runtime();
        let id = first.block_on(async {
            let cloud = open(&place, 10 + round as u64).await;
            let asked = cloud.create_server(&spec(&cloud, "web-1").await, &[]).await.unwrap();
            lived.until(&cloud, &asked.id).await;
            asked.id
        });
        // Every task of that process ends where it stands.
        first.shutdown_background();
        runtime().block_on(async {
            let cloud = open(&place, 20 + round as u64).await;
            let seen = wait_active(&cloud, &id).await;
            assert_eq!(cloud.servers().await.unwrap(), [seen]);
            assert_eq!(cloud.machines().list().await.unwrap().len(), 1, "{lived:?}");
            end(&cloud).await;
        });
    }
}

/// A machine that somebody removed is a server that is gone; one that somebody killed is a server without power.
#[tokio::test(flavor = "multi_thread")]
async fn machines_taken_away_behind_our_back_are_seen_so() {
    let folder = tempfile::tempdir().unwrap();
    let test = "local::account::machines_taken_away_behind_our_back_are_seen_so";
    let Some(place) = place(folder.path(), test) else { return };
    let cloud = open(&place, 1).await;
    let (killed, removed) = (
        cloud.create_server(&spec(&cloud, "killed").await, &[]).await.unwrap().id,
        cloud.create_server(&spec(&cloud, "removed").await, &[]).await.unwrap().id,
    );
    wait_active(&cloud, &killed).await;
    wait_active(&cloud, &removed).await;
    let machines = cloud.machines().list().await.unwrap();
    let machine = |name: &str| machines.iter().find(|one| one.hostname == name).unwrap().name.clone();
    cloud.machines().kill(&machine("killed")).await.unwrap();
    cloud.machines().delete(&machine("removed")).await.unwrap();
    let seen = cloud.servers().await.unwrap();
    assert_eq!(seen.iter().map(|one| (&one.id, one.power_on)).collect::<Vec<_>>(), [(&killed, false)]);
    assert_eq!(cloud.server(&removed).await.unwrap(), None);
    end(&cloud).await;
}

/// Two processes that ask at once do not get in each other's way, and nobody works on a server twice.
#[tokio::test(flavor = "multi_thread")]
async fn machines_are_made_by_two_processes_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let test = "local::account::machines_are_made_by_two_processes_at_once";
    let Some(place) = place(folder.path(), test) else { return };
    let (one, two) = (open(&place, 1).await, open(&place, 2).await);
    let wanted = spec(&one, "web").await;
    let (a, b) = futures::join!(one.create_server(&wanted, &[]), two.create_server(&wanted, &[]));
    let (a, b) = (a.unwrap().id, b.unwrap().id);
    // Each looks at what the other one makes.
    let (seen_b, seen_a) = futures::join!(wait_active(&one, &b), wait_active(&two, &a));
    assert_ne!(seen_a.address, seen_b.address);
    assert_eq!(one.machines().list().await.unwrap().len(), 2);
    let (gone_a, gone_b) = futures::join!(two.delete_server(&a), one.delete_server(&a));
    gone_a.unwrap();
    gone_b.unwrap();
    end(&two).await;
    assert_eq!(one.servers().await.unwrap(), []);
}

/// What cannot be made is not listed as a server, and whoever asks for it by its id is told why.
#[tokio::test(flavor = "multi_thread")]
async fn machines_that_cannot_be_made_say_why() {
    let folder = tempfile::tempdir().unwrap();
    let test = "local::account::machines_that_cannot_be_made_say_why";
    let Some(mut place) = place(folder.path(), test) else { return };
    // Too small for a single private network.
    place.wish.range = "10.210.255.0/24".parse().unwrap();
    let cloud = open(&place, 1).await;
    let asked = cloud.create_server(&spec(&cloud, "web-1").await, &[]).await.unwrap();
    let deadline = Instant::now() + WAIT;
    let error = loop {
        match cloud.server(&asked.id).await {
            Err(error) => break error,
            Ok(seen) => assert_eq!(seen.unwrap().state, ServerState::New),
        }
        assert!(Instant::now() < deadline, "it is still being made");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(error.kind, CloudErrorKind::Refused);
    let said = error.to_string();
    assert!(
        said.starts_with("cannot make server web-1: all 0 private networks below 10.210.255.0/24"),
        "{said}"
    );
    assert_eq!(cloud.servers().await.unwrap(), []);
    cloud.delete_server(&asked.id).await.unwrap();
    assert_eq!(cloud.server(&asked.id).await.unwrap(), None);
    end(&cloud).await;
}
