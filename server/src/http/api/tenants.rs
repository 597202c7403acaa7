//! Tenants.

use crate::http::{
    error::Answer,
    extract::{Created, Json, Paging, Path},
    identity::Caller,
};
use axum::extract::State;
use gatepost_contract::{Page, PageQuery, Tenant, TenantId, TenantInput};
use gatepost_core::Gatepost;

/// List tenants
#[utoipa::path(get, path = "/tenants", tag = "tenants", params(PageQuery),
    responses((status = 200, description = "Tenants", body = Page<Tenant>)))]
pub async fn list(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Paging(page): Paging,
) -> Answer<Json<Page<Tenant>>> {
    Ok(Json(core.list_tenants(&actor, page).await?))
}

/// Make a tenant
#[utoipa::path(post, path = "/tenants", tag = "tenants", request_body = TenantInput,
    responses((status = 201, description = "The tenant", body = Tenant)))]
pub async fn create(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Json(input): Json<TenantInput>,
) -> Answer<Created<Tenant>> {
    let tenant = core.create_tenant(&actor, input).await?;
    Ok(Created(format!("/api/v1/tenants/{}", tenant.id), tenant))
}

/// Get a tenant
#[utoipa::path(get, path = "/tenants/{id}", tag = "tenants", params(("id" = i64, Path, description = "The tenant")),
    responses((status = 200, description = "The tenant", body = Tenant)))]
pub async fn get(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<TenantId>,
) -> Answer<Json<Tenant>> {
    Ok(Json(core.get_tenant(&actor, id).await?))
}

/// Rename a tenant
#[utoipa::path(patch, path = "/tenants/{id}", tag = "tenants", params(("id" = i64, Path, description = "The tenant")),
    request_body = TenantInput, responses((status = 200, description = "The tenant", body = Tenant)))]
pub async fn update(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<TenantId>,
    Json(input): Json<TenantInput>,
) -> Answer<Json<Tenant>> {
    Ok(Json(core.update_tenant(&actor, id, input).await?))
}
