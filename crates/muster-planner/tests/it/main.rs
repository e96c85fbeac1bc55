//! The planner's decisions, as text (snapshots) and as laws (generated cases).

mod apply;
mod change;
mod code;
mod cost;
mod create;
mod dns;
mod hash;
mod intent;
mod laws;
mod network;
mod object;
mod object_record;
mod ownership;
mod provision;
mod public_network;
mod purpose;
mod references;
mod refuse;
mod replace;
mod rollback;
mod speed;
mod state;
mod world;
