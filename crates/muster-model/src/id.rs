//! Identifiers, a type each, so that a plan's id cannot stand where a run's belongs.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_id {
    ($(#[doc = $doc:literal] $name:ident;)*) => {$(
        #[doc = $doc]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(out)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                Uuid::parse_str(text).map($name)
            }
        }
    )*};
}

macro_rules! name_id {
    ($(#[doc = $doc:literal] $name:ident;)*) => {$(
        #[doc = $doc]
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                $name(text.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                $name(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(out)
            }
        }
    )*};
}

macro_rules! number_id {
    ($(#[doc = $doc:literal] $name:ident($inner:ty);)*) => {$(
        #[doc = $doc]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(out)
            }
        }
    )*};
}

uuid_id! {
    #[doc = "A plan: an ordered, hashable set of operations."]
    PlanId;
    #[doc = "A run: the durable execution of one plan; the correlation id of every event."]
    RunId;
    #[doc = "A node: one process that executes lanes."]
    NodeId;
}

name_id! {
    #[doc = "A Space; locally always `default`."]
    SpaceName;
    #[doc = "An account at a provider, as the person named it."]
    AccountName;
    #[doc = "An infrastructure file, named without its extension."]
    InfrastructureName;
    #[doc = "A server by the name that stands in (or follows from) the file, prefix included."]
    ServerName;
    #[doc = "A private network by the name that stands in the file, prefix included."]
    NetworkName;
    #[doc = "A group (tag) of servers."]
    GroupName;
    #[doc = "The provider's own identifier of an object."]
    ProviderId;
    #[doc = "A sealed secret's name, as used in `${secret:name}`."]
    SecretName;
}

number_id! {
    #[doc = "The number of a step inside its plan, from 1."]
    StepNumber(u32);
    #[doc = "The number of a lane inside its run, from 0."]
    LaneNumber(u16);
    #[doc = "A fencing token: a write with an older one is refused."]
    Fence(u64);
    #[doc = "A sequence number of a journal entry, dense per lane, from 1."]
    Sequence(u64);
    #[doc = "Which attempt at a step, from 1."]
    Attempt(u32);
    #[doc = "The generation of an observed world: rises with every observation of one subject."]
    Generation(u64);
    #[doc = "The number of a revision of one infrastructure at one account, from 1 without gaps."]
    RevisionNumber(u32);
}
