//! Servers that exist: list, read, resize, rebuild, copy, delete.

use std::sync::Arc;

use jiff::Timestamp;

use super::catalog;
use super::create::{NewServer, check_name, read_disk_type};
use super::durations::ms;
use super::history::{Networks, Servers};
use super::image::Image;
use super::input::Fields;
use super::object::{Life, Server, Shape, Work};
use super::project::Queue;
use super::refusal::Refusal;
use super::rules;
use super::view::{self, Answer};
use super::world::World;

impl World {
    pub(super) fn server_list(&self, project: usize) -> Answer {
        let (state, only) = (self.twist.state.as_deref(), self.twist.only.as_deref());
        match self.lagging(project) {
            Some((servers, _)) => view::server_list(&servers, state, only),
            None => view::server_list(&self.projects[project].servers, state, only),
        }
    }

    /// The moment whose world the lists of a project show, while they lag.
    pub(super) fn lagging_at(&self, project: usize) -> Option<Timestamp> {
        let lag = self.projects[project].lag.filter(|lag| self.now < lag.until)?;
        self.now.checked_sub(ms(lag.behind_ms)).ok()
    }

    /// The servers and private networks as their lists show them while they lag; none when they do not.
    pub(super) fn lagging(&self, project: usize) -> Option<(Servers, Networks)> {
        let then = self.lagging_at(project)?;
        let project = &self.projects[project];
        let (mut servers, mut networks) = (project.servers.clone(), project.networks.clone());
        project.history.go_back(then, &mut servers, &mut networks);
        Some((servers, networks))
    }

    pub(super) fn server_read(&self, project: usize, id: u64) -> Result<Answer, Refusal> {
        let server = self.server(project, id)?;
        Ok(match &self.twist.state {
            Some(state) => view::json(&view::server_value(&server, state)),
            None => Answer::Json(view::server_text(&server).as_bytes().to_vec()),
        })
    }

    /// The server of that number, or 404.
    pub(super) fn server(&self, project: usize, id: u64) -> Result<Arc<Server>, Refusal> {
        self.projects[project].servers.get(&id).map(Arc::clone).ok_or_else(|| Refusal::not_found("Server"))
    }

    /// The server if it may be changed at all, with its queue.
    pub(super) fn changeable(&self, project: usize, id: u64) -> Result<(Arc<Server>, &Queue), Refusal> {
        let server = self.server(project, id)?;
        let queue = self.projects[project].queues.get(&id).ok_or_else(|| Refusal::not_found("Server"))?;
        if queue.deleting {
            return Err(Refusal::bad("Server is being deleted"));
        }
        match server.life {
            Life::Blocked => Err(Refusal::bad("Server is blocked")),
            Life::NeedMoney => Err(Refusal::bad("Server is not created for lack of funds")),
            Life::New | Life::Active => Ok((server, queue)),
        }
    }

    pub(super) fn server_resize(
        &mut self,
        project: usize,
        id: u64,
        fields: &Fields,
    ) -> Result<Answer, Refusal> {
        let (server, queue) = self.changeable(project, id)?;
        let before = shape_to_come(&server, queue);
        let wanted = Shape {
            cpu: fields.count("CPU")?.unwrap_or(before.cpu),
            ram_mb: fields.count("RAM")?.unwrap_or(before.ram_mb),
            hdd_gb: fields.count("HDD")?.unwrap_or(before.hdd_gb),
            hdd_type: read_disk_type(fields)?.unwrap_or(before.hdd_type),
            high: fields.flag("IsHighPerformance")?.unwrap_or(before.high),
        };
        if wanted.hdd_gb < before.hdd_gb {
            return Err(Refusal::bad("HDD cannot be reduced"));
        }
        let dc = catalog::data_centre_of(&server.dc_location);
        rules::check(&wanted, &image_to_come(&server, queue), &dc, &self.limits)?;
        let action = self.enqueue(project, id, Work::Resize(wanted))?;
        self.action_read(project, id, action)
    }

    pub(super) fn server_rebuild(
        &mut self,
        project: usize,
        id: u64,
        fields: &Fields,
    ) -> Result<Answer, Refusal> {
        let (server, queue) = self.changeable(project, id)?;
        let image = fields.id("ImageID")?.ok_or_else(|| Refusal::bad("Parameter ImageID is required"))?;
        fields.flag("IsNeedSysprep")?;
        let image = self.image(project, image, &server.dc_location)?;
        let dc = catalog::data_centre_of(&server.dc_location);
        rules::check(&shape_to_come(&server, queue), &image, &dc, &self.limits)?;
        self.enqueue(project, id, Work::Rebuild { image })?;
        self.server_read(project, id)
    }

    /// Makes another server like this one, keys included, perhaps in a private network of the same data centre.
    /// Password and address are the copy's own. The original is not held up.
    pub(super) fn server_copy(
        &mut self,
        project: usize,
        id: u64,
        fields: &Fields,
    ) -> Result<Answer, Refusal> {
        let (server, _) = self.changeable(project, id)?;
        if server.life == Life::New {
            return Err(Refusal::bad("Server is not created yet"));
        }
        let dc = self
            .location_offered(&server.dc_location)
            .ok_or_else(|| Refusal::bad(format!("{} takes no new servers", server.dc_location)))?;
        let image = server.image_now();
        rules::check(&server.shape(), &image, &dc, &self.limits)?;
        let new = NewServer {
            name: check_name(fields)?,
            shape: server.shape(),
            image: Arc::new(image),
            networks: self.check_birth_network(project, fields.id("NetworkID")?, &dc)?,
            dc,
            backup_days: server.backup_days,
            keys: server.keys.clone(),
            bandwidth: 10,
            created: self.now,
        };
        let copy = self.make_server(project, new)?;
        let copy = self.server(project, copy)?;
        Ok(Answer::Json(view::server_text(&copy).as_bytes().to_vec()))
    }

    /// Accepts a deletion; a second one while it is under way changes nothing.
    pub(super) fn server_delete(&mut self, project: usize, id: u64) -> Result<Answer, Refusal> {
        self.server(project, id)?;
        let queue = self.projects[project].queues.get_mut(&id).ok_or_else(|| Refusal::not_found("Server"))?;
        if !queue.deleting {
            queue.deleting = true;
            if let Err(refusal) = self.enqueue(project, id, Work::Delete) {
                if let Some(queue) = self.projects[project].queues.get_mut(&id) {
                    queue.deleting = false;
                }
                return Err(refusal);
            }
        }
        Ok(Answer::Empty)
    }
}

/// The shape that the server will have when everything accepted so far is done.
fn shape_to_come(server: &Server, queue: &Queue) -> Shape {
    queue.open().fold(server.shape(), |shape, action| match &action.work {
        Work::Resize(next) => *next,
        _ => shape,
    })
}

fn image_to_come(server: &Server, queue: &Queue) -> Image {
    queue.open().fold(server.image_now(), |before, action| match &action.work {
        Work::Rebuild { image } => Image::clone(image),
        _ => before,
    })
}
