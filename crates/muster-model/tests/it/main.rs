//! Tests of this room, one binary.

mod ansible;
mod bad_input;
mod bundle;
mod config;
mod convert;
mod document;
mod find;
mod hidden;
mod infrastructure;
mod legacy;
mod price;
mod properties;
mod schema;
mod size;
mod support;
