//! Whom a consent serves: the accounts that were named when it was given, and no others unasked.

use crate::{
    common::{USER, id, text, wait_for},
    scene::{CLIENT, OTHER, PASSWORD, Scene, left},
};
use serde_json::{Value, json};

#[test]
fn a_consent_for_all_serves_other_accounts_only_once_an_ops_lead_has_confirmed_them() {
    let scene = Scene::new(3);
    let journey = &scene.journey;
    let call = |token: &str, method: &str, path: &str, body: &Value| scene.server().call(token, method, path, body);
    let mailbox = format!("/migration/mailboxes/{}", scene.mailbox);
    let diverted = json!({"dest_user": OTHER});
    scene.auth.tenant_consent(CLIENT, true);
    let consent = call(&journey.lead, "POST", &journey.path("/consents"), &json!({"app_id": scene.app})).expect(201);
    scene.check(id(&consent.json())).expect(200);
    scene.succeeds("preflight");
    let path = journey.path("/consents/unconfirmed");
    assert_eq!(journey.get(&path)["mailboxes"], json!([]));

    call(&journey.technician, "PATCH", &mailbox, &diverted).expect(200);
    let error = scene.fails("preflight");
    assert!(error.contains(&format!("the mail of {USER} goes to {OTHER}")), "{error}");
    assert!(error.contains(&format!("/jobs/{}/consents", journey.job)), "{error}");
    let waiting = journey.get(&path);
    assert_eq!(waiting["mailboxes"][0]["dest_account"], OTHER, "{waiting:#}");
    let seen = json!({"seen": waiting["seen"]});
    journey.post(&path, &seen).problem(403, "forbidden");
    call(&journey.lead, "POST", &path, &json!({"seen": "something else"})).problem(409, "changed_meanwhile");
    let page = scene.server().cookie("technician");
    let page = scene.server().send("GET", &format!("/jobs/{}/consents", journey.job), &[("cookie", &page)], "");
    assert!(page.expect(200).text.contains("Accounts to be confirmed"));
    let left = call(&journey.lead, "POST", &path, &seen).expect(200).json();
    assert_eq!(left["mailboxes"], json!([]));
    scene.succeeds("preflight");

    // What an ops lead names needs no more, and ends with the next change of somebody else.
    call(&journey.technician, "PATCH", &mailbox, &json!({"dest_user": ""})).expect(200);
    call(&journey.lead, "PATCH", &mailbox, &diverted).expect(200);
    scene.succeeds("preflight");
    let elsewhere = json!({"dest_imap_host": "localhost"});
    call(&journey.technician, "PATCH", &journey.path(""), &elsewhere).expect(200);
    assert_eq!(journey.get(&path)["mailboxes"][0]["email"], USER);
}

#[test]
fn a_consent_is_the_accounts_that_the_mailbox_logs_in_as_and_ends_with_the_mailbox() {
    let scene = Scene::new(1);
    let consent = scene.ask("authorization_code");
    let (url, cookie) = scene.leave(consent);
    let back = scene.auth.allow(&url, OTHER, PASSWORD).expect("the page sends the browser back");
    let reply = scene.arrive(&back, &cookie).expect(303);
    assert_eq!(reply.header("location"), format!("/mailboxes/{}/consent?refused=1", scene.mailbox));
    let refused = scene.consent(consent);
    let error = text(&refused["error"]);
    assert!(error.contains(&format!("{OTHER} has consented")) && error.contains(USER), "{error}");
    assert_ne!(refused["state"], "valid");
    let revocations = || scene.journey.get(&scene.journey.path("/consents/revocations"));
    wait_for("the provider to take the token back", || (revocations()[0]["state"] == "confirmed").then_some(()));
    let untaken = revocations();
    assert_eq!(untaken.as_array().map(Vec::len), Some(1), "{untaken:#}");
    assert_eq!(untaken[0]["withdrawn_by"], "technician@desk.example", "{untaken:#}");
    assert!(!scene.auth.holds(OTHER, CLIENT), "nobody needs it any more");
    // A shared mailbox is an ops lead's business.
    let bearer = format!("Bearer {}", scene.journey.lead);
    let start = format!("/oauth/start/{consent}");
    let (url, cookie) = left(scene.server().send("GET", &start, &[("authorization", &bearer)], ""));
    let back = scene.auth.allow(&url, OTHER, PASSWORD).expect("the page sends the browser back");
    scene.arrive(&back, &cookie).expect(303);
    assert_eq!(scene.consent(consent)["account"], OTHER);
    // What that account has consented to stands: a token of it that is not taken must not end it.
    let (url, cookie) = scene.leave(consent);
    let back = scene.auth.allow(&url, OTHER, PASSWORD).expect("the page sends the browser back");
    scene.arrive(&back, &cookie).expect(303);
    assert!(text(&scene.consent(consent)["error"]).contains(&format!("{OTHER} has consented")));
    assert_eq!((revocations().as_array().map(Vec::len), scene.auth.revocations()), (Some(1), 1));

    scene.give(consent);
    scene.succeeds("preflight");
    let mailbox = format!("/migration/mailboxes/{}", scene.mailbox);
    let call = |method: &str, body: &Value| scene.server().call(&scene.journey.technician, method, &mailbox, body);
    call("PATCH", &json!({"dest_user": OTHER})).expect(200);
    assert_eq!(scene.consent(consent)["state"], "pending");
    let error = scene.fails("preflight");
    assert!(error.contains("has got another account since the consent was given"), "{error}");
    scene.give(consent);
    call("DELETE", &Value::Null).expect(204);
    let withdrawn = &scene.journey.audit("consent.withdraw")[0];
    assert_eq!(withdrawn["reason"], "its mailbox was removed", "{withdrawn:#}");
}
