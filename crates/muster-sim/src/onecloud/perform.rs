//! Which method on which path does what: the 49 requests of the API.

use jiff::Timestamp;

use super::account;
use super::project::Project;
use super::refusal::Refusal;
use super::route::Route;
use super::view::{self, Answer};
use super::world::{Understood, World};

impl World {
    /// Carries one request of a project out, now; what lists may lag.
    pub fn perform(&mut self, project: usize, request: &Understood) -> Result<Answer, Refusal> {
        if request.method != "GET" {
            if request.route.server().is_none() {
                self.projects[project].remember_rest(self.now);
            }
            return self.perform_now(project, request);
        }
        match self.lagging_at(project).filter(|_| request.route.lists_the_rest()) {
            // Only the records of a domain lag; the domain itself, read alone, is there.
            Some(then) => {
                self.perform_then(project, request, then).or_else(|_| self.perform_now(project, request))
            }
            None => self.perform_now(project, request),
        }
    }

    /// Reads a list as it was then.
    fn perform_then(
        &mut self,
        project: usize,
        request: &Understood,
        then: Timestamp,
    ) -> Result<Answer, Refusal> {
        let now = std::mem::replace(&mut self.now, then);
        let past = self.projects[project].history.rest_at(then);
        let present = past.map(|past| std::mem::replace(&mut self.projects[project].rest, past));
        let answer = self.perform_now(project, request);
        if let Some(present) = present {
            self.projects[project].rest = present;
        }
        self.now = now;
        answer
    }

    fn perform_now(&mut self, project: usize, request: &Understood) -> Result<Answer, Refusal> {
        let fields = &request.fields;
        let holds: &Project = &self.projects[project];
        match (&request.route, request.method.as_str()) {
            (Route::Servers, "GET") => Ok(self.server_list(project)),
            (Route::Servers, "POST") => self.server_create(project, fields),
            (Route::Server(id), "GET") => self.server_read(project, *id),
            (Route::Server(id), "PUT") => self.server_resize(project, *id, fields),
            (Route::Server(id), "DELETE") => self.server_delete(project, *id),
            (Route::Rebuild(id), "POST") => self.server_rebuild(project, *id, fields),
            (Route::Copy(id), "POST") => self.server_copy(project, *id, fields),
            (Route::Actions(id), "GET") => self.action_list(project, *id),
            (Route::Actions(id), "POST") => self.action_create(project, *id, fields),
            (Route::Action(id, action), "GET") => self.action_read(project, *id, *action),
            (Route::Images, "GET") => Ok(self.image_list(project)),
            (Route::Images, "POST") => self.image_create(project, fields),
            (Route::Image(id), "DELETE") => self.image_delete(project, *id),
            (Route::DataCentres, "GET") => Ok(view::data_centres(&self.data_centres)),
            (Route::Networks, "GET") => Ok(self.network_list(project)),
            (Route::Networks, "POST") => self.network_create(project, fields),
            (Route::Network(id), "GET") => self.network_read(project, *id),
            (Route::Network(id), "PUT") => self.network_rename(project, *id, fields),
            (Route::Network(id), "DELETE") => self.network_delete(project, *id),
            (Route::PublicNetworks, "GET") => Ok(self.public_network_list(project)),
            (Route::PublicNetworks, "POST") => self.public_network_create(project, fields),
            (Route::PublicNetwork(id), "GET") => self.public_network_read(project, *id),
            (Route::PublicNetwork(id), "PUT") => self.public_network_edit(project, *id, fields),
            (Route::PublicNetwork(id), "DELETE") => self.public_network_delete(project, *id),
            (Route::SshKeys, "GET") => Ok(self.key_list(project)),
            (Route::SshKeys, "POST") => self.key_create(project, fields),
            (Route::SshKey(id), "GET") => self.key_read(project, *id),
            (Route::SshKey(id), "DELETE") => self.key_delete(project, *id),
            (Route::Account, "GET") => Ok(view::json(&account::account(holds))),
            (Route::Balance, "GET") => Ok(view::json(&account::customer_balance(holds, &self.switches))),
            (Route::Project, "GET") => Ok(view::json(&account::project(holds))),
            (Route::Domains, "GET") => Ok(self.domain_list(project)),
            (Route::Domains, "POST") => self.domain_create(project, fields),
            (Route::Domain(id), "GET") => self.domain_read(project, *id),
            (Route::Domain(id), "DELETE") => self.domain_delete(project, *id),
            (Route::Record(id), "GET") => self.record_read(project, *id),
            (Route::RecordsOf(kind), "POST") => self.record_create(project, *kind, fields),
            (Route::RecordOf(kind, id), "PUT") => self.record_update(project, *kind, *id, fields),
            (Route::RecordIn { domain, record }, "DELETE") => self.record_delete(project, *domain, *record),
            (Route::Storage, "GET") => self.storage_read(project),
            (Route::Storage, "POST") => self.storage_activate(project),
            (Route::Storage, "DELETE") => self.storage_deactivate(project),
            (Route::StorageUsers, "GET") => self.storage_user_list(project),
            (Route::StorageUsers, "POST") => self.storage_user_create(project, fields),
            (Route::StorageUser(id), "GET") => self.storage_user_read(project, *id),
            (Route::StorageUser(id), "DELETE") => self.storage_user_delete(project, *id),
            (Route::StorageUserPassword(id), "POST") => self.storage_user_password(project, *id, fields),
            (Route::StorageUserBlock(id), "POST") => self.storage_user_block(project, *id, true),
            (Route::StorageUserUnblock(id), "POST") => self.storage_user_block(project, *id, false),
            (_, method) => Err(Refusal::new(
                405,
                format!("The requested resource does not support http method '{method}'."),
            )),
        }
    }
}
