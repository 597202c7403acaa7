//! Service tokens: shown once, stored hashed.

use crate::{Actor, Error, Gatepost, Result, audit::Entry, auth, clock, users::checked_page, validate::Checker};
use gatepost_contract::{IssuedToken, NewServiceToken, Page, PageQuery, Scope, Secret, ServiceToken, TokenId};
use gatepost_store::tokens;

impl Gatepost {
    /// Makes a token. Its secret is in the answer and nowhere else.
    pub async fn create_token(&self, actor: &Actor, new: NewServiceToken) -> Result<IssuedToken> {
        actor.admin()?;
        let mut checker = Checker::new();
        let name = checker.text("name", &new.name, 1..=100, false);
        let mut scopes: Vec<Scope> = new.scopes;
        scopes.sort_unstable();
        scopes.dedup();
        if scopes.is_empty() {
            checker.error("scopes", "must name at least one scope");
        }
        if new.expires_in_days.is_some_and(|d| d == 0 || d > 3650) {
            checker.error("expires_in_days", "must be between 1 and 3,650");
        }
        checker.finish()?;
        let secret = auth::new_token_secret();
        let now = clock::now();
        let expires = new
            .expires_in_days
            .map(|days| clock::text(time::OffsetDateTime::now_utc() + time::Duration::days(days.into())));
        let mut tx = self.store().begin().await?;
        let id =
            tokens::insert(&mut tx, &name, &auth::sha256(&secret), &scopes, &actor.label(), expires.as_deref(), &now)
                .await?;
        let token = tokens::get(&mut tx, id).await?.ok_or(Error::NotFound("token"))?;
        Entry::new(actor, "token.create", format!("token/{id}")).after(&token).write(&mut tx).await?;
        tx.commit().await?;
        Ok(IssuedToken { token, secret: Secret(secret) })
    }

    /// Lists tokens.
    pub async fn list_tokens(&self, actor: &Actor, page: PageQuery) -> Result<Page<ServiceToken>> {
        actor.admin()?;
        Ok(tokens::list(&mut *self.store().reader().await?, &checked_page(page)?).await?)
    }

    /// Ends a token.
    pub async fn revoke_token(&self, actor: &Actor, id: TokenId) -> Result<()> {
        actor.admin()?;
        let mut tx = self.store().begin().await?;
        let before = tokens::get(&mut tx, id).await?.ok_or(Error::NotFound("token"))?;
        if before.revoked_at.is_none() {
            tokens::revoke(&mut tx, id, &clock::now()).await?;
            Entry::new(actor, "token.revoke", format!("token/{id}")).before(&before).write(&mut tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}
