//! The stand-in that tests of others use: what they see must be what a provider shows.

use std::sync::Arc;

use async_trait::async_trait;
use muster_model::id::ProviderId;
use muster_model::server::{ServerState, Size};
use muster_outside::cloud::memory::{MemoryCloud, Scripted, small};
use muster_outside::cloud::{Cloud, CloudErrorKind};

use super::suite::setting::{Ability, Setting};

pub const CANNOT: &[(Ability, &str)] = &[
    (Ability::SlowCreate, "everything happens at once unless a test says otherwise"),
    (Ability::SlowDelete, "everything happens at once"),
    (Ability::SizeLimits, "it refuses nothing that a script does not tell it to refuse"),
    (Ability::NetworkInUse, "it refuses nothing that a script does not tell it to refuse"),
];

/// The stand-in, empty.
pub struct StandIn(Arc<MemoryCloud>);

impl StandIn {
    pub fn new() -> StandIn {
        StandIn(MemoryCloud::shared())
    }
}

#[async_trait]
impl Setting for StandIn {
    fn cannot(&self) -> &'static [(Ability, &'static str)] {
        CANNOT
    }
    fn cloud(&self) -> &dyn Cloud {
        &*self.0
    }
    async fn anew(&self) -> Arc<dyn Cloud> {
        self.0.clone()
    }
    fn location(&self) -> &'static str {
        "SdnSpb"
    }
    fn size(&self) -> Size {
        small()
    }
    fn larger(&self) -> Size {
        Size { cpu: 2, ram_mb: 2_048, ..small() }
    }
    fn impossible(&self) -> Size {
        Size { cpu: 1_000, ..small() }
    }
    async fn pass(&self) {}
    async fn lose_answer(&self) {
        let kind = CloudErrorKind::UnknownOutcome;
        self.0.script(Scripted { method: "create_server", after: 0, times: 1, kind, effect: true });
    }
    async fn put_into(&self, id: &ProviderId, state: &str) {
        let mut held = self.0.state();
        let server = held.world.servers.iter_mut().find(|server| server.id == *id).unwrap();
        server.state = ServerState::Other(state.to_owned());
    }
}
