//! What makes a report hard to forge: its canonical bytes, their digest, and a detached Ed25519 signature (RFC 8032)
//! over them. The signature covers the file as it is downloaded, so that `openssl pkeyutl -verify -rawin` checks it too.

use crate::model::Report;
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt;
use utoipa::ToSchema;

/// The detached signature of a report, as the file `….json.sig` holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignatureFile {
    /// Always `ed25519`.
    pub algorithm: String,
    /// The SHA-256 of the report's bytes, in hexadecimal digits.
    pub digest: String,
    /// Names the key: the first 16 hexadecimal digits of its SHA-256.
    pub key_id: String,
    /// The public key, in hexadecimal digits. It proves nothing by itself: compare it with the installation's.
    pub public_key: String,
    /// The signature over the report's bytes, base64.
    pub signature: String,
}

/// The installation's public key, for those who check reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReportKey {
    /// Always `ed25519`.
    pub algorithm: String,
    /// Names the key.
    pub key_id: String,
    /// The key, in hexadecimal digits.
    pub public_key: String,
    /// The key as a PEM block (RFC 8410), for openssl.
    pub pem: String,
}

/// Why a report is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    /// The file is no report.
    #[error("This is no report of Gatepost: {0}")]
    NoReport(String),
    /// The signature file is none.
    #[error("The signature cannot be read: {0}")]
    NoSignature(String),
    /// The key is none.
    #[error("The key cannot be read: {0}")]
    NoKey(String),
    /// The report is not the one that was signed.
    #[error(
        "The report was changed after it was signed: its SHA-256 is {found}, the signature is for {signed}. Download \
         both again, at the same time."
    )]
    Changed {
        /// Of the file.
        found: String,
        /// Of the signature.
        signed: String,
    },
    /// It was signed, but by somebody else.
    #[error(
        "The signature was made with another key ({found}) than the one to check against ({wanted}). Whoever made this \
         report does not hold that key."
    )]
    OtherKey {
        /// In the signature file.
        found: String,
        /// Wanted.
        wanted: String,
    },
    /// The PDF has no report attached to it.
    #[error(
        "The PDF carries no report and no signature. Check the JSON document instead, with the signature that was \
         downloaded with it."
    )]
    NothingEnclosed,
    /// The PDF carries a genuine report, and its pages are not those that are drawn from it.
    #[error(
        "The enclosed document is genuine, the pages are not proved: this file is not the one that Gatepost {here} \
         makes from the report, which Gatepost {made} made. Where these versions differ, check it with that version; \
         else somebody has changed the file. Believe the attached report.json, not the pages."
    )]
    Pages {
        /// The version that made the report.
        made: String,
        /// The version that checks it.
        here: String,
    },
    /// The signature is not one of this key over this report.
    #[error("The signature does not fit: it was not made over this report with the key {0}.")]
    Forged(String),
}

/// The key that signs. It does not print.
pub struct Signet(SigningKey);

impl fmt::Debug for Signet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signet({})", self.key_id())
    }
}

impl Signet {
    /// From the 32 secret bytes.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// Names the key.
    #[must_use]
    pub fn key_id(&self) -> String {
        key_id(&self.0.verifying_key())
    }

    /// What others may know of it.
    #[must_use]
    pub fn public(&self) -> ReportKey {
        let key = self.0.verifying_key();
        // SubjectPublicKeyInfo of Ed25519 (RFC 8410 section 4): a fixed head of 12 bytes, then the key.
        let mut der = hex_bytes("302a300506032b6570032100");
        der.extend_from_slice(key.as_bytes());
        ReportKey {
            algorithm: "ed25519".into(),
            key_id: key_id(&key),
            public_key: hex::encode(key.as_bytes()),
            pem: format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", BASE64.encode(der)),
        }
    }

    /// Signs a report's bytes.
    #[must_use]
    pub fn sign(&self, document: &[u8]) -> SignatureFile {
        let key = self.0.verifying_key();
        SignatureFile {
            algorithm: "ed25519".into(),
            digest: digest(document),
            key_id: key_id(&key),
            public_key: hex::encode(key.as_bytes()),
            signature: BASE64.encode(self.0.sign(document).to_bytes()),
        }
    }
}

fn hex_bytes(digits: &str) -> Vec<u8> {
    hex::decode(digits).unwrap_or_default()
}

fn key_id(key: &VerifyingKey) -> String {
    let mut id = hex::encode(Sha256::digest(key.as_bytes()));
    id.truncate(16);
    id
}

/// The SHA-256 of some bytes, in hexadecimal digits.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// A report as its canonical bytes: UTF-8 JSON, names sorted, no blanks.
///
/// # Errors
/// A figure that is no number of JSON.
pub fn canonical(report: &Report) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = serde_json::to_vec(&sorted(serde_json::to_value(report)?))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Sorted by name, whatever order serde_json's maps keep: another crate may have switched `preserve_order` on.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<(String, Value)> = fields.into_iter().collect();
            fields.sort_unstable_by(|a, b| a.0.cmp(&b.0));
            Value::Object(fields.into_iter().map(|(name, value)| (name, sorted(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

/// What a good signature proves.
#[derive(Clone, Debug, PartialEq)]
pub struct Trusted {
    /// The report.
    pub report: Report,
    /// The key that signed it.
    pub key_id: String,
    /// Its digest.
    pub digest: String,
}

/// Checks a report against its signature and a public key (64 hexadecimal digits, or PEM).
///
/// # Errors
/// Says what is wrong with which of the three.
pub fn check(document: &[u8], signature: &[u8], key: &str) -> Result<Trusted, Distrust> {
    let file: SignatureFile = serde_json::from_slice(signature).map_err(|e| Distrust::NoSignature(e.to_string()))?;
    if file.algorithm != "ed25519" {
        return Err(Distrust::NoSignature("its algorithm is not ed25519".into()));
    }
    let wanted = read_key(key)?;
    let made_with = read_key(&file.public_key).map_err(|e| Distrust::NoSignature(e.to_string()))?;
    let bytes = BASE64.decode(&file.signature).map_err(|e| Distrust::NoSignature(e.to_string()))?;
    let seal = Signature::from_slice(&bytes).map_err(|e| Distrust::NoSignature(e.to_string()))?;
    let found = digest(document);
    if !found.eq_ignore_ascii_case(&file.digest) {
        return Err(Distrust::Changed { found, signed: file.digest });
    }
    if made_with != wanted {
        return Err(Distrust::OtherKey { found: key_id(&made_with), wanted: key_id(&wanted) });
    }
    wanted.verify_strict(document, &seal).map_err(|_| Distrust::Forged(key_id(&wanted)))?;
    let report = serde_json::from_slice(document).map_err(|e| Distrust::NoReport(e.to_string()))?;
    Ok(Trusted { report, key_id: key_id(&wanted), digest: found })
}

/// Reads a public key: 64 hexadecimal digits, or a PEM block.
fn read_key(text: &str) -> Result<VerifyingKey, Distrust> {
    let text = text.trim();
    let bytes = if text.starts_with("-----BEGIN") {
        let body: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
        let der = BASE64.decode(body.trim()).map_err(|e| Distrust::NoKey(e.to_string()))?;
        der.strip_prefix(hex_bytes("302a300506032b6570032100").as_slice())
            .ok_or_else(|| Distrust::NoKey("the PEM block holds no Ed25519 public key".into()))?
            .to_vec()
    } else {
        hex::decode(text).map_err(|_| Distrust::NoKey("it must be 64 hexadecimal digits or a PEM block".into()))?
    };
    let bytes: [u8; 32] = bytes.try_into().map_err(|_| Distrust::NoKey("it must have 32 bytes".into()))?;
    VerifyingKey::from_bytes(&bytes).map_err(|_| Distrust::NoKey("it is no point of the curve".into()))
}
