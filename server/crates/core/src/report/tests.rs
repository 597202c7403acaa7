use super::gather::{audit_part, residue_items};
use crate::{Actor, audit::Entry, testing};
use gatepost_report::Edition;
use gatepost_store::{
    Store, folders, jobs, mailboxes,
    messages::{self, NewMessage},
    tenants,
};

const NOW: &str = "2026-11-21T04:12:00.000Z";

#[tokio::test]
async fn the_customers_edition_reads_no_messages_and_no_rows_of_the_log() {
    let store = Store::in_memory().await.unwrap();
    let mut tx = store.begin().await.unwrap();
    let tenant = tenants::insert(&mut tx, "Example Ltd", NOW).await.unwrap();
    let job = jobs::insert(&mut tx, &testing::job(tenant), NOW).await.unwrap();
    let mailbox = mailboxes::insert(&mut tx, &testing::mailbox(job), NOW).await.unwrap();
    let plan = [folders::PlannedFolder { source_path: "INBOX".into(), dest_path: "INBOX".into(), special_use: None }];
    let folder = folders::place(&mut tx, mailbox, &plan, NOW).await.unwrap()[0].id;
    let message =
        |uid| NewMessage { uid, size: 100, internal_date: "2020-02-29T23:59:58-03:00".into(), flags: String::new() };
    messages::add(&mut tx, folder, &[message(1), message(2)], NOW).await.unwrap();
    for action in ["job.create", "job.phase"] {
        Entry::new(&Actor::Cli, action, format!("job/{job}")).job(job).write(&mut tx).await.unwrap();
    }
    for (edition, items, rows) in [(Edition::Full, 2, 2), (Edition::Customer, 0, 0)] {
        let listed = residue_items(&mut tx, job, edition, |_| String::new()).await.unwrap();
        let log = audit_part(&mut tx, job, edition).await.unwrap();
        assert_eq!((listed.len(), log.entries.len(), log.total), (items, rows, 2), "{edition:?}");
        assert!(log.head_hash.is_some(), "the head is for everybody");
    }
}
