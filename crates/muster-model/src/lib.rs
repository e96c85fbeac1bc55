//! What things are: the nouns of Muster and the rules inside one noun.
//!
//! Pure by construction: no async, no I/O, no clock, no randomness, no environment. What should change is
//! decided in `muster-planner`; how it is done, in `muster-outside`; what is remembered, in `muster-store`.

pub mod id;
pub mod secret;
pub mod world;

pub use secret::Secret;
pub use world::World;
