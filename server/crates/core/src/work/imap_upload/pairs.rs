//! Which message at the destination is which of ours, when their bytes differ.

use gatepost_transfer::ReadMessage;
use std::collections::{HashMap, VecDeque};

/// Pairs messages of the same date and Message-Id, each once, in the order of their UIDs: `(uid, uid there)`. A message
/// without a Message-Id is paired with another that has none, where its date is the only one of its kind on both sides.
pub(super) fn pair(ours: &[ReadMessage], there: &[ReadMessage]) -> Vec<(u32, u32)> {
    let mut free: HashMap<(i64, Option<&str>), VecDeque<u32>> = HashMap::new();
    for message in sorted(there) {
        free.entry(key(message)).or_default().push_back(message.uid);
    }
    let mut nameless: HashMap<i64, usize> = HashMap::new();
    for message in ours.iter().filter(|m| m.message_id.is_none()) {
        *nameless.entry(message.internal_date.seconds).or_default() += 1;
    }
    let mut pairs = Vec::new();
    for message in sorted(ours) {
        let Some(uids) = free.get_mut(&key(message)) else { continue };
        let alone = uids.len() == 1 && nameless.get(&message.internal_date.seconds) == Some(&1);
        if message.message_id.is_none() && !alone {
            continue;
        }
        if let Some(uid) = uids.pop_front() {
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
        // Two without an id came in the same second: nobody can say which is the one at 10.
        assert_eq!(pair(&ours, &there), [(1, 20)]);
        assert_eq!(pair(&ours, &there[..3]), [(1, 20), (4, 10)]);
        assert_eq!(pair(&ours, &[]), []);
    }
}
