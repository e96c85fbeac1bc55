//! What 1cloud's answers mean in our words: wire models in, nouns out. Pure; tolerant of words that this
//! version does not know (`spec/onecloud-api.md` §1.4, §1.5).

use std::collections::HashSet;

use muster_model::cloud::{SeenImage, SeenKey, SeenLocation, SeenNetwork};
use muster_model::id::ProviderId;
use muster_model::server::{Performance, SeenLink, SeenServer, ServerState, Size};

use super::wire;

/// Private networks seen so far, when a link is judged; there may be more. None: the link's type alone decides,
/// because [`settle`] will judge again by the whole list.
#[derive(Clone, Copy)]
pub struct SoFar<'a>(pub Option<&'a HashSet<ProviderId>>);

/// A server as seen. Its password is not even an argument.
pub fn server(read: wire::Server<'_>, known: SoFar<'_>) -> SeenServer {
    SeenServer {
        id: read.id.0,
        name: read.name.0.into_owned(),
        state: state(&read.state.0),
        power_on: read.power_on.0,
        size: Size {
            cpu: read.cpu.0,
            ram_mb: read.ram.0,
            disk_gb: read.hdd.0,
            disk_type: read.hdd_type.0.trim().to_ascii_uppercase(),
            performance: if read.high_performance.0 { Performance::High } else { Performance::Base },
        },
        location: read.location.owned(),
        image: read.image.owned(),
        family: read.family.owned(),
        address: address(&read.ip).or_else(|| address(&read.primary_ip)),
        admin_user: Some(read.admin_user.owned()).filter(|user| !user.is_empty()),
        links: read.links.0.into_iter().map(|read| link(read, known)).collect(),
        keys: read.keys.0.into_iter().filter_map(|key| key.0).collect(),
        created_at: read.created.0,
    }
}

/// The state; a word that is not known is kept as it came.
fn state(word: &str) -> ServerState {
    let word = word.trim();
    let known = [
        ("New", ServerState::New),
        ("Active", ServerState::Active),
        ("Blocked", ServerState::Blocked),
        ("NeedMoney", ServerState::NeedMoney),
        ("Deleting", ServerState::Deleting),
    ];
    known
        .into_iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(word))
        .map_or_else(|| ServerState::Other(word.to_owned()), |(_, state)| state)
}

/// An address that is one: `""` and `0.0.0.0` mean "none yet".
fn address(text: &wire::Text<'_>) -> Option<String> {
    let text = text.0.trim();
    (!text.is_empty() && text != "0.0.0.0").then(|| text.to_owned())
}

fn link(read: wire::Link<'_>, known: SoFar<'_>) -> SeenLink {
    SeenLink {
        public: is_public(&read.kind.0, &read.network.0, known),
        ready: is_active(&read.state.0),
        address: address(&read.ip).unwrap_or_default(),
        mac: read.mac.owned(),
        mask: read.mask.owned(),
        bandwidth_mbit: (read.bandwidth.0 > 0).then_some(read.bandwidth.0),
        id: Some(read.link.owned()).filter(|id| !id.is_empty()).map(ProviderId),
        network: read.network.0,
    }
}

/// Whether a link leads to a public network. The word for private ones is not known, so a type that begins with
/// `Public` is public. A link that bears some other type is private (Muster's own are, and a step waits for
/// them); one that bears none is public unless its network is known to be private.
fn is_public(kind: &str, network: &ProviderId, known: SoFar<'_>) -> bool {
    let kind = kind.trim();
    if kind.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("Public")) {
        return true;
    }
    kind.is_empty() && known.0.is_some_and(|known| !known.contains(network))
}

/// Judges a link again by the whole list of private networks: one that leads elsewhere is public, whatever its
/// type.
pub fn settle(link: &mut SeenLink, private: &HashSet<&ProviderId>) {
    link.public |= !private.contains(&link.network);
}

/// Whether a link or network is ready. A state that is not said is taken as ready: older answers lack it.
fn is_active(word: &str) -> bool {
    let word = word.trim();
    word.is_empty() || word.eq_ignore_ascii_case("Active")
}

/// A private network as seen.
pub fn network(read: wire::Network<'_>) -> SeenNetwork {
    SeenNetwork {
        id: read.id.0,
        name: read.name.0.into_owned(),
        ready: is_active(&read.state.0),
        state: read.state.owned(),
        dhcp: read.dhcp.0,
        location: read.location.owned(),
        servers: read.servers.0.into_iter().filter_map(|server| server.0).collect(),
        mask: read.mask.owned(),
    }
}

/// An image as offered.
pub fn image(read: wire::Image<'_>) -> SeenImage {
    SeenImage {
        id: read.id.0,
        technical: read.name.owned(),
        display: read.display.owned(),
        location: read.location.owned(),
        disk_min_gb: read.hdd.0,
        family: read.family.owned(),
    }
}

/// A location as offered; none where it is closed to customers.
pub fn location(read: wire::Location<'_>) -> Option<SeenLocation> {
    (!read.admins_only.0).then(|| SeenLocation {
        technical: read.technical.owned(),
        title: read.title.owned(),
        short: read.short.owned(),
        base_pool: read.low_pool.0,
        high_pool: read.high_pool.0,
        backup: read.backup.0,
    })
}

/// A key as kept.
pub fn key(read: wire::SshKey<'_>) -> SeenKey {
    SeenKey { id: read.id.0, title: read.title.owned(), public_key: read.public_key.owned() }
}

/// Whether an action is under way. A failure state is not documented: any word but these two means that it is
/// over, and the object itself tells how it ended.
pub fn in_progress(action: &wire::Action<'_>) -> bool {
    let word = action.state.0.trim();
    word.eq_ignore_ascii_case("InProgress") || word.eq_ignore_ascii_case("Postponed")
}

/// The technical words of the locations in place of public titles, where a title means exactly one place.
/// Objects bear technical words already; this forgives one that does not.
pub fn technical_location(word: &str, locations: &[SeenLocation]) -> Option<String> {
    if let Some(known) = locations.iter().find(|place| place.technical.eq_ignore_ascii_case(word)) {
        return Some(known.technical.clone());
    }
    let mut titled = locations.iter().filter(|place| place.title == word || place.short == word);
    match (titled.next(), titled.next()) {
        (Some(only), None) => Some(only.technical.clone()),
        (Some(_), Some(_)) | (None, _) => None,
    }
}
