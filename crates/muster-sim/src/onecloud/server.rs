//! Servers that exist: list, read, resize, rebuild, delete.

use std::sync::Arc;

use super::catalog::{self, Image};
use super::create::read_disk_type;
use super::durations::ms;
use super::history::{Networks, Servers};
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

    /// The project as its lists show it while they lag; none when they do not.
    pub(super) fn lagging(&self, project: usize) -> Option<(Servers, Networks)> {
        let project = &self.projects[project];
        let lag = project.lag.filter(|lag| self.now < lag.until)?;
        let then = self.now.checked_sub(ms(lag.behind_ms)).ok()?;
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
        let image = image_to_come(&server, queue)?;
        let dc = catalog::data_centre_or_default(Some(&server.dc_location));
        rules::check(&wanted, image, dc, &self.limits)?;
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
        let image = catalog::image(image).ok_or_else(|| Refusal::bad("Image not found"))?;
        let dc = catalog::data_centre_or_default(Some(&server.dc_location));
        rules::check(&shape_to_come(&server, queue), image, dc, &self.limits)?;
        self.enqueue(project, id, Work::Rebuild { image: image.id })?;
        self.server_read(project, id)
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

fn image_to_come(server: &Server, queue: &Queue) -> Result<&'static Image, Refusal> {
    let id = queue.open().fold(server.image_id, |image, action| match action.work {
        Work::Rebuild { image } => image,
        _ => image,
    });
    catalog::image(id).ok_or_else(|| Refusal::bad("Image not found"))
}
