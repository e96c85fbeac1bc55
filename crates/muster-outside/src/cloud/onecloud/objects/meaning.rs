//! What 1cloud's objects mean in our words (`spec/onecloud-api.md` §1.4, §1.8). One table of members a class.

use muster_model::object::{FieldValue, Fields, ObjectClass, PUBLIC_KEY, SeenObject};

use super::json::Form::{Flag, Number, Text};
use super::json::{Form, Json};

type Members = &'static [(&'static str, &'static str, Form)];

const IMAGE: Members = &[
    ("Name", "technical", Text),
    ("DCLocation", "location", Text),
    ("Hdd", "disk_min_gb", Number),
    ("Family", "family", Text),
    ("Type", "type", Text),
];

/// Of both kinds; a private one has no addresses of its own and no edge.
const NETWORK: Members = &[
    ("DCLocation", "location", Text),
    ("IsDHCP", "dhcp", Flag),
    ("NetworkCapacity", "capacity", Number),
    ("Mask", "mask", Text),
    ("Gateway", "gateway", Text),
    ("Bandwidth", "bandwidth", Number),
    ("CIDR", "cidr", Text),
    ("EdgeExternalIp", "edge_address", Text),
];

const KEY: Members = &[("PublicKey", PUBLIC_KEY, Text), ("IsActive", "active", Flag)];

const ZONE: Members = &[("IsDelegate", "delegated", Flag)];

const STORAGE: Members = &[("QuotaBytes", "quota_bytes", Number)];

const CONNECTIONS: [(&str, &str); 3] =
    [("S3Connection", "s3"), ("SwiftApiConnection", "swift"), ("FtpConnection", "ftp")];

/// What an address may be called within a connection, whose shape no source shows. Nothing else of it is read: it may
/// hold a password.
const ADDRESSES: [&str; 5] = ["Url", "Address", "Endpoint", "Host", "Server"];

const ACTION: Members = &[("StartDate", "started", Text), ("EndDate", "ended", Text)];

const RULE: Members = &[
    ("Number", "number", Number),
    ("Name", "name", Text),
    ("Action", "action", Text),
    ("Protocol", "protocol", Text),
    ("Source", "source", Text),
    ("SourcePort", "source_port", Text),
    ("Destination", "destination", Text),
    ("DestinationPort", "destination_port", Text),
];

/// A tunnel's shared key is not among them.
const TUNNEL: Members = &[
    ("Id", "id", Text),
    ("Name", "name", Text),
    ("State", "state", Text),
    ("Enabled", "enabled", Flag),
    ("Mtu", "mtu", Number),
    ("EncryptionType", "encryption", Text),
    ("PeerNetwork", "peer_network", Text),
    ("PeerEndpoint", "peer_endpoint", Text),
    ("PeerIdentificator", "peer_id", Text),
];

/// An object as seen; none where it has no id.
pub(super) fn object(class: ObjectClass, json: Json<'_>) -> Option<SeenObject> {
    let (members, name): (Members, &str) = match class {
        ObjectClass::Image => (IMAGE, "DisplayName"),
        ObjectClass::Network | ObjectClass::PublicNetwork => (NETWORK, "Name"),
        ObjectClass::Key => (KEY, "Title"),
        ObjectClass::Zone => (ZONE, "Name"),
        ObjectClass::Storage => (STORAGE, "Name"),
        ObjectClass::StorageUser => (&[], "Name"),
        // Records need their domain: see `dns.rs`.
        ObjectClass::Record => return None,
        ObjectClass::Action => (ACTION, "Type"),
    };
    let mut fields = Fields::new();
    json.into_fields(&mut fields, members);
    match class {
        ObjectClass::Network | ObjectClass::PublicNetwork => {
            let servers: Vec<String> =
                json.list("LinkedServers").into_iter().filter_map(|link| link.text("ServerID")).collect();
            if !servers.is_empty() {
                fields.insert("servers".into(), FieldValue::Text(servers.join(", ")));
            }
        }
        ObjectClass::Zone => {
            let records = json.list("LinkedRecords").len();
            fields.insert("records".into(), FieldValue::Number(records as i64));
        }
        ObjectClass::StorageUser => {
            for (member, word) in CONNECTIONS {
                let address = json.text(member).or_else(|| {
                    let connection = json.get(member)?;
                    ADDRESSES.iter().find_map(|name| connection.text(name))
                });
                if let Some(address) = address {
                    fields.insert(word.into(), FieldValue::Text(address));
                }
            }
        }
        ObjectClass::Storage => {
            if let Some(owner) = json.get("Owner").and_then(|owner| owner.text("Name")) {
                fields.insert("owner".into(), FieldValue::Text(owner));
            }
        }
        ObjectClass::Image | ObjectClass::Key | ObjectClass::Record | ObjectClass::Action => {}
    }
    if class == ObjectClass::PublicNetwork {
        edge(json, &mut fields);
    }
    Some(SeenObject {
        class,
        id: json.id("ID")?,
        name: json.text(name).or_else(|| json.text("Name")).unwrap_or_default(),
        state: json.text("State").unwrap_or_default(),
        of: None,
        fields,
    })
}

/// The firewall and the tunnels of a public network.
fn edge(json: Json<'_>, fields: &mut Fields) {
    let rows = |items: Vec<Json<'_>>, members: Members| {
        let rows = items.into_iter().map(|item| {
            let mut row = Fields::new();
            item.into_fields(&mut row, members);
            row
        });
        FieldValue::Rows(rows.collect())
    };
    if let Some(firewall) = json.get("Firewall") {
        firewall.into_fields(
            fields,
            &[("Enabled", "firewall", Flag), ("DefaultRuleAction", "firewall_default", Text)],
        );
        fields.insert("firewall_rules".into(), rows(firewall.list("Rules"), RULE));
    }
    if let Some(vpn) = json.get("Vpn") {
        fields.insert("tunnels".into(), rows(vpn.list("Tunnels"), TUNNEL));
    }
}

/// The storage, where it is activated.
pub(super) fn storage(json: Json<'_>) -> Option<SeenObject> {
    let storage = object(ObjectClass::Storage, json)?;
    let is_off =
        ["NotActivated", "Closed", "Deleted"].iter().any(|off| storage.state.eq_ignore_ascii_case(off));
    (!is_off).then_some(storage)
}

/// The customer.
pub(super) fn account(json: Json<'_>, fields: &mut Fields) {
    json.into_fields(
        fields,
        &[
            ("ID", "customer", Text),
            ("FirstName", "first_name", Text),
            ("LastName", "last_name", Text),
            ("Email", "email", Text),
            ("BalanceTillDateUtc", "balance_lasts_until", Text),
        ],
    );
    let rows: Vec<Fields> = json.list("ProjectBalances").into_iter().map(balances).collect();
    if !rows.is_empty() {
        fields.insert("project_balances".into(), FieldValue::Rows(rows));
    }
}

/// The project.
pub(super) fn project(json: Json<'_>, fields: &mut Fields) {
    json.into_fields(fields, &[("ID", "project", Text), ("Name", "project_name", Text)]);
    if let Some(balances) = json.get("Balances") {
        let mut row = Fields::new();
        parts(balances, &mut row);
        if !row.is_empty() {
            fields.insert("project_balance".into(), FieldValue::Rows(vec![row]));
        }
    }
}

fn balances(json: Json<'_>) -> Fields {
    let mut row = Fields::new();
    json.into_fields(&mut row, &[("ProjectId", "project", Text)]);
    if let Some(balance) = json.get("Balance") {
        parts(balance, &mut row);
    }
    row
}

fn parts(json: Json<'_>, row: &mut Fields) {
    json.into_fields(row, &[("Real", "real", Text), ("Bonus", "bonus", Text), ("Test", "test", Text)]);
}
