//! Signed links: what they open, and above all what they do not.

use crate::kit::{Reply, Server, run};
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

fn link(server: &Server, token: &str, job: i64, kind: &str) -> Value {
    let new = json!({"kind": kind, "label": "ticket 4711", "days": 7});
    server.call(token, "POST", &format!("/migration/jobs/{job}/links"), &new).expect(201).json()
}

fn secret(link: &Value) -> String {
    link["token"].as_str().expect("a token").to_owned()
}

fn badge(server: &Server, job: i64, token: &str, more: &str, headers: &[(&str, &str)]) -> Reply {
    server.send("GET", &format!("/api/v1/migration/jobs/{job}/badge.svg?token={token}{more}"), headers, "")
}

/// Lets a link grow old: its row is changed by hand, as time would change it.
fn age(server: &Server, id: &Value) {
    let database = SqliteConnectOptions::new().filename(server.dir.path().join("data/gatepost.db"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let changed = runtime.block_on(async {
        let mut conn = SqliteConnection::connect_with(&database.busy_timeout(Duration::from_secs(60))).await?;
        let statement = "UPDATE share_links SET expires_at = '2020-01-01T00:00:00.000Z' WHERE id = $1";
        sqlx::query(statement).bind(id.as_i64()).execute(&mut conn).await
    });
    assert_eq!(changed.expect("a change").rows_affected(), 1);
}

#[test]
fn a_badge_is_drawn_in_both_languages_and_themes_and_kept_by_its_tag() {
    let server = Server::start();
    let staff = server.token("technician");
    let job = server.job(&staff, "badge.example");
    let token = secret(&link(&server, &staff, job, "badge"));
    let first = badge(&server, job, &token, "", &[]).expect(200);
    assert_eq!(first.header("content-type"), "image/svg+xml; charset=utf-8");
    assert_eq!(first.header("cache-control"), "private, no-cache");
    assert_eq!(first.header("referrer-policy"), "no-referrer");
    assert_eq!(first.header("cross-origin-resource-policy"), "cross-origin");
    assert_eq!(first.header("x-frame-options"), "DENY");
    assert_eq!(first.header("set-cookie"), "");
    assert!(first.header("content-security-policy").starts_with("default-src 'none'; style-src 'sha256-"));
    assert!(first.text.contains(">Blocked<") && first.text.contains("badge.example"), "{}", first.text);
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with('"') && tag.len() > 20, "{tag}");
    let again = badge(&server, job, &token, "", &[("if-none-match", &tag)]).expect(304);
    assert_eq!((again.text.as_str(), again.header("etag")), ("", tag.as_str()));
    badge(&server, job, &token, "", &[("if-none-match", "\"other\"")]).expect(200);

    let portuguese = badge(&server, job, &token, "&lang=pt-BR&theme=dark", &[]).expect(200);
    assert!(portuguese.text.contains(">Bloqueado<") && !portuguese.text.contains("<style>"), "{}", portuguese.text);
    assert_ne!(portuguese.header("etag"), tag);
    let preferred = badge(&server, job, &token, "", &[("accept-language", "pt-BR,pt;q=0.9")]).expect(200);
    assert!(preferred.text.contains(">Bloqueado<"), "{}", preferred.text);
    assert_eq!(preferred.header("vary"), "accept-language");
}

#[test]
fn a_token_opens_what_it_was_made_for_and_every_refusal_is_alike() {
    let server = Server::start();
    let staff = server.token("technician");
    let (job, other) = (server.job(&staff, "one.example"), server.job(&staff, "two.example"));
    let (mine, theirs) = (link(&server, &staff, job, "badge"), link(&server, &staff, other, "badge"));
    let customer = link(&server, &staff, job, "customer");
    let (revoked, expired) = (link(&server, &staff, job, "badge"), link(&server, &staff, job, "badge"));
    let gone = link(&server, &staff, job, "customer");
    for one in [&revoked, &gone] {
        server.call(&staff, "DELETE", &format!("/migration/links/{}", one["id"]), &Value::Null).expect(204);
    }
    age(&server, &expired["id"]);
    badge(&server, job, &secret(&mine), "", &[]).expect(200);
    let good = secret(&mine);
    // Not its last letter, of which not every bit counts.
    let (head, tag) = good.rsplit_once('.').expect("a signature");
    let forged = format!("{head}.{}{}", if tag.starts_with('A') { 'B' } else { 'A' }, &tag[1..]);
    let (_, unsigned) = good.split_once('.').expect("parts");
    let swapped = format!("{}.{unsigned}", theirs["id"]);
    let mut refusals = std::collections::BTreeSet::new();
    for (why, token) in [
        ("of another job", secret(&theirs)),
        ("of another kind", secret(&customer)),
        ("revoked", secret(&revoked)),
        ("expired", secret(&expired)),
        ("forged", forged),
        ("with another id", swapped),
        ("empty", String::new()),
        ("of an access", staff.clone()),
        ("much too long", "9".repeat(5000)),
        ("not text", "%00%FF%0d%0a".to_owned()),
    ] {
        let picture = badge(&server, job, &token, "", &[]).expect(403);
        assert_eq!(picture.header("content-type"), "image/svg+xml; charset=utf-8", "{why}");
        assert_eq!((picture.header("etag"), picture.header("cache-control")), ("", "private, no-store"), "{why}");
        refusals.insert(picture.text);
        let page = server.send("GET", &format!("/embed/gate/{job}?token={token}"), &[], "").expect(403);
        assert!(page.header("content-type").starts_with("text/html"), "{why}");
        refusals.insert(page.text);
    }
    assert_eq!(refusals.len(), 2, "one picture and one page: {refusals:?}");
    assert!(!refusals.iter().any(|text| text.contains("one.example") || text.contains("two.example")));
    server.send("GET", &format!("/api/v1/migration/jobs/{job}/badge.svg"), &[], "").expect(403);
    server.send("GET", &format!("/api/v1/migration/jobs/x/badge.svg?token={good}"), &[], "").expect(403);
    server.send("GET", &format!("/api/v1/migration/jobs/{other}/badge.svg?token={good}"), &[], "").expect(403);
    server.send("GET", &format!("/c/{good}"), &[], "").expect(403);
    server.send("GET", &format!("/c/{}", secret(&gone)), &[], "").expect(403);
    server.send("GET", &format!("/c/{}", secret(&customer)), &[], "").expect(200);
    server.send("GET", &format!("/c/{}/", secret(&customer)), &[], "").expect(200);
    let astray = server.send("GET", &format!("/c/{}/jobs", secret(&customer)), &[], "").expect(404);
    assert!(!astray.text.contains("one.example"), "{}", astray.text);
}

#[test]
fn with_a_links_token_no_other_route_opens() {
    // A token in place of a session is worth a warning each time.
    let server = Server::start_with(&[("GATEPOST_LOG", "error")]);
    let staff = server.token("technician");
    let job = server.job(&staff, "closed.example");
    let document = server.send("GET", "/api/v1/openapi.json", &[], "").expect(200).json();
    let pages = ["/", "/jobs", "/tickets", "/tenants", "/audit", "/users", "/tokens", "/webhooks"].map(str::to_owned);
    let below = ["", "/edit", "/evidence", "/residue", "/quarantine", "/cutover", "/report", "/timeline", "/approve"];
    let below = below.map(|page| format!("/jobs/{job}{page}"));
    for kind in ["badge", "customer"] {
        let token = secret(&link(&server, &staff, job, kind));
        let bearer = format!("Bearer {token}");
        let mut tried = 0;
        for (path, item) in document["paths"].as_object().expect("paths") {
            if path.ends_with("/badge.svg") || path == "/auth/token" {
                continue;
            }
            let path = path.replace("{id}", &job.to_string()).replace("{attachment_id}", "1");
            for method in item.as_object().expect("methods").keys().map(|method| method.to_uppercase()) {
                for (query, header) in
                    [("", ("authorization", bearer.as_str())), (&*format!("?token={token}"), ("x-token", &token))]
                {
                    let cookie = ("cookie", &*format!("gatepost={token}"));
                    let own = ("origin", server.address.as_str());
                    let address = format!("/api/v1{path}{query}");
                    let reply = server.send(&method, &address, &[header, cookie, own], "");
                    // A key or a schema that is published for everybody tells nothing about a job.
                    if reply.status == 200 {
                        let open = operation_is_open(item, &method);
                        assert!(open && !reply.text.contains("closed.example"), "{method} {path}: {reply:?}");
                    } else {
                        assert!(
                            matches!(reply.status, 400 | 401 | 403 | 404 | 415 | 422),
                            "{method} {path}: {reply:?}"
                        );
                        assert!(!reply.text.contains("closed.example"), "{method} {path}: {reply:?}");
                    }
                    tried += 1;
                }
            }
        }
        assert!(tried > 80, "{tried}");
        for page in pages.iter().chain(&below) {
            let reply = server.send("GET", &format!("{page}?token={token}"), &[("authorization", &bearer)], "");
            assert_eq!(reply.status, 303, "{page}");
            assert!(reply.header("location").starts_with("/login"), "{page}: {reply:?}");
        }
    }
}

fn operation_is_open(item: &Value, method: &str) -> bool {
    let security = &item[method.to_lowercase()]["security"];
    security.as_array().is_some_and(|all| all.iter().any(|one| one.as_object().is_some_and(serde_json::Map::is_empty)))
}

#[test]
fn only_the_small_page_may_be_framed_and_only_by_whom_the_settings_name() {
    let server = Server::start_with(&[("GATEPOST_EMBED_ANCESTORS", "https://tickets.example, https://*.example.org")]);
    let staff = server.token("technician");
    let job = server.job(&staff, "frame.example");
    let token = secret(&link(&server, &staff, job, "badge"));
    let customer = secret(&link(&server, &staff, job, "customer"));
    let page = server.send("GET", &format!("/embed/gate/{job}?token={token}&lang=pt"), &[], "").expect(200);
    assert_eq!(page.header("x-frame-options"), "");
    let policy = page.header("content-security-policy");
    assert!(policy.contains("frame-ancestors https://tickets.example https://*.example.org;"), "{policy}");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
    assert_eq!((page.header("referrer-policy"), page.header("cache-control")), ("no-referrer", "private, no-store"));
    assert_eq!((page.header("set-cookie"), page.header("x-robots-tag")), ("", "noindex, nofollow"));
    assert!(page.text.contains("Bloqueado") && page.text.contains("frame.example"), "{}", page.text);
    for part in ["<script", "<form", "href=", " style="] {
        assert!(!page.text.contains(part), "{part}: {}", page.text);
    }
    for path in [
        "/login",
        "/jobs",
        "/nothing",
        "/api/docs",
        "/healthz",
        "/favicon.svg",
        "/embed/gate",
        &format!("/c/{customer}"),
        "/c/nonsense",
        &format!("/api/v1/migration/jobs/{job}/badge.svg?token={token}"),
        &format!("/api/v1/migration/jobs/{job}"),
    ] {
        let reply = server.send("GET", path, &[], "");
        assert_eq!(reply.header("x-frame-options"), "DENY", "{path}");
        assert!(reply.header("content-security-policy").contains("frame-ancestors 'none'"), "{path}: {reply:?}");
    }
}

#[test]
fn the_customers_page_is_plain_and_names_nobody() {
    let server = Server::start_with(&[("GATEPOST_PUBLIC_URL", "https://desk.example")]);
    let staff = server.token("technician");
    let job = server.job(&staff, "customer.example");
    let issued = link(&server, &staff, job, "customer");
    let token = secret(&issued);
    assert_eq!(issued["url"], format!("https://desk.example/c/{token}"));
    for (headers, words) in [
        (&[][..], "The move is being prepared."),
        (&[("accept-language", "pt-BR")][..], "A migração está sendo preparada."),
    ] {
        let page = server.send("GET", &format!("/c/{token}"), headers, "").expect(200);
        assert!(page.text.contains(words) && page.text.contains("customer.example"), "{}", page.text);
        for name in ["@desk.example", "ana@", "127.0.0.1", "Tenant of", "technician", "<script", "<form", "ticket 4711"]
        {
            assert!(!page.text.contains(name), "{name}: {}", page.text);
        }
        let policy = page.header("content-security-policy");
        assert_eq!(
            policy,
            "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
        );
        assert_eq!(
            (page.header("referrer-policy"), page.header("cache-control")),
            ("no-referrer", "private, no-store")
        );
        assert_eq!((page.header("x-robots-tag"), page.header("set-cookie")), ("noindex, nofollow", ""));
    }
    let switched = server.send("GET", &format!("/c/{token}?lang=pt-BR"), &[("accept-language", "en")], "").expect(200);
    assert!(switched.text.contains("lang=\"pt-BR\""), "{}", switched.text);
}

#[test]
fn the_customer_downloads_the_report_without_names_and_with_its_signature() {
    let server = Server::start();
    let staff = server.token("technician");
    let job = server.job(&staff, "report.example");
    let issued = link(&server, &staff, job, "customer");
    let token = secret(&issued);
    let report = server.send("GET", &format!("/c/{token}/report.json"), &[], "").expect(200);
    assert_eq!(report.header("content-type"), "application/json");
    assert!(report.header("content-disposition").starts_with("attachment; filename=\"report.example-"), "{report:?}");
    assert_eq!(
        (report.header("cache-control"), report.header("referrer-policy")),
        ("private, no-store", "no-referrer")
    );
    assert!(report.header("content-security-policy").contains("sandbox"), "{report:?}");
    for name in ["@desk.example", "ana@", "127.0.0.1", "technician"] {
        assert!(!report.text.contains(name), "{name}: {}", report.text);
    }
    let signature = server.send("GET", &format!("/c/{token}/report.json.sig"), &[], "").expect(200).json();
    assert_eq!(signature["signature"], report.header("x-gatepost-signature"));
    let digest = signature["digest"].as_str().expect("a digest").to_owned();
    server.send("GET", &format!("/c/{token}/report.json.sig?digest={digest}"), &[], "").expect(200);
    server.send("GET", &format!("/c/{token}/report.json.sig?digest={}", "0".repeat(64)), &[], "").expect(404);
    for language in ["en", "pt-BR", "nonsense"] {
        let paper = server.send("GET", &format!("/c/{token}/report.pdf?lang={language}"), &[], "").expect(200);
        assert_eq!(paper.header("content-type"), "application/pdf");
        assert!(paper.text.starts_with("%PDF-"), "{language}");
    }
    // The staff's edition is another document with another signature.
    let full = server.get(&staff, &format!("/migration/jobs/{job}/report.json")).expect(200);
    assert!(full.text.contains("ana@report.example"), "{}", full.text);
    server.send("GET", &format!("/c/{token}/report.exe"), &[], "").expect(404);
    // Some are given back while this goes on.
    let slowed = (0..200).any(|_| server.send("GET", &format!("/c/{token}/report.json"), &[], "").status == 429);
    assert!(slowed, "so many reports were made one after another");
    server.send("GET", &format!("/c/{token}"), &[], "").expect(200);
    server.call(&staff, "DELETE", &format!("/migration/links/{}", issued["id"]), &Value::Null).expect(204);
    for file in ["report.json", "report.json.sig", "report.pdf"] {
        server.send("GET", &format!("/c/{token}/{file}"), &[], "").expect(403);
    }
}

#[test]
fn links_are_listed_without_their_tokens_limited_in_time_and_audited() {
    let server = Server::start();
    let (staff, lead) = (server.token("technician"), server.token("ops_lead"));
    let job = server.job(&staff, "list.example");
    let path = format!("/migration/jobs/{job}/links");
    let issued = link(&server, &staff, job, "badge");
    let token = secret(&issued);
    let texts: Vec<&str> =
        issued["snippets"].as_array().expect("texts").iter().filter_map(|s| s["text"].as_str()).collect();
    assert_eq!(texts.len(), 3, "{issued}");
    for text in &texts {
        assert!(text.contains(&token) && text.contains(&server.address), "{text}");
    }
    let listed = server.get(&staff, &path).expect(200);
    assert!(!listed.text.contains(&token), "{}", listed.text);
    assert_eq!(listed.json()["items"][0]["usable"], true);
    for (body, status) in [
        (json!({"kind": "badge", "days": 0}), 422),
        (json!({"kind": "badge", "days": 367}), 422),
        (json!({"kind": "admin"}), 422),
        (json!({"kind": "badge", "label": "x".repeat(201)}), 422),
        (json!({}), 422),
        (json!({"kind": "customer", "days": 366}), 201),
    ] {
        assert_eq!(server.call(&staff, "POST", &path, &body).status, status, "{body}");
    }
    server.call(&staff, "POST", "/migration/jobs/999/links", &json!({"kind": "badge"})).problem(404, "not_found");
    server.call(&staff, "DELETE", &format!("/migration/links/{}", issued["id"]), &Value::Null).expect(204);
    server.call(&staff, "DELETE", &format!("/migration/links/{}", issued["id"]), &Value::Null).expect(204);
    server.call(&staff, "DELETE", "/migration/links/999", &Value::Null).problem(404, "not_found");
    let audit = server.get(&lead, &format!("/audit?job_id={job}")).expect(200);
    for action in ["link.create", "link.revoke"] {
        assert!(audit.text.contains(action), "{action}: {}", audit.text);
    }
    assert!(!audit.text.contains(&token), "{}", audit.text);
    let dump = run(server.dir.path(), &["doctor"]);
    assert!(!String::from_utf8_lossy(&dump.stdout).contains(&token));
}

#[test]
fn many_wrong_tokens_are_slowed_down_and_a_good_one_still_opens() {
    let server = Server::start();
    let staff = server.token("technician");
    let job = server.job(&staff, "slow.example");
    let token = secret(&link(&server, &staff, job, "badge"));
    // Some are given back while this goes on.
    let mut replies = (0..2000).map(|n| badge(&server, job, &format!("1.x.{n}"), "", &[])).enumerate();
    let (refused, slowed) = replies.find(|(_, reply)| reply.status != 403).expect("a limit");
    assert!(refused >= 30, "{refused}");
    let slowed = slowed.expect(429);
    assert!(slowed.header("retry-after").parse::<u64>().is_ok_and(|seconds| (1..=60).contains(&seconds)), "{slowed:?}");
    assert_eq!(slowed.header("content-type"), "image/svg+xml; charset=utf-8");
    badge(&server, job, &token, "", &[]).expect(200);
}

#[test]
fn a_good_token_opens_so_often_a_minute_and_no_other_link_has_to_wait_for_it() {
    let server = Server::start();
    let staff = server.token("technician");
    let job = server.job(&staff, "often.example");
    let [busy, other] = ["badge", "badge"].map(|kind| secret(&link(&server, &staff, job, kind)));
    let customer = secret(&link(&server, &staff, job, "customer"));
    let until_refused = |ask: &(dyn Fn() -> Reply + Sync)| {
        let (opened, refused) = (AtomicUsize::new(0), AtomicBool::new(false));
        // More are given back while this goes on, two a second: several ask at once, so as to be quicker.
        let answers = || {
            (0..250).take_while(|_| !refused.load(Ordering::SeqCst)).map(|_| ask()).find(|reply| {
                let found = reply.status != 200;
                refused.fetch_or(found, Ordering::SeqCst);
                opened.fetch_add(usize::from(!found), Ordering::SeqCst);
                found
            })
        };
        let slowed: Vec<Reply> = std::thread::scope(|scope| {
            let asking: Vec<_> = (0..8).map(|_| scope.spawn(answers)).collect();
            asking.into_iter().filter_map(|one| one.join().expect("it does not panic")).collect()
        });
        let opened = opened.into_inner();
        assert!(opened >= 120 && !slowed.is_empty(), "{opened}");
        for slowed in slowed {
            let wait: u64 = slowed.expect(429).header("retry-after").parse().expect("seconds");
            assert!((1..=60).contains(&wait));
        }
    };
    until_refused(&|| badge(&server, job, &busy, "", &[]));
    badge(&server, job, &other, "", &[]).expect(200);
    until_refused(&|| server.send("GET", &format!("/c/{customer}"), &[], ""));
}

#[test]
fn while_the_module_is_off_no_link_opens() {
    let server = Server::start_with(&[("MIGRATION_ENABLED", "false")]);
    badge(&server, 1, "1.x.y", "", &[]).problem(404, "not_found");
    for path in ["/embed/gate/1?token=x", "/c/x"] {
        let reply = server.send("GET", path, &[], "");
        assert_eq!(reply.header("x-frame-options"), "DENY", "{path}");
        assert_ne!(reply.status, 200, "{path}");
    }
}

#[test]
fn no_log_line_holds_a_links_token() {
    let dir = crate::kit::directory();
    let email = ["--email", "technician@desk.example", "--role", "technician", "--password-file", "password"];
    let added = run(dir.path(), &[&["admin", "user", "add"][..], &email].concat());
    assert!(added.status.success(), "{added:?}");
    let log = std::fs::File::create(dir.path().join("log")).expect("a file");
    let mut command = crate::kit::gatepost(dir.path());
    command.env("GATEPOST_LOG", "trace").stderr(log);
    let server = Server::start_command(dir, command);
    let staff = server.token("technician");
    let job = server.job(&staff, "quiet.example");
    let tokens = ["badge", "customer"].map(|kind| secret(&link(&server, &staff, job, kind)));
    badge(&server, job, &tokens[0], "", &[]).expect(200);
    server.send("GET", &format!("/embed/gate/{job}?token={}", tokens[0]), &[], "").expect(200);
    server.send("GET", &format!("/c/{}", tokens[1]), &[], "").expect(200);
    server.send("GET", &format!("/c/{}", tokens[0]), &[], "").expect(403);
    server.send("GET", "/healthz", &[], "").expect(200);
    let log = std::fs::read_to_string(server.dir.path().join("log")).expect("a log");
    assert!(log.contains("/embed/gate/{job_id}") && log.contains("/c/{token}"), "the requests were logged");
    for token in &tokens {
        let signature = token.rsplit('.').next().expect("a signature");
        assert!(!log.contains(signature), "{}", log.lines().find(|line| line.contains(signature)).unwrap_or_default());
    }
}
