//! Linear growth: ten thousand servers are planned in about ten times the work of a thousand.

use muster_model::plan::{interface_digest, interface_record, reached_record};

use crate::world::{Setting, provisioned};

/// A fleet with nothing to change gives an empty plan; an accidental square of ten thousand would not finish here.
#[test]
fn ten_thousand_servers() {
    let names: Vec<String> = (1..=10_000).map(|number| format!("web-{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut setting = Setting::standing(&names);
    setting.want_network("backend", &[]);
    for server in &mut setting.file.servers {
        server.networks.insert("backend".into());
    }
    for server in &mut setting.seen.world.servers {
        server.links.push(crate::world::link("50"));
    }
    let link = crate::world::link("50");
    let reached = provisioned(&interface_digest(true, &link.mac, &link.address), true);
    for record in &mut setting.seen.owned {
        record.provisioned.insert(interface_record(&link.network), reached.clone());
        record.provisioned.insert(reached_record(&link.network), reached.clone());
    }
    setting.our_network("50", "backend", &[]);
    assert!(setting.plan().is_empty());
    // Everything differs, too.
    for server in &mut setting.seen.world.servers {
        server.size.cpu = 1;
        server.links.clear();
    }
    // Resized, linked, reached and configured; one check of the network for all.
    assert_eq!(setting.plan().steps.len(), 40_001);
}
