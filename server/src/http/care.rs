//! What watches the program: liveness, readiness, measurements.

use super::{App, error::Answer, extract::Json};
use axum::extract::State;
use gatepost_contract::Problem;
use http::header;
use serde_json::{Value, json};

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

/// Measurements as Prometheus text.
pub async fn metrics(State(app): State<App>) -> ([(header::HeaderName, &'static str); 1], String) {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.metrics.render())
}
