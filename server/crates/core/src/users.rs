//! Users.

use crate::{
    Actor, Error, Gatepost, Result,
    audit::Entry,
    auth::{CheckedUser, check_new_user, hash_password_aside},
    clock,
    validate::Checker,
};
use gatepost_contract::{NewUser, Page, PageQuery, Role, User, UserId, UserPatch};
use gatepost_store::{Conn, users};

impl Gatepost {
    /// Adds a user.
    pub async fn create_user(&self, actor: &Actor, new: NewUser) -> Result<User> {
        actor.admin()?;
        let checked = check_new_user(&new)?;
        let hash = hash_password_aside(new.password.clone()).await?;
        let mut tx = self.store().begin().await?;
        let user = self.insert_user(&mut tx, actor, &checked, new.role, &hash).await?;
        tx.commit().await?;
        Ok(user)
    }

    pub(crate) async fn insert_user(
        &self,
        tx: &mut Conn,
        actor: &Actor,
        checked: &CheckedUser,
        role: Role,
        hash: &str,
    ) -> Result<User> {
        let id = users::insert(tx, &checked.email, &checked.name, role, hash, &clock::now()).await?;
        let user = users::get(tx, id).await?.ok_or(Error::NotFound("user"))?;
        Entry::new(actor, "user.create", format!("user/{id}")).after(&user).write(tx).await?;
        Ok(user)
    }

    /// Lists users.
    pub async fn list_users(&self, actor: &Actor, page: PageQuery) -> Result<Page<User>> {
        actor.admin()?;
        Ok(users::list(&mut *self.store().reader().await?, &checked_page(page)?).await?)
    }

    /// One user.
    pub async fn get_user(&self, actor: &Actor, id: UserId) -> Result<User> {
        actor.admin()?;
        users::get(&mut *self.store().reader().await?, id).await?.ok_or(Error::NotFound("user"))
    }

    /// The user with this address.
    pub async fn user_by_email(&self, actor: &Actor, email: &str) -> Result<User> {
        actor.admin()?;
        let known = users::by_email(&mut *self.store().reader().await?, &email.trim().to_lowercase()).await?;
        Ok(known.ok_or(Error::NotFound("user"))?.user)
    }

    /// Changes a user. A new password, role or state ends their sessions and tokens. The last super admin stays.
    pub async fn update_user(&self, actor: &Actor, id: UserId, patch: UserPatch) -> Result<User> {
        actor.admin()?;
        let mut checker = Checker::new();
        let name = patch.name.as_ref().map(|n| checker.text("name", n, 1..=200, false));
        if let Some(password) = &patch.password {
            checker.password("password", password);
        }
        checker.finish()?;
        let hash = match patch.password {
            Some(password) => Some(hash_password_aside(password).await?),
            None => None,
        };
        let mut tx = self.store().begin().await?;
        let before = users::get(&mut tx, id).await?.ok_or(Error::NotFound("user"))?;
        let role = patch.role.unwrap_or(before.role);
        let disabled = patch.disabled.unwrap_or(before.disabled);
        let stays_admin = role == Role::SuperAdmin && !disabled;
        if before.role == Role::SuperAdmin
            && !before.disabled
            && !stays_admin
            && users::active_admins(&mut tx).await? <= 1
        {
            return Err(Error::conflict("last_admin", "This is the last super admin. Make another one first."));
        }
        let name = name.unwrap_or_else(|| before.name.clone());
        let ends_sessions = hash.is_some() || role != before.role || disabled != before.disabled;
        users::update(&mut tx, id, &name, role, disabled, hash.as_deref(), ends_sessions, &clock::now()).await?;
        let after = users::get(&mut tx, id).await?.ok_or(Error::NotFound("user"))?;
        let action = if hash.is_some() { "user.password" } else { "user.update" };
        Entry::new(actor, action, format!("user/{id}")).before(&before).after(&after).write(&mut tx).await?;
        tx.commit().await?;
        Ok(after)
    }
}

/// A page within its bounds.
pub(crate) fn checked_page(page: PageQuery) -> Result<PageQuery> {
    let mut checker = Checker::new();
    if page.page == 0 || page.page > 1_000_000 {
        checker.error("page", "must be between 1 and 1,000,000");
    }
    if page.per_page == 0 || page.per_page > gatepost_contract::MAX_PER_PAGE {
        checker.error("per_page", format!("must be between 1 and {}", gatepost_contract::MAX_PER_PAGE));
    }
    checker.finish()?;
    Ok(page)
}
