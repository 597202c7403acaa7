//! A table of cases for every check, at its boundaries. Each case spoils facts that are in perfect order.

use crate::{
    facts::{DeltaFacts, Facts},
    judge,
    samples::{in_order, tally},
};
use gatepost_contract::{
    CheckId,
    CheckStatus::{self, Fail, Pass, Warn},
    Depth, SpecialUse, Tally,
};

type Case = (&'static str, fn(&mut Facts), CheckStatus, &'static str);

/// Runs the cases of one check: its status, and a part of its message.
fn table(check_id: CheckId, cases: &[Case]) {
    for (name, spoil, status, part) in cases {
        let mut facts = in_order();
        spoil(&mut facts);
        let verdict = judge(&facts);
        let check = verdict.checks.iter().find(|check| check.check_id == check_id).unwrap();
        assert_eq!(check.status, *status, "{check_id}, {name}: {}", check.message);
        assert!(check.message.contains(part), "{check_id}, {name}: {:?} lacks {part:?}", check.message);
        assert_eq!(check.checked_at, facts.sampled_at, "{check_id}, {name}");
    }
}

/// The first mailbox's third folder, which no special use applies to.
fn projects(facts: &mut Facts, tally: Tally) {
    facts.mailboxes[0].folders[2].tally = tally;
}

#[test]
fn count_ratio() {
    table(
        CheckId::CountRatio,
        &[
            ("all arrived", |_| {}, Pass, "All 1100 messages of 2 mailboxes have arrived."),
            ("no mailboxes", |f| f.mailboxes.clear(), Fail, "no mailboxes: add them"),
            (
                "never verified",
                |f| (f.mailboxes[1].depth, f.mailboxes[1].read_seconds) = (None, None),
                Fail,
                "Not verified yet: rui@example.com;",
            ),
            ("a folder is missing from the figures", |f| f.mailboxes[0].adds_up = false, Fail, "do not add up"),
            ("an empty source", |f| f.mailboxes.iter_mut().for_each(|m| m.folders.clear()), Pass, "All 0 messages"),
            (
                "exactly at the ratio, one pending",
                |f| projects(f, tally(19, 1, 0, 0)),
                Warn,
                "ana@example.com has 99 of 100 messages at the new server (99.00 %), which reaches the required 99 %",
            ),
            ("one pending is named", |f| projects(f, tally(19, 1, 0, 0)), Warn, "ana@example.com (1 pending)"),
            ("one quarantined", |f| projects(f, tally(19, 0, 1, 0)), Warn, "ana@example.com (1 quarantined)"),
            ("one waived", |f| projects(f, tally(19, 0, 0, 1)), Pass, "nothing is missing but 1 waived"),
            (
                "just below the ratio",
                |f| projects(f, tally(18, 1, 1, 0)),
                Fail,
                "Below the required 99 %: ana@example.com (1 pending, 1 quarantined); the worst, ana@example.com has \
                 98 of 100",
            ),
            (
                "a hair below the ratio is not rounded up",
                |f| projects(f, tally(98_999_999 - 80, 1_000_001, 0, 0)),
                Fail,
                "(98.99 %)",
            ),
            (
                "the same figures at the ratio",
                |f| projects(f, tally(99_000_000 - 80, 1_000_000, 0, 0)),
                Warn,
                "(99.00 %)",
            ),
            (
                "below the ratio, one of the missing not waived",
                |f| projects(f, tally(0, 1, 0, 19)),
                Fail,
                "1 pending, 19 waived",
            ),
            (
                "below the ratio, all of the missing waived",
                |f| projects(f, tally(0, 0, 0, 20)),
                Warn,
                "below the required 99 %, but every missing message was waived: ana@example.com (20 waived)",
            ),
            (
                "a large mailbox does not make up for a small one",
                |f| {
                    projects(f, tally(10, 10, 0, 0));
                    f.mailboxes[1].folders[0].tally = tally(1_000_000, 0, 0, 0);
                },
                Fail,
                "ana@example.com has 90 of 100",
            ),
            (
                "the figures of a failure are those of a mailbox that fails",
                |f| {
                    projects(f, tally(0, 0, 0, 20));
                    f.mailboxes[1].folders[2].tally = tally(180, 20, 0, 0);
                },
                Fail,
                "99 %: rui@example.com (20 pending); the worst, rui@example.com has 980 of 1000",
            ),
            (
                "an unexplained message beside a worse, explained mailbox",
                |f| {
                    projects(f, tally(19, 0, 0, 1));
                    f.mailboxes[1].folders[2].tally = tally(199, 1, 0, 0);
                },
                Warn,
                "rui@example.com (1 pending)",
            ),
            (
                "figures that do not add up",
                |f| f.mailboxes[1].folders[0].tally.source += 1,
                Fail,
                "The figures of rui@example.com do not add up",
            ),
            ("more arrived than there is", |f| f.mailboxes[1].folders[0].tally.arrived += 1, Fail, "do not add up"),
            (
                "two wrongs do not add up to a right",
                |f| {
                    f.mailboxes[0].folders[0].tally.source += 1;
                    f.mailboxes[0].folders[1].tally.source -= 1;
                },
                Fail,
                "do not add up",
            ),
            (
                "negative figures",
                |f| projects(f, Tally { source: 20, arrived: 21, pending: -1, quarantined: 0, waived: 0 }),
                Fail,
                "do not add up",
            ),
            (
                "a ratio of one",
                |f| {
                    f.min_ratio = 1.0;
                    f.mailboxes[1].folders[2].tally = tally(199, 1, 0, 0);
                },
                Fail,
                "Below the required 100 %",
            ),
            (
                "a ratio that is no number is the strictest",
                |f| {
                    f.min_ratio = f64::NAN;
                    projects(f, tally(19, 1, 0, 0));
                },
                Fail,
                "Below the required 100 %",
            ),
            (
                "a ratio between percents",
                |f| {
                    f.min_ratio = 0.995;
                    f.mailboxes[1].folders[2].tally = tally(195, 5, 0, 0);
                },
                Warn,
                "reaches the required 99.5 %",
            ),
            (
                "figures near the end of the range",
                |f| projects(f, tally(i64::MAX / 4, i64::MAX / 4, 0, 0)),
                Fail,
                "(50.00 %)",
            ),
        ],
    );
}

#[test]
fn ratios_are_exact_at_every_percent() {
    for percent in 0..=100 {
        let mut facts = in_order();
        facts.min_ratio = f64::from(percent) / 100.0;
        facts.mailboxes.truncate(1);
        facts.mailboxes[0].folders.truncate(1);
        for arrived in 0..=100 {
            facts.mailboxes[0].folders[0].tally = tally(arrived, 100 - arrived, 0, 0);
            let below = judge(&facts).checks[0].status == Fail;
            assert_eq!(below, arrived < i64::from(percent), "{arrived} of 100 against {percent} %");
        }
    }
}

#[test]
fn folder_coverage() {
    table(
        CheckId::FolderCoverage,
        &[
            ("all read", |_| {}, Pass, "6 folders of 2 mailboxes mapped and read on both sides."),
            ("no mailboxes", |f| f.mailboxes.clear(), Fail, "no mailboxes"),
            ("copied since", |f| f.mailboxes[0].depth = None, Fail, "A run has changed ana@example.com since the last"),
            ("no folder at all", |f| f.mailboxes[0].folders.clear(), Fail, "No folder of ana@example.com was read"),
            (
                "not mapped",
                |f| f.mailboxes[0].folders[2].mapped = false,
                Fail,
                "Without a place at the new server: ana@example.com: Projects;",
            ),
            (
                "not visited",
                |f| f.mailboxes[1].folders[1].visited = false,
                Fail,
                "Could not be read on both sides: rui@example.com: Sent;",
            ),
            (
                "a file that was not read",
                |f| f.mailboxes[1].left_out = vec!["archive.pst could not be read".to_owned()],
                Fail,
                "Not every file was taken in: rui@example.com: archive.pst could not be read. Wait for it,",
            ),
            (
                "a damaged file",
                |f| f.mailboxes[0].damaged = vec!["a.pst: The file is cut short.".to_owned()],
                Warn,
                "files have lost content: ana@example.com: a.pst: The file is cut short.",
            ),
            (
                "every loss is told",
                |f| f.mailboxes[0].damaged = (1..=5).map(|n| format!("a.pst: Folder {n} cannot be read.")).collect(),
                Warn,
                "Folder 4 cannot be read.; ana@example.com: a.pst: Folder 5 cannot be read. Bring a whole copy",
            ),
            (
                "a file that was removed early beside a damaged one",
                |f| {
                    f.mailboxes[0].damaged = vec!["a.pst: The file is cut short.".to_owned()];
                    f.mailboxes[1].removed = vec!["b.pst was removed before it was proved, by rui: wrong".to_owned()];
                },
                Warn,
                "is proved: rui@example.com: b.pst was removed before it was proved, by rui: wrong. Upload it again",
            ),
            (
                "a file that was not read, before any verification",
                |f| {
                    f.mailboxes[0].depth = None;
                    f.mailboxes[0].left_out = vec!["a.pst was not read yet".to_owned()];
                },
                Fail,
                "ana@example.com: a.pst was not read yet.",
            ),
            (
                "an empty folder counts too",
                |f| {
                    projects(f, Tally::default());
                    f.mailboxes[0].folders[2].visited = false;
                },
                Fail,
                "Projects",
            ),
            (
                "only the first few are named",
                |f| f.mailboxes.iter_mut().flat_map(|m| &mut m.folders).for_each(|folder| folder.mapped = false),
                Fail,
                "ana@example.com: INBOX, ana@example.com: Sent, ana@example.com: Projects and 3 more;",
            ),
        ],
    );
}

#[test]
fn inbox_complete() {
    table(
        CheckId::InboxComplete,
        &[
            ("all arrived", |_| {}, Pass, "missing from the INBOX of 2 mailboxes (550 messages)."),
            ("no mailboxes", |f| f.mailboxes.clear(), Fail, "no mailboxes"),
            ("copied since", |f| f.mailboxes[0].depth = None, Fail, "A run has changed ana@example.com"),
            (
                "one pending among many",
                |f| f.mailboxes[1].folders[0].tally = tally(99_999, 1, 0, 0),
                Fail,
                "rui@example.com: INBOX (1 of 100000 pending);",
            ),
            ("quarantined is explained", |f| f.mailboxes[1].folders[0].tally = tally(499, 0, 1, 0), Pass, "Nothing"),
            ("waived is explained", |f| f.mailboxes[1].folders[0].tally = tally(499, 0, 0, 1), Pass, "Nothing"),
            ("pending elsewhere", |f| projects(f, tally(19, 1, 0, 0)), Pass, "Nothing"),
            ("not visited", |f| f.mailboxes[0].folders[0].visited = false, Fail, "ana@example.com: INBOX;"),
            (
                "no INBOX",
                |f| f.mailboxes.iter_mut().for_each(|m| m.folders[0].special_use = None),
                Pass,
                "No mailbox has an INBOX",
            ),
        ],
    );
}

#[test]
fn sent_complete() {
    table(
        CheckId::SentComplete,
        &[
            ("all arrived", |_| {}, Pass, "missing from the Sent folder of 2 mailboxes (330 messages)."),
            ("copied since", |f| f.mailboxes[0].depth = None, Fail, "A run has changed ana@example.com"),
            (
                "one pending",
                |f| f.mailboxes[0].folders[1].tally = tally(29, 1, 0, 0),
                Fail,
                "ana@example.com: Sent (1 of 30 pending);",
            ),
            ("quarantined is explained", |f| f.mailboxes[0].folders[1].tally = tally(29, 0, 1, 0), Pass, "Nothing"),
            ("pending in the INBOX", |f| f.mailboxes[0].folders[0].tally = tally(49, 1, 0, 0), Pass, "Nothing"),
            ("not visited", |f| f.mailboxes[0].folders[1].visited = false, Fail, "ana@example.com: Sent;"),
            (
                "every folder of sent mail counts",
                |f| {
                    f.mailboxes[0].folders[2].special_use = Some(SpecialUse::Sent);
                    projects(f, tally(19, 1, 0, 0));
                },
                Fail,
                "Projects",
            ),
        ],
    );
}

#[test]
fn content_match() {
    table(
        CheckId::ContentMatch,
        &[
            ("the same", |_| {}, Pass, "the same content"),
            ("deep", |f| f.mailboxes[0].depth = Some(Depth::Deep), Pass, "the same content"),
            ("copied since", |f| f.mailboxes[0].depth = None, Fail, "A run has changed ana@example.com"),
            (
                "counts only",
                |f| f.mailboxes[0].depth = Some(Depth::Quick),
                Fail,
                "Only counts and sizes were compared for ana@example.com; verify again at depth standard",
            ),
            ("changed", |f| f.mailboxes[0].folders[0].changed = 2, Fail, "ana@example.com: INBOX (2)"),
            (
                "misplaced",
                |f| f.mailboxes[0].folders[1].misplaced = 2,
                Fail,
                "At the new server messages lie in another folder: ana@example.com: Sent (2); look at the residue",
            ),
            (
                "doubled",
                |f| f.mailboxes[1].folders[2].doubled = 1,
                Fail,
                "At the new server messages are there more than once: rui@example.com: Projects (1); look",
            ),
            (
                "all three",
                |f| {
                    f.mailboxes[0].folders[0].changed = 1;
                    f.mailboxes[0].folders[1].misplaced = 2;
                    f.mailboxes[0].folders[2].doubled = 3;
                },
                Fail,
                "body or date: ana@example.com: INBOX (1); others lie in another folder: ana@example.com: Sent (2); \
                 others are there more than once: ana@example.com: Projects (3);",
            ),
            (
                "too old",
                |f| f.now_seconds += 300_000,
                Fail,
                "The evidence of ana@example.com, rui@example.com is 84 hours old, longer than the 72 hours allowed; \
                 verify again.",
            ),
            (
                "a quick look counted otherwise",
                |f| f.mailboxes[1].contradicted = vec!["INBOX".to_owned(), "Sent".to_owned()],
                Fail,
                "counted other numbers than the evidence has in rui@example.com: INBOX, rui@example.com: Sent; run a delta",
            ),
            (
                "a quick look counted otherwise, after the cutover",
                |f| {
                    f.mailboxes[1].contradicted = vec!["INBOX".to_owned()];
                    f.dns_cutover = true;
                },
                Pass,
                "the same content",
            ),
            (
                "one of two too old",
                |f| f.mailboxes[1].read_seconds = Some(f.now_seconds - 900_000),
                Fail,
                "The evidence of rui@example.com is 10 days old",
            ),
            (
                "too old, after the cutover",
                |f| {
                    f.now_seconds += 300_000;
                    f.dns_cutover = true;
                },
                Pass,
                "the same content",
            ),
            ("rewritten", |f| f.mailboxes[0].folders[0].rewritten = 3, Warn, "rebuilt messages"),
            ("flags lost", |f| f.mailboxes[1].folders[2].flags_lost = 4, Warn, "rui@example.com: Projects (4)."),
            (
                "both",
                |f| {
                    f.mailboxes[0].folders[0].rewritten = 3;
                    f.mailboxes[0].folders[1].flags_lost = 1;
                },
                Warn,
                "INBOX (3); flags or keywords",
            ),
            (
                "changed outweighs rewritten",
                |f| {
                    f.mailboxes[0].folders[0].rewritten = 3;
                    f.mailboxes[0].folders[1].changed = 1;
                },
                Fail,
                "another body or date: ana@example.com: Sent (1);",
            ),
        ],
    );
}

#[test]
fn pst_quarantine() {
    table(
        CheckId::PstQuarantine,
        &[
            ("none", |_| {}, Pass, "Nothing waits"),
            ("one open", |f| projects(f, tally(19, 0, 1, 0)), Fail, "ana@example.com: Projects (1); retry"),
            ("open and waived", |f| projects(f, tally(18, 0, 1, 1)), Fail, "Refused messages wait"),
            ("all waived", |f| projects(f, tally(18, 0, 0, 2)), Warn, "ana@example.com: Projects (2);"),
            ("pending is not quarantined", |f| projects(f, tally(18, 2, 0, 0)), Pass, "Nothing waits"),
        ],
    );
}

#[test]
fn delta_pending() {
    fn delta(f: &mut Facts, age: i64, ended_well: bool, pending: i64) {
        f.last_delta = Some(DeltaFacts { finished_seconds: f.now_seconds - age, ended_well, pending });
    }
    table(
        CheckId::DeltaPending,
        &[
            ("recent", |_| {}, Pass, "ended well 60 minutes ago"),
            ("no initial sync", |f| f.initial_done = false, Fail, "The initial sync has not ended"),
            ("no delta", |f| f.last_delta = None, Fail, "No delta has run since"),
            ("as old as allowed", |f| delta(f, 86_400, true, 0), Pass, "24 hours ago"),
            ("a second older", |f| delta(f, 86_401, true, 0), Warn, "longer than the 24 hours allowed"),
            ("failed", |f| delta(f, 60, false, 0), Warn, "60 seconds ago, did not end well"),
            ("something left", |f| delta(f, 60, true, 1), Warn, "left 1 message to be copied"),
            ("a clock that was set back", |f| delta(f, -500, true, 0), Pass, "0 seconds ago"),
            ("a very old one", |f| delta(f, 86_400 * 9, true, 0), Warn, "9 days ago"),
        ],
    );
}
