//! Log-in, log-out, and the first user.

use gatepost_contract::{Problem, Secret};
use leptos::prelude::*;

/// Logs in and goes on to where the person wanted to be.
#[server(prefix = "/api/fn", endpoint = "log_in")]
pub async fn log_in(email: String, password: Secret, #[server(default)] next: String) -> Result<(), Problem> {
    use crate::context;
    let session = context::session()?;
    let log_in = gatepost_contract::LogIn { email, password };
    let user = context::gatepost()?.log_in(log_in, session.client_ip()).await?;
    session.log_in(user.id).await?;
    context::go(&next);
    Ok(())
}

/// Logs out.
#[server(prefix = "/api/fn", endpoint = "log_out")]
pub async fn log_out() -> Result<(), Problem> {
    use crate::context;
    context::session()?.log_out().await?;
    context::go("/login?notice=logged_out");
    Ok(())
}

/// Makes the first user, a super admin, with the token of the one-time link.
#[server(prefix = "/api/fn", endpoint = "complete_setup")]
pub async fn complete_setup(
    token: Secret,
    email: String,
    #[server(default)] name: String,
    password: Secret,
) -> Result<(), Problem> {
    use crate::context;
    let user = gatepost_contract::NewUser { email, name, role: gatepost_contract::Role::SuperAdmin, password };
    let user = context::gatepost()?.complete_setup(&token.0, user).await?;
    context::session()?.log_in(user.id).await?;
    context::go("/?notice=welcome");
    Ok(())
}
