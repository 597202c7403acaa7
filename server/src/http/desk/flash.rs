//! A refused form on its way back to its page: left in the session by the form's post, taken by the next page.

use crate::http::session::leave;
use axum::{extract::Request, middleware::Next, response::Response};
use gatepost_app::Flash;
use gatepost_contract::Problem;
use http::Method;
use tower_sessions::Session;

const KEY: &str = "flash";
/// More than this is not kept: the session is no place for files.
const MAX_BYTES: usize = 32 * 1024;

/// Hands a waiting flash to the page that is being loaded.
pub async fn take(mut request: Request, next: Next) -> Response {
    let session = request.extensions().get::<Session>().cloned();
    if request.method() == Method::GET
        && let Some(session) = session
    {
        match session.remove::<Flash>(KEY).await {
            Ok(Some(flash)) => {
                request.extensions_mut().insert(flash);
            }
            Ok(None) => {}
            // One that cannot be read, e.g. of an older version, is gone; the page is shown without it.
            Err(error) => tracing::warn!(%error, "a flash could not be read"),
        }
    }
    next.run(request).await
}

/// Leaves a refused form for the next page. Secrets never enter the session.
pub async fn store(session: &Session, path: &str, form: &[u8], mut problem: Problem) -> Result<(), Problem> {
    let mut size = 0;
    let typed = url::form_urlencoded::parse(form).take_while(|(name, value)| {
        size += name.len() + value.len();
        size <= MAX_BYTES / 2
    });
    let typed: Vec<_> = typed.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    let mut room = MAX_BYTES / 2;
    problem.errors.retain(|error| {
        let fits = error.field.len() + error.message.len() <= room;
        room = room.saturating_sub(error.field.len() + error.message.len());
        fits
    });
    leave(session, KEY, Flash::new(path, typed, problem)).await
}
