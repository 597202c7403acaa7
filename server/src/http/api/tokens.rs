//! Service tokens.

use crate::http::{
    error::Answer,
    extract::{Created, Json, Paging, Path},
    identity::Caller,
};
use axum::extract::State;
use gatepost_contract::{IssuedToken, NewServiceToken, Page, PageQuery, ServiceToken, TokenId};
use gatepost_core::Gatepost;
use http::StatusCode;

/// List service tokens
///
/// For super admins.
#[utoipa::path(get, path = "/tokens", tag = "tokens", params(PageQuery),
    responses((status = 200, description = "Tokens without their secrets", body = Page<ServiceToken>)))]
pub async fn list(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Paging(page): Paging,
) -> Answer<Json<Page<ServiceToken>>> {
    Ok(Json(core.list_tokens(&actor, page).await?))
}

/// Make a service token
///
/// For super admins. The secret is in this answer and nowhere else.
#[utoipa::path(post, path = "/tokens", tag = "tokens", request_body = NewServiceToken,
    responses((status = 201, description = "The token with its secret", body = IssuedToken)))]
pub async fn create(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Json(input): Json<NewServiceToken>,
) -> Answer<Created<IssuedToken>> {
    let issued = core.create_token(&actor, input).await?;
    Ok(Created(format!("/api/v1/tokens/{}", issued.token.id), issued))
}

/// Revoke a service token
///
/// For super admins.
#[utoipa::path(delete, path = "/tokens/{id}", tag = "tokens", params(("id" = i64, Path, description = "The token")),
    responses((status = 204, description = "It is refused from now on")))]
pub async fn revoke(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<TokenId>,
) -> Answer<StatusCode> {
    core.revoke_token(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
