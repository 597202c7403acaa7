//! What the Desk's pages show of all this.

use crate::{common::USER, scene::Scene};
use serde_json::Value;

#[test]
fn the_way_to_the_applications_is_shown_to_those_who_may_register_one() {
    let scene = Scene::new(1);
    let app = format!("/oauth/apps/{}", scene.app);
    scene.server().call(&scene.journey.lead, "DELETE", &app, &Value::Null).expect(204);
    // In the navigation, and where an application is wanted.
    for (role, times) in [("technician", 0), ("ops_lead", 2)] {
        let cookie = scene.server().cookie(role);
        let page = |path: &str| {
            let headers = [("cookie", cookie.as_str()), ("accept-language", "en")];
            scene.server().send("GET", path, &headers, "").expect(200).text
        };
        let consent = page(&format!("/mailboxes/{}/consent", scene.mailbox));
        assert!(consent.contains("No application that can be used"), "{role}: {consent}");
        for shown_to in [consent, page(&format!("/jobs/{}/consents", scene.journey.job))] {
            assert_eq!(shown_to.matches(r#"href="/settings/oauth""#).count(), times, "{role}: {shown_to}");
        }
    }
}

#[test]
fn the_pages_show_the_applications_the_consents_and_their_troubles() {
    let scene = Scene::new(1);
    let consent = scene.ask("authorization_code");
    let (lead, technician) = (scene.server().cookie("ops_lead"), scene.server().cookie("technician"));
    let page = |path: &str, cookie: &str| {
        let headers = [("cookie", cookie), ("accept-language", "en")];
        scene.server().send("GET", path, &headers, "").expect(200).text
    };
    let (mailbox, job) = (format!("/mailboxes/{}", scene.mailbox), scene.journey.job);
    let shown = page(&format!("{mailbox}/consent"), &technician);
    for part in ["Waiting for consent", "Desk at the provider", &format!("/oauth/start/{consent}"), "Make a link"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(page(&mailbox, &technician).contains("Waiting for consent"));
    scene.give(consent);
    scene.auth.revoke_consent(USER);
    scene.check(consent).problem(409, "consent_refused");
    for path in
        [mailbox.clone(), format!("{mailbox}/consent"), format!("/jobs/{job}/consents"), "/settings/oauth".into()]
    {
        assert!(page(&path, &technician).contains("Expired"), "{path}");
    }
    assert!(page(&format!("/settings/oauth/{}", scene.app), &lead).contains("Change the application"));
    assert!(!page(&format!("/settings/oauth/{}", scene.app), &technician).contains("Change the application"));
    assert!(!page("/settings/oauth", &technician).contains("New application"));
}
