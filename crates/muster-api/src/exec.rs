//! One command on servers, and how to log in interactively.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::document::Said;

/// Ask for a plan that runs one command on servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExecRequest {
    /// The Space.
    #[serde(default = "crate::plan::default_space")]
    pub space: String,
    /// Names of owned servers.
    pub servers: Vec<String>,
    /// The command as an argument list; no shell reads it.
    pub argv: Vec<String>,
}

impl Said for ExecRequest {
    const TYPE: &'static str = "execs";
}

/// Ask for a plan that gives servers another password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordRequest {
    /// The Space.
    #[serde(default = "crate::plan::default_space")]
    pub space: String,
    /// Names of owned servers.
    pub servers: Vec<String>,
}

impl Said for PasswordRequest {
    const TYPE: &'static str = "password-changes";
}

/// How to log in to a server with the system's `ssh`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SshAccessAttributes {
    /// The argument list, without a remote command.
    pub argv: Vec<String>,
    /// Additions to the environment: name → value.
    pub env: std::collections::BTreeMap<String, String>,
}

impl Said for SshAccessAttributes {
    const TYPE: &'static str = "ssh-accesses";
}
