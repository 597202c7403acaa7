//! Sessions of the Desk: a cookie that names a row of the database, and who is logged in by it.

mod store;

pub use store::{Sessions, forget_expired};

use super::{App, client::Client, error::Refusal};
use gatepost_app::session::{SessionFuture, SessionPort};
use gatepost_contract::{Problem, UserId};
use gatepost_core::Gatepost;
use http::request::Parts;
use serde::{Deserialize, Serialize};
use std::{net::IpAddr, sync::Arc};
use time::{Duration, OffsetDateTime};
use tower_sessions::{Expiry, Session, SessionManagerLayer, cookie::SameSite};

/// The cookie's name.
pub const COOKIE: &str = "gatepost";

/// A log-in ends after this long without a request.
const LOGGED_IN: Expiry = Expiry::OnInactivity(Duration::hours(12));
/// A session that only carries a refused form back to its page.
const NOT_LOGGED_IN: Expiry = Expiry::OnInactivity(Duration::minutes(15));
/// How exactly the last request is remembered; writing it on every request would cost a write each.
const TOUCH_EVERY: Duration = Duration::minutes(5);

const LOGIN: &str = "login";

/// Who is logged in.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Login {
    /// The user.
    pub user: UserId,
    /// Raised with their password, role or state: sessions of an older one have ended.
    pub generation: i64,
    /// Their last request, to five minutes, in Unix seconds.
    seen: i64,
}

impl Login {
    /// Reads it from a session.
    pub async fn of(session: &Session) -> Result<Option<Self>, Refusal> {
        session.get(LOGIN).await.map_err(|error| broken(&error).into())
    }
}

/// Keeps a session alive while it is used.
pub async fn touch(session: &Session, login: Login) {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    if now - login.seen < TOUCH_EVERY.whole_seconds() {
        return;
    }
    session.set_expiry(Some(LOGGED_IN));
    if let Err(error) = session.insert(LOGIN, Login { seen: now, ..login }).await {
        tracing::warn!(%error, "a session could not be kept alive");
    }
}

/// Puts something small into the session of somebody who may not be logged in.
pub async fn leave<T: Serialize>(session: &Session, key: &str, value: T) -> Result<(), Problem> {
    if session.get_value(LOGIN).await.map_err(|e| broken(&e))?.is_none() {
        session.set_expiry(Some(NOT_LOGGED_IN));
    }
    session.insert(key, value).await.map_err(|e| broken(&e))
}

fn broken(error: &tower_sessions::session::Error) -> Problem {
    tracing::error!(%error, "the session store failed");
    Problem::internal()
}

/// The layer that reads and writes the cookie.
pub fn layer(app: &App) -> SessionManagerLayer<Sessions> {
    SessionManagerLayer::new(Sessions::new(app.core.clone()))
        .with_name(COOKIE)
        .with_path("/")
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_secure(app.is_https)
        .with_expiry(LOGGED_IN)
}

/// The session as pages and server functions use it.
pub struct Desk {
    core: Gatepost,
    session: Session,
    client: IpAddr,
}

impl Desk {
    /// The session of a request.
    pub fn of(core: Gatepost, parts: &Parts) -> Option<Arc<dyn SessionPort>> {
        let session = parts.extensions.get::<Session>()?.clone();
        Some(Arc::new(Self { core, session, client: Client::from_extensions(&parts.extensions).0 }))
    }
}

impl SessionPort for Desk {
    fn log_in(&self, user: UserId) -> SessionFuture<'_> {
        Box::pin(async move {
            let generation = self.core.session_generation(user).await?;
            // A new name for the session: whoever planted or saw the old one has nothing.
            self.session.cycle_id().await.map_err(|e| broken(&e))?;
            self.session.set_expiry(Some(LOGGED_IN));
            let login = Login { user, generation, seen: OffsetDateTime::now_utc().unix_timestamp() };
            self.session.insert(LOGIN, login).await.map_err(|e| broken(&e))
        })
    }

    fn log_out(&self) -> SessionFuture<'_> {
        Box::pin(async move { self.session.flush().await.map_err(|e| broken(&e)) })
    }

    fn client_ip(&self) -> IpAddr {
        self.client
    }
}
