//! Public networks under `networks:`, and the firewall that one is expected to have.

use crate::diagnostic::shown;
use crate::document::walk::{Walk, blame, blame_item, field};
use crate::document::{Entry, Node, Span, Value};
use crate::public_network::{ADDRESSES_MAX, ANY, Firewall, FirewallRule, PUBLIC_BANDWIDTH_MBIT_MAX};

use super::syntax::{
    BANDWIDTH_MBIT_STEP, FIREWALL, FIREWALL_RULE, NETWORK_PRIVATE, NETWORK_PUBLIC, NetworkEntry,
};

const ACTIONS: &[(&str, &str)] = &[("allow", "allow"), ("deny", "deny")];
const ACTIONS_ALSO: &[(&str, &str)] =
    &[("accept", "allow"), ("permit", "allow"), ("drop", "deny"), ("reject", "deny"), ("block", "deny")];
/// The provider's words (`spec/onecloud-api.md` §1.4), as a file spells them and as they are compared.
const PROTOCOLS: &[(&str, &str)] =
    &[("any", "any"), ("tcp", "tcp"), ("udp", "udp"), ("tcp-and-udp", "tcpandudp"), ("icmp", "icmp")];
const PROTOCOLS_ALSO: &[(&str, &str)] =
    &[("all", "any"), ("tcp+udp", "tcp-and-udp"), ("tcpandudp", "tcp-and-udp"), ("ping", "icmp")];

/// What only a public network has.
#[derive(Clone, Debug, Default)]
pub(crate) struct PublicPart {
    pub addresses: u32,
    pub bandwidth_mbit: u32,
    pub firewall: Option<Firewall>,
}

/// Reads what is said of a network that is public; none where it is private.
pub(crate) fn read(
    walk: &mut Walk<'_>,
    entries: &[Entry],
    network: &NetworkEntry,
    what: &str,
) -> Option<PublicPart> {
    let is_public = field(entries, "public").and_then(|entry| walk.boolean(entry, "`public`"));
    let (not_here, kind) = match is_public {
        Some(true) => (NETWORK_PRIVATE, "private"),
        Some(false) | None => (NETWORK_PUBLIC, "public"),
    };
    for entry in entries.iter().filter(|entry| not_here.contains(&entry.key.text.as_str())) {
        let message = format!("only a {kind} network has `{}`", shown(&entry.key.text));
        let help = match is_public {
            Some(true) => "leave it out; the provider decides it",
            Some(false) | None => "write `public: true`, or leave it out",
        };
        walk.error_help(entry.key.at, "not-of-this-network", message, help);
    }
    if is_public != Some(true) {
        return None;
    }
    let mut part = PublicPart::default();
    match field(entries, "addresses") {
        Some(entry) => {
            part.addresses = walk.whole(entry, "`addresses`", 1..=ADDRESSES_MAX).unwrap_or_default();
        }
        None => missing(walk, network.key.1, what, "addresses", "addresses: 8"),
    }
    match field(entries, "bandwidth") {
        Some(entry) => part.bandwidth_mbit = bandwidth(walk, entry).unwrap_or_default(),
        None => missing(walk, network.key.1, what, "bandwidth", "bandwidth: 100"),
    }
    part.firewall = field(entries, "firewall").and_then(|entry| firewall(walk, entry));
    Some(part)
}

fn missing(walk: &mut Walk<'_>, at: Span, what: &str, word: &str, example: &str) {
    let message = format!("{what} is public and does not say its `{word}`");
    walk.error_help(at, "missing-field", message, format!("write e.g. `{example}`"));
}

fn bandwidth(walk: &mut Walk<'_>, entry: &Entry) -> Option<u32> {
    let mbit = walk.whole(entry, "`bandwidth`", BANDWIDTH_MBIT_STEP..=PUBLIC_BANDWIDTH_MBIT_MAX)?;
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

fn firewall(walk: &mut Walk<'_>, entry: &Entry) -> Option<Firewall> {
    let entries = walk.map(&entry.node, blame(entry), "`firewall`")?;
    walk.only(entries, "a firewall", FIREWALL, &[]);
    let mut firewall = Firewall {
        enabled: field(entries, "enabled").and_then(|entry| walk.boolean(entry, "`enabled`")),
        default: field(entries, "default")
            .and_then(|entry| walk.word(entry, "`default`", ACTIONS, ACTIONS_ALSO))
            .map(str::to_owned),
        rules: None,
    };
    if let Some(entry) = field(entries, "rules") {
        match &entry.node.value {
            Value::List(items) => {
                let rules = items.iter().filter_map(|item| rule(walk, item, blame_item(item, entry)));
                firewall.rules = Some(rules.collect());
            }
            _ => walk.wrong_kind(blame(entry), "`rules`", "a list", &entry.node),
        }
    }
    Some(firewall)
}

fn rule(walk: &mut Walk<'_>, node: &Node, at: Span) -> Option<FirewallRule> {
    let entries = walk.map(node, at, "a rule of the firewall")?;
    walk.only(entries, "a rule of the firewall", FIREWALL_RULE, &[]);
    let action =
        field(entries, "action").and_then(|entry| walk.word(entry, "`action`", ACTIONS, ACTIONS_ALSO));
    let protocol = field(entries, "protocol")
        .and_then(|entry| walk.word(entry, "`protocol`", PROTOCOLS, PROTOCOLS_ALSO));
    let mut text = |word: &str| {
        let found =
            field(entries, word).and_then(|entry| walk.text(&entry.node, blame(entry), &format!("`{word}`")));
        found.map_or_else(|| ANY.to_owned(), |text| text.to_ascii_lowercase())
    };
    Some(FirewallRule {
        source: text("source"),
        source_port: text("source_port"),
        destination: text("destination"),
        destination_port: text("destination_port"),
        action: action.unwrap_or("allow").to_owned(),
        protocol: protocol.unwrap_or(ANY).to_owned(),
    })
}
