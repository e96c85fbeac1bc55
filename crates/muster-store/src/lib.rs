//! What we remember: the only SQL of the house.
//!
//! [`Store`] is narrow on purpose: batch verbs, each one transaction; [`Lanes`] is how several nodes share the work,
//! and [`Contents`] keeps what is large. [`SqliteStore`] is one file with one writer that commits in groups;
//! [`PostgresStore`] is for several machines. The store decides nothing and holds opaque sealed bytes only.

pub mod commits;
pub mod contents;
mod directory;
pub mod error;
pub mod form;
pub mod lanes;
mod open;
pub mod output;
mod postgres;
pub mod queue;
mod refusal;
pub mod revision;
mod search;
pub mod sqlite;
pub mod store;
mod word;

pub use contents::{Block, Contents, OutputEnd};
pub use directory::DirectoryContents;
pub use error::StoreError;
pub use form::FORM;
pub use lanes::*;
pub use open::{Folders, Opened, open};
pub use output::{OutputLog, OutputRecord};
pub use postgres::{PostgresContents, PostgresStore};
pub use queue::*;
pub use revision::*;
pub use search::*;
pub use sqlite::{SqliteStore, WriterMode};
pub use store::*;
