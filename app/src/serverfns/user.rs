//! Users.

use gatepost_contract::{Problem, Secret, UserId};
use leptos::prelude::*;

/// Makes a user.
#[server(prefix = "/api/fn", endpoint = "create_user")]
pub async fn create_user(
    email: String,
    #[server(default)] name: String,
    #[server(default)] role: String,
    password: Secret,
) -> Result<(), Problem> {
    use crate::{context, serverfns::input::Fields};
    let desk = context::desk()?;
    let mut fields = Fields::new();
    let role = fields.must("role", &role);
    fields.done()?;
    let Some(role) = role else { return Err(Problem::internal()) };
    desk.gatepost.create_user(&desk.actor, gatepost_contract::NewUser { email, name, role, password }).await?;
    context::go("/users?notice=created");
    Ok(())
}

/// Changes a user. An empty password stays as it is.
#[server(prefix = "/api/fn", endpoint = "update_user")]
pub async fn update_user(
    user_id: UserId,
    name: String,
    #[server(default)] role: String,
    #[server(default)] disabled: String,
    #[server(default)] password: Secret,
) -> Result<(), Problem> {
    use crate::{
        context,
        serverfns::input::{Fields, ticked},
    };
    let desk = context::desk()?;
    let mut fields = Fields::new();
    let patch = gatepost_contract::UserPatch {
        name: Some(name),
        role: fields.must("role", &role),
        disabled: Some(ticked(&disabled)),
        password: (!password.0.is_empty()).then_some(password),
    };
    fields.done()?;
    desk.gatepost.update_user(&desk.actor, user_id, patch).await?;
    context::go("/users?notice=saved");
    Ok(())
}
