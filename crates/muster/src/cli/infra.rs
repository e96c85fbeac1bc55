//! The words of `muster infra`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use muster_model::code::ReleaseWish;

use super::begin::Begin;

/// Servers and networks of an infrastructure file.
#[derive(Debug, Subcommand)]
pub enum Infra {
    /// Make the servers as the file says
    Update(Change),
    /// The same, then what the file's `deploy:` says
    Deploy(Deploy),
    /// The releases of its code that each server keeps
    Releases {
        /// The file's name without extension
        name: String,
    },
    /// Show what `update` would do; keeps the plan for `--plan ID`
    Plan(Change),
    /// What a file owns
    Show {
        /// The file's name without extension
        name: String,
        /// What was there after this revision, and which versions were inside each server
        #[arg(long, value_name = "N", value_parser = revision_number)]
        revision: Option<u32>,
        /// The account of the revision, where the file was applied to several
        #[arg(long, requires = "revision")]
        account: Option<String>,
    },
    /// Each application of a file: when, by whom, how it ended
    History(History),
    /// How two revisions differ, or a revision and the file as it is now
    Diff(Diff),
    /// Go back to an earlier revision: its file, variables, playbooks and code
    Rollback(Rollback),
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

/// The revisions of a file.
#[derive(Clone, Debug, Args)]
pub struct History {
    /// The file's name without extension
    pub name: String,
    /// One revision in full: what was there after it, and which versions were inside each server
    #[arg(long, value_name = "N", value_parser = revision_number)]
    pub revision: Option<u32>,
    /// Print the file of that revision as it was: the infrastructure file, or this one of its bundle
    #[arg(long, value_name = "PATH", num_args = 0..=1, requires = "revision")]
    pub file: Option<Option<String>>,
    /// Write the file of that revision here; nothing that is there already is overwritten
    #[arg(long, value_name = "PATH", requires = "revision")]
    pub write: Option<PathBuf>,
    /// At most so many, the newest first
    #[arg(long, value_name = "N", default_value_t = 50, conflicts_with = "revision",
        value_parser = clap::value_parser!(u32).range(1..=999))]
    pub limit: u32,
    /// The account, where the file was applied to several
    #[arg(long)]
    pub account: Option<String>,
}

/// What is compared.
#[derive(Clone, Debug, Args)]
pub struct Diff {
    /// The file's name without extension
    pub name: String,
    /// The revision before
    #[arg(value_name = "A", value_parser = revision_number)]
    pub from: u32,
    /// The revision after, or `now`: the file as it is here
    #[arg(value_name = "B", default_value = "now")]
    pub to: String,
    /// The account, where the file was applied to several
    #[arg(long)]
    pub account: Option<String>,
    /// A variable of the file as it is now: name=value
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub vars: Vec<String>,
    /// A file of variables of the file as it is now
    #[arg(long = "var-file", value_name = "FILE")]
    pub var_files: Vec<PathBuf>,
}

/// What a plan may do that is refused, or done, without a word.
#[derive(Clone, Debug, Default, Args)]
pub struct Consent {
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
}

/// Options of going back.
#[derive(Clone, Debug, Args)]
pub struct Rollback {
    /// The file's name without extension
    pub name: String,
    /// The revision to go back to; left out, the last good one before the current one
    #[arg(long, value_name = "N", value_parser = revision_number)]
    pub to: Option<u32>,
    /// Carry out this plan, if nothing moved since
    #[arg(long, value_name = "ID", conflicts_with_all = ["to", "deploy", "no_deploy", "keep_disks"])]
    pub plan: Option<String>,
    /// Deploy its code and playbooks, also where it did not
    #[arg(long, conflicts_with = "no_deploy")]
    pub deploy: bool,
    /// Leave code and playbooks on the servers as they are
    #[arg(long)]
    pub no_deploy: bool,
    /// Leave disks as they are that are larger now: no disk can shrink
    #[arg(long)]
    pub keep_disks: bool,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
    /// How its run begins.
    #[command(flatten)]
    pub begin: Begin,
    /// Only show the plan, and what it would not bring back
    #[arg(long, conflicts_with = "check")]
    pub dry_run: bool,
    /// Only show the plan; exit code 4 if there are differences
    #[arg(long)]
    pub check: bool,
    /// Only these servers, groups or networks; may be repeated
    #[arg(long, value_name = "SELECTOR")]
    pub only: Vec<String>,
    /// What the plan may do.
    #[command(flatten)]
    pub consent: Consent,
    /// The account, where the file was applied to several
    #[arg(long)]
    pub account: Option<String>,
    /// Ask for the password that playbooks become root with
    #[arg(long, short = 'K')]
    pub ask_become_pass: bool,
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
    /// What the plan may do.
    #[command(flatten)]
    pub consent: Consent,
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

/// Options of a deploy.
#[derive(Clone, Debug, Default, Args)]
pub struct Deploy {
    /// What changes things.
    #[command(flatten)]
    pub change: Change,
    /// Only go back to a release that the servers keep: its number or name, as `infra releases` shows them; with several
    /// codes in the file `DIRECTORY=RELEASE`
    #[arg(long, value_name = "RELEASE", value_parser = release)]
    pub to_release: Option<ReleaseWish>,
}

fn release(text: &str) -> Result<ReleaseWish, String> {
    ReleaseWish::read(text).map_err(str::to_owned)
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

/// The number of a revision.
fn revision_number(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number
        .ok_or_else(|| "a revision is a number from 1 on; `muster infra history NAME` shows them".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_a_number_from_1() {
        assert_eq!(revision_number("12"), Ok(12));
        for text in ["0", "-1", "now", "", "4294967296"] {
            assert!(revision_number(text).unwrap_err().contains("muster infra history"), "{text}");
        }
    }
}
