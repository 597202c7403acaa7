//! Signatures by Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`, in Base64, behind `v1,`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use gatepost_contract::Secret;
use hmac::{Hmac, Mac as _};
use rand::RngCore as _;
use sha2::Sha256;

/// Stands in front of a secret.
const PREFIX: &str = "whsec_";
/// How long a new key is; Standard Webhooks asks for 24 to 64.
const KEY_BYTES: usize = 32;

/// A new secret.
pub fn new_secret() -> Secret {
    let mut key = [0u8; KEY_BYTES];
    rand::rng().fill_bytes(&mut key);
    Secret(format!("{PREFIX}{}", STANDARD.encode(key)))
}

/// The signature of a message, or nothing for a text that is no secret.
pub fn sign(secret: &Secret, message_id: &str, timestamp: i64, body: &str) -> Option<String> {
    let key = STANDARD.decode(secret.0.strip_prefix(PREFIX)?).ok()?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(format!("{message_id}.{timestamp}.").as_bytes());
    mac.update(body.as_bytes());
    Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_examples_are_reproduced() {
        for (secret, id, at, body, expect) in [
            (
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                r#"{"test": 2432232314}"#,
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
            (
                "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
                "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
                1_649_367_553,
                r#"{"email":"test@example.com","username":"test_user"}"#,
                "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
            ),
        ] {
            assert_eq!(sign(&Secret(secret.into()), id, at, body).as_deref(), Some(expect));
        }
    }

    #[test]
    fn new_secrets_sign_and_differ_and_other_texts_are_none() {
        let (one, two) = (new_secret(), new_secret());
        assert_ne!(one, two);
        assert!(one.0.starts_with("whsec_") && one.0.len() == 6 + 44);
        assert_ne!(sign(&one, "m", 1, "b"), sign(&two, "m", 1, "b"));
        for broken in ["", "whsec_%%%", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
            assert_eq!(sign(&Secret(broken.into()), "m", 1, "b"), None, "{broken:?}");
        }
    }
}
