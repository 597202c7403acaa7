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

mod catalogue;
mod containers;
mod detect;
mod driver;
mod export;
mod formats;
mod inspect;
mod items;
mod limits;
mod names;
mod open;
mod outlook;
mod ports;
mod pst;
mod readpst;
#[cfg(test)]
mod testing;

pub use catalogue::{Catalogue, CataloguedFolder, Entries, Entry, MOST_MESSAGES, SCAN_VERSION, Stamp};
pub use detect::{Detected, Kind, Place, detect};
pub use driver::{ArchiveAccount, ArchiveDriver};
pub use export::{ExportFormat, Exported, export};
pub use inspect::{FileSource, inspect, overlaps, refresh};
pub use limits::Limits;
pub use names::{FolderNames, safe as safe_name};
pub use open::open;
pub use ports::*;
pub use readpst::ReadpstStore;
