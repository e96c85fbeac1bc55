//! What should change: wanted × seen × policy × now → plan.
//!
//! Pure: no I/O, no clock, no randomness; its reasons are its log. How a step is carried out lives in
//! `muster-runs`, what can be done outside in `muster-outside`.

mod adopt;
mod bandwidth;
mod bring_back;
mod budget;
mod bundle;
mod code;
mod cost;
mod creation;
mod difference;
mod disown;
mod dns;
mod exec;
mod hash;
mod image;
mod infrastructure;
mod intent;
mod interface;
mod key;
mod lanes;
mod location;
mod locks;
mod network;
mod object;
mod order;
mod ownership;
mod provision;
mod public_network;
mod redeploy;
mod release;
mod rollback;
mod scene;
mod selector;
mod server;
mod size;
mod steps;
mod surplus;
mod why;

pub use budget::{DELETIONS_FREE_MIN, DELETIONS_FREE_PERCENT};
pub use bundle::BundleFacts;
pub use cost::plan_cost;
pub use exec::{plan_exec, plan_passwords};
pub use infrastructure::plan_infrastructure;
pub use intent::CLOCK_SKEW_MS;
pub use lanes::{LANE_TARGETS, cut};
pub use object::{
    SeenObjects, Undone, intent_name, needed as needed_lists, plan_objects, the_object, the_server, undo,
};
pub use redeploy::{Inside, Then, delivered, redeploy};
pub use rollback::{Back, KeptDisk, keep_larger_disks, not_restored, take_disks_of_then, take_names_back};
