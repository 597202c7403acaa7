//! Tokens that end, are renewed and are revoked, also in the middle of a run and by two processes at once.

use crate::{
    common::{
        USER, assert_same,
        kit::{self, Server},
        old_server, wait_for,
    },
    scene::{Scene, audit_actions, provider},
};
use gatepost_testkit::{
    Proxy,
    proxy::{Direction, Hold},
};
use serde_json::Value;
use std::time::Duration;

#[test]
fn a_token_that_has_ended_is_renewed_by_the_run_that_needs_it() {
    let scene = Scene::new(1);
    let consent = scene.ask("authorization_code");
    // Long enough for the consent to be given on a busy machine, and to be waited for.
    scene.auth.lifetime(Duration::from_secs(8));
    scene.give(consent);
    scene.auth.lifetime(Duration::from_secs(3600));
    wait_for("a renewal", || {
        scene.journey.succeed("preflight");
        scene.auth.asked().contains(&"refresh_token".to_owned()).then_some(())
    });
    assert_eq!(scene.consent(consent)["state"], "valid");
}

#[test]
fn a_token_that_ends_within_a_run_is_renewed_and_the_run_goes_on() {
    let auth = provider();
    let old = old_server().oauth2(auth.url()).start().expect("Dovecot starts");
    let proxy = Proxy::start(old.imap_port()).expect("a proxy");
    let port = proxy.port();
    let scene = Scene::with(auth, old, port, 400);
    let consent = scene.ask("authorization_code");
    scene.give(consent);
    scene.journey.succeed("preflight");
    // In the middle of it every line breaks, and every token has ended by then.
    let hold = Hold::default();
    hold.after(100_000);
    proxy.hold(Direction::ToClient, &hold);
    let run = scene.journey.start("initial")[0];
    wait_for("the run to be at work", || hold.holds().then_some(()));
    scene.auth.expire_now();
    proxy.cut_now();
    hold.release();
    let ended = scene.journey.ended(run);
    assert_eq!(ended["status"], "success", "{ended:#}\n{}", scene.journey.log(&ended));
    assert_same(&scene.old.account(USER), &scene.new.account(USER));
    let renewals = scene.auth.asked().iter().filter(|grant| *grant == "refresh_token").count();
    assert_eq!(renewals, 1, "all lanes share one renewal: {:?}", scene.auth.asked());
    assert_eq!(scene.consent(consent)["state"], "valid");
}

#[test]
fn two_processes_that_renew_at_once_use_each_refresh_token_once() {
    let scene = Scene::new(3);
    let consent = scene.ask("authorization_code");
    scene.give(consent);
    // A second Desk on the same database.
    let settings = [("MIGRATION_ALLOWED_HOSTS", "127.0.0.1")];
    let mut command = kit::gatepost(scene.server().dir.path());
    command.envs(settings);
    let second = Server::start_command(tempfile::tempdir().expect("a directory"), command);
    // The provider ends the whole consent when a refresh token comes twice.
    let path = format!("/migration/consents/{consent}/check");
    let check = |server: &Server| server.call(&scene.journey.lead, "POST", &path, &Value::Null).status;
    let answers: Vec<u16> = std::thread::scope(|scope| {
        let hands: Vec<_> = (0..12)
            .map(|n| {
                let server = if n % 2 == 0 { scene.server() } else { &second };
                let check = &check;
                scope.spawn(move || (0..4).map(|_| check(server)).collect::<Vec<_>>())
            })
            .collect();
        hands.into_iter().flat_map(|hand| hand.join().expect("it does not panic")).collect()
    });
    assert!(answers.contains(&200), "{answers:?}");
    assert!(answers.iter().all(|status| [200, 409].contains(status)), "{answers:?}");
    let now = scene.consent(consent);
    assert_eq!(now["state"], "valid", "{now:#}");
    scene.auth.expire_now();
    scene.journey.succeed("preflight");
}

#[test]
fn a_revoked_consent_ends_the_run_with_the_way_to_renew_it_and_renewing_mends_it() {
    let scene = Scene::new(30);
    let consent = scene.ask("authorization_code");
    scene.give(consent);
    scene.journey.succeed("preflight");
    scene.journey.succeed("initial");
    scene.auth.revoke_consent(USER);
    let error = scene.fails("delta");
    let there = format!("/mailboxes/{}/consent", scene.mailbox);
    assert!(error.contains(&there) && error.contains("revoked"), "{error}");
    // The provider's words are those of a consent that has lapsed.
    let lost = scene.consent(consent);
    assert_eq!(lost["state"], "expired", "{lost:#}");
    assert!(audit_actions(&scene.journey).contains(&"consent.lost".to_owned()));
    // The next run is refused without asking the provider again.
    let asked = scene.auth.asked().len();
    assert!(scene.fails("delta").contains(&there));
    assert_eq!(scene.auth.asked().len(), asked);
    scene.give(consent);
    scene.succeeds("delta");
    assert_same(&scene.old.account(USER), &scene.new.account(USER));

    // Withdrawing gives back what the provider gave.
    let path = format!("/migration/consents/{consent}");
    scene.server().call(&scene.journey.technician, "DELETE", &path, &Value::Null).expect(204);
    scene.server().get(&scene.journey.technician, &path).expect(404);
    let withdrawn = &scene.journey.audit("consent.withdraw")[0];
    assert_eq!(withdrawn["after"], r#"{"to_give_back":true}"#, "{withdrawn:#}");
    let given = wait_for("the provider to confirm", || scene.journey.audit("consent.given_back").into_iter().next());
    assert_eq!(given["after"], r#"{"tries":1}"#, "{given:#}");
    assert!(scene.fails("delta").contains("neither a consent"));
}
