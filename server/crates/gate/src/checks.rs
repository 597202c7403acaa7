//! The seven checks that look at evidence and runs. The eighth, `manual_approval`, weighs a person's word against
//! these and lives in [`crate::verdict`].
//!
//! Rules that hold for all of them:
//! - What was never read proves nothing: a job without mailboxes and a mailbox that was never verified fail every
//!   check that needs evidence. Until the MX was changed, evidence that is older than allowed proves nothing either:
//!   it tells of a mailbox that people have used since. Nor does evidence that a later quick look contradicts: counts
//!   prove nothing, but they can disprove. The same holds where the ledger has more amiss than the evidence: a run has
//!   found or left it since.
//! - Nor is the source known while a file that somebody attached was not read: neither its messages nor its folders.
//! - The worst mailbox decides, never the average.
//! - Ratios are compared in whole numbers. The required ratio is taken as billionths, rounded to the nearest, so
//!   that 0.99 is exactly 990,000,000; a mailbox reaches it when `arrived × 1,000,000,000 ≥ source × billionths`.
//!   99 of 100 reach 0.99. Percentages in messages are cut, not rounded, so that 100 % is said of nothing less.
//! - A message names at most three mailboxes or folders; the evidence has them all.

use crate::facts::{Facts, FolderFacts, MailboxFacts};
use gatepost_contract::{CheckStatus, Depth, SpecialUse, Tally};
use std::cmp::Ordering;

/// How a check came out, before it is given its name and time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) status: CheckStatus,
    pub(crate) message: String,
}

pub(crate) fn pass(message: impl Into<String>) -> Finding {
    Finding { status: CheckStatus::Pass, message: message.into() }
}

pub(crate) fn warn(message: impl Into<String>) -> Finding {
    Finding { status: CheckStatus::Warn, message: message.into() }
}

fn fail(message: impl Into<String>) -> Finding {
    Finding { status: CheckStatus::Fail, message: message.into() }
}

const WHOLE: i128 = 1_000_000_000;
const NAMED: usize = 3;
const TOLD: usize = 100;

/// `count_ratio`: arrived ÷ source of the worst mailbox.
///
/// | mailbox | |
/// |---|---|
/// | never verified, or its figures do not add up | fail |
/// | a file of it was not read, so that nobody knows how many messages there are | fail |
/// | below the ratio, and something pending or quarantined | fail |
/// | below the ratio, and everything missing was waived | warn, so that a person sees it |
/// | at or above the ratio, and something pending or quarantined | warn |
/// | at or above the ratio, and nothing but waived messages missing | pass |
pub(crate) fn count_ratio(facts: &Facts) -> Finding {
    if let Some(unproved) = unproved(facts).or_else(|| left_out(facts)) {
        return unproved;
    }
    let broken = |m: &&MailboxFacts| !m.adds_up || !m.folders.iter().all(|f| whole(&f.tally));
    let broken = names(facts.mailboxes.iter().filter(broken).map(email));
    if !broken.is_empty() {
        return fail(format!(
            "The figures of {broken} do not add up: arrived, pending, quarantined and waived must sum to the source, and \
             the folders to the mailbox; verify again."
        ));
    }
    let required = required(facts.min_ratio);
    let tallies: Vec<(&str, Tally)> = facts.mailboxes.iter().map(|m| (m.email.as_str(), m.tally())).collect();
    let open = |t: &Tally| t.pending > 0 || t.quarantined > 0;
    let figures = |some: &[&(&str, Tally)]| {
        some.iter().min_by(|a, b| by_ratio(&a.1, &b.1)).map_or_else(String::new, |(email, t)| {
            let percent = percent(t.arrived, t.source);
            format!("{email} has {} of {} messages at the new server ({percent})", t.arrived, t.source)
        })
    };
    let worst = figures(&tallies.iter().collect::<Vec<_>>());
    let required_percent = required as f64 / (WHOLE / 100) as f64;

    let short: Vec<_> = tallies.iter().filter(|(_, t)| !reaches(t, required)).collect();
    let failing: Vec<_> = short.iter().copied().filter(|(_, t)| open(t)).collect();
    if !failing.is_empty() {
        let each = names(failing.iter().map(|(email, t)| format!("{email} ({})", missing(t))));
        return fail(format!(
            "Below the required {required_percent} %: {each}; the worst, {}. Run a delta, work the quarantine and verify \
             again.",
            figures(&failing)
        ));
    }
    if !short.is_empty() {
        let each = names(short.iter().map(|(email, t)| format!("{email} ({} waived)", t.waived)));
        return warn(format!(
            "{worst}, below the required {required_percent} %, but every missing message was waived: {each}. Read \
             the waivers before approving."
        ));
    }
    let unexplained: Vec<_> = tallies.iter().filter(|(_, t)| open(t)).collect();
    if !unexplained.is_empty() {
        let each = names(unexplained.iter().map(|(email, t)| format!("{email} ({})", missing(t))));
        return warn(format!(
            "{worst}, which reaches the required {required_percent} %, but not every missing message is explained: \
             {each}. Run a delta and verify again, or read the residue before approving."
        ));
    }
    let waived = tallies.iter().map(|(_, t)| t.waived).fold(0, i64::saturating_add);
    let source = tallies.iter().map(|(_, t)| t.source).fold(0, i64::saturating_add);
    pass(match waived {
        0 => format!("All {source} messages of {} have arrived.", count(tallies.len(), "mailbox", "mailboxes")),
        _ => format!("{worst}; nothing is missing but {waived} waived, with a reason for each."),
    })
}

/// `folder_coverage`: every source folder was visited and is mapped; every file was read, so that its folders are known. A
/// file that has lost content warns with every loss, since none of it is in a count; so does one that was removed before
/// it was proved.
pub(crate) fn folder_coverage(facts: &Facts) -> Finding {
    if let Some(unproved) = left_out(facts).or_else(|| unproved(facts)) {
        return unproved;
    }
    let bare = names(facts.mailboxes.iter().filter(|m| m.folders.is_empty()).map(email));
    if !bare.is_empty() {
        return fail(format!("No folder of {bare} was read; run a preflight and verify again."));
    }
    let unmapped = names(folders(facts, |f| !f.mapped).map(place));
    if !unmapped.is_empty() {
        return fail(format!("Without a place at the new server: {unmapped}; map them, run a delta and verify again."));
    }
    let unvisited = names(folders(facts, |f| !f.visited).map(place));
    if !unvisited.is_empty() {
        return fail(format!(
            "Could not be read on both sides: {unvisited}; see the last run's log, then verify again."
        ));
    }
    let damaged = all_of(facts, |m| &m.damaged);
    let removed = all_of(facts, |m| &m.removed);
    let mut amiss = Vec::new();
    if !damaged.is_empty() {
        amiss.push(format!(
            "All that could be found was read, but files have lost content: {damaged} Bring a whole copy of them, or read \
             what is missing before approving."
        ));
    }
    if !removed.is_empty() {
        amiss.push(format!(
            "Not everything that was attached is proved: {removed}. Upload it again and run a delta, or read why before \
             approving."
        ));
    }
    if !amiss.is_empty() {
        return warn(amiss.join(" "));
    }
    let all = facts.mailboxes.iter().map(|m| m.folders.len()).sum();
    pass(format!(
        "{} of {} mapped and read on both sides.",
        count(all, "folder", "folders"),
        count(facts.mailboxes.len(), "mailbox", "mailboxes")
    ))
}

/// `inbox_complete`: nothing unexplained is missing from any INBOX.
pub(crate) fn inbox_complete(facts: &Facts) -> Finding {
    complete(facts, SpecialUse::Inbox, "INBOX", "an INBOX")
}

/// `sent_complete`: the same for the folder of sent mail.
pub(crate) fn sent_complete(facts: &Facts) -> Finding {
    complete(facts, SpecialUse::Sent, "Sent folder", "a Sent folder")
}

/// Pending messages are unexplained; for quarantined ones `pst_quarantine` stands, waived ones have a reason.
fn complete(facts: &Facts, special_use: SpecialUse, what: &str, a_what: &str) -> Finding {
    if let Some(unproved) = unproved(facts) {
        return unproved;
    }
    let is_it = |f: &FolderFacts| f.special_use == Some(special_use);
    let unread = names(folders(facts, |f| is_it(f) && !f.visited).map(place));
    if !unread.is_empty() {
        return fail(format!("Could not be read on both sides: {unread}; see the last run's log, then verify again."));
    }
    let short = names(
        folders(facts, |f| is_it(f) && f.tally.pending > 0)
            .map(|(m, f)| format!("{} ({} of {} pending)", place((m, f)), f.tally.pending, f.tally.source)),
    );
    if !short.is_empty() {
        return fail(format!(
            "Messages are missing without an explanation from {short}; run a delta and verify again."
        ));
    }
    let messages = folders(facts, is_it).map(|(_, f)| f.tally.source).fold(0, i64::saturating_add);
    let having = facts.mailboxes.iter().filter(|m| m.folders.iter().any(is_it)).count();
    pass(match having {
        0 => format!("No mailbox has {a_what}, so nothing is missing from one."),
        _ => format!(
            "Nothing unexplained is missing from the {what} of {} ({messages} messages).",
            count(having, "mailbox", "mailboxes")
        ),
    })
}

/// `content_match`: what was re-read carries the same content, date, folder and flags, once.
///
/// A verification at depth `quick` reads counts and sizes only, so it compares no content and cannot pass.
pub(crate) fn content_match(facts: &Facts) -> Finding {
    if let Some(unproved) = unproved(facts) {
        return unproved;
    }
    let wrong = [
        (listed(facts, |f| f.changed), "arrived with another body or date"),
        (listed(facts, |f| f.misplaced), "lie in another folder"),
        (listed(facts, |f| f.doubled), "are there more than once"),
    ];
    let wrong: Vec<String> = wrong
        .into_iter()
        .filter(|(where_, _)| !where_.is_empty())
        .map(|(where_, what)| format!("{what}: {where_}"))
        .collect();
    if !wrong.is_empty() {
        return fail(format!(
            "At the new server messages {}; look at the residue, put them right and verify again.",
            wrong.join("; others ")
        ));
    }
    let uncompared = names(facts.mailboxes.iter().filter(|m| m.depth == Some(Depth::Quick)).map(email));
    if !uncompared.is_empty() {
        return fail(format!(
            "Only counts and sizes were compared for {uncompared}; verify again at depth standard or deep."
        ));
    }
    let rewritten = listed(facts, |f| f.rewritten);
    let flags_lost = listed(facts, |f| f.flags_lost);
    let rebuilt = format!("the new server rebuilt messages, whose headers and parts agree: {rewritten}");
    let dropped = format!("flags or keywords that the new server does not keep were dropped: {flags_lost}");
    match (rewritten.is_empty(), flags_lost.is_empty()) {
        (true, true) => pass("What was re-read has the same content, date, folder and flags as at the source."),
        (false, true) => warn(format!("Look before approving: {rebuilt}.")),
        (true, false) => warn(format!("Look before approving: {dropped}.")),
        (false, false) => warn(format!("Look before approving: {rebuilt}; {dropped}.")),
    }
}

/// `pst_quarantine`: no open quarantine item, of whatever kind of source.
pub(crate) fn pst_quarantine(facts: &Facts) -> Finding {
    let open = match facts.dns_cutover {
        true => listed(facts, |f| f.tally.quarantined),
        false => listed(facts, FolderFacts::quarantined),
    };
    if !open.is_empty() {
        return fail(format!("Refused messages wait in quarantine: {open}; retry each or have it waived."));
    }
    let waived = listed(facts, |f| f.tally.waived);
    if !waived.is_empty() {
        return warn(format!("No quarantine item is open, but messages were waived: {waived}; read the reasons."));
    }
    pass("Nothing waits in quarantine.")
}

/// `delta_pending`: the last delta is recent, ended well and left nothing pending.
pub(crate) fn delta_pending(facts: &Facts) -> Finding {
    if !facts.initial_done {
        return fail("The initial sync has not ended for every mailbox; run it, then a delta.");
    }
    let Some(delta) = facts.last_delta else {
        return fail("No delta has run since the initial sync; run one.");
    };
    let age = facts.now_seconds.saturating_sub(delta.finished_seconds).max(0);
    if !delta.ended_well {
        return warn(format!("The last delta, {} ago, did not end well; see its log and run another.", duration(age)));
    }
    if delta.pending > 0 {
        return warn(format!("The last delta left {} to be copied; run another.", messages(delta.pending)));
    }
    if age > facts.delta_max_age_seconds {
        return warn(format!(
            "The last delta ended {} ago, longer than the {} allowed; run another.",
            duration(age),
            duration(facts.delta_max_age_seconds)
        ));
    }
    pass(format!("The last delta ended well {} ago and left nothing to be copied.", duration(age)))
}

pub(crate) const NO_MAILBOXES: &str = "The job has no mailboxes: add them, copy and verify.";

/// What stands against every check that needs evidence.
fn unproved(facts: &Facts) -> Option<Finding> {
    if facts.mailboxes.is_empty() {
        return Some(fail(NO_MAILBOXES));
    }
    let unverified = |never: bool| {
        names(facts.mailboxes.iter().filter(|m| m.depth.is_none() && m.read_seconds.is_none() == never).map(email))
    };
    let (never, outdated) = (unverified(true), unverified(false));
    if !never.is_empty() {
        return Some(fail(format!("Not verified yet: {never}; run a verification.")));
    }
    if !outdated.is_empty() {
        return Some(fail(format!("A run has changed {outdated} since the last verification; verify again.")));
    }
    let contradicted = |m: &MailboxFacts| !m.contradicted.is_empty() && !facts.dns_cutover;
    let otherwise = facts.mailboxes.iter().filter(|m| contradicted(m));
    let otherwise = names(otherwise.flat_map(|m| m.contradicted.iter().map(move |f| format!("{}: {f}", m.email))));
    if !otherwise.is_empty() {
        return Some(fail(format!(
            "A quick look counted other numbers than the evidence has in {otherwise}; run a delta and verify again."
        )));
    }
    let since = match facts.dns_cutover {
        true => String::new(),
        false => listed(facts, FolderFacts::amiss_since),
    };
    if !since.is_empty() {
        return Some(fail(format!(
            "Runs since the last verification have found or left more amiss than it knows of: {since}; run a delta and \
             verify again."
        )));
    }
    let undated = names(facts.mailboxes.iter().filter(|m| undated(facts, m)).map(email));
    if !undated.is_empty() {
        return Some(fail(format!(
            "When {undated} was verified cannot be told: the time is none, or lies in the future; verify again."
        )));
    }
    let oldest = facts.mailboxes.iter().filter_map(|m| expired(facts, m)).max()?;
    let old = names(facts.mailboxes.iter().filter(|m| expired(facts, m).is_some()).map(email));
    Some(fail(format!(
        "The evidence of {old} is {} old, longer than the {} allowed; verify again.",
        duration(oldest),
        duration(facts.evidence_max_age_seconds)
    )))
}

/// What is told of files, of one kind: nothing grave may hide behind the first few. Where there is very much of it, the
/// files' own pages have the rest.
fn all_of(facts: &Facts, of: impl Fn(&MailboxFacts) -> &Vec<String>) -> String {
    let each = facts.mailboxes.iter().flat_map(|m| of(m).iter().map(move |told| format!("{}: {told}", m.email)));
    let mut told: Vec<String> = each.collect();
    if told.len() > TOLD {
        let more = told.len() - TOLD;
        told.truncate(TOLD);
        told.push(format!("and {more} more, which the pages of the files show."));
    }
    told.join("; ")
}

/// Files of mail that were attached, and that the evidence knows nothing of.
fn left_out(facts: &Facts) -> Option<Finding> {
    let each = facts.mailboxes.iter().flat_map(|m| m.left_out.iter().map(move |file| format!("{}: {file}", m.email)));
    let files = names(each);
    (!files.is_empty()).then(|| {
        fail(format!(
            "Not every file was taken in: {files}. Wait for it, upload it again whole or delete it; then run a delta and \
             verify again."
        ))
    })
}

/// How old a mailbox's evidence is, where that is more than allowed. After the MX was changed it no longer matters:
/// there is nothing left that old evidence could let through.
fn expired(facts: &Facts, mailbox: &MailboxFacts) -> Option<i64> {
    let age = facts.now_seconds.saturating_sub(mailbox.read_seconds?);
    (age > facts.evidence_max_age_seconds && !facts.dns_cutover).then_some(age)
}

/// How far the clocks of two machines may differ, in seconds.
const CLOCKS_DIFFER: i64 = 300;

/// Whether a mailbox's evidence has no age, so that it would never grow old.
fn undated(facts: &Facts, mailbox: &MailboxFacts) -> bool {
    let latest = facts.now_seconds.saturating_add(CLOCKS_DIFFER);
    mailbox.depth.is_some() && mailbox.read_seconds.is_none_or(|read| read > latest) && !facts.dns_cutover
}

/// Whether every source message of a folder has one place, and no figure is negative.
fn whole(tally: &Tally) -> bool {
    let places = [tally.arrived, tally.pending, tally.quarantined, tally.waived];
    places.iter().all(|n| *n >= 0) && places.into_iter().map(i128::from).sum::<i128>() == i128::from(tally.source)
}

/// The required ratio in billionths. What is no number is taken as the strictest.
fn required(min_ratio: f64) -> i128 {
    if min_ratio.is_nan() { WHOLE } else { (min_ratio.clamp(0.0, 1.0) * WHOLE as f64).round() as i128 }
}

fn reaches(tally: &Tally, required: i128) -> bool {
    i128::from(tally.arrived) * WHOLE >= i128::from(tally.source) * required
}

/// The lower ratio first; an empty source has the ratio 1.
fn by_ratio(a: &Tally, b: &Tally) -> Ordering {
    let parts = |t: &Tally| if t.source == 0 { (1, 1) } else { (i128::from(t.arrived), i128::from(t.source)) };
    let ((a_arrived, a_source), (b_arrived, b_source)) = (parts(a), parts(b));
    (a_arrived * b_source).cmp(&(b_arrived * a_source))
}

/// Hundredths of a percent, cut.
fn percent(arrived: i64, source: i64) -> String {
    let hundredths = if source <= 0 { 10_000 } else { i128::from(arrived) * 10_000 / i128::from(source) };
    format!("{}.{:02} %", hundredths / 100, hundredths % 100)
}

/// `5 pending, 2 quarantined`, what is zero left out.
fn missing(tally: &Tally) -> String {
    [(tally.pending, "pending"), (tally.quarantined, "quarantined"), (tally.waived, "waived")]
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{n} {what}"))
        .collect::<Vec<_>>()
        .join(", ")
}

type Place<'a> = (&'a MailboxFacts, &'a FolderFacts);

fn folders(facts: &Facts, wanted: impl Fn(&FolderFacts) -> bool) -> impl Iterator<Item = Place<'_>> {
    facts.mailboxes.iter().flat_map(|m| m.folders.iter().map(move |f| (m, f))).filter(move |(_, f)| wanted(f))
}

/// The folders of which a figure is not zero, with the figure.
fn listed(facts: &Facts, figure: impl Fn(&FolderFacts) -> i64) -> String {
    names(folders(facts, |f| figure(f) > 0).map(|(m, f)| format!("{} ({})", place((m, f)), figure(f))))
}

fn place((mailbox, folder): Place<'_>) -> String {
    format!("{}: {}", mailbox.email, folder.source_path)
}

fn email(mailbox: &MailboxFacts) -> String {
    mailbox.email.clone()
}

/// The first few, and how many more there are; empty for none.
fn names(all: impl Iterator<Item = String>) -> String {
    let mut all = all.peekable();
    let first: Vec<String> = all.by_ref().take(NAMED).collect();
    match all.count() {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

fn count(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

fn messages(n: i64) -> String {
    format!("{n} {}", if n == 1 { "message" } else { "messages" })
}

/// `90 seconds`, `45 minutes`, `73 hours`, `9 days`, cut to the unit.
fn duration(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} seconds"),
        120..7200 => format!("{} minutes", seconds / 60),
        // Up to four days in hours: the limits are set in hours.
        7200..345_600 => format!("{} hours", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests;
