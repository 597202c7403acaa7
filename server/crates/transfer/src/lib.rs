//! Moving messages: what a source and a destination are, how folders are mapped, how a copy runs, what it records
//! and how it is proved.
//!
//! Knows neither IMAP nor SQL: sources and destinations implement [`Source`] and [`Destination`], the store stands
//! behind [`Ledger`], and verification reads through [`Reader`], which an engine never uses.

mod adopt;
pub mod budget;
pub mod copy;
mod digest;
mod fault;
mod ledger;
pub mod mapping;
mod model;
mod ports;
pub mod preflight;
mod reading;
mod throttle;
mod tokens;
pub mod verify;
mod watch;

pub use budget::{Budget, HostLimits, Way};
pub use digest::{Digest, Digester, Digests, Mender};
pub use fault::{Fault, FaultKind};
pub use ledger::{
    Arrival, Cursor, Finding, Ledger, LedgerRow, MessageHead, NewMessage, PlacedFolder, ProofRow, Refusal, Standing,
};
pub use model::{Flags, FolderPath, FolderState, InternalDate, Limits, MessageMeta, Quota, RemoteFolder, UidSet};
pub use ports::{
    Appended, ChangedSince, Destination, Driver, FolderTotals, Incoming, Outgoing, ReadMessage, Reader, Rejection,
    Source, Surveyed, Which,
};
pub use throttle::{Pacer, Throttle};
pub use tokens::{AccessTokens, FixedToken};
pub use watch::Watch;
