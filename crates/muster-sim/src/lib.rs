//! What pretends to be the world: simulated clouds over HTTP, with a virtual clock, drift, faults and a journal.
//!
//! Here live servers that speak a provider's own protocol. They are written from the facts about that provider
//! and share no type with our clients, so that a mistake in a client cannot agree with itself. What a test wants
//! to change behind the client's back goes through `/_sim/…` or through the typed methods of the simulator.
//!
//! Not here: clients, plans, stores. Real machines behind simulated servers stand behind
//! [`machines::Machines`], so that the simulation itself never touches the host.

pub mod in_process;
pub mod machines;
pub mod onecloud;
mod serve;

pub use serve::serve;
