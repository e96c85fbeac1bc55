//! The whole engine against the simulated cloud in the same process: time is virtual, chance has a seed.

mod converge;
mod crash;
mod fault;
mod lanes;
mod laws;
mod limits;
mod metrics;
mod people;
mod process;
mod provider;
mod provision;
mod queue;
mod reach;
mod retry;
mod seed;
mod sink;
mod world;
