//! What is said: requests, answers, problems and events of the API, and the typed client.
//!
//! Written, stored and said are three forms and three types. This crate holds the said ones: JSON:API documents
//! ([`document`]), the attributes of each kind of resource (one file a noun), problems with their statuses and
//! exit codes as data ([`problem`]), and a client ([`client`]) over a small transport, so that a command speaks
//! the same words to a router in its own process and to a control plane far away. No decisions, no I/O but HTTP.

pub mod about;
pub mod account;
pub mod blob;
pub mod client;
pub mod cursor;
pub mod document;
pub mod event;
pub mod exec;
pub mod infrastructure;
pub mod limit;
pub mod listing;
pub mod log;
pub mod media;
pub mod object;
pub mod plan;
pub mod price;
pub mod problem;
pub mod queue;
pub mod release;
pub mod revision;
pub mod run;
pub mod secret;
pub mod server;
pub mod stats;

pub use client::{Client, ClientError};
pub use document::{Incoming, Many, One, Resource, Said};
pub use problem::{Problem, ProblemKind, Problems};
