//! What a token end point does that it should not.

use std::time::Duration;

use serde_json::{Value, json};

use crate::http::HttpResponse;

/// One way to be of no use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mischief {
    /// Answers late.
    Slow(Duration),
    /// Answers with a page.
    Html,
    /// Answers with a status and nothing else.
    Status(u16),
    /// Sends the client elsewhere.
    Redirect,
    /// Answers with what is no JSON.
    NotJson,
    /// Gives a token of another type.
    NotBearer,
    /// Gives a token that ended before it was given.
    Ended,
    /// Gives a token that holds for ever.
    Eternal,
    /// Says that all is well and gives no token.
    NoToken,
    /// Gives a token that would end a header or a SASL message.
    Control,
    /// Sends 10 MB.
    Flood,
    /// Gives less than was asked for.
    LessScope,
    /// Refuses with these: the error, its description.
    Refuse(String, String),
}

impl Mischief {
    /// By a name, for those who reach the server by its port only; `none` for its end.
    pub(super) fn named(name: &str) -> Option<Option<Self>> {
        Some(Some(match name {
            "none" => return Some(None),
            "slow" => Self::Slow(Duration::from_secs(40)),
            "html" => Self::Html,
            "status" => Self::Status(503),
            "redirect" => Self::Redirect,
            "not-json" => Self::NotJson,
            "not-bearer" => Self::NotBearer,
            "ended" => Self::Ended,
            "eternal" => Self::Eternal,
            "no-token" => Self::NoToken,
            "control" => Self::Control,
            "flood" => Self::Flood,
            "less-scope" => Self::LessScope,
            "refuse" => Self::Refuse("invalid_grant".into(), "AADSTS50173: The provided grant has expired.".into()),
            _ => return None,
        }))
    }

    /// What is answered without looking at the question.
    pub(super) fn instead(&self) -> Option<HttpResponse> {
        Some(match self {
            Self::Html => HttpResponse::html(200, "<!doctype html><title>Log in</title>"),
            Self::Status(status) => HttpResponse::new(*status, "text/plain", "").with("Retry-After", "7"),
            Self::Redirect => HttpResponse::see_other("/elsewhere"),
            Self::NotJson => HttpResponse::new(200, "application/json", "{\"access_token\": \"abc"),
            Self::NoToken => HttpResponse::json(200, &json!({ "token_type": "Bearer", "expires_in": 3600 })),
            Self::Flood => HttpResponse::new(200, "application/json", vec![b' '; 10 << 20]),
            Self::Refuse(error, description) => {
                HttpResponse::json(400, &json!({ "error": error, "error_description": description }))
            }
            Self::Slow(_) | Self::NotBearer | Self::Ended | Self::Eternal | Self::Control | Self::LessScope => {
                return None;
            }
        })
    }

    /// What becomes of a right answer.
    pub(super) fn bend(&self, mut answer: HttpResponse) -> HttpResponse {
        if let Self::Slow(time) = self {
            std::thread::sleep(*time);
            return answer;
        }
        let Ok(Value::Object(mut fields)) = serde_json::from_slice(&answer.body) else { return answer };
        if answer.status == 200 {
            let (name, value) = match self {
                Self::NotBearer => ("token_type", json!("mac")),
                Self::Ended => ("expires_in", json!(-3600)),
                Self::Eternal => ("expires_in", json!(1e30)),
                Self::Control => ("access_token", json!("abc\u{1}user=eve")),
                _ => ("scope", json!("openid")),
            };
            fields.insert(name.to_owned(), value);
            answer.body = Value::Object(fields).to_string().into_bytes();
        }
        answer
    }
}
