//! What a plan about objects is made from.

use std::collections::BTreeMap;
use std::sync::Arc;

use muster_model::id::{ProviderId, SpaceName};
use muster_model::intent::{Created, IntentState};
use muster_model::object::{ObjectClass, ObjectWish, SeenObject};
use muster_model::ownership::ObjectKind;
use muster_planner::SeenObjects;
use muster_store::RevisionsOf;

use super::failed;
use crate::account::Session;
use crate::engine::Inner;
use crate::error::EngineError;

/// The most domains that one plan may be about.
const ZONES_MAX: usize = 100;

impl Inner {
    /// Reads the lists that these wishes need, and nothing else.
    pub(super) async fn observe_objects(
        &self,
        space: &SpaceName,
        session: &Arc<Session>,
        wishes: &[ObjectWish],
    ) -> Result<SeenObjects, EngineError> {
        let cloud = &session.cloud;
        let (classes, zones) = muster_planner::needed_lists(wishes);
        if zones.len() > ZONES_MAX {
            return Err(EngineError::Invalid(format!(
                "these are records of {} domains; {ZONES_MAX} at most in one plan, since each is read",
                zones.len()
            )));
        }
        let mut seen = SeenObjects::default();
        for class in &classes {
            seen.objects.extend(cloud.objects(*class, None).await.map_err(failed)?);
        }
        for zone in zones {
            let same = |seen: &&SeenObject| {
                seen.class == ObjectClass::Zone
                    && (seen.id.as_str() == zone || ObjectClass::Zone.same_name(&seen.name, &zone))
            };
            // One that is not there is told by the planner, with the nearest.
            if let Some(found) = seen.objects.iter().find(same).map(|zone| zone.id.clone()) {
                seen.objects.extend(cloud.objects(ObjectClass::Record, Some(&found)).await.map_err(failed)?);
            }
        }
        let of_servers = |wish: &ObjectWish| {
            matches!(
                wish,
                ObjectWish::Rebuilt { .. }
                    | ObjectWish::Copied { .. }
                    | ObjectWish::Present { class: ObjectClass::Image, .. }
            )
        };
        if wishes.iter().any(of_servers) {
            seen.servers = cloud.servers().await.map_err(failed)?;
        }
        if wishes.iter().any(|wish| matches!(wish, ObjectWish::Rebuilt { .. })) {
            seen.images = cloud.images().await.map_err(failed)?;
        }
        let placed = [ObjectClass::Network, ObjectClass::PublicNetwork];
        if classes.iter().any(|class| placed.contains(class)) {
            seen.locations = cloud.locations().await.map_err(failed)?;
        }
        let facts = self.store.facts(&session.account.identity).await?;
        seen.owned = facts.owned;
        seen.keys = self.keys_of_files(space, session, wishes, &seen).await?;
        let is_open = |state: &IntentState| *state == IntentState::Open;
        seen.intents = facts
            .intents
            .into_iter()
            .filter(|intent| matches!(intent.wanted, Created::Object(_)) && is_open(&intent.state))
            .collect();
        if classes.contains(&ObjectClass::Key) {
            seen.login_key = Some(self.login_key(&session.account).await?);
        }
        Ok(seen)
    }

    /// The public keys that files want on their servers which are to be made anew, from what was applied last: a new disk
    /// has none of them.
    async fn keys_of_files(
        &self,
        space: &SpaceName,
        session: &Arc<Session>,
        wishes: &[ObjectWish],
        seen: &SeenObjects,
    ) -> Result<BTreeMap<ProviderId, Vec<String>>, EngineError> {
        let mut keys = BTreeMap::new();
        for wish in wishes {
            let ObjectWish::Rebuilt { server, .. } = wish else { continue };
            // One that is not there is told by the planner.
            let Ok(server) = muster_planner::the_server(&seen.servers, server) else { continue };
            let mut ours = seen.owned.iter();
            let Some(record) =
                ours.find(|record| record.kind == ObjectKind::Server && record.id == server.id)
            else {
                continue;
            };
            let of = RevisionsOf {
                space: space.clone(),
                infrastructure: record.infrastructure.clone(),
                account: session.account.name.clone(),
            };
            let newest = self.store.revisions(&of, None, 1).await?;
            let Some(revision) = newest.into_iter().find(|revision| revision.is_kept) else { continue };
            let Some(inputs) = self.store.plan_inputs(revision.run.plan).await? else { continue };
            if let Some(wanted) = inputs.wanted.servers.iter().find(|wanted| wanted.name == record.name) {
                keys.insert(server.id.clone(), wanted.keys.clone());
            }
        }
        Ok(keys)
    }
}
