//! The site within the program: files with their compressed forms beside them, as the build script found them.

use super::bare;
use axum::{body::Body, response::Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};

/// Path from the site's root, and bytes; sorted by the path.
static FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/site.rs"));

/// The hash that the assets lie under; none where the program was built without them.
pub(super) fn hash() -> Option<&'static str> {
    hash_in(FILES)
}

fn hash_in(files: &[(&'static str, &[u8])]) -> Option<&'static str> {
    files.iter().find_map(|(path, _)| path.strip_prefix("/pkg/")?.strip_suffix("/gatepost.js"))
}

/// The answer to a GET of a path.
pub(super) fn answer(path: &str, asked: &HeaderMap) -> Response {
    answer_from(FILES, path, asked)
}

fn answer_from(files: &'static [(&'static str, &'static [u8])], path: &str, asked: &HeaderMap) -> Response {
    let file = |path: &str| {
        let at = files.binary_search_by(|(name, _)| (*name).cmp(path)).ok()?;
        Some(files[at].1)
    };
    let Some(plain) = file(path) else { return bare(StatusCode::NOT_FOUND) };
    let accepted = |coding| accepts(asked, coding);
    let compressed = [("br", ".br"), ("gzip", ".gz")]
        .into_iter()
        .filter(|(coding, _)| accepted(coding))
        .find_map(|(coding, suffix)| Some((Some(coding), file(&format!("{path}{suffix}"))?)));
    let (coding, bytes) = compressed.unwrap_or((None, plain));
    // Strong, and another one for each coding (RFC 9110 section 8.8.3).
    let tag = format!("\"{}\"", &blake3::hash(bytes).to_hex()[..24]);
    let known = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let same = known.flat_map(|value| value.split(',')).any(|known| [tag.as_str(), "*"].contains(&known.trim()));
    let mut response = if same { bare(StatusCode::NOT_MODIFIED) } else { Response::new(Body::from(bytes)) };
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    if !same {
        let kind = mime_guess::from_path(path).first_raw().unwrap_or("application/octet-stream");
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        if let Some(coding) = coding {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
    }
    response
}

/// Whether a client takes a content coding (RFC 9110 section 12.5.3).
fn accepts(asked: &HeaderMap, coding: &str) -> bool {
    let all = asked.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let mut any = false;
    for one in all.flat_map(|value| value.split(',')) {
        let mut parts = one.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(1.0, |q| q.parse().unwrap_or(0.0));
        if name.eq_ignore_ascii_case(coding) {
            return weight > 0.0;
        }
        any |= name == "*" && weight > 0.0;
    }
    any
}

#[cfg(test)]
mod tests {
    use super::*;

    static SITE: &[(&str, &[u8])] = &[
        ("/favicon.svg", b"<svg/>"),
        ("/pkg/0a/gatepost.js", b"let plain"),
        ("/pkg/0a/gatepost.js.br", b"brotli"),
        ("/pkg/0a/gatepost.js.gz", b"gzip"),
    ];

    fn asked(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).expect("a value"))])
    }

    fn text(response: &Response, name: header::HeaderName) -> Option<&str> {
        response.headers().get(name).map(|value| value.to_str().expect("text"))
    }

    #[test]
    fn the_assets_name_their_hash() {
        assert_eq!(hash_in(SITE), Some("0a"));
        assert_eq!(hash_in(&SITE[..1]), None);
    }

    #[test]
    fn a_file_comes_in_the_best_coding_that_is_taken() {
        for (accepted, coding) in [
            ("gzip, deflate, br, zstd", Some("br")),
            ("gzip", Some("gzip")),
            ("br;q=0, gzip;q=0.5", Some("gzip")),
            ("*", Some("br")),
            ("br; q=0, *", Some("gzip")),
            ("identity", None),
        ] {
            let response = answer_from(SITE, "/pkg/0a/gatepost.js", &asked(header::ACCEPT_ENCODING, accepted));
            assert_eq!(text(&response, header::CONTENT_ENCODING), coding, "{accepted}");
            assert_eq!(text(&response, header::CONTENT_TYPE), Some("text/javascript"));
            assert_eq!(text(&response, header::VARY), Some("accept-encoding"));
        }
        let alone = answer_from(SITE, "/favicon.svg", &asked(header::ACCEPT_ENCODING, "br"));
        assert_eq!((text(&alone, header::CONTENT_ENCODING), alone.status()), (None, StatusCode::OK));
    }

    #[test]
    fn a_file_that_the_browser_has_is_not_sent_again() {
        let first = answer_from(SITE, "/favicon.svg", &HeaderMap::new());
        let tag = text(&first, header::ETAG).expect("a tag").to_owned();
        let again = answer_from(SITE, "/favicon.svg", &asked(header::IF_NONE_MATCH, &format!("\"other\", {tag}")));
        assert_eq!((again.status(), text(&again, header::ETAG)), (StatusCode::NOT_MODIFIED, Some(tag.as_str())));
        let other = answer_from(SITE, "/favicon.svg", &asked(header::IF_NONE_MATCH, "\"other\""));
        assert_eq!(other.status(), StatusCode::OK);
    }

    #[test]
    fn there_is_nothing_beside_the_files() {
        for path in ["/", "/pkg", "/pkg/0a/", "/pkg/0a/../0a/gatepost.js", "/favicon.svgx", ""] {
            assert_eq!(answer_from(SITE, path, &HeaderMap::new()).status(), StatusCode::NOT_FOUND, "{path}");
        }
    }
}
