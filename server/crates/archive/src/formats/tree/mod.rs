//! Mail as files among others, wherever they lie: folders of messages, Maildirs, trees of mbox files (Thunderbird's
//! `.sbd`, Apple's `.mbox`, Gmail Takeout), and any mixture.

mod shape;
pub(crate) mod sniff;

use super::{dates_note, maildir, mbox, message};
use crate::containers::names::{count, shown};
use crate::containers::section::Section;
use crate::containers::{Body, Entry, Event, Handle, Tree};
use crate::outlook::{self, Origin};
use crate::{
    ArchiveError, Described, FolderNumber, FoundFolder, FoundItem, FoundMessage, ItemKind, Limits, Locator, Store,
    Visitor,
};
use gatepost_transfer::{Flags, FolderPath, InternalDate};
use shape::Shape;
use sniff::Sniffed;
use std::io::Write;

/// A tree of files with mail in it.
pub(crate) struct TreeStore {
    tree: Box<dyn Tree>,
    limits: Limits,
    format: String,
    /// The mbox that was read at random last, unpacked.
    unpacked: Option<(Handle, Section)>,
}

impl TreeStore {
    /// A tree; `format` is what it is called for people.
    pub(crate) fn new(tree: Box<dyn Tree>, format: String, limits: &Limits) -> Self {
        Self { tree, limits: limits.clone(), format, unpacked: None }
    }

    /// An mbox of the tree, unpacked where it is compressed.
    fn mbox(&mut self, handle: Handle) -> Result<Section, ArchiveError> {
        match &self.unpacked {
            Some((known, section)) if *known == handle => Ok(section.clone()),
            _ => {
                let section = self.tree.open(&handle)?.section(&self.limits, &mut || Ok(()))?;
                self.unpacked = Some((handle, section.clone()));
                Ok(section)
            }
        }
    }
}

impl Store for TreeStore {
    fn describe(&self) -> Described {
        Described { format: self.format.clone(), encoding: None }
    }

    fn scan(&mut self, visitor: &mut dyn Visitor) -> Result<(), ArchiveError> {
        let shape = Shape::of(&mut *self.tree, &mut || visitor.progress(0, 1))?;
        let total = self.tree.total();
        let scan = &mut Scan {
            shape,
            limits: &self.limits,
            kind: self.tree.kind(),
            total,
            messages: 0,
            unpacked: None,
            gmail: mbox::Told::default(),
            others: Others::default(),
        };
        self.tree.walk(&mut |event| scan.event(event, visitor))?;
        if scan.messages == 0 {
            return Err(ArchiveError::NotRecognised(scan.others.nothing(self.tree.kind())));
        }
        self.unpacked = scan.unpacked.take();
        let (gmail, others) = (scan.gmail.repeated(), std::mem::take(&mut scan.others));
        if gmail > 0 {
            visitor.damage(format!(
                "The export repeats messages in the files of several labels: {gmail} repetitions were left out, each \
                 message stands once in each of its folders."
            ))?;
        }
        others.say(visitor)?;
        visitor.progress(1, 1)
    }

    fn message(&mut self, locator: &Locator, out: &mut dyn Write) -> Result<(), ArchiveError> {
        match &locator.name {
            // An entry that is a message.
            None => message::write(&self.tree.open(&Handle::Place(locator.at, locator.more))?, &self.limits, out),
            Some(path) if locator.at == 0 && locator.more == 0 => {
                message::write(&self.tree.open(&Handle::Path(path.clone()))?, &self.limits, out)
            }
            Some(name) => mbox::message(&self.mbox(handle_of(name, self.tree.kind()))?, locator, out),
        }
    }
}

/// A handle as text, for locators of messages inside the file.
fn name_of(handle: &Handle) -> String {
    match handle {
        Handle::Place(at, bytes) => format!("{at}+{bytes}"),
        Handle::Path(path) => path.clone(),
    }
}

fn handle_of(name: &str, kind: &str) -> Handle {
    let place = || {
        let (at, bytes) = name.split_once('+')?;
        Some(Handle::Place(at.parse().ok()?, bytes.parse().ok()?))
    };
    if kind == "folder" { Handle::Path(name.to_owned()) } else { place().unwrap_or(Handle::Place(u64::MAX, 0)) }
}

/// A scan that is under way.
struct Scan<'a> {
    shape: Shape,
    limits: &'a Limits,
    kind: &'static str,
    total: u64,
    messages: u64,
    unpacked: Option<(Handle, Section)>,
    gmail: mbox::Told,
    others: Others,
}

impl Scan<'_> {
    fn event(&mut self, event: Event, visitor: &mut dyn Visitor) -> Result<(), ArchiveError> {
        match event {
            Event::Alive => visitor.progress(0, 1),
            Event::Loss(sentence) => visitor.loss(sentence),
            Event::Damage(sentence) => visitor.damage(sentence),
            Event::Directory(levels) => self.directory(&levels, visitor),
            Event::Lost(levels, name, why) => self.lost(&levels, &name, false, why, visitor),
            Event::File(entry) => {
                self.advance(entry.place, 0, 1, visitor)?;
                self.file(entry, visitor)
            }
        }
    }

    /// Tells how far it is: at a place of the tree, and so far through the file there.
    fn advance(&self, place: u64, at: u64, of: u64, visitor: &mut dyn Visitor) -> Result<(), ArchiveError> {
        const FINE: u64 = 1000;
        let total = self.total.max(1);
        if self.kind == "tar" {
            visitor.progress((place + at).min(total), total)
        } else {
            let within = u64::try_from(u128::from(at) * u128::from(FINE) / u128::from(of.max(1))).unwrap_or(0);
            visitor.progress((place.saturating_sub(1) * FINE + within).min(total * FINE), total * FINE)
        }
    }

    /// A directory is a folder where it is a Maildir, or where messages are files and it is none of a program's.
    fn directory(&mut self, levels: &[String], visitor: &mut dyn Visitor) -> Result<(), ArchiveError> {
        let path = match self.shape.maildir(levels) {
            Some(base) => maildir::folder(self.shape.below(base)),
            None if self.shape.named && !self.shape.is_maildir() && !is_programs(levels) => {
                match self.shape.below(levels) {
                    [] => return Ok(()),
                    below => folder(below),
                }
            }
            None => return Ok(()),
        };
        visitor.folder(FoundFolder { path, special_use: None, declared: None }).map(drop)
    }

    /// The folder of a file that is a message.
    fn folder_of(&self, levels: &[String], emlx: bool) -> FolderPath {
        match self.shape.maildir(levels) {
            Some(base) => maildir::folder(self.shape.below(base)),
            None if emlx => apples_folder(self.shape.below(levels)),
            None => folder(self.shape.below(levels)),
        }
    }

    /// A file that is listed and cannot be had: a message, if it was known for mail or its name says so.
    fn lost(
        &mut self,
        levels: &[String],
        name: &str,
        is_mail: bool,
        why: String,
        visitor: &mut dyn Visitor,
    ) -> Result<(), ArchiveError> {
        const ARCHIVES: [&str; 9] = ["zip", "tar", "gz", "tgz", "bz2", "xz", "zst", "7z", "rar"];
        if self.is_double(levels, name) {
            return Ok(());
        }
        let ending = sniff::ending(name);
        let message = is_mail
            || self.shape.maildir(levels).is_some()
            || matches!(ending.as_str(), "eml" | "emlx" | "msg")
            || sniff::is_bare(name)
            || sniff::is_mbox_name(name);
        if !message {
            let sentence = format!("The file {} is missing: {why}", shown(name.as_bytes()));
            let may_hold_mail = sniff::is_mail_name(name) || ARCHIVES.contains(&ending.as_str());
            return if may_hold_mail { visitor.loss(sentence) } else { visitor.damage(sentence) };
        }
        self.messages += 1;
        let number = self.number(self.folder_of(levels, false), visitor)?;
        let (internal_date, note) = (InternalDate { seconds: 0, zone_minutes: 0 }, None);
        let locator = Locator { at: u64::MAX, more: 0, name: None };
        let found = found(locator, "message", internal_date, Flags::default(), note);
        visitor.unreadable(number, found, format!("{}: {why}", shown(name.as_bytes())))
    }

    fn number(&self, path: FolderPath, visitor: &mut dyn Visitor) -> Result<FolderNumber, ArchiveError> {
        visitor.folder(FoundFolder { path, special_use: None, declared: None })
    }

    /// Whether a file only doubles what others hold: what macOS keeps of them, or a copy for a search.
    fn is_double(&mut self, levels: &[String], name: &str) -> bool {
        let copy = self.shape.is_copy(levels, name);
        self.others.copies += u64::from(copy);
        copy || levels.first().is_some_and(|top| top == "__MACOSX")
    }

    fn file(&mut self, entry: Entry, visitor: &mut dyn Visitor) -> Result<(), ArchiveError> {
        if self.is_double(&entry.levels, &entry.name) {
            return Ok(());
        }
        if self.shape.maildir(&entry.levels).is_some() {
            return self.message(&entry, visitor);
        }
        if self.shape.is_undelivered(&entry.levels) {
            self.others.undelivered += 1;
            return Ok(());
        }
        let head = entry.body.head(sniff::HEAD)?;
        let sniffed = match sniff::sniff(&entry.name, &head, entry.body.len()) {
            // Thunderbird has an index or a folder of folders beside an mbox, whatever that begins with.
            Sniffed::Other | Sniffed::Suspect(_)
                if entry.body.len() > 0 && self.shape.is_indexed(&entry.levels, &entry.name) =>
            {
                Sniffed::Mbox
            }
            Sniffed::Message | Sniffed::Suspect(_) | Sniffed::Other
                if self.shape.is_answer(&entry.levels, &entry.name) =>
            {
                Sniffed::Ignored
            }
            sniffed => sniffed,
        };
        match sniffed {
            Sniffed::Message => self.message(&entry, visitor),
            Sniffed::Outlook => self.outlook(&entry, visitor),
            Sniffed::Mbox => self.mbox(&entry, visitor),
            Sniffed::Contact => self.item(&entry, ItemKind::Contact, "text/vcard", visitor),
            Sniffed::Calendar => self.item(&entry, ItemKind::Appointment, "text/calendar", visitor),
            Sniffed::Ignored => {
                if entry.body.len() > 0 {
                    self.others.ignored(&entry.name);
                }
                Ok(())
            }
            Sniffed::Pst => self.others.nested("an Outlook data file", &entry.name, visitor),
            Sniffed::Archive(kind) => self.others.nested(&format!("a {kind} archive"), &entry.name, visitor),
            Sniffed::Suspect(why) => self.others.suspect(&entry.name, why, visitor),
            Sniffed::Other => {
                self.others.add(&entry.name);
                Ok(())
            }
        }
    }

    fn message(&mut self, entry: &Entry, visitor: &mut dyn Visitor) -> Result<(), ArchiveError> {
        self.messages += 1;
        let facts = message::facts(&entry.body)?;
        let emlx = facts.received.is_some() || sniff::ending(&entry.name) == "emlx";
        let number = self.number(self.folder_of(&entry.levels, emlx), visitor)?;
        let mut flags = facts.flags;
        let (internal_date, mut note) = if let Some(base) = self.shape.maildir(&entry.levels) {
            flags = maildir::flags(&entry.name, self.shape.keywords(base)).plus(&flags);
            // A zip keeps times without a zone and in steps of two seconds; the name is more exact.
            let named = || maildir::delivered(&entry.name).map(|seconds| InternalDate { seconds, zone_minutes: 0 });
            let kept = if self.kind == "zip" { named().or(entry.modified) } else { entry.modified };
            kept.map_or_else(|| dates_note(&facts.header, None), |date| (date, None))
        } else if let Some(received) = facts.received {
            (received, None)
        } else {
            dates_note(&facts.header, entry.modified)
        };
        if entry.name.ends_with(".partial.emlx") {
            note = Some("Apple Mail keeps its attachments in files of their own; they are not in it.".to_owned());
        }
        let found = found(entry.handle.locator(), "message", internal_date, flags, note);
        if facts.empty {
            let name = shown(entry.name.as_bytes());
            return visitor.unreadable(number, found, format!("The file {name} is empty."));
        }
        visitor.message(number, found, &mut |out| message::write(&entry.body, self.limits, out))
    }

    fn mbox(&mut self, entry: &Entry, visitor: &mut dyn Visitor) -> Result<(), ArchiveError> {
        let section = match &entry.body {
            Body::Plain(section) => section.clone(),
            deflated => match deflated.section(self.limits, &mut || visitor.progress(0, 1)) {
                Ok(section) => section,
                Err(ArchiveError::Io(e)) if crate::containers::is_damage(&e) => {
                    let why = format!("It cannot be unpacked: {e}.");
                    return self.lost(&entry.levels, &entry.name, true, why, visitor);
                }
                Err(e) => return Err(e),
            },
        };
        self.unpacked = Some((entry.handle.clone(), section.clone()));
        let home = mbox_folder(self.shape.below(&entry.levels), &entry.name);
        let name = name_of(&entry.handle);
        let (of, place) = (section.len(), entry.place);
        let mut gmail = std::mem::take(&mut self.gmail);
        let this = &*self;
        let scanned = mbox::scan(&section, &home, Some(&name), &mut gmail, visitor, &mut |visitor, at| {
            this.advance(place, at, of, visitor)
        });
        self.gmail = gmail;
        let scanned = scanned?;
        self.messages += scanned.messages;
        match (scanned.messages, scanned.in_front) {
            (_, 0) => Ok(()),
            (0, _) => self.others.suspect(&entry.name, "no line in it begins a message; it may be damaged", visitor),
            (_, bytes) => visitor.loss(format!(
                "{} does not begin with a message: its first {bytes} bytes are not part of any and were left out.",
                shown(entry.name.as_bytes())
            )),
        }
    }

    fn outlook(&mut self, entry: &Entry, visitor: &mut dyn Visitor) -> Result<(), ArchiveError> {
        self.messages += 1;
        let number = self.number(self.folder_of(&entry.levels, false), visitor)?;
        let origin = Origin {
            locator: entry.handle.locator(),
            title: Some(entry.name.clone()),
            salvaged: false,
            early: true,
            notes: &Vec::new,
            sound: &|| Ok(()),
            modified: entry.modified,
        };
        outlook::tell_file(&entry.body, origin, self.limits, number, visitor)
    }

    fn item(
        &mut self,
        entry: &Entry,
        kind: ItemKind,
        class: &str,
        visitor: &mut dyn Visitor,
    ) -> Result<(), ArchiveError> {
        let number = self.number(folder(self.shape.below(&entry.levels)), visitor)?;
        let title = entry.name.rsplit_once('.').map_or(entry.name.as_str(), |(stem, _)| stem).to_owned();
        let item = FoundItem { class: class.to_owned(), kind, title };
        visitor.item(number, item, &mut |out| match std::io::copy(&mut entry.body.reader(), out) {
            Err(e) if crate::containers::is_damage(&e) => {
                Err(ArchiveError::Unreadable(format!("It cannot be read whole: {e}.")))
            }
            copied => Ok(copied.map(drop)?),
        })
    }
}

/// A message as a scan tells it.
fn found(
    locator: Locator,
    class: &str,
    internal_date: InternalDate,
    flags: Flags,
    note: Option<String>,
) -> FoundMessage {
    FoundMessage { locator, class: class.to_owned(), internal_date, flags, note, salvaged: false }
}

/// Whether a directory is a part of how a program keeps a folder, and no folder.
fn is_programs(levels: &[String]) -> bool {
    levels.last().is_some_and(|last| {
        last.ends_with(".sbd")
            || last.ends_with(".mbox")
            || last.ends_with(".mozmsgs")
            || matches!(last.as_str(), "Messages" | "Attachments" | "cur" | "new" | "tmp" | "__MACOSX")
    })
}

/// The folder of levels: what programs add to names is taken off.
fn folder(levels: &[String]) -> FolderPath {
    let names: Vec<&str> = levels
        .iter()
        .map(|level| level.trim_end_matches(".sbd").trim_end_matches(".mbox").trim_end_matches(".mozmsgs"))
        .filter(|level| !level.is_empty())
        .collect();
    match names.as_slice() {
        [] => FolderPath::inbox(),
        [one] if one.eq_ignore_ascii_case("inbox") => FolderPath::inbox(),
        names => FolderPath::new(names.iter().copied()),
    }
}

/// Apple Mail keeps `Folder.mbox/…/Messages/1.emlx`: only the `.mbox` levels are folders.
fn apples_folder(levels: &[String]) -> FolderPath {
    let folders: Vec<String> = levels.iter().filter(|level| level.ends_with(".mbox")).cloned().collect();
    let messages = |level: &String| level == "Messages";
    if folders.is_empty() {
        folder(&levels.iter().filter(|level| !messages(level)).cloned().collect::<Vec<_>>())
    } else {
        folder(&folders)
    }
}

/// The folder of an mbox file: its own name, unless that says nothing.
pub(crate) fn mbox_folder(levels: &[String], name: &str) -> FolderPath {
    let lower = name.to_lowercase();
    let endings = [".mbox", ".mbx", ".mbs", ".mboxrd", ".mboxo", ".txt"];
    let stem = endings.iter().find(|e| lower.ends_with(**e)).map_or(name, |e| &name[..name.len() - e.len()]);
    let lower = stem.trim().to_lowercase();
    let nothing = lower.is_empty()
        || matches!(
            lower.as_str(),
            "mbox" | "mail" | "mailbox" | "export" | "todos os e-mails, incluindo spam e lixeira"
        )
        || lower.starts_with("all mail including")
        || lower.contains('@');
    let mut levels = levels.to_vec();
    if !nothing {
        levels.push(stem.trim().to_owned());
    }
    folder(&levels)
}

/// How many files are named each that may hold mail and could not be read.
const SUSPECTS: u64 = 20;

/// Files that are no mail.
#[derive(Default)]
struct Others {
    count: u64,
    first: Vec<String>,
    /// Archives, and data files.
    nested: u64,
    /// What may hold mail and could not be read.
    suspects: u64,
    first_held: Vec<String>,
    /// Copies of messages for a search.
    copies: u64,
    undelivered: u64,
    /// What programs keep for themselves.
    ignored: u64,
    first_ignored: Vec<String>,
}

impl Others {
    fn add(&mut self, name: &str) {
        self.count += 1;
        if self.first.len() < 5 {
            self.first.push(shown(name.as_bytes()));
        }
    }

    fn ignored(&mut self, name: &str) {
        self.ignored += 1;
        if self.first_ignored.len() < 5 {
            self.first_ignored.push(shown(name.as_bytes()));
        }
    }

    /// A file that looks or is called like mail and cannot be read as such.
    fn suspect(&mut self, name: &str, why: &str, visitor: &mut dyn Visitor) -> Result<(), ArchiveError> {
        self.suspects += 1;
        if self.first_held.len() < 5 {
            self.first_held.push(shown(name.as_bytes()));
        }
        if self.suspects > SUSPECTS {
            return Ok(());
        }
        visitor.loss(format!("{} may hold mail and was not read: {why}.", shown(name.as_bytes())))
    }

    /// An archive inside is never opened: it may hold the next.
    fn nested(&mut self, what: &str, name: &str, visitor: &mut dyn Visitor) -> Result<(), ArchiveError> {
        self.nested += 1;
        if self.first_held.len() < 5 {
            self.first_held.push(shown(name.as_bytes()));
        }
        if self.nested > 20 {
            return Ok(());
        }
        let name = shown(name.as_bytes());
        visitor.loss(format!("{name} is {what} of its own and was not opened. Unpack it and add it as a file."))
    }

    /// Why there is nothing to be imported.
    fn nothing(&self, kind: &str) -> String {
        let names: Vec<&str> = self.first_held.iter().chain(&self.first).take(5).map(String::as_str).collect();
        let inside = if names.is_empty() { String::new() } else { format!(" (it holds {})", names.join(", ")) };
        if self.nested > 0 {
            format!(
                "This {kind} holds no mail itself{inside}, only archives or data files of their own, which are not \
                 opened. Unpack it and add what is in it."
            )
        } else {
            format!("This {kind} holds no mail{inside}: no messages (.eml), no mbox files, no Maildir.")
        }
    }

    fn say(self, visitor: &mut dyn Visitor) -> Result<(), ArchiveError> {
        if self.suspects > SUSPECTS {
            visitor.loss(format!(
                "Beside those named here, files that may hold mail and could not be read: {}.",
                self.suspects - SUSPECTS
            ))?;
        }
        if self.count > 0 {
            let files = count(self.count, "file is no mail and was", "files are no mail and were");
            visitor.damage(format!("{files} left out: {}.", self.first.join(", ")))?;
        }
        if self.copies > 0 {
            visitor.damage(format!(
                "{} left out: the messages are in the folders' own files.",
                count(
                    self.copies,
                    "copy that Thunderbird keeps for a search was",
                    "copies that Thunderbird keeps for a search were"
                )
            ))?;
        }
        if self.ignored > 0 {
            let files = count(
                self.ignored,
                "file that a program keeps for itself was",
                "files that programs keep for themselves were",
            );
            visitor.damage(format!("{files} left out: {}.", self.first_ignored.join(", ")))?;
        }
        if self.undelivered > 0 {
            let files = count(self.undelivered, "file in a Maildir's tmp was", "files in a Maildir's tmp were");
            visitor.damage(format!("{files} never delivered and left out."))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
