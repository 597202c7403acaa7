//! Every way to consent, from asking to moved mail.

use crate::{
    common::{DOMAIN, Journey, OLD_PASSWORD, USER, assert_same, id, mail, new_server, old_server, text, wait_for},
    scene::{
        CLIENT, CLIENT_SECRET, OTHER, PASSWORD, Scene, application, arrive, audit_actions, left, oauth_mailbox,
        provider,
    },
};
use gatepost_testkit::fill;
use serde_json::{Value, json};

#[test]
fn an_owner_consents_in_the_browser_and_the_mail_is_moved() {
    let scene = Scene::new(60);
    let error = scene.fails("preflight");
    assert!(error.contains("neither a consent nor an OAuth token"), "{error}");
    assert!(error.contains(&format!("/mailboxes/{}/consent", scene.mailbox)), "{error}");

    let consent = scene.ask("authorization_code");
    let error = scene.fails("preflight");
    assert!(error.contains("Nobody has consented yet"), "{error}");
    assert_eq!(scene.consent(consent)["state"], "pending");
    assert_eq!(scene.ask("authorization_code"), consent, "asking twice is asking once");

    let (url, _) = scene.leave(consent);
    assert!(!url.contains(CLIENT_SECRET.split(' ').next().expect("a word")), "{url}");
    scene.give(consent);
    for what in ["preflight", "initial", "delta", "verify"] {
        scene.succeeds(what);
    }
    assert_same(&scene.old.account(USER), &scene.new.account(USER));

    let given = scene.consent(consent);
    assert_eq!(given["granted_by"], "technician@desk.example");
    assert!(given["refreshed_at"].is_string() && given["error"].is_null(), "{given:#}");
    let actions = audit_actions(&scene.journey);
    for action in ["consent.ask", "consent.grant"] {
        assert!(actions.contains(&action.to_owned()), "{action}: {actions:?}");
    }
    // Nothing of what was given is shown or lies about in the open.
    let all = scene.journey.get(&format!("/migration/mailboxes/{}/consents", scene.mailbox)).to_string()
        + &scene.journey.get("/oauth/apps").to_string()
        + &scene.server().stdout();
    let database = scene.server().dir.path().join("data");
    let files = ["gatepost.db", "gatepost.db-wal"].map(|name| std::fs::read(database.join(name)).unwrap_or_default());
    let tokens = scene.auth.given();
    for kind in ["at-", "rt-"] {
        assert!(tokens.iter().any(|token| token.starts_with(kind)), "{kind}: {tokens:?}");
    }
    assert!(!files[0].is_empty());
    for secret in tokens.iter().map(String::as_str).chain([CLIENT_SECRET]) {
        assert!(!all.contains(secret), "{secret} is shown");
        for file in &files {
            let found = file.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} lies in the database");
        }
    }
}

#[test]
fn an_owner_consents_by_a_code_that_is_typed_in() {
    let scene = Scene::new(20);
    let consent = scene.ask("device_code");
    let begin = format!("/migration/consents/{consent}/device");
    let begun = scene.journey.post(&begin, &Value::Null).expect(200).json();
    let code = text(&begun["device"]["user_code"]);
    assert!(text(&begun["device"]["verification_url"]).ends_with("/device"), "{begun:#}");
    scene.auth.enter_code(&code, USER, PASSWORD, "refuse").expect("the code is taken");
    let refused = wait_for("the refusal", || {
        let now = scene.consent(consent);
        (now["state"] == "failed").then_some(now)
    });
    assert!(refused["device"].is_null(), "{refused:#}");

    let begun = scene.journey.post(&begin, &Value::Null).expect(200).json();
    assert_eq!(begun["state"], "pending");
    let code = text(&begun["device"]["user_code"]);
    scene.auth.enter_code(&code, USER, PASSWORD, "allow").expect("the code is taken");
    let given = wait_for("the consent", || {
        let now = scene.consent(consent);
        (now["state"] == "valid").then_some(now)
    });
    assert!(given["device"].is_null(), "{given:#}");
    scene.journey.to_evidence();
    assert_same(&scene.old.account(USER), &scene.new.account(USER));
}

#[test]
fn a_link_leads_the_owner_to_consent_once_and_opens_nothing_else() {
    let scene = Scene::new(5);
    let consent = scene.ask("authorization_code");
    let links = format!("/migration/consents/{consent}/links");
    let issue = || text(&scene.journey.post(&links, &Value::Null).expect(201).json()["url"]);
    let open =
        |url: &str| scene.server().send("GET", url.strip_prefix(&scene.server().address).expect("ours"), &[], "");
    let first = issue();
    let page = open(&first).expect(200);
    assert!(page.text.contains(USER) && page.text.contains("Give access to your mailbox"), "{page:?}");
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    assert!(page.text.contains("/start\""), "{page:?}");
    for (name, _) in &page.headers {
        assert_ne!(name, "set-cookie");
    }
    let url = issue();
    open(&first).expect(403);
    // Not its last letter, of which not every bit counts.
    let (head, tag) = url.rsplit_once('.').expect("a signature");
    let wrong = format!("{head}.{}{}", if tag.starts_with('A') { 'B' } else { 'A' }, &tag[1..]);
    for url in [wrong.as_str(), &format!("{url}x"), &format!("{}/consent/1.x.y", scene.server().address)] {
        let refused = open(url).expect(403);
        assert!(!refused.text.contains(USER), "{refused:?}");
    }
    assert!(open(&format!("{first}/start")).expect(403).headers.iter().all(|(name, _)| name != "set-cookie"));

    let (away, cookie) = left(open(&format!("{url}/start")));
    // Somebody who says no may come again.
    let back = scene.auth.refuse(&away, USER, PASSWORD).expect("the page sends the browser back");
    assert_eq!(scene.arrive(&back, &cookie).expect(303).header("location"), "/consent/refused");
    assert!(scene.server().send("GET", "/consent/refused?lang=pt", &[], "").expect(200).text.contains("não foi dado"));
    let (away, cookie) = left(open(&format!("{url}/start")));
    let back = scene.auth.allow(&away, USER, PASSWORD).expect("the page sends the browser back");
    assert_eq!(scene.arrive(&back, &cookie).expect(303).header("location"), "/consent/thanks");
    assert!(scene.server().send("GET", "/consent/thanks", &[], "").expect(200).text.contains("Thank you"));
    let given = scene.consent(consent);
    assert_eq!(
        (given["state"].as_str(), given["granted_by"].as_str()),
        (Some("valid"), Some("owner of ana@move.example"))
    );
    open(&url).expect(403);
    open(&format!("{url}/start")).expect(403);
    scene.journey.succeed("preflight");
    // No link for what is not one owner's.
    let code = scene.ask("device_code");
    scene.journey.post(&format!("/migration/consents/{code}/links"), &Value::Null).problem(409, "not_by_link");
    for days in [0, 31] {
        scene.journey.post(&links, &json!({ "days": days })).problem(422, "invalid");
    }
}

#[test]
fn one_consent_of_an_administrator_serves_all_mailboxes_of_a_job_in_its_domain() {
    let scene = Scene::new(20);
    let journey = &scene.journey;
    let port = scene.old.imap_port();
    fill(&scene.old.account(OTHER), &mail(10)).expect("mail is generated");
    let add = |mailbox: &Value| journey.post(&journey.path("/mailboxes"), mailbox).expect(201).json();
    add(&oauth_mailbox(OTHER, port));
    let stranger = add(&oauth_mailbox("eva@elsewhere.example", port));
    let path = journey.path("/consents");
    let asked = json!({"app_id": scene.app});
    let app = json!({
        "name": "Service account", "provider": "custom", "service_account": scene.auth.service_account_json(),
        "mail_hosts": [format!("127.0.0.1:{port}")], "scopes": "mail",
    });
    journey.post(&path, &asked).problem(403, "forbidden");
    let app = scene.server().call(&journey.lead, "POST", "/oauth/apps", &app).expect(201).json();
    assert_eq!(app["ways"], json!(["service_account"]));
    assert_eq!(app["client_id"], "1012345");

    for (app, switch) in [(scene.app, "client"), (id(&app), "service")] {
        let allow = |allowed: bool| match switch {
            "client" => scene.auth.tenant_consent(CLIENT, allowed),
            _ => scene.auth.delegate(allowed),
        };
        allow(false);
        let consent = scene.server().call(&journey.lead, "POST", &path, &json!({"app_id": app})).expect(201).json();
        assert_eq!((consent["domain"].as_str(), consent["state"].as_str()), (Some(DOMAIN), Some("pending")));
        let consent = id(&consent);
        scene.check(consent).problem(409, "provider_refused");
        assert_eq!(scene.consent(consent)["state"], "failed");
        let check = format!("/migration/consents/{consent}/check");
        journey.post(&check, &Value::Null).problem(403, "forbidden");
        allow(true);
        assert_eq!(scene.check(consent).expect(200).json()["state"], "valid");
        for run in journey.run(if switch == "client" { "preflight" } else { "initial" }) {
            let log = journey.log(&run);
            if run["mailbox_id"] == stranger["id"] {
                assert_eq!(run["status"], "failed", "{run:#}");
                assert!(log.contains("for accounts of move.example") && log.contains("is none"), "{log}");
            } else {
                assert_eq!(run["status"], "success", "{switch}: {run:#}\n{log}");
            }
        }
    }
    for user in [USER, OTHER] {
        assert_same(&scene.old.account(user), &scene.new.account(user));
    }
}

#[test]
fn the_new_server_can_be_opened_by_a_consent_too() {
    let auth = provider();
    let old = old_server().start().expect("Dovecot starts");
    let new = new_server().oauth2(auth.url()).start().expect("Dovecot starts");
    fill(&old.account(USER), &mail(15)).expect("mail is generated");
    let mailbox = json!({
        "email": USER, "source_type": "imap", "source_host": "127.0.0.1", "source_port": old.imap_port(),
        "source_security": "plain", "source_secret": {"password": OLD_PASSWORD},
    });
    let journey = Journey::with(&[("MIGRATION_ALLOWED_HOSTS", "127.0.0.1")], new.imap_port(), &[mailbox]);
    let app = application(&auth, new.imap_port());
    let app = journey.server.call(&journey.lead, "POST", "/oauth/apps", &app).expect(201).json();
    let mailbox = id(&journey.mailbox());
    let path = format!("/migration/mailboxes/{mailbox}/consents");
    let asked = |side: &str| json!({"app_id": app["id"], "way": "authorization_code", "side": side});
    journey.post(&path, &asked("source")).problem(422, "invalid");
    let consent = id(&journey.post(&path, &asked("dest")).expect(201).json());
    let bearer = format!("Bearer {}", journey.technician);
    let start = format!("/oauth/start/{consent}");
    let (url, cookie) = left(journey.server.send("GET", &start, &[("authorization", &bearer)], ""));
    let back = auth.allow(&url, USER, PASSWORD).expect("the page sends the browser back");
    arrive(&journey.server, &back, &cookie).expect(303);
    journey.to_evidence();
    assert_same(&old.account(USER), &new.account(USER));
}
