//! Sets of flags behave as sets do, whatever servers call a flag: no flag twice, `\Recent` never, sums and differences
//! without regard to order and case, and the text that a ledger stores gives the same set. The input is two lists of
//! flags, one on each line.
#![no_main]

use gatepost_transfer::Flags;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    // As FETCH gives them: atoms, which spaces part, and which may hold any other odd character.
    let mut lines = text.lines().map(|line| line.split(' ').collect::<Flags>());
    let (a, b) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    for set in [&a, &b] {
        assert_eq!(&Flags::from(set.to_string().as_str()), set, "stored and read");
        assert!(!set.contains("\\Recent"), "{set}");
        let all: Vec<String> = set.iter().map(str::to_ascii_lowercase).collect();
        assert!(all.windows(2).all(|pair| pair[0] < pair[1]), "{set} is sorted and has no flag twice");
        assert_eq!(set.is_empty(), all.is_empty());
        assert_eq!(&set.iter().collect::<Vec<_>>().into_iter().rev().collect::<Flags>(), set, "order does not matter");
        assert!(set.minus(set).is_empty());
    }
    let (sum, left) = (a.plus(&b), a.minus(&b));
    assert_eq!(sum, b.plus(&a));
    assert!(a.iter().chain(b.iter()).all(|flag| sum.contains(flag)));
    assert!(a.iter().all(|flag| left.contains(flag) != b.contains(flag)), "{a} less {b} is not {left}");
    assert_eq!(left.plus(&b), sum);
});
