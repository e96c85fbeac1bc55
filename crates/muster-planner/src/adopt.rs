//! `infra adopt`: same-named strangers, and what was only claimed, come under the file. Nothing changes at the
//! provider; the next update brings them to what the file says.

use muster_model::diagnostic::nearest;
use muster_model::ownership::Claim;
use muster_model::plan::{Reason, RecordAction};

use crate::dns;
use crate::image::judge;
use crate::ownership::{Found, Index, Object, standing};
use crate::scene::Scene;
use crate::selector::{Selector, matches_name, matches_server};
use crate::why::{Says, did_you_mean};
use crate::{network, public_network, server};

/// The records that an adoption makes.
pub(crate) fn decide<'a>(scene: &Scene<'a>, says: &mut Says) -> Vec<(RecordAction, Reason)> {
    let asked = Selector::new(&scene.policy.names);
    let mut records = Vec::new();
    for (name, wanted) in &scene.wanted.networks {
        if !asked.name(name.as_str()) {
            continue;
        }
        if let Some((seen, claim)) = adoptable(&scene.networks, scene, says, name.as_str(), &asked) {
            records.push((network::own(name, wanted, seen, claim), Reason::Asked));
        }
    }
    for (name, wanted) in &scene.wanted.public_networks {
        if !asked.name(name.as_str()) {
            continue;
        }
        if let Some((seen, claim)) = adoptable(&scene.public_networks, scene, says, name.as_str(), &asked) {
            records.push((public_network::own(name, wanted, seen, claim), Reason::Asked));
        }
    }
    for wanted in scene.wanted.servers.iter().filter(|server| asked.server(server)) {
        if let Some((seen, claim)) = adoptable(&scene.servers, scene, says, wanted.name.as_str(), &asked) {
            let words = scene.locations.find(&wanted.location);
            let location = words.map(|location| location.technical.as_str()).unwrap_or(&wanted.location);
            let image = judge(&scene.images, &wanted.image, location, "", "", &seen.image);
            records.push((server::own(wanted, seen, claim, &image), Reason::Asked));
        }
    }
    records.extend(dns::adopt(scene, says, &asked));
    refuse_unknown(scene, says, &asked);
    records
}

/// The object that an adoption of this name is about, if it is not ours for good already.
fn adoptable<'a, T: Object>(
    index: &Index<'a, T>,
    scene: &Scene<'a>,
    says: &mut Says,
    name: &'a str,
    asked: &Selector<'_>,
) -> Option<(&'a T, Claim)> {
    match standing(index, scene, says, name, &[]).found {
        Found::Recorded(record, seen) if record.claim == Claim::Claimed => Some((seen, Claim::Adopted)),
        Found::Stranger(seen) => Some((seen, Claim::Adopted)),
        // Created and adopted ones are ours; what a lost create made is settled by the next update.
        Found::Recorded(_, _) | Found::Settled(_, _) | Found::Refused => None,
        Found::Absent(_) => {
            if asked.patterns().any(|pattern| pattern == name) {
                says.refuse(
                    "nothing-to-adopt",
                    name,
                    format!(
                        "The account has no {} of this name. `muster infra update {}` makes it.",
                        T::KIND.word(),
                        scene.file()
                    ),
                );
            }
            None
        }
    }
}

fn refuse_unknown(scene: &Scene<'_>, says: &mut Says, asked: &Selector<'_>) {
    for pattern in asked.patterns() {
        let server = scene.wanted.servers.iter().any(|server| matches_server(pattern, server));
        if scene.wanted.public_networks.keys().any(|name| matches_name(pattern, name.as_str())) {
            continue;
        }
        if server
            || dns::is_known(scene.wanted, pattern)
            || scene.wanted.networks.keys().any(|name| matches_name(pattern, name.as_str()))
        {
            continue;
        }
        let known = scene.wanted.servers.iter().map(|server| server.name.as_str());
        let near = nearest(pattern, known.chain(scene.wanted.networks.keys().map(|name| name.as_str())));
        says.refuse(
            "not-in-file",
            pattern,
            format!(
                "The file {} has nothing of this name, and only what stands in the file can be adopted.{} Write it into the file first.",
                scene.file(),
                did_you_mean(near)
            ),
        );
    }
}
