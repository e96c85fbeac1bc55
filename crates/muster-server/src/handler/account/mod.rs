//! Accounts: register, look, test; prices and costs.

pub mod cost;
pub mod list;
pub mod offers;
pub mod prices;
pub mod register;
pub mod show;
pub mod test;
