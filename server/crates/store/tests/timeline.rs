//! What a job's timeline is made of, and the history of its gate.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::{LATER, NOW, store};
use gatepost_contract::{
    Check, CheckId, CheckStatus, EvidenceId, Gate, GateChange, GateFigures, JobId, PageQuery, Phase, RunStatus,
    TimelineFilter, TimelineKind, UserId,
};
use gatepost_store::{
    Conn,
    audit::{self, NewAudit},
    gate_history, jobs, phase_history,
    runs::{self, Finish},
    timeline,
};

fn change(at: &str, from: Gate, to: Gate) -> GateChange {
    GateChange {
        at: at.into(),
        from,
        to,
        reason: "Blocked: Not verified yet\0: ana@example.com; run a verification.".into(),
        evidence_id: Some(EvidenceId(9)),
        checks: vec![Check {
            check_id: CheckId::CountRatio,
            status: CheckStatus::Fail,
            message: "Not verified yet".into(),
            checked_at: at.into(),
        }],
        actor: "lead@example.org".into(),
    }
}

async fn note(tx: &mut Conn, job: Option<JobId>, action: &str, subject: &str, at: &str) {
    let row = NewAudit {
        at,
        actor: "lead@example.org",
        action,
        job_id: job,
        subject,
        before: None,
        after: Some("{}"),
        reason: Some("read and compared"),
    };
    audit::append(tx, &row).await.unwrap();
}

#[tokio::test]
async fn a_timeline_tells_of_all_kinds_in_order_and_of_one_job_alone() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let job = common::job(&mut tx, "example.com").await;
    let other = common::job(&mut tx, "other.example").await;
    let mailbox = common::mailbox(&mut tx, job, "ana@example.com").await;
    let run = runs::enqueue(&mut tx, &common::sync(job, mailbox), NOW).await.unwrap();
    runs::claim(&mut tx, "w", NOW, 0, 60, &[]).await.unwrap().unwrap();
    let finish = Finish {
        status: RunStatus::Success,
        exit_code: Some(0),
        stats_json: "{}",
        summary: "12 messages copied",
        idle: false,
    };
    assert!(runs::finish(&mut tx, run, "w", &finish, LATER).await.unwrap());
    for at in [NOW, LATER] {
        for job in [job, other] {
            gate_history::add(&mut tx, job, &change(at, Gate::Blocked, Gate::Warning)).await.unwrap();
        }
    }
    phase_history::add(&mut tx, job, Phase::DeltaSync, Phase::CutoverReady, "worker", "the gate is open", LATER)
        .await
        .unwrap();
    for (action, subject) in [
        ("gate.approve", "job/1"),
        ("gate.change", "job/1"),
        ("message.waive", "message/3"),
        ("messages.waive", "waiver/4"),
        ("messages.retry", "job/1"),
        ("dns.applied", "job/1"),
        ("report.attach", "job/1"),
        ("run.start", "run/1"),
    ] {
        note(&mut tx, Some(job), action, subject, LATER).await;
        note(&mut tx, None, action, subject, LATER).await;
    }
    let all = timeline::list(&mut tx, job, &TimelineFilter::default(), &PageQuery::default()).await.unwrap();
    let told: Vec<(TimelineKind, &str, Option<&str>)> =
        all.items.iter().map(|e| (e.kind, e.action.as_str(), e.subject.as_deref())).collect();
    use TimelineKind::{Approval, Dns, Gate as Verdict, Phase as To, Report, Run, Waiver};
    assert_eq!(
        told,
        [
            (To, "job.phase", None),
            (Verdict, "gate.change", None),
            (Report, "report.attach", None),
            (Dns, "dns.applied", None),
            (Waiver, "messages.waive", Some("waiver/4")),
            (Waiver, "message.waive", Some("message/3")),
            (Approval, "gate.approve", None),
            (Run, "initial", Some("ana@example.com")),
            (Verdict, "gate.change", None),
            (Run, "initial", Some("ana@example.com")),
        ]
    );
    assert_eq!(all.total, 10);
    assert_eq!(
        (all.items[7].to.as_deref(), all.items[7].text.as_deref()),
        (Some("success"), Some("12 messages copied"))
    );
    assert_eq!((all.items[9].to.as_deref(), all.items[9].run_id), (Some("running"), Some(run)));
    assert_eq!((all.items[0].from.as_deref(), all.items[0].to.as_deref()), (Some("delta_sync"), Some("cutover_ready")));
    assert_eq!(all.items[1].evidence_id, Some(EvidenceId(9)));

    let turned = PageQuery { sort: Some("at".into()), per_page: 3, page: 4 };
    let last = timeline::list(&mut tx, job, &TimelineFilter::default(), &turned).await.unwrap();
    assert_eq!((last.total, last.items), (10, vec![all.items[0].clone()]));
    let runs = TimelineFilter { kind: Some(Run) };
    assert_eq!(timeline::list(&mut tx, job, &runs, &PageQuery::default()).await.unwrap().total, 2);
}

#[tokio::test]
async fn the_history_of_a_gate_is_kept_whole_and_in_order() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let job = common::job(&mut tx, "example.com").await;
    let (first, second) = (change(NOW, Gate::Blocked, Gate::Warning), change(LATER, Gate::Warning, Gate::ReadyForDns));
    for one in [&first, &second] {
        gate_history::add(&mut tx, job, one).await.unwrap();
    }
    let listed = gate_history::list(&mut tx, job).await.unwrap();
    let clean = |change: GateChange| GateChange { reason: change.reason.replace('\0', "\u{fffd}"), ..change };
    assert_eq!(listed, [clean(first), clean(second)], "but for a NUL, which no database keeps");
    assert_eq!(gate_history::list(&mut tx, JobId(99)).await.unwrap(), []);
    assert_eq!(gate_history::opened_at(&mut tx, job).await.unwrap().as_deref(), Some(LATER));
    gate_history::add(&mut tx, job, &change("2026-11-23T00:00:00.000Z", Gate::ReadyForDns, Gate::Warning))
        .await
        .unwrap();
    assert_eq!(gate_history::opened_at(&mut tx, job).await.unwrap().as_deref(), Some(LATER));
    assert_eq!(gate_history::opened_at(&mut tx, JobId(99)).await.unwrap(), None);
}

#[tokio::test]
async fn an_approval_is_written_once_over_the_one_that_was_seen() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let job = common::job(&mut tx, "example.com").await;
    let signed = GateFigures {
        evidence_id: Some(EvidenceId(9)),
        pending: 3,
        worst_ratio: Some(0.995),
        ..GateFigures::default()
    };
    let approval = |at: &str| jobs::ApprovalRow {
        approved_by: UserId(1),
        approved_at: at.into(),
        evidence_id: Some(EvidenceId(9)),
        signed: Some(signed.clone()),
        note: None,
        override_reason: None,
    };
    assert!(jobs::approve(&mut tx, job, &approval(NOW), None, NOW).await.unwrap());
    assert!(!jobs::approve(&mut tx, job, &approval(LATER), None, LATER).await.unwrap(), "somebody was quicker");
    assert_eq!(jobs::approval(&mut tx, job).await.unwrap(), Some(approval(NOW)));
    assert!(jobs::approve(&mut tx, job, &approval(LATER), Some(NOW), LATER).await.unwrap(), "renewed");
    assert_eq!(jobs::revocation(&mut tx, job).await.unwrap(), None);

    jobs::revoke_approval(&mut tx, job, "a check fails", LATER).await.unwrap();
    assert_eq!(jobs::approval(&mut tx, job).await.unwrap(), None);
    let revoked = jobs::revocation(&mut tx, job).await.unwrap().unwrap();
    assert_eq!((revoked.at.as_str(), revoked.why.as_str()), (LATER, "a check fails"));
    assert!(jobs::approve(&mut tx, job, &approval(NOW), None, NOW).await.unwrap());
    assert_eq!(jobs::revocation(&mut tx, job).await.unwrap(), None, "a new approval ends the matter");
}
