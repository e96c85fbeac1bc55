//! The 1cloud API, simulated: servers, actions, images, data centres, private networks, keys, money.
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
mod create;
mod drift;
mod durations;
mod effect;
mod fault;
mod history;
mod input;
mod journal;
mod key;
mod money;
mod network;
mod object;
mod order;
mod project;
mod queue;
mod refusal;
mod request;
mod route;
mod rules;
mod seed;
mod server;
mod simulator;
mod switches;
mod view;
mod world;

pub use catalog::{DATA_CENTRES, DataCentre, DiskType, Family, IMAGES, Image};
pub use drift::{Change, Drift, DriftError};
pub use durations::{Durations, DurationsError};
pub use fault::{Fault, FaultError, FaultRule};
pub use journal::JournalEntry;
pub use object::{Action, ActionState, Life, Link, Network, Server, SshKey};
pub use request::{Outcome, RawRequest};
pub use simulator::{Simulator, SimulatorConfig};
pub use switches::{EndDateWhileRunning, Limits, RateLimit, Switches};
