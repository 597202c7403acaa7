//! Damaged files: whatever is done to them, the reader ends, says what is wrong, and gives what is left.

mod common;

use common::{Count, count_bytes, sample, samples};
use gatepost_mapi::{Object as _, tags};
use gatepost_pst::{Bytes, Pst, PstError};
use gatepost_testkit::pst::{Encoding, Item, Layout, Options, Pst as Writer, everything, small};
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

/// Files of our own, for where there are no samples.
fn written(fill: fn(&mut Writer<io::Cursor<Vec<u8>>>) -> io::Result<()>) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for layout in [Layout::Ansi, Layout::Unicode, Layout::FourK] {
        for encoding in [Encoding::None, Encoding::Permute, Encoding::Cyclic] {
            let mut writer =
                Writer::memory(Options { layout, encoding, maps: false, entries_per_page: 4, ..Options::default() });
            fill(&mut writer).expect("memory");
            files.push((format!("{layout:?} {encoding:?}"), writer.bytes()));
        }
    }
    files
}

#[test]
fn files_of_our_own_are_rebuilt_without_their_trees_in_every_layout_and_encoding() {
    for (name, mut bytes) in written(everything) {
        let roots = if name.starts_with("Ansi") { 184..200 } else { 216..248 };
        bytes[roots].fill(0xEE);
        let pst = Pst::open(bytes).expect("it is still a PST");
        let count = common::count(&pst).expect("memory can be read");
        assert_eq!((count.items, count.unreadable, count.salvaged), (18, 0, 18), "{name}: {:?}", pst.damage());
    }
}

#[test]
fn blocks_are_found_by_themselves_where_no_page_leads_to_them() {
    for (name, mut bytes) in written(everything) {
        // Every page of the block B-tree becomes useless: both marks of its kind.
        let (page, body) = match name.split(' ').next() {
            Some("Ansi") => (512, 500),
            Some("Unicode") => (512, 496),
            _ => (4096, 4072),
        };
        for at in (0..bytes.len() - page).step_by(512) {
            if bytes[at + body..at + body + 2] == [0x80, 0x80] {
                bytes[at + body..at + body + 2].fill(0x11);
            }
        }
        let pst = Pst::open(bytes).expect("it is still a PST");
        let count = common::count(&pst).expect("memory can be read");
        assert_eq!((count.items, count.unreadable), (18, 0), "{name}: {:?}", pst.damage());
        assert!(count.notes >= 18, "{name}: an item that was read so says it");
    }
}

#[test]
fn a_wrong_checksum_is_a_note_and_no_refusal() {
    for layout in [Layout::Ansi, Layout::Unicode, Layout::FourK] {
        // Without compression, so that the flip changes one character and no more.
        let options = Options { layout, encoding: Encoding::None, compress: false, ..Options::default() };
        let mut writer = Writer::memory(options);
        let inbox = writer.folder(writer.top(), "Inbox");
        let text = "\u{e7}".repeat(20_000);
        for text in [&text[..], "sound"] {
            writer.item(inbox, &Item::mail("x").text(text)).expect("memory");
        }
        let mut bytes = writer.bytes();
        let run = if layout == Layout::Ansi { [0xE7; 64] } else { std::array::from_fn(|i| [0xE7, 0][i % 2]) };
        let at = bytes.windows(64).position(|window| window == run).expect("the text") + 20;
        bytes[at] ^= 2;
        let pst = Pst::open(bytes).expect("a PST");
        let folder = pst.folders().expect("folders").into_iter().find(|folder| folder.path == ["Inbox"]);
        let items: Vec<_> = pst.items(folder.expect("Inbox").nid).expect("items").collect();
        let notes: Vec<_> = items.iter().map(|item| pst.message(item.nid).expect("readable").notes().len()).collect();
        assert_eq!(notes, [1, 0], "{layout:?}");
        let spoilt = pst.message(items[0].nid).expect("readable");
        let text = spoilt.properties().text(tags::BODY).expect("its text");
        assert_eq!(text.chars().filter(|&c| c != '\u{e7}').count(), 1, "{layout:?}");
        assert!(pst.damage().is_empty(), "{layout:?}: it is the message's, and not the file's");
    }
}

#[test]
fn wild_bytes_anywhere_end_in_an_answer() {
    let mut random = SmallRng::seed_from_u64(5);
    for (name, bytes) in written(small) {
        let sound = count_bytes(bytes.clone()).expect("sound").items;
        for round in 0..120 {
            let mut bytes = bytes.clone();
            for _ in 0..1 << (round % 9) {
                let at = random.random_range(16..bytes.len() - 8);
                match random.random_range(0..5) {
                    0 => bytes[at] ^= 1 << random.random_range(0..8),
                    1 => bytes[at] = 0xFF,
                    2 => bytes[at..at + 4].fill(0),
                    3 => bytes[at..at + 8].fill(0xFF),
                    // Something from elsewhere: pointers to the wrong but existing thing.
                    _ => {
                        let from = random.random_range(16..bytes.len() - 8);
                        let piece: [u8; 8] = *bytes[from..].first_chunk().expect("eight bytes");
                        bytes[at..at + 8].copy_from_slice(&piece);
                    }
                }
            }
            if let Ok(count) = count_bytes(bytes) {
                assert!(count.items < sound + 40, "{name}, round {round}: {count:?}");
            }
        }
    }
}

#[test]
fn a_file_cut_short_still_gives_what_lies_before_the_cut() {
    let Some(samples) = samples() else { return };
    // The least that must be readable at 25, 50, 75, 90 and 99 per cent.
    for (name, least) in [
        ("enron-lokay.pst", [50, 50, 51, 57, 69]),
        ("aspose-Outlook.pst", [0, 0, 1, 16, 16]),
        ("ost-exchange2010.ost", [53, 88, 79, 92, 92]),
        ("ost2013-4k-mail.ost.gz", [183, 183, 183, 183, 183]),
        ("pstsdk-sample2-ansi.pst", [0, 0, 1, 1, 1]),
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
        let sound = count_bytes(bytes.clone()).expect("sound");
        assert_eq!((sound.items, sound.again), (sound.readable.len(), 0), "{name}");
        let sound = sound.items;
        for flips in [1, 10, 100, 1_000, 10_000] {
            let mut bytes = bytes.clone();
            for _ in 0..flips {
                let at = random.random_range(1024..bytes.len());
                bytes[at] ^= 1 << random.random_range(0..8);
            }
            let pst = Pst::open(bytes).expect("the header is whole");
            let count = common::count(&pst).expect("the header is whole");
            // Nothing is told twice, whatever points where. A row of a folder's table whose number has changed is told
            // as an item that cannot be read, and the item that it named as one that was found: one in all of this.
            assert_eq!(count.again, 0, "{name}, {flips} flips");
            assert!(count.readable.len() <= sound, "{name}, {flips} flips: {} of {sound}", count.readable.len());
            assert!(count.items <= sound + 1, "{name}, {flips} flips: {} of {sound}", count.items);
            if flips <= 10 {
                assert!(whole(&count) >= sound * 9 / 10, "{name}, {flips} flips: {count:?}");
            }
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
