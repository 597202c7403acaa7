//! End points and servers that are not to be trusted: what they answer, and what they are shown.

use crate::{
    common::{text, wait_for},
    scene::{CLIENT_SECRET, Scene},
};
use gatepost_testkit::oauth::Mischief;
use serde_json::{Value, json};
use std::time::Duration;

#[test]
fn a_token_end_point_that_lies_is_told_and_costs_no_consent() {
    let scene = Scene::new(3);
    let consent = scene.ask("authorization_code");
    scene.give(consent);
    let lies = [
        Mischief::Html,
        Mischief::Status(503),
        Mischief::Redirect,
        Mischief::NotJson,
        Mischief::NotBearer,
        Mischief::Ended,
        Mischief::NoToken,
        Mischief::Control,
        Mischief::Flood,
    ];
    for lie in lies {
        scene.auth.rotate(false);
        scene.auth.mischief(Some(lie.clone()));
        let problem = scene.check(consent).problem(502, "provider_failed");
        let now = scene.consent(consent);
        assert_eq!(now["state"], "valid", "{lie:?}: {now:#}");
        assert!(now["error"].is_string(), "{lie:?}: {now:#}");
        assert!(!text(&problem["detail"]).contains(CLIENT_SECRET), "{lie:?}");
        scene.auth.mischief(None);
        let mended = scene.check(consent).expect(200).json();
        assert!(mended["error"].is_null(), "{lie:?}: {mended:#}");
    }
    // The token that was given before still opens the mailbox while the provider is of no use.
    scene.auth.mischief(Some(Mischief::Html));
    scene.journey.succeed("preflight");
    scene.auth.expire_now();
    let error = scene.fails("preflight");
    assert!(error.contains("127.0.0.1") && !error.contains('<'), "{error}");
    assert_eq!(scene.consent(consent)["state"], "valid");
    scene.auth.mischief(Some(Mischief::Refuse("invalid_client".into(), String::new())));
    scene.check(consent).problem(409, "consent_refused");
    assert_eq!(scene.consent(consent)["state"], "failed");
    scene.auth.mischief(None);
    scene.succeeds("preflight");
    assert_eq!(scene.consent(consent)["state"], "valid", "a run that gets a token mends it");
}

#[test]
fn a_token_end_point_that_is_slow_holds_up_nobody_who_has_a_token_and_is_told_to_those_who_wait() {
    let scene = Scene::new(3);
    let consent = scene.ask("authorization_code");
    scene.give(consent);
    scene.auth.rotate(false);
    let renewals = || scene.auth.asked().iter().filter(|grant| *grant == "refresh_token").count();
    // Longer than any answer is waited for.
    scene.auth.mischief(Some(Mischief::Slow(Duration::from_secs(60))));
    let (server, lead) = (scene.server(), &scene.journey.lead);
    let path = format!("/migration/consents/{consent}/check");
    std::thread::scope(|hands| {
        // A renewal that has ended before somebody else asks is none to wait for: then there is another one.
        let (before, asking) = wait_for("a check beside a renewal", || {
            let before = renewals();
            let asking = hands.spawn(|| server.call(lead, "POST", &path, &Value::Null));
            wait_for("the renewal to be under way", || (renewals() == before + 1).then_some(()));
            let reply = scene.check(consent);
            if reply.status == 502 {
                asking.join().expect("it does not panic").problem(502, "provider_failed");
                return None;
            }
            // Nobody asks a second time meanwhile, and the token of before is as good as it was.
            reply.problem(409, "being_renewed");
            Some((before, asking))
        });
        scene.journey.succeed("preflight");
        assert_eq!(renewals(), before + 1, "a run with a valid token asked for another");
        // One that needs the new token waits for this renewal, and ends with it.
        scene.auth.expire_now();
        let error = scene.fails("preflight");
        assert!(error.contains("did not answer whole within 20 seconds"), "{error}");
        let problem = asking.join().expect("it does not panic").problem(502, "provider_failed");
        let told = text(&problem["detail"]);
        assert!(told.contains("127.0.0.1 did not answer whole within 20 seconds"), "{told}");
        assert!(!told.contains(CLIENT_SECRET), "{told}");
    });
    let now = scene.consent(consent);
    assert_eq!(now["state"], "valid", "{now:#}");
    scene.auth.mischief(None);
    scene.check(consent).expect(200);
    scene.succeeds("preflight");
}

#[test]
fn tokens_are_shown_to_no_server_that_their_application_does_not_name() {
    let scene = Scene::new(1);
    let consent = scene.ask("authorization_code");
    scene.give(consent);
    let path = format!("/migration/mailboxes/{}", scene.mailbox);
    let patch = |body: Value| scene.server().call(&scene.journey.technician, "PATCH", &path, &body).expect(200);
    patch(json!({"source_host": "localhost"}));
    let error = scene.fails("preflight");
    let port = scene.old.imap_port();
    let named = format!("are for 127.0.0.1:{port} and are not shown to");
    assert!(error.contains(&format!("{named} localhost:{port}")), "{error}");
    assert!(!scene.old.log().contains("localhost"), "{}", scene.old.log());
    patch(json!({"source_host": "127.0.0.1", "source_port": port + 1}));
    let error = scene.fails("preflight");
    assert!(error.contains(&format!("{named} 127.0.0.1:{}", port + 1)), "{error}");
    patch(json!({"source_port": port, "source_security": "tls", "source_insecure_tls": true}));
    let error = scene.fails("preflight");
    assert!(error.contains("while its certificate is not verified"), "{error}");
}
