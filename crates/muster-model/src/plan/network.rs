//! What is done about links beyond linking and unlinking: their speed, the guest's interfaces, and the proof that
//! the servers of a network reach each other.

use serde::{Deserialize, Serialize};

use crate::bundle::sha256_hex;
use crate::id::{NetworkName, ProviderId, ServerName};
use crate::public_network::PublicNetworkSpec;

use super::action::ObjectRef;

/// Set the speed of one link (class *ensure*).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetBandwidth {
    /// The server's name in the file.
    pub name: ServerName,
    /// Which server.
    pub server: ObjectRef,
    /// Which of its links.
    pub link: WhichLink,
    /// The speed it gets, in Mbit/s.
    pub to_mbit: u32,
}

/// One of a server's links.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhichLink {
    /// The one to the provider's public network.
    Public,
    /// The one to a private network.
    Network {
        /// The network's name in the file.
        name: NetworkName,
        /// Which network.
        network: ObjectRef,
    },
}

/// Configure the guest's interface of one link, over SSH (class *ensure*).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigureInterface {
    /// The server's name in the file.
    pub name: ServerName,
    /// Which server.
    pub server: ObjectRef,
    /// The network's name in the file.
    pub network_name: NetworkName,
    /// Which network.
    pub network: ObjectRef,
    /// Whether the network hands addresses out; else the guest is told the one that the link bears.
    pub dhcp: bool,
}

/// Take away what was configured for a link that goes, over SSH (class *ensure*). A server that does not answer
/// does not hinder the unlink that follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseInterface {
    /// The server's name in the file.
    pub name: ServerName,
    /// Which server.
    pub server: ObjectRef,
    /// The network's name, for people.
    pub network_name: NetworkName,
    /// Which network.
    pub network: ProviderId,
}

/// A server in a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkHost {
    /// Its name in the file.
    pub name: ServerName,
    /// Which server.
    pub server: ObjectRef,
}

/// Who is to reach whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkPair {
    /// The server that tries.
    pub from: NetworkHost,
    /// The server that should answer.
    pub to: NetworkHost,
}

/// An operation on a public network of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PublicNetworkAction {
    /// Make it (class *create*).
    Create {
        /// Its name in the file.
        name: NetworkName,
        /// What to ask for.
        spec: PublicNetworkSpec,
        /// Ids that bear this name already.
        known_ids: Vec<ProviderId>,
        /// Whether the file protects it.
        protect: bool,
    },
    /// Give it its name and its speed (class *ensure*).
    Change {
        /// Its name in the file, and at the provider afterwards.
        name: NetworkName,
        /// Its id.
        network: ProviderId,
        /// Its speed when planned, in Mbit/s, where the provider said it; another one at that moment stops the step.
        expected_mbit: Option<u32>,
        /// The speed it gets, in Mbit/s.
        to_mbit: u32,
    },
    /// Delete it (class *ensure*).
    Delete {
        /// Its name in the file.
        name: NetworkName,
        /// Its id.
        network: ProviderId,
    },
}

/// The key under which a server's record keeps that its interface in a network is configured, with the digest of
/// [`interface_digest`]; an empty digest says that the configuration was taken away again.
pub fn interface_record(network: &ProviderId) -> String {
    format!("builtin:interface:{network}")
}

/// The key under which a server's record keeps that it reached another one in a network; same digest.
pub fn reached_record(network: &ProviderId) -> String {
    format!("builtin:reached:{network}")
}

/// What an interface's configuration is made from (SHA-256, hex): a link with another address is configured anew. Where
/// the network hands addresses out, the guest follows that by itself; the provider may tell the address late or never.
pub fn interface_digest(dhcp: bool, mac: &str, address: &str) -> String {
    let (mode, address) = if dhcp { ("dhcp", "") } else { ("static", address.trim()) };
    let text = format!("{mode}\n{}\n{address}\n", mac.trim().to_ascii_lowercase());
    sha256_hex(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::interface_digest;

    #[test]
    fn a_digest_tells_links_apart() {
        let one = interface_digest(false, "00:50:56:00:00:0A", "10.0.0.2");
        assert_eq!(one, interface_digest(false, " 00:50:56:00:00:0a", "10.0.0.2 "));
        for other in [
            interface_digest(true, "00:50:56:00:00:0a", "10.0.0.2"),
            interface_digest(false, "00:50:56:00:00:0b", "10.0.0.2"),
            interface_digest(false, "00:50:56:00:00:0a", "10.0.0.3"),
        ] {
            assert_ne!(one, other);
        }
    }
    /// An address that is told late, or changes, is the network's business.
    #[test]
    fn an_address_that_is_handed_out_is_not_part_of_it() {
        let one = interface_digest(true, "00:50:56:00:00:0a", "");
        assert_eq!(one, interface_digest(true, "00:50:56:00:00:0a", "10.0.0.2"));
        assert_ne!(one, interface_digest(true, "00:50:56:00:00:0b", ""));
    }
}
