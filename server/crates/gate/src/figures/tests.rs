use super::{changes, in_words, worse};
use crate::samples::{in_order, tally};
use gatepost_contract::GateFigures;

fn seen() -> GateFigures {
    GateFigures {
        mailboxes: 2,
        source: 100,
        arrived: 90,
        pending: 1,
        quarantined: 2,
        waived: 3,
        changed: 1,
        rewritten: 1,
        flags_lost: 1,
        misplaced: 1,
        doubled: 1,
        worst_ratio: Some(0.9),
        ..GateFigures::default()
    }
}

#[test]
fn the_figures_are_the_sums_over_every_folder_and_the_worst_mailbox() {
    let mut facts = in_order();
    facts.mailboxes[0].folders[0].tally = tally(40, 4, 3, 3);
    facts.mailboxes[1].folders[2].changed = 1;
    facts.mailboxes[1].folders[1].rewritten = 2;
    facts.mailboxes[0].folders[1].flags_lost = 3;
    facts.mailboxes[0].folders[1].misplaced = 4;
    facts.mailboxes[1].folders[0].doubled = 5;
    let figures = facts.figures();
    let counted = [figures.source, figures.arrived, figures.pending, figures.quarantined, figures.waived];
    assert_eq!(counted, [1100, 1090, 4, 3, 3]);
    let compared = [figures.changed, figures.rewritten, figures.flags_lost, figures.misplaced, figures.doubled];
    assert_eq!(compared, [1, 2, 3, 4, 5]);
    assert_eq!((figures.mailboxes, figures.worst_ratio), (2, Some(0.9)));
    assert_eq!((figures.evidence_id, figures.evidence_at), (facts.current_evidence, facts.evidence_at));
}

#[test]
fn what_was_never_verified_has_a_ratio_of_nothing() {
    let mut facts = in_order();
    facts.mailboxes[1].depth = None;
    assert_eq!(facts.figures().worst_ratio, Some(0.0));
    facts.mailboxes.clear();
    assert_eq!(facts.figures().worst_ratio, None);
}

type Change = fn(&mut GateFigures);

#[test]
fn each_figure_can_get_worse_by_itself_and_better_without_harm() {
    let table: &[(&str, Change, Change)] = &[
        ("pending", |f| f.pending += 1, |f| f.pending -= 1),
        ("quarantined", |f| f.quarantined += 1, |f| f.quarantined -= 1),
        ("waived", |f| f.waived += 1, |f| f.waived -= 1),
        ("changed", |f| f.changed += 1, |f| f.changed -= 1),
        ("rewritten", |f| f.rewritten += 1, |f| f.rewritten -= 1),
        ("flags_lost", |f| f.flags_lost += 1, |f| f.flags_lost -= 1),
        ("misplaced", |f| f.misplaced += 1, |f| f.misplaced -= 1),
        ("doubled", |f| f.doubled += 1, |f| f.doubled -= 1),
        ("worst_ratio", |f| f.worst_ratio = Some(0.8999), |f| f.worst_ratio = Some(1.0)),
    ];
    for (name, spoil, mend) in table {
        let (mut bad, mut good) = (seen(), seen());
        spoil(&mut bad);
        mend(&mut good);
        let found = worse(&seen(), &bad);
        assert_eq!(found.iter().map(|c| c.figure.as_str()).collect::<Vec<_>>(), [*name]);
        assert_eq!(worse(&seen(), &good), [], "{name}");
        assert_eq!((changes(&seen(), &bad).len(), changes(&seen(), &good).len()), (1, 1), "{name}");
    }
    assert_eq!(changes(&seen(), &seen()), []);
}

#[test]
fn other_mailboxes_than_were_signed_are_worse_whether_more_or_fewer() {
    for mailboxes in [1, 3] {
        let found = worse(&seen(), &GateFigures { mailboxes, ..seen() });
        assert_eq!(found.iter().map(|c| c.figure.as_str()).collect::<Vec<_>>(), ["mailboxes"]);
    }
}

#[test]
fn where_no_share_was_signed_the_best_counts_as_signed() {
    let signed = GateFigures { worst_ratio: None, ..seen() };
    assert_eq!(in_words(&worse(&signed, &seen())), "the share of the worst mailbox that arrived: 100.00 % → 90.00 %");
    assert_eq!(worse(&signed, &GateFigures { worst_ratio: Some(1.0), ..seen() }), []);
    assert_eq!(worse(&signed, &signed), []);
}

#[test]
fn more_mail_at_both_sides_is_a_change_and_no_worse() {
    let now = GateFigures { source: 120, arrived: 110, worst_ratio: Some(0.95), ..seen() };
    assert_eq!(worse(&seen(), &now), []);
    assert_eq!(
        in_words(&changes(&seen(), &now)),
        "messages at the source: 100 → 120; messages arrived: 90 → 110; the share of the worst mailbox that arrived: \
         90.00 % → 95.00 %"
    );
}

#[test]
fn a_share_that_was_written_down_and_read_again_is_the_same_share() {
    // 12 of 13 as text, read by a reader that is wrong in the last bit.
    let share = 12.0_f64 / 13.0;
    for read in [share, share.next_up(), share.next_down()] {
        let signed = GateFigures { worst_ratio: Some(read), ..seen() };
        let now = GateFigures { worst_ratio: Some(share), ..seen() };
        assert_eq!((worse(&signed, &now), changes(&signed, &now)), (vec![], vec![]), "{read}");
    }
    // One message of a hundred million is told apart.
    let signed = GateFigures { worst_ratio: Some(0.5), ..seen() };
    let now = GateFigures { worst_ratio: Some(49_999_999.0 / 100_000_000.0), ..seen() };
    assert_eq!((worse(&signed, &now).len(), changes(&signed, &now).len()), (1, 1));
}

#[test]
fn a_share_is_never_rounded_up_to_all() {
    let now = GateFigures { worst_ratio: Some(0.999_999), ..seen() };
    assert!(in_words(&changes(&seen(), &now)).ends_with("90.00 % → 99.99 %"));
}
