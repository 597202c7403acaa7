//! Goes along with a scan: generates each message once, takes its digests and its header as it passes, and writes down
//! what there is. What is no mail goes into an [`Items`] file.

use super::{Entry, HeadLines, Stamp, Writer};
use crate::{
    ArchiveError, Content, FolderNumber, FoundFolder, FoundItem, FoundMessage, ItemKind, Store, Visitor, items::Items,
};
use gatepost_contract::{InspectedFolder, Inspection, SampleMessage, SpecialUse};
use gatepost_transfer::{Digester, Digests, FolderPath, InternalDate};
use mail_parser::MessageParser;
use std::{
    collections::HashMap,
    io::{self, Write},
};
use tokio_util::sync::CancellationToken;

/// How many messages of a folder are shown as samples, and how many of a file.
const SAMPLES_OF_FOLDER: usize = 5;
const SAMPLES: usize = 2_000;
/// How many folders a file may have, and how many bytes their paths may take.
const FOLDERS: usize = 50_000;
const PATH_BYTES: usize = 16 << 20;
/// What a level of a path costs beside its name, in bytes.
const LEVEL: usize = 32;
/// How many folders are shown.
const SHOWN: usize = 2_000;
/// How many sentences about damage are kept.
const SENTENCES: usize = 500;
/// The first and the last second that every server keeps: many store dates of arrival in 32 bits.
const EARLIEST: i64 = 0;
const LATEST: i64 = 0xFFFF_FFFE;
/// How many characters of a text are kept.
const LONGEST_TEXT: usize = 300;

/// Tells how many of how many bytes have been gone through.
pub(crate) type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// A scan under way.
pub(crate) struct Scan<'a> {
    writer: Writer,
    items: Option<Items>,
    inspection: Inspection,
    folders: Vec<Known>,
    by_path: HashMap<FolderPath, FolderNumber>,
    /// The catalogue's folders by their paths there.
    catalogued: HashMap<FolderPath, u32>,
    path_bytes: usize,
    samples: usize,
    more_losses: u64,
    more_damage: u64,
    progress: Progress<'a>,
    cancel: &'a CancellationToken,
}

/// A folder that was told.
struct Known {
    path: FolderPath,
    catalogued: u32,
    oldest: Option<InternalDate>,
    newest: Option<InternalDate>,
}

impl<'a> Scan<'a> {
    pub fn new(writer: Writer, items: Option<Items>, progress: Progress<'a>, cancel: &'a CancellationToken) -> Self {
        Self {
            writer,
            items,
            inspection: Inspection::default(),
            folders: Vec::new(),
            by_path: HashMap::new(),
            catalogued: HashMap::new(),
            path_bytes: 0,
            samples: 0,
            more_losses: 0,
            more_damage: 0,
            progress,
            cancel,
        }
    }

    /// Goes through the file and puts the catalogue into its place.
    pub fn run(mut self, store: &mut dyn Store, stamp: Stamp) -> Result<Inspection, ArchiveError> {
        let scanned = store.scan(&mut self);
        if self.cancel.is_cancelled() {
            return Err(ArchiveError::Stopped);
        }
        scanned?;
        let described = store.describe();
        let Self { mut writer, items, mut inspection, folders, more_losses, more_damage, .. } = self;
        for (more, sentences) in [(more_losses, &mut inspection.losses), (more_damage, &mut inspection.damage)] {
            if more > 0 {
                sentences.push(format!("And {more} more sentences like these."));
            }
        }
        inspection.format.clone_from(&described.format);
        inspection.encoding.clone_from(&described.encoding);
        for (shown, known) in inspection.folders.iter_mut().zip(folders) {
            shown.oldest = known.oldest.map(|date| date.to_string());
            shown.newest = known.newest.map(|date| date.to_string());
            if shown.items > 0 {
                writer.holds_items(known.catalogued);
            }
        }
        if inspection.folders.len() > SHOWN {
            let more = inspection.folders.len() - SHOWN;
            inspection.folders.truncate(SHOWN);
            inspection.damage.push(format!(
                "Only the first {SHOWN} folders are shown here, {more} more are not; all are read, and the sums are of all."
            ));
        }
        if let Some(items) = items {
            inspection.damage.extend(items.left_out());
            inspection.has_items = items.finish()?;
        }
        writer.finish(stamp, described, inspection)
    }

    fn known(&self, folder: FolderNumber) -> Result<usize, ArchiveError> {
        let number = folder as usize;
        if number < self.folders.len() {
            return Ok(number);
        }
        Err(ArchiveError::Io(io::Error::other("something was told for a folder that was not")))
    }

    /// Where the catalogue keeps a folder: the inbox is `INBOX`, whatever the file calls it, and takes the folders below
    /// it along.
    fn place(&self, path: &FolderPath, special_use: Option<SpecialUse>) -> FolderPath {
        let levels = path.levels();
        if special_use == Some(SpecialUse::Inbox) || path.is_inbox() || levels.is_empty() {
            return FolderPath::inbox();
        }
        let above = (1..levels.len()).rev().find_map(|len| {
            let upper = FolderPath::new(&levels[..len]);
            let number = *self.by_path.get(&upper)?;
            let place = self.writer.path(self.folders[number as usize].catalogued)?;
            Some((len, place.clone()))
        });
        match above {
            Some((len, place)) => FolderPath::new(place.levels().iter().chain(&levels[len..])),
            None if levels[0].eq_ignore_ascii_case("INBOX") => {
                FolderPath::new(FolderPath::inbox().levels().iter().chain(&levels[1..]))
            }
            None => path.clone(),
        }
    }

    fn counted(&mut self, folder: usize, class: &str) -> &mut InspectedFolder {
        self.inspection.items += 1;
        let shown = &mut self.inspection.folders[folder];
        shown.items += 1;
        if folder >= SHOWN {
            return shown;
        }
        // Classes are the file's own words; a damaged file may have one for each item.
        let full = shown.classes.len() >= 200 && !shown.classes.contains_key(class);
        *shown.classes.entry(if full { "…".to_owned() } else { brief(class) }).or_default() += 1;
        shown
    }

    fn take(
        &mut self,
        folder: usize,
        found: FoundMessage,
        content: Result<(Digests, Option<String>, Vec<u8>), String>,
    ) -> Result<(), ArchiveError> {
        let FoundMessage { locator, class, internal_date, flags, note, salvaged } = found;
        let (internal_date, note) = keepable(internal_date, note);
        let shows = self.shows(folder);
        let shown = self.counted(folder, &class);
        shown.messages += 1;
        let (content, message_id, head) = match content {
            Ok((digests, id, head)) => (Ok(digests), id, head),
            Err(why) => (Err(sentence(&why)), None, Vec::new()),
        };
        let size = content.as_ref().map_or(0, |digests| digests.size);
        shown.bytes += size;
        if !head.is_empty() && shows {
            shown.samples.push(sample(&head, internal_date.to_string(), size, note.as_deref()));
            self.samples += 1;
        }
        let all = &mut self.inspection;
        all.messages += 1;
        all.bytes += size;
        all.largest = all.largest.max(size);
        all.unreadable += u64::from(content.is_err());
        all.salvaged += u64::from(salvaged);
        let known = &mut self.folders[folder];
        if known.oldest.is_none_or(|at| internal_date.seconds < at.seconds) {
            known.oldest = Some(internal_date);
        }
        if known.newest.is_none_or(|at| internal_date.seconds > at.seconds) {
            known.newest = Some(internal_date);
        }
        self.writer.append(&Entry {
            folder: known.catalogued,
            locator,
            class,
            internal_date,
            flags,
            message_id,
            note,
            salvaged,
            content,
        })
    }

    /// Whether one more message of a folder is shown as a sample.
    fn shows(&self, folder: usize) -> bool {
        folder < SHOWN && self.samples < SAMPLES && self.inspection.folders[folder].samples.len() < SAMPLES_OF_FOLDER
    }

    fn check(&self) -> Result<(), ArchiveError> {
        if self.cancel.is_cancelled() { Err(ArchiveError::Stopped) } else { Ok(()) }
    }
}

impl Visitor for Scan<'_> {
    fn folder(&mut self, folder: FoundFolder) -> Result<FolderNumber, ArchiveError> {
        self.check()?;
        let FoundFolder { path, special_use, declared } = folder;
        if let Some(number) = self.by_path.get(&path) {
            return Ok(*number);
        }
        self.path_bytes += path.levels().iter().map(|level| level.len() + LEVEL).sum::<usize>();
        let number = FolderNumber::try_from(self.folders.len()).ok().filter(|n| (*n as usize) < FOLDERS);
        let Some(number) = number.filter(|_| self.path_bytes <= PATH_BYTES) else {
            return Err(ArchiveError::TooMuch(format!(
                "The file has more than {FOLDERS} folders, or their paths take more than {PATH_BYTES} bytes, which is \
                 the bound. Split it into several."
            )));
        };
        let place = self.place(&path, special_use);
        let catalogued = match self.catalogued.get(&place) {
            Some(there) => {
                self.writer.designate(*there, special_use);
                *there
            }
            None => {
                let there = self.writer.folder(place.clone(), special_use)?;
                self.catalogued.insert(place, there);
                there
            }
        };
        self.inspection.folders.push(InspectedFolder {
            path: path.to_string(),
            special_use,
            ..InspectedFolder::default()
        });
        tracing::trace!(folder = %path, ?declared, "a folder");
        self.by_path.insert(path.clone(), number);
        self.folders.push(Known { path, catalogued, oldest: None, newest: None });
        Ok(number)
    }

    fn message(
        &mut self,
        folder: FolderNumber,
        message: FoundMessage,
        content: Content<'_>,
    ) -> Result<(), ArchiveError> {
        self.message_in(&[folder], message, content)
    }

    /// The message is generated once, however many folders it lies in.
    fn message_in(
        &mut self,
        folders: &[FolderNumber],
        message: FoundMessage,
        content: Content<'_>,
    ) -> Result<(), ArchiveError> {
        self.check()?;
        let folders = folders.iter().map(|folder| self.known(*folder)).collect::<Result<Vec<usize>, _>>()?;
        if folders.is_empty() {
            return Ok(());
        }
        let show = folders.iter().any(|folder| self.shows(*folder));
        let mut sink = Sink { digester: Digester::new(), lines: HeadLines::new(show), cancel: self.cancel };
        let taken = match content(&mut sink) {
            Ok(()) => {
                let (id, head) = sink.lines.finish();
                // A sample without a header that people know it by is shown all the same.
                let head = if show && head.is_empty() { b"\r\n".to_vec() } else { head };
                Ok((sink.digester.finish(), id, head))
            }
            Err(_) if self.cancel.is_cancelled() => return Err(ArchiveError::Stopped),
            Err(error @ (ArchiveError::Io(_) | ArchiveError::Stopped)) => return Err(error),
            Err(error) => Err(error.to_string()),
        };
        folders.into_iter().try_for_each(|folder| self.take(folder, message.clone(), taken.clone()))
    }

    fn unreadable(&mut self, folder: FolderNumber, message: FoundMessage, why: String) -> Result<(), ArchiveError> {
        self.check()?;
        let folder = self.known(folder)?;
        self.take(folder, message, Err(why))
    }

    fn item(&mut self, folder: FolderNumber, item: FoundItem, content: Content<'_>) -> Result<(), ArchiveError> {
        self.check()?;
        let folder = self.known(folder)?;
        self.counted(folder, &item.class);
        *self.inspection.others.entry(item.kind.as_str().to_owned()).or_default() += 1;
        let Some(items) = &mut self.items else { return Ok(()) };
        match items.add(&self.folders[folder].path, &item, content) {
            Ok(()) => Ok(()),
            Err(_) if self.cancel.is_cancelled() => Err(ArchiveError::Stopped),
            Err(error @ (ArchiveError::Io(_) | ArchiveError::Stopped)) => Err(error),
            Err(error) => {
                let title = brief(&item.title);
                self.loss(format!("\"{title}\" ({}) could not be saved: {error}", brief(&item.class)))
            }
        }
    }

    fn damage(&mut self, sentence: String) -> Result<(), ArchiveError> {
        self.check()?;
        if self.inspection.damage.len() < SENTENCES {
            self.inspection.damage.push(sentence);
        } else {
            self.more_damage += 1;
        }
        Ok(())
    }

    fn loss(&mut self, sentence: String) -> Result<(), ArchiveError> {
        self.check()?;
        if self.inspection.losses.len() < SENTENCES {
            self.inspection.losses.push(sentence);
        } else {
            self.more_losses += 1;
        }
        Ok(())
    }

    fn progress(&mut self, done: u64, total: u64) -> Result<(), ArchiveError> {
        self.check()?;
        (self.progress)(done, total);
        Ok(())
    }
}

impl ItemKind {
    /// Its name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Contact => "contact",
            Self::ContactList => "contact_list",
            Self::Appointment => "appointment",
            Self::Task => "task",
            Self::Note => "note",
            Self::Journal => "journal",
            Self::Other => "other",
        }
    }

    /// What files of such items end with.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Contact | Self::ContactList => "vcf",
            Self::Appointment | Self::Task | Self::Journal => "ics",
            Self::Note | Self::Other => "txt",
        }
    }
}

/// Where a message passes.
struct Sink<'a> {
    digester: Digester,
    lines: HeadLines,
    cancel: &'a CancellationToken,
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.cancel.is_cancelled() {
            return Err(io::Error::other("the reading was stopped"));
        }
        self.digester.update(bytes);
        if !self.lines.is_through() {
            self.lines.update(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn sample(head: &[u8], date: String, size: u64, note: Option<&str>) -> SampleMessage {
    let parsed = MessageParser::default().parse_headers(head);
    let from = parsed.as_ref().and_then(mail_parser::Message::from).and_then(|from| from.first());
    let from = match from.map(|a| (a.name().unwrap_or_default(), a.address().unwrap_or_default())) {
        Some((name, "")) => name.to_owned(),
        Some(("", address)) => address.to_owned(),
        Some((name, address)) => format!("{name} <{address}>"),
        None => String::new(),
    };
    let subject = parsed.as_ref().and_then(mail_parser::Message::subject).unwrap_or_default();
    SampleMessage { from: brief(&from), subject: brief(subject), date, size, note: note.map(brief) }
}

/// The date, or the nearest one that every server keeps, with a word about it.
fn keepable(date: InternalDate, note: Option<String>) -> (InternalDate, Option<String>) {
    let seconds = date.seconds.clamp(EARLIEST, LATEST);
    if seconds == date.seconds {
        return (date, note);
    }
    let kept = InternalDate { seconds, zone_minutes: 0 };
    let said =
        format!("By the file it was received at {date}, which mail servers cannot keep; it is filed under {kept}.");
    (kept, Some(note.map_or(said.clone(), |note| format!("{note} {said}"))))
}

/// On one line, without control characters, and cut.
fn brief(text: &str) -> String {
    let turns = |c: &char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut brief = String::new();
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let mut length = 0;
    for word in words {
        if length > 0 {
            brief.push(' ');
            length += 1;
        }
        for c in word.chars().filter(|c| !turns(c)) {
            if length >= LONGEST_TEXT {
                brief.push('…');
                return brief;
            }
            brief.push(c);
            length += 1;
        }
    }
    brief
}

/// With a full stop, because it stands before other sentences.
fn sentence(why: &str) -> String {
    let why = why.trim();
    match why.chars().next_back() {
        None => "The file does not say why.".to_owned(),
        Some('.' | '!' | '?') => why.to_owned(),
        Some(_) => format!("{why}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Described, Limits, Locator};
    use std::path::Path;

    /// A folder of contacts, of which the second cannot be given.
    struct Contacts;

    impl Store for Contacts {
        fn describe(&self) -> Described {
            Described { format: "test".to_owned(), encoding: None }
        }

        fn scan(&mut self, visitor: &mut dyn Visitor) -> Result<(), ArchiveError> {
            let path = FolderPath::new(["Contacts"]);
            let folder = visitor.folder(FoundFolder { path, special_use: None, declared: None })?;
            for title in ["Ana", "Zé", "Rui"] {
                let item = FoundItem { class: "IPM.Contact".into(), kind: ItemKind::Contact, title: title.into() };
                visitor.item(folder, item, &mut |out| match title {
                    "Zé" => Err(ArchiveError::Unreadable("A part of it is gone.".to_owned())),
                    _ => Ok(out.write_all(b"BEGIN:VCARD\r\n")?),
                })?;
            }
            Ok(())
        }

        fn message(&mut self, _: &Locator, _: &mut dyn Write) -> Result<(), ArchiveError> {
            unreachable!("there is no mail")
        }
    }

    fn inspected(work: &Path, limits: &Limits) -> Result<Inspection, ArchiveError> {
        let items = Items::begin(&work.join("items.zip"), limits, None);
        let writer = Writer::begin(&work.join("catalogue")).unwrap();
        let cancel = CancellationToken::new();
        Scan::new(writer, Some(items), &mut |_, _| {}, &cancel).run(&mut Contacts, Stamp::default())
    }

    #[test]
    fn a_contact_that_cannot_be_saved_is_a_loss_and_no_note() {
        let work = tempfile::tempdir().unwrap();
        let roomy = Limits { reserve: Some(0), ..Limits::new(work.path()) };
        let found = inspected(work.path(), &roomy).unwrap();
        assert_eq!(found.losses, ["\"Zé\" (IPM.Contact) could not be saved: A part of it is gone."]);
        assert_eq!((&found.damage[..], found.items, found.has_items), (&[][..], 3, true));
        assert_eq!((found.others["contact"], found.messages, found.unreadable), (3, 0, 0));

        // That says nothing of the file: it is read through again when there is room.
        let full = Limits { reserve: Some(u64::MAX), ..roomy };
        let error = inspected(work.path(), &full).expect_err("there is no room");
        assert!(matches!(&error, ArchiveError::Io(e) if e.kind() == io::ErrorKind::StorageFull), "{error}");
    }

    #[test]
    fn a_catalogue_of_another_version_is_told_from_one_of_this_and_from_a_wreck() {
        use crate::{Catalogue, SCAN_VERSION};
        let work = tempfile::tempdir().unwrap();
        let place = work.path().join("catalogue");
        assert!(!Catalogue::is_outdated(&place), "there is none");
        inspected(work.path(), &Limits { reserve: Some(0), ..Limits::new(work.path()) }).unwrap();
        assert!(Catalogue::open(&place).is_ok() && !Catalogue::is_outdated(&place));
        let bytes = std::fs::read(&place).unwrap();
        let said = format!("\"scan_version\":{SCAN_VERSION},");
        let at = memchr::memmem::find(&bytes, said.as_bytes()).unwrap();
        let mut older = bytes.clone();
        older[at + said.len() - 2] -= 1;
        std::fs::write(&place, &older).unwrap();
        assert!(Catalogue::is_outdated(&place));
        for cut in [0, 10, 50, older.len() - 1] {
            std::fs::write(&place, &older[..cut]).unwrap();
            assert!(!Catalogue::is_outdated(&place), "{cut}");
        }
    }

    #[test]
    fn dates_that_servers_cannot_keep_are_brought_near_and_noted() {
        for (seconds, kept) in
            [(0, 0), (LATEST, LATEST), (-1, 0), (i64::MIN, 0), (LATEST + 1, LATEST), (i64::MAX, LATEST)]
        {
            let (date, note) =
                keepable(InternalDate { seconds, zone_minutes: 90 }, Some("Its date was guessed.".into()));
            assert_eq!(date.seconds, kept);
            let note = note.unwrap();
            assert_eq!(note.contains("cannot keep"), seconds != kept, "{note}");
            assert!(note.starts_with("Its date was guessed."), "{note}");
        }
    }

    #[test]
    fn texts_of_strangers_fit_on_a_line() {
        assert_eq!(brief(" a\r\n\tb\u{202e}c\0 "), "a bc");
        assert_eq!(brief(&"é".repeat(4_000)).chars().count(), LONGEST_TEXT + 1);
        assert_eq!((sentence(" lost "), sentence("")), ("lost.".to_owned(), "The file does not say why.".to_owned()));
    }
}
