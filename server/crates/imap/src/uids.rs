//! Sets of UIDs in portions that fit into a command's line.

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
        let (mut room, mut text) = (most.max(1), 0);
        while room > 0 && text < MAX_TEXT {
            let Some((from, to)) = self.left.pop() else { break };
            let here = to.min(from.saturating_add(room - 1));
            if here < to {
                self.left.push((here + 1, to));
            }
            room -= here - from + 1;
            text += 22;
            portion.0.push((from, here));
        }
        (!portion.0.is_empty()).then_some(portion)
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

    proptest! {
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
