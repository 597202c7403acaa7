//! What the Desk's pages show of all this.

use crate::{common::USER, scene::Scene};

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
