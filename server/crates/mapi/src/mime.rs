//! An item as a message of RFC 5322 with MIME.
//!
//! The same item gives the same bytes at every call: boundaries come from the item, and nothing from the present time.
//! Attachments pass through in small pieces; bodies are held up to some megabytes and pass through beyond. What cannot
//! be read is said in the [`Notes`] and in its place in the message; only where nothing can be written is it an error.

mod address;
mod attachment;
mod body;
mod bound;
mod encode;
mod head;
mod ole;
mod plain;
mod report;
mod reuse;
mod signed;
mod words;

use crate::{Error, Message, Notes, class, ical, rtf, tags};
use attachment::Slot;
use body::{Bodies, Text};
use bound::{Counted, TOO_LARGE, Within};
use encode::Copy;
use std::{
    borrow::Cow,
    cell::Cell,
    io::{self, Write},
};
use words::Header;

pub(crate) use address::{Mailbox, author, kind as recipient_kind, of_entry, recipient, smtp, texts};
pub(crate) use attachment::guess;
pub(crate) use body::text_of as body_text;
pub(crate) use encode::lines;
pub(crate) use head::strip_prefix_mark;

/// How deep messages may lie in each other.
const DEEPEST: usize = 16;

/// A message and all that is attached to it are not written beyond this; Outlook's own attachments end at 2 GB.
const LARGEST: u64 = 4 << 30;

/// Writes an item as a message with CRLF line ends, whatever its class; tells what could not be read.
///
/// # Errors
/// Where `out` fails. What of the item cannot be read becomes a note.
pub fn write(message: &dyn Message, out: &mut dyn Write) -> Result<Notes, Error> {
    write_within(message, out, LARGEST)
}

/// As [`write`]; what of attachments and long bodies would make the message larger than `most` bytes is left out, and
/// said.
fn write_within(message: &dyn Message, out: &mut dyn Write, most: u64) -> Result<Notes, Error> {
    let left = Cell::new(most);
    let mut out = Counted { out, left: &left };
    let mut writer = Writer { out: &mut out, left: &left, notes: Notes::default(), depth: 0, within: 0 };
    writer.message(message)?;
    Ok(writer.notes)
}

/// Writes one message and those inside it.
struct Writer<'o> {
    out: &'o mut dyn Write,
    /// How many bytes there is room for.
    left: &'o Cell<u64>,
    notes: Notes,
    depth: usize,
    /// In how many multipart parts the present one lies.
    within: usize,
}

/// A part of a message.
enum Part<'a> {
    Text {
        subtype: &'static str,
        text: Text<'a>,
    },
    /// Something made here, of text in UTF-8 with clean lines.
    Made {
        kind: Cow<'static, str>,
        text: Vec<u8>,
    },
    Attachment(Slot<'a>),
    /// A picture of an RTF body, by its number.
    Picture {
        number: usize,
        picture: rtf::Picture,
    },
    Multi {
        subtype: &'static str,
        parameters: Vec<(&'static str, &'static str)>,
        parts: Vec<Part<'a>>,
    },
}

impl Writer<'_> {
    fn message(&mut self, message: &dyn Message) -> io::Result<()> {
        let mut header = Header::new();
        head::write(message, &mut header);
        header.field("MIME-Version", "1.0");
        let class = message.properties().text(tags::MESSAGE_CLASS).unwrap_or_default();
        let mut slots = attachment::slots(message);
        if let Some(signed) = signed::find(class, &mut slots) {
            return self.signed(message, signed, header);
        }
        let root = self.plan(message, class, slots);
        let seed = seed(message, self.depth);
        let mut boundaries = 0;
        self.part(message, root, header, seed, &mut boundaries)
    }

    /// How the parts of a message lie in each other.
    fn plan<'a>(&mut self, message: &'a dyn Message, class: &str, slots: Vec<Slot<'a>>) -> Part<'a> {
        let Bodies { text, html, raw_rtf, pictures, notes } = body::find(message);
        let lost = (!notes.is_empty() && text.is_none() && html.is_none()).then(|| {
            format!(
                "The text of this message could not be read from the file it was stored in: {}.\r\n",
                notes.join("; ")
            )
        });
        for note in notes {
            self.notes.add(note);
        }
        let mut slots = slots;
        if raw_rtf {
            slots.push(Slot::rtf());
        }
        let calendar = class::is_meeting(class).then(|| ical::meeting(message, class)).flatten();
        let has_html = html.is_some();
        let (inline, attached) = attachment::sort(slots, html.as_ref());
        let mut bodies: Vec<Part<'a>> = Vec::with_capacity(3);
        bodies.extend(text.map(|text| Part::Text { subtype: "plain", text }));
        bodies.extend(html.map(|text| Part::Text { subtype: "html", text }));
        if let Some(lost) = lost {
            let text = lines(lost.as_bytes()).into_owned();
            bodies.push(Part::Made { kind: "text/plain; charset=utf-8".into(), text });
        }
        if let Some((method, text)) = calendar {
            if bodies.is_empty() {
                bodies.push(empty());
            }
            let kind = format!("text/calendar; charset=utf-8; method={method}");
            bodies.push(Part::Made { kind: kind.into(), text });
        }
        let mut root = match bodies.len() {
            0 => empty(),
            1 => bodies.remove(0),
            _ => Part::Multi { subtype: "alternative", parameters: Vec::new(), parts: bodies },
        };
        if !inline.is_empty() || !pictures.is_empty() {
            let start = if matches!(root, Part::Multi { .. }) { "multipart/alternative" } else { "text/html" };
            let mut parts = vec![root];
            parts.extend(inline.into_iter().map(Part::Attachment));
            let numbered = pictures.into_iter().enumerate();
            parts.extend(numbered.map(|(index, picture)| Part::Picture { number: index + 1, picture }));
            let parameters = if has_html { vec![("type", start)] } else { Vec::new() };
            root = Part::Multi { subtype: "related", parameters, parts };
        }
        if class::is_report(class) {
            return report::plan(message, class, root, attached);
        }
        if !attached.is_empty() {
            let mut parts = vec![root];
            parts.extend(attached.into_iter().map(Part::Attachment));
            root = Part::Multi { subtype: "mixed", parameters: Vec::new(), parts };
        }
        root
    }

    /// Ends a header with what describes the part, and writes the part.
    fn part(
        &mut self,
        message: &dyn Message,
        part: Part<'_>,
        mut header: Header,
        seed: u64,
        boundaries: &mut usize,
    ) -> io::Result<()> {
        match part {
            Part::Text { subtype, text } => self.text(message, subtype, text, header),
            Part::Made { kind, text } => {
                let transfer = encode::fitting(&text);
                header.field("Content-Type", &kind);
                header.field("Content-Transfer-Encoding", transfer.name());
                header.end();
                self.out.write_all(&header.bytes)?;
                encode::write(&text, transfer, self.out)
            }
            Part::Attachment(slot) => self.attachment(message, slot, header),
            Part::Picture { number, picture } => {
                let name = format!("picture{number}.{}", picture.extension);
                header.field("Content-Type", &format!("{}; name={name}", picture.mime));
                header.field("Content-Transfer-Encoding", "base64");
                header.field("Content-Disposition", &format!("inline; filename={name}"));
                header.field("Content-ID", &format!("<{}>", rtf::content_id(number)));
                header.end();
                self.out.write_all(&header.bytes)?;
                encode::write(&picture.data, encode::Transfer::Base64, self.out)
            }
            Part::Multi { subtype, parameters, parts } => {
                *boundaries += 1;
                // "=_" can stand neither in base64 nor in quoted-printable (RFC 2045 section 6.7).
                let boundary = format!("=_{seed:016x}-{}.{boundaries}", self.depth);
                header.name("Content-Type");
                header.raw(&format!(" multipart/{subtype}"));
                for (name, value) in parameters {
                    header.parameter(name, value);
                }
                header.parameter("boundary", &boundary);
                header.end();
                header.end();
                self.out.write_all(&header.bytes)?;
                self.within += 1;
                for (number, part) in parts.into_iter().enumerate() {
                    let mut header = Header::new();
                    header.raw(if number == 0 { "--" } else { "\r\n--" });
                    header.raw(&boundary);
                    header.end();
                    self.part(message, part, header, seed, boundaries)?;
                }
                self.within -= 1;
                write!(self.out, "\r\n--{boundary}--\r\n")
            }
        }
    }

    fn text(&mut self, message: &dyn Message, subtype: &str, text: Text<'_>, mut header: Header) -> io::Result<()> {
        match text {
            Text::Held { lines, charset } => {
                let transfer = encode::fitting(&lines);
                header.field("Content-Type", &format!("text/{subtype}; charset={charset}"));
                header.field("Content-Transfer-Encoding", transfer.name());
                header.end();
                self.out.write_all(&header.bytes)?;
                encode::write(&lines, transfer, self.out)?;
                // Within others the boundary brings the end of the last line.
                let ends = transfer == encode::Transfer::Base64 || lines.is_empty() || lines.ends_with(b"\n");
                if self.within == 0 && !ends { self.out.write_all(b"\r\n") } else { Ok(()) }
            }
            Text::Streamed { source, charset } => {
                header.field("Content-Type", &format!("text/{subtype}; charset={charset}"));
                header.field("Content-Transfer-Encoding", "base64");
                header.end();
                self.out.write_all(&header.bytes)?;
                let result = match source.open(message) {
                    Ok(stream) => encode::base64(&mut self.within_room(stream), self.out),
                    Err(error) => Err(Copy::Source(error)),
                };
                self.copied(result, || "its body is cut".to_owned())
            }
        }
    }

    /// A stream that ends with an error where its base64 would be larger than there is room for.
    fn within_room<R: io::Read>(&self, stream: R) -> Within<R> {
        Within::new(stream, bound::before_base64(self.left.get()))
    }

    /// What became of a copy: a source that failed is a note, since what came before is written.
    fn copied(&mut self, result: Result<u64, Copy>, what: impl FnOnce() -> String) -> io::Result<()> {
        match result {
            Ok(_) => Ok(()),
            Err(Copy::Source(error)) => {
                let what = what();
                self.notes.add(format!("{what}: {error}"));
                Ok(())
            }
            Err(Copy::Sink(error)) => Err(error),
        }
    }
}

fn empty<'a>() -> Part<'a> {
    Part::Text { subtype: "plain", text: Text::Held { lines: Cow::Borrowed(b""), charset: "us-ascii" } }
}

/// A number that is the same for the same item: FNV-1a over what tells items apart.
fn seed(message: &dyn Message, depth: usize) -> u64 {
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    let mut add = |bytes: &[u8]| {
        for byte in bytes.iter().chain(&[0xFF]) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
        }
    };
    let p = message.properties();
    for tag in [tags::MESSAGE_ID, tags::SUBJECT, tags::SENDER_NAME, tags::DISPLAY_TO] {
        add(p.text(tag).unwrap_or_default().as_bytes());
    }
    for tag in [tags::CLIENT_SUBMIT_TIME, tags::DELIVERY_TIME, tags::CREATION_TIME] {
        add(&p.time(tag).unwrap_or_default().to_le_bytes());
    }
    add(&[u8::try_from(depth).unwrap_or(u8::MAX)]);
    add(&u32::try_from(message.attachments()).unwrap_or(u32::MAX).to_le_bytes());
    hash
}

#[cfg(test)]
mod tests;
