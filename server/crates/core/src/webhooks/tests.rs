use super::{address::names_host, check_url, events, noted, origin};
use crate::testing;
use gatepost_contract::{
    DeliveryFilter, Gate, Job, JobId, PageQuery, Phase, RunStatus, RunType, Tool, Webhook, WebhookDelivery,
    WebhookEvent, WebhookId,
};
use gatepost_store::{Conn, Store, jobs, runs, tenants, webhook_deliveries, webhooks};
use serde_json::Value;

const NOW: &str = "2026-11-21T04:12:00.000Z";

async fn job(conn: &mut Conn) -> Job {
    let tenant = tenants::insert(conn, "Example Ltd", NOW).await.unwrap();
    let id = jobs::insert(conn, &testing::job(tenant), NOW).await.unwrap();
    jobs::get(conn, id).await.unwrap().unwrap()
}

async fn hook(conn: &mut Conn, events: &[WebhookEvent]) -> WebhookId {
    let new = webhooks::NewWebhookRow {
        origin: "https://hooks.example",
        url_blob: b"sealed",
        description: "",
        events,
        secret_blob: b"sealed",
        created_by: "admin",
    };
    webhooks::insert(conn, &new, NOW).await.unwrap()
}

async fn told(conn: &mut Conn, webhook: WebhookId) -> Vec<WebhookDelivery> {
    let page = PageQuery { sort: Some("id".into()), ..PageQuery::default() };
    webhook_deliveries::list(conn, webhook, &DeliveryFilter::default(), &page).await.unwrap().items
}

fn body(delivery: &WebhookDelivery) -> Value {
    serde_json::from_str(&delivery.payload).unwrap()
}

#[tokio::test]
async fn a_gate_that_opens_or_shuts_is_told_and_other_changes_are_not() {
    let store = Store::in_memory().await.unwrap();
    let mut tx = store.begin().await.unwrap();
    let mut job = job(&mut tx).await;
    let both = hook(&mut tx, &[WebhookEvent::GateReady, WebhookEvent::GateRevoked]).await;
    for (from, to, expect) in [
        (Gate::Blocked, Gate::Warning, None),
        (Gate::Warning, Gate::ReadyForDns, Some("migration.gate_ready")),
        (Gate::ReadyForDns, Gate::ReadyForDns, None),
        (Gate::ReadyForDns, Gate::Warning, Some("migration.gate_revoked")),
        (Gate::Warning, Gate::Blocked, None),
        (Gate::Blocked, Gate::ReadyForDns, Some("migration.gate_ready")),
        (Gate::ReadyForDns, Gate::Blocked, Some("migration.gate_revoked")),
    ] {
        let before = told(&mut tx, both).await.len();
        job.migration_gate = from;
        events::gate_changed(&mut tx, &job, to, "because").await.unwrap();
        let now = told(&mut tx, both).await;
        assert_eq!(now.len() - before, usize::from(expect.is_some()), "{from} to {to}");
        if let Some(event) = expect {
            let body = body(now.last().unwrap());
            assert_eq!(body["type"], event);
            let data = &body["data"];
            assert_eq!((data["domain"].as_str(), data["reason"].as_str()), (Some("example.com"), Some("because")));
            assert_eq!(data["gate"], to.as_str());
            assert_eq!(data["previous_gate"], from.as_str());
            assert_eq!(data["dns_allowed"], to == Gate::ReadyForDns);
            assert_eq!(data["job_id"], job.id.0);
        }
    }
}

#[tokio::test]
async fn only_webhooks_that_want_an_event_are_told_and_all_under_one_message_id() {
    let store = Store::in_memory().await.unwrap();
    let mut tx = store.begin().await.unwrap();
    let job = job(&mut tx).await;
    let one = hook(&mut tx, &[WebhookEvent::PhaseChanged]).await;
    let two = hook(&mut tx, &[WebhookEvent::PhaseChanged, WebhookEvent::GateReady]).await;
    let other = hook(&mut tx, &[WebhookEvent::GateReady]).await;
    let off = hook(&mut tx, &[WebhookEvent::PhaseChanged]).await;
    webhooks::disable(&mut tx, off, NOW).await.unwrap();
    events::phase_changed(&mut tx, &job, Phase::Preflight, "it began").await.unwrap();
    let (first, second) = (told(&mut tx, one).await, told(&mut tx, two).await);
    assert_eq!((first.len(), second.len()), (1, 1));
    assert_eq!(first[0].message_id, second[0].message_id);
    assert_eq!((first[0].job_id, first[0].event), (Some(job.id), WebhookEvent::PhaseChanged));
    let body = body(&first[0]);
    assert_eq!(
        (body["data"]["previous_phase"].as_str(), body["data"]["phase"].as_str()),
        (Some("discovered"), Some("preflight"))
    );
    assert!(body["timestamp"].as_str().is_some_and(|at| at.ends_with('Z')), "{body}");
    assert_eq!(told(&mut tx, other).await, []);
    assert_eq!(told(&mut tx, off).await, []);
}

#[tokio::test]
async fn nothing_is_told_of_a_change_that_was_undone() {
    let store = Store::in_memory().await.unwrap();
    let mut tx = store.begin().await.unwrap();
    let job = job(&mut tx).await;
    let webhook = hook(&mut tx, &[WebhookEvent::PhaseChanged]).await;
    tx.commit().await.unwrap();
    let mut tx = store.begin().await.unwrap();
    events::phase_changed(&mut tx, &job, Phase::Preflight, "it began").await.unwrap();
    assert_eq!(told(&mut tx, webhook).await.len(), 1);
    tx.rollback().await.unwrap();
    assert_eq!(told(&mut store.reader().await.unwrap(), webhook).await, []);
}

#[tokio::test]
async fn the_end_of_a_run_is_told_with_its_figures() {
    let store = Store::in_memory().await.unwrap();
    let mut tx = store.begin().await.unwrap();
    let job = job(&mut tx).await;
    let webhook = hook(&mut tx, &[WebhookEvent::RunFinished]).await;
    let id = run(&mut tx, job.id).await;
    runs::claim(&mut tx, "w", NOW, 0, 60, &[]).await.unwrap().unwrap();
    let finish = runs::Finish {
        status: RunStatus::Partial,
        exit_code: Some(3),
        stats_json: r#"{"transferred": 7}"#,
        summary: "7 of 8 messages were copied.",
        idle: false,
    };
    assert!(runs::finish(&mut tx, id, "w", &finish, NOW).await.unwrap());
    events::run_finished(&mut tx, id).await.unwrap();
    let told = told(&mut tx, webhook).await;
    let body = body(&told[0]);
    assert_eq!(body["type"], "migration.run_finished");
    assert_eq!(body["data"]["domain"], "example.com");
    let run = &body["data"]["run"];
    assert_eq!((run["id"].as_i64(), run["status"].as_str()), (Some(id.0), Some("partial")));
    assert_eq!((run["exit_code"].as_i64(), run["stats"]["transferred"].as_i64()), (Some(3), Some(7)));
    assert_eq!(run["summary"], "7 of 8 messages were copied.");
}

async fn run(conn: &mut Conn, job_id: JobId) -> gatepost_contract::RunId {
    let new = runs::NewRun {
        job_id,
        mailbox_id: None,
        run_type: RunType::Delta,
        tool: Tool::Native,
        triggered_by: "1",
        params_json: "{}",
    };
    runs::enqueue(conn, &new, NOW).await.unwrap()
}

#[test]
fn a_url_must_be_https_and_lead_to_the_internet_unless_the_settings_name_its_host() {
    let allowed = ["desk.local", "10.1.2.3", "10.7.0.0/16"].map(String::from);
    for (given, kept) in [
        ("https://hooks.example/a?b=c", "https://hooks.example/a?b=c"),
        ("HTTPS://Hooks.EXAMPLE", "https://hooks.example/"),
        ("https://bücher.example/x", "https://xn--bcher-kva.example/x"),
        ("https://8.8.8.8:8443/x", "https://8.8.8.8:8443/x"),
        ("http://desk.local/x", "http://desk.local/x"),
        ("http://10.1.2.3:8080/x", "http://10.1.2.3:8080/x"),
        ("https://10.1.2.3/x", "https://10.1.2.3/x"),
        ("https://10.7.0.1/x", "https://10.7.0.1/x"),
    ] {
        assert_eq!(check_url(given, &allowed).as_deref(), Ok(kept));
    }
    for (bad, says) in [
        ("hooks.example", "is no URL"),
        ("https://", "is no URL"),
        ("ftp://hooks.example/", "https://"),
        ("file:///etc/passwd", "https://"),
        ("http://hooks.example/", "hooks.example is not one"),
        ("http://10.7.0.1/", "10.7.0.1 is not one"),
        ("https://ana:secret@hooks.example/", "user or a password"),
        ("https://hooks.example/#part", "fragment"),
        ("https://hooks.example:0/", "port 0"),
        ("https://localhost/", "private"),
        ("https://a.localhost./", "private"),
        ("https://127.0.0.1/", "private"),
        ("https://2130706433/", "private"),
        ("https://0x7f.1/", "private"),
        ("https://[::1]/", "private"),
        ("https://[::ffff:10.0.0.1]/", "private"),
        ("https://169.254.169.254/latest/meta-data/", "private"),
        ("https://10.1.2.4/", "private"),
    ] {
        let why = check_url(bad, &allowed).expect_err(bad);
        assert!(why.contains(says), "{bad}: {why}");
        assert!(!why.contains("secret"), "{why}");
    }
    assert!(!names_host(&allowed, "hooks.example"));
}

#[test]
fn the_audit_log_keeps_no_path_of_a_receiver() {
    let webhook = Webhook {
        id: WebhookId(1),
        origin: origin("https://hooks.example:8443/services/planted?token=planted"),
        description: "the wizard".into(),
        events: vec![WebhookEvent::GateReady],
        disabled: false,
        old_secret_until: None,
        waiting: 0,
        last_attempt_at: None,
        last_error: None,
        created_by: String::new(),
        created_at: String::new(),
        updated_at: String::new(),
    };
    let noted = noted(&webhook).to_string();
    assert!(noted.contains("https://hooks.example:8443") && !noted.contains("planted"), "{noted}");
}
