//! What things are: the nouns of Muster and the rules inside one noun.
//!
//! Pure by construction: no async, no I/O, no clock, no randomness, no environment. What should change is
//! decided in `muster-planner`; how it is done, in `muster-outside`; what is remembered, in `muster-store`.

pub mod account;
pub mod ansible;
pub mod bundle;
pub mod cloud;
pub mod code;
pub mod config;
pub mod diagnostic;
pub mod dns;
pub mod document;
pub mod field;
pub mod id;
pub mod infrastructure;
pub mod intent;
pub mod inventory;
pub mod limit;
pub mod object;
pub mod ownership;
pub mod plan;
pub mod policy;
pub mod price;
pub mod public_network;
pub mod revision;
pub mod rights;
pub mod run;
pub mod secret;
pub mod server;
pub mod world;

pub use secret::Secret;
pub use world::World;
