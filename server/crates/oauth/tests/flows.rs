//! Every way to a token, against a server that is as strict as a provider.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{PASSWORD, Plain, REDIRECT, USER, app, app_as, server};
use gatepost_contract::Secret;
use gatepost_oauth::{
    App, Callback, Certificate, OauthError, Pkce, Proof, SecretIn, ServiceAccount, Tokens, authorize_url,
    client_credentials, device_begin, device_poll, exchange, refresh, revoke, service_account,
};
use gatepost_testkit::{AuthServer, http, oauth::SERVICE_ACCOUNT};
use std::time::Duration;

/// The parameters of the address that a browser was sent back to.
fn brought_back(location: &str) -> Vec<(String, String)> {
    assert!(location.starts_with(REDIRECT), "{location}");
    http::pairs(location.split_once('?').unwrap().1)
}

/// Goes through the flow in a browser.
async fn consented(server: &AuthServer, app: &App) -> Tokens {
    let pkce = Pkce::new();
    let url = authorize_url(app, REDIRECT, "the state", &pkce, Some(USER)).unwrap();
    let back = brought_back(&server.allow(url.as_str(), USER, PASSWORD).unwrap());
    assert_eq!(http::value(&back, "state"), Some("the state"));
    let Callback::Code(code) = Callback::read("the provider", &back).unwrap() else { panic!("{back:?}") };
    exchange(&Plain, app, &code, REDIRECT, &pkce).await.unwrap()
}

#[tokio::test]
async fn consent_in_a_browser_gives_tokens_however_the_application_proves_itself() {
    let server = server();
    let (certificate, key) = AuthServer::certificate();
    let signed = Proof::Certificate(Certificate { certificate: certificate.into(), key: Secret(key.into()) });
    for app in [
        app(&server),
        App { secret_in: SecretIn::Body, ..app(&server) },
        app_as(&server, "public", Proof::Public),
        app_as(&server, "signed", signed),
    ] {
        let tokens = consented(&server, &app).await;
        assert_eq!(tokens.expires_in, Duration::from_secs(3600));
        assert!(tokens.refresh.is_some(), "{app:?}");
        assert_eq!(tokens.claims.account.as_deref(), Some(USER));
        let shown = format!("{tokens:?}");
        assert!(!shown.contains(&tokens.access.0) && !shown.contains(&tokens.refresh.unwrap().0), "{shown}");
    }
}

#[tokio::test]
async fn a_wrong_secret_is_told_as_that() {
    let server = server();
    let wrong = app_as(&server, "desk", Proof::Secret(Secret("wr0ng".into())));
    let refused = client_credentials(&Plain, &wrong).await.unwrap_err();
    assert!(matches!(&refused, OauthError::Refused { code, .. } if code == "AADSTS7000215"), "{refused:?}");
    assert!(!format!("{refused:?}").contains("wr0ng"));
}

#[tokio::test]
async fn a_no_in_the_browser_is_a_no() {
    let server = server();
    let url = authorize_url(&app(&server), REDIRECT, "s", &Pkce::new(), None).unwrap();
    let back = brought_back(&server.refuse(url.as_str(), USER, PASSWORD).unwrap());
    let refused = Callback::read("the provider", &back).unwrap_err();
    assert!(matches!(refused, OauthError::Denied { .. }) && refused.wants_consent(), "{refused:?}");
}

#[tokio::test]
async fn a_code_serves_once_and_for_its_verifier_and_its_address_only() {
    let server = server();
    let app = app(&server);
    let pkce = Pkce::new();
    let code = || {
        let url = authorize_url(&app, REDIRECT, "s", &pkce, None).unwrap();
        let back = brought_back(&server.allow(url.as_str(), USER, PASSWORD).unwrap());
        Secret(http::value(&back, "code").unwrap().to_owned())
    };
    for (redirect, verifier) in [("https://evil.example/", &pkce), (REDIRECT, &Pkce::new())] {
        let refused = exchange(&Plain, &app, &code(), redirect, verifier).await.unwrap_err();
        assert!(matches!(refused, OauthError::Refused { .. }), "{refused:?}");
    }
    let once = code();
    exchange(&Plain, &app, &once, REDIRECT, &pkce).await.unwrap();
    let again = exchange(&Plain, &app, &once, REDIRECT, &pkce).await.unwrap_err();
    assert!(again.to_string().contains("used already") && !again.to_string().contains(&once.0), "{again}");
}

#[tokio::test]
async fn a_renewal_rotates_the_refresh_token_and_an_old_one_ends_the_consent() {
    let server = server();
    let app = app(&server);
    let first = consented(&server, &app).await.refresh.unwrap();
    let second = refresh(&Plain, &app, &first).await.unwrap().refresh.unwrap();
    assert_ne!(first, second);
    let third = refresh(&Plain, &app, &second).await.unwrap().refresh.unwrap();
    let gone = refresh(&Plain, &app, &second).await.unwrap_err();
    assert!(matches!(gone, OauthError::ConsentGone { .. }), "{gone:?}");
    let gone = refresh(&Plain, &app, &third).await.unwrap_err();
    assert!(gone.wants_consent() && gone.to_string().contains("must be given again"), "{gone}");
}

#[tokio::test]
async fn a_renewal_without_a_new_refresh_token_says_so() {
    let server = server();
    let app = app(&server);
    let kept = consented(&server, &app).await.refresh.unwrap();
    server.rotate(false);
    for _ in 0..2 {
        assert_eq!(refresh(&Plain, &app, &kept).await.unwrap().refresh, None);
    }
}

#[tokio::test]
async fn what_was_given_back_or_revoked_is_gone() {
    let server = server();
    let app = app(&server);
    let tokens = consented(&server, &app).await;
    assert_eq!(revoke(&Plain, &app, tokens.refresh.as_ref().unwrap()).await, Ok(true));
    assert_eq!(revoke(&Plain, &app, &Secret("never given".into())).await, Ok(true));
    let gone = refresh(&Plain, &app, &tokens.refresh.unwrap()).await.unwrap_err();
    assert!(matches!(gone, OauthError::ConsentGone { .. }), "{gone:?}");
    let tokens = consented(&server, &app).await;
    server.revoke_consent(USER);
    let gone = refresh(&Plain, &app, &tokens.refresh.unwrap()).await.unwrap_err();
    assert!(matches!(gone, OauthError::ConsentGone { .. }), "{gone:?}");
    let nowhere = App::microsoft("example.com", "id", Proof::Public).unwrap();
    assert_eq!(revoke(&Plain, &nowhere, &Secret("x".into())).await, Ok(false));
}

#[tokio::test]
async fn a_device_waits_for_its_code_and_is_told_to_slow_down() {
    let server = server();
    let app = app(&server);
    // The second question comes too early, on a busy machine too.
    server.device_interval(Duration::from_secs(60));
    let device = device_begin(&Plain, &app).await.unwrap();
    assert_eq!((device.interval, device.expires_in), (Duration::from_secs(60), Duration::from_secs(600)));
    assert!(device.verify_at_with_code.unwrap().contains(&device.user_code));
    assert_eq!(device_poll(&Plain, &app, &device.device).await, Err(OauthError::Pending));
    assert_eq!(device_poll(&Plain, &app, &device.device).await, Err(OauthError::SlowDown));
    server.enter_code(&device.user_code, USER, PASSWORD, "allow").unwrap();
    let tokens = device_poll(&Plain, &app, &device.device).await.unwrap();
    assert_eq!(tokens.claims.account.as_deref(), Some(USER));
    assert_eq!(device_poll(&Plain, &app, &device.device).await, Err(OauthError::Expired), "a code serves once");
}

#[tokio::test]
async fn a_device_hears_a_no_and_the_end_of_its_time() {
    let server = server();
    let app = app(&server);
    let device = device_begin(&Plain, &app).await.unwrap();
    server.enter_code(&device.user_code, USER, PASSWORD, "refuse").unwrap();
    let refused = device_poll(&Plain, &app, &device.device).await.unwrap_err();
    assert!(matches!(refused, OauthError::Denied { .. }), "{refused:?}");
    server.lifetime(Duration::ZERO);
    let device = device_begin(&Plain, &app).await.unwrap();
    assert_eq!(device_poll(&Plain, &app, &device.device).await, Err(OauthError::Expired));
}

#[tokio::test]
async fn a_provider_without_device_codes_for_mail_is_told_before_anything_is_asked() {
    let refused = device_begin(&Plain, &App::google("id", Proof::Public)).await.unwrap_err();
    assert!(matches!(&refused, OauthError::Setup(words) if words.contains("no device codes for mail")), "{refused:?}");
}

#[tokio::test]
async fn an_application_gets_its_own_token_once_an_administrator_consented() {
    let server = server();
    let app = app(&server);
    let refused = client_credentials(&Plain, &app).await.unwrap_err();
    assert!(refused.to_string().contains("let an administrator consent"), "{refused}");
    server.tenant_consent("desk", true);
    let tokens = client_credentials(&Plain, &app).await.unwrap();
    assert_eq!(tokens.refresh, None);
}

#[tokio::test]
async fn a_service_account_gets_a_token_in_a_users_name_where_that_was_delegated() {
    let server = server();
    let account = ServiceAccount::from_json(&server.service_account_json()).unwrap();
    assert_eq!(account.email, SERVICE_ACCOUNT);
    assert!(!format!("{account:?}").contains("PRIVATE"));
    let tokens = service_account(&Plain, &account, USER, "mail").await.unwrap();
    assert_eq!(tokens.refresh, None);
    let unknown = service_account(&Plain, &account, "nobody@example.com", "mail").await.unwrap_err();
    assert!(unknown.to_string().contains("no such user"), "{unknown}");
    server.delegate(false);
    let refused = service_account(&Plain, &account, USER, "mail").await.unwrap_err();
    assert!(refused.to_string().contains("Domain-wide delegation"), "{refused}");
}

#[test]
fn key_files_that_are_none_are_told_apart_without_being_quoted() {
    let good = AuthServer::builder().start().unwrap().service_account_json();
    let cases = [
        ("", "is no JSON"),
        ("{}", "lacks client_email or private_key"),
        (r#"{"type":"authorized_user","client_email":"a","private_key":"b"}"#, "of another type"),
        (r#"{"type":"service_account","client_email":"a","private_key":"hunter2"}"#, "no RSA key"),
        (&good.replace("http://", "file://"), "no URL"),
    ];
    for (json, words) in cases {
        let refused = ServiceAccount::from_json(json).unwrap_err().to_string();
        assert!(refused.contains(words) && !refused.contains("hunter2"), "{json}: {refused}");
    }
}
