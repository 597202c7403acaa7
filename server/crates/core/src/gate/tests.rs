//! What runs take from evidence that came before them, on a store of its own and without any mail.

use super::*;
use crate::worker::endings::{Scene, ago, ended};
use gatepost_contract::{ApproveGate, PauseScope, Role, RunId, RunStatus, RunType, UserId};
use gatepost_store::{
    pauses,
    runs::{self, ClaimedRun, Finish, NewRun},
    users,
};
use serde_json::Value;

const OUTDATED: &str = "A run has changed ana@example.com since the last verification; verify again.";

/// Copied, and copied once more.
async fn copied() -> Scene {
    let scene = Scene::set().await;
    scene.put(Phase::DeltaSync).await;
    for run_type in [RunType::Initial, RunType::Delta] {
        scene.end(run_type, |_| ended(RunStatus::Success, 0, json!({"transferred": 2}), None)).await;
    }
    scene
}

/// Both messages were read at a time that some clock told.
async fn verified(scene: &Scene, read_at: String) -> RunId {
    scene
        .end(RunType::Verify, |run| {
            ended(RunStatus::Success, 0, json!({"depth": "standard"}), Some(scene.evidence(run, read_at, 2)))
        })
        .await
}

async fn view(scene: &Scene) -> GateView {
    scene.gatepost.gate_view(&Actor::Worker, scene.job).await.unwrap()
}

/// What stands against the evidence, in the words of the check that counts.
async fn against(scene: &Scene) -> Option<String> {
    let view = view(scene).await;
    let check = view.checks.into_iter().find(|check| check.check_id == CheckId::CountRatio).unwrap();
    assert_eq!(view.approvable, check.status != CheckStatus::Fail, "{}", check.message);
    (check.status == CheckStatus::Fail).then_some(check.message)
}

async fn queue(scene: &Scene, run_type: RunType) -> RunId {
    let mut tx = scene.gatepost.store().begin().await.unwrap();
    let (job_id, mailbox_id) = (scene.job, Some(scene.mailbox));
    let tool = gatepost_contract::Tool::Native;
    let new = NewRun { job_id, mailbox_id, run_type, tool, triggered_by: "worker", params_json: "{}" };
    let id = runs::enqueue(&mut tx, &new, &ago(0)).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn hand_back(scene: &Scene, run: &ClaimedRun) {
    let mut tx = scene.gatepost.store().begin().await.unwrap();
    assert!(runs::hand_back(&mut tx, run.id, scene.gatepost.crew().name()).await.unwrap());
    tx.commit().await.unwrap();
}

async fn pause_everything(scene: &Scene) {
    let mut tx = scene.gatepost.store().begin().await.unwrap();
    let everything = pauses::NewPauseRow {
        scope: PauseScope::Everything,
        job_id: None,
        wave_id: None,
        host: None,
        reason: "the old server is at its limit",
        paused_by: "lead@example.com",
    };
    pauses::insert(&mut tx, &everything, &ago(0)).await.unwrap();
    tx.commit().await.unwrap();
}

async fn cancel(scene: &Scene, run: RunId) {
    let mut tx = scene.gatepost.store().begin().await.unwrap();
    assert_eq!(runs::request_cancel(&mut tx, run, &ago(0)).await.unwrap(), runs::Cancelled::Ended);
    tx.commit().await.unwrap();
}

/// So many runs, one after the other, that come to nothing: copies with nothing to do, verifications that break off.
async fn end_many(scene: &Scene, run_type: RunType, count: usize) {
    let mut tx = scene.gatepost.store().begin().await.unwrap();
    let (job_id, mailbox_id) = (scene.job, Some(scene.mailbox));
    let tool = gatepost_contract::Tool::Native;
    let new = NewRun { job_id, mailbox_id, run_type, tool, triggered_by: "worker", params_json: "{}" };
    let status = if run_type == RunType::Verify { RunStatus::Failed } else { RunStatus::Success };
    for _ in 0..count {
        runs::enqueue(&mut tx, &new, &ago(0)).await.unwrap();
        let run = runs::claim(&mut tx, "here", &ago(0), clock::seconds(), 3600, &[]).await.unwrap().unwrap();
        let idle = crate::proof::is_idle(run_type, status, &serde_json::Map::new());
        let end = Finish { status, exit_code: None, stats_json: "{}", summary: "Nothing.", idle };
        assert!(runs::finish(&mut tx, run.id, "here", &end, &ago(0)).await.unwrap());
    }
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_copy_that_has_begun_outdates_the_evidence_before_it_wherever_it_rests() {
    let scene = copied().await;
    verified(&scene, ago(0)).await;
    assert_eq!(against(&scene).await, None);
    let queued = queue(&scene, RunType::Delta).await;
    assert_eq!(against(&scene).await, None, "it has not begun");
    cancel(&scene, queued).await;
    assert_eq!(against(&scene).await, None, "it never began");
    let delta = scene.claimed(RunType::Delta, scene.gatepost.crew().name()).await;
    assert_eq!(against(&scene).await.as_deref(), Some(OUTDATED), "it is at work");
    hand_back(&scene, &delta).await;
    assert_eq!(against(&scene).await.as_deref(), Some(OUTDATED), "it waits to be taken up again");
    pause_everything(&scene).await;
    assert_eq!(against(&scene).await.as_deref(), Some(OUTDATED), "it rests under a pause");
    cancel(&scene, delta.id).await;
    assert_eq!(against(&scene).await.as_deref(), Some(OUTDATED), "it was cancelled while it rested");
}

#[tokio::test]
async fn only_a_run_that_had_nothing_to_do_leaves_the_evidence_before_it_standing() {
    use RunStatus::{Failed, Partial, Success};
    for (what, status, exit_code, stats, expect) in [
        ("nothing to do", Success, 0, json!({"transferred": 0, "already_there": 2, "vanished": 1}), None),
        ("a message copied", Success, 0, json!({"transferred": 1}), Some(OUTDATED)),
        ("a message recognised", Success, 0, json!({"adopted": 1}), Some(OUTDATED)),
        ("a message refused", Partial, 3, json!({"quarantined": 1}), Some(OUTDATED)),
        ("flags changed", Success, 0, json!({"flags_changed": 1}), Some(OUTDATED)),
        ("a folder failed", Partial, 3, json!({"failed_folders": 1}), Some(OUTDATED)),
        ("taken up again", Success, 0, json!({"transferred": 0, "resumed": true}), Some(OUTDATED)),
        ("it failed", Failed, 1, json!({}), Some(OUTDATED)),
        ("it was cancelled", Partial, 130, json!({}), Some(OUTDATED)),
    ] {
        let scene = copied().await;
        verified(&scene, ago(0)).await;
        scene.end(RunType::Delta, |_| ended(status, exit_code, stats, None)).await;
        assert_eq!(against(&scene).await.as_deref(), expect, "{what}");
    }
}

#[tokio::test]
async fn no_number_of_idle_runs_hides_the_copy_that_came_after_the_evidence() {
    let scene = copied().await;
    verified(&scene, ago(0)).await;
    end_many(&scene, RunType::Delta, 250).await;
    assert_eq!(against(&scene).await, None);
    scene.end(RunType::Delta, |_| ended(RunStatus::Success, 0, json!({"transferred": 5}), None)).await;
    end_many(&scene, RunType::Delta, 250).await;
    assert_eq!(against(&scene).await.as_deref(), Some(OUTDATED));
    verified(&scene, ago(0)).await;
    assert_eq!(against(&scene).await, None);
}

#[tokio::test]
async fn no_number_of_broken_verifications_hides_what_a_quick_look_has_found() {
    let scene = copied().await;
    verified(&scene, ago(0)).await;
    let looked = |found: Value| ended(RunStatus::Partial, 3, json!({"depth": "quick", "contradicted": found}), None);
    scene.end(RunType::Verify, |_| looked(json!(["INBOX"]))).await;
    let found = against(&scene).await.unwrap();
    assert!(found.starts_with("A quick look counted other numbers"), "{found}");
    end_many(&scene, RunType::Verify, 250).await;
    assert_eq!(against(&scene).await, Some(found));
    scene.end(RunType::Verify, |_| looked(json!([]))).await;
    assert_eq!(against(&scene).await, None, "a later one has found it in order");
}

#[tokio::test]
async fn runs_and_evidence_are_ordered_by_their_numbers_and_not_by_what_clocks_told() {
    let minutes = |n| clock::text(time::OffsetDateTime::now_utc() + time::Duration::minutes(n));
    // A clock that was ahead as the mailbox was read, and one that was behind.
    for read_at in [minutes(4), minutes(-240)] {
        let scene = copied().await;
        verified(&scene, read_at.clone()).await;
        assert_eq!(against(&scene).await, None, "read at {read_at}, after the last copy");
        scene.end(RunType::Delta, |_| ended(RunStatus::Success, 0, json!({"transferred": 5}), None)).await;
        assert_eq!(against(&scene).await.as_deref(), Some(OUTDATED), "read at {read_at}, before the last copy");
    }
}

#[tokio::test]
async fn an_approval_falls_by_what_a_run_leaves_undone_once_that_rests_under_a_pause() {
    for run_type in [RunType::Delta, RunType::Verify] {
        let scene = copied().await;
        verified(&scene, ago(0)).await;
        let mut tx = scene.gatepost.store().begin().await.unwrap();
        let id: UserId = users::insert(&mut tx, "lead@example.com", "Lead", Role::OpsLead, "", &ago(1)).await.unwrap();
        tx.commit().await.unwrap();
        let lead = Actor::User { id, email: "lead@example.com".into(), name: "Lead".into(), role: Role::OpsLead };
        let approved = scene.gatepost.approve_gate(&lead, scene.job, ApproveGate::default()).await.unwrap();
        assert_eq!(approved.gate, Gate::ReadyForDns);

        let run = scene.claimed(run_type, scene.gatepost.crew().name()).await;
        scene.lose(1).await;
        assert_eq!(view(&scene).await.gate, Gate::ReadyForDns, "{run_type}: its rows are in motion");
        hand_back(&scene, &run).await;
        assert_eq!(view(&scene).await.gate, Gate::ReadyForDns, "{run_type}: somebody takes it up at once");
        pause_everything(&scene).await;
        let rests = view(&scene).await;
        assert_eq!((rests.gate, rests.approved_by), (Gate::Blocked, None), "{run_type}: {}", rests.reason);
        let why = rests.revoked_why.unwrap_or_default();
        assert!(why.contains("amiss"), "{run_type}: {why}");
    }
}
