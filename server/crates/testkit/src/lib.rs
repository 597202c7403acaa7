//! What tests and the demo need to be true to life: a real Dovecot, generated mail, an independent reader that judges
//! copies, a proxy that cuts and delays, and a scripted IMAP server for faults that a real one never shows.
//!
//! Everything blocks and runs on threads, so that it works alike in sync and async tests; in a single-threaded async
//! test call long operations (`fill`, `Snapshot::read`) from `spawn_blocking` when the other side runs on the same
//! runtime. Nothing here shares code with gatepost-imap: what judges a copy must not share its mistakes.

pub mod archives;
pub mod client;
pub mod compare;
pub mod courier;
pub mod cyrus;
pub mod date;
pub mod dns;
pub mod dovecot;
pub mod error;
pub mod executable;
pub mod fill;
pub mod http;
pub mod mail;
pub mod maildir;
pub mod oauth;
mod port;
pub mod proxy;
pub mod pst;
pub mod samples;
pub mod scripted;
pub mod snapshot;
pub mod special_use;
pub mod sshd;
mod unpacked;
mod wire;

pub use client::{Account, RawClient};
pub use compare::{Differences, compare};
pub use courier::{Courier, courier_or_explain};
pub use cyrus::{Cyrus, cyrus_or_explain};
pub use date::InternalDate;
pub use dns::{DnsServer, Mischief};
pub use dovecot::{Certificate, Dovecot, Storage, dovecot_or_explain};
pub use error::{Error, Result};
pub use fill::{FillReport, fill, put};
pub use http::{HttpRequest, HttpResponse, HttpServer};
pub use mail::{Generated, Profile};
pub use maildir::Maildir;
pub use oauth::AuthServer;
pub use proxy::Proxy;
pub use samples::samples;
pub use scripted::{ScriptedImap, on};
pub use snapshot::Snapshot;
pub use special_use::SpecialUse;
pub use sshd::{Sshd, sshd_or_explain};
pub use unpacked::at_hand;
pub use wire::{mutf7_decode, mutf7_encode};
