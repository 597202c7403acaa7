//! Accounts that are opened by a token and moved by an external program. The program never sees the token: it logs in at
//! Gatepost's relay, which renews it as the built-in engine does.

use crate::{
    common::{
        Journey, NEW_PASSWORD, USER, assert_same, count_meanwhile, deliver, number, old_server, sized_letter, stat,
        text, wait_for,
    },
    scene::{Scene, provider},
};
use gatepost_testkit::{
    Dovecot, Proxy, Snapshot, executable,
    proxy::{Direction, Hold},
};
use serde_json::{Value, json};
use std::{
    fs,
    io::{Read as _, Write as _},
    path::PathBuf,
};
use tempfile::TempDir;

const MESSAGES: usize = 8;
const BYTES: usize = 100_000;
/// In the middle of the fourth message, whatever was listed before: lists are short.
const MIDDLE: u64 = 350_000;

/// A mailbox that imapsync moves, with a consent, and a line to the old server that can be held and broken.
struct Stage {
    scene: Scene,
    proxy: Proxy,
    consent: i64,
    /// Where the stand-in lies.
    _scripts: TempDir,
}

impl Stage {
    /// With this imapsync, or with the stand-in of the tools' tests.
    fn new(imapsync: Option<String>) -> Self {
        let scripts = tempfile::tempdir().expect("a folder");
        let path = imapsync.unwrap_or_else(|| {
            let path = scripts.path().join("imapsync");
            executable::install(&path, include_str!("../tools/imapsync.py")).expect("written");
            path.display().to_string()
        });
        let auth = provider();
        let old = old_server().oauth2(auth.url()).start().expect("Dovecot starts");
        deliver(&old.account(USER), (0..MESSAGES).map(|n| sized_letter("INBOX", &format!("m{n}"), &["\\Seen"], BYTES)));
        let proxy = Proxy::start(old.imap_port()).expect("a proxy");
        let port = proxy.port();
        let scene = Scene::with_settings(auth, old, port, &[("MIGRATION_IMAPSYNC_BIN", &path)]);
        let mailbox = format!("/migration/mailboxes/{}", scene.mailbox);
        let chosen = json!({"tool": "imapsync"});
        scene.server().call(&scene.journey.technician, "PATCH", &mailbox, &chosen).expect(200);
        let consent = scene.ask("authorization_code");
        scene.give(consent);
        scene.journey.succeed("preflight");
        Self { scene, proxy, consent, _scripts: scripts }
    }

    /// A run until it stands still in the middle of a message that imapsync reads.
    fn halfway(&self) -> (i64, Hold) {
        let hold = Hold::default();
        hold.after(MIDDLE);
        self.proxy.hold(Direction::ToClient, &hold);
        let run = self.scene.journey.start("initial")[0];
        wait_for("the run to be at work", || hold.holds().then_some(()));
        // What was read whole is on its way.
        let account = self.scene.new.account(USER);
        let there = wait_for("the first messages", || count_meanwhile(&account).filter(|count| *count > 0));
        assert!(there < MESSAGES);
        (run, hold)
    }

    fn there(&self) -> usize {
        Snapshot::read(&self.scene.new.account(USER)).expect("it reads").messages.len()
    }

    fn renewals(&self) -> usize {
        self.scene.auth.asked().iter().filter(|grant| *grant == "refresh_token").count()
    }
}

/// The line breaks in the middle, and the token has ended by then.
fn goes_on(imapsync: Option<String>) {
    let stage = Stage::new(imapsync);
    let (scene, journey) = (&stage.scene, &stage.scene.journey);
    assert_eq!(stage.renewals(), 0);
    let (run, hold) = stage.halfway();
    scene.auth.expire_now();
    stage.proxy.cut_now();
    hold.release();
    let ended = journey.ended(run);
    let told = format!("{ended:#}\n{}\n{}", journey.log(&ended), tool_log(journey, &ended));
    assert_eq!((ended["status"].as_str(), ended["tool"].as_str()), (Some("success"), Some("imapsync")), "{told}");
    assert_eq!(stat(&ended, "transferred"), i64::try_from(MESSAGES).expect("few"), "{told}");
    assert_eq!(stage.renewals(), 1, "one renewal serves all connections");
    assert_same(&scene.old.account(USER), &scene.new.account(USER));
    assert_eq!(scene.consent(stage.consent)["state"], "valid");
    // Nothing of the token is in what the program says.
    let token = scene.auth.token_of(USER);
    let prefix = token.split('-').next().expect("a prefix").to_owned() + "-";
    assert!(!tool_log(journey, &ended).contains(&prefix));
}

/// Everything that the program printed in a run.
fn tool_log(journey: &Journey, run: &Value) -> String {
    let path = journey.server.dir.path().join(format!("data/logs/run-{}-imapsync.gz", run["id"]));
    let mut text = Vec::new();
    flate2::read::MultiGzDecoder::new(fs::File::open(path).expect("a log")).read_to_end(&mut text).expect("gzip");
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
fn a_token_that_ends_while_imapsync_reads_is_renewed_and_the_run_goes_on() {
    goes_on(None);
}

#[test]
fn so_it_does_with_the_real_imapsync() {
    let path = std::env::var("GATEPOST_REAL_IMAPSYNC").ok().filter(|path| !path.is_empty());
    match path {
        Some(path) => {
            assert!(PathBuf::from(&path).is_file(), "GATEPOST_REAL_IMAPSYNC: there is no file {path}");
            goes_on(Some(path));
        }
        // Not `eprintln`: the test harness keeps that to itself when a test passes.
        None => drop(std::io::stderr().write_all(b"left out: GATEPOST_REAL_IMAPSYNC does not say where imapsync is\n")),
    }
}

#[test]
fn a_consent_that_is_revoked_while_imapsync_reads_ends_the_run_with_the_way_to_renew_it_and_renewing_mends_it() {
    let stage = Stage::new(None);
    let (scene, journey) = (&stage.scene, &stage.scene.journey);
    let (run, hold) = stage.halfway();
    scene.auth.revoke_consent(USER);
    stage.proxy.cut_now();
    hold.release();
    let ended = journey.ended(run);
    assert_eq!(ended["status"], "failed", "{ended:#}\n{}", journey.log(&ended));
    let error = text(&journey.mailbox()["last_error"]);
    let there = format!("/mailboxes/{}/consent", scene.mailbox);
    assert!(error.contains(&there) && error.contains("revoked"), "{error}");
    assert_eq!(scene.consent(stage.consent)["state"], "expired");
    // The next one is refused without asking the provider again.
    let asked = scene.auth.asked().len();
    let again = |run: &Value| {
        let started = journey.post(&format!("/migration/runs/{}/retry", run["id"]), &Value::Null).expect(202).json();
        journey.ended(number(&started["run_ids"][0]))
    };
    let refused = again(&ended);
    assert_eq!(refused["status"], "failed", "{refused:#}");
    assert!(text(&journey.mailbox()["last_error"]).contains(&there));
    assert_eq!(scene.auth.asked().len(), asked);

    scene.give(stage.consent);
    let mended = again(&refused);
    assert_eq!(mended["status"], "success", "{mended:#}\n{}", journey.log(&mended));
    assert_eq!(stage.there(), MESSAGES, "nothing is there twice");
    assert_same(&scene.old.account(USER), &scene.new.account(USER));
}

/// doveadm reads from Dovecots, which are opened by a password or by a token that somebody typed in: there is nothing that
/// could renew it.
#[test]
fn a_typed_in_token_that_ends_while_doveadm_reads_is_said_and_another_one_mends_it() {
    const FOLDERS: [&str; 3] = ["INBOX", "Obras", "Clientes"];
    let auth = provider();
    let old = old_server().oauth2(auth.url()).start().expect("Dovecot starts");
    let letters = |folder| (0..4).map(move |n| sized_letter(folder, &format!("{folder}-{n}"), &[], BYTES));
    deliver(&old.account(USER), FOLDERS.into_iter().flat_map(letters));
    let new: Dovecot = crate::common::new_server().start().expect("Dovecot starts");
    let proxy = Proxy::start(old.imap_port()).expect("a proxy");
    let (config, port) = (new.dir().join("dovecot.conf").display().to_string(), new.imap_port().to_string());
    let settings = [
        ("MIGRATION_DOVEADM_CONFIG", config.as_str()),
        ("MIGRATION_DEST_IMAP_HOST", "127.0.0.1"),
        ("MIGRATION_DEST_IMAP_PORT", port.as_str()),
    ];
    let moved = json!({
        "email": USER, "source_type": "dovecot", "tool": "doveadm",
        "source_host": "127.0.0.1", "source_port": proxy.port(), "source_security": "plain",
        "source_secret": {"oauth_token": auth.token_of(USER)}, "dest_secret": {"password": NEW_PASSWORD},
    });
    let journey = Journey::with(&settings, new.imap_port(), &[moved]);
    journey.succeed("preflight");
    // Whichever folder comes first: another one follows, for which doveadm logs in anew.
    let hold = Hold::default();
    hold.after(600_000);
    proxy.hold(Direction::ToClient, &hold);
    let run = journey.start("initial")[0];
    wait_for("the run to be at work", || hold.holds().then_some(()));
    auth.expire_now();
    hold.release();
    let ended = journey.ended(run);
    let told = format!("{ended:#}\n{}", journey.log(&ended));
    assert_eq!(ended["status"], "failed", "{told}");
    let error = text(&journey.mailbox()["last_error"]);
    assert!(error.contains("refused the OAuth token") && error.contains("may have ended"), "{error}\n{told}");
    let there = || Snapshot::read(&new.account(USER)).expect("it reads").messages.len();
    assert!((1..12).contains(&there()), "{} {told}", there());

    let mailbox = format!("/migration/mailboxes/{}", journey.mailbox()["id"]);
    let another = json!({"source_secret": {"oauth_token": auth.token_of(USER)}});
    journey.server.call(&journey.technician, "PATCH", &mailbox, &another).expect(200);
    let started = journey.post(&format!("/migration/runs/{run}/retry"), &Value::Null).expect(202).json();
    let mended = journey.ended(number(&started["run_ids"][0]));
    assert_eq!((mended["status"].as_str(), there()), (Some("success"), 12), "{mended:#}\n{}", journey.log(&mended));
    assert_same(&old.account(USER), &new.account(USER));
}
