//! Whatever a token end point answers, it is read without a panic: what passes for a token can stand in a header, lasts
//! between a second and a day, and every refusal is a sentence on one line in which none of our secrets stands. The first
//! byte says what was asked for, the second the status and the type of the answer, the rest is its body.
#![no_main]

use async_trait::async_trait;
use gatepost_contract::Secret;
use gatepost_oauth::{
    App, Callback, Endpoints, OauthError, Pkce, Proof, SecretIn, ServiceAccount, Tokens, client_credentials,
    device_begin, device_poll, exchange, refresh, revoke,
};
use gatepost_web::{Web, WebError, WebReply, WebRequest};
use libfuzzer_sys::fuzz_target;
use std::{
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

/// What every request proves itself by, and what some of them ask with besides.
const OURS: [&str; 2] = ["client-pass", "asking-pass"];

struct Answers(WebReply);

#[async_trait]
impl Web for Answers {
    async fn ask(&self, _: &WebRequest) -> Result<WebReply, WebError> {
        Ok(self.0.clone())
    }
}

/// Nothing here waits for anything.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

fn judge(answer: Result<Tokens, OauthError>, sent: &[&str]) {
    match answer {
        Ok(tokens) => {
            for token in [Some(&tokens.access), tokens.refresh.as_ref()].into_iter().flatten() {
                assert!(!token.0.is_empty() && token.0.bytes().all(|b| b.is_ascii_graphic()));
            }
            assert!((Duration::from_secs(1)..=Duration::from_secs(86_400)).contains(&tokens.expires_in));
            assert!(tokens.claims.account.is_none_or(|who| !who.chars().any(char::is_control)));
        }
        Err(error) => refused(&error, sent),
    }
}

fn refused(error: &OauthError, sent: &[&str]) {
    let sentence = error.to_string();
    assert!(!sentence.is_empty() && !sentence.chars().any(char::is_control), "{sentence:?}");
    assert!(sentence.chars().count() < 2_000, "{sentence}");
    assert!(sent.iter().all(|secret| !sentence.contains(secret)), "{sentence}");
}

fuzz_target!(|input: &[u8]| {
    let [asking, kind, body @ ..] = input else { return };
    let secret = |text: &str| Secret(text.to_owned());
    let status = [200, 400, 401, 429, 302, 500][usize::from(kind & 7) % 6];
    let content_type = if kind & 8 == 0 { "application/json" } else { "text/html" }.to_owned();
    let web = Answers(WebReply {
        status,
        content_type,
        location: None,
        retry_after: Some(u64::from(*kind)),
        body: body.to_vec(),
    });
    let place = "https://login.example";
    let endpoints = Endpoints::read(place, place, place, place).expect("addresses");
    let mut app = App::custom("desk", Proof::Secret(secret(OURS[0])), endpoints, "mail");
    app.secret_in = if kind & 16 == 0 { SecretIn::Body } else { SecretIn::Header };
    match asking % 7 {
        0 => judge(now(refresh(&web, &app, &secret(OURS[1]))), &OURS),
        1 => judge(now(device_poll(&web, &app, &secret(OURS[1]))), &OURS),
        2 => judge(now(client_credentials(&web, &app)), &OURS[..1]),
        3 => judge(now(exchange(&web, &app, &secret(OURS[1]), place, &Pkce::new())), &OURS),
        4 => match now(device_begin(&web, &app)) {
            Ok(code) => {
                assert!(code.verify_at.starts_with("http") && !code.user_code.is_empty());
                assert!((Duration::from_secs(1)..=Duration::from_secs(60)).contains(&code.interval));
                assert!((Duration::from_secs(1)..=Duration::from_secs(3600)).contains(&code.expires_in));
            }
            Err(error) => refused(&error, &OURS[..1]),
        },
        5 => {
            if let Err(error) = now(revoke(&web, &app, &secret(OURS[1]))) {
                refused(&error, &OURS);
            }
        }
        _ => {
            let text = String::from_utf8_lossy(body);
            if let Err(error) = ServiceAccount::from_json(&text) {
                refused(&error, &[]);
            }
            let pairs: Vec<(String, String)> =
                text.split('&').filter_map(|p| p.split_once('=')).map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
            match Callback::read("login.example", &pairs) {
                Ok(Callback::Code(code)) => assert!(code.0.bytes().all(|b| b.is_ascii_graphic())),
                Ok(Callback::AdminConsent { .. }) => {}
                Err(error) => refused(&error, &[]),
            }
        }
    }
});
