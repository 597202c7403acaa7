//! Tokens are renewed by one at a time, and a late answer replaces nothing newer; requests and links serve once.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::{LATER, NOW, job, new_mailbox, store, tried};
use gatepost_contract::{ConsentId, ConsentState, ConsentWay, MailboxSide, OauthProof, OauthProvider};
use gatepost_store::{
    Conn, Error, mailboxes,
    oauth_apps::{self, AppRow},
    oauth_consents::{self, Granted, NewConsentRow, Standing},
    oauth_requests::{self, RequestRow},
    oauth_revocations,
    oauth_tokens::{self, NewTokens},
};

const END: &str = "2026-11-21T06:00:00.000Z";

fn tokens<'a>(access: &'a [u8], refresh: Option<&'a [u8]>) -> NewTokens<'a> {
    NewTokens { access_blob: access, access_until: END, refresh_blob: refresh }
}

async fn consent(conn: &mut Conn) -> ConsentId {
    let app = AppRow {
        name: "Desk".into(),
        provider: OauthProvider::Google,
        client_id: "id".into(),
        proof: OauthProof::Secret,
        secret_blob: Some(b"sealed".to_vec()),
        certificate: None,
        directory: None,
        authorize_url: None,
        token_url: None,
        device_url: None,
        revoke_url: None,
        scopes: String::new(),
        mail_hosts: vec!["imap.gmail.com".into(), "imap.googlemail.com".into()],
        secret_expires_on: None,
    };
    let app_id = oauth_apps::insert(conn, &app, "lead@desk.example", NOW).await.unwrap();
    assert!(matches!(
        tried!(conn, oauth_apps::insert(conn, &app, "lead@desk.example", NOW)),
        Err(Error::Exists { .. })
    ));
    assert_eq!(oauth_apps::get(conn, app_id).await.unwrap().unwrap().row.mail_hosts, app.mail_hosts);
    let job_id = job(conn, "example.org").await;
    let mailbox = mailboxes::insert(conn, &new_mailbox(job_id, "ana@example.org"), NOW).await.unwrap();
    let new = NewConsentRow {
        app_id,
        job_id,
        mailbox_id: Some(mailbox),
        side: MailboxSide::Source,
        way: ConsentWay::Code,
        domain: None,
        directory: None,
        dest: None,
        created_by: "ana@desk.example",
    };
    let id = oauth_consents::insert(conn, &new, NOW).await.unwrap();
    assert!(matches!(tried!(conn, oauth_consents::insert(conn, &new, NOW)), Err(Error::Exists { .. })));
    let stored = oauth_consents::get(conn, id, NOW).await.unwrap().unwrap();
    assert_eq!((stored.state, stored.email.as_deref()), (ConsentState::Pending, Some("ana@example.org")));
    id
}

#[tokio::test]
async fn one_renews_at_a_time_and_a_late_answer_replaces_nothing_newer() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let id = consent(&mut tx).await;
    let take =
        async |tx: &mut Conn, who: &str, now: &str| oauth_tokens::take(tx, id, "", who, LATER, END, now).await.unwrap();
    oauth_tokens::put(&mut tx, id, "", &tokens(b"a1", Some(b"r1")), NOW).await.unwrap();
    assert!(take(&mut tx, "first", NOW).await);
    assert!(!take(&mut tx, "second", NOW).await, "somebody has it");
    assert!(!oauth_tokens::renewed(&mut tx, id, "", "second", &tokens(b"x", Some(b"x")), NOW).await.unwrap());
    assert!(take(&mut tx, "second", LATER).await, "the first has been silent for too long");
    assert!(!oauth_tokens::give_back(&mut tx, id, "", "first").await.unwrap());
    assert!(oauth_tokens::renewed(&mut tx, id, "", "second", &tokens(b"a2", None), LATER).await.unwrap());
    let row = oauth_tokens::get(&mut tx, id, "").await.unwrap().unwrap();
    assert_eq!((row.access_blob.as_deref(), row.refresh_blob.as_deref()), (Some(&b"a2"[..]), Some(&b"r1"[..])));
    assert!(row.renewer.is_none());
    // The consent is given anew while a renewal is under way.
    assert!(take(&mut tx, "third", LATER).await);
    oauth_tokens::put(&mut tx, id, "", &tokens(b"a3", Some(b"r3")), LATER).await.unwrap();
    assert!(!oauth_tokens::renewed(&mut tx, id, "", "third", &tokens(b"x", Some(b"x")), LATER).await.unwrap());
    let row = oauth_tokens::get(&mut tx, id, "").await.unwrap().unwrap();
    assert_eq!(row.refresh_blob.as_deref(), Some(&b"r3"[..]));
    assert!(!format!("{row:?}").contains("r3"));
    // A clock that was a year ahead has said until when.
    let ahead = "2027-11-21T04:00:00.000Z";
    assert!(oauth_tokens::take(&mut tx, id, "", "ahead", ahead, ahead, NOW).await.unwrap());
    assert!(take(&mut tx, "fourth", NOW).await, "nobody renews for a year");
}

#[tokio::test]
async fn what_came_meanwhile_is_neither_sealed_over_nor_marked_as_failed() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let id = consent(&mut tx).await;
    oauth_tokens::put(&mut tx, id, "", &tokens(b"a1", None), NOW).await.unwrap();
    let read = oauth_tokens::get(&mut tx, id, "").await.unwrap().unwrap();
    assert!(oauth_tokens::reseal(&mut tx, id, "", &read, Some(b"a1 anew"), None).await.unwrap());
    let read = oauth_tokens::get(&mut tx, id, "").await.unwrap().unwrap();
    oauth_tokens::put(&mut tx, id, "", &tokens(b"a2", Some(b"r2")), NOW).await.unwrap();
    assert!(!oauth_tokens::reseal(&mut tx, id, "", &read, Some(b"old"), None).await.unwrap());
    let row = oauth_tokens::get(&mut tx, id, "").await.unwrap().unwrap();
    assert_eq!((row.access_blob.as_deref(), row.refresh_blob.as_deref()), (Some(&b"a2"[..]), Some(&b"r2"[..])));

    let asked = oauth_consents::get(&mut tx, id, NOW).await.unwrap().unwrap();
    let failed = Standing { state: ConsentState::Failed, error: Some("no") };
    let given = Granted { account: None, granted_by: "ana", expires_at: None };
    oauth_consents::granted(&mut tx, id, &given, LATER).await.unwrap();
    assert!(!oauth_consents::stand_as_read(&mut tx, &asked, failed, LATER).await.unwrap());
    let now = oauth_consents::get(&mut tx, id, NOW).await.unwrap().unwrap();
    assert_eq!((now.state, now.error.as_deref()), (ConsentState::Valid, None));
    assert!(oauth_consents::stand_as_read(&mut tx, &now, failed, LATER).await.unwrap());
}

#[tokio::test]
async fn a_request_and_a_link_serve_once_and_in_their_time() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let id = consent(&mut tx).await;
    let request = RequestRow {
        consent_id: id,
        browser_digest: "browser".into(),
        verifier_blob: b"sealed".to_vec(),
        redirect_url: "https://desk.example/oauth/callback".into(),
        link_id: None,
        asked_by: "ana@desk.example".into(),
        any_account: true,
    };
    for state in ["one", "two"] {
        oauth_requests::insert(&mut tx, state, &request, LATER, NOW).await.unwrap();
    }
    for (state, browser, now) in [("none", "browser", NOW), ("one", "other", NOW), ("one", "browser", LATER)] {
        assert!(oauth_requests::redeem(&mut tx, state, browser, now).await.unwrap().is_none(), "{state} {browser}");
    }
    assert_eq!(oauth_requests::redeem(&mut tx, "one", "browser", NOW).await.unwrap(), Some(request));
    assert!(oauth_requests::redeem(&mut tx, "one", "browser", NOW).await.unwrap().is_none());
    oauth_requests::forget(&mut tx, id, NOW).await.unwrap();
    assert!(oauth_requests::redeem(&mut tx, "two", "browser", NOW).await.unwrap().is_none());

    let first = oauth_requests::insert_link(&mut tx, id, "n1", "ana@desk.example", END, NOW).await.unwrap();
    let second = oauth_requests::insert_link(&mut tx, id, "n2", "ana@desk.example", END, NOW).await.unwrap();
    assert!(!oauth_requests::link(&mut tx, first, "n1", NOW).await.unwrap().unwrap().usable, "a newer one was made");
    assert!(oauth_requests::link(&mut tx, second, "n1", NOW).await.unwrap().is_none());
    assert!(oauth_requests::link(&mut tx, second, "n2", NOW).await.unwrap().unwrap().usable);
    assert!(!oauth_requests::use_link(&mut tx, second, END).await.unwrap(), "its time is over");
    assert!(oauth_requests::use_link(&mut tx, second, NOW).await.unwrap());
    assert!(!oauth_requests::use_link(&mut tx, second, NOW).await.unwrap());
}

#[tokio::test]
async fn one_gives_a_token_back_at_a_time_and_what_is_settled_is_forgotten() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let id = consent(&mut tx).await;
    let consent = oauth_consents::get(&mut tx, id, NOW).await.unwrap().unwrap();
    let [first, second] = [b"r1", b"r2"].map(|blob| blob.to_vec());
    let one = oauth_revocations::insert(&mut tx, &consent, &first, "ana@desk.example", NOW).await.unwrap();
    let two = oauth_revocations::insert(&mut tx, &consent, &second, "ana@desk.example", NOW).await.unwrap();
    oauth_consents::delete(&mut tx, id).await.unwrap();
    let due = async |tx: &mut Conn, now: &str| oauth_revocations::due(tx, now, END, 9).await.unwrap();
    let take = async |tx: &mut Conn, now: &str| {
        oauth_revocations::take(tx, one, now, END, LATER).await.unwrap().map(|r| r.tries)
    };
    assert_eq!(due(&mut tx, NOW).await, [one, two]);
    assert_eq!(take(&mut tx, NOW).await, Some(1));
    assert_eq!(take(&mut tx, NOW).await, None, "somebody is at it");
    assert_eq!(due(&mut tx, NOW).await, [two]);
    assert_eq!(take(&mut tx, LATER).await, Some(2), "whoever was at it has been silent for too long");

    // Keys are rotated meanwhile; what was settled has nothing left to be sealed.
    assert!(oauth_revocations::reseal(&mut tx, one, &first, b"anew").await.unwrap());
    assert!(!oauth_revocations::reseal(&mut tx, one, &first, b"late").await.unwrap());
    assert!(oauth_revocations::confirm(&mut tx, one, LATER).await.unwrap());
    assert!(!oauth_revocations::give_up(&mut tx, one, "late", LATER).await.unwrap());
    oauth_revocations::put_off(&mut tx, one, "late", LATER).await.unwrap();
    assert_eq!(oauth_revocations::sealed(&mut tx).await.unwrap(), [(two, second)]);

    // A time that a clock wrote which was ahead holds nothing up.
    oauth_revocations::put_off(&mut tx, two, "slow", "2999-01-01T00:00:00.000Z").await.unwrap();
    assert_eq!(due(&mut tx, NOW).await, [two]);
    assert!(oauth_revocations::give_up(&mut tx, two, "it never answered", LATER).await.unwrap());
    assert!(due(&mut tx, END).await.is_empty() && oauth_revocations::sealed(&mut tx).await.unwrap().is_empty());
    let all = oauth_revocations::of_job(&mut tx, consent.job_id, 9).await.unwrap();
    let told: Vec<_> = all.iter().map(|row| (row.id, row.state.as_str(), row.tries, row.error.as_deref())).collect();
    assert_eq!(told, [(two, "given_up", 0, Some("it never answered")), (one, "confirmed", 2, None)]);
    assert_eq!(oauth_revocations::of_mailbox(&mut tx, consent.mailbox_id.unwrap(), 1).await.unwrap().len(), 1);
}
