//! Linear growth: ten thousand servers are planned in about ten times the work of a thousand.

use crate::world::Setting;

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
    setting.our_network("50", "backend", &[]);
    assert!(setting.plan().is_empty());
    // Everything differs, too.
    for server in &mut setting.seen.world.servers {
        server.size.cpu = 1;
        server.links.clear();
    }
    assert_eq!(setting.plan().steps.len(), 20_000);
}
