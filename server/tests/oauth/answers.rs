//! What comes back from the provider by a browser: whose it is, what it counts for, and how often.

use crate::{
    common::{USER, text},
    scene::{PASSWORD, Scene},
};

#[test]
fn an_answer_counts_once_and_only_in_the_browser_that_left_with_its_own_state() {
    let scene = Scene::new(1);
    let consent = scene.ask("authorization_code");
    let (url, cookie) = scene.leave(consent);
    let (other_url, other_cookie) = scene.leave(consent);
    assert_ne!(cookie, other_cookie);
    let back = scene.auth.allow(&url, USER, PASSWORD).expect("the page sends the browser back");
    let other_back = scene.auth.allow(&other_url, USER, PASSWORD).expect("the page sends the browser back");
    let base = format!("{}/oauth/callback", scene.server().address);
    let state = back.split("state=").nth(1).and_then(|rest| rest.split('&').next()).expect("a state").to_owned();
    let code = back.split("code=").nth(1).and_then(|rest| rest.split('&').next()).expect("a code").to_owned();
    let strays = [
        ("without the cookie", back.clone(), String::new()),
        ("with another browser's cookie", back.clone(), other_cookie.clone()),
        ("with an invented cookie", back.clone(), format!("gatepost_consent={}", "a".repeat(43))),
        ("without a state", format!("{base}?code={code}"), cookie.clone()),
        ("with another state", format!("{base}?code={code}&state={}", "b".repeat(43)), cookie.clone()),
        ("with two states", format!("{back}&state={state}"), cookie.clone()),
        ("with nothing", base.clone(), cookie.clone()),
        ("with noise", format!("{base}?state=%00&code=%ff&{}", "x=1&".repeat(500)), cookie.clone()),
    ];
    for (what, back, cookie) in &strays {
        let reply = scene.arrive(back, cookie);
        assert_eq!(reply.status, 403, "{what}: {reply:?}");
        assert!(reply.text.contains("This answer cannot be used") && !reply.text.contains(&code), "{what}: {reply:?}");
        assert!(!reply.headers.iter().any(|(name, _)| name == "set-cookie"), "{what}");
        assert_eq!(scene.consent(consent)["state"], "pending", "{what}");
    }
    scene.arrive(&back, &cookie).expect(303);
    assert_eq!(scene.consent(consent)["state"], "valid");
    scene.arrive(&back, &cookie).expect(403);
    // The answer to the older question came too late: a consent has come meanwhile.
    scene.arrive(&other_back, &other_cookie).expect(403);
    assert_eq!(scene.consent(consent)["state"], "valid");
}

#[test]
fn a_no_at_the_provider_is_told_and_harms_no_consent_that_stands() {
    let scene = Scene::new(1);
    let consent = scene.ask("authorization_code");
    let refuse = || {
        let (url, cookie) = scene.leave(consent);
        let back = scene.auth.refuse(&url, USER, PASSWORD).expect("the page sends the browser back");
        let reply = scene.arrive(&back, &cookie).expect(303);
        assert_eq!(reply.header("location"), format!("/mailboxes/{}/consent?refused=1", scene.mailbox));
    };
    refuse();
    let refused = scene.consent(consent);
    assert_eq!(refused["state"], "failed");
    assert!(text(&refused["error"]).contains("The user said no"), "{refused:#}");
    scene.give(consent);
    refuse();
    assert_eq!(scene.consent(consent)["state"], "valid");
    scene.journey.succeed("preflight");
}

#[test]
fn another_site_cannot_send_the_staff_to_a_provider() {
    let scene = Scene::new(1);
    let consent = scene.ask("authorization_code");
    let session = scene.server().cookie("technician");
    let path = format!("/oauth/start/{consent}");
    let by = |site: &str| scene.server().send("GET", &path, &[("cookie", &session), ("sec-fetch-site", site)], "");
    by("cross-site").problem(403, "csrf");
    by("same-origin").expect(303);
    let stranger = scene.server().send("GET", &path, &[], "").expect(303);
    assert_eq!(stranger.header("location"), format!("/login?next={path}"));
}
