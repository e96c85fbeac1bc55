//! What we can do outside: the only hands of the house. Each outside service stands behind a small trait in
//! our own words, its real version and its in-memory stand-in side by side. No decisions here.

pub mod ansible;
pub mod cloud;
pub mod host;
pub mod secret;
pub mod transport;

/// The hands, as one value that the engine is given.
#[derive(Clone)]
pub struct Outside {}
