//! A webhook that comes in: who sent it, when, and whether it came before (Standard Webhooks).

use crate::{Error, Result, webhooks::sign};
use gatepost_contract::Secret;
use sha2::{Digest as _, Sha256};
use time::Duration;

/// How old, or how far in the future, a message may be, in seconds.
const TOLERANCE: i64 = 300;
/// For how long an id is remembered. Longer than any sender repeats itself.
pub const REMEMBERED: Duration = Duration::days(30);
/// The longest id.
const LONGEST_ID: usize = 256;

/// The headers of Standard Webhooks, as they came.
#[derive(Clone, Debug, Default)]
pub struct SignedHeaders {
    /// `webhook-id`.
    pub id: Option<String>,
    /// `webhook-timestamp`.
    pub timestamp: Option<String>,
    /// `webhook-signature`.
    pub signature: Option<String>,
}

/// A message with an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The id.
    pub id: String,
    /// The body's digest.
    pub digest: String,
}

impl Receipt {
    /// Whether the very same message was taken before, by the digest that was kept.
    pub fn taken_before(&self, kept: Option<String>) -> Result<bool> {
        match kept {
            None => Ok(false),
            Some(digest) if digest == self.digest => Ok(true),
            Some(_) => Err(Error::conflict(
                "webhook_id_reused",
                "A message with this webhook-id came before and said something else. Give every message an id of its own.",
            )),
        }
    }
}

/// Checks the headers against the body. With a secret they are all needed; without one the id alone is used, where it is
/// there.
pub fn check(secret: Option<&Secret>, headers: &SignedHeaders, body: &[u8], now: i64) -> Result<Option<Receipt>> {
    let id = headers.id.as_deref().map(str::trim).filter(|id| !id.is_empty());
    if let Some(secret) = secret {
        let refused = |why: &str| Err(Error::Unauthorized(format!("The webhook is not accepted: {why}.")));
        let (Some(id), Some(timestamp), Some(signature)) = (id, &headers.timestamp, &headers.signature) else {
            return refused("webhook-id, webhook-timestamp and webhook-signature are needed");
        };
        let Ok(at) = timestamp.trim().parse::<i64>() else {
            return refused("webhook-timestamp must be in seconds since 1970");
        };
        if now.abs_diff(at) > TOLERANCE.unsigned_abs() {
            return refused("webhook-timestamp is more than five minutes away from this server's clock");
        }
        let expected = std::str::from_utf8(body).ok().and_then(|body| sign(secret, id, at, body));
        let Some(expected) = expected else { return refused("the body is no text") };
        // Several signatures stand side by side while a sender changes its secret.
        if !signature.split_whitespace().take(8).any(|given| same(given, &expected)) {
            return refused("the signature does not fit");
        }
    }
    let Some(id) = id else { return Ok(None) };
    if id.len() > LONGEST_ID || id.chars().any(char::is_control) {
        return Err(Error::field("webhook-id", "must be at most 256 characters of plain text"));
    }
    Ok(Some(Receipt { id: id.to_owned(), digest: hex::encode(Sha256::digest(body)) }))
}

/// Compares digests, so that how long it takes says nothing about the text.
fn same(given: &str, expected: &str) -> bool {
    Sha256::digest(given.as_bytes()) == Sha256::digest(expected.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"domain":"moved.example"}"#;
    const NOW: i64 = 1_763_719_920;

    fn secret() -> Secret {
        Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into())
    }

    fn headers(id: &str, at: i64, signature: &str) -> SignedHeaders {
        SignedHeaders { id: Some(id.into()), timestamp: Some(at.to_string()), signature: Some(signature.into()) }
    }

    #[test]
    fn a_signed_message_is_taken_and_forged_or_stale_ones_are_not() {
        let fitting = |at| sign(&secret(), "msg_1", at, BODY).unwrap();
        let other = sign(&Secret("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD".into()), "msg_1", NOW, BODY).unwrap();
        let table = [
            (headers("msg_1", NOW, &fitting(NOW)), BODY, true),
            (headers("msg_1", NOW, &format!("v1a,xxx {other} {}", fitting(NOW))), BODY, true),
            (headers("msg_1", NOW - 299, &fitting(NOW - 299)), BODY, true),
            (headers("msg_1", NOW - 301, &fitting(NOW - 301)), BODY, false),
            (headers("msg_1", NOW + 301, &fitting(NOW + 301)), BODY, false),
            (headers("msg_1", i64::MIN, &fitting(i64::MIN)), BODY, false),
            (headers("msg_2", NOW, &fitting(NOW)), BODY, false),
            (headers("msg_1", NOW - 1, &fitting(NOW)), BODY, false),
            (headers("msg_1", NOW, &fitting(NOW)), r#"{"domain":"other.example"}"#, false),
            (headers("msg_1", NOW, &other), BODY, false),
            (headers("msg_1", NOW, ""), BODY, false),
            (headers("", NOW, &fitting(NOW)), BODY, false),
            (SignedHeaders { timestamp: None, ..headers("msg_1", NOW, &fitting(NOW)) }, BODY, false),
            (SignedHeaders { timestamp: Some("soon".into()), ..headers("msg_1", NOW, &fitting(NOW)) }, BODY, false),
            (SignedHeaders::default(), BODY, false),
        ];
        for (headers, body, taken) in table {
            let checked = check(Some(&secret()), &headers, body.as_bytes(), NOW);
            match checked {
                Ok(receipt) => assert!(taken && receipt.is_some(), "{headers:?}"),
                Err(Error::Unauthorized(_)) => assert!(!taken, "{headers:?}"),
                Err(other) => panic!("{other:?}"),
            }
        }
        assert!(check(Some(&secret()), &headers("msg_1", NOW, &fitting(NOW)), b"\xff", NOW).is_err());
    }

    #[test]
    fn without_a_secret_an_id_still_tells_a_repetition_from_another_message() {
        assert_eq!(check(None, &SignedHeaders::default(), b"x", NOW).unwrap(), None);
        let named = SignedHeaders { id: Some("msg_1".into()), ..SignedHeaders::default() };
        let one = check(None, &named, b"x", NOW).unwrap().unwrap();
        let two = check(None, &named, b"y", NOW).unwrap().unwrap();
        assert!(!one.taken_before(None).unwrap());
        assert!(one.taken_before(Some(one.digest.clone())).unwrap());
        assert!(matches!(two.taken_before(Some(one.digest)), Err(Error::Conflict { code: "webhook_id_reused", .. })));
        let long = SignedHeaders { id: Some("x".repeat(300)), ..SignedHeaders::default() };
        assert!(check(None, &long, b"x", NOW).is_err());
    }
}
