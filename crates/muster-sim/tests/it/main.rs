//! Tests of the simulators, through the front door: the in-process caller, and a real socket where a connection
//! must break.

mod basics;
mod dns;
mod drift;
mod endpoint;
mod endpoint_table;
mod fault;
mod image;
mod life;
mod location;
mod machine;
mod money;
mod network;
mod project;
mod public_network;
mod random;
mod refusal;
mod resize;
mod size;
mod socket;
mod storage;
mod support;
