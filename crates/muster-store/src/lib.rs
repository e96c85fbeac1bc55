//! What we remember: the only SQL of the house.
//!
//! [`Store`] is narrow on purpose: batch verbs, each one transaction. [`SqliteStore`] keeps it in one file with
//! one writer that commits in groups. Blobs and detail output sit beside it in directories. The store decides
//! nothing and holds opaque sealed bytes only.

pub mod blob;
pub mod error;
pub mod form;
pub mod lanes;
pub mod output;
mod postgres;
mod refusal;
pub mod sqlite;
pub mod store;
mod word;

pub use blob::Blobs;
pub use error::StoreError;
pub use form::FORM;
pub use lanes::*;
pub use output::{OutputLog, OutputRecord};
pub use postgres::PostgresStore;
pub use sqlite::{SqliteStore, WriterMode};
pub use store::*;
