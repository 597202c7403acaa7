//! Log-in for somebody else, and by token.

use crate::{
    cli::{copy, ended, summary, text, url},
    common::{
        DOMAIN, Journey, NEW_PASSWORD, OLD_PASSWORD, USER, assert_same, deliver, id, kit, letter, mailbox, new_server,
        number, old_server, stat,
    },
};
use gatepost_testkit::{InternalDate, ScriptedImap, Snapshot, scripted::Mailbox};
use serde_json::json;
use std::fs;

const ROOT: &str = "root";
const ROOT_PASSWORD: &str = "the master's own secret";

#[test]
fn an_administrator_copies_the_mailbox_of_somebody_else() {
    let old = old_server().master_user(ROOT, ROOT_PASSWORD).start().expect("a server");
    let new = new_server().master_user(ROOT, ROOT_PASSWORD).start().expect("a server");
    deliver(&old.account(USER), [letter("INBOX", "one", &["\\Seen"]), letter("Enviados", "two", &[])]);
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("root"), ROOT_PASSWORD).expect("a file");
    let by_root = |state: &str| {
        let mut command = kit::gatepost(dir.path());
        command
            .args(["copy", "--source", &url(USER, old.imap_port()), "--dest", &url(USER, new.imap_port())])
            .args(["--source-password-file", "root", "--dest-password-file", "root"])
            .args(["--source-admin", ROOT, "--dest-admin", ROOT, "--state", state, "--verify", "--json"]);
        command
    };
    let (code, out, err) = ended(&mut by_root("state.db"));
    assert_eq!(code, 0, "{out}{err}");
    assert_eq!((&summary(&out)["transferred"], &summary(&out)["verified"]), (&2.into(), &true.into()), "{out}");
    assert_same(&old.account(USER), &new.account(USER));
    // Whoever logs in, it is the same pair of mailboxes.
    let (code, out, _) = ended(copy(dir.path(), old.imap_port(), new.imap_port()).arg("--json"));
    assert_eq!((code, &summary(&out)["transferred"]), (0, &0.into()), "{out}");
}

#[test]
fn a_refused_administrator_is_named_with_the_mailbox_and_without_the_password() {
    let old = old_server().master_user(ROOT, ROOT_PASSWORD).start().expect("a server");
    let new = new_server().start().expect("a server");
    let dir = tempfile::tempdir().expect("a directory");
    let (code, out, err) = ended(copy(dir.path(), old.imap_port(), new.imap_port()).args(["--source-admin", ROOT]));
    assert_eq!(code, 1, "{out}{err}");
    assert!(err.contains(&format!("{ROOT} for the mailbox of {USER}")), "{err}");
    assert!(!err.contains(OLD_PASSWORD), "{err}");
}

#[test]
fn a_token_takes_the_place_of_a_password() {
    let mail = b"From: a@b.example\r\nSubject: by token\r\nMessage-Id: <t@b.example>\r\n\r\nhello\r\n";
    let date = InternalDate { unix_seconds: 1_700_000_000, zone_minutes: 0 };
    let old = ScriptedImap::builder()
        .capability("IMAP4rev1 SASL-IR AUTH=XOAUTH2 UIDPLUS")
        .token(USER, "a-token-of-ana")
        .mailbox(Mailbox::new("INBOX").message(mail.to_vec(), date, &[]))
        .start()
        .expect("a server");
    let new = new_server().start().expect("a server");
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("new"), NEW_PASSWORD).expect("a file");
    for (token, good) in [("a-token-of-rui\n", false), ("a-token-of-ana\n", true)] {
        fs::write(dir.path().join("token"), token).expect("a file");
        let mut command = kit::gatepost(dir.path());
        command.args(["copy", "--source", &url(USER, old.port()), "--dest", &url(USER, new.imap_port())]).args([
            "--source-token-file",
            "token",
            "--dest-password-file",
            "new",
            "--state",
            "state.db",
            "--json",
        ]);
        let (code, out, err) = text(&command.output().expect("the program starts"));
        assert_eq!(code, if good { 0 } else { 1 }, "{out}{err}");
        assert!(good || err.contains("refused the OAuth token"), "{err}");
        assert!(!err.contains("a-token") && !out.contains("a-token"), "{out}{err}");
    }
    assert_eq!(Snapshot::read(&new.account(USER)).expect("it can be read").messages.len(), 1);
}

#[test]
fn the_desk_copies_a_domain_by_its_administrators() {
    let users = [USER, "rui@move.example"];
    let old = old_server().user(users[1], "another secret").master_user(ROOT, ROOT_PASSWORD);
    let new = new_server().user(users[1], "another secret").master_user(ROOT, ROOT_PASSWORD);
    let (old, new) = (old.start().expect("a server"), new.start().expect("a server"));
    for user in users {
        deliver(&old.account(user), [letter("INBOX", &format!("for-{user}"), &[])]);
    }
    let journey = Journey::with(&[], new.imap_port(), &[]);
    let mut csv =
        "email,source_host,source_port,source_security,source_admin,source_password,dest_admin,dest_password\n"
            .to_owned();
    for user in users {
        let port = old.imap_port();
        csv.push_str(&format!("{user},127.0.0.1,{port},plain,{ROOT},{ROOT_PASSWORD},{ROOT},{ROOT_PASSWORD}\n"));
    }
    let bearer = format!("Bearer {}", journey.technician);
    let headers = [("authorization", bearer.as_str()), ("content-type", "text/csv")];
    let path = format!("/api/v1{}", journey.path("/mailboxes/import"));
    journey.server.send("POST", &path, &headers, csv).expect(201);
    assert_eq!(journey.mailboxes()[0]["source_admin"], ROOT);
    for run in journey.run("preflight").into_iter().chain(journey.run("initial")) {
        assert_eq!(run["status"], "success", "{run:#}\n{}", journey.log(&run));
    }
    for user in users {
        assert_same(&old.account(user), &new.account(user));
    }
}

#[test]
fn an_administrators_secret_stays_with_the_mailbox_that_it_was_given_for() {
    let old = old_server().master_user(ROOT, ROOT_PASSWORD).start().expect("a server");
    let new = new_server().start().expect("a server");
    let mut moved = mailbox(USER, old.imap_port());
    moved["source_admin"] = json!(ROOT);
    moved["source_secret"] = json!({"password": ROOT_PASSWORD});
    let journey = Journey::with(&[], new.imap_port(), &[moved]);
    let path = format!("/migration/mailboxes/{}", id(&journey.mailbox()));
    let patch = |body| journey.server.call(&journey.technician, "PATCH", &path, &body).expect(200).json();
    let secret = json!({"password": ROOT_PASSWORD});
    for (change, kept) in [
        // Nothing that matters here.
        (json!({"folder_map": {"A": "B"}}), true),
        // Another person's mailbox with the same administrator.
        (json!({"source_user": "chefe@move.example"}), false),
        (json!({"source_user": USER, "source_secret": secret}), true),
        // Another administrator, and none.
        (json!({"source_admin": "other"}), false),
        (json!({"source_admin": ROOT, "source_secret": secret}), true),
        (json!({"source_admin": ""}), false),
        (json!({"source_admin": ROOT, "source_secret": secret}), true),
        (json!({"dest_admin": ROOT}), true),
    ] {
        let after = patch(change.clone());
        assert_eq!(after["has_source_secret"], kept, "{change}: {after:#}");
    }
    assert_eq!(journey.mailbox()["has_dest_secret"], false, "the password was not the administrator's");
    patch(json!({"dest_admin": "", "dest_secret": {"password": NEW_PASSWORD}}));
    assert_eq!(journey.mailbox()["dest_admin"], json!(null));
    deliver(&old.account(USER), [letter("INBOX", "one", &[])]);
    journey.succeed("preflight");
    assert_eq!(stat(&journey.succeed("initial"), "transferred"), 1);
    // It is the same account, whoever logs in: what was proved of it stays.
    patch(json!({"source_admin": "", "source_secret": {"password": OLD_PASSWORD}}));
    let again = journey.succeed("delta");
    assert_eq!(number(&again["stats"]["transferred"]), 0, "{again:#}");
    assert_eq!(journey.gate()["domain"], DOMAIN);
}
