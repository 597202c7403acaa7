//! What holds for all facts and every sequence of actions.

use super::{Verdict, judge};
use crate::{
    facts::{Approval, DeltaFacts, Facts, FolderFacts, LedgerFacts, MailboxFacts},
    figures::by_mailbox,
    samples::in_order,
};
use gatepost_contract::{CheckStatus, Depth, EvidenceId, Gate, GateFigures, MailboxId, SpecialUse, Tally};
use proptest::{option, prelude::*};

fn small() -> impl Strategy<Value = i64> {
    prop_oneof![6 => Just(0), 1 => 1..4_i64]
}

fn tallies() -> impl Strategy<Value = Tally> {
    // One in sixteen does not add up.
    (0..400_i64, small(), small(), small(), prop_oneof![15 => Just(0), 1 => -2..3_i64]).prop_map(
        |(arrived, pending, quarantined, waived, wrong)| Tally {
            source: arrived + pending + quarantined + waived + wrong,
            arrived,
            pending,
            quarantined,
            waived,
        },
    )
}

fn folders() -> impl Strategy<Value = FolderFacts> {
    let special_use = prop_oneof![
        Just(None),
        Just(Some(SpecialUse::Inbox)),
        Just(Some(SpecialUse::Sent)),
        Just(Some(SpecialUse::Trash))
    ];
    let mostly = || prop_oneof![12 => Just(true), 1 => Just(false)];
    let rarely = || prop_oneof![12 => Just(0), 1 => 1..4_i64];
    (special_use, mostly(), mostly(), tallies(), rarely(), rarely(), (rarely(), rarely(), rarely())).prop_map(
        |(special_use, mapped, visited, tally, changed, rewritten, (flags_lost, misplaced, doubled))| FolderFacts {
            source_path: "Folder".to_owned(),
            special_use,
            mapped,
            visited,
            tally,
            changed,
            rewritten,
            flags_lost,
            misplaced,
            doubled,
            ledger: None,
        },
    )
}

fn mailboxes() -> impl Strategy<Value = Vec<MailboxFacts>> {
    let depth = prop_oneof![
        1 => Just(None), 1 => Just(Some(Depth::Quick)), 8 => Just(Some(Depth::Standard)), 4 => Just(Some(Depth::Deep))
    ];
    let read = option::weighted(0.9, 700_000..1_000_100_i64);
    let quick = prop_oneof![9 => Just(vec![]), 1 => Just(vec!["INBOX".to_owned()])];
    let left_out = prop_oneof![9 => Just(vec![]), 1 => Just(vec!["archive.pst could not be read".to_owned()])];
    let fine = (prop::bool::weighted(0.95), left_out);
    let mailbox = (depth, read, quick, fine, prop::collection::vec(folders(), 0..4)).prop_map(
        |(depth, read_seconds, contradicted, (adds_up, left_out), folders)| MailboxFacts {
            id: MailboxId(0),
            email: "someone@example.com".to_owned(),
            depth,
            read_seconds,
            contradicted,
            damaged: left_out.iter().map(|_| "b.pst: it is cut short".to_owned()).collect(),
            left_out,
            removed: vec![],
            adds_up,
            folders,
        },
    );
    // Half of the evidence is in order, so that histories get far.
    let some = prop::collection::vec(mailbox, 0..4).prop_map(|mut some| {
        some.iter_mut().zip(1..).for_each(|(mailbox, id)| mailbox.id = MailboxId(id));
        some
    });
    prop_oneof![Just(in_order().mailboxes), some]
}

fn deltas() -> impl Strategy<Value = Option<DeltaFacts>> {
    option::weighted(
        0.9,
        (900_000..1_000_100_i64, prop::bool::weighted(0.8), small())
            .prop_map(|(finished_seconds, ended_well, pending)| DeltaFacts { finished_seconds, ended_well, pending }),
    )
}

fn approvals() -> impl Strategy<Value = Option<Approval>> {
    let reason = option::of(prop_oneof![Just(""), Just("The old server is gone.")]);
    let signed = option::of(mailboxes().prop_map(|mailboxes| Facts { mailboxes, ..in_order() }.figures()));
    option::of((option::of(0..3_i64), signed, reason).prop_map(|(evidence, signed, reason)| Approval {
        evidence_id: evidence.map(EvidenceId),
        signed,
        signed_by_mailbox: Vec::new(),
        overridden: None,
        override_reason: reason.map(ToOwned::to_owned),
        by: "lead@example.net".to_owned(),
    }))
}

fn facts() -> impl Strategy<Value = Facts> {
    (mailboxes(), deltas(), approvals(), option::of(0..3_i64), any::<bool>(), prop::bool::weighted(0.9), 0.0..1.1_f64)
        .prop_map(|(mailboxes, last_delta, approval, evidence, dns_cutover, initial_done, min_ratio)| Facts {
            mailboxes,
            last_delta,
            approval,
            current_evidence: evidence.map(EvidenceId),
            dns_cutover,
            initial_done,
            min_ratio,
            ..in_order()
        })
}

/// What can happen to a job.
#[derive(Clone, Debug)]
enum Action {
    /// Refused while a check fails, as the service does.
    Approve,
    Override(&'static str),
    /// A verification ended.
    Verified(Vec<MailboxFacts>),
    /// A mailbox was added, so there is no evidence for all of them.
    MailboxAdded,
    Delta(Option<DeltaFacts>),
    /// Runs wrote this of every folder; none while one is at work.
    Written(Option<LedgerFacts>),
    TimePasses(i64),
    /// Refused while the gate is shut.
    DnsApplied,
    /// The service stores that the approval was taken away.
    StoreRevocation,
}

fn actions() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => Just(Action::Approve),
        1 => Just(Action::Override("The old server is gone.")),
        1 => Just(Action::Override(" ")),
        4 => mailboxes().prop_map(Action::Verified),
        1 => Just(Action::MailboxAdded),
        2 => deltas().prop_map(Action::Delta),
        1 => option::of((small(), small(), small()))
            .prop_map(|some| Action::Written(some.map(|(pending, quarantined, changed)| LedgerFacts { pending, quarantined, changed }))),
        1 => (0..200_000_i64).prop_map(Action::TimePasses),
        1 => Just(Action::DnsApplied),
        3 => Just(Action::StoreRevocation),
    ]
}

fn act(facts: &mut Facts, action: Action, evidence: &mut i64) {
    let verdict = judge(facts);
    let approval = |facts: &Facts, reason: Option<&str>| {
        let override_reason = reason.map(ToOwned::to_owned);
        Some(Approval {
            evidence_id: facts.current_evidence,
            signed: Some(facts.figures()),
            signed_by_mailbox: by_mailbox(&facts.mailboxes),
            overridden: reason
                .map(|_| verdict.checks.iter().filter(|c| c.status == CheckStatus::Fail))
                .map(|failing| failing.map(|check| check.check_id).collect()),
            override_reason,
            by: "lead@example.net".to_owned(),
        })
    };
    match action {
        Action::Approve if verdict.approvable => facts.approval = approval(facts, None),
        Action::Override(reason) => facts.approval = approval(facts, Some(reason)),
        Action::Verified(mailboxes) => {
            *evidence += 1;
            facts.current_evidence =
                mailboxes.iter().all(|mailbox| mailbox.depth.is_some()).then_some(EvidenceId(*evidence));
            facts.mailboxes = mailboxes;
        }
        Action::MailboxAdded => {
            let email = "new@example.com".to_owned();
            facts.mailboxes.push(MailboxFacts {
                id: MailboxId(99),
                email,
                depth: None,
                read_seconds: None,
                contradicted: vec![],
                left_out: vec![],
                damaged: vec![],
                removed: vec![],
                adds_up: true,
                folders: vec![],
            });
            facts.current_evidence = None;
        }
        Action::Delta(delta) => facts.last_delta = delta,
        Action::Written(ledger) => {
            facts.mailboxes.iter_mut().flat_map(|m| &mut m.folders).for_each(|folder| folder.ledger = ledger);
        }
        Action::TimePasses(seconds) => facts.now_seconds += seconds,
        Action::DnsApplied if verdict.gate.dns_allowed() => facts.dns_cutover = true,
        Action::StoreRevocation if verdict.revoked => facts.approval = None,
        Action::Approve | Action::DnsApplied | Action::StoreRevocation => {}
    }
}

fn failing(verdict: &Verdict) -> bool {
    verdict.checks.iter().any(|check| check.status == CheckStatus::Fail)
}

/// The invariant of the gate, stated apart from the code that keeps it.
fn opens_rightly(facts: &Facts, verdict: &Verdict) -> Result<(), TestCaseError> {
    if verdict.gate != Gate::ReadyForDns {
        return Ok(());
    }
    let Some(approval) = &facts.approval else {
        return Err(TestCaseError::fail("open without an approval"));
    };
    if let Some(signed) = approval.signed.as_ref().filter(|_| !facts.dns_cutover) {
        let (open, now) =
            (|f: &GateFigures| [f.pending, f.quarantined, f.waived, f.changed, f.misplaced], facts.figures());
        let grown = open(signed).into_iter().zip(open(&now)).any(|(signed, now)| now > signed);
        prop_assert!(!grown, "open with more than was signed: {:?}, {:?}", signed, now);
    }
    let known: i64 = facts.mailboxes.iter().flat_map(|m| &m.folders).map(FolderFacts::amiss_since).sum();
    prop_assert!(known == 0 || facts.dns_cutover || approval.overriding().is_some(), "open in spite of the ledger");
    if failing(verdict) && !facts.dns_cutover {
        let written = approval.override_reason.as_ref().is_some_and(|reason| !reason.trim().is_empty());
        prop_assert!(written, "open with a failing check and no override: {}", verdict.reason);
        prop_assert_eq!(approval.evidence_id, facts.current_evidence, "the override is for other evidence");
    }
    Ok(())
}

fn in_order_but_unread() -> Facts {
    Facts { mailboxes: vec![], current_evidence: None, last_delta: None, ..in_order() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn no_history_opens_the_gate_with_a_failing_check_and_no_override(
        history in prop::collection::vec(actions(), 1..40)
    ) {
        let mut facts = in_order_but_unread();
        let mut evidence = 0;
        for action in history {
            let before = facts.dns_cutover && facts.approval.is_some();
            act(&mut facts, action, &mut evidence);
            let verdict = judge(&facts);
            opens_rightly(&facts, &verdict)?;
            prop_assert!(!before || verdict.gate == Gate::ReadyForDns, "taken away after the MX was changed");
        }
    }

    #[test]
    fn the_gate_says_what_its_checks_say(facts in facts()) {
        let verdict = judge(&facts);
        opens_rightly(&facts, &verdict)?;
        prop_assert_eq!(verdict.approvable, !failing(&verdict));
        match verdict.gate {
            Gate::Blocked => prop_assert!(failing(&verdict)),
            Gate::Warning => prop_assert!(!failing(&verdict)),
            Gate::ReadyForDns => prop_assert!(!verdict.revoked),
        }
        prop_assert_eq!(verdict.revoked, facts.approval.is_some() && verdict.gate != Gate::ReadyForDns);
        for check in &verdict.checks {
            prop_assert!(!check.message.is_empty());
            prop_assert_eq!(&check.checked_at, &facts.sampled_at);
        }
    }

    #[test]
    fn the_same_facts_give_the_same_verdict_in_any_order_of_mailboxes(facts in facts()) {
        let verdict = judge(&facts);
        prop_assert_eq!(&judge(&facts.clone()), &verdict);
        let mut turned = facts;
        turned.mailboxes.reverse();
        let turned = judge(&turned);
        prop_assert_eq!(turned.gate, verdict.gate);
        let statuses = |v: &Verdict| v.checks.iter().map(|check| check.status).collect::<Vec<_>>();
        prop_assert_eq!(statuses(&turned), statuses(&verdict));
    }

    #[test]
    fn a_missing_message_never_makes_the_gate_greener(
        facts in facts(), mailbox: prop::sample::Index, folder: prop::sample::Index, quarantined: bool
    ) {
        let mut worse = facts.clone();
        prop_assume!(!worse.mailboxes.is_empty());
        let mailbox = mailbox.get_mut(&mut worse.mailboxes);
        prop_assume!(!mailbox.folders.is_empty());
        let tally = &mut folder.get_mut(&mut mailbox.folders).tally;
        tally.source += 1;
        *(if quarantined { &mut tally.quarantined } else { &mut tally.pending }) += 1;
        let (before, after) = (judge(&facts), judge(&worse));
        prop_assert!(after.gate <= before.gate, "{} → {}", before.gate, after.gate);
        for (before, after) in before.checks.iter().zip(&after.checks) {
            // Pass < Warn < Fail.
            prop_assert!(after.status >= before.status, "{}: {} → {}", before.check_id, before.status, after.status);
        }
    }
}
