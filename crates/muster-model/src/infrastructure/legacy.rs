//! Old ict files, in every shape that was in use (`spec/ict.md` §2.3), read into the same entries.
//!
//! Recognised by shape: named tasks whose values hold `VDC_options`, `Servers`, `servers`, `priv_net`, or one
//! role by itself. Each habit of the old form is a warning with today's spelling.

use crate::diagnostic::{Diagnostic, shown};
use crate::document::walk::{Walk, blame, field};
use crate::document::{Entry, Node, Span, Value, path};
use crate::infrastructure::COUNT_MAX;
use crate::infrastructure::check::Surroundings;
use crate::server::Performance;

use super::deploy::bind_playbook;
use super::legacy_habit as habit;
use super::legacy_network::private_networks;
use super::read::PERFORMANCE;
use super::syntax::{ACCOUNT_DEFAULT, ServerEntry, TOP, Written};
use super::template::{ServerTemplate, template};

/// The public title of the place where an old file does not say.
const DC_DEFAULT: &str = "Xelent";
/// The server template where an old file does not say.
pub(crate) const TEMPLATE_DEFAULT: &str = "min_02";
/// The playbook where an old file does not say.
const PLAYBOOK_DEFAULT: &str = "Nginx_install";

const TASK: &[&str] =
    &["VDC_options", "Servers", "servers", "priv_net", "name", "template", "playbook", "value"];
const VDC: &[&str] = &["DC", "pull"];
const ROLE: &[&str] = &["template", "playbook", "value"];

/// Whether a file is an old ict one: no word of the present format at the top, and a task somewhere.
pub(crate) fn is_ict(root: &Node) -> bool {
    let Some(entries) = root.entries() else { return false };
    const ALONE: &[&str] = &["VDC_options", "Servers", "servers", "priv_net", "template"];
    // A word of its own is enough; the others only say so together.
    let is_task = |entry: &Entry| {
        let words: Vec<&str> =
            entry.node.entries().unwrap_or_default().iter().map(|inner| inner.key.text.as_str()).collect();
        words.iter().any(|word| ALONE.contains(word))
            || (!words.is_empty() && words.iter().all(|word| TASK.contains(word)))
    };
    !entries.iter().any(|entry| TOP.contains(&entry.key.text.as_str())) && entries.iter().any(is_task)
}

/// Reads a whole old file.
pub(crate) fn read(walk: &mut Walk<'_>, root: &Node, around: &mut Surroundings<'_>) -> Written {
    let mut written = Written {
        account: ACCOUNT_DEFAULT.to_owned(),
        networks: Vec::new(),
        servers: Vec::new(),
        deploy: Vec::new(),
        stats: true,
    };
    let tasks = root.entries().unwrap_or_default();
    if let Some(first) = tasks.first() {
        habit::file(walk, first.key.at);
    }
    for task in tasks {
        let Some(entries) = walk.map(&task.node, blame(task), "a task") else { continue };
        walk.only(entries, "a task", TASK, &[]);
        read_task(walk, task, entries, around, &mut written);
    }
    written
}

fn read_task(
    walk: &mut Walk<'_>,
    task: &Entry,
    entries: &[Entry],
    around: &mut Surroundings<'_>,
    written: &mut Written,
) {
    let (location, performance) = vdc_options(walk, task, field(entries, "VDC_options"));
    let first_role = written.servers.len();
    for entry in [field(entries, "Servers"), field(entries, "servers")].into_iter().flatten() {
        habit::servers(walk, entry);
        for role in roles(walk, entry) {
            let body = match &role.node.value {
                Value::Null => &[],
                _ => {
                    match walk.map(&role.node, blame(role), &format!("the role `{}`", shown(&role.key.text)))
                    {
                        Some(body) => body,
                        None => continue,
                    }
                }
            };
            walk.only(body, "a role", ROLE, &[]);
            let key = (role.key.text.clone(), role.key.at);
            add_role(walk, key, body, &location, performance, around, written);
        }
    }
    // Alphas 01 and 02: the task itself is one role.
    if let Some(name) = field(entries, "name")
        && let Some(text) = walk.text(&name.node, blame(name), "`name`")
    {
        habit::one_role(walk, name.key.at, &text);
        let key = (text, blame(name));
        add_role(walk, key, entries, &location, performance, around, written);
    } else if field(entries, "name").is_none()
        && field(entries, "Servers").is_none()
        && field(entries, "servers").is_none()
    {
        if ["template", "playbook", "value"].iter().any(|word| field(entries, word).is_some()) {
            habit::one_role(walk, task.key.at, &task.key.text);
            let key = (task.key.text.clone(), task.key.at);
            add_role(walk, key, entries, &location, performance, around, written);
        } else if field(entries, "priv_net").is_none() {
            walk.error_help(
                task.key.at,
                "missing-field",
                format!("the task `{}` has no servers", shown(&task.key.text)),
                "a task has `Servers:`",
            );
        }
    }
    if let Some(entry) = field(entries, "priv_net") {
        private_networks(walk, entry, &location, first_role, written);
    }
}

/// Roles of a `Servers` list (one-key maps) or of a `servers` map.
fn roles<'n>(walk: &mut Walk<'_>, entry: &'n Entry) -> Vec<&'n Entry> {
    match &entry.node.value {
        Value::Map(entries) => entries.iter().collect(),
        Value::List(items) => items
            .iter()
            .filter_map(|item| match &item.value {
                Value::Map(entries) => Some(entries.iter()),
                _ => {
                    let at = if item.at.start == item.at.end { entry.key.at } else { item.at };
                    walk.error_help(
                        at,
                        "wrong-kind",
                        "an item of the servers list is a role name with its settings",
                        "e.g. `- Web: {template: min_01, value: 2}`",
                    );
                    None
                }
            })
            .flatten()
            .collect(),
        _ => {
            walk.wrong_kind(blame(entry), &format!("`{}`", entry.key.text), "a list of roles", &entry.node);
            Vec::new()
        }
    }
}

fn vdc_options(walk: &mut Walk<'_>, task: &Entry, entry: Option<&Entry>) -> (String, Performance) {
    let (mut location, mut performance) = (DC_DEFAULT.to_owned(), Performance::Base);
    let Some(entry) = entry else {
        habit::no_location(walk, task.key.at, DC_DEFAULT);
        return (location, performance);
    };
    let Some(entries) = walk.map(&entry.node, blame(entry), "`VDC_options`") else {
        return (location, performance);
    };
    walk.only(entries, "`VDC_options`", VDC, &[]);
    match field(entries, "DC") {
        Some(dc) => {
            if let Some(title) = walk.text(&dc.node, blame(dc), "`DC`") {
                habit::location(walk, dc.key.at, &title);
                location = title;
            }
        }
        None => habit::no_location(walk, entry.key.at, DC_DEFAULT),
    }
    if let Some(pull) = field(entries, "pull") {
        let words: Vec<(&'static str, Performance)> =
            [PERFORMANCE, &[("hight", Performance::High), ("low", Performance::Base)]].concat();
        if let Some(found) = walk.word(pull, "`pull`", &words, &[]) {
            habit::pool(walk, blame(pull), pull.node.spelling().unwrap_or_default(), found);
            performance = found;
        }
    }
    (location, performance)
}

fn add_role(
    walk: &mut Walk<'_>,
    key: (String, Span),
    body: &[Entry],
    location: &str,
    performance: Performance,
    around: &mut Surroundings<'_>,
    written: &mut Written,
) {
    if let Some(first) = written.servers.iter().find(|server| server.key.0 == key.0) {
        let diagnostic = Diagnostic::error(
            "duplicate-name",
            format!(
                "the role `{}` stands in the file twice, so both would make `{}_1`",
                shown(&key.0),
                shown(&key.0)
            ),
        )
        .at(walk.place(key.1))
        .related(walk.place(first.key.1), "the first one")
        .help("give one of them another name, or add up their `value`s");
        walk.problems.push(diagnostic);
        return;
    }
    let mut server = ServerEntry::new(key.clone(), "", location);
    server.separator = '_';
    habit::names(walk, key.1, &key.0);
    if let Some(value) = field(body, "value")
        && let Some(count) = walk.whole(value, "`value`", 0..=COUNT_MAX)
    {
        habit::count(walk, value.key.at, count);
        server.count = count;
    }
    let template_entry = field(body, "template");
    let (name, at) = match template_entry {
        Some(entry) => match walk.text(&entry.node, blame(entry), "`template`") {
            Some(name) => (name, blame(entry)),
            None => return,
        },
        None => (TEMPLATE_DEFAULT.to_owned(), key.1),
    };
    if let Some(read) = template(walk, around, &name, at) {
        let habit_at = template_entry.map_or(key.1, |entry| entry.key.at);
        habit::template(walk, habit_at, &name, template_entry.is_some(), &read);
        let ServerTemplate { size, image } = read;
        server.size = size;
        server.image = image;
    }
    server.size.performance = performance;
    bind(walk, &mut server, body, around, written);
    written.servers.push(server);
}

fn bind(
    walk: &mut Walk<'_>,
    server: &mut ServerEntry,
    body: &[Entry],
    around: &mut Surroundings<'_>,
    written: &mut Written,
) {
    let (name, at, said) = match field(body, "playbook") {
        Some(entry) => match walk.text(&entry.node, blame(entry), "`playbook`") {
            Some(name) => (name, blame(entry), true),
            None => return,
        },
        None => (PLAYBOOK_DEFAULT.to_owned(), server.key.1, false),
    };
    let found = find_template(around, "playbooks", &name);
    let path = match found {
        Some(path) => path,
        None if said => match path::normal(&name) {
            Ok(name) => path::join(&bases(around.entry)[0], &format!("playbooks/{name}.yml")),
            Err(problem) => return walk.error(at, "bad-path", format!("`{}`: {problem}", shown(&name))),
        },
        None => {
            let message = format!(
                "the role `{}` names no playbook, and the old default `{PLAYBOOK_DEFAULT}` is not there",
                shown(&server.key.0)
            );
            return walk.warn(at, "no-playbook", message, "nothing is run on these servers by `deploy`");
        }
    };
    let habit_at = field(body, "playbook").map_or(server.key.1, |entry| entry.key.at);
    habit::playbook(walk, habit_at, &server.key.0, &name, said, &path);
    around.want_file(walk, &path, at, "playbook");
    bind_playbook(&mut written.deploy, &path, &server.key);
    server.playbooks.push(path);
}

/// Where the old folders `servers/` and `playbooks/` may stand: beside `infrastructure/`, or below `templates/`.
pub(crate) fn bases(entry: &str) -> Vec<String> {
    let mut bases = Vec::new();
    let mut directory = path::parent(entry);
    while !directory.is_empty() {
        if path::file_name(directory) == "infrastructure" {
            bases.push(path::parent(directory).to_owned());
            break;
        }
        directory = path::parent(directory);
    }
    for base in ["templates", ""] {
        if !bases.iter().any(|known| known == base) {
            bases.push(base.to_owned());
        }
    }
    bases
}

/// An old template's file by its name, below `servers/` or `playbooks/`.
pub(crate) fn find_template(around: &Surroundings<'_>, folder: &str, name: &str) -> Option<String> {
    let name = path::normal(name).ok()?;
    for base in bases(around.entry) {
        let folder = path::join(&base, folder);
        for ending in ["", ".yml", ".yaml", ".json"] {
            let path = format!("{folder}/{name}{ending}");
            if around.files.contains(&path) {
                return Some(path);
            }
        }
        let deeper =
            around.files.below(&folder).find(|path| path::is_document(path) && path::stem(path) == name);
        if let Some(path) = deeper {
            return Some(path.to_owned());
        }
    }
    None
}
