//! The queue: every run is handed out once, and again only when its worker has gone.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::{LATER, NOW, job, mailbox, store, sync, tried};
use gatepost_contract::{JobId, Progress, RunId, RunStatus, RunType};
use gatepost_store::{
    Conn, Error, Store, jobs,
    runs::{self, Cancelled, Finish, Renewed},
};
use std::collections::BTreeSet;

const DONE: Finish<'static> = Finish {
    status: RunStatus::Success,
    exit_code: Some(0),
    stats_json: r#"{"transferred":3}"#,
    summary: "All copied.",
    idle: false,
};

async fn queued(store: &Store, count: usize) -> (JobId, Vec<RunId>) {
    let mut tx = store.begin().await.unwrap();
    let job = job(&mut tx, "example.org").await;
    let mut ids = Vec::new();
    for n in 0..count {
        let mailbox = mailbox(&mut tx, job, &format!("m{n}@example.org")).await;
        ids.push(runs::enqueue(&mut tx, &sync(job, mailbox), NOW).await.unwrap());
    }
    tx.commit().await.unwrap();
    (job, ids)
}

async fn claim(conn: &mut Conn, worker: &str, at: i64) -> Option<RunId> {
    runs::claim(conn, worker, NOW, at, 30, &[]).await.unwrap().map(|run| run.id)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_claimers_get_each_run_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gatepost.db").to_str().unwrap().to_owned();
    let url = common::postgres().await.unwrap_or(file);
    let first = Store::open(&url).await.unwrap();
    let (_, ids) = queued(&first, 40).await;
    let mut tasks = Vec::new();
    for n in 0..4 {
        // Two of them are what another process would be: a store of its own.
        let store = if n < 2 { first.clone() } else { Store::open(&url).await.unwrap() };
        tasks.push(tokio::spawn(async move {
            let mut mine = Vec::new();
            loop {
                let mut tx = store.begin().await.unwrap();
                let Some(id) = claim(&mut tx, &format!("w{n}"), 100).await else { return mine };
                tx.commit().await.unwrap();
                mine.push(id);
            }
        }));
    }
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.unwrap());
    }
    assert_eq!(all.len(), ids.len());
    assert_eq!(all.into_iter().collect::<BTreeSet<_>>(), ids.into_iter().collect());
}

#[tokio::test]
async fn a_run_whose_lease_ended_is_handed_out_again_and_its_old_worker_writes_nothing_more() {
    let store = store().await;
    let (job, ids) = queued(&store, 1).await;
    let mut tx = store.begin().await.unwrap();
    assert_eq!(claim(&mut tx, "a", 100).await, Some(ids[0]));
    assert_eq!(claim(&mut tx, "b", 129).await, None);
    assert!(runs::renew(&mut tx, ids[0], "a", 140).await.unwrap().still_mine);
    assert_eq!(claim(&mut tx, "b", 139).await, None);
    let again = runs::claim(&mut tx, "b", LATER, 140, 30, &[]).await.unwrap().unwrap();
    assert_eq!((again.id, again.attempts), (ids[0], 2));

    let nothing = Renewed { still_mine: false, cancel_requested: false };
    assert_eq!(runs::renew(&mut tx, ids[0], "a", 999).await.unwrap(), nothing);
    assert!(!runs::progress(&mut tx, ids[0], "a", &Progress { done: 5, ..Progress::default() }).await.unwrap());
    assert!(!runs::finish(&mut tx, ids[0], "a", &DONE, LATER).await.unwrap());
    assert!(runs::finish(&mut tx, ids[0], "b", &DONE, LATER).await.unwrap());
    let run = runs::get(&mut tx, ids[0]).await.unwrap().unwrap();
    assert_eq!((run.status, run.progress.done, run.started_at.as_deref()), (RunStatus::Success, 0, Some(NOW)));
    assert_eq!(run.stats["transferred"], 3);
    assert_eq!((run.domain.as_str(), run.email.as_deref()), ("example.org", Some("m0@example.org")));
    assert_eq!(claim(&mut tx, "c", 9999).await, None);
    assert_eq!(runs::last_finished(&mut tx, job, RunType::Initial).await.unwrap().map(|r| r.id), Some(ids[0]));
    assert_eq!(runs::last_finished(&mut tx, job, RunType::Delta).await.unwrap(), None);
}

#[tokio::test]
async fn a_worker_that_is_known_to_live_keeps_its_run_for_a_while_after_its_lease() {
    let store = store().await;
    let (_, ids) = queued(&store, 1).await;
    let mut tx = store.begin().await.unwrap();
    let mut claim = async |worker, at, alive: &[String]| {
        runs::claim(&mut tx, worker, NOW, at, 30, alive).await.unwrap().map(|run| run.id)
    };
    assert_eq!(claim("a", 100, &[]).await, Some(ids[0]));
    let alive = ["a".to_owned(), "b".to_owned()];
    assert_eq!(claim("b", 130, &alive).await, None, "its machine slept, or the clock jumped");
    assert_eq!(claim("b", 130 + runs::GRACE_SECONDS - 1, &alive).await, None);
    assert_eq!(claim("b", 130 + runs::GRACE_SECONDS, &alive).await, Some(ids[0]), "it hangs");
    assert_eq!(claim("c", 160 + runs::GRACE_SECONDS, &alive[..1]).await, Some(ids[0]), "of b nothing is known");
}

#[tokio::test]
async fn who_names_runs_gets_one_of_these_by_the_rules_for_all() {
    let store = store().await;
    let (_, ids) = queued(&store, 3).await;
    let mut tx = store.begin().await.unwrap();
    let mut claim = async |named: &[RunId], worker, at, alive: &[String]| {
        runs::claim_named(&mut tx, named, worker, NOW, at, 30, alive).await.unwrap().map(|run| run.id)
    };
    let all_three = ids.as_slice();
    assert_eq!(claim(&[], "a", 100, &[]).await, None, "no name is not any run");
    assert_eq!(claim(&ids[1..], "a", 100, &[]).await, Some(ids[1]), "the older of them, and not the oldest of all");
    let alive = ["a".to_owned()];
    assert_eq!(claim(&ids[1..2], "b", 129, &alive).await, None, "another worker has it");
    assert_eq!(claim(&ids[1..2], "b", 130, &alive).await, None, "and lives");
    assert_eq!(claim(&ids[1..2], "b", 130 + runs::GRACE_SECONDS, &alive).await, Some(ids[1]), "or hangs");
    assert_eq!(claim(&[RunId(999)], "b", 200, &[]).await, None);
    assert_eq!(claim(all_three, "c", 135, &[]).await, Some(ids[0]));
}

#[tokio::test]
async fn a_mailbox_has_one_run_at_a_time() {
    let store = store().await;
    let (job, ids) = queued(&store, 1).await;
    let mut tx = store.begin().await.unwrap();
    let mailbox = runs::get(&mut tx, ids[0]).await.unwrap().unwrap().mailbox_id.unwrap();
    let new = sync(job, mailbox);
    assert!(matches!(tried!(tx, runs::enqueue(&mut tx, &new, NOW)), Err(Error::AlreadyRunning)));
    claim(&mut tx, "a", 100).await.unwrap();
    assert!(matches!(tried!(tx, runs::enqueue(&mut tx, &new, NOW)), Err(Error::AlreadyRunning)));
    runs::finish(&mut tx, ids[0], "a", &DONE, LATER).await.unwrap();
    let second = runs::enqueue(&mut tx, &new, NOW).await.unwrap();
    let types = [RunType::Initial, RunType::Delta];
    assert_eq!(runs::latest(&mut tx, mailbox, &types).await.unwrap().map(|r| r.id), Some(second));
    assert_eq!(runs::latest_finished(&mut tx, mailbox, &types).await.unwrap().map(|r| r.id), Some(ids[0]));
    assert_eq!(runs::latest(&mut tx, mailbox, &[]).await.unwrap(), None);
    let unknown = runs::NewRun { job_id: JobId(999), mailbox_id: None, ..new };
    assert!(matches!(runs::enqueue(&mut tx, &unknown, NOW).await, Err(Error::Missing(_))));
}

#[tokio::test]
async fn a_run_that_reads_files_waits_its_turn_beside_another_of_its_mailbox() {
    let store = store().await;
    let (job, ids) = queued(&store, 2).await;
    let mut tx = store.begin().await.unwrap();
    let mailbox = runs::get(&mut tx, ids[0]).await.unwrap().unwrap().mailbox_id.unwrap();
    let extract = runs::NewRun { run_type: RunType::PstExtract, ..sync(job, mailbox) };
    let first = runs::enqueue(&mut tx, &extract, NOW).await.unwrap();
    let second = runs::enqueue(&mut tx, &extract, NOW).await.unwrap();
    assert_eq!(claim(&mut tx, "a", 100).await, Some(ids[0]));
    assert_eq!(claim(&mut tx, "b", 100).await, Some(ids[1]), "of another mailbox");
    assert_eq!(claim(&mut tx, "c", 100).await, None, "the mailbox has a run at work");
    runs::finish(&mut tx, ids[0], "a", &DONE, LATER).await.unwrap();
    let third = runs::enqueue(&mut tx, &sync(job, mailbox), NOW).await.unwrap();
    assert_eq!(claim(&mut tx, "a", 100).await, Some(first));
    runs::hand_back(&mut tx, first, "a").await.unwrap();
    assert_eq!(claim(&mut tx, "b", 100).await, Some(first), "it keeps its turn");
    runs::finish(&mut tx, first, "b", &DONE, LATER).await.unwrap();
    assert_eq!(claim(&mut tx, "a", 100).await, Some(second));
    runs::finish(&mut tx, second, "a", &DONE, LATER).await.unwrap();
    assert_eq!(claim(&mut tx, "a", 100).await, Some(third));
}

#[tokio::test]
async fn a_waiting_run_is_cancelled_at_once_and_a_running_one_by_its_worker() {
    let store = store().await;
    let (_, ids) = queued(&store, 2).await;
    let mut tx = store.begin().await.unwrap();
    assert_eq!(claim(&mut tx, "a", 100).await, Some(ids[0]));
    assert_eq!(runs::request_cancel(&mut tx, ids[0], NOW).await.unwrap(), Cancelled::Requested);
    assert_eq!(
        runs::renew(&mut tx, ids[0], "a", 200).await.unwrap(),
        Renewed { still_mine: true, cancel_requested: true }
    );
    assert_eq!(runs::request_cancel(&mut tx, ids[1], NOW).await.unwrap(), Cancelled::Ended);
    let run = runs::get(&mut tx, ids[1]).await.unwrap().unwrap();
    assert_eq!((run.status, run.exit_code), (RunStatus::Partial, Some(130)));
    assert_eq!(runs::request_cancel(&mut tx, ids[1], NOW).await.unwrap(), Cancelled::NotActive);
    assert_eq!(claim(&mut tx, "b", 100).await, None);
}

#[tokio::test]
async fn a_worker_that_shuts_down_puts_back_only_its_own() {
    let store = store().await;
    let (_, ids) = queued(&store, 2).await;
    let mut tx = store.begin().await.unwrap();
    claim(&mut tx, "a", 100).await.unwrap();
    claim(&mut tx, "b", 100).await.unwrap();
    assert_eq!(runs::release_worker(&mut tx, "a").await.unwrap(), 1);
    assert_eq!(claim(&mut tx, "c", 100).await, Some(ids[0]));
    assert_eq!(claim(&mut tx, "c", 100).await, None);
}

/// A small generator of numbers: the sequence is the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

#[tokio::test]
async fn the_number_of_active_runs_never_drifts() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let job = job(&mut tx, "example.org").await;
    let mut boxes = Vec::new();
    for n in 0..5 {
        boxes.push(mailbox(&mut tx, job, &format!("m{n}@example.org")).await);
    }
    let mut dice = Dice(42);
    let mut ids: Vec<RunId> = Vec::new();
    let mut peak = 0;
    for step in 0..2000_i64 {
        let worker = format!("w{}", dice.roll(3));
        let id = if ids.is_empty() { RunId(0) } else { ids[ids.len() - 1 - dice.roll(ids.len().min(6))] };
        match dice.roll(6) {
            0 | 1 => match tried!(tx, runs::enqueue(&mut tx, &sync(job, boxes[dice.roll(boxes.len())]), NOW)) {
                Ok(id) => ids.push(id),
                Err(error) => assert!(matches!(error, Error::AlreadyRunning), "{error}"),
            },
            2 => drop(claim(&mut tx, &worker, step).await),
            3 => drop(runs::finish(&mut tx, id, &worker, &DONE, NOW).await.unwrap()),
            4 => drop(runs::request_cancel(&mut tx, id, NOW).await.unwrap()),
            _ => drop(runs::release_worker(&mut tx, &worker).await.unwrap()),
        }
        let active = runs::active_for_job(&mut tx, job).await.unwrap();
        let shown = jobs::get(&mut tx, job).await.unwrap().unwrap().active_runs;
        assert_eq!(shown, i64::try_from(active.len()).unwrap(), "after {step} steps");
        let distinct: BTreeSet<_> = active.iter().map(|r| r.mailbox_id).collect();
        assert_eq!(distinct.len(), active.len(), "two runs of one mailbox");
        peak = peak.max(active.len());
    }
    assert!(peak >= 4 && ids.len() > 50, "the sequence did too little: {peak}, {}", ids.len());
}
