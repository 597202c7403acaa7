//! Tenants.

use gatepost_contract::{Problem, TenantId};
use leptos::prelude::*;

/// Makes a tenant.
#[server(prefix = "/api/fn", endpoint = "create_tenant")]
pub async fn create_tenant(name: String) -> Result<(), Problem> {
    use crate::context;
    let desk = context::desk()?;
    desk.gatepost.create_tenant(&desk.actor, gatepost_contract::TenantInput { name }).await?;
    context::go("/tenants?notice=created");
    Ok(())
}

/// Gives a tenant another name.
#[server(prefix = "/api/fn", endpoint = "update_tenant")]
pub async fn update_tenant(tenant_id: TenantId, name: String) -> Result<(), Problem> {
    use crate::context;
    let desk = context::desk()?;
    desk.gatepost.update_tenant(&desk.actor, tenant_id, gatepost_contract::TenantInput { name }).await?;
    context::go("/tenants?notice=saved");
    Ok(())
}
