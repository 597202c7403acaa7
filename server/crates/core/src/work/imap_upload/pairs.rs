//! Which message at the destination is which of ours, when their bytes differ.

use gatepost_transfer::ReadMessage;
use std::collections::{HashMap, VecDeque};

/// Pairs messages of the same date and Message-Id, each once, in the order of their UIDs: `(uid, uid there)`. Messages
/// that have no Message-Id are paired with others that have none, by their date.
pub(super) fn pair(ours: &[ReadMessage], there: &[ReadMessage]) -> Vec<(u32, u32)> {
    let mut free: HashMap<(i64, Option<&str>), VecDeque<u32>> = HashMap::new();
    for message in sorted(there) {
        free.entry(key(message)).or_default().push_back(message.uid);
    }
    let mut pairs = Vec::new();
    for message in sorted(ours) {
        if let Some(uid) = free.get_mut(&key(message)).and_then(VecDeque::pop_front) {
            pairs.push((message.uid, uid));
        }
    }
    pairs
}

fn sorted(messages: &[ReadMessage]) -> Vec<&ReadMessage> {
    let mut all: Vec<&ReadMessage> = messages.iter().collect();
    all.sort_unstable_by_key(|m| m.uid);
    all
}

fn key(message: &ReadMessage) -> (i64, Option<&str>) {
    (message.internal_date.seconds, message.message_id.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepost_transfer::{Flags, InternalDate};

    fn message(uid: u32, seconds: i64, id: &str) -> ReadMessage {
        ReadMessage {
            uid,
            size: 1,
            internal_date: InternalDate { seconds, zone_minutes: 0 },
            flags: Flags::default(),
            message_id: (!id.is_empty()).then(|| id.to_owned()),
        }
    }

    #[test]
    fn messages_are_paired_by_date_and_id_and_each_once() {
        let ours =
            [message(4, 9, ""), message(1, 7, "<a>"), message(2, 7, "<a>"), message(3, 8, "<b>"), message(5, 9, "<c>")];
        let there = [message(20, 7, "<a>"), message(10, 9, ""), message(30, 7, "<b>"), message(40, 9, "")];
        assert_eq!(pair(&ours, &there), [(1, 20), (4, 10)]);
        assert_eq!(pair(&ours, &[]), []);
    }
}
