//! The authorization server of the kit: as strict as a provider, and switched from outside.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use gatepost_testkit::{AuthServer, http};
use serde_json::Value;

const USER: &str = "ana@example.test";
const PASSWORD: &str = "p4ss & word";

fn server() -> AuthServer {
    AuthServer::builder().user(USER, PASSWORD).client("desk", "s3cret").start().unwrap()
}

fn post(server: &AuthServer, path: &str, form: &[(&str, &str)]) -> (u16, Value) {
    let answer = http::send("POST", &server.endpoint(path), form).unwrap();
    (answer.status, serde_json::from_slice(&answer.body).unwrap_or(Value::Null))
}

fn active(server: &AuthServer, token: &str) -> bool {
    let (status, told) = post(server, "introspect", &[("token", token)]);
    assert_eq!(status, 200);
    assert_eq!(told["active"] == true, told["username"] == USER, "{told}");
    told["active"] == true
}

#[test]
fn a_token_is_known_until_it_ends_or_its_consent_does() {
    let server = server();
    for end in ["expire", "revoke"] {
        let token = server.token_of(USER);
        assert!(active(&server, &token));
        assert_eq!(post(&server, "introspect/app", &[("token", &token)]).1["active"], false);
        assert_eq!(post(&server, &format!("control/{end}"), &[("user", USER)]).0, 200);
        assert!(!active(&server, &token), "{end}");
    }
    post(&server, "control/lifetime", &[("seconds", "0")]);
    assert!(!active(&server, &server.token_of(USER)));
    assert!(!active(&server, "never given"));
}

#[test]
fn a_request_for_consent_that_lacks_something_stays_at_the_page() {
    let server = server();
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let whole = [
        ("response_type", "code"),
        ("client_id", "desk"),
        ("redirect_uri", "https://desk.example/back?x=1"),
        ("state", "st"),
        ("code_challenge", challenge),
        ("code_challenge_method", "S256"),
    ];
    let at = |parameters: &[(&str, &str)]| format!("{}?{}", server.endpoint("authorize"), http::written(parameters));
    for missing in 0..whole.len() {
        let rest: Vec<_> = whole.iter().enumerate().filter(|(at, _)| *at != missing).map(|(_, pair)| *pair).collect();
        assert_eq!(http::ask("GET", &at(&rest), &[], "").unwrap().status, 400, "{}", whole[missing].0);
        assert!(server.allow(&at(&rest), USER, PASSWORD).is_err(), "{}", whole[missing].0);
    }
    let page = String::from_utf8(http::ask("GET", &at(&whole), &[], "").unwrap().body).unwrap();
    assert!(page.contains("<form method=\"post\">") && page.contains("Password"), "{page}");
    assert!(server.allow(&at(&whole), USER, "wrong").is_err());
    let back = server.allow(&at(&whole), USER, PASSWORD).unwrap();
    assert!(back.starts_with("https://desk.example/back?x=1&code=co-") && back.ends_with("&state=st"), "{back}");
}

#[test]
fn what_is_asked_for_without_proof_is_refused() {
    let server = server();
    server.tenant_consent("desk", true);
    for (client, secret, status) in [("desk", "s3cret", 200), ("desk", "wrong", 401), ("nobody", "s3cret", 401)] {
        let form = [("grant_type", "client_credentials"), ("client_id", client), ("client_secret", secret)];
        assert_eq!(post(&server, "token", &form).0, status, "{client} {secret}");
    }
    assert_eq!(server.asked(), ["client_credentials"; 3]);
    assert_eq!(post(&server, "control/mischief", &[("kind", "none")]).0, 200);
    assert_eq!(post(&server, "control/mischief", &[("kind", "unheard of")]).0, 400);
}
