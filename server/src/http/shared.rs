//! What signed links open: the badge, the small page for a frame, the customer's page. These routes know no session
//! and no user, set no cookie, and answer whatever is wrong with a token in one way.

use super::{App, client::Client, headers::Framed};
use axum::{
    Router,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use gatepost_app::shared::{
    Look, Refused, badge as picture,
    customer::{self, Surroundings},
    frame,
};
use gatepost_contract::{JobId, Problem};
use gatepost_core::{Error, SharedReport};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header, request::Parts};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

static SIGNATURE: HeaderName = HeaderName::from_static("x-gatepost-signature");
static KEY_ID: HeaderName = HeaderName::from_static("x-gatepost-key-id");
static ROBOTS: HeaderName = HeaderName::from_static("x-robots-tag");
static RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
/// The customer's page takes the Desk's style sheet and nothing else.
pub(super) const PAGE_POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
const FILE_POLICY: &str = "default-src 'none'; sandbox; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
/// The style of the page for a frame never changes.
static FRAME_STYLE: LazyLock<String> = LazyLock::new(|| style_source(frame::STYLE));

/// The pages; the badge is part of the API.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/embed/gate/{job_id}", get(embed))
        .route("/c/{token}", get(progress))
        // What was copied with something behind it leads to the same refusal and not to the log-in.
        .route("/c/{token}/", get(progress))
        .route("/c/{token}/{*rest}", get(below))
}

/// The gate as a picture.
pub async fn badge(app: &App, parts: &Parts) -> Response {
    let (query, client) = (Query::of(&parts.uri), Client::from_extensions(&parts.extensions).0);
    let look = query.look(&parts.headers);
    let job = last_but(parts.uri.path(), 1);
    let shown = match (job, &query.token) {
        (Some(job), Some(token)) => app.core.shared_gate(token, job, client).await.map_err(why),
        _ => Err((StatusCode::FORBIDDEN, Refused::Invalid)),
    };
    let (status, picture) = match shown {
        Ok(shared) => (StatusCode::OK, picture::badge(&shared, look)),
        Err((status, refused)) => (status, picture::refused(refused, look)),
    };
    let tag = format!("\"{}\"", &blake3::hash(picture.svg.as_bytes()).to_hex()[..32]);
    let policy =
        picture.style.as_deref().map(|style| format!("style-src {}; ", style_source(style))).unwrap_or_default();
    let policy = format!("default-src 'none'; {policy}frame-ancestors 'none'; base-uri 'none'; form-action 'none'");
    let unchanged = status == StatusCode::OK && is_known(&parts.headers, &tag);
    let mut response = if unchanged {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let kind = (header::CONTENT_TYPE, HeaderValue::from_static("image/svg+xml; charset=utf-8"));
        (status, [kind], picture.svg).into_response()
    };
    common(&mut response, &policy, status);
    let headers = response.headers_mut();
    if status == StatusCode::OK {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            headers.insert(header::ETAG, tag);
        }
    }
    // A picture is shown by pages of other sites; that is what it is for.
    headers.insert(RESOURCE_POLICY.clone(), HeaderValue::from_static("cross-origin"));
    response
}

/// The gate as a small page that others may frame.
async fn embed(State(app): State<App>, parts: Parts) -> Response {
    let (query, client) = (Query::of(&parts.uri), Client::from_extensions(&parts.extensions).0);
    let look = query.look(&parts.headers);
    let job = last_but(parts.uri.path(), 0);
    let shown = match (job, &query.token) {
        (Some(job), Some(token)) => app.core.shared_gate(token, job, client).await.map_err(why),
        _ => Err((StatusCode::FORBIDDEN, Refused::Invalid)),
    };
    let (status, page) = match shown {
        Ok(shared) => (StatusCode::OK, frame::gate(&shared, look)),
        Err((status, refused)) => (status, frame::refused(refused, look)),
    };
    let policy = format!(
        "default-src 'none'; style-src {}; frame-ancestors {}; base-uri 'none'; form-action 'none'",
        *FRAME_STYLE, app.embed_ancestors
    );
    let mut response = html(status, page);
    common(&mut response, &policy, status);
    response.extensions_mut().insert(Framed);
    response
}

/// The customer's page.
async fn progress(State(app): State<App>, parts: Parts) -> Response {
    let (query, client) = (Query::of(&parts.uri), Client::from_extensions(&parts.extensions).0);
    let look = query.look(&parts.headers);
    let (token, _) = token_and_rest(parts.uri.path());
    let style_sheet = style_sheet(&app);
    let address = format!("/c/{token}");
    let around = Surroundings { style_sheet: &style_sheet, address: &address };
    let (status, page) = match app.core.shared_progress(token, client).await {
        Ok(shared) => (StatusCode::OK, customer::progress(&shared, look, around)),
        Err(error) => return refused_page(&app, error, look),
    };
    let mut response = html(status, page);
    common(&mut response, PAGE_POLICY, status);
    response
}

/// The files of the customer's report.
async fn below(State(app): State<App>, parts: Parts) -> Response {
    let (query, client) = (Query::of(&parts.uri), Client::from_extensions(&parts.extensions).0);
    let look = query.look(&parts.headers);
    let (token, rest) = token_and_rest(parts.uri.path());
    let file = match rest {
        "report.pdf" => SharedReport::Pdf,
        "report.json" => SharedReport::Json,
        "report.json.sig" => SharedReport::Signature { digest: query.digest },
        _ => return refused_page(&app, Error::NotFound("page"), look),
    };
    match app.core.shared_report(token, file, look.language(), client).await {
        Ok(file) => {
            let mut response = file.content.into_response();
            common(&mut response, FILE_POLICY, StatusCode::OK);
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.media_type));
            // Core names its files by letters, digits, dots and hyphens alone.
            if let Ok(name) = HeaderValue::from_str(&format!("attachment; filename=\"{}\"", file.name)) {
                headers.insert(header::CONTENT_DISPOSITION, name);
            }
            let signature =
                file.signature.map(|(signature, key)| [(SIGNATURE.clone(), signature), (KEY_ID.clone(), key)]);
            for (name, text) in signature.into_iter().flatten() {
                if let Ok(text) = HeaderValue::from_str(&text) {
                    headers.insert(name, text);
                }
            }
            response
        }
        Err(error) => refused_page(&app, error, look),
    }
}

fn refused_page(app: &App, error: Error, look: Look) -> Response {
    let style_sheet = style_sheet(app);
    let (status, refused) = why(error);
    // Without an address: the token stands in the page no more than it has to.
    let mut response =
        html(status, customer::refused(refused, look, Surroundings { style_sheet: &style_sheet, address: "" }));
    common(&mut response, PAGE_POLICY, status);
    response
}

pub(super) fn style_sheet(app: &App) -> String {
    format!("/{}/{}.css", app.site.options.site_pkg_dir, app.site.options.output_name)
}

/// The token of a customer's address, and what stands behind it.
fn token_and_rest(path: &str) -> (&str, &str) {
    let path = path.strip_prefix("/c/").unwrap_or_default();
    path.split_once('/').unwrap_or((path, ""))
}

pub(super) fn html(status: StatusCode, page: String) -> Response {
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    (status, [kind], Body::from(page)).into_response()
}

/// What all of them carry: the address holds a token, so it goes to nobody else and is kept by nobody.
pub(super) fn common(response: &mut Response, policy: &str, status: StatusCode) {
    let headers = response.headers_mut();
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("accept-language"));
    headers.insert(ROBOTS.clone(), HeaderValue::from_static("noindex, nofollow"));
    if let Ok(policy) = HeaderValue::from_str(policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    if status == StatusCode::TOO_MANY_REQUESTS {
        headers.entry(header::RETRY_AFTER).or_insert(HeaderValue::from_static("60"));
    }
}

/// What a refusal looks like to somebody outside.
pub(super) fn why(error: Error) -> (StatusCode, Refused) {
    match error {
        Error::TooMany { retry_after } => (StatusCode::TOO_MANY_REQUESTS, Refused::TooMany { seconds: retry_after }),
        Error::Forbidden(_) => (StatusCode::FORBIDDEN, Refused::Invalid),
        Error::NotFound(_) => (StatusCode::NOT_FOUND, Refused::Invalid),
        fault => {
            // The cause is logged as it becomes a problem.
            let problem = Problem::from(fault);
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, Refused::Fault)
        }
    }
}

/// A job's id in the path, counted from its end.
fn last_but(path: &str, behind: usize) -> Option<JobId> {
    path.rsplit('/').nth(behind)?.parse().ok()
}

/// What a policy calls a style.
fn style_source(style: &str) -> String {
    format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(style.as_bytes())))
}

/// Whether the visitor has this version (RFC 9110, section 13.1.2: weak comparison).
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    known
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

/// The query, read leniently: what makes no sense counts as left out, so that a picture stays a picture.
#[derive(Default)]
pub(super) struct Query {
    token: Option<String>,
    language: Option<String>,
    theme: Option<String>,
    digest: Option<String>,
}

impl Query {
    pub(super) fn of(uri: &Uri) -> Self {
        let mut query = Self::default();
        for (name, value) in url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
            let place = match &*name {
                "token" => &mut query.token,
                "lang" => &mut query.language,
                "theme" => &mut query.theme,
                "digest" => &mut query.digest,
                _ => continue,
            };
            place.get_or_insert_with(|| value.into_owned());
        }
        query
    }

    pub(super) fn look(&self, headers: &HeaderMap) -> Look {
        let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        Look::of(self.language.as_deref(), accepted, self.theme.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_version_is_recognised_however_it_is_listed() {
        for (value, known) in [
            ("\"a\"", true),
            ("W/\"a\"", true),
            ("\"b\", \"a\"", true),
            ("*", true),
            ("\"b\"", false),
            ("a", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, value.parse().expect("a header"));
            assert_eq!(is_known(&headers, "\"a\""), known, "{value}");
        }
    }

    #[test]
    fn of_a_query_the_first_value_counts_and_the_rest_is_ignored() {
        let query = Query::of(&Uri::from_static("/x?token=a.b&token=c&theme=dark&lang=pt&x=%00"));
        assert_eq!((query.token.as_deref(), query.theme.as_deref()), (Some("a.b"), Some("dark")));
        assert_eq!(query.look(&HeaderMap::new()).language(), "pt-BR");
    }
}
