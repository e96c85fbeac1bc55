//! Tests of the simulators, through the front door: the in-process caller, and a real socket where a connection
//! must break.

mod basics;
mod drift;
mod fault;
mod life;
mod machine;
mod network;
mod project;
mod random;
mod resize;
mod size;
mod socket;
mod support;
