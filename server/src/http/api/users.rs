//! Users.

use crate::http::{
    error::Answer,
    extract::{Created, Json, Paging, Path},
    identity::Caller,
};
use axum::extract::State;
use gatepost_contract::{NewUser, Page, PageQuery, User, UserId, UserPatch};
use gatepost_core::Gatepost;

/// List users
///
/// For super admins.
#[utoipa::path(get, path = "/users", tag = "users", params(PageQuery),
    responses((status = 200, description = "Users", body = Page<User>)))]
pub async fn list(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Paging(page): Paging,
) -> Answer<Json<Page<User>>> {
    Ok(Json(core.list_users(&actor, page).await?))
}

/// Make a user
///
/// For super admins.
#[utoipa::path(post, path = "/users", tag = "users", request_body = NewUser,
    responses((status = 201, description = "The user", body = User)))]
pub async fn create(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Json(input): Json<NewUser>,
) -> Answer<Created<User>> {
    let user = core.create_user(&actor, input).await?;
    Ok(Created(format!("/api/v1/users/{}", user.id), user))
}

/// Get a user
#[utoipa::path(get, path = "/users/{id}", tag = "users", params(("id" = i64, Path, description = "The user")),
    responses((status = 200, description = "The user", body = User)))]
pub async fn get(State(core): State<Gatepost>, Caller(actor): Caller, Path(id): Path<UserId>) -> Answer<Json<User>> {
    Ok(Json(core.get_user(&actor, id).await?))
}

/// Change a user
///
/// For super admins. What is left out stays as it is.
#[utoipa::path(patch, path = "/users/{id}", tag = "users", params(("id" = i64, Path, description = "The user")),
    request_body = UserPatch, responses((status = 200, description = "The user", body = User)))]
pub async fn update(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<UserId>,
    Json(patch): Json<UserPatch>,
) -> Answer<Json<User>> {
    Ok(Json(core.update_user(&actor, id, patch).await?))
}
