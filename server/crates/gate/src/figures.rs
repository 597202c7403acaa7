//! The figures that an approval signs, and how two readings of them differ.
//!
//! An approval is a person's word about what that person has seen. So it covers evidence that is as good or better,
//! and ends where any figure is worse: see [`crate::verdict`].

use crate::facts::{Facts, FolderFacts};
use gatepost_contract::{FigureChange, GateFigures};
use serde_json::Number;

impl Facts {
    /// The figures of the present evidence.
    #[must_use]
    pub fn figures(&self) -> GateFigures {
        let sum = |figure: fn(&FolderFacts) -> i64| {
            let folders = self.mailboxes.iter().flat_map(|m| &m.folders);
            folders.map(figure).fold(0, i64::saturating_add)
        };
        let ratios = self.mailboxes.iter().map(|m| if m.depth.is_some() { m.tally().ratio() } else { 0.0 });
        GateFigures {
            evidence_id: self.current_evidence,
            evidence_at: self.evidence_at.clone(),
            mailboxes: i64::try_from(self.mailboxes.len()).unwrap_or(i64::MAX),
            source: sum(|f| f.tally.source),
            arrived: sum(|f| f.tally.arrived),
            pending: sum(|f| f.tally.pending),
            quarantined: sum(|f| f.tally.quarantined),
            waived: sum(|f| f.tally.waived),
            changed: sum(|f| f.changed),
            rewritten: sum(|f| f.rewritten),
            flags_lost: sum(|f| f.flags_lost),
            misplaced: sum(|f| f.misplaced),
            doubled: sum(|f| f.doubled),
            worst_ratio: ratios.reduce(f64::min),
        }
    }
}

/// A figure's name, what it counts in words, and where it stands. Of all but the first two a larger one is worse.
type Figure = (&'static str, &'static str, fn(&GateFigures) -> i64);

const FIGURES: [Figure; 11] = [
    ("source", "messages at the source", |f| f.source),
    ("arrived", "messages arrived", |f| f.arrived),
    ("mailboxes", "mailboxes", |f| f.mailboxes),
    ("pending", "messages missing without an explanation", |f| f.pending),
    ("quarantined", "messages in quarantine", |f| f.quarantined),
    ("waived", "waived messages", |f| f.waived),
    ("changed", "messages with another body or date", |f| f.changed),
    ("rewritten", "messages rebuilt by the new server", |f| f.rewritten),
    ("flags_lost", "messages without all their flags", |f| f.flags_lost),
    ("misplaced", "messages in another folder", |f| f.misplaced),
    ("doubled", "messages in more than one copy", |f| f.doubled),
];

/// Where the figures begin of which a larger one is worse.
const GROWING: usize = 2;

const RATIO: (&str, &str) = ("worst_ratio", "the share of the worst mailbox that arrived");

/// Every figure that is not what it was.
#[must_use]
pub fn changes(seen: &GateFigures, now: &GateFigures) -> Vec<FigureChange> {
    differing(&FIGURES, seen, now, |seen, now| seen != now, seen.worst_ratio != now.worst_ratio)
}

/// Every figure that is worse than it was.
#[must_use]
pub fn worse(signed: &GateFigures, now: &GateFigures) -> Vec<FigureChange> {
    let sunk = now.worst_ratio.unwrap_or(0.0) < signed.worst_ratio.unwrap_or(0.0);
    differing(&FIGURES[GROWING..], signed, now, |signed, now| now > signed, sunk)
}

fn differing(
    figures: &[Figure],
    seen: &GateFigures,
    now: &GateFigures,
    differ: fn(i64, i64) -> bool,
    ratio_differs: bool,
) -> Vec<FigureChange> {
    let of = |name: &str, seen: Number, now: Number| FigureChange { figure: name.to_owned(), seen, now };
    let counts = figures.iter().map(|(name, _, get)| (name, get(seen), get(now)));
    let counts = counts.filter(|(_, seen, now)| differ(*seen, *now));
    let mut all: Vec<FigureChange> = counts.map(|(name, seen, now)| of(name, seen.into(), now.into())).collect();
    let ratio = |ratio: Option<f64>| Number::from_f64(ratio.unwrap_or(0.0)).unwrap_or_else(|| 0.into());
    if ratio_differs {
        all.push(of(RATIO.0, ratio(seen.worst_ratio), ratio(now.worst_ratio)));
    }
    all
}

/// The changes as a part of a sentence: `messages in quarantine: 0 → 3; waived messages: 2 → 5`.
#[must_use]
pub fn in_words(changes: &[FigureChange]) -> String {
    let each = changes.iter().map(|change| {
        if change.figure == RATIO.0 {
            return format!("{}: {} → {}", RATIO.1, percent(&change.seen), percent(&change.now));
        }
        let words = FIGURES.iter().find(|(name, ..)| *name == change.figure);
        format!("{}: {} → {}", words.map_or(change.figure.as_str(), |(_, words, _)| words), change.seen, change.now)
    });
    each.collect::<Vec<_>>().join("; ")
}

/// Hundredths of a percent, cut, so that 100 % is said of nothing less.
fn percent(ratio: &Number) -> String {
    format!("{:.2} %", (ratio.as_f64().unwrap_or(0.0) * 10_000.0).floor() / 100.0)
}

#[cfg(test)]
mod tests;
