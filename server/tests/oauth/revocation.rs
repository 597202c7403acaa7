//! Consents that are taken back while the provider does not follow: what is written down, asked again, and given up.

use crate::{
    common::{USER, text, wait_for},
    scene::{CLIENT, CLIENT_SECRET, Scene, provider},
};
use gatepost_testkit::oauth::Mischief;
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use std::time::Duration;

/// Lets what waits be due, whatever it waits for.
const DUE: &str = "UPDATE oauth_revocations SET next_try_at = '2000-01-01T00:00:00.000Z' WHERE state = 'waiting'";
/// Lets what waits not be due of itself, however long a test takes. A time that is further away counts as wrong.
const NOT_DUE: &str = "UPDATE oauth_revocations SET next_try_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+12 hours')
     WHERE state = 'waiting'";

impl Scene {
    /// A consent that stands.
    fn given(&self) -> i64 {
        let consent = self.ask("authorization_code");
        self.give(consent);
        assert!(self.auth.holds(USER, CLIENT));
        consent
    }

    /// Takes it back, which never fails.
    #[track_caller]
    fn withdraw(&self, consent: i64) {
        let path = format!("/migration/consents/{consent}");
        self.server().call(&self.journey.technician, "DELETE", &path, &Value::Null).expect(204);
        self.server().get(&self.journey.technician, &path).expect(404);
    }

    /// What was taken back; there is one.
    #[track_caller]
    fn revocation(&self) -> Value {
        let all = self.journey.get(&self.journey.path("/consents/revocations"));
        assert_eq!(all.as_array().map(Vec::len), Some(1), "{all:#}");
        all[0].clone()
    }

    fn sql(&self, statement: &str) {
        let file = self.server().dir.path().join("data/gatepost.db");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let options = SqliteConnectOptions::new().filename(file).busy_timeout(Duration::from_secs(60));
            let mut conn = SqliteConnection::connect_with(&options).await.expect("the database opens");
            sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned())).execute(&mut conn).await.expect("it is done");
            conn.close().await.expect("the database closes");
        });
    }

    fn page(&self, path: &str) -> String {
        let cookie = self.server().cookie("technician");
        self.server().send("GET", path, &[("cookie", &cookie)], "").expect(200).text
    }
}

#[test]
fn a_provider_that_fails_is_asked_again_over_a_restart_until_it_has_taken_the_token_back() {
    let scene = Scene::new(1);
    let consent = scene.given();
    scene.auth.stubborn(Some(Mischief::Status(503)));
    scene.withdraw(consent);
    let first = wait_for("the first attempt", || {
        let one = scene.revocation();
        one["error"].is_string().then_some(one)
    });
    scene.sql(NOT_DUE);
    assert_eq!((&first["state"], &first["tries"], &first["email"]), (&json!("waiting"), &json!(1), &json!(USER)));
    assert!(text(&first["next_try_at"]) > text(&first["withdrawn_at"]), "{first:#}");
    assert!(scene.auth.holds(USER, CLIENT), "the provider has not followed yet");
    let page = format!("/mailboxes/{}/consent", scene.mailbox);
    for page in [page.clone(), format!("/jobs/{}/consents", scene.journey.job)] {
        let shown = scene.page(&page);
        assert!(shown.contains("Taken back here; the provider has not confirmed yet"), "{page}");
    }
    assert!(scene.fails("preflight").contains("neither a consent"), "here it counts no more");

    // Another process goes on with it.
    let scene = scene.killed_and_restarted();
    scene.auth.stubborn(Some(Mischief::Refuse("temporarily_unavailable".into(), "closed for lunch".into())));
    scene.sql(DUE);
    let second = wait_for("the second attempt", || {
        let one = scene.revocation();
        text(&one["error"]).contains("HTTP 400").then_some(one)
    });
    assert_eq!((&second["state"], &second["tries"]), (&json!("waiting"), &json!(2)), "{second:#}");

    scene.auth.stubborn(None);
    scene.sql(DUE);
    let third = wait_for("the provider to follow", || {
        let one = scene.revocation();
        (one["state"] == "confirmed").then_some(one)
    });
    assert_eq!((&third["tries"], &third["error"]), (&json!(3), &Value::Null), "{third:#}");
    assert!(!scene.auth.holds(USER, CLIENT));
    assert_eq!(scene.auth.revocations(), 3);
    assert_eq!(scene.journey.audit("consent.given_back")[0]["after"], r#"{"tries":3}"#);
    assert!(scene.page(&page).contains("The provider has confirmed"));
}

#[test]
fn a_provider_that_never_follows_is_given_up_after_the_last_attempt_and_that_is_said() {
    let scene = Scene::new(1);
    let consent = scene.given();
    scene.auth.stubborn(Some(Mischief::Status(503)));
    scene.withdraw(consent);
    wait_for("the first attempt", || scene.revocation()["error"].is_string().then_some(()));
    // A day later.
    scene.sql(&format!("UPDATE oauth_revocations SET tries = 7; {DUE}"));
    let last = wait_for("the end", || {
        let one = scene.revocation();
        (one["state"] == "given_up").then_some(one)
    });
    assert_eq!((&last["tries"], &last["next_try_at"]), (&json!(8), &Value::Null), "{last:#}");
    assert_eq!(scene.auth.revocations(), 2);
    let told = &scene.journey.audit("consent.not_given_back")[0];
    assert_eq!(told["subject"], format!("consent/{consent}"));
    assert_eq!(told["reason"], last["error"], "{told:#}");
    let page = scene.page(&format!("/mailboxes/{}/consent", scene.mailbox));
    assert!(page.contains("The provider has never confirmed") && page.contains("own page"));
}

#[test]
fn a_token_that_waits_outlives_its_mailbox_and_is_never_sent_to_another_address() {
    let scene = Scene::new(1);
    scene.given();
    scene.auth.stubborn(Some(Mischief::Status(503)));
    let mailbox = format!("/migration/mailboxes/{}", scene.mailbox);
    scene.server().call(&scene.journey.technician, "DELETE", &mailbox, &Value::Null).expect(204);
    wait_for("the first attempt", || scene.revocation()["error"].is_string().then_some(()));
    scene.sql(NOT_DUE);
    let one = scene.revocation();
    assert_eq!((&one["mailbox_id"], &one["email"]), (&Value::Null, &json!(USER)), "{one:#}");

    let other = provider();
    let moved = json!({"revoke_url": other.endpoint("revoke"), "client_secret": CLIENT_SECRET});
    let app = format!("/oauth/apps/{}", scene.app);
    scene.server().call(&scene.journey.lead, "PATCH", &app, &moved).expect(200);
    let one = scene.revocation();
    assert_eq!(one["state"], "given_up", "{one:#}");
    assert!(text(&one["error"]).contains("have been changed"), "{one:#}");
    scene.server().call(&scene.journey.lead, "DELETE", &app, &Value::Null).expect(204);
    assert_eq!(scene.revocation()["app_name"], "Desk at the provider");
    assert_eq!((other.revocations(), scene.auth.revocations()), (0, 1));
}
