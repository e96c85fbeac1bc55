//! Local machines: real systemd machines on this computer, which serve as sandboxes.
//!
//! What lives here: making, starting, stopping and removing such machines, their private network, the root they
//! share, and the package repository they install from. What lives elsewhere: logging in to them (`host/ssh`), and
//! any decision about which machines there should be.
//!
//! Two techniques carry them (`substrate` is the seam, `probe` chooses): systemd-nspawn for root on Linux, and
//! Docker containers with systemd (`docker`) where that cannot run. What both share is in `machines` and `birth`.
//!
//! The idea of nspawn. A machine is systemd-nspawn over an overlay on one read-only root. Its truth is plain files below
//! `MUSTER_HOME/machines`, one folder per machine, so Muster can be restarted at any time. What keeps a machine
//! alive is its *keeper*, a hidden `muster __machine FOLDER` that outlives its starter, mounts the machine's disk
//! in a mount namespace of its own and starts the machine again when it reboots. Nobody talks to a keeper: to stop
//! a machine one leaves a `stop` mark and signals the machine itself, and the keeper ends when its machine does.
//!
//! Network (`slot`, `network`): each Muster home has a *slot*, a numbered namespace with a bridge and a subnet.
//! The computer reaches the machines by one veth whose address makes the route; there is no default route and no
//! address translation, so nothing gets out. All of it goes with the last machine.

mod argv;
mod base;
mod birth;
mod cgroup;
mod command;
mod disk;
mod docker;
mod error;
mod keeper;
mod leftovers;
mod lock;
mod machines;
mod memory;
mod network;
mod nspawn;
mod power;
mod probe;
mod process;
mod record;
mod repository;
mod slot;
mod spec;
mod subnet;
mod substrate;
mod wish;

pub use base::{Base, Progress};
pub use error::{LocalError, Missing};
pub use keeper::{Launcher, machine_supervisor_main};
pub use leftovers::Leftovers;
pub(crate) use lock::Lock;
pub use machines::LocalMachines;
pub use probe::Technique;
pub use record::Interface;
pub(crate) use record::{read, remove, write};
pub use repository::Repository;
pub use spec::{Machine, MachineName, MachineSpec, MachineState, NetworkSpec};
pub use subnet::Subnet;
pub use wish::Wish;
