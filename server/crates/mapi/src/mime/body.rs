//! The bodies of an item: which of them Outlook showed, and in which characters they stand.

use super::{encode, head::is_there, ole, plain};
use crate::{
    Key, LargeKind, Message, Value,
    codepage::{self, Held, Transcoder, into_io},
    rtf, tags,
};
use std::{
    borrow::Cow,
    io::{self, Read},
};

/// Bodies above this are not held but handed on as a stream.
const LARGEST: u64 = 8 << 20;

/// A text part.
pub(crate) enum Text<'a> {
    /// Clean lines in a charset.
    Held { lines: Cow<'a, [u8]>, charset: &'static str },
    /// Too large to be held.
    Streamed { source: Streamed, charset: &'static str },
}

/// How a large body is opened.
#[derive(Clone, Copy)]
pub(crate) struct Streamed {
    tag: u16,
    /// The code page that it is to be turned from into UTF-8; `None` where its bytes stay.
    from: Option<u32>,
}

impl Streamed {
    pub fn open<'a>(&self, message: &'a dyn Message) -> io::Result<Box<dyn Read + 'a>> {
        let raw = message.open(&Key::Tag(self.tag)).map_err(into_io)?;
        let raw = raw.ok_or_else(|| io::Error::other("the body is not in the file"))?;
        Ok(match self.from {
            Some(number) => Box::new(Transcoder::new(raw, number)),
            None => raw,
        })
    }
}

/// What an item says.
#[derive(Default)]
pub(crate) struct Bodies<'a> {
    pub text: Option<Text<'a>>,
    pub html: Option<Text<'a>>,
    /// Whether the RTF itself has to be carried, since it could not be turned into anything.
    pub raw_rtf: bool,
    /// Pictures of the RTF that the HTML shows.
    pub pictures: Vec<rtf::Picture>,
    pub notes: Vec<String>,
}

/// Finds the bodies. A body that cannot be read is a note.
pub(crate) fn find(message: &dyn Message) -> Bodies<'_> {
    let p = message.properties();
    let mut bodies = Bodies::default();
    if is_there(p.tag(tags::HTML)) {
        match html(message) {
            Ok(found) => bodies.html = found,
            Err(error) => bodies.notes.push(format!("its HTML body cannot be read: {error}")),
        }
    }
    if is_there(p.tag(tags::BODY)) {
        match text(message) {
            Ok(found) => bodies.text = found,
            Err(error) => bodies.notes.push(format!("its text body cannot be read: {error}")),
        }
    }
    // Where the text is what was written, the RTF is only Outlook's rendering of it.
    let native_text = p.integer(tags::NATIVE_BODY) == Some(1) && bodies.text.is_some();
    if bodies.html.is_none() && !native_text && is_there(p.tag(tags::RTF)) {
        from_rtf(message, &mut bodies);
    }
    bodies
}

fn text(message: &dyn Message) -> io::Result<Option<Text<'_>>> {
    Ok(match codepage::held_text(message, &Key::Tag(tags::BODY), LARGEST)? {
        Held::Is(Cow::Borrowed(text)) => Some(utf8(encode::lines(text.trim_end_matches('\0').as_bytes()))),
        Held::Is(Cow::Owned(text)) => Some(utf8_owned(text)),
        Held::TooLarge => {
            let from = match message.properties().tag(tags::BODY) {
                Some(Value::Large { kind: LargeKind::Unicode, .. }) => 1200,
                _ => codepage::of_text(message.properties()),
            };
            Some(Text::Streamed { source: Streamed { tag: tags::BODY, from: Some(from) }, charset: "utf-8" })
        }
        Held::Absent => None,
    })
}

fn utf8(lines: Cow<'_, [u8]>) -> Text<'_> {
    let charset = if lines.is_ascii() { "us-ascii" } else { "utf-8" };
    Text::Held { lines, charset }
}

fn utf8_owned(text: String) -> Text<'static> {
    match encode::lines(text.as_bytes()) {
        Cow::Owned(lines) => utf8(Cow::Owned(lines)),
        Cow::Borrowed(_) => utf8(Cow::Owned(text.into_bytes())),
    }
}

/// HTML stays in its own characters, since it may itself say which they are.
fn html(message: &dyn Message) -> io::Result<Option<Text<'_>>> {
    let p = message.properties();
    let key = Key::Tag(tags::HTML);
    let declared = codepage::number(p, tags::INTERNET_CODEPAGE);
    let bytes: Cow<'_, [u8]> = match p.tag(tags::HTML) {
        Some(Value::Text(text)) => return Ok(Some(utf8(encode::lines(text.trim_end_matches('\0').as_bytes())))),
        Some(Value::Bytes(bytes)) => Cow::Borrowed(bytes),
        Some(Value::Large { bytes, kind: LargeKind::Binary }) if *bytes <= LARGEST => {
            match codepage::read(message, &key, *bytes)? {
                Some(bytes) => Cow::Owned(bytes),
                None => return Ok(None),
            }
        }
        Some(Value::Large { bytes, kind }) if *bytes <= LARGEST => {
            let Some(raw) = codepage::read(message, &key, *bytes)? else { return Ok(None) };
            let number = if *kind == LargeKind::Unicode { 1200 } else { codepage::of_text(p) };
            return Ok(Some(utf8_owned(codepage::decode(&raw, number).into_owned())));
        }
        Some(Value::Large { kind, .. }) => {
            let mut start = Vec::new();
            if let Some(stream) = message.open(&key).map_err(into_io)? {
                stream.take(4_096).read_to_end(&mut start)?;
            }
            let number = match kind {
                LargeKind::Binary => charset_of(&start, declared, codepage::of_text(p), true),
                LargeKind::Unicode => 1200,
                LargeKind::String8 => codepage::of_text(p),
            };
            let keeps = *kind == LargeKind::Binary && !matches!(number, 1200 | 1201);
            let source = Streamed { tag: tags::HTML, from: (!keeps).then_some(number) };
            let charset = if keeps { codepage::codepage(number).map_or("utf-8", |c| c.name) } else { "utf-8" };
            return Ok(Some(Text::Streamed { source, charset }));
        }
        _ => return Ok(None),
    };
    let number = charset_of(&bytes, declared, codepage::of_text(p), false);
    if matches!(number, 1200 | 1201) {
        return Ok(Some(utf8_owned(codepage::decode(&bytes, number).into_owned())));
    }
    let charset = codepage::codepage(number).map_or("us-ascii", |c| c.name);
    let lines = match bytes {
        Cow::Borrowed(bytes) => encode::lines(bytes),
        Cow::Owned(bytes) => Cow::Owned(encode::lines(&bytes).into_owned()),
    };
    Ok(Some(Text::Held { lines, charset }))
}

/// The code page of HTML as bytes: as declared where that can be, else as the HTML itself says, else as it looks.
fn charset_of(bytes: &[u8], declared: Option<u32>, local: u32, cut: bool) -> u32 {
    const UTF8: u32 = 65001;
    const ASCII: u32 = 20127;
    match bytes {
        [0xFF, 0xFE, ..] | [b'<', 0, ..] => return 1200,
        [0xFE, 0xFF, ..] | [0, b'<', ..] => return 1201,
        [0xEF, 0xBB, 0xBF, ..] => return UTF8,
        _ => {}
    }
    let escapes = bytes.contains(&0x1B);
    if bytes.is_ascii() && !escapes && !cut {
        return declared.filter(|n| !matches!(n, 1200 | 1201)).unwrap_or(UTF8);
    }
    let valid = encoding_rs::Encoding::utf8_valid_up_to(bytes);
    let is_utf8 = valid == bytes.len() || (cut && valid + 4 > bytes.len());
    let possible = |n: u32| match n {
        UTF8 => is_utf8,
        ASCII => bytes.is_ascii(),
        1200 | 1201 => false,
        _ => true,
    };
    declared.filter(|n| possible(*n)).or_else(|| meta_charset(bytes).filter(|n| possible(*n))).unwrap_or(if is_utf8 {
        UTF8
    } else if possible(local) {
        local
    } else {
        codepage::WESTERN
    })
}

/// The charset that HTML names in its first part.
fn meta_charset(bytes: &[u8]) -> Option<u32> {
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(4_096)]).to_ascii_lowercase();
    let (_, after) = start.split_once("charset=")?;
    let name: String = after
        .trim_start_matches(['"', '\'', ' '])
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c))
        .collect();
    (0..=65_001).find(|n| codepage::codepage(*n).is_some_and(|c| c.name == name))
}

/// What an item says, as text: its text body, else what its RTF or its HTML say. For calendars and contacts.
pub(crate) fn text_of(message: &dyn Message, notes: &mut crate::Notes) -> Option<String> {
    let bodies = find(message);
    bodies.notes.into_iter().for_each(|note| notes.add(note));
    let held = |text: Option<Text<'_>>| match text? {
        Text::Held { lines, charset } => {
            let encoding = encoding_rs::Encoding::for_label(charset.as_bytes()).unwrap_or(encoding_rs::UTF_8);
            Some(encoding.decode(&lines).0.into_owned())
        }
        Text::Streamed { .. } => None,
    };
    let streamed =
        matches!(bodies.text, Some(Text::Streamed { .. })) || matches!(bodies.html, Some(Text::Streamed { .. }));
    let text = held(bodies.text).filter(|text| !text.trim().is_empty());
    let text = text.or_else(|| held(bodies.html).map(|html| plain::of_html(&html)));
    if text.is_none() && streamed {
        notes.add("its text is too long and is left out".to_owned());
    }
    text.filter(|text| !text.trim().is_empty())
}

/// Bodies from compressed RTF (MS-OXRTFEX where it holds HTML or text, else turned into both).
fn from_rtf(message: &dyn Message, bodies: &mut Bodies<'_>) {
    let stream = match message.open(&Key::Tag(tags::RTF)) {
        Ok(Some(stream)) => stream,
        Ok(None) => return,
        Err(error) => return bodies.notes.push(format!("its RTF body cannot be read: {error}")),
    };
    let local = codepage::of_text(message.properties());
    let mut source = rtf::Decompressor::new(stream);
    let result = rtf::convert(&mut source, local);
    match result {
        Ok(rtf::Converted { html, text, mut pictures, objects, whole }) => {
            let html = html.map(|html| with_objects(message, html, objects, &mut pictures));
            bodies.pictures = pictures;
            bodies.raw_rtf = !whole;
            if let Some(note) = source.note() {
                bodies.notes.push(format!("its RTF body is damaged: {note}"));
            }
            if let Some(html) = html.filter(|html| !html.trim().is_empty()) {
                let charset = codepage::number(message.properties(), tags::INTERNET_CODEPAGE).unwrap_or(65001);
                bodies.html = Some(in_charset(html, charset));
            }
            if bodies.text.is_none()
                && let Some(text) = text.filter(|text| !text.trim().is_empty())
            {
                bodies.text = Some(utf8_owned(text));
            }
        }
        Err(error) => {
            bodies.raw_rtf = true;
            bodies.notes.push(format!("its RTF body cannot be read: {error}"));
        }
    }
}

/// Shows the pictures that are attached as OLE objects where they stand.
fn with_objects(message: &dyn Message, html: String, objects: usize, pictures: &mut Vec<rtf::Picture>) -> String {
    if objects == 0 {
        return html;
    }
    let mut found = ole::pictures(message).into_iter();
    let mut shown = String::with_capacity(html.len());
    let mut rest = html.as_str();
    for number in 1..=objects {
        let mark = rtf::object_mark(number);
        let Some((before, after)) = rest.split_once(mark.as_str()) else { break };
        shown.push_str(before);
        rest = after;
        if let Some(picture) = found.next().flatten() {
            pictures.push(picture);
            shown.push_str(&format!("<img src=\"cid:{}\">", rtf::content_id(pictures.len())));
        }
    }
    shown.push_str(rest);
    shown
}

/// HTML in the characters that it was written in, so that what it says of itself stays true.
fn in_charset(html: String, number: u32) -> Text<'static> {
    let page = codepage::codepage(number);
    let encoding = page.and_then(|c| c.encoding).filter(|e| e.output_encoding() == *e);
    match (page, encoding) {
        (Some(page), Some(encoding)) if number != 65001 && number != 20127 => {
            // What the charset lacks becomes a numeric reference, which HTML understands.
            let bytes = encoding.encode(&html).0.into_owned();
            let lines = encode::lines(&bytes).into_owned();
            Text::Held { lines: Cow::Owned(lines), charset: page.name }
        }
        _ => utf8_owned(html),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_charset_of_html_is_the_declared_one_where_that_can_be() {
        for (bytes, declared, charset) in [
            (&b"<p>abc"[..], Some(28591), 28591),
            (b"<p>abc", None, 65001),
            ("<p>é".as_bytes(), Some(65001), 65001),
            (b"<p>\xE9", Some(65001), 1252),
            (b"<p>\xE9", Some(28592), 28592),
            (b"<p>\xE9", Some(20127), 1252),
            (b"<meta charset=\"iso-8859-2\"><p>\xE9", None, 28592),
            (b"<\0p\0", Some(1252), 1200),
        ] {
            assert_eq!(charset_of(bytes, declared, 1252, false), charset, "{:?}", String::from_utf8_lossy(bytes));
        }
    }
}
