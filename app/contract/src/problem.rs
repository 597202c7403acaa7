//! The one shape of a refusal: RFC 9457 problem details, for REST and for server functions alike.

use serde::{Deserialize, Serialize};
use server_fn::{
    codec::JsonEncoding,
    error::{FromServerFnError, ServerFnErrorErr},
};
use std::fmt;

/// A refusal that a person can act on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// A URI for the kind of problem: `about:blank`, or `urn:gatepost:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in a few words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened and what to do, for the person who asked.
    pub detail: String,
    /// The kind for programs, e.g. `gate_checks_failed`.
    pub code: String,
    /// What is wrong with each field of a form or body.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// The checks that stand against an approval.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<crate::Check>,
    /// What has changed since it was looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<crate::FigureChange>,
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FieldError {
    /// The field's name in the form or body; for a CSV file `line 12: email`.
    pub field: String,
    /// What it should be.
    pub message: String,
}

impl Problem {
    /// A problem of a status, a code and a sentence.
    #[must_use]
    pub fn new(status: u16, code: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:gatepost:problem:{code}"),
            title: title(status).to_owned(),
            status,
            detail: detail.into(),
            code: code.to_owned(),
            errors: Vec::new(),
            checks: Vec::new(),
            changes: Vec::new(),
        }
    }

    /// 404: there is no such thing, or the caller may not know of it.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self::new(404, "not_found", format!("There is no such {what}."))
    }

    /// 422: some fields are wrong.
    #[must_use]
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [one] => format!("{}: {}", one.field, one.message),
            many => format!("{} fields need attention.", many.len()),
        };
        Self { errors, ..Self::new(422, "invalid", detail) }
    }

    /// 422: one field is wrong.
    #[must_use]
    pub fn field(field: &str, message: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError { field: field.to_owned(), message: message.into() }])
    }

    /// 500: a fault of ours; the cause is in the log under the request's id.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(500, "internal", "Something went wrong on our side. The server's log has the cause.")
    }

    /// The message for a field, if it is one of those that are wrong.
    #[must_use]
    pub fn for_field(&self, field: &str) -> Option<&str> {
        self.errors.iter().find(|e| e.field == field).map(|e| e.message.as_str())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for Problem {}

impl FromServerFnError for Problem {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        match error {
            ServerFnErrorErr::Request(_) => {
                Self::new(503, "unreachable", "The Desk could not be reached. Check the connection and try again.")
            }
            ServerFnErrorErr::Args(_) | ServerFnErrorErr::MissingArg(_) | ServerFnErrorErr::Deserialization(_) => {
                Self::new(400, "bad_request", "The form could not be read. Reload the page and try again.")
            }
            _ => Self::internal(),
        }
    }
}

fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad request",
        401 => "Not signed in",
        403 => "Not allowed",
        404 => "Not found",
        405 => "Method not allowed",
        409 => "Conflict",
        410 => "Gone",
        412 => "Another version",
        413 => "Too large",
        415 => "Unsupported media type",
        422 => "Invalid input",
        423 => "Locked",
        429 => "Too many requests",
        // tus 1.0, extension "checksum".
        460 => "Checksum mismatch",
        502 => "Another server failed",
        503 => "Not available",
        507 => "Not enough space",
        _ => "Internal error",
    }
}
