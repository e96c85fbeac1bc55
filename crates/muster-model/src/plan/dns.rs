//! Actions on the records that give servers of a file their names in DNS.

use serde::{Deserialize, Serialize};

use crate::dns::ServerRecord;
use crate::id::{ProviderId, ServerName};
use crate::intent::CreationIntent;
use crate::object::record::RecordType;

use super::action::ObjectRef;

/// An operation on records that Muster keeps for servers of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DnsAction {
    /// Records of a name say a server's addresses.
    Point(PointName),
    /// Delete a record (class *ensure*: gone is gone).
    Delete(DeleteRecord),
}

/// Let a name lead to a server (class *create*: what is missing is made, each record under an intent of its own; a
/// record of ours that says something else is changed). Which addresses these are is known when the step runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointName {
    /// The server's name in the file.
    pub name: ServerName,
    /// Which server.
    pub server: ObjectRef,
    /// The whole name in DNS.
    pub record: String,
    /// The domain's id.
    pub zone: ProviderId,
    /// The domain's name.
    pub zone_name: String,
    /// How long it may be remembered, in seconds; none leaves it as it is.
    pub ttl: Option<u32>,
    /// Our records of it as they were when planned; other values at that moment stop the step.
    pub ours: Vec<KnownRecord>,
}

/// A record of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownRecord {
    /// Its id.
    pub id: ProviderId,
    /// Its type.
    pub kind: RecordType,
    /// What it said; none where it was not to be seen.
    pub value: Option<String>,
}

/// Delete a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteRecord {
    /// Which record of which server.
    pub record: ServerRecord,
    /// Its id.
    pub id: ProviderId,
    /// What it said when planned; another value at that moment stops the step.
    pub value: String,
    /// The create whose answer was lost that made it, where one did.
    pub settles: Option<Box<CreationIntent>>,
}
