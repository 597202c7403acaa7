//! Logs of runs: which are needed no longer. The same on both databases.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::{LATER, NOW, job, mailbox, message, store, sync};
use gatepost_contract::{Depth, JobId, Level, MailboxId, Phase, RunId, RunStatus, RunType, Tally};
use gatepost_store::{
    Conn,
    events::{self, NewEvent},
    evidence, jobs, messages,
    runs::{self, Finish, NewRun, logs},
};

async fn ended(conn: &mut Conn, new: &NewRun<'_>, status: RunStatus, idle: bool) -> RunId {
    let id = runs::enqueue(conn, new, NOW).await.unwrap();
    assert_eq!(runs::claim(conn, "w", NOW, 100, 30, &[]).await.unwrap().unwrap().id, id);
    let finish = Finish { status, exit_code: Some(0), stats_json: "{}", summary: "It ended.", idle };
    assert!(runs::finish(conn, id, "w", &finish, NOW).await.unwrap());
    id
}

async fn verified(conn: &mut Conn, job_id: JobId, mailbox_id: MailboxId) -> RunId {
    let run_id =
        ended(conn, &NewRun { run_type: RunType::Verify, ..sync(job_id, mailbox_id) }, RunStatus::Success, false).await;
    let new = evidence::NewEvidence {
        job_id,
        mailbox_id,
        run_id,
        replaces: None,
        depth: Depth::Standard,
        read_at: NOW.into(),
        tally: Tally::default(),
        folders: Vec::new(),
    };
    evidence::add(conn, &new).await.unwrap();
    run_id
}

async fn disposable(conn: &mut Conn, runs: &[RunId], before: &str) -> Vec<RunId> {
    logs::disposable(conn, runs, before).await.unwrap().into_iter().map(|(run, _)| run).collect()
}

#[tokio::test]
async fn of_a_closed_job_all_logs_are_disposable_but_those_of_evidence_and_of_what_is_left_over() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let job_id = job(&mut tx, "example.org").await;
    let mailbox_id = mailbox(&mut tx, job_id, "ana@example.org").await;
    let new = sync(job_id, mailbox_id);
    let partial = ended(&mut tx, &new, RunStatus::Partial, false).await;
    let well = ended(&mut tx, &new, RunStatus::Success, false).await;
    let proof = verified(&mut tx, job_id, mailbox_id).await;
    let queued = runs::enqueue(&mut tx, &new, NOW).await.unwrap();
    let all = [partial, well, proof, queued, RunId(999)];
    assert!(disposable(&mut tx, &all, LATER).await.is_empty(), "the job goes on");
    assert!(jobs::set_phase(&mut tx, job_id, Phase::Discovered, Phase::Closed, None, NOW).await.unwrap());
    assert!(disposable(&mut tx, &all, NOW).await.is_empty(), "nothing ended before that");
    assert_eq!(disposable(&mut tx, &all, LATER).await, [partial, well]);
    assert_eq!(disposable(&mut tx, &[proof, well], LATER).await, [well], "only what is asked for");
    assert!(disposable(&mut tx, &[], LATER).await.is_empty());
    let folder = common::folder(&mut tx, mailbox_id).await;
    messages::add(&mut tx, folder, &[message(1)], NOW).await.unwrap();
    assert_eq!(disposable(&mut tx, &all, LATER).await, [well], "a message has not arrived");

    assert_eq!(logs::set_removed(&mut tx, &[well], LATER).await.unwrap(), [well]);
    assert!(logs::set_removed(&mut tx, &[well], LATER).await.unwrap().is_empty());
    assert_eq!(logs::disposable(&mut tx, &all, LATER).await.unwrap(), [(well, true)]);
    assert_eq!(runs::get(&mut tx, well).await.unwrap().unwrap().log_removed_at.as_deref(), Some(LATER));
    assert_eq!(runs::get(&mut tx, partial).await.unwrap().unwrap().log_removed_at, None);
}

#[tokio::test]
async fn of_a_job_that_goes_on_idle_deltas_of_schedules_are_disposable_once_superseded() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let job_id = job(&mut tx, "example.org").await;
    let mailbox_id = mailbox(&mut tx, job_id, "ana@example.org").await;
    let delta = NewRun { run_type: RunType::Delta, triggered_by: "worker", ..sync(job_id, mailbox_id) };
    let idle = ended(&mut tx, &delta, RunStatus::Success, true).await;
    let weighty = ended(&mut tx, &delta, RunStatus::Success, false).await;
    let by_hand = ended(&mut tx, &NewRun { triggered_by: "1", ..delta }, RunStatus::Success, true).await;
    let mut all = vec![idle, weighty, by_hand];
    for _ in 0..logs::NEWEST_KEPT {
        all.push(ended(&mut tx, &delta, RunStatus::Success, true).await);
    }
    assert!(disposable(&mut tx, &all, LATER).await.is_empty());
    verified(&mut tx, job_id, mailbox_id).await;
    assert_eq!(disposable(&mut tx, &all, LATER).await, [idle]);
    assert!(disposable(&mut tx, &all, NOW).await.is_empty());
}

#[tokio::test]
async fn lines_are_forgotten_from_the_oldest_on_and_of_one_run_alone() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let job_id = job(&mut tx, "example.org").await;
    let mut runs_of = Vec::new();
    for name in ["ana", "rui"] {
        let mailbox_id = mailbox(&mut tx, job_id, &format!("{name}@example.org")).await;
        let run = runs::enqueue(&mut tx, &sync(job_id, mailbox_id), NOW).await.unwrap();
        let line = |n: usize| NewEvent {
            at: NOW.into(),
            level: Level::Info,
            kind: "run".into(),
            message: format!("{name} {n}"),
        };
        events::add(&mut tx, run, &(0..5).map(line).collect::<Vec<_>>()).await.unwrap();
        runs_of.push(run);
    }
    assert_eq!(events::delete_some(&mut tx, runs_of[0], 3).await.unwrap(), 3);
    let left = events::list(&mut tx, runs_of[0], None, 9).await.unwrap();
    assert_eq!(left.iter().map(|line| line.message.as_str()).collect::<Vec<_>>(), ["ana 3", "ana 4"]);
    assert_eq!(events::delete_some(&mut tx, runs_of[0], 3).await.unwrap(), 2);
    assert_eq!(events::list(&mut tx, runs_of[1], None, 9).await.unwrap().len(), 5);
}
