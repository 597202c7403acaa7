//! What a reader of a format gives, and what a scan tells.

use gatepost_contract::SpecialUse;
use gatepost_transfer::{Flags, FolderPath, InternalDate};
use serde::{Deserialize, Serialize};
use std::io::{self, Write};

/// Why a file cannot be read, or something in it.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The file is not what it should be; the sentence says what it looks like and what to do.
    #[error("{0}")]
    NotRecognised(String),
    /// The file is what it should be, but cannot be read on; the sentence says where and what to do.
    #[error("{0}")]
    Damaged(String),
    /// It breaks a bound that keeps the machine safe; the sentence names it.
    #[error("{0}")]
    TooMuch(String),
    /// One message is there, but cannot be given; the reading of others goes on.
    #[error("{0}")]
    Unreadable(String),
    /// Whoever asked does not want more.
    #[error("the reading was stopped")]
    Stopped,
    /// Reading or writing failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Where a message lies in its file: numbers whose meaning only its format knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Locator {
    /// An offset, a node's id, an entry's number.
    pub at: u64,
    /// A length, a sub-entry, or 0.
    pub more: u64,
    /// The entry or the path below the root, where numbers are not enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A folder that a scan met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundFolder {
    /// Its path, with the root of the file left out. A message above all folders belongs to `INBOX`.
    pub path: FolderPath,
    /// What it is for, where the file says so (never guessed from its name).
    pub special_use: Option<SpecialUse>,
    /// How many items the file itself says that it holds.
    pub declared: Option<u64>,
}

/// A message that a scan met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundMessage {
    /// Where it lies.
    pub locator: Locator,
    /// What kind of item it is there: `IPM.Note`, or `message`.
    pub class: String,
    /// When it was received; the format's best knowledge, never the present time.
    pub internal_date: InternalDate,
    /// Its flags and keywords.
    pub flags: Flags,
    /// What a person should know of it: damage that was read around, a date that was guessed.
    pub note: Option<String>,
    /// Whether it was found beside the file's own index, after damage.
    pub salvaged: bool,
}

/// Something that is no mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundItem {
    /// What kind of item it is there: `IPM.Contact`.
    pub class: String,
    /// What it is.
    pub kind: ItemKind,
    /// A name for people.
    pub title: String,
}

/// What an item that is no mail is saved as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemKind {
    /// A vCard.
    Contact,
    /// A list of contacts: a vCard of kind group.
    ContactList,
    /// An iCalendar event.
    Appointment,
    /// An iCalendar to-do.
    Task,
    /// A text.
    Note,
    /// An iCalendar journal entry.
    Journal,
    /// Anything else: its properties as text.
    Other,
}

/// The number that a visitor gave a folder.
pub type FolderNumber = u32;

/// Writes one item's bytes.
pub type Content<'a> = &'a mut dyn FnMut(&mut dyn Write) -> Result<(), ArchiveError>;

/// What a scan tells to. Any of its errors ends the scan.
pub trait Visitor {
    /// A folder; told before anything in it, and also when it is empty. The same path may be told twice: it is one
    /// folder.
    fn folder(&mut self, folder: FoundFolder) -> Result<FolderNumber, ArchiveError>;

    /// Whether it wants to be told what comes next in a folder: a message or an item. A store that has to open each to tell
    /// it asks first, so that several visitors can share the work.
    fn wants(&mut self, _folder: FolderNumber) -> Result<bool, ArchiveError> {
        Ok(true)
    }

    /// A message, in an order that is the same at every scan; `content` gives exactly the bytes that
    /// [`Store::message`] will give.
    fn message(
        &mut self,
        folder: FolderNumber,
        message: FoundMessage,
        content: Content<'_>,
    ) -> Result<(), ArchiveError>;

    /// A message that lies in several folders, none of them twice; as if it were told for one after the other.
    fn message_in(
        &mut self,
        folders: &[FolderNumber],
        message: FoundMessage,
        content: Content<'_>,
    ) -> Result<(), ArchiveError> {
        folders.iter().try_for_each(|folder| self.message(*folder, message.clone(), content))
    }

    /// A message that is known to be there and cannot be given, and why.
    fn unreadable(&mut self, folder: FolderNumber, message: FoundMessage, why: String) -> Result<(), ArchiveError>;

    /// An item that is no mail; `content` gives what it is saved as.
    fn item(&mut self, folder: FolderNumber, item: FoundItem, content: Content<'_>) -> Result<(), ArchiveError>;

    /// A sentence about the file as a whole: damage that was read around, something that is no mail and was left out.
    fn damage(&mut self, sentence: String) -> Result<(), ArchiveError>;

    /// A sentence about mail that is missing: the file is cut off, a folder's list is lost, fewer items were found than
    /// the file says that it holds. Whoever makes no difference takes it as damage.
    fn loss(&mut self, sentence: String) -> Result<(), ArchiveError> {
        self.damage(sentence)
    }

    /// How many of how many bytes have been gone through.
    fn progress(&mut self, done: u64, total: u64) -> Result<(), ArchiveError>;
}

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Described {
    /// For people: `PST, Unicode`, `mbox`, `Zimbra TGZ`.
    pub format: String,
    /// How its bytes are encoded, where that is a question: `none`, `permute`, `cyclic`.
    pub encoding: Option<String>,
}

/// An opened file of mail. It is only read.
pub trait Store: Send {
    /// What it is.
    fn describe(&self) -> Described;

    /// Goes through all of it. Two scans of the same bytes tell the same in the same order.
    ///
    /// # Errors
    /// Where the file cannot be read on, and whatever the visitor answers.
    fn scan(&mut self, visitor: &mut dyn Visitor) -> Result<(), ArchiveError>;

    /// Writes one message as RFC 5322 with CRLF line ends as far as the file has them; the same bytes at every call.
    ///
    /// # Errors
    /// [`ArchiveError::Unreadable`] where this one message cannot be given.
    fn message(&mut self, locator: &Locator, out: &mut dyn Write) -> Result<(), ArchiveError>;
}
