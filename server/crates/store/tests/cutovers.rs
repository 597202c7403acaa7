//! Cutovers: DNS readings, settings, and which jobs have stragglers to fetch.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::{NOW, folder, job, mailbox, message, store};
use gatepost_contract::{CutoverSettings, DnsMoment, DnsSnapshot, PauseScope, Phase, RunStatus, RunType, Tool};
use gatepost_store::{cutovers, dns_snapshots, jobs, messages, pauses, runs, webhook_receipts};

const HOUR_LATER: &str = "2026-11-21T05:12:00.000Z";
const DAY_LATER: &str = "2026-11-22T04:12:00.000Z";

fn snapshot(moment: DnsMoment, at: &str) -> DnsSnapshot {
    DnsSnapshot {
        id: None,
        domain: "example.org".into(),
        taken_at: at.into(),
        moment,
        taken_by: "ana".into(),
        resolvers: Vec::new(),
        answers: Vec::new(),
    }
}

#[tokio::test]
async fn readings_come_back_as_they_were_and_only_the_newest_are_kept_beside_the_first() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let job = job(&mut tx, "example.org").await;
    assert_eq!(dns_snapshots::latest(&mut tx, job).await.unwrap(), None);
    let first = dns_snapshots::insert(&mut tx, job, &snapshot(DnsMoment::Before, NOW), Some(86_400)).await.unwrap();
    for n in 0..60 {
        let at = format!("2026-11-21T06:{n:02}:00.000Z");
        dns_snapshots::insert(&mut tx, job, &snapshot(DnsMoment::Before, &at), Some(300)).await.unwrap();
    }
    let last = dns_snapshots::insert(&mut tx, job, &snapshot(DnsMoment::After, DAY_LATER), None).await.unwrap();
    let all = dns_snapshots::list(&mut tx, job).await.unwrap();
    assert_eq!(all.len(), 1 + 50 + 1);
    assert_eq!((all[0].id, all[0].moment, all[0].mx_ttl), (last, DnsMoment::After, None));
    let oldest = all.last().unwrap();
    assert_eq!((oldest.id, oldest.at.as_str(), oldest.mx_ttl), (first, NOW, Some(86_400)));
    let latest = dns_snapshots::latest(&mut tx, job).await.unwrap().unwrap();
    assert_eq!(latest, DnsSnapshot { id: Some(last), ..snapshot(DnsMoment::After, DAY_LATER) });
    assert_eq!(dns_snapshots::get(&mut tx, first).await.unwrap().unwrap().taken_at, NOW);
}

#[tokio::test]
async fn settings_are_the_usual_ones_until_they_are_written() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let job = job(&mut tx, "example.org").await;
    assert_eq!(cutovers::settings(&mut tx, job).await.unwrap(), Some(CutoverSettings::default()));
    let settings = CutoverSettings {
        straggler_minutes: Some(15),
        quiet_hours: 48,
        new_mx: vec!["mx1.new.example".into(), "mx2.new.example".into()],
        dkim_selectors: vec!["s1".into()],
    };
    cutovers::put_settings(&mut tx, job, &settings, NOW).await.unwrap();
    assert_eq!(cutovers::settings(&mut tx, job).await.unwrap(), Some(settings));
    assert_eq!(cutovers::settings(&mut tx, gatepost_contract::JobId(99)).await.unwrap(), None);
}

#[tokio::test]
async fn a_job_straggles_after_its_cutover_while_it_is_asked_to_and_nothing_is_at_work() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let job = job(&mut tx, "example.org").await;
    let mailbox = mailbox(&mut tx, job, "ana@example.org").await;
    let settings = CutoverSettings { straggler_minutes: Some(15), ..CutoverSettings::default() };
    cutovers::put_settings(&mut tx, job, &settings, NOW).await.unwrap();
    let mut phase = Phase::Discovered;
    for to in [Phase::Preflight, Phase::InitialSync, Phase::DeltaSync] {
        assert!(cutovers::unread(&mut tx, 9).await.unwrap().is_empty(), "in {phase} there is time");
        assert!(jobs::set_phase(&mut tx, job, phase, to, None, NOW).await.unwrap());
        phase = to;
    }
    assert_eq!(cutovers::unread(&mut tx, 9).await.unwrap(), [job]);
    dns_snapshots::insert(&mut tx, job, &snapshot(DnsMoment::Before, NOW), None).await.unwrap();
    assert!(cutovers::unread(&mut tx, 9).await.unwrap().is_empty());
    assert!(cutovers::straggling(&mut tx, DAY_LATER).await.unwrap().is_empty());
    for to in [Phase::CutoverReady, Phase::DnsCutover] {
        assert!(jobs::set_phase(&mut tx, job, phase, to, None, NOW).await.unwrap());
        phase = to;
    }
    assert_eq!(cutovers::told_at(&mut tx, job).await.unwrap(), None);
    jobs::set_dns_cutover(&mut tx, job, NOW, HOUR_LATER).await.unwrap();
    assert_eq!(cutovers::told_at(&mut tx, job).await.unwrap().as_deref(), Some(HOUR_LATER));
    let found = cutovers::straggling(&mut tx, DAY_LATER).await.unwrap();
    assert_eq!((found.len(), found[0].minutes, found[0].last_final_at.as_deref()), (1, 15, None));

    let run = runs::NewRun {
        job_id: job,
        mailbox_id: Some(mailbox),
        run_type: RunType::Final,
        tool: Tool::Native,
        triggered_by: "worker",
        params_json: "{}",
    };
    let id = runs::enqueue(&mut tx, &run, HOUR_LATER).await.unwrap();
    assert!(cutovers::straggling(&mut tx, DAY_LATER).await.unwrap().is_empty(), "a run is at work");
    let everything = pauses::NewPauseRow {
        scope: PauseScope::Everything,
        job_id: None,
        wave_id: None,
        host: None,
        reason: "",
        paused_by: "cli",
    };
    let pause = pauses::insert(&mut tx, &everything, HOUR_LATER).await.unwrap();
    assert_eq!(cutovers::straggling(&mut tx, DAY_LATER).await.unwrap().len(), 1, "it rests");
    pauses::delete(&mut tx, pause).await.unwrap();
    runs::claim(&mut tx, "here", HOUR_LATER, 0, 60, &[]).await.unwrap();
    let end = runs::Finish {
        status: RunStatus::Success,
        exit_code: Some(0),
        stats_json: r#"{"transferred": 3}"#,
        summary: "",
        idle: false,
    };
    assert!(runs::finish(&mut tx, id, "here", &end, HOUR_LATER).await.unwrap());
    let found = cutovers::straggling(&mut tx, DAY_LATER).await.unwrap();
    assert_eq!(found[0].last_final_at.as_deref(), Some(HOUR_LATER));
    assert_eq!(cutovers::last_final_at(&mut tx, job, HOUR_LATER).await.unwrap().as_deref(), Some(HOUR_LATER));
    let found = cutovers::straggling(&mut tx, NOW).await.unwrap();
    assert_eq!(found[0].last_final_at, None, "that time is further ahead than any clock may be");
    assert_eq!(cutovers::last_final_at(&mut tx, job, NOW).await.unwrap(), None);
    let fetched = cutovers::fetched(&mut tx, job, NOW).await.unwrap();
    assert_eq!((fetched.messages, fetched.last_run_at.as_deref()), (3, Some(HOUR_LATER)));
    assert_eq!(cutovers::fetched(&mut tx, job, DAY_LATER).await.unwrap().messages, 0);

    cutovers::put_settings(&mut tx, job, &CutoverSettings::default(), NOW).await.unwrap();
    assert!(cutovers::straggling(&mut tx, DAY_LATER).await.unwrap().is_empty(), "nobody asked for it");
}

#[tokio::test]
async fn the_newest_message_of_any_folder_tells_when_the_source_was_last_busy() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let job = job(&mut tx, "example.org").await;
    let mailbox = mailbox(&mut tx, job, "ana@example.org").await;
    let folder = folder(&mut tx, mailbox).await;
    assert_eq!(cutovers::newest_seen(&mut tx, job).await.unwrap(), None);
    messages::add(&mut tx, folder, &[message(1), message(2)], NOW).await.unwrap();
    assert_eq!(cutovers::newest_seen(&mut tx, job).await.unwrap().as_deref(), Some(NOW));
    messages::add(&mut tx, folder, &[message(3)], DAY_LATER).await.unwrap();
    assert_eq!(cutovers::newest_seen(&mut tx, job).await.unwrap().as_deref(), Some(DAY_LATER));
    cutovers::note_newest(&mut tx, job).await.unwrap();
    messages::vanished(&mut tx, folder, &[3]).await.unwrap();
    cutovers::note_newest(&mut tx, job).await.unwrap();
    let newest = cutovers::newest_seen(&mut tx, job).await.unwrap();
    assert_eq!(newest.as_deref(), Some(DAY_LATER), "it was seen, though it is gone");
}

#[tokio::test]
async fn a_time_that_a_clock_ahead_has_written_gives_way_once_to_the_present() {
    const AHEAD: &str = "2099-01-01T00:00:00.000Z";
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let (job, other) = (job(&mut tx, "example.org").await, job(&mut tx, "example.net").await);
    for (of, email) in [(job, "ana@example.org"), (other, "rui@example.net")] {
        let mailbox = mailbox(&mut tx, of, email).await;
        let folder = folder(&mut tx, mailbox).await;
        messages::add(&mut tx, folder, &[message(1)], HOUR_LATER).await.unwrap();
        messages::add(&mut tx, folder, &[message(2)], AHEAD).await.unwrap();
        cutovers::note_newest(&mut tx, of).await.unwrap();
    }
    let mut newest = async |of, believed: &str, now: &str| {
        cutovers::settle_newest(&mut tx, of, believed, now).await.unwrap();
        cutovers::newest_seen(&mut tx, of).await.unwrap()
    };
    assert_eq!(newest(job, AHEAD, DAY_LATER).await.as_deref(), Some(AHEAD), "so far ahead a clock may be");
    assert_eq!(newest(job, DAY_LATER, DAY_LATER).await.as_deref(), Some(DAY_LATER));
    let later = "2026-11-23T04:12:00.000Z";
    assert_eq!(newest(job, later, later).await.as_deref(), Some(DAY_LATER), "it is not seen anew each time");
    assert_eq!(cutovers::newest_seen(&mut tx, other).await.unwrap().as_deref(), Some(AHEAD), "another job is another");
}

#[tokio::test]
async fn a_webhooks_id_is_remembered_with_what_it_said_and_forgotten_in_time() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let (wizard, other) = ("token/1", "token/2");
    webhook_receipts::put(&mut tx, wizard, "msg_1", "aa", NOW, "2026-01-01T00:00:00.000Z").await.unwrap();
    webhook_receipts::put(&mut tx, wizard, "msg_1", "bb", NOW, "2026-01-01T00:00:00.000Z").await.unwrap();
    assert_eq!(webhook_receipts::get(&mut tx, wizard, "msg_1").await.unwrap().as_deref(), Some("aa"));
    assert_eq!(webhook_receipts::get(&mut tx, other, "msg_1").await.unwrap(), None, "senders choose ids by themselves");
    webhook_receipts::put(&mut tx, other, "msg_1", "dd", NOW, "2026-01-01T00:00:00.000Z").await.unwrap();
    assert_eq!(webhook_receipts::get(&mut tx, other, "msg_1").await.unwrap().as_deref(), Some("dd"));
    webhook_receipts::put(&mut tx, wizard, "msg_2", "cc", DAY_LATER, HOUR_LATER).await.unwrap();
    assert_eq!(webhook_receipts::get(&mut tx, wizard, "msg_1").await.unwrap(), None);
    assert_eq!(webhook_receipts::get(&mut tx, wizard, "msg_2").await.unwrap().as_deref(), Some("cc"));
}
