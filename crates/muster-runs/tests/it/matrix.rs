//! The fault matrix: every request of the client, by its number in the list of the provider's 49, under every fault.
//! A read that met a passing fault is asked again and succeeds; a write that may have taken effect is never asked
//! again and is told as unknown; a limit is waited for; a refusal keeps the provider's words.

use std::sync::Arc;

use futures::future::BoxFuture;
use muster_model::Secret;
use muster_model::account::{AccountSettings, Provider};
use muster_model::cloud::{NetworkSpec, ServerSpec};
use muster_model::id::ProviderId;
use muster_model::object::{FieldValue, Fields, ObjectClass, ObjectDraft, ObjectVerb};
use muster_model::server::{Performance, Power, Size};
use muster_outside::cloud::{self, Cloud, CloudError, CloudErrorKind};
use muster_sim::onecloud::{Durations, Fault, FaultRule, RefusalWorld, Simulator, SimulatorConfig};

use crate::process::{KEY, free_wire};
use crate::world::{VirtualClock, seeded};

type Done<'a> = BoxFuture<'a, Result<(), CloudError>>;

/// One request of the client.
struct Row {
    number: u8,
    method: &'static str,
    path: &'static str,
    call: for<'a> fn(&'a dyn Cloud, &'a RefusalWorld) -> Done<'a>,
}

macro_rules! row {
    ($number:literal, $method:literal, $path:literal, |$cloud:ident, $world:ident| $call:expr) => {
        Row {
            number: $number,
            method: $method,
            path: $path,
            call: |$cloud, $world| Box::pin(async move { $call.await.map(drop) }),
        }
    };
}

fn id(world: &RefusalWorld, step: &str) -> ProviderId {
    ProviderId(world.number(step).unwrap_or_else(|| panic!("no {step}")).to_string())
}

fn size() -> Size {
    Size { cpu: 1, ram_mb: 1024, disk_gb: 40, disk_type: "SSD".into(), performance: Performance::Base }
}

fn spec() -> ServerSpec {
    ServerSpec {
        name: "matrix".into(),
        size: size(),
        location: "SdnSpb".into(),
        image_id: "3783".into(),
        image: "Debian11x64".into(),
        backup_days: 0,
    }
}

fn network() -> NetworkSpec {
    NetworkSpec { name: "matrix".into(), location: "SdnSpb".into(), dhcp: true }
}

fn fields(pairs: &[(&str, &str)]) -> Fields {
    pairs.iter().map(|(word, value)| ((*word).to_owned(), FieldValue::from(*value))).collect()
}

fn draft(class: ObjectClass, name: &str, pairs: &[(&str, &str)]) -> ObjectDraft {
    ObjectDraft { class, name: name.into(), of: None, fields: fields(pairs) }
}

fn record(world: &RefusalWorld, value: &str) -> ObjectDraft {
    ObjectDraft {
        of: Some(id(world, "domain")),
        ..draft(ObjectClass::Record, "www", &[("type", "A"), ("value", value)])
    }
}

async fn made(cloud: &dyn Cloud, draft: ObjectDraft) -> Result<(), CloudError> {
    cloud.create_object(&draft).await.map(drop)
}

async fn seen(
    cloud: &dyn Cloud,
    class: ObjectClass,
    of: Option<ProviderId>,
    id: ProviderId,
) -> Result<(), CloudError> {
    let found = cloud.object(class, of.as_ref(), &id).await?;
    assert_eq!(found.map(|found| found.id), Some(id));
    Ok(())
}

async fn gone(cloud: &dyn Cloud, class: ObjectClass, id: ProviderId) -> Result<(), CloudError> {
    cloud.delete_object(&draft(class, "it", &[]), &id).await
}

async fn told(cloud: &dyn Cloud, id: ProviderId, verb: ObjectVerb) -> Result<(), CloudError> {
    cloud.tell_object(ObjectClass::StorageUser, &id, verb).await.map(drop)
}

async fn changed(
    cloud: &dyn Cloud,
    class: ObjectClass,
    id: ProviderId,
    pairs: &[(&str, &str)],
) -> Result<(), CloudError> {
    cloud.change_object(class, None, &id, "renamed", &fields(pairs)).await
}

use ObjectClass::{Action, Image, Key, Network, PublicNetwork, Record, Storage, StorageUser, Zone};

#[rustfmt::skip]
static ROWS: &[Row] = &[
    row!(1, "GET", "/server", |cloud, _w| cloud.servers()),
    row!(2, "GET", "/server/{server}", |cloud, w| async { cloud.server(&id(w, "server")).await }),
    row!(3, "POST", "/server", |cloud, _w| async { cloud.create_server(&spec(), &[]).await }),
    row!(4, "PUT", "/server/{off_server}", |cloud, w| async {
        cloud.resize_server(&id(w, "off_server"), &Size { cpu: 2, disk_type: "SAS".into(), ..size() }).await
    }),
    row!(5, "DELETE", "/server/{off_server}", |cloud, w| async { cloud.delete_server(&id(w, "off_server")).await }),
    row!(6, "POST", "/server/{server}/rebuild", |cloud, w| async { cloud.rebuild_server(&id(w, "server"), &"3783".into(), false).await }),
    row!(7, "POST", "/server/{server}/copy", |cloud, w| async { cloud.copy_server(&id(w, "server"), "twin", None).await }),
    row!(8, "POST", "/server/{server}/action", |cloud, w| async { cloud.set_power(&id(w, "server"), Power::Stopped, true).await }),
    row!(9, "GET", "/server/{server}/action", |cloud, w| async { cloud.objects(Action, Some(&id(w, "server"))).await }),
    row!(10, "GET", "/server/{off_server}/action/{action}", |cloud, w| seen(cloud, Action, Some(id(w, "off_server")), id(w, "action"))),
    row!(11, "GET", "/image", |cloud, _w| cloud.images()),
    row!(12, "POST", "/image", |cloud, w| made(cloud, draft(Image, "other", &[("technical", "other1"), ("server", id(w, "server").as_str())]))),
    row!(13, "DELETE", "/image/{own_image}", |cloud, w| gone(cloud, Image, id(w, "own_image"))),
    row!(14, "GET", "/dcLocation", |cloud, _w| cloud.locations()),
    row!(15, "GET", "/network", |cloud, _w| cloud.networks()),
    row!(16, "GET", "/network/{network}", |cloud, w| seen(cloud, Network, None, id(w, "network"))),
    row!(17, "POST", "/network", |cloud, _w| async { cloud.create_network(&network()).await }),
    row!(18, "PUT", "/network/{network}", |cloud, w| changed(cloud, Network, id(w, "network"), &[])),
    row!(19, "DELETE", "/network/{network}", |cloud, w| async { cloud.delete_network(&id(w, "network")).await }),
    row!(20, "GET", "/publicnetwork", |cloud, _w| cloud.objects(PublicNetwork, None)),
    row!(21, "GET", "/publicnetwork/{public_network}", |cloud, w| seen(cloud, PublicNetwork, None, id(w, "public_network"))),
    row!(22, "POST", "/publicnetwork", |cloud, _w| made(cloud, draft(PublicNetwork, "e2", &[("location", "SdnSpb"), ("capacity", "4"), ("bandwidth", "20")]))),
    row!(23, "PUT", "/publicnetwork/{public_network}", |cloud, w| changed(cloud, PublicNetwork, id(w, "public_network"), &[("bandwidth", "90")])),
    row!(24, "DELETE", "/publicnetwork/{public_network}", |cloud, w| gone(cloud, PublicNetwork, id(w, "public_network"))),
    row!(25, "GET", "/sshkey", |cloud, _w| cloud.keys()),
    row!(26, "GET", "/sshkey/{key_2}", |cloud, w| seen(cloud, Key, None, id(w, "key_2"))),
    row!(27, "POST", "/sshkey", |cloud, _w| cloud.create_key("third", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIL")),
    row!(28, "DELETE", "/sshkey/{key_2}", |cloud, w| gone(cloud, Key, id(w, "key_2"))),
    row!(29, "GET", "/account", |cloud, _w| cloud.account_details()),
    row!(30, "GET", "/customer/balance", |cloud, _w| cloud.balance()),
    row!(31, "GET", "/project", |cloud, _w| cloud.account_details()),
    row!(32, "GET", "/dns", |cloud, _w| cloud.objects(Zone, None)),
    row!(33, "GET", "/dns/{domain}", |cloud, w| seen(cloud, Zone, None, id(w, "domain"))),
    row!(34, "POST", "/dns", |cloud, _w| made(cloud, draft(Zone, "matrix.org", &[]))),
    row!(35, "DELETE", "/dns/{empty_domain}", |cloud, w| gone(cloud, Zone, id(w, "empty_domain"))),
    row!(36, "GET", "/dns/record/{record}", |cloud, w| seen(cloud, Record, Some(id(w, "domain")), id(w, "record"))),
    row!(37, "POST", "/dns/recorda", |cloud, w| made(cloud, record(w, "192.0.2.77"))),
    row!(38, "PUT", "/dns/recorda/{record}", |cloud, w| async {
        let to = record(w, "192.0.2.78").fields;
        cloud.change_object(Record, Some(&id(w, "domain")), &id(w, "record"), "www", &to).await
    }),
    row!(39, "DELETE", "/dns/{domain}/{record}", |cloud, w| async { cloud.delete_object(&record(w, "192.0.2.1"), &id(w, "record")).await }),
    row!(40, "GET", "/storage", |cloud, _w| cloud.objects(Storage, None)),
    row!(41, "POST", "/storage", |cloud, w| async {
        gone(cloud, StorageUser, id(w, "storage_user")).await?;
        gone(cloud, Storage, id(w, "storage")).await?;
        made(cloud, draft(Storage, "storage", &[])).await
    }),
    row!(42, "DELETE", "/storage", |cloud, w| async {
        gone(cloud, StorageUser, id(w, "storage_user")).await?;
        gone(cloud, Storage, id(w, "storage")).await
    }),
    row!(43, "GET", "/storage/users", |cloud, _w| cloud.objects(StorageUser, None)),
    row!(44, "POST", "/storage/users", |cloud, _w| made(cloud, draft(StorageUser, "second", &[]))),
    row!(45, "GET", "/storage/users/{storage_user}", |cloud, w| seen(cloud, StorageUser, None, id(w, "storage_user"))),
    row!(46, "POST", "/storage/users/{storage_user}/change-password", |cloud, w| told(cloud, id(w, "storage_user"), ObjectVerb::ChangePassword)),
    row!(47, "DELETE", "/storage/users/{storage_user}", |cloud, w| gone(cloud, StorageUser, id(w, "storage_user"))),
    row!(48, "POST", "/storage/users/{storage_user}/block", |cloud, w| told(cloud, id(w, "storage_user"), ObjectVerb::Block)),
    row!(49, "POST", "/storage/users/{storage_user}/unblock", |cloud, w| async {
        told(cloud, id(w, "storage_user"), ObjectVerb::Block).await?;
        told(cloud, id(w, "storage_user"), ObjectVerb::Unblock).await
    }),
];

/// What must come of a request under a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Asked again until it succeeded.
    Succeeds,
    Fails(CloudErrorKind),
}

/// A fault, and what comes of it for reads and for writes.
fn faults() -> Vec<(Fault, Outcome, Outcome)> {
    use CloudErrorKind::{Refused, Unauthorized, UnknownOutcome};
    use Outcome::{Fails, Succeeds};
    let passing = |fault| (fault, Succeeds, Fails(UnknownOutcome));
    vec![
        passing(Fault::Status(500)),
        passing(Fault::Status(503)),
        passing(Fault::Hang),
        passing(Fault::HangAfterEffect),
        passing(Fault::DropAnswerAfterEffect),
        passing(Fault::Truncated),
        passing(Fault::Html(200)),
        passing(Fault::Html(502)),
        (Fault::Status(429), Succeeds, Succeeds),
        (Fault::Status(403), Succeeds, Succeeds),
        (Fault::Status(400), Fails(Refused), Fails(Refused)),
        (Fault::Status(401), Fails(Unauthorized), Fails(Unauthorized)),
    ]
}

/// What is different for some requests, and why.
fn expected(row: &Row, fault: &Fault, read: Outcome, write: Outcome) -> Outcome {
    let is_read = row.method == "GET";
    match (row.number, fault) {
        // Half of a number is a number.
        (30, Fault::Truncated) => Outcome::Succeeds,
        // Half of nothing is nothing: the answer to a deletion is empty.
        (_, Fault::Truncated) if row.method == "DELETE" && row.number != 42 && row.number != 47 => {
            Outcome::Succeeds
        }
        _ if is_read => read,
        _ => write,
    }
}

struct Scene {
    simulator: Simulator,
    world: RefusalWorld,
    cloud: Arc<dyn Cloud>,
}

async fn scene() -> Scene {
    let clock = VirtualClock::new();
    clock.begin();
    let mut config = SimulatorConfig::new(vec![KEY.to_owned()], clock.clone());
    config.durations = Durations::real();
    let simulator = Simulator::new(config);
    let world = RefusalWorld::lay_out(&simulator, KEY).unwrap();
    let transport = Arc::new(free_wire(&simulator));
    let settings = AccountSettings::default();
    let ours = seeded(3, clock);
    let cloud =
        cloud::open(Provider::Onecloud, "http://127.0.0.1:1", Secret::new(KEY), &settings, transport, ours);
    let cloud = cloud.unwrap();
    // A key that has just worked: only then is 403 taken for a limit.
    cloud.balance().await.unwrap();
    Scene { simulator, world, cloud }
}

#[test]
fn every_endpoint_has_its_row() {
    let numbers: Vec<u8> = ROWS.iter().map(|row| row.number).collect();
    assert_eq!(numbers, (1..=49).collect::<Vec<u8>>());
}

/// ICT-42: every request under every fault has the outcome of the table; the cells are counted.
#[tokio::test(start_paused = true)]
async fn every_endpoint_under_every_fault() {
    let (mut cells, mut wrong) = (0, Vec::new());
    for row in ROWS {
        let plain = scene().await;
        let outcome = (row.call)(&*plain.cloud, &plain.world).await;
        assert!(outcome.is_ok(), "{} {} {} without a fault: {outcome:?}", row.number, row.method, row.path);
        for (fault, read, write) in faults() {
            let scene = scene().await;
            let path = scene.world.fill(row.path);
            scene.simulator.fault(FaultRule::once(row.method, &path, fault.clone())).unwrap();
            let before = asked(&scene, row.method, &path);
            let outcome = (row.call)(&*scene.cloud, &scene.world).await;
            let times = asked(&scene, row.method, &path) - before;
            let wanted = expected(row, &fault, read, write);
            let is_so = match (&outcome, wanted) {
                (Ok(()), Outcome::Succeeds) => true,
                (Err(error), Outcome::Fails(kind)) => {
                    let words =
                        kind != CloudErrorKind::Refused || error.message.contains("the provider says:");
                    error.kind == kind && words && times == 1
                }
                _ => false,
            };
            cells += 1;
            if !is_so {
                wrong.push(format!(
                    "{} {} {} under {fault:?}: wanted {wanted:?}, asked {times} times, got {outcome:?}",
                    row.number, row.method, row.path
                ));
            }
        }
    }
    println!("{cells} cells");
    assert!(wrong.is_empty(), "{} of {cells} cells:\n{}", wrong.len(), wrong.join("\n"));
}

/// How often this was asked.
fn asked(scene: &Scene, method: &str, path: &str) -> usize {
    let same = |path: &str, other: &str| path.trim_end_matches('/').eq_ignore_ascii_case(other);
    scene.simulator.journal().iter().filter(|entry| entry.method == method && same(&entry.path, path)).count()
}
