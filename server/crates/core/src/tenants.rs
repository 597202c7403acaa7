//! Tenants: the customers of the hosting provider.

use crate::{Actor, Error, Gatepost, Result, audit::Entry, clock, users::checked_page, validate::Checker};
use gatepost_contract::{Page, PageQuery, Tenant, TenantId, TenantInput};
use gatepost_store::tenants;

impl Gatepost {
    /// Adds a tenant.
    pub async fn create_tenant(&self, actor: &Actor, input: TenantInput) -> Result<Tenant> {
        actor.manage()?;
        let name = checked(&input)?;
        let mut tx = self.store().begin().await?;
        let id = tenants::insert(&mut tx, &name, &clock::now()).await?;
        let tenant = tenants::get(&mut tx, id).await?.ok_or(Error::NotFound("tenant"))?;
        Entry::new(actor, "tenant.create", format!("tenant/{id}")).after(&tenant).write(&mut tx).await?;
        tx.commit().await?;
        Ok(tenant)
    }

    /// Lists tenants.
    pub async fn list_tenants(&self, actor: &Actor, page: PageQuery) -> Result<Page<Tenant>> {
        actor.staff()?;
        Ok(tenants::list(&mut *self.store().reader().await?, &checked_page(page)?).await?)
    }

    /// One tenant.
    pub async fn get_tenant(&self, actor: &Actor, id: TenantId) -> Result<Tenant> {
        actor.staff()?;
        tenants::get(&mut *self.store().reader().await?, id).await?.ok_or(Error::NotFound("tenant"))
    }

    /// Renames a tenant.
    pub async fn update_tenant(&self, actor: &Actor, id: TenantId, input: TenantInput) -> Result<Tenant> {
        actor.manage()?;
        let name = checked(&input)?;
        let mut tx = self.store().begin().await?;
        let before = tenants::get(&mut tx, id).await?.ok_or(Error::NotFound("tenant"))?;
        tenants::rename(&mut tx, id, &name, &clock::now()).await?;
        let after = tenants::get(&mut tx, id).await?.ok_or(Error::NotFound("tenant"))?;
        Entry::new(actor, "tenant.update", format!("tenant/{id}")).before(&before).after(&after).write(&mut tx).await?;
        tx.commit().await?;
        Ok(after)
    }
}

fn checked(input: &TenantInput) -> Result<String> {
    let mut checker = Checker::new();
    let name = checker.text("name", &input.name, 1..=200, false);
    checker.finish()?;
    Ok(name)
}
