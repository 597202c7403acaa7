//! Values from bytes (MS-OXCDATA 2.11, MS-PST 2.3.3.2): numbers, text in UTF-16 or a code page, lists.

use crate::raw::{u16_at, u32_at, u64_at};
use encoding_rs::{Encoding, WINDOWS_1252};
use gatepost_mapi::{Guid, Value};

/// A value above this is not held, but read as a stream.
pub const LARGE: usize = 64 << 10;

/// Property types that more than one place asks for.
pub mod kinds {
    pub const STRING8: u16 = 0x001E;
    pub const UNICODE: u16 = 0x001F;
}

/// How a value stands in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// In the record itself: so many bytes.
    Here(usize),
    /// In the heap or in a subnode.
    There,
}

impl Stored {
    /// In a property context, where a record has room for 4 bytes.
    pub fn in_context(kind: u16) -> Self {
        match fixed_width(kind) {
            Some(width) if width <= 4 => Self::Here(width),
            _ => Self::There,
        }
    }

    /// In a row, where whatever has a fixed width up to 8 stands inline.
    pub fn in_row(kind: u16) -> Self {
        fixed_width(kind).map_or(Self::There, Self::Here)
    }
}

fn fixed_width(kind: u16) -> Option<usize> {
    match kind {
        0x000B => Some(1),
        0x0002 => Some(2),
        0x0003 | 0x0004 | 0x000A => Some(4),
        0x0005 | 0x0006 | 0x0007 | 0x0014 | 0x0040 => Some(8),
        _ => None,
    }
}

/// Text in an 8-bit code page.
#[derive(Clone, Copy, Debug)]
pub struct CodePage(&'static Encoding);

impl Default for CodePage {
    fn default() -> Self {
        Self(WINDOWS_1252)
    }
}

impl CodePage {
    /// By Windows' number; `None` where it is not known.
    pub fn new(number: i64) -> Option<Self> {
        let label = match number {
            437 | 850 | 858 | 20127 | 28591 => "windows-1252",
            866 => "ibm866",
            874 => "windows-874",
            932 => "shift_jis",
            936 => "gbk",
            949 | 51949 => "euc-kr",
            950 => "big5",
            1250..=1258 => return Encoding::for_label(format!("windows-{number}").as_bytes()).map(Self),
            10000 => "macintosh",
            10007 => "x-mac-cyrillic",
            20866 => "koi8-r",
            21866 => "koi8-u",
            20932 | 51932 => "euc-jp",
            28592..=28608 => return Encoding::for_label(format!("iso-8859-{}", number - 28590).as_bytes()).map(Self),
            38598 => "iso-8859-8-i",
            50220..=50222 => "iso-2022-jp",
            52936 | 54936 => "gb18030",
            65001 => "utf-8",
            _ => return None,
        };
        Encoding::for_label(label.as_bytes()).map(Self)
    }

    /// Decodes; what does not fit the code page is taken byte by byte as Latin-1.
    pub fn decode(self, bytes: &[u8]) -> String {
        let bytes = without_end(bytes);
        match self.0.decode_without_bom_handling_and_without_replacement(bytes) {
            Some(text) => text.into_owned(),
            None => encoding_rs::mem::decode_latin1(bytes).into_owned(),
        }
    }
}

/// Writers disagree whether text ends in a NUL.
fn without_end(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|&b| b != 0).map_or(0, |last| last + 1);
    &bytes[..end]
}

/// Text in UTF-16LE; half a surrogate becomes U+FFFD.
pub fn utf16(bytes: &[u8]) -> String {
    let pairs = bytes.len() / 2;
    let zeros = bytes[..pairs * 2].rchunks_exact(2).take_while(|pair| **pair == [0, 0]).count();
    let mut rest = &bytes[..(pairs - zeros) * 2];
    let mut text = Vec::with_capacity(rest.len() / 2 + 8);
    loop {
        // Most text is ASCII: four characters at a time.
        while let Some((eight, behind)) = rest.split_first_chunk::<8>()
            && u64::from_le_bytes(*eight) & 0xFF80_FF80_FF80_FF80 == 0
        {
            text.extend_from_slice(&[eight[0], eight[2], eight[4], eight[6]]);
            rest = behind;
        }
        let Some((&[a, b], behind)) = rest.split_first_chunk::<2>() else { break };
        rest = behind;
        let unit = u16::from_le_bytes([a, b]);
        let next = behind.first_chunk::<2>().map(|&pair| u16::from_le_bytes(pair));
        let one = match char::from_u32(u32::from(unit)) {
            Some(plain) => plain,
            None => match char::decode_utf16([unit].into_iter().chain(next)).next() {
                Some(Ok(pair)) => {
                    rest = behind.get(2..).unwrap_or_default();
                    pair
                }
                _ => char::REPLACEMENT_CHARACTER,
            },
        };
        text.extend_from_slice(one.encode_utf8(&mut [0; 4]).as_bytes());
    }
    String::from_utf8(text).unwrap_or_default()
}

/// A value of this type from its bytes; `None` for types that are not known and for values cut short.
pub fn parse(kind: u16, bytes: &[u8], page: CodePage) -> Option<Value> {
    Some(match kind {
        0x0002 => Value::Int16(u16_at(bytes, 0)? as i16),
        0x0003 | 0x000A => Value::Int32(u32_at(bytes, 0)? as i32),
        0x0004 => Value::Float(f64::from(f32::from_bits(u32_at(bytes, 0)?))),
        0x0005 => Value::Float(f64::from_bits(u64_at(bytes, 0)?)),
        0x0007 => Value::AppTime(f64::from_bits(u64_at(bytes, 0)?)),
        0x0006 | 0x0014 => Value::Int64(u64_at(bytes, 0)? as i64),
        0x000B => Value::Bool(*bytes.first()? != 0),
        0x0040 => Value::Time(u64_at(bytes, 0)? as i64),
        0x0048 => Value::Guid(Guid(*bytes.first_chunk()?)),
        kinds::STRING8 => Value::Text(page.decode(bytes)),
        kinds::UNICODE => Value::Text(utf16(bytes)),
        0x000D | 0x00FB | 0x00FD | 0x00FE | 0x0102 => Value::Bytes(bytes.to_vec()),
        0x101E | 0x101F | 0x1102 => Value::Many(many(kind & 0x0FFF, bytes, page)?),
        0x1002..=0x1007 | 0x1014 | 0x1040 | 0x1048 => {
            let width = if kind == 0x1048 { 16 } else { fixed_width(kind & 0x0FFF)? };
            Value::Many(bytes.chunks_exact(width).filter_map(|one| parse(kind & 0x0FFF, one, page)).collect())
        }
        _ => return None,
    })
}

/// A list of values of varying length (MS-PST 2.3.3.4.2): a count, offsets, the values.
fn many(kind: u16, bytes: &[u8], page: CodePage) -> Option<Vec<Value>> {
    let count = u32_at(bytes, 0)? as usize;
    if count > bytes.len() / 4 {
        return None;
    }
    let offset = |index: usize| u32_at(bytes, 4 + index * 4).map(|at| at as usize);
    let mut values = Vec::with_capacity(count);
    // Offsets that overlap could make a small value a huge one.
    let mut left = bytes.len();
    for index in 0..count {
        let start = offset(index)?;
        let end = if index + 1 < count { offset(index + 1)? } else { bytes.len() };
        let one = bytes.get(start..end)?;
        left = left.checked_sub(one.len())?;
        values.push(parse(kind, one, page)?);
    }
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_decoded_and_what_cannot_be_is_latin_1() {
        let page = |number| CodePage::new(number).expect("known");
        for (number, bytes, text) in [
            (1252, &b"caf\xE9\0"[..], "café"),
            (65001, "ação".as_bytes(), "ação"),
            (65001, b"a\xE7\xE3o", "ação"),
            (932, b"\x93\xFA\x96\x7B", "日本"),
            (20866, b"\xCD\xC9\xD2", "мир"),
            (28592, b"\xB1", "ą"),
        ] {
            assert_eq!(page(number).decode(bytes), text, "{number}");
        }
        assert!(CodePage::new(12345).is_none());
        assert_eq!(utf16(b"a\0\0\0b\0\0\0"), "a\0b", "a NUL within stays, one at the end does not");
        assert_eq!(utf16(b"\x3D\xD8x\0"), "\u{FFFD}x");
        for shift in 0..40 {
            let text =
                format!("{}\u{1F4E7} correio eletr\u{F4}nico, cora\u{E7}\u{E3}o {}", "a".repeat(shift), "z".repeat(40));
            let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            assert_eq!(utf16(&bytes), text);
        }
    }

    #[test]
    fn lists_are_read_and_lies_about_their_length_are_not() {
        let list = b"\x02\0\0\0\x0C\0\0\0\x0E\0\0\0a\0b\0";
        assert_eq!(
            parse(0x101F, list, CodePage::default()),
            Some(Value::Many(vec![Value::Text("a".into()), Value::Text("b".into())]))
        );
        assert_eq!(parse(0x101F, b"\xFF\xFF\xFF\xFF\0\0\0\0", CodePage::default()), None);
        assert_eq!(parse(0x101F, b"\x02\0\0\0\x0C\0\0\0\xFF\0\0\0a\0b\0", CodePage::default()), None);
        assert_eq!(
            parse(0x1003, b"\x01\0\0\0\x02\0\0\0\x03", CodePage::default()),
            Some(Value::Many(vec![Value::Int32(1), Value::Int32(2)]))
        );
        assert_eq!(parse(0x0040, b"\x01\0\0\0", CodePage::default()), None);
    }
}
