//! Opening, sharing and copying a database file.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::NOW;
use gatepost_store::{Error, Store, settings};
use std::path::Path;

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).unwrap().permissions()) & 0o777
}

#[tokio::test]
async fn a_second_opening_finds_what_the_first_stored_and_both_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new folder/with ? and % and #/gatepost.db");
    let first = Store::open(path.to_str().unwrap()).await.unwrap();
    let mut tx = first.begin().await.unwrap();
    settings::put(&mut tx, "k", "v", NOW).await.unwrap();
    tx.commit().await.unwrap();
    assert!(path.is_file());
    #[cfg(unix)]
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));

    let second = Store::open(path.to_str().unwrap()).await.unwrap();
    assert_eq!(settings::get(&mut second.reader().await.unwrap(), "k").await.unwrap().as_deref(), Some("v"));
    for n in 0..10 {
        for store in [&first, &second] {
            let mut tx = store.begin().await.unwrap();
            settings::put(&mut tx, "k", &n.to_string(), NOW).await.unwrap();
            tx.commit().await.unwrap();
        }
    }
    assert_eq!(settings::get(&mut first.reader().await.unwrap(), "k").await.unwrap().as_deref(), Some("9"));
}

#[tokio::test]
async fn a_url_and_a_path_name_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let path = path.to_str().unwrap();
    for url in [path.to_owned(), format!("sqlite://{path}?mode=rwc"), format!("sqlite:{path}")] {
        Store::open(&url).await.unwrap();
        assert_eq!(
            std::fs::read_dir(folder.path())
                .unwrap()
                .filter(|f| { f.as_ref().unwrap().file_name().to_string_lossy().ends_with(".db") })
                .count(),
            1,
            "{url}"
        );
    }
}

#[tokio::test]
async fn two_that_start_together_migrate_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gatepost.db");
    let path = path.to_str().unwrap();
    let (a, b, c) = tokio::join!(Store::open(path), Store::open(path), Store::open(path));
    for store in [a, b, c] {
        store.unwrap().ping().await.unwrap();
    }
}

#[tokio::test]
async fn a_reader_cannot_write() {
    let store = common::store().await;
    let refused = settings::put(&mut store.reader().await.unwrap(), "k", "v", NOW).await;
    assert!(matches!(refused, Err(Error::Sql(_))), "{refused:?}");
}

#[tokio::test]
async fn a_dropped_transaction_leaves_nothing() {
    let store = common::store().await;
    let mut tx = store.begin().await.unwrap();
    settings::put(&mut tx, "k", "v", NOW).await.unwrap();
    drop(tx);
    assert_eq!(settings::get(&mut store.reader().await.unwrap(), "k").await.unwrap(), None);
    let mut tx = store.begin().await.unwrap();
    assert_eq!(settings::get(&mut tx, "k").await.unwrap(), None);
}

#[tokio::test]
async fn a_backup_is_whole_while_others_write_and_never_overwrites() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("gatepost.db").to_str().unwrap()).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    settings::put(&mut tx, "k", "before", NOW).await.unwrap();
    tx.commit().await.unwrap();
    let mut open = store.begin().await.unwrap();
    settings::put(&mut open, "k", "not yet", NOW).await.unwrap();
    let copy = folder.path().join("it's a copy.db");
    store.backup(&copy).await.unwrap();
    open.commit().await.unwrap();
    #[cfg(unix)]
    assert_eq!(mode(&copy), 0o600);
    let restored = Store::open(copy.to_str().unwrap()).await.unwrap();
    assert_eq!(settings::get(&mut restored.reader().await.unwrap(), "k").await.unwrap().as_deref(), Some("before"));
    assert!(matches!(store.backup(&copy).await, Err(Error::Path { .. })));
    assert!(matches!(store.backup(&folder.path().join("no/such/folder.db")).await, Err(Error::Path { .. })));
}

#[tokio::test]
async fn what_is_no_file_is_refused() {
    for url in ["", "sqlite:", ":memory:", "sqlite::memory:"] {
        assert!(matches!(Store::open(url).await, Err(Error::Path { .. })), "{url:?}");
    }
}
