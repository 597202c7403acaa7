//! Token end points that lie, break off, or answer something else.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use async_trait::async_trait;
use common::{Plain, REDIRECT, app, server};
use gatepost_contract::Secret;
use gatepost_oauth::{
    App, Endpoints, OauthError, Pkce, Proof, SecretIn, authorize_url, client_credentials, device_begin, device_poll,
    exchange, refresh, revoke,
};
use gatepost_testkit::{HttpResponse, HttpServer, http, oauth::Mischief};
use gatepost_web::{Web, WebError, WebReply, WebRequest};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test]
async fn answers_that_are_none_are_called_what_they_are() {
    let server = server();
    let app = app(&server);
    server.tenant_consent("desk", true);
    let cases = [
        (Mischief::Html, "it sent a web page (HTTP 200)"),
        (Mischief::Redirect, "sends us on to another address (HTTP 302)"),
        (Mischief::NotJson, "no JSON object"),
        (Mischief::NotBearer, "of the type \"mac\""),
        (Mischief::Ended, "ended before it was sent"),
        (Mischief::NoToken, "there is no token in its answer"),
        (Mischief::Control, "characters that cannot be in one"),
        (Mischief::Status(404), "it sent nothing (HTTP 404)"),
    ];
    for (mischief, words) in cases {
        server.mischief(Some(mischief.clone()));
        let refused = client_credentials(&Plain, &app).await.unwrap_err();
        assert!(matches!(&refused, OauthError::Nonsense { host, .. } if host == "127.0.0.1"), "{refused:?}");
        assert!(refused.to_string().contains(words) && !refused.is_transient(), "{mischief:?}: {refused}");
    }
    server.mischief(Some(Mischief::Eternal));
    let tokens = client_credentials(&Plain, &app).await.unwrap();
    assert_eq!(tokens.expires_in, Duration::from_secs(24 * 60 * 60), "nobody is believed for longer than a day");
}

#[tokio::test]
async fn what_may_pass_is_told_apart_from_what_will_not() {
    let server = server();
    let app = app(&server);
    for (status, words) in [(503, "trouble of its own (HTTP 503)"), (429, "left alone for a while")] {
        server.mischief(Some(Mischief::Status(status)));
        let refused = refresh(&Plain, &app, &Secret("x".into())).await.unwrap_err();
        let OauthError::Unreachable { sentence, retry_after } = &refused else { panic!("{refused:?}") };
        assert!(sentence.contains(words) && refused.is_transient(), "{sentence}");
        assert_eq!(*retry_after, Some(Duration::from_secs(7)));
    }
    server.mischief(Some(Mischief::Refuse("temporarily_unavailable".into(), String::new())));
    assert!(refresh(&Plain, &app, &Secret("x".into())).await.unwrap_err().is_transient());
    server.mischief(Some(Mischief::Flood));
    assert!(refresh(&Plain, &app, &Secret("x".into())).await.unwrap_err().is_transient());
}

#[tokio::test]
async fn a_consent_without_the_box_for_mail_is_not_enough() {
    let server = server();
    let app = app(&server);
    server.mischief(Some(Mischief::LessScope));
    let pkce = Pkce::new();
    let url = authorize_url(&app, REDIRECT, "s", &pkce, None).unwrap();
    let back = server.allow(url.as_str(), common::USER, common::PASSWORD).unwrap();
    let code = http::pairs(back.split_once('?').unwrap().1);
    let code = Secret(http::value(&code, "code").unwrap().to_owned());
    let refused = exchange(&Plain, &app, &code, REDIRECT, &pkce).await.unwrap_err();
    assert_eq!(refused, OauthError::ScopeMissing { wanted: "mail".into() });
}

#[tokio::test]
async fn a_server_that_repeats_our_secrets_does_not_get_them_into_a_sentence() {
    let echo = HttpServer::start(|request| {
        let said = String::from_utf8_lossy(&request.body).into_owned();
        let form: Vec<String> = request.form().into_iter().map(|(_, value)| value).collect();
        let words = format!("I\u{202e} heard\r\n{said} {}", form.join(" "));
        HttpResponse::json(400, &json!({ "error": "invalid_grant", "error_description": words }))
    })
    .unwrap();
    let server = server();
    let mut app = app(&server);
    app.endpoints.token = format!("{}/token", echo.url()).parse().unwrap();
    app.secret_in = SecretIn::Body;
    let refused = refresh(&Plain, &app, &Secret("rt-hunter2".into())).await.unwrap_err();
    let shown = format!("{refused} {refused:?}");
    assert!(matches!(refused, OauthError::ConsentGone { .. }), "{shown}");
    assert!(!shown.contains("hunter2") && !shown.contains("s3cret"), "{shown}");
    assert!(!shown.contains('\n') && !shown.contains('\u{202e}'), "{shown}");
}

/// Says one thing, whatever is asked.
struct Says(WebReply);

#[async_trait]
impl Web for Says {
    async fn ask(&self, _: &WebRequest) -> Result<WebReply, WebError> {
        Ok(self.0.clone())
    }
}

#[tokio::test]
async fn a_client_secret_that_a_server_tells_is_not_repeated_wherever_it_was_sent() {
    let said = json!({"error": "invalid_client", "error_description": "hunter2 (aWQ6aHVudGVyMg==) is wrong"});
    let body = said.to_string().into_bytes();
    let says = Says(WebReply { status: 401, content_type: String::new(), location: None, retry_after: None, body });
    let endpoints = Endpoints::read("", "https://a.example/t", "", "").unwrap();
    let mut app = App::custom("id", Proof::Secret(Secret("hunter2".into())), endpoints, "mail");
    for place in [SecretIn::Header, SecretIn::Body] {
        app.secret_in = place;
        let told = client_credentials(&says, &app).await.unwrap_err().to_string();
        assert!(told.contains("[secret]") && !told.contains("hunter2"), "{place:?}: {told}");
    }
}

/// Values that an answer's field may have, right and wrong.
fn field() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,40}".prop_map(Value::from),
        "[ -~]{0,40}".prop_map(Value::from),
        prop_oneof![
            "bearer",
            "AADSTS[0-9]{1,22}: x",
            "http://[a-z]{3}/",
            "e30\\.[A-Za-z0-9_=-]{0,30}\\.x",
            "[0-9.e+-]{1,9}"
        ]
        .prop_map(Value::from),
        prop::collection::vec(any::<u64>(), 0..4).prop_map(Value::from),
    ]
}

proptest! {
    #[test]
    fn no_answer_makes_it_panic_and_every_token_is_fit_to_be_sent(
        status in prop_oneof![Just(200_u16), 100..600_u16],
        fields in prop::collection::hash_map(
            prop_oneof![
                Just("access_token"), Just("token_type"), Just("expires_in"), Just("refresh_token"), Just("scope"),
                Just("id_token"), Just("error"), Just("error_description"), Just("error_codes"), Just("device_code"),
                Just("user_code"), Just("verification_uri"), Just("verification_uri_complete"), Just("interval"),
            ],
            field(),
            0..12,
        ),
        cut in prop::option::of(0..60_usize),
        bearer in any::<bool>(),
    ) {
        let mut fields: serde_json::Map<String, Value> =
            fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        if bearer {
            fields.insert("token_type".into(), "Bearer".into());
        }
        let mut body = Value::Object(fields).to_string().into_bytes();
        body.truncate(cut.unwrap_or(usize::MAX));
        let reply = WebReply { status, content_type: String::new(), location: None, retry_after: Some(u64::MAX), body };
        let says = Says(reply);
        let endpoints = Endpoints::read("", "https://a.example/t", "https://a.example/d", "https://a.example/r").unwrap();
        let app = App::custom("id", Proof::Public, endpoints, "mail");
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            if let Ok(tokens) = refresh(&says, &app, &Secret("x".into())).await {
                let all = [Some(&tokens.access), tokens.refresh.as_ref()];
                assert!(all.into_iter().flatten().all(|t| !t.0.is_empty() && t.0.bytes().all(|b| b.is_ascii_graphic())));
                assert!(tokens.expires_in.as_secs() >= 1 && tokens.expires_in.as_secs() <= 86_400);
            }
            if let Ok(device) = device_begin(&says, &app).await {
                assert!(device.verify_at.starts_with("http") && !device.user_code.is_empty());
                assert!((1..=60).contains(&device.interval.as_secs()));
            }
            for error in [
                device_poll(&says, &app, &Secret("x".into())).await.err(),
                revoke(&says, &app, &Secret("x".into())).await.err(),
            ] {
                assert!(error.is_none_or(|error| !error.to_string().is_empty() && error.to_string().len() < 2500));
            }
        });
    }
}
