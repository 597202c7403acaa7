//! Damaged files: whatever is done to them, the reader ends, says what is wrong, and gives what is left.

mod common;

use common::{Count, count_bytes, sample, samples};
use gatepost_pst::{Bytes, Pst, PstError};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use std::{io, sync::Arc};

/// A shared file, so that many readers need no copies.
#[derive(Clone)]
struct Shared(Arc<Vec<u8>>, usize);

impl Bytes for Shared {
    fn len(&self) -> u64 {
        self.1 as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|at| self.0[..self.1].get(at..)).unwrap_or_default();
        let n = rest.len().min(buffer.len());
        buffer[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }
}

fn whole(count: &Count) -> usize {
    count.items - count.unreadable
}

#[test]
fn a_file_cut_short_still_gives_what_lies_before_the_cut() {
    let Some(samples) = samples() else { return };
    // The least that must be readable at 25, 50, 75, 90 and 99 per cent.
    for (name, least) in [
        ("enron-lokay.pst", [50, 50, 50, 50, 50]),
        ("aspose-Outlook.pst", [0, 0, 0, 0, 0]),
        ("ost-exchange2010.ost", [0, 0, 0, 0, 0]),
        ("ost2013-4k-mail.ost.gz", [0, 0, 0, 0, 0]),
        ("pstsdk-sample2-ansi.pst", [0, 0, 0, 0, 0]),
    ] {
        let bytes = Arc::new(sample(&samples, name));
        for (percent, least) in [25, 50, 75, 90, 99].into_iter().zip(least) {
            let pst = Pst::open(Shared(Arc::clone(&bytes), bytes.len() * percent / 100)).expect("the header is there");
            let count = common::count(&pst).expect("memory can be read");
            println!(
                "{name} {percent} %: {} of {} readable, {} salvaged, {} noted, {} bytes attached",
                whole(&count),
                count.items,
                count.salvaged,
                count.notes,
                count.attached_bytes
            );
            assert!(whole(&count) >= least, "{name} at {percent} %: {count:?}");
            assert!(!pst.damage().is_empty(), "{name} at {percent} %: nothing is said");
        }
    }
}

#[test]
fn random_flips_never_stop_the_reader() {
    let Some(samples) = samples() else { return };
    let mut random = SmallRng::seed_from_u64(20);
    for name in [
        "enron-lokay.pst",
        "aspose-Outlook.pst",
        "ost-exchange2010.ost",
        "ost2013-4k-mail.ost.gz",
        "gopst-32bit-ansi.pst",
        "pstsdk-sample2-ansi.pst",
        "libyal-outlook.pst",
    ] {
        let bytes = sample(&samples, name);
        for flips in [1, 10, 100, 1_000, 10_000] {
            let mut bytes = bytes.clone();
            for _ in 0..flips {
                let at = random.random_range(1024..bytes.len());
                bytes[at] ^= 1 << random.random_range(0..8);
            }
            let pst = Pst::open(bytes).expect("the header is whole");
            let count = common::count(&pst).expect("the header is whole");
            println!(
                "{name} {flips} flips: {} of {} readable, {} salvaged, {} noted",
                whole(&count),
                count.items,
                count.salvaged,
                count.notes
            );
        }
    }
}

#[test]
fn a_file_without_usable_trees_is_rebuilt_from_its_pages() {
    let Some(samples) = samples() else { return };
    for (name, items) in [("enron-lokay.pst", 71), ("aspose-Outlook.pst", 16), ("ost2013-4k-mail.ost.gz", 183)] {
        let mut bytes = sample(&samples, name);
        // Both roots point into nowhere.
        bytes[216..248].fill(0xEE);
        let pst = Pst::open(bytes).expect("it is still a PST");
        let count = common::count(&pst).expect("memory can be read");
        println!("{name} without roots: {} of {} ({} salvaged)", whole(&count), count.items, count.salvaged);
        assert!(whole(&count) >= items, "{name}: {count:?}");
        assert!(count.salvaged >= items, "{name}: what was salvaged is marked");
        assert!(pst.damage().iter().any(|sentence| sentence.contains("searched")), "{:?}", pst.damage());
    }
}

#[test]
fn zeros_in_the_middle_lose_only_what_lay_there() {
    let Some(samples) = samples() else { return };
    let mut bytes = sample(&samples, "enron-lokay.pst");
    bytes[102_400..102_400 + 65_536].fill(0);
    let count = count_bytes(bytes).expect("the header is whole");
    println!("zeroed: {count:?}");
    assert!(whole(&count) >= 60, "{count:?}");
}

#[test]
fn a_header_with_one_wrong_byte_is_read_around() {
    let Some(samples) = samples() else { return };
    let bytes = sample(&samples, "pstsdk-sample1.pst");
    let expected = count_bytes(bytes.clone()).expect("sound");
    for at in [0, 4, 8, 513, 216, 224, 240] {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0xFF;
        let count = count_bytes(bytes).unwrap_or_else(|error| panic!("byte {at}: {error}"));
        assert_eq!((whole(&count), count.attached_bytes), (1, expected.attached_bytes), "byte {at}: {count:?}");
    }
    let mut future = bytes;
    future[10] = 99;
    assert!(matches!(count_bytes(future), Err(PstError::UnknownVersion(99))));
}

#[test]
fn the_beginning_of_a_file_is_refused_or_empty_but_never_a_crash() {
    let Some(samples) = samples() else { return };
    let bytes = Arc::new(sample(&samples, "pstsdk-submessage.pst"));
    for length in (0..4096).step_by(97).chain((4096..bytes.len()).step_by(8111)) {
        if let Ok(pst) = Pst::open(Shared(Arc::clone(&bytes), length)) {
            common::count(&pst).expect("memory can be read");
        }
    }
}
