//! Reading the tree of a file in the present format (`version: 1`) into its entries.

use crate::account::LOCAL_ACCOUNT;
use crate::diagnostic::{Diagnostic, shown};
use crate::document::walk::{Walk, blame, blame_item, field};
use crate::document::{Entry, Node, Span, Value};
use crate::infrastructure::COUNT_MAX;
use crate::infrastructure::check::Surroundings;
use crate::server::{Performance, Power};

use super::deploy::{bind_playbook, deploy, file_path};
use super::dns;
use super::image::image_of_id;
use super::key::key_problem;
use super::names::prefix_problem;
use super::public_network;
use super::size::{self, CPU_MAX};
use super::syntax::*;

pub(crate) const PERFORMANCE: &[(&str, Performance)] =
    &[("base", Performance::Base), ("high", Performance::High)];
pub(crate) const PERFORMANCE_ALSO: &[(&str, &str)] = &[("low", "base"), ("hight", "high")];
const SEPARATORS: &[(&str, char)] = &[("-", '-'), ("_", '_')];
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
    if matches!(root.value, Value::Null) {
        let help = format!("it starts with `version: {VERSION}`; see `muster schema`");
        walk.error_help(start, "empty", "the file is empty", help);
        return written;
    }
    let Some(entries) = walk.map(root, start, "an infrastructure file") else { return written };
    walk.only(entries, "an infrastructure file", TOP, TOP_LATER);
    version(walk, field(entries, "version"));
    if let Some(text) = text_of(walk, entries, "account") {
        written.account = text;
    }
    let location = text_of(walk, entries, "location").unwrap_or_else(|| {
        let default = if written.account == LOCAL_ACCOUNT { LOCATION_LOCAL } else { LOCATION_DEFAULT };
        default.to_owned()
    });
    let names = Names {
        prefix: prefix_of(walk, entries).unwrap_or_default(),
        separator: separator_of(walk, entries).unwrap_or(SEPARATOR_DEFAULT),
    };
    if let Some(stats) = field(entries, "stats").and_then(|entry| walk.boolean(entry, "`stats`")) {
        written.stats = stats;
    }
    if let Some(entry) = field(entries, "networks")
        && let Some(networks) = walk.map(&entry.node, blame(entry), "`networks`")
    {
        written.networks = networks
            .iter()
            .filter(|entry| !entry.key.text.starts_with("x-"))
            .map(|entry| network(walk, entry, &location, &names.prefix))
            .collect();
    }
    if let Some(entry) = field(entries, "servers")
        && let Some(servers) = walk.map(&entry.node, blame(entry), "`servers`")
    {
        written.servers = servers
            .iter()
            .filter(|entry| !entry.key.text.starts_with("x-"))
            .map(|entry| server(walk, entry, &location, &names, around))
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

/// How the file makes names where an entry does not say otherwise.
struct Names {
    prefix: String,
    separator: char,
}

/// What stands between key and number.
fn separator_of(walk: &mut Walk<'_>, entries: &[Entry]) -> Option<char> {
    field(entries, "separator").and_then(|entry| walk.word(entry, "`separator`", SEPARATORS, &[]))
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
        bandwidth_mbit: None,
        public: None,
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
    network.public = public_network::read(walk, entries, &network, &what);
    if network.public.is_none() {
        network.bandwidth_mbit = bandwidth(walk, entries);
    }
    network
}

/// The speed of links in Mbit/s: in the provider's steps.
fn bandwidth(walk: &mut Walk<'_>, entries: &[Entry]) -> Option<u32> {
    let entry = field(entries, "bandwidth")?;
    let mbit = walk.whole(entry, "`bandwidth`", BANDWIDTH_MBIT_STEP..=BANDWIDTH_MBIT_MAX)?;
    if mbit.is_multiple_of(BANDWIDTH_MBIT_STEP) {
        return Some(mbit);
    }
    let below = mbit - mbit % BANDWIDTH_MBIT_STEP;
    walk.error_help(
        blame(entry),
        "out-of-range",
        format!("`bandwidth` is `{mbit}`; it wants Mbit/s in steps of {BANDWIDTH_MBIT_STEP}"),
        format!("write {below} or {}", below + BANDWIDTH_MBIT_STEP),
    );
    None
}

fn server(
    walk: &mut Walk<'_>,
    entry: &Entry,
    location: &str,
    names: &Names,
    around: &mut Surroundings<'_>,
) -> ServerEntry {
    let what = format!("the server `{}`", shown(&entry.key.text));
    let mut server = ServerEntry::new((entry.key.text.clone(), entry.key.at), &names.prefix, location);
    server.separator = names.separator;
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
    if let Some(separator) = separator_of(walk, entries) {
        server.separator = separator;
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
    server.bandwidth_mbit = bandwidth(walk, entries);
    server.dns = dns::read(walk, entries);
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
