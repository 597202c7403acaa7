//! Defence against requests that another site makes in a user's name.
//!
//! Asked for on every unsafe method that could ride on the session cookie: browsers say where a request comes from in
//! `Sec-Fetch-Site`, older ones in `Origin` or `Referer`. It is asked for too on the few safe ones that reach out to the
//! old mail server or search for it, where browsers say that another site has made them. A request with an
//! `Authorization` header is exempt, for no other site can make a browser add one; so is an API request that carries no
//! session cookie at all.

use super::{App, error::Refusal, extract::host, session::COOKIE};
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use gatepost_contract::Problem;
use http::{HeaderMap, header};

/// Refuses what comes from elsewhere.
pub async fn defend(State(app): State<App>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let asked = !request.method().is_safe() || reaches_out(path, request.uri().query());
    if !asked || !could_ride(request.headers(), path) {
        return next.run(request).await;
    }
    if request.method().is_safe() && !is_cross_site(request.headers()) {
        return next.run(request).await;
    }
    if is_ours(request.headers(), host(request.headers()), app.core.config().public_url.as_deref()) {
        return next.run(request).await;
    }
    Refusal::from(Problem::new(
        403,
        "csrf",
        "This request came from another site. Open the Desk at its own address and try again.",
    ))
    .into_response()
}

/// Whether a GET of this address logs in at the old mail server and writes who read a message, sends the browser to a
/// provider to consent, or asks name servers and hosts of a domain: another site must not be able to make somebody do
/// that. A segment with escapes may be any. Pages that search do so when they are asked what for, in their query.
fn reaches_out(path: &str, query: Option<&str>) -> bool {
    let asks = |name: &str| {
        url::form_urlencoded::parse(query.unwrap_or_default().as_bytes())
            .any(|(key, value)| key == name && !value.is_empty())
    };
    let is = |segment: &str, name: &str| segment == name || segment.contains('%');
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    match segments[..] {
        ["api", "v1", migration, quarantine, _, what] => {
            is(migration, "migration") && is(quarantine, "quarantine") && (is(what, "message") || is(what, "headers"))
        }
        ["api", "v1", migration, discover] => is(migration, "migration") && is(discover, "discover"),
        ["api", "v1", migration, mailboxes, template] => {
            asks("domain") && is(migration, "migration") && is(mailboxes, "mailboxes") && is(template, "template.csv")
        }
        [jobs, _, what, which] => {
            let searches = || asks("find") && is(what, "mailboxes") && is(which, "new");
            is(jobs, "jobs") && (is(what, "messages") || searches())
        }
        [first, second, third] => {
            let searches = || asks("find") && is(first, "jobs") && is(third, "discover");
            is(first, "oauth") && is(second, "start") || searches()
        }
        [mailboxes, _] => asks("find") && is(mailboxes, "mailboxes"),
        _ => false,
    }
}

fn is_cross_site(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site.as_bytes() == b"cross-site")
}

fn could_ride(headers: &HeaderMap, path: &str) -> bool {
    if headers.contains_key(header::AUTHORIZATION) {
        return false;
    }
    let has_session = headers.get_all(header::COOKIE).iter().any(|value| {
        value
            .as_bytes()
            .split(|b| *b == b';')
            .any(|pair| pair.trim_ascii().strip_prefix(COOKIE.as_bytes()).is_some_and(|rest| rest.starts_with(b"=")))
    });
    // Forms of the Desk are covered with and without a session: a forged log-in is one too.
    has_session || !path.starts_with("/api/v1/")
}

fn is_ours(headers: &HeaderMap, host: Option<&str>, public_url: Option<&str>) -> bool {
    let text = |name: http::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = headers.get("sec-fetch-site") {
        return matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    let Some(from) = text(header::ORIGIN).or_else(|| text(header::REFERER)).and_then(|from| url::Url::parse(from).ok())
    else {
        return false;
    };
    let same_as =
        |other: &url::Url| from.host() == other.host() && from.port_or_known_default() == other.port_or_known_default();
    let by_host = host.and_then(|host| url::Url::parse(&format!("{}://{host}/", from.scheme())).ok());
    let by_config = public_url.and_then(|public| url::Url::parse(public).ok());
    by_host.is_some_and(|url| same_as(&url)) || by_config.is_some_and(|url| same_as(&url))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (http::HeaderName::from_static(n), v.parse().expect("a header"))).collect()
    }

    #[test]
    fn only_requests_that_could_ride_on_the_cookie_are_asked() {
        for (pairs, path, asked) in [
            (&[("cookie", "gatepost=x")][..], "/api/v1/tenants", true),
            (&[("cookie", "a=b; gatepost=x")], "/api/v1/tenants", true),
            (&[("cookie", "gatepost2=x")], "/api/v1/tenants", false),
            (&[], "/api/v1/auth/token", false),
            (&[], "/api/fn/log_in", true),
            (&[("authorization", "Bearer x"), ("cookie", "gatepost=x")], "/api/v1/tenants", false),
        ] {
            assert_eq!(could_ride(&headers(pairs), path), asked, "{pairs:?} {path}");
        }
    }

    #[test]
    fn the_addresses_that_reach_out_are_known_however_they_are_written() {
        for (path, reads) in [
            ("/api/v1/migration/quarantine/7/message", true),
            ("/api/v1/migration/quarantine/7/headers", true),
            ("/api/v1/migration/quarantine/7/retry", false),
            ("/api/v1/migration/jobs/7/quarantine", false),
            ("/jobs/1/messages/7", true),
            ("/jobs/1/messages/7/", true),
            ("/jobs//1/%6Dessages/7", true),
            ("/jobs/1/residue", false),
            ("/oauth/start/7", true),
            ("/oauth/callback", false),
            ("/api/v1/migration/discover?domain=example.com", true),
            ("/api/v1/migration/d%69scover/?domain=example.com", true),
            ("/api/v1/migration/jobs", false),
            ("/api/v1/migration/mailboxes/template.csv?domain=example.com&take=x", true),
            ("/api/v1/migration/mailboxes/template.csv", false),
            ("/api/v1/migration/mailboxes/7", false),
            ("/jobs/1/discover?find=example.com", true),
            ("/jobs/1/discover", false),
            ("/jobs/1/discover?", false),
            ("/jobs/1/mailboxes/new?f%69nd=example.com", true),
            ("/jobs/1/mailboxes/new", false),
            ("/mailboxes/7?find=example.com", true),
            ("/mailboxes/7", false),
            ("/jobs/1", false),
            ("/jobs/1?notice=saved", false),
            ("/", false),
        ] {
            let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
            assert_eq!(reaches_out(path, query), reads, "{path} {query:?}");
        }
    }

    #[test]
    fn a_request_is_ours_by_fetch_metadata_or_by_its_origin() {
        let public = Some("https://desk.example");
        for (pairs, ours) in [
            (&[("sec-fetch-site", "same-origin")][..], true),
            (&[("sec-fetch-site", "none")], true),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "cross-site"), ("origin", "http://127.0.0.1:8080")], false),
            (&[("origin", "http://127.0.0.1:8080")], true),
            (&[("origin", "http://127.0.0.1:8081")], false),
            (&[("origin", "https://desk.example")], true),
            (&[("origin", "https://desk.example.evil.test")], false),
            (&[("origin", "null")], false),
            (&[("referer", "http://127.0.0.1:8080/login?x=1")], true),
            (&[("origin", "https://evil.test"), ("referer", "http://127.0.0.1:8080/")], false),
            (&[], false),
        ] {
            assert_eq!(is_ours(&headers(pairs), Some("127.0.0.1:8080"), public), ours, "{pairs:?}");
        }
    }
}
