//! How fast messages stream out of and into a Dovecot. For people to run and read:
//! `cargo test -p gatepost-imap --test speed -- --ignored --nocapture`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{PASSWORD, USER, append, driver, inbox};
use gatepost_testkit::{Dovecot, Profile, Storage, fill};
use gatepost_transfer::{Driver, Flags, Incoming};
use std::time::Instant;
use tokio::sync::mpsc;

const MESSAGES: usize = 10_000;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute and asserts nothing but that all arrives"]
async fn ten_thousand_messages_out_and_in() {
    let profile = Profile { messages: MESSAGES, inbox_only: true, ..Profile::default() };
    let from = Dovecot::builder().user(USER, PASSWORD).start().unwrap();
    let filled = fill(&from.account(USER), &profile).unwrap();
    println!("filled {} messages, {} MB in {:.1?}", filled.messages, filled.bytes >> 20, filled.elapsed);
    let mut source = driver(&from).source().await.unwrap();
    source.open(&inbox()).await.unwrap();
    let started = Instant::now();
    let uids = source.list(1).await.unwrap().iter().map(|m| m.uid).collect();
    println!("listed in {:.2?}", started.elapsed());
    let started = Instant::now();
    let (out, mut incoming) = mpsc::channel(256);
    let count = async {
        let mut ends = 0;
        while let Some(event) = incoming.recv().await {
            ends += usize::from(event == Incoming::End);
        }
        ends
    };
    let (result, ends) = tokio::join!(source.fetch(&uids, out), count);
    result.unwrap();
    assert_eq!(ends, MESSAGES);
    println!("fetched and discarded in {:.2?}", started.elapsed());
    for storage in [Storage::Sdbox, Storage::Mdbox] {
        let to = Dovecot::builder().user(USER, PASSWORD).storage(storage).start().unwrap();
        let mut destination = driver(&to).destination().await.unwrap();
        destination.open(&inbox()).await.unwrap();
        let messages = profile.generate().enumerate().map(|(n, m)| common::Message {
            key: n as u32,
            bytes: m.bytes,
            date: gatepost_transfer::InternalDate {
                seconds: m.internal_date.unix_seconds,
                zone_minutes: i16::try_from(m.internal_date.zone_minutes).unwrap(),
            },
            flags: m.flags.iter().collect::<Flags>(),
        });
        let messages: Vec<_> = messages.collect();
        let started = Instant::now();
        let (appended, result) = append(destination.as_mut(), &inbox(), messages).await;
        result.unwrap();
        assert_eq!(appended.iter().filter(|a| a.result.is_ok()).count(), MESSAGES);
        println!("appended to {storage:?} in {:.2?}", started.elapsed());
    }
}
