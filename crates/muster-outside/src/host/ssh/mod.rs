//! Reaching machines over SSH.
//!
//! Lives here: who a machine is and how we log in ([`Host`]), host keys, running commands, the small wrapper that
//! starts a command at most once ([`wrapper`]), copies with checksums, tunnels, delivery of code, and a private
//! agent for `ssh` and Ansible. The rest of the house sees the trait [`Hosts`]: [`SshHosts`] is the real one,
//! [`ScriptedHosts`] the stand-in beside it. Does not live here: what should be done (plans) and Ansible itself.
//!
//! The idea: commands are argument lists until [`quote`] turns them into the one text that SSH can carry, and every
//! wait, queue and output has a bound in [`SshSettings`] or in the call.

pub mod agent;
pub mod config;
mod connect;
mod copy;
pub mod deliver;
mod error;
mod exec;
mod host;
mod hosts;
pub mod interactive;
pub mod interface;
pub mod known_hosts;
mod login;
mod pool;
pub mod quote;
mod real;
mod stand_in;
mod tunnel;
pub mod wrapper;

pub use agent::PrivateAgent;
pub use error::{SshError, SshErrorKind};
pub use exec::{Collected, End, Exec, Finished, Output, OutputStream};
pub use host::{Host, HostKey, HostKeyPolicy, Login, SshSettings};
pub use hosts::{Copied, Hosts, HttpAnswer, TunnelStream};
pub use real::SshHosts;
pub use stand_in::{Call, ScriptedHosts};
pub use wrapper::{Attempt, Lost, Outcome, Started};
