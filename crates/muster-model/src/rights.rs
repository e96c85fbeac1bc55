//! Who may do what, as one pure function. Called inside `submit` over the finished plan's objects, and by
//! the server for reads; there is no other place that decides.

use serde::{Deserialize, Serialize};

use crate::id::SpaceName;

/// A role on one Space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// May look.
    Viewer,
    /// May run.
    Operator,
    /// May change settings.
    Admin,
}

/// On whose behalf something is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authority {
    /// Who: the OS user locally, the signed-in user or token on a server.
    pub actor: String,
    /// Whether every Space is open to it (the local owner).
    pub owner: bool,
    /// Roles it has on Spaces.
    pub roles: Vec<(SpaceName, Role)>,
}

impl Authority {
    /// The local owner: everything is allowed, and every change bears the name.
    pub fn local(actor: impl Into<String>) -> Authority {
        Authority { actor: actor.into(), owner: true, roles: Vec::new() }
    }
}

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Look at something.
    Read,
    /// Propose, approve, cancel, resume.
    Run,
    /// Change a setting: accounts, secrets, schedules, policy.
    Set,
}

/// Why something is denied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denied {
    /// The actor.
    pub actor: String,
    /// The Space.
    pub space: SpaceName,
    /// The role that would be needed.
    pub needed: Role,
}

impl std::fmt::Display for Denied {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            out,
            "{} may not do this in the Space {}: it needs the role {:?}",
            self.actor, self.space, self.needed
        )
    }
}

impl std::error::Error for Denied {}

/// The one decision: may this authority do this in this Space?
pub fn may(authority: &Authority, wish: Wish, space: &SpaceName) -> Result<(), Denied> {
    let needed = match wish {
        Wish::Read => Role::Viewer,
        Wish::Run => Role::Operator,
        Wish::Set => Role::Admin,
    };
    let has = authority.roles.iter().filter(|(at, _)| at == space).map(|(_, role)| *role).max();
    if authority.owner || has.is_some_and(|role| role >= needed) {
        return Ok(());
    }
    Err(Denied { actor: authority.actor.clone(), space: space.clone(), needed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_opens_its_own_space_only() {
        let who = Authority {
            actor: "ann".into(),
            owner: false,
            roles: vec![(SpaceName::from("shop"), Role::Operator)],
        };
        assert!(may(&who, Wish::Run, &"shop".into()).is_ok());
        assert_eq!(may(&who, Wish::Set, &"shop".into()).unwrap_err().needed, Role::Admin);
        assert!(may(&who, Wish::Read, &"bank".into()).is_err());
        assert!(may(&Authority::local("root"), Wish::Set, &"bank".into()).is_ok());
    }
}
