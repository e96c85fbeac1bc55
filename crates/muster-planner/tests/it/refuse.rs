//! What is refused before any request, and in which words.

use insta::assert_snapshot;
use muster_model::server::Performance;

use crate::world::Setting;

fn refused(change: impl FnOnce(&mut Setting)) -> String {
    let mut setting = Setting::standing(&["web-1"]);
    change(&mut setting);
    let draft = setting.plan();
    assert!(!draft.refusals.is_empty(), "{}", setting.text());
    draft
        .refusals
        .iter()
        .map(|refusal| format!("{} [{}] {}\n", refusal.target, refusal.code, refusal.message))
        .collect()
}

fn refused_new(change: impl FnOnce(&mut Setting)) -> String {
    refused(|setting| {
        setting.seen.world.servers.clear();
        setting.seen.owned.clear();
        change(setting);
    })
}

/// ICT-64: a smaller disk is refused before any request.
#[test]
fn disk_shrink() {
    assert_snapshot!(refused(|setting| setting.want("web-1").size.disk_gb = 30));
}

/// ICT-64: a pool that the location lacks, for a new server and for one that exists.
#[test]
fn pool_missing() {
    let new = refused_new(|setting| setting.want("web-1").location = "DsMsk2".into());
    let changed = refused(|setting| {
        for location in &mut setting.seen.world.locations {
            location.high_pool = false;
        }
        setting.want("web-1").size.performance = Performance::High;
    });
    assert_snapshot!(format!("{new}{changed}"));
}

/// ICT-63: an ambiguous title lists the technical words; an unknown one the nearest.
#[test]
fn location_words() {
    let ambiguous = refused(|setting| setting.want("web-1").location = "мтс".into());
    let unknown = refused(|setting| setting.want("web-1").location = "Xelend".into());
    assert_snapshot!(format!("{ambiguous}{unknown}"));
}

/// ICT-64: a private network does not reach into another location; neither a new one nor one that is there, for a new server
/// or for one that exists. A link that somebody made all the same is left alone.
#[test]
fn networks_elsewhere() {
    let far = |setting: &mut Setting| {
        setting.want_network("backend", &["web-1"]);
        setting.file.networks.values_mut().for_each(|network| network.location = "DsMsk".into());
    };
    let new = refused_new(far);
    assert!(new.contains("[network-elsewhere]") && new.contains("DsMsk"), "{new}");
    assert_eq!(refused(far), new);
    let there = refused(|setting| {
        far(setting);
        setting.our_network("50", "backend", &[]);
        setting.seen.world.networks[0].location = "DsMsk".into();
    });
    assert_eq!(there, new);
    let mut linked = Setting::standing(&["web-1"]);
    far(&mut linked);
    linked.our_network("50", "backend", &["web-1"]);
    linked.seen.world.networks[0].location = "DsMsk".into();
    assert!(linked.plan().refusals.is_empty(), "{}", linked.text());
}

/// Unknown, ambiguous, and offered elsewhere.
#[test]
fn image_words() {
    let cases = ["Ubunto 22.04", "Rocky Linux", "AlmaLinux 9", "id:15", "id:999"];
    let texts: String = cases
        .iter()
        .map(|words| refused_new(|setting| setting.want("web-1").image = words.to_string()))
        .collect();
    assert_snapshot!(texts);
}

/// The provider's limits, all of a server's at once.
#[test]
fn size_limits() {
    let odd = refused_new(|setting| {
        let size = &mut setting.want("web-1").size;
        size.cpu = 0;
        size.ram_mb = 700;
        size.disk_gb = 45;
        size.disk_type = "NVME".into();
    });
    let big = refused_new(|setting| {
        let size = &mut setting.want("web-1").size;
        size.cpu = 17;
        size.ram_mb = 32_768;
        size.disk_gb = 260;
    });
    let windows = refused_new(|setting| {
        setting.want("web-1").image = "WinServer2022".into();
        setting.want("web-1").size.disk_gb = 50;
        setting.want("web-1").size.ram_mb = 512;
        setting.want("web-1").backup_days = 3;
    });
    let backup = refused_new(|setting| {
        setting.want("web-1").backup_days = 7;
        setting.want("web-1").location = "DsMsk".into();
    });
    assert_snapshot!(format!("{odd}\n{big}\n{windows}\n{backup}"));
}

/// The same mistake of many servers is one refusal.
#[test]
fn one_refusal_for_many() {
    let names: Vec<String> = (1..=1000).map(|number| format!("web-{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut setting = Setting::new(&names);
    for server in &mut setting.file.servers {
        server.image = "Ubunto 22.04".into();
    }
    let refusals = setting.plan().refusals;
    assert_eq!(refusals.len(), 1);
    assert!(refusals[0].message.ends_with("web-8, web-9 and 991 more."), "{}", refusals[0].message);
}

/// A size that stands is not judged: no request would carry it.
#[test]
fn odd_sizes_that_stand_are_left() {
    let mut setting = Setting::standing(&["web-1"]);
    setting.at("web-1").size.disk_gb = 500;
    setting.want("web-1").size.disk_gb = 500;
    assert!(setting.plan().is_empty() && setting.plan().refusals.is_empty());
}

/// `--only` of something that does not exist.
#[test]
fn only_unknown() {
    assert_snapshot!(refused(|setting| {
        setting.policy.only.insert("wep".into());
    }));
}
