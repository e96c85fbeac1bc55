//! ICT-66: an old ict file in today's form means the same and says nothing old any more.

use std::collections::BTreeMap;

use muster_model::diagnostic::{Diagnostics, Style};
use muster_model::document::Files;
use muster_model::id::InfrastructureName;
use muster_model::infrastructure::{Converted, DeployEntry, Form, Infrastructure, Inputs, convert, load};
use proptest::prelude::*;

const ENTRY: &str = "templates/infrastructure/shop.yml";

fn surroundings(text: &str) -> Files {
    let mut files = Files::new();
    files.insert(ENTRY, text.as_bytes());
    for (name, template) in [
        ("small", "# the smallest\nCPU: 2 # enough\nRAM: 1024\nHDD: 40\nHDDType: SSD\nImageID: 3492\n"),
        ("own/odd", "CPU: 3\nRAM: 1536\nHDD: 50\nHDDType: sas\nImageID: \"77\"\n"),
        ("words", "CPU: 1\nRAM: 512\nHDD: 10\nImageID: 'Ubuntu 22.04: ${x} # lts'\n"),
    ] {
        files.insert(format!("templates/servers/{name}.yml"), template.as_bytes());
    }
    for name in ["Nginx_install", "PosgreSQL_install", "more/site"] {
        files.list(format!("templates/playbooks/{name}.yml"));
    }
    files
}

fn name() -> InfrastructureName {
    InfrastructureName::from("shop")
}

fn converted(text: &str) -> Result<Converted, Diagnostics> {
    convert(&name(), &surroundings(text), ENTRY, ENTRY, &|path| Some(path.to_owned()))
}

fn loaded(text: &str) -> muster_model::infrastructure::Checked {
    let checked = load(&name(), &surroundings(text), ENTRY, &Inputs::default());
    checked.unwrap_or_else(|problems| panic!("{text}\n{problems}"))
}

/// Each server's playbooks in the order of `deploy`.
fn playbooks(infrastructure: &Infrastructure) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in &infrastructure.deploy {
        let DeployEntry::Playbook(entry) = entry else { panic!("old files deliver no code") };
        for server in infrastructure.matching(&entry.hosts) {
            found.entry(server.name.to_string()).or_default().push(entry.playbook.clone());
        }
    }
    found
}

/// What a file wants: names, sizes, images, locations, networks and playbooks.
fn wanted(infrastructure: &Infrastructure) -> String {
    let mut servers = infrastructure.servers.clone();
    for server in &mut servers {
        server.playbooks.clear();
    }
    format!(
        "{servers:#?}\n{:#?}\n{:#?}\n{} {}",
        infrastructure.networks,
        playbooks(infrastructure),
        infrastructure.account,
        infrastructure.stats
    )
}

/// ICT-66: the new file is shown as a whole: comments stand where what they are about went.
#[test]
fn comments_go_along() {
    let text = "\
# The shop, since 2019.

# in the north
shop-spb: # the first place
  VDC_options: {DC: Xelent, pull: hight} # the good one
  # all of them
  Servers:
    # the front
    - Web: {template: small, playbook: more/site, value: 2} # two for now
    - Db:
        # large
        template: own/odd # sas
        value: 3 # grew
        playbook: PosgreSQL_install # sic
  priv_net:
    back: # inside
      IsDHCP: yes # no router here
      servers: [Web, Db] # all
# elsewhere
other:
  VDC_options:
    DC: \"МТС # 2\" # not a comment before this
  servers:
    Mail:
# the end
";
    let converted = converted(text).unwrap();
    insta::assert_snapshot!("converted_comments", converted.text);
    insta::assert_snapshot!("converted_warnings", converted.warnings.render(Style::Plain));
    assert_eq!(
        converted.inlined.iter().map(String::as_str).collect::<Vec<_>>(),
        ["templates/servers/own/odd.yml", "templates/servers/small.yml"]
    );
}

/// ICT-61, ICT-66: every shape of its time, and the names role_1 … role_n stay.
#[test]
fn every_shape_in_todays_form() {
    for (shape, text) in [
        (
            "list",
            "s:\n  VDC_options: {DC: Xelent, pull: base}\n  Servers:\n    - Web: {template: small, playbook: Nginx_install, value: 2}\n    - Db: {template: own/odd, playbook: PosgreSQL_install}\n",
        ),
        (
            "map",
            "s:\n  servers:\n    Web: {template: small, value: 0}\n    Db:\n  priv_net:\n    back: {IsDHCP: no, servers: [Db]}\n",
        ),
        ("named", "s:\n  name: Web\n  template: small # why\n  value: 2\n"),
        ("bare", "Web:\n  template: words\n"),
        ("networks_only", "s:\n  VDC_options: {DC: Xelent}\n  priv_net: {back: , front: {IsDHCP: 'off'}}\n"),
    ] {
        let converted = converted(text).unwrap_or_else(|problems| panic!("{shape}: {problems}"));
        insta::assert_snapshot!(format!("converted_{shape}"), converted.text, text);
        assert_eq!(
            wanted(&loaded(&converted.text).infrastructure),
            wanted(&loaded(text).infrastructure),
            "{shape}"
        );
    }
}

/// A file of today's form, one that is neither, and what today's form cannot say.
#[test]
fn what_is_not_converted() {
    for (name, text) in [
        ("modern", "version: 1\nservers:\n  web: {image: x}\n"),
        ("neither", "a: {b: 1}\n"),
        (
            "mistakes",
            "s:\n  Servers:\n    - Web: {template: smal}\n    - Web: {template: small, value: -1}\n",
        ),
        ("own_word", "s:\n  Servers:\n    - x-web: {template: small}\n  priv_net: {x-net: }\n"),
    ] {
        let problems = converted(text).expect_err(name).render(Style::Plain);
        insta::assert_snapshot!(format!("not_converted_{name}"), problems, text);
    }
    let text = "s:\n  x-note: mine\n  Servers:\n    - Web: {template: small}\n";
    assert!(converted(text).unwrap().warnings.render(Style::Plain).contains("`x-note` is not carried over"));
    let elsewhere = convert(&name(), &surroundings(text), ENTRY, "infra/shop.yaml", &|_| None).unwrap_err();
    assert!(elsewhere.render(Style::Plain).contains("does not lie below the new file's root"), "{elsewhere}");
}

/// Where the new file has another root, its playbooks are still the same files.
#[test]
fn playbooks_are_named_from_the_new_root() {
    let text = "s:\n  Servers:\n    - Web: {template: small}\n";
    let moved = |path: &str| path.strip_prefix("templates/").map(str::to_owned);
    let new = convert(&name(), &surroundings(text), ENTRY, "infrastructure/shop.yml", &moved).unwrap();
    assert!(new.text.contains("- playbook: playbooks/Nginx_install.yml\n"), "{}", new.text);
}

/// A role of an old file: its settings, each said or not.
#[derive(Clone, Debug)]
struct Role {
    template: Option<&'static str>,
    playbook: Option<&'static str>,
    value: Option<u32>,
    comment: bool,
}

fn roles() -> impl Strategy<Value = Vec<Role>> {
    let template = prop::option::of(prop::sample::select(vec!["small", "own/odd", "words", "mid_01"]));
    let playbook =
        prop::option::of(prop::sample::select(vec!["Nginx_install", "PosgreSQL_install", "more/site"]));
    let role = (template, playbook, prop::option::of(0u32..12), any::<bool>())
        .prop_map(|(template, playbook, value, comment)| Role { template, playbook, value, comment });
    prop::collection::vec(role, 1..4)
}

/// How the roles of a task are written.
#[derive(Clone, Copy, Debug)]
enum Shape {
    List,
    Map,
    One,
}

#[derive(Clone, Debug)]
struct Task {
    shape: Shape,
    place: Option<&'static str>,
    pool: Option<&'static str>,
    roles: Vec<Role>,
    network: Option<Option<bool>>,
    comment: bool,
}

fn tasks() -> impl Strategy<Value = Vec<Task>> {
    let shape = prop::sample::select(vec![Shape::List, Shape::Map, Shape::One]);
    let place =
        prop::option::of(prop::sample::select(vec!["Xelent", "DataSpace", "МТС", "a: b", "22", "no"]));
    let pool = prop::option::of(prop::sample::select(vec!["base", "high", "hight", "low"]));
    let network = prop::option::of(prop::option::of(any::<bool>()));
    let task = (shape, place, pool, roles(), network, any::<bool>()).prop_map(
        |(shape, place, pool, roles, network, comment)| Task { shape, place, pool, roles, network, comment },
    );
    prop::collection::vec(task, 1..4)
}

/// The tasks as an old file.
fn old_file(tasks: &[Task]) -> String {
    let mut text = String::new();
    for (number, task) in tasks.iter().enumerate() {
        if task.comment {
            text += "# above\n\n# a task\n";
        }
        text += &format!("task{number}: # {number}\n");
        let place = task.place.map(|place| format!("DC: {place:?}"));
        let options: Vec<String> =
            place.into_iter().chain(task.pool.map(|pool| format!("pull: {pool}"))).collect();
        if !options.is_empty() {
            text += &format!("  VDC_options: {{{}}}\n", options.join(", "));
        }
        let roles = if matches!(task.shape, Shape::One) { &task.roles[..1] } else { &task.roles[..] };
        match task.shape {
            Shape::List => text += "  Servers:\n",
            Shape::Map => text += "  servers:\n",
            Shape::One => {}
        }
        for (index, role) in roles.iter().enumerate() {
            let name = format!("Role{number}x{index}");
            let fields = [
                role.template.map(|word| format!("template: {word}")),
                role.playbook.map(|word| format!("playbook: {word}")),
                role.value.map(|word| format!("value: {word}")),
            ];
            let fields: Vec<String> = fields.into_iter().flatten().collect();
            let comment = if role.comment { " # of a role" } else { "" };
            match task.shape {
                Shape::List => text += &format!("    - {name}: {{{}}}{comment}\n", fields.join(", ")),
                Shape::Map => {
                    text += &format!("    {name}:{comment}\n");
                    fields
                        .iter()
                        .for_each(|field| text += &format!("      # about it\n      {field}{comment}\n"));
                }
                Shape::One => {
                    text += &format!("  name: {name}{comment}\n");
                    fields.iter().for_each(|field| text += &format!("  {field}{comment}\n"));
                }
            }
        }
        if let Some(dhcp) = task.network {
            let dhcp = dhcp.map_or(String::new(), |dhcp| format!("IsDHCP: {dhcp}, "));
            text += &format!("  priv_net:\n    net{number}: {{{dhcp}servers: [Role{number}x0]}} # linked\n");
        }
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// ICT-61, ICT-66: what comes out is valid without a warning, wants the same servers by the same names, and has
    /// every comment that the old file had.
    #[test]
    fn the_new_file_wants_the_same(tasks in tasks()) {
        let old = old_file(&tasks);
        let before = loaded(&old);
        prop_assert_eq!(before.form, Form::Ict);
        let new = converted(&old).unwrap_or_else(|problems| panic!("{old}\n{problems}"));
        let after = loaded(&new.text);
        prop_assert_eq!(after.form, Form::Version1);
        prop_assert!(after.warnings.is_empty(), "{}\n{}", new.text, after.warnings);
        prop_assert_eq!(wanted(&after.infrastructure), wanted(&before.infrastructure), "{}\n{}", old, new.text);
        prop_assert_eq!(&after.infrastructure, &new.infrastructure);
        for comment in ["# above", "# a task", "# of a role", "# about it", "# linked"] {
            prop_assert_eq!(
                new.text.matches(comment).count(),
                old.matches(comment).count(),
                "{}\n{}\n{}", comment, old, new.text
            );
        }
    }
}
