//! The 1cloud API, simulated: servers, actions, images, data centres, private and public networks, keys, money, DNS
//! and storage; all 49 of its endpoints.
//!
//! The idea: one `world` that knows nothing of HTTP and moves only when it is told what time it is; requests are
//! read (`route`, `input`), bent by `fault`s, performed on the world and written (`view`). Time is lazy: each
//! request first lets everything happen that was due. Nothing is drawn from chance: numbers come from counters,
//! passwords and hardware addresses from the seed, so that a test can be replayed.
//!
//! Facts and their confidence come from public clients and documentation of the API; what is uncertain there is a
//! [`Switches`] field here.

mod account;
mod action;
mod catalog;
mod chance;
mod control;
mod counters;
mod create;
mod dns;
mod drift;
mod drift_server;
mod durations;
mod effect;
mod fault;
mod history;
mod image;
mod input;
mod journal;
mod key;
mod location;
mod money;
mod network;
mod object;
mod order;
mod perform;
mod project;
mod public_network;
mod queue;
mod quota;
mod record;
mod record_data;
mod refusal;
mod refusal_table;
mod refusal_world;
mod request;
mod route;
mod rules;
mod seed;
mod server;
mod simulator;
mod storage;
mod storage_user;
mod switches;
mod view;
mod world;

pub use catalog::{DATA_CENTRES, DataCentre, DiskType, Family, IMAGES, StockImage};
pub use drift::{Change, Drift, DriftError, Kind};
pub use durations::{Durations, DurationsError};
pub use fault::{Fault, FaultError, FaultRule};
pub use image::Image;
pub use journal::JournalEntry;
pub use object::{Action, ActionState, Life, Link, Network, Server, SshKey};
pub use public_network::{Firewall, FirewallRule, Protocol, Tunnel, Vpn};
pub use record::RecordType;
pub use refusal_table::{RefusalRow, refusals};
pub use refusal_world::{RefusalStep, RefusalWorld, RefusalWorldError, refusal_steps};
pub use request::{Outcome, RawRequest};
pub use simulator::{Simulator, SimulatorConfig};
pub use switches::{EndDateWhileRunning, Limits, RateLimit, Switches};
