//! Secrets at rest and login keys.
//!
//! Lives here: sealing with one key per home ([`Sealer`]) and the ed25519 keys Muster logs in with ([`LoginKey`]).
//! Does not live here: the store, which only sees opaque bytes, and the type that prints as dots
//! (`muster_model::Secret`). The idea: the sealing key never stands in the database, and a sealed value opens only
//! under the name it was sealed for, so rows cannot be swapped.

mod login_key;
mod seal;

pub use login_key::{LoginKey, LoginKeyError};
pub use seal::{SealError, Sealer};
