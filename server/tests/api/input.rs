//! What comes in broken, too large or with tricks in it.

use crate::kit::Server;
use serde_json::{Value, json};

const TRICKS: &[&str] = &[
    "Robert'); DROP TABLE tenants;--",
    "<script>alert(1)</script>",
    "{{7*7}} ${7*7} %s %n",
    "ação 日本語 🙂",
    "\" onmouseover=\"x",
    "../../etc/passwd",
];

#[test]
fn sql_and_html_in_text_fields_come_back_as_text() {
    let server = Server::start();
    let token = server.token("technician");
    for trick in TRICKS {
        let tenant = server.call(&token, "POST", "/tenants", &json!({"name": trick})).expect(201).json();
        assert_eq!(tenant["name"], *trick);
        let ticket = json!({"tenant_id": tenant["id"], "subject": trick, "body": trick});
        let ticket = server.call(&token, "POST", "/tickets", &ticket).expect(201).json();
        let read = server.get(&token, &format!("/tickets/{}", ticket["id"])).expect(200).json();
        assert_eq!((&read["subject"], &read["body"]), (&json!(trick), &json!(trick)));
    }
    let listed = server.get(&token, "/tenants").expect(200).json();
    assert_eq!(listed["total"], TRICKS.len());
}

#[test]
fn tricks_in_filters_find_nothing_and_break_nothing() {
    let server = Server::start();
    let token = server.token("technician");
    server.job(&token, "real.example");
    for trick in ["'%20OR%20'1'='1", "%25", "_", "%00", "a%27%3B--", "%F0%9F%99%82", "%FF"] {
        for path in ["/migration/jobs?q=", "/tickets?q=", "/migration/jobs?domain="] {
            let reply = server.get(&token, &format!("{path}{trick}"));
            assert!(matches!(reply.status, 200 | 422), "{path}{trick}: {reply:?}");
            if reply.status == 200 {
                assert_eq!(reply.json()["total"], 0, "{path}{trick}");
            }
        }
    }
    server.get(&token, "/migration/jobs?sort=domain;DROP%20TABLE%20x").problem(422, "invalid");
}

#[test]
fn ids_with_tricks_name_nothing() {
    let server = Server::start();
    let token = server.token("super_admin");
    for id in [
        "0",
        "-1",
        "1.0",
        "1e3",
        "abc",
        "%2e%2e",
        "..%2f..%2fetc%2fpasswd",
        "1%00",
        "99999999999999999999",
        "%27%20OR%201=1",
        "%F0%9F%99%82",
    ] {
        for path in [format!("/tenants/{id}"), format!("/migration/jobs/{id}"), format!("/migration/runs/{id}/log")] {
            server.get(&token, &path).problem(404, "not_found");
        }
    }
}

#[test]
fn malformed_bodies_are_refused_with_the_place() {
    let server = Server::start();
    let token = format!("Bearer {}", server.token("technician"));
    let send = |kind: &str, body: &str| {
        server.send("POST", "/api/v1/tickets", &[("authorization", &token), ("content-type", kind)], body)
    };
    let problem = send("application/json", "{\"tenant_id\": 1,\n \"subject\"").problem(400, "bad_json");
    assert!(problem["detail"].as_str().expect("a detail").contains("line 2"), "{problem}");
    let problem = send("application/json", r#"{"tenant_id": "x", "subject": "s"}"#).problem(422, "invalid");
    assert_eq!(problem["errors"][0]["field"], "tenant_id");
    let problem = send("application/json", r#"{"tenant_id": 1}"#).problem(422, "invalid");
    assert_eq!(problem["errors"][0]["field"], "subject");
    send("text/plain", "{}").problem(415, "unsupported_media_type");
    send("application/json", &"[".repeat(100_000)).problem(422, "invalid");
    send("application/json", "").problem(400, "bad_json");
    let query = server
        .send("GET", "/api/v1/migration/jobs?phase=nonsense", &[("authorization", &token)], "")
        .problem(422, "invalid");
    assert_eq!(query["errors"][0]["field"], "phase");
    for (query, field) in [("page=0", "page"), ("per_page=201", "per_page"), ("page=x", "page"), ("page=-1", "page")] {
        let problem = server
            .send("GET", &format!("/api/v1/tenants?{query}"), &[("authorization", &token)], "")
            .problem(422, "invalid");
        assert_eq!(problem["errors"][0]["field"], field, "{query}");
    }
}

#[test]
fn every_wrong_field_is_reported_at_once_and_nothing_is_stored() {
    let server = Server::start();
    let token = server.token("technician");
    let tenant = server.call(&token, "POST", "/tenants", &json!({"name": "T"})).expect(201).json();
    let job = json!({
        "domain": "not a domain", "tenant_id": tenant["id"], "dest_imap_host": "bad host!", "dest_imap_port": 0,
        "mailboxes": [{"email": "no address", "source_type": "imap", "source_host": "127.0.0.1"}]
    });
    let problem = server.call(&token, "POST", "/migration/jobs", &job).problem(422, "invalid");
    assert!(problem["errors"].as_array().expect("errors").len() >= 2, "{problem}");
    assert_eq!(server.get(&token, "/migration/jobs").expect(200).json()["total"], 0);
}

#[test]
fn large_bodies_are_refused_without_being_read() {
    let server = Server::start();
    let token = server.token("technician");
    let body = json!({"name": "x".repeat(1024 * 1024)});
    server.call(&token, "POST", "/tenants", &body).problem(413, "too_large");
    // A body that only says that it is a gigabyte is refused before a byte of it comes.
    use std::io::{Read, Write};
    let mut socket = std::net::TcpStream::connect(server.address.trim_start_matches("http://")).expect("a connection");
    let head = format!(
        "POST /api/v1/tenants HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Content-Length: 1073741824\r\nConnection: close\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).expect("a request");
    let mut answer = [0; 12];
    socket.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 413");
    assert_eq!(server.get(&token, "/tenants").expect(200).json()["total"], 0);
}

#[test]
fn an_import_reports_every_bad_line_and_stores_nothing_unless_all_are_good() {
    let server = Server::start();
    let token = server.token("technician");
    let job = server.job(&token, "import.example");
    let bearer = format!("Bearer {token}");
    let path = format!("/api/v1/migration/jobs/{job}/mailboxes/import");
    let import = |kind: &str, body: &str| {
        server.send("POST", &path, &[("authorization", &bearer), ("content-type", kind)], body)
    };
    let header = "email,source_type,source_host,source_security,source_password,dest_password\n";
    let bad = format!(
        "{header}one@import.example,imap,127.0.0.1,plain,a,b\nno address,imap,127.0.0.1,plain,a,b\nthree@import.example,ftp,127.0.0.1,plain,a,b\n"
    );
    let problem = import("text/csv", &bad).problem(422, "invalid");
    let fields: Vec<&str> =
        problem["errors"].as_array().expect("errors").iter().filter_map(|e| e["field"].as_str()).collect();
    assert!(
        fields.iter().any(|f| f.starts_with("line 3")) && fields.iter().any(|f| f.starts_with("line 4")),
        "{fields:?}"
    );
    let count = || {
        server
            .get(&token, &format!("/migration/jobs/{job}/mailboxes"))
            .expect(200)
            .json()
            .as_array()
            .expect("a list")
            .len()
    };
    assert_eq!(count(), 1);
    let good = format!("{header}one@import.example,imap,127.0.0.1,plain,a,b\n");
    let imported = import("text/csv", &good).expect(201).json();
    assert_eq!(imported["mailbox_ids"].as_array().expect("ids").len(), 1);
    let form = format!(
        "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"m.csv\"\r\nContent-Type: text/csv\r\n\r\n{header}two@import.example,imap,127.0.0.1,plain,a,b\n\r\n--B--\r\n"
    );
    import("multipart/form-data; boundary=B", &form).expect(201);
    assert_eq!(count(), 3);
    import("application/json", "{}").problem(415, "unsupported_media_type");
    import("text/csv", &"x".repeat(2 * 1024 * 1024 + 1)).problem(413, "too_large");
}

#[test]
fn secrets_can_be_written_and_never_read() {
    let server = Server::start();
    let token = server.token("technician");
    let job = server.job(&token, "secret.example");
    let mailboxes = server.get(&token, &format!("/migration/jobs/{job}/mailboxes")).expect(200);
    let id = mailboxes.json()[0]["id"].clone();
    let mailbox = server.get(&token, &format!("/migration/mailboxes/{id}")).expect(200);
    assert_eq!(mailbox.json()["has_source_secret"], true);
    let patch = json!({"source_secret": {"password": "another source secret"}});
    let patched = server.call(&token, "PATCH", &format!("/migration/mailboxes/{id}"), &patch).expect(200);
    let lead = server.token("super_admin");
    let audit = server.get(&lead, "/audit").expect(200);
    for reply in [mailboxes, mailbox, patched, audit] {
        assert!(!reply.text.contains("source secret") && !reply.text.contains("dest secret"), "{reply:?}");
    }
}

#[test]
fn the_events_of_a_run_end_with_it() {
    let server = Server::start();
    let token = server.token("technician");
    let job = server.job(&token, "events.example");
    // Nothing listens there: the run fails, which is an end too.
    let started =
        server.call(&token, "POST", &format!("/migration/jobs/{job}/preflight"), &Value::Null).expect(202).json();
    let run = started["run_ids"][0].as_i64().expect("a run");
    let events = server.get(&token, &format!("/migration/runs/{run}/events")).expect(200);
    assert!(events.header("content-type").starts_with("text/event-stream"));
    let names: Vec<&str> = events.text.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!((names.first(), names.last()), (Some(&"view"), Some(&"end")), "{names:?}");
    let last =
        events.text.lines().filter_map(|line| line.strip_prefix("id: ")).next_back().expect("a log line").to_owned();
    let bearer = format!("Bearer {token}");
    let path = format!("/api/v1/migration/runs/{run}/events");
    let resumed = server.send("GET", &path, &[("authorization", &bearer), ("last-event-id", &last)], "").expect(200);
    assert!(!resumed.text.contains("event: log"), "what was sent before is not sent again: {}", resumed.text);
    let log = server.get(&token, &format!("/migration/runs/{run}/log?limit=1")).expect(200).json();
    assert_eq!(log.as_array().expect("lines").len(), 1);
    server.get(&token, &format!("/migration/runs/{run}/log?limit=0")).problem(422, "invalid");
}
