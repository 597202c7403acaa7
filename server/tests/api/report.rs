//! Reports: the document, its schema, its signature, the paper, and who may have them.

use crate::kit::{Reply, Server, gatepost, run};
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use std::{fs, path::Path, time::Duration};

fn below(job: i64, rest: &str) -> String {
    format!("/migration/jobs/{job}/report{rest}")
}

fn code(dir: &Path, arguments: &[&str]) -> (i32, String) {
    let output = run(dir, arguments);
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code().unwrap_or(-1), said)
}

/// Puts so many files on a ticket, as reports of months would.
fn fill(server: &Server, ticket: &Value, files: i64) {
    let database = SqliteConnectOptions::new().filename(server.dir.path().join("data/gatepost.db"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let filled = runtime.block_on(async {
        let mut conn = SqliteConnection::connect_with(&database.busy_timeout(Duration::from_secs(60))).await?;
        let statement = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $2)
             INSERT INTO ticket_attachments (ticket_id, name, media_type, size, digest, content, created_by, created_at)
             SELECT $1, 'r.json', 'application/json', 2, 'd', x'7b7d', '1', '2026-11-21T04:12:00.000Z' FROM n";
        sqlx::query(statement).bind(ticket.as_i64()).bind(files).execute(&mut conn).await
    });
    assert_eq!(filled.expect("it is filled").rows_affected(), files.unsigned_abs());
}

fn unknown(server: &Server, path: &str) -> Reply {
    server.send("GET", &format!("/api/v1{path}"), &[], "")
}

#[test]
fn a_report_is_signed_and_its_signature_can_be_had_later() {
    let server = Server::start();
    let staff = server.token("technician");
    let job = server.job(&staff, "report.example");
    server.get(&staff, &below(job, ".json.sig")).problem(404, "not_found");
    let document = server.get(&staff, &below(job, ".json")).expect(200);
    let report = document.json();
    assert_eq!((&report["schema_version"], &report["edition"]), (&json!(1), &json!("full")));
    assert_eq!((&report["job"]["domain"], &report["job"]["id"]), (&json!("report.example"), &json!(job)));
    assert_eq!(report["summary"]["all_arrived"], false, "nothing was verified yet");
    assert_eq!(report["mailboxes"][0]["email"], "ana@report.example");
    assert!(report["audit"]["entries"].as_array().is_some_and(|rows| !rows.is_empty()));
    assert!(!document.text.contains("secret"), "{}", document.text);
    assert!(
        document.header("content-disposition").starts_with("attachment; filename=\"report.example-migration-report-")
    );
    assert!(document.header("repr-digest").starts_with("sha-256=:"));

    let newer = server.get(&staff, &below(job, ".json")).expect(200);
    let latest = server.get(&staff, &below(job, ".json.sig")).expect(200).json();
    assert_eq!(latest["signature"], newer.header("x-gatepost-signature"));
    let digest = gatepost_report::digest(document.text.as_bytes());
    let signature = server.get(&staff, &below(job, &format!(".json.sig?digest={digest}"))).expect(200);
    assert_eq!(signature.json()["signature"], document.header("x-gatepost-signature"));
    let key = unknown(&server, "/report-key").expect(200).json();
    let key = key["public_key"].as_str().expect("a key");
    gatepost_report::check(document.text.as_bytes(), signature.text.as_bytes(), key).expect("a good signature");
    assert!(gatepost_report::check(newer.text.as_bytes(), signature.text.as_bytes(), key).is_err());
    server.get(&staff, &below(job, ".json.sig?digest=nonsense")).problem(422, "invalid");
    server.get(&staff, &below(job, &format!(".json.sig?digest={}", "0".repeat(64)))).problem(404, "not_found");

    for lang in ["en", "pt-BR"] {
        let paper = server.get(&staff, &below(job, &format!(".pdf?lang={lang}"))).expect(200);
        assert_eq!(paper.header("content-type"), "application/pdf");
        assert!(paper.text.starts_with("%PDF-1.7"));
    }
    server.get(&staff, &below(job, ".pdf?lang=tlh")).problem(422, "invalid");
    server.get(&staff, &below(999, ".json")).problem(404, "not_found");
}

#[test]
fn the_schema_and_the_key_are_for_anybody_and_the_report_for_staff() {
    let server = Server::start();
    let staff = server.token("technician");
    let job = server.job(&staff, "staff.example");
    let schema = unknown(&server, "/report.schema.json").expect(200);
    assert_eq!(schema.header("content-type"), "application/schema+json");
    assert_eq!(schema.json()["$schema"], "https://json-schema.org/draft/2020-12/schema");
    unknown(&server, "/report-key").expect(200);
    let token = json!({"scopes": ["gate:read", "dns:write", "jobs:read"], "name": "wizard"});
    let admin = server.token("super_admin");
    let token = server.call(&admin, "POST", "/tokens", &token).expect(201).json();
    let token = token["secret"].as_str().expect("a secret").to_owned();
    for rest in ["", ".json", ".json.sig", ".pdf"] {
        unknown(&server, &below(job, rest)).problem(401, "unauthorized");
        server.get(&token, &below(job, rest)).problem(403, "forbidden");
    }
    server.call(&token, "POST", &below(job, ""), &json!({})).problem(403, "forbidden");
}

#[test]
fn a_report_is_attached_to_a_ticket_and_to_nothing_else() {
    let server = Server::start();
    let staff = server.token("technician");
    let job = server.job(&staff, "attach.example");
    let refused = server.call(&staff, "POST", &below(job, ""), &json!({})).problem(409, "no_ticket");
    assert!(refused["detail"].as_str().is_some_and(|d| d.contains("ticket")));
    let tenant = server.get(&staff, &format!("/migration/jobs/{job}")).expect(200).json()["tenant_id"].clone();
    let ticket = json!({"tenant_id": tenant, "subject": "Move us"});
    let ticket = server.call(&staff, "POST", "/tickets", &ticket).expect(201).json()["id"].clone();
    server.call(&staff, "PATCH", &format!("/migration/jobs/{job}"), &json!({"ticket_id": ticket})).expect(200);
    server.call(&staff, "POST", &below(job, ""), &json!({"lang": "tlh"})).problem(422, "invalid");
    let attached = server.call(&staff, "POST", &below(job, ""), &json!({"lang": "pt-BR"})).expect(201).json();
    assert_eq!((&attached["made_by"], &attached["automatic"]), (&json!("technician@desk.example"), &json!(false)));

    let files = server.get(&staff, &format!("/tickets/{ticket}")).expect(200).json()["attachments"].clone();
    let names: Vec<String> = files
        .as_array()
        .expect("a list")
        .iter()
        .map(|file| {
            file["name"].as_str().unwrap_or_default().rsplit_once("report-").map_or("", |(_, r)| &r[10..]).to_owned()
        })
        .collect();
    assert_eq!(names, [".pdf", ".json", ".json.sig"], "{files:#}");
    let file =
        |n: usize| server.get(&staff, &format!("/tickets/{ticket}/attachments/{}", files[n]["id"])).expect(200).text;
    assert!(file(0).starts_with("%PDF-1.7"));
    let key = unknown(&server, "/report-key").json();
    let key = key["public_key"].as_str().expect("a key");
    let trusted = gatepost_report::check(file(1).as_bytes(), file(2).as_bytes(), key).expect("a good signature");
    assert_eq!(json!(trusted.digest), attached["digest"]);
    let view = server.get(&staff, &below(job, "")).expect(200).json();
    assert_eq!((&view["attached"], &view["ticket_id"]), (&json!([attached]), &ticket));
    let log = server.get(&server.token("ops_lead"), &format!("/audit?job_id={job}&action=report.attach")).json();
    assert_eq!(log["total"], 1, "{log:#}");

    let page = server.send("GET", &format!("/jobs/{job}/report"), &[("cookie", &server.cookie("technician"))], "");
    let page = page.expect(200).text;
    for expected in [key, "report.pdf?lang=pt-BR", "report.json.sig", "/api/fn/attach_report"] {
        assert!(page.contains(expected), "the page lacks {expected}");
    }
}

#[test]
fn reports_are_attached_by_hand_until_the_ticket_is_full() {
    let server = Server::start();
    let staff = server.token("technician");
    let job = server.job(&staff, "full.example");
    let tenant = server.get(&staff, &format!("/migration/jobs/{job}")).expect(200).json()["tenant_id"].clone();
    let ticket = json!({"tenant_id": tenant, "subject": "Move us"});
    let ticket = server.call(&staff, "POST", "/tickets", &ticket).expect(201).json()["id"].clone();
    server.call(&staff, "PATCH", &format!("/migration/jobs/{job}"), &json!({"ticket_id": ticket})).expect(200);
    fill(&server, &ticket, 57);
    server.call(&staff, "POST", &below(job, ""), &json!({})).expect(201);
    let refused = server.call(&staff, "POST", &below(job, ""), &json!({})).problem(409, "ticket_full");
    assert!(refused["detail"].as_str().is_some_and(|d| d.contains("60 files")), "{refused}");
    let held = server.get(&staff, &format!("/tickets/{ticket}")).expect(200).json()["attachments"].clone();
    assert_eq!(held.as_array().map(Vec::len), Some(60), "nothing was added");
}

#[test]
fn the_command_line_makes_reports_and_tells_good_ones_from_forged_ones() {
    let server = Server::start();
    let staff = server.token("technician");
    let job = server.job(&staff, "cli.example").to_string();
    let dir = server.dir.path();
    let at = |name: &str| dir.join(name).display().to_string();
    let (json, pdf, customer) = (at("r.json"), at("r.pdf"), at("c.json"));
    fs::write(at("nothing.json"), "{}").expect("a file");
    fs::write(at("nothing.json.sig"), "{}").expect("a file");
    assert_eq!(code(dir, &["report", "verify", &at("nothing.json")]).0, 1, "there is no key yet");
    let made = code(dir, &["report", "make", "--job-id", &job, "--json", &json, "--pdf", &pdf, "--lang", "pt-BR"]);
    assert_eq!(made.0, 0, "{}", made.1);
    assert_eq!(code(dir, &["report", "make", "--job-id", &job, "--json", &json]).0, 1, "no file is overwritten");
    assert_eq!(code(dir, &["report", "make", "--job-id", &job]).0, 2, "it must be told what to write");
    assert_eq!(code(dir, &["report", "make", "--job-id", &job, "--json", &customer, "--customer"]).0, 0);
    let document = fs::read_to_string(&json).expect("a file");

    for file in [&json, &pdf, &customer] {
        let (code, said) = code(dir, &["report", "verify", file]);
        assert!(code == 0 && said.contains("cli.example"), "{said}");
    }
    let (_, key) = code(dir, &["report", "key"]);
    let (_, pem) = code(dir, &["report", "key", "--pem"]);
    fs::write(at("key.pem"), pem).expect("a file");
    // Elsewhere, where no key is known but the one that is given.
    let elsewhere = tempfile::tempdir().expect("a folder");
    let there = |arguments: &[&str]| {
        let output = gatepost(elsewhere.path()).args(arguments).output().expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for (file, key, wanted) in [
        (&json, key.trim(), Some(0)),
        (&json, &at("key.pem"), Some(0)),
        (&pdf, key.trim(), Some(0)),
        (&json, &"ab".repeat(32), Some(1)),
        (&json, "nonsense", Some(1)),
    ] {
        assert_eq!(there(&["report", "verify", file, "--key", key]).0, wanted, "{file} {key}");
    }
    let (none, said) = there(&["report", "verify", &json]);
    assert!(none == Some(1) && said.contains("--key"), "{said}");

    // Whoever draws the pages anew keeps the attachments: these are genuine, the file is not.
    let mut redrawn = fs::read(&pdf).expect("a file");
    redrawn.extend_from_slice(b"\n% more\n");
    fs::write(at("redrawn.pdf"), redrawn).expect("a file");
    let (failed, said) = code(dir, &["report", "verify", &at("redrawn.pdf")]);
    assert!(failed == 1 && said.contains("document is genuine, the pages are not proved"), "{said}");
    fs::write(at("empty.pdf"), "%PDF-1.7 no more than that").expect("a file");
    let (failed, said) = code(dir, &["report", "verify", &at("empty.pdf"), "--json"]);
    assert!(failed == 1 && said.contains("carries no report"), "{said}");

    let forged = document.replace("\"all_arrived\":false", "\"all_arrived\":true ");
    assert_ne!(forged, document);
    fs::write(at("forged.json"), forged).expect("a file");
    let signature = format!("{json}.sig");
    let (failed, said) = code(dir, &["report", "verify", &at("forged.json"), "--signature", &signature]);
    assert!(failed == 1 && said.contains("changed after it was signed"), "{said}");
    let (failed, said) = code(dir, &["report", "verify", &at("forged.json"), "--signature", &signature, "--json"]);
    assert!(failed == 1 && said.contains("\"valid\":false"), "{said}");
    let answer: Value = serde_json::from_str(&code(dir, &["report", "verify", &json, "--json"]).1).expect("JSON");
    assert_eq!((&answer["valid"], &answer["edition"]), (&json!(true), &json!("full")));
}
