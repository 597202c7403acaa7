//! Asks an end point and reads its answer: the fields of RFC 6749 sections 5.1 and 5.2, each within bounds, and nothing
//! taken for granted of who answers.

use crate::{
    App, Claims, OauthError, Proof, SecretIn, Tokens,
    explain::{self, Asking},
    machine::client_assertion,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use gatepost_contract::Secret;
use gatepost_web::{Web, WebReply, WebRequest};
use serde_json::{Map, Value};
use std::time::Duration;
use url::{Url, form_urlencoded};

/// More than any provider sends.
const MOST: usize = 64 << 10;
/// The longest token. Microsoft's reach some kilobytes.
const LONGEST_TOKEN: usize = 16 << 10;
/// How long a token is taken to hold whose answer does not tell, and the longest that is believed.
const UNTOLD: Duration = Duration::from_secs(600);
const LONGEST: u64 = 24 * 60 * 60;

/// The parameters of a request.
pub(crate) struct Form {
    pairs: Vec<(&'static str, Secret)>,
    authorization: Option<Secret>,
    /// The client secret where it is in the header, from which whoever reads it can take it.
    in_header: Option<Secret>,
}

impl Form {
    pub(crate) fn grant(grant_type: &'static str) -> Self {
        Self::empty().with("grant_type", grant_type)
    }

    pub(crate) const fn empty() -> Self {
        Self { pairs: Vec::new(), authorization: None, in_header: None }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.pairs.push((name, Secret(value.into())));
        self
    }

    /// Says which application asks, and proves it (RFC 6749 section 2.3).
    pub(crate) fn by(mut self, app: &App) -> Result<Self, OauthError> {
        match (&app.proof, app.secret_in) {
            (Proof::Secret(secret), SecretIn::Header) => {
                let part = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                let both = format!("{}:{}", part(&app.client_id), part(&secret.0));
                self.authorization = Some(Secret(format!("Basic {}", STANDARD.encode(both))));
                self.in_header = Some(secret.clone());
                // Not wanted by the RFC beside the header, and harmless: some servers ask for it.
                Ok(self.with("client_id", &app.client_id))
            }
            (Proof::Secret(secret), SecretIn::Body) => {
                Ok(self.with("client_id", &app.client_id).with("client_secret", &secret.0))
            }
            (Proof::Certificate(certificate), _) => {
                let assertion = client_assertion(app, certificate)?;
                Ok(self
                    .with("client_id", &app.client_id)
                    .with("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
                    .with("client_assertion", assertion.0))
            }
            (Proof::Public, _) => Ok(self.with("client_id", &app.client_id)),
        }
    }

    fn body(&self) -> String {
        let mut body = form_urlencoded::Serializer::new(String::new());
        for (name, value) in &self.pairs {
            body.append_pair(name, &value.0);
        }
        body.finish()
    }

    /// A text without our secrets, should a server repeat them, as they are or as they were sent.
    fn without_secrets(&self, text: &str) -> String {
        const HIDDEN: [&str; 8] = [
            "client_secret",
            "client_assertion",
            "assertion",
            "code",
            "code_verifier",
            "device_code",
            "refresh_token",
            "token",
        ];
        let hidden = self.pairs.iter().filter(|(name, _)| HIDDEN.contains(name)).map(|(_, value)| value.0.as_str());
        let mut text = text.to_owned();
        let header = self.authorization.as_ref().map(|header| header.0.trim_start_matches("Basic "));
        let in_header = self.in_header.as_ref().map(|secret| secret.0.as_str());
        for secret in hidden.chain(header).chain(in_header) {
            let sent: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
            for form in [secret, &sent].into_iter().filter(|form| !form.is_empty()) {
                text = text.replace(form, "[secret]");
            }
        }
        text
    }
}

/// Who is asked, for sentences.
pub(crate) fn host(url: &Url) -> String {
    url.host_str().unwrap_or("The server").to_owned()
}

/// Asks for a token.
pub(crate) async fn tokens(web: &dyn Web, url: &Url, form: Form, asking: Asking) -> Result<Tokens, OauthError> {
    let fields = fields(web, url, form, asking).await?;
    read_tokens(&fields).map_err(|what| OauthError::Nonsense { host: host(url), what })
}

/// Sends a form and gives the fields of a good answer.
pub(crate) async fn fields(
    web: &dyn Web,
    url: &Url,
    form: Form,
    asking: Asking,
) -> Result<Map<String, Value>, OauthError> {
    let reply = send(web, url, &form).await?;
    let nonsense = |what: String| OauthError::Nonsense { host: host(url), what };
    let later = reply.status == 429 || reply.status >= 500;
    match serde_json::from_slice(&reply.body) {
        Ok(Value::Object(fields)) if fields.contains_key("error") => Err(refusal(url, &reply, &fields, &form, asking)),
        Ok(Value::Object(fields)) if (200..300).contains(&reply.status) => Ok(fields),
        _ if later => Err(unavailable(url, &reply)),
        _ if (300..400).contains(&reply.status) => Err(nonsense(format!(
            "it sends us on to another address (HTTP {}); check the address of the end point",
            reply.status
        ))),
        _ => Err(nonsense(odd(&reply))),
    }
}

/// Sends a form and gives the answer as it comes.
pub(crate) async fn send(web: &dyn Web, url: &Url, form: &Form) -> Result<WebReply, OauthError> {
    let mut request = WebRequest::post(url.as_str(), "application/x-www-form-urlencoded", form.body());
    request.accept = Some("application/json");
    request.authorization.clone_from(&form.authorization);
    request.most = MOST;
    web.ask(&request).await.map_err(|error| OauthError::Unreachable { sentence: error.0, retry_after: None })
}

/// What an answer is that has no fields.
pub(crate) fn odd(reply: &WebReply) -> String {
    let status = reply.status;
    let start = reply.body.trim_ascii_start();
    if reply.content_type.contains("html") || start.starts_with(b"<") {
        format!("it sent a web page (HTTP {status}); check the address of the end point")
    } else if start.is_empty() {
        format!("it sent nothing (HTTP {status})")
    } else {
        format!("what it sent is no JSON object with a token or an error (HTTP {status})")
    }
}

pub(crate) fn unavailable(url: &Url, reply: &WebReply) -> OauthError {
    let host = host(url);
    let sentence = if reply.status == 429 {
        format!("{host} asks to be left alone for a while (HTTP 429).")
    } else {
        format!("{host} has a trouble of its own (HTTP {}). Try again later.", reply.status)
    };
    OauthError::Unreachable { sentence, retry_after: wait(reply) }
}

fn wait(reply: &WebReply) -> Option<Duration> {
    reply.retry_after.map(|seconds| Duration::from_secs(seconds.min(LONGEST)))
}

pub(crate) fn refusal(
    url: &Url,
    reply: &WebReply,
    fields: &Map<String, Value>,
    form: &Form,
    asking: Asking,
) -> OauthError {
    let word = |name: &str| form.without_secrets(fields.get(name).and_then(Value::as_str).unwrap_or_default());
    let error = printable(&word("error"), 60);
    let said = word("error_description");
    let codes: Vec<u64> = match fields.get("error_codes") {
        Some(Value::Array(codes)) => codes.iter().take(8).filter_map(Value::as_u64).collect(),
        _ => Vec::new(),
    };
    let passing = matches!(error.as_str(), "temporarily_unavailable" | "server_error" | "internal_failure");
    if passing || reply.status == 429 || reply.status >= 500 {
        return unavailable(url, reply);
    }
    explain::refusal(&host(url), asking, &error, &codes, &printable(&said, 300))
}

/// Foreign words on one line, no longer than so many characters.
pub(crate) fn printable(text: &str, most: usize) -> String {
    let mut words = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
        if words.len() > most * 4 {
            break;
        }
    }
    let invisible =
        |c: &char| !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut chars = words.chars().filter(invisible);
    let mut shown: String = chars.by_ref().take(most).collect();
    if chars.next().is_some() {
        shown.push('…');
    }
    shown
}

fn read_tokens(fields: &Map<String, Value>) -> Result<Tokens, String> {
    let token_type = fields.get("token_type").and_then(Value::as_str);
    match token_type {
        Some(kind) if kind.eq_ignore_ascii_case("bearer") => {}
        Some(kind) => return Err(format!("its token is of the type {:?}, not Bearer", printable(kind, 30))),
        None => return Err("it does not tell what type its token is of".into()),
    }
    let access = token(fields, "access_token")?.ok_or("there is no token in its answer")?;
    let claims = fields.get("id_token").and_then(Value::as_str).map(Claims::of).unwrap_or_default();
    Ok(Tokens {
        access,
        expires_in: lifetime(fields.get("expires_in"))?,
        refresh: token(fields, "refresh_token")?,
        scope: fields.get("scope").and_then(Value::as_str).map(|scope| printable(scope, 1000)),
        claims,
    })
}

/// A token is visible ASCII: it goes into headers and SASL messages, whose ends it must not be able to fake.
fn token(fields: &Map<String, Value>, name: &str) -> Result<Option<Secret>, String> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) if text.len() > LONGEST_TOKEN => Err(format!("its {name} is too long")),
        Some(Value::String(text)) if text.bytes().all(|b| b.is_ascii_graphic()) => Ok(Some(Secret(text.clone()))),
        Some(Value::String(_)) => Err(format!("its {name} holds characters that cannot be in one")),
        Some(_) => Err(format!("its {name} is no text")),
    }
}

/// A number of seconds; some servers write it as text.
pub(crate) fn seconds(value: &Value) -> Option<f64> {
    let number = value.as_f64().or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()))?;
    number.is_finite().then_some(number)
}

fn lifetime(value: Option<&Value>) -> Result<Duration, String> {
    let value = match value {
        None | Some(Value::Null) => return Ok(UNTOLD),
        Some(value) => value,
    };
    match seconds(value) {
        Some(seconds) if seconds >= 1.0 => Ok(Duration::from_secs((seconds as u64).min(LONGEST))),
        Some(_) => Err("its token has ended before it was sent (expires_in is not above 0)".into()),
        None => Err("its expires_in is no number".into()),
    }
}
