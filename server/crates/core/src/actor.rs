//! Who asks, and what they may do. This file is the only place that knows the roles' rights.

use crate::{Error, Result};
use gatepost_contract::{Role, Scope, TokenId, UserId};

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A person.
    User {
        /// Their id.
        id: UserId,
        /// Their address.
        email: String,
        /// Their name.
        name: String,
        /// What they may do.
        role: Role,
    },
    /// A program with a service token.
    Token {
        /// The token's id.
        id: TokenId,
        /// What it is called.
        name: String,
        /// What it may do.
        scopes: Vec<Scope>,
    },
    /// Gatepost itself.
    Worker,
    /// Somebody with access to the machine.
    Cli,
}

impl Actor {
    /// A person's role.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        match self {
            Self::User { role, .. } => Some(*role),
            _ => None,
        }
    }

    /// How the audit log names them.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Self::User { email, .. } => email.clone(),
            Self::Token { name, .. } => format!("token:{name}"),
            Self::Worker => "worker".to_owned(),
            Self::Cli => "cli".to_owned(),
        }
    }

    /// How a run or an approval names them: a user's id, or the label.
    #[must_use]
    pub fn reference(&self) -> String {
        match self {
            Self::User { id, .. } => id.to_string(),
            other => other.label(),
        }
    }

    /// `can_manage_migration`: jobs, mailboxes, runs.
    #[must_use]
    pub fn can_manage(&self) -> bool {
        matches!(self, Self::User { .. } | Self::Worker | Self::Cli)
    }

    /// `can_approve_migration_gate`, and waivers.
    #[must_use]
    pub fn can_approve(&self) -> bool {
        matches!(self.role(), Some(Role::OpsLead | Role::SuperAdmin))
    }

    /// `can_override_migration_gate`, with the usual configuration.
    #[must_use]
    pub fn can_override(&self) -> bool {
        matches!(self.role(), Some(Role::SuperAdmin))
    }

    /// Users and tokens.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        matches!(self, Self::Cli) || matches!(self.role(), Some(Role::SuperAdmin))
    }

    pub(crate) fn manage(&self) -> Result<()> {
        permit(self.can_manage(), "Only staff may do this.")
    }

    pub(crate) fn approve(&self) -> Result<()> {
        permit(self.can_approve(), "Only an ops lead or a super admin may do this.")
    }

    pub(crate) fn admin(&self) -> Result<()> {
        permit(self.is_admin(), "Only a super admin may do this.")
    }

    /// Staff, or a token with this scope.
    pub(crate) fn read(&self, scope: Scope) -> Result<()> {
        match self {
            Self::Token { scopes, .. } => permit(
                scopes.contains(&scope),
                &format!(
                    "The token lacks the scope {scope}. A super admin makes one that has it on the Desk's page of service \
                     tokens, or with `gatepost admin token add --scope {scope}`."
                ),
            ),
            _ => Ok(()),
        }
    }

    /// Staff alone, no tokens.
    pub(crate) fn staff(&self) -> Result<()> {
        permit(!matches!(self, Self::Token { .. }), "Only staff may see this.")
    }
}

fn permit(may: bool, otherwise: &str) -> Result<()> {
    if may { Ok(()) } else { Err(Error::Forbidden(otherwise.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(role: Role) -> Actor {
        Actor::User { id: UserId(1), email: "a@b".into(), name: String::new(), role }
    }

    #[test]
    fn rights_grow_with_the_role_and_tokens_have_only_their_scopes() {
        let token = Actor::Token { id: TokenId(1), name: "wizard".into(), scopes: vec![Scope::GateRead] };
        //            manage approve override admin
        let table = [
            (user(Role::Technician), [true, false, false, false]),
            (user(Role::OpsLead), [true, true, false, false]),
            (user(Role::SuperAdmin), [true, true, true, true]),
            (token.clone(), [false, false, false, false]),
            (Actor::Cli, [true, false, false, true]),
            (Actor::Worker, [true, false, false, false]),
        ];
        for (actor, rights) in table {
            let has = [actor.can_manage(), actor.can_approve(), actor.can_override(), actor.is_admin()];
            assert_eq!(has, rights, "{actor:?}");
        }
        assert!(token.read(Scope::GateRead).is_ok());
        assert!(token.read(Scope::JobsRead).is_err());
        assert!(token.staff().is_err());
    }
}
