//! The badge: the gate of one job as a picture, drawn here. Shape, word and colour each say the same. The picture
//! stands by itself: no font, no script, nothing that is loaded.

use super::{Look, Refused, Theme, verdict};
use crate::{
    components::{Shape, Tone},
    numbers::minute,
};
use gatepost_contract::SharedGate;
use std::fmt::Write as _;

/// A picture and what its policy must allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// The SVG document.
    pub svg: String,
    /// Its style, where it has one.
    pub style: Option<String>,
}

/// The gate.
#[must_use]
pub fn badge(shared: &SharedGate, look: Look) -> Picture {
    look.write(|| {
        let (tone, shape, word) = verdict(shared);
        let proof = shared.evidence_at.as_deref().map_or_else(
            || t!(shared.no_evidence).to_owned(),
            |at| t!(shared.evidence_at, at = minute(at)).to_string(),
        );
        let third = match shared.override_reason {
            Some(_) => format!("{} · {proof}", t!(shared.overridden)),
            None => proof,
        };
        let title = t!(shared.badge_title, domain = shared.domain.as_str(), gate = word).to_string();
        let domain = shortened(&shared.domain, 44);
        draw(look, &Drawing { tone, shape, title: &title, lines: [word, &domain, &third] })
    })
}

/// What is shown instead: it says nothing about any job.
#[must_use]
pub fn refused(why: Refused, look: Look) -> Picture {
    look.write(|| {
        let heading = why.heading();
        draw(look, &Drawing { tone: Tone::Quiet, shape: Shape::Dash, title: heading, lines: [heading, "Gatepost", ""] })
    })
}

struct Drawing<'a> {
    tone: Tone,
    shape: Shape,
    title: &'a str,
    lines: [&'a str; 3],
}

/// The colours of a theme.
struct Palette {
    surface: &'static str,
    line: &'static str,
    text: &'static str,
    soft: &'static str,
    accent: &'static str,
    ground: &'static str,
}

/// The same pairs as the Desk's style sheet, which keep WCAG AA.
const fn palette(tone: Tone, dark: bool) -> Palette {
    let (accent, ground) = match (tone, dark) {
        (Tone::Good, false) => ("#17633a", "#e2f2e7"),
        (Tone::Good, true) => ("#7cd6a0", "#17301f"),
        (Tone::Warn, false) => ("#7a4a00", "#fbf0d9"),
        (Tone::Warn, true) => ("#f0bd62", "#36290f"),
        (Tone::Bad, false) => ("#a3241f", "#fce8e5"),
        (Tone::Bad, true) => ("#ff9c92", "#3a1b19"),
        (Tone::Busy | Tone::Quiet, false) => ("#4b5853", "#e9edea"),
        (Tone::Busy | Tone::Quiet, true) => ("#b3beb9", "#262e31"),
    };
    if dark {
        Palette { surface: "#1b2124", line: "#313a3e", text: "#e6ebe8", soft: "#a9b5b0", accent, ground }
    } else {
        Palette { surface: "#ffffff", line: "#d5dad6", text: "#1a2320", soft: "#505d57", accent, ground }
    }
}

const SIZES: [f64; 3] = [14.0, 12.0, 11.0];
const ICON: f64 = 52.0;
const PAD: f64 = 12.0;

fn draw(look: Look, drawing: &Drawing<'_>) -> Picture {
    let Drawing { tone, shape, title, lines } = *drawing;
    let Palette { surface, line, text, soft, accent, ground } = palette(tone, look.theme == Theme::Dark);
    let widest = lines.iter().zip(SIZES).map(|(words, size)| width(words, size)).fold(0.0, f64::max);
    let whole = (ICON + PAD + widest + PAD).ceil();
    let height = if lines[2].is_empty() { 52 } else { 68 };
    let middle = f64::from(height) / 2.0 - 12.0;
    // The light colours stand on the elements themselves, for renderers that know no style sheets.
    let style = (look.theme == Theme::Auto).then(|| {
        let Palette { surface, line, text, soft, accent, ground } = palette(tone, true);
        format!(
            "@media (prefers-color-scheme:dark){{.s{{fill:{surface};stroke:{line}}}.t{{fill:{text}}}.o{{fill:{soft}}}\
             .a{{fill:{accent}}}.g{{fill:{ground}}}.i{{stroke:{accent}}}}}"
        )
    });
    let mut svg = String::with_capacity(2048);
    // Writing to a String cannot fail.
    let _ = write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{whole}\" height=\"{height}\" viewBox=\"0 0 {whole} {height}\" \
         role=\"img\" aria-labelledby=\"t\" xml:lang=\"{}\" font-family=\"Verdana,'DejaVu Sans',Geneva,sans-serif\">\
         <title id=\"t\">{}</title>",
        look.language(),
        escaped(title)
    );
    if let Some(style) = &style {
        let _ = write!(svg, "<style>{style}</style>");
    }
    let _ = write!(
        svg,
        "<rect class=\"s\" x=\".5\" y=\".5\" width=\"{}\" height=\"{}\" rx=\"6\" fill=\"{surface}\" stroke=\"{line}\"/>\
         <path class=\"g\" d=\"M7 1h{}v{}h-{}a6 6 0 0 1-6-6V7a6 6 0 0 1 6-6z\" fill=\"{ground}\"/>\
         <g transform=\"translate({} {middle}) scale(1.5)\"><path class=\"i\" d=\"{}\" fill=\"none\" stroke=\"{accent}\" \
         stroke-width=\"1.6\" stroke-linecap=\"round\" stroke-linejoin=\"round\"/></g>",
        whole - 1.0,
        height - 1,
        ICON - 7.0,
        height - 2,
        ICON - 7.0,
        (ICON - 24.0) / 2.0,
        shape.path(),
    );
    let rows = [("a", accent, " font-weight=\"bold\"", 22), ("t", text, "", 40), ("o", soft, "", 57)];
    for ((words, size), (class, colour, weight, y)) in lines.iter().zip(SIZES).zip(rows) {
        if !words.is_empty() {
            let _ = write!(
                svg,
                "<text class=\"{class}\" x=\"{}\" y=\"{y}\" font-size=\"{size}\" fill=\"{colour}\"{weight}>{}</text>",
                ICON + PAD,
                escaped(words)
            );
        }
    }
    svg.push_str("</svg>\n");
    Picture { svg, style }
}

/// About how wide a text is in a wide font; what is drawn is a little narrower.
fn width(text: &str, size: f64) -> f64 {
    let ems: f64 =
        text.chars()
            .map(|c| match c {
                'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' | '·' | 'f' | 't' | 'r'
                | '-' => 0.42,
                'm' | 'w' | 'M' | 'W' | '@' | '…' => 0.98,
                'A'..='Z' => 0.76,
                _ => 0.64,
            })
            .sum();
    // The first line is bold.
    ems * size * if size > 13.0 { 1.12 } else { 1.0 }
}

/// A long name without its middle: its beginning and its end tell names apart best.
fn shortened(text: &str, most: usize) -> String {
    let letters: Vec<char> = text.chars().collect();
    if letters.len() <= most {
        return text.to_owned();
    }
    let (front, back) = (most / 2, most - most / 2 - 1);
    letters[..front].iter().chain(&['…']).chain(&letters[letters.len() - back..]).collect()
}

/// Text for XML. What XML 1.0 cannot hold becomes a visible substitute.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepost_contract::Gate;

    fn shared(gate: Gate) -> SharedGate {
        SharedGate {
            domain: "example.org".into(),
            gate,
            closed: false,
            checks: Vec::new(),
            evidence_at: Some("2026-11-21T04:12:09.000Z".into()),
            approved_at: None,
            override_reason: None,
            dns_cutover_at: None,
        }
    }

    #[test]
    fn each_verdict_differs_in_word_shape_and_colour_in_both_languages() {
        for language in ["en", "pt-BR"] {
            for theme in ["light", "dark", "auto"] {
                let look = Look::of(Some(language), None, Some(theme));
                let all = Gate::ALL.iter().map(|gate| badge(&shared(*gate), look).svg).collect::<Vec<_>>();
                let part = |svg: &str, from: &str| {
                    let rest = svg.split(from).nth(1).expect(from);
                    rest.split('"').next().expect("a value").to_owned()
                };
                for from in
                    ["class=\"i\" d=\"", "class=\"g\" d=\"M7 1h45v66h-45a6 6 0 0 1-6-6V7a6 6 0 0 1 6-6z\" fill=\""]
                {
                    let values: std::collections::BTreeSet<String> = all.iter().map(|svg| part(svg, from)).collect();
                    assert_eq!(values.len(), 3, "{from}: {values:?}");
                }
                for svg in &all {
                    assert!(svg.contains("role=\"img\"") && svg.contains("<title id=\"t\">"), "{svg}");
                    assert!(svg.contains("example.org") && svg.contains("2026-11-21 04:12 UTC"), "{svg}");
                    assert_eq!(svg.contains("<style>"), theme == "auto", "{svg}");
                    assert!(!svg.contains("style=") && !svg.contains("<script") && !svg.contains("href"), "{svg}");
                }
            }
        }
        let word = |language| badge(&shared(Gate::ReadyForDns), Look::of(Some(language), None, None)).svg;
        assert!(word("en").contains(">Ready for DNS<"));
        assert!(word("pt-BR").contains(">Pronto para DNS<"));
    }

    #[test]
    fn an_override_and_a_closed_job_are_said_aloud() {
        let look = Look::of(None, None, None);
        let overridden =
            SharedGate { override_reason: Some("the customer insists".into()), ..shared(Gate::ReadyForDns) };
        let svg = badge(&overridden, look).svg;
        assert!(svg.contains("Opened by override"), "{svg}");
        assert!(!svg.contains("insists"), "{svg}");
        let closed = badge(&SharedGate { closed: true, ..shared(Gate::ReadyForDns) }, look).svg;
        assert!(closed.contains(">Closed<") && !closed.contains("Ready"), "{closed}");
    }

    #[test]
    fn long_and_hostile_names_stay_text_within_bounds() {
        let look = Look::of(None, None, None);
        let long = SharedGate { domain: format!("{}.example", "a".repeat(240)), ..shared(Gate::Blocked) };
        let svg = badge(&long, look).svg;
        let width: f64 = svg.split("width=\"").nth(1).and_then(|w| w.split('"').next()?.parse().ok()).expect("a width");
        assert!(width < 520.0, "{width}");
        assert!(svg.contains(&long.domain), "the title has the whole name");
        let hostile = SharedGate { domain: "<script>&\"\0\u{7}.example".into(), ..shared(Gate::Blocked) };
        let svg = badge(&hostile, look).svg;
        assert!(!svg.contains("<script") && !svg.contains('\0') && svg.contains("&lt;script&gt;&amp;&quot;"), "{svg}");
    }

    #[test]
    fn a_refused_badge_names_no_job() {
        for why in [Refused::Invalid, Refused::TooMany { seconds: 7 }, Refused::Fault] {
            let svg = refused(why, Look::of(None, None, None)).svg;
            assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"), "{svg}");
            assert!(!svg.contains("example"), "{svg}");
        }
    }
}
