//! Access tokens for people's scripts.

use crate::http::{App, client::Client, error::Answer, extract::Json};
use axum::{Extension, extract::State};
use gatepost_contract::{AccessToken, LogIn};

/// Log in
///
/// Attempts are limited by address and by account; 429 says with `Retry-After` when to try again.
#[utoipa::path(post, path = "/auth/token", tag = "auth", security(()), request_body = LogIn,
    responses((status = 200, description = "An access token", body = AccessToken)))]
pub async fn token(
    State(app): State<App>,
    Extension(client): Extension<Client>,
    Json(login): Json<LogIn>,
) -> Answer<Json<AccessToken>> {
    let user = app.core.log_in(login, client.0).await?;
    Ok(Json(app.core.issue_jwt(&user).await?))
}
