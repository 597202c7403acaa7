//! Reads the contexts of a request: the service, the actor, the address asked for.

use crate::session::{CurrentActor, SessionPort};
use gatepost_contract::Problem;
use gatepost_core::{Actor, Gatepost};
use http::{HeaderName, HeaderValue, StatusCode, request::Parts};
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;
use std::sync::Arc;

/// What a page or server function works with.
#[derive(Clone)]
pub struct Desk {
    /// The service.
    pub gatepost: Gatepost,
    /// Who is asking.
    pub actor: Actor,
}

/// The service and who is asking.
pub fn desk() -> Result<Desk, Problem> {
    Ok(Desk { gatepost: gatepost()?, actor: actor().ok_or_else(log_in_first)? })
}

/// The service, for what needs no log-in.
pub fn gatepost() -> Result<Gatepost, Problem> {
    use_context::<Gatepost>().ok_or_else(Problem::internal)
}

/// Who is asking.
pub fn actor() -> Option<Actor> {
    use_context::<CurrentActor>().and_then(|current| current.0)
}

/// The session of the request.
pub fn session() -> Result<Arc<dyn SessionPort>, Problem> {
    use_context::<Arc<dyn SessionPort>>().ok_or_else(Problem::internal)
}

fn log_in_first() -> Problem {
    Problem::new(401, "unauthorized", "Log in first.")
}

/// The path and query that were asked for; `/` where no request is at hand.
pub fn here() -> String {
    use_context::<Parts>()
        .and_then(|parts| parts.uri.path_and_query().map(|path| path.as_str().to_owned()))
        .unwrap_or_else(|| "/".to_owned())
}

/// The path that was asked for; none while the routes are being listed.
pub fn path() -> Option<String> {
    use_context::<Parts>().map(|parts| parts.uri.path().to_owned())
}

/// The host that the browser asked, as it wrote it.
pub fn host() -> Option<String> {
    let parts = use_context::<Parts>()?;
    parts.headers.get(http::header::HOST).and_then(|host| host.to_str().ok()).map(str::to_owned)
}

/// The value of a cookie of the request.
pub fn cookie(name: &str) -> Option<String> {
    let parts = use_context::<Parts>()?;
    parts.headers.get_all(http::header::COOKIE).iter().filter_map(|value| value.to_str().ok()).find_map(|line| {
        line.split(';').find_map(|pair| {
            let (key, value) = pair.trim().split_once('=')?;
            (key == name).then(|| value.to_owned())
        })
    })
}

/// Keeps a choice of the user's for a year. `name` and `value` are constants of this program.
pub fn keep_choice(name: &str, value: &str) {
    let line = format!("{name}={value}; Path=/; Max-Age=31536000; SameSite=Lax");
    if let (Some(response), Ok(line)) = (use_context::<ResponseOptions>(), HeaderValue::from_str(&line)) {
        response.append_header(http::header::SET_COOKIE, line);
    }
}

/// Sets the status of the page.
pub fn status(code: u16) {
    if let (Some(response), Ok(code)) = (use_context::<ResponseOptions>(), StatusCode::from_u16(code)) {
        response.set_status(code);
    }
}

/// Sets a header of the page.
pub fn header(name: &'static str, value: &str) {
    if let (Some(response), Ok(value)) = (use_context::<ResponseOptions>(), HeaderValue::from_str(value)) {
        response.insert_header(HeaderName::from_static(name), value);
    }
}

/// Sends the browser to a path of this site; to the overview where the path is none.
pub fn go(path: &str) {
    leptos_axum::redirect(if is_local(path) { path } else { "/" });
}

/// Sends the browser back to the page of this site that a form stood on, which then tells what happened.
pub fn go_back(path: &str, notice: &str) {
    go(&with_notice(path, notice));
}

/// A path whose query says what happened, and nothing of what happened before.
fn with_notice(path: &str, notice: &str) -> String {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut said = query
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("notice="))
        .fold(format!("{path}?"), |all, pair| format!("{all}{pair}&"));
    said.push_str("notice=");
    said.push_str(notice);
    said
}

/// Whether a path leads to this site and nowhere else: `//host`, `/\host` and control characters do not.
pub fn is_local(path: &str) -> bool {
    path.starts_with('/')
        && !path.starts_with("//")
        && path.len() <= 2_000
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

/// A text that can stand in a query.
pub fn encode(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::{encode, is_local, with_notice};

    #[test]
    fn only_paths_of_this_site_are_followed() {
        for path in ["/", "/jobs/7?notice=saved", "/jobs?q=a%20b"] {
            assert!(is_local(path), "{path}");
        }
        for path in
            ["", "jobs", "//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nSet-Cookie: x", "/ü"]
        {
            assert!(!is_local(path), "{path:?}");
        }
    }

    #[test]
    fn a_page_tells_what_happened_last_and_keeps_the_rest_of_its_query() {
        for (path, then) in [
            ("/", "/?notice=paused"),
            ("/jobs?q=a&notice=saved&page=2", "/jobs?q=a&page=2&notice=paused"),
            ("//evil.example", "//evil.example?notice=paused"),
        ] {
            assert_eq!(with_notice(path, "paused"), then);
        }
    }

    #[test]
    fn what_goes_into_a_query_is_escaped() {
        assert_eq!(encode("/jobs?q=a&b=ã"), "/jobs%3Fq%3Da%26b%3D%C3%A3");
    }
}
