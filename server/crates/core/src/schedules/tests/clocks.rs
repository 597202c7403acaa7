//! More than one scheduler, and clocks that jump or differ.

use super::stage::Stage;
use crate::{Config, Gatepost, clock, schedules::tick::Look, testing::NoMail};
use gatepost_store::waves as wave_rows;
use std::sync::Arc;
use time::{Duration, macros::datetime};

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
