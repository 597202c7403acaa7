//! The font table: what it says of a font's name and of the code page that its text is in.

use crate::codepage;
use std::collections::BTreeMap;

/// A font.
#[derive(Clone, Debug, Default)]
pub(super) struct Font {
    pub name: String,
    charset: Option<i32>,
    codepage: Option<u32>,
}

/// The fonts of a text, by their numbers.
#[derive(Default)]
pub(super) struct Fonts {
    fonts: BTreeMap<i32, Font>,
    current: Option<i32>,
}

impl Fonts {
    /// `\fN` within the table.
    pub fn begin(&mut self, number: i32) {
        if self.fonts.len() < 4_096 {
            self.fonts.entry(number).or_default();
            self.current = Some(number);
        }
    }

    fn open(&mut self) -> Option<&mut Font> {
        self.current.and_then(|number| self.fonts.get_mut(&number))
    }

    pub fn charset(&mut self, charset: i32) {
        if let Some(font) = self.open() {
            font.charset = Some(charset);
        }
    }

    pub fn codepage(&mut self, number: i32) {
        if let (Some(font), Ok(number)) = (self.open(), u32::try_from(number)) {
            font.codepage = Some(number).filter(|n| codepage::codepage(*n).is_some());
        }
    }

    /// Text within the table: the font's name, until a semicolon.
    pub fn text(&mut self, text: &str) {
        if let Some(font) = self.open() {
            for c in text.chars() {
                if c == ';' {
                    self.current = None;
                    return;
                }
                if font.name.len() < 64 {
                    font.name.push(c);
                }
            }
        }
    }

    pub fn get(&self, number: i32) -> Option<&Font> {
        self.fonts.get(&number)
    }

    /// The code page of text in this font; `None` where the text's own is meant.
    pub fn codepage_of(&self, number: i32) -> Option<u32> {
        let font = self.fonts.get(&number)?;
        font.codepage.or(match font.charset? {
            0 | 2 => Some(1252),
            77 => Some(10000),
            128 => Some(932),
            129 | 130 => Some(949),
            134 => Some(936),
            136 => Some(950),
            161 => Some(1253),
            162 => Some(1254),
            163 => Some(1258),
            177 => Some(1255),
            178..=180 => Some(1256),
            186 => Some(1257),
            204 => Some(1251),
            222 => Some(874),
            238 => Some(1250),
            _ => None,
        })
    }

    /// Whether its characters are signs.
    pub fn is_symbol(&self, number: i32) -> bool {
        self.fonts.get(&number).is_some_and(|font| font.charset == Some(2))
    }
}

/// A sign of Symbol or Wingdings that mail uses, as a character.
pub(super) fn symbol(byte: u8) -> char {
    match byte {
        0xB7 | 0x9F | 0x6C => '\u{2022}',
        0xA7 | 0x6E => '\u{25AA}',
        0x4A => '\u{263A}',
        0x4C => '\u{2639}',
        0xE0 => '\u{2192}',
        0xDF => '\u{2190}',
        0xFC => '\u{2713}',
        0xD8 => '\u{27A2}',
        0x76 => '\u{2756}',
        other => char::from(other),
    }
}
