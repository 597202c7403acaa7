//! IMAP as a source and as a destination, and the independent reader that verification uses.
//!
//! [`ImapDriver`] opens connections for the engine ([`gatepost_transfer::Source`],
//! [`gatepost_transfer::Destination`]) and for the witness ([`gatepost_transfer::Reader`]). The engine speaks IMAP
//! with this crate's own protocol layer ([`wire`]), which pipelines and streams; the witness speaks it with the
//! crate async-imap, so that a mistake in one is seen by the other. Neither retries: that is the engine's business.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

pub mod account;
mod append;
mod connection;
mod create;
mod destination;
mod driver;
mod faults;
mod fetch;
mod folders;
mod gmail;
mod login;
mod look;
mod mailbox;
mod messages;
pub mod net;
mod outbox;
mod reader;
mod relay;
mod sasl;
mod session;
mod source;
mod survey;
mod uids;
pub mod wire;

pub use account::{Account, Credential, NetPolicy, Timeouts};
pub use driver::ImapDriver;
pub use gmail::GmailLabels;
pub use look::{Look, look};
pub use relay::Relay;
