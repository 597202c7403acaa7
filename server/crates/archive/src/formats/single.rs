//! A single message as a source of its own.

use super::{dates_note, message};
use crate::containers::Body;
use crate::containers::section::Section;
use crate::outlook::{self, Origin};
use crate::{ArchiveError, Described, FoundFolder, FoundMessage, Limits, Locator, Store, Visitor};
use gatepost_mapi::msg::is_compound;
use gatepost_transfer::FolderPath;
use std::io::Write;

/// One message, for the INBOX.
pub(crate) struct MessageStore {
    limits: Limits,
    body: Body,
}

impl MessageStore {
    /// A file. When it was last changed tells nothing of its message: bringing it here has changed that.
    pub(crate) fn new(section: Section, limits: &Limits) -> Self {
        Self { limits: limits.clone(), body: Body::Plain(section) }
    }
}

impl Store for MessageStore {
    fn describe(&self) -> Described {
        Described { format: "message".to_owned(), encoding: None }
    }

    fn scan(&mut self, visitor: &mut dyn Visitor) -> Result<(), ArchiveError> {
        let total = self.body.len();
        visitor.progress(0, total)?;
        let folder = visitor.folder(FoundFolder { path: FolderPath::inbox(), special_use: None, declared: None })?;
        let locator = Locator { at: 0, more: total, name: None };
        if is_compound(&self.body.head(8)?) {
            let notes = &Vec::new;
            let origin =
                Origin { locator, title: None, salvaged: false, early: true, notes, sound: &|| Ok(()), modified: None };
            outlook::tell_file(&self.body, origin, &self.limits, folder, visitor)?;
            return visitor.progress(total, total);
        }
        let facts = message::facts(&self.body)?;
        let (internal_date, note) = match facts.received {
            Some(received) => (received, None),
            None => dates_note(&facts.header, None),
        };
        let found = FoundMessage {
            locator,
            class: "message".to_owned(),
            internal_date,
            flags: facts.flags,
            note,
            salvaged: false,
        };
        visitor.message(folder, found, &mut |out| message::write(&self.body, &self.limits, out))?;
        visitor.progress(total, total)
    }

    fn message(&mut self, _locator: &Locator, out: &mut dyn Write) -> Result<(), ArchiveError> {
        message::write(&self.body, &self.limits, out)
    }
}
