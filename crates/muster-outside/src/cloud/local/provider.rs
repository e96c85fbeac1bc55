//! The account `local` in the words of every cloud.

use async_trait::async_trait;
use muster_model::Secret;
use muster_model::account::AccountIdentity;
use muster_model::cloud::{Balance, NetworkSpec, SeenImage, SeenKey, SeenLocation, SeenNetwork, ServerSpec};
use muster_model::id::ProviderId;
use muster_model::infrastructure::local_size_problems;
use muster_model::inventory::SeenWorld;
use muster_model::server::{Power, SeenServer, Size};

use super::look::{from_local, refused};
use super::record::{NetworkRecord, ServerRecord, USER, linked};
use super::task::Task;
use super::{LOCATION, LocalCloud, offer};
use crate::cloud::{Cloud, CloudError, CloudErrorKind, same_key};
use crate::host::local::LocalError;

/// The longest name of a server or network.
const NAME_CHARS_MAX: usize = 200;

impl LocalCloud {
    /// What is wrong with a wish for a server, before anything of it exists.
    fn check(&self, spec: &ServerSpec) -> Result<(), String> {
        check_name(&spec.name)?;
        if !spec.location.eq_ignore_ascii_case(LOCATION) {
            return Err(format!("there is one location, {LOCATION}, and not {}", spec.location));
        }
        let image = &self.shared.image;
        if spec.image_id != image.id {
            return Err(format!("there is one image, {}, and not {}", image.technical, spec.image_id));
        }
        if spec.backup_days != 0 {
            return Err("this computer makes no backups of its machines".to_owned());
        }
        check_size(&spec.size)
    }
}

fn check_name(name: &str) -> Result<(), String> {
    let chars = name.chars().count();
    if chars == 0 || chars > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        return Err(format!("a name has 1 to {NAME_CHARS_MAX} characters and no control characters"));
    }
    Ok(())
}

fn check_size(size: &Size) -> Result<(), String> {
    let problems = local_size_problems(size);
    if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
}

/// A computer has machines and networks of its own, and nothing else that an account could have.
impl crate::cloud::Objects for LocalCloud {}

#[async_trait]
impl Cloud for LocalCloud {
    async fn identify(&self) -> Result<AccountIdentity, CloudError> {
        Ok(self.shared.identity.clone())
    }

    async fn observe(&self) -> Result<SeenWorld, CloudError> {
        Ok(SeenWorld {
            account: self.shared.identity.clone(),
            servers: self.servers().await?,
            networks: self.networks().await?,
            images: self.images().await?,
            locations: self.locations().await?,
            keys: self.keys().await?,
        })
    }

    async fn servers(&self) -> Result<Vec<SeenServer>, CloudError> {
        self.look().await.map_err(|error| from_local("list servers", &error))
    }

    async fn server(&self, id: &ProviderId) -> Result<Option<SeenServer>, CloudError> {
        let failed = |error: LocalError| from_local(&format!("read server {id}"), &error);
        let Some(record) = self.registry().server(id).map_err(failed)? else { return Ok(None) };
        if let (true, Some(reason)) = (record.is_stillborn(), &record.failed) {
            // It is in no list any more; who asks for it by its id made it and is told why there is none.
            return Err(refused(&reason.doing, &reason.reason));
        }
        self.shared.resume(std::slice::from_ref(&record));
        let machine = self.shared.machines.get(&record.machine().map_err(failed)?).await.map_err(failed)?;
        if self.is_gone(&record, machine.as_ref()) {
            self.forget(id).await.map_err(failed)?;
            return Ok(None);
        }
        Ok(Some(record.seen(machine.as_ref())))
    }

    async fn create_server(&self, spec: &ServerSpec, keys: &[ProviderId]) -> Result<SeenServer, CloudError> {
        let doing = format!("create server {}", spec.name);
        let failed = |error: LocalError| from_local(&doing, &error);
        self.check(spec).map_err(|why| refused(&doing, why))?;
        let record = {
            let _lock = self.registry().lock().await.map_err(failed)?;
            let known = self.registry().keys().map_err(failed)?.keys;
            let find = |id: &ProviderId| {
                let key = known.iter().find(|key| key.id == *id).cloned();
                key.ok_or_else(|| refused(&doing, format!("the account has no key {id}")))
            };
            let keys: Vec<SeenKey> = keys.iter().map(find).collect::<Result<_, _>>()?;
            let id = self.registry().fresh_id(&self.shared.world).map_err(failed)?;
            let password = self.shared.new_password(&id);
            let now = self.shared.world.clock.now();
            let record = ServerRecord::new(id, spec.clone(), &keys, password, now);
            // The one moment from which the server exists: before it nothing was done, after it nothing is lost.
            self.registry().put_server(&record).map_err(failed)?;
            record
        };
        self.shared.work(&record.id);
        Ok(record.seen(None))
    }

    async fn resize_server(&self, id: &ProviderId, to: &Size) -> Result<(), CloudError> {
        check_size(to).map_err(|why| refused(format!("resize server {id}"), why))?;
        let size = to.clone();
        self.ask(id, "resize server", Task::Resize(to.clone()), move |record, _| {
            if size.disk_gb < record.size_to_be().disk_gb {
                return Err(refused("resize server", "a disk cannot be reduced"));
            }
            Ok(true)
        })
        .await
    }

    async fn set_power(&self, id: &ProviderId, to: Power, graceful: bool) -> Result<(), CloudError> {
        let (doing, task) = match (to, graceful) {
            (Power::Running, _) => ("switch on server", Task::On),
            (Power::Stopped, true) => ("shut down server", Task::ShutDown),
            (Power::Stopped, false) => ("cut the power of server", Task::CutPower),
        };
        self.ask(id, doing, task, |_, _| Ok(true)).await
    }

    async fn link_network(&self, id: &ProviderId, network: &ProviderId) -> Result<(), CloudError> {
        let wanted = network.clone();
        self.ask(id, "link server", Task::Link(network.clone()), move |record, registry| {
            let failed = |error: LocalError| from_local("link server", &error);
            if registry.network(&wanted).map_err(failed)?.is_none() {
                let message = format!("there is no network {wanted}");
                return Err(CloudError::new(CloudErrorKind::NotFound, "link server", message));
            }
            let leaving = record.tasks.iter().any(|one| one.task == Task::Unlink(wanted.clone()));
            if record.links.contains(&wanted) && !leaving {
                return Ok(false);
            }
            record.links.retain(|link| *link != wanted);
            record.links.push(wanted);
            Ok(true)
        })
        .await
    }

    async fn unlink_network(&self, id: &ProviderId, network: &ProviderId) -> Result<(), CloudError> {
        let wanted = network.clone();
        self.ask(id, "unlink server", Task::Unlink(network.clone()), move |record, _| {
            Ok(record.links.contains(&wanted))
        })
        .await
    }

    async fn delete_server(&self, id: &ProviderId) -> Result<(), CloudError> {
        let doing = format!("delete server {id}");
        let failed = |error: LocalError| from_local(&doing, &error);
        let number = {
            let _lock = self.registry().lock().await.map_err(failed)?;
            let Some(mut record) = self.registry().server(id).map_err(failed)? else { return Ok(()) };
            match record.tasks.iter().find(|one| one.task == Task::Delete) {
                Some(asked) => asked.number,
                None => {
                    let number = record.ask(Task::Delete, self.shared.world.clock.now());
                    self.registry().put_server(&record).map_err(failed)?;
                    number
                }
            }
        };
        self.shared.work(id);
        self.ended(id, number, &doing, true).await
    }

    async fn action_in_progress(&self, id: &ProviderId) -> Result<bool, CloudError> {
        let failed = |error: LocalError| from_local(&format!("read server {id}"), &error);
        let Some(record) = self.registry().server(id).map_err(failed)? else { return Ok(false) };
        self.shared.resume(std::slice::from_ref(&record));
        Ok(!record.tasks.is_empty())
    }

    async fn first_login(&self, id: &ProviderId) -> Result<Option<(String, Secret)>, CloudError> {
        let failed = |error: LocalError| from_local(&format!("read the first login of server {id}"), &error);
        let Some(record) = self.registry().server(id).map_err(failed)? else { return Ok(None) };
        Ok(Some((USER.to_owned(), self.shared.password(&record).map_err(failed)?)))
    }

    async fn networks(&self) -> Result<Vec<SeenNetwork>, CloudError> {
        let failed = |error: LocalError| from_local("list networks", &error);
        let servers = self.registry().servers().map_err(failed)?;
        let networks = self.registry().networks().map_err(failed)?;
        Ok(networks.iter().map(|network| network.seen(&servers)).collect())
    }

    async fn create_network(&self, spec: &NetworkSpec) -> Result<SeenNetwork, CloudError> {
        let doing = format!("create network {}", spec.name);
        let failed = |error: LocalError| from_local(&doing, &error);
        check_name(&spec.name).map_err(|why| refused(&doing, why))?;
        if !spec.location.eq_ignore_ascii_case(LOCATION) {
            let why = format!("there is one location, {LOCATION}, and not {}", spec.location);
            return Err(refused(&doing, why));
        }
        let _lock = self.registry().lock().await.map_err(failed)?;
        let id = self.registry().fresh_id(&self.shared.world).map_err(failed)?;
        let record = NetworkRecord::new(id, spec.name.clone(), spec.dhcp);
        self.registry().put_network(&record).map_err(failed)?;
        Ok(record.seen(&[]))
    }

    async fn delete_network(&self, id: &ProviderId) -> Result<(), CloudError> {
        let doing = format!("delete network {id}");
        let failed = |error: LocalError| from_local(&doing, &error);
        let _lock = self.registry().lock().await.map_err(failed)?;
        let Some(record) = self.registry().network(id).map_err(failed)? else { return Ok(()) };
        let inside = linked(id, &self.registry().servers().map_err(failed)?);
        if !inside.is_empty() {
            let message = format!("{} servers are linked to network {}", inside.len(), record.name);
            return Err(refused(&doing, message));
        }
        self.registry().remove_network(id).map_err(failed)
    }

    async fn images(&self) -> Result<Vec<SeenImage>, CloudError> {
        Ok(vec![self.shared.image.clone()])
    }

    async fn locations(&self) -> Result<Vec<SeenLocation>, CloudError> {
        Ok(vec![offer::location()])
    }

    async fn keys(&self) -> Result<Vec<SeenKey>, CloudError> {
        Ok(self.registry().keys().map_err(|error| from_local("list keys", &error))?.keys)
    }

    async fn create_key(&self, title: &str, public_key: &str) -> Result<SeenKey, CloudError> {
        let doing = format!("add key {title}");
        let failed = |error: LocalError| from_local(&doing, &error);
        let line = public_key.trim();
        if line.is_empty() || line.contains(['\n', '\r', '\0']) {
            return Err(refused(&doing, "a public key is one line"));
        }
        let _lock = self.registry().lock().await.map_err(failed)?;
        let mut records = self.registry().keys().map_err(failed)?;
        if let Some(known) = records.keys.iter().find(|key| same_key(&key.public_key, line)) {
            return Ok(known.clone());
        }
        let id = self.registry().fresh_id(&self.shared.world).map_err(failed)?;
        let key = SeenKey { id, title: title.to_owned(), public_key: line.to_owned() };
        records.keys.push(key.clone());
        self.registry().put_keys(&records).map_err(failed)?;
        Ok(key)
    }

    async fn balance(&self) -> Result<Balance, CloudError> {
        Ok(Balance { amount: "nothing to pay".to_owned() })
    }
}
