//! The OpenAPI document and the routes that exist.

use crate::kit::{Server, run};
use serde_json::{Value, json};

/// What the contract promises for this stage.
const PROMISED: &[(&str, &str)] = &[
    ("post", "/auth/token"),
    ("post", "/tokens"),
    ("delete", "/tokens/{id}"),
    ("get", "/tenants"),
    ("post", "/tenants"),
    ("get", "/tenants/{id}"),
    ("patch", "/tenants/{id}"),
    ("get", "/users"),
    ("post", "/users"),
    ("get", "/users/{id}"),
    ("patch", "/users/{id}"),
    ("get", "/tickets"),
    ("post", "/tickets"),
    ("get", "/tickets/{id}"),
    ("patch", "/tickets/{id}"),
    ("post", "/migration/jobs"),
    ("get", "/migration/jobs"),
    ("get", "/migration/jobs/{id}"),
    ("patch", "/migration/jobs/{id}"),
    ("post", "/migration/jobs/{id}/mailboxes"),
    ("post", "/migration/jobs/{id}/mailboxes/import"),
    ("get", "/migration/mailboxes/{id}"),
    ("patch", "/migration/mailboxes/{id}"),
    ("delete", "/migration/mailboxes/{id}"),
    ("post", "/migration/jobs/{id}/upload-pst"),
    ("get", "/migration/jobs/{id}/uploads"),
    ("get", "/migration/mailboxes/{id}/uploads"),
    ("post", "/migration/mailboxes/{id}/server-files"),
    ("post", "/uploads"),
    ("get", "/uploads/{id}"),
    ("patch", "/uploads/{id}"),
    ("delete", "/uploads/{id}"),
    ("get", "/uploads/{id}/pieces"),
    ("get", "/uploads/{id}/items"),
    ("post", "/migration/jobs/{id}/preflight"),
    ("post", "/migration/jobs/{id}/sync"),
    ("post", "/migration/jobs/{id}/verify"),
    ("get", "/migration/jobs/{id}/verify"),
    ("get", "/migration/jobs/{id}/runs"),
    ("get", "/migration/runs/{id}"),
    ("get", "/migration/runs/{id}/log"),
    ("get", "/migration/runs/{id}/events"),
    ("post", "/migration/runs/{id}/cancel"),
    ("post", "/migration/runs/{id}/retry"),
    ("get", "/migration/jobs/{id}/residue"),
    ("get", "/migration/jobs/{id}/quarantine"),
    ("post", "/migration/quarantine/{id}/waive"),
    ("post", "/migration/jobs/{id}/approve-gate"),
    ("get", "/migration/gate"),
    ("post", "/migration/webhooks/dns-applied"),
    ("get", "/migration/jobs/{id}/links"),
    ("post", "/migration/jobs/{id}/links"),
    ("delete", "/migration/links/{id}"),
    ("get", "/migration/jobs/{id}/badge.svg"),
    ("get", "/migration/jobs/{id}/gate"),
    ("get", "/migration/jobs/{id}/gate/history"),
    ("get", "/migration/jobs/{id}/timeline"),
    ("get", "/audit"),
    ("get", "/audit/export"),
    ("get", "/audit/verify"),
];

fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("methods") {
            all.push((method.clone(), path.clone(), operation.clone()));
        }
    }
    all
}

fn document(server: &Server) -> Value {
    server.send("GET", "/api/v1/openapi.json", &[], "").expect(200).json()
}

#[test]
fn the_document_is_openapi_3_1_and_holds_every_promised_route() {
    let server = Server::start();
    let document = document(&server);
    assert!(document["openapi"].as_str().expect("a version").starts_with("3.1"), "{}", document["openapi"]);
    let operations = operations(&document);
    for (method, path) in PROMISED {
        assert!(operations.iter().any(|(m, p, _)| m == method && p == path), "{method} {path} is not in the document");
    }
    for (method, path, operation) in &operations {
        assert!(operation["summary"].is_string(), "{method} {path} has no summary");
        assert!(operation["responses"]["default"].is_object(), "{method} {path} does not describe its refusals");
    }
}

#[test]
fn every_reference_of_the_document_leads_somewhere() {
    let server = Server::start();
    let document = document(&server);
    let text = document.to_string();
    for part in text.split("\"$ref\":\"#").skip(1) {
        let pointer = part.split('"').next().expect("a pointer");
        assert!(document.pointer(pointer).is_some(), "{pointer} leads nowhere");
    }
}

#[test]
fn every_route_of_the_document_exists() {
    let server = Server::start();
    let token = server.token("super_admin");
    for (method, path, _) in operations(&document(&server)) {
        let real = path.replace("{id}", "999999").replace("{attachment_id}", "999999");
        let reply = server.call(&token, &method.to_uppercase(), &real, &Value::Null);
        // 404 is right for a thing that is not there, and wrong for an address that is not there.
        if reply.status == 404 {
            let detail = reply.json()["detail"].clone();
            assert_ne!(detail, "There is nothing at this address.", "{method} {path}");
        }
        assert_ne!(reply.status, 405, "{method} {path}");
        assert!(reply.status < 500, "{method} {path}: {reply:?}");
    }
}

#[test]
fn every_route_but_the_log_in_wants_to_know_who_asks() {
    let server = Server::start();
    for (method, path, operation) in operations(&document(&server)) {
        let real = path.replace("{id}", "1").replace("{attachment_id}", "1");
        let reply = server.send(&method.to_uppercase(), &format!("/api/v1{real}"), &[], "");
        if path == "/auth/token" {
            assert_eq!(reply.status, 415, "{reply:?}");
        } else if path.ends_with("/badge.svg") {
            assert_eq!((reply.status, reply.header("content-type")), (403, "image/svg+xml; charset=utf-8"));
        } else if operation["security"] == json!([{}]) {
            assert!(["/report-key", "/report.schema.json"].contains(&&*path), "{path} is open to everybody");
            reply.expect(200);
        } else {
            assert_eq!(reply.header("www-authenticate"), "Bearer realm=\"gatepost\"", "{method} {path}");
            reply.problem(401, "unauthorized");
        }
    }
}

#[test]
fn the_page_of_the_api_holds_every_route_and_nothing_inline() {
    let server = Server::start();
    let page = server.send("GET", "/api/docs", &[], "").expect(200);
    assert!(page.header("content-type").starts_with("text/html"));
    assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
    for (method, path, _) in operations(&document(&server)) {
        assert!(page.text.contains(&format!("{} {path}", method.to_uppercase())), "{method} {path} is not on the page");
    }
    for inline in ["<script", "<style", " style=", " onclick="] {
        assert!(!page.text.contains(inline), "{inline}");
    }
}

#[test]
fn while_the_module_is_off_its_routes_do_not_exist() {
    let server = Server::start_with(&[("MIGRATION_ENABLED", "false")]);
    let token = server.token("super_admin");
    for path in ["/migration/jobs", "/migration/gate?domain=a.example", "/migration/runs/1"] {
        server.get(&token, path).problem(404, "not_found");
    }
    server.get(&token, "/tenants").expect(200);
    assert!(!operations(&document(&server)).iter().any(|(_, path, _)| path.starts_with("/migration")));
}

#[test]
fn unknown_addresses_and_wrong_methods_are_problems_too() {
    let server = Server::start();
    for path in ["/api", "/api/v1", "/api/v1/nothing", "/api/v2/jobs", "/api/v1/migration", "/api/v1/tenants/"] {
        server.send("GET", path, &[], "").problem(404, "not_found");
    }
    for (method, path) in
        [("PUT", "/api/v1/tenants"), ("DELETE", "/api/v1/auth/token"), ("POST", "/healthz"), ("BREW", "/api/v1/users")]
    {
        let reply = server.send(method, path, &[("authorization", "Bearer x")], "");
        assert!(!reply.header("allow").is_empty(), "{reply:?}");
        reply.problem(405, "method_not_allowed");
    }
}

#[test]
fn health_and_measurements_are_served() {
    let server = Server::start();
    server.send("GET", "/healthz", &[], "").expect(200);
    server.send("GET", "/readyz", &[], "").expect(200);
    server.send("GET", "/api/v1/nothing", &[], "").expect(404);
    let metrics = server.measurements();
    assert!(metrics.header("content-type").starts_with("text/plain"));
    let health = "gatepost_http_requests_total{method=\"GET\",route=\"/healthz\",status=\"200\"} 1";
    assert!(metrics.text.contains(health), "{}", metrics.text);
    assert!(metrics.text.contains("gatepost_http_request_duration_seconds_bucket"), "{}", metrics.text);
}

#[test]
fn measurements_are_for_their_tokens_and_for_staff_and_refusals_say_what_to_do() {
    let server = Server::start();
    let anonymous = server.send("GET", "/metrics", &[], "").problem(401, "unauthorized");
    let told = anonymous["detail"].as_str().expect("a sentence");
    assert!(told.contains("gatepost admin token add --scope metrics:read"), "{told}");
    let wrong = server.send("GET", "/metrics", &[("authorization", "Basic cHJvbTpwcm9t")], "");
    assert!(wrong.header("www-authenticate").starts_with("Bearer"), "{wrong:?}");
    wrong.problem(401, "unauthorized");
    server.send("GET", "/metrics", &[("authorization", "Bearer gp_none")], "").problem(401, "unauthorized");

    let admin = server.token("super_admin");
    let wizard = serde_json::json!({"name": "wizard", "scopes": ["gate:read", "dns:write", "jobs:read"]});
    let wizard = server.call(&admin, "POST", "/tokens", &wizard).expect(201).json();
    let bearer = format!("Bearer {}", wizard["secret"].as_str().expect("a secret"));
    let refused = server.send("GET", "/metrics", &[("authorization", &bearer)], "").problem(403, "forbidden");
    let told = refused["detail"].as_str().expect("a sentence");
    assert!(told.contains("lacks the scope metrics:read"), "{told}");

    let shown = server.measurements();
    assert_eq!(shown.header("cache-control"), "no-store");
    let head = server.send("HEAD", "/metrics", &[("authorization", &bearer)], "");
    assert_eq!(head.status, 403);
    let bearer = format!("Bearer {}", server.token("technician"));
    server.send("GET", "/metrics", &[("authorization", &bearer)], "").expect(200);
    server.send("GET", "/metrics", &[("cookie", &server.cookie("technician"))], "").expect(200);
}

#[test]
fn the_sample_for_prometheus_reads_the_address_and_the_scope_that_there_are() {
    let packaging = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging");
    let sample = std::fs::read_to_string(packaging.join("prometheus.yml")).expect("the sample");
    for line in [
        "    metrics_path: /metrics",
        "      type: Bearer",
        "      credentials_file: /etc/prometheus/gatepost.token",
        "      - targets: [\"127.0.0.1:8080\"]",
    ] {
        assert!(sample.lines().any(|l| l == line), "{line} is missing in\n{sample}");
    }
    // The very command of the sample makes a token that reads them.
    let server = Server::start();
    let command = sample.lines().find_map(|line| line.split_once("-- gatepost ")).expect("a command").1;
    let words: Vec<&str> = command.split(" > ").next().unwrap_or_default().split_whitespace().collect();
    let made = run(server.dir.path(), &words);
    let bearer = format!("Bearer {}", String::from_utf8_lossy(&made.stdout).trim());
    server.send("GET", "/metrics", &[("authorization", &bearer)], "").expect(200);
}

#[test]
fn every_answer_carries_the_security_headers_and_a_request_id() {
    let server = Server::start_with(&[("GATEPOST_PUBLIC_URL", "https://desk.example")]);
    let mut ids = std::collections::BTreeSet::new();
    for path in ["/healthz", "/api/v1/tenants", "/login", "/pkg/0123abcd/gatepost.js", "/nothing", "/favicon.svg"] {
        let reply = server.send("GET", path, &[], "");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("strict-transport-security", "max-age=31536000; includeSubDomains"),
        ] {
            assert_eq!(reply.header(name), value, "{path} {name}");
        }
        assert!(reply.header("content-security-policy").contains("default-src 'none'"), "{path}");
        assert!(!reply.header("permissions-policy").is_empty(), "{path}");
        assert!(ids.insert(reply.header("x-request-id").to_owned()), "{path}: an id came twice");
    }
}

#[test]
fn assets_are_kept_for_ever_and_pages_never() {
    let server = Server::start();
    let asset = server.send("GET", "/pkg/0123abcd/gatepost.js", &[], "").expect(200);
    assert_eq!(asset.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(asset.text, "export default 1;");
    let page = server.send("GET", "/login", &[], "").expect(200);
    assert_eq!(page.header("cache-control"), "no-store");
    for path in ["/pkg/0123abcd/../../../password", "/pkg/0123abcd/%2e%2e/%2e%2e/%2e%2e/password", "/..%2fpassword"] {
        let reply = server.send("GET", path, &[], "");
        assert!(!reply.text.contains(crate::kit::PASSWORD), "{path}");
    }
}
