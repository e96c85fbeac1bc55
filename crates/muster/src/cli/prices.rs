//! The words of `muster account prices`.

use std::path::PathBuf;

use clap::Subcommand;

/// Prices that costs are reckoned with.
#[derive(Debug, Subcommand)]
pub enum Prices {
    /// Set the prices of an account from a file; those of before are gone
    Set {
        /// The account's name
        name: String,
        /// The price table: YAML or JSON
        file: PathBuf,
    },
    /// The prices of an account
    Show {
        /// The account's name
        #[arg(default_value = crate::home::ACCOUNT_DEFAULT)]
        name: String,
    },
    /// Forget the prices of an account
    Remove {
        /// The account's name
        name: String,
    },
}
