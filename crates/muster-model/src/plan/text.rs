//! A plan as plain text: one line per step, its changes below it, then what waits, what is worth saying, why it
//! is refused, and one summary line.
//!
//! No colour and no width: a terminal's view adds those. Tests keep this text as their snapshots.

use std::fmt::Write;

use crate::code::short;
use crate::id::ServerName;
use crate::ownership::ObjectKind;
use crate::plan::{
    Action, ConfigureInterface, DeleteRecord, DnsAction, HostAction, KeyAction, NetworkAction, ObjectAction,
    PlanDraft, PlaybookRef, ProvisionAction, ProvisionHost, PublicNetworkAction, Reason, RecordAction,
    ReleaseInterface, Risk, ServerAction, Step, WhichLink,
};

/// Hosts that one provisioning line names before it only counts.
const HOSTS_SHOWN_MAX: usize = 8;

/// What a step does, as one sign: `+` make, `~` change, `-` delete, `-/+` replace, `>` provision, `#` remember.
pub fn symbol(step: &Step) -> &'static str {
    match &step.action {
        Action::Server(ServerAction::Create(_)) => match step.reason {
            Reason::MustReplace { .. } => "-/+",
            _ => "+",
        },
        Action::Server(ServerAction::Delete(_)) | Action::Network(NetworkAction::Delete { .. }) => "-",
        Action::Server(
            ServerAction::Resize(_)
            | ServerAction::Power(_)
            | ServerAction::Link(_)
            | ServerAction::Unlink(_)
            | ServerAction::Bandwidth(_),
        ) => "~",
        Action::Network(NetworkAction::Create { .. }) | Action::Key(KeyAction::Ensure { .. }) => "+",
        Action::Network(NetworkAction::Public(action)) => match action {
            PublicNetworkAction::Create { .. } => "+",
            PublicNetworkAction::Change { .. } => "~",
            PublicNetworkAction::Delete { .. } => "-",
        },
        Action::Object(ObjectAction::Create { .. } | ObjectAction::Copy { .. }) => "+",
        Action::Object(ObjectAction::Change { .. } | ObjectAction::Do { .. }) => "~",
        Action::Object(ObjectAction::Delete { .. }) => "-",
        Action::Object(ObjectAction::Rebuild { .. }) => "-/+",
        Action::Dns(DnsAction::Point(point)) if point.ours.is_empty() => "+",
        Action::Dns(DnsAction::Point(_)) => "~",
        Action::Dns(DnsAction::Delete(_)) => "-",
        Action::Record(_) => "#",
        Action::Host(_) | Action::Provision(_) => ">",
    }
}

/// What a step does, in words.
pub fn describe(action: &Action) -> String {
    match action {
        Action::Server(ServerAction::Create(create)) => format!("create server {}", create.name),
        Action::Server(ServerAction::Resize(resize)) => format!("resize server {}", resize.name),
        Action::Server(ServerAction::Power(power)) => {
            let verb = match power.to {
                crate::server::Power::Running => "start",
                crate::server::Power::Stopped => "stop",
            };
            format!("{verb} server {}", power.name)
        }
        Action::Server(ServerAction::Link(link)) => {
            format!("link server {} to network {}", link.name, link.network_name)
        }
        Action::Server(ServerAction::Unlink(unlink)) => {
            format!("unlink server {} from network {}", unlink.name, unlink.network_name)
        }
        Action::Server(ServerAction::Bandwidth(speed)) => match &speed.link {
            WhichLink::Public => format!("set the public speed of server {}", speed.name),
            WhichLink::Network { name, .. } => {
                format!("set the speed of server {} in network {name}", speed.name)
            }
        },
        Action::Server(ServerAction::Delete(delete)) if delete.replaced => {
            format!("delete server {} ({}), to make it anew", delete.name, delete.server)
        }
        Action::Server(ServerAction::Delete(delete)) => {
            format!("delete server {} ({})", delete.name, delete.server)
        }
        Action::Network(NetworkAction::Create { name, .. }) => format!("create network {name}"),
        Action::Network(NetworkAction::Public(action)) => match action {
            PublicNetworkAction::Create { name, .. } => format!("create public network {name}"),
            PublicNetworkAction::Change { name, .. } => format!("change public network {name}"),
            PublicNetworkAction::Delete { name, network } => {
                format!("delete public network {name} ({network})")
            }
        },
        Action::Network(NetworkAction::Delete { name, network }) => {
            format!("delete network {name} ({network})")
        }
        Action::Key(KeyAction::Ensure { title, .. }) => format!("keep key {title} at the provider"),
        Action::Object(action) => object(action),
        Action::Dns(DnsAction::Point(point)) => {
            format!("point {} at server {}", point.record, point.name)
        }
        Action::Dns(DnsAction::Delete(delete)) => {
            let DeleteRecord { record, id, value, .. } = delete;
            format!("delete record {} {} {value} ({id})", record.name, record.kind)
        }
        Action::Record(RecordAction::Own { kind, name, id, claim, .. }) => {
            format!("record {} {name} ({id}) as {}", of(*kind), claim.word())
        }
        Action::Record(RecordAction::Amend { kind, name, id, .. }) => {
            format!("amend the record of {} {name} ({id})", of(*kind))
        }
        Action::Record(RecordAction::Forget { kind, name, id }) => {
            format!("forget {} {name} ({id})", of(*kind))
        }
        Action::Host(HostAction::Reach { name, keys, .. }) if keys.is_empty() => {
            format!("reach server {name} over SSH")
        }
        Action::Host(HostAction::Reach { name, keys, .. }) => {
            format!("reach server {name} over SSH, with {} further keys", keys.len())
        }
        Action::Host(HostAction::Password { name, .. }) => format!("change the password of {name}"),
        Action::Host(HostAction::Exec { name, argv, .. }) => {
            format!("run {} on {name}", argv.first().map_or("nothing", String::as_str))
        }
        Action::Host(HostAction::Configure(configure)) => {
            let ConfigureInterface { name, network_name, dhcp, .. } = configure;
            format!("configure network {network_name} on {name} ({})", if *dhcp { "DHCP" } else { "static" })
        }
        Action::Host(HostAction::Release(ReleaseInterface { name, network_name, .. })) => {
            format!("remove the configuration of network {network_name} on {name}")
        }
        Action::Provision(ProvisionAction::Inventory { hosts }) => {
            format!("write the inventory of {}", host_names(hosts))
        }
        Action::Provision(ProvisionAction::Playbook { playbook, hosts, .. }) => {
            let what = match playbook {
                PlaybookRef::NodeExporter => "install node_exporter",
                PlaybookRef::File(path) => &format!("run playbook {path}"),
            };
            format!("{what} on {}", host_names(hosts))
        }
        Action::Provision(ProvisionAction::Build(build)) => {
            let of = build.revision.as_ref().map_or_else(String::new, |id| format!(" ({})", short(id)));
            format!("build {}{of} on the controller: {}", build.source, build.build.command.join(" "))
        }
        Action::Provision(ProvisionAction::Code(code)) => {
            let of = code.revision.as_ref().map_or_else(String::new, |id| format!(" ({})", short(id)));
            format!("deliver {}{of} to {} on {}", code.source(), code.to, host_names(&code.hosts))
        }
        Action::Provision(ProvisionAction::Release(back)) => {
            format!(
                "go back to release {} in {} on {}",
                short(&back.release),
                back.to,
                host_names(&back.hosts)
            )
        }
        Action::Provision(ProvisionAction::CheckNetwork { network_name, pairs, .. }) => {
            format!("check network {network_name} from {}", shown(pairs.iter().map(|pair| &pair.from.name)))
        }
    }
}

/// A kind of object where our own records are spoken of as well.
fn of(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Record => "DNS record",
        ObjectKind::Server | ObjectKind::Network | ObjectKind::Object | ObjectKind::PublicNetwork => {
            kind.word()
        }
    }
}

fn object(action: &ObjectAction) -> String {
    match action {
        ObjectAction::Create { draft, .. } => format!("create {} {}", draft.class.word(), draft.name),
        ObjectAction::Change { class, name, .. } => format!("change {} {name}", class.word()),
        ObjectAction::Delete { was, id } => format!("delete {} {} ({id})", was.class.word(), was.name),
        ObjectAction::Do { class, name, verb, .. } => format!("{} {} {name}", verb.word(), class.word()),
        ObjectAction::Rebuild { name, image_name, .. } => format!("rebuild server {name} from {image_name}"),
        ObjectAction::Copy { name, copy, .. } => format!("copy server {name} to {copy}"),
    }
}

fn host_names(hosts: &[ProvisionHost]) -> String {
    shown(hosts.iter().map(|host| &host.name))
}

fn shown<'a>(all: impl ExactSizeIterator<Item = &'a ServerName>) -> String {
    let count = all.len();
    let names: Vec<&str> = all.take(HOSTS_SHOWN_MAX).map(ServerName::as_str).collect();
    match count.saturating_sub(HOSTS_SHOWN_MAX) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

impl Reason {
    /// The reason in words, as the end of a line.
    pub fn words(&self) -> String {
        match self {
            Reason::Missing => "the file has it, the provider does not".into(),
            Reason::Vanished => "it was ours and is gone at the provider".into(),
            Reason::Differs => "it differs from the file".into(),
            Reason::NotInFile => "it is ours and not in the file any more".into(),
            Reason::MustReplace { fields } => {
                let words: Vec<&str> = fields.iter().map(|field| field.word()).collect();
                format!("{} cannot change in place", words.join(", "))
            }
            Reason::Destroyed => "the file is being taken down".into(),
            Reason::Fits => "it fits the file exactly".into(),
            Reason::Asked => "asked for".into(),
            Reason::SettlesIntent => "an earlier create whose answer was lost made it".into(),
            Reason::NeededBy => "another step needs it".into(),
            Reason::NotProvisioned => "not there yet in this version".into(),
            Reason::FailedBefore => "the last attempt failed".into(),
            Reason::Deploy => "the file's deploy says so".into(),
            Reason::RecordDiffers => "our record says otherwise than the file".into(),
        }
    }
}

/// The whole plan as text, ending in the summary line.
pub fn render(draft: &PlanDraft) -> String {
    let mut out = format!("{}\n", draft.subject);
    for step in &draft.steps {
        render_step(&mut out, step);
    }
    for (heading, lines) in [
        (
            "Waiting",
            draft.waiting.iter().map(|waiting| (&waiting.target, &waiting.message)).collect::<Vec<_>>(),
        ),
        ("Notes", draft.notes.iter().map(|note| (&note.target, &note.message)).collect()),
    ] {
        if !lines.is_empty() {
            let _ = writeln!(out, "{heading}:");
        }
        for (target, message) in lines {
            let _ = writeln!(out, "  {target}: {message}");
        }
    }
    if !draft.refusals.is_empty() {
        out.push_str("Refused:\n");
    }
    for refusal in &draft.refusals {
        let _ = writeln!(out, "  {} [{}]: {}", refusal.target, refusal.code, refusal.message);
    }
    if !draft.refusals.is_empty() && draft.is_empty() {
        out.push_str("Refused.\n");
    } else if !draft.refusals.is_empty() {
        let _ = writeln!(out, "Refused; would be: {}", draft.summary());
    } else if draft.is_empty() {
        out.push_str("Nothing to do");
        match draft.waiting.len() {
            0 => out.push_str(".\n"),
            count => {
                let _ = writeln!(out, "; {count} waiting.");
            }
        }
    } else {
        let _ = writeln!(out, "{}", draft.summary());
    }
    out
}

fn render_step(out: &mut String, step: &Step) {
    let _ = write!(
        out,
        "{:>4} {:<3} {}: {}",
        step.number,
        symbol(step),
        describe(&step.action),
        step.reason.words()
    );
    match step.risk {
        Risk::None => {}
        Risk::Interrupts => out.push_str(" [interrupts]"),
        Risk::Destroys => out.push_str(" [destroys data]"),
    }
    if !step.after.is_empty() {
        let numbers: Vec<String> = step.after.iter().map(ToString::to_string).collect();
        let _ = write!(out, " (after {})", numbers.join(", "));
    }
    out.push('\n');
    for change in &step.changes {
        let word = change.field.word();
        let _ = match (change.old.is_empty(), change.new.is_empty()) {
            (true, _) => writeln!(out, "           {word}: {}", change.new),
            (false, true) => writeln!(out, "           {word}: {} → (none)", change.old),
            (false, false) => writeln!(out, "           {word}: {} → {}", change.old, change.new),
        };
    }
}
