//! The words of `muster dns`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::object::{Make, Named, Seek, Shown};

/// DNS.
#[derive(Debug, Subcommand)]
pub enum Dns {
    /// Domains
    #[command(subcommand)]
    Zone(Zone),
    /// Records of a domain
    #[command(subcommand)]
    Record(Record),
}

/// Domains.
#[derive(Debug, Subcommand)]
pub enum Zone {
    /// Domains
    List(Seek),
    /// Add a domain
    Create {
        /// As example.com
        name: String,
        /// How.
        #[command(flatten)]
        make: Make,
    },
    /// Delete a domain with its records
    Delete(Named),
    /// Print a domain as a zone file
    Export(Shown),
    /// Make a domain's records those of a zone file; names and types that the file does not have stay
    Import {
        /// The domain
        name: String,
        /// The zone file; `-` reads it from stdin
        file: PathBuf,
        /// Delete records whose names or types the file does not have, apart from NS
        #[arg(long)]
        exact: bool,
        /// How.
        #[command(flatten)]
        make: Make,
    },
}

/// Records.
#[derive(Debug, Subcommand)]
pub enum Record {
    /// Records of a domain
    List {
        /// The domain
        zone: String,
        /// Which.
        #[command(flatten)]
        seek: Seek,
    },
    /// The records of a name and type become these, and no others
    Set(RecordValues),
    /// There is this record beside others of the same name and type
    Add(RecordValues),
    /// Delete the records of a name and type; with values only those
    Delete {
        /// The domain
        zone: String,
        /// The name within it; @ is the domain itself
        name: String,
        /// A, AAAA, CNAME, MX, NS, TXT or SRV
        kind: String,
        /// Only those with this value
        values: Vec<String>,
        /// How.
        #[command(flatten)]
        make: Make,
    },
}

/// What records are to say.
#[derive(Debug, Args)]
pub struct RecordValues {
    /// The domain
    pub zone: String,
    /// The name within it; @ is the domain itself
    pub name: String,
    /// A, AAAA, CNAME, MX, NS, TXT or SRV
    pub kind: String,
    /// The address, target or text; several make several records
    #[arg(required = true)]
    pub values: Vec<String>,
    /// Seconds it may be remembered
    #[arg(long)]
    pub ttl: Option<u32>,
    /// Of MX and SRV: their priority; lower comes first
    #[arg(long)]
    pub preference: Option<u16>,
    /// Of SRV
    #[arg(long)]
    pub weight: Option<u16>,
    /// Of SRV
    #[arg(long)]
    pub port: Option<u16>,
    /// How.
    #[command(flatten)]
    pub make: Make,
}
