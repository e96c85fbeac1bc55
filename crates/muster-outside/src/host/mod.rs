//! Hosts: what we do on the inside of a machine, and machines that we make on this computer.

pub mod local;
