//! The table of the module's documentation, row by row.

use super::judge;
use crate::{
    facts::{Approval, Facts},
    samples::{approved_on, in_order, overridden_on, tally},
};
use gatepost_contract::{
    CheckId,
    CheckStatus::{self, Fail, Pass, Warn},
    EvidenceId,
    Gate::{self, Blocked, ReadyForDns, Warning},
};

const REASON: &str = "The old server is gone; nothing more can be read.";

fn warns(f: &mut Facts) {
    f.mailboxes[0].folders[2].rewritten = 1;
}

fn fails(f: &mut Facts) {
    f.mailboxes[0].folders[0].tally = tally(49, 1, 0, 0);
}

type Case = (&'static str, fn(&mut Facts), Gate, bool, &'static str);

#[test]
fn the_gate_follows_the_table() {
    let cases: &[Case] = &[
        ("not approved", |_| {}, Warning, false, "No check fails; an ops lead or super admin has to approve."),
        ("not approved, warns", warns, Warning, false, "Warnings: content_match."),
        ("not approved, fails", fails, Blocked, false, "inbox_complete fails: Messages are missing"),
        (
            "not approved, fails after the cutover",
            |f| {
                fails(f);
                f.dns_cutover = true;
            },
            Blocked,
            false,
            "inbox_complete fails",
        ),
        ("approved", |f| f.approval = approved_on(7), ReadyForDns, false, "Approved by lead@example.net on evidence 7"),
        (
            "approved, warns: the approver signed it",
            |f| {
                warns(f);
                f.approval = approved_on(7);
            },
            ReadyForDns,
            false,
            "no check fails. Warnings: content_match.",
        ),
        ("approved on older evidence", |f| f.approval = approved_on(5), ReadyForDns, false, "on evidence 5"),
        (
            "approved, fails",
            |f| {
                fails(f);
                f.approval = approved_on(7);
            },
            Blocked,
            true,
            "inbox_complete fails",
        ),
        (
            "approved on older evidence, fails now",
            |f| {
                fails(f);
                f.approval = approved_on(5);
            },
            Blocked,
            true,
            "inbox_complete fails",
        ),
        (
            "approved, fails after the cutover",
            |f| {
                fails(f);
                f.approval = approved_on(5);
                f.dns_cutover = true;
            },
            ReadyForDns,
            false,
            "which stands; failing now: inbox_complete.",
        ),
        (
            "overridden",
            |f| {
                fails(f);
                f.approval = overridden_on(7, REASON);
            },
            ReadyForDns,
            false,
            "Overridden by admin@example.net in spite of inbox_complete; the reason: The old server is gone",
        ),
        (
            "overridden on older evidence",
            |f| {
                fails(f);
                f.approval = overridden_on(6, REASON);
            },
            Blocked,
            true,
            "inbox_complete fails",
        ),
        (
            "overridden on older evidence, nothing fails any more",
            |f| f.approval = overridden_on(6, REASON),
            ReadyForDns,
            false,
            "Approved by admin@example.net on evidence 6",
        ),
        (
            "overridden on older evidence, fails after the cutover",
            |f| {
                fails(f);
                f.approval = overridden_on(6, REASON);
                f.dns_cutover = true;
            },
            ReadyForDns,
            false,
            "which stands",
        ),
        (
            "an override without a reason overrides nothing",
            |f| {
                fails(f);
                f.approval = overridden_on(7, "  ");
            },
            Blocked,
            true,
            "inbox_complete fails",
        ),
        (
            "overridden before there was evidence",
            |f| {
                f.mailboxes[0].depth = None;
                f.current_evidence = None;
                f.approval = Some(Approval { evidence_id: None, ..overridden_on(0, REASON).unwrap() });
            },
            ReadyForDns,
            false,
            "Overridden by admin@example.net",
        ),
        (
            "that override, once there is evidence",
            |f| {
                fails(f);
                f.approval = Some(Approval { evidence_id: None, ..overridden_on(0, REASON).unwrap() });
            },
            Blocked,
            true,
            "inbox_complete fails",
        ),
        (
            "a mailbox was added after the approval",
            |f| {
                f.approval = approved_on(7);
                f.mailboxes[1].depth = None;
                f.current_evidence = None;
            },
            Blocked,
            true,
            "count_ratio fails: Not verified yet: rui@example.com; run a verification. Failing too: folder_coverage",
        ),
    ];
    for (name, spoil, gate, revoked, part) in cases {
        let mut facts = in_order();
        spoil(&mut facts);
        let verdict = judge(&facts);
        assert_eq!(verdict.gate, *gate, "{name}: {}", verdict.reason);
        assert_eq!(verdict.revoked, *revoked, "{name}: {}", verdict.reason);
        assert!(verdict.reason.contains(part), "{name}: {:?} lacks {part:?}", verdict.reason);
        let any_fails = verdict.checks.iter().any(|check| check.status == Fail);
        assert_eq!(verdict.approvable, !any_fails, "{name}");
    }
}

type Wording = (fn(&mut Facts), CheckStatus, &'static str);

#[test]
fn the_approval_check_says_whose_and_on_which_evidence() {
    let cases: &[Wording] = &[
        (|_| {}, Warn, "Nobody has approved yet; an ops lead or super admin reads the evidence and approves."),
        (|f| f.approval = approved_on(7), Pass, "Approved by lead@example.net on evidence 7."),
        (|f| f.approval = approved_on(5), Pass, "Approved by lead@example.net on evidence 5; the newest is 7."),
        (
            |f| {
                fails(f);
                f.approval = approved_on(5);
            },
            Warn,
            "The approval of lead@example.net on evidence 5 no longer stands, because a check fails now; it has to be \
             given again.",
        ),
        (
            |f| {
                fails(f);
                f.approval = overridden_on(7, REASON);
            },
            Pass,
            "admin@example.net overrode the failing checks on evidence 7; the reason: The old server is gone; nothing \
             more can be read.",
        ),
    ];
    for (spoil, status, message) in cases {
        let mut facts = in_order();
        spoil(&mut facts);
        let check = judge(&facts).checks.pop().unwrap();
        assert_eq!(
            (check.check_id, check.status, check.message.as_str()),
            (CheckId::ManualApproval, *status, *message)
        );
    }
}

#[test]
fn the_checks_come_in_the_order_of_the_data_model() {
    let ids: Vec<CheckId> = judge(&in_order()).checks.iter().map(|check| check.check_id).collect();
    assert_eq!(ids, CheckId::ALL);
}

#[test]
fn a_job_goes_from_blocked_over_warning_to_ready_and_back() {
    let mut facts = in_order();
    facts.mailboxes.iter_mut().for_each(|m| m.depth = None);
    facts.current_evidence = None;
    facts.initial_done = false;
    facts.last_delta = None;
    assert_eq!(judge(&facts).gate, Blocked);

    // 99.2 % of ana's mail: nothing fails, a person has to look.
    let mut facts = in_order();
    facts.mailboxes[0].folders[2].tally = tally(912, 8, 0, 0);
    assert_eq!(judge(&facts).gate, Warning);
    facts.approval = approved_on(7);
    assert_eq!(judge(&facts).gate, ReadyForDns);

    facts.current_evidence = Some(EvidenceId(8));
    facts.mailboxes[0].folders[2].changed = 1;
    let verdict = judge(&facts);
    assert_eq!((verdict.gate, verdict.revoked), (Blocked, true));
}
