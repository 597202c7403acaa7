//! Who is asking: a bearer's token, or the session's user. Roles and scopes are core's business.

use super::{
    App,
    error::Refusal,
    session::{Login, touch},
};
use axum::{
    extract::{FromRequestParts, Request, State},
    middleware::Next,
    response::Response,
};
use gatepost_contract::Problem;
use gatepost_core::{Actor, Gatepost};
use http::{HeaderMap, header, request::Parts};
use tower_sessions::Session;

/// What is known about the caller.
#[derive(Clone, Debug)]
pub enum Identity {
    /// Nothing was shown.
    Anonymous,
    /// This one.
    Known(Actor),
    /// Something was shown that does not count, e.g. an expired token.
    Refused(Refusal),
}

impl Identity {
    /// The actor, where there is one.
    pub fn actor(&self) -> Option<&Actor> {
        if let Self::Known(actor) = self { Some(actor) } else { None }
    }
}

/// Finds out who is asking and leaves an [`Identity`] for the handlers.
pub async fn identify(State(app): State<App>, session: Session, mut request: Request, next: Next) -> Response {
    let identity = match from_bearer(&app.core, request.headers()).await {
        // A request that shows a token never falls back to the cookie: the CSRF defence relies on it.
        Some(identity) => identity,
        None => from_session(&app, &session).await,
    };
    if let Some(actor) = identity.actor() {
        tracing::Span::current().record("actor", actor.label());
    }
    request.extensions_mut().insert(identity);
    next.run(request).await
}

/// Who shows this token; none where no token is shown.
pub(super) async fn from_bearer(core: &Gatepost, headers: &HeaderMap) -> Option<Identity> {
    Some(match bearer(headers)? {
        Ok(token) => match core.actor_from_bearer(token).await {
            Ok(actor) => Identity::Known(actor),
            Err(error) => Identity::Refused(error.into()),
        },
        Err(refusal) => Identity::Refused(refusal),
    })
}

async fn from_session(app: &App, session: &Session) -> Identity {
    let login = match Login::of(session).await {
        Ok(Some(login)) => login,
        Ok(None) => return Identity::Anonymous,
        Err(refusal) => return Identity::Refused(refusal),
    };
    match app.core.actor_for_session(login.user, login.generation).await {
        Ok(actor) => {
            touch(session, login).await;
            Identity::Known(actor)
        }
        // The account was changed, disabled or is gone: the session ends with it.
        Err(
            gatepost_core::Error::Unauthorized(_)
            | gatepost_core::Error::Forbidden(_)
            | gatepost_core::Error::NotFound(_),
        ) => {
            if let Err(error) = session.flush().await {
                tracing::warn!(%error, "a session could not be ended");
            }
            Identity::Anonymous
        }
        Err(error) => Identity::Refused(error.into()),
    }
}

fn bearer(headers: &HeaderMap) -> Option<Result<&str, Refusal>> {
    let value = headers.get(header::AUTHORIZATION)?;
    let token = value.to_str().ok().and_then(|text| {
        let (scheme, token) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim()).filter(|t| !t.is_empty() && t.len() <= 4096)
    });
    Some(token.ok_or_else(|| {
        Problem::new(401, "unauthorized", "The Authorization header must be `Bearer` and a token.").into()
    }))
}

/// The actor of a request; without one the answer is 401.
pub struct Caller(pub Actor);

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        match parts.extensions.get::<Identity>() {
            Some(Identity::Known(actor)) => Ok(Self(actor.clone())),
            Some(Identity::Refused(refusal)) => Err(refusal.clone()),
            Some(Identity::Anonymous) | None => {
                Err(Problem::new(401, "unauthorized", "Sign in, or send a bearer token.").into())
            }
        }
    }
}
