//! Files of mail as sources: PST and OST, mbox, eml, Maildir, zip and tar archives of these, and Zimbra's TGZ.
//!
//! ```text
//!   a file or folder ──► format (Store): scan ──► catalogue (on disk) ──► ArchiveDriver: Source, Reader
//!                              ▲                                                 │
//!                              └────────────── one message's bytes ◄─────────────┘
//! ```
//!
//! A [`Store`] reads one format and knows no ledger. The catalogue holds what a scan found, with a UID for each message
//! that is the same at every scan of the same file. The driver joins the catalogues of a mailbox's files into one
//! account of folders.

mod ports;

pub use ports::*;
