//! What differs between two wanted states, field by field. Values whose name says that they are secret are hidden.

use std::collections::BTreeMap;

use serde_json::Value;
use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::hide::hidden;
use super::secret::{is_placeholder, is_secret_name};
use crate::code::{Build, Health, HttpCheck, Shared};
use crate::infrastructure::{CodeEntry, DeployEntry, Hosts, Infrastructure, PlaybookEntry};
use crate::server::WantedServer;

mod fields;

use fields::{Fields, network_fields, public_fields, server_fields};

/// Written in the place of a value that nobody should see.
const HIDDEN: &str = "(hidden)";

/// One field that differs. Only one value means that the whole thing came or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What it is about: `server web-1`, `network backend`, `deploy`, `account`.
    pub target: String,
    /// Which field of it; empty where the whole thing came or went.
    pub field: String,
    /// Before.
    pub old: Option<String>,
    /// After.
    pub new: Option<String>,
}

/// What differs between two wanted states of one file, in a stable order: the file's own fields, networks, servers in
/// the order of their names as people count, the entries of `deploy:` in their order.
pub fn differences(old: &Infrastructure, new: &Infrastructure) -> Vec<Difference> {
    let mut found = Vec::new();
    let own = |file: &Infrastructure| {
        let Infrastructure {
            name: _,
            account,
            networks: _,
            public_networks: _,
            servers: _,
            deploy: _,
            stats,
        } = file;
        vec![("account", account.to_string()), ("stats", stats.to_string())]
    };
    for ((field, old), (_, new)) in own(old).into_iter().zip(own(new)) {
        if old != new {
            let target = field.to_owned();
            found.push(Difference { target, field: String::new(), old: Some(old), new: Some(new) });
        }
    }
    let networks = |file: &Infrastructure| -> BTreeMap<(usize, String), Fields> {
        let named = |name: &str| (0, name.to_owned());
        file.networks.iter().map(|(name, network)| (named(name.as_str()), network_fields(network))).collect()
    };
    between("network", &networks(old), &networks(new), &mut found);
    let public = |file: &Infrastructure| -> BTreeMap<(usize, String), Fields> {
        let all = file.public_networks.iter();
        all.map(|(name, network)| ((0, name.to_string()), public_fields(network))).collect()
    };
    between("public network", &public(old), &public(new), &mut found);
    let servers = |file: &Infrastructure| -> BTreeMap<(usize, String), Fields> {
        let named = |server: &WantedServer| {
            let name = server.name.as_str();
            // web-2 before web-10.
            (
                name.len() - name.trim_end_matches(|letter: char| letter.is_ascii_digit()).len(),
                name.to_owned(),
            )
        };
        file.servers.iter().map(|server| (named(server), server_fields(server))).collect()
    };
    between("server", &servers(old), &servers(new), &mut found);
    deploy(&old.deploy, &new.deploy, &mut found);
    found
}

fn between(
    kind: &str,
    old: &BTreeMap<(usize, String), Fields>,
    new: &BTreeMap<(usize, String), Fields>,
    found: &mut Vec<Difference>,
) {
    let mut keys: Vec<_> = old.keys().chain(new.keys()).collect();
    keys.sort_by(|a, b| stem(&a.1).cmp(stem(&b.1)).then(a.cmp(b)));
    keys.dedup();
    for key in keys {
        let target = format!("{kind} {}", key.1);
        let whole = |fields: &Fields| {
            let shown = fields.iter().filter(|(_, value)| !value.is_empty());
            shown.map(|(field, value)| format!("{field} {value}")).collect::<Vec<_>>().join(", ")
        };
        match (old.get(key), new.get(key)) {
            (Some(old), Some(new)) => {
                for ((field, old), (_, new)) in old.iter().zip(new).filter(|(old, new)| old != new) {
                    found.push(Difference {
                        target: target.clone(),
                        field: (*field).to_owned(),
                        old: Some(old.clone()),
                        new: Some(new.clone()),
                    });
                }
            }
            (old, new) => found.push(Difference {
                target,
                field: String::new(),
                old: old.map(whole),
                new: new.map(whole),
            }),
        }
    }
}

/// A name without the number at its end.
fn stem(name: &str) -> &str {
    name.trim_end_matches(|letter: char| letter.is_ascii_digit())
}

fn deploy(old: &[DeployEntry], new: &[DeployEntry], found: &mut Vec<Difference>) {
    let raw = |entries: &[DeployEntry]| -> Vec<String> {
        entries.iter().map(|entry| serde_json::to_string(entry).unwrap_or_default()).collect()
    };
    let mut push = |old: Option<&DeployEntry>, new: Option<&DeployEntry>| {
        let (old, mut new) = (old.map(entry_words), new.map(entry_words));
        if old == new
            && let Some(new) = &mut new
        {
            new.push_str(" (a hidden value differs)");
        }
        found.push(Difference { target: "deploy".into(), field: String::new(), old, new });
    };
    for op in capture_diff_slices(Algorithm::Myers, &raw(old), &raw(new)) {
        match op {
            DiffOp::Equal { .. } => {}
            DiffOp::Delete { old_index, old_len, .. } => {
                old[old_index..old_index + old_len].iter().for_each(|entry| push(Some(entry), None));
            }
            DiffOp::Insert { new_index, new_len, .. } => {
                new[new_index..new_index + new_len].iter().for_each(|entry| push(None, Some(entry)));
            }
            DiffOp::Replace { old_index, old_len, new_index, new_len } => {
                for at in 0..old_len.max(new_len) {
                    let old = (at < old_len).then(|| &old[old_index + at]);
                    push(old, (at < new_len).then(|| &new[new_index + at]));
                }
            }
        }
    }
}

fn entry_words(entry: &DeployEntry) -> String {
    let hosts = |hosts: &Hosts| match hosts {
        Hosts::All => "all".to_owned(),
        Hosts::Groups(groups) => groups.iter().map(|group| group.as_str()).collect::<Vec<_>>().join(" "),
    };
    match entry {
        DeployEntry::Playbook(PlaybookEntry { playbook, hosts: on, repeatable, vars }) => {
            let mut words = vec![format!("playbook {playbook} on {}", hosts(on))];
            words.extend(repeatable.then(|| "repeatable".to_owned()));
            let vars = vars.iter().map(|(name, value)| format!("{name}={}", shown(name, value)));
            let vars = vars.collect::<Vec<_>>().join(" ");
            words.extend((!vars.is_empty()).then(|| format!("vars {vars}")));
            words.join(", ")
        }
        DeployEntry::Code(entry) => {
            let CodeEntry { from, to, hosts: on, keep, build, shared, health, restart } = entry.as_ref();
            let mut words = vec![format!("code {from} to {to} on {}", hosts(on)), format!("keep {keep}")];
            words.extend(build.as_ref().map(build_words));
            let Shared { directories, files } = shared;
            for (what, paths) in [("shared directories", directories), ("shared files", files)] {
                words.extend((!paths.is_empty()).then(|| format!("{what} {}", paths.join(" "))));
            }
            words.extend(health.as_ref().map(health_words));
            words.extend((!restart.is_empty()).then(|| format!("restart [{}]", command(restart))));
            words.join(", ")
        }
    }
}

fn build_words(build: &Build) -> String {
    let Build { command: run, output, env, within_s } = build;
    let mut words = format!("build [{}]", command(run));
    if !output.is_empty() {
        words.push_str(&format!(" of which {output}"));
    }
    for (name, value) in env {
        words.push_str(&format!(" {name}={}", shown(name, &Value::String(value.clone()))));
    }
    words.push_str(&format!(" within {within_s} s"));
    words
}

fn health_words(health: &Health) -> String {
    let Health { command: run, http, within_s } = health;
    let mut words = "health".to_owned();
    if !run.is_empty() {
        words.push_str(&format!(" [{}]", command(run)));
    }
    if let Some(http @ HttpCheck { port: _, path: _, status }) = http {
        words.push_str(&format!(" {http} is {status}"));
    }
    words.push_str(&format!(" within {within_s} s"));
    words
}

/// A program and its arguments; what an option gives that is secret is hidden.
fn command(words: &[String]) -> String {
    hidden(&words.join(" "))
}

/// A value, with everything hidden that is behind or below a name that says so, unless it is a placeholder.
fn shown(name: &str, value: &Value) -> Value {
    let is_secret = is_secret_name(name);
    match value {
        Value::Object(map) => {
            // What is below a secret name is secret under any name.
            let inner = |key: &str, value| if is_secret { shown(name, value) } else { shown(key, value) };
            Value::Object(map.iter().map(|(key, value)| (key.clone(), inner(key, value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(|item| shown(name, item)).collect()),
        Value::String(text) if is_secret && !is_placeholder(text) => HIDDEN.into(),
        Value::Number(_) if is_secret => HIDDEN.into(),
        // It may be an address with a password in it, or a document.
        Value::String(text) => hidden(text).into(),
        Value::Number(_) | Value::Bool(_) | Value::Null => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Files;
    use crate::infrastructure::{Inputs, Need, load};

    fn file(text: &str) -> Infrastructure {
        let mut files = Files::new();
        files.insert("infra/shop.yaml", text.as_bytes().to_vec());
        let inputs = Inputs { need: Need::Servers, ..Inputs::default() };
        load(&"shop".into(), &files, "infra/shop.yaml", &inputs).unwrap().infrastructure
    }

    fn lines(old: &str, new: &str) -> Vec<String> {
        let text = |value: Option<String>| value.unwrap_or_else(|| "-".into());
        let line = |found: Difference| {
            format!("{} {}: {} → {}", found.target, found.field, text(found.old), text(found.new))
        };
        differences(&file(old), &file(new)).into_iter().map(line).collect()
    }

    const SHOP: &str = "version: 1
networks: { backend: { dhcp: true } }
servers:
  web: { count: 2, image: Debian 12, cpu: 1, ram: 1 GiB, disk: 20 GiB ssd, networks: [backend] }
deploy:
  - playbook: site.yml
    hosts: web
    vars: { workers: 4, db_password: one, token: '${secret:token}' }
";

    /// ICT-69: what the file wanted then and now, field by field.
    #[test]
    fn every_field_that_differs_is_named_once() {
        assert_eq!(lines(SHOP, SHOP), Vec::<String>::new());
        let changed = SHOP.replace("cpu: 1", "cpu: 2").replace("count: 2", "count: 1").replace("one", "two");
        let changed = changed.replace("dhcp: true", "dhcp: false").replace("workers: 4", "workers: 8");
        let found = lines(SHOP, &changed);
        assert_eq!(found.len(), 4, "{found:?}");
        assert_eq!(found[0], "network backend dhcp: true → false");
        assert_eq!(found[1], "server web-1 cpu: 1 → 2");
        assert!(found[2].starts_with("server web-2 : cpu 1, ram 1024 MB"), "{}", found[2]);
        assert!(found[2].ends_with("→ -"), "{}", found[2]);
        assert!(found[3].contains("workers=4") && found[3].contains("workers=8"), "{}", found[3]);
        assert!(found[3].contains("(hidden)") && !found[3].contains("two"), "{}", found[3]);
        assert!(found[3].contains("${secret:token}"), "{}", found[3]);
    }

    /// ICT-69: the speed of links, and all that an entry of `deploy:` says of code.
    #[test]
    fn what_is_easily_forgotten_is_named_too() {
        let code = "deploy:
  - hosts: web
    code:
      from: ./app
      to: /srv/app
      build: { command: [make, dist], output: dist, env: { API_TOKEN: one, LEVEL: '1' } }
      shared: { directories: [uploads], files: [.env] }
      health: { command: [bin/check, --password, one], http: 'http://127.0.0.1:8080/up', status: 204 }
      restart: [systemctl, restart, app]
";
        let old = format!("{}{code}", SHOP.split("deploy:").next().unwrap());
        let changed = |from: &str, to: &str| {
            assert!(old.contains(from), "{from}");
            lines(&old, &old.replace(from, to))
        };
        assert_eq!(
            changed("cpu: 1", "bandwidth: 50, cpu: 1"),
            ["server web-1 bandwidth:  → 50 Mbit/s", "server web-2 bandwidth:  → 50 Mbit/s"]
        );
        assert_eq!(
            changed("dhcp: true", "dhcp: true, bandwidth: 100"),
            ["network backend bandwidth:  → 100 Mbit/s"]
        );
        for (from, to) in [
            ("make, dist", "make, all"),
            ("output: dist", "output: out"),
            ("LEVEL: '1'", "LEVEL: '2'"),
            ("uploads", "media"),
            (".env", ".env.local"),
            ("bin/check", "bin/test"),
            ("8080/up", "8081/up"),
            ("204", "200"),
            ("systemctl, restart", "systemctl, reload"),
        ] {
            let found = changed(from, to);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(!found[0].contains("hidden value differs") && !found[0].contains("one"), "{found:?}");
        }
        let found = changed("API_TOKEN: one", "API_TOKEN: two");
        assert!(found[0].contains("a hidden value differs") && !found[0].contains("two"), "{found:?}");
    }

    /// ICT-69: what stands below a telling name is hidden, whatever it is called itself.
    #[test]
    fn values_below_a_telling_name_are_hidden() {
        let value = serde_json::json!({
            "secrets": { "db": "hunter2", "more": ["hunter2", 7], "from": "${secret:db}" },
            "url": "amqp://ann:hunter2@host/",
            "workers": 4,
        });
        let shown = shown("vars", &value).to_string();
        assert!(!shown.contains("hunter2") && !shown.contains('7'), "{shown}");
        assert!(shown.contains("${secret:db}") && shown.contains("\"workers\":4"), "{shown}");
    }

    /// ICT-36: names in DNS are part of what a file wanted.
    #[test]
    fn names_in_dns_are_compared() {
        let named =
            SHOP.replace("networks: [backend] }", "networks: [backend], dns: [{ name: a.b.c, ttl: 60 }] }");
        let found = lines(&SHOP.replace("count: 2", "count: 1"), &named.replace("count: 2", "count: 1"));
        assert_eq!(found, ["server web-1 dns:  → a.b.c(60s)"]);
    }

    #[test]
    fn a_hidden_value_that_differs_is_said_and_not_shown() {
        let found = lines(SHOP, &SHOP.replace("db_password: one", "db_password: two"));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("a hidden value differs"), "{found:?}");
        assert!(!found[0].contains("two") && !found[0].contains("=one"), "{found:?}");
    }

    #[test]
    fn names_are_in_the_order_that_people_count() {
        let fleet = |count: u32| SHOP.replace("count: 2", &format!("count: {count}"));
        let found = lines(&fleet(1), &fleet(11));
        let names: Vec<&str> = found.iter().map(|line| line.split(' ').nth(1).unwrap()).collect();
        assert_eq!(names[..3], ["web-2", "web-3", "web-4"]);
        assert_eq!(names[8..], ["web-10", "web-11"]);
    }
}
