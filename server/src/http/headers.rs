//! Headers that every answer carries. The Desk's pages bring a policy with nonces of their own; it is kept.

use super::App;
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderName, HeaderValue, header};

static FIXED: [(HeaderName, &str); 8] = [
    // The strictest policy: for answers that no page is made of. Pages set their own.
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // The Desk's forms find their way back by the full referrer, but only within the Desk.
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
];

/// Marks an answer that other sites may frame; its own policy says which.
#[derive(Clone, Copy, Debug)]
pub struct Framed;

/// Adds what the answer does not have yet.
pub async fn secure(State(app): State<App>, request: Request, next: Next) -> Response {
    let mut response = complete(next.run(request).await);
    if app.is_https {
        response
            .headers_mut()
            .entry(header::STRICT_TRANSPORT_SECURITY)
            .or_insert(HeaderValue::from_static("max-age=31536000; includeSubDomains"));
    }
    response
}

/// The same for who has nothing but these.
pub async fn plain(response: Response) -> Response {
    complete(response)
}

fn complete(mut response: Response) -> Response {
    let framed = response.extensions().get::<Framed>().is_some();
    let headers = response.headers_mut();
    for (name, value) in &FIXED {
        if framed && *name == header::X_FRAME_OPTIONS {
            continue;
        }
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
