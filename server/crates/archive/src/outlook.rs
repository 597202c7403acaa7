//! An item of Outlook, of a PST or of a `.msg` file, told to a visitor: mail as a message, anything else as the file of
//! its kind.

use crate::containers::Body;
use crate::containers::section::SectionReader;
use crate::{ArchiveError, FolderNumber, FoundItem, FoundMessage, ItemKind, Limits, Locator, Visitor};
use gatepost_mapi::{Error, Kind, Message, Notes, facts, item, mime, msg};
use gatepost_transfer::{Flags, InternalDate};
use std::io::{self, BufWriter, Write};

/// What is known of an item beside itself.
pub(crate) struct Origin<'a> {
    /// Where it lies.
    pub locator: Locator,
    /// What it is called where its own name is lost.
    pub title: Option<String>,
    /// Whether it was found beside the file's index.
    pub salvaged: bool,
    /// Whether it is written once for its notes, so that they stand beside it: where damage is likely.
    pub early: bool,
    /// What was read around so far.
    pub notes: &'a dyn Fn() -> Vec<String>,
    /// Fails where what was read around is no damage of the file but a fault of what it lies on.
    pub sound: &'a dyn Fn() -> Result<(), ArchiveError>,
    /// When its file was last changed.
    pub modified: Option<InternalDate>,
}

/// Tells an item; gives what became known of it only while it was written.
pub(crate) fn tell(
    message: &dyn Message,
    origin: Origin<'_>,
    folder: FolderNumber,
    visitor: &mut dyn Visitor,
) -> Result<Option<String>, ArchiveError> {
    let facts = facts(message);
    let title = facts.subject.or(origin.title).unwrap_or_default();
    if let Some(kind) = item_kind(facts.kind) {
        visitor.item(folder, FoundItem { class: facts.class, kind, title }, &mut |out| {
            written(out, |out| item::write(message, out))?;
            (origin.sound)()
        })?;
        return Ok(None);
    }
    let mut notes = (origin.notes)();
    let mut flags: Flags = facts.flags.iter().collect();
    facts.keywords.iter().for_each(|keyword| flags.insert(keyword));
    let internal_date = match (facts.received, origin.modified) {
        (Some((seconds, zone_minutes)), _) => InternalDate { seconds, zone_minutes },
        (None, Some(date)) => {
            notes.push("It has no date of its own; it is dated by its file.".to_owned());
            date
        }
        (None, None) => {
            notes.push("It has no date at all; it is dated 1970-01-01.".to_owned());
            InternalDate { seconds: 0, zone_minutes: 0 }
        }
    };
    let mut found = FoundMessage {
        locator: origin.locator,
        class: facts.class,
        internal_date,
        flags,
        note: None,
        salvaged: origin.salvaged,
    };
    let early = origin.early || !notes.is_empty();
    if early {
        match written(&mut io::sink(), |out| mime::write(message, out)) {
            Ok(more) => notes.extend(more),
            Err(ArchiveError::Unreadable(why)) => {
                return visitor.unreadable(folder, found, named(&title, &why)).map(|()| None);
            }
            Err(error) => return Err(error),
        }
        notes.extend((origin.notes)());
    }
    found.note = joined(notes);
    let mut late = None;
    visitor.message(folder, found, &mut |out| {
        late = written(out, |out| mime::write(message, out))?;
        (origin.sound)()
    })?;
    if early {
        return Ok(None);
    }
    Ok(joined(late.into_iter().chain((origin.notes)())).map(|note| named(&title, &note)))
}

/// Tells an item that is there and cannot be read: mail as a message, anything else as an item.
pub(crate) fn unread(
    class: Option<String>,
    origin: Origin<'_>,
    folder: FolderNumber,
    why: &str,
    visitor: &mut dyn Visitor,
) -> Result<(), ArchiveError> {
    let class = class.unwrap_or_else(|| "IPM.Note".to_owned());
    let title = origin.title.unwrap_or_default();
    if let Some(kind) = item_kind(Kind::of(&class)) {
        return visitor
            .item(folder, FoundItem { class, kind, title }, &mut |_| Err(ArchiveError::Unreadable(why.to_owned())));
    }
    let found = FoundMessage {
        locator: origin.locator,
        class,
        internal_date: origin.modified.unwrap_or(InternalDate { seconds: 0, zone_minutes: 0 }),
        flags: Flags::default(),
        note: None,
        salvaged: origin.salvaged,
    };
    visitor.unreadable(folder, found, named(&title, why))
}

/// Tells the item of a `.msg` file.
pub(crate) fn tell_file(
    body: &Body,
    origin: Origin<'_>,
    limits: &Limits,
    folder: FolderNumber,
    visitor: &mut dyn Visitor,
) -> Result<(), ArchiveError> {
    match open(body, limits) {
        Ok(item) => tell(&item, Origin { early: true, ..origin }, folder, visitor).map(drop),
        Err(ArchiveError::Unreadable(why)) => unread(None, origin, folder, &why, visitor),
        Err(error) => Err(error),
    }
}

/// Writes the item of a `.msg` file as a message.
pub(crate) fn write_file(body: &Body, limits: &Limits, out: &mut dyn Write) -> Result<(), ArchiveError> {
    let item = open(body, limits)?;
    written(out, |out| mime::write(&item, out)).map(drop)
}

fn open(body: &Body, limits: &Limits) -> Result<msg::MsgItem<SectionReader>, ArchiveError> {
    let section = match body.section(limits, &mut || Ok(())) {
        Err(ArchiveError::Io(e)) if crate::containers::is_damage(&e) => {
            return Err(ArchiveError::Unreadable(format!("It cannot be read whole: {e}.")));
        }
        section => section?,
    };
    msg::open(section.reader()).map_err(error)
}

/// Writes an item of a file through a buffer; gives what could not be read of it.
pub(crate) fn written(
    out: &mut dyn Write,
    write: impl FnOnce(&mut dyn Write) -> Result<Notes, Error>,
) -> Result<Option<String>, ArchiveError> {
    let mut buffered = BufWriter::with_capacity(64 * 1024, out);
    let notes = write(&mut buffered).map_err(error)?;
    buffered.flush()?;
    Ok(notes.summary())
}

fn error(error: Error) -> ArchiveError {
    match error {
        Error::Damaged(sentence) => ArchiveError::Unreadable(sentence),
        Error::Io(error) => ArchiveError::Io(error),
    }
}

/// What an item is saved as; `None` for mail.
pub(crate) fn item_kind(kind: Kind) -> Option<ItemKind> {
    match kind {
        Kind::Mail => None,
        Kind::Contact => Some(ItemKind::Contact),
        Kind::ContactList => Some(ItemKind::ContactList),
        Kind::Appointment => Some(ItemKind::Appointment),
        Kind::Task => Some(ItemKind::Task),
        Kind::Note => Some(ItemKind::Note),
        Kind::Journal => Some(ItemKind::Journal),
        Kind::Other => Some(ItemKind::Other),
    }
}

/// A sentence about an item that is called so.
fn named(title: &str, sentence: &str) -> String {
    if title.is_empty() { sentence.to_owned() } else { format!("\"{}\": {sentence}", title.escape_debug()) }
}

/// Sentences as one note, each once.
fn joined(sentences: impl IntoIterator<Item = String>) -> Option<String> {
    let mut all: Vec<String> = Vec::new();
    for sentence in sentences {
        if !all.contains(&sentence) {
            all.push(sentence);
        }
    }
    (!all.is_empty()).then(|| all.join(" "))
}
