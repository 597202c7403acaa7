use super::*;
use crate::schedules::tests::stage::Stage;
use gatepost_contract::{JobId, MailboxStatus, NewWave, Role, UserId};
use gatepost_store::{
    budgets::Usage,
    mailboxes,
    metric_samples::{self, FINE, Fold, Sample},
};
use time::{Duration, macros::datetime};

const NOON: OffsetDateTime = datetime!(2027-06-01 12:00 UTC);

fn shown<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    text.lines().filter(|l| l.starts_with(&format!("{name}{{")) || l.starts_with(&format!("{name} "))).collect()
}

#[tokio::test]
async fn a_host_is_shown_on_the_day_on_which_it_was_asked_and_not_on_the_next() {
    let stage = Stage::set(NOON).await;
    let spend = async |host: &str, day: &str, downloaded| {
        let mut tx = stage.gatepost.store().begin().await.unwrap();
        budgets::spend(&mut tx, host, day, Usage { downloaded, uploaded: 1 }).await.unwrap();
        tx.commit().await.unwrap();
    };
    let today = async |now| {
        let text = stage.gatepost.named_measurements(now).await.unwrap();
        shown(&text, "gatepost_host_bytes_today").into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    for n in 0..80 {
        spend(&format!("h{n}.example"), "2027-06-01", 1_000 + n).await;
    }
    spend("h7.example rui@move.example", "2027-06-01", 5_000).await;
    let lines = today(NOON).await;
    assert_eq!(lines.len(), 2 * HOSTS, "no more hosts than there is room for");
    assert_eq!(lines[0], "gatepost_host_bytes_today{host=\"h7.example\",direction=\"read\"} 6007");
    assert!(!lines.iter().any(|line| line.contains('@') || line.contains("h8.example")), "{lines:?}");

    let midnight = datetime!(2027-06-02 00:00 UTC);
    assert!(today(midnight).await.is_empty(), "what is of yesterday is not shown as of today");
    spend("h8.example", "2027-06-02", 3).await;
    assert_eq!(
        today(midnight).await,
        [
            "gatepost_host_bytes_today{host=\"h8.example\",direction=\"read\"} 3",
            "gatepost_host_bytes_today{host=\"h8.example\",direction=\"written\"} 1"
        ]
    );
}

#[tokio::test]
async fn hosts_without_a_budget_are_shown_with_what_they_moved_in_a_day_as_on_the_dashboard() {
    let stage = Stage::set(NOON).await;
    let mut tx = stage.gatepost.store().begin().await.unwrap();
    for n in 0..30 {
        let at = NOON.unix_timestamp() - FINE;
        let label = format!("h{n}.example");
        let sample = Sample { at, name: "bytes_read".into(), label, value: 100 + n };
        metric_samples::add(&mut tx, FINE, &sample, Fold::Sum).await.unwrap();
    }
    tx.commit().await.unwrap();
    let gatepost = &stage.gatepost;
    let lines = async |now| {
        let text = gatepost.named_measurements(now).await.unwrap();
        shown(&text, "gatepost_host_bytes_day").into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let by_page = gatepost.dashboard_at(&Actor::Worker, Default::default(), NOON).await.unwrap().hosts;
    let expect: Vec<_> = by_page
        .iter()
        .flat_map(|host| [("read", host.bytes_read), ("written", host.bytes_written)].map(|d| (&host.host, d)))
        .map(|(host, (way, n))| format!("gatepost_host_bytes_day{{host=\"{host}\",direction=\"{way}\"}} {n}"))
        .collect();
    assert_eq!(lines(NOON).await, expect);
    assert_eq!(expect.len(), 40);
    assert!(lines(NOON + Duration::days(2)).await.is_empty());
}

#[tokio::test]
async fn what_is_left_is_shown_for_all_for_waves_and_for_jobs_and_goes_when_it_is_done() {
    let stage = Stage::set(NOON).await;
    let (job, mailbox) = stage.job("move.example", &["old.example"], NOON).await;
    let settle = async |messages_dest, bytes_dest, status| {
        let mut tx = stage.gatepost.store().begin().await.unwrap();
        let counts = mailboxes::Counts { messages_source: 10, messages_dest, bytes_source: 1_000, bytes_dest };
        mailboxes::set_counts(&mut tx, mailbox[0], &counts, "2027-06-01T12:00:00.000Z").await.unwrap();
        mailboxes::set_status(&mut tx, mailbox[0], status, None, "2027-06-01T12:00:00.000Z").await.unwrap();
        tx.commit().await.unwrap();
    };
    let lead = Actor::User { id: UserId(1), email: "a@b".into(), name: String::new(), role: Role::OpsLead };
    let new = NewWave { name: "The \"first\" \\ wave".into(), job_ids: vec![job], ..NewWave::default() };
    let wave = stage.gatepost.create_wave(&lead, new).await.unwrap().id.0;
    settle(4, 400, MailboxStatus::Pending).await;
    let text = stage.gatepost.named_measurements(NOON).await.unwrap();
    let of_job = format!("{{job=\"{job}\",domain=\"move.example\"}}");
    let of_wave = format!("{{wave=\"{wave}\",name=\"The \\\"first\\\" \\\\ wave\"}}");
    for (end, value) in [
        ("messages_source", 10),
        ("messages_arrived", 4),
        ("messages_waived", 0),
        ("messages_left", 6),
        ("bytes_left", 600),
        ("bytes_per_second", 0),
    ] {
        assert_eq!(shown(&text, &format!("gatepost_all_{end}")), [format!("gatepost_all_{end} {value}")]);
        assert_eq!(shown(&text, &format!("gatepost_job_{end}")), [format!("gatepost_job_{end}{of_job} {value}")]);
        assert_eq!(shown(&text, &format!("gatepost_wave_{end}")), [format!("gatepost_wave_{end}{of_wave} {value}")]);
    }
    for of in ["all", "wave", "job"] {
        let name = format!("gatepost_{of}_eta_seconds");
        assert!(shown(&text, &name).is_empty() && text.contains(&format!("# TYPE {name} gauge\n")), "nothing moves");
    }
    settle(10, 1_000, MailboxStatus::Ok).await;
    let text = stage.gatepost.named_measurements(NOON).await.unwrap();
    assert!(!text.contains("move.example") && !text.contains("wave=\""), "{text}");
    assert_eq!(shown(&text, "gatepost_all_messages_left"), ["gatepost_all_messages_left 0"]);
}

#[test]
fn what_moves_comes_before_what_stands_still_the_fastest_first() {
    let job = |id, running, bytes_per_second, bytes_source| JobForecast {
        job_id: JobId(id),
        domain: String::new(),
        forecast: Forecast { running, bytes_per_second, bytes_source, ..Forecast::default() },
    };
    let mut all = [job(1, 0, 0.0, 9), job(2, 1, 5.0, 1), job(3, 0, 0.0, 90), job(4, 1, 50.0, 1), job(5, 1, 0.0, 1)];
    all.sort_by(busiest_first);
    assert_eq!(all.map(|job| job.job_id.0), [4, 2, 5, 3, 1]);
}
