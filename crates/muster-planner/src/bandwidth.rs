//! The speed of links: what the file wants of the public link of a server and of every link to a private network.
//! Where the file says nothing, or the provider does not show a speed, nothing is decided.

use muster_model::field::Field;
use muster_model::id::NetworkName;
use muster_model::plan::FieldChange;
use muster_model::server::{SeenServer, WantedServer};

use crate::scene::{NetworkPlace, NetworkPlaces, Scene};

/// A link that gets another speed.
#[derive(Clone, Debug)]
pub(crate) struct Speed<'a> {
    /// The private network; none is the public link.
    pub(crate) network: Option<&'a NetworkName>,
    /// What it has; none where the link is only now made.
    from_mbit: Option<u32>,
    /// What it gets.
    pub(crate) to_mbit: u32,
}

impl Speed<'_> {
    /// The change for people.
    pub(crate) fn change(&self) -> FieldChange {
        let words = |mbit: u32| format!("{mbit} Mbit/s");
        FieldChange {
            field: Field::Bandwidth,
            old: self.from_mbit.map(words).unwrap_or_default(),
            new: words(self.to_mbit),
        }
    }
}

/// Speeds of a server that is made: all that the file names.
pub(crate) fn of_new<'a>(scene: &Scene<'a>, wanted: &'a WantedServer) -> Vec<Speed<'a>> {
    let public = wanted.bandwidth_mbit.map(|to_mbit| Speed { network: None, from_mbit: None, to_mbit });
    public.into_iter().chain(wanted.networks.iter().filter_map(|name| of_new_link(scene, name))).collect()
}

fn of_new_link<'a>(scene: &Scene<'a>, name: &'a NetworkName) -> Option<Speed<'a>> {
    let to_mbit = scene.wanted.networks.get(name)?.bandwidth_mbit?;
    Some(Speed { network: Some(name), from_mbit: None, to_mbit })
}

/// Speeds that differ, and those of links that are still to be made.
pub(crate) fn speeds<'a>(
    scene: &Scene<'a>,
    places: &NetworkPlaces<'a>,
    wanted: &'a WantedServer,
    seen: &'a SeenServer,
) -> Vec<Speed<'a>> {
    let differs = |network, from: Option<u32>, to: Option<u32>| {
        let (from, to_mbit) = (from?, to?);
        (from != to_mbit).then_some(Speed { network, from_mbit: Some(from), to_mbit })
    };
    let public = seen.links.iter().find(|link| link.public);
    let public = public.and_then(|link| differs(None, link.bandwidth_mbit, wanted.bandwidth_mbit));
    let private = wanted.networks.iter().filter_map(|name| match places.get(name.as_str())? {
        NetworkPlace::Made => of_new_link(scene, name),
        NetworkPlace::Closed(_) => None,
        NetworkPlace::Seen(id) => match seen.links.iter().find(|link| !link.public && link.network == **id) {
            None => of_new_link(scene, name),
            Some(link) => {
                let to = scene.wanted.networks.get(name)?.bandwidth_mbit;
                differs(Some(name), link.bandwidth_mbit, to)
            }
        },
    });
    public.into_iter().chain(private).collect()
}
