//! Whatever is uploaded as an mbox, a zip or a tar, the readers do not panic, tell the same at a second scan, give every
//! message again as they told it, and give folders names of one line, not endless. The first byte says what the rest is.
#![no_main]

use gatepost_archive::{
    ArchiveError, Content, FolderNumber, FoundFolder, FoundItem, FoundMessage, Limits, Locator, Visitor, open,
};
use gatepost_contract::SourceType;
use libfuzzer_sys::fuzz_target;
use std::io::Write as _;
use std::path::PathBuf;

#[derive(Default, PartialEq, Debug)]
struct Told {
    folders: Vec<FoundFolder>,
    messages: Vec<(FolderNumber, FoundMessage, Vec<u8>)>,
    others: Vec<String>,
}

impl Visitor for Told {
    fn folder(&mut self, folder: FoundFolder) -> Result<FolderNumber, ArchiveError> {
        for level in folder.path.levels() {
            assert!(!level.is_empty() && level.len() <= 1024 && !level.chars().any(char::is_control), "{level:?}");
        }
        self.folders.push(folder);
        Ok(self.folders.len() as FolderNumber - 1)
    }

    fn message(&mut self, folder: FolderNumber, found: FoundMessage, content: Content<'_>) -> Result<(), ArchiveError> {
        let mut bytes = Vec::new();
        match content(&mut bytes) {
            Ok(()) => self.messages.push((folder, found, bytes)),
            // A message that cannot be given ends nothing.
            Err(ArchiveError::Unreadable(why)) => self.others.push(why),
            Err(other) => return Err(other),
        }
        Ok(())
    }

    fn unreadable(&mut self, _: FolderNumber, _: FoundMessage, why: String) -> Result<(), ArchiveError> {
        self.others.push(why);
        Ok(())
    }

    fn item(&mut self, _: FolderNumber, item: FoundItem, content: Content<'_>) -> Result<(), ArchiveError> {
        let mut bytes = Vec::new();
        match content(&mut bytes) {
            Ok(()) => self.others.push(format!("{item:?} {bytes:?}")),
            Err(ArchiveError::Unreadable(why)) => self.others.push(why),
            Err(other) => return Err(other),
        }
        Ok(())
    }

    fn damage(&mut self, sentence: String) -> Result<(), ArchiveError> {
        assert!(!sentence.is_empty());
        self.others.push(sentence);
        Ok(())
    }

    fn progress(&mut self, done: u64, total: u64) -> Result<(), ArchiveError> {
        assert!(done <= total, "{done} of {total}");
        Ok(())
    }
}

/// A file in memory, where the machine has one.
fn file() -> PathBuf {
    let place = PathBuf::from("/dev/shm");
    let place = if place.is_dir() { place } else { std::env::temp_dir() };
    place.join(format!("gatepost-fuzz-{}", std::process::id()))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    out.write_all(bytes).and_then(|()| out.finish()).expect("memory takes what is written")
}

fuzz_target!(|input: &[u8]| {
    let Some((first, bytes)) = input.split_first() else { return };
    let (kind, bytes) = match first % 4 {
        0 => (SourceType::Mbox, bytes.to_vec()),
        1 => (SourceType::Eml, bytes.to_vec()),
        2 => (SourceType::Tgz, gzip(bytes)),
        _ => (SourceType::Eml, gzip(bytes)),
    };
    let path = file();
    std::fs::write(&path, &bytes).expect("space");
    let mut limits = Limits::new(std::env::temp_dir());
    limits.unpacked = 1 << 20;
    let scan = |told: &mut Told| -> Result<Box<dyn gatepost_archive::Store>, ArchiveError> {
        let mut store = open(&path, "upload", kind, &limits)?;
        store.scan(told)?;
        Ok(store)
    };
    let (mut one, mut two) = (Told::default(), Told::default());
    let (first, second) = (scan(&mut one), scan(&mut two));
    assert_eq!(one, two);
    match (first, second) {
        (Ok(_), Ok(mut store)) => {
            for (_, found, told) in &one.messages {
                let locator: &Locator = &found.locator;
                let mut bytes = Vec::new();
                store.message(locator, &mut bytes).expect("it was given before");
                assert!(bytes == *told, "{locator:?} is given otherwise");
            }
        }
        (Err(one), Err(two)) => assert_eq!(one.to_string(), two.to_string()),
        _ => panic!("read once of twice"),
    }
});
