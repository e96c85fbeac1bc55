//! The whole engine against the simulated cloud in the same process: time is virtual, chance has a seed.

mod code;
mod converge;
mod crash;
mod fault;
mod lanes;
mod laws;
mod life;
mod limits;
mod matrix;
mod metrics;
mod names;
mod network;
mod people;
mod process;
mod provider;
mod provision;
mod public_network;
mod queue;
mod reach;
mod refusal;
mod retry;
mod revision;
mod seed;
mod sink;
mod world;
