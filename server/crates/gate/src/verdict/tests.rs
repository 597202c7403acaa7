//! The table of the module's documentation, row by row.

use super::judge;
use crate::{
    facts::{Approval, Facts, LedgerFacts},
    figures::by_mailbox,
    samples::{approved_on, in_order, overridden_on, tally},
};
use gatepost_contract::{
    CheckId,
    CheckStatus::{self, Fail, Pass, Warn},
    EvidenceId,
    Gate::{self, Blocked, ReadyForDns, Warning},
    MailboxId,
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
        (
            "not approved",
            |_| {},
            Warning,
            false,
            "No check fails, but nobody has approved yet: an ops lead or super admin reads the evidence and approves.",
        ),
        ("not approved, warns", warns, Warning, false, "approves; warnings: “Content identical”."),
        (
            "not approved, fails",
            fails,
            Blocked,
            false,
            "Blocked by “Inbox complete”: Messages are missing without an explanation from ana@example.com: INBOX (1 of 50 pending); run a delta and verify again.",
        ),
        (
            "not approved, fails after the cutover",
            |f| {
                fails(f);
                f.dns_cutover = true;
            },
            Blocked,
            false,
            "Blocked by “Inbox complete”: Messages are missing",
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
            "no check fails; warnings: “Content identical”.",
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
            "Blocked by “Inbox complete”: Messages are missing",
        ),
        (
            "approved on older evidence, fails now",
            |f| {
                fails(f);
                f.approval = approved_on(5);
            },
            Blocked,
            true,
            "Blocked by “Inbox complete”: Messages are missing",
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
            "which stands; failing now: “Inbox complete”: Messages are missing",
        ),
        (
            "overridden",
            |f| {
                fails(f);
                f.approval = overridden_on(7, REASON);
            },
            ReadyForDns,
            false,
            "Overridden by admin@example.net in spite of “Inbox complete”; the reason: The old server is gone",
        ),
        (
            "overridden on older evidence",
            |f| {
                fails(f);
                f.approval = overridden_on(6, REASON);
            },
            Blocked,
            true,
            "Blocked by “Inbox complete”: Messages are missing",
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
            "Blocked by “Inbox complete”: Messages are missing",
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
            "Blocked by “Inbox complete”: Messages are missing",
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
            "Blocked: A run has changed rui@example.com since the last verification; verify again; the approval of lead@example.net on evidence 7 no longer stands.",
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
            "The approval of lead@example.net on evidence 5 no longer stands: “Inbox complete” fails: Messages are \
             missing without an explanation from ana@example.com: INBOX (1 of 50 pending); run a delta and verify \
             again; it has to be given again.",
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

/// An approval of the facts as they are, like the service stores it.
fn sign(facts: &mut Facts) {
    let (signed, signed_by_mailbox) = (Some(facts.figures()), by_mailbox(&facts.mailboxes));
    facts.approval = Some(Approval { signed, signed_by_mailbox, ..approved_on(7).unwrap() });
}

#[test]
fn what_runs_have_found_or_left_since_the_evidence_takes_an_approval_away() {
    let ledger = |pending, quarantined, changed| Some(LedgerFacts { pending, quarantined, changed });
    // The evidence knows of one pending and no refused message.
    let cases = [
        ("a run is at work", None, ReadyForDns, ""),
        ("all was copied since", ledger(0, 0, 0), ReadyForDns, ""),
        ("as the evidence has it", ledger(1, 0, 0), ReadyForDns, ""),
        ("one more is pending", ledger(2, 0, 0), Blocked, "amiss than it knows of: ana@example.com: Projects (1)"),
        ("many were refused", ledger(0, 500, 0), Blocked, "ana@example.com: Projects (499)"),
        ("the pending one was refused", ledger(0, 1, 0), Blocked, "wait in quarantine: ana@example.com: Projects (1)"),
        ("one was found changed", ledger(1, 0, 1), Blocked, "ana@example.com: Projects (1)"),
    ];
    for (name, ledger, gate, part) in cases {
        let mut facts = in_order();
        facts.mailboxes[0].folders[2].tally = tally(1009, 1, 0, 0);
        sign(&mut facts);
        facts.mailboxes[0].folders[2].ledger = ledger;
        let verdict = judge(&facts);
        assert_eq!(verdict.gate, gate, "{name}: {}", verdict.reason);
        assert_eq!((verdict.revoked, verdict.approvable), (gate == Blocked, gate != Blocked), "{name}");
        assert!(verdict.reason.contains(part), "{name}: {}", verdict.reason);
        facts.dns_cutover = true;
        assert_eq!(judge(&facts).gate, ReadyForDns, "{name}, after the cutover");
        (facts.dns_cutover, facts.approval) = (false, None);
        assert_eq!(judge(&facts).approvable, gate != Blocked, "{name}, before anybody approved");
    }
}

#[test]
fn a_retry_of_what_was_refused_is_nothing_worse() {
    let mut facts = in_order();
    facts.mailboxes[0].folders[2].tally = tally(1008, 0, 2, 0);
    facts.approval = overridden_on(7, REASON);
    assert_eq!(judge(&facts).gate, ReadyForDns);
    facts.mailboxes[0].folders[2].ledger = Some(LedgerFacts { pending: 2, quarantined: 0, changed: 0 });
    let verdict = judge(&facts);
    assert_eq!(verdict.gate, ReadyForDns, "{}", verdict.reason);
}

#[test]
fn an_override_may_be_given_on_what_the_ledger_has_amiss() {
    let mut facts = in_order();
    facts.mailboxes[0].folders[2].ledger = Some(LedgerFacts { pending: 3, quarantined: 0, changed: 0 });
    sign(&mut facts);
    facts.approval = facts.approval.map(|a| Approval { override_reason: Some(REASON.to_owned()), ..a });
    assert_eq!(judge(&facts).gate, ReadyForDns);
    facts.mailboxes[0].folders[2].ledger = Some(LedgerFacts { pending: 4, quarantined: 0, changed: 0 });
    assert!(judge(&facts).revoked, "more than was seen");
}

#[test]
fn what_gets_better_in_one_mailbox_does_not_hide_what_gets_worse_in_another() {
    let mut facts = in_order();
    facts.mailboxes[0].folders[2].tally = tally(1995, 5, 0, 0);
    facts.mailboxes[1].folders[2].tally = tally(2000, 0, 0, 0);
    sign(&mut facts);
    facts.mailboxes[0].folders[2].tally = tally(2000, 0, 0, 0);
    facts.mailboxes[1].folders[2].tally = tally(1995, 5, 0, 0);
    let verdict = judge(&facts);
    assert_eq!((verdict.gate, verdict.revoked), (Warning, true), "{}", verdict.reason);
    let part = "(rui@example.com: messages missing without an explanation: 0 → 5)";
    assert!(verdict.reason.contains(part), "{}", verdict.reason);
}

#[test]
fn an_approval_is_for_the_mailboxes_that_were_signed() {
    let mut facts = in_order();
    sign(&mut facts);
    facts.mailboxes[1].id = MailboxId(3);
    let verdict = judge(&facts);
    assert_eq!((verdict.gate, verdict.revoked), (Warning, true), "{}", verdict.reason);
    assert!(verdict.reason.contains("(rui@example.com was not there)"), "{}", verdict.reason);
    let mut facts = in_order();
    sign(&mut facts);
    facts.mailboxes.pop();
    let verdict = judge(&facts);
    assert_eq!((verdict.gate, verdict.revoked), (Warning, true), "{}", verdict.reason);
    assert!(verdict.reason.contains("(mailboxes: 2 → 1)"), "{}", verdict.reason);
}

#[test]
fn an_override_covers_the_checks_that_failed_when_it_was_given_and_no_others() {
    let overridden = |checks: &[CheckId]| {
        let mut facts = in_order();
        fails(&mut facts);
        facts.approval = Some(Approval { overridden: Some(checks.to_vec()), ..overridden_on(7, REASON).unwrap() });
        facts
    };
    let mut facts = overridden(&[CheckId::InboxComplete]);
    assert_eq!(judge(&facts).gate, ReadyForDns);
    facts.mailboxes[1].folders[1].changed = 1;
    let verdict = judge(&facts);
    assert_eq!((verdict.gate, verdict.revoked), (Blocked, true), "{}", verdict.reason);
    let mut facts = overridden(&[CheckId::InboxComplete, CheckId::ContentMatch]);
    assert_eq!(judge(&facts).gate, ReadyForDns, "one that fails no more is no reason");
    facts.now_seconds = 996_400 + 259_201;
    assert_eq!(judge(&facts).gate, ReadyForDns, "nor is the age of the evidence");
}

#[test]
fn evidence_whose_time_cannot_be_told_proves_nothing() {
    for (read, gate) in [(Some(1_000_300), ReadyForDns), (Some(1_000_301), Blocked), (None, Blocked)] {
        let mut facts = in_order();
        sign(&mut facts);
        facts.mailboxes[1].read_seconds = read;
        let verdict = judge(&facts);
        assert_eq!(verdict.gate, gate, "{read:?}: {}", verdict.reason);
        facts.dns_cutover = true;
        assert_eq!(judge(&facts).gate, ReadyForDns, "{read:?}, after the cutover");
    }
}

type Later = (&'static str, fn(&mut Facts), Gate, &'static str);

#[test]
fn an_approval_ends_where_newer_evidence_is_worse_than_what_was_signed() {
    let cases: &[Later] = &[
        ("the same again", |_| {}, ReadyForDns, "Approved by lead@example.net on evidence 7; no check fails"),
        ("more mail, all of it arrived", |f| f.mailboxes[0].folders[2].tally = tally(2000, 9, 0, 0), ReadyForDns, ""),
        ("one message less is missing", |f| f.mailboxes[0].folders[2].tally = tally(1003, 8, 0, 0), ReadyForDns, ""),
        (
            "one message more is missing",
            |f| f.mailboxes[0].folders[2].tally = tally(1001, 10, 0, 0),
            Warning,
            "No check fails, but the approval of lead@example.net on evidence 7 no longer stands: there is more to look \
             at than was signed (messages missing without an explanation: 9 → 10; the share of the worst mailbox that \
             arrived: 99.17 % → 99.08 %); an ops lead or super admin reads the newest evidence and approves again; \
             warnings: “Messages arrived”.",
        ),
        (
            "waived instead of missing",
            |f| f.mailboxes[0].folders[2].tally = tally(1002, 8, 0, 1),
            Warning,
            "(waived messages: 0 → 1)",
        ),
        (
            "one more was rebuilt",
            |f| f.mailboxes[1].folders[0].rewritten = 1,
            Warning,
            "rebuilt by the new server: 0 → 1",
        ),
        ("flags were lost", |f| f.mailboxes[1].folders[0].flags_lost = 2, Warning, "without all their flags: 0 → 2"),
        ("one is doubled, which fails", |f| f.mailboxes[1].folders[0].doubled = 1, Blocked, "are there more than once"),
        (
            "it got worse after the MX was changed",
            |f| {
                f.mailboxes[0].folders[2].tally = tally(100, 100, 0, 0);
                f.dns_cutover = true;
            },
            ReadyForDns,
            "which stands",
        ),
    ];
    for (name, spoil, gate, part) in cases {
        let mut facts = in_order();
        facts.mailboxes[0].folders[2].tally = tally(1002, 9, 0, 0);
        sign(&mut facts);
        facts.current_evidence = Some(EvidenceId(8));
        spoil(&mut facts);
        let verdict = judge(&facts);
        assert_eq!(verdict.gate, *gate, "{name}: {}", verdict.reason);
        assert_eq!(verdict.revoked, *gate != ReadyForDns, "{name}: {}", verdict.reason);
        assert_eq!(verdict.revoked_why.is_some(), verdict.revoked, "{name}");
        assert!(verdict.reason.contains(part), "{name}: {:?} lacks {part:?}", verdict.reason);
    }
}

#[test]
fn evidence_that_has_grown_too_old_takes_an_approval_away_but_no_override() {
    let mut facts = in_order();
    sign(&mut facts);
    facts.now_seconds = 996_400 + 259_200;
    facts.delta_max_age_seconds = i64::MAX;
    assert_eq!(judge(&facts).gate, ReadyForDns, "as old as allowed");
    facts.now_seconds += 1;
    let verdict = judge(&facts);
    assert_eq!((verdict.gate, verdict.revoked), (Blocked, true));
    assert_eq!(
        verdict.reason,
        "Blocked: The evidence of ana@example.com, rui@example.com is 72 hours old, longer than the 72 hours allowed; \
         verify again; the approval of lead@example.net on evidence 7 no longer stands."
    );
    facts.dns_cutover = true;
    assert_eq!(judge(&facts).gate, ReadyForDns, "after the cutover nothing is left to be let through");
    facts.dns_cutover = false;
    facts.approval = overridden_on(7, REASON);
    assert_eq!(judge(&facts).gate, ReadyForDns);
}

type Reason = (&'static str, fn(&mut Facts), &'static str);

#[test]
fn one_sentence_says_why_the_gate_is_shut_and_what_comes_next() {
    fn unread(f: &mut Facts) {
        f.mailboxes.iter_mut().for_each(|m| (m.depth, m.read_seconds) = (None, None));
        f.current_evidence = None;
    }
    let cases: &[Reason] = &[
        (
            "a new job",
            |f| {
                f.mailboxes.clear();
                (f.initial_done, f.last_delta) = (true, None);
            },
            "Blocked: The job has no mailboxes: add them, copy and verify; also failing: “Delta recent”.",
        ),
        (
            "nothing was copied yet",
            |f| {
                unread(f);
                (f.initial_done, f.last_delta) = (false, None);
            },
            "Blocked by “Delta recent”: The initial sync has not ended for every mailbox; run it, then a delta; also \
             failing: “Messages arrived”, “Folders covered”, “Inbox complete”, “Sent mail complete”, “Content \
             identical”.",
        ),
        (
            "copied, not verified",
            unread,
            "Blocked: Not verified yet: ana@example.com, rui@example.com; run a verification.",
        ),
        (
            "an approval was taken away before",
            |f| f.revoked_why = Some("“Inbox complete” fails: Messages were missing".to_owned()),
            "No check fails, but the last approval was taken away: “Inbox complete” fails: Messages were missing; an \
             ops lead or super admin reads the newest evidence and approves again.",
        ),
    ];
    for (name, spoil, reason) in cases {
        let mut facts = in_order();
        spoil(&mut facts);
        assert_eq!(judge(&facts).reason, *reason, "{name}");
    }
}
