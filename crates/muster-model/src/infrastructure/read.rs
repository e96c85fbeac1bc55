//! Reading the tree of a file in the present format (`version: 1`) into its entries.

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, shown};
use crate::document::walk::{Walk, blame, blame_item, field};
use crate::document::{Entry, Node, Span, Value, path};
use crate::infrastructure::check::Surroundings;
use crate::infrastructure::{COUNT_MAX, CodeEntry, DeployEntry, Hosts, PlaybookEntry};
use crate::server::{Performance, Power};

use super::image::image_of_id;
use super::key::key_problem;
use super::names::prefix_problem;
use super::size::{self, CPU_MAX};
use super::syntax::*;

pub(crate) const PERFORMANCE: &[(&str, Performance)] =
    &[("base", Performance::Base), ("high", Performance::High)];
pub(crate) const PERFORMANCE_ALSO: &[(&str, &str)] = &[("low", "base"), ("hight", "high")];
const POWER: &[(&str, Power)] = &[("running", Power::Running), ("stopped", Power::Stopped)];
const POWER_ALSO: &[(&str, &str)] = &[
    ("on", "running"),
    ("true", "running"),
    ("started", "running"),
    ("off", "stopped"),
    ("false", "stopped"),
];

/// Reads a whole file.
pub(crate) fn read(walk: &mut Walk<'_>, root: &Node, around: &mut Surroundings<'_>) -> Written {
    let mut written = Written {
        account: ACCOUNT_DEFAULT.to_owned(),
        networks: Vec::new(),
        servers: Vec::new(),
        deploy: Vec::new(),
        stats: true,
    };
    let start = Span { start: 0, end: 0 };
    let Some(entries) = walk.map(root, start, "an infrastructure file") else { return written };
    walk.only(entries, "an infrastructure file", TOP, TOP_LATER);
    version(walk, field(entries, "version"));
    if let Some(text) = text_of(walk, entries, "account") {
        written.account = text;
    }
    let location = text_of(walk, entries, "location").unwrap_or_else(|| LOCATION_DEFAULT.to_owned());
    let prefix = prefix_of(walk, entries).unwrap_or_default();
    if let Some(stats) = field(entries, "stats").and_then(|entry| walk.boolean(entry, "`stats`")) {
        written.stats = stats;
    }
    if let Some(entry) = field(entries, "networks")
        && let Some(networks) = walk.map(&entry.node, blame(entry), "`networks`")
    {
        written.networks = networks
            .iter()
            .filter(|entry| !entry.key.text.starts_with("x-"))
            .map(|entry| network(walk, entry, &location, &prefix))
            .collect();
    }
    if let Some(entry) = field(entries, "servers")
        && let Some(servers) = walk.map(&entry.node, blame(entry), "`servers`")
    {
        written.servers = servers
            .iter()
            .filter(|entry| !entry.key.text.starts_with("x-"))
            .map(|entry| server(walk, entry, &location, &prefix, around))
            .collect();
    }
    for entry in &written.servers {
        for playbook in &entry.playbooks {
            bind_playbook(&mut written.deploy, playbook, &entry.key);
        }
    }
    if let Some(entry) = field(entries, "deploy") {
        match &entry.node.value {
            Value::List(items) => {
                for item in items {
                    let at = blame_item(item, entry);
                    if let Some(one) = deploy(walk, item, at, around) {
                        written.deploy.push(one);
                    }
                }
            }
            _ => walk.wrong_kind(blame(entry), "`deploy`", "a list", &entry.node),
        }
    }
    written
}

/// A playbook that a server names runs in `deploy` before the entries of `deploy:`, once for all its servers.
pub(crate) fn bind_playbook(deploy: &mut Vec<WrittenDeploy>, playbook: &str, key: &(String, Span)) {
    for one in deploy.iter_mut() {
        if let DeployEntry::Playbook(entry) = &one.entry
            && entry.playbook == playbook
        {
            one.hosts.push(key.clone());
            return;
        }
    }
    deploy.push(WrittenDeploy {
        entry: DeployEntry::Playbook(PlaybookEntry {
            playbook: playbook.to_owned(),
            hosts: Hosts::All,
            repeatable: false,
            vars: BTreeMap::new(),
        }),
        hosts: vec![key.clone()],
    });
}

fn version(walk: &mut Walk<'_>, entry: Option<&Entry>) {
    match entry {
        Some(Entry { node: Node { value: Value::Int(version, _), .. }, .. })
            if *version == i128::from(VERSION) => {}
        Some(entry) => {
            let message = format!("`version` is {VERSION}, but this is {}", entry.node.described());
            walk.error_help(blame(entry), "wrong-version", message, format!("write `version: {VERSION}`"));
        }
        None => {
            let at = Span { start: 0, end: 0 };
            let help = format!("write `version: {VERSION}` in the first line");
            walk.error_help(at, "missing-version", "the file does not say its `version`", help);
        }
    }
}

fn text_of(walk: &mut Walk<'_>, entries: &[Entry], key: &str) -> Option<String> {
    let entry = field(entries, key)?;
    walk.text(&entry.node, blame(entry), &format!("`{key}`"))
}

/// A prefix; an empty one is a value of its own (it takes the file's prefix away).
fn prefix_of(walk: &mut Walk<'_>, entries: &[Entry]) -> Option<String> {
    let entry = field(entries, "prefix")?;
    if matches!(&entry.node.value, Value::Text(text) if text.is_empty()) {
        return Some(String::new());
    }
    let prefix = walk.text(&entry.node, blame(entry), "`prefix`")?;
    if let Some(problem) = prefix_problem(&prefix) {
        walk.error(blame(entry), "bad-name", format!("`{}` cannot be a prefix: {problem}", shown(&prefix)));
        return None;
    }
    Some(prefix)
}

fn network(walk: &mut Walk<'_>, entry: &Entry, location: &str, prefix: &str) -> NetworkEntry {
    let name = shown(&entry.key.text);
    let mut network = NetworkEntry {
        key: (entry.key.text.clone(), entry.key.at),
        prefix: prefix.to_owned(),
        dhcp: true,
        location: location.to_owned(),
        protect: false,
    };
    if matches!(entry.node.value, Value::Null) {
        return network;
    }
    let what = format!("the network `{name}`");
    let Some(entries) = walk.map(&entry.node, blame(entry), &what) else { return network };
    walk.only(entries, "a network", NETWORK, NETWORK_LATER);
    if let Some(dhcp) = field(entries, "dhcp").and_then(|entry| walk.boolean(entry, "`dhcp`")) {
        network.dhcp = dhcp;
    }
    if let Some(protect) = field(entries, "protect").and_then(|entry| walk.boolean(entry, "`protect`")) {
        network.protect = protect;
    }
    if let Some(location) = text_of(walk, entries, "location") {
        network.location = location;
    }
    if let Some(prefix) = prefix_of(walk, entries) {
        network.prefix = prefix;
    }
    network
}

fn server(
    walk: &mut Walk<'_>,
    entry: &Entry,
    location: &str,
    prefix: &str,
    around: &mut Surroundings<'_>,
) -> ServerEntry {
    let what = format!("the server `{}`", shown(&entry.key.text));
    let mut server = ServerEntry::new((entry.key.text.clone(), entry.key.at), prefix, location);
    let Some(entries) = walk.map(&entry.node, blame(entry), &what) else { return server };
    walk.only(entries, "a server", SERVER, SERVER_LATER);
    if let Some(count) = field(entries, "count").and_then(|entry| walk.whole(entry, "`count`", 0..=COUNT_MAX))
    {
        server.count = count;
    }
    match field(entries, "image") {
        Some(image) => server.image = image_words(walk, image).unwrap_or_default(),
        None => walk.error_help(
            entry.key.at,
            "missing-field",
            format!("{what} does not say its `image`"),
            "write the name of an image, e.g. `image: Ubuntu 22.04`",
        ),
    }
    size_of(walk, entries, &mut server);
    if let Some(location) = text_of(walk, entries, "location") {
        server.location = location;
    }
    if let Some(prefix) = prefix_of(walk, entries) {
        server.prefix = prefix;
    }
    for (key, list) in
        [("networks", &mut server.networks), ("groups", &mut server.groups), ("was", &mut server.was)]
    {
        if let Some(entry) = field(entries, key) {
            *list = walk.texts(entry, &format!("`{key}`"));
        }
    }
    if let Some(entry) = field(entries, "keys") {
        for (line, at) in walk.texts(entry, "`keys`") {
            match key_problem(&line) {
                Some((message, help)) => walk.error_help(at, "bad-key", message, help),
                None => server.keys.push(line),
            }
        }
    }
    if let Some(power) =
        field(entries, "power").and_then(|entry| walk.word(entry, "`power`", POWER, POWER_ALSO))
    {
        server.power = power;
    }
    if let Some(protect) = field(entries, "protect").and_then(|entry| walk.boolean(entry, "`protect`")) {
        server.protect = protect;
    }
    if let Some(days) = field(entries, "backup_days")
        .and_then(|entry| walk.whole(entry, "`backup_days`", 0..=BACKUP_DAYS_MAX))
    {
        server.backup_days = days;
    }
    if let Some(entry) = field(entries, "playbooks") {
        for (word, at) in walk.texts(entry, "`playbooks`") {
            if let Some(path) = file_path(walk, &word, at) {
                around.want_file(walk, &path, at, "playbook");
                if !server.playbooks.contains(&path) {
                    server.playbooks.push(path);
                }
            }
        }
    }
    server
}

fn image_words(walk: &mut Walk<'_>, entry: &Entry) -> Option<String> {
    if let Value::Int(id, spelling) = &entry.node.value {
        let name = u64::try_from(*id).ok().and_then(image_of_id);
        let spelling = shown(spelling);
        let help = match name {
            Some(name) => {
                format!("write `image: {name}`; `image: \"id:{spelling}\"` means exactly that number")
            }
            None => format!("write the image's name; `image: \"id:{spelling}\"` means exactly that number"),
        };
        let message =
            format!("`image` is the number `{spelling}`; the provider's numbers change, names stay");
        walk.error_help(blame(entry), "image-number", message, help);
        return None;
    }
    walk.text(&entry.node, blame(entry), "`image`")
}

fn size_of(walk: &mut Walk<'_>, entries: &[Entry], server: &mut ServerEntry) {
    if let Some(cpu) = field(entries, "cpu").and_then(|entry| walk.whole(entry, "`cpu`", 1..=CPU_MAX)) {
        server.size.cpu = cpu;
    }
    if let Some(entry) = field(entries, "ram")
        && let Some(text) = walk.text(&entry.node, blame(entry), "`ram`")
    {
        match size::ram_mb(&text) {
            Ok(ram_mb) => server.size.ram_mb = ram_mb,
            Err(problem) => bad_size(walk, entry, "ram", problem),
        }
    }
    if let Some(entry) = field(entries, "disk")
        && let Some(text) = walk.text(&entry.node, blame(entry), "`disk`")
    {
        match size::disk(&text) {
            Ok((disk_gb, disk_type)) => {
                server.size.disk_gb = disk_gb;
                server.size.disk_type = disk_type;
            }
            Err(problem) => bad_size(walk, entry, "disk", problem),
        }
    }
    if let Some(performance) = field(entries, "performance")
        .and_then(|entry| walk.word(entry, "`performance`", PERFORMANCE, PERFORMANCE_ALSO))
    {
        server.size.performance = performance;
    }
}

fn bad_size(walk: &mut Walk<'_>, entry: &Entry, key: &str, problem: size::SizeProblem) {
    let place = walk.place(blame(entry));
    walk.problems.push(
        Diagnostic::error("bad-size", format!("`{key}`: {}", problem.message))
            .at(place)
            .help_maybe(problem.help),
    );
}

fn file_path(walk: &mut Walk<'_>, written: &str, at: Span) -> Option<String> {
    match path::normal(written) {
        Ok(path) if path.is_empty() => {
            walk.error(at, "bad-path", format!("`{}` is the root itself", shown(written)));
            None
        }
        Ok(path) => Some(path),
        Err(problem) => {
            walk.error(at, "bad-path", format!("`{}`: {problem}", shown(written)));
            None
        }
    }
}

fn deploy(
    walk: &mut Walk<'_>,
    item: &Node,
    at: Span,
    around: &mut Surroundings<'_>,
) -> Option<WrittenDeploy> {
    let entries = walk.map(item, at, "an entry of `deploy`")?;
    let (playbook, code) = (field(entries, "playbook"), field(entries, "code"));
    let entry = match (playbook, code) {
        (Some(playbook), None) => {
            walk.only(entries, "a playbook entry", PLAYBOOK, DEPLOY_LATER);
            playbook_entry(walk, entries, playbook, around)
        }
        (None, Some(code)) => {
            walk.only(entries, "a code entry", CODE, DEPLOY_LATER);
            code_entry(walk, code, around)
        }
        (Some(_), Some(code)) => {
            let message = "an entry of `deploy` has either `playbook` or `code`, not both";
            walk.error_help(code.key.at, "two-kinds", message, "make two entries; they run in their order");
            None
        }
        (None, None) => {
            let words: Vec<&'static str> = [PLAYBOOK, CODE].concat();
            walk.only(entries, "an entry of `deploy`", &words, DEPLOY_LATER);
            let message = "an entry of `deploy` has `playbook` or `code`; this one has neither";
            walk.error(at, "missing-field", message);
            None
        }
    };
    let hosts = match field(entries, "hosts") {
        Some(hosts) => {
            let found = walk.texts(hosts, "`hosts`");
            if found.is_empty() && matches!(&hosts.node.value, Value::List(items) if items.is_empty()) {
                walk.error_help(
                    hosts.key.at,
                    "empty",
                    "`hosts` is empty",
                    "name groups or servers, or write `hosts: all`",
                );
            }
            found
        }
        None => {
            let message = "this entry does not say its `hosts`";
            walk.error_help(at, "missing-field", message, "name a group, a server, or write `hosts: all`");
            Vec::new()
        }
    };
    Some(WrittenDeploy { entry: entry?, hosts })
}

fn playbook_entry(
    walk: &mut Walk<'_>,
    entries: &[Entry],
    playbook: &Entry,
    around: &mut Surroundings<'_>,
) -> Option<DeployEntry> {
    let repeatable =
        field(entries, "repeatable").and_then(|entry| walk.boolean(entry, "`repeatable`")).unwrap_or(false);
    let mut vars = BTreeMap::new();
    if let Some(entry) = field(entries, "vars")
        && let Some(entries) = walk.map(&entry.node, blame(entry), "`vars`")
    {
        for Entry { key, node } in entries {
            let good = key.text.starts_with(|char: char| char.is_ascii_alphabetic() || char == '_')
                && key.text.chars().all(|char| char.is_ascii_alphanumeric() || char == '_');
            if good {
                vars.insert(key.text.clone(), node.to_json());
            } else {
                let message = format!("`{}` cannot be the name of a playbook's variable", shown(&key.text));
                walk.error_help(
                    key.at,
                    "bad-name",
                    message,
                    "Ansible takes letters, digits and `_`, not starting with a digit",
                );
            }
        }
    }
    let at = blame(playbook);
    let written = walk.text(&playbook.node, at, "`playbook`")?;
    let path = file_path(walk, &written, at)?;
    around.want_file(walk, &path, at, "playbook");
    Some(DeployEntry::Playbook(PlaybookEntry { playbook: path, hosts: Hosts::All, repeatable, vars }))
}

fn code_entry(walk: &mut Walk<'_>, code: &Entry, around: &mut Surroundings<'_>) -> Option<DeployEntry> {
    let body = walk.map(&code.node, blame(code), "`code`")?;
    walk.only(body, "`code`", CODE_BODY, &[]);
    let keep = field(body, "keep")
        .and_then(|entry| walk.whole(entry, "`keep`", 0..=KEEP_MAX))
        .unwrap_or(KEEP_DEFAULT);
    let from = match field(body, "from") {
        None => {
            walk.error_help(
                code.key.at,
                "missing-field",
                "`code` does not say `from` where",
                "e.g. `from: ./app`",
            );
            None
        }
        Some(entry) => walk.text(&entry.node, blame(entry), "`from`").and_then(|written| {
            let path = file_path(walk, &written, blame(entry))?;
            around.want_directory(walk, &path, blame(entry));
            Some(path)
        }),
    };
    let to = match field(body, "to") {
        None => {
            walk.error_help(
                code.key.at,
                "missing-field",
                "`code` does not say `to` where",
                "e.g. `to: /srv/app`",
            );
            None
        }
        Some(entry) => walk.text(&entry.node, blame(entry), "`to`").and_then(|written| {
            let target = target_directory(&written);
            if let Err(problem) = target {
                walk.error_help(
                    blame(entry),
                    "bad-path",
                    format!("`{}` {problem}", shown(&written)),
                    "write a directory of its own, e.g. `/srv/app`",
                );
            }
            target.ok()
        }),
    };
    Some(DeployEntry::Code(CodeEntry { from: from?, to: to?, hosts: Hosts::All, keep }))
}

/// An absolute directory on a server, in its one spelling.
fn target_directory(written: &str) -> Result<String, &'static str> {
    let Some(below) = written.strip_prefix('/') else { return Err("is not absolute") };
    if written.split('/').any(|part| part == ".." || part == ".") {
        return Err("has `.` or `..` in it");
    }
    let parts: Vec<&str> = below.split('/').filter(|part| !part.is_empty()).collect();
    match parts.first() {
        None => Err("is the whole machine"),
        Some(&("proc" | "sys" | "dev")) => Err("belongs to the system's kernel"),
        Some(_) => Ok(format!("/{}", parts.join("/"))),
    }
}
