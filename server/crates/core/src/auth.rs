//! Log-in, JWTs, service tokens, and the first user.

use crate::{
    Actor, Error, Gatepost, Result, clock,
    limits::{Client, Limiter},
    validate::Checker,
};
use argon2::{
    Argon2,
    password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString},
};
use gatepost_contract::{AccessToken, LogIn, NewUser, Role, Secret, User, UserId};
use gatepost_store::{settings, tokens, users};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use rand::RngCore;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{net::IpAddr, num::NonZeroU32};

/// How long a JWT is good for, in seconds.
const JWT_SECONDS: i64 = 3600;
/// What service tokens begin with, so that they are told from JWTs and found by secret scanners.
const TOKEN_PREFIX: &str = "gpt_";
/// The settings row of the set-up link's hash.
const SETUP_KEY: &str = "setup_token_sha256";

/// Attempts a minute to log in, from one client and for one address from one client.
const BY_CLIENT: NonZeroU32 = NonZeroU32::new(30).expect("not zero");
const BY_EMAIL: NonZeroU32 = NonZeroU32::new(10).expect("not zero");

/// Claims of a JWT.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    sub: String,
    role: Role,
    /// Staff belong to no tenant.
    tenant: Option<i64>,
    iat: i64,
    exp: i64,
    jti: String,
    /// The user's generation: a changed password or role ends older tokens.
    #[serde(rename = "gen")]
    generation: i64,
}

/// Signs and checks; counts attempts.
pub(crate) struct Gatekeeper {
    encoding: EncodingKey,
    decoding: DecodingKey,
    by_client: Limiter<Client>,
    by_email: Limiter<(String, Client)>,
    /// Hashing takes 19 MB a time: a few at once, the others wait.
    hashing: tokio::sync::Semaphore,
    /// Checked for unknown users, so that they take as long as known ones.
    decoy: String,
}

impl Gatekeeper {
    pub fn new(key: &Secret) -> Result<Self> {
        Ok(Self {
            encoding: EncodingKey::from_secret(key.0.as_bytes()),
            decoding: DecodingKey::from_secret(key.0.as_bytes()),
            by_client: Limiter::per_minute(BY_CLIENT),
            by_email: Limiter::per_minute(BY_EMAIL),
            hashing: tokio::sync::Semaphore::new(4),
            decoy: hash_password(&Secret(random_text()))?,
        })
    }

    fn attempt(&self, email: &str, client: IpAddr) -> Result<()> {
        let client = Client::from(client);
        self.by_client.check(&client)?;
        self.by_email.check(&(email.to_owned(), client))
    }
}

impl Gatepost {
    /// Checks an address and a password.
    ///
    /// # Errors
    /// The same sentence for an unknown address, a wrong password and a disabled account; [`Error::TooMany`] after
    /// ten attempts a minute for an address from one client, or thirty from a client.
    pub async fn log_in(&self, log_in: LogIn, client: IpAddr) -> Result<User> {
        let email = log_in.email.trim().to_lowercase();
        self.gatekeeper().attempt(&email, client)?;
        let known = users::by_email(&mut *self.store().reader().await?, &email).await?;
        let hash = known.as_ref().map_or_else(|| self.gatekeeper().decoy.clone(), |u| u.password_hash.clone());
        let turn = self.gatekeeper().hashing.acquire().await.map_err(Error::internal)?;
        let fits = verify_password(log_in.password, hash).await?;
        drop(turn);
        let refused = || Error::Unauthorized("The address or the password is wrong.".into());
        let known = known.filter(|_| fits).ok_or_else(refused)?;
        if known.user.disabled {
            return Err(refused());
        }
        let mut tx = self.store().begin().await?;
        users::logged_in(&mut tx, known.user.id, &clock::now()).await?;
        tx.commit().await?;
        Ok(known.user)
    }

    /// A JWT for a user who has logged in.
    pub async fn issue_jwt(&self, user: &User) -> Result<AccessToken> {
        let known = users::with_secrets(&mut *self.store().reader().await?, user.id).await?;
        let known = known.ok_or(Error::NotFound("user"))?;
        let now = clock::seconds();
        let claims = Claims {
            sub: user.id.to_string(),
            role: user.role,
            tenant: None,
            iat: now,
            exp: now + JWT_SECONDS,
            jti: uuid::Uuid::new_v4().to_string(),
            generation: known.generation,
        };
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.gatekeeper().encoding)
            .map_err(Error::internal)?;
        Ok(AccessToken { access_token: Secret(token), token_type: "Bearer".into(), expires_in: JWT_SECONDS })
    }

    /// Who a bearer token stands for: a JWT's user as the database knows them now, or a service token.
    pub async fn actor_from_bearer(&self, token: &str) -> Result<Actor> {
        if token.starts_with(TOKEN_PREFIX) {
            return self.actor_from_service_token(token).await;
        }
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_required_spec_claims(&["exp", "sub"]);
        rules.leeway = 5;
        let refused = || Error::Unauthorized("The token is not accepted: it is forged, expired or revoked.".into());
        let claims =
            jsonwebtoken::decode::<Claims>(token, &self.gatekeeper().decoding, &rules).map_err(|_| refused())?.claims;
        let id: UserId = claims.sub.parse().map_err(|_| refused())?;
        self.actor_for_session(id, claims.generation).await.map_err(|_| refused())
    }

    async fn actor_from_service_token(&self, token: &str) -> Result<Actor> {
        let refused = || Error::Unauthorized("The token is not accepted: it is unknown, expired or revoked.".into());
        let known = tokens::by_hash(&mut *self.store().reader().await?, &sha256(token)).await?.ok_or_else(refused)?;
        let now = clock::now();
        if known.revoked_at.is_some() || known.expires_at.as_ref().is_some_and(|end| *end <= now) {
            return Err(refused());
        }
        // To the minute is enough, and spares the writer.
        if known.last_used_at.as_deref().is_none_or(|last| last.get(..16) != now.get(..16)) {
            let mut tx = self.store().begin().await?;
            tokens::used(&mut tx, known.id, &now).await?;
            tx.commit().await?;
        }
        Ok(Actor::Token { id: known.id, name: known.name, scopes: known.scopes })
    }

    /// The user of a session.
    pub async fn actor_for_user(&self, id: UserId) -> Result<Actor> {
        self.actor_if(id, |_| true).await
    }

    /// The user of a session that was begun in this generation of the account.
    pub async fn actor_for_session(&self, id: UserId, generation: i64) -> Result<Actor> {
        self.actor_if(id, |now| now == generation).await
    }

    /// The generation of an account; it rises when its password, role or state changes.
    pub async fn session_generation(&self, id: UserId) -> Result<i64> {
        let known = users::with_secrets(&mut *self.store().reader().await?, id).await?;
        Ok(known.ok_or(Error::NotFound("user"))?.generation)
    }

    async fn actor_if(&self, id: UserId, accept: impl Fn(i64) -> bool) -> Result<Actor> {
        let known = users::with_secrets(&mut *self.store().reader().await?, id).await?;
        match known {
            Some(known) if !known.user.disabled && accept(known.generation) => {
                let User { id, email, name, role, .. } = known.user;
                Ok(Actor::User { id, email, name, role })
            }
            _ => Err(Error::Unauthorized("The session has ended. Sign in again.".into())),
        }
    }

    /// Whether there is no user yet.
    pub async fn setup_pending(&self) -> Result<bool> {
        Ok(users::count(&mut *self.store().reader().await?).await? == 0)
    }

    /// A fresh link for making the first user, `/setup?token=…`; none once there is a user. Older links die.
    pub async fn setup_link(&self) -> Result<Option<String>> {
        let mut tx = self.store().begin().await?;
        if users::count(&mut tx).await? > 0 {
            return Ok(None);
        }
        let token = random_text();
        settings::put(&mut tx, SETUP_KEY, &sha256(&token), &clock::now()).await?;
        tx.commit().await?;
        Ok(Some(format!("/setup?token={token}")))
    }

    /// Makes the first user, a super admin whatever the input says, and voids the link.
    pub async fn complete_setup(&self, token: &str, new: NewUser) -> Result<User> {
        let new = NewUser { role: Role::SuperAdmin, ..new };
        let checked = check_new_user(&new)?;
        let hash = hash_password_aside(new.password.clone()).await?;
        let mut tx = self.store().begin().await?;
        let expected = settings::get(&mut tx, SETUP_KEY).await?;
        if users::count(&mut tx).await? > 0 || expected.as_deref() != Some(sha256(token).as_str()) {
            return Err(Error::Forbidden(
                "The set-up link is not valid any more. Restart the server for a new one, or ask a super admin for an account.".into(),
            ));
        }
        let user = self.insert_user(&mut tx, &Actor::Cli, &checked, Role::SuperAdmin, &hash).await?;
        settings::delete(&mut tx, SETUP_KEY).await?;
        tx.commit().await?;
        Ok(user)
    }
}

/// A checked address and name.
pub(crate) struct CheckedUser {
    pub email: String,
    pub name: String,
}

pub(crate) fn check_new_user(new: &NewUser) -> Result<CheckedUser> {
    let mut checker = Checker::new();
    let email = checker.email("email", &new.email);
    let name = checker.text("name", &new.name, 0..=200, false);
    checker.password("password", &new.password);
    checker.finish()?;
    let name = if name.is_empty() { email.clone() } else { name };
    Ok(CheckedUser { email, name })
}

/// Hashing takes tens of milliseconds by design: away from the threads that serve.
pub(crate) async fn hash_password_aside(password: Secret) -> Result<String> {
    tokio::task::spawn_blocking(move || hash_password(&password)).await.map_err(Error::internal)?
}

fn hash_password(password: &Secret) -> Result<String> {
    let mut salt = [0u8; 16];
    rand::rng().fill_bytes(&mut salt);
    let salt = SaltString::encode_b64(&salt).map_err(|e| Error::internal(e.to_string()))?;
    let hash = Argon2::default().hash_password(password.0.as_bytes(), &salt);
    Ok(hash.map_err(|e| Error::internal(e.to_string()))?.to_string())
}

async fn verify_password(password: Secret, hash: String) -> Result<bool> {
    tokio::task::spawn_blocking(move || {
        PasswordHash::new(&hash)
            .is_ok_and(|parsed| Argon2::default().verify_password(password.0.as_bytes(), &parsed).is_ok())
    })
    .await
    .map_err(Error::internal)
}

/// A new service token's secret.
pub(crate) fn new_token_secret() -> String {
    format!("{TOKEN_PREFIX}{}", random_text())
}

/// 256 random bits as text.
pub(crate) fn random_text() -> String {
    let mut bytes = [0u8; 32];
    rand::rng().fill_bytes(&mut bytes);
    hex::encode(bytes)
}

pub(crate) fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}
