//! The command line: what it prints and how it ends.

use crate::kit::{Server, directory, gatepost, run};
use gatepost_testkit::executable;
use serde_json::Value;
use std::{path::Path, process::Output};

fn text(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

#[test]
fn wrong_usage_exits_with_2_and_help_with_0() {
    let dir = directory();
    for arguments in [
        &["nonsense"][..],
        &["copy"],
        &["gate"],
        &["gate", "--domain", "not a domain"],
        &["verify", "--job-id", "x"],
        &["copy", "--source", "/etc/passwd", "--dest", "imaps://a@b.example"],
        &["copy", "--source", "imap://a@mail.example", "--dest", "imaps://a@b.example"],
        &["copy", "--source", "imaps://a:planted@mail.example", "--dest", "imaps://a@b.example"],
        &["copy", "--source", "imaps://a@mail.example", "--dest", "imaps://a@b.example", "--map", "nonsense"],
        &["copy", "--source", "imaps://a@mail.example", "--dest", "imaps://a@b.example"],
        &["admin", "user", "add", "--email", "a@b.example", "--role", "root"],
    ] {
        let (code, out, err) = text(&run(dir.path(), arguments));
        assert_eq!(code, 2, "{arguments:?}: {out}{err}");
        assert!(!err.contains("planted"), "{err}");
    }
    for arguments in [&["--help"][..], &["copy", "--help"], &["admin", "token", "add", "--help"], &["--version"]] {
        assert_eq!(text(&run(dir.path(), arguments)).0, 0, "{arguments:?}");
    }
}

#[test]
fn the_gate_is_answered_for_scripts() {
    let server = Server::start();
    let (code, out, _) = text(&run(server.dir.path(), &["gate", "--domain", "unknown.example"]));
    assert_eq!(code, 3);
    assert_eq!(out.lines().next(), Some("blocked: no_job"));
    let (code, out, _) = text(&run(server.dir.path(), &["gate", "--domain", "unknown.example", "--json"]));
    let answer: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((code, &answer["dns_allowed"]), (3, &Value::Bool(false)));
}

#[test]
fn users_and_tokens_are_cared_for_while_the_server_runs() {
    let server = Server::start();
    let dir = server.dir.path();
    let (code, out, err) = text(&run(dir, &["admin", "user", "list", "--json"]));
    let users: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((code, users.as_array().map(Vec::len)), (0, Some(3)), "{err}");
    let (code, out, _) = text(&run(dir, &["admin", "token", "add", "--scope", "gate:read", "--name", "wizard"]));
    assert_eq!(code, 0);
    server.get(out.trim(), "/migration/gate?domain=a.example").expect(200);
    let (code, out, _) = text(&run(dir, &["admin", "token", "list"]));
    assert!(code == 0 && out.contains("wizard") && out.contains("gate:read"), "{out}");
}

#[test]
fn the_audit_log_proves_whole_and_a_backup_is_a_database() {
    let server = Server::start();
    let dir = server.dir.path();
    let token = server.token("technician");
    server.job(&token, "audit.example");
    let (code, out, _) = text(&run(dir, &["audit", "verify", "--json"]));
    let proof: Value = serde_json::from_str(&out).expect("JSON");
    assert!(code == 0 && proof["rows"].as_i64().is_some_and(|rows| rows > 0) && proof["broken"].is_null(), "{out}");
    let (code, _, err) = text(&run(dir, &["backup", "copy.db"]));
    assert_eq!(code, 0, "{err}");
    assert!(std::fs::read(dir.join("copy.db")).expect("a file").starts_with(b"SQLite format 3\0"));
    assert_eq!(text(&run(dir, &["backup", "copy.db"])).0, 1, "an existing file is not overwritten");
}

#[test]
fn the_doctor_finds_what_is_wrong_and_says_what_to_do() {
    let server = Server::start();
    let dir = server.dir.path();
    let grade = |findings: &Value, check: &str| {
        let all = findings.as_array().expect("a list").clone();
        all.into_iter().find(|f| f["check"] == check).map_or(Value::Null, |f| f["grade"].clone())
    };
    let (_, out, err) = text(&run(dir, &["doctor", "--json"]));
    let findings: Value = serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}{err}"));
    for check in ["settings", "data path", "database", "keys", "site"] {
        assert_eq!(grade(&findings, check), "ok", "{check}: {out}");
    }
    std::fs::remove_dir_all(dir.join("site/pkg")).expect("it is there");
    let (code, out, _) = text(&run(dir, &["doctor"]));
    assert!(code == 1 && out.contains("scripts/build"), "{out}");
}

/// The finding of the doctor about a program, with these variables; no other program is on the `PATH`.
fn finding(check: &str, variables: &[(&str, &Path)]) -> Value {
    let dir = directory();
    let (empty, mut doctor) = (dir.path().join("empty"), gatepost(dir.path()));
    std::fs::create_dir(&empty).expect("made");
    doctor.env("PATH", &empty).envs(variables.iter().copied()).args(["doctor", "--json"]);
    let (_, out, err) = text(&doctor.output().expect("it starts"));
    let findings: Value = serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}{err}"));
    let found = findings.as_array().expect("a list").iter().find(|f| f["check"] == check);
    found.unwrap_or_else(|| panic!("nothing about {check}: {out}")).clone()
}

#[test]
fn the_doctor_names_programs_that_are_missing_and_variables_that_name_none() {
    for (check, variable, advice) in [
        ("imapsync", Some("MIGRATION_IMAPSYNC_BIN"), "imapsync.lamiral.info"),
        ("readpst", Some("MIGRATION_READPST_BIN"), "pst-utils"),
        ("imap-upload", Some("MIGRATION_IMAP_UPLOAD"), "rgladwell/imap-upload"),
        ("doveadm", Some("MIGRATION_DOVEADM_BIN"), "dovecot-core"),
        ("ssh", None, "openssh-client"),
    ] {
        let missing = finding(check, &[]);
        assert_eq!(missing["grade"], "warn", "{missing}");
        assert!(missing["message"].as_str().is_some_and(|m| m.contains("not found")), "{missing}");
        assert!(missing["advice"].as_str().is_some_and(|a| a.contains(advice)), "{missing}");
        let Some(variable) = variable else { continue };
        let wrong = finding(check, &[(variable, Path::new("/nowhere/tool"))]);
        assert_eq!(wrong["grade"], "warn", "{wrong}");
        assert!(wrong["message"].as_str().is_some_and(|m| m.contains("not where its variable says")), "{wrong}");
    }
}

#[test]
fn the_doctor_says_of_a_program_what_it_says_of_itself() {
    let dir = directory();
    let path = dir.path().join("tool");
    let module =
        "echo \"Can't locate Mail/IMAPClient.pm in @INC (you may need to install it) at x line 1.\" >&2; exit 2";
    for (check, variable, script, grade, said) in [
        ("imapsync", "MIGRATION_IMAPSYNC_BIN", "echo 2.229", "ok", "(2.229)"),
        ("imapsync", "MIGRATION_IMAPSYNC_BIN", "echo 2.314", "ok", "(2.314)"),
        ("imapsync", "MIGRATION_IMAPSYNC_BIN", "echo 2.228", "warn", "2.228"),
        ("imapsync", "MIGRATION_IMAPSYNC_BIN", "echo 2.315", "warn", "2.229 to 2.314"),
        ("imapsync", "MIGRATION_IMAPSYNC_BIN", "exit 0", "warn", "does not tell its version"),
        ("imapsync", "MIGRATION_IMAPSYNC_BIN", module, "warn", "the Perl module Mail::IMAPClient"),
        ("imapsync", "MIGRATION_IMAPSYNC_BIN", module, "warn", "libmail-imapclient-perl"),
        ("readpst", "MIGRATION_READPST_BIN", "echo 'ReadPST / LibPST v0.6.76'", "ok", "v0.6.76"),
        ("readpst", "MIGRATION_READPST_BIN", "kill -KILL $$", "warn", "does not tell its version"),
    ] {
        executable::install(&path, format!("#!/bin/sh\n{script}\n")).expect("written");
        let found = finding(check, &[(variable, &path)]);
        assert_eq!(found["grade"], grade, "{script}: {found}");
        assert!(found.to_string().contains(said), "{script}: {found}");
    }
}

#[test]
fn the_manual_the_completions_the_sample_and_keys_are_printed() {
    let dir = directory();
    for (arguments, has) in [
        (&["man"][..], ".TH gatepost 1"),
        (&["completions", "bash"], "_gatepost"),
        (&["config", "sample"], "[migration]"),
        (&["vault", "keygen"], "="),
    ] {
        let (code, out, err) = text(&run(dir.path(), arguments));
        assert!(code == 0 && out.contains(has), "{arguments:?}: {out}{err}");
    }
    assert_eq!(text(&run(dir.path(), &["man", "--dir", "pages"])).0, 0);
    assert!(dir.path().join("pages/gatepost-copy.1").is_file());
}
