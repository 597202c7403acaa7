//! Files that are sources of mailboxes: their numbers, states and pieces.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::{LATER, NOW, folder, job, mailbox, message, store, sync};
use gatepost_contract::{InspectedFolder, Inspection, MailboxId, Phase, UploadOrigin, UploadPiece, UploadState};
use gatepost_store::{
    Conn, Error, jobs,
    messages::{self, ArrivedRow, DigestRow},
    runs,
    uploads::{self, NewUploadRow, pieces},
};

const SHA: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn new<'a>(mailbox: MailboxId, job: gatepost_contract::JobId, id: &'a str) -> NewUploadRow<'a> {
    NewUploadRow {
        id,
        mailbox_id: mailbox,
        job_id: job,
        name: "archive.pst",
        origin: UploadOrigin::Tus,
        path: "uploads/x",
        bytes: 100,
        received: 0,
        sha256_expected: None,
        metadata: Some("filename YQ=="),
        created_by: "ana@example.org",
        expires_at: Some(LATER),
    }
}

async fn add(conn: &mut Conn, mailbox: MailboxId, job: gatepost_contract::JobId, id: &str) {
    assert!(uploads::insert(conn, &new(mailbox, job, id), NOW).await.unwrap());
}

#[tokio::test]
async fn a_file_goes_from_its_first_byte_to_its_deletion_and_its_number_stays_taken() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let job = job(&mut tx, "example.org").await;
    let mailbox = mailbox(&mut tx, job, "ana@example.org").await;
    add(&mut tx, mailbox, job, "a").await;
    add(&mut tx, mailbox, job, "b").await;
    let stored = uploads::get(&mut tx, "a").await.unwrap().unwrap();
    assert_eq!((stored.upload.slot, stored.upload.state, stored.upload.received), (0, UploadState::Receiving, 0));
    assert_eq!((stored.metadata.as_deref(), stored.was_whole()), (Some("filename YQ=="), false));
    assert_eq!(uploads::awaited(&mut tx, NOW).await.unwrap(), 200);
    assert_eq!(uploads::unfinished_of(&mut tx, "ana@example.org").await.unwrap(), 2);
    assert_eq!(uploads::unfinished_of(&mut tx, "rui@example.org").await.unwrap(), 0);

    assert!(uploads::set_received(&mut tx, "a", 40, None, Some("half"), NOW).await.unwrap());
    assert_eq!(uploads::awaited(&mut tx, NOW).await.unwrap(), 160);
    assert!(uploads::set_received(&mut tx, "b", 10, None, None, LATER).await.unwrap());
    assert_eq!(uploads::awaited(&mut tx, LATER).await.unwrap(), 90, "one that nobody goes on with keeps no room");
    uploads::set_stored(&mut tx, "a", SHA, NOW).await.unwrap();
    let stored = uploads::get(&mut tx, "a").await.unwrap().unwrap().upload;
    assert_eq!((stored.received, stored.error, stored.expires_at), (100, None, None));
    assert!(!uploads::set_received(&mut tx, "a", 1, None, None, NOW).await.unwrap(), "it is not received any more");
    assert!(matches!(uploads::set_stored(&mut tx, "a", SHA, NOW).await, Err(Error::Missing("file"))));

    let run = runs::enqueue(&mut tx, &sync(job, mailbox), NOW).await.unwrap();
    assert_eq!(uploads::unread(&mut tx).await.unwrap().len(), 1);
    uploads::set_run(&mut tx, "a", Some(run), NOW).await.unwrap();
    assert!(uploads::unread(&mut tx).await.unwrap().is_empty());
    let found = Inspection { format: "PST, Unicode".into(), messages: 7, ..Inspection::default() };
    uploads::set_ready(&mut tx, "a", &found, NOW).await.unwrap();
    assert_eq!(uploads::get(&mut tx, "a").await.unwrap().unwrap().upload.inspection, Some(found));
    assert_eq!(uploads::unfinished_of(&mut tx, "ana@example.org").await.unwrap(), 1);

    assert!(uploads::set_deleted(&mut tx, "a", None, LATER).await.unwrap());
    assert!(!uploads::set_deleted(&mut tx, "a", None, LATER).await.unwrap());
    assert!(matches!(uploads::set_refused(&mut tx, "a", "late", NOW).await, Err(Error::Missing("file"))));
    uploads::delete(&mut tx, "b").await.unwrap();
    add(&mut tx, mailbox, job, "c").await;
    let slots: Vec<_> =
        uploads::of_mailbox(&mut tx, mailbox).await.unwrap().iter().map(|row| row.upload.slot).collect();
    assert_eq!(slots, [0, 1], "the number of one that never was whole is free again");
    assert!(uploads::stored_of_mailbox(&mut tx, mailbox).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_list_has_the_sums_of_what_was_found_and_a_file_by_itself_has_all_of_it() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let job = job(&mut tx, "example.org").await;
    let mailbox = mailbox(&mut tx, job, "ana@example.org").await;
    for id in ["a", "b"] {
        add(&mut tx, mailbox, job, id).await;
    }
    uploads::set_stored(&mut tx, "a", SHA, NOW).await.unwrap();
    let folder = |n: u64| InspectedFolder { path: format!("INBOX/{n}"), messages: n, ..InspectedFolder::default() };
    let found = Inspection {
        format: "mbox".into(),
        encoding: Some("UTF-8".into()),
        folders: (0..50).map(folder).collect(),
        messages: 7,
        bytes: 70,
        others: [("contacts".to_owned(), 3)].into(),
        unreadable: 1,
        damage: (0..25).map(|n| format!("Damage {n}.")).collect(),
        has_items: true,
        ..Inspection::default()
    };
    uploads::set_ready(&mut tx, "a", &found, NOW).await.unwrap();
    let mut damage = found.damage[..20].to_vec();
    damage.push("And 5 more sentences like these.".into());
    let sums = Inspection { folders: Vec::new(), damage, ..found.clone() };
    for list in [
        uploads::summaries_of_mailbox(&mut tx, mailbox).await.unwrap(),
        uploads::summaries_of_job(&mut tx, job).await.unwrap(),
    ] {
        let found: Vec<_> = list.iter().map(|upload| (upload.id.as_str(), upload.inspection.as_ref())).collect();
        assert_eq!(found, [("a", Some(&sums)), ("b", None)]);
    }
    assert_eq!(uploads::get(&mut tx, "a").await.unwrap().unwrap().upload.inspection, Some(found));
}

#[tokio::test]
async fn the_same_bytes_are_in_one_mailbox_once_and_in_others_too() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let job = job(&mut tx, "example.org").await;
    let ana = mailbox(&mut tx, job, "ana@example.org").await;
    let rui = mailbox(&mut tx, job, "rui@example.org").await;
    for (id, mailbox) in [("a", ana), ("b", ana), ("c", rui)] {
        add(&mut tx, mailbox, job, id).await;
    }
    uploads::set_stored(&mut tx, "a", SHA, NOW).await.unwrap();
    uploads::set_stored(&mut tx, "c", SHA, NOW).await.unwrap();
    assert_eq!(uploads::with_bytes(&mut tx, ana, SHA).await.unwrap().unwrap().upload.id, "a");
    assert_eq!(uploads::with_bytes(&mut tx, rui, SHA).await.unwrap().unwrap().upload.id, "c");
    assert!(matches!(uploads::set_stored(&mut tx, "b", SHA, NOW).await, Err(Error::Exists { what: "file" })));
}

#[tokio::test]
async fn a_mailbox_has_255_files_in_its_life() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let job = job(&mut tx, "example.org").await;
    let mailbox = mailbox(&mut tx, job, "ana@example.org").await;
    for n in 0..uploads::MAX_FILES {
        add(&mut tx, mailbox, job, &n.to_string()).await;
    }
    assert!(!uploads::insert(&mut tx, &new(mailbox, job, "one more"), NOW).await.unwrap());
    assert!(matches!(
        uploads::insert(&mut tx, &new(MailboxId(99), job, "x"), NOW).await,
        Err(Error::Missing("mailbox"))
    ));
}

#[tokio::test]
async fn pieces_are_read_in_order_and_forgotten_from_an_offset_on() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let job = job(&mut tx, "example.org").await;
    let mailbox = mailbox(&mut tx, job, "ana@example.org").await;
    add(&mut tx, mailbox, job, "a").await;
    let many: Vec<_> =
        (0..2500).map(|n| UploadPiece { offset: n * 10, bytes: 10, sha256: format!("{n:064}") }).collect();
    pieces::add(&mut tx, "a", &many[..1]).await.unwrap();
    pieces::add(&mut tx, "a", &many).await.unwrap();
    assert_eq!(pieces::list(&mut tx, "a", 0, 10_000).await.unwrap(), many);
    assert_eq!(pieces::list(&mut tx, "a", 11, 2).await.unwrap(), many[2..4]);
    for (length, end) in [(0, 0), (9, 0), (10, 10), (25, 20), (1_000_000, 25_000)] {
        assert_eq!(pieces::end_within(&mut tx, "a", length).await.unwrap(), end, "{length}");
    }
    pieces::delete_from(&mut tx, "a", 20).await.unwrap();
    assert_eq!(pieces::list(&mut tx, "a", 0, 10_000).await.unwrap(), many[..2]);
    uploads::delete(&mut tx, "a").await.unwrap();
    assert!(pieces::list(&mut tx, "a", 0, 10_000).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_file_was_copied_from_when_the_ledger_holds_copied_messages_of_its_number() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let job = job(&mut tx, "example.org").await;
    let mailbox = mailbox(&mut tx, job, "ana@example.org").await;
    let folder = folder(&mut tx, mailbox).await;
    let second = (1 << 24) + 1;
    messages::add(&mut tx, folder, &[message(7), message(second)], NOW).await.unwrap();
    for slot in 0..3 {
        assert!(!uploads::was_copied_from(&mut tx, mailbox, slot).await.unwrap(), "{slot}: nothing was copied yet");
    }
    let digests = DigestRow { exact: [1; 32], canonical: [2; 32], bytes: 9 };
    let arrival = ArrivedRow { uid: second, dest_uid: Some(1), digests, dropped_flags: String::new(), adopted: false };
    messages::arrived(&mut tx, folder, &[arrival], NOW).await.unwrap();
    for (slot, copied) in [(0, false), (1, true), (2, false)] {
        assert_eq!(uploads::was_copied_from(&mut tx, mailbox, slot).await.unwrap(), copied, "{slot}");
    }
}

#[tokio::test]
async fn finished_files_get_an_end_once_their_job_is_verified_and_lose_it_when_it_goes_on() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let job = job(&mut tx, "example.org").await;
    let mailbox = mailbox(&mut tx, job, "ana@example.org").await;
    add(&mut tx, mailbox, job, "a").await;
    uploads::set_stored(&mut tx, "a", SHA, NOW).await.unwrap();
    uploads::set_ready(&mut tx, "a", &Inspection::default(), NOW).await.unwrap();
    assert!(uploads::kept_of_finished_jobs(&mut tx).await.unwrap().is_empty());
    assert!(jobs::set_phase(&mut tx, job, Phase::Discovered, Phase::Verified, None, LATER).await.unwrap());
    let kept = async |tx: &mut Conn| {
        let kept = uploads::kept_of_finished_jobs(tx).await.unwrap();
        kept.into_iter().map(|(row, from)| (row.upload.id, from)).collect::<Vec<_>>()
    };
    assert_eq!(kept(&mut tx).await, [("a".to_owned(), LATER.to_owned())]);
    let read_later = "2099-01-01T00:00:00Z";
    uploads::set_ready(&mut tx, "a", &Inspection::default(), read_later).await.unwrap();
    assert_eq!(kept(&mut tx).await, [("a".to_owned(), read_later.to_owned())], "its time begins when it was read");
    for never in ["stored", "refused"] {
        match never {
            "stored" => uploads::read_again(&mut tx, mailbox, NOW).await.unwrap(),
            _ => uploads::set_refused(&mut tx, "a", "It is damaged.", NOW).await.unwrap(),
        }
        assert!(kept(&mut tx).await.is_empty(), "{never}: a person has to see to it");
    }
    uploads::set_ready(&mut tx, "a", &Inspection::default(), NOW).await.unwrap();
    uploads::set_expiry(&mut tx, "a", Some(LATER)).await.unwrap();
    assert!(uploads::kept_of_finished_jobs(&mut tx).await.unwrap().is_empty());
    assert_eq!(uploads::expired(&mut tx, LATER).await.unwrap().len(), 1);
    assert_eq!(uploads::keep_those_of_open_jobs(&mut tx).await.unwrap(), 0);
    assert!(jobs::set_phase(&mut tx, job, Phase::Verified, Phase::FinalSync, None, LATER).await.unwrap());
    assert_eq!(uploads::keep_those_of_open_jobs(&mut tx).await.unwrap(), 1);
    assert!(uploads::expired(&mut tx, LATER).await.unwrap().is_empty());
}
