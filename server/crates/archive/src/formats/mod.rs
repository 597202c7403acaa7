//! The formats that mail is kept in, each as a [`Store`](crate::Store) or as a part of one.

pub(crate) mod dates;
mod flags;
pub(crate) mod header;
mod labels;
pub(crate) mod lines;
mod maildir;
pub(crate) mod mbox;
mod message;
pub(crate) mod single;
pub(crate) mod tree;
pub(crate) mod zimbra;

use gatepost_transfer::InternalDate;
use header::Header;

/// When a message was received: as its header says, else as the file around it does, never the present time; and a note
/// where that is a guess.
fn dates_note(header: &Header, file: Option<InternalDate>) -> (InternalDate, Option<String>) {
    match (header.dated(), file) {
        (Some((date, _)), _) => (date, None),
        (None, Some(date)) => (date, Some("It has no date of its own; it is dated by its file.".to_owned())),
        (None, None) => (
            InternalDate { seconds: 0, zone_minutes: 0 },
            Some("It has no date at all; it is dated 1970-01-01.".to_owned()),
        ),
    }
}
