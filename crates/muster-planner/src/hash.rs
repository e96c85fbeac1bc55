//! A plan's hash: SHA-256 over what would be done and what that was decided from (`SEMANTICS.md` §2).
//!
//! Covered: the steps, the bundle's digest, the policy, and the fields that the planner read of objects that are
//! ours. Not covered: our own ids (runs, plans, generations), times, and strangers, whose coming and going must
//! not make a plan stale.

use std::fmt::Write as _;
use std::io;

use muster_model::cloud::SeenNetwork;
use muster_model::id::ProviderId;
use muster_model::plan::{
    Action, DnsAction, NetworkAction, PlanHash, PublicNetworkAction, RecordAction, ServerAction, Step,
};
use muster_model::policy::Policy;
use muster_model::server::{SeenLink, SeenServer};
use ring::digest::{Context, SHA256};
use serde::Serialize;

/// Rises when the serialisation changes its meaning, so that an old plan is stale rather than misread.
const FORM: u16 = 1;

/// Bytes collected before they are digested.
const BUFFER_BYTES: usize = 16 * 1024;

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[derive(Serialize)]
struct Head<'a> {
    form: u16,
    subject: &'a str,
    bundle: &'a str,
    policy: &'a Policy,
    steps: usize,
}

/// The fields of a server that decisions read.
#[derive(Serialize)]
struct ServerFacts<'a> {
    id: &'a ProviderId,
    name: &'a str,
    state: &'a muster_model::server::ServerState,
    power_on: bool,
    size: &'a muster_model::server::Size,
    location: &'a str,
    image: &'a str,
    family: &'a str,
    links: Vec<LinkFacts<'a>>,
    keys: Vec<&'a ProviderId>,
}

/// The fields of a link that decisions read.
#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
struct LinkFacts<'a> {
    network: &'a ProviderId,
    mac: &'a str,
    address: &'a str,
    bandwidth_mbit: Option<u32>,
}

/// The fields of a network that decisions read.
#[derive(Serialize)]
struct NetworkFacts<'a> {
    id: &'a ProviderId,
    name: &'a str,
    state: &'a str,
    dhcp: bool,
    location: &'a str,
}

/// Computes the hash. The lists of objects may come in any order.
pub(crate) fn hash(
    subject: &str,
    bundle: &str,
    policy: &Policy,
    steps: &[Step],
    mut servers: Vec<&SeenServer>,
    mut networks: Vec<&SeenNetwork>,
    others: &[serde_json::Value],
) -> PlanHash {
    let mut sink = Sink(Context::new(&SHA256));
    let mut out = io::BufWriter::with_capacity(BUFFER_BYTES, &mut sink);
    write(&mut out, &Head { form: FORM, subject, bundle, policy, steps: steps.len() });
    for step in steps {
        match covered(step) {
            Some(step) => write(&mut out, &step),
            None => write(&mut out, step),
        }
    }
    servers.sort_by(|one, two| one.id.cmp(&two.id));
    servers.dedup_by(|one, two| one.id == two.id);
    for server in servers {
        write(&mut out, &server_facts(server));
    }
    networks.sort_by(|one, two| one.id.cmp(&two.id));
    networks.dedup_by(|one, two| one.id == two.id);
    for network in networks {
        let SeenNetwork { id, name, state, dhcp, location, ready: _, servers: _, mask: _ } = network;
        write(&mut out, &NetworkFacts { id, name, state, dhcp: *dhcp, location });
    }
    for other in others {
        write(&mut out, other);
    }
    // The sink cannot fail, so neither can the last flush.
    let _ = io::Write::flush(&mut out);
    drop(out);
    PlanHash(hex(sink.0.finish().as_ref()))
}

fn server_facts(server: &SeenServer) -> ServerFacts<'_> {
    let mut links: Vec<LinkFacts<'_>> = server.links.iter().map(link_facts).collect();
    links.sort();
    let mut keys: Vec<&ProviderId> = server.keys.iter().collect();
    keys.sort();
    ServerFacts {
        id: &server.id,
        name: &server.name,
        state: &server.state,
        power_on: server.power_on,
        size: &server.size,
        location: &server.location,
        image: &server.image,
        family: &server.family,
        links,
        keys,
    }
}

fn link_facts(link: &SeenLink) -> LinkFacts<'_> {
    let SeenLink { network, mac, address, bandwidth_mbit, .. } = link;
    // Of a public link only its speed is read.
    let (mac, address) = if link.public { ("", "") } else { (mac.as_str(), address.as_str()) };
    LinkFacts { network, mac, address, bandwidth_mbit: *bandwidth_mbit }
}

/// A step without the parts that must not move the hash: ids of strangers that bear the name, and the intent's
/// run and times. `None` if it holds none of them.
fn covered(step: &Step) -> Option<Step> {
    let holds = match &step.action {
        Action::Server(ServerAction::Create(create)) => !create.known_ids.is_empty(),
        Action::Network(
            NetworkAction::Create { known_ids, .. }
            | NetworkAction::Public(PublicNetworkAction::Create { known_ids, .. }),
        ) => !known_ids.is_empty(),
        Action::Record(RecordAction::Own { settles, .. }) => settles.is_some(),
        Action::Dns(DnsAction::Delete(delete)) => delete.settles.is_some(),
        Action::Server(_)
        | Action::Network(_)
        | Action::Key(_)
        | Action::Object(_)
        | Action::Dns(DnsAction::Point(_))
        | Action::Record(_)
        | Action::Host(_)
        | Action::Provision(_) => false,
    };
    if !holds {
        return None;
    }
    let mut step = step.clone();
    match &mut step.action {
        Action::Server(ServerAction::Create(create)) => create.known_ids.clear(),
        Action::Network(
            NetworkAction::Create { known_ids, .. }
            | NetworkAction::Public(PublicNetworkAction::Create { known_ids, .. }),
        ) => known_ids.clear(),
        // That it settles one stands in the step's reason.
        Action::Record(RecordAction::Own { settles, .. }) => *settles = None,
        Action::Dns(DnsAction::Delete(delete)) => delete.settles = None,
        Action::Server(_)
        | Action::Network(_)
        | Action::Key(_)
        | Action::Object(_)
        | Action::Dns(DnsAction::Point(_))
        | Action::Record(_)
        | Action::Host(_)
        | Action::Provision(_) => {}
    }
    Some(step)
}

/// One value as a line of JSON: maps are sorted by type, so the text is canonical.
fn write(out: &mut impl io::Write, value: &impl Serialize) {
    // Neither the sink nor these types can fail: their maps have text keys and their numbers are finite.
    let _ = serde_json::to_writer(&mut *out, value);
    let _ = out.write_all(b"\n");
}

struct Sink(Context);

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
