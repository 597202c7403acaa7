//! What watches the program: liveness, readiness, measurements.

use super::{App, error::Answer, extract::Json, identity::Identity};
use axum::{Extension, extract::State};
use gatepost_contract::Problem;
use http::header;
use serde_json::{Value, json};

/// For whoever reads the measurements without saying who they are.
const SHOW_A_TOKEN: &str = "Measurements are for service tokens with the scope metrics:read: make one on the Desk's page of \
    service tokens, or with `gatepost admin token add --scope metrics:read`, and send it as a bearer token. Staff who \
    are signed in may read them too.";

/// The process answers.
pub async fn healthz() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

/// The database answers and the data path can be written.
pub async fn readyz(State(app): State<App>) -> Answer<Json<Value>> {
    if app.ending.is_cancelled() {
        return Err(Problem::new(503, "ending", "The server is ending.").into());
    }
    match app.core.ready().await {
        Ok(()) => Ok(Json(json!({"status": "ready"}))),
        Err(error) => {
            // Converting logs the cause; the detail is for those who watch.
            let problem = Problem::from(error);
            Err(Problem::new(503, "not_ready", problem.detail).into())
        }
    }
}

/// Measurements as Prometheus text, for a token with `metrics:read` and for staff.
pub async fn metrics(
    State(app): State<App>,
    Extension(identity): Extension<Identity>,
) -> Answer<([(header::HeaderName, &'static str); 1], String)> {
    let actor = match identity {
        Identity::Known(actor) => actor,
        Identity::Refused(refusal) => return Err(refusal),
        Identity::Anonymous => return Err(Problem::new(401, "unauthorized", SHOW_A_TOKEN).into()),
    };
    app.core.may_read_measurements(&actor)?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.metrics.render()))
}
