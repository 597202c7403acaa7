//! Waivers: given alone and in classes, taken back, and ended by what becomes of their messages.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::{LATER, NOW, folder, job, mailbox, message, store};
use gatepost_contract::{
    AuditFilter, CauseKind, FolderId, JobId, MailboxId, MessageId, MessageState, PageQuery, ResidueFilter,
};
use gatepost_store::{
    Store, Tx, audit, messages,
    messages::{Act, ArrivedRow, DigestRow, Selection},
    waivers::{self, Decision, Withdrawn},
};

/// A folder with six messages: 1 arrived, 2 and 3 refused, 4 to 6 pending.
struct Ledger {
    tx: Tx,
    job: JobId,
    mailbox: MailboxId,
    folder: FolderId,
    ids: Vec<MessageId>,
}

fn arrival(uid: i64) -> ArrivedRow {
    ArrivedRow {
        uid,
        dest_uid: Some(uid + 100),
        digests: DigestRow { exact: [1; 32], canonical: [2; 32], bytes: 100 + uid },
        dropped_flags: String::new(),
        adopted: false,
    }
}

async fn ledger(store: &Store) -> Ledger {
    let mut tx = store.begin().await.unwrap();
    let job = job(&mut tx, "example.org").await;
    let mailbox = mailbox(&mut tx, job, "ana@example.org").await;
    let folder = folder(&mut tx, mailbox).await;
    messages::add(&mut tx, folder, &(1..=6).map(message).collect::<Vec<_>>(), NOW).await.unwrap();
    messages::arrived(&mut tx, folder, &[arrival(1)], NOW).await.unwrap();
    set(&mut tx, "state = 'quarantined', cause = 'no', cause_kind = 'refused'", "uid IN (2, 3)").await;
    let ids = messages::rows_after(&mut tx, folder, -1, 100).await.unwrap().iter().map(|r| r.id).collect();
    Ledger { tx, job, mailbox, folder, ids }
}

async fn set(tx: &mut Tx, what: &'static str, which: &'static str) {
    let sql = format!("UPDATE migration_messages SET {what} WHERE {which}");
    sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut **tx).await.unwrap();
}

impl Ledger {
    fn select(&self, only: &[usize], filter: ResidueFilter) -> Selection {
        Selection { job: self.job, filter, only: only.iter().map(|n| self.ids[*n]).collect(), act: Act::Waive }
    }

    async fn waive(&mut self, batch: &str, selection: &Selection) -> i64 {
        let decision = Decision { batch, actor: "lead@example.org", reason: "agreed with the customer", at: NOW };
        let moved = waivers::add(&mut self.tx, selection, &decision).await.unwrap();
        assert!(moved.iter().all(|m| (m.job, m.mailbox, m.folder) == (self.job, self.mailbox, self.folder)));
        moved.iter().map(|m| m.messages).sum()
    }

    /// The state of each message, by its first letter, in the order of the UIDs; `-` for one that has gone.
    async fn states(&mut self) -> String {
        let mut states = String::new();
        for id in &self.ids {
            let one = messages::get(&mut self.tx, *id).await.unwrap();
            states.push(one.map_or('-', |m| m.residue.state.as_str().chars().next().unwrap()));
        }
        states
    }

    async fn standing(&mut self) -> Vec<(i64, i64)> {
        let page = waivers::decisions(&mut self.tx, self.job, &PageQuery::default()).await.unwrap();
        page.items.iter().map(|d| (d.messages, d.standing)).collect()
    }
}

#[tokio::test]
async fn a_class_is_waived_at_once_and_nothing_else() {
    let store = store().await;
    let mut ledger = ledger(&store).await;
    let refused = ResidueFilter { cause_kind: Some(CauseKind::Refused), ..ResidueFilter::default() };
    let selection = ledger.select(&[], refused);
    assert_eq!(messages::selected(&mut ledger.tx, &selection).await.unwrap(), [(ledger.mailbox, 2)]);
    assert_eq!(ledger.waive("a", &selection).await, 2);
    assert_eq!(ledger.states().await, "awwppp");
    // Waived ones are not waived again, and what has simply arrived never is.
    assert_eq!(ledger.waive("b", &selection).await, 0);
    let arrived = ledger.select(&[0], ResidueFilter::default());
    assert_eq!(ledger.waive("c", &arrived).await, 0);
    assert_eq!(ledger.standing().await, [(2, 2)]);
    let tally = messages::tally(&mut ledger.tx, ledger.folder).await.unwrap();
    assert!(tally.adds_up() && tally.waived == 2);

    let waived = ResidueFilter { state: Some(MessageState::Waived), ..ResidueFilter::default() };
    let page = messages::residue(&mut ledger.tx, ledger.job, &waived, &PageQuery::default()).await.unwrap();
    let waiver = page.items[0].waiver.clone().unwrap();
    assert_eq!((waiver.actor.as_str(), waiver.reason.as_str()), ("lead@example.org", "agreed with the customer"));
    assert_eq!(page.items[0].cause_kind, Some(CauseKind::Refused));
    let (of, decision) = waivers::get(&mut ledger.tx, waiver.id).await.unwrap().unwrap();
    assert_eq!((of, decision.messages, decision.cause_kind), (ledger.job, 2, Some(CauseKind::Refused)));
    assert_eq!((decision.email.as_deref(), decision.folder.as_deref()), (Some("ana@example.org"), Some("INBOX")));
}

#[tokio::test]
async fn a_waiver_that_is_taken_back_leaves_the_message_where_it_stood() {
    let store = store().await;
    let mut ledger = ledger(&store).await;
    set(&mut ledger.tx, "fidelity = 'changed', cause_kind = 'content'", "uid = 1").await;
    let all = ledger.select(&[], ResidueFilter::default());
    assert_eq!(ledger.waive("a", &all).await, 6);
    assert_eq!(ledger.states().await, "wwwwww");
    let page = PageQuery { sort: Some("id".into()), ..PageQuery::default() };
    let first = messages::residue(&mut ledger.tx, ledger.job, &ResidueFilter::default(), &page).await.unwrap();
    let one = Withdrawn::One(first.items[1].waiver.clone().unwrap().id);
    let moved = waivers::withdraw(&mut ledger.tx, &one, "too hasty", LATER).await.unwrap();
    assert_eq!((moved.len(), moved[0].state, moved[0].messages), (1, MessageState::Quarantined, 1));
    assert_eq!(ledger.states().await, "wqwwww");
    let moved = waivers::withdraw(&mut ledger.tx, &Withdrawn::Batch("a"), "too hasty", LATER).await.unwrap();
    assert_eq!(moved.iter().map(|m| m.messages).sum::<i64>(), 5);
    assert_eq!(ledger.states().await, "aqqppp");
    assert_eq!(ledger.standing().await, [(6, 0)]);
    assert!(waivers::withdraw(&mut ledger.tx, &Withdrawn::Batch("a"), "again", LATER).await.unwrap().is_empty());
    // It can be waived again: the old waiver stays ended.
    let again = ledger.select(&[1], ResidueFilter::default());
    assert_eq!(ledger.waive("b", &again).await, 1);
    assert_eq!(ledger.standing().await, [(1, 1), (6, 0)]);
}

#[tokio::test]
async fn what_had_arrived_and_lost_its_copy_while_it_was_waived_is_pending_when_the_waiver_is_taken_back() {
    let store = store().await;
    let mut ledger = ledger(&store).await;
    set(&mut ledger.tx, "fidelity = 'changed', cause_kind = 'content'", "uid = 1").await;
    let one = ledger.select(&[0], ResidueFilter::default());
    assert_eq!(ledger.waive("a", &one).await, 1);
    set(&mut ledger.tx, "dest_uid = NULL", "uid = 1").await;
    let moved = waivers::withdraw(&mut ledger.tx, &Withdrawn::Batch("a"), "too hasty", LATER).await.unwrap();
    assert_eq!((moved.len(), moved[0].state, moved[0].messages), (1, MessageState::Pending, 1));
    assert_eq!(ledger.states().await, "pqqppp");
}

#[tokio::test]
async fn a_waiver_expires_with_a_row_in_the_audit_log_when_its_message_changes() {
    let store = store().await;
    let mut ledger = ledger(&store).await;
    let selection = ledger.select(&[1, 2], ResidueFilter::default());
    ledger.waive("a", &selection).await;
    let (second, fourth) = (ledger.ids[1], ledger.ids[3]);
    assert!(waivers::expire(&mut ledger.tx, second, "Its size is another.", LATER).await.unwrap());
    assert!(!waivers::expire(&mut ledger.tx, second, "Its size is another.", LATER).await.unwrap());
    assert!(!waivers::expire(&mut ledger.tx, fourth, "was never waived", LATER).await.unwrap());
    assert_eq!(ledger.states().await, "aqwppp");
    let log = audit::list(&mut ledger.tx, &AuditFilter::default(), &PageQuery::default()).await.unwrap();
    let rows: Vec<_> = log.items.iter().map(|r| (r.action.as_str(), r.subject.clone(), r.reason.as_deref())).collect();
    assert_eq!(rows, [("waiver.expire", format!("message/{second}"), Some("Its size is another."))]);
    assert_eq!(log.items[0].job_id, Some(ledger.job));
    let (_, decision) = waivers::decisions(&mut ledger.tx, ledger.job, &PageQuery::default())
        .await
        .map(|page| (page.total, page.items[0].clone()))
        .unwrap();
    assert_eq!((decision.messages, decision.standing), (2, 1));
    assert_eq!(decision.expired_why.as_deref(), Some("Its size is another."));
}

#[tokio::test]
async fn waivers_that_cover_nothing_any_more_are_ended() {
    let store = store().await;
    let mut ledger = ledger(&store).await;
    let all = ledger.select(&[], ResidueFilter::default());
    assert_eq!(ledger.waive("a", &all).await, 5);
    assert_eq!(waivers::settle(&mut ledger.tx, ledger.mailbox, LATER).await.unwrap(), 0);
    // 2 has gone from the source, 3 arrived after all, 4 is another size, 5 another date; 6 is as it was.
    messages::vanished(&mut ledger.tx, ledger.folder, &[2]).await.unwrap();
    messages::arrived(&mut ledger.tx, ledger.folder, &[arrival(3)], NOW).await.unwrap();
    set(&mut ledger.tx, "size = size + 1", "uid = 4").await;
    set(&mut ledger.tx, "internal_date = '2021-01-01T00:00:00+00:00'", "uid = 5").await;
    assert_eq!(waivers::settle(&mut ledger.tx, ledger.mailbox, LATER).await.unwrap(), 4);
    assert_eq!(ledger.states().await, "a-appw");
    assert_eq!(ledger.standing().await, [(5, 1)]);
    let log = audit::list(&mut ledger.tx, &AuditFilter::default(), &PageQuery::default()).await.unwrap();
    assert_eq!(log.total, 3, "one row for each reason");
}

#[tokio::test]
async fn refused_messages_are_tried_again_by_class() {
    let store = store().await;
    let mut ledger = ledger(&store).await;
    set(&mut ledger.tx, "cause_kind = 'too_large'", "uid = 3").await;
    let filter = ResidueFilter { cause_kind: Some(CauseKind::TooLarge), ..ResidueFilter::default() };
    let selection = Selection { act: Act::Retry, ..ledger.select(&[], filter) };
    assert_eq!(messages::retry(&mut ledger.tx, &selection).await.unwrap(), 1);
    assert_eq!(ledger.states().await, "aqpppp");
    let one = messages::get(&mut ledger.tx, ledger.ids[2]).await.unwrap().unwrap().residue;
    assert_eq!((one.cause, one.cause_kind), (None, None));
}

#[tokio::test]
async fn the_residue_is_found_by_words_class_and_folder_and_read_to_its_end() {
    let store = store().await;
    let mut ledger = ledger(&store).await;
    set(&mut ledger.tx, "header_from = 'João <joao@cliente.example>', header_subject = '100% pronto'", "uid = 2").await;
    // A message that lies twice in its folder has arrived, and is residue for its cause.
    set(&mut ledger.tx, "cause_kind = 'doubled'", "uid = 1").await;
    let (job, folder) = (ledger.job, ledger.folder);
    let q = |q: &str| ResidueFilter { q: Some(q.into()), ..ResidueFilter::default() };
    for (filter, total) in [
        (ResidueFilter::default(), 6),
        (q("joao cliente"), 1),
        (q("100%"), 1),
        (q("100_"), 0),
        (q("inbox"), 6),
        (ResidueFilter { folder_id: Some(folder), ..ResidueFilter::default() }, 6),
        (ResidueFilter { folder_id: Some(FolderId(folder.0 + 1)), ..ResidueFilter::default() }, 0),
        (ResidueFilter { cause_kind: Some(CauseKind::Doubled), ..ResidueFilter::default() }, 1),
        (ResidueFilter { state: Some(MessageState::Quarantined), ..ResidueFilter::default() }, 2),
    ] {
        let page = messages::residue(&mut ledger.tx, job, &filter, &PageQuery::default()).await.unwrap();
        assert_eq!(page.total, total, "{filter:?}");
    }
    let mut uids = Vec::new();
    let mut after = MessageId(0);
    loop {
        let rows = messages::residue_after(&mut ledger.tx, job, &ResidueFilter::default(), after, 4).await.unwrap();
        let Some(last) = rows.last() else { break };
        after = last.message_id;
        uids.extend(rows.iter().map(|r| r.source_uid));
    }
    assert_eq!(uids, [1, 2, 3, 4, 5, 6]);
    let classes = messages::classes(&mut ledger.tx, job, &ResidueFilter::default(), 10).await.unwrap();
    let seen: Vec<_> = classes.iter().map(|c| (c.state, c.cause_kind, c.messages, c.bytes)).collect();
    assert_eq!(
        seen,
        [
            (MessageState::Pending, None, 3, 315),
            (MessageState::Quarantined, Some(CauseKind::Refused), 2, 205),
            (MessageState::Arrived, Some(CauseKind::Doubled), 1, 101)
        ]
    );
}
