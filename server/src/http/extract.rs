//! Reading requests: like axum's extractors, but every refusal is a problem that names the field.

use super::error::Refusal;
use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Multipart, Request},
    response::{IntoResponse, Response},
};
use gatepost_contract::{FieldError, MAX_PER_PAGE, PageQuery, Problem};
use http::{HeaderMap, StatusCode, header, request::Parts};
use serde::{Serialize, de::DeserializeOwned};

/// The largest JSON body, in bytes.
pub const MAX_JSON: usize = 1024 * 1024;
/// The largest list of mailboxes, in bytes.
pub const MAX_CSV: usize = 2 * 1024 * 1024;

/// A JSON body.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        if media_type(request.headers()).is_none_or(|t| t != "application/json" && !t.ends_with("+json")) {
            return Err(Problem::new(415, "unsupported_media_type", "Send the body as application/json.").into());
        }
        let body = body(request, state).await?;
        json(&body).map(Self)
    }
}

/// A JSON body together with its very bytes, for what is signed.
pub struct SignedJson<T> {
    /// What it says.
    pub value: T,
    /// As it came.
    pub bytes: Bytes,
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for SignedJson<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        if media_type(request.headers()).is_none_or(|t| t != "application/json" && !t.ends_with("+json")) {
            return Err(Problem::new(415, "unsupported_media_type", "Send the body as application/json.").into());
        }
        let bytes = body(request, state).await?;
        Ok(Self { value: json(&bytes)?, bytes })
    }
}

/// A JSON body that may be left out.
pub struct OptionalJson<T>(pub T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for OptionalJson<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let body = body(request, state).await?;
        if body.trim_ascii().is_empty() { Ok(Self(T::default())) } else { json(&body).map(Self) }
    }
}

fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    // serde would take an array for a struct, field by field in their order.
    if body.trim_ascii_start().starts_with(b"[") {
        return Err(Problem::field("body", "must be a JSON object").into());
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value: T = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let cause = error.into_inner();
        match cause.classify() {
            serde_json::error::Category::Data => wrong_field(&path, "body", &without_position(&cause.to_string())),
            _ => bad_json(&cause),
        }
    })?;
    reader.end().map_err(|error| bad_json(&error))?;
    Ok(value)
}

fn bad_json(error: &serde_json::Error) -> Problem {
    let detail = format!("The body is not valid JSON (line {}, column {}).", error.line(), error.column());
    Problem::new(400, "bad_json", detail)
}

/// serde_json appends where in the text it stopped; the field's name says it better.
fn without_position(message: &str) -> String {
    message.rsplit_once(" at line ").map_or(message, |(sentence, _)| sentence).to_owned()
}

async fn body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Refusal> {
    Bytes::from_request(request, state).await.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::new(413, "too_large", "The body is larger than this address takes.").into()
        }
        _ => Problem::new(400, "bad_request", "The body could not be read to its end.").into(),
    })
}

fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next()?.trim().to_ascii_lowercase())
}

/// An id of the path. One that cannot be read names nothing.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(_) => Err(Problem::new(404, "not_found", "There is nothing at this address.").into()),
        }
    }
}

/// The query string. Empty values count as left out, as a form sends them.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        query(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

fn query<T: DeserializeOwned>(text: &str) -> Result<T, Refusal> {
    // Databases end a text at NUL, each in its own way.
    if let Some((name, _)) = url::form_urlencoded::parse(text.as_bytes()).find(|(_, value)| value.contains('\0')) {
        return Err(Problem::field(&name, "must not contain NUL").into());
    }
    let filled = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(url::form_urlencoded::parse(text.as_bytes()).filter(|(_, value)| !value.is_empty()))
        .finish();
    let reader = serde_urlencoded::Deserializer::new(url::form_urlencoded::parse(filled.as_bytes()));
    serde_path_to_error::deserialize(reader).map_err(|error| {
        let path = error.path().to_string();
        wrong_field(&path, "query", &error.into_inner().to_string()).into()
    })
}

/// serde repeats a value of the wrong type. It may be a password that was sent where an object belongs.
fn without_what_was_given(message: &str) -> String {
    let parts = ["invalid type: ", "invalid value: "].into_iter().find_map(|what| {
        let (given, expected) = message.strip_prefix(what)?.rsplit_once(", expected ")?;
        Some((what, given.split(['"', '`']).next()?.trim_end(), expected))
    });
    match parts {
        Some((what, kind, expected)) if expected.starts_with("struct ") => format!("{what}{kind}, expected an object"),
        Some((what, kind, expected)) => format!("{what}{kind}, expected {expected}"),
        None => message.to_owned(),
    }
}

/// A problem for what serde says about a place in the input. A missing field is reported under its own name.
fn wrong_field(path: &str, whole: &str, message: &str) -> Problem {
    let message = &without_what_was_given(message);
    let missing = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
    match (missing, path) {
        (Some(field), ".") => Problem::field(field, "is missing"),
        (Some(field), path) => Problem::field(&format!("{path}.{field}"), "is missing"),
        (None, ".") => Problem::field(whole, message),
        (None, path) => Problem::field(path, message),
    }
}

/// Which page of a list is wanted, within its bounds.
pub struct Paging(pub PageQuery);

impl<S: Send + Sync> FromRequestParts<S> for Paging {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Query(paging) = Query::<PageQuery>::from_request_parts(parts, state).await?;
        let mut errors = Vec::new();
        let mut wrong = |field: &str, message: String| errors.push(FieldError { field: field.to_owned(), message });
        if !(1..=1_000_000).contains(&paging.page) {
            wrong("page", "must be from 1 to 1000000".to_owned());
        }
        if !(1..=MAX_PER_PAGE).contains(&paging.per_page) {
            wrong("per_page", format!("must be from 1 to {MAX_PER_PAGE}"));
        }
        if errors.is_empty() { Ok(Self(paging)) } else { Err(Problem::invalid(errors).into()) }
    }
}

/// A CSV file, as `text/csv` or as the first file of a form.
pub struct Csv(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Csv {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        match media_type(request.headers()).as_deref() {
            Some("text/csv" | "application/csv" | "text/plain") => body(request, state).await.map(Self),
            Some("multipart/form-data") => {
                let unreadable = |error: axum::extract::multipart::MultipartError| {
                    let status = error.status();
                    let code = if status == StatusCode::PAYLOAD_TOO_LARGE { "too_large" } else { "bad_request" };
                    Refusal::from(Problem::new(status.as_u16(), code, "The form could not be read to its end."))
                };
                let mut form = Multipart::from_request(request, state)
                    .await
                    .map_err(|_| Problem::new(400, "bad_request", "The form has no boundary."))?;
                while let Some(field) = form.next_field().await.map_err(unreadable)? {
                    if field.name() == Some("file") {
                        return field.bytes().await.map(Self).map_err(unreadable);
                    }
                }
                Err(Problem::field("file", "is missing").into())
            }
            _ => {
                let detail = "Send the list as text/csv, or as the field `file` of multipart/form-data.";
                Err(Problem::new(415, "unsupported_media_type", detail).into())
            }
        }
    }
}

/// 200 with a JSON body.
impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// 201 with the new object and where it is.
pub struct Created<T>(pub String, pub T);

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, [(header::LOCATION, self.0)], axum::Json(self.1)).into_response()
    }
}

/// 202 with what was started.
pub struct Accepted<T>(pub T);

impl<T: Serialize> IntoResponse for Accepted<T> {
    fn into_response(self) -> Response {
        (StatusCode::ACCEPTED, axum::Json(self.0)).into_response()
    }
}

/// The host and port at which a request has reached the Desk, as its sender says.
pub fn host(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::HOST).and_then(|host| host.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepost_contract::{JobFilter, NewJob, NewMailbox, Phase};

    #[test]
    fn wrong_json_names_the_field_or_the_line() {
        for (text, status, field, says) in [
            (r#"{"domain":1}"#, 422, "domain", "string"),
            (
                r#"{"domain":"a","mailboxes":[{"email":"x","source_type":"ftp"}]}"#,
                422,
                "mailboxes[0].source_type",
                "unknown variant",
            ),
            (r#"{"domain":"a","dest_imap_port":70000}"#, 422, "dest_imap_port", "u16"),
            (r#"{}"#, 422, "domain", "is missing"),
            (r#"{"domain":"#, 400, "", "line 1"),
            (r#"{"domain":"a"} x"#, 400, "", "line 1"),
            (r#"["a", 1]"#, 422, "body", "object"),
            ("", 400, "", "line 1"),
        ] {
            let problem = json::<NewJob>(text.as_bytes()).expect_err(text).into_problem();
            assert_eq!(problem.status, status, "{text}: {problem:?}");
            if status == 422 {
                assert_eq!(problem.errors[0].field, field, "{text}");
            }
            assert!(problem.detail.contains(says), "{text}: {}", problem.detail);
        }
    }

    #[test]
    fn a_value_in_the_wrong_place_is_not_repeated() {
        for (given, says) in [
            (r#""planted""#, "invalid type: string, expected an object"),
            (r#"{"password": 424242}"#, "invalid type: integer, expected a string"),
            (r#"{"password": {"planted": 1}}"#, "invalid type: map, expected a string"),
            (r#"", expected planted""#, "invalid type: string, expected an object"),
        ] {
            let text = format!(r#"{{"email":"a@b.example","source_type":"imap","source_secret":{given}}}"#);
            let problem = json::<NewMailbox>(text.as_bytes()).expect_err(&text).into_problem();
            assert_eq!(problem.errors[0].message, says, "{text}");
            assert!(!format!("{problem:?}").contains("planted"), "{text}: {problem:?}");
        }
    }

    #[test]
    fn empty_values_of_a_query_count_as_left_out_and_wrong_ones_are_named() {
        let filter: JobFilter = query("domain=&phase=verified&tenant_id=7&page=2").expect("a good query");
        assert_eq!(
            (filter.domain, filter.phase, filter.tenant_id.map(|t| t.0)),
            (None, Some(Phase::Verified), Some(7))
        );
        for text in ["phase=nonsense", "tenant_id=x", "tenant_id=1%27--"] {
            let problem = query::<JobFilter>(text).expect_err(text).into_problem();
            assert_eq!(problem.status, 422);
            assert_eq!(problem.errors[0].field, text.split('=').next().expect("a name"));
        }
    }
}
