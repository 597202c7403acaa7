//! The second page: where everything stands, and what the words mean.

use super::super::{
    flow::{Flow, HEADING, MARGIN, MEASURE, NOTE, STRONG, SUBHEADING, TEXT, TOP, Type},
    fonts::Font,
    ink::{DEEP, GREY, HAIR, Ink, PALE},
};

/// Draws the contents on a page that was left for them.
pub fn page(flow: &mut Flow, number: usize) {
    let lang = flow.lang;
    let right = MARGIN + MEASURE;
    let mut y = TOP + 15.0;
    put(flow, number, lang.contents(), MARGIN, y, HEADING);
    rule(flow, number, y + 9.5, 0.9, DEEP);
    y += 38.0;
    for (n, place) in flow.places.clone().iter().enumerate() {
        put(flow, number, &(n + 1).to_string(), MARGIN, y, STRONG.in_ink(PALE));
        put(flow, number, &place.title, MARGIN + 24.0, y, TEXT);
        let page = place.page.to_string();
        let wide = flow.fonts.width(&page, Font::Regular, TEXT.size);
        put(flow, number, &page, right - wide, y, TEXT);
        rule(flow, number, y + 6.5, 0.4, HAIR);
        if let Some(sheet) = flow.page(number) {
            sheet.link(MARGIN, y - 12.0, MEASURE, 19.0, place.page);
        }
        y += 20.0;
    }
    y += 30.0;
    put(flow, number, lang.terms(), MARGIN, y, SUBHEADING);
    y += 20.0;
    let terms = [
        (lang.arrived(), lang.term_arrived()),
        (lang.pending(), lang.term_pending()),
        (lang.quarantined(), lang.term_quarantined()),
        (lang.waived(), lang.term_waived()),
        (lang.gate_title(), lang.term_gate()),
        (lang.evidence(), lang.term_evidence()),
    ];
    for (term, meaning) in terms {
        put(flow, number, term, MARGIN, y, Type { size: 8.0, ..STRONG });
        put(flow, number, meaning, MARGIN + 100.0, y, NOTE);
        y += 15.0;
    }
    y += 6.0;
    put(flow, number, lang.sum_adds_up(), MARGIN, y, NOTE.in_ink(GREY));
}

fn put(flow: &mut Flow, number: usize, text: &str, x: f32, y: f32, kind: Type) {
    let line = flow.fonts.line(text, kind.font);
    if let Some(sheet) = flow.page(number) {
        sheet.text(&line, x, y, kind.size, kind.ink);
    }
}

fn rule(flow: &mut Flow, number: usize, y: f32, thickness: f32, ink: Ink) {
    if let Some(sheet) = flow.page(number) {
        sheet.rule(MARGIN, y, MEASURE, thickness, ink);
    }
}
