//! Windows code pages: what mail calls them, and how they are decoded.

use crate::{Key, LargeKind, Object, Properties, Value, tags};
use encoding_rs::{Decoder, Encoding};
use std::{
    borrow::Cow,
    io::{self, Read},
};

/// A code page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Codepage {
    /// Its name in a Content-Type.
    pub name: &'static str,
    /// How it is decoded; `None` where it cannot be here.
    pub encoding: Option<&'static Encoding>,
}

/// What Outlook takes where nothing is said.
pub(crate) const WESTERN: u32 = 1252;

/// A code page by its Windows number.
pub(crate) fn codepage(number: u32) -> Option<Codepage> {
    let name = match number {
        437 => "ibm437",
        850 => "ibm850",
        866 => "ibm866",
        874 => "windows-874",
        932 => "shift_jis",
        936 => "gb2312",
        949 => "ks_c_5601-1987",
        950 => "big5",
        1200 => "utf-16le",
        1201 => "utf-16be",
        1250 => "windows-1250",
        1251 => "windows-1251",
        1252 => "windows-1252",
        1253 => "windows-1253",
        1254 => "windows-1254",
        1255 => "windows-1255",
        1256 => "windows-1256",
        1257 => "windows-1257",
        1258 => "windows-1258",
        10000 => "macintosh",
        10007 => "x-mac-cyrillic",
        20127 => "us-ascii",
        20866 => "koi8-r",
        20932 | 51932 => "euc-jp",
        21866 => "koi8-u",
        28591 => "iso-8859-1",
        28592 => "iso-8859-2",
        28593 => "iso-8859-3",
        28594 => "iso-8859-4",
        28595 => "iso-8859-5",
        28596 => "iso-8859-6",
        28597 => "iso-8859-7",
        28598 => "iso-8859-8",
        28599 => "iso-8859-9",
        28603 => "iso-8859-13",
        28605 => "iso-8859-15",
        38598 => "iso-8859-8-i",
        50220..=50222 => "iso-2022-jp",
        50225 => "iso-2022-kr",
        50227 | 50229 => "iso-2022-cn",
        51936 => "gb2312",
        51949 => "euc-kr",
        51950 => "big5",
        52936 => "hz-gb-2312",
        54936 => "gb18030",
        65000 => "utf-7",
        65001 => "utf-8",
        _ => return None,
    };
    let encoding = Encoding::for_label_no_replacement(name.as_bytes());
    Some(Codepage { name, encoding })
}

/// The code page of an item's text that is not Unicode.
pub(crate) fn of_text(properties: &Properties) -> u32 {
    number(properties, tags::MESSAGE_CODEPAGE).unwrap_or(WESTERN)
}

/// A code page property that holds a known one.
pub(crate) fn number(properties: &Properties, tag: u16) -> Option<u32> {
    properties.integer(tag).and_then(|n| u32::try_from(n).ok()).filter(|n| codepage(*n).is_some())
}

/// Text of bytes; what cannot be decoded becomes U+FFFD, an unknown code page is taken as Windows' Western one.
pub(crate) fn decode(bytes: &[u8], number: u32) -> Cow<'_, str> {
    let encoding = codepage(number).and_then(|c| c.encoding).unwrap_or(encoding_rs::WINDOWS_1252);
    encoding.decode_without_bom_handling(bytes).0
}

/// A text property, whole, as long as it is not above `limit` bytes as stored.
pub(crate) fn held_text<'a, O: Object + ?Sized>(
    object: &'a O,
    key: &Key,
    limit: u64,
) -> io::Result<Held<Cow<'a, str>>> {
    Ok(match object.properties().get(key) {
        Some(Value::Text(text)) => Held::Is(Cow::Borrowed(text)),
        Some(Value::Bytes(bytes)) => Held::Is(decode(bytes, of_text(object.properties()))),
        Some(Value::Large { bytes, kind }) if *bytes <= limit => match read(object, key, *bytes)? {
            Some(data) => Held::Is(Cow::Owned(match kind {
                LargeKind::Unicode => decode(&data, 1200).into_owned(),
                LargeKind::Binary | LargeKind::String8 => decode(&data, of_text(object.properties())).into_owned(),
            })),
            None => Held::Absent,
        },
        Some(Value::Large { .. }) => Held::TooLarge,
        _ => Held::Absent,
    })
}

/// A value that may be too large to be held.
pub(crate) enum Held<T> {
    Is(T),
    TooLarge,
    Absent,
}

/// A large value's bytes; never more than it says that it has.
pub(crate) fn read<O: Object + ?Sized>(object: &O, key: &Key, bytes: u64) -> io::Result<Option<Vec<u8>>> {
    let Some(stream) = object.open(key).map_err(into_io)? else { return Ok(None) };
    let mut data = Vec::with_capacity(usize::try_from(bytes.min(1 << 24)).unwrap_or(0));
    stream.take(bytes).read_to_end(&mut data)?;
    Ok(Some(data))
}

pub(crate) fn into_io(error: crate::Error) -> io::Error {
    match error {
        crate::Error::Io(error) => error,
        damaged @ crate::Error::Damaged(_) => io::Error::other(damaged.to_string()),
    }
}

/// Turns a stream of text in some code page into UTF-8, piece by piece.
pub(crate) struct Transcoder<R> {
    source: R,
    decoder: Decoder,
    raw: Box<[u8; 8192]>,
    raw_at: usize,
    raw_end: usize,
    ended: bool,
    flushed: bool,
    /// What did not fit into a small buffer.
    kept: [u8; 32],
    kept_at: usize,
    kept_end: usize,
}

impl<R: Read> Transcoder<R> {
    pub fn new(source: R, number: u32) -> Self {
        let encoding = codepage(number).and_then(|c| c.encoding).unwrap_or(encoding_rs::WINDOWS_1252);
        Self {
            source,
            decoder: encoding.new_decoder_without_bom_handling(),
            raw: Box::new([0; 8192]),
            raw_at: 0,
            raw_end: 0,
            ended: false,
            flushed: false,
            kept: [0; 32],
            kept_at: 0,
            kept_end: 0,
        }
    }

    /// Decodes into a buffer that has room for a whole character.
    fn decode(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while !self.flushed {
            if self.raw_at == self.raw_end && !self.ended {
                self.raw_at = 0;
                self.raw_end = self.source.read(&mut self.raw[..])?;
                self.ended = self.raw_end == 0;
            }
            let (result, taken, written, _) =
                self.decoder.decode_to_utf8(&self.raw[self.raw_at..self.raw_end], out, self.ended);
            self.raw_at += taken;
            self.flushed = self.ended && result == encoding_rs::CoderResult::InputEmpty;
            if written > 0 {
                return Ok(written);
            }
        }
        Ok(0)
    }
}

impl<R: Read> Read for Transcoder<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.kept_at == self.kept_end {
            // The decoder wants room for a whole character.
            if out.len() >= self.kept.len() {
                return self.decode(out);
            }
            let mut kept = self.kept;
            self.kept_end = self.decode(&mut kept)?;
            self.kept_at = 0;
            self.kept = kept;
        }
        let n = out.len().min(self.kept_end - self.kept_at);
        out[..n].copy_from_slice(&self.kept[self.kept_at..self.kept_at + n]);
        self.kept_at += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_in_a_code_page_comes_as_utf_8() {
        let text = "Olá, 世界 — ".repeat(5_000);
        let raw: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut out = Vec::new();
        Transcoder::new(&raw[..], 1200).read_to_end(&mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), text);
    }

    #[test]
    fn code_pages_are_decoded_by_their_numbers() {
        for (number, bytes, text) in [
            (1252, &b"Jo\xE3o \x80"[..], "João €"),
            (932, &b"\x93\xFA\x96\x7B"[..], "日本"),
            (28591, &b"\xE9"[..], "é"),
            (65001, "ç".as_bytes(), "ç"),
            (99_999, &b"\xE7"[..], "ç"),
        ] {
            assert_eq!(decode(bytes, number), text, "{number}");
        }
    }
}
