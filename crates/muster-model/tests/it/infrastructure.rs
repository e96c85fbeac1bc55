//! Good infrastructure files: what they mean.

use muster_model::infrastructure::{DeployEntry, Form, Hosts};
use muster_model::server::{Performance, Power};

use crate::support::{inputs, load_text, load_with, servers_only};

/// The example of the design, whole.
const SHOP: &str = r#"
version: 1
account: onecloud-prod
location: SdnSpb
networks:
  backend: { dhcp: true }
servers:
  web:
    count: 3
    image: Ubuntu 22.04
    cpu: 2
    ram: 4 GiB
    disk: 40 GiB ssd
    performance: high
    networks: [backend]
    groups: [frontend]
  db:
    image: Debian 12
    cpu: 4
    ram: 8 GiB
    disk: 100 GiB ssd
    networks: [backend]
    protect: true
deploy:
  - playbook: playbooks/base.yml
    hosts: all
  - code: { from: ./app, to: /srv/app }
    hosts: frontend
  - playbook: playbooks/site.yml
    hosts: frontend
stats: true
"#;

/// ICT-05: the file alone decides; ICT-61: a key with a count makes key-1 … key-n.
#[test]
fn the_example_of_the_design() {
    let checked = load_text(SHOP).unwrap();
    assert!(checked.warnings.is_empty(), "{}", checked.warnings);
    assert_eq!(checked.form, Form::Version1);
    insta::assert_json_snapshot!(checked.infrastructure);
}

/// ICT-41: everything that may stay unsaid has a typed default.
#[test]
fn defaults() {
    let checked = load_text("version: 1\nservers:\n  web: {image: Debian 12}\n").unwrap();
    let server = &checked.infrastructure.servers[0];
    assert_eq!(server.name.as_str(), "web-1");
    assert_eq!((server.size.cpu, server.size.ram_mb, server.size.disk_gb), (1, 1024, 40));
    assert_eq!((server.size.disk_type.as_str(), server.size.performance), ("SSD", Performance::Base));
    assert_eq!((server.power, server.protect, server.backup_days), (Power::Running, false, 0));
    assert_eq!((server.location.as_str(), checked.infrastructure.account.as_str()), ("SdnSpb", "onecloud"));
    assert!(checked.infrastructure.stats);
}

/// Speeds of links are whole Mbit/s; where nothing is said they are left alone.
#[test]
fn speeds_of_links() {
    let text = "version: 1\nnetworks: {back: {bandwidth: 50}, front: }\nservers:\n  web: {image: x, networks: [back, front], bandwidth: 20}\n  db: {image: x}\n";
    let found = load_text(text).unwrap().infrastructure;
    let networks: Vec<_> = found.networks.values().map(|network| network.bandwidth_mbit).collect();
    let servers: Vec<_> = found.servers.iter().map(|server| server.bandwidth_mbit).collect();
    assert_eq!((networks, servers), (vec![Some(50), None], vec![Some(20), None]));
}

#[test]
fn count_nought_is_none_and_ten_thousand_is_fine() {
    let none = load_text("version: 1\nservers:\n  web: {image: x, count: 0}\n").unwrap();
    assert!(none.infrastructure.servers.is_empty());
    let many = load_text("version: 1\nservers:\n  web: {image: x, count: 10000}\n").unwrap();
    assert_eq!(many.infrastructure.servers.len(), 10_000);
    assert_eq!(many.infrastructure.servers[9_999].name.as_str(), "web-10000");
}

#[test]
fn prefixes_are_part_of_names_but_not_of_references() {
    let text = "version: 1\nprefix: acme-\nnetworks:\n  back:\n  bare: {prefix: ''}\nservers:\n  web: {image: x, networks: [back, bare]}\n  db: {image: x, prefix: ''}\n";
    let found = load_text(text).unwrap().infrastructure;
    let names: Vec<_> = found.servers.iter().map(|server| server.name.as_str()).collect();
    assert_eq!(names, ["acme-web-1", "db-1"]);
    let linked: Vec<_> = found.servers[0].networks.iter().map(|network| network.as_str()).collect();
    assert_eq!(linked, ["acme-back", "bare"]);
    assert!(found.servers[0].groups.contains(&"web".into()));
}

#[test]
fn earlier_names() {
    let was = |text: &str| -> Vec<Vec<String>> {
        let found = load_text(text).unwrap().infrastructure;
        found.servers.iter().map(|server| server.was.iter().map(ToString::to_string).collect()).collect()
    };
    assert_eq!(
        was("version: 1\nservers:\n  web: {image: x, count: 2, was: [www]}\n"),
        [["www-1"], ["www-2"]]
    );
    assert_eq!(
        was("version: 1\nservers:\n  web: {image: x, count: 2, was: [Web_1, Web_2]}\n"),
        [["Web_1"], ["Web_2"]]
    );
    assert_eq!(was("version: 1\nservers:\n  db: {image: x, was: [postgres-3]}\n"), [["postgres-3"]]);
    assert_eq!(was("version: 1\nservers:\n  db: {image: x, was: [old]}\n"), [["old-1", "old"]]);
    assert_eq!(
        was("version: 1\nprefix: a-\nservers:\n  web: {image: x, count: 2, was: www}\n"),
        [["a-www-1", "www-1"], ["a-www-2", "www-2"]]
    );
}

#[test]
fn variables_keep_their_type_and_can_be_overridden() {
    let text = "version: 1\nvars: {size: 2, region: SdnSpb, big: {type: boolean, default: false}, nets: [a], os: {type: text, default: 22.04}}\nlocation: ${var:region}\nnetworks: {a: , b: }\nservers:\n  web: {image: 'Ubuntu ${var:os}', cpu: '${var:size}', protect: '${var:big}', networks: '${var:nets}'}\n";
    let plain = load_text(text).unwrap().infrastructure;
    let server = &plain.servers[0];
    assert_eq!((server.size.cpu, server.location.as_str(), server.protect), (2, "SdnSpb", false));
    assert_eq!((server.image.as_str(), server.networks.len()), ("Ubuntu 22.04", 1));
    let over = [("size", "4"), ("big", "true"), ("nets", "[a, b]"), ("os", "1.10")];
    let mut given = inputs(&over, &[]);
    given.var_files = vec!["vars/prod.yaml".to_owned()];
    let changed = load_with(text, &given).unwrap();
    let server = &changed.infrastructure.servers[0];
    assert_eq!((server.size.cpu, server.location.as_str(), server.protect), (4, "DsMsk", true));
    assert_eq!((server.image.as_str(), server.networks.len()), ("Ubuntu 1.10", 2));
    assert!(changed.files_used.contains("vars/prod.yaml"));
}

#[test]
fn secrets_and_environment_of_playbooks_stay_sealed() {
    let text = "version: 1\nvars: {name: 'a${b'}\nlocation: ${env:DC}\nservers:\n  web: {image: x, cpu: '${env:CPU}'}\ndeploy:\n  - playbook: playbooks/base.yml\n    hosts: web\n    vars: {password: '${secret:db/pass}', token: 'x-${env:TOKEN}', plain: '${var:name}', raw: '$${HOME}'}\n";
    // A variable may not be made of other values, so the literal stands in an override.
    let text = text.replace("'a${b'", "text");
    let given = inputs(&[("name", "a${b")], &[("DC", "DsMsk"), ("CPU", "3"), ("TOKEN", "hunter2")]);
    let checked = load_with(&text, &given).unwrap();
    assert_eq!(checked.infrastructure.servers[0].location, "DsMsk");
    assert_eq!(checked.infrastructure.servers[0].size.cpu, 3);
    assert_eq!(checked.secrets_used.iter().map(ToString::to_string).collect::<Vec<_>>(), ["db/pass"]);
    assert_eq!(checked.env_used.iter().collect::<Vec<_>>(), ["CPU", "DC", "TOKEN"]);
    let text = serde_json::to_string(&checked.infrastructure).unwrap();
    assert!(!text.contains("hunter2"), "a value of the environment reached what is stored");
    let DeployEntry::Playbook(entry) = &checked.infrastructure.deploy[0] else { panic!("a playbook") };
    let vars = serde_json::to_value(&entry.vars).unwrap();
    let opened =
        muster_model::document::resolve::<()>(&vars, &mut |found| Ok(format!("<{}>", found.name))).unwrap();
    assert_eq!(
        opened,
        serde_json::json!({"password": "<db/pass>", "token": "x-<TOKEN>", "plain": "a${b", "raw": "${HOME}"})
    );
}

/// The environment of a build is opened on its machine, and nowhere before: neither its values nor what they are made of
/// is stored, and another value is not another release.
#[test]
fn secrets_and_environment_of_builds_stay_sealed() {
    let text = "version: 1\nvars: {kind: {type: text, default: prod}}\nservers:\n  web: {image: x}\ndeploy:\n  \
                - {code: {from: 'app', to: '${env:TO}', build: {command: [make, '${env:TO}'], env: {A: '${env:TOKEN}', B: 'x-${secret:ci/key}', C: '${var:kind}', D: '$${E}'}}}, hosts: web}\n";
    let build = |token: &str| {
        let checked = load_with(text, &inputs(&[], &[("TO", "/srv/app"), ("TOKEN", token)])).unwrap();
        assert_eq!(checked.secrets_used.iter().map(ToString::to_string).collect::<Vec<_>>(), ["ci/key"]);
        assert_eq!(checked.env_used.iter().collect::<Vec<_>>(), ["TO", "TOKEN"]);
        assert!(!serde_json::to_string(&checked.infrastructure).unwrap().contains(token));
        let DeployEntry::Code(entry) = &checked.infrastructure.deploy[0] else { panic!("code") };
        assert_eq!(entry.to, "/srv/app");
        entry.build.clone().unwrap()
    };
    let one = build("hunter2");
    assert_eq!(one.command, ["make", "/srv/app"]);
    assert_eq!(one, build("hunter3"));
    let opened =
        muster_model::document::resolve::<()>(&serde_json::to_value(&one.env).unwrap(), &mut |found| {
            Ok(format!("<{}>", found.name))
        });
    let meant = serde_json::json!({"A": "<TOKEN>", "B": "x-<ci/key>", "C": "prod", "D": "${E}"});
    assert_eq!(opened, Ok(meant));
}

/// Code in one directory is nobody's problem where it never meets on a server.
#[test]
fn code_of_one_directory_on_different_servers() {
    let text = "version: 1\nservers:\n  web: {image: x, groups: [all-web]}\n  db: {image: x}\n  none: {image: x, count: 0}\ndeploy:\n  \
                - {code: {from: app, to: /srv/app}, hosts: web}\n  - {code: {from: app, to: /srv/app}, hosts: [db, none]}\n  \
                - {code: {from: app, to: /srv/apple}, hosts: all}\n  - {code: {from: app, to: /srv/app}, hosts: none}\n";
    load_text(text).unwrap_or_else(|problems| panic!("{problems}"));
}

#[test]
fn what_only_deploy_needs_is_a_warning_for_update() {
    let text = "version: 1\nservers:\n  web: {image: x}\ndeploy:\n  - {playbook: playbooks/bsae.yml, hosts: web, vars: {t: '${env:T}'}}\n  - {code: {from: ap, to: /srv/app}, hosts: web}\n";
    assert!(load_text(text).is_err());
    let checked = load_with(text, &servers_only()).unwrap();
    assert_eq!(checked.warnings.len(), 3, "{}", checked.warnings);
    assert!(checked.playbooks.contains("playbooks/bsae.yml") && checked.code.contains("ap"));
}

#[test]
fn playbooks_of_a_server_run_before_the_list() {
    let text = "version: 1\nservers:\n  web: {image: x, playbooks: [playbooks/base.yml]}\n  db: {image: x, playbooks: playbooks/base.yml}\ndeploy:\n  - {playbook: playbooks/site.yml, hosts: [web, db-1, web]}\n";
    let found = load_text(text).unwrap().infrastructure;
    let entries: Vec<_> = found
        .deploy
        .iter()
        .map(|entry| match entry {
            DeployEntry::Playbook(entry) => (entry.playbook.as_str(), entry.hosts.clone()),
            DeployEntry::Code(_) => panic!("no code here"),
        })
        .collect();
    assert_eq!(entries[0], ("playbooks/base.yml", Hosts::Groups(vec!["web".into(), "db".into()])));
    assert_eq!(entries[1], ("playbooks/site.yml", Hosts::Groups(vec!["web".into(), "db-1".into()])));
    assert_eq!(found.matching(&entries[1].1).count(), 2);
}

#[test]
fn json_anchors_line_ends_and_own_keys() {
    let json = "{\n\t\"version\": 1,\n\t\"servers\": {\"web\": {\"image\": \"x\", \"cpu\": 2}}\n}\n";
    assert_eq!(load_text(json).unwrap().infrastructure.servers[0].size.cpu, 2);
    let text = "\u{feff}version: 1\r\nx-base: &base\r\n  image: Debian 12\r\n  cpu: 2\r\nservers:\r\n  web:\r\n    <<: *base\r\n    x-note: ${whatever}\r\n  db: *base\r\n";
    let found = load_text(text).unwrap().infrastructure;
    assert_eq!(found.servers.iter().map(|server| server.size.cpu).collect::<Vec<_>>(), [2, 2]);
}

/// What `code:` says in full, and what it means where it says little.
#[test]
fn code_in_full() {
    let text = "version: 1\nservers:\n  web: {image: x}\ndeploy:\n  \
                - {code: {from: {git: 'git@example.org:a.git', path: web/}, to: /srv/a/, build: [make]}, hosts: web}\n  \
                - {code: {from: app, to: /srv/b, shared: {directories: [up, var/log/], files: [.env]}, health: {command: [bin/check, 1], http: 'http://localhost/up', within: 2m}, restart: [systemctl, restart, b]}, hosts: web}\n";
    let checked = load_text(text).unwrap_or_else(|problems| panic!("{problems}"));
    let code = |at: usize| match &checked.infrastructure.deploy[at] {
        DeployEntry::Code(entry) => entry.clone(),
        DeployEntry::Playbook(_) => panic!("it delivers code"),
    };
    let (git, full) = (code(0), code(1));
    assert_eq!(git.from.to_string(), "web of git@example.org:a.git at HEAD");
    assert_eq!(git.to, "/srv/a");
    let build = git.build.unwrap();
    assert_eq!((build.command.join(" ").as_str(), build.within_s), ("make", 900));
    assert!(git.shared.is_empty() && git.health.is_none() && git.restart.is_empty());
    assert_eq!(full.shared.directories, ["up", "var/log"]);
    assert_eq!(full.shared.files, [".env"]);
    let health = full.health.unwrap();
    assert_eq!((health.command.join(" ").as_str(), health.within_s), ("bin/check 1", 120));
    assert_eq!(health.http.unwrap().to_string(), "http://127.0.0.1:80/up");
    assert_eq!(full.restart, ["systemctl", "restart", "b"]);
}

/// ICT-61: what stands between key and number is the file's, or one server's own.
#[test]
fn names_with_another_separator() {
    let text = "version: 1\nseparator: _\nprefix: p-\nservers:\n  Web: {image: x, count: 2}\n  db: {image: x, separator: '-', was: [www]}\n";
    let found = load_text(text).unwrap().infrastructure;
    let names: Vec<&str> = found.servers.iter().map(|server| server.name.as_str()).collect();
    assert_eq!(names, ["p-Web_1", "p-Web_2", "p-db-1"]);
    assert_eq!(found.servers[2].was, ["p-www-1".into(), "www-1".into(), "www".into()]);
}
