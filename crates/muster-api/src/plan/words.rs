//! Actions and reasons in words. With the step table of the runner, the only place that tells actions apart.

use muster_model::code::short;
use muster_model::field::Field;
use muster_model::object::{FieldValue, Fields, ObjectClass};
use muster_model::ownership::{Claim, ObjectKind};
use muster_model::plan::{
    Action, DnsAction, HostAction, KeyAction, NetworkAction, ObjectAction, PlaybookRef, ProvisionAction,
    ProvisionHost, PublicNetworkAction, Reason, RecordAction, ServerAction, WhichLink,
};
use muster_model::public_network::PublicNetworkSpec;
use muster_model::server::{Power, Size};

use super::Sign;

/// An action in words.
pub struct ActionWords {
    /// What is done: `create server`.
    pub action: String,
    /// More about it.
    pub detail: String,
    /// The stable word: `server.create`.
    pub kind: &'static str,
    /// How it reads in a list.
    pub sign: Sign,
}

fn said(action: &str, detail: String, kind: &'static str, sign: Sign) -> ActionWords {
    ActionWords { action: action.to_owned(), detail, kind, sign }
}

/// An action in words; the reason tells a replacement from a plain create.
pub fn action(action: &Action, reason: &Reason) -> ActionWords {
    match action {
        Action::Server(action) => server(action, reason),
        Action::Network(action) => network(action),
        Action::Key(KeyAction::Ensure { title, .. }) => {
            said("keep public key", title.clone(), "key.ensure", Sign::Create)
        }
        Action::Object(action) => self::action_on_object(action),
        Action::Dns(action) => dns(action),
        Action::Record(action) => record(action),
        Action::Host(HostAction::Reach { keys, .. }) => {
            let detail =
                if keys.is_empty() { String::new() } else { format!("and install {} keys", keys.len()) };
            said("wait for SSH", detail, "host.reach", Sign::Provision)
        }
        Action::Host(HostAction::Password { .. }) => {
            said("change password", "a new one, sealed here".into(), "host.password", Sign::Provision)
        }
        Action::Host(HostAction::Exec { argv, .. }) => {
            said("run command", argv.join(" "), "host.exec", Sign::Provision)
        }
        Action::Host(HostAction::Configure(configure)) => {
            let mode = if configure.dhcp { "DHCP" } else { "static" };
            let detail = format!("{} ({mode})", configure.network_name);
            said("configure network", detail, "host.network", Sign::Provision)
        }
        Action::Host(HostAction::Release(release)) => said(
            "remove the configuration of network",
            release.network_name.to_string(),
            "host.network-release",
            Sign::Provision,
        ),
        Action::Provision(action) => provision(action),
    }
}

/// Whether an action works inside servers.
pub fn inside(action: &Action) -> bool {
    match action {
        Action::Server(_)
        | Action::Network(_)
        | Action::Key(_)
        | Action::Object(_)
        | Action::Dns(_)
        | Action::Record(_) => false,
        Action::Host(_) => true,
        Action::Provision(ProvisionAction::Inventory { .. } | ProvisionAction::Build(_)) => false,
        Action::Provision(
            ProvisionAction::Playbook { .. }
            | ProvisionAction::Code(_)
            | ProvisionAction::Release(_)
            | ProvisionAction::CheckNetwork { .. },
        ) => true,
    }
}

fn server(action: &ServerAction, reason: &Reason) -> ActionWords {
    match action {
        ServerAction::Create(create) => {
            let detail =
                format!("{}, {}, {}", size(&create.spec.size), create.image_words, create.spec.location);
            match reason {
                Reason::MustReplace { .. } => said("replace server", detail, "server.create", Sign::Replace),
                _ => said("create server", detail, "server.create", Sign::Create),
            }
        }
        ServerAction::Resize(resize) => {
            said("resize server", format!("to {}", size(&resize.to)), "server.resize", Sign::Change)
        }
        ServerAction::Power(power) => match power.to {
            Power::Running => said("start server", String::new(), "server.power", Sign::Change),
            Power::Stopped => said("stop server", String::new(), "server.power", Sign::Change),
        },
        ServerAction::Link(link) => {
            said("link to network", link.network_name.to_string(), "server.link", Sign::Change)
        }
        ServerAction::Unlink(unlink) => {
            said("unlink from network", unlink.network_name.to_string(), "server.unlink", Sign::Change)
        }
        ServerAction::Bandwidth(speed) => {
            let link = match &speed.link {
                WhichLink::Public => "public link",
                WhichLink::Network { name, .. } => name.as_str(),
            };
            said(
                "set bandwidth",
                format!("{link}, {} Mbit/s", speed.to_mbit),
                "server.bandwidth",
                Sign::Change,
            )
        }
        ServerAction::Delete(delete) if delete.replaced => said(
            "delete server",
            format!("id {}, to be made anew", delete.server),
            "server.delete",
            Sign::Replace,
        ),
        ServerAction::Delete(delete) => {
            said("delete server", format!("id {}", delete.server), "server.delete", Sign::Delete)
        }
    }
}

fn network(action: &NetworkAction) -> ActionWords {
    match action {
        NetworkAction::Create { spec, .. } => {
            let dhcp = if spec.dhcp { ", with DHCP" } else { "" };
            said("create network", format!("in {}{dhcp}", spec.location), "network.create", Sign::Create)
        }
        NetworkAction::Public(action) => public_network(action),
        NetworkAction::Delete { network, .. } => {
            said("delete network", format!("id {network}"), "network.delete", Sign::Delete)
        }
    }
}

fn public_network(action: &PublicNetworkAction) -> ActionWords {
    match action {
        PublicNetworkAction::Create { spec, .. } => {
            let PublicNetworkSpec { location, addresses, bandwidth_mbit, .. } = spec;
            let detail = format!("in {location}, {addresses} addresses, {bandwidth_mbit} Mbit/s");
            said("create public network", detail, "public-network.create", Sign::Create)
        }
        PublicNetworkAction::Change { to_mbit, .. } => {
            let detail = format!("{to_mbit} Mbit/s");
            said("change public network", detail, "public-network.change", Sign::Change)
        }
        PublicNetworkAction::Delete { network, .. } => {
            said("delete public network", format!("id {network}"), "public-network.delete", Sign::Delete)
        }
    }
}

/// Fields in words: `ttl 300, type A`.
fn fields(fields: &Fields) -> String {
    let words: Vec<String> = fields
        .iter()
        .filter(|(_, value)| !matches!(value, FieldValue::Rows(_)))
        .map(|(word, value)| format!("{word} {value}"))
        .collect();
    words.join(", ")
}

fn action_on_object(action: &ObjectAction) -> ActionWords {
    match action {
        ObjectAction::Create { draft, .. } => said(
            &format!("create {}", draft.class.word()),
            fields(&draft.fields),
            "object.create",
            Sign::Create,
        ),
        ObjectAction::Change { class, rename, expected, to, .. } => {
            let mut changes: Vec<String> = rename.iter().map(|name| format!("renamed to {name}")).collect();
            let changed = to.iter().filter(|(word, value)| expected.get(*word) != Some(*value));
            changes.extend(changed.map(|(word, value)| match expected.get(word) {
                Some(old) => format!("{word} {old} → {value}"),
                None => format!("{word} {value}"),
            }));
            said(&format!("change {}", class.word()), changes.join(", "), "object.change", Sign::Change)
        }
        ObjectAction::Delete { was, id } => {
            let detail = match was.class {
                ObjectClass::Record => format!("id {id}, {}", fields(&was.fields)),
                _ => format!("id {id}"),
            };
            said(&format!("delete {}", was.class.word()), detail, "object.delete", Sign::Delete)
        }
        ObjectAction::Do { class, verb, .. } => {
            said(&format!("{} {}", verb.word(), class.word()), String::new(), "object.do", Sign::Change)
        }
        ObjectAction::Rebuild { image_name, server, .. } => {
            let detail = format!("id {server}, from {image_name}; its disk is written anew");
            said("rebuild server", detail, "server.rebuild", Sign::Replace)
        }
        ObjectAction::Copy { name, server, .. } => {
            said("copy server", format!("from {name} (id {server})"), "server.copy", Sign::Create)
        }
    }
}

fn dns(action: &DnsAction) -> ActionWords {
    match action {
        DnsAction::Point(point) => {
            let ttl = point.ttl.map_or_else(String::new, |ttl| format!(", for {ttl} s"));
            let sign = if point.ours.is_empty() { Sign::Create } else { Sign::Change };
            said("point name", format!("{}{ttl}", point.record), "dns.point", sign)
        }
        DnsAction::Delete(delete) => {
            let record = &delete.record;
            let detail = format!("{} {} {} (id {})", record.name, record.kind, delete.value, delete.id);
            said("delete record", detail, "dns.delete", Sign::Delete)
        }
    }
}

fn record(action: &RecordAction) -> ActionWords {
    match action {
        RecordAction::Own { kind, id, claim, settles, dns, .. } => {
            let verb = match (claim, settles) {
                (Claim::Created, _) | (_, Some(_)) => "recognise",
                (Claim::Adopted, None) => "adopt",
                (Claim::Claimed, None) => "claim",
            };
            let note = match claim {
                Claim::Claimed => ", claimed, not made by us",
                Claim::Created | Claim::Adopted => "",
            };
            let of = dns.as_ref().map_or_else(String::new, |dns| format!("{} {}, ", dns.name, dns.kind));
            let detail = format!("{of}id {id}{note}");
            said(&format!("{verb} {}", object(*kind)), detail, "record.own", Sign::Record)
        }
        RecordAction::Amend { kind, name, protect, .. } => {
            let protect = if *protect { ", protected" } else { "" };
            said(
                &format!("amend record of {}", object(*kind)),
                format!("named {name}{protect}"),
                "record.amend",
                Sign::Record,
            )
        }
        RecordAction::Forget { kind, id, .. } => said(
            &format!("give up {}", object(*kind)),
            format!("id {id}, untouched"),
            "record.forget",
            Sign::Record,
        ),
    }
}

fn provision(action: &ProvisionAction) -> ActionWords {
    match action {
        ProvisionAction::Inventory { hosts } => {
            said("write inventory", of_hosts(hosts), "provision.inventory", Sign::Record)
        }
        ProvisionAction::Playbook { playbook, hosts, .. } => {
            let which = match playbook {
                PlaybookRef::NodeExporter => "node_exporter",
                PlaybookRef::File(path) => path,
            };
            said(
                "run playbook",
                format!("{which} on {}", of_hosts(hosts)),
                "provision.playbook",
                Sign::Provision,
            )
        }
        ProvisionAction::CheckNetwork { network_name, pairs, .. } => {
            let from: Vec<&str> = pairs.iter().map(|pair| pair.from.name.as_str()).collect();
            let detail = format!("{network_name}, from {}", named(&from));
            said("check network", detail, "provision.check-network", Sign::Provision)
        }
        ProvisionAction::Build(build) => {
            let of = build.revision.as_ref().map_or_else(String::new, |id| format!(" ({})", short(id)));
            let command = build.build.command.join(" ");
            said(
                "build code",
                format!("{}{of} here, by `{command}`, before anything else", build.source),
                "provision.build",
                Sign::Record,
            )
        }
        ProvisionAction::Code(code) => {
            let of = code.revision.as_ref().map_or_else(String::new, |id| format!(" ({})", short(id)));
            said(
                "deliver code",
                format!("{}{of} to {} on {}", code.source(), code.to, of_hosts(&code.hosts)),
                "provision.code",
                Sign::Provision,
            )
        }
        ProvisionAction::Release(back) => {
            let number = back.number.map_or_else(String::new, |number| format!("{number} "));
            let release = format!("{number}{}", short(&back.release));
            said(
                "go back to release",
                format!("{release} in {} on {}", back.to, of_hosts(&back.hosts)),
                "provision.release",
                Sign::Provision,
            )
        }
    }
}

fn object(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Server => "server",
        ObjectKind::Network => "network",
        ObjectKind::Object => "object",
        ObjectKind::PublicNetwork => "public network",
        ObjectKind::Record => "DNS record",
    }
}

/// Hosts named one by one before they are only counted.
const HOSTS_NAMED_MAX: usize = 5;

fn of_hosts(hosts: &[ProvisionHost]) -> String {
    named(&hosts.iter().map(|host| host.name.as_str()).collect::<Vec<_>>())
}

fn named(hosts: &[&str]) -> String {
    if hosts.len() > HOSTS_NAMED_MAX { format!("{} servers", hosts.len()) } else { hosts.join(", ") }
}

/// A size in words: `2 cpu, 4 GiB, 40 GiB SSD, base`.
pub fn size(size: &Size) -> String {
    let ram = match size.ram_mb.is_multiple_of(1024) {
        true => format!("{} GiB", size.ram_mb / 1024),
        false => format!("{} MiB", size.ram_mb),
    };
    format!("{} cpu, {ram}, {} GiB {}, {}", size.cpu, size.disk_gb, size.disk_type, size.performance)
}

/// A reason in words.
pub fn reason(reason: &Reason) -> String {
    match reason {
        Reason::Missing => "the file has it and the provider does not".into(),
        Reason::Vanished => "it was ours and is gone at the provider".into(),
        Reason::Differs => "it differs from the file".into(),
        Reason::NotInFile => "it is ours and not in the file any more".into(),
        Reason::MustReplace { fields } => format!("{} cannot be changed in place", field_words(fields)),
        Reason::Destroyed => "the file is being taken down".into(),
        Reason::Fits => "it fits the file and nobody had a record of it".into(),
        Reason::Asked => "you asked for it".into(),
        Reason::SettlesIntent => "an earlier create whose answer was lost made it".into(),
        Reason::NeededBy => "another step needs it".into(),
        Reason::NotProvisioned => "it was not done there in this version yet".into(),
        Reason::FailedBefore => "the last attempt failed".into(),
        Reason::Deploy => "the file's `deploy:` says so".into(),
        Reason::RecordDiffers => "our record says otherwise than the file".into(),
    }
}

/// A reason's stable word.
pub fn reason_code(reason: &Reason) -> &'static str {
    match reason {
        Reason::Missing => "missing",
        Reason::Vanished => "vanished",
        Reason::Differs => "differs",
        Reason::NotInFile => "not-in-file",
        Reason::MustReplace { .. } => "must-replace",
        Reason::Destroyed => "destroyed",
        Reason::Fits => "fits",
        Reason::Asked => "asked",
        Reason::SettlesIntent => "settles-intent",
        Reason::NeededBy => "needed-by",
        Reason::NotProvisioned => "not-provisioned",
        Reason::FailedBefore => "failed-before",
        Reason::Deploy => "deploy",
        Reason::RecordDiffers => "record-differs",
    }
}

fn field_words(fields: &[Field]) -> String {
    fields.iter().map(|field| field.word()).collect::<Vec<_>>().join(" and ")
}
