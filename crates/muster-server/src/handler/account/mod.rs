//! Accounts: register, look, test.

pub mod list;
pub mod register;
pub mod show;
pub mod test;
