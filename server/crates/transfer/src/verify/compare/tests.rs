use super::{super::listing::tests::sample, *};
use crate::Digester;
use gatepost_contract::MessageId;

fn row(state: MessageState, dest_uid: Option<u32>) -> ProofRow {
    ProofRow {
        id: MessageId(1),
        uid: 7,
        size: 100,
        internal_date: InternalDate { seconds: 1000, zone_minutes: 60 },
        flags: Flags::from("\\Seen"),
        state,
        unwaived: false,
        dest_uid,
        copied: dest_uid.is_some(),
        proved: false,
        fidelity: None,
        cause: None,
        kind: None,
        headed: false,
    }
}

#[test]
fn a_mark_of_a_waiver_that_nobody_gave_counts_for_nothing() {
    let marked = |dest_uid| ProofRow { unwaived: true, ..row(MessageState::Waived, dest_uid) };
    for (row, place, state) in [
        (marked(Some(9)), Place::Empty, MessageState::Pending),
        (marked(None), Place::Empty, MessageState::Pending),
        (marked(Some(9)), Place::NoFolder("It is not there."), MessageState::Pending),
        (marked(Some(9)), Place::Copy(&copy()), MessageState::Arrived),
    ] {
        let judged = judge(&row, &source(), place, "Archive");
        assert_eq!(judged.finding.state, state, "{place:?}");
        assert!(judged.finding.waiver_over.is_some(), "{place:?}");
        assert!(state == MessageState::Arrived || judged.finding.cause.is_some_and(|why| why.contains("no waiver")));
    }
}

fn source() -> Entry {
    sample(7)
}

fn copy() -> Entry {
    Entry { uid: 9, ..sample(7) }
}

#[test]
fn a_copy_that_agrees_in_size_date_and_message_id_has_arrived_and_nothing_is_written() {
    let row = row(MessageState::Arrived, Some(9));
    let judged = judge(&row, &source(), Place::Copy(&copy()), "INBOX");
    assert_eq!((judged.finding.state, judged.doubt, judged.lost), (MessageState::Arrived, None, false));
    assert!(!differs(&row, &judged.finding));
}

#[test]
fn each_difference_is_a_doubt_of_its_own() {
    let cases = [
        (Entry { size: 99, ..copy() }, Doubt::Size),
        (Entry { date: 1001, ..copy() }, Doubt::Date),
        (Entry { id: 0, ..copy() }, Doubt::MessageId),
    ];
    for (copy, expect) in cases {
        let judged = judge(&row(MessageState::Arrived, Some(9)), &source(), Place::Copy(&copy), "INBOX");
        assert_eq!(judged.doubt, Some(expect));
    }
    let known = ProofRow { fidelity: Some(Fidelity::Changed), ..row(MessageState::Arrived, Some(9)) };
    assert_eq!(judge(&known, &source(), Place::Copy(&copy()), "INBOX").doubt, Some(Doubt::Known));
}

#[test]
fn what_has_no_copy_is_pending_with_the_cause_that_fits() {
    let arrived = row(MessageState::Arrived, Some(9));
    let nameless = row(MessageState::Arrived, None);
    let new = ProofRow { kind: Some(CauseKind::New), cause: Some(came()), ..row(MessageState::Pending, None) };
    let again = ProofRow { copied: true, ..row(MessageState::Pending, None) };
    let cases = [
        (&arrived, Place::Empty, CauseKind::Gone, true),
        (&arrived, Place::Taken, CauseKind::Gone, false),
        (&arrived, Place::NoFolder("It is not there."), CauseKind::NoFolder, true),
        (&again, Place::Empty, CauseKind::Gone, true),
        (&nameless, Place::Empty, CauseKind::Gone, false),
        (&new, Place::Empty, CauseKind::New, false),
        (&row(MessageState::Pending, None), Place::Empty, CauseKind::NotCopied, false),
    ];
    for (row, place, kind, lost) in cases {
        let judged = judge(row, &source(), place, "INBOX");
        let finding = judged.finding;
        assert_eq!((finding.state, finding.kind, judged.lost), (MessageState::Pending, Some(kind), lost), "{row:?}");
        assert!(finding.cause.is_some_and(|cause| cause.ends_with('.')), "{row:?}");
    }
}

#[test]
fn quarantined_and_waived_messages_keep_their_place() {
    for state in [MessageState::Quarantined, MessageState::Waived] {
        let row = ProofRow { cause: Some("too large".into()), ..row(state, None) };
        let judged = judge(&row, &source(), Place::Empty, "INBOX");
        assert!(!differs(&row, &judged.finding) && judged.doubt.is_none());
    }
}

#[test]
fn a_waiver_ends_when_the_message_is_another_one() {
    let waived = row(MessageState::Waived, None);
    for source in [Entry { size: 101, ..source() }, Entry { date: 7, ..source() }] {
        let finding = judge(&waived, &source, Place::Empty, "INBOX").finding;
        assert_eq!((finding.state, finding.waiver_over.is_some()), (MessageState::Pending, true));
    }
}

#[test]
fn a_waived_message_with_a_copy_is_read_before_it_counts_as_arrived() {
    let waived = row(MessageState::Waived, Some(9));
    let judged = judge(&waived, &source(), Place::Copy(&copy()), "INBOX");
    assert_eq!((judged.finding.state, judged.doubt), (MessageState::Waived, Some(Doubt::Known)));
    let redated = judge(&waived, &source(), Place::Copy(&Entry { date: 1, ..copy() }), "INBOX");
    assert_eq!((redated.finding.state, redated.doubt), (MessageState::Waived, None));
}

#[test]
fn a_flag_that_the_source_has_and_the_copy_lacks_is_lost() {
    let flags = Flags::from;
    let cases = [
        ("\\Seen", "\\Seen", "", true),
        ("", "\\Seen", "", false),
        ("\\Seen", "", "", false),
        ("a", "a", "A b", false),
    ];
    for (row, source, dest, lost) in cases {
        assert_eq!(flags_lost(&flags(row), &flags(source), &flags(dest)), lost, "{row} {source} {dest}");
    }
}

#[test]
fn digests_settle_what_they_can() {
    let read = |bytes: &[u8]| Reading::Read(Digester::of(bytes));
    let unreadable = || Reading::Unreadable("NO".into());
    let cases = [
        (read(b"a\r\nb"), read(b"a\r\nb"), Settled::Same(Fidelity::Identical)),
        (read(b"a\nb"), read(b"a\r\nb"), Settled::Same(Fidelity::Equivalent)),
        (read(b"a\r\nb"), read(b"a\r\nc"), Settled::Other),
        (read(b"a"), Reading::Gone, Settled::NoCopy),
        (read(b"a"), unreadable(), Settled::CopyUnreadable("NO".into())),
        (unreadable(), read(b"a"), Settled::SourceUnreadable("NO".into())),
        (read(b""), read(b""), Settled::SourceUnreadable("it delivers no bytes of it".into())),
    ];
    for (source, copy, expected) in cases {
        assert_eq!(settle(4, &source, &copy), expected);
    }
}

#[test]
fn a_waiver_covers_no_more_than_what_was_given_up() {
    use CauseKind::{Content, Date, Doubled, Misplaced, TooLarge, Truncated};
    let waived = |kind, dest_uid| ProofRow { kind: Some(kind), copied: true, ..row(MessageState::Waived, dest_uid) };
    let cut = Entry { size: 99, ..copy() };
    let redated = Entry { date: 5, ..copy() };
    let both = Entry { size: 99, ..redated };
    // What is read before it is told.
    for (kind, copy, doubt) in [
        (Doubled, copy(), None),
        (Doubled, cut, Some(Doubt::Size)),
        (Date, redated, None),
        (Date, both, Some(Doubt::Date)),
        (Truncated, cut, Some(Doubt::Known)),
        (Content, redated, Some(Doubt::Date)),
        (TooLarge, redated, None),
    ] {
        let row = waived(kind, Some(9));
        let judged = judge(&row, &source(), Place::Copy(&copy), "INBOX");
        assert_eq!((judged.doubt, differs(&row, &judged.finding)), (doubt, false), "{kind:?} {copy:?}");
    }
    // What is no longer there.
    for (kind, over) in
        [(Doubled, true), (Date, true), (Content, true), (Truncated, true), (TooLarge, false), (Misplaced, false)]
    {
        let judged = judge(&waived(kind, Some(9)), &source(), Place::Empty, "INBOX");
        assert_eq!((judged.finding.waiver_over.is_some(), judged.lost), (over, true), "{kind:?}");
        assert_eq!(judged.finding.state == MessageState::Pending, over, "{kind:?}");
    }
    // What the bytes tell.
    let found = |kind| Finding {
        state: MessageState::Arrived,
        kind: Some(kind),
        fidelity: Some(Fidelity::Changed),
        ..unchanged(&row(MessageState::Waived, Some(9)))
    };
    for (kind, now, over) in [
        (Doubled, Date, true),
        (Date, Date, false),
        (Date, Truncated, true),
        (Content, Date, false),
        (Content, Truncated, true),
        (Truncated, Content, false),
        (TooLarge, Truncated, false),
    ] {
        let finding = weighed(&waived(kind, Some(9)), found(now));
        let expected = (over, if over { now } else { kind });
        assert_eq!((finding.waiver_over.is_some(), finding.kind), (over, Some(expected.1)), "{kind:?} {now:?}");
    }
}

#[test]
fn another_message_than_was_waived_is_kept_as_it_is_now() {
    let other = Entry { size: 101, date: 7, ..source() };
    let finding = judge(&row(MessageState::Waived, None), &other, Place::Empty, "INBOX").finding;
    assert_eq!(finding.listed, Some((101, InternalDate { seconds: 7, zone_minutes: 0 })));
}

#[test]
fn only_what_was_proved_at_the_destination_can_be_its_users_doing() {
    let proved = ProofRow { proved: true, ..row(MessageState::Arrived, Some(9)) };
    let cases = [
        (proved.clone(), Place::Empty, true),
        (ProofRow { kind: Some(CauseKind::Doubled), ..proved.clone() }, Place::Empty, true),
        (ProofRow { state: MessageState::Waived, ..proved.clone() }, Place::Empty, true),
        (proved.clone(), Place::Taken, false),
        (proved.clone(), Place::NoFolder("It is not there."), false),
        (ProofRow { proved: false, ..proved.clone() }, Place::Empty, false),
        (ProofRow { dest_uid: None, ..proved.clone() }, Place::Empty, false),
        (ProofRow { fidelity: Some(Fidelity::Changed), ..proved.clone() }, Place::Empty, false),
        (ProofRow { state: MessageState::Pending, ..proved.clone() }, Place::Empty, false),
        (ProofRow { state: MessageState::Waived, unwaived: true, ..proved.clone() }, Place::Empty, false),
        (ProofRow { state: MessageState::Waived, size: 5, ..proved }, Place::Empty, false),
    ];
    for (row, place, expected) in cases {
        let finding = users_doing(&row, &source(), place);
        assert_eq!(finding.is_some(), expected, "{row:?} {place:?}");
        assert!(finding.is_none_or(|finding| finding.state == row.state && finding.dest_uid == Some(9)), "{row:?}");
    }
}
