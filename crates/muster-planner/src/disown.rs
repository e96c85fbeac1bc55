//! `infra disown`: records go, objects stay. The way to let go of a protected or claimed object.

use muster_model::diagnostic::nearest;
use muster_model::ownership::{ObjectKind, Ownership};
use muster_model::plan::{Reason, RecordAction};

use crate::dns;
use crate::scene::Scene;
use crate::selector::{Selector, glob};
use crate::why::{Says, did_you_mean};

/// The records that a disowning drops.
pub(crate) fn decide(scene: &Scene<'_>, says: &mut Says) -> Vec<(RecordAction, Reason)> {
    let file = scene.file();
    let asked = Selector::new(&scene.policy.names);
    if asked.is_all() {
        says.refuse(
            "nothing-named",
            file,
            format!("Say what to give up: `muster infra disown {file} NAME`. A `*` stands for any text."),
        );
        return Vec::new();
    }
    let ours = || {
        let networks = scene.networks.ours().iter().chain(scene.public_networks.ours());
        scene.servers.ours().iter().chain(networks).copied()
    };
    let names: Vec<Vec<&Ownership>> =
        asked.patterns().map(|pattern| dns::disownable(scene, pattern)).collect();
    for (pattern, names) in asked.patterns().zip(&names) {
        if names.is_empty() && !ours().any(|record| glob(pattern, record.name.as_str())) {
            let near = nearest(pattern, ours().map(|record| record.name.as_str()));
            says.refuse(
                "not-ours",
                pattern,
                format!("The file {file} owns nothing of this name.{} `muster infra show {file}` lists what it owns.", did_you_mean(near)),
            );
        }
    }
    let objects = ours().filter(|record| asked.patterns().any(|pattern| glob(pattern, record.name.as_str())));
    let mut records: Vec<&Ownership> = names.into_iter().flatten().collect();
    records.sort_by(|one, two| (&one.name, &one.id).cmp(&(&two.name, &two.id)));
    records.dedup_by(|one, two| one.id == two.id);
    objects.chain(records).map(|record| (forget(record), Reason::Asked)).collect()
}

fn forget(record: &Ownership) -> RecordAction {
    let kind: ObjectKind = record.kind;
    RecordAction::Forget { kind, name: record.name.clone(), id: record.id.clone() }
}
