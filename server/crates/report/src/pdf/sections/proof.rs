//! How a reader checks that the paper was not forged.

use super::super::{
    Paper,
    flow::{DIGITS, Flow, LABEL, MARGIN, MEASURE, TEXT},
    ink::MIST,
};

/// Draws the section.
pub fn section(flow: &mut Flow, paper: &Paper<'_>) {
    let lang = flow.lang;
    flow.section(lang.proof(), 230.0);
    flow.paragraph(lang.proof_intro(), TEXT);
    flow.skip(4.0);
    let seal = paper.signature;
    for (label, value) in [
        (lang.digest(), &seal.digest),
        (lang.signature(), &seal.signature),
        (lang.public_key(), &seal.public_key),
        (lang.key_id(), &seal.key_id),
    ] {
        let y = flow.y + 8.0;
        flow.put(label, MARGIN, y, LABEL);
        let mut y = y;
        for line in flow.wrap(value, DIGITS, MEASURE - 130.0, 3) {
            flow.put(&line, MARGIN + 130.0, y, DIGITS);
            y += DIGITS.leading;
        }
        flow.y = y + 3.0 - 8.0 + 4.0;
    }
    flow.skip(6.0);
    flow.paragraph(lang.proof_how(), TEXT);
    command(flow, "gatepost report verify report.pdf --key KEY");
    command(flow, "gatepost report verify report.json --signature report.json.sig --key KEY");
    flow.paragraph(lang.proof_openssl(), TEXT);
    command(flow, "openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in report.json -sigfile report.sig");
}

fn command(flow: &mut Flow, text: &str) {
    let (top, height) = (flow.y, 20.0);
    flow.sheet().field(MARGIN, top, MEASURE, height, 3.0, MIST);
    flow.put(text, MARGIN + 8.0, top + 12.8, DIGITS);
    flow.y += height + 7.0;
}
