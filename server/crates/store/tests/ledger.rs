//! The ledger: what becomes of each message, and the sums over it.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::{LATER, NOW, folder, job, mailbox, message, store};
use gatepost_contract::{
    CauseKind, Depth, Fidelity, FolderEvidence, FolderId, MailboxId, MailboxStatus, MessageId, MessageState, PageQuery,
    Residue, ResidueFilter, RunId, Tally,
};
use gatepost_store::{
    Conn, Error, Store, Tx, evidence, folders,
    folders::{CursorRow, PlannedFolder},
    jobs, mailboxes,
    messages::{self, ArrivedRow, DigestRow, Verdict},
};
use std::time::{Duration, Instant};

async fn ledger(store: &Store, uids: impl IntoIterator<Item = i64>) -> (Tx, MailboxId, FolderId) {
    let mut tx = store.begin().await.unwrap();
    let job = job(&mut tx, "example.org").await;
    let mailbox = mailbox(&mut tx, job, "ana@example.org").await;
    let folder = folder(&mut tx, mailbox).await;
    let new: Vec<_> = uids.into_iter().map(message).collect();
    assert_eq!(messages::add(&mut tx, folder, &new, NOW).await.unwrap(), new.len() as u64);
    (tx, mailbox, folder)
}

fn arrival(uid: i64) -> ArrivedRow {
    let byte = u8::try_from(uid % 251).unwrap();
    let digests = DigestRow { exact: [byte; 32], canonical: [byte + 1; 32], bytes: 100 + uid };
    ArrivedRow { uid, dest_uid: Some(uid + 5000), digests, dropped_flags: String::new(), adopted: false }
}

async fn states(conn: &mut Conn, folder: FolderId) -> Vec<(i64, MessageState, Option<i64>)> {
    messages::rows(conn, folder).await.unwrap().into_iter().map(|r| (r.uid, r.state, r.dest_uid)).collect()
}

fn tally(source: i64, arrived: i64, pending: i64, quarantined: i64, waived: i64) -> Tally {
    Tally { source, arrived, pending, quarantined, waived }
}

#[tokio::test]
async fn adding_again_changes_nothing() {
    let store = store().await;
    let (mut tx, _, folder) = ledger(&store, 1..=3).await;
    messages::arrived(&mut tx, folder, &[arrival(2)], NOW).await.unwrap();
    let again: Vec<_> = (1..=4).map(message).collect();
    assert_eq!(messages::add(&mut tx, folder, &again, LATER).await.unwrap(), 1);
    let rows = messages::rows(&mut tx, folder).await.unwrap();
    assert_eq!(rows.iter().map(|r| r.uid).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(
        (rows[1].state, rows[1].dest_uid, rows[1].digests),
        (MessageState::Arrived, Some(5002), Some(arrival(2).digests))
    );
    assert_eq!(
        (rows[0].state, rows[0].digests, &*rows[0].flags, rows[0].size),
        (MessageState::Pending, None, "\\Seen", 101)
    );
    assert_eq!(&*rows[0].internal_date, "2020-02-29T23:59:58-03:00");
    let unknown = messages::add(&mut tx, FolderId(999), &again, NOW).await;
    assert!(matches!(unknown, Err(Error::Missing("folder"))), "{unknown:?}");
}

#[tokio::test]
async fn batches_larger_than_a_statement_reach_every_row() {
    let store = store().await;
    let (mut tx, mailbox, folder) = ledger(&store, 1..=1000).await;
    let arrivals: Vec<_> = (1..=777).map(arrival).collect();
    messages::arrived(&mut tx, folder, &arrivals, NOW).await.unwrap();
    let refusals: Vec<_> = (700..=900).map(|uid| (uid, CauseKind::TooLarge, format!("too large {uid}"))).collect();
    messages::refused(&mut tx, folder, &refusals).await.unwrap();
    let flags: Vec<_> = (1..=1000).map(|uid| (uid, format!("\\Flagged k{uid}"))).collect();
    messages::flags(&mut tx, folder, &flags).await.unwrap();
    let lost: Vec<i64> = (1..=300).collect();
    messages::lost(&mut tx, folder, &lost).await.unwrap();
    let gone: Vec<i64> = (950..=2000).collect();
    messages::vanished(&mut tx, folder, &gone).await.unwrap();
    // 1-300 lost, 301-777 arrived (a refusal does not undo that), 778-900 refused, 901-949 never tried.
    assert_eq!(messages::tally(&mut tx, folder).await.unwrap(), tally(949, 477, 349, 123, 0));
    assert_eq!(messages::mailbox_tally(&mut tx, mailbox).await.unwrap(), tally(949, 477, 349, 123, 0));
    let rows = messages::rows(&mut tx, folder).await.unwrap();
    assert_eq!(&*rows[899].flags, "\\Flagged k900");
    assert_eq!(rows[300].dest_uid, Some(5301));
    assert_eq!(rows[299].dest_uid, None);
    let mut paged = Vec::new();
    while let Some(last) = Some(paged.last().map_or(-1, |r: &messages::LedgerRow| r.uid)) {
        let page = messages::rows_after(&mut tx, folder, last, 100).await.unwrap();
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged, rows);
}

#[tokio::test]
async fn a_batch_reaches_its_own_folder_only() {
    let store = store().await;
    let (mut tx, mailbox, inbox) = ledger(&store, 1..=2).await;
    let plan =
        ["INBOX", "Sent"].map(|p| PlannedFolder { source_path: p.into(), dest_path: p.into(), special_use: None });
    let sent = folders::place(&mut tx, mailbox, &plan, NOW).await.unwrap()[1].id;
    messages::add(&mut tx, sent, &[message(1), message(2)], NOW).await.unwrap();
    messages::arrived(&mut tx, sent, &[arrival(1)], NOW).await.unwrap();
    messages::refused(&mut tx, sent, &[(2, CauseKind::Refused, "no".into())]).await.unwrap();
    messages::flags(&mut tx, sent, &[(1, "x".into())]).await.unwrap();
    let foreign = messages::rows(&mut tx, sent).await.unwrap()[0].id;
    let verdict = Verdict {
        id: foreign,
        state: MessageState::Pending,
        cause: None,
        kind: None,
        fidelity: None,
        dest_uid: None,
        waiver_over: false,
        listed: None,
    };
    messages::verified(&mut tx, inbox, &[verdict], NOW).await.unwrap();
    messages::lost(&mut tx, inbox, &[1]).await.unwrap();
    messages::vanished(&mut tx, inbox, &[2]).await.unwrap();
    assert_eq!(states(&mut tx, inbox).await, [(1, MessageState::Pending, None)]);
    assert_eq!(
        states(&mut tx, sent).await,
        [(1, MessageState::Arrived, Some(5001)), (2, MessageState::Quarantined, None)]
    );
}

#[tokio::test]
async fn a_new_epoch_of_either_side_starts_the_folder_over() {
    let store = store().await;
    let (mut tx, mailbox, folder) = ledger(&store, 1..=3).await;
    messages::arrived(&mut tx, folder, &[arrival(1), arrival(2)], NOW).await.unwrap();
    messages::refused(&mut tx, folder, &[(3, CauseKind::Refused, "no".into())]).await.unwrap();
    let cursor = CursorRow { epoch: 7, next_uid: 4, modseq: Some(i64::MAX) };
    folders::advance(&mut tx, folder, &cursor, NOW).await.unwrap();
    folders::advance(&mut tx, folder, &cursor, LATER).await.unwrap();

    messages::reset_dest(&mut tx, folder, 99).await.unwrap();
    assert_eq!(messages::tally(&mut tx, folder).await.unwrap(), tally(3, 0, 2, 1, 0));
    let row = &folders::rows(&mut tx, mailbox).await.unwrap()[0];
    assert_eq!((row.dest_epoch, row.cursor, row.visited_at.as_deref()), (Some(99), Some(cursor), Some(LATER)));

    messages::reset_source(&mut tx, folder).await.unwrap();
    assert_eq!(messages::tally(&mut tx, folder).await.unwrap(), Tally::default());
    assert_eq!(folders::rows(&mut tx, mailbox).await.unwrap()[0].cursor, None);
    assert_eq!(folders::cursor_history(&mut tx, folder, 10).await.unwrap(), [(cursor, NOW.to_owned())]);
}

#[tokio::test]
async fn a_folder_that_goes_counts_nowhere_and_one_that_moves_is_copied_again() {
    let store = store().await;
    let (mut tx, mailbox, inbox) = ledger(&store, 1..=2).await;
    messages::arrived(&mut tx, inbox, &[arrival(1)], NOW).await.unwrap();
    let place = |source: &str, dest: &str| PlannedFolder {
        source_path: source.into(),
        dest_path: dest.into(),
        special_use: Some(gatepost_contract::SpecialUse::Sent),
    };
    let placed = folders::place(&mut tx, mailbox, &[place("Enviados", "Sent")], LATER).await.unwrap();
    assert_eq!(placed[0].special_use, Some(gatepost_contract::SpecialUse::Sent));
    assert_eq!(messages::mailbox_tally(&mut tx, mailbox).await.unwrap(), Tally::default());
    assert_eq!(folders::list(&mut tx, mailbox).await.unwrap().len(), 1);

    let plan = [place("Enviados", "Sent"), place("INBOX", "INBOX")];
    let placed = folders::place(&mut tx, mailbox, &plan, LATER).await.unwrap();
    assert_eq!((placed[1].id, placed[1].gone_at.as_deref()), (inbox, None));
    assert_eq!(messages::mailbox_tally(&mut tx, mailbox).await.unwrap(), tally(2, 1, 1, 0, 0));

    folders::place(&mut tx, mailbox, &[place("INBOX", "Old/INBOX")], LATER).await.unwrap();
    assert_eq!(messages::mailbox_tally(&mut tx, mailbox).await.unwrap(), tally(2, 0, 2, 0, 0));
}

#[tokio::test]
async fn the_residue_names_what_is_missing_and_what_has_changed() {
    let store = store().await;
    let (mut tx, mailbox, folder) = ledger(&store, 1..=5).await;
    let job = mailboxes::get(&mut tx, mailbox).await.unwrap().unwrap().job_id;
    messages::arrived(&mut tx, folder, &(1..=3).map(arrival).collect::<Vec<_>>(), NOW).await.unwrap();
    let ids: Vec<MessageId> = messages::rows(&mut tx, folder).await.unwrap().iter().map(|r| r.id).collect();
    let verdict = |n: usize, state, fidelity, cause: Option<&str>| Verdict {
        id: ids[n],
        state,
        cause: cause.map(Into::into),
        fidelity,
        dest_uid: (state == MessageState::Arrived).then_some(77),
        kind: cause.map(|_| CauseKind::Content),
        waiver_over: false,
        listed: None,
    };
    let verdicts = [
        verdict(0, MessageState::Arrived, Some(Fidelity::Identical), None),
        verdict(1, MessageState::Arrived, Some(Fidelity::Changed), Some("another body")),
        verdict(2, MessageState::Pending, None, Some("not found")),
        verdict(3, MessageState::Quarantined, None, Some("too large")),
    ];
    messages::verified(&mut tx, folder, &verdicts, NOW).await.unwrap();
    let head = messages::HeadRow {
        uid: 2,
        message_id: Some("<1\0@x>".into()),
        from: Some("Ana".into()),
        ..Default::default()
    };
    messages::headed(&mut tx, folder, &[head]).await.unwrap();
    let all = messages::residue(&mut tx, job, &ResidueFilter::default(), &PageQuery::default()).await.unwrap();
    let seen = |r: &Residue| (r.source_uid, r.state, r.fidelity, r.cause.clone());
    assert_eq!(
        all.items.iter().map(seen).collect::<Vec<_>>(),
        [
            (2, MessageState::Arrived, Some(Fidelity::Changed), Some("another body".into())),
            (3, MessageState::Pending, None, Some("not found".into())),
            (4, MessageState::Quarantined, None, Some("too large".into())),
            (5, MessageState::Pending, None, None),
        ]
    );
    let first = &all.items[0];
    assert_eq!(
        (first.message_id_header.as_deref(), first.from.as_deref(), first.cause_kind),
        (Some("<1\u{fffd}@x>"), Some("Ana"), Some(CauseKind::Content))
    );
    let only =
        ResidueFilter { mailbox_id: Some(mailbox), state: Some(MessageState::Quarantined), ..ResidueFilter::default() };
    assert_eq!(messages::residue(&mut tx, job, &only, &PageQuery::default()).await.unwrap().total, 1);
    let one = messages::get(&mut tx, ids[3]).await.unwrap().unwrap();
    assert_eq!((one.job_id, one.folder_id, one.residue.email.as_str()), (job, folder, "ana@example.org"));
}

#[tokio::test]
async fn the_sums_of_mailbox_and_job_follow_every_change() {
    let store = store().await;
    let (mut tx, first, folder) = ledger(&store, 1..=4).await;
    let job = mailboxes::get(&mut tx, first).await.unwrap().unwrap().job_id;
    messages::arrived(&mut tx, folder, &[arrival(1)], NOW).await.unwrap();
    let counts = messages::sums(&mut tx, first).await.unwrap();
    mailboxes::set_counts(&mut tx, first, &counts, NOW).await.unwrap();
    assert_eq!(
        (counts.messages_source, counts.messages_dest, counts.bytes_source, counts.bytes_dest),
        (4, 1, 410, 101)
    );
    assert!((mailboxes::get(&mut tx, first).await.unwrap().unwrap().sync_percent - 25.0).abs() < 1e-9);
    let second = mailbox(&mut tx, job, "bob@example.org").await;
    let counts = mailboxes::Counts { messages_source: 6, messages_dest: 6, ..Default::default() };
    mailboxes::set_counts(&mut tx, second, &counts, NOW).await.unwrap();
    mailboxes::set_status(&mut tx, second, MailboxStatus::Error, Some("full"), NOW).await.unwrap();
    let seen = jobs::get(&mut tx, job).await.unwrap().unwrap();
    assert_eq!((seen.mailboxes, seen.mailboxes_in_trouble, seen.messages_source, seen.messages_dest), (2, 1, 10, 7));
    assert!((seen.sync_percent - 70.0).abs() < 1e-9);
    mailboxes::delete(&mut tx, second).await.unwrap();
    let seen = jobs::get(&mut tx, job).await.unwrap().unwrap();
    assert_eq!((seen.mailboxes, seen.mailboxes_in_trouble, seen.messages_source, seen.messages_dest), (1, 0, 4, 1));
    mailboxes::delete(&mut tx, first).await.unwrap();
    assert_eq!(messages::rows(&mut tx, folder).await.unwrap(), []);
    assert!(matches!(mailboxes::delete(&mut tx, first).await, Err(Error::Missing("mailbox"))));
}

#[tokio::test]
async fn evidence_of_a_job_is_whole_only_when_every_mailbox_was_verified() {
    let store = store().await;
    let (mut tx, ana, folder) = ledger(&store, 1..=4).await;
    let job = mailboxes::get(&mut tx, ana).await.unwrap().unwrap().job_id;
    assert_eq!(evidence::for_job(&mut tx, job).await.unwrap().evidence_id, None);
    let of_folder = FolderEvidence {
        folder_id: Some(folder),
        source_path: "INBOX".into(),
        dest_path: Some("INBOX".into()),
        special_use: Some(gatepost_contract::SpecialUse::Inbox),
        visited: true,
        tally: tally(4, 3, 1, 0, 0),
        extra: 1,
        changed: 2,
        rewritten: 3,
        flags_lost: 4,
        misplaced: 6,
        doubled: 7,
        bodies_read: 5,
        note: None,
    };
    let new = evidence::NewEvidence {
        job_id: job,
        mailbox_id: ana,
        run_id: RunId(1),
        replaces: None,
        depth: Depth::Standard,
        read_at: NOW.into(),
        tally: tally(4, 3, 1, 0, 0),
        folders: vec![of_folder.clone()],
    };
    let older = evidence::add(&mut tx, &new).await.unwrap();
    let newer = evidence::add(&mut tx, &evidence::NewEvidence { replaces: Some(older), ..new.clone() }).await.unwrap();
    let (id, latest) = evidence::latest(&mut tx, ana).await.unwrap().unwrap();
    assert_eq!((id, &latest.folders), (newer, &vec![of_folder]));
    let whole = evidence::for_job(&mut tx, job).await.unwrap();
    assert_eq!((whole.evidence_id, whole.totals, whole.worst_ratio), (Some(newer), new.tally, Some(0.75)));
    assert_eq!(whole.mailboxes, [latest]);

    let bob = mailbox(&mut tx, job, "bob@example.org").await;
    let part = evidence::for_job(&mut tx, job).await.unwrap();
    assert_eq!((part.evidence_id, part.mailboxes[1].run_id, part.mailboxes[1].depth), (None, None, None));
    let of_bob = evidence::NewEvidence { mailbox_id: bob, tally: Tally::default(), folders: vec![], ..new };
    let last = evidence::add(&mut tx, &of_bob).await.unwrap();
    let whole = evidence::for_job(&mut tx, job).await.unwrap();
    assert_eq!((whole.evidence_id, whole.worst_ratio), (Some(last), Some(0.75)));
}

/// The bound is far below what a release build does; it is there for a batch that has become a scan.
#[tokio::test]
async fn a_large_folder_is_added_and_arrives_in_seconds() {
    let store = store().await;
    let start = Instant::now();
    let (mut tx, _, folder) = ledger(&store, 1..=20_000).await;
    let added = start.elapsed();
    let arrivals: Vec<_> = (1..=20_000).map(arrival).collect();
    messages::arrived(&mut tx, folder, &arrivals, NOW).await.unwrap();
    let arrived = start.elapsed() - added;
    let rows = messages::rows(&mut tx, folder).await.unwrap();
    println!("20,000: added in {added:?}, arrived in {arrived:?}, read in {:?}", start.elapsed() - added - arrived);
    assert!(rows.iter().all(|r| r.state == MessageState::Arrived));
    assert!(size_of::<messages::LedgerRow>() <= 176);
    assert!(start.elapsed() < Duration::from_secs(180));
}

#[tokio::test]
async fn a_verification_reads_the_ledger_in_pages_and_writes_why_a_message_is_missing() {
    let store = store().await;
    let (mut tx, mailbox, folder) = ledger(&store, 1..=5).await;
    messages::arrived(&mut tx, folder, &(1..=3).map(arrival).collect::<Vec<_>>(), NOW).await.unwrap();
    let page = messages::proofs(&mut tx, folder, 1, 3).await.unwrap();
    assert_eq!(
        page.iter().map(|r| (r.uid, r.copied, r.headed)).collect::<Vec<_>>(),
        [(2, true, false), (3, true, false), (4, false, false)]
    );
    let cause = (CauseKind::New, "came later");
    assert_eq!(messages::add_because(&mut tx, folder, &[message(5), message(9)], Some(cause), NOW).await.unwrap(), 1);
    messages::hindered(&mut tx, folder, &[(4, CauseKind::Disconnects, "breaks off".into())]).await.unwrap();
    messages::hindered(&mut tx, folder, &[(1, CauseKind::Disconnects, "not this one".into())]).await.unwrap();
    messages::refused(&mut tx, folder, &[(5, CauseKind::TooLarge, "too large".into())]).await.unwrap();
    let kinds = |rows: Vec<messages::ProofRow>| rows.iter().map(|r| (r.uid, r.state, r.kind)).collect::<Vec<_>>();
    let rows = kinds(messages::proofs(&mut tx, folder, 0, 100).await.unwrap());
    let (arrived, pending) = (MessageState::Arrived, MessageState::Pending);
    assert_eq!(
        rows,
        [
            (1, arrived, None),
            (2, arrived, None),
            (3, arrived, None),
            (4, pending, Some(CauseKind::Disconnects)),
            (5, MessageState::Quarantined, Some(CauseKind::TooLarge)),
            (9, pending, Some(CauseKind::New)),
        ]
    );
    messages::unproved(&mut tx, folder, CauseKind::Renumbered, "numbered anew", NOW).await.unwrap();
    let rows = messages::proofs(&mut tx, folder, 0, 100).await.unwrap();
    assert!(rows.iter().all(|r| r.dest_uid.is_none() && (r.state == MessageState::Quarantined || r.state == pending)));
    assert_eq!(rows.iter().map(|r| r.copied).collect::<Vec<_>>(), [true, true, true, false, false, false]);
    assert_eq!(mailboxes::get(&mut tx, mailbox).await.unwrap().unwrap().id, mailbox);
}

#[tokio::test]
async fn a_message_is_proved_when_its_folder_was_read_after_it_was_copied() {
    let store = store().await;
    let (mut tx, mailbox, folder) = ledger(&store, 1..=3).await;
    let job = mailboxes::get(&mut tx, mailbox).await.unwrap().unwrap().job_id;
    messages::arrived(&mut tx, folder, &[arrival(1)], "2026-01-01T10:00:00.000Z").await.unwrap();
    messages::arrived(&mut tx, folder, &[arrival(2)], "2026-01-01T12:00:00.000Z").await.unwrap();
    for (visited, expected) in [(false, [false; 3]), (true, [true, false, false])] {
        let part = FolderEvidence {
            folder_id: Some(folder),
            source_path: "INBOX".into(),
            dest_path: Some("INBOX".into()),
            special_use: None,
            visited,
            tally: tally(3, 2, 1, 0, 0),
            extra: 0,
            changed: 0,
            rewritten: 0,
            flags_lost: 0,
            misplaced: 0,
            doubled: 0,
            bodies_read: 0,
            note: None,
        };
        let row = evidence::NewEvidence {
            job_id: job,
            mailbox_id: mailbox,
            run_id: RunId(1),
            replaces: None,
            depth: Depth::Standard,
            read_at: "2026-01-01T11:00:00.000Z".into(),
            tally: part.tally,
            folders: vec![part],
        };
        evidence::add(&mut tx, &row).await.unwrap();
        let rows = messages::proofs(&mut tx, folder, -1, 10).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.proved).collect::<Vec<_>>(), expected, "visited: {visited}");
    }
}

#[tokio::test]
async fn what_was_given_up_claims_no_copy_once_the_destination_counts_anew() {
    let store = store().await;
    for unproved in [false, true] {
        let (mut tx, _, folder) = ledger(&store, 1..=1).await;
        messages::arrived(&mut tx, folder, &[arrival(1)], NOW).await.unwrap();
        let verdict = |listed| Verdict {
            id: MessageId(0),
            state: MessageState::Waived,
            cause: None,
            kind: Some(CauseKind::Content),
            fidelity: Some(Fidelity::Changed),
            dest_uid: Some(5001),
            waiver_over: true,
            listed,
        };
        let id = messages::rows(&mut tx, folder).await.unwrap()[0].id;
        let other = (77, "2020-02-29T00:00:00+00:00".to_owned());
        for (listed, size) in [(None, 101), (Some(other), 77)] {
            messages::verified(&mut tx, folder, &[Verdict { id, ..verdict(listed) }], NOW).await.unwrap();
            let rows = messages::proofs(&mut tx, folder, -1, 10).await.unwrap();
            assert_eq!((rows[0].size, rows[0].dest_uid), (size, Some(5001)));
        }
        if unproved {
            messages::unproved(&mut tx, folder, CauseKind::Renumbered, "anew", NOW).await.unwrap();
        } else {
            messages::reset_dest(&mut tx, folder, 9).await.unwrap();
        }
        let rows = messages::proofs(&mut tx, folder, -1, 10).await.unwrap();
        assert_eq!((rows[0].state, rows[0].dest_uid, rows[0].fidelity), (MessageState::Waived, None, None));
        tx.rollback().await.unwrap();
    }
}
