//! How one source message compares with its copy. Pure.

use super::Seen;
use crate::{Digests, Finding, Flags, LedgerRow, ReadMessage};
use gatepost_contract::{Fidelity, MessageState};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Why bytes must be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// The depth asks for every body.
    Depth,
    /// The sizes differ.
    Size,
    /// The Message-Ids differ.
    MessageId,
    /// The dates differ: nothing in the bytes can mend that.
    Date,
}

pub(super) fn id_hash(message_id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    message_id.hash(&mut hasher);
    hasher.finish()
}

/// Judges by the listings alone: the finding, whether flags were lost, and whether the bytes must be read.
pub(super) fn judge(
    row: &LedgerRow,
    source: &ReadMessage,
    dest: Option<&Seen>,
    folder_note: &Option<String>,
) -> (Finding, bool, Option<Doubt>) {
    let mut finding = Finding {
        id: row.id,
        state: row.state,
        dest_uid: None,
        cause: None,
        fidelity: None,
        message_id: source.message_id.clone(),
    };
    if row.state == MessageState::Waived {
        // A person gave it up, whatever stands at the destination.
        return (finding, false, None);
    }
    let Some(dest) = dest else {
        // What was refused or given up keeps its place and its cause; everything else is missing.
        if matches!(row.state, MessageState::Arrived | MessageState::Pending) {
            finding.state = MessageState::Pending;
            finding.cause = Some(match (row.dest_uid, folder_note) {
                (_, Some(note)) => note.clone(),
                (Some(_), None) => {
                    "It had been copied, but is no longer in its folder at the destination. Run a delta sync to copy it \
                     again, or waive it if somebody deleted it on purpose."
                        .to_owned()
                }
                (None, None) => "It has not been copied yet. Run a delta sync.".to_owned(),
            });
        }
        return (finding, false, None);
    };
    finding.state = MessageState::Arrived;
    finding.dest_uid = row.dest_uid;
    let doubt = if dest.date != source.internal_date.seconds {
        Some(Doubt::Date)
    } else if dest.size != source.size {
        Some(Doubt::Size)
    } else if dest.message_id != source.message_id.as_deref().map(id_hash) {
        Some(Doubt::MessageId)
    } else {
        None
    };
    (finding, flags_lost(row, source, &dest.flags), doubt)
}

/// Flags that were at the source when the message was last copied or updated, and are at neither place any more by
/// the user's doing: only what the source still has and the destination lacks counts.
fn flags_lost(row: &LedgerRow, source: &ReadMessage, dest: &Flags) -> bool {
    source.flags.iter().any(|f| row.flags.contains(f) && !dest.contains(f))
}

/// Settles a doubt by the bytes.
pub(super) fn settle(
    finding: &mut Finding,
    doubt: Doubt,
    row: &LedgerRow,
    source: Option<&Digests>,
    dest: Option<&Digests>,
) {
    let Some(dest) = dest else {
        finding.state = MessageState::Pending;
        finding.dest_uid = None;
        finding.cause = Some("It vanished from the destination while it was being read. Verify again.".to_owned());
        return;
    };
    let Some(source) = source.or(row.digests.as_ref()) else { return };
    let fidelity = if source.size == 0 && row.size > 0 {
        Fidelity::Changed
    } else if source.exact == dest.exact {
        Fidelity::Identical
    } else if source.canonical == dest.canonical {
        Fidelity::Equivalent
    } else {
        Fidelity::Changed
    };
    finding.fidelity = Some(fidelity);
    if doubt == Doubt::Date {
        finding.fidelity = Some(Fidelity::Changed);
        finding.cause = Some("The date of arrival (INTERNALDATE) at the destination is another one.".to_owned());
    } else if fidelity == Fidelity::Changed {
        finding.cause = Some(format!(
            "The bytes at the destination differ from the source's: {} instead of {} bytes.",
            dest.size, source.size
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Digester, InternalDate};
    use gatepost_contract::MessageId;

    fn row(state: MessageState, dest_uid: Option<u32>) -> LedgerRow {
        LedgerRow {
            id: MessageId(1),
            uid: 7,
            size: 100,
            internal_date: InternalDate { seconds: 1000, zone_minutes: 60 },
            flags: Flags::from("\\Seen"),
            state,
            dest_uid,
            digests: None,
        }
    }

    fn read() -> ReadMessage {
        ReadMessage {
            uid: 7,
            size: 100,
            internal_date: InternalDate { seconds: 1000, zone_minutes: 60 },
            flags: Flags::from("\\Seen"),
            message_id: Some("<a@b>".into()),
            digests: None,
        }
    }

    fn seen() -> Seen {
        Seen { size: 100, date: 1000, flags: Flags::from("\\Seen"), message_id: Some(id_hash("<a@b>")) }
    }

    #[test]
    fn a_copy_that_agrees_in_size_date_and_message_id_has_arrived() {
        let (finding, lost, doubt) = judge(&row(MessageState::Arrived, Some(9)), &read(), Some(&seen()), &None);
        assert_eq!((finding.state, lost, doubt), (MessageState::Arrived, false, None));
    }

    #[test]
    fn each_difference_is_a_doubt_of_its_own() {
        let cases: [(Seen, Doubt); 3] = [
            (Seen { size: 99, ..seen() }, Doubt::Size),
            (Seen { date: 1001, ..seen() }, Doubt::Date),
            (Seen { message_id: None, ..seen() }, Doubt::MessageId),
        ];
        for (dest, expect) in cases {
            let (_, _, doubt) = judge(&row(MessageState::Arrived, Some(9)), &read(), Some(&dest), &None);
            assert_eq!(doubt, Some(expect));
        }
    }

    #[test]
    fn what_the_ledger_believes_arrived_is_pending_when_the_witness_does_not_find_it() {
        let (finding, ..) = judge(&row(MessageState::Arrived, Some(9)), &read(), None, &None);
        assert_eq!(finding.state, MessageState::Pending);
        assert!(finding.cause.is_some());
    }

    #[test]
    fn quarantined_and_waived_messages_keep_their_place() {
        for state in [MessageState::Quarantined, MessageState::Waived] {
            let (finding, ..) = judge(&row(state, None), &read(), None, &None);
            assert_eq!(finding.state, state);
        }
    }

    #[test]
    fn a_flag_that_the_source_has_and_the_copy_lacks_is_lost() {
        let dest = Seen { flags: Flags::default(), ..seen() };
        let (_, lost, _) = judge(&row(MessageState::Arrived, Some(9)), &read(), Some(&dest), &None);
        assert!(lost);
    }

    #[test]
    fn bytes_settle_a_doubt() {
        let cases: [(&[u8], &[u8], Fidelity); 3] = [
            (b"a\r\nb", b"a\r\nb", Fidelity::Identical),
            (b"a\nb", b"a\r\nb", Fidelity::Equivalent),
            (b"a\r\nb", b"a\r\nc", Fidelity::Changed),
        ];
        for (ours, theirs, expect) in cases {
            let row = row(MessageState::Arrived, Some(9));
            let (mut finding, ..) = judge(&row, &read(), Some(&seen()), &None);
            settle(&mut finding, Doubt::Size, &row, Some(&Digester::of(ours)), Some(&Digester::of(theirs)));
            assert_eq!(finding.fidelity, Some(expect));
            assert_eq!(finding.cause.is_some(), expect == Fidelity::Changed);
        }
    }
}
