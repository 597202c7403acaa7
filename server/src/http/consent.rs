//! Browsers on their way to a provider of OAuth 2 and back: the staff's, and that of a mailbox's owner who has a link.
//!
//! A browser keeps a cookie while it is away, so that an answer counts only where the question came from. The cookie is
//! `Lax`, because the way back begins at another site. Nothing here reads a session but the staff's departure.

use super::{
    App,
    client::Client,
    desk::leave_refusal,
    extract::host,
    identity::Identity,
    shared::{PAGE_POLICY, Query, common, html, style_sheet, why},
};
use axum::{
    Router,
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use gatepost_app::shared::{Look, consent as page, customer::Surroundings};
use gatepost_contract::{ConsentId, Problem};
use gatepost_core::{Departure, Error};
use http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts};
use tower_sessions::Session;

/// What a browser keeps while it is away.
const COOKIE: &str = "gatepost_consent";
/// The same under https, where no other host and no plain connection can put it into a browser (RFC 6265bis section
/// 4.1.3.2).
const HOST_COOKIE: &str = "__Host-gatepost_consent";
/// For how long, in seconds: somewhat longer than an answer counts.
const KEPT: u32 = 900;

/// For the staff: their departure.
pub fn staff_routes() -> Router<App> {
    Router::new().route("/oauth/start/{id}", get(start))
}

/// For whoever has a link, and for whoever comes back.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/oauth/callback", get(callback))
        .route("/consent/thanks", get(thanks))
        .route("/consent/refused", get(refused))
        .route("/consent/{token}", get(ask))
        .route("/consent/{token}/start", get(start_by_link))
}

async fn start(State(app): State<App>, session: Session, Path(id): Path<ConsentId>, parts: Parts) -> Response {
    let Some(actor) = parts.extensions.get::<Identity>().and_then(Identity::actor).cloned() else {
        return Redirect::to(&format!("/login?next=/oauth/start/{id}")).into_response();
    };
    let headers = parts.headers;
    match app.core.begin_consent(&actor, id, host(&headers)).await {
        Ok(departure) => leave(&app, &departure),
        Err(error) => {
            // Back to where it came from, which shows why.
            let back = match app.core.get_consent(&actor, id).await {
                Ok(consent) => consent.path(),
                Err(_) => "/".to_owned(),
            };
            match leave_refusal(&session, "/oauth/start", Problem::from(error)).await {
                Ok(()) => Redirect::to(&back).into_response(),
                Err(problem) => super::error::Refusal::from(problem).into_response(),
            }
        }
    }
}

async fn callback(State(app): State<App>, parts: Parts) -> Response {
    let look = look(&parts);
    let parameters: Vec<(String, String)> =
        url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().take(50).collect();
    let client = Client::from_extensions(&parts.extensions).0;
    match app.core.finish_consent(&parameters, kept(&parts.headers, cookie_name(&app)), client).await {
        Ok(arrival) => {
            let to = match (arrival.guest, arrival.refused.is_some()) {
                (true, false) => "/consent/thanks".to_owned(),
                (true, true) => "/consent/refused".to_owned(),
                (false, false) => format!("{}?notice=consented", arrival.consent.path()),
                (false, true) => format!("{}?refused=1", arrival.consent.path()),
            };
            // What the address said is not kept in the browser's history.
            let mut response = Redirect::to(&to).into_response();
            response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
            response
        }
        Err(error) => {
            let (status, refused) = match why(error) {
                (StatusCode::FORBIDDEN, _) => (StatusCode::FORBIDDEN, None),
                (status, refused) => (status, Some(refused)),
            };
            shown(&app, status, |around| match refused {
                None => page::stray(look, around),
                Some(refused) => page::refused(refused, look, around),
            })
        }
    }
}

async fn ask(State(app): State<App>, Path(token): Path<String>, parts: Parts) -> Response {
    let look = look(&parts);
    let client = Client::from_extensions(&parts.extensions).0;
    match app.core.shared_consent(&token, client).await {
        Ok(shared) => {
            let style_sheet = style_sheet(&app);
            let address = format!("/consent/{token}");
            let around = Surroundings { style_sheet: &style_sheet, address: &address };
            finished(StatusCode::OK, page::ask(&shared, look, around))
        }
        Err(error) => refuse(&app, error, look),
    }
}

async fn start_by_link(State(app): State<App>, Path(token): Path<String>, parts: Parts) -> Response {
    let client = Client::from_extensions(&parts.extensions).0;
    match app.core.begin_shared_consent(&token, client, host(&parts.headers)).await {
        Ok(departure) => leave(&app, &departure),
        Err(error) => refuse(&app, error, look(&parts)),
    }
}

async fn thanks(State(app): State<App>, parts: Parts) -> Response {
    let look = look(&parts);
    shown(&app, StatusCode::OK, |around| page::thanks(look, Surroundings { address: "/consent/thanks", ..around }))
}

async fn refused(State(app): State<App>, parts: Parts) -> Response {
    let look = look(&parts);
    let address = "/consent/refused";
    shown(&app, StatusCode::OK, |around| page::not_given(look, Surroundings { address, ..around }))
}

/// To the provider. The referrer says nothing: the address may hold a link's token.
fn leave(app: &App, departure: &Departure) -> Response {
    let mut response = Redirect::to(&departure.url).into_response();
    let secure = if app.is_https { "; Secure" } else { "" };
    let (name, kept) = (cookie_name(app), &departure.browser.0);
    let cookie = format!("{name}={kept}; Path=/; Max-Age={KEPT}; HttpOnly; SameSite=Lax{secure}");
    let headers = response.headers_mut();
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        headers.append(header::SET_COOKIE, cookie);
    }
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn refuse(app: &App, error: Error, look: Look) -> Response {
    let (status, refused) = why(error);
    shown(app, status, |around| page::refused(refused, look, around))
}

fn shown(app: &App, status: StatusCode, page: impl FnOnce(Surroundings<'_>) -> String) -> Response {
    let style_sheet = style_sheet(app);
    finished(status, page(Surroundings { style_sheet: &style_sheet, address: "" }))
}

fn finished(status: StatusCode, page: String) -> Response {
    let mut response = html(status, page);
    common(&mut response, PAGE_POLICY, status);
    response
}

fn look(parts: &Parts) -> Look {
    Query::of(&parts.uri).look(&parts.headers)
}

fn cookie_name(app: &App) -> &'static str {
    if app.is_https { HOST_COOKIE } else { COOKIE }
}

/// What the browser has kept.
fn kept<'h>(headers: &'h HeaderMap, cookie: &str) -> Option<&'h str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(';')).find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == cookie).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_found_among_others_by_its_whole_name() {
        for (line, found) in [
            ("gatepost=x; gatepost_consent=abc", Some("abc")),
            ("gatepost_consent=abc", Some("abc")),
            ("xgatepost_consent=abc; gatepost_consent2=d", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, line.parse().expect("a header"));
            assert_eq!(kept(&headers, COOKIE), found, "{line}");
            assert_eq!(kept(&headers, HOST_COOKIE), None, "{line}");
        }
    }
}
