//! Folders, while the file is written.

use super::ltp::Row;

/// A folder of a file that is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FolderId(pub(super) usize);

/// What a folder is for, as the file's entry ids say it; its name may be anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Where mail arrives; it carries the entry ids of other folders.
    Inbox,
    /// PidTagIpmSentMailEntryId.
    Sent,
    /// PidTagIpmWastebasketEntryId.
    Deleted,
    /// PidTagIpmOutboxEntryId.
    Outbox,
    /// PidTagIpmDraftsEntryId.
    Drafts,
    /// The fifth of PidTagAdditionalRenEntryIds.
    Junk,
    /// PidTagIpmAppointmentEntryId.
    Calendar,
    /// PidTagIpmContactEntryId.
    Contacts,
    /// PidTagIpmJournalEntryId.
    Journal,
    /// PidTagIpmNoteEntryId.
    Notes,
    /// PidTagIpmTaskEntryId.
    Tasks,
}

impl Role {
    /// PidTagContainerClass.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Calendar => "IPF.Appointment",
            Self::Contacts => "IPF.Contact",
            Self::Journal => "IPF.Journal",
            Self::Notes => "IPF.StickyNote",
            Self::Tasks => "IPF.Task",
            _ => "IPF.Note",
        }
    }
}

pub(super) struct Folder {
    pub(super) name: String,
    pub(super) nid: u32,
    pub(super) parent: Option<FolderId>,
    pub(super) role: Option<Role>,
    pub(super) rows: Vec<Row>,
    pub(super) unread: i32,
    /// What the folder says that it holds, where that is not the truth.
    pub(super) declared: Option<i32>,
    /// Whether its parent's table has a row of it.
    pub(super) listed: bool,
    /// Whether it has a table of its items.
    pub(super) table: bool,
}

impl Folder {
    pub(super) fn new(name: &str, nid: u32, parent: Option<FolderId>) -> Self {
        Self {
            name: name.to_owned(),
            nid,
            parent,
            role: None,
            rows: Vec::new(),
            unread: 0,
            declared: None,
            listed: true,
            table: true,
        }
    }
}
