//! Ansible's documents as typed values: inventories as we write them, playbooks as we read them.
//!
//! Lives here: the inventory with its YAML, the reading of playbooks, roles and templates from an in-memory bundle,
//! and the check that finds what cannot work *before any host is touched*. Does not live here: running
//! `ansible-playbook` (`muster-outside`).
//!
//! The idea of the check: Ansible is far too large to be modelled, so whatever is not understood is taken to be
//! right. An error is reported only where Ansible itself is sure to stop; what might be reached under conditions is a
//! warning.

pub mod check;
pub mod deploy;
mod files;
pub mod inventory;
mod place;
pub mod playbook;
pub mod template;
mod variables;
mod yaml;

pub use check::{Question, check};
pub use inventory::{Inventory, InventoryError, InventoryHost};
