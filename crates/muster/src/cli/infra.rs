//! The words of `muster infra`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::begin::Begin;

/// Servers and networks of an infrastructure file.
#[derive(Debug, Subcommand)]
pub enum Infra {
    /// Make the servers as the file says
    Update(Change),
    /// The same, then what the file's `deploy:` says
    Deploy(Change),
    /// Show what `update` would do; keeps the plan for `--plan ID`
    Plan(Change),
    /// What a file owns
    Show {
        /// The file's name without extension
        name: String,
    },
    /// Files here, and files that own something
    List,
    /// Take same-named servers of the account under the file
    Adopt(Named),
    /// Give servers up without touching them
    Disown(Named),
    /// Delete what the file owns
    Destroy(Change),
    /// Write an old ict file in today's form; prints it unless `--to` says where it goes
    Convert(Convert),
}

/// An old file and where the new one goes.
#[derive(Debug, Args)]
pub struct Convert {
    /// The old file, or its name without extension
    pub file: String,
    /// Write the new file here
    #[arg(long, value_name = "FILE")]
    pub to: Option<PathBuf>,
    /// Write it even if there is such a file already
    #[arg(long, requires = "to")]
    pub force: bool,
}

/// Options of what changes things.
#[derive(Clone, Debug, Default, Args)]
pub struct Change {
    /// The file's name without extension, found below ./infra, ./templates and configured directories
    pub name: String,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
    /// How its run begins.
    #[command(flatten)]
    pub begin: Begin,
    /// Only show the plan
    #[arg(long, conflicts_with = "check")]
    pub dry_run: bool,
    /// Only show the plan; exit code 4 if there are differences
    #[arg(long)]
    pub check: bool,
    /// Carry out this plan, if nothing moved since
    #[arg(long, value_name = "ID")]
    pub plan: Option<String>,
    /// Only these servers, groups or networks; may be repeated
    #[arg(long, value_name = "SELECTOR")]
    pub only: Vec<String>,
    /// A variable: name=value
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub vars: Vec<String>,
    /// A file of variables
    #[arg(long = "var-file", value_name = "FILE")]
    pub var_files: Vec<PathBuf>,
    /// Allow so many deletions
    #[arg(long, value_name = "N")]
    pub allow_deletes: Option<u32>,
    /// Allow servers to be replaced where no change in place exists
    #[arg(long)]
    pub allow_replace: bool,
    /// Take same-named servers of the account under the file
    #[arg(long)]
    pub adopt: bool,
    /// Leave the inside of servers alone
    #[arg(long)]
    pub skip_provision: bool,
    /// The account to use instead of the file's
    #[arg(long)]
    pub account: Option<String>,
    /// Run only plays and tasks with these tags
    #[arg(long, value_delimiter = ',')]
    pub tags: Vec<String>,
    /// Skip plays and tasks with these tags
    #[arg(long, value_delimiter = ',')]
    pub skip_tags: Vec<String>,
    /// Extra variables for playbooks: name=value, a JSON object, or @file
    #[arg(long, short = 'e', value_name = "VARS")]
    pub extra_vars: Vec<String>,
    /// Ask for the password that playbooks become root with
    #[arg(long, short = 'K')]
    pub ask_become_pass: bool,
}

/// Names of servers of one file.
#[derive(Debug, Args)]
pub struct Named {
    /// The file's name without extension
    pub name: String,
    /// Names of servers or networks; for `adopt` all that wait when left out
    pub names: Vec<String>,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
    /// Only show the plan
    #[arg(long)]
    pub dry_run: bool,
    /// The account to use instead of the file's
    #[arg(long)]
    pub account: Option<String>,
    /// A variable: name=value
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub vars: Vec<String>,
    /// A file of variables
    #[arg(long = "var-file", value_name = "FILE")]
    pub var_files: Vec<PathBuf>,
}
