//! Goes through RTF once, and gives the HTML or the text that lies in it, or renders it.

use super::{
    fonts::{Fonts, symbol},
    picture::{Picture, Pictures},
    rich::{Look, Paragraph, Rich},
    token::{Token, Tokens},
};
use crate::codepage;
use std::io::{self, Read};

/// How much may come out.
const LARGEST: usize = 16 << 20;
/// How deep groups may lie in each other; deeper ones are taken as one.
const DEEPEST: usize = 1_000;

/// What came out.
#[derive(Debug, Default)]
pub struct Converted {
    /// HTML, in Unicode.
    pub html: Option<String>,
    /// Text, in Unicode.
    pub text: Option<String>,
    /// The pictures that the HTML shows, in the order of their numbers.
    pub pictures: Vec<Picture>,
    /// How many attachments stand within the text: each is marked in the HTML as [`object_mark`] says.
    pub objects: usize,
    /// Whether all of it is there: `false` where it was too much, or a picture could not be taken.
    pub whole: bool,
}

/// What stands in the HTML for an attachment within the text, by its number from 1.
#[must_use]
pub fn object_mark(number: usize) -> String {
    format!("<!--object {number}-->")
}

/// What the text of a group is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    Document,
    HtmlTag,
    Fonts,
    Colors,
    Instruction,
    Picture,
    /// A shape: only pictures in it count.
    Shape,
    Nothing,
}

/// What a group may change until it ends.
#[derive(Clone, Copy)]
struct State {
    target: Target,
    /// Between \htmlrtf and \htmlrtf0.
    rtf_only: bool,
    /// How many characters stand for one that \u gives.
    fallback: i32,
    look: Look,
    paragraph: Paragraph,
    link: bool,
}

/// What the RTF was made of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Html,
    Text,
    Rich,
}

struct Converter {
    states: Vec<State>,
    /// Groups beyond the deepest.
    beyond: usize,
    now: State,
    origin: Origin,
    /// Undecoded bytes in the code page of the font.
    bytes: Vec<u8>,
    /// The first half of a surrogate pair.
    high: Option<u32>,
    /// Characters still to be left out after \u.
    leave_out: i32,
    fonts: Fonts,
    default_font: i32,
    codepage: u32,
    out: String,
    rich: Rich,
    pictures: Pictures,
    instruction: String,
    color: [Option<u8>; 3],
    /// Right after `\*`.
    starred: bool,
}

/// Converts RTF; `local` is the code page of text that does not say its own.
///
/// # Errors
/// Where the source cannot be read.
pub fn convert(source: &mut dyn Read, local: u32) -> io::Result<Converted> {
    let mut tokens = Tokens::new(source);
    let mut c = Converter {
        states: Vec::new(),
        beyond: 0,
        now: State {
            target: Target::Document,
            rtf_only: false,
            fallback: 1,
            look: Look::PLAIN,
            paragraph: Paragraph::default(),
            link: false,
        },
        origin: Origin::Rich,
        bytes: Vec::new(),
        high: None,
        leave_out: 0,
        fonts: Fonts::default(),
        default_font: -1,
        codepage: local,
        out: String::new(),
        rich: Rich::default(),
        pictures: Pictures::default(),
        instruction: String::new(),
        color: [None; 3],
        starred: false,
    };
    let mut whole = true;
    while let Some(token) = tokens.next()? {
        if let Token::Binary(length) = token {
            let wanted = c.now.target == Target::Picture;
            tokens.binary(length, |piece| {
                if wanted {
                    c.pictures.bytes(piece);
                }
            })?;
            continue;
        }
        c.take(token);
        if c.out.len() + c.rich.html.len() + c.rich.text.len() + c.bytes.len() > LARGEST {
            whole = false;
            break;
        }
    }
    c.flush();
    Ok(match c.origin {
        Origin::Html => Converted { html: Some(c.out), text: None, pictures: Vec::new(), objects: 0, whole },
        Origin::Text => Converted { html: None, text: Some(c.out), pictures: Vec::new(), objects: 0, whole },
        Origin::Rich => {
            let objects = c.rich.objects;
            let (html, text) = c.rich.finish();
            let whole = whole && !c.pictures.lost;
            Converted { html: Some(html), text: Some(text), pictures: c.pictures.found, objects, whole }
        }
    })
}

impl Converter {
    fn take(&mut self, token: Token) {
        match token {
            Token::Open => {
                self.flush();
                self.leave_out = 0;
                if self.states.len() < DEEPEST { self.states.push(self.now) } else { self.beyond += 1 }
            }
            Token::Close => {
                self.flush();
                self.leave_out = 0;
                if self.beyond > 0 {
                    self.beyond -= 1;
                } else if let Some(before) = self.states.pop() {
                    if self.now.link && !before.link {
                        self.rich.end_link();
                    }
                    if self.now.target == Target::Picture && before.target != Target::Picture {
                        let shown = self.pictures.end();
                        self.rich.image(shown.as_deref(), before.paragraph);
                    }
                    self.now = before;
                }
            }
            Token::Byte(byte) => self.byte(byte),
            Token::Symbol(symbol) => self.symbol(symbol),
            Token::Word(word, number) => self.word(word.name(), number),
            Token::Binary(_) => {}
        }
        self.starred = token == Token::Symbol(b'*');
    }

    fn byte(&mut self, byte: u8) {
        if self.leave_out > 0 {
            self.leave_out -= 1;
        } else if self.now.target == Target::Picture {
            self.pictures.digit(byte);
        } else if self.now.target != Target::Nothing {
            self.bytes.push(byte);
            if self.bytes.len() > 1 << 20 {
                self.flush();
            }
        }
    }

    fn symbol(&mut self, symbol: u8) {
        let text = match symbol {
            b'~' => "\u{A0}",
            b'_' => "\u{2011}",
            b'-' => "\u{AD}",
            b'\n' => return self.word("par", None),
            _ => return,
        };
        if self.leave_out > 0 {
            self.leave_out -= 1;
            return;
        }
        self.character(text);
    }

    /// A character that a control word stands for.
    fn character(&mut self, text: &str) {
        self.flush();
        // In HTML's own text marks are better written as references: they are then the same in every charset.
        let outside = self.origin == Origin::Html && self.now.target == Target::Document;
        match text {
            _ if !outside => self.emit(text),
            "\u{A0}" => self.emit("&nbsp;"),
            "\u{AD}" => self.emit("&shy;"),
            _ => self.emit(text),
        }
    }

    fn word(&mut self, name: &str, number: Option<i32>) {
        if name == "u" {
            return self.unicode(number.unwrap_or(0));
        }
        if self.leave_out > 0 && !matches!(name, "par" | "line") {
            // A control word may stand as the fallback too.
            self.leave_out -= 1;
            return;
        }
        self.flush();
        if self.target(name, number) || self.now.target == Target::Nothing {
            return;
        }
        if self.now.target == Target::Picture && !self.starred {
            return self.pictures.word(name, number);
        }
        if self.starred {
            // A destination that is not known is left out with all that is in it.
            self.now.target = Target::Nothing;
            return;
        }
        if self.in_table_of(name, number) || self.text_of(name) {
            return;
        }
        self.look_of(name, number);
    }

    /// Destinations, and what belongs to the text as a whole.
    fn target(&mut self, name: &str, number: Option<i32>) -> bool {
        match name {
            "fromhtml" => self.origin = if number == Some(0) { self.origin } else { Origin::Html },
            "fromtext" => self.origin = Origin::Text,
            "ansicpg" => {
                if let Some(number) = number.and_then(|n| u32::try_from(n).ok()) {
                    self.codepage = if codepage::codepage(number).is_some() { number } else { self.codepage };
                }
            }
            "mac" if self.states.len() < 2 => self.codepage = 10000,
            "deff" => {
                self.default_font = number.unwrap_or(0);
                self.now.look.font = self.default_font;
            }
            "uc" => self.now.fallback = number.unwrap_or(1).clamp(0, 32),
            "htmltag" if self.origin == Origin::Html && self.starred => self.now.target = Target::HtmlTag,
            "htmlrtf" => self.now.rtf_only = number != Some(0),
            "fonttbl" => self.now.target = Target::Fonts,
            "colortbl" => self.now.target = Target::Colors,
            "fldinst" => {
                self.instruction.clear();
                self.now.target = Target::Instruction;
            }
            "fldrslt" => self.field(),
            "pntext" if self.origin != Origin::Html => {}
            // What older programs show instead of a picture or a nested table.
            "nonshppict" | "shprslt" | "nonesttables" => self.now.target = Target::Nothing,
            "shppict" => {}
            "pict" if self.origin == Origin::Rich && self.now.target != Target::Nothing => {
                self.pictures.begin();
                self.now.target = Target::Picture;
            }
            "shpinst" => self.now.target = Target::Shape,
            "shptxt" if self.now.target == Target::Shape => self.now.target = Target::Document,
            "stylesheet" | "info" | "pict" | "objdata" | "listtable" | "listoverridetable" | "revtbl" | "rsidtbl"
            | "header" | "headerl" | "headerr" | "headerf" | "footer" | "footerl" | "footerr" | "footerf"
            | "ftnsep" | "ftnsepc" | "xe" | "tc" | "themedata" | "datastore" | "mhtmltag" | "pntext" | "ud" => {
                self.now.target = Target::Nothing;
            }
            _ => return false,
        }
        true
    }

    /// What is said of fonts and colours in their tables.
    fn in_table_of(&mut self, name: &str, number: Option<i32>) -> bool {
        match (self.now.target, name) {
            (Target::Fonts, "f") => self.fonts.begin(number.unwrap_or(0)),
            (Target::Fonts, "fcharset") => self.fonts.charset(number.unwrap_or(0)),
            (Target::Fonts, "cpg") => self.fonts.codepage(number.unwrap_or(0)),
            (Target::Fonts, _) => {}
            (Target::Colors, "red" | "green" | "blue") => {
                let index = ["red", "green", "blue"].iter().position(|c| *c == name).unwrap_or(0);
                self.color[index] = u8::try_from(number.unwrap_or(0)).ok();
            }
            (Target::Colors, _) => {}
            _ => return false,
        }
        true
    }

    /// Control words that stand for text.
    fn text_of(&mut self, name: &str) -> bool {
        let rich = self.origin == Origin::Rich && self.now.target == Target::Document;
        let paragraph = self.now.paragraph;
        let text = match name {
            "par" | "sect" | "page" if rich => {
                self.rich.paragraph(paragraph);
                return true;
            }
            "line" | "softline" if rich => {
                self.rich.line(paragraph);
                return true;
            }
            "objattph" if rich => {
                self.rich.object(paragraph);
                return true;
            }
            // Tables within tables lay out mail; their cells follow each other.
            "nestcell" if rich => {
                self.rich.paragraph(paragraph);
                return true;
            }
            "cell" if rich => {
                self.rich.end_cell();
                return true;
            }
            "row" if rich => {
                self.rich.end_row();
                return true;
            }
            "par" | "line" | "sect" | "page" | "row" => "\r\n",
            "tab" | "cell" => "\t",
            "lquote" => "\u{2018}",
            "rquote" => "\u{2019}",
            "ldblquote" => "\u{201C}",
            "rdblquote" => "\u{201D}",
            "bullet" => "\u{2022}",
            "endash" => "\u{2013}",
            "emdash" => "\u{2014}",
            "enspace" => "\u{2002}",
            "emspace" => "\u{2003}",
            "zwj" => "\u{200D}",
            "zwnj" => "\u{200C}",
            "ltrmark" => "\u{200E}",
            "rtlmark" => "\u{200F}",
            _ => return false,
        };
        self.character(text);
        true
    }

    fn look_of(&mut self, name: &str, number: Option<i32>) {
        let on = number != Some(0);
        let index = || number.and_then(|n| u16::try_from(n).ok()).unwrap_or(0);
        let look = &mut self.now.look;
        let paragraph = &mut self.now.paragraph;
        match name {
            "plain" => *look = Look { font: self.default_font, ..Look::PLAIN },
            "b" => look.bold = on,
            "i" => look.italic = on,
            "ul" | "uld" | "uldb" | "ulw" | "uldash" | "ulwave" | "ulth" => look.underline = on,
            "ulnone" => look.underline = false,
            "strike" | "striked" => look.strike = on,
            "v" => look.hidden = on,
            "super" => look.shift = i8::from(on),
            "sub" => look.shift = -i8::from(on),
            "nosupersub" => look.shift = 0,
            "fs" => look.size = index(),
            "cf" => look.color = index(),
            "cb" | "chcbpat" | "highlight" => look.background = index(),
            "f" => look.font = number.unwrap_or(0),
            "pard" => *paragraph = Paragraph::default(),
            "qc" => paragraph.align = Some("center"),
            "qr" => paragraph.align = Some("right"),
            "qj" => paragraph.align = Some("justify"),
            "ql" => paragraph.align = None,
            "li" | "lin" => paragraph.indent = number.unwrap_or(0),
            "intbl" => paragraph.in_table = true,
            "trowd" => self.rich.bordered = false,
            "brdrs" | "brdrth" | "brdrdb" | "brdrdot" | "brdrdash" => self.rich.bordered = true,
            _ => {}
        }
    }

    /// The shown part of a field: where it is a link, its text.
    fn field(&mut self) {
        if self.origin != Origin::Rich || self.now.link || self.now.target != Target::Document {
            return;
        }
        let instruction = std::mem::take(&mut self.instruction);
        let Some((_, after)) = instruction.split_once("HYPERLINK") else { return };
        let target = match after.split_once('"') {
            Some((_, quoted)) => quoted.split('"').next().unwrap_or_default(),
            None => after.split_whitespace().next().unwrap_or_default(),
        };
        self.rich.begin_link(target.trim(), self.now.paragraph);
        self.now.link = true;
    }

    fn unicode(&mut self, number: i32) {
        self.flush_bytes();
        // Written as a signed 16-bit number.
        let unit = u32::try_from(if number < 0 { number + 65_536 } else { number }).unwrap_or(0xFFFD);
        self.leave_out = self.now.fallback;
        let code = match (self.high.take(), unit) {
            (_, 0xD800..=0xDBFF) => {
                self.high = Some(unit);
                return;
            }
            (Some(high), 0xDC00..=0xDFFF) => 0x10000 + ((high - 0xD800) << 10) + (unit - 0xDC00),
            (_, unit) => unit,
        };
        let mut buffer = [0; 4];
        match char::from_u32(code).unwrap_or('\u{FFFD}') {
            '\0' => {}
            // Signs of symbol fonts are kept in the private area.
            c @ '\u{F020}'..='\u{F0FF}' => {
                let byte = u8::try_from(u32::from(c) - 0xF000).unwrap_or(b'?');
                self.emit(symbol(byte).encode_utf8(&mut buffer));
            }
            c => self.emit(c.encode_utf8(&mut buffer)),
        }
    }

    fn flush(&mut self) {
        self.flush_bytes();
        if self.leave_out == 0 {
            self.high = None;
        }
    }

    /// Decodes what has gathered.
    fn flush_bytes(&mut self) {
        if self.bytes.is_empty() {
            return;
        }
        let bytes = std::mem::take(&mut self.bytes);
        let font = self.now.look.font;
        if self.fonts.is_symbol(font) && self.now.target == Target::Document {
            let text: String = bytes.iter().map(|b| symbol(*b)).collect();
            self.emit(&text);
        } else {
            let number = self.fonts.codepage_of(font).unwrap_or(self.codepage);
            self.emit(&codepage::decode(&bytes, number));
        }
        // The room is used again.
        self.bytes = bytes;
        self.bytes.clear();
    }

    fn emit(&mut self, text: &str) {
        match self.now.target {
            Target::Nothing | Target::Picture | Target::Shape => {}
            Target::Fonts => self.fonts.text(text),
            Target::Colors => {
                for _ in text.bytes().filter(|b| *b == b';') {
                    let color = match std::mem::take(&mut self.color) {
                        [Some(r), Some(g), Some(b)] => Some([r, g, b]),
                        _ => None,
                    };
                    if self.rich.colors.len() < 4_096 {
                        self.rich.colors.push(color);
                    }
                }
            }
            Target::Instruction => {
                if self.instruction.len() < 16_384 {
                    self.instruction.push_str(text);
                }
            }
            Target::HtmlTag => self.out.push_str(text),
            Target::Document if self.now.rtf_only && self.origin != Origin::Rich => {}
            Target::Document => match self.origin {
                Origin::Html | Origin::Text => self.out.push_str(text),
                Origin::Rich => {
                    let clean: String = text.chars().filter(|c| !c.is_control() || *c == '\t').collect();
                    self.rich.write(&clean, self.now.look, self.now.paragraph, &self.fonts);
                }
            },
        }
    }
}

#[cfg(test)]
mod tests;
