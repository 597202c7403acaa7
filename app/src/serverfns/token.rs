//! Service tokens. A new token's secret is shown once.

use gatepost_contract::{Problem, TokenId};
use leptos::prelude::*;

/// Makes a token. Its secret waits in memory for the page that is shown next.
#[server(prefix = "/api/fn", endpoint = "create_token")]
pub async fn create_token(
    name: String,
    #[server(default)] scope_gate_read: String,
    #[server(default)] scope_dns_write: String,
    #[server(default)] scope_jobs_read: String,
    #[server(default)] scope_metrics_read: String,
    #[server(default)] expires_in_days: String,
) -> Result<(), Problem> {
    use crate::{
        context,
        serverfns::input::{Fields, ticked},
    };
    use gatepost_contract::Scope;
    let desk = context::desk()?;
    let mut fields = Fields::new();
    let scopes = [
        (Scope::GateRead, scope_gate_read),
        (Scope::DnsWrite, scope_dns_write),
        (Scope::JobsRead, scope_jobs_read),
        (Scope::MetricsRead, scope_metrics_read),
    ];
    let token = gatepost_contract::NewServiceToken {
        name,
        scopes: scopes.into_iter().filter(|(_, box_)| ticked(box_)).map(|(scope, _)| scope).collect(),
        expires_in_days: fields.maybe("expires_in_days", &expires_in_days),
    };
    fields.done()?;
    let issued = desk.gatepost.create_token(&desk.actor, token).await?;
    issued::keep(&desk.actor, issued);
    context::go("/tokens?notice=created");
    Ok(())
}

/// Refuses a token from now on.
#[server(prefix = "/api/fn", endpoint = "revoke_token")]
pub async fn revoke_token(token_id: TokenId) -> Result<(), Problem> {
    use crate::context;
    let desk = context::desk()?;
    desk.gatepost.revoke_token(&desk.actor, token_id).await?;
    context::go("/tokens?notice=revoked");
    Ok(())
}

/// New tokens between the form that made them and the page that shows them.
#[cfg(feature = "ssr")]
pub mod issued {
    use crate::serverfns::once::Once;
    use gatepost_contract::IssuedToken;
    use gatepost_core::Actor;

    static WAITING: Once<IssuedToken> = Once::new();

    /// Keeps a token for the person who made it.
    pub fn keep(actor: &Actor, token: IssuedToken) {
        WAITING.keep(actor.label(), token);
    }

    /// Hands it out, once.
    pub fn take(actor: &Actor) -> Option<IssuedToken> {
        WAITING.take(&actor.label())
    }
}
