//! Which schedule is in force, what falls due under it, and what is left alone.

use super::stage::{Stage, terms, wave};
use crate::{
    Actor, Config, Gatepost, clock,
    schedules::{PHASES, rule::Rule, tick::Look},
    testing::NoMail,
};
use gatepost_contract::{NewPause, PauseScope, Phase, ScheduleScope};
use gatepost_store::{
    jobs,
    schedules::{self as rows, Owner},
    waves as wave_rows,
};
use std::sync::Arc;
use time::macros::datetime;

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
