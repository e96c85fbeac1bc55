//! The words of the commands about objects of an account: images, networks, keys, DNS, storage.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::begin::Begin;

/// Which account.
#[derive(Clone, Debug, Args)]
pub struct Of {
    /// The account
    #[arg(long, default_value = crate::home::ACCOUNT_DEFAULT)]
    pub account: String,
}

/// Which of them, and in which order.
#[derive(Clone, Debug, Args)]
pub struct Seek {
    /// Which account.
    #[command(flatten)]
    pub of: Of,
    /// Only those with this value, e.g. location=SdnSpb; may be given several times
    #[arg(long = "where", value_name = "FIELD=VALUE")]
    pub filters: Vec<String>,
    /// In the order of this field; `-` before it turns the order
    #[arg(long, value_name = "FIELD", allow_hyphen_values = true)]
    pub sort: Option<String>,
}

/// How a change is made.
#[derive(Clone, Debug, Args)]
pub struct Make {
    /// Which account.
    #[command(flatten)]
    pub of: Of,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
    /// Only show what would be done
    #[arg(long)]
    pub dry_run: bool,
    /// How its run begins.
    #[command(flatten)]
    pub begin: Begin,
}

/// Something that is there already, and how it is changed.
#[derive(Clone, Debug, Args)]
pub struct Named {
    /// Its name or id
    pub name: String,
    /// How.
    #[command(flatten)]
    pub make: Make,
}

/// Something that is there already, to be shown.
#[derive(Clone, Debug, Args)]
pub struct Shown {
    /// Its name or id
    pub name: String,
    /// Which account.
    #[command(flatten)]
    pub of: Of,
}

/// Images.
#[derive(Debug, Subcommand)]
pub enum Image {
    /// Images that servers can be made from
    List(Seek),
    /// Make an image from a server
    Create {
        /// The name people see
        name: String,
        /// The server, by its name or id
        #[arg(long, value_name = "SERVER")]
        from: String,
        /// The technical name: Latin letters and digits; made from the name when left out
        #[arg(long, value_name = "WORD")]
        technical: Option<String>,
        /// How.
        #[command(flatten)]
        make: Make,
    },
    /// Delete an image that was made in this account
    Delete(Named),
}

/// Networks.
#[derive(Debug, Subcommand)]
pub enum Network {
    /// Private networks
    List(Seek),
    /// One private network
    Show(Shown),
    /// Make a private network
    Create {
        /// Its name
        name: String,
        /// Where: a location's title or technical name
        #[arg(long)]
        location: String,
        /// The provider hands out no addresses in it
        #[arg(long)]
        no_dhcp: bool,
        /// How.
        #[command(flatten)]
        make: Make,
    },
    /// Give a private network another name
    Rename {
        /// Its name or id
        name: String,
        /// The new name
        to: String,
        /// How.
        #[command(flatten)]
        make: Make,
    },
    /// Delete a private network that is empty
    Delete(Named),
    /// Public networks, with their firewalls and tunnels
    #[command(subcommand)]
    Public(PublicNetwork),
}

/// Public networks.
#[derive(Debug, Subcommand)]
pub enum PublicNetwork {
    /// Public networks
    List(Seek),
    /// One public network, with its firewall's rules and its tunnels
    Show(Shown),
    /// Rent a public network
    Create {
        /// Its name
        name: String,
        /// Where: a location's title or technical name
        #[arg(long)]
        location: String,
        /// How many addresses
        #[arg(long)]
        capacity: u32,
        /// Mbit/s: 10 to 1000 in steps of 10
        #[arg(long)]
        bandwidth: u32,
        /// How.
        #[command(flatten)]
        make: Make,
    },
    /// Change its speed or its name
    Change {
        /// Its name or id
        name: String,
        /// Mbit/s: 10 to 1000 in steps of 10
        #[arg(long)]
        bandwidth: Option<u32>,
        /// The new name
        #[arg(long)]
        rename: Option<String>,
        /// How.
        #[command(flatten)]
        make: Make,
    },
    /// Give a public network back
    Delete(Named),
}

/// Public keys.
#[derive(Debug, Subcommand)]
pub enum Key {
    /// Public keys that the account keeps
    List(Seek),
    /// Add a public key
    Add {
        /// Its title
        name: String,
        /// The file with the OpenSSH line, e.g. ~/.ssh/id_ed25519.pub
        file: PathBuf,
        /// How.
        #[command(flatten)]
        make: Make,
    },
    /// Delete a public key from the account; servers that have it keep it
    Delete(Named),
}

/// Object storage.
#[derive(Debug, Subcommand)]
pub enum Storage {
    /// The account's storage
    Show(Of),
    /// Activate it
    Activate(Make),
    /// Deactivate it; what it holds is lost
    Deactivate(Make),
    /// Its users
    #[command(subcommand)]
    User(StorageUser),
}

/// Users of the storage.
#[derive(Debug, Subcommand)]
pub enum StorageUser {
    /// Its users
    List(Seek),
    /// One user, with the addresses for S3, Swift and FTP
    Show {
        /// Its name or id
        name: String,
        /// Print only the password, as the provider said it once
        #[arg(long)]
        password: bool,
        /// Which account.
        #[command(flatten)]
        of: Of,
    },
    /// Add a user; the provider makes the password, which is sealed here
    Create {
        /// Its name
        name: String,
        /// How.
        #[command(flatten)]
        make: Make,
    },
    /// Delete a user
    Delete(Named),
    /// Another password, made by the provider and sealed here
    Password(Named),
    /// It may not use the storage for now
    Block(Named),
    /// It may use the storage again
    Unblock(Named),
}

/// Make a server anew.
#[derive(Debug, Args)]
pub struct Rebuild {
    /// The server, by its name or id
    pub name: String,
    /// From this image; the one it has when left out
    #[arg(long)]
    pub image: Option<String>,
    /// Give a Windows system a new identity
    #[arg(long)]
    pub sysprep: bool,
    /// How.
    #[command(flatten)]
    pub make: Make,
}

/// Copy a server.
#[derive(Debug, Args)]
pub struct Copy {
    /// The server, by its name or id
    pub name: String,
    /// The copy's name
    pub copy: String,
    /// A private network for the copy, by its name or id
    #[arg(long)]
    pub network: Option<String>,
    /// How.
    #[command(flatten)]
    pub make: Make,
}
