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
