//! A server that is made: what to ask for, and what the provider would refuse about it.

use muster_model::cloud::{SeenImage, SeenLocation, ServerSpec};
use muster_model::field::Field;
use muster_model::id::ProviderId;
use muster_model::plan::{FieldChange, Reason};
use muster_model::server::{Power, WantedServer};

use crate::bandwidth;
use crate::scene::Scene;
use crate::server::{Inside, ServerDecision};
use crate::size;
use crate::why::Says;

/// A server that is made.
pub(crate) struct Creation<'a> {
    pub(crate) reason: Reason,
    pub(crate) location: &'a SeenLocation,
    pub(crate) image: &'a SeenImage,
    pub(crate) known_ids: Vec<ProviderId>,
    pub(crate) changes: Vec<FieldChange>,
}

impl Creation<'_> {
    /// What to ask the provider for.
    pub(crate) fn spec(&self, wanted: &WantedServer) -> ServerSpec {
        ServerSpec {
            name: wanted.name.to_string(),
            size: wanted.size.clone(),
            location: self.location.technical.clone(),
            image_id: self.image.id.clone(),
            image: self.image.technical.clone(),
            backup_days: wanted.backup_days,
        }
    }
}

/// Decides that a server is made, or refuses what the provider would refuse.
pub(crate) fn create<'a>(
    scene: &Scene<'a>,
    says: &mut Says,
    decision: &mut ServerDecision<'a>,
    location: &'a SeenLocation,
    known_ids: Vec<ProviderId>,
    reason: Reason,
    changes: Vec<FieldChange>,
) {
    let wanted = decision.wanted;
    let name = wanted.name.as_str();
    let image = match scene.images.find(&wanted.image, &location.technical) {
        Ok(image) => image,
        Err(problem) => return says.refuse(problem.0, name, problem.1.clone()),
    };
    let problems =
        size::creation_problems(scene.provider(), &wanted.size, wanted.backup_days, image, location);
    if !problems.is_empty() {
        for (code, message) in problems {
            says.refuse(code, name, message);
        }
        return;
    }
    let changes = if changes.is_empty() { creation_changes(wanted, location, image) } else { changes };
    decision.links = wanted.networks.iter().collect();
    decision.speeds = bandwidth::of_new(scene, wanted);
    if wanted.power == Power::Stopped {
        let change = FieldChange {
            field: Field::Power,
            old: Power::Running.to_string(),
            new: Power::Stopped.to_string(),
        };
        decision.power = Some((Power::Stopped, vec![change]));
    }
    decision.create = Some(Creation { reason, location, image, known_ids, changes });
    if wanted.power == Power::Running && size::is_linux(&image.family) && !scene.policy.skip_provision {
        decision.inside = Some(Inside { record: None, automatic: true, keys_missing: 0 });
    }
}

fn creation_changes(wanted: &WantedServer, location: &SeenLocation, image: &SeenImage) -> Vec<FieldChange> {
    let size = &wanted.size;
    let new = |field, new| FieldChange { field, old: String::new(), new };
    let mut changes = vec![
        new(Field::Cpu, size.cpu.to_string()),
        new(Field::Ram, format!("{} MB", size.ram_mb)),
        new(Field::Disk, format!("{} GB", size.disk_gb)),
        new(Field::DiskType, size.disk_type.clone()),
        new(Field::Performance, size.performance.to_string()),
        new(Field::Location, location.technical.clone()),
        new(Field::Image, image.technical.clone()),
    ];
    if wanted.backup_days > 0 {
        changes.push(new(Field::Backup, format!("every {} days", wanted.backup_days)));
    }
    if !wanted.groups.is_empty() {
        let groups: Vec<&str> = wanted.groups.iter().map(|group| group.as_str()).collect();
        changes.push(new(Field::Groups, groups.join(", ")));
    }
    changes
}
