//! The objects of a 1cloud account: images, networks of both kinds, keys, domains, storage
//! (`spec/onecloud-api.md` §1.2, rows 6–8, 11–13, 15–49).

use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};

use async_trait::async_trait;
use muster_model::Secret;
use muster_model::id::ProviderId;
use muster_model::object::{FieldValue, Fields, ObjectClass, ObjectDraft, ObjectVerb, SeenObject};
use muster_model::server::SeenServer;
use serde_json::Value;

use super::answer::{amount, read, value};
use super::client::{OneCloud, absent_is_none, gone_is};
use super::{meaning as server_meaning, request as server_request, wire};
use crate::cloud::objects::{Objects, Told};
use crate::cloud::{CloudError, CloudErrorKind};

mod dns;
mod json;
mod meaning;
mod request;

use json::Json;

impl OneCloud {
    /// Carries out a call whose answer is one object or a list.
    async fn ask_json(&self, ask: &server_request::Ask) -> Result<Value, CloudError> {
        self.call(ask, |body, hidden| value(ask, body, hidden)).await
    }

    async fn list(&self, class: ObjectClass) -> Result<Vec<SeenObject>, CloudError> {
        let ask = request::list(class);
        let value = self.ask_json(&ask).await?;
        let Value::Array(items) = value else { return Err(odd(&ask, "a list")) };
        items
            .iter()
            .map(|item| meaning::object(class, Json(item)).ok_or_else(|| odd(&ask, "objects with an id")))
            .collect()
    }

    async fn one(&self, ask: &server_request::Ask, class: ObjectClass) -> Result<SeenObject, CloudError> {
        let value = self.ask_json(ask).await?;
        meaning::object(class, Json(&value)).ok_or_else(|| odd(ask, "an object with an id"))
    }

    /// A domain with its records.
    async fn zone(&self, id: &ProviderId) -> Result<(SeenObject, Vec<SeenObject>), CloudError> {
        let ask = request::one(ObjectClass::Zone, id);
        let value = self.ask_json(&ask).await?;
        let zone = meaning::object(ObjectClass::Zone, Json(&value)).ok_or_else(|| odd(&ask, "a domain"))?;
        self.domains().insert(id.clone(), zone.clone());
        let records = Json(&value).list("LinkedRecords");
        let records = records.into_iter().filter_map(|record| dns::record(&zone, record)).collect();
        Ok((zone, records))
    }

    fn domains(&self) -> MutexGuard<'_, HashMap<ProviderId, SeenObject>> {
        self.domains.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A domain for its name, which is read once: its answer holds all of its records.
    async fn domain(&self, id: &ProviderId) -> Result<SeenObject, CloudError> {
        let known = self.domains().get(id).cloned();
        match known {
            Some(zone) => Ok(zone),
            None => Ok(self.zone(id).await?.0),
        }
    }

    /// A write whose answer shows the object, or, where it does not, what was asked for.
    async fn told(
        &self,
        ask: &server_request::Ask,
        class: ObjectClass,
        seen: impl Fn(Json<'_>) -> Option<SeenObject>,
    ) -> Result<Told, CloudError> {
        let value = self.ask_json(ask).await?;
        let json = Json(&value);
        // An answer that names no object leaves unknown what was made.
        let seen = seen(json).ok_or_else(|| CloudError {
            kind: CloudErrorKind::UnknownOutcome,
            ..odd(ask, &format!("a {}", class.word()))
        })?;
        let password = match class {
            ObjectClass::StorageUser => json.text("Password").map(Secret::new),
            _ => None,
        };
        Ok(Told { seen, password })
    }
}

fn odd(ask: &server_request::Ask, expected: &str) -> CloudError {
    let message = format!("the answer has an unexpected shape: expected {expected}");
    CloudError::new(CloudErrorKind::Refused, ask.doing.clone(), message)
}

#[async_trait]
impl Objects for OneCloud {
    async fn objects(
        &self,
        class: ObjectClass,
        of: Option<&ProviderId>,
    ) -> Result<Vec<SeenObject>, CloudError> {
        match (class, of) {
            (ObjectClass::Record, Some(zone)) => Ok(self.zone(zone).await?.1),
            (ObjectClass::Record, None) => Err(CloudError::new(
                CloudErrorKind::Refused,
                "list records",
                "records are listed domain by domain",
            )),
            (ObjectClass::Storage, _) => {
                let ask = request::storage();
                let value = absent_is_none(self.ask_json(&ask).await)?.unwrap_or(Value::Null);
                Ok(meaning::storage(Json(&value)).into_iter().collect())
            }
            (ObjectClass::Action, Some(server)) => {
                let ask = server_request::actions(server);
                let value = self.ask_json(&ask).await?;
                let Value::Array(items) = value else { return Err(odd(&ask, "a list")) };
                let read =
                    |item| meaning::object(class, Json(item)).ok_or_else(|| odd(&ask, "actions with an id"));
                let actions: Result<Vec<SeenObject>, CloudError> = items.iter().map(read).collect();
                Ok(actions?
                    .into_iter()
                    .map(|action| SeenObject { of: Some(server.clone()), ..action })
                    .collect())
            }
            (ObjectClass::Action, None) => Err(CloudError::new(
                CloudErrorKind::Refused,
                "list actions",
                "actions are listed server by server",
            )),
            // Without a storage there is nobody who uses it.
            (ObjectClass::StorageUser, _) => Ok(absent_is_none(self.list(class).await)?.unwrap_or_default()),
            (class, _) => self.list(class).await,
        }
    }

    async fn object(
        &self,
        class: ObjectClass,
        of: Option<&ProviderId>,
        id: &ProviderId,
    ) -> Result<Option<SeenObject>, CloudError> {
        match (class, of) {
            (ObjectClass::Record, Some(zone)) => {
                let ask = request::record(id);
                let Some(zone) = gone_is(self.domain(zone).await.map(Some), None)? else { return Ok(None) };
                let value = gone_is(self.ask_json(&ask).await.map(Some), None)?;
                Ok(value.and_then(|value| dns::record(&zone, Json(&value))))
            }
            (ObjectClass::Action, Some(server)) => {
                let ask = request::action(server, id);
                gone_is(self.one(&ask, class).await.map(Some), None)
            }
            (
                ObjectClass::Network
                | ObjectClass::PublicNetwork
                | ObjectClass::Key
                | ObjectClass::Zone
                | ObjectClass::StorageUser,
                _,
            ) => gone_is(self.one(&request::one(class, id), class).await.map(Some), None),
            (ObjectClass::Image | ObjectClass::Storage | ObjectClass::Record | ObjectClass::Action, _) => {
                Ok(self.objects(class, of).await?.into_iter().find(|object| object.id == *id))
            }
        }
    }

    async fn create_object(&self, draft: &ObjectDraft) -> Result<Told, CloudError> {
        match (draft.class, &draft.of) {
            (ObjectClass::Record, Some(id)) => {
                let zone = self.domain(id).await?;
                let ask = dns::create(&zone, draft)?;
                self.told(&ask, draft.class, |json| dns::record(&zone, json)).await
            }
            (ObjectClass::Storage, _) => {
                let ask = request::activate_storage();
                self.told(&ask, draft.class, meaning::storage).await
            }
            (class, _) => {
                let ask = request::create(draft);
                self.told(&ask, class, |json| meaning::object(class, json)).await
            }
        }
    }

    async fn change_object(
        &self,
        class: ObjectClass,
        of: Option<&ProviderId>,
        id: &ProviderId,
        name: &str,
        to: &Fields,
    ) -> Result<(), CloudError> {
        let ask = match (class, of) {
            (ObjectClass::Record, Some(zone)) => {
                let zone = self.domain(zone).await?;
                let draft = ObjectDraft { class, name: name.to_owned(), of: of.cloned(), fields: to.clone() };
                dns::change(&zone, id, &draft)?
            }
            (class, _) => request::change(class, id, name, to),
        };
        self.change(&ask).await
    }

    async fn delete_object(&self, was: &ObjectDraft, id: &ProviderId) -> Result<(), CloudError> {
        let ask = request::delete(was, id);
        gone_is(self.change(&ask).await, ())
    }

    async fn tell_object(
        &self,
        class: ObjectClass,
        id: &ProviderId,
        verb: ObjectVerb,
    ) -> Result<Told, CloudError> {
        let ask = request::tell(id, verb);
        self.told(&ask, class, |json| meaning::object(class, json)).await
    }

    async fn rebuild_server(
        &self,
        id: &ProviderId,
        image: &ProviderId,
        sysprep: bool,
    ) -> Result<(), CloudError> {
        self.change(&request::rebuild(id, image, sysprep)).await
    }

    async fn copy_server(
        &self,
        id: &ProviderId,
        name: &str,
        network: Option<&ProviderId>,
    ) -> Result<SeenServer, CloudError> {
        let ask = request::copy(id, name, network);
        self.call(&ask, |body, hidden| {
            let server: wire::Server<'_> = read(&ask, body, hidden)?;
            Ok(server_meaning::server(server, server_meaning::SoFar(None)))
        })
        .await
    }

    async fn set_bandwidth(&self, id: &ProviderId, link: &ProviderId, mbit: u32) -> Result<(), CloudError> {
        self.change(&request::bandwidth(id, link, mbit)).await
    }

    async fn account_details(&self) -> Result<Fields, CloudError> {
        let (account, project) = (server_request::account(), server_request::project());
        let balance = server_request::balance();
        let (account, project, amount) = futures::try_join!(
            async { absent_is_none(self.ask_json(&account).await) },
            async { absent_is_none(self.ask_json(&project).await) },
            self.call(&balance, amount),
        )?;
        let mut fields = Fields::new();
        if let Some(account) = &account {
            meaning::account(Json(account), &mut fields);
        }
        if let Some(project) = &project {
            meaning::project(Json(project), &mut fields);
        }
        fields.insert("balance".into(), FieldValue::Text(amount));
        Ok(fields)
    }
}
