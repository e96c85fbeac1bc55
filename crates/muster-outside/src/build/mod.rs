//! Building code on this machine: one command in a private copy of the source.
//!
//! Lives here: the trait [`Builder`], the real one ([`RealBuilder`]), the stand-in ([`ScriptedBuilder`]), and how a tree
//! of files is written and read ([`tree`]). Does not live here: where the source comes from, and what becomes of the
//! result.
//!
//! The idea: nobody but the build sees the copy, and it goes when the build is over, also if we are gone by then, because
//! its folder names it before it is there; so a build may be repeated at will.
//! Its process belongs to a supervisor ([`crate::supervise`]) and is over when its owner is. Its environment is named
//! here to the last variable.

mod real;
mod stand_in;
pub mod tree;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use muster_model::Secret;

use crate::host::ssh::Output;
use crate::host::ssh::deliver::DeliveredFile;
use crate::supervise::{Folder, Owner, StartError};

pub use real::RealBuilder;
pub use stand_in::ScriptedBuilder;

/// Files by their path below a directory.
pub type Tree = BTreeMap<String, DeliveredFile>;

/// Variables of ours that a build may see; everything else of our environment stays with us.
pub const PASSED_ON: [&str; 2] = ["PATH", "HOME"];
/// What a build may print, in bytes.
pub const OUTPUT_BYTES_MAX: u64 = 64 << 20;

/// One build.
#[derive(Debug, Clone)]
pub struct BuildRun {
    /// The source.
    pub files: Tree,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Variables besides [`PASSED_ON`] and `LANG`.
    pub environment: BTreeMap<String, String>,
    /// Only what is below this directory of the copy comes out; empty = everything.
    pub output: String,
    /// Values of the environment that never show in what it prints.
    pub hidden: Vec<Secret>,
    /// How long it may take.
    pub limit: Duration,
    /// A directory for the private copy; must not exist, and goes with the build.
    pub place: PathBuf,
    /// Whether it has a home directory of its own, in its place; else it is that of whoever runs this process.
    pub own_home: bool,
    /// The folder of its process; must not exist.
    pub folder: Folder,
    /// Who owns it.
    pub owner: Owner,
}

/// Builds code.
#[async_trait]
pub trait Builder: Send + Sync {
    /// Builds, hands on what the command prints, and gives back what came out. Dropping the future ends the build.
    ///
    /// # Errors
    /// The build failed, or could not be begun. Nothing is left of it.
    async fn build(&self, run: &BuildRun, output: &mut dyn Output) -> Result<Tree, BuildError>;
}

/// Why nothing was built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The program is not there.
    #[error(
        "the program `{program}` is not there; it is looked for in PATH of this machine, and in the code"
    )]
    NotFound {
        /// Which.
        program: String,
    },
    /// It could not be started.
    #[error("starting `{program}`")]
    Start {
        /// Which.
        program: String,
        /// Why.
        source: StartError,
    },
    /// It ended badly.
    #[error("`{command}` ended with {end}{}", last_words(.last))]
    Failed {
        /// What ran.
        command: String,
        /// How it ended.
        end: String,
        /// The end of what it printed.
        last: Vec<String>,
    },
    /// It took too long and was ended.
    #[error("`{command}` took longer than {} s and was ended", limit.as_secs())]
    TimedOut {
        /// What ran.
        command: String,
        /// The bound.
        limit: Duration,
    },
    /// It printed too much and was ended.
    #[error("`{command}` printed more than {} MiB and was ended", OUTPUT_BYTES_MAX >> 20)]
    Talkative {
        /// What ran.
        command: String,
    },
    /// It was ended from outside.
    #[error("`{command}` was ended before it was through")]
    Ended {
        /// What ran.
        command: String,
    },
    /// Something of it still runs, and may write.
    #[error("processes that `{command}` left behind cannot be ended; look at this machine")]
    Unended {
        /// What ran.
        command: String,
    },
    /// What came out cannot be delivered.
    #[error("what was built cannot be delivered: {0}")]
    Result(String),
    /// A file.
    #[error("{doing} {}", path.display())]
    File {
        /// What was being attempted.
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl BuildError {
    /// Whether another try may help, although neither the code nor the file changes.
    pub fn is_transient(&self) -> bool {
        match self {
            BuildError::Start { .. } | BuildError::Ended { .. } | BuildError::File { .. } => true,
            BuildError::NotFound { .. }
            | BuildError::Failed { .. }
            | BuildError::TimedOut { .. }
            | BuildError::Talkative { .. }
            | BuildError::Unended { .. }
            | BuildError::Result(_) => false,
        }
    }
}

fn last_words(last: &[String]) -> String {
    match last {
        [] => String::new(),
        last => format!(": {}", last.join(" / ")),
    }
}
