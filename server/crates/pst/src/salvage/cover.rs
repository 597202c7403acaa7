//! Which keys newer pages have spoken about.

use std::collections::BTreeMap;

/// A set of closed ranges, merged where they touch.
#[derive(Debug, Default)]
pub struct Cover {
    ranges: BTreeMap<u64, u64>,
}

impl Cover {
    pub fn contains(&self, key: u64) -> bool {
        self.ranges.range(..=key).next_back().is_some_and(|(_, &end)| end >= key)
    }

    pub fn add(&mut self, mut first: u64, mut last: u64) {
        while let Some((&start, &end)) = self.ranges.range(..=last).next_back() {
            if end < first {
                break;
            }
            self.ranges.remove(&start);
            first = first.min(start);
            last = last.max(end);
        }
        self.ranges.insert(first, last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_ranges_become_one_and_gaps_stay() {
        let mut cover = Cover::default();
        for (first, last) in [(10, 20), (40, 50), (30, 35), (15, 32)] {
            cover.add(first, last);
        }
        assert_eq!(cover.ranges, BTreeMap::from([(10, 35), (40, 50)]));
        for (key, inside) in [(9, false), (10, true), (33, true), (36, false), (45, true), (51, false)] {
            assert_eq!(cover.contains(key), inside, "{key}");
        }
    }
}
