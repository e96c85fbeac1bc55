//! What is going on: propose, approve, run, remember, follow.
//!
//! [`Engine::open`] is the composition root: it is handed its configuration, the sources of time and chance
//! ([`muster_model::World`]) and the hands ([`muster_outside::Outside`]). The HTTP words live in `muster-server`.

pub mod engine;
pub mod error;
pub mod reads;
pub mod submit;
pub mod world;

pub use engine::{Engine, EngineConfig};
pub use error::EngineError;
pub use reads::Reads;
