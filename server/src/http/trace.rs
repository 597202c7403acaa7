//! One span, one log line and one measurement for each request. Query strings and bodies are never looked at: set-up
//! links, forms and tokens pass through here.

use super::{App, client::Client};
use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderName, HeaderValue};
use std::time::Instant;
use tracing::{Instrument, field};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Names, logs and measures the request.
pub async fn trace(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = uuid::Uuid::new_v4().simple().to_string();
    let method = known_method(request.method());
    let route = request.extensions().get::<MatchedPath>().map_or_else(|| "other".to_owned(), |p| p.as_str().to_owned());
    let client = Client::of(&request, &app.trusted_proxies);
    request.extensions_mut().insert(client);

    let span = tracing::info_span!("request", %id, method, route, client = %client.0, actor = field::Empty);
    let mut response = next.run(request).instrument(span.clone()).await;

    let status = response.status();
    let seconds = started.elapsed();
    let labels = [("method", method.to_owned()), ("route", route.clone()), ("status", status.as_u16().to_string())];
    metrics::counter!("gatepost_http_requests_total", &labels).increment(1);
    metrics::histogram!("gatepost_http_request_duration_seconds", "method" => method, "route" => route)
        .record(seconds.as_secs_f64());
    span.in_scope(|| {
        let (status, milliseconds) = (status.as_u16(), seconds.as_secs_f64() * 1e3);
        if status >= 500 {
            tracing::error!(status, milliseconds, "answered");
        } else {
            tracing::info!(status, milliseconds, "answered");
        }
    });
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// Methods come from outside; an invented one must not become a label of its own.
fn known_method(method: &http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
