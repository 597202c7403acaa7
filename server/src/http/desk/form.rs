//! Server functions, for scripts and for plain HTML forms.
//!
//! To a script a refusal is the problem itself with its status. A form is sent back to the page it came from:
//! server_fn would put the error into that page's address; here it travels in the session instead, so that an address
//! never carries what was typed, and the page can fill the form in again.

use super::flash;
use crate::http::{
    error::{PROBLEM_JSON, Refusal},
    extract::MAX_CSV,
};
use axum::{
    body::{Body, Bytes, to_bytes},
    extract::Request,
    response::{IntoResponse, Response},
};
use gatepost_contract::Problem;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use leptos::server_fn::error::ServerFnUrlError;
use tower_sessions::Session;
use url::Url;

/// A base that makes relative addresses parse; only path and query of the result are used.
const HERE: &str = "http://desk.invalid/";

/// Runs a server function.
pub async fn handle(context: impl Fn() + Clone + Send + 'static, request: Request) -> Response {
    let is_form = has(request.headers(), &header::ACCEPT, "text/html");
    if !is_form {
        let response = leptos_axum::handle_server_fns_with_context(context, request).await.into_response();
        return with_status(response).await;
    }
    let path = request.uri().path().to_owned();
    let session = request.extensions().get::<Session>().cloned();
    let (mut parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_CSV).await else {
        return Refusal::from(Problem::new(413, "too_large", "The form is larger than 2 MB.")).into_response();
    };
    let back = back_to(&parts.headers);
    // server_fn reports errors by an absolute address only.
    if let Ok(referer) = HeaderValue::from_str(back.as_str()) {
        parts.headers.insert(header::REFERER, referer);
    }
    let fields = if has(&parts.headers, &header::CONTENT_TYPE, "application/x-www-form-urlencoded") {
        body.clone()
    } else {
        Bytes::new()
    };
    let request = Request::from_parts(parts, Body::from(body));
    let mut response = leptos_axum::handle_server_fns_with_context(context, request).await.into_response();
    let Some(to) = location(&response) else { return with_status(response).await };
    if let Some(problem) = problem_in(&to)
        && let Some(session) = session
        && let Err(problem) = flash::store(&session, &path, &fields, problem).await
    {
        return Refusal::from(problem).into_response();
    }
    if let Ok(location) = HeaderValue::from_str(&clean(&to)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    // 303: the next request is a GET, whatever this one was.
    *response.status_mut() = StatusCode::SEE_OTHER;
    *response.body_mut() = Body::empty();
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response.headers_mut().remove(header::CONTENT_TYPE);
    response
}

fn has(headers: &HeaderMap, name: &header::HeaderName, text: &str) -> bool {
    headers.get(name).and_then(|value| value.to_str().ok()).is_some_and(|value| value.contains(text))
}

/// The page that a form came from, as an address on no host: a referrer from elsewhere leads nowhere else.
fn back_to(headers: &HeaderMap) -> Url {
    let here = Url::parse(HERE).expect("a constant");
    let referer = headers.get(header::REFERER).and_then(|value| value.to_str().ok()).and_then(|r| Url::parse(r).ok());
    let Some(referer) = referer else { return here };
    let mut back = here;
    back.set_path(referer.path());
    back.set_query(referer.query());
    back
}

fn location(response: &Response) -> Option<Url> {
    let text = response.headers().get(header::LOCATION)?.to_str().ok()?;
    Url::parse(HERE).expect("a constant").join(text).ok()
}

fn problem_in(to: &Url) -> Option<Problem> {
    let (_, encoded) = to.query_pairs().find(|(name, _)| name == "__err")?;
    Some(ServerFnUrlError::<Problem>::decode_err(&encoded))
}

/// Path and query without what server_fn put there.
fn clean(to: &Url) -> String {
    let kept: Vec<_> = to.query_pairs().filter(|(name, _)| name != "__err" && name != "__path").collect();
    // Two slashes in front would name another host.
    let path = format!("/{}", to.path().trim_start_matches('/'));
    if kept.is_empty() {
        return path;
    }
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).finish();
    format!("{path}?{query}")
}

/// server_fn answers every error with 500; a problem knows its own status.
async fn with_status(response: Response) -> Response {
    if response.status().is_success() || response.status().is_redirection() {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let body = to_bytes(body, MAX_CSV).await.unwrap_or_default();
    let Ok(problem) = serde_json::from_slice::<Problem>(&body) else {
        let problem = if parts.status.is_server_error() {
            Problem::internal()
        } else {
            Problem::new(404, "not_found", "There is no such function. Reload the page.")
        };
        return Refusal::from(problem).into_response();
    };
    parts.status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    Response::from_parts(parts, Body::from(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_goes_back_to_its_page_and_nowhere_else() {
        for (referer, expected) in [
            ("http://127.0.0.1:8080/jobs/7?tab=log&__err=abc&__path=x", "/jobs/7?tab=log"),
            ("https://evil.test//evil.test/x", "/evil.test/x"),
            ("http://127.0.0.1:8080/login", "/login"),
            ("nonsense", "/"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::REFERER, referer.parse().expect("a header"));
            assert_eq!(clean(&back_to(&headers)), expected, "{referer}");
        }
    }

    #[test]
    fn the_problem_is_read_from_the_address_that_server_fn_made() {
        let problem = Problem::field("email", "is no address");
        let url = ServerFnUrlError::new("/api/fn/x", problem.clone())
            .to_url("http://desk.invalid/users?page=2")
            .expect("a url");
        assert_eq!(problem_in(&url), Some(problem));
        assert_eq!(clean(&url), "/users?page=2");
    }
}
