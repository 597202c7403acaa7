//! A set of UIDs agrees with a plain set of numbers: made of ranges in any order, asked, subtracted, written. The input
//! is pairs of bytes, the first half one set and the second half another; they lie at the low or the high end of 32 bits.
#![no_main]

use gatepost_transfer::UidSet;
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeSet;

fuzz_target!(|bytes: &[u8]| {
    let Some((end, bytes)) = bytes.split_first() else { return };
    let base = if end % 2 == 0 { 0 } else { u32::MAX - 255 };
    let (one, other) = bytes.split_at(bytes.len() / 4 * 2);
    let ((set, plain), (minus, plain_minus)) = (read(base, one), read(base, other));
    agree(&set, &plain);
    agree(&minus, &plain_minus);
    agree(&set.minus(&minus), &plain.difference(&plain_minus).copied().collect());
    agree(&minus.minus(&set), &plain_minus.difference(&plain).copied().collect());
    agree(&plain.iter().rev().copied().collect(), &plain);
    for uid in (base..=base + 255).chain([0, u32::MAX]) {
        assert_eq!(set.contains(uid), plain.contains(&uid), "{uid} in {set}");
    }
});

fn read(base: u32, bytes: &[u8]) -> (UidSet, BTreeSet<u32>) {
    let ranges = || bytes.chunks_exact(2).map(|pair| (base + u32::from(pair[0]), base + u32::from(pair[1])));
    (UidSet::from_ranges(ranges()), ranges().flat_map(|(a, b)| a.min(b)..=a.max(b)).collect())
}

fn agree(set: &UidSet, plain: &BTreeSet<u32>) {
    assert!(set.iter().eq(plain.iter().copied()), "{set} is not {plain:?}");
    assert_eq!(set.len(), plain.len() as u64);
    assert_eq!(set.is_empty(), plain.is_empty());
    assert_eq!(set.last(), plain.last().copied());
    // Ascending, and as few ranges as can be.
    assert!(set.ranges().iter().all(|(from, to)| from <= to), "{set}");
    assert!(set.ranges().windows(2).all(|pair| pair[0].1 + 1 < pair[1].0), "{set}");
    let written: Vec<(u32, u32)> = set.to_string().split(',').filter(|range| !range.is_empty()).map(range).collect();
    assert_eq!(written, set.ranges());
}

fn range(text: &str) -> (u32, u32) {
    let (from, to) = text.split_once(':').unwrap_or((text, text));
    (from.parse().expect("a number"), to.parse().expect("a number"))
}
