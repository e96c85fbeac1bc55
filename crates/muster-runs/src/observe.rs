//! Looking at the world: what the provider shows, put together with what we remember about it.

use std::sync::Arc;

use muster_model::id::SpaceName;
use muster_model::intent::Created;
use muster_model::inventory::Inventory;
use muster_model::plan::Subject;

use crate::account::Session;
use crate::engine::Inner;
use crate::error::EngineError;

impl Inner {
    /// One observation: the provider's lists, then our facts about that account.
    ///
    /// The facts are read after the lists: a record written meanwhile then stands for an object that the lists may
    /// not show yet, which plans nothing; the other way round an object would look like a stranger.
    pub(crate) async fn observe(
        &self,
        space: &SpaceName,
        session: &Arc<Session>,
        subject: &Subject,
    ) -> Result<Inventory, EngineError> {
        let world = session.cloud.observe().await.map_err(|error| EngineError::Outside(error.to_string()))?;
        if world.account != session.account.identity {
            return Err(EngineError::Refused(format!(
                "account {} was registered as {}, and the provider says its key belongs to {}; register it anew \
                 with `muster register {}` if that is meant",
                session.account.name, session.account.identity, world.account, session.account.name
            )));
        }
        self.keep_offers(space, session, &world.images, &world.locations);
        let facts = self.store.facts(&session.account.identity).await?;
        let generation = self.store.next_generation(subject).await?;
        let login_key = self.login_key(&session.account).await?;
        Ok(Inventory {
            generation,
            seen_at: self.world.clock.now(),
            world,
            owned: facts.owned,
            // Creates of other objects of the account are no file's concern.
            intents: facts
                .intents
                .into_iter()
                .filter(|intent| !matches!(intent.wanted, Created::Object(_) | Created::Copy(_)))
                .collect(),
            login_key: Some(login_key),
            releases: Vec::new(),
            zones: Vec::new(),
            public_networks: Vec::new(),
        })
    }
}
