//! What a token end point gives.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gatepost_contract::Secret;
use serde_json::Value;
use std::time::Duration;

/// A successful answer of a token end point (RFC 6749 section 5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// The access token. It is a bearer token: who has it is let in.
    pub access: Secret,
    /// How long it holds from now on. 10 minutes where the provider does not tell; never more than a day.
    pub expires_in: Duration,
    /// What gets the next one. Where a renewal brings one, the one before has ended and must not be kept.
    pub refresh: Option<Secret>,
    /// What it is for, where the provider tells; otherwise what was asked for.
    pub scope: Option<String>,
    /// Who consented, where the provider tells.
    pub claims: Claims,
}

/// What an ID token says of who consented. It came from the token end point itself over a verified connection, which
/// stands for its signature (OpenID Connect Core section 3.1.3.7). To be shown and compared, not to log anybody in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// The address or log-in name of the account.
    pub account: Option<String>,
    /// Microsoft's id of the organisation.
    pub tenant: Option<String>,
}

impl Claims {
    /// Reads the middle part of an ID token. One that cannot be read tells nothing.
    pub(crate) fn of(id_token: &str) -> Self {
        let payload =
            id_token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok());
        let Some(Value::Object(claims)) = payload.and_then(|bytes| serde_json::from_slice(&bytes).ok()) else {
            return Self::default();
        };
        let text = |name: &str| {
            let text = claims.get(name)?.as_str()?;
            let fine = !text.is_empty() && text.len() <= 320 && !text.chars().any(char::is_control);
            fine.then(|| text.to_owned())
        };
        Self {
            account: text("email").or_else(|| text("preferred_username")).or_else(|| text("upn")),
            tenant: text("tid"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> String {
        format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn an_id_token_names_the_account() {
        for (claims, account) in [
            (r#"{"email":"ana@example.com","preferred_username":"x"}"#, Some("ana@example.com")),
            (r#"{"preferred_username":"ana@example.com","tid":"t"}"#, Some("ana@example.com")),
            (r#"{"upn":"ana@example.com"}"#, Some("ana@example.com")),
            (r#"{"email":7}"#, None),
            (r#"{"email":"a\u0007b"}"#, None),
            ("[]", None),
        ] {
            assert_eq!(Claims::of(&token(claims)).account.as_deref(), account, "{claims}");
        }
        for broken in ["", "a", "a.b", "..", "a.!!!.c"] {
            assert_eq!(Claims::of(broken), Claims::default(), "{broken}");
        }
    }
}
