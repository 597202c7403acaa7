//! Outgoing webhooks over HTTP: the routes, the pages, and a delivery by the server's own workers.

use crate::kit::{ROLES, Reply, Server};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

/// A receiver that answers 204 and hands on the headers and the body of each request.
fn receiver() -> (String, Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/hook?planted=1", listener.local_addr().expect("an address"));
    let (sender, requests) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream);
            let mut head = String::new();
            while reader.read_line(&mut head).is_ok_and(|read| read > 2) {}
            let length =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            let mut body = vec![0; length.unwrap_or(0)];
            reader.read_exact(&mut body).expect("a body");
            reader.get_mut().write_all(b"HTTP/1.1 204 x\r\n\r\n").expect("an answer");
            if sender.send((head, String::from_utf8_lossy(&body).into_owned())).is_err() {
                return;
            }
        }
    });
    (url, requests)
}

fn server() -> Server {
    Server::start_with(&[("GATEPOST_WEBHOOK_ALLOWED_HOSTS", "127.0.0.1")])
}

#[track_caller]
fn create(server: &Server, token: &str, url: &str) -> Value {
    server.call(token, "POST", "/webhooks", &json!({"url": url, "description": "the wizard"})).expect(201).json()
}

/// Asks until an answer is as it should be.
#[track_caller]
fn wait_for(what: impl Fn() -> Value, done: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..1800 {
        let now = what();
        if done(&now) {
            return now;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("it did not come: {}", what());
}

#[test]
fn a_webhook_is_made_told_of_what_happens_replayed_and_deleted() {
    let server = server();
    let admin = server.token("super_admin");
    let (url, requests) = receiver();
    let made = create(&server, &admin, &url);
    let secret = made["secret"].as_str().expect("a secret").to_owned();
    assert!(secret.starts_with("whsec_"));
    let id = made["id"].as_i64().expect("an id");
    assert_eq!(made["events"].as_array().map(Vec::len), Some(4));

    let job = server.job(&admin, "told.example");
    let started = server.call(&admin, "POST", &format!("/migration/jobs/{job}/preflight"), &Value::Null).expect(202);
    assert!(started.json()["run_ids"].is_array());
    let patience = Duration::from_secs(90);
    let (head, body) = requests.recv_timeout(patience).expect("a request");
    let body: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(body["type"], "migration.phase_changed");
    assert_eq!((body["data"]["domain"].as_str(), body["data"]["job_id"].as_i64()), (Some("told.example"), Some(job)));
    assert!(head.starts_with("POST /hook?planted=1 HTTP/1.1\r\n"), "{head}");
    for name in ["webhook-id: msg_", "webhook-timestamp: ", "webhook-signature: v1,"] {
        assert!(head.contains(name), "{head}");
    }
    // No mail server answers there: the job fails with its only mailbox.
    let (_, failed) = requests.recv_timeout(patience).expect("the job's failure");
    assert!(failed.contains("migration.phase_changed") && failed.contains("\"phase\":\"failed\""), "{failed}");
    let (_, finished) = requests.recv_timeout(patience).expect("the run's end");
    assert!(finished.contains("migration.run_finished") && finished.contains("\"status\":\"failed\""), "{finished}");
    for planted in ["source secret", "dest secret"] {
        assert!(!finished.contains(planted), "{finished}");
    }

    let list = || server.get(&admin, &format!("/webhooks/{id}/deliveries?status=delivered")).expect(200).json();
    let delivered = wait_for(list, |list| list["total"].as_i64() >= Some(3));
    let old = &delivered["items"][0];
    let replayed = server
        .call(&admin, "POST", &format!("/webhooks/deliveries/{}/replay", old["id"]), &Value::Null)
        .expect(202)
        .json();
    assert_eq!((&replayed["message_id"], &replayed["replay_of"]), (&old["message_id"], &old["id"]));
    let (again, _) = requests.recv_timeout(patience).expect("the replay");
    assert!(again.contains(old["message_id"].as_str().expect("an id")), "{again}");
    let tested = server.call(&admin, "POST", &format!("/webhooks/{id}/test"), &Value::Null).expect(202).json();
    assert_eq!(tested["event"], "webhook.test");
    assert!(requests.recv_timeout(patience).expect("the test").1.contains("webhook.test"));

    let patched =
        server.call(&admin, "PATCH", &format!("/webhooks/{id}"), &json!({"disabled": true})).expect(200).json();
    assert_eq!((&patched["disabled"], &patched["description"]), (&json!(true), &json!("the wizard")));
    server.call(&admin, "POST", &format!("/webhooks/{id}/test"), &Value::Null).problem(409, "disabled");
    let renewed = server.call(&admin, "POST", &format!("/webhooks/{id}/secret"), &Value::Null).expect(200).json();
    assert_ne!(renewed["secret"], made["secret"]);
    let listed = server.get(&admin, "/webhooks").expect(200);
    assert!(!listed.text.contains(&secret) && !listed.text.contains("whsec_"), "{listed:?}");
    let origin = url.split("/hook").next().expect("an origin");
    assert_eq!(listed.json()["items"][0]["origin"], origin, "and no path: it may be a password");
    assert!(!listed.text.contains("planted"), "{listed:?}");
    server.call(&admin, "DELETE", &format!("/webhooks/{id}"), &Value::Null).expect(204);
    server.get(&admin, &format!("/webhooks/{id}")).problem(404, "not_found");

    let audit = server.get(&admin, "/audit?per_page=200").expect(200);
    for action in ["create", "test", "replay", "update", "secret", "delete"] {
        assert!(audit.text.contains(&format!("\"webhook.{action}\"")), "{action}: {}", audit.text);
    }
    assert!(!audit.text.contains("planted"), "a receiver's path may be its password");
    assert!(!server.stdout().contains("planted"));
}

#[test]
fn only_super_admins_see_and_change_webhooks() {
    let server = server();
    let admin = server.token("super_admin");
    let (url, _requests) = receiver();
    let id = create(&server, &admin, &url)["id"].as_i64().expect("an id");
    let gate = server.call(
        &admin,
        "POST",
        "/tokens",
        &json!({"name": "t", "scopes": ["gate:read", "dns:write", "jobs:read"]}),
    );
    let service = gate.expect(201).json()["secret"].as_str().expect("a secret").to_owned();
    let mut tokens: Vec<String> = ROLES[..2].iter().map(|role| server.token(role)).collect();
    tokens.push(service);
    for (method, path, body) in [
        ("GET", "/webhooks".to_owned(), Value::Null),
        ("POST", "/webhooks".to_owned(), json!({"url": "https://hooks.example/"})),
        ("GET", format!("/webhooks/{id}"), Value::Null),
        ("PATCH", format!("/webhooks/{id}"), json!({"disabled": true})),
        ("DELETE", format!("/webhooks/{id}"), Value::Null),
        ("POST", format!("/webhooks/{id}/secret"), Value::Null),
        ("POST", format!("/webhooks/{id}/test"), Value::Null),
        ("GET", format!("/webhooks/{id}/deliveries"), Value::Null),
        ("POST", "/webhooks/deliveries/1/replay".to_owned(), Value::Null),
    ] {
        for token in &tokens {
            server.call(token, method, &path, &body).problem(403, "forbidden");
        }
    }
    assert_eq!(server.get(&admin, &format!("/webhooks/{id}")).expect(200).json()["disabled"], false);
}

#[test]
fn a_wrong_address_or_event_is_refused_by_its_field() {
    let server = server();
    let admin = server.token("super_admin");
    for (body, field) in [
        (json!({"url": "http://hooks.example/"}), "url"),
        (json!({"url": "https://169.254.169.254/latest/meta-data/"}), "url"),
        (json!({"url": "https://localhost/"}), "url"),
        (json!({"url": "https://[::1]/"}), "url"),
        (json!({"url": ""}), "url"),
        (json!({}), "url"),
        (json!({"url": format!("https://hooks.example/{}", "x".repeat(2000))}), "url"),
        (json!({"url": "https://hooks.example/", "description": "x".repeat(201)}), "description"),
        (json!({"url": "https://hooks.example/", "events": ["webhook.test"]}), "events"),
        (json!({"url": "https://hooks.example/", "events": ["migration.nothing"]}), "events[0]"),
    ] {
        let problem = server.call(&admin, "POST", "/webhooks", &body).problem(422, "invalid");
        assert_eq!(problem["errors"][0]["field"], field, "{body}: {problem}");
    }
    assert_eq!(server.get(&admin, "/webhooks").expect(200).json()["total"], 0);
    server.get(&admin, "/webhooks/1/deliveries?status=nonsense").problem(422, "invalid");
}

/// Posts a form as a browser without JavaScript does.
#[track_caller]
fn submit(server: &Server, cookie: &str, action: &str, from: &str, form: &str) -> Reply {
    let referer = format!("{}{from}", server.address);
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("accept", "text/html"),
        ("origin", server.address.as_str()),
        ("referer", referer.as_str()),
        ("cookie", cookie),
    ];
    server.send("POST", &format!("/api/fn/{action}"), &headers, form).expect(303)
}

#[test]
fn the_pages_work_without_javascript_and_show_a_secret_once() {
    let server = server();
    let cookie = server.cookie("super_admin");
    let (url, requests) = receiver();
    let page = |path: &str| server.send("GET", path, &[("cookie", &cookie)], "").expect(200).text;
    let encoded = url.replace(':', "%3A").replace('/', "%2F").replace('?', "%3F").replace('=', "%3D");

    let refused = submit(&server, &cookie, "create_webhook", "/webhooks", &format!("url={encoded}"));
    assert_eq!(refused.header("location"), "/webhooks");
    let shown = page("/webhooks");
    assert!(shown.contains("Choose at least one.") && shown.contains(&url), "{shown}");

    let made =
        submit(&server, &cookie, "create_webhook", "/webhooks", &format!("url={encoded}&event_run_finished=true"));
    let at = made.header("location").to_owned();
    assert!(at.ends_with("?notice=webhook_created"), "{at}");
    let here = at.split('?').next().expect("a path").to_owned();
    let first = server.send("GET", &at, &[("cookie", &cookie)], "").expect(200);
    assert_eq!(first.header("cache-control"), "no-store");
    assert!(first.text.contains("whsec_") && !page(&here).contains("whsec_"));

    let id = here.rsplit('/').next().expect("an id");
    let tested = submit(&server, &cookie, "test_webhook", &here, &format!("webhook_id={id}"));
    assert_eq!(tested.header("location"), format!("{here}?notice=webhook_tested"));
    requests.recv_timeout(Duration::from_secs(90)).expect("the test");
    wait_for(|| json!(page(&here)), |page| page.as_str().is_some_and(|page| page.contains("/api/fn/replay_delivery")));
    let replaced = submit(&server, &cookie, "replace_webhook_secret", &here, &format!("webhook_id={id}"));
    assert!(page(replaced.header("location")).contains("whsec_"));
    let changed = format!("webhook_id={id}&url=&description=planted%3Cb%3E&event_gate_ready=true&disabled=true");
    submit(&server, &cookie, "update_webhook", &here, &changed);
    let shown = page(&here);
    assert!(!shown.contains("planted=1") && !page("/webhooks").contains("planted=1"), "{shown}");
    assert!(shown.contains("Disabled") && shown.contains("planted&lt;b&gt;"), "{shown}");
    let gone = submit(&server, &cookie, "delete_webhook", &here, &format!("webhook_id={id}"));
    assert_eq!(gone.header("location"), "/webhooks?notice=webhook_deleted");
    assert!(page("/webhooks").contains("Nobody is told of anything yet."));

    let technician = server.cookie("technician");
    server.send("GET", "/webhooks", &[("cookie", &technician)], "").expect(403);
}
