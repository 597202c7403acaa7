//! The Desk's plain form for files, for browsers without JavaScript. It goes past the server functions, which would read
//! the whole body into memory.

use super::flash;
use crate::http::{
    App,
    api::uploads::{FileForm, take_form},
    error::Answer,
    extract::Path,
    identity::Caller,
};
use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Redirect, Response},
    routing::post,
};
use gatepost_contract::{MailboxId, Problem};
use gatepost_core::Gatepost;
use tower_sessions::Session;

/// The address that takes the form.
pub fn routes() -> Router<App> {
    Router::new().route("/mailboxes/{id}/files/send", post(send))
}

/// Takes the files of the form and goes back to the page of the mailbox's files.
async fn send(
    State(core): State<Gatepost>,
    caller: Answer<Caller>,
    session: Session,
    Path(id): Path<MailboxId>,
    form: Answer<FileForm>,
) -> Response {
    let Ok(Caller(actor)) = caller else { return Redirect::to("/login").into_response() };
    let page = format!("/mailboxes/{id}/files");
    let taken = async {
        let form = form.map_err(|_| Problem::field("file", "is missing"))?;
        let job = core.get_mailbox(&actor, id).await?.job_id;
        take_form(&core, &actor, job, Some(id), form).await
    };
    if let Err(refusal) = taken.await {
        let problem = refusal.into_problem();
        if let Err(problem) = flash::store(&session, &format!("{page}/send"), b"", problem).await {
            return crate::http::error::Refusal::from(problem).into_response();
        }
    }
    Redirect::to(&page).into_response()
}
