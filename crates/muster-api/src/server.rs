//! Servers as said: what the provider shows now, and which file owns each.

use jiff::Timestamp;
use muster_model::id::InfrastructureName;
use muster_model::server::SeenServer;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::document::{Resource, Said};

/// What is said about a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServerAttributes {
    /// The name at the provider.
    pub name: String,
    /// The account it was seen at.
    pub account: String,
    /// The file that owns it; none for a stranger.
    pub infrastructure: Option<String>,
    /// The provider's word for its state.
    pub state: String,
    /// `running` or `stopped`.
    pub power: String,
    /// Processor cores.
    pub cpu: u32,
    /// Memory, in MB.
    pub ram_mb: u32,
    /// Disk, in GB.
    pub disk_gb: u32,
    /// The kind of disk.
    pub disk_type: String,
    /// The pool: `base` or `high`.
    pub performance: String,
    /// The place: the provider's technical word.
    pub location: String,
    /// The image: the provider's technical name.
    pub image: String,
    /// Its public address, once it has one.
    pub address: Option<String>,
    /// Addresses in private networks.
    pub private_addresses: Vec<String>,
    /// When it was made, where the provider says so.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub created_at: Option<Timestamp>,
}

impl Said for ServerAttributes {
    const TYPE: &'static str = "servers";
}

impl ServerAttributes {
    /// The server in the words of the API; its id is the provider's.
    pub fn resource(
        account: &str,
        server: &SeenServer,
        owner: Option<&InfrastructureName>,
    ) -> Resource<ServerAttributes> {
        let private = server.links.iter().filter(|link| !link.public && !link.address.is_empty());
        let said = ServerAttributes {
            name: server.name.clone(),
            account: account.to_owned(),
            infrastructure: owner.map(ToString::to_string),
            state: server.state.to_string(),
            power: server.power().to_string(),
            cpu: server.size.cpu,
            ram_mb: server.size.ram_mb,
            disk_gb: server.size.disk_gb,
            disk_type: server.size.disk_type.clone(),
            performance: server.size.performance.to_string(),
            location: server.location.clone(),
            image: server.image.clone(),
            address: server.address.clone(),
            private_addresses: private.map(|link| link.address.clone()).collect(),
            created_at: server.created_at,
        };
        Resource::new(server.id.as_str(), said)
    }
}
