//! mbox in all its kinds: mboxo, mboxrd, mboxcl and mboxcl2 (Content-Length is believed only where it ends at a
//! separator or at the file's end), Mozilla's, Gmail Takeout's. One message at a time; a message and a line may be of any
//! length.

mod entry;
mod separator;

use super::{
    flags,
    header::{self, DatedBy, Header},
    labels::Labels,
    lines::Lines,
};
use crate::containers::section::{Section, Window};
use crate::{
    ArchiveError, Described, FolderNumber, FoundFolder, FoundItem, FoundMessage, ItemKind, Locator, Store, Visitor,
};
pub(crate) use entry::{LineEnds, Quoted, opening};
use gatepost_contract::SpecialUse;
use gatepost_transfer::{FolderPath, InternalDate};
use separator::Separator;
use std::collections::{HashMap, HashSet};
use std::io::{self, Read as _, Write};

/// Set in [`Locator::more`] where lines of the message are not quoted.
const VERBATIM: u64 = 1 << 63;

/// One mbox file.
pub(crate) struct MboxStore {
    section: Section,
    folder: FolderPath,
}

impl MboxStore {
    /// A file whose messages go to this folder, unless they carry Gmail's labels.
    pub(crate) fn new(section: Section, folder: FolderPath) -> Self {
        Self { section, folder }
    }
}

impl Store for MboxStore {
    fn describe(&self) -> Described {
        Described { format: "mbox".to_owned(), encoding: None }
    }

    fn scan(&mut self, visitor: &mut dyn Visitor) -> Result<(), ArchiveError> {
        let total = self.section.len();
        let mut advance = |visitor: &mut dyn Visitor, done: u64| visitor.progress(done, total);
        let scanned = scan(&self.section, &self.folder, None, &mut Told::default(), visitor, &mut advance)?;
        if scanned.in_front > 0 {
            visitor.loss(format!(
                "The file does not begin with a message: its first {} bytes are not part of any and were left out.",
                scanned.in_front
            ))?;
        }
        visitor.progress(total, total)?;
        if scanned.messages == 0 {
            return Err(ArchiveError::NotRecognised(
                "This is no mbox file: no line in it begins a message (\"From \" with a sender and a date).".to_owned(),
            ));
        }
        Ok(())
    }

    fn message(&mut self, locator: &Locator, out: &mut dyn Write) -> Result<(), ArchiveError> {
        message(&self.section, locator, out)
    }
}

/// Whether the beginning of a file is one of an mbox.
pub(crate) fn is_mbox(section: &Section) -> io::Result<bool> {
    let mut window = Window::new(section.clone());
    let start = start(&mut window)?;
    Ok(separator::at(&mut window, start)?.is_some())
}

/// Whether a line in the beginning of a file begins a message, though what stands in front of it is none. With `headed`,
/// only where a header of mail follows: texts have lines that look like a separator.
pub(crate) fn has_message(head: &[u8], headed: bool) -> io::Result<bool> {
    let mut window = Window::new(Section::of_bytes(head));
    let mut from = start(&mut window)?;
    while let Some(found) = separator::next(&mut window, from)? {
        if !headed || separator::is_mail(&mut window, found.message)? {
            return Ok(true);
        }
        from = found.message;
    }
    Ok(false)
}

/// What a scan went through.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scanned {
    /// How many messages there are.
    pub messages: u64,
    /// How many bytes in front of the first are part of none; 0 where they are but white space.
    pub in_front: u64,
}

/// What is told of how far a scan is.
type Advance<'a> = &'a mut dyn FnMut(&mut dyn Visitor, u64) -> Result<(), ArchiveError>;

/// Goes through a file whose messages belong to `home` unless they carry Gmail's labels; `name` is put into each
/// locator. Whoever asks for it says what stands in front of the first message, and where there is none.
pub(crate) fn scan(
    section: &Section,
    home: &FolderPath,
    name: Option<&str>,
    told: &mut Told,
    visitor: &mut dyn Visitor,
    advance: Advance<'_>,
) -> Result<Scanned, ArchiveError> {
    let mut window = Window::new(section.clone());
    let start = start(&mut window)?;
    let first = match separator::at(&mut window, start)? {
        None => separator::next(&mut window, start)?,
        found => found,
    };
    let in_front = in_front(section, start, first.map_or(section.len(), |s| s.at))?;
    let mut places = Places { home, known: HashMap::new(), told };
    let mut count = 0;
    let mut next = first;
    while let Some(this) = next {
        let (found, after) = one(section, &mut window, this)?;
        count += 1;
        tell(section, found, name, &mut places, visitor)?;
        advance(visitor, after.map_or(section.len(), |s| s.at))?;
        next = after;
    }
    Ok(Scanned { messages: count, in_front })
}

/// Writes one message of a file.
pub(crate) fn message(section: &Section, locator: &Locator, out: &mut dyn Write) -> Result<(), ArchiveError> {
    let mut window = Window::new(section.clone());
    let length = locator.more & !VERBATIM;
    match separator::at(&mut window, locator.at)? {
        Some(this) if this.message.checked_add(length).is_some_and(|end| end <= section.len()) => {
            let body = section.part(this.message, length);
            write(&body, this.bare_lf, locator.more & VERBATIM == 0, out)
        }
        _ => Err(ArchiveError::Unreadable(format!(
            "There is no message at byte {} of the mbox file any more; it was changed after it was read.",
            locator.at
        ))),
    }
}

/// A message between its separator and the next.
struct Found {
    separator: Separator,
    length: u64,
    /// Whether its Content-Length said how long it is, and lines in it begin with an unquoted "From ".
    verbatim: bool,
    header: Header,
}

/// Where the first separator may stand: behind a byte order mark and empty lines.
fn start(window: &mut Window) -> io::Result<u64> {
    let bytes = window.get(0, 4096)?;
    let mark = if bytes.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
    let empty = bytes[mark..].iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
    Ok((mark + empty) as u64)
}

/// How many bytes stand in front of the first message, unless they are white space.
fn in_front(section: &Section, start: u64, first: u64) -> io::Result<u64> {
    const STEP: usize = 64 * 1024;
    let bytes = first.saturating_sub(start);
    let part = section.part(start, bytes);
    let mut at = 0;
    while at < part.len() {
        let piece = part.bytes(at, STEP)?;
        if piece.is_empty() || !piece.iter().all(u8::is_ascii_whitespace) {
            return Ok(bytes);
        }
        at += piece.len() as u64;
    }
    Ok(0)
}

/// Finds a message's end.
fn one(section: &Section, window: &mut Window, this: Separator) -> Result<(Found, Option<Separator>), ArchiveError> {
    let mut head = head(section, window, this.message)?;
    let within = separator::next(window, this.message)?;
    // A message without a body may end without an empty line: what follows is the next one's.
    let most = within.map_or(u64::MAX, |next| next.at - this.message);
    let cut = most < head.len() as u64;
    head.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    let header = Header::parse(&head);
    let body = this.message + head.len() as u64;
    let stated = header.get("content-length").and_then(|text| text.parse::<u64>().ok()).filter(|_| !cut);
    if let Some((end, after)) =
        stated.and_then(|length| fits(section, window, body.checked_add(length)?).transpose()).transpose()?
    {
        let verbatim = within.is_some_and(|next| next.at < end);
        return Ok((Found { separator: this, length: end - this.message, verbatim, header }, after));
    }
    let end = within.map_or(section.len(), |next| next.at);
    // The empty line that ends a header is the message's own.
    let empty = empty_line(section, this.message, end)?;
    let length = end - this.message - if end.saturating_sub(empty) < body { 0 } else { empty };
    Ok((Found { separator: this, length, verbatim: false, header }, within))
}

/// The header with the empty line behind it; what is longer than a bound is left to the body.
fn head(section: &Section, window: &mut Window, at: u64) -> io::Result<Vec<u8>> {
    let bytes = window.get(at, 16 * 1024)?;
    if let Some(end) = header_end(bytes) {
        return Ok(bytes[..end].to_vec());
    }
    let mut bytes = section.bytes(at, header::MOST)?;
    let end = header_end(&bytes).unwrap_or(bytes.len());
    bytes.truncate(end);
    Ok(bytes)
}

/// Where the body begins.
pub(crate) fn header_end(bytes: &[u8]) -> Option<usize> {
    let mut line = 0;
    for end in memchr::memchr_iter(b'\n', bytes) {
        if matches!(&bytes[line..end], b"" | b"\r") {
            return Some(end + 1);
        }
        line = end + 1;
    }
    None
}

/// Whether a message can end there: with nothing but line ends in front of the next separator or of the file's end.
fn fits(section: &Section, window: &mut Window, end: u64) -> io::Result<Option<(u64, Option<Separator>)>> {
    if end > section.len() {
        return Ok(None);
    }
    // Looked at beside the window: where lengths are wrong, it would jump there and back for each message.
    let bytes = section.bytes(end.saturating_sub(1), 65)?;
    let (before, bytes) = bytes.split_at(usize::from(end > 0));
    let empty = bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
    if end + empty as u64 == section.len() {
        return Ok(Some((end, None)));
    }
    if !bytes[empty..].starts_with(b"From ") || (empty == 0 && before != b"\n") {
        return Ok(None);
    }
    let empty = empty as u64;
    Ok(separator::at(window, end + empty)?.map(|next| (end, Some(next))))
}

/// How many bytes the empty line in front of the next separator takes: it is none of the message's.
fn empty_line(section: &Section, from: u64, end: u64) -> io::Result<u64> {
    let tail = section.bytes(end.saturating_sub(4).max(from), usize::try_from(end - from).unwrap_or(4).min(4))?;
    Ok(if tail.ends_with(b"\n\r\n") {
        2
    } else if tail.ends_with(b"\n\n") {
        1
    } else {
        0
    })
}

/// Writes a message's bytes.
fn write(body: &Section, bare_lf: bool, unquote: bool, out: &mut dyn Write) -> Result<(), ArchiveError> {
    let mut lines = Lines::new(out, bare_lf, unquote);
    let mut buffer = vec![0; 64 * 1024];
    let mut reader = body.reader();
    loop {
        let n = reader.read(&mut buffer)?;
        if n == 0 {
            break;
        }
        lines.write_all(&buffer[..n])?;
    }
    Ok(lines.finish()?)
}

/// Messages of Gmail that were told already, in which places. An export by labels has a file for each label, and a
/// message with all of its labels in each of these files.
#[derive(Debug, Default)]
pub(crate) struct Told {
    seen: HashSet<u64>,
    repeated: u64,
}

impl Told {
    /// How many were met again.
    pub(crate) fn repeated(&self) -> u64 {
        self.repeated
    }

    /// Whether this message was not told in this place before. Gmail's separators name each message by a number.
    fn is_new(&mut self, separator: &[u8], place: &FolderPath) -> bool {
        let sender = separator.split(|b| *b == b' ').nth(1).unwrap_or_default();
        if !sender.ends_with(b"@xxx") {
            return true;
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(separator).update(b"\0").update(place.to_string().as_bytes());
        let key = hasher.finalize().as_bytes().first_chunk().map_or(0, |eight| u64::from_le_bytes(*eight));
        let new = self.seen.insert(key);
        self.repeated += u64::from(!new);
        new
    }
}

/// The folders that messages of one file go to.
struct Places<'a> {
    home: &'a FolderPath,
    known: HashMap<FolderPath, FolderNumber>,
    told: &'a mut Told,
}

impl Places<'_> {
    /// The number of a folder, told to the visitor when it is first needed.
    fn number(
        &mut self,
        path: &FolderPath,
        special_use: Option<SpecialUse>,
        visitor: &mut dyn Visitor,
    ) -> Result<FolderNumber, ArchiveError> {
        if let Some(number) = self.known.get(path) {
            return Ok(*number);
        }
        let number = visitor.folder(FoundFolder { path: path.clone(), special_use, declared: None })?;
        self.known.insert(path.clone(), number);
        Ok(number)
    }
}

/// Tells one message to the visitor, in each of its places.
fn tell(
    section: &Section,
    found: Found,
    name: Option<&str>,
    places: &mut Places<'_>,
    visitor: &mut dyn Visitor,
) -> Result<(), ArchiveError> {
    let Found { separator, length, verbatim, header } = found;
    let body = section.part(separator.message, length);
    let content =
        &mut |out: &mut dyn Write| -> Result<(), ArchiveError> { write(&body, separator.bare_lf, !verbatim, out) };
    if is_folder_data(&header) {
        let title = header.get("subject").unwrap_or_default().to_owned();
        let item = FoundItem { class: "folder data".to_owned(), kind: ItemKind::Other, title };
        let home = places.number(places.home, None, visitor)?;
        return visitor.item(home, item, content);
    }
    let (internal_date, note) = dated(&separator, &header);
    let mut message = FoundMessage {
        locator: Locator {
            at: separator.at,
            more: length | if verbatim { VERBATIM } else { 0 },
            name: name.map(ToOwned::to_owned),
        },
        class: "message".to_owned(),
        internal_date,
        flags: flags::of_header(&header),
        note,
        salvaged: false,
    };
    if length == 0 {
        let home = places.number(places.home, None, visitor)?;
        return visitor.unreadable(home, message, "There is nothing behind its \"From \" line.".to_owned());
    }
    let Some(labels) = header.get("x-gmail-labels").map(Labels::parse) else {
        let home = places.number(places.home, None, visitor)?;
        return visitor.message(home, message, content);
    };
    message.flags = message.flags.plus(&labels.flags);
    let line = section.bytes(separator.at, usize::try_from(separator.message - separator.at).unwrap_or(0))?;
    if labels.left_out > 0 {
        let note = format!(
            "It is listed under {} of its labels; {} more were left out.",
            labels.places.len(),
            labels.left_out
        );
        message.note = Some(message.note.map_or(note.clone(), |first| format!("{first} {note}")));
    }
    let mut folders = Vec::with_capacity(labels.places.len());
    for place in &labels.places {
        let folder = places.number(&place.path, place.special_use, visitor)?;
        if places.told.is_new(&line, &place.path) {
            folders.push(folder);
        }
    }
    visitor.message_in(&folders, message, content)
}

/// When a message was received: by its separator, else by its header, never by the clock.
fn dated(separator: &Separator, header: &Header) -> (InternalDate, Option<String>) {
    match (separator.date, header.dated()) {
        (Some(date), _) | (None, Some((date, DatedBy::Received))) => (date, None),
        (None, Some((date, DatedBy::Date))) => {
            (date, Some("When it was received is not known; it is dated by its Date field.".to_owned()))
        }
        (None, None) => {
            let note = "It has no date at all; it is dated 1970-01-01.".to_owned();
            (InternalDate { seconds: 0, zone_minutes: 0 }, Some(note))
        }
    }
}

/// The first message of a file that UW IMAP or Alpine kept: it holds the folder's state and is no mail.
fn is_folder_data(header: &Header) -> bool {
    (header.get("x-imap").is_some() || header.get("x-imapbase").is_some())
        && header.get("subject").is_some_and(|s| s.contains("DON'T DELETE THIS MESSAGE"))
}

#[cfg(test)]
mod tests;
