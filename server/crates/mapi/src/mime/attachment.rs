//! Attachments: what each is, what it is called, whether the HTML shows it, and writing it (MS-OXCMSG section 2.2.2).

use super::{
    DEEPEST, TOO_LARGE, Writer,
    body::Text,
    bound::before_base64,
    encode,
    head::{is_there, strip_prefix_mark},
    words::Header,
};
use crate::{Attachment, Key, Kind, Message, Properties, Value, codepage::into_io, item, rtf, tags};
use std::{collections::HashSet, io};

/// So many attachments stay open between sorting and writing; more are opened twice.
const KEPT: usize = 16;
/// What PidTagAttachMethod says: an item.
const EMBEDDED: i64 = 5;

/// An attachment of a message.
pub(crate) struct Slot<'a> {
    origin: Origin,
    pub shape: Shape,
    object: Option<Box<dyn Attachment + 'a>>,
    /// Whether it stands within the body.
    inline: bool,
}

/// Where an attachment is taken from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Number(usize),
    /// The message's own RTF body.
    Rtf,
}

/// What is known of an attachment before it is written.
#[derive(Default)]
pub(crate) struct Shape {
    pub name: String,
    pub mime: String,
    method: i64,
    content_id: Option<String>,
    location: Option<String>,
    /// Whether Outlook says that the HTML shows it (PidTagAttachFlags, ATT_MHTML_REF).
    referenced: bool,
    /// Why it cannot be opened.
    why: Option<String>,
}

impl<'a> Slot<'a> {
    /// The message's RTF body, kept since nothing else could be made of it.
    pub fn rtf() -> Self {
        let shape = Shape { name: "body.rtf".to_owned(), mime: "application/rtf".to_owned(), ..Shape::default() };
        Self { origin: Origin::Rtf, shape, object: None, inline: false }
    }

    /// The attachment itself.
    pub fn open(&mut self, message: &'a dyn Message) -> Result<Box<dyn Attachment + 'a>, String> {
        match (self.object.take(), self.origin) {
            (Some(object), _) => Ok(object),
            (None, Origin::Number(index)) => message.attachment(index).map_err(|e| e.to_string()),
            (None, Origin::Rtf) => Err("it is not there".to_owned()),
        }
    }
}

/// The attachments of a message.
pub(crate) fn slots(message: &dyn Message) -> Vec<Slot<'_>> {
    let count = message.attachments();
    let mut slots = Vec::with_capacity(count.min(1_024));
    for index in 0..count {
        let (shape, object) = match message.attachment(index) {
            Ok(object) => (shape(object.properties(), index), Some(object)),
            Err(error) => {
                let shape = Shape {
                    name: format!("attachment-{}", index + 1),
                    why: Some(error.to_string()),
                    ..Shape::default()
                };
                (shape, None)
            }
        };
        let object = object.filter(|_| index < KEPT);
        slots.push(Slot { origin: Origin::Number(index), shape, object, inline: false });
    }
    slots
}

fn shape(p: &Properties, index: usize) -> Shape {
    let method = p.integer(tags::ATTACH_METHOD).unwrap_or(1);
    let mime = p.text(tags::ATTACH_MIME_TAG).map(|m| m.trim().to_ascii_lowercase()).filter(|m| is_mime(m));
    Shape {
        name: name(p, index, method),
        mime: mime.unwrap_or_default(),
        method,
        content_id: p.text(tags::ATTACH_CONTENT_ID).map(content_id).filter(|id| !id.is_empty()),
        location: p.text(tags::ATTACH_CONTENT_LOCATION).map(str::trim).filter(|l| is_place(l)).map(str::to_owned),
        referenced: p.integer(tags::ATTACH_FLAGS).unwrap_or(0) & 4 != 0,
        why: None,
    }
}

fn is_mime(text: &str) -> bool {
    let token = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b));
    text.len() < 128 && text.split_once('/').is_some_and(|(kind, sub)| token(kind) && token(sub))
}

/// Whether a Content-Location is one, and no longer than addresses are.
fn is_place(text: &str) -> bool {
    text.is_ascii() && text.len() <= 2_000
}

fn content_id(text: &str) -> String {
    let bare = text.trim().trim_matches(['<', '>']);
    bare.chars().filter(|c| c.is_ascii_graphic() && !"<>".contains(*c)).take(500).collect()
}

/// What the attachment is called; made from its number where it has no name.
fn name(p: &Properties, index: usize, method: i64) -> String {
    let base = |text: &str| {
        let last = text.rsplit(['\\', '/']).next().unwrap_or(text);
        last.chars().filter(|c| !c.is_control()).take(400).collect::<String>().trim().to_owned()
    };
    let named = [tags::ATTACH_LONG_FILENAME, tags::ATTACH_FILENAME, tags::DISPLAY_NAME]
        .into_iter()
        .filter_map(|tag| p.text(tag).map(base))
        .find(|name| !name.is_empty());
    let extension = p.text(tags::ATTACH_EXTENSION).map(base).filter(|e| e.len() > 1);
    match named {
        Some(name) if method == EMBEDDED => name,
        Some(name) => match extension.filter(|_| !name.contains('.')) {
            Some(extension) if extension.starts_with('.') => name + &extension,
            _ => name,
        },
        None => format!("attachment-{}{}", index + 1, extension.filter(|e| e.starts_with('.')).unwrap_or_default()),
    }
}

/// Parts what the HTML shows from what is attached.
pub(crate) fn sort<'a>(slots: Vec<Slot<'a>>, html: Option<&Text<'a>>) -> (Vec<Slot<'a>>, Vec<Slot<'a>>) {
    let candidate = |s: &Slot<'_>| s.shape.content_id.is_some() || s.shape.location.is_some();
    let Some(html) = html.filter(|_| slots.iter().any(candidate)) else { return (Vec::new(), slots) };
    let lines = match html {
        Text::Held { lines, .. } => Some(lines.as_ref()),
        Text::Streamed { .. } => None,
    };
    let references = lines.map(references).unwrap_or_default();
    // Looking for places means to go through the HTML once for each.
    let few = slots.len() <= 100;
    let shown = |slot: &Slot<'_>| {
        let shape = &slot.shape;
        if shape.method == EMBEDDED || shape.why.is_some() {
            return false;
        }
        let Some(lines) = lines.filter(|_| few || shape.content_id.is_some()) else { return shape.referenced };
        let by_id = shape.content_id.as_ref().is_some_and(|id| references.contains(&id.to_ascii_lowercase()));
        let place = shape.location.as_ref().filter(|place| few && place.len() > 3);
        by_id || place.is_some_and(|place| memchr::memmem::find(lines, place.as_bytes()).is_some())
    };
    let (mut inline, attached): (Vec<_>, Vec<_>) = slots.into_iter().partition(shown);
    for slot in &mut inline {
        slot.inline = true;
    }
    (inline, attached)
}

/// The Content-Ids that HTML shows, in lower case, without percent signs.
fn references(html: &[u8]) -> HashSet<String> {
    /// More are not looked at: nothing that a person wrote shows so many.
    const MOST: usize = 20_000;
    let mut found = HashSet::new();
    let is_scheme = |at: &usize| html[at.saturating_sub(3)..*at].eq_ignore_ascii_case(b"cid");
    for at in memchr::memchr_iter(b':', html).filter(is_scheme).take(MOST) {
        let rest = &html[at + 1..];
        let ends = |b: &u8| b"\"'<>() \t\r\n".contains(b);
        let end = rest.iter().take(1_500).position(ends).unwrap_or(rest.len().min(1_500));
        let mut id = Vec::with_capacity(end);
        let mut bytes = rest[..end].iter().copied();
        while let Some(byte) = bytes.next() {
            let mut ahead = bytes.clone();
            let mut digit = || ahead.next().and_then(|b| char::from(b).to_digit(16));
            match byte {
                b'%' => match (digit(), digit()) {
                    (Some(high), Some(low)) => {
                        id.push(u8::try_from(high * 16 + low).unwrap_or(b'%'));
                        bytes = ahead;
                    }
                    _ => id.push(byte),
                },
                other => id.push(other.to_ascii_lowercase()),
            }
        }
        found.insert(String::from_utf8_lossy(&id).to_ascii_lowercase());
    }
    found
}

impl Writer<'_> {
    /// Writes an attachment as a part of its own.
    pub(super) fn attachment<'a>(
        &mut self,
        message: &'a dyn Message,
        mut slot: Slot<'a>,
        header: Header,
    ) -> io::Result<()> {
        if slot.origin == Origin::Rtf {
            return self.rtf_body(message, &slot, header);
        }
        let name = std::mem::take(&mut slot.shape.name);
        if self.left.get() == 0 {
            return self.missing(&name, TOO_LARGE, header);
        }
        let object = match slot.open(message) {
            Ok(object) => object,
            Err(why) => return self.missing(&name, &why, header),
        };
        if slot.shape.method == EMBEDDED {
            return match object.embedded() {
                Ok(Some(inner)) => self.embedded(&*inner, &name, header),
                Ok(None) => self.missing(&name, "the item inside it is not there", header),
                Err(error) => self.missing(&name, &error.to_string(), header),
            };
        }
        let p = object.properties();
        if !is_there(p.tag(tags::ATTACH_DATA)) {
            // Some writers leave the method out.
            if let Ok(Some(inner)) = object.embedded() {
                return self.embedded(&*inner, &name, header);
            }
            let place = [tags::ATTACH_LONG_PATHNAME, tags::ATTACH_PATHNAME].into_iter().find_map(|tag| p.text(tag));
            if let Some(place) = place.filter(|_| matches!(slot.shape.method, 2..=4 | 7)) {
                let text = format!("The attachment {name} is not in this message. It was kept at:\r\n{place}\r\n");
                return self.sentence(&text, &name, header);
            }
        }
        if let Some(Value::Large { bytes, .. }) = p.tag(tags::ATTACH_DATA)
            && *bytes > before_base64(self.left.get())
        {
            return self.missing(&name, TOO_LARGE, header);
        }
        let stream = match object.open(&Key::Tag(tags::ATTACH_DATA)) {
            Ok(stream) => stream,
            Err(error) => return self.missing(&name, &error.to_string(), header),
        };
        self.describe(&slot, &name, header)?;
        let Some(stream) = stream else { return Ok(()) };
        let result = encode::base64(&mut self.within_room(stream), self.out);
        self.copied(result, || format!("the attachment {name} is cut"))
    }

    /// The header of a part of data.
    fn describe(&mut self, slot: &Slot<'_>, name: &str, mut header: Header) -> io::Result<()> {
        let shape = &slot.shape;
        header.name("Content-Type");
        // What mail itself gives a meaning to would be taken apart on its way; the bytes are what counts.
        let structural = shape.mime.starts_with("message/") || shape.mime.starts_with("multipart/");
        let mime = if shape.mime.is_empty() || structural { guess(name) } else { &shape.mime };
        header.raw(" ");
        header.raw(mime);
        header.legacy_parameter("name", name);
        header.end();
        header.field("Content-Transfer-Encoding", "base64");
        header.name("Content-Disposition");
        header.raw(if slot.inline { " inline" } else { " attachment" });
        header.parameter("filename", name);
        header.end();
        if let Some(id) = &shape.content_id {
            header.field("Content-ID", &format!("<{id}>"));
        }
        if let Some(location) = shape.location.as_ref().filter(|_| slot.inline) {
            header.field("Content-Location", location);
        }
        header.end();
        self.out.write_all(&header.bytes)
    }

    fn embedded(&mut self, inner: &dyn Message, name: &str, mut header: Header) -> io::Result<()> {
        if self.depth + 1 >= DEEPEST {
            return self.missing(name, "messages lie too deep in each other", header);
        }
        let p = inner.properties();
        let kind = Kind::of(p.text(tags::MESSAGE_CLASS).unwrap_or_default());
        let subject = [tags::SUBJECT, tags::DISPLAY_NAME].into_iter().find_map(|tag| p.text(tag));
        let title = subject.map_or(name, strip_prefix_mark).trim();
        let safe: String = title
            .chars()
            .map(|c| if c.is_control() || "/\\:*?\"<>|".contains(c) { '_' } else { c })
            .take(120)
            .collect();
        let title = if safe.trim().is_empty() { "message".to_owned() } else { safe };
        let file = format!("{}.{}", title.trim(), kind.extension());
        header.name("Content-Type");
        header.raw(match kind {
            Kind::Mail => " message/rfc822",
            Kind::Contact | Kind::ContactList => " text/vcard; charset=utf-8",
            Kind::Appointment | Kind::Task | Kind::Journal => " text/calendar; charset=utf-8",
            Kind::Note | Kind::Other => " text/plain; charset=utf-8",
        });
        header.legacy_parameter("name", &file);
        header.end();
        header.name("Content-Disposition");
        header.raw(" attachment");
        header.parameter("filename", &file);
        header.end();
        if kind == Kind::Mail {
            header.end();
            self.out.write_all(&header.bytes)?;
            self.depth += 1;
            let result = self.message(inner);
            self.depth -= 1;
            return result;
        }
        let mut saved = Vec::new();
        match item::write(inner, &mut saved) {
            Ok(notes) => self.notes.extend(notes),
            Err(error) => self.notes.add(format!("the item {title} is cut: {error}")),
        }
        header.field("Content-Transfer-Encoding", "base64");
        header.end();
        self.out.write_all(&header.bytes)?;
        encode::write(&saved, encode::Transfer::Base64, self.out)
    }

    fn rtf_body(&mut self, message: &dyn Message, slot: &Slot<'_>, header: Header) -> io::Result<()> {
        self.describe(slot, &slot.shape.name, header)?;
        let result = match message.open(&Key::Tag(tags::RTF)).map_err(into_io) {
            Ok(Some(stream)) => encode::base64(&mut self.within_room(rtf::Decompressor::new(stream)), self.out),
            Ok(None) => Ok(0),
            Err(error) => Err(encode::Copy::Source(error)),
        };
        self.copied(result, || "its RTF body is cut".to_owned())
    }

    /// In the place of an attachment that cannot be read.
    pub(super) fn missing(&mut self, name: &str, why: &str, header: Header) -> io::Result<()> {
        self.notes.add(format!("the attachment {name} cannot be read: {why}"));
        let text = format!("The attachment {name} could not be read from the file it was stored in: {why}.\r\n");
        self.sentence(&text, name, header)
    }

    fn sentence(&mut self, text: &str, name: &str, mut header: Header) -> io::Result<()> {
        let lines = encode::lines(text.as_bytes());
        let transfer = encode::fitting(&lines);
        let file = format!("{name}.txt");
        header.name("Content-Type");
        header.raw(" text/plain; charset=utf-8");
        header.legacy_parameter("name", &file);
        header.end();
        header.field("Content-Transfer-Encoding", transfer.name());
        header.name("Content-Disposition");
        header.raw(" attachment");
        header.parameter("filename", &file);
        header.end();
        header.end();
        self.out.write_all(&header.bytes)?;
        encode::write(&lines, transfer, self.out)
    }
}

/// The media type of a file by its name's ending.
pub(crate) fn guess(name: &str) -> &'static str {
    let ending = name.rsplit_once('.').map_or(String::new(), |(_, ending)| ending.to_ascii_lowercase());
    match ending.as_str() {
        "7z" => "application/x-7z-compressed",
        "avi" => "video/x-msvideo",
        "bmp" => "image/bmp",
        "csv" => "text/csv",
        "doc" | "dot" => "application/msword",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "emf" => "image/emf",
        "gif" => "image/gif",
        "gz" => "application/gzip",
        "heic" => "image/heic",
        "htm" | "html" => "text/html",
        "ics" => "text/calendar",
        "jpeg" | "jpg" => "image/jpeg",
        "json" => "application/json",
        "mov" => "video/quicktime",
        "mp3" => "audio/mpeg",
        "mp4" => "video/mp4",
        "msg" => "application/vnd.ms-outlook",
        "odp" => "application/vnd.oasis.opendocument.presentation",
        "ods" => "application/vnd.oasis.opendocument.spreadsheet",
        "odt" => "application/vnd.oasis.opendocument.text",
        "p7m" => "application/pkcs7-mime",
        "p7s" => "application/pkcs7-signature",
        "pdf" => "application/pdf",
        "png" => "image/png",
        "pps" | "ppt" => "application/vnd.ms-powerpoint",
        "pptx" => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "rar" => "application/vnd.rar",
        "rtf" => "application/rtf",
        "svg" => "image/svg+xml",
        "tif" | "tiff" => "image/tiff",
        "txt" | "log" => "text/plain",
        "vcf" => "text/vcard",
        "wav" => "audio/wav",
        "webp" => "image/webp",
        "wmf" => "image/wmf",
        "xls" | "xlt" => "application/vnd.ms-excel",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "xml" => "application/xml",
        "zip" => "application/zip",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_images_that_html_shows_are_found() {
        let html = b"<img src=\"cid:A@b\"><img src='CID:c%40d'><td style='background:url(cid:e)'>acid: no, cid:%zz";
        let mut found: Vec<String> = references(html).into_iter().collect();
        found.sort();
        assert_eq!(found, ["", "%zz", "a@b", "c@d", "e"]);
    }
}
