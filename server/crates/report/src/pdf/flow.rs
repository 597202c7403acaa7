//! Pages that follow one another: margins, heads and feet, headings, paragraphs, and what fits into a width.

use super::{
    fonts::{Font, Fonts, Line},
    ink::{BLACK, DEEP, GREY, HAIR, Ink},
    sheet::{HEIGHT, Sheet, WIDTH},
};
use crate::texts::Lang;
use std::rc::Rc;
use unicode_bidi::{BidiClass, bidi_class};

/// The left and the right margin.
pub const MARGIN: f32 = 54.0;
/// Where a page's text begins.
pub const TOP: f32 = 82.0;
/// Where it ends.
pub const BOTTOM: f32 = HEIGHT - 66.0;
/// How wide it is.
pub const MEASURE: f32 = WIDTH - 2.0 * MARGIN;

/// How a text is set.
#[derive(Clone, Copy, Debug)]
pub struct Type {
    /// The font.
    pub font: Font,
    /// Its size in points.
    pub size: f32,
    /// From one baseline to the next.
    pub leading: f32,
    /// Its colour.
    pub ink: Ink,
}

impl Type {
    const fn new(font: Font, size: f32, leading: f32, ink: Ink) -> Self {
        Self { font, size, leading, ink }
    }

    /// The same in another colour.
    pub const fn in_ink(self, ink: Ink) -> Self {
        Self { ink, ..self }
    }
}

/// Text.
pub const TEXT: Type = Type::new(Font::Regular, 9.0, 13.2, BLACK);
/// What is worth more.
pub const STRONG: Type = Type::new(Font::Bold, 9.0, 13.2, BLACK);
/// What is said beside.
pub const NOTE: Type = Type::new(Font::Regular, 8.0, 11.4, GREY);
/// Cells of tables.
pub const CELL: Type = Type::new(Font::Regular, 7.8, 10.4, BLACK);
/// Sums in tables.
pub const CELL_STRONG: Type = Type::new(Font::Bold, 7.8, 10.4, BLACK);
/// What a cell says beside.
pub const CELL_NOTE: Type = Type::new(Font::Regular, 7.2, 9.6, GREY);
/// Heads of tables, labels.
pub const LABEL: Type = Type::new(Font::Bold, 7.2, 9.6, GREY);
/// Sections.
pub const HEADING: Type = Type::new(Font::Bold, 17.0, 22.0, DEEP);
/// Parts of sections.
pub const SUBHEADING: Type = Type::new(Font::Bold, 10.5, 15.0, BLACK);
/// Digests and keys.
pub const DIGITS: Type = Type::new(Font::Mono, 7.0, 10.2, BLACK);

/// A place that the contents and the bookmarks lead to.
#[derive(Clone, Debug)]
pub struct Place {
    /// What it is called.
    pub title: String,
    /// Its page, from 1.
    pub page: usize,
    /// How far down.
    pub y: f32,
}

/// Where a table, a drawing or a paragraph goes next.
pub struct Flow {
    /// The fonts.
    pub fonts: Fonts,
    /// The language.
    pub lang: Lang,
    /// How far down the page has been filled.
    pub y: f32,
    /// Sections so far.
    pub places: Vec<Place>,
    sheets: Vec<Sheet>,
    /// The section that each page begins with, for its head.
    sections: Vec<String>,
    /// The section that the next page would begin with.
    carried: String,
}

impl Flow {
    /// The first page, still empty.
    pub fn new(fonts: Fonts, lang: Lang) -> Self {
        let sheets = vec![Sheet::default()];
        Self { fonts, lang, y: TOP, places: Vec::new(), sheets, sections: vec![String::new()], carried: String::new() }
    }

    /// The page at work.
    pub fn sheet(&mut self) -> &mut Sheet {
        let last = self.sheets.len() - 1;
        &mut self.sheets[last]
    }

    /// An earlier page, from 1.
    pub fn page(&mut self, number: usize) -> Option<&mut Sheet> {
        self.sheets.get_mut(number - 1)
    }

    /// How many pages there are.
    pub fn pages(&self) -> usize {
        self.sheets.len()
    }

    /// Begins a page.
    pub fn turn(&mut self) {
        self.sheets.push(Sheet::default());
        self.sections.push(self.carried.clone());
        self.y = TOP;
    }

    /// Begins a page unless so much room is left.
    pub fn need(&mut self, height: f32) -> bool {
        let turn = self.y + height > BOTTOM && self.y > TOP;
        if turn {
            self.turn();
        }
        turn
    }

    /// Leaves room, unless at the top of a page.
    pub fn skip(&mut self, height: f32) {
        if self.y > TOP {
            self.y += height;
        }
    }

    /// Begins a section, with room for `first` below its heading.
    pub fn section(&mut self, title: &str, first: f32) {
        self.skip(30.0);
        self.need(46.0 + first);
        let number = self.places.len() + 1;
        self.places.push(Place { title: title.to_owned(), page: self.sheets.len(), y: self.y });
        if let Some(name) = self.sections.last_mut()
            && self.y <= TOP
        {
            *name = title.to_owned();
        }
        let y = self.y + 15.0;
        let wide = self.put(&number.to_string(), MARGIN, y, HEADING.in_ink(super::ink::PALE));
        self.put(title, MARGIN + wide + 9.0, y, HEADING);
        self.y += 25.0;
        self.sheet().rule(MARGIN, y + 9.5, MEASURE, 0.9, DEEP);
        self.y += 11.0;
        // A page's head names the section that the page begins with; the next one begins with this.
        self.carried = title.to_owned();
    }

    /// A part of a section.
    pub fn subsection(&mut self, title: &str, first: f32) {
        self.skip(14.0);
        self.need(24.0 + first);
        let y = self.y + 11.0;
        self.put(title, MARGIN, y, SUBHEADING);
        self.y += 20.0;
    }

    /// A text on one line, its baseline at `y`. Tells its width.
    pub fn put(&mut self, text: &str, x: f32, y: f32, kind: Type) -> f32 {
        let line = self.fonts.line(text, kind.font);
        self.sheet().text(&line, x, y, kind.size, kind.ink);
        line.width * kind.size / 1000.0
    }

    /// The same, ending at `right`.
    pub fn put_right(&mut self, text: &str, right: f32, y: f32, kind: Type) -> f32 {
        let line = self.fonts.line(text, kind.font);
        let width = line.width * kind.size / 1000.0;
        self.sheet().text(&line, right - width, y, kind.size, kind.ink);
        width
    }

    /// A paragraph over the whole measure.
    pub fn paragraph(&mut self, text: &str, kind: Type) {
        for line in self.wrap(text, kind, MEASURE, 40) {
            self.need(kind.leading);
            let y = self.y + kind.size;
            self.put(&line, MARGIN, y, kind);
            self.y += kind.leading;
        }
        self.y += 4.0;
    }

    /// About how wide a text is.
    fn rough(&mut self, text: &str, kind: Type) -> f32 {
        text.chars().map(|c| self.fonts.advance(c, kind.font)).sum::<f32>() * kind.size / 1000.0
    }

    /// The text, or as much of it as fits with an ellipsis behind it.
    pub fn fit(&mut self, text: &str, kind: Type, width: f32) -> String {
        // Nothing fits that is narrower than a point for each letter.
        let most = width.max(1.0) as usize;
        let short: String = text.chars().take(most + 1).collect();
        if short.len() == text.len() && self.fonts.width(&short, kind.font, kind.size) <= width {
            return short;
        }
        let scale = kind.size / 1000.0;
        let room = width - self.fonts.advance('…', kind.font) * scale;
        let (mut used, mut end) = (0.0, 0);
        for (at, c) in short.char_indices() {
            // A mark belongs to the letter before it: no cut between the two.
            if bidi_class(c) != BidiClass::NSM && c != '\u{200d}' {
                end = at;
                if used > room {
                    break;
                }
            }
            used += self.fonts.advance(c, kind.font) * scale;
        }
        // What neighbours do to one another is known only now.
        loop {
            let cut = format!("{}…", short[..end].trim_end());
            if end == 0 || self.fonts.width(&cut, kind.font, kind.size) <= width {
                return cut;
            }
            end = short[..end].char_indices().next_back().map_or(0, |(at, _)| at);
        }
    }

    /// The text in lines of at most this width; the last one that is allowed ends with an ellipsis where more follows.
    pub fn wrap(&mut self, text: &str, kind: Type, width: f32, most: usize) -> Vec<String> {
        let allowed = most * width.max(1.0) as usize;
        let mut rest: String = text.chars().take(allowed + 1).collect();
        if rest.len() < text.len() {
            // What is cut here could not have been shown: the ellipsis below must still come.
            rest.push_str(" …");
        }
        let blank = self.rough(" ", kind);
        let mut lines: Vec<String> = Vec::new();
        let mut line = String::new();
        let mut used = 0.0;
        let words: Vec<String> = rest.split_whitespace().map(str::to_owned).collect();
        let mut at = 0;
        while at < words.len() {
            if lines.len() + 1 == most {
                // The last line takes all that is left, as far as it goes.
                let mut tail = std::mem::take(&mut line);
                for word in &words[at..] {
                    if !tail.is_empty() {
                        tail.push(' ');
                    }
                    tail.push_str(word);
                }
                lines.push(self.fit(&tail, kind, width));
                return lines;
            }
            let word = &words[at];
            let wide = self.rough(word, kind);
            if line.is_empty() && wide > width {
                // A word wider than the line is broken where the line ends.
                let head = self.fit(word, kind, width);
                let taken = head.trim_end_matches('…').len().max(word.chars().next().map_or(1, char::len_utf8));
                lines.push(word[..taken].to_owned());
                let left = word[taken..].to_owned();
                let mut more = vec![left];
                more.extend(words[at + 1..].iter().cloned());
                lines.extend(self.wrap(&more.join(" "), kind, width, most - lines.len()));
                return lines;
            }
            if !line.is_empty() && used + blank + wide > width {
                lines.push(std::mem::take(&mut line));
                used = 0.0;
                continue;
            }
            if !line.is_empty() {
                line.push(' ');
                used += blank;
            }
            line.push_str(word);
            used += wide;
            at += 1;
        }
        if !line.is_empty() || lines.is_empty() {
            lines.push(line);
        }
        lines
    }

    /// Heads and feet, now that the number of pages is known; then the pages.
    pub fn finish(mut self, head: &str, foot: &str) -> (Vec<Sheet>, Fonts, Vec<Place>) {
        let total = self.sheets.len();
        for number in 1..=total {
            let section = self.sections.get(number - 1).cloned().unwrap_or_default();
            let of = format!("{number} {} {total}", self.lang.page_of());
            let lines: [(Rc<Line>, f32, bool); 4] = [
                (self.fonts.line(if number == 1 { "" } else { head }, Font::Bold), 44.0, false),
                (self.fonts.line(if number == 1 { "" } else { &section }, Font::Regular), 44.0, true),
                (self.fonts.line(foot, Font::Regular), HEIGHT - 34.0, false),
                (self.fonts.line(&of, Font::Regular), HEIGHT - 34.0, true),
            ];
            let sheet = &mut self.sheets[number - 1];
            if number > 1 {
                sheet.rule(MARGIN, 52.0, MEASURE, 0.5, HAIR);
            }
            sheet.rule(MARGIN, HEIGHT - 46.0, MEASURE, 0.5, HAIR);
            for (line, y, right) in lines {
                let wide = line.width * 7.2 / 1000.0;
                sheet.text(&line, if right { WIDTH - MARGIN - wide } else { MARGIN }, y, 7.2, GREY);
            }
        }
        (self.sheets, self.fonts, self.places)
    }
}
