//! Whatever the metas of a Zimbra export say, it is read without a panic, and its message is there once. The input is
//! the meta of a message, then 0xff, then the message.
#![no_main]

use gatepost_archive::{
    ArchiveError, Content, FolderNumber, FoundFolder, FoundItem, FoundMessage, Limits, Visitor, open,
};
use gatepost_contract::SourceType;
use libfuzzer_sys::fuzz_target;
use std::io::Write as _;

#[derive(Default)]
struct Counted {
    folders: u32,
    found: usize,
}

impl Visitor for Counted {
    fn folder(&mut self, _: FoundFolder) -> Result<FolderNumber, ArchiveError> {
        self.folders += 1;
        Ok(self.folders - 1)
    }

    fn message(&mut self, folder: FolderNumber, _: FoundMessage, content: Content<'_>) -> Result<(), ArchiveError> {
        assert!(folder < self.folders);
        self.found += 1;
        // A message that cannot be given is counted, and ends nothing.
        match content(&mut std::io::sink()) {
            Err(ArchiveError::Unreadable(_)) => Ok(()),
            other => other,
        }
    }

    fn unreadable(&mut self, _: FolderNumber, _: FoundMessage, _: String) -> Result<(), ArchiveError> {
        self.found += 1;
        Ok(())
    }

    fn item(&mut self, _: FolderNumber, _: FoundItem, content: Content<'_>) -> Result<(), ArchiveError> {
        self.found += 1;
        match content(&mut std::io::sink()) {
            Err(ArchiveError::Unreadable(_)) => Ok(()),
            other => other,
        }
    }

    fn damage(&mut self, _: String) -> Result<(), ArchiveError> {
        self.found += 1;
        Ok(())
    }

    fn progress(&mut self, _: u64, _: u64) -> Result<(), ArchiveError> {
        Ok(())
    }
}

fn entry(out: &mut Vec<u8>, name: &str, data: &[u8]) {
    let mut head = [0_u8; 512];
    head[..name.len()].copy_from_slice(name.as_bytes());
    head[100..108].copy_from_slice(b"0000644\0");
    head[124..136].copy_from_slice(format!("{:011o}\0", data.len()).as_bytes());
    head[136..148].copy_from_slice(b"14570000000\0");
    head[148..156].fill(b' ');
    head[156] = b'0';
    head[257..265].copy_from_slice(b"ustar  \0");
    let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
    head[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    out.extend_from_slice(&head);
    out.extend_from_slice(data);
    out.resize(out.len().next_multiple_of(512), 0);
}

fuzz_target!(|input: &[u8]| {
    let at = input.iter().position(|byte| *byte == 0xFF).unwrap_or(input.len());
    let (meta, message) = (&input[..at], input.get(at + 1..).unwrap_or_default());
    let folder = br#"{"Path":"/Inbox","type":1,"id":2,"name":"Inbox","folder_id":1}"#;
    let mut tar = Vec::new();
    entry(&mut tar, "0000000002-Inbox.meta", folder);
    entry(&mut tar, "Inbox/0000000261-a.eml.meta", meta);
    entry(&mut tar, "Inbox/0000000261-a.eml", message);
    tar.resize(tar.len() + 1024, 0);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    let packed = packed.write_all(&tar).and_then(|()| packed.finish()).expect("memory takes what is written");
    let place = if std::path::Path::new("/dev/shm").is_dir() { "/dev/shm".into() } else { std::env::temp_dir() };
    let path = place.join(format!("gatepost-fuzz-zimbra-{}", std::process::id()));
    std::fs::write(&path, packed).expect("space");
    let mut store = match open(&path, "ana.tgz", SourceType::Tgz, &Limits::new(std::env::temp_dir())) {
        Ok(store) => store,
        // Without a message that is one there may be nothing to recognise.
        Err(_) => return,
    };
    let mut counted = Counted::default();
    store.scan(&mut counted).expect("an export");
    assert!(counted.found >= 1, "the message was dropped in silence");
});
