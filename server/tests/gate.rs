//! The gate of a finished copy between two real servers: who approves what, what takes an approval away, and what is
//! remembered of it.

mod common;

use common::{
    DOMAIN, Journey, USER, check, deliver, kit::Reply, kit::run, letter, new_server, number, old_server, raw::Raw, text,
};
use gatepost_testkit::Dovecot;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use std::time::Duration;

/// A job with evidence: two letters in the INBOX, two in another folder, all of them arrived.
struct Stage {
    old: Dovecot,
    new: Dovecot,
    journey: Journey,
}

impl Stage {
    fn set() -> Self {
        Self::set_with(&[])
    }

    fn set_with(settings: &[(&str, &str)]) -> Self {
        Self::between(new_server(), settings)
    }

    /// The new server takes no message that is larger.
    fn set_limited(bytes: u64) -> Self {
        Self::between(new_server().max_message_bytes(bytes), &[])
    }

    fn between(new: gatepost_testkit::dovecot::Builder, settings: &[(&str, &str)]) -> Self {
        let (old, new) = (old_server().start().expect("a server"), new.start().expect("a server"));
        for folder in ["INBOX", "Projetos"] {
            deliver(&old.account(USER), (0..2).map(|n| letter(folder, &format!("{folder}-{n}"), &["\\Seen"])));
        }
        let mailboxes = [common::mailbox(USER, old.imap_port())];
        let journey = Journey::with(settings, new.imap_port(), &mailboxes);
        journey.to_evidence();
        Self { old, new, journey }
    }

    fn view(&self) -> Value {
        self.journey.get(&self.journey.path("/gate"))
    }

    fn approve_with(&self, token: &str, body: &Value) -> Reply {
        self.journey.server.call(token, "POST", &self.journey.path("/approve-gate"), body)
    }

    /// As one who has the database's file.
    fn database(&self, statement: &str) {
        let file = self.journey.server.dir.path().join("data/gatepost.db");
        let options = SqliteConnectOptions::new().filename(file).busy_timeout(Duration::from_secs(60));
        let statement = statement.to_owned();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut conn = SqliteConnection::connect_with(&options).await.expect("the database opens");
            sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut conn).await.expect("the statement is good");
            conn.close().await.expect("the database closes");
        });
    }

    /// The verdicts that the job has had, oldest first.
    fn verdicts(&self) -> Vec<String> {
        let history = self.journey.get(&self.journey.path("/gate/history"));
        history.as_array().expect("a list").iter().map(|change| text(&change["to"])).collect()
    }
}

#[test]
fn of_many_approvals_at_once_one_is_taken_and_the_others_name_it() {
    let stage = Stage::set();
    let evidence = stage.view()["evidence_id"].clone();
    let body = json!({"evidence_id": evidence, "note": "read and compared"});
    let tokens = [&stage.journey.lead, &stage.journey.admin];
    let replies: Vec<Reply> = std::thread::scope(|scope| {
        let started: Vec<_> = (0..12)
            .map(|n| {
                scope.spawn({
                    let (stage, body) = (&stage, &body);
                    move || stage.approve_with(tokens[n % 2], body)
                })
            })
            .collect();
        started.into_iter().map(|thread| thread.join().expect("the thread ends well")).collect()
    });
    let (taken, refused): (Vec<Reply>, Vec<Reply>) = replies.into_iter().partition(|reply| reply.status == 200);
    assert_eq!((taken.len(), refused.len()), (1, 11));
    let view = taken[0].json();
    let (who, when) = (text(&view["approved_by"]), text(&view["approved_at"]));
    for reply in refused {
        let detail = text(&reply.problem(409, "already_approved")["detail"]);
        assert!(detail.contains(&who) && detail.contains(&when), "{detail}");
    }
    let given = stage.journey.audit("gate.approve");
    assert_eq!(given.len(), 1, "{given:#?}");
    assert_eq!(text(&given[0]["actor"]), who);
    assert_eq!(stage.verdicts().iter().filter(|verdict| *verdict == "ready_for_dns").count(), 1);
}

#[test]
fn an_approval_signs_figures_and_says_so() {
    let stage = Stage::set();
    let before = stage.view();
    assert_eq!(before["approvable"], true, "{before:#}");
    let signs = &before["signs"];
    let figures =
        ["mailboxes", "source", "arrived", "pending", "waived", "misplaced", "doubled"].map(|f| number(&signs[f]));
    assert_eq!(figures, [1, 4, 4, 0, 0, 0, 0], "{before:#}");
    assert_eq!(signs["worst_ratio"].as_f64(), Some(1.0));
    assert!(text(&before["evidence_expires_at"]) > text(&signs["evidence_at"]), "{before:#}");

    // Without an evidence_id the newest is signed, and the answer says which that was.
    let after = stage.journey.approve().expect(200).json();
    assert_eq!((&after["signed"], &after["signed"]["evidence_id"]), (signs, &before["evidence_id"]), "{after:#}");
    assert_eq!((&after["approval_note"], &after["approvable"]), (&json!("read and compared"), &json!(false)));
    let row = stage.journey.audit("gate.approve").remove(0);
    let written: Value = serde_json::from_str(&text(&row["after"])).expect("JSON");
    assert_eq!((&written["evidence_id"], &written["signed"]), (&before["evidence_id"], signs), "{row:#}");

    // On newer evidence that is no worse the approval stands, and may be renewed.
    stage.journey.succeed("verify");
    let newer = stage.view();
    assert_eq!((&newer["gate"], &newer["approvable"]), (&json!("ready_for_dns"), &json!(true)), "{newer:#}");
    let renewed =
        stage.approve_with(&stage.journey.admin, &json!({"evidence_id": newer["evidence_id"]})).expect(200).json();
    assert_eq!(renewed["signed"]["evidence_id"], newer["evidence_id"]);
    assert_eq!(text(&renewed["approved_by"]), "super_admin@desk.example");
}

#[test]
fn an_approval_ends_where_newer_evidence_is_worse_though_no_check_fails() {
    let stage = Stage::set();
    stage.journey.approve().expect(200);
    Raw::within(&stage.new.account(USER), "INBOX", &["STORE 1 -FLAGS (\\Seen)"]);
    stage.journey.run("verify");
    let view = stage.view();
    assert_eq!((&view["gate"], &view["approved_by"]), (&json!("warning"), &Value::Null), "{view:#}");
    let reason = text(&view["reason"]);
    assert!(reason.contains("messages without all their flags: 0 → 1"), "{reason}");
    assert!(text(&view["revoked_why"]).contains("without all their flags"), "{view:#}");
    let history = stage.journey.get(&stage.journey.path("/gate/history"));
    let last = history.as_array().expect("a list").last().expect("a change").clone();
    assert_eq!((&last["from"], &last["to"]), (&json!("ready_for_dns"), &json!("warning")), "{last:#}");
    assert!(text(&last["reason"]).contains("the approval of ops_lead@desk.example on evidence"), "{last:#}");
    assert_eq!(last["checks"].as_array().map(Vec::len), Some(8), "{last:#}");

    // Who has seen it may sign it; the same again takes nothing away.
    stage.journey.approve().expect(200);
    stage.journey.run("verify");
    let view = stage.view();
    assert_eq!((&view["gate"], &view["revoked_why"]), (&json!("ready_for_dns"), &Value::Null), "{view:#}");
    assert_eq!(stage.verdicts(), ["warning", "ready_for_dns", "warning", "ready_for_dns"]);
}

#[test]
fn what_a_delta_leaves_or_a_broken_verification_finds_takes_an_approval_away_without_new_evidence() {
    let stage = Stage::set_limited(60_000);
    stage.journey.approve().expect(200);
    let evidence = stage.view()["evidence_id"].clone();
    let delta = stage.journey.succeed("delta");
    assert_eq!((&delta["stats"]["quarantined"], &stage.view()["gate"]), (&json!(0), &json!("ready_for_dns")));

    // The new server refuses this one.
    let large = common::sized_letter("INBOX", "large", &[], 100_000);
    deliver(&stage.old.account(USER), [letter("INBOX", "small", &[]), large]);
    assert_eq!(stage.journey.run("delta")[0]["stats"]["quarantined"], 1);
    let view = stage.view();
    assert_eq!((&view["gate"], &view["evidence_id"]), (&json!("blocked"), &evidence), "{view:#}");
    assert!(text(&view["revoked_why"]).contains("INBOX (1)"), "{view:#}");
    let (status, message) = check(&stage.journey.gate(), "pst_quarantine");
    assert_eq!(status, "fail", "{message}");
    assert_eq!(stage.journey.audit("gate.revoke").len(), 1);

    // The message goes at the source; all the rest has arrived.
    Raw::within(&stage.old.account(USER), "INBOX", &["STORE 4 +FLAGS (\\Deleted)", "EXPUNGE"]);
    stage.journey.run("delta");
    stage.journey.succeed("verify");
    stage.journey.approve().expect(200);
    // As a verification leaves it that has found a message gone and breaks off before there is evidence.
    let last = "(SELECT max(id) FROM migration_runs)";
    stage.database(&format!(
        "UPDATE migration_runs SET status = 'running', finished_at = NULL, lease_until = 9999999999 WHERE id = {last};
         UPDATE migration_messages SET state = 'pending' WHERE id = (SELECT min(id) FROM migration_messages)"
    ));
    assert_eq!(stage.journey.gate()["gate"], "ready_for_dns", "the rows of a run at work are in motion");
    stage.database(&format!(
        "UPDATE migration_runs SET status = 'failed', finished_at = queued_at, lease_until = NULL WHERE id = {last}"
    ));
    let gate = stage.journey.gate();
    assert_eq!(gate["gate"], "blocked", "{gate:#}");
    assert!(text(&gate["reason"]).contains("amiss than it knows of"), "{gate:#}");
    stage.journey.approve().problem(409, "gate_checks_failed");
}

#[test]
fn evidence_that_was_replaced_while_the_dialog_stood_open_is_refused_with_what_has_changed() {
    let stage = Stage::set();
    let seen = stage.view()["evidence_id"].clone();
    deliver(&stage.old.account(USER), [letter("INBOX", "late", &[])]);
    Raw::within(&stage.new.account(USER), "INBOX", &["STORE 1 +FLAGS (\\Deleted)", "EXPUNGE"]);
    stage.journey.run("verify");
    let problem =
        stage.approve_with(&stage.journey.lead, &json!({"evidence_id": seen})).problem(409, "evidence_replaced");
    let of = |figure: &str| {
        let changes = problem["changes"].as_array().expect("a list");
        let change = changes.iter().find(|change| change["figure"] == figure);
        change.map(|change| (change["seen"].clone(), change["now"].clone()))
    };
    assert_eq!(of("source"), Some((json!(4), json!(5))), "{problem:#}");
    assert_eq!(of("pending"), Some((json!(0), json!(2))), "{problem:#}");
    assert_eq!((of("worst_ratio"), of("waived")), (Some((json!(1.0), json!(0.6))), None), "{problem:#}");
    let detail = text(&problem["detail"]);
    assert!(detail.contains("messages missing without an explanation: 0 → 2"), "{detail}");
    assert!(detail.contains(&format!("Evidence {seen} was replaced by evidence")), "{detail}");

    let unknown =
        stage.approve_with(&stage.journey.lead, &json!({"evidence_id": 9999})).problem(409, "evidence_replaced");
    assert!(text(&unknown["detail"]).contains("no evidence 9999"), "{unknown:#}");
    assert_eq!(stage.journey.gate()["gate"], "blocked");
}

#[test]
fn old_evidence_opens_no_gate_and_takes_an_approval_away() {
    let stage = Stage::set_with(&[("GATEPOST_EVIDENCE_MAX_AGE_HOURS", "5")]);
    stage.journey.approve().expect(200);
    stage.database("UPDATE migration_evidence SET read_at = '2026-01-01T00:00:00.000Z'");
    let gate = stage.journey.gate();
    assert_eq!((&gate["gate"], &gate["dns_allowed"]), (&json!("blocked"), &json!(false)), "{gate:#}");
    let revoked = stage.journey.audit("gate.revoke").remove(0);
    let reason = text(&revoked["reason"]);
    assert!(reason.contains(USER) && reason.contains("longer than the 5 hours allowed; verify again"), "{reason}");
    stage.journey.approve().problem(409, "gate_checks_failed");
    stage.journey.succeed("verify");
    assert_eq!(stage.journey.gate()["gate"], "warning");
    stage.journey.approve().expect(200);
}

#[test]
fn doubled_and_misplaced_figures_fail_the_check_of_the_content() {
    let stage = Stage::set();
    for (figure, says) in [("doubled", "are there more than once"), ("misplaced", "lie in another folder")] {
        stage.database(&format!("UPDATE migration_evidence_folders SET {figure} = 1 WHERE source_path = 'Projetos'"));
        let gate = stage.journey.gate();
        let (status, message) = check(&gate, "content_match");
        assert_eq!((status.as_str(), gate["gate"].as_str()), ("fail", Some("blocked")), "{gate:#}");
        assert!(message.contains(says) && message.contains("Projetos (1)"), "{message}");
        stage.database(&format!("UPDATE migration_evidence_folders SET {figure} = 0"));
        assert_eq!(stage.journey.gate()["gate"], "warning");
    }
}

#[test]
fn why_the_gate_is_shut_is_the_same_sentence_everywhere() {
    let stage = Stage::set();
    Raw::within(&stage.new.account(USER), "INBOX", &["STORE 1 +FLAGS (\\Deleted)", "EXPUNGE"]);
    stage.journey.run("verify");
    let reason = text(&stage.journey.gate()["reason"]);
    assert!(reason.starts_with("Blocked by “Messages arrived”: ") && reason.contains("verify again"), "{reason}");
    assert!(reason.ends_with("; also failing: “Inbox complete”."), "{reason}");
    assert_eq!(text(&stage.view()["reason"]), reason);
    let output = run(stage.journey.server.dir.path(), &["gate", "--domain", "  MOVE.Example. "]);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!((output.status.code(), printed.lines().next()), (Some(3), Some(format!("blocked: {reason}").as_str())));
    let cookie = stage.journey.server.cookie("technician");
    let page = stage.journey.server.send("GET", &format!("/jobs/{}", stage.journey.job), &[("cookie", &cookie)], "");
    assert!(page.expect(200).text.contains(&reason), "the page says something else than {reason}");
}

#[test]
fn the_timeline_tells_the_job_from_its_first_run_to_its_approval() {
    let stage = Stage::set();
    stage.journey.approve().expect(200);
    let path = stage.journey.path("/timeline?per_page=200&sort=at");
    let events = stage.journey.get(&path)["items"].as_array().expect("a list").clone();
    let told: Vec<String> = events.iter().map(|e| format!("{} {}", text(&e["kind"]), text(&e["action"]))).collect();
    let place = |what: &str| told.iter().position(|t| t == what).unwrap_or_else(|| panic!("no {what}: {told:#?}"));
    assert!(place("run preflight") < place("run initial") && place("run initial") < place("run verify"), "{told:#?}");
    assert!(place("run verify") < place("approval gate.approve"), "{told:#?}");
    let last: Vec<&str> = told.iter().rev().take(3).map(String::as_str).collect();
    assert_eq!(last, ["phase job.phase", "gate gate.change", "approval gate.approve"], "{told:#?}");
    let times: Vec<String> = events.iter().map(|e| text(&e["at"])).collect();
    assert!(times.is_sorted(), "{times:#?}");
    let gate = stage.journey.get(&stage.journey.path("/timeline?kind=gate"));
    assert_eq!(number(&gate["total"]), 2, "{gate:#}");
    stage.journey.server.get(&stage.journey.lead, "/migration/jobs/999/timeline").problem(404, "not_found");
    stage.journey.server.get(&stage.journey.lead, &stage.journey.path("/timeline?kind=nothing")).expect(422);

    let cookie = stage.journey.server.cookie("technician");
    for (language, words) in [("en", "Gate approved"), ("pt-BR", "Portão aprovado")] {
        let headers = [("cookie", cookie.as_str()), ("accept-language", language)];
        let page = stage.journey.server.send("GET", &format!("/jobs/{}/timeline", stage.journey.job), &headers, "");
        assert!(page.expect(200).text.contains(words), "{language}");
    }
}

#[test]
fn the_audit_log_is_exported_whole_and_a_cut_is_found() {
    let stage = Stage::set();
    stage.journey.approve().expect(200);
    let dir = stage.journey.server.dir.path();
    let total = number(&stage.journey.server.get(&stage.journey.lead, "/audit").expect(200).json()["total"]);
    let proof = stage.journey.server.get(&stage.journey.lead, "/audit/verify").expect(200).json();
    assert_eq!((number(&proof["rows"]), &proof["broken"]), (total, &Value::Null), "{proof:#}");
    let kept = format!("{total}:{}", text(&proof["head"]));

    let reply = stage.journey.server.get(&stage.journey.lead, "/audit/export").expect(200);
    assert!(reply.header("content-disposition").contains("audit.jsonl"), "{:?}", reply.headers);
    let rows: Vec<Value> = reply.text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(rows.iter().map(|row| number(&row["id"])).collect::<Vec<_>>(), (1..=total).collect::<Vec<_>>());
    assert_eq!(rows.last().map(|row| &row["hash"]), Some(&proof["head"]));
    let path = format!("/audit/export?format=csv&job_id={}&action=gate.approve&since=2020-01-01", stage.journey.job);
    let csv = stage.journey.server.get(&stage.journey.lead, &path).expect(200);
    assert!(csv.text.starts_with("id,at,actor,action,job_id,") && csv.text.lines().count() == 2, "{}", csv.text);
    stage.journey.server.get(&stage.journey.lead, "/audit/export?until=soon").problem(422, "invalid");
    stage.journey.server.get(&stage.journey.lead, "/audit/verify?head=7").problem(422, "invalid");
    let none = stage.journey.server.get(&stage.journey.lead, "/audit?until=2020-01-01").expect(200).json();
    assert_eq!(none["total"], 0);

    let exported = run(dir, &["audit", "export", "all.jsonl"]);
    assert!(exported.status.success(), "{exported:?}");
    assert_eq!(std::fs::read_to_string(dir.join("all.jsonl")).expect("a file"), reply.text);
    assert_eq!(run(dir, &["audit", "export", "all.jsonl"]).status.code(), Some(1), "an existing file is not touched");
    assert!(run(dir, &["audit", "verify", "--head", &kept]).status.success());

    stage.database(
        "DROP TRIGGER audit_log_is_not_shortened; DELETE FROM audit_log WHERE id = (SELECT max(id) FROM audit_log)",
    );
    let found = run(dir, &["audit", "verify"]);
    let said = String::from_utf8_lossy(&found.stdout).into_owned();
    assert_eq!(found.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("rows {total} to {total} were cut off the end")), "{said}");
    let page = stage.journey.server.send(
        "GET",
        "/audit?verify=1",
        &[("cookie", &stage.journey.server.cookie("ops_lead"))],
        "",
    );
    assert!(page.expect(200).text.contains("were cut off the end"));
}

#[test]
fn a_domain_is_the_same_however_it_is_written() {
    let stage = Stage::set();
    let tenant = stage.journey.tenant;
    let job = json!({"domain": "B\u{fc}cher.Example.", "tenant_id": tenant, "dest_imap_host": "127.0.0.1"});
    let job = stage.journey.post("/migration/jobs", &job).expect(201).json();
    assert_eq!(job["domain"], "xn--bcher-kva.example");
    for written in [
        "b%C3%BCcher.example",
        "XN--BCHER-KVA.EXAMPLE",
        "B%C3%9CCHER.example.",
        "%20xn--bcher-kva.example%20",
        "bu%CC%88cher.example",
    ] {
        let answer = stage.journey.get(&format!("/migration/gate?domain={written}"));
        assert_eq!((&answer["job_id"], &answer["domain"]), (&job["id"], &job["domain"]), "{written}");
    }
    for wrong in ["", "example", "a%20b.example", "example.com..", "%E2%80%AEexample.com", "1.2.3.4", "x%00.example"] {
        let reply = stage.journey.server.get(&stage.journey.lead, &format!("/migration/gate?domain={wrong}"));
        assert_eq!(reply.problem(422, "invalid")["errors"][0]["field"], "domain", "{wrong}");
    }
    assert_eq!(stage.journey.gate()["domain"], DOMAIN);
}
