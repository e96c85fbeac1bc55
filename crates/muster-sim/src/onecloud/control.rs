//! `/_sim/…`: what a test asks of the simulator itself. No key, no journal.

use serde_json::{Value, json};

use super::drift::{Drift, DriftError};
use super::fault::FaultRule;
use super::request::Outcome;
use super::simulator::Inner;
use super::view;

/// The start of every control path.
pub(super) const PREFIX: &str = "/_sim";
/// How far the clock may be moved at once: 10 years.
const ADVANCE_MS_MAX: u64 = 10 * 366 * 24 * 60 * 60 * 1000;

impl Inner {
    /// Answers a control request.
    pub(super) fn control(&mut self, method: &str, path: &str, body: &[u8]) -> Outcome {
        let path = path.split('?').next().unwrap_or("").trim_end_matches('/').to_lowercase();
        let what = path.strip_prefix(PREFIX).unwrap_or("");
        match (method, what) {
            ("GET", "/journal") => self.journal_answer(),
            ("DELETE", "/journal") => {
                self.journal.clear();
                done()
            }
            ("GET", "/state") => Outcome::json(200, self.state().to_string().into_bytes()),
            ("DELETE", "/faults") => {
                self.clear_faults();
                done()
            }
            ("POST", "/faults" | "/drift" | "/clock") => match serde_json::from_slice::<Value>(body) {
                Ok(value) => self.control_post(what, &value),
                Err(error) => refused(400, &format!("the body is not JSON: {error}")),
            },
            (_, "/journal" | "/state" | "/faults" | "/drift" | "/clock") => refused(405, "wrong method"),
            _ => refused(
                404,
                "there are /_sim/journal, /_sim/faults, /_sim/drift, /_sim/clock and /_sim/state",
            ),
        }
    }

    fn control_post(&mut self, what: &str, value: &Value) -> Outcome {
        match what {
            "/faults" => match FaultRule::from_json(value) {
                Ok(rule) => match self.add_fault(rule) {
                    Ok(()) => done(),
                    Err(error) => refused(400, &error.to_string()),
                },
                Err(error) => refused(400, &error.to_string()),
            },
            "/drift" => match Drift::from_json(value).and_then(|drift| self.world.drift(&drift)) {
                Ok(()) => done(),
                Err(error @ DriftError::Missing { .. }) => refused(404, &error.to_string()),
                Err(error @ DriftError::Form(_)) => refused(400, &error.to_string()),
            },
            _ => match value.get("advance_ms").and_then(Value::as_u64).filter(|ms| *ms <= ADVANCE_MS_MAX) {
                Some(ms) => {
                    self.move_clock(std::time::Duration::from_millis(ms));
                    Outcome::json(200, json!({ "now": self.world.now.to_string() }).to_string().into_bytes())
                }
                None => {
                    refused(400, &format!("advance_ms must be whole milliseconds, at most {ADVANCE_MS_MAX}"))
                }
            },
        }
    }

    fn journal_answer(&self) -> Outcome {
        let mut body = vec![b'['];
        for entry in self.journal.entries() {
            if body.len() > 1 {
                body.push(b',');
            }
            // Text, numbers and a JSON value: writing them cannot fail.
            body.extend(serde_json::to_vec(entry).unwrap_or_default());
        }
        body.push(b']');
        match Outcome::json(200, body) {
            Outcome::Answer { status, content_type, body, .. } => {
                let headers = vec![("x-sim-journal-dropped", self.journal.dropped.to_string())];
                Outcome::Answer { status, content_type, headers, body }
            }
            other => other,
        }
    }

    /// The whole world, for assertions.
    pub(super) fn state(&self) -> Value {
        let (switches, now) = (&self.world.switches, self.world.now);
        let projects = self.world.projects.iter().enumerate().map(|(index, project)| {
            let servers = project.servers.values().map(|server| {
                let mut value = view::server_value(server, server.state());
                if let Some(queue) = project.queues.get(&server.id) {
                    value["Actions"] = queue
                        .log
                        .iter()
                        .map(|action| {
                            let mut value = view::action(action, switches);
                            value["Stuck"] = action.stuck.into();
                            value["MachineFailure"] = action.machine_failure.clone().into();
                            value
                        })
                        .collect();
                    value["IsDeleting"] = queue.deleting.into();
                }
                value["BackupPeriod"] = server.backup_days.into();
                value
            });
            let mut links = view::links_by_network(&project.servers);
            json!({
                "project": index,
                "id": project.id,
                "customer": project.customer,
                "balance": project.balance_kopecks as f64 / 100.0,
                "servers": servers.collect::<Vec<_>>(),
                "networks": project.networks.values()
                    .map(|network| view::network(network, links.remove(&network.id), None, switches))
                    .collect::<Vec<_>>(),
                "publicnetworks": project.rest.public_networks.values().map(|one| one.view(None)).collect::<Vec<_>>(),
                "images": project.rest.images.values().map(|own| view::image(&own.image, switches)).collect::<Vec<_>>(),
                "domains": project.rest.domains.values().map(|one| one.view_now(now, switches)).collect::<Vec<_>>(),
                "storage": project.rest.storage.as_ref().map(|storage| {
                    let users = storage.users.values().map(|user| user.view(user.state(now), true));
                    json!({ "Storage": storage.view_now(project.id, now), "Users": users.collect::<Vec<_>>() })
                }),
                "sshkeys": project.rest.ssh_keys.values().map(|key| view::key(key, switches)).collect::<Vec<_>>(),
            })
        });
        json!({
            "now": self.world.now.to_string(),
            "projects": projects.collect::<Vec<_>>(),
            "faults_waiting": self.faults.len(),
            "late_effects_waiting": self.world.late_effects,
            "journal_dropped": self.journal.dropped,
        })
    }
}

fn done() -> Outcome {
    Outcome::json(200, b"{\"ok\":true}".to_vec())
}

fn refused(status: u16, text: &str) -> Outcome {
    Outcome::json(status, json!({ "Message": text }).to_string().into_bytes())
}
