//! One page's drawing: text, lines and fields, measured in points from the upper left corner.
//!
//! A sheet writes the page's content (ISO 32000-1 section 7.8.2) as it is drawn. printpdf's operations say the same, but
//! keep some sixty bytes for each glyph and a heap of points for each line: too much for thousands of rows.

use super::{
    fonts::{Font, Fonts, Line},
    ink::Ink,
};
use printpdf::{
    Actions, BorderArray, Codepoint, Destination, FontId, LinkAnnotation, Op, PdfFontHandle, Pt, Rect, TextItem,
};
use std::fmt::Write;

/// A4, in points.
pub const WIDTH: f32 = 595.28;
/// A4, in points.
pub const HEIGHT: f32 = 841.89;

/// A quarter of a circle by a Bézier curve.
const ARC: f32 = 0.552_284_8;

/// A page.
#[derive(Default)]
pub struct Sheet {
    content: String,
    links: Vec<Op>,
    fill: Option<Ink>,
}

/// Writes to the content. Writing to a text cannot fail.
macro_rules! put {
    ($sheet:expr, $($part:tt)+) => {{
        let _ = writeln!($sheet.content, $($part)+);
    }};
}

impl Sheet {
    /// What was drawn.
    pub fn into_ops(self) -> Vec<Op> {
        // An operator that printpdf does not know is written as it is.
        let mut ops = vec![Op::Unknown { key: self.content, value: Vec::new() }];
        ops.extend(self.links);
        ops
    }

    fn filled(&mut self, ink: Ink) {
        if self.fill != Some(ink) {
            put!(self, "{} rg", parts(ink));
            self.fill = Some(ink);
        }
    }

    /// A line of text whose baseline begins at `x`, `y`.
    pub fn text(&mut self, line: &Line, x: f32, y: f32, size: f32, ink: Ink) {
        if line.runs.is_empty() {
            return;
        }
        self.filled(ink);
        put!(self, "BT");
        let mut pen = 0.0;
        for run in &line.runs {
            put!(self, "/{} {size:.1} Tf", run.font.resource());
            let (mut raised, mut fresh) = (0.0, true);
            for glyph in &run.glyphs {
                if fresh || glyph.dx != 0.0 || glyph.dy != raised {
                    // Whatever is drawn away from the pen begins a piece of its own.
                    if !fresh {
                        self.content.push_str(">]TJ\n");
                    }
                    (raised, fresh) = (glyph.dy, false);
                    let (at_x, at_y) = (x + (pen + glyph.dx) * size / 1000.0, y - raised * size / 1000.0);
                    put!(self, "1 0 0 1 {at_x:.2} {:.2} Tm", HEIGHT - at_y);
                    self.content.push_str("[<");
                }
                let _ = write!(self.content, "{:04X}", glyph.id);
                let back = glyph.natural - (glyph.advance - glyph.dx);
                if back.abs() >= 0.5 {
                    let _ = write!(self.content, ">{back:.0}<");
                }
                pen += glyph.advance;
            }
            if !fresh {
                self.content.push_str(">]TJ\n");
            }
        }
        put!(self, "ET");
    }

    /// A page that shows every glyph of these fonts, with what each stands for. The file's fonts are made from it; it is
    /// taken out again.
    pub fn specimen(fonts: &Fonts) -> Vec<Op> {
        let mut ops = vec![Op::StartTextSection];
        for font in Font::ALL {
            let glyphs: Vec<Codepoint> =
                fonts.used(font).into_iter().map(|(id, text)| Codepoint::with_cid(id, 0.0, text.to_string())).collect();
            if !glyphs.is_empty() {
                let id = FontId(font.resource().to_owned());
                ops.push(Op::SetFont { font: PdfFontHandle::External(id), size: Pt(8.0) });
                ops.push(Op::ShowText { items: vec![TextItem::GlyphIds(glyphs)] });
            }
        }
        ops.push(Op::EndTextSection);
        ops
    }

    /// A straight line, `y` down.
    pub fn rule(&mut self, x: f32, y: f32, width: f32, thickness: f32, ink: Ink) {
        self.field(x, y - thickness / 2.0, width, thickness, 0.0, ink);
    }

    /// Lines from point to point, with round ends.
    pub fn stroke(&mut self, points: &[(f32, f32)], thickness: f32, ink: Ink) {
        put!(self, "{} RG {thickness:.2} w 1 J 1 j", parts(ink));
        self.path(points);
        put!(self, "S");
    }

    /// A filled polygon.
    pub fn polygon(&mut self, points: &[(f32, f32)], ink: Ink) {
        self.filled(ink);
        self.path(points);
        put!(self, "f");
    }

    fn path(&mut self, points: &[(f32, f32)]) {
        for (n, (x, y)) in points.iter().enumerate() {
            put!(self, "{x:.2} {:.2} {}", HEIGHT - y, if n == 0 { 'm' } else { 'l' });
        }
    }

    /// A filled disc.
    pub fn disc(&mut self, cx: f32, cy: f32, r: f32, ink: Ink) {
        self.field(cx - r, cy - r, 2.0 * r, 2.0 * r, r, ink);
    }

    /// A filled field, its corners rounded.
    pub fn field(&mut self, x: f32, y: f32, width: f32, height: f32, radius: f32, ink: Ink) {
        if width <= 0.0 || height <= 0.0 {
            return;
        }
        self.filled(ink);
        let r = radius.min(width / 2.0).min(height / 2.0);
        if r <= 0.0 {
            put!(self, "{x:.2} {:.2} {width:.2} {height:.2} re f", HEIGHT - y - height);
            return;
        }
        // From the left end of the upper edge, clockwise; a page's own axis goes up.
        let (left, right, top, bottom) = (x, x + width, HEIGHT - y, HEIGHT - y - height);
        let k = r * (1.0 - ARC);
        put!(self, "{:.2} {top:.2} m {:.2} {top:.2} l", left + r, right - r);
        put!(self, "{:.2} {top:.2} {right:.2} {:.2} {right:.2} {:.2} c", right - k, top - k, top - r);
        put!(self, "{right:.2} {:.2} l", bottom + r);
        put!(self, "{right:.2} {:.2} {:.2} {bottom:.2} {:.2} {bottom:.2} c", bottom + k, right - k, right - r);
        put!(self, "{:.2} {bottom:.2} l", left + r);
        put!(self, "{:.2} {bottom:.2} {left:.2} {:.2} {left:.2} {:.2} c", left + k, bottom + k, bottom + r);
        put!(self, "{left:.2} {:.2} l", top - r);
        put!(self, "{left:.2} {:.2} {:.2} {top:.2} {:.2} {top:.2} c f", top - k, left + k, left + r);
    }

    /// A place that leads to a page (from 1) when it is clicked.
    pub fn link(&mut self, x: f32, y: f32, width: f32, height: f32, page: usize) {
        let rect = Rect::from_xywh(Pt(x), Pt(HEIGHT - y - height), Pt(width), Pt(height));
        let target = Destination::Xyz { page, left: None, top: None, zoom: None };
        let border = BorderArray::Solid([0.0, 0.0, 0.0]);
        self.links.push(Op::LinkAnnotation {
            link: LinkAnnotation::new(rect, Actions::go_to(target), Some(border), None, None),
        });
    }
}

/// A colour as operators take it.
fn parts(ink: Ink) -> String {
    let part = |part: u8| f32::from(part) / 255.0;
    format!("{:.3} {:.3} {:.3}", part(ink.0), part(ink.1), part(ink.2))
}
