//! What asking a web server means, for those who speak protocols on top of HTTP (OAuth 2, discovery of settings): a
//! request, a bounded answer, and a sentence where there was none. How to resolve, connect and verify is the business of
//! whoever implements [`Web`]; nothing here does IO.

use async_trait::async_trait;
use gatepost_contract::Secret;
use std::fmt;

/// The method of a request (RFC 9110 section 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Asks.
    Get,
    /// Sends a body.
    Post,
}

/// One request. Its URL is not printed, because a query may hold what nobody is to see, and neither is its body.
#[derive(Clone)]
pub struct WebRequest {
    /// How.
    pub method: Method,
    /// Where: `https`, or `http` for hosts that the settings allow.
    pub url: String,
    /// The Content-Type of the body.
    pub content_type: Option<&'static str>,
    /// The Accept header.
    pub accept: Option<&'static str>,
    /// The Authorization header, whole.
    pub authorization: Option<Secret>,
    /// What is sent.
    pub body: Secret,
    /// How many bytes of the answer's body are read; a longer one is an error.
    pub most: usize,
}

impl WebRequest {
    /// Asks for a URL; at most 256 KiB of an answer are read.
    #[must_use]
    pub fn get(url: impl Into<String>) -> Self {
        Self {
            method: Method::Get,
            url: url.into(),
            content_type: None,
            accept: None,
            authorization: None,
            body: Secret(String::new()),
            most: 256 << 10,
        }
    }

    /// Sends a body to a URL.
    #[must_use]
    pub fn post(url: impl Into<String>, content_type: &'static str, body: impl Into<String>) -> Self {
        Self { method: Method::Post, content_type: Some(content_type), body: Secret(body.into()), ..Self::get(url) }
    }
}

impl fmt::Debug for WebRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebRequest").field("method", &self.method).finish_non_exhaustive()
    }
}

/// An answer. Its body may be a secret, and is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct WebReply {
    /// The HTTP status.
    pub status: u16,
    /// The Content-Type, lower case, without parameters.
    pub content_type: String,
    /// The Location header, where there is one. Redirects are never followed.
    pub location: Option<String>,
    /// The Retry-After header, in seconds, where it holds a number.
    pub retry_after: Option<u64>,
    /// The body.
    pub body: Vec<u8>,
}

impl fmt::Debug for WebReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebReply")
            .field("status", &self.status)
            .field("content_type", &self.content_type)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Why no whole answer came, as a sentence that names the host and neither path nor query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebError(pub String);

impl fmt::Display for WebError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for WebError {}

/// Asks web servers. Addresses that must not be reached are refused, certificates are verified, redirects are answers
/// like any other, and everything has a time limit.
#[async_trait]
pub trait Web: Send + Sync {
    /// Sends one request and reads the whole answer.
    ///
    /// # Errors
    /// [`WebError`] where no whole answer came, or one that is too long.
    async fn ask(&self, request: &WebRequest) -> Result<WebReply, WebError>;
}
