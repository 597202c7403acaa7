//! Who may do what, over HTTP: each role and token scope against each route.

use crate::kit::{ROLES, Server};
use serde_json::{Value, json};

const ALL: [bool; 3] = [true, true, true];
const LEADS: [bool; 3] = [false, true, true];
const ADMINS: [bool; 3] = [false, false, true];

#[test]
fn each_role_may_what_the_contract_says() {
    let server = Server::start();
    let tokens: Vec<String> = ROLES.iter().map(|role| server.token(role)).collect();
    let job = server.job(&tokens[0], "roles.example");
    let none = Value::Null;
    // Technician, ops lead, super admin: whether the answer is something other than 403.
    let table = [
        ("GET", "/tenants".to_owned(), none.clone(), ALL),
        ("POST", "/tickets".to_owned(), json!({}), ALL),
        ("GET", "/tickets".to_owned(), none.clone(), ALL),
        ("GET", "/migration/jobs".to_owned(), none.clone(), ALL),
        ("GET", format!("/migration/jobs/{job}"), none.clone(), ALL),
        ("PATCH", format!("/migration/jobs/{job}"), json!({"notes": "n"}), ALL),
        ("GET", format!("/migration/jobs/{job}/verify"), none.clone(), ALL),
        ("GET", format!("/migration/jobs/{job}/runs"), none.clone(), ALL),
        ("GET", "/migration/gate?domain=roles.example".to_owned(), none.clone(), ALL),
        ("POST", format!("/migration/jobs/{job}/approve-gate"), json!({}), LEADS),
        (
            "POST",
            format!("/migration/jobs/{job}/approve-gate"),
            json!({"override": true, "reason": "because it is a test"}),
            ADMINS,
        ),
        ("POST", "/migration/quarantine/1/waive".to_owned(), json!({"reason": "because it is a test"}), LEADS),
        ("GET", format!("/migration/jobs/{job}/links"), none.clone(), ALL),
        ("POST", format!("/migration/jobs/{job}/links"), json!({"kind": "badge"}), ALL),
        ("DELETE", "/migration/links/999".to_owned(), none.clone(), ALL),
        ("GET", format!("/migration/jobs/{job}/residue"), none.clone(), ALL),
        ("GET", format!("/migration/jobs/{job}/residue/classes"), none.clone(), ALL),
        ("GET", format!("/migration/jobs/{job}/residue.csv"), none.clone(), ALL),
        ("GET", format!("/migration/jobs/{job}/residue.json"), none.clone(), ALL),
        ("GET", format!("/migration/jobs/{job}/quarantine"), none.clone(), ALL),
        ("POST", format!("/migration/jobs/{job}/quarantine/retry"), json!({}), ALL),
        ("GET", "/migration/quarantine/1/message".to_owned(), none.clone(), ALL),
        ("GET", "/migration/quarantine/1/headers".to_owned(), none.clone(), ALL),
        ("POST", "/migration/quarantine/1/retry".to_owned(), none.clone(), ALL),
        ("GET", format!("/migration/jobs/{job}/uploads"), none.clone(), ALL),
        ("GET", "/migration/mailboxes/1/uploads".to_owned(), none.clone(), ALL),
        ("POST", "/migration/mailboxes/1/server-files".to_owned(), json!({"path": "x"}), ALL),
        ("DELETE", "/uploads/x".to_owned(), none.clone(), ALL),
        ("GET", format!("/migration/jobs/{job}/waivers"), none.clone(), ALL),
        ("GET", "/migration/waivers/1".to_owned(), none.clone(), ALL),
        (
            "POST",
            format!("/migration/jobs/{job}/waivers"),
            json!({"reason": "because it is a test", "expected_count": 1}),
            LEADS,
        ),
        ("DELETE", "/migration/waivers/1".to_owned(), none.clone(), LEADS),
        ("GET", format!("/migration/jobs/{job}/gate"), none.clone(), ALL),
        ("GET", format!("/migration/jobs/{job}/gate/history"), none.clone(), ALL),
        ("GET", format!("/migration/jobs/{job}/timeline"), none.clone(), ALL),
        ("GET", "/oauth/apps".to_owned(), none.clone(), ALL),
        ("POST", "/oauth/apps".to_owned(), json!({"name": "", "provider": "google"}), LEADS),
        ("PATCH", "/oauth/apps/999".to_owned(), json!({}), LEADS),
        ("DELETE", "/oauth/apps/999".to_owned(), none.clone(), LEADS),
        ("GET", format!("/migration/jobs/{job}/consents"), none.clone(), ALL),
        ("POST", format!("/migration/jobs/{job}/consents"), json!({"app_id": 999}), LEADS),
        ("GET", "/migration/mailboxes/1/consents".to_owned(), none.clone(), ALL),
        ("POST", "/migration/mailboxes/1/consents".to_owned(), json!({"app_id": 999}), ALL),
        ("GET", "/migration/consents/999".to_owned(), none.clone(), ALL),
        ("POST", "/migration/consents/999/check".to_owned(), none.clone(), ALL),
        ("POST", "/migration/consents/999/device".to_owned(), none.clone(), ALL),
        ("POST", "/migration/consents/999/links".to_owned(), none.clone(), ALL),
        ("DELETE", "/migration/consents/999".to_owned(), none.clone(), ALL),
        ("GET", "/audit".to_owned(), none.clone(), LEADS),
        ("GET", "/audit/export".to_owned(), none.clone(), LEADS),
        ("GET", "/audit/verify".to_owned(), none.clone(), LEADS),
        ("GET", "/users".to_owned(), none.clone(), ADMINS),
        ("POST", "/users".to_owned(), json!({"email": "x", "role": "technician", "password": "x"}), ADMINS),
        ("GET", "/tokens".to_owned(), none.clone(), ADMINS),
        ("POST", "/tokens".to_owned(), json!({"name": "", "scopes": []}), ADMINS),
        ("DELETE", "/tokens/999".to_owned(), none.clone(), ADMINS),
    ];
    for (method, path, body, expected) in table {
        for ((role, token), may) in ROLES.iter().zip(&tokens).zip(expected) {
            let reply = server.call(token, method, &path, &body);
            assert_eq!(reply.status != 403, may, "{role} {method} {path} {body}: {reply:?}");
            assert!(reply.status < 500 && reply.status != 401, "{role} {method} {path}: {reply:?}");
        }
    }
}

#[test]
fn a_token_may_only_what_its_scopes_say() {
    let server = Server::start();
    let admin = server.token("super_admin");
    let job = server.job(&admin, "scopes.example");
    let job_path = format!("/migration/jobs/{job}");
    let applied = json!({"domain": "scopes.example"});
    for (scope, [gate, dns, jobs]) in [
        ("gate:read", [true, false, false]),
        ("dns:write", [false, true, false]),
        ("jobs:read", [false, false, true]),
        ("metrics:read", [false, false, false]),
    ] {
        let issued =
            server.call(&admin, "POST", "/tokens", &json!({"name": scope, "scopes": [scope]})).expect(201).json();
        let token = issued["secret"].as_str().expect("a secret");
        for (method, path, body, may) in [
            ("GET", "/migration/gate?domain=scopes.example", &Value::Null, gate),
            ("POST", "/migration/webhooks/dns-applied", &applied, dns),
            ("GET", job_path.as_str(), &Value::Null, jobs),
            ("GET", &*format!("{job_path}/links"), &Value::Null, false),
            ("POST", &*format!("{job_path}/links"), &json!({"kind": "badge"}), false),
            ("GET", "/users", &Value::Null, false),
            ("GET", "/metrics/dashboard", &Value::Null, false),
            ("GET", &*format!("{job_path}/timeline"), &Value::Null, false),
            ("GET", &*format!("{job_path}/gate/history"), &Value::Null, jobs),
            ("GET", "/audit", &Value::Null, false),
            ("GET", "/audit/export", &Value::Null, false),
            ("GET", "/audit/verify", &Value::Null, false),
            ("GET", &*format!("{job_path}/uploads"), &Value::Null, jobs),
            ("GET", "/uploads/00000000-0000-0000-0000-000000000000", &Value::Null, jobs),
            ("GET", "/uploads/00000000-0000-0000-0000-000000000000/items", &Value::Null, false),
            ("DELETE", "/uploads/00000000-0000-0000-0000-000000000000", &Value::Null, false),
            ("POST", "/migration/mailboxes/1/server-files", &json!({"path": "x"}), false),
            ("POST", "/tenants", &json!({"name": "x"}), false),
            ("POST", "/migration/jobs", &json!({"domain": "x.example"}), false),
        ] {
            let reply = server.call(token, method, path, body);
            assert_eq!(reply.status != 403, may, "{scope} {method} {path}: {reply:?}");
            assert_ne!(reply.status, 401, "{scope} {method} {path}");
        }
        server.call(&admin, "DELETE", &format!("/tokens/{}", issued["id"]), &Value::Null).expect(204);
        server.get(token, "/migration/gate?domain=scopes.example").problem(401, "unauthorized");
    }
}

#[test]
fn a_token_is_shown_once_and_never_listed() {
    let server = Server::start();
    let admin = server.token("super_admin");
    let issued =
        server.call(&admin, "POST", "/tokens", &json!({"name": "once", "scopes": ["gate:read"]})).expect(201).json();
    let secret = issued["secret"].as_str().expect("a secret");
    let listed = server.get(&admin, "/tokens").expect(200);
    assert!(listed.text.contains("once") && !listed.text.contains(secret));
}

#[test]
fn the_gate_answers_about_unknown_domains_and_reports_the_shut_gate() {
    let server = Server::start();
    let admin = server.token("super_admin");
    let answer = server.get(&admin, "/migration/gate?domain=unknown.example").expect(200).json();
    assert_eq!((answer["gate"].as_str(), answer["reason"].as_str()), (Some("blocked"), Some("no_job")));
    assert_eq!(answer["dns_allowed"], false);
    let job = server.job(&admin, "shut.example");
    let answer = server.get(&admin, "/migration/gate?domain=SHUT.example").expect(200).json();
    assert_eq!((answer["job_id"].as_i64(), answer["gate"].as_str()), (Some(job), Some("blocked")));
    let problem = server
        .call(&admin, "POST", &format!("/migration/jobs/{job}/approve-gate"), &json!({}))
        .problem(409, "gate_checks_failed");
    assert!(!problem["checks"].as_array().expect("checks").is_empty());
}
