//! Text to glyphs: which font has a character, how scripts join and run, and which glyphs the document will embed.
//!
//! Four fonts are in the program (from crates; none lies in this tree): two of Noto Sans for text, DejaVu Sans Mono for
//! digests, and DejaVu Sans for what those lack (Hebrew, Arabic, symbols). What no font has becomes a visible
//! substitute, and so does every control character: a subject line cannot move what stands beside it.

use rustybuzz::{BufferClusterLevel, Direction, Face, Script, ShapePlan, UnicodeBuffer};
use std::{collections::HashMap, rc::Rc};
use subsetter::GlyphRemapper;
use unicode_bidi::{BidiClass, BidiInfo, Level, bidi_class};

/// A font of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Font {
    /// Text.
    Regular,
    /// Headings, sums.
    Bold,
    /// Digests, keys.
    Mono,
    /// What the others lack.
    World,
}

impl Font {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Regular, Self::Bold, Self::Mono, Self::World];

    /// The name of the resource in the document.
    pub const fn resource(self) -> &'static str {
        match self {
            Self::Regular => "GpRegular",
            Self::Bold => "GpBold",
            Self::Mono => "GpMono",
            Self::World => "GpWorld",
        }
    }

    /// The font's own name, with the tag that marks a subset (ISO 32000-1 section 9.6.4).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Regular => "GPREPA+NotoSans-Regular",
            Self::Bold => "GPREPB+NotoSans-Bold",
            Self::Mono => "GPREPC+DejaVuSansMono",
            Self::World => "GPREPD+DejaVuSans",
        }
    }

    fn data(self) -> &'static [u8] {
        match self {
            Self::Regular => notosans::REGULAR_TTF,
            Self::Bold => notosans::BOLD_TTF,
            Self::Mono => dejavu::sans_mono::regular(),
            Self::World => dejavu::sans::regular(),
        }
    }
}

/// What stands for a character that no font has.
const SUBSTITUTE: char = '\u{fffd}';
/// Longer texts are shaped anew each time.
const CACHED_BYTES: usize = 64;
/// So many texts are remembered.
const CACHED_TEXTS: usize = 8_192;

/// A glyph of a line, in the document's numbering.
#[derive(Clone, Copy, Debug)]
pub struct Glyph {
    /// Its number in the embedded subset.
    pub id: u16,
    /// How far the pen moves, in thousandths of the size.
    pub advance: f32,
    /// How far the font's own table moves it.
    pub natural: f32,
    /// Where it is drawn, away from the pen.
    pub dx: f32,
    /// The same, upwards.
    pub dy: f32,
}

/// Neighbouring glyphs of one font.
#[derive(Clone, Debug)]
pub struct Run {
    /// The font.
    pub font: Font,
    /// In visual order.
    pub glyphs: Vec<Glyph>,
}

/// A line, ready to be drawn.
#[derive(Clone, Debug, Default)]
pub struct Line {
    /// From left to right.
    pub runs: Vec<Run>,
    /// Its width in thousandths of the size.
    pub width: f32,
}

/// The fonts and what was used of them.
pub struct Fonts {
    faces: Vec<Face<'static>>,
    remappers: Vec<GlyphRemapper>,
    meanings: HashMap<(Font, u16), (Rc<str>, bool)>,
    cache: [HashMap<Box<str>, Rc<Line>>; 4],
    plans: HashMap<(Font, bool, Script), ShapePlan>,
    advances: HashMap<(Font, char), f32>,
}

impl Fonts {
    /// Opens the fonts of the program.
    pub fn new() -> Option<Self> {
        let faces: Option<Vec<_>> = Font::ALL.iter().map(|font| Face::from_slice(font.data(), 0)).collect();
        Some(Self {
            faces: faces?,
            remappers: Font::ALL.iter().map(|_| GlyphRemapper::new()).collect(),
            meanings: HashMap::new(),
            cache: std::array::from_fn(|_| HashMap::new()),
            plans: HashMap::new(),
            advances: HashMap::new(),
        })
    }

    fn face(&self, font: Font) -> &Face<'static> {
        &self.faces[font as usize]
    }

    /// The part of a font that was used, as a font file; none where nothing was.
    pub fn subset(&self, font: Font) -> Option<Vec<u8>> {
        let remapper = &self.remappers[font as usize];
        if remapper.num_gids() <= 1 {
            return None;
        }
        subsetter::subset(font.data(), 0, remapper).ok()
    }

    /// A text as one line. Line ends become blanks.
    pub fn line(&mut self, text: &str, font: Font) -> Rc<Line> {
        if text.len() > CACHED_BYTES {
            return Rc::new(self.shape(text, font));
        }
        if let Some(known) = self.cache[font as usize].get(text) {
            return Rc::clone(known);
        }
        let line = Rc::new(self.shape(text, font));
        let cache = &mut self.cache[font as usize];
        if cache.len() >= CACHED_TEXTS {
            cache.clear();
        }
        cache.insert(Box::from(text), Rc::clone(&line));
        line
    }

    /// How wide a text is, in points.
    pub fn width(&mut self, text: &str, font: Font, size: f32) -> f32 {
        self.line(text, font).width * size / 1000.0
    }

    /// About how far a character moves the pen, in thousandths of the size: without what its neighbours do to it. For
    /// finding where a line ends.
    pub fn advance(&mut self, c: char, font: Font) -> f32 {
        if let Some(known) = self.advances.get(&(font, c)) {
            return *known;
        }
        let of = |font: Font| {
            let face = self.face(font);
            let glyph = face.glyph_index(c)?;
            Some(f32::from(face.glyph_hor_advance(glyph)?) * 1000.0 / face.units_per_em() as f32)
        };
        let advance = of(font).or_else(|| of(Font::World)).unwrap_or(1000.0);
        self.advances.insert((font, c), advance);
        advance
    }

    /// Every glyph that was used of a font, in the document's numbering, and what it stands for.
    pub fn used(&self, font: Font) -> Vec<(u16, Rc<str>)> {
        let remapper = &self.remappers[font as usize];
        let of_font = self.meanings.iter().filter(|((f, _), _)| *f == font);
        let mut used: Vec<_> =
            of_font.filter_map(|((_, old), (text, _))| Some((remapper.get(*old)?, Rc::clone(text)))).collect();
        used.sort_unstable_by_key(|(id, _)| *id);
        used
    }

    fn shape(&mut self, text: &str, font: Font) -> Line {
        let text = printable(text);
        let mut line = Line::default();
        if text.is_ascii() {
            self.shape_part(&text, font, false, &mut line);
            return line;
        }
        // An address or a path runs as its separators do; a sentence as its first letter says.
        let base = (!text.contains(' ')).then(Level::ltr);
        let bidi = BidiInfo::new(&text, base);
        for paragraph in &bidi.paragraphs {
            let (levels, runs) = bidi.visual_runs(paragraph, paragraph.range.clone());
            for run in runs {
                let rtl = levels.get(run.start).is_some_and(Level::is_rtl);
                let mut parts = self.by_font(&text[run], font);
                if rtl {
                    parts.reverse();
                }
                for (part, font) in parts {
                    self.shape_part(&part, font, rtl, &mut line);
                }
            }
        }
        line
    }

    /// Splits a text where another font is needed. A mark stays with the letter that it belongs to.
    fn by_font(&self, text: &str, wanted: Font) -> Vec<(String, Font)> {
        let mut parts: Vec<(String, Font)> = Vec::new();
        for c in text.chars() {
            let follows = bidi_class(c) == BidiClass::NSM || c == ' ' || matches!(c, '\u{200c}' | '\u{200d}');
            let has = |font: Font| self.face(font).glyph_index(c).is_some();
            if let Some((part, font)) = parts.last_mut()
                && follows
                && has(*font)
            {
                part.push(c);
                continue;
            }
            let (c, font) = match c {
                c if has(wanted) => (c, wanted),
                c if has(Font::World) => (c, Font::World),
                _ => (SUBSTITUTE, Font::World),
            };
            match parts.last_mut() {
                Some((part, last)) if *last == font => part.push(c),
                _ => parts.push((c.to_string(), font)),
            }
        }
        parts
    }

    fn shape_part(&mut self, text: &str, font: Font, rtl: bool, line: &mut Line) {
        let mut buffer = UnicodeBuffer::new();
        buffer.push_str(text);
        buffer.set_cluster_level(BufferClusterLevel::MonotoneCharacters);
        buffer.guess_segment_properties();
        let direction = if rtl { Direction::RightToLeft } else { Direction::LeftToRight };
        buffer.set_direction(direction);
        let face = &self.faces[font as usize];
        let scale = 1000.0 / face.units_per_em() as f32;
        let script = buffer.script();
        let plan = self
            .plans
            .entry((font, rtl, script))
            .or_insert_with(|| ShapePlan::new(face, direction, Some(script), None, &[]));
        let shaped = rustybuzz::shape_with_plan(face, plan, buffer);
        let (infos, places) = (shaped.glyph_infos(), shaped.glyph_positions());
        // A cluster ends where the next one of the text begins.
        let mut starts: Vec<usize> = infos.iter().map(|i| i.cluster as usize).collect();
        starts.sort_unstable();
        starts.dedup();
        let mut glyphs = Vec::with_capacity(infos.len());
        let mut last = None;
        for (info, place) in infos.iter().zip(places) {
            let original = u16::try_from(info.glyph_id).unwrap_or(0);
            let start = info.cluster as usize;
            let end = starts.get(starts.partition_point(|s| *s <= start)).copied().unwrap_or(text.len());
            let meaning = if last == Some(start) { "" } else { text.get(start..end).unwrap_or_default() };
            last = Some(start);
            let nominal = meaning
                .chars()
                .next()
                .is_some_and(|c| meaning.len() == c.len_utf8() && face.glyph_index(c).is_some_and(|g| g.0 == original));
            let known = self.meanings.entry((font, original)).or_insert_with(|| (Rc::from(meaning), nominal));
            if nominal && !known.1 {
                *known = (Rc::from(meaning), true);
            }
            let natural = face.glyph_hor_advance(rustybuzz::ttf_parser::GlyphId(original)).unwrap_or(0);
            let advance = place.x_advance as f32 * scale;
            line.width += advance;
            glyphs.push(Glyph {
                id: self.remappers[font as usize].remap(original),
                advance,
                // As the document's table of widths has it: whole thousandths.
                natural: (f32::from(natural) * scale).trunc(),
                dx: place.x_offset as f32 * scale,
                dy: place.y_offset as f32 * scale,
            });
        }
        match line.runs.last_mut() {
            Some(run) if run.font == font => run.glyphs.extend(glyphs),
            _ => line.runs.push(Run { font, glyphs }),
        }
    }
}

/// The text with what cannot be seen made visible: controls and marks of direction become the substitute, blanks of any
/// kind a blank; joiners and variation selectors are kept only where they mean something to a script.
fn printable(text: &str) -> String {
    let visible = |c: char| match c {
        '\t' | '\n' | '\r' | '\u{a0}' | '\u{2007}' | '\u{202f}' | '\u{2028}' | '\u{2029}' | '\u{3000}' => Some(' '),
        c if c.is_control() => Some(SUBSTITUTE),
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => Some(SUBSTITUTE),
        '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{ad}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}' => None,
        c => Some(c),
    };
    text.chars().filter_map(visible).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(fonts: &Fonts, line: &Line) -> String {
        let of = |font: Font, id: u16| fonts.used(font).into_iter().find(|(used, _)| *used == id).unwrap().1;
        line.runs.iter().flat_map(|run| run.glyphs.iter().map(|g| of(run.font, g.id).to_string())).collect()
    }

    #[test]
    fn every_script_becomes_glyphs_in_visual_order_and_nothing_panics() {
        let mut fonts = Fonts::new().unwrap();
        let table = [
            ("Migração concluída: ações, órgão, à", Font::Regular, "Migração concluída: ações, órgão, à"),
            ("שלום abc", Font::World, "abc םולש"),
            ("שלום@abc", Font::World, "םולש@abc"),
            ("e\u{301}", Font::Regular, "e\u{301}"),
            ("漢字", Font::World, "\u{fffd}\u{fffd}"),
            ("a\u{202e}b\u{0}", Font::Regular, "a\u{fffd}b\u{fffd}"),
            ("\u{2066}", Font::Regular, "\u{fffd}"),
            ("", Font::Regular, ""),
        ];
        for (text, first, expected) in table {
            let line = fonts.line(text, Font::Regular);
            assert_eq!(meaning(&fonts, &line), expected, "{text:?}");
            if let Some(run) = line.runs.iter().find(|run| run.font == first) {
                assert!(run.glyphs.iter().all(|glyph| glyph.id != 0), "{text:?} has a glyph that is missing");
            } else {
                assert!(text.is_empty(), "{text:?} does not use {first:?}");
            }
        }
    }

    #[test]
    fn arabic_letters_join() {
        let mut fonts = Fonts::new().unwrap();
        let alone = fonts.line("ب", Font::Regular);
        let joined = fonts.line("ببب", Font::Regular);
        let ids: Vec<u16> = joined.runs[0].glyphs.iter().map(|g| g.id).collect();
        assert_eq!(ids.len(), 3);
        assert!(!ids.contains(&alone.runs[0].glyphs[0].id), "every letter has the form of its place");
        assert!(ids[0] != ids[1] && ids[1] != ids[2]);
    }
}
