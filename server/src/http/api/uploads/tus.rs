//! The resumable upload protocol tus 1.0.0 (https://tus.io/protocols/resumable-upload): its headers, read and written.
//! Of its extensions: creation, creation-with-upload, termination, checksum and expiration.

use super::{Removal, refusal, remove};
use crate::http::{
    App,
    error::{Answer, Refusal},
    extract::{Path, Query},
    identity::Caller,
};
use axum::{
    body::Body,
    extract::{FromRequestParts, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::TryStreamExt;
use gatepost_contract::{MailboxId, NewUpload, Problem, Upload, UploadState};
use gatepost_core::{Actor, Checksum, Error, Gatepost, UploadBody, UploadRefusal};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts};
use std::{collections::BTreeMap, io};
use time::{OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};

const VERSION: &str = "1.0.0";
const EXTENSIONS: &str = "creation,creation-with-upload,termination,checksum,expiration";
const ALGORITHMS: &str = "sha256,sha1";
const BYTES: &str = "application/offset+octet-stream";

const RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const TUS_VERSION: HeaderName = HeaderName::from_static("tus-version");
const LENGTH: HeaderName = HeaderName::from_static("upload-length");
const OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const METADATA: HeaderName = HeaderName::from_static("upload-metadata");
const CHECKSUM: HeaderName = HeaderName::from_static("upload-checksum");
const EXPIRES: HeaderName = HeaderName::from_static("upload-expires");

/// A request of the version that is spoken here.
pub struct Tus;

impl<S: Send + Sync> FromRequestParts<S> for Tus {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        if text(&parts.headers, &RESUMABLE) == Some(VERSION) { Ok(Self) } else { Err(wrong_version()) }
    }
}

fn wrong_version() -> Refusal {
    refusal(412, "tus_version", "This address speaks tus 1.0.0. Send the header Tus-Resumable: 1.0.0.")
}

/// Every answer of these addresses names the version, and a refusal of the version those that would do.
pub async fn announce(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let version_is_wrong = response.status() == StatusCode::PRECONDITION_FAILED;
    let headers = response.headers_mut();
    headers.insert(RESUMABLE, HeaderValue::from_static(VERSION));
    if version_is_wrong {
        headers.insert(TUS_VERSION, HeaderValue::from_static(VERSION));
    }
    response
}

/// OPTIONS: what is spoken here. Whoever asks may know.
pub async fn discover(State(core): State<Gatepost>) -> Response {
    let most = core.upload_limits().max_bytes.to_string();
    let headers = [
        ("tus-version", VERSION),
        ("tus-extension", EXTENSIONS),
        ("tus-checksum-algorithm", ALGORITHMS),
        ("tus-max-size", &most),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// What the headers of a creation say.
pub struct Creation(NewUpload);

impl<S: Send + Sync> FromRequestParts<S> for Creation {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let headers = &parts.headers;
        if headers.contains_key("upload-defer-length") {
            return Err(refusal(400, "bad_length", "The length must be known from the start: send Upload-Length."));
        }
        if headers.contains_key("upload-concat") {
            return Err(refusal(
                400,
                "bad_request",
                "Uploads are not put together here; send one upload for each file.",
            ));
        }
        let bytes = number(headers, &LENGTH).ok_or_else(|| {
            refusal(
                400,
                "bad_length",
                "Upload-Length must be the bytes of the file, as a whole number that is not negative.",
            )
        })?;
        let raw = match headers.get(&METADATA) {
            None => None,
            Some(value) => Some(value.to_str().map_err(|_| bad_metadata())?.to_owned()),
        };
        let found = raw.as_deref().map_or(Some(BTreeMap::new()), metadata).ok_or_else(bad_metadata)?;
        let of = |name: &str| found.get(name).map(String::as_str).filter(|value| !value.is_empty());
        let mailbox = of("mailbox_id").and_then(|text| text.trim().parse().ok());
        let Some(mailbox) = mailbox else {
            return Err(Problem::field("mailbox_id", "is missing in Upload-Metadata, or is no number").into());
        };
        Ok(Self(NewUpload {
            mailbox_id: MailboxId(mailbox),
            name: of("filename").or_else(|| of("name")).unwrap_or("file").to_owned(),
            bytes,
            sha256: of("sha256").map(str::to_owned),
            metadata: raw,
        }))
    }
}

fn bad_metadata() -> Refusal {
    refusal(
        400,
        "bad_metadata",
        "Upload-Metadata must be pairs, comma separated: a name, a space, and the value in Base64 (UTF-8 inside).",
    )
}

/// Reads pairs of names and values. None where they are not written as the protocol wants them.
fn metadata(text: &str) -> Option<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for pair in text.split(',').map(str::trim) {
        if pair.is_empty() {
            continue;
        }
        let (name, value) = pair.split_once(' ').unwrap_or((pair, ""));
        let value = STANDARD.decode(value.trim()).ok()?;
        // What is no text here is not for us: a client may tell whatever it likes.
        let value = String::from_utf8(value).unwrap_or_default();
        if found.insert(name.to_owned(), value).is_some() {
            return None;
        }
    }
    Some(found)
}

/// Begins an upload, with its first bytes where the request has some.
pub async fn create(core: &Gatepost, actor: &Actor, new: Creation, request: Request) -> Answer<Response> {
    let first = match media_type(request.headers()) {
        Some(kind) if kind.eq_ignore_ascii_case(BYTES) => true,
        // Some clients name a type for no body at all.
        _ if number(request.headers(), &header::CONTENT_LENGTH).unwrap_or(0) == 0 => false,
        _ => return Err(wrong_type()),
    };
    let checksum = checksum(request.headers())?;
    let mut upload = core.create_upload(actor, new.0).await?;
    if first {
        match core.append_upload(actor, &upload.id, 0, checksum, body(request)).await {
            Ok(now) => upload = now,
            // Without its first bytes nobody knows of it yet.
            Err(error @ Error::Upload(UploadRefusal::Checksum | UploadRefusal::TooMuch { .. })) => {
                core.delete_upload(actor, &upload.id, None).await?;
                return Err(error.into());
            }
            // It stands, as far as it came: the client asks how far, or reads it here.
            Err(error) => {
                tracing::debug!(%error, "the first bytes of an upload did not all come");
                upload = core.upload_offset(actor, &upload.id).await?.0;
            }
        }
    }
    let mut headers = progress(&upload);
    let location = format!("/api/v1/uploads/{}", upload.id);
    if let Ok(location) = HeaderValue::from_str(&location) {
        headers.insert(header::LOCATION, location);
    }
    Ok((StatusCode::CREATED, headers).into_response())
}

/// Adds the body of a request.
pub async fn append(core: &Gatepost, actor: &Actor, id: &str, request: Request) -> Answer<Response> {
    if !media_type(request.headers()).is_some_and(|kind| kind.eq_ignore_ascii_case(BYTES)) {
        return Err(wrong_type());
    }
    let Some(offset) = number(request.headers(), &OFFSET) else {
        return Err(refusal(400, "bad_offset", "Upload-Offset must be a whole number that is not negative."));
    };
    let checksum = checksum(request.headers())?;
    match core.append_upload(actor, id, offset, checksum, body(request)).await {
        Ok(upload) => Ok((StatusCode::NO_CONTENT, progress(&upload)).into_response()),
        Err(error) => {
            let right = match &error {
                Error::Upload(UploadRefusal::WrongOffset { right }) => Some(*right),
                _ => None,
            };
            let mut response = Refusal::from(error).into_response();
            if let Some(right) = right {
                response.headers_mut().insert(OFFSET, HeaderValue::from(right));
            }
            Ok(response)
        }
    }
}

/// HEAD: how far an upload is.
pub async fn offset(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    _: Tus,
    Path(id): Path<String>,
) -> Answer<Response> {
    let (upload, metadata) = core.upload_offset(&actor, &id).await?;
    let mut headers = progress(&upload);
    headers.insert(LENGTH, HeaderValue::from(upload.bytes));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(metadata) = metadata.and_then(|text| HeaderValue::from_str(&text).ok()) {
        headers.insert(METADATA, metadata);
    }
    Ok((StatusCode::OK, headers).into_response())
}

/// A POST that stands for another method, where something on the way takes no other.
pub async fn overridden(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    removal: Query<Removal>,
    request: Request,
) -> Answer<Response> {
    let State(core) = State::<Gatepost>(axum::extract::FromRef::from_ref(&app));
    let meant = request.headers().get("x-http-method-override").and_then(|value| value.to_str().ok());
    let meant = meant.map(str::to_ascii_uppercase);
    if text(request.headers(), &RESUMABLE) != Some(VERSION) {
        return Err(wrong_version());
    }
    match meant.as_deref() {
        Some("PATCH") => append(&core, &caller.0, &id, request).await,
        Some("HEAD") => offset(State(core), caller, Tus, Path(id)).await,
        Some("DELETE") => Ok(remove(State(core), caller, Path(id), removal).await?.into_response()),
        _ => Err(refusal(405, "method_not_allowed", "This address does not take that method.")),
    }
}

/// How far an upload is, and until when it is kept like this.
fn progress(upload: &Upload) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(OFFSET, HeaderValue::from(upload.received));
    let unfinished = upload.state == UploadState::Receiving;
    let until = upload.expires_at.as_deref().filter(|_| unfinished).and_then(http_date);
    if let Some(until) = until.and_then(|text| HeaderValue::from_str(&text).ok()) {
        headers.insert(EXPIRES, until);
    }
    headers
}

/// A time as HTTP writes it (RFC 9110, section 5.6.7).
fn http_date(at: &str) -> Option<String> {
    let at = OffsetDateTime::parse(at, &Rfc3339).ok()?.to_offset(time::UtcOffset::UTC);
    let format =
        format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
    at.format(&format).ok()
}

fn body(request: Request) -> UploadBody {
    let body: Body = request.into_body();
    Box::pin(body.into_data_stream().map_err(io::Error::other))
}

fn checksum(headers: &HeaderMap) -> Answer<Option<Checksum>> {
    let Some(value) = headers.get(&CHECKSUM) else { return Ok(None) };
    let read = value.to_str().ok().and_then(Checksum::parse);
    read.map(Some).ok_or_else(|| Error::from(UploadRefusal::Algorithm).into())
}

fn wrong_type() -> Refusal {
    refusal(415, "unsupported_media_type", "Send the bytes as application/offset+octet-stream.")
}

fn media_type(headers: &HeaderMap) -> Option<&str> {
    Some(text(headers, &header::CONTENT_TYPE)?.split(';').next()?.trim())
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// A whole number that is not negative.
fn number(headers: &HeaderMap, name: &HeaderName) -> Option<i64> {
    let text = text(headers, name)?;
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_are_pairs_with_values_in_base64() {
        let read = |text: &str| {
            metadata(text).map(|found| found.into_iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join(";"))
        };
        for (text, expect) in [
            ("", Some("")),
            ("mailbox_id MTI=,filename YS5wc3Q=", Some("filename=a.pst;mailbox_id=12")),
            ("is_confidential,filename w6nDqQ==", Some("filename=éé;is_confidential=")),
            ("filename YS5wc3Q=, filename YS5wc3Q=", None),
            ("filename a.pst", None),
            ("filename /w==", Some("filename=")),
        ] {
            assert_eq!(read(text).as_deref(), expect, "{text}");
        }
    }

    #[test]
    fn numbers_are_whole_and_not_negative() {
        for (given, expect) in [
            ("0", Some(0)),
            ("53687091200", Some(53_687_091_200)),
            (" 7 ", Some(7)),
            ("-1", None),
            ("+1", None),
            ("1.0", None),
            ("0x10", None),
            ("", None),
            ("99999999999999999999", None),
        ] {
            let headers = HeaderMap::from_iter([(OFFSET, given.parse().expect("a header"))]);
            assert_eq!(number(&headers, &OFFSET), expect, "{given:?}");
        }
    }

    #[test]
    fn times_are_written_as_http_writes_them() {
        assert_eq!(http_date("2026-11-21T04:12:09.123Z").as_deref(), Some("Sat, 21 Nov 2026 04:12:09 GMT"));
        assert_eq!(http_date("soon"), None);
    }
}
