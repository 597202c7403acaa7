//! A planted secret is in no log line at any level, in no fault and in no debug output. In a file of its own, since
//! it listens to the whole process.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{USER, account, fault};
use gatepost_contract::Secret;
use gatepost_imap::{Account, Credential, ImapDriver};
use gatepost_testkit::Dovecot;
use gatepost_transfer::Driver;
use std::{
    io::Write,
    sync::{LazyLock, Mutex, PoisonError},
};
use tokio::sync::mpsc;
use tracing_subscriber::fmt::MakeWriter;

static HEARD: LazyLock<Mutex<Vec<u8>>> = LazyLock::new(Mutex::default);

struct Ear;

impl Write for Ear {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        HEARD.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Ear {
    type Writer = Self;
    fn make_writer(&self) -> Self {
        Self
    }
}

impl log::Log for Ear {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        let _ = writeln!(Self, "{} {}", record.target(), record.args());
    }
    fn flush(&self) {}
}

const SECRET: &str = "pl4nted-\"sécret\"";

#[tokio::test(flavor = "multi_thread")]
async fn a_planted_secret_is_heard_nowhere() {
    tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(Ear).with_ansi(false).init();
    // tracing-subscriber may have taken the place of the logger already; either of them listens.
    if log::set_boxed_logger(Box::new(Ear)).is_ok() {
        log::set_max_level(log::LevelFilter::Trace);
    }
    let server = Dovecot::builder().user(USER, SECRET).start().unwrap();
    let with_login = Dovecot::builder().user(USER, SECRET).capability("IMAP4rev1 LITERAL+").start().unwrap();
    let mut shown = String::new();
    for port in [server.imap_port(), with_login.imap_port()] {
        let right = account(port, USER, SECRET);
        let wrong = account(port, "somebody", SECRET);
        let token = Account { secret: Credential::token(Secret(SECRET.into())), ..right.clone() };
        shown += &format!("{right:?} {token:?}");
        let driver = ImapDriver::new(right);
        shown += &format!("{driver:?} {}", driver.label());
        driver.source().await.unwrap().folders().await.unwrap();
        driver.destination().await.unwrap().create(&["New".into()]).await.unwrap();
        let mut reader = driver.reader().await.unwrap();
        reader.open(&common::inbox()).await.unwrap();
        reader.read(None, mpsc::channel(1).0).await.unwrap();
        for refused in [ImapDriver::new(wrong), ImapDriver::new(token)] {
            for fault in [fault(refused.source().await), fault(refused.reader().await)] {
                shown += &format!("{fault} {fault:?}");
            }
        }
    }
    let heard = String::from_utf8_lossy(&HEARD.lock().unwrap_or_else(PoisonError::into_inner)).into_owned();
    assert!(heard.contains("EXAMINE") || heard.contains("LIST"), "nothing was heard: {heard}");
    use base64::{Engine, engine::general_purpose::STANDARD};
    let encoded = STANDARD.encode(format!("\0{USER}\0{SECRET}"));
    for needle in ["pl4nted", "sécret", encoded.as_str(), &STANDARD.encode(SECRET)] {
        assert!(!heard.contains(needle), "{needle} was logged");
        assert!(!shown.contains(needle), "{needle} was shown");
    }
}
