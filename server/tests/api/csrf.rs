//! Sessions, and requests that another site makes in a user's name.

use crate::kit::Server;
use serde_json::json;

#[test]
fn the_cookie_is_out_of_reach_for_scripts_and_other_sites() {
    let server = Server::start_with(&[("GATEPOST_PUBLIC_URL", "https://desk.example")]);
    let form = "email=technician%40desk.example&password=correct+horse+battery";
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("origin", "https://desk.example")];
    let reply = server.send("POST", "/api/fn/log_in", &headers, form);
    let cookie = reply.header("set-cookie");
    for attribute in ["gatepost=", "HttpOnly", "SameSite=Lax", "Secure", "Path=/"] {
        assert!(cookie.contains(attribute), "{attribute}: {cookie}");
    }
}

#[test]
fn a_cookie_opens_the_api_but_not_for_other_sites() {
    let server = Server::start();
    let cookie = server.cookie("technician");
    let with_cookie = ("cookie", cookie.as_str());
    server.send("GET", "/api/v1/tenants", &[with_cookie], "").expect(200);
    let body = json!({"name": "By cookie"}).to_string();
    let json_type = ("content-type", "application/json");
    let own = server.address.clone();
    for (from, status) in [
        (("sec-fetch-site", "cross-site"), 403),
        (("sec-fetch-site", "same-site"), 403),
        (("origin", "https://evil.test"), 403),
        (("origin", "null"), 403),
        (("referer", "https://evil.test/form"), 403),
        (("x-nothing", "x"), 403),
        (("origin", own.as_str()), 201),
    ] {
        let reply = server.send("POST", "/api/v1/tenants", &[with_cookie, json_type, from], &body);
        if status == 403 {
            reply.problem(403, "csrf");
        } else {
            reply.expect(status);
        }
    }
    let listed = server.send("GET", "/api/v1/tenants", &[with_cookie], "").expect(200).json();
    assert_eq!(listed["total"], 1, "only the request from here was stored: {listed}");
}

#[test]
fn another_site_cannot_make_somebody_read_a_message() {
    let server = Server::start();
    let job = server.job(&server.token("technician"), "read.example");
    let cookie = server.cookie("technician");
    let page = format!("/jobs/{job}/messages/1");
    for path in ["/api/v1/migration/quarantine/1/message", "/api/v1/migration/quarantine/1/headers", &page] {
        for method in ["GET", "HEAD"] {
            let headers = [("cookie", cookie.as_str()), ("sec-fetch-site", "cross-site")];
            assert_eq!(server.send(method, path, &headers, "").status, 403, "{method} {path}");
        }
        for site in ["same-origin", "same-site", "none"] {
            let headers = [("cookie", cookie.as_str()), ("sec-fetch-site", site)];
            assert_ne!(server.send("GET", path, &headers, "").status, 403, "{site} {path}");
        }
        assert_ne!(server.send("GET", path, &[("cookie", cookie.as_str())], "").status, 403, "{path}");
    }
    let headers = [("cookie", cookie.as_str()), ("sec-fetch-site", "cross-site")];
    server.send("GET", &format!("/jobs/{job}"), &headers, "").expect(200);
}

#[test]
fn another_site_cannot_log_somebody_in() {
    let server = Server::start();
    let form = "email=technician%40desk.example&password=correct+horse+battery";
    for from in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.test"), ("x-nothing", "x")] {
        let headers = [("content-type", "application/x-www-form-urlencoded"), from];
        let reply = server.send("POST", "/api/fn/log_in", &headers, form);
        assert_eq!(reply.header("set-cookie"), "");
        reply.problem(403, "csrf");
    }
}

#[test]
fn a_log_in_gets_a_new_session_and_a_log_out_ends_it() {
    let server = Server::start();
    let first = server.cookie("technician");
    let second = server.cookie("technician");
    assert_ne!(first, second);
    let planted = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("origin", server.address.as_str()),
        ("cookie", first.as_str()),
    ];
    let again =
        server.send("POST", "/api/fn/log_in", &planted, "email=ops_lead%40desk.example&password=correct+horse+battery");
    let third = again.header("set-cookie").split(';').next().expect("a cookie").to_owned();
    assert_ne!(third, first, "the old name of the session must not become a log-in");
    server.send("GET", "/api/v1/tenants", &[("cookie", &first)], "").problem(401, "unauthorized");
    let out = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("origin", server.address.as_str()),
        ("cookie", &third),
    ];
    server.send("POST", "/api/fn/log_out", &out, "");
    server.send("GET", "/api/v1/tenants", &[("cookie", &third)], "").problem(401, "unauthorized");
    server.send("GET", "/api/v1/tenants", &[("cookie", &second)], "").expect(200);
}

#[test]
fn a_session_ends_when_the_account_is_disabled() {
    let server = Server::start();
    let cookie = server.cookie("technician");
    server.send("GET", "/api/v1/tenants", &[("cookie", &cookie)], "").expect(200);
    let output =
        crate::kit::run(server.dir.path(), &["admin", "user", "disable", "--email", "technician@desk.example"]);
    assert!(output.status.success(), "{output:?}");
    server.send("GET", "/api/v1/tenants", &[("cookie", &cookie)], "").problem(401, "unauthorized");
}

#[test]
fn a_refused_form_comes_back_with_what_was_typed_but_no_secret() {
    let server = Server::start();
    let referer = format!("{}/login?next=%2Fjobs", server.address);
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("accept", "text/html,application/xhtml+xml"),
        ("origin", server.address.as_str()),
        ("referer", referer.as_str()),
    ];
    let reply = server
        .send("POST", "/api/fn/log_in", &headers, "email=ana%40typed.example&password=hunter2hunter2")
        .expect(303);
    assert_eq!(reply.header("location"), "/login?next=%2Fjobs");
    let cookie = reply.header("set-cookie").split(';').next().expect("a cookie").to_owned();
    let page = server.send("GET", "/login", &[("cookie", &cookie), ("accept", "text/html")], "").expect(200);
    assert!(page.text.contains("ana@typed.example"), "the address is filled in again");
    assert!(!page.text.contains("hunter2hunter2"), "the password is not");
    let fresh = server.send("GET", "/login", &[("cookie", &cookie), ("accept", "text/html")], "").expect(200);
    assert!(!fresh.text.contains("ana@typed.example"), "it is shown once");
}

#[test]
fn a_refused_server_function_tells_a_script_the_problem_with_its_status() {
    let server = Server::start();
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("origin", server.address.as_str())];
    server
        .send("POST", "/api/fn/log_in", &headers, "email=a%40b.example&password=wrong+password+x")
        .problem(401, "unauthorized");
    server.send("POST", "/api/fn/no_such_function", &headers, "").problem(404, "not_found");
}

#[test]
fn the_referrer_of_another_site_leads_nowhere_else() {
    let server = Server::start();
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("accept", "text/html"),
        ("sec-fetch-site", "same-origin"),
        ("referer", "https://evil.test//evil.test/login"),
    ];
    let reply =
        server.send("POST", "/api/fn/log_in", &headers, "email=a%40b.example&password=wrong+password+x").expect(303);
    assert_eq!(reply.header("location"), "/evil.test/login");
}
