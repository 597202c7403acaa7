//! Checks of log-ins wait in the database: who takes them, how many of a host, and what becomes of them.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::{LATER, NOW, job, mailbox, store};
use gatepost_contract::{JobId, LoginState, MailboxId, MailboxSide};
use gatepost_store::{
    Tx,
    import_previews::{self, StoredPreview},
    login_checks::{self as checks, ClaimedCheck, NewCheck, Outcome},
};

const GOOD: Outcome<'_> = Outcome {
    state: LoginState::Good,
    sentence: None,
    kind: None,
    unprotected: false,
    folders: Some(7),
    server: Some("Dovecot"),
    milliseconds: Some(12),
};

async fn asked(tx: &mut Tx, job: JobId, hosts: &[&str]) -> Vec<MailboxId> {
    let mut ids = Vec::new();
    for (n, host) in hosts.iter().enumerate() {
        let id = mailbox(tx, job, &format!("user{n}@example.org")).await;
        let new = NewCheck {
            mailbox_id: id,
            side: MailboxSide::Source,
            host: (*host).to_owned(),
            state: LoginState::Waiting,
        };
        checks::request(tx, job, &new, "ana", NOW).await.unwrap();
        ids.push(id);
    }
    ids
}

fn hosts(taken: &[ClaimedCheck]) -> Vec<&str> {
    let mut hosts: Vec<&str> = taken.iter().map(|check| check.host.as_str()).collect();
    hosts.sort_unstable();
    hosts
}

#[tokio::test]
async fn of_each_host_only_a_few_are_taken_and_no_log_in_twice() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let job = job(&mut tx, "example.org").await;
    asked(&mut tx, job, &["a", "a", "a", "a", "b"]).await;
    let first = checks::claim(&mut tx, "one", 100, 200, 10, 2).await.unwrap();
    assert_eq!(hosts(&first), ["a", "a", "b"]);
    assert!(checks::claim(&mut tx, "two", 100, 200, 10, 2).await.unwrap().is_empty(), "the host is busy");
    let done = first.iter().find(|check| check.host == "a").unwrap();
    assert!(checks::finish(&mut tx, done, "one", &GOOD, LATER).await.unwrap());
    assert!(!checks::finish(&mut tx, done, "one", &GOOD, LATER).await.unwrap(), "it ended already");
    let next = checks::claim(&mut tx, "two", 100, 200, 10, 2).await.unwrap();
    assert_eq!(hosts(&next), ["a"]);
    assert!(!first.contains(&next[0]));
}

#[tokio::test]
async fn a_check_whose_worker_died_is_taken_by_another_and_the_dead_ones_word_does_not_count() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let job = job(&mut tx, "example.org").await;
    asked(&mut tx, job, &["a"]).await;
    let dead = checks::claim(&mut tx, "dead", 100, 200, 10, 4).await.unwrap().remove(0);
    assert!(checks::claim(&mut tx, "other", 200, 300, 10, 4).await.unwrap().is_empty(), "the lease holds");
    let taken = checks::claim(&mut tx, "other", 201, 300, 10, 4).await.unwrap().remove(0);
    assert!(!checks::finish(&mut tx, &dead, "dead", &GOOD, LATER).await.unwrap());
    assert!(checks::finish(&mut tx, &taken, "other", &GOOD, LATER).await.unwrap());
    assert!(!checks::any_open(&mut tx).await.unwrap());
    let all = checks::of_job(&mut tx, job).await.unwrap();
    assert_eq!(
        (all[0].2.state, all[0].2.folders, all[0].2.server.as_deref()),
        (LoginState::Good, Some(7), Some("Dovecot"))
    );
}

#[tokio::test]
async fn what_waits_for_a_host_can_be_held_back_and_asked_for_again() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let job = job(&mut tx, "example.org").await;
    let ids = asked(&mut tx, job, &["a", "a", "a", "b"]).await;
    let taken = checks::claim(&mut tx, "one", 100, 200, 1, 1).await.unwrap().remove(0);
    let bad = Outcome { state: LoginState::Bad, kind: Some("login"), sentence: Some("no"), ..GOOD };
    checks::finish(&mut tx, &taken, "one", &bad, LATER).await.unwrap();
    assert_eq!(checks::last_at(&mut tx, job, "a", NOW, 5).await.unwrap(), [Some("login".to_owned())]);
    assert_eq!(checks::hold(&mut tx, job, "a", "too many", LATER).await.unwrap(), 2);
    let states: Vec<LoginState> = checks::of_job(&mut tx, job).await.unwrap().into_iter().map(|c| c.2.state).collect();
    assert_eq!(states, [LoginState::Bad, LoginState::Held, LoginState::Held, LoginState::Waiting]);
    let again =
        NewCheck { mailbox_id: ids[1], side: MailboxSide::Source, host: "a".into(), state: LoginState::Waiting };
    checks::request(&mut tx, job, &again, "ana", LATER).await.unwrap();
    let check = checks::of_job(&mut tx, job).await.unwrap().remove(1).2;
    assert_eq!((check.state, check.sentence, check.requested_at.as_str()), (LoginState::Waiting, None, LATER));
    checks::forget_mailbox(&mut tx, ids[1]).await.unwrap();
    checks::forget_side(&mut tx, job, MailboxSide::Dest).await.unwrap();
    assert_eq!(checks::of_job(&mut tx, job).await.unwrap().len(), 3);
}

#[tokio::test]
async fn previews_expire_and_the_oldest_of_one_person_make_room() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let job = job(&mut tx, "example.org").await;
    let preview = |by: &str, expires: &str| StoredPreview {
        job_id: job,
        file_blob: vec![0, 255],
        created_by: by.to_owned(),
        expires_at: expires.to_owned(),
    };
    for id in ["1", "2", "3"] {
        import_previews::put(&mut tx, id, &preview("ana", LATER), NOW, 2).await.unwrap();
    }
    import_previews::put(&mut tx, "4", &preview("rui", LATER), NOW, 2).await.unwrap();
    assert_eq!(import_previews::get(&mut tx, "1", NOW).await.unwrap(), None);
    for id in ["2", "3", "4"] {
        assert!(import_previews::get(&mut tx, id, NOW).await.unwrap().is_some(), "{id}");
    }
    assert_eq!(import_previews::get(&mut tx, "4", LATER).await.unwrap(), None, "it has expired");
    assert!(import_previews::delete(&mut tx, "4").await.unwrap());
    assert!(!import_previews::delete(&mut tx, "4").await.unwrap(), "of two who store it one does");
}
