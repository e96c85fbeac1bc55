//! Accounts: register, look, test.

pub mod list;
pub mod offers;
pub mod register;
pub mod show;
pub mod test;
