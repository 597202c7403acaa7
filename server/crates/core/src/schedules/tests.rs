//! Days of schedules with a clock of their own, on a store of their own and without any mail.

use super::{tick::Look, *};
use crate::{Config, worker::endings::NoMail};
use gatepost_contract::{MailboxId, NewPause, PauseScope, RunStatus, RunType, Security, SourceType, Tool, WaveMembers};
use gatepost_store::{mailboxes, phase_history, runs, tenants, waves::WaveRow};
use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};
use time::{Duration, macros::datetime};

/// A worker that does every run at once.
const HAND: &str = "hand";

struct Stage {
    gatepost: Gatepost,
    dir: tempfile::TempDir,
}

impl Stage {
    /// The installation's schedule counts from this moment on.
    async fn set(at: OffsetDateTime) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let gatepost = Gatepost::open(Config::below(dir.path().to_owned()), Arc::new(NoMail)).await.unwrap();
        let stage = Self { gatepost, dir };
        let terms = Terms { jitter_minutes: 0, ..stage.gatepost.unwritten().terms };
        stage.schedule(Owner::Default, &terms, at).await;
        stage
    }

    async fn schedule(&self, owner: Owner, terms: &Terms, at: OffsetDateTime) -> ScheduleId {
        let mut tx = self.gatepost.store().begin().await.unwrap();
        let id = rows::put(&mut tx, owner, terms, "cli", &clock::text(at)).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// A job in delta_sync since a moment, with mailboxes on these hosts.
    async fn job(&self, domain: &str, hosts: &[&str], at: OffsetDateTime) -> (JobId, Vec<MailboxId>) {
        let at = clock::text(at);
        let mut tx = self.gatepost.store().begin().await.unwrap();
        let tenant = match tenants::by_name(&mut tx, "Example Ltd").await.unwrap() {
            Some(tenant) => tenant.id,
            None => tenants::insert(&mut tx, "Example Ltd", &at).await.unwrap(),
        };
        let new = jobs::NewJobRow {
            tenant_id: tenant,
            ticket_id: None,
            domain: domain.into(),
            source_server_label: String::new(),
            notes: String::new(),
            dest_imap_host: "imap.example".into(),
            dest_imap_port: 993,
            dest_imap_security: Security::Tls,
            dest_insecure_tls: false,
        };
        let job = jobs::insert(&mut tx, &new, &at).await.unwrap();
        assert!(jobs::set_phase(&mut tx, job, Phase::Discovered, Phase::DeltaSync, None, &at).await.unwrap());
        phase_history::add(&mut tx, job, Phase::InitialSync, Phase::DeltaSync, "cli", "a delta", &at).await.unwrap();
        let mut found = Vec::new();
        for (n, host) in hosts.iter().enumerate() {
            let new = mailboxes::NewMailboxRow {
                job_id: job,
                email: format!("m{n}@{domain}"),
                source_type: if *host == "file" { SourceType::Mbox } else { SourceType::Imap },
                tool: Tool::Native,
                source_host: Some((*host).to_owned()),
                source_port: Some(993),
                source_security: Some(Security::Tls),
                source_insecure_tls: false,
                source_user: None,
                source_admin: None,
                dest_user: None,
                dest_admin: None,
                path: None,
                folder_map: BTreeMap::new(),
            };
            found.push(mailboxes::insert(&mut tx, &new, &at).await.unwrap());
        }
        tx.commit().await.unwrap();
        (job, found)
    }

    /// The runs that wait end well, but for those of this job.
    async fn work(&self, now: OffsetDateTime, but: Option<JobId>) {
        let mut tx = self.gatepost.store().begin().await.unwrap();
        let done = runs::Finish { status: RunStatus::Success, exit_code: Some(0), stats_json: "{}", summary: "Done." };
        while let Some(run) =
            runs::claim(&mut tx, HAND, &clock::text(now), now.unix_timestamp(), 1_000_000).await.unwrap()
        {
            assert_eq!((run.run_type, run.triggered_by.as_str()), (RunType::Delta, "worker"));
            if Some(run.job_id) != but {
                runs::finish(&mut tx, run.id, HAND, &done, &clock::text(now)).await.unwrap();
            }
        }
        tx.commit().await.unwrap();
    }

    /// Every minute of so many hours, but for those in which Gatepost is down.
    async fn live(
        &self,
        from: OffsetDateTime,
        hours: i64,
        down: &[std::ops::Range<OffsetDateTime>],
        stuck: Option<JobId>,
    ) {
        for minute in 0..=hours * 60 {
            let now = from + Duration::minutes(minute);
            if down.iter().any(|down| down.contains(&now)) {
                continue;
            }
            self.gatepost.tend_schedules(now).await.unwrap();
            self.work(now, stuck).await;
        }
    }

    /// What became of every moment of a job, oldest first: `DD HH:MM state (runs) reason`.
    async fn told(&self, job: JobId) -> Vec<String> {
        let filter = OccurrenceFilter { job_id: Some(job), ..OccurrenceFilter::default() };
        let page = PageQuery { per_page: 200, sort: Some("due_at".into()), ..PageQuery::default() };
        let found = self.gatepost.occurrences(&Actor::Cli, filter, page).await.unwrap();
        let told = |one: &Occurrence| {
            let mut text = format!("{} {} {}", &one.due_at[8..10], &one.due_at[11..16], one.state);
            if one.runs > 0 {
                write!(text, " {}", one.runs).unwrap();
            }
            if let Some(reason) = &one.reason {
                write!(text, ": {reason}").unwrap();
            }
            text
        };
        found.items.iter().map(told).collect()
    }

    async fn queued(&self, job: JobId) -> usize {
        runs::active_for_job(&mut self.gatepost.store().reader().await.unwrap(), job).await.unwrap().len()
    }
}

fn terms(expression: &str, time_zone: &str, window: Option<&str>) -> Terms {
    Terms {
        expression: expression.into(),
        time_zone: time_zone.into(),
        window: window.map(str::to_owned),
        jitter_minutes: 0,
        enabled: true,
    }
}

fn wave(name: &str) -> WaveRow {
    WaveRow { name: name.into(), notes: String::new(), position: 1, mailboxes_at_once: None, bytes_per_second: None }
}

const BUSY: &str = "skipped: The runs before are still at work.";

/// Two days on which clocks change, with a pause of Gatepost itself in each: five jobs under five schedules.
#[tokio::test]
async fn a_day_of_schedules_goes_by_its_rules_also_when_clocks_change() {
    for (what, from, expect) in [
        (
            "spring",
            datetime!(2027-03-27 21:30 UTC),
            [
                vec![
                    "28 00:00 started 1",
                    "28 06:00 started 1",
                    "28 12:00 missed: Gatepost was not at work then, and when it was again it was too late.",
                    "28 18:00 started 1: Caught up 30 minutes late: Gatepost was not at work then.",
                ],
                // 01:30 does not exist in Lisbon on that day; 02:00 of summer time is 01:00 UTC.
                vec!["28 01:00 started 1"],
                // 22, 00, 02 and 04 o'clock in Lisbon, and 20 on the next evening.
                vec![
                    "27 22:00 started 1",
                    "28 00:00 started 1",
                    "28 01:00 started 1",
                    "28 03:00 started 1",
                    "28 19:00 started 1",
                ],
                vec![
                    "28 00:00 started 1",
                    &format!("28 06:00 {BUSY}"),
                    "28 12:00 missed: Gatepost was not at work then, and when it was again it was too late.",
                    &format!("28 18:00 {BUSY}"),
                ],
            ],
        ),
        (
            "autumn",
            datetime!(2027-10-30 21:30 UTC),
            [
                vec![
                    "31 00:00 started 1",
                    "31 06:00 started 1",
                    "31 12:00 missed: Gatepost was not at work then, and when it was again it was too late.",
                    "31 18:00 started 1: Caught up 30 minutes late: Gatepost was not at work then.",
                ],
                // 01:30 comes twice in Lisbon; the first is 00:30 UTC.
                vec!["31 00:30 started 1"],
                vec!["30 23:00 started 1", "31 02:00 started 1", "31 04:00 started 1", "31 20:00 started 1"],
                vec![
                    "31 00:00 started 1",
                    &format!("31 06:00 {BUSY}"),
                    "31 12:00 missed: Gatepost was not at work then, and when it was again it was too late.",
                    &format!("31 18:00 {BUSY}"),
                ],
            ],
        ),
    ] {
        let stage = Stage::set(from).await;
        let (usual, _) = stage.job("usual.example", &["a"], from).await;
        let (fixed, _) = stage.job("fixed.example", &["b"], from).await;
        stage.schedule(Owner::Job(fixed), &terms("30 1 * * *", "Europe/Lisbon", None), from).await;
        let (night, _) = stage.job("night.example", &["c"], from).await;
        let (stuck, _) = stage.job("stuck.example", &["d"], from).await;
        let (off, _) = stage.job("off.example", &["e"], from).await;
        stage.schedule(Owner::Job(off), &Terms { enabled: false, ..terms("*/5 * * * *", "UTC", None) }, from).await;
        let mut tx = stage.gatepost.store().begin().await.unwrap();
        let w = wave_rows::insert(&mut tx, &wave("night"), "cli", &clock::text(from)).await.unwrap();
        wave_rows::put_jobs(&mut tx, Some(w), &[night], &clock::text(from)).await.unwrap();
        tx.commit().await.unwrap();
        stage.schedule(Owner::Wave(w), &terms("0 */2 * * *", "Europe/Lisbon", Some("20:00-06:00")), from).await;

        let noon = from.replace_hour(11).unwrap() + Duration::days(1);
        let down = noon..noon + Duration::hours(7);
        assert_eq!(down.end.time(), time::macros::time!(18:30));
        stage.live(from, 23, &[down], Some(stuck)).await;

        for (job, name, expect) in [
            (usual, "usual", &expect[0]),
            (fixed, "fixed", &expect[1]),
            (night, "night", &expect[2]),
            (stuck, "stuck", &expect[3]),
        ] {
            let told = stage.told(job).await;
            println!("{what} {name}\n  {}", told.join("\n  "));
            assert_eq!(&told, expect, "{what} {name}");
        }
        assert!(stage.told(off).await.is_empty(), "{what}: what is switched off starts nothing");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_schedulers_on_one_database_start_everything_once() {
    let from = datetime!(2027-06-01 0:00 UTC);
    let stage = Stage::set(from).await;
    let mut all = Vec::new();
    for n in 0..12 {
        all.push(stage.job(&format!("d{n}.example"), &["a", "b"], from).await.0);
    }
    let other = Gatepost::open(Config::below(stage.dir.path().to_owned()), Arc::new(NoMail)).await.unwrap();
    let due = datetime!(2027-06-01 6:00:30 UTC);
    let both = [stage.gatepost.clone(), other].map(|gatepost| {
        tokio::spawn(async move {
            for _ in 0..3 {
                gatepost.tend_schedules(due).await.unwrap();
            }
        })
    });
    for one in both {
        one.await.unwrap();
    }
    for job in all {
        assert_eq!(stage.told(job).await, ["01 06:00 started 2"]);
        assert_eq!(stage.queued(job).await, 2);
    }
}

#[tokio::test]
async fn a_clock_that_jumps_starts_nothing_twice_and_what_a_wrong_future_decided_is_void() {
    let from = datetime!(2027-06-01 5:00 UTC);
    let stage = Stage::set(from).await;
    let (job, _) = stage.job("d.example", &["a"], from).await;
    let tend = async |now| {
        stage.gatepost.tend_schedules(now).await.unwrap();
        stage.work(now, None).await;
    };
    tend(datetime!(2027-06-01 6:00:10 UTC)).await;
    // Back by twenty minutes: the same moment comes again.
    tend(datetime!(2027-06-01 5:40 UTC)).await;
    tend(datetime!(2027-06-01 6:00:10 UTC)).await;
    assert_eq!(stage.told(job).await, ["01 06:00 started 1"]);
    // Ahead by a month: one is caught up, and all that is looked back on is missed.
    tend(datetime!(2027-07-01 3:00 UTC)).await;
    let ahead = stage.told(job).await;
    assert_eq!(ahead.len(), 12, "{ahead:?}");
    assert!(ahead[1].contains("missed") && ahead[1].contains("times more before that"), "{ahead:?}");
    assert!(ahead[11].starts_with("01 00:00 started 1: Caught up 180 minutes late"), "{ahead:?}");
    // And back to what is right: the days in between are still to come.
    tend(datetime!(2027-06-01 6:10 UTC)).await;
    assert_eq!(stage.told(job).await, ["01 06:00 started 1"]);
    tend(datetime!(2027-06-01 12:00 UTC)).await;
    assert_eq!(stage.told(job).await, ["01 06:00 started 1", "01 12:00 started 1"]);
}

#[tokio::test]
async fn two_machines_whose_clocks_differ_start_every_moment_once() {
    let from = datetime!(2027-06-01 0:00 UTC);
    let stage = Stage::set(from).await;
    let (job, _) = stage.job("d.example", &["a"], from).await;
    let ahead = Duration::hours(3);
    for minute in 0..=24 * 60 {
        let now = from + Duration::minutes(minute);
        for (now, worker) in [(now + ahead, "fast:1:7"), (now, "right:1:7")] {
            stage.gatepost.tend_schedules_by(Look::new(now, worker)).await.unwrap();
            stage.work(now, None).await;
        }
    }
    let started = |hour: &str| format!("{hour} started 1");
    assert_eq!(
        stage.told(job).await,
        ["01 06:00", "01 12:00", "01 18:00", "02 00:00"].map(started),
        "each as soon as one of the clocks says so"
    );
    // What the fast one decided in its future is void once its own clock is right, in a later process too.
    let told = stage.told(job).await.len();
    stage.gatepost.tend_schedules_by(Look::new(from + Duration::hours(27), "fast:1:7")).await.unwrap();
    stage.gatepost.tend_schedules_by(Look::new(from + Duration::days(3), "fast:1:7")).await.unwrap();
    assert!(stage.told(job).await.len() > told);
    stage.gatepost.tend_schedules_by(Look::new(from + Duration::hours(28), "right:1:7")).await.unwrap();
    assert!(stage.told(job).await.len() > told, "another's rows are not touched");
    stage.gatepost.tend_schedules_by(Look::new(from + Duration::hours(28), "fast:2:9")).await.unwrap();
    assert_eq!(stage.told(job).await.len(), told);
}

#[tokio::test]
async fn times_that_a_clock_far_ahead_has_written_stop_no_schedule() {
    let from = datetime!(2027-06-01 0:00 UTC);
    let ahead = from + Duration::days(400);
    // The schedule's own time, that of entering the phase, that of joining a wave, and all of them.
    for (of_schedule, of_phase, of_wave) in
        [(ahead, from, from), (from, ahead, from), (from, from, ahead), (ahead, ahead, ahead)]
    {
        let stage = Stage::set(of_schedule).await;
        let (job, _) = stage.job("d.example", &["a"], of_phase).await;
        let mut tx = stage.gatepost.store().begin().await.unwrap();
        wave_rows::put_jobs(&mut tx, None, &[job], &clock::text(of_wave)).await.unwrap();
        tx.commit().await.unwrap();
        stage.live(from + Duration::minutes(5), 13, &[], None).await;
        assert_eq!(stage.told(job).await, ["01 06:00 started 1", "01 12:00 started 1"]);
    }
}

#[tokio::test]
async fn what_is_sealed_for_a_while_goes_when_it_has_expired() {
    let stage = Stage::set(datetime!(2027-06-01 0:00 UTC)).await;
    let (job, _) = stage.job("d.example", &["a"], datetime!(2027-06-01 0:00 UTC)).await;
    let preview = stage.gatepost.preview_import(&Actor::Cli, job, b"email\n").await.unwrap();
    let kept = async || stage.gatepost.import_preview(&Actor::Cli, job, &preview.id).await.is_ok();
    stage.gatepost.forget_expired(OffsetDateTime::now_utc()).await.unwrap();
    assert!(kept().await);
    stage.gatepost.forget_expired(OffsetDateTime::now_utc() + Duration::hours(2)).await.unwrap();
    assert!(!kept().await, "it is removed although its time, by this clock, has not ended");
}

#[tokio::test]
async fn a_file_is_read_while_others_write() {
    let stage = Stage::set(datetime!(2027-06-01 0:00 UTC)).await;
    let writing = stage.gatepost.store().begin().await.unwrap();
    let refused = stage.gatepost.preview_import(&Actor::Cli, JobId(99), b"email\n").await;
    assert!(matches!(refused, Err(Error::NotFound(_))), "{refused:?}");
    drop(writing);
}

#[tokio::test]
async fn a_wave_of_many_jobs_takes_an_ops_lead() {
    let from = datetime!(2027-06-01 0:00 UTC);
    let stage = Stage::set(from).await;
    let user = |role| Actor::User { id: gatepost_contract::UserId(1), email: "a@b".into(), name: String::new(), role };
    let (technician, lead) = (user(gatepost_contract::Role::Technician), user(gatepost_contract::Role::OpsLead));
    let mut all = Vec::new();
    for n in 0..=waves::MANY {
        all.push(stage.job(&format!("d{n}.example"), &["a"], from).await);
    }
    let all_jobs: Vec<JobId> = all.iter().map(|(job, _)| *job).collect();
    let new = |name: &str, job_ids: &[JobId]| gatepost_contract::NewWave {
        name: name.into(),
        job_ids: job_ids.to_vec(),
        ..Default::default()
    };
    let gatepost = &stage.gatepost;
    let pause = |wave: WaveId| NewPause {
        scope: PauseScope::Wave,
        job_id: None,
        wave_id: Some(wave),
        host: None,
        reason: String::new(),
    };
    let forbidden = |error: Error| assert!(matches!(error, Error::Forbidden(_)), "{error:?}");

    forbidden(gatepost.create_wave(&technician, new("all", &all_jobs)).await.unwrap_err());
    // Up to that number it is a technician's; a single mailbox of one job more is too many.
    let wave = gatepost.create_wave(&technician, new("some", &all_jobs[1..])).await.unwrap().id;
    let paused = gatepost.pause(&technician, pause(wave)).await.unwrap();
    let one_more = WaveMembers { add_mailboxes: vec![all[0].1[0]], ..WaveMembers::default() };
    forbidden(gatepost.change_wave_members(&technician, wave, one_more.clone()).await.unwrap_err());
    gatepost.change_wave_members(&lead, wave, one_more).await.unwrap();

    let settings = gatepost_contract::WaveSettings { name: "some".into(), ..Default::default() };
    let input = ScheduleInput {
        expression: "0 0 1 1 *".into(),
        time_zone: None,
        window: None,
        jitter_minutes: None,
        enabled: true,
    };
    let other = gatepost.create_wave(&technician, new("other", &[])).await.unwrap().id;
    let join = WaveMembers { add_jobs: vec![all_jobs[1]], ..WaveMembers::default() };
    let leave = WaveMembers { remove_jobs: vec![all_jobs[1]], ..WaveMembers::default() };
    forbidden(gatepost.change_wave_members(&technician, other, join).await.unwrap_err());
    forbidden(gatepost.change_wave_members(&technician, wave, leave.clone()).await.unwrap_err());
    forbidden(gatepost.update_wave(&technician, wave, settings).await.unwrap_err());
    forbidden(gatepost.set_wave_schedule(&technician, wave, input).await.unwrap_err());
    forbidden(gatepost.resume(&technician, paused.id).await.unwrap_err());
    forbidden(gatepost.delete_wave(&technician, wave).await.unwrap_err());
    gatepost.resume(&lead, paused.id).await.unwrap();
    forbidden(gatepost.pause(&technician, pause(wave)).await.unwrap_err());
    gatepost.change_wave_members(&lead, wave, leave).await.unwrap();
    gatepost.pause(&technician, pause(wave)).await.unwrap();
}

#[tokio::test]
async fn what_falls_due_in_a_pause_is_skipped_and_a_paused_host_holds_only_its_own_mailboxes() {
    let from = datetime!(2027-06-01 0:00 UTC);
    let stage = Stage::set(from).await;
    let (job, _) = stage.job("d.example", &["old.example", "other.example"], from).await;
    let pause = async |scope, host: Option<&str>| {
        let new = NewPause {
            scope,
            job_id: (scope == PauseScope::Job).then_some(job),
            wave_id: None,
            host: host.map(str::to_owned),
            reason: "the old server is slow".into(),
        };
        stage.gatepost.pause(&Actor::Cli, new).await.unwrap().id
    };
    let tend = async |now| {
        stage.gatepost.tend_schedules(now).await.unwrap();
        stage.work(now, None).await;
        stage.told(job).await.pop().unwrap()
    };
    let mut lift = pause(PauseScope::Job, None).await;
    let told = tend(datetime!(2027-06-01 6:00 UTC)).await;
    assert!(told.starts_with("01 06:00 skipped: The job is paused by cli since "), "{told}");
    assert!(told.ends_with("UTC: the old server is slow."), "{told}");
    stage.gatepost.resume(&Actor::Cli, lift).await.unwrap();
    lift = pause(PauseScope::Host, Some("Old.Example.")).await;
    let told = tend(datetime!(2027-06-01 12:00 UTC)).await;
    assert_eq!(told, "01 12:00 started 1: 1 of 2 mailboxes; left alone: 1 paused.");
    stage.gatepost.resume(&Actor::Cli, lift).await.unwrap();
    pause(PauseScope::Everything, None).await;
    assert!(tend(datetime!(2027-06-01 18:00 UTC)).await.contains("skipped: Everything is paused"));
}

#[tokio::test]
async fn a_mailbox_is_under_its_own_waves_schedule_else_its_jobs_else_its_jobs_waves_else_the_installations() {
    let from = datetime!(2027-06-01 0:00 UTC);
    let stage = Stage::set(from).await;
    let (job, mailboxes) = stage.job("d.example", &["a", "b"], from).await;
    let mut tx = stage.gatepost.store().begin().await.unwrap();
    let whole = wave_rows::insert(&mut tx, &wave("whole"), "cli", &clock::text(from)).await.unwrap();
    let own = wave_rows::insert(&mut tx, &wave("own"), "cli", &clock::text(from)).await.unwrap();
    wave_rows::put_jobs(&mut tx, Some(whole), &[job], &clock::text(from)).await.unwrap();
    wave_rows::put_mailboxes(&mut tx, Some(own), &mailboxes[1..], &clock::text(from)).await.unwrap();
    tx.commit().await.unwrap();
    let at = async |hour: u8, expect: &[&str]| {
        let now = from.replace_hour(hour).unwrap();
        let before = stage.told(job).await.len();
        stage.gatepost.tend_schedules(now).await.unwrap();
        stage.work(now, None).await;
        assert_eq!(stage.told(job).await[before..], *expect, "{hour} o'clock");
    };
    at(6, &["01 06:00 started 2"]).await;
    stage.schedule(Owner::Wave(own), &terms("0 7 * * *", "UTC", None), from).await;
    at(7, &["01 07:00 started 1"]).await;
    stage.schedule(Owner::Wave(whole), &terms("0 8 * * *", "UTC", None), from).await;
    at(8, &["01 08:00 started 1"]).await;
    stage.schedule(Owner::Job(job), &terms("0 9 * * *", "UTC", None), from).await;
    at(9, &["01 09:00 started 1"]).await;
    at(12, &[]).await;
    let plan = stage.gatepost.job_plan(&Actor::Cli, job).await.unwrap();
    assert_eq!((plan.schedule.scope, plan.wave.unwrap().name.as_str()), (ScheduleScope::Job, "whole"));
}

#[tokio::test]
async fn what_was_due_before_a_job_came_under_a_schedule_is_none_of_its_business() {
    let long_ago = datetime!(2027-05-01 0:00 UTC);
    let stage = Stage::set(long_ago).await;
    let mut tx = stage.gatepost.store().begin().await.unwrap();
    let w = wave_rows::insert(&mut tx, &wave("old"), "cli", &clock::text(long_ago)).await.unwrap();
    tx.commit().await.unwrap();
    stage.schedule(Owner::Wave(w), &terms("0 * * * *", "UTC", None), long_ago).await;
    // It has entered the phase at twenty past, and joins the wave at a quarter to.
    let (job, _) = stage.job("d.example", &["a"], datetime!(2027-06-01 6:20 UTC)).await;
    stage.gatepost.tend_schedules(datetime!(2027-06-01 6:30 UTC)).await.unwrap();
    let mut tx = stage.gatepost.store().begin().await.unwrap();
    wave_rows::put_jobs(&mut tx, Some(w), &[job], &clock::text(datetime!(2027-06-01 8:45 UTC))).await.unwrap();
    tx.commit().await.unwrap();
    stage.gatepost.tend_schedules(datetime!(2027-06-01 8:50 UTC)).await.unwrap();
    assert!(stage.told(job).await.is_empty(), "{:?}", stage.told(job).await);
    stage.gatepost.tend_schedules(datetime!(2027-06-01 9:00 UTC)).await.unwrap();
    assert_eq!(stage.told(job).await, ["01 09:00 started 1"]);
}

#[tokio::test]
async fn a_job_that_was_cut_over_meanwhile_is_written_down_as_not_started() {
    let from = datetime!(2027-06-01 0:00 UTC);
    let stage = Stage::set(from).await;
    let (job, _) = stage.job("d.example", &["a"], from).await;
    let (all, candidates) = {
        let mut conn = stage.gatepost.store().reader().await.unwrap();
        (rows::list(&mut conn).await.unwrap(), rows::candidates(&mut conn, &PHASES, None).await.unwrap())
    };
    let mut tx = stage.gatepost.store().begin().await.unwrap();
    assert!(
        jobs::set_phase(&mut tx, job, Phase::DeltaSync, Phase::DnsCutover, None, &clock::text(from)).await.unwrap()
    );
    tx.commit().await.unwrap();
    let now = datetime!(2027-06-01 6:00 UTC);
    let rule = Rule::read(&all[0].terms).unwrap();
    let look = Look::new(now, stage.gatepost.crew().name());
    stage.gatepost.tend_schedule(&all, &candidates[0], &all[0], &rule, look).await.unwrap();
    let told = stage.told(job).await;
    assert!(told[0].starts_with("01 06:00 failed: ") && told[0].contains("final"), "{told:?}");
    assert_eq!(stage.queued(job).await, 0, "nothing of the start is left");
}

#[tokio::test]
async fn files_are_read_again_only_before_the_last_delta_is_too_old() {
    let from = datetime!(2027-06-01 0:00 UTC);
    let stage = Stage::set(from).await;
    let (job, _) = stage.job("d.example", &["file"], from).await;
    stage.live(from, 24, &[], None).await;
    assert_eq!(
        stage.told(job).await,
        [
            "01 06:00 started 1",
            "01 12:00 skipped: Its mail comes from files, which were read lately.",
            "01 18:00 started 1",
            "02 00:00 skipped: Its mail comes from files, which were read lately.",
        ]
    );
}

#[tokio::test]
async fn the_installations_schedule_follows_the_configuration_and_counts_from_then_on() {
    let dir = tempfile::tempdir().unwrap();
    for (schedule, zone, enabled) in
        [(Some("0 */6 * * *"), "UTC", true), (Some("0 3 * * *"), "Europe/Lisbon", true), (None, "UTC", false)]
    {
        let config = Config {
            delta_schedule: schedule.map(str::to_owned),
            time_zone: zone.to_owned(),
            ..Config::below(dir.path().to_owned())
        };
        let gatepost = Gatepost::open(config, Arc::new(NoMail)).await.unwrap();
        gatepost.keep_default_schedule().await.unwrap();
        let first = gatepost.schedules(&Actor::Cli).await.unwrap().remove(0);
        gatepost.keep_default_schedule().await.unwrap();
        assert_eq!(gatepost.schedules(&Actor::Cli).await.unwrap(), std::slice::from_ref(&first), "it is written once");
        assert_eq!((first.enabled, first.time_zone.as_str(), first.next.is_empty()), (enabled, zone, !enabled));
        if let Some(schedule) = schedule {
            assert_eq!(first.expression, schedule);
        }
    }
}

#[tokio::test]
async fn a_wave_shows_what_is_stuck_and_why() {
    let from = datetime!(2027-06-01 0:00 UTC);
    let stage = Stage::set(from).await;
    let (job, mailboxes) = stage.job("d.example", &["a", "b"], from).await;
    let new = gatepost_contract::NewWave { name: "one".into(), job_ids: vec![job], ..Default::default() };
    let wave = stage.gatepost.create_wave(&Actor::Cli, new).await.unwrap();
    let start = gatepost_contract::WaveStart { run_type: RunType::Delta };
    let started = stage.gatepost.start_wave(&Actor::Cli, wave.id, start.clone()).await.unwrap();
    assert_eq!((started.run_ids.len(), started.busy, started.refused.len()), (2, 0, 0));
    let again = stage.gatepost.start_wave(&Actor::Cli, wave.id, start).await.unwrap();
    assert_eq!((again.run_ids.len(), again.busy), (0, 2));
    let pause =
        NewPause { scope: PauseScope::Wave, job_id: None, wave_id: Some(wave.id), host: None, reason: "lunch".into() };
    stage.gatepost.pause(&Actor::Cli, pause.clone()).await.unwrap();
    let twice = stage.gatepost.pause(&Actor::Cli, pause).await.unwrap_err();
    assert!(matches!(twice, Error::Conflict { code: "already_paused", .. }));
    let mut tx = stage.gatepost.store().begin().await.unwrap();
    let status = gatepost_contract::MailboxStatus::Error;
    mailboxes::set_status(&mut tx, mailboxes[0], status, Some("The old server is gone."), &clock::now()).await.unwrap();
    tx.commit().await.unwrap();

    let seen = stage.gatepost.wave(&Actor::Cli, wave.id).await.unwrap();
    assert_eq!((seen.progress.queued, seen.stuck_total, seen.jobs[0].whole), (2, 3, true));
    assert_eq!(seen.stuck[0].why, "The old server is gone.");
    assert!(seen.stuck[1].why.starts_with("The wave one is paused by cli since "), "{:?}", seen.stuck);
    assert_eq!(seen.wave.pause.map(|pause| pause.runs), Some(2));
    assert_eq!(seen.progress.eta_seconds, None, "nothing moves");
    let run = stage.gatepost.get_run(&Actor::Cli, started.run_ids[0]).await.unwrap().run;
    assert!(run.progress.waiting.is_some_and(|why| why.ends_with("UTC: lunch.")));

    let members = WaveMembers { remove_jobs: vec![job], ..WaveMembers::default() };
    let wave = stage.gatepost.change_wave_members(&Actor::Cli, wave.id, members.clone()).await.unwrap();
    assert_eq!((wave.jobs, wave.mailboxes), (0, 0));
    assert!(stage.gatepost.change_wave_members(&Actor::Cli, wave.id, members).await.is_err(), "it is in it no longer");
    let overview = stage.gatepost.waves(&Actor::Cli).await.unwrap();
    assert_eq!((overview.waves.len(), overview.without.mailboxes, overview.pauses.len()), (1, 2, 1));
}
