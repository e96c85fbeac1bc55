//! What differs between one wanted server and one seen, field by field, driven by the one table
//! [`muster_model::field::FIELDS`]: the table says how a field can be set later, and so where its difference goes.

use muster_model::cloud::SeenLocation;
use muster_model::field::{FIELDS, Field, Later};
use muster_model::id::{NetworkName, ProviderId};
use muster_model::plan::FieldChange;
use muster_model::server::{SeenServer, ServerState, WantedServer};

use crate::bandwidth::{self, Speed};
use crate::image::Verdict;
use crate::scene::{NetworkPlace, NetworkPlaces, Scene};

/// All that differs, by what would be done about it.
#[derive(Default)]
pub(crate) struct Difference<'a> {
    /// Set by one resize.
    pub(crate) resize: Vec<FieldChange>,
    /// The disk would have to shrink, which no provider does.
    pub(crate) shrinks: bool,
    /// Set only by making the server anew.
    pub(crate) replace: Vec<FieldChange>,
    /// Set by a power action.
    pub(crate) power: Option<FieldChange>,
    /// Networks to link.
    pub(crate) links: Vec<&'a NetworkName>,
    /// Networks to unlink.
    pub(crate) unlinks: Vec<&'a ProviderId>,
    /// Links that get another speed.
    pub(crate) speeds: Vec<Speed<'a>>,
    /// Explained, not set: the provider's own state.
    pub(crate) state: Option<FieldChange>,
}

impl Difference<'_> {
    /// Whether the server is as wanted.
    pub(crate) fn is_empty(&self) -> bool {
        self.resize.is_empty()
            && self.replace.is_empty()
            && self.power.is_none()
            && self.links.is_empty()
            && self.unlinks.is_empty()
            && self.speeds.is_empty()
            && self.state.is_none()
    }

    /// All of it for one sentence: `cpu 1 → 2, image …`.
    pub(crate) fn words(&self) -> String {
        let changes = self.resize.iter().chain(&self.replace).chain(&self.power).chain(&self.state);
        let mut words: Vec<String> = changes.map(change_words).collect();
        words.extend(self.links.iter().map(|name| format!("not linked to {name}")));
        words.extend(self.unlinks.iter().map(|id| format!("linked to the network {id}")));
        words.extend(self.speeds.iter().map(|speed| change_words(&speed.change())));
        words.join(", ")
    }
}

/// `cpu 1 → 2`.
pub(crate) fn change_words(change: &FieldChange) -> String {
    format!("{} {} → {}", change.field.word(), change.old, change.new)
}

/// What a server is compared with: the file's words, already looked up at the provider.
pub(crate) struct Target<'t, 'a> {
    /// The server of the file.
    pub(crate) wanted: &'a WantedServer,
    /// Its place.
    pub(crate) location: &'a SeenLocation,
    /// What its image's words mean for the server that is compared.
    pub(crate) image: &'t Verdict,
}

/// Compares every field that the provider shows.
pub(crate) fn between<'a>(
    scene: &Scene<'a>,
    places: &NetworkPlaces<'a>,
    target: &Target<'_, 'a>,
    seen: &'a SeenServer,
) -> Difference<'a> {
    let mut difference = Difference::default();
    for row in FIELDS.iter().filter(|row| row.readable) {
        if row.later == Later::Link {
            links(scene, places, target.wanted, seen, &mut difference);
            continue;
        }
        if row.later == Later::LinkSpeed {
            difference.speeds = bandwidth::speeds(scene, places, target.wanted, seen);
            continue;
        }
        let Some(change) = change(row.field, target, seen) else { continue };
        match row.later {
            Later::Resize => difference.resize.push(change),
            Later::ResizeUp => {
                difference.shrinks = target.wanted.size.disk_gb < seen.size.disk_gb;
                difference.resize.push(change);
            }
            Later::Replace => difference.replace.push(change),
            Later::PowerAction => difference.power = Some(change),
            Later::Never => difference.state = Some(change),
            // Keys are compared where provisioning is decided, links and their speeds above.
            Later::InsideOnly | Later::Link | Later::LinkSpeed => {}
        }
    }
    difference
}

/// One field's difference. Equal fields cost no allocation: most fields of most servers are.
fn change(field: Field, target: &Target<'_, '_>, seen: &SeenServer) -> Option<FieldChange> {
    let wanted = &target.wanted.size;
    let differs = |old: String, new: String| Some(FieldChange { field, old, new });
    let number = |old: u32, new: u32, unit: &str| {
        if old == new { None } else { differs(format!("{old}{unit}"), format!("{new}{unit}")) }
    };
    match field {
        Field::Cpu => number(seen.size.cpu, wanted.cpu, ""),
        Field::Ram => number(seen.size.ram_mb, wanted.ram_mb, " MB"),
        Field::Disk => number(seen.size.disk_gb, wanted.disk_gb, " GB"),
        Field::DiskType if !seen.size.disk_type.eq_ignore_ascii_case(&wanted.disk_type) => {
            differs(seen.size.disk_type.clone(), wanted.disk_type.clone())
        }
        Field::Performance if seen.size.performance != wanted.performance => {
            differs(seen.size.performance.to_string(), wanted.performance.to_string())
        }
        Field::Location if !seen.location.eq_ignore_ascii_case(&target.location.technical) => {
            differs(seen.location.clone(), target.location.technical.clone())
        }
        Field::Image => match target.image {
            Verdict::Other { wanted } => differs(seen.image.clone(), wanted.clone()),
            Verdict::Same | Verdict::OtherWords | Verdict::OtherMeaning { .. } | Verdict::Refused(_) => None,
        },
        Field::Power if seen.power() != target.wanted.power => {
            differs(seen.power().to_string(), target.wanted.power.to_string())
        }
        Field::State if seen.state != ServerState::Active => {
            differs(seen.state.to_string(), ServerState::Active.to_string())
        }
        Field::DiskType | Field::Performance | Field::Location | Field::Power | Field::State => None,
        // A name cannot be set, keys are set inside, backups and groups are not shown, links and names in DNS are
        // compared apart.
        Field::Name
        | Field::Keys
        | Field::Backup
        | Field::Groups
        | Field::Networks
        | Field::Bandwidth
        | Field::Dns => None,
    }
}

/// Which links are missing and which are too many. Only private networks of this account are ever unlinked.
fn links<'a>(
    scene: &Scene<'a>,
    places: &NetworkPlaces<'a>,
    wanted: &'a WantedServer,
    seen: &'a SeenServer,
    difference: &mut Difference<'a>,
) {
    let linked = |id: &ProviderId| seen.links.iter().any(|link| !link.public && link.network == *id);
    let mut kept: Vec<&ProviderId> = Vec::new();
    for name in &wanted.networks {
        match places.get(name.as_str()) {
            Some(NetworkPlace::Seen(id)) => {
                kept.push(id);
                if !linked(id) {
                    difference.links.push(name);
                }
            }
            Some(NetworkPlace::Made) => difference.links.push(name),
            Some(NetworkPlace::Closed(id)) => kept.extend(*id),
            None => {}
        }
    }
    for link in seen.links.iter().filter(|link| !link.public) {
        if !kept.contains(&&link.network) && scene.networks.get(&link.network).is_some() {
            difference.unlinks.push(&link.network);
        }
    }
}
