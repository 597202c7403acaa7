//! What watches the program: liveness, readiness, measurements.

use super::{
    App,
    error::Answer,
    extract::Json,
    identity::{self, Identity},
};
use axum::{
    Extension, Router,
    extract::State,
    middleware::{from_fn, map_response},
    routing::get,
};
use gatepost_contract::Problem;
use gatepost_core::Gatepost;
use http::{HeaderMap, StatusCode, header};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};
use std::time::Duration;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use tower_http::{catch_panic::CatchPanicLayer, limit::RequestBodyLimitLayer, timeout::TimeoutLayer};

/// For whoever reads the measurements without saying who they are.
const SHOW_A_TOKEN: &str = "Measurements are for service tokens with the scope metrics:read: make one on the Desk's page of \
    service tokens, or with `gatepost admin token add --scope metrics:read`, and send it as a bearer token. Staff who \
    are signed in may read them too.";

/// What is read from the database for it may take so long; without it the rest is shown.
const READ_WITHIN: Duration = Duration::from_secs(5);
/// A worker's answers may take so long.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// Text, with its kind.
type Measurements = ([(header::HeaderName, &'static str); 1], String);

/// What those who watch a worker's process are answered from.
#[derive(Clone)]
pub struct Watched {
    /// The service.
    pub core: Gatepost,
    /// Where measurements are read.
    pub metrics: PrometheusHandle,
    /// Cancelled when the worker is to end.
    pub ending: CancellationToken,
}

/// The addresses of a worker: nothing of the Desk, and no session; a token alone says who asks.
pub fn router(watched: Watched) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics_of_worker))
        .fallback(super::error::not_found)
        .layer(from_fn(super::error::problems_only))
        .layer(RequestBodyLimitLayer::new(0))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, ANSWER_WITHIN))
        .layer(CatchPanicLayer::custom(super::error::caught_panic))
        .layer(map_response(super::headers::plain))
        .with_state(watched)
}

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
pub async fn metrics(State(app): State<App>, Extension(identity): Extension<Identity>) -> Answer<Measurements> {
    measurements(&app.core, &app.metrics, identity).await
}

/// The same of a worker.
async fn metrics_of_worker(State(watched): State<Watched>, headers: HeaderMap) -> Answer<Measurements> {
    let identity = identity::from_bearer(&watched.core, &headers).await.unwrap_or(Identity::Anonymous);
    measurements(&watched.core, &watched.metrics, identity).await
}

async fn measurements(core: &Gatepost, metrics: &PrometheusHandle, identity: Identity) -> Answer<Measurements> {
    let actor = match identity {
        Identity::Known(actor) => actor,
        Identity::Refused(refusal) => return Err(refusal),
        Identity::Anonymous => return Err(Problem::new(401, "unauthorized", SHOW_A_TOKEN).into()),
    };
    core.may_read_measurements(&actor)?;
    let mut text = metrics.render();
    match tokio::time::timeout(READ_WITHIN, core.named_measurements(OffsetDateTime::now_utc())).await {
        Ok(Ok(named)) => text.push_str(&named),
        Ok(Err(error)) => tracing::warn!(%error, "measurements by wave, job and host could not be read"),
        Err(_) => tracing::warn!("measurements by wave, job and host took too long to read"),
    }
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text))
}
