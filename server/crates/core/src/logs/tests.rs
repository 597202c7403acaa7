#![allow(clippy::unwrap_used, reason = "a test may fail")]

use super::*;
use crate::{
    Config,
    testing::NoMail,
    work::Ended,
    worker::endings::{Scene, ended},
};
use gatepost_contract::{AuditEntry, AuditFilter, Level, PageQuery, Phase, RunStatus, RunType, Tool};
use gatepost_store::{
    events::NewEvent,
    messages::{self, ArrivedRow, DigestRow, NewMessage},
    runs, steps,
};
use serde_json::Value;
use std::{os::unix::fs::symlink, sync::Arc};

/// Writes a log as runs do: a line, a file, what a program printed.
async fn log(scene: &Scene, run: RunId) {
    write(scene, &format!("run-{run}.log"));
    write(scene, &format!("run-{run}-imapsync.gz"));
    let line = NewEvent { at: clock::now(), level: Level::Info, kind: "run".into(), message: "It began.".into() };
    let mut tx = scene.gatepost.store().begin().await.unwrap();
    events::add(&mut tx, run, &[line]).await.unwrap();
    tx.commit().await.unwrap();
}

fn write(scene: &Scene, name: &str) {
    fs::write(folder(scene).join(name), b"12345").unwrap();
}

fn folder(scene: &Scene) -> PathBuf {
    scene.gatepost.config().data_path.join("logs")
}

fn left(scene: &Scene) -> Vec<String> {
    let names = fs::read_dir(folder(scene)).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// The runs that have their logs still, in every place.
async fn kept(scene: &Scene, of: &[RunId]) -> Vec<bool> {
    let mut all = Vec::new();
    for run in of {
        let files = left(scene).iter().filter(|name| run_of(name) == Some(*run)).count();
        let lines = events::list(&mut scene.gatepost.store().reader().await.unwrap(), *run, None, 9).await.unwrap();
        let told = scene.gatepost.run_log(&Actor::Cli, *run, None, 9).await;
        assert_eq!((files > 0, lines.len(), told.is_ok()), (!lines.is_empty(), usize::from(files > 0), files > 0));
        all.push(files > 0);
    }
    all
}

/// A run that ended so, with a log.
async fn run(scene: &Scene, run_type: RunType, stats: Value) -> RunId {
    let id = scene.end(run_type, |_| ended(RunStatus::Success, 0, stats, None)).await;
    log(scene, id).await;
    id
}

async fn verification(scene: &Scene) -> RunId {
    let evidence = |run: &_| scene.evidence(run, clock::now(), 2);
    let id = scene.end(RunType::Verify, |run| ended(RunStatus::Success, 0, json!({}), Some(evidence(run)))).await;
    log(scene, id).await;
    id
}

fn in_days(days: i64) -> OffsetDateTime {
    OffsetDateTime::now_utc() + Duration::days(days)
}

async fn deletions(scene: &Scene) -> Vec<AuditEntry> {
    let page = PageQuery { sort: Some("id".into()), per_page: 100, ..PageQuery::default() };
    let log = scene.gatepost.audit(&Actor::Cli, AuditFilter::default(), page).await.unwrap();
    log.items.into_iter().filter(|row| row.action == "log.delete").collect()
}

#[tokio::test]
async fn logs_of_a_closed_job_go_when_their_time_is_over_but_not_those_that_evidence_rests_on() {
    let scene = Scene::set().await;
    let initial = run(&scene, RunType::Initial, json!({"transferred": 2})).await;
    write(&scene, &format!("run-{initial}-imapsync.1.gz"));
    let delta = run(&scene, RunType::Delta, json!({"transferred": 0})).await;
    let proof = verification(&scene).await;
    let all = [initial, delta, proof];
    scene.gatepost.expire_logs(in_days(3000)).await.unwrap();
    assert_eq!(kept(&scene, &all).await, [true, true, true], "the job goes on");
    scene.put(Phase::Closed).await;
    scene.gatepost.expire_logs(in_days(89)).await.unwrap();
    assert_eq!(kept(&scene, &all).await, [true, true, true], "not yet");
    assert!(deletions(&scene).await.is_empty());
    scene.gatepost.expire_logs(in_days(91)).await.unwrap();
    assert_eq!(kept(&scene, &all).await, [false, false, true]);

    let audit = deletions(&scene).await;
    assert_eq!(audit.len(), 1);
    let told: Value = serde_json::from_str(audit[0].before.as_deref().unwrap()).unwrap();
    assert_eq!(told, json!({"runs": 2, "first_run": initial, "last_run": delta, "files": 5, "bytes": 25}));
    assert!(audit[0].actor == "worker" && audit[0].reason.as_deref().unwrap().contains("GATEPOST_LOG_RETENTION_DAYS"));

    // The runs stay, and say what became of their logs.
    let view = scene.gatepost.get_run(&Actor::Cli, delta).await.unwrap();
    assert!(view.run.log_removed_at.is_some() && view.run.summary.is_some());
    for refused in [
        scene.gatepost.run_log(&Actor::Cli, delta, None, 9).await.unwrap_err(),
        scene.gatepost.tool_log(&Actor::Cli, delta).await.unwrap_err(),
    ] {
        let problem = refused.problem();
        assert_eq!((problem.status, problem.code.as_str()), (410, "log_removed"));
        assert!(problem.detail.contains("91 days after the run had ended"), "{}", problem.detail);
    }
    assert!(!scene.gatepost.has_tool_log(&Actor::Cli, delta).await.unwrap());
    assert!(scene.gatepost.has_tool_log(&Actor::Cli, proof).await.unwrap());

    scene.gatepost.expire_logs(in_days(3000)).await.unwrap();
    assert_eq!((kept(&scene, &all).await, deletions(&scene).await.len()), (vec![false, false, true], 1));
}

#[tokio::test]
async fn of_a_job_that_goes_on_only_deltas_go_that_did_nothing_and_were_superseded_and_are_not_the_newest() {
    let scene = Scene::set().await;
    let initial = run(&scene, RunType::Initial, json!({"transferred": 0})).await;
    let idle = run(&scene, RunType::Delta, json!({"transferred": 0})).await;
    let copied = run(&scene, RunType::Delta, json!({"transferred": 1})).await;
    let failed = scene.end(RunType::Delta, |_| ended(RunStatus::Failed, 1, json!({}), None)).await;
    log(&scene, failed).await;
    let by_hand = {
        let mut tx = scene.gatepost.store().begin().await.unwrap();
        let new = runs::NewRun {
            job_id: scene.job,
            mailbox_id: Some(scene.mailbox),
            run_type: RunType::Delta,
            tool: Tool::Native,
            triggered_by: "1",
            params_json: "{}",
        };
        let id = runs::enqueue(&mut tx, &new, &clock::now()).await.unwrap();
        let me = scene.gatepost.crew().name();
        assert!(runs::claim(&mut tx, me, &clock::now(), clock::seconds(), 3600, &[]).await.unwrap().is_some());
        let finish =
            runs::Finish { status: RunStatus::Success, exit_code: Some(0), stats_json: "{}", summary: "", idle: true };
        assert!(runs::finish(&mut tx, id, me, &finish, &clock::now()).await.unwrap());
        tx.commit().await.unwrap();
        id
    };
    log(&scene, by_hand).await;
    let before = [initial, idle, copied, failed, by_hand];
    let mut newer = Vec::new();
    for _ in 0..rows::NEWEST_KEPT {
        newer.push(run(&scene, RunType::Delta, json!({"transferred": 0})).await);
    }
    scene.gatepost.expire_logs(in_days(91)).await.unwrap();
    assert_eq!(kept(&scene, &before).await, [true; 5], "no verification has read the mailbox since");
    let proof = verification(&scene).await;
    scene.gatepost.expire_logs(in_days(89)).await.unwrap();
    assert_eq!(kept(&scene, &before).await, [true; 5], "their time is not over");
    scene.gatepost.expire_logs(in_days(91)).await.unwrap();
    assert_eq!(kept(&scene, &before).await, [true, false, true, true, true]);
    assert_eq!(kept(&scene, &newer).await, vec![true; newer.len()], "the newest stay, however old");
    assert_eq!(kept(&scene, &[proof]).await, [true]);
    // With one delta more the oldest of them is not among the newest; this one was not superseded.
    let last = run(&scene, RunType::Delta, json!({"transferred": 0})).await;
    scene.gatepost.expire_logs(in_days(91)).await.unwrap();
    assert_eq!(kept(&scene, &[newer[0], newer[1], last]).await, [false, true, true]);
}

#[tokio::test]
async fn the_setting_0_keeps_all() {
    let scene = Scene::set().await;
    let delta = run(&scene, RunType::Delta, json!({})).await;
    scene.put(Phase::Closed).await;
    let config = Config { log_retention_days: 0, ..scene.gatepost.config().clone() };
    let keeping = Gatepost::open(config, Arc::new(NoMail)).await.unwrap();
    keeping.expire_logs(in_days(3000)).await.unwrap();
    assert_eq!(kept(&scene, &[delta]).await, [true]);
}

#[tokio::test]
async fn a_log_that_is_being_written_stays_and_so_does_what_is_no_log_or_no_file() {
    let scene = Scene::set().await;
    let late = run(&scene, RunType::Delta, json!({})).await;
    let linked = run(&scene, RunType::Delta, json!({})).await;
    let gone = run(&scene, RunType::Delta, json!({})).await;
    // Of one that has not ended, whatever the phase of its job.
    let active = scene.claimed(RunType::Delta, "another:1:2").await.id;
    log(&scene, active).await;
    scene.put(Phase::Closed).await;
    let file = fs::File::options().append(true).open(folder(&scene).join(format!("run-{late}.log"))).unwrap();
    file.set_modified((OffsetDateTime::now_utc() + Duration::days(30)).into()).unwrap();
    let outside = scene.gatepost.config().data_path.join("outside.gz");
    fs::write(&outside, b"not ours").unwrap();
    symlink(&outside, folder(&scene).join(format!("run-{linked}-readpst-0.gz"))).unwrap();
    fs::create_dir(folder(&scene).join(format!("run-{linked}-folder.gz"))).unwrap();
    let strangers =
        ["notes.txt", "run-.log", "run-0000001.log", "run-1.log.bak", "run-999999.log", "run-99999999999999999999.log"];
    for name in strangers {
        write(&scene, name);
    }
    scene.gatepost.expire_logs(in_days(91)).await.unwrap();
    assert_eq!(kept(&scene, &[late, linked, gone, active]).await, [true, true, false, true]);
    assert!(strangers.iter().all(|name| folder(&scene).join(name).exists()), "{:?}", left(&scene));
    assert_eq!(fs::read(&outside).unwrap(), b"not ours");
    scene.gatepost.expire_logs(in_days(121)).await.unwrap();
    assert_eq!(kept(&scene, &[late, linked]).await, [false, true]);
    assert_eq!(fs::read(&outside).unwrap(), b"not ours");
}

#[tokio::test]
async fn what_left_messages_over_keeps_its_log_while_they_are_residue() {
    let scene = Scene::set().await;
    let over = |_: &_| Ended { status: RunStatus::Partial, ..ended(RunStatus::Success, 3, json!({}), None) };
    let partial = scene.end(RunType::Initial, over).await;
    log(&scene, partial).await;
    let well = run(&scene, RunType::Delta, json!({"transferred": 1})).await;
    scene.put(Phase::Closed).await;
    let mut tx = scene.gatepost.store().begin().await.unwrap();
    let third = NewMessage { uid: 3, size: 9, internal_date: clock::now(), flags: String::new() };
    messages::add(&mut tx, scene.folder, &[third], &clock::now()).await.unwrap();
    tx.commit().await.unwrap();
    scene.gatepost.expire_logs(in_days(91)).await.unwrap();
    assert_eq!(kept(&scene, &[partial, well]).await, [true, false]);
    let mut tx = scene.gatepost.store().begin().await.unwrap();
    let digests = DigestRow { exact: [1; 32], canonical: [2; 32], bytes: 9 };
    let arrival = ArrivedRow { uid: 3, dest_uid: Some(13), digests, dropped_flags: String::new(), adopted: false };
    messages::arrived(&mut tx, scene.folder, &[arrival], &clock::now()).await.unwrap();
    tx.commit().await.unwrap();
    scene.gatepost.expire_logs(in_days(91)).await.unwrap();
    assert_eq!(kept(&scene, &[partial]).await, [false]);
}

#[tokio::test]
async fn a_removal_that_was_cut_off_is_ended_later_and_told_once() {
    let scene = Scene::set().await;
    let delta = run(&scene, RunType::Delta, json!({})).await;
    scene.put(Phase::Closed).await;
    let mut tx = scene.gatepost.store().begin().await.unwrap();
    assert_eq!(rows::set_removed(&mut tx, &[delta], &clock::now()).await.unwrap(), [delta]);
    assert!(rows::set_removed(&mut tx, &[delta], &clock::now()).await.unwrap().is_empty());
    tx.commit().await.unwrap();
    scene.gatepost.expire_logs(in_days(91)).await.unwrap();
    assert_eq!(kept(&scene, &[delta]).await, [false]);
    assert!(deletions(&scene).await.is_empty(), "it was told when it was decided");
}

#[tokio::test]
async fn more_logs_than_a_step_looks_at_all_go_and_steps_of_runs_stay() {
    let scene = Scene::set().await;
    let delta = run(&scene, RunType::Delta, json!({})).await;
    let mut tx = scene.gatepost.store().begin().await.unwrap();
    let step = steps::NewStep {
        position: 1,
        kind: "folder".into(),
        name: "INBOX".into(),
        status: RunStatus::Success,
        done: 2,
        total: 2,
        bytes_done: 2,
        bytes_total: 2,
        note: None,
        started_at: None,
        finished_at: None,
    };
    steps::put(&mut tx, delta, &step).await.unwrap();
    tx.commit().await.unwrap();
    for number in 1..=2 * FILES {
        write(&scene, &format!("run-{delta}-imapsync.{number}.gz"));
    }
    scene.put(Phase::Closed).await;
    scene.gatepost.expire_logs(in_days(91)).await.unwrap();
    assert!(left(&scene).is_empty(), "{} are left", left(&scene).len());
    assert_eq!(deletions(&scene).await.len(), 1, "one run, told once");
    assert_eq!(scene.gatepost.get_run(&Actor::Cli, delta).await.unwrap().steps.len(), 1);
}

#[test]
fn a_run_is_named_by_its_logs_alone() {
    for (name, run) in [
        ("run-7.log", Some(7)),
        ("run-7-imapsync.gz", Some(7)),
        ("run-7-imapsync.12.gz", Some(7)),
        ("run-7-readpst-0.gz", Some(7)),
        ("run-7-imap-upload.0.gz", Some(7)),
        ("run-07.log", None),
        ("run--7.log", None),
        ("run-+7.log", None),
        ("run-7", None),
        ("run-7.gz", None),
        ("run-7-imapsync", None),
        ("run-7x.log", None),
        ("walk-7.log", None),
        ("", None),
    ] {
        assert_eq!(run_of(name), run.map(RunId), "{name}");
    }
}
