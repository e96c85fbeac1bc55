//! The habits of old ict files (`spec/ict.md` §2.3): each is a warning with its place and today's spelling.

use crate::diagnostic::shown;
use crate::document::{Entry, Span, walk::Walk};
use crate::server::Performance;

use super::template::ServerTemplate;
use super::write::{disk_words, ram_words, scalar};

/// The codes of warnings that today's form of the file makes pointless: what they tell, a conversion does.
pub(crate) const HABITS: &[&str] = &["old-format", "old-word", "old-form", "old-default"];

/// A warning about an old habit, at its first place only: a file of thirty roles is not told thirty times.
pub(crate) fn warn_once(
    walk: &mut Walk<'_>,
    at: Span,
    code: &'static str,
    message: impl Into<String>,
    help: impl Into<String>,
) {
    let message = message.into();
    if !walk.problems.items.iter().any(|known| known.message == message) {
        walk.warn(at, code, message, help);
    }
}

/// The file as a whole.
pub(crate) fn file(walk: &mut Walk<'_>, at: Span) {
    walk.warn(
        at,
        "old-format",
        "this is an old ict file; it is read as it stands",
        "today's form starts with `version: 1` and has `servers:` by name; `muster infra convert` writes it",
    );
}

/// `DC: Xelent`.
pub(crate) fn location(walk: &mut Walk<'_>, at: Span, title: &str) {
    warn_once(walk, at, "old-word", "`DC` is an old word", format!("today: `location: {}`", scalar(title)));
}

/// No `DC` at all.
pub(crate) fn no_location(walk: &mut Walk<'_>, at: Span, title: &str) {
    let message = format!("a task without `DC` is in `{title}`, as it always was");
    warn_once(walk, at, "old-default", message, format!("today: `location: {title}`"));
}

/// `pull: hight`.
pub(crate) fn pool(walk: &mut Walk<'_>, at: Span, written: &str, pool: Performance) {
    let message = match written.trim() {
        "hight" | "low" => format!("`pull: {}` is an old word for the pool `{pool}`", written.trim()),
        _ => "`pull` is an old word for the pool".to_owned(),
    };
    warn_once(walk, at, "old-word", message, format!("today: `performance: {pool}`"));
}

/// A list `Servers:` or a map `servers:` inside a task.
pub(crate) fn servers(walk: &mut Walk<'_>, entry: &Entry) {
    let shape = if matches!(entry.node.value, crate::document::Value::List(_)) { "list" } else { "map" };
    let message = format!("`{}` as a {shape} inside a task is an old form", entry.key.text);
    let help = "today: one map `servers:` at the top, e.g. `servers: { Web: { count: 2 } }`";
    warn_once(walk, entry.key.at, "old-form", message, help);
}

/// Names with an underscore.
pub(crate) fn names(walk: &mut Walk<'_>, at: Span, role: &str) {
    warn_once(
        walk,
        at,
        "old-form",
        "servers of an old file have `_` in their names",
        format!("today: `separator: _` at the top keeps `{}_1`", shown(role)),
    );
}

/// A task that is one role.
pub(crate) fn one_role(walk: &mut Walk<'_>, at: Span, role: &str) {
    let help = format!("today: `servers: {{ {}: {{ … }} }}`", shown(role));
    warn_once(walk, at, "old-form", "a task that is one role is an old form", help);
}

/// `value: 2`.
pub(crate) fn count(walk: &mut Walk<'_>, at: Span, count: u32) {
    warn_once(
        walk,
        at,
        "old-word",
        "`value` is an old word for the number of servers",
        format!("today: `count: {count}`"),
    );
}

/// `template: min_01`, or none.
pub(crate) fn template(walk: &mut Walk<'_>, at: Span, name: &str, said: bool, read: &ServerTemplate) {
    let size = &read.size;
    let help = format!(
        "today: `cpu: {}`, `ram: {}`, `disk: {}`, `image: {}`",
        size.cpu,
        ram_words(size.ram_mb),
        disk_words(size.disk_gb, &size.disk_type),
        scalar(&read.image)
    );
    match said {
        true => warn_once(walk, at, "old-word", "`template` is an old word: sizes stand in the file", help),
        false => {
            let message = format!("a role without `template` has `{name}`, as it always had");
            warn_once(walk, at, "old-default", message, help);
        }
    }
}

/// `playbook: Nginx_install`, or none.
pub(crate) fn playbook(walk: &mut Walk<'_>, at: Span, role: &str, name: &str, said: bool, path: &str) {
    let help = format!("today: `deploy: [{{ playbook: {}, hosts: {} }}]`", scalar(path), shown(role));
    match said {
        true => warn_once(walk, at, "old-word", "`playbook` of a role is an old word", help),
        false => {
            let message = format!("a role without `playbook` has `{name}`, as it always had");
            warn_once(walk, at, "old-default", message, help);
        }
    }
}

/// `priv_net:`.
pub(crate) fn networks(walk: &mut Walk<'_>, at: Span) {
    warn_once(
        walk,
        at,
        "old-word",
        "`priv_net` is an old word",
        "today: `networks:` at the top, and `networks: [NAME]` at a server",
    );
}

/// `IsDHCP: True`.
pub(crate) fn dhcp(walk: &mut Walk<'_>, at: Span, dhcp: bool) {
    warn_once(walk, at, "old-word", "`IsDHCP` is an old word", format!("today: `dhcp: {dhcp}`"));
}

/// `servers: [Web]` of a network.
pub(crate) fn links(walk: &mut Walk<'_>, at: Span, network: &str) {
    let help = format!("today: `networks: [{}]` at each of these servers", shown(network));
    warn_once(walk, at, "old-word", "`servers` of a network is an old word", help);
}
