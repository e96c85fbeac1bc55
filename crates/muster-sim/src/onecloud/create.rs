//! `POST /server`: what a new server must say, and how it begins.

use std::sync::{Arc, OnceLock};

use jiff::Timestamp;

use super::catalog::{DataCentre, DiskType};
use super::image::Image;
use super::input::Fields;
use super::object::{Life, Server, Shape, SshKey, Work};
use super::quota::Counted;
use super::refusal::Refusal;
use super::rules;
use super::view::{self, Answer};
use super::world::{ADDRESSES_USED_MAX, World};

/// A new server whose every value was checked.
#[derive(Clone, Debug)]
pub(super) struct NewServer {
    pub name: String,
    pub shape: Shape,
    pub image: Arc<Image>,
    pub dc: DataCentre,
    pub backup_days: u32,
    pub keys: Vec<SshKey>,
    pub networks: Vec<u64>,
    pub bandwidth: u32,
    pub created: Timestamp,
}

/// Longest name, in characters.
pub(super) const NAME_CHARS_MAX: usize = 255;

impl World {
    pub(super) fn server_create(&mut self, project: usize, fields: &Fields) -> Result<Answer, Refusal> {
        let new = self.check_new_server(project, fields)?;
        let id = self.make_server(project, new)?;
        let server = self.projects[project].servers.get(&id).ok_or_else(|| Refusal::not_found("Server"))?;
        Ok(Answer::Json(view::server_text(server).as_bytes().to_vec()))
    }

    /// Adds the server as `New` and starts its `Create`.
    pub(super) fn make_server(&mut self, project: usize, new: NewServer) -> Result<u64, Refusal> {
        let holds = &self.projects[project];
        holds.quota.check(Counted::Servers, holds.servers.len())?;
        if self.addresses_used() >= ADDRESSES_USED_MAX {
            return Err(Refusal::bad("No public address is free"));
        }
        let id = self.counters.server();
        let server = Server {
            id,
            name: new.name,
            life: Life::New,
            state_word: self.twist.state.clone(),
            power_on: false,
            cpu: new.shape.cpu,
            ram_mb: new.shape.ram_mb,
            hdd_gb: new.shape.hdd_gb,
            hdd_type: new.shape.hdd_type,
            high: new.shape.high,
            ip: None,
            admin_password: None,
            image_id: new.image.id,
            image: new.image.name.clone(),
            image_hdd_gb: new.image.hdd_gb,
            family: new.image.family,
            dc_location: new.dc.tech_title.to_owned(),
            backup_days: new.backup_days,
            links: Vec::new(),
            keys: new.keys,
            created: new.created,
            on_before_block: false,
            text: OnceLock::new(),
        };
        let now = self.now;
        self.projects[project].add_server(now, server);
        self.enqueue(project, id, Work::Create { networks: new.networks, bandwidth: new.bandwidth })?;
        Ok(id)
    }

    /// Another project member's server: the same name, other insides, made a second earlier or later.
    pub(super) fn make_stranger(
        &mut self,
        project: usize,
        like: &NewServer,
        newer: bool,
    ) -> Result<u64, Refusal> {
        let mut stranger = like.clone();
        stranger.shape.cpu = if like.shape.cpu < self.limits.cpu_max { like.shape.cpu + 1 } else { 1 };
        stranger.keys = Vec::new();
        stranger.networks = Vec::new();
        let second = std::time::Duration::from_secs(1);
        stranger.created = if newer { self.after(second) } else { self.now - second };
        self.make_server(project, stranger)
    }

    /// Reads and checks every field of a create.
    pub(super) fn check_new_server(&self, project: usize, fields: &Fields) -> Result<NewServer, Refusal> {
        let required = |name: &str| Refusal::bad(format!("Parameter {name} is required"));
        let name = check_name(fields)?;
        let dc = self.location(fields)?;
        let image_id = fields.id("ImageID")?.ok_or_else(|| required("ImageID"))?;
        let image = self.image(project, image_id, dc.tech_title)?;
        let shape = Shape {
            cpu: fields.count("CPU")?.ok_or_else(|| required("CPU"))?,
            ram_mb: fields.count("RAM")?.ok_or_else(|| required("RAM"))?,
            hdd_gb: fields.count("HDD")?.ok_or_else(|| required("HDD"))?,
            hdd_type: read_disk_type(fields)?.unwrap_or(DiskType::Ssd),
            high: fields.flag("IsHighPerformance")?.unwrap_or(false),
        };
        rules::check(&shape, &image, &dc, &self.limits)?;
        // Only Windows images and the provider's own order form make use of them.
        fields.flag("IsNeedSysprep")?;
        fields.id("ISPSoftID")?;
        let bandwidth = fields.count("NetworkBandwidth")?.unwrap_or(10);
        rules::check_bandwidth(bandwidth)?;
        Ok(NewServer {
            name,
            shape,
            image,
            dc,
            backup_days: check_backup(fields, &dc)?,
            keys: self.check_keys(project, fields)?,
            networks: self.check_birth_network(project, fields.id("NetworkID")?, &dc)?,
            bandwidth,
            created: self.now,
        })
    }

    fn check_keys(&self, project: usize, fields: &Fields) -> Result<Vec<SshKey>, Refusal> {
        let known = &self.projects[project].rest.ssh_keys;
        let find =
            |id| known.get(&id).cloned().ok_or_else(|| Refusal::bad(format!("SSH key {id} not found")));
        fields.ids("SshKeys")?.into_iter().map(find).collect()
    }

    /// The network that a server is to be born into; 0 is none.
    pub(super) fn check_birth_network(
        &self,
        project: usize,
        network: Option<u64>,
        dc: &DataCentre,
    ) -> Result<Vec<u64>, Refusal> {
        match network {
            None | Some(0) => Ok(Vec::new()),
            Some(id) => {
                self.check_linkable(project, id, dc.tech_title)?;
                Ok(vec![id])
            }
        }
    }
}

/// `Name`: free text, required, bounded.
pub(super) fn check_name(fields: &Fields) -> Result<String, Refusal> {
    let name = fields.text("Name")?.ok_or_else(|| Refusal::bad("Parameter Name is required"))?;
    if name.chars().count() > NAME_CHARS_MAX {
        return Err(Refusal::bad(format!("Name must not be longer than {NAME_CHARS_MAX} characters")));
    }
    Ok(name)
}

/// `HDDType`.
pub(super) fn read_disk_type(fields: &Fields) -> Result<Option<DiskType>, Refusal> {
    match fields.text("HDDType")? {
        None => Ok(None),
        Some(word) => {
            DiskType::read(&word).map(Some).ok_or_else(|| Refusal::bad("HDDType must be SAS or SSD"))
        }
    }
}

fn check_backup(fields: &Fields, dc: &DataCentre) -> Result<u32, Refusal> {
    let days = fields.count("BackupPeriod")?;
    if days.is_some_and(|days| ![0, 7, 14, 21, 28].contains(&days)) {
        return Err(Refusal::bad("BackupPeriod must be 0, 7, 14, 21 or 28 days"));
    }
    if !fields.flag("IsBackupActive")?.unwrap_or(false) {
        return Ok(0);
    }
    if !dc.backup {
        return Err(Refusal::bad(format!("Backup is not available in {}", dc.tech_title)));
    }
    Ok(days.unwrap_or(7))
}
