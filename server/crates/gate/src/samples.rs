//! Facts that the tests start from: a job in perfect order, of which each case spoils one thing.

use crate::facts::{Approval, DeltaFacts, Facts, FolderFacts, MailboxFacts};
use gatepost_contract::{Depth, EvidenceId, MailboxId, SpecialUse, Tally};

/// Adds up by itself: the source is the sum.
pub(crate) fn tally(arrived: i64, pending: i64, quarantined: i64, waived: i64) -> Tally {
    Tally { source: arrived + pending + quarantined + waived, arrived, pending, quarantined, waived }
}

pub(crate) fn folder(path: &str, special_use: Option<SpecialUse>, tally: Tally) -> FolderFacts {
    FolderFacts {
        source_path: path.to_owned(),
        special_use,
        mapped: true,
        visited: true,
        tally,
        changed: 0,
        rewritten: 0,
        flags_lost: 0,
        misplaced: 0,
        doubled: 0,
        ledger: None,
    }
}

/// INBOX, Sent and Projects.
pub(crate) fn mailbox(id: i64, email: &str, inbox: Tally, sent: Tally, projects: Tally) -> MailboxFacts {
    MailboxFacts {
        id: MailboxId(id),
        email: email.to_owned(),
        depth: Some(Depth::Standard),
        read_seconds: Some(996_400),
        contradicted: Vec::new(),
        left_out: Vec::new(),
        damaged: Vec::new(),
        removed: Vec::new(),
        adds_up: true,
        folders: vec![
            folder("INBOX", Some(SpecialUse::Inbox), inbox),
            folder("Sent", Some(SpecialUse::Sent), sent),
            folder("Projects", None, projects),
        ],
    }
}

/// Two mailboxes, everything arrived, a delta an hour ago, not approved.
pub(crate) fn in_order() -> Facts {
    Facts {
        min_ratio: 0.99,
        delta_max_age_seconds: 86_400,
        evidence_max_age_seconds: 259_200,
        now_seconds: 1_000_000,
        sampled_at: "2026-11-21T04:25:44Z".to_owned(),
        mailboxes: vec![
            mailbox(1, "ana@example.com", tally(50, 0, 0, 0), tally(30, 0, 0, 0), tally(20, 0, 0, 0)),
            mailbox(2, "rui@example.com", tally(500, 0, 0, 0), tally(300, 0, 0, 0), tally(200, 0, 0, 0)),
        ],
        initial_done: true,
        last_delta: Some(DeltaFacts { finished_seconds: 996_400, ended_well: true, pending: 0 }),
        current_evidence: Some(EvidenceId(7)),
        evidence_at: Some("2026-11-21T03:25:44Z".to_owned()),
        approval: None,
        revoked_why: None,
        dns_cutover: false,
    }
}

pub(crate) fn approved_on(evidence: i64) -> Option<Approval> {
    Some(Approval {
        evidence_id: Some(EvidenceId(evidence)),
        signed: None,
        signed_by_mailbox: Vec::new(),
        overridden: None,
        override_reason: None,
        by: "lead@example.net".to_owned(),
    })
}

pub(crate) fn overridden_on(evidence: i64, reason: &str) -> Option<Approval> {
    Some(Approval {
        evidence_id: Some(EvidenceId(evidence)),
        signed: None,
        signed_by_mailbox: Vec::new(),
        overridden: None,
        override_reason: Some(reason.to_owned()),
        by: "admin@example.net".to_owned(),
    })
}
