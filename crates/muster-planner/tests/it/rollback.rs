//! Going back to a revision: whether it deploys, what stays larger, what does not come back.

use std::collections::{BTreeMap, BTreeSet};

use muster_model::bundle::{Manifest, ManifestFile};
use muster_model::code::{CodeSource, GitSource, content_digest, release_name};
use muster_model::id::RevisionNumber;
use muster_model::infrastructure::{CodeEntry, DeployEntry, Hosts, Infrastructure, PlaybookEntry};
use muster_model::ownership::{Claim, ObjectKind, Ownership};
use muster_model::plan::NoteKind;
use muster_model::policy::Purpose;
use muster_model::revision::{Applied, applied};
use muster_planner::{
    Back, BundleFacts, Then, delivered, keep_larger_disks, not_restored, redeploy, take_names_back,
};

use crate::world::*;

fn bundle(files: &[(&str, &str)]) -> BundleFacts {
    let files = files.iter().map(|(path, text)| (path.to_string(), ManifestFile::of(text.as_bytes(), false)));
    BundleFacts::of(&Manifest { files: files.collect() }, "exporter-1")
}

fn file(servers: &[&str]) -> Infrastructure {
    let mut file = Setting::new(servers).file;
    file.deploy = vec![
        DeployEntry::Playbook(PlaybookEntry {
            playbook: "site.yml".into(),
            hosts: Hosts::All,
            repeatable: true,
            vars: BTreeMap::new(),
        }),
        DeployEntry::Code(Box::new(CodeEntry::new("app", "/srv/app", Hosts::All, 3))),
    ];
    file
}

/// The release that the code of a bundle is.
fn release(bundle: &BundleFacts) -> String {
    let content = content_digest(&bundle.code_digest("app").unwrap(), None, &Default::default());
    release_name(&content, None)
}

/// The records of servers to which a bundle was deployed.
fn deployed(bundle: &BundleFacts, servers: &[&str]) -> Vec<Ownership> {
    let records = servers.iter().enumerate().map(|(number, name)| {
        let mut record = record(ObjectKind::Server, &(number + 1).to_string(), name, Claim::Created);
        let reached = [
            ("site.yml".to_owned(), bundle.playbook_digest("site.yml").unwrap()),
            ("code:/srv/app".to_owned(), release(bundle)),
        ];
        record.provisioned.extend(reached.map(|(key, digest)| (key, provisioned(&digest, true))));
        record
    });
    records.collect()
}

/// What a run left behind that touched nothing: the records.
fn left(file: &Infrastructure, records: &[Ownership]) -> Applied {
    let world = Setting::new(&[]);
    applied(file, &world.plan(), &world.seen, records)
}

/// ICT-37: a rollback deploys if the servers have something else than they had, and only what they had.
#[test]
fn it_deploys_what_the_servers_had() {
    let documents = BTreeSet::from(["shop.yaml".to_owned()]);
    let one = bundle(&[("shop.yaml", "1"), ("site.yml", "a"), ("app/main", "1")]);
    // The same material under another file, and other material.
    let wider = bundle(&[("shop.yaml", "2"), ("site.yml", "a"), ("app/main", "1")]);
    let two = bundle(&[("shop.yaml", "2"), ("site.yml", "a"), ("app/main", "2")]);
    let (file, servers) = (file(&["web-1", "web-2"]), ["web-1", "web-2"]);
    let had_one = left(&file, &deployed(&one, &servers));
    let then = |number, purpose, bundle, applied| Then {
        number: RevisionNumber(number),
        purpose,
        to_release: None,
        wanted: &file,
        bundle,
        documents: &documents,
        applied,
    };
    let first = then(1, Purpose::Deploy, &one, Some(&had_one));
    let (has_one, has_two) = (deployed(&one, &servers), deployed(&two, &servers));
    let purpose = |wish, then: &Then<'_>, deployed: Option<&Then<'_>>, now: &[Ownership]| {
        redeploy(wish, then, deployed, &[], now).purpose
    };
    let decided = |then: &Then<'_>, deployed: Option<&Then<'_>>, now: &[Ownership]| {
        let inside = redeploy(None, then, deployed, &[], now);
        assert_eq!(inside.release, None);
        (inside.purpose, inside.why)
    };
    assert_eq!(purpose(None, &first, Some(&first), &has_two), Purpose::Deploy);
    assert_eq!(purpose(None, &first, Some(&first), &has_one), Purpose::Update, "they have it");
    assert_eq!(purpose(None, &first, Some(&first), &has_one[..1]), Purpose::Deploy, "one is gone");
    assert_eq!(purpose(Some(false), &first, Some(&first), &has_two), Purpose::Update);
    assert_eq!(purpose(Some(true), &first, Some(&first), &has_one), Purpose::Deploy);

    // An update after it: the servers had what the deployment before had brought.
    let second = then(2, Purpose::Update, &wider, Some(&had_one));
    assert_eq!(purpose(None, &second, Some(&first), &has_two), Purpose::Deploy, "the same material");
    assert_eq!(purpose(None, &second, Some(&first), &has_one), Purpose::Update);
    let has_wider = deployed(&wider, &servers);
    assert_eq!(purpose(None, &second, Some(&first), &has_wider), Purpose::Update, "gone back to already");
    let other = then(2, Purpose::Update, &two, Some(&had_one));
    let (kept, why) = decided(&other, Some(&first), &has_two);
    assert_eq!(kept, Purpose::Update, "its files were never deployed");
    assert!(why.unwrap().contains("--to 1"));
    let (kept, why) = decided(&other, None, &has_two);
    assert_eq!((kept, why.unwrap().contains("--deploy")), (Purpose::Update, true));

    // By then nothing had been deployed, or nobody knows.
    let bare = left(&file, &[record(ObjectKind::Server, "1", "web-1", Claim::Created)]);
    let undeployed = then(1, Purpose::Update, &one, Some(&bare));
    let (kept, why) = decided(&undeployed, None, &has_two);
    assert_eq!((kept, why.unwrap().contains("nothing had been deployed")), (Purpose::Update, true));
    assert_eq!(decided(&undeployed, None, &[]), (Purpose::Update, None));
    assert_eq!(purpose(None, &then(1, Purpose::Deploy, &one, None), None, &has_two), Purpose::Deploy);
    assert_eq!(purpose(None, &then(1, Purpose::Update, &one, None), None, &has_two), Purpose::Update);
    let empty = Infrastructure { deploy: Vec::new(), ..file.clone() };
    let nothing = Then { wanted: &empty, ..first };
    assert_eq!(purpose(Some(true), &nothing, None, &has_two), Purpose::Update);
}

/// ICT-37: a server that was renamed since is known by its id, whoever bears its name now.
#[test]
fn who_has_what_is_known_by_id() {
    let documents = BTreeSet::from(["shop.yaml".to_owned()]);
    let (one, two) =
        (bundle(&[("site.yml", "a"), ("app/main", "1")]), bundle(&[("site.yml", "a"), ("app/main", "2")]));
    let file = file(&["web-1", "web-2"]);
    let had = left(&file, &deployed(&one, &["web-1", "web-2"]));
    let then = Then {
        number: RevisionNumber(1),
        purpose: Purpose::Deploy,
        to_release: None,
        wanted: &file,
        bundle: &one,
        documents: &documents,
        applied: Some(&had),
    };
    let mut now = deployed(&one, &["app-1", "web-2"]);
    assert_eq!(
        redeploy(None, &then, Some(&then), &[], &now).purpose,
        Purpose::Update,
        "renamed, and as it was"
    );
    // Another server is called web-1 now, and has what was there; the one of then has not.
    now[0].provisioned = deployed(&two, &["x"])[0].provisioned.clone();
    let mut other = deployed(&one, &["web-1"]).remove(0);
    other.id = "9".into();
    now.push(other);
    assert_eq!(redeploy(None, &then, Some(&then), &[], &now).purpose, Purpose::Deploy);
}

/// ICT-37: the bundle of an update lacks what is exported from git: its files are never offered to be deployed.
#[test]
fn no_advice_leads_nowhere() {
    let documents = BTreeSet::from(["shop.yaml".to_owned()]);
    let source = GitSource { git: ".".into(), revision: "main".into(), path: String::new() };
    let source = CodeSource::Git(source);
    let exported = format!("{}/{}/main.py", source.bundle_directory(), "0123456789".repeat(4));
    let mut file = Setting::new(&["web-1"]).file;
    let code = CodeEntry::new(source, "/srv/app", Hosts::All, 3);
    file.deploy = vec![DeployEntry::Code(Box::new(code.clone()))];
    let [old, new] = ["1", "2"].map(|text| bundle(&[("shop.yaml", "1"), (&exported, text)]));
    let bare = bundle(&[("shop.yaml", "1")]);
    let has = |bundle: &BundleFacts| {
        let (directory, commit) = bundle.code(&code.from).unwrap();
        let content = content_digest(&bundle.code_digest(&directory).unwrap(), None, &Default::default());
        let mut record = record(ObjectKind::Server, "1", "web-1", Claim::Created);
        let reached = provisioned(&release_name(&content, commit.as_deref()), true);
        record.provisioned.insert("code:/srv/app".into(), reached);
        vec![record]
    };
    let had = left(&file, &has(&old));
    let then = |number, purpose, bundle| Then {
        number: RevisionNumber(number),
        purpose,
        to_release: None,
        wanted: &file,
        bundle,
        documents: &documents,
        applied: Some(&had),
    };
    let (first, update) = (then(1, Purpose::Deploy, &old), then(2, Purpose::Update, &bare));
    assert!(delivered(&first, &update) && !delivered(&then(3, Purpose::Deploy, &new), &update));
    let why = |wish, deployed| redeploy(wish, &update, deployed, &[], &has(&new)).why.unwrap();
    let said = why(None, Some(&first));
    assert!(said.contains("`--to 1`") && !said.contains("--deploy"), "{said}");
    let said = why(None, None);
    assert!(said.contains("--to-release") && !said.contains("`--deploy`"), "{said}");
    let said = why(Some(true), Some(&first));
    assert!(said.contains("do not hold the code") && said.contains("`--to 1`"), "{said}");
}

fn lost(world: &Setting, then: &Applied, kept: &[muster_planner::KeptDisk]) -> Vec<(String, String)> {
    let back = Back { number: RevisionNumber(1), applied: Some(then), kept };
    let notes = not_restored(&back, &world.file, &world.seen, &world.plan());
    assert!(notes.iter().all(|note| note.kind == NoteKind::NotRestored));
    notes.into_iter().map(|note| (note.target, note.message)).collect()
}

/// ICT-37: before it starts, what cannot come back is named: disks of servers that are gone, of those that were made
/// anew meanwhile, of those that the rollback deletes, and disks that cannot shrink.
#[test]
fn what_does_not_come_back_is_named() {
    let mut world = Setting::new(&["web-1", "web-2", "web-3"]);
    let records = |ids: &[(&str, &str)]| -> Vec<Ownership> {
        ids.iter().map(|(id, name)| record(ObjectKind::Server, id, name, Claim::Created)).collect()
    };
    let then = left(&world.file, &records(&[("1", "web-1"), ("2", "web-2"), ("3", "web-3")]));
    // web-1 stands, web-2 was made anew, web-3 is gone, web-4 came later.
    world.seen.world.servers = vec![server("1", "web-1"), server("9", "web-2"), server("4", "web-4")];
    world.seen.owned = records(&[("1", "web-1"), ("9", "web-2"), ("4", "web-4")]);
    let found = lost(&world, &then, &[]);
    let targets: Vec<&str> = found.iter().map(|(target, _)| target.as_str()).collect();
    assert_eq!(targets, ["web-3", "web-4", "web-2"], "{found:?}");
    assert!(found[0].1.contains("id 3") && found[0].1.contains("comes back empty"), "{found:?}");
    assert!(found[1].1.contains("deleted with its disk"), "{found:?}");
    assert!(found[2].1.contains("id 2 then, 9 now"), "{found:?}");

    world.seen.world.servers[0].size.disk_gb = 60;
    let found = lost(&world, &then, &[]);
    let disk = found.iter().find(|(target, _)| target == "web-1").unwrap();
    assert!(disk.1.contains("60 GB, had 40 GB") && disk.1.contains("--keep-disks"), "{disk:?}");
    assert_eq!(world.plan().refusals[0].code, "disk-shrink");
    let kept = keep_larger_disks(&mut world.file, &world.seen);
    assert!(world.plan().refusals.is_empty(), "the rest is taken back");
    let found = lost(&world, &then, &kept);
    let disk = found.iter().find(|(target, _)| target == "web-1").unwrap();
    assert!(disk.1.contains("stays at 60 GB"), "{disk:?}");
}

/// ICT-37: what was renamed since is the same server; going back to its old name deletes nothing.
#[test]
fn a_renamed_server_gets_its_name_back() {
    let mut world = Setting::new(&["web-1", "web-2"]);
    let had = |id: &str, name: &str| record(ObjectKind::Server, id, name, Claim::Created);
    let then = left(&world.file, &[had("1", "web-1"), had("2", "web-2")]);
    // web-1 is called app-1 now; web-2 is gone, and another server bears its name.
    world.seen.world.servers = vec![server("1", "web-1"), server("3", "web-2")];
    world.seen.owned = vec![had("1", "app-1"), had("3", "web-2")];
    assert!(world.plan().steps.iter().any(|step| step.action.deletes()), "unfitted it would be deleted");
    take_names_back(&mut world.file, &then, &world.seen);
    assert_eq!(world.file.servers[0].was, ["app-1".into()]);
    assert!(world.file.servers[1].was.is_empty());
    assert!(!world.plan().steps.iter().any(|step| step.action.writes_to_provider()), "{}", world.text());
    let found = lost(&world, &then, &[]);
    assert_eq!(found.iter().map(|(target, _)| target.as_str()).collect::<Vec<_>>(), ["web-2"], "{found:?}");
    world.seen.world.servers[0].size.disk_gb = 60;
    assert_eq!(keep_larger_disks(&mut world.file, &world.seen).len(), 1, "known under its other name too");
}

#[test]
fn going_back_to_what_is_there_loses_nothing() {
    let mut world = Setting::new(&["web-1"]);
    world.seen.world.servers = vec![server("1", "web-1")];
    world.seen.owned = vec![record(ObjectKind::Server, "1", "web-1", Claim::Created)];
    let then = left(&world.file, &world.seen.owned);
    assert_eq!(lost(&world, &then, &[]), []);
    assert_eq!(keep_larger_disks(&mut world.file, &world.seen), []);
}
