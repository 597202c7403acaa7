//! HTTP: the REST API, the Desk and what watches them. Everything here reads the request, makes one call into core and
//! shapes the answer; no rule of the business lives here.

pub mod api;
pub mod audit_file;
mod care;
pub mod client;
mod consent;
mod csrf;
mod csv;
mod desk;
mod docs;
mod error;
mod extract;
mod headers;
mod identity;
mod residue_file;
mod serve;
mod session;
mod shared;
mod trace;

pub use care::Watched;
pub use desk::site::Site;
pub use serve::{serve, watch};

use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRef},
    middleware::{from_fn, from_fn_with_state},
    routing::{any, get},
};
use client::Network;
use gatepost_core::Gatepost;
use http::StatusCode;
use leptos::config::LeptosOptions;
use metrics_exporter_prometheus::PrometheusHandle;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use tower_http::{
    catch_panic::CatchPanicLayer,
    limit::RequestBodyLimitLayer,
    timeout::{RequestBodyTimeoutLayer, TimeoutLayer},
};

/// No handler takes longer to begin its answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// No sender of a body may be silent for longer.
const NEXT_BYTES_WITHIN: Duration = Duration::from_secs(30);
/// The same for a file, whose line may be a bad one. What has arrived by then stays.
const NEXT_BYTES_OF_A_FILE_WITHIN: Duration = Duration::from_secs(60);
/// No body is larger, whatever the route allows, but for files.
const MAX_BODY: usize = extract::MAX_CSV + 64 * 1024;

/// What handlers share.
#[derive(Clone)]
pub struct App {
    /// The service.
    pub core: Gatepost,
    /// Whether people come by https.
    pub is_https: bool,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Arc<[Network]>,
    /// Who may frame the small page of the gate, as a content security policy writes it.
    pub embed_ancestors: Arc<str>,
    /// The pages' assets.
    pub site: Site,
    /// Where measurements are read.
    pub metrics: PrometheusHandle,
    /// Cancelled when the server is to end.
    pub ending: CancellationToken,
}

impl FromRef<App> for Gatepost {
    fn from_ref(app: &App) -> Self {
        app.core.clone()
    }
}

impl FromRef<App> for LeptosOptions {
    fn from_ref(app: &App) -> Self {
        app.site.options.clone()
    }
}

/// Every address of the program.
pub fn router(app: &App) -> Router {
    let migration = app.core.config().enabled;
    let api = api::router(migration);
    let docs = docs::Docs::new(&api.document, &app.site);

    let rest = Router::new()
        .nest("/api/v1", api.known)
        .route("/api/v1/openapi.json", get(docs::json).with_state(docs.clone()))
        .route("/api/docs", get(docs::page).with_state(docs))
        .route("/api", any(error::not_found))
        .route("/api/{*rest}", any(error::not_found))
        .layer(from_fn(error::problems_only));

    let mut uploads = Router::new().nest("/api/v1", api.uploads).layer(from_fn(error::problems_only));
    if migration {
        uploads = uploads.merge(desk::upload::routes().layer(DefaultBodyLimit::disable()));
    }

    let care = Router::new()
        .route("/healthz", get(care::healthz))
        .route("/readyz", get(care::readyz))
        .layer(from_fn(error::problems_only));
    let measurements = Router::new().route("/metrics", get(care::metrics)).layer(from_fn(error::problems_only));

    // With a signed link nobody is known: no session is read, no user looked up.
    let mut linked = Router::new().nest("/api/v1", api.linked);
    if migration {
        linked = linked.merge(shared::routes()).merge(consent::routes());
    }

    let mut desk = desk::routes(app);
    if migration {
        desk = desk.merge(consent::staff_routes());
    }
    let usual = Router::new()
        .merge(for_known_callers(rest.merge(measurements).merge(desk), app))
        .merge(linked)
        .merge(care)
        .merge(desk::assets(app))
        .layer(RequestBodyLimitLayer::new(MAX_BODY))
        .layer(RequestBodyTimeoutLayer::new(NEXT_BYTES_WITHIN))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, ANSWER_WITHIN));
    // How large a file may be is a setting, and how long it takes is the line's business. Only silence ends it.
    let uploads = for_known_callers(uploads, app).layer(RequestBodyTimeoutLayer::new(NEXT_BYTES_OF_A_FILE_WITHIN));

    Router::new()
        .merge(usual)
        .merge(uploads)
        .layer(CatchPanicLayer::custom(error::caught_panic))
        .layer(from_fn_with_state(app.clone(), headers::secure))
        .layer(from_fn_with_state(app.clone(), trace::trace))
        .with_state(app.clone())
}

/// Finds out who asks, and refuses what another site asks in their name.
fn for_known_callers(routes: Router<App>, app: &App) -> Router<App> {
    routes
        .layer(from_fn_with_state(app.clone(), identity::identify))
        .layer(session::layer(app))
        .layer(from_fn_with_state(app.clone(), csrf::defend))
}
