//! Zimbra's and Carbonio's export (`GET /home/USER/?fmt=tgz`, or zip): each item has a `.meta` entry in front of its
//! content. The folder is the path in there, never the directory, which is split after 499 items (`Inbox!1`). Exports of
//! a query, of types or of a part carry no entries for folders; exports without metas are filed by directory.

mod items;
mod meta;

use super::{dates_note, message};
use crate::containers::{Body, Entry, Event, Handle, Tree, names::count, names::shown};
use crate::{ArchiveError, Described, FoundFolder, FoundItem, FoundMessage, ItemKind, Limits, Locator, Store, Visitor};
use gatepost_transfer::{Flags, FolderPath, InternalDate};
use meta::{Kind, Meta};
use sha2::{Digest as _, Sha256};
use std::io::{Read as _, Write};

/// An export.
pub(crate) struct ZimbraStore {
    tree: Box<dyn Tree>,
    format: String,
    limits: Limits,
}

impl ZimbraStore {
    /// The export in a tar or zip.
    pub(crate) fn new(tree: Box<dyn Tree>, format: String, limits: &Limits) -> Self {
        Self { tree, format, limits: limits.clone() }
    }
}

/// Whether an entry of a tar or zip is one of such an export.
pub(crate) fn is_meta(name: &str, body: &Body) -> Result<bool, ArchiveError> {
    Ok(name.ends_with(".meta") && body.len() <= meta::LARGEST && Meta::parse(&whole(body)?).is_some())
}

fn whole(body: &Body) -> Result<Vec<u8>, ArchiveError> {
    body.head(usize::try_from(meta::LARGEST).unwrap_or(usize::MAX))
}

impl Store for ZimbraStore {
    fn describe(&self) -> Described {
        Described { format: self.format.clone(), encoding: None }
    }

    fn scan(&mut self, visitor: &mut dyn Visitor) -> Result<(), ArchiveError> {
        let mut scan = Scan::new(&self.limits);
        let tree = &mut *self.tree;
        let packed = tree.total();
        tree.walk(&mut |event| scan.event(event, packed, visitor))?;
        scan.next(None, visitor)?;
        scan.finish(visitor)
    }

    fn message(&mut self, locator: &Locator, out: &mut dyn Write) -> Result<(), ArchiveError> {
        message::write(&self.tree.open(&Handle::Place(locator.at, locator.more))?, &self.limits, out)
    }
}

/// An entry whose meaning is known once the next one was seen.
enum Held {
    /// A meta: its content comes next, if it has one.
    Meta(Box<Meta>, String),
    /// A content: what comes next may say that it is not whole.
    Content(Option<Box<Meta>>, Box<Entry>),
}

struct Scan<'a> {
    limits: &'a Limits,
    held: Option<Held>,
    total: u64,
    items: u64,
    /// Content whose meta is missing in an export that has metas.
    without: u64,
    metas: u64,
    left_out: u64,
    first_left_out: String,
}

impl<'a> Scan<'a> {
    fn new(limits: &'a Limits) -> Self {
        Self {
            limits,
            held: None,
            total: 1,
            items: 0,
            without: 0,
            metas: 0,
            left_out: 0,
            first_left_out: String::new(),
        }
    }

    fn event(&mut self, event: Event, packed: u64, visitor: &mut dyn Visitor) -> Result<(), ArchiveError> {
        match event {
            Event::Alive => visitor.progress(0, packed),
            Event::Loss(sentence) => visitor.loss(sentence),
            Event::Damage(sentence) => visitor.damage(sentence),
            Event::Directory(_) => Ok(()),
            Event::Lost(levels, name, why) => self.lost(&levels, &name, &why, visitor),
            Event::File(entry) => {
                self.total = self.total.max(entry.place + 1);
                visitor.progress(entry.place, self.total)?;
                self.next(Some(entry), visitor)
            }
        }
    }

    /// Takes the next entry; the one that was held is told.
    fn next(&mut self, entry: Option<Entry>, visitor: &mut dyn Visitor) -> Result<(), ArchiveError> {
        let held = self.held.take();
        let Some(entry) = entry else { return self.tell(held, None, visitor) };
        if entry.name.ends_with(".meta")
            && entry.body.len() <= meta::LARGEST
            && let Some(meta) = Meta::parse(&whole(&entry.body)?)
        {
            self.tell(held, None, visitor)?;
            self.metas += 1;
            let stem = entry.name.strip_suffix(".meta").unwrap_or(&entry.name).to_owned();
            self.held = Some(Held::Meta(Box::new(meta), stem));
            return Ok(());
        }
        if entry.name.ends_with(".err") && entry.body.len() == 0 {
            return self.tell(
                held,
                Some("Zimbra could not read all of it: what is missing was filled with spaces."),
                visitor,
            );
        }
        match held {
            Some(Held::Meta(meta, stem)) if stem == entry.name => {
                self.held = Some(Held::Content(Some(meta), Box::new(entry)));
                Ok(())
            }
            held => {
                self.tell(held, None, visitor)?;
                self.held = Some(Held::Content(None, Box::new(entry)));
                Ok(())
            }
        }
    }

    fn tell(&mut self, held: Option<Held>, note: Option<&str>, visitor: &mut dyn Visitor) -> Result<(), ArchiveError> {
        match held {
            None => Ok(()),
            Some(Held::Meta(meta, _)) => self.alone(&meta, visitor),
            Some(Held::Content(Some(meta), entry)) => self.item(&meta, &entry, note, visitor),
            Some(Held::Content(None, entry)) => self.bare(&entry, note, visitor),
        }
    }

    /// An item without content.
    fn alone(&mut self, meta: &Meta, visitor: &mut dyn Visitor) -> Result<(), ArchiveError> {
        match meta.kind() {
            Kind::Folder if meta.is_mail_folder() => {
                let declared = u64::try_from(meta.size).ok();
                let folder = FoundFolder { path: meta.folder(), special_use: meta.special_use(), declared };
                visitor.folder(folder).map(drop)
            }
            Kind::Folder | Kind::Nothing => Ok(()),
            Kind::Message => {
                self.items += 1;
                let folder = visitor.folder(folder_of(meta))?;
                let title = meta.subject.clone().unwrap_or_default();
                let why = format!(
                    "The export names the message \"{}\" (id {}), but does not hold its content.",
                    title.escape_debug(),
                    meta.id
                );
                visitor.unreadable(folder, found(meta, Locator { at: u64::MAX, more: 0, name: None }, None), why)
            }
            Kind::Contact => {
                self.items += 1;
                let folder = visitor.folder(folder_of(meta))?;
                let fields = meta.fields();
                let title = meta.sender.clone().unwrap_or_default();
                let kind = if fields.get("type").is_some_and(|t| t == "group") {
                    ItemKind::ContactList
                } else {
                    ItemKind::Contact
                };
                let item = FoundItem { class: meta.class(), kind, title: title.clone() };
                visitor.item(folder, item, &mut |out| Ok(items::vcard(&fields, &title, out)?))
            }
            Kind::Appointment | Kind::Task | Kind::Document => {
                self.items += 1;
                let folder = visitor.folder(folder_of(meta))?;
                let title = meta.name.clone().or_else(|| meta.subject.clone()).unwrap_or_default();
                let item = FoundItem { class: meta.class(), kind: ItemKind::Other, title };
                visitor.item(folder, item, &mut |out| Ok(writeln!(out, "{}", items::described(meta))?))
            }
        }
    }

    /// An item with its content.
    fn item(
        &mut self,
        meta: &Meta,
        entry: &Entry,
        note: Option<&str>,
        visitor: &mut dyn Visitor,
    ) -> Result<(), ArchiveError> {
        self.items += 1;
        if meta.kind() != Kind::Message {
            let folder = visitor.folder(folder_of(meta))?;
            let title = meta.subject.clone().or_else(|| meta.name.clone()).unwrap_or_else(|| entry.name.clone());
            return other(folder, meta.kind(), &meta.class(), title, entry, visitor);
        }
        let folder = visitor.folder(folder_of(meta))?;
        let changed = match meta.sha256() {
            Some(wanted) if sha256(&entry.body)? != wanted => {
                Some("Its bytes are not those that Zimbra's digest names: they were changed or damaged there.")
            }
            _ => None,
        };
        let note = note.or(changed).map(ToOwned::to_owned);
        let limits = self.limits;
        visitor.message(folder, found(meta, entry.handle.locator(), note), &mut |out| {
            message::write(&entry.body, limits, out)
        })
    }

    /// Content without a meta: filed by its directory, dated by itself.
    fn bare(&mut self, entry: &Entry, note: Option<&str>, visitor: &mut dyn Visitor) -> Result<(), ArchiveError> {
        let kind = match super::tree::sniff::ending(&entry.name).as_str() {
            "eml" | "chat" => Kind::Message,
            "vcf" => Kind::Contact,
            "ics" | "appt" => Kind::Appointment,
            "task" => Kind::Task,
            "note" | "wiki" | "doc" => Kind::Document,
            _ if entry.group.as_deref() == Some("document") => Kind::Document,
            _ => {
                if self.left_out == 0 {
                    self.first_left_out = shown(entry.name.as_bytes());
                }
                self.left_out += 1;
                return Ok(());
            }
        };
        self.items += 1;
        let folder =
            visitor.folder(FoundFolder { path: by_directory(&entry.levels), special_use: None, declared: None })?;
        if kind != Kind::Message {
            return other(folder, kind, "item without meta", entry.name.clone(), entry, visitor);
        }
        self.without += u64::from(self.metas > 0);
        let facts = message::facts(&entry.body)?;
        // The entry's time is when Zimbra received it.
        let (internal_date, guessed) = match entry.modified.filter(|date| date.seconds > 0) {
            Some(date) => (date, None),
            None => dates_note(&facts.header, None),
        };
        let note = note.map(ToOwned::to_owned).or(guessed);
        let limits = self.limits;
        let message = FoundMessage {
            locator: entry.handle.locator(),
            class: "message".to_owned(),
            internal_date,
            flags: facts.flags,
            note,
            salvaged: false,
        };
        visitor.message(folder, message, &mut |out| message::write(&entry.body, limits, out))
    }

    /// An entry that the archive names and does not hold.
    fn lost(
        &mut self,
        levels: &[String],
        name: &str,
        why: &str,
        visitor: &mut dyn Visitor,
    ) -> Result<(), ArchiveError> {
        let held = self.held.take();
        let locator = Locator { at: u64::MAX, more: 0, name: None };
        match held {
            Some(Held::Meta(meta, stem)) if stem == name && meta.kind() == Kind::Message => {
                self.items += 1;
                let folder = visitor.folder(folder_of(&meta))?;
                visitor.unreadable(folder, found(&meta, locator, None), format!("{}: {why}", shown(name.as_bytes())))
            }
            held => {
                self.tell(held, None, visitor)?;
                if !name.ends_with(".eml") {
                    return visitor.loss(format!("The entry {} is missing: {why}", shown(name.as_bytes())));
                }
                self.items += 1;
                let path = by_directory(levels);
                let folder = visitor.folder(FoundFolder { path, special_use: None, declared: None })?;
                let message = FoundMessage {
                    locator,
                    class: "message".to_owned(),
                    internal_date: InternalDate { seconds: 0, zone_minutes: 0 },
                    flags: Flags::default(),
                    note: None,
                    salvaged: false,
                };
                visitor.unreadable(folder, message, format!("{}: {why}", shown(name.as_bytes())))
            }
        }
    }

    fn finish(&self, visitor: &mut dyn Visitor) -> Result<(), ArchiveError> {
        if self.without > 0 {
            visitor.damage(format!(
                "{} no meta entry in the export: filed by the directory, without flags and tags.",
                count(self.without, "message has", "messages have")
            ))?;
        }
        if self.left_out > 0 {
            visitor.damage(format!(
                "{} left out: {}.",
                count(
                    self.left_out,
                    "entry is none of Zimbra's items and was",
                    "entries are none of Zimbra's items and were"
                ),
                self.first_left_out
            ))?;
        }
        visitor.progress(self.total, self.total)
    }
}

/// Saves what is no mail.
fn other(
    folder: crate::FolderNumber,
    kind: Kind,
    class: &str,
    title: String,
    entry: &Entry,
    visitor: &mut dyn Visitor,
) -> Result<(), ArchiveError> {
    let calendar = if matches!(kind, Kind::Appointment | Kind::Task) { items::calendar(&entry.body)? } else { None };
    let kind = match (kind, &calendar) {
        (Kind::Appointment, Some(_)) => ItemKind::Appointment,
        (Kind::Task, Some(_)) => ItemKind::Task,
        (Kind::Contact, _) if items::is_vcard(&entry.body)? => ItemKind::Contact,
        _ => ItemKind::Other,
    };
    visitor.item(folder, FoundItem { class: class.to_owned(), kind, title }, &mut |out| {
        match &calendar {
            Some(text) => out.write_all(text)?,
            None => {
                std::io::copy(&mut entry.body.reader(), out)?;
            }
        }
        Ok(())
    })
}

fn folder_of(meta: &Meta) -> FoundFolder {
    FoundFolder { path: meta.folder(), special_use: meta.special_use(), declared: None }
}

fn found(meta: &Meta, locator: Locator, note: Option<String>) -> FoundMessage {
    FoundMessage {
        locator,
        class: meta.class(),
        internal_date: InternalDate { seconds: meta.date, zone_minutes: 0 },
        flags: meta.flags(),
        note,
        salvaged: false,
    }
}

/// The folder of a directory: without the number that splits it.
fn by_directory(levels: &[String]) -> FolderPath {
    let mut levels = levels.to_vec();
    if let Some(last) = levels.last_mut()
        && let Some((name, number)) = last.rsplit_once('!')
        && !number.is_empty()
        && number.bytes().all(|b| b.is_ascii_digit())
    {
        *last = name.to_owned();
    }
    match levels.as_slice() {
        [] => FolderPath::inbox(),
        [one] if one.eq_ignore_ascii_case("inbox") => FolderPath::inbox(),
        levels => FolderPath::new(levels),
    }
}

fn sha256(body: &Body) -> Result<[u8; 32], ArchiveError> {
    let mut hasher = Sha256::new();
    let mut reader = body.reader();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finalize().into()),
            Ok(n) => hasher.update(&buffer[..n]),
            // Damage is told where the message is written.
            Err(e) if crate::containers::is_damage(&e) => return Ok([0; 32]),
            Err(e) => return Err(e.into()),
        }
    }
}

#[cfg(test)]
mod tests;
