//! The 1cloud client against scripted answers: exact requests, every tolerance, every kind of failure, manners.

mod failures;
mod manners;
mod requests;
mod secrets;
mod speed;
pub mod stub;
mod tolerance;
