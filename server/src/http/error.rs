//! Refusals as responses: everything that goes wrong leaves as `application/problem+json`.

use axum::{
    body::Body,
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use gatepost_contract::Problem;
use http::{HeaderValue, StatusCode, header};

/// The media type of RFC 9457.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// A refusal on its way out.
#[derive(Clone, Debug)]
pub struct Refusal {
    problem: Box<Problem>,
    retry_after: Option<u64>,
}

/// What a handler answers.
pub type Answer<T> = Result<T, Refusal>;

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self { problem: Box::new(problem), retry_after: None }
    }
}

impl From<gatepost_core::Error> for Refusal {
    fn from(error: gatepost_core::Error) -> Self {
        let retry_after = match &error {
            gatepost_core::Error::TooMany { retry_after } => Some(*retry_after),
            _ => None,
        };
        Self { problem: Box::new(error.into()), retry_after }
    }
}

impl Refusal {
    /// The problem that it carries.
    pub fn into_problem(self) -> Problem {
        *self.problem
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self.problem).expect("a problem has only text and numbers");
        let mut response = (status, [(header::CONTENT_TYPE, PROBLEM_JSON)], body).into_response();
        if status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"gatepost\""));
        }
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// A problem for a bare status that a layer or the router answered with.
fn for_status(status: StatusCode) -> Problem {
    let (code, detail) = match status {
        StatusCode::NOT_FOUND => ("not_found", "There is nothing at this address."),
        StatusCode::PRECONDITION_FAILED => {
            ("precondition_failed", "The request is of a version that is not spoken here.")
        }
        StatusCode::METHOD_NOT_ALLOWED => ("method_not_allowed", "This address does not take that method."),
        StatusCode::PAYLOAD_TOO_LARGE => ("too_large", "The body is larger than this address takes."),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ("unsupported_media_type", "This address does not take that media type."),
        StatusCode::REQUEST_TIMEOUT => ("timeout", "The request took too long. Try again."),
        StatusCode::SERVICE_UNAVAILABLE => ("unavailable", "The service cannot answer right now. Try again."),
        status if status.is_client_error() => ("bad_request", "The request could not be understood."),
        _ => return Problem::internal(),
    };
    Problem::new(status.as_u16(), code, detail)
}

/// Gives every failed answer of the API the one shape; what else it carries (`Allow`, …) stays.
pub async fn problems_only(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    let shaped =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|t| t.as_bytes().starts_with(PROBLEM_JSON.as_bytes()));
    if shaped || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    let body = serde_json::to_vec(&for_status(status)).expect("a problem has only text and numbers");
    Response::from_parts(parts, Body::from(body))
}

/// A panic in a handler: logged with its text, answered without it.
pub fn caught_panic(cause: Box<dyn std::any::Any + Send>) -> Response {
    let text = cause.downcast_ref::<String>().map(String::as_str).or_else(|| cause.downcast_ref::<&str>().copied());
    tracing::error!(panic = text.unwrap_or("of an unknown kind"), "a handler panicked");
    Refusal::from(Problem::internal()).into_response()
}

/// 404 for what no route knows.
pub async fn not_found() -> Refusal {
    for_status(StatusCode::NOT_FOUND).into()
}
