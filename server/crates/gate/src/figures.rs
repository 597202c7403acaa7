//! The figures that an approval signs, and how two readings of them differ.
//!
//! An approval is a person's word about what that person has seen. So it covers evidence that is as good or better,
//! and ends where any figure is worse: see [`crate::verdict`].

use crate::facts::{Approval, Facts, FolderFacts, MailboxFacts};
use gatepost_contract::{FigureChange, GateFigures, MailboxId};
use serde_json::Number;

impl Facts {
    /// The figures of the present evidence.
    #[must_use]
    pub fn figures(&self) -> GateFigures {
        GateFigures {
            evidence_id: self.current_evidence,
            evidence_at: self.evidence_at.clone(),
            ..summed(&self.mailboxes)
        }
    }
}

/// The figures of each mailbox by itself, by the evidence alone: what the ledger adds is in the sums.
#[must_use]
pub fn by_mailbox(mailboxes: &[MailboxFacts]) -> Vec<(MailboxId, GateFigures)> {
    let read = |mailbox: &MailboxFacts| {
        let mut mailbox = mailbox.clone();
        mailbox.folders.iter_mut().for_each(|folder| folder.ledger = None);
        (mailbox.id, summed(&[mailbox]))
    };
    mailboxes.iter().map(read).collect()
}

fn summed(mailboxes: &[MailboxFacts]) -> GateFigures {
    let sum = |figure: fn(&FolderFacts) -> i64| {
        mailboxes.iter().flat_map(|m| &m.folders).map(figure).fold(0, i64::saturating_add)
    };
    let ratios = mailboxes.iter().map(|m| if m.depth.is_some() { m.tally().ratio() } else { 0.0 });
    GateFigures {
        evidence_id: None,
        evidence_at: None,
        mailboxes: i64::try_from(mailboxes.len()).unwrap_or(i64::MAX),
        source: sum(|f| f.tally.source),
        arrived: sum(|f| f.tally.arrived),
        pending: sum(FolderFacts::pending),
        quarantined: sum(FolderFacts::quarantined),
        waived: sum(|f| f.tally.waived),
        changed: sum(FolderFacts::changed),
        rewritten: sum(|f| f.rewritten),
        flags_lost: sum(|f| f.flags_lost),
        misplaced: sum(|f| f.misplaced),
        doubled: sum(|f| f.doubled),
        worst_ratio: ratios.reduce(f64::min),
    }
}

/// A figure's name, what it counts in words, and where it stands. Of all but the first three a larger one is worse.
/// Mailboxes may be no more and no fewer than were signed: others are other ones.
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

/// Where the mailboxes stand.
const MAILBOXES: usize = 2;
/// Where the figures begin of which a larger one is worse.
const GROWING: usize = 3;

const RATIO: (&str, &str) = ("worst_ratio", "the share of the worst mailbox that arrived");

/// Every figure that is not what it was.
#[must_use]
pub fn changes(seen: &GateFigures, now: &GateFigures) -> Vec<FigureChange> {
    let same = match (seen.worst_ratio, now.worst_ratio) {
        (Some(seen), Some(now)) => !(is_less(seen, now) || is_less(now, seen)),
        (seen, now) => seen == now,
    };
    differing(&FIGURES, seen, now, |seen, now| seen != now, !same)
}

/// Whether a share is less than another. What was signed was written down as text meanwhile, and need not come back to
/// the last bit; shares of messages that can be told apart differ by far more.
fn is_less(one: f64, other: f64) -> bool {
    one < other - 1e-12
}

/// Every figure that is worse than it was. Where no share was signed, the best counts as signed.
#[must_use]
pub fn worse(signed: &GateFigures, now: &GateFigures) -> Vec<FigureChange> {
    let signed = &GateFigures { worst_ratio: signed.worst_ratio.or(now.worst_ratio.map(|_| 1.0)), ..signed.clone() };
    let sunk = is_less(now.worst_ratio.unwrap_or(0.0), signed.worst_ratio.unwrap_or(0.0));
    let mut all = differing(&FIGURES[MAILBOXES..GROWING], signed, now, |signed, now| now != signed, false);
    all.extend(differing(&FIGURES[GROWING..], signed, now, |signed, now| now > signed, sunk));
    all
}

/// What is worse than what was signed, in words; empty where nothing is. Sums hide what gets better in one mailbox and
/// worse in another, so each mailbox is compared by itself as well.
#[must_use]
pub fn worse_than_signed(approval: &Approval, facts: &Facts) -> String {
    let Some(signed) = &approval.signed else { return String::new() };
    let sums = worse(signed, &facts.figures());
    if !sums.is_empty() || approval.signed_by_mailbox.is_empty() {
        return in_words(&sums);
    }
    let by_mailbox = by_mailbox(&facts.mailboxes);
    let each = facts.mailboxes.iter().zip(&by_mailbox).filter_map(|(mailbox, (id, now))| {
        let Some((_, signed)) = approval.signed_by_mailbox.iter().find(|(of, _)| of == id) else {
            return Some(format!("{} was not there", mailbox.email));
        };
        let grown = differing(&FIGURES[GROWING..], signed, now, |signed, now| now > signed, false);
        (!grown.is_empty()).then(|| format!("{}: {}", mailbox.email, in_words(&grown)))
    });
    each.collect::<Vec<_>>().join("; ")
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
