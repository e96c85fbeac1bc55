//! Releases as said: what one server keeps of one code.

use muster_model::code::{ReleaseWish, SeenReleases};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::document::{Resource, Said};

/// The releases that one server keeps at one place, or why they are not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReleasesAttributes {
    /// The server's name in the file.
    pub server: String,
    /// Its account, where the file has servers at several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The directory on it that holds `releases/` and `current`.
    pub to: String,
    /// Why they are not known.
    pub error: Option<String>,
    /// The name of the current one.
    pub current: Option<String>,
    /// The name of one that was switched to, and nobody knows whether it is healthy.
    pub unfinished: Option<String>,
    /// Newest first.
    pub releases: Vec<ReleaseAttributes>,
}

/// One release.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReleaseAttributes {
    /// Its name.
    pub name: String,
    /// Its number: the same on all servers that it was delivered to together, and one server may count on from another
    /// one's. The name is the same everywhere. None for one of an earlier version of Muster.
    pub number: Option<u32>,
    /// The commit it was made from, or the digest of the archive.
    pub revision: Option<String>,
    /// Where its code came from.
    pub source: Option<String>,
    /// When it was last switched to.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<jiff::Timestamp>,
}

impl Said for ReleasesAttributes {
    const TYPE: &'static str = "releases";
}

impl ReleasesAttributes {
    /// As a resource; its id is the server with the directory, and with the account where there are several.
    pub fn resource(seen: &SeenReleases) -> Resource<ReleasesAttributes> {
        let said = ReleasesAttributes {
            server: seen.server.to_string(),
            account: seen.account.as_ref().map(ToString::to_string),
            to: seen.to.clone(),
            error: seen.error.clone(),
            current: seen.current.clone(),
            unfinished: seen.unfinished.as_ref().map(|(release, _)| release.clone()),
            releases: seen
                .releases
                .iter()
                .map(|release| ReleaseAttributes {
                    name: release.name.clone(),
                    number: release.number,
                    revision: release.revision.clone(),
                    source: release.source.clone(),
                    at: release.at,
                })
                .collect(),
        };
        let account = seen.account.as_ref().map_or_else(String::new, |account| format!("{account}:"));
        Resource::new(format!("{account}{}:{}", seen.server, seen.to), said)
    }
}

/// Which release to go back to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseWishSaid {
    /// The directory on the servers; may be left out where the file delivers to one only.
    #[serde(default)]
    pub to: Option<String>,
    /// Its number, its name, or the beginning of its name.
    pub release: String,
}

impl From<ReleaseWish> for ReleaseWishSaid {
    fn from(wish: ReleaseWish) -> ReleaseWishSaid {
        ReleaseWishSaid { to: wish.to, release: wish.release }
    }
}

impl From<ReleaseWishSaid> for ReleaseWish {
    fn from(said: ReleaseWishSaid) -> ReleaseWish {
        ReleaseWish { to: said.to, release: said.release }
    }
}
