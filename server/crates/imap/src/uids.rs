//! Sets of UIDs: in portions that fit into a command's line, as servers write them, and as they were seen.

use gatepost_transfer::UidSet;
use std::fmt;

/// Servers accept at least 8,000 bytes (RFC 7162 section 4, RFC 9051 section 5); room is left for the rest.
const MAX_TEXT: usize = 7_000;

/// Some UIDs, as ranges, for one command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Portion(Vec<(u32, u32)>);

impl Portion {
    pub(crate) fn one(uid: u32) -> Self {
        Self(vec![(uid, uid)])
    }

    pub(crate) fn uids(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().flat_map(|(from, to)| *from..=*to)
    }

    pub(crate) fn contains(&self, uid: u32) -> bool {
        let after = self.0.partition_point(|(from, _)| *from <= uid);
        after > 0 && self.0[after - 1].1 >= uid
    }

    /// How many it names.
    pub(crate) fn len(&self) -> u64 {
        self.0.iter().map(|(from, to)| u64::from(to - from) + 1).sum()
    }

    /// The highest.
    pub(crate) fn last(&self) -> Option<u32> {
        self.0.last().map(|(_, to)| *to)
    }

    /// The UID, where there is only one.
    pub(crate) fn single(&self) -> Option<u32> {
        match self.0.as_slice() {
            [(from, to)] if from == to => Some(*from),
            _ => None,
        }
    }
}

impl fmt::Display for Portion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (from, to)) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str(",")?;
            }
            if from == to { write!(f, "{from}")? } else { write!(f, "{from}:{to}")? }
        }
        Ok(())
    }
}

/// Hands out a set in ascending portions.
pub(crate) struct Portions {
    /// What is left, the next range last.
    left: Vec<(u32, u32)>,
}

impl Portions {
    pub(crate) fn of(set: &UidSet) -> Self {
        let mut left = set.ranges().to_vec();
        left.reverse();
        Self { left }
    }

    /// At most so many more UIDs; `None` at the end.
    pub(crate) fn next(&mut self, most: u32) -> Option<Portion> {
        let mut portion = Portion::default();
        self.fill(&mut portion, most.max(1));
        (!portion.0.is_empty()).then_some(portion)
    }

    /// Adds to a portion, whose UIDs must all be lower, until it has so many or its text is long enough.
    pub(crate) fn fill(&mut self, portion: &mut Portion, most: u32) {
        let mut room = most.saturating_sub(u32::try_from(portion.len()).unwrap_or(u32::MAX));
        while room > 0 && portion.0.len() * 22 < MAX_TEXT {
            let Some((from, to)) = self.left.pop() else { break };
            let here = to.min(from.saturating_add(room - 1));
            if here < to {
                self.left.push((here + 1, to));
            }
            room -= here - from + 1;
            portion.0.push((from, here));
        }
    }

    /// The next UID.
    pub(crate) fn first(&self) -> Option<u32> {
        self.left.last().map(|(from, _)| *from)
    }
}

/// The UIDs that a server names, in the order in which it names them: `304,319:320` (RFC 3501 section 9). A range
/// is ascending whichever way round it is written (RFC 4315 section 4).
pub(crate) fn ranges(text: &str) -> Option<Vec<(u32, u32)>> {
    let number = |text: &str| text.parse::<u32>().ok().filter(|uid| *uid > 0);
    text.split(',')
        .map(|range| match range.split_once(':') {
            Some((a, b)) => number(a).zip(number(b)).map(|(a, b)| (a.min(b), a.max(b))),
            None => number(range).map(|uid| (uid, uid)),
        })
        .collect()
}

/// Which UIDs came. They mostly come in ascending order, and then a range grows for each run of them.
#[derive(Default)]
pub(crate) struct Seen(Vec<(u32, u32)>);

impl Seen {
    /// Whether it had not come yet.
    pub(crate) fn insert(&mut self, uid: u32) -> bool {
        let at = self.0.partition_point(|(from, _)| *from <= uid);
        if at > 0 && self.0[at - 1].1 >= uid {
            return false;
        }
        let joins_before = at > 0 && self.0[at - 1].1 + 1 == uid;
        let joins_after = self.0.get(at).is_some_and(|(from, _)| *from - 1 == uid);
        match (joins_before, joins_after) {
            (true, true) => {
                self.0[at - 1].1 = self.0[at].1;
                self.0.remove(at);
            }
            (true, false) => self.0[at - 1].1 = uid,
            (false, true) => self.0[at].0 = uid,
            (false, false) => self.0.insert(at, (uid, uid)),
        }
        true
    }

    /// Whether it came.
    pub(crate) fn contains(&self, uid: u32) -> bool {
        let after = self.0.partition_point(|(from, _)| *from <= uid);
        after > 0 && self.0[after - 1].1 >= uid
    }

    /// All of them.
    pub(crate) fn into_set(self) -> UidSet {
        UidSet::from_ranges(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_range_is_cut() {
        let mut portions = Portions::of(&(1..=10).chain([12]).collect());
        let texts: Vec<String> = std::iter::from_fn(|| portions.next(4)).map(|p| p.to_string()).collect();
        assert_eq!(texts, ["1:4", "5:8", "9:10,12"]);
    }

    #[test]
    fn sets_are_read_in_the_servers_order() {
        type Case = (&'static str, Option<&'static [(u32, u32)]>);
        let cases: [Case; 9] = [
            ("5", Some(&[(5, 5)])),
            ("304,319:320", Some(&[(304, 304), (319, 320)])),
            ("9,4:2", Some(&[(9, 9), (2, 4)])),
            ("", None),
            ("0", None),
            ("1,", None),
            ("1:*", None),
            ("4294967296", None),
            ("1:2:3", None),
        ];
        for (text, expected) in cases {
            assert_eq!(ranges(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_portion_is_filled_up_from_another_set() {
        let mut portion = Portions::of(&(1..=10).collect()).next(100).unwrap();
        let mut more = Portions::of(&(20..=40).collect());
        assert_eq!((portion.last(), more.first()), (Some(10), Some(20)));
        more.fill(&mut portion, 15);
        assert_eq!((portion.to_string().as_str(), more.first()), ("1:10,20:24", Some(25)));
        more.fill(&mut portion, 15);
        assert_eq!(portion.len(), 15);
    }

    proptest! {
        #[test]
        fn each_uid_is_new_once(uids in proptest::collection::vec(1u32..60, 0..100)) {
            let (mut seen, mut expected) = (Seen::default(), std::collections::BTreeSet::new());
            for uid in &uids {
                prop_assert_eq!(seen.insert(*uid), expected.insert(*uid));
            }
            prop_assert!(seen.insert(u32::MAX) && !seen.insert(u32::MAX));
            prop_assert_eq!(seen.into_set(), expected.into_iter().chain([u32::MAX]).collect());
        }

        #[test]
        fn portions_hold_every_uid_once_and_fit_into_a_line(
            uids in proptest::collection::btree_set(1u32..20_000, 0..3_000),
            most in 1u32..2_000,
        ) {
            let mut portions = Portions::of(&uids.iter().copied().collect());
            let mut seen = Vec::new();
            while let Some(portion) = portions.next(most) {
                prop_assert!(portion.to_string().len() <= MAX_TEXT + 22);
                prop_assert!(portion.uids().count() <= most as usize);
                prop_assert!(portion.uids().all(|uid| portion.contains(uid)));
                prop_assert!(!portion.contains(0) && !portion.contains(20_000));
                seen.extend(portion.uids());
            }
            prop_assert_eq!(seen, uids.into_iter().collect::<Vec<_>>());
        }
    }
}
