//! Drift of servers and private networks: fields, power and links, and strangers' servers.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::catalog::DiskType;
use super::create::NewServer;
use super::drift::{DriftError, Kind};
use super::effect::SHARED_NETWORK;
use super::input::Fields;
use super::object::{Life, Server, Shape};
use super::order::Ask;
use super::world::World;

impl World {
    pub(super) fn set_server(
        &mut self,
        project: usize,
        id: u64,
        fields: &Map<String, Value>,
    ) -> Result<(), DriftError> {
        let now = self.now;
        let Some(before) = self.projects[project].servers.get(&id).map(|server| Server::clone(server)) else {
            return Ok(());
        };
        let mut after = before.clone();
        let mut links: Option<Vec<u64>> = None;
        for (name, value) in fields {
            if name.eq_ignore_ascii_case("LinkedNetworks") {
                links = Some(self.networks_of(project, value)?);
            } else {
                self.set_field(&mut after, &name.to_lowercase(), value)?;
            }
        }
        if matches!(after.life, Life::New | Life::NeedMoney) && (after.power_on || links.is_some()) {
            return Err(form("IsPowerOn and LinkedNetworks", "left alone until the server is made"));
        }
        let (was_on, is_on) = (before.power_on, after.power_on);
        self.projects[project].change_server(now, id, |server| *server = after);
        if was_on != is_on {
            self.order(project, id, if is_on { Ask::On } else { Ask::Off { graceful: false } });
        }
        for link in before.links.iter().filter(|link| link.network != SHARED_NETWORK) {
            if links.as_ref().is_some_and(|links| !links.contains(&link.network)) {
                self.unlink(project, id, link.network);
            }
        }
        for network in links.unwrap_or_default() {
            if !before.links.iter().any(|link| link.network == network)
                && let Some(link) = self.private_link(project, network)
            {
                self.order(project, id, Ask::Plug(super::effect::interface(&link)));
                self.projects[project].change_server(now, id, |server| server.links.push(link));
            }
        }
        Ok(())
    }

    pub(super) fn unlink(&mut self, project: usize, server: u64, network: u64) {
        let now = self.now;
        let linked = self.projects[project].servers.get(&server);
        if linked.is_some_and(|server| server.links.iter().any(|link| link.network == network)) {
            self.projects[project]
                .change_server(now, server, |server| server.links.retain(|link| link.network != network));
            self.order(project, server, Ask::Unplug { network });
        }
    }

    fn networks_of(&self, project: usize, value: &Value) -> Result<Vec<u64>, DriftError> {
        let names = value.as_array().ok_or_else(|| form("LinkedNetworks", "a list of names"))?;
        let mut networks = Vec::new();
        for name in names {
            let name = match name {
                Value::String(name) => name.clone(),
                Value::Number(number) => number.to_string(),
                _ => return Err(form("LinkedNetworks", "a list of names")),
            };
            let (_, id) = self.find(Some(project), Kind::Network, &name)?;
            if !networks.contains(&id) {
                networks.push(id);
            }
        }
        Ok(networks)
    }

    pub(super) fn set_network(&mut self, project: usize, id: u64, fields: &Fields) -> Result<(), DriftError> {
        let now = self.now;
        for (field, _) in fields.iter() {
            if !["name", "state", "isdhcp"].contains(&field) {
                return Err(DriftError::Form(format!("a network has no field {field:?} that can be set")));
            }
        }
        let (name, state, dhcp) = (fields.text("Name")?, fields.text("State")?, fields.flag("IsDHCP")?);
        if let Some(name) = name {
            self.rename_network(project, id, &name);
        }
        self.projects[project].change_network(now, id, |network| {
            network.dhcp = dhcp.unwrap_or(network.dhcp);
            if let Some(word) = state {
                network.state_word =
                    Some(word).filter(|word| !word.eq_ignore_ascii_case(network.life.word()));
            }
        });
        Ok(())
    }

    /// A server that somebody else wants: what is left out has a default.
    pub(super) fn stranger(&self, fields: &Fields) -> Result<NewServer, DriftError> {
        let image = match (fields.id("ImageID")?, fields.text("Image")?) {
            (Some(id), _) => self.stock_images.iter().find(|image| image.id == id).map(Arc::clone),
            (None, Some(name)) => self.stock_image_named(&name),
            (None, None) => self.stock_image_named("Debian 12"),
        };
        let created = match fields.text("DateCreate")? {
            Some(text) => text.parse::<Timestamp>().map_err(|_| form("DateCreate", "RFC 3339"))?,
            None => self.now,
        };
        Ok(NewServer {
            name: fields.text("Name")?.ok_or_else(|| form("Name", "given"))?,
            shape: Shape {
                cpu: fields.count("CPU")?.unwrap_or(1),
                ram_mb: fields.count("RAM")?.unwrap_or(1024),
                hdd_gb: fields.count("HDD")?.unwrap_or(20),
                hdd_type: fields
                    .text("HDDType")?
                    .and_then(|word| DiskType::read(&word))
                    .unwrap_or(DiskType::Ssd),
                high: fields.flag("IsHighPerformance")?.unwrap_or(false),
            },
            image: image.ok_or_else(|| form("Image", "a stock image"))?,
            dc: self.location(fields)?,
            backup_days: 0,
            keys: Vec::new(),
            networks: Vec::new(),
            bandwidth: 10,
            created,
        })
    }

    /// Sets one field under its lower-case name.
    fn set_field(&self, server: &mut Server, name: &str, value: &Value) -> Result<(), DriftError> {
        let fields = Fields::of_object(&Map::from_iter([(name.to_owned(), value.clone())]));
        let needed = || form(name, "given");
        match name {
            "name" => server.name = fields.text(name)?.ok_or_else(needed)?,
            "cpu" => server.cpu = fields.count(name)?.ok_or_else(needed)?,
            "ram" => server.ram_mb = fields.count(name)?.ok_or_else(needed)?,
            "hdd" => server.hdd_gb = fields.count(name)?.ok_or_else(needed)?,
            "hddtype" => {
                let word = fields.text(name)?.ok_or_else(needed)?;
                server.hdd_type = DiskType::read(&word).ok_or_else(|| form(name, "SAS or SSD"))?;
            }
            "ispoweron" => server.power_on = fields.flag(name)?.ok_or_else(needed)?,
            "ishighperformance" => server.high = fields.flag(name)?.ok_or_else(needed)?,
            "dclocation" => server.dc_location = fields.text(name)?.ok_or_else(needed)?,
            "image" => {
                let word = fields.text(name)?.ok_or_else(needed)?;
                match self.stock_image_named(&word) {
                    Some(image) => server.take_image(&image),
                    None => server.image = word,
                }
            }
            "adminpassword" => server.admin_password = fields.text(name)?,
            "state" => show_state(server, fields.text(name)?),
            _ => return Err(DriftError::Form(format!("a server has no field {name:?} that can be set"))),
        }
        Ok(())
    }
}

fn form(field: &str, wanted: &str) -> DriftError {
    DriftError::Form(format!("{field} must be {wanted}"))
}

/// Blocking and coming back are real; any other word is only shown, as nobody can make a server new again.
fn show_state(server: &mut Server, word: Option<String>) {
    let settled = |life: Life| matches!(life, Life::Active | Life::Blocked);
    server.state_word = None;
    if let Some(word) = word {
        match Life::read(&word) {
            Some(life) if settled(life) && settled(server.life) => server.life = life,
            Some(life) if life == server.life => {}
            _ => server.state_word = Some(word),
        }
    }
}
