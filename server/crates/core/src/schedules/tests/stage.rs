//! An installation whose clock the tests hold.

use crate::{
    Actor, Config, Gatepost, clock,
    testing::{self, NoMail},
};
use gatepost_contract::{
    JobId, MailboxId, Occurrence, OccurrenceFilter, PageQuery, Phase, RunStatus, RunType, ScheduleId, SourceType,
};
use gatepost_store::{
    jobs, mailboxes, phase_history, runs,
    schedules::{self as rows, Owner, Terms},
    tenants,
    waves::WaveRow,
};
use std::{fmt::Write as _, sync::Arc};
use time::{Duration, OffsetDateTime};

/// A worker that does every run at once.
const HAND: &str = "hand";

pub struct Stage {
    pub gatepost: Gatepost,
    pub dir: tempfile::TempDir,
}

impl Stage {
    /// The installation's schedule counts from this moment on.
    pub async fn set(at: OffsetDateTime) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let gatepost = Gatepost::open(Config::below(dir.path().to_owned()), Arc::new(NoMail)).await.unwrap();
        let stage = Self { gatepost, dir };
        let terms = Terms { jitter_minutes: 0, ..stage.gatepost.unwritten().terms };
        stage.schedule(Owner::Default, &terms, at).await;
        stage
    }

    pub async fn schedule(&self, owner: Owner, terms: &Terms, at: OffsetDateTime) -> ScheduleId {
        let mut tx = self.gatepost.store().begin().await.unwrap();
        let id = rows::put(&mut tx, owner, terms, "cli", &clock::text(at)).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// A job in delta_sync since a moment, with mailboxes on these hosts.
    pub async fn job(&self, domain: &str, hosts: &[&str], at: OffsetDateTime) -> (JobId, Vec<MailboxId>) {
        let at = clock::text(at);
        let mut tx = self.gatepost.store().begin().await.unwrap();
        let tenant = match tenants::by_name(&mut tx, "Example Ltd").await.unwrap() {
            Some(tenant) => tenant.id,
            None => tenants::insert(&mut tx, "Example Ltd", &at).await.unwrap(),
        };
        let new = jobs::NewJobRow { domain: domain.into(), ..testing::job(tenant) };
        let job = jobs::insert(&mut tx, &new, &at).await.unwrap();
        assert!(jobs::set_phase(&mut tx, job, Phase::Discovered, Phase::DeltaSync, None, &at).await.unwrap());
        phase_history::add(&mut tx, job, Phase::InitialSync, Phase::DeltaSync, "cli", "a delta", &at).await.unwrap();
        let mut found = Vec::new();
        for (n, host) in hosts.iter().enumerate() {
            let new = mailboxes::NewMailboxRow {
                email: format!("m{n}@{domain}"),
                source_type: if *host == "file" { SourceType::Mbox } else { SourceType::Imap },
                source_host: Some((*host).to_owned()),
                ..testing::mailbox(job)
            };
            found.push(mailboxes::insert(&mut tx, &new, &at).await.unwrap());
        }
        tx.commit().await.unwrap();
        (job, found)
    }

    /// The runs that wait end well, but for those of this job.
    pub async fn work(&self, now: OffsetDateTime, but: Option<JobId>) {
        let mut tx = self.gatepost.store().begin().await.unwrap();
        let done = runs::Finish {
            status: RunStatus::Success,
            exit_code: Some(0),
            stats_json: "{}",
            summary: "Done.",
            idle: false,
        };
        while let Some(run) =
            runs::claim(&mut tx, HAND, &clock::text(now), now.unix_timestamp(), 1_000_000, &[]).await.unwrap()
        {
            assert_eq!((run.run_type, run.triggered_by.as_str()), (RunType::Delta, "worker"));
            if Some(run.job_id) != but {
                runs::finish(&mut tx, run.id, HAND, &done, &clock::text(now)).await.unwrap();
            }
        }
        tx.commit().await.unwrap();
    }

    /// Every minute of so many hours, but for those in which Gatepost is down.
    pub async fn live(
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
    pub async fn told(&self, job: JobId) -> Vec<String> {
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

    pub async fn queued(&self, job: JobId) -> usize {
        runs::active_for_job(&mut self.gatepost.store().reader().await.unwrap(), job).await.unwrap().len()
    }
}

pub fn terms(expression: &str, time_zone: &str, window: Option<&str>) -> Terms {
    Terms {
        expression: expression.into(),
        time_zone: time_zone.into(),
        window: window.map(str::to_owned),
        jitter_minutes: 0,
        enabled: true,
    }
}

pub fn wave(name: &str) -> WaveRow {
    WaveRow { name: name.into(), notes: String::new(), position: 1, mailboxes_at_once: None, bytes_per_second: None }
}
