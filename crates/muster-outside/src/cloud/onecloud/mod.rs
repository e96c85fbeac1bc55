//! 1cloud.ru and its sibling brand (`spec/onecloud-api.md`): the typed client behind [`crate::cloud::Cloud`].
//!
//! The way of a call: `request.rs` builds it (pure), `manners.rs` carries it out (turns, pace, time-outs,
//! retries), `judge.rs` decides what an answer means (pure), `answer.rs` and `wire/` read it, `meaning.rs` says
//! it in our words. `client.rs` only joins these; `objects/` does the same for what is managed one by one, outside files.

mod answer;
mod client;
mod excerpt;
mod identity;
mod judge;
pub mod manners;
mod meaning;
mod objects;
mod pace;
pub mod request;
mod wire;

pub use client::{OneCloud, looks_like_key};
