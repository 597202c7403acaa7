//! Cutovers: a domain's DNS before, at and after the change of its MX, from DNS servers of our own on loopback; the
//! webhook that reports the change; stragglers.

mod common;

use common::{DOMAIN, Journey, USER, deliver, letter, mailbox, new_server, number, old_server, stat, text, wait_for};
use gatepost_testkit::{DnsServer, Dovecot, Mischief};
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use std::time::Duration;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

const OLD_ZONE: &str = "
move.example 86400 SOA ns.move.example. admin.move.example. 7 3600 600 86400 300
move.example 86400 NS ns.move.example.
ns.move.example 86400 A 127.0.0.1
move.example 86400 MX 10 mx.old.example.
mx.old.example 300 A 192.0.2.1
move.example 3600 TXT \"v=spf1 mx -all\"
autodiscover.move.example 600 CNAME mx.old.example.
mx.new.example 300 A 198.51.100.1
";

/// Two mail servers, a DNS server, and a Desk that asks it.
struct Scene {
    old: Dovecot,
    new: Dovecot,
    dns: DnsServer,
    journey: Journey,
}

fn scene(settings: &[(&str, &str)]) -> Scene {
    let (old, new) = (old_server().start().expect("a server"), new_server().start().expect("a server"));
    deliver(&old.account(USER), (0..3).map(|n| letter("INBOX", &format!("inbox-{n}"), &[])));
    let dns = DnsServer::start().expect("a DNS server");
    dns.zone(OLD_ZONE);
    let resolvers = dns.address().to_string();
    let mut all = vec![("GATEPOST_DNS_RESOLVERS", resolvers.as_str())];
    all.extend_from_slice(settings);
    let journey = Journey::with(&all, new.imap_port(), &[mailbox(USER, old.imap_port())]);
    Scene { old, new, dns, journey }
}

impl Scene {
    fn cutover(&self) -> Value {
        self.journey.get(&self.journey.path("/dns"))
    }

    fn read(&self) -> Value {
        self.journey.post(&self.journey.path("/dns"), &Value::Null).expect(200).json()
    }

    /// From nothing to an open gate.
    fn open(&self) {
        self.journey.to_evidence();
        self.journey.approve().expect(200);
        assert_eq!(self.journey.gate()["gate"], "ready_for_dns");
    }

    fn applied(&self, body: &Value) -> common::kit::Reply {
        self.journey.server.call(&self.journey.lead, "POST", "/migration/webhooks/dns-applied", body)
    }

    /// Statements on the database, past everything that guards it.
    fn sql(&self, statements: &str) {
        let file = self.journey.server.dir.path().join("data/gatepost.db");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let options = SqliteConnectOptions::new().filename(file).busy_timeout(Duration::from_secs(60));
            let mut conn = SqliteConnection::connect_with(&options).await.expect("the database opens");
            // All at once: what looks at the jobs now and then must not see a half of it.
            let statements = format!("BEGIN IMMEDIATE; {statements} COMMIT;");
            sqlx::raw_sql(sqlx::AssertSqlSafe(statements)).execute(&mut conn).await.expect("it is done");
            conn.close().await.expect("the database closes");
        });
    }

    fn finals(&self) -> Vec<Value> {
        let runs = self.journey.get(&self.journey.path("/runs?per_page=200"));
        let runs = runs["items"].as_array().expect("a list").clone();
        runs.into_iter().filter(|run| run["run_type"] == "final").collect()
    }
}

fn kinds(cutover: &Value) -> Vec<String> {
    cutover["findings"].as_array().expect("a list").iter().map(|finding| text(&finding["kind"])).collect()
}

#[test]
fn the_old_values_are_kept_and_the_change_is_followed_to_every_resolver() {
    let scene = scene(&[]);
    let journey = &scene.journey;
    journey.server.get(&journey.technician, &journey.path("/dns/rollback")).problem(404, "not_found");
    let before = scene.read();
    assert_eq!(before["latest"]["moment"], "before", "{before:#}");
    assert_eq!(before["ttl"]["ttl"], 86_400);
    for kind in ["mx_ttl", "clients_old"] {
        assert!(kinds(&before).contains(&kind.to_owned()), "no {kind}: {before:#}");
    }

    scene.dns.set(DOMAIN, "MX", 300, &["10 mx.old.example."]);
    assert_eq!(scene.read()["ttl"]["ttl"], 300);
    scene.open();
    scene.applied(&json!({"domain": " Move.Example. ", "mx": "MX.New.Example."})).expect(200);
    let at = wait_for("the reading at the cutover", || {
        Some(scene.cutover()).filter(|cutover| cutover["latest"]["moment"] == "cutover")
    });
    assert_eq!(at["settings"]["new_mx"], json!(["mx.new.example"]));
    assert_eq!(at["propagation"][0]["spread"], "old", "{at:#}");
    assert!(number(&at["ttl"]["seconds_left"]) > 80_000, "a cache may have fetched the long TTL before: {at:#}");

    scene.dns.set(DOMAIN, "MX", 300, &["10 mx.new.example."]);
    let after = scene.read();
    assert_eq!((&after["latest"]["moment"], &after["propagation"][0]["spread"]), (&json!("after"), &json!("new")));
    assert_eq!(after["before"]["answers"].as_array().map(Vec::is_empty), Some(false));
    scene.dns.mischief(Some(Mischief::ServFail));
    let broken = scene.read();
    assert_eq!(broken["propagation"][0]["spread"], "unknown", "{broken:#}");
    assert!(kinds(&broken).contains(&"no_answer".to_owned()));
    scene.dns.mischief(None);
    scene.read();

    let sheet = journey.get(&journey.path("/dns/rollback"));
    let data = |records: &Value| -> Vec<String> {
        records.as_array().expect("a list").iter().map(|record| text(&record["data"])).collect()
    };
    assert_eq!(data(&sheet["records"]), ["10 mx.old.example."]);
    assert_eq!(data(&sheet["remove"]), ["10 mx.new.example."]);
    let zone = journey.server.get(&journey.technician, &journey.path("/dns/rollback?format=zone")).expect(200);
    assert!(zone.text.contains("\nmove.example. 300 IN MX 10 mx.old.example.\n"), "{}", zone.text);
    assert_eq!(zone.header("content-disposition"), "attachment; filename=\"move.example.rollback.zone\"");
    assert!(!journey.audit("dns.read").is_empty() && journey.audit("dns.applied").len() == 1);
}

#[test]
fn the_change_is_recorded_once_and_only_through_an_open_gate() {
    let scene = scene(&[("GATEPOST_DNS_RESOLVERS", "none")]);
    let journey = &scene.journey;
    journey.post(&journey.path("/dns"), &Value::Null).problem(409, "no_resolvers");
    scene.applied(&json!({"domain": DOMAIN})).problem(409, "gate_shut");
    scene.open();
    let technician = journey.post("/migration/webhooks/dns-applied", &json!({"domain": DOMAIN}));
    technician.problem(403, "forbidden");
    for wrong in ["2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "yesterday"] {
        let problem = scene.applied(&json!({"domain": DOMAIN, "applied_at": wrong})).problem(422, "invalid");
        assert_eq!(problem["errors"][0]["field"], "applied_at", "{problem}");
    }
    scene.applied(&json!({"domain": DOMAIN, "mx": "10 mx.new.example"})).problem(422, "invalid");
    scene.applied(&json!({"domain": "nobody.example"})).problem(409, "gate_shut");
    // Ten hours pass between the job's opening and the gate's.
    let ago = |minutes: i64| format!("strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-{minutes} minutes')");
    scene.sql(&format!("UPDATE migration_jobs SET created_at = {};", ago(600)));
    let told = |minutes: i64| {
        let at = time::OffsetDateTime::now_utc() - time::Duration::minutes(minutes);
        at.format(&time::format_description::well_known::Rfc3339).expect("a time")
    };
    let problem = scene.applied(&json!({"domain": DOMAIN, "applied_at": told(300)})).problem(422, "invalid");
    assert!(text(&problem["errors"][0]["message"]).contains("before the gate opened"), "{problem}");
    assert!(journey.job()["dns_cutover_at"].is_null());
    scene.sql(&format!("UPDATE migration_gate_history SET at = {};", ago(500)));
    let (told, received) = (told(300), told(0));
    scene.applied(&json!({"domain": DOMAIN, "applied_at": told})).expect(200);
    assert_eq!(text(&journey.job()["dns_cutover_at"])[..19], told[..19], "it is kept as it was told");
    let quiet = text(&scene.cutover()["stragglers"]["quiet_since"]);
    assert!(quiet[..19] >= received[..19], "quiet hours begin when it is told: {quiet}");
    let at = text(&journey.job()["dns_cutover_at"]);
    scene.applied(&json!({"domain": DOMAIN, "mx": "mx.other.example"})).expect(200);
    assert_eq!(text(&journey.job()["dns_cutover_at"]), at, "saying it again changes nothing");
    assert_eq!(journey.audit("dns.applied").len(), 1);
    assert_eq!(journey.job()["phase"], "dns_cutover");
    drop(scene.new);
}

#[test]
fn a_signed_webhook_is_taken_once_and_forged_stale_or_replayed_ones_change_nothing() {
    let scene = scene(&[("GATEPOST_DNS_RESOLVERS", "none"), ("GATEPOST_DNS_WEBHOOK_SECRET", SECRET)]);
    let journey = &scene.journey;
    scene.open();
    let issue = || {
        let wizard = json!({"scopes": ["dns:write"], "name": "wizard"});
        let wizard = journey.server.call(&journey.admin, "POST", "/tokens", &wizard).expect(201).json();
        format!("Bearer {}", text(&wizard["secret"]))
    };
    let (bearer, other_bearer) = (issue(), issue());
    let send_as = |bearer: &str, id: &str, at: i64, signature: &str, body: &str| {
        let at = at.to_string();
        let mut headers = vec![("authorization", bearer), ("content-type", "application/json")];
        for (name, value) in [("webhook-id", id), ("webhook-timestamp", &at), ("webhook-signature", signature)] {
            if !value.is_empty() {
                headers.push((name, value));
            }
        }
        journey.server.send("POST", "/api/v1/migration/webhooks/dns-applied", &headers, body)
    };
    let send = |id: &str, at: i64, signature: &str, body: &str| send_as(&bearer, id, at, signature, body);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock").as_secs();
    let now = i64::try_from(now).expect("a clock");
    let body = json!({"domain": DOMAIN, "mx": "mx.new.example"}).to_string();
    let other = json!({"domain": "other.example"}).to_string();
    let signed = |id: &str, at: i64, body: &str| sign(id, at, body);
    for (what, reply) in [
        ("missing", send("", now, "", &body)),
        ("forged", send("msg_1", now, "v1,AAAA", &body)),
        ("of another message", send("msg_1", now, &signed("msg_2", now, &body), &body)),
        ("of another body", send("msg_1", now, &signed("msg_1", now, &body), &other)),
        ("stale", send("msg_1", now - 400, &signed("msg_1", now - 400, &body), &body)),
        ("of tomorrow", send("msg_1", now + 86_400, &signed("msg_1", now + 86_400, &body), &body)),
    ] {
        assert_eq!(reply.status, 401, "{what}: {reply:?}");
    }
    assert!(journey.job()["dns_cutover_at"].is_null());
    let without_token = journey.server.send(
        "POST",
        "/api/v1/migration/webhooks/dns-applied",
        &[
            ("content-type", "application/json"),
            ("webhook-id", "msg_1"),
            ("webhook-timestamp", &now.to_string()),
            ("webhook-signature", &signed("msg_1", now, &body)),
        ],
        &body,
    );
    without_token.problem(401, "unauthorized");

    let first = send("msg_1", now, &signed("msg_1", now, &body), &body).expect(200).json();
    let again = send("msg_1", now + 1, &signed("msg_1", now + 1, &body), &body).expect(200).json();
    assert_eq!((&first["job_id"], &first["gate"]), (&again["job_id"], &again["gate"]));
    assert_eq!(journey.audit("dns.applied").len(), 1);
    let moved = json!({"domain": DOMAIN, "mx": "mx.evil.example"}).to_string();
    send("msg_1", now, &signed("msg_1", now, &moved), &moved).problem(409, "webhook_id_reused");
    send_as(&other_bearer, "msg_1", now, &signed("msg_1", now, &moved), &moved).expect(200);
    // However the job stands by now, what came before gets its answer.
    scene.sql("UPDATE migration_jobs SET phase = 'closed';");
    let late = send("msg_1", now, &signed("msg_1", now, &body), &body).expect(200).json();
    assert_eq!((&late["job_id"], &late["dns_allowed"]), (&first["job_id"], &json!(false)));
    send("msg_2", now, &signed("msg_2", now, &body), &body).problem(409, "gate_shut");
    assert_eq!(scene.cutover()["settings"]["new_mx"], json!(["mx.new.example"]));
    assert!(!journey.server.stdout().contains(SECRET));
}

/// The scheme of Standard Webhooks, written out independently of the program.
fn sign(id: &str, at: i64, body: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use hmac::{Hmac, Mac as _};
    let key = STANDARD.decode(&SECRET[6..]).expect("Base64");
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&key).expect("any length is a key");
    mac.update(format!("{id}.{at}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[test]
fn stragglers_are_fetched_until_the_old_server_has_been_quiet() {
    let scene = scene(&[("GATEPOST_DNS_RESOLVERS", "none")]);
    let journey = &scene.journey;
    let put = |body: &Value| journey.server.call(&journey.technician, "PUT", &journey.path("/dns/settings"), body);
    for (field, wrong) in [
        ("straggler_minutes", json!({"straggler_minutes": 4})),
        ("quiet_hours", json!({"quiet_hours": 0})),
        ("new_mx", json!({"new_mx": ["a b"]})),
        ("dkim_selectors", json!({"dkim_selectors": ["s1._domainkey.x y"]})),
    ] {
        let problem = put(&wrong).problem(422, "invalid");
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    put(&json!({"straggler_minutes": 5, "quiet_hours": 1})).expect(200);
    scene.open();
    scene.applied(&json!({"domain": DOMAIN})).expect(200);
    deliver(&scene.old.account(USER), [letter("INBOX", "straggler", &[])]);
    assert!(scene.finals().is_empty(), "nothing is due for five minutes");

    // Time passes: the change was made, and told, ten minutes ago.
    let back = |minutes: i64| format!("strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-{minutes} minutes')");
    scene.sql(&format!("UPDATE migration_jobs SET dns_cutover_at = {0}, dns_cutover_told_at = {0};", back(10)));
    let run = wait_for("a run by itself", || scene.finals().first().map(|run| number(&run["id"])));
    let run = journey.ended(run);
    assert_eq!((stat(&run, "transferred"), &run["triggered_by"]), (1, &json!("worker")), "{run:#}");
    let cutover = scene.cutover();
    assert_eq!(journey.job()["phase"], "final_sync", "the old server is not quiet yet: {cutover:#}");
    assert_eq!(cutover["stragglers"]["messages"], 1);
    assert!(cutover["stragglers"]["newest_at"].is_string(), "{cutover:#}");

    // Two hours later nothing has come.
    scene.sql(&format!(
        "UPDATE migration_jobs SET dns_cutover_at = {long}, dns_cutover_told_at = {long}, last_new_at = {long};
         UPDATE migration_messages SET first_seen_at = {long};
         UPDATE migration_runs SET queued_at = {long}, finished_at = {short} WHERE run_type = 'final';",
        long = back(120),
        short = back(70),
    ));
    wait_for("the end of the job", || (journey.job()["phase"] == "verified").then_some(()));
    assert_eq!(scene.finals().len(), 2, "one brought the straggler, one found nothing");
}
