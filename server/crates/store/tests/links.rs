//! Signed links: found by id and nonce together, usable until they expire or are revoked.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::{LATER, NOW, job, store};
use gatepost_contract::{JobId, LinkId, LinkKind, PageQuery};
use gatepost_store::{
    Conn, Error,
    share_links::{self, NewShareLink},
};

const END: &str = "2027-02-19T04:12:00.000Z";

async fn insert(conn: &mut Conn, job_id: JobId, nonce: &str) -> Result<LinkId, Error> {
    let new = NewShareLink {
        job_id,
        kind: LinkKind::Badge,
        label: "ticket 4711",
        nonce,
        created_by: "ana@example.org",
        expires_at: END,
    };
    share_links::insert(conn, &new, NOW).await
}

#[tokio::test]
async fn a_link_is_usable_until_it_expires_or_is_revoked() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let job = job(&mut tx, "example.org").await;
    let (first, second) = (insert(&mut tx, job, "one").await.unwrap(), insert(&mut tx, job, "two").await.unwrap());
    let usable = share_links::get(&mut tx, first, LATER).await.unwrap().unwrap();
    assert!(usable.usable && usable.revoked_at.is_none() && usable.last_used_at.is_none(), "{usable:?}");
    assert!(!share_links::get(&mut tx, first, END).await.unwrap().unwrap().usable, "its last moment is over");
    share_links::used(&mut tx, first, LATER).await.unwrap();
    share_links::revoke(&mut tx, first, LATER).await.unwrap();
    share_links::revoke(&mut tx, first, END).await.unwrap();
    let revoked = share_links::get(&mut tx, first, LATER).await.unwrap().unwrap();
    assert_eq!(
        (revoked.usable, revoked.revoked_at.as_deref(), revoked.last_used_at.as_deref()),
        (false, Some(LATER), Some(LATER))
    );
    assert_eq!(share_links::usable(&mut tx, job, LATER).await.unwrap(), 1);
    assert_eq!(share_links::usable(&mut tx, job, END).await.unwrap(), 0);
    let page = share_links::list(&mut tx, job, &PageQuery::default(), LATER).await.unwrap();
    assert_eq!(page.items.iter().map(|link| link.id).collect::<Vec<_>>(), [second, first]);
}

#[tokio::test]
async fn a_link_is_found_only_by_its_own_nonce() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let job = job(&mut tx, "example.org").await;
    let (first, second) = (insert(&mut tx, job, "one").await.unwrap(), insert(&mut tx, job, "two").await.unwrap());
    assert_eq!(share_links::by_nonce(&mut tx, first, "one", NOW).await.unwrap().unwrap().id, first);
    for (id, nonce) in [(second, "one"), (first, "two"), (first, "ONE"), (first, ""), (LinkId(99), "one")] {
        assert!(share_links::by_nonce(&mut tx, id, nonce, NOW).await.unwrap().is_none(), "{id} {nonce}");
    }
    assert!(matches!(share_links::revoke(&mut tx, LinkId(99), NOW).await, Err(Error::Missing("link"))));
    assert!(matches!(insert(&mut tx, job, "one").await, Err(Error::Exists { what: "link" })));
}

#[tokio::test]
async fn a_link_needs_a_job() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    assert!(matches!(insert(&mut tx, JobId(99), "one").await, Err(Error::Missing("job"))));
}
