//! Whatever messages are exported as mbox, on one thread or on several, the reader of mbox gives each again as it was, with
//! its flags and date: behind the fields of its state, with the end of its header and of its last line where it had none.
//! Messages are parted by 0xff; the first byte of each says its flags. A message that does not begin with a field is
//! none that we make, and is not tried.
#![no_main]

use gatepost_archive::{
    ArchiveError, Content, Described, ExportFormat, FolderNumber, FoundFolder, FoundItem, FoundMessage, Limits,
    Locator, Store, Visitor, export, open,
};
use gatepost_contract::SourceType;
use gatepost_transfer::{Flags, FolderPath, InternalDate};
use libfuzzer_sys::fuzz_target;
use std::io::Write;
use std::path::{Path, PathBuf};
use tokio_util::sync::CancellationToken;

const FLAGS: [&str; 4] = ["", "\\Seen", "\\Answered \\Draft Urgente", "\\Flagged $Forwarded \\Seen"];

#[derive(Clone, Default)]
struct Messages(Vec<(Flags, i64, Vec<u8>)>);

impl Store for Messages {
    fn describe(&self) -> Described {
        Described { format: "messages".to_owned(), encoding: None }
    }

    fn scan(&mut self, visitor: &mut dyn Visitor) -> Result<(), ArchiveError> {
        let path = FolderPath::new(["Folder"]);
        let folder = visitor.folder(FoundFolder { path, special_use: None, declared: None })?;
        for (flags, seconds, bytes) in &self.0 {
            let found = FoundMessage {
                locator: Locator { at: 0, more: 0, name: None },
                class: "message".to_owned(),
                internal_date: InternalDate { seconds: *seconds, zone_minutes: 0 },
                flags: flags.clone(),
                note: None,
                salvaged: false,
            };
            if visitor.wants(folder)? {
                visitor.message(folder, found, &mut |out| Ok(out.write_all(bytes)?))?;
            }
        }
        Ok(())
    }

    fn message(&mut self, _: &Locator, _: &mut dyn Write) -> Result<(), ArchiveError> {
        Ok(())
    }
}

impl Visitor for Messages {
    fn folder(&mut self, _: FoundFolder) -> Result<FolderNumber, ArchiveError> {
        Ok(0)
    }

    fn message(&mut self, _: FolderNumber, found: FoundMessage, content: Content<'_>) -> Result<(), ArchiveError> {
        let mut bytes = Vec::new();
        content(&mut bytes)?;
        self.0.push((found.flags, found.internal_date.seconds, bytes));
        Ok(())
    }

    fn unreadable(&mut self, _: FolderNumber, _: FoundMessage, why: String) -> Result<(), ArchiveError> {
        panic!("unreadable: {why}")
    }

    fn item(&mut self, _: FolderNumber, item: FoundItem, _: Content<'_>) -> Result<(), ArchiveError> {
        panic!("no message: {item:?}")
    }

    fn damage(&mut self, sentence: String) -> Result<(), ArchiveError> {
        panic!("damage: {sentence}")
    }

    fn progress(&mut self, _: u64, _: u64) -> Result<(), ArchiveError> {
        Ok(())
    }
}

/// Lines with their ends.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n')
}

fn is_empty(line: &[u8]) -> bool {
    matches!(line, b"\n" | b"\r\n")
}

/// A message as it is written: its header and its last line end, and no line of its header parts messages.
fn wanted(bytes: &[u8]) -> Vec<u8> {
    let (mut out, mut header) = (Vec::new(), true);
    for line in lines(bytes) {
        header &= !is_empty(line);
        if header && line.starts_with(b"From ") {
            out.push(b'>');
        }
        out.extend_from_slice(line);
    }
    if !out.is_empty() && !out.ends_with(b"\n") {
        out.extend_from_slice(b"\r\n");
    }
    if header {
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// A message as it was read, without the fields of its state and with the names that its own fields had.
fn taken_out(bytes: &[u8], wanted: &[u8]) -> Vec<u8> {
    let state = |line: &&[u8]| [&b"Status: "[..], b"X-Status: ", b"X-Keywords: "].iter().any(|f| line.starts_with(f));
    let front: usize = lines(bytes).take_while(state).map(<[u8]>::len).sum();
    let (mut out, mut header) = (Vec::new(), true);
    let mut originals = lines(wanted);
    for line in lines(&bytes[front..]) {
        header &= !is_empty(line);
        let same = originals.next() == Some(line);
        out.extend_from_slice(line.strip_prefix(b"Old-").filter(|_| header && !same).unwrap_or(line));
    }
    out
}

fn place() -> PathBuf {
    let place = Path::new("/dev/shm");
    let place = if place.is_dir() { place.to_owned() } else { std::env::temp_dir() };
    place.join(format!("gatepost-fuzz-export-{}", std::process::id()))
}

fuzz_target!(|input: &[u8]| {
    let messages: Vec<_> = input
        .split(|byte| *byte == 0xff)
        .filter_map(|part| part.split_first())
        .filter(|(_, bytes)| {
            let name = bytes.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-').count();
            name > 0 && bytes.get(name) == Some(&b':')
        })
        .take(20)
        .enumerate()
        .map(|(n, (first, bytes))| {
            (Flags::from(FLAGS[usize::from(first % 4)]), 1_700_000_000 + n as i64, bytes.to_vec())
        })
        .collect();
    if messages.is_empty() {
        return;
    }
    let messages = Messages(messages);
    let threads = 1 + input.len() % 2;
    let again = || Ok(Box::new(messages.clone()) as Box<dyn Store>);
    let place = place();
    let done = export(&again, ExportFormat::Mbox, threads, &place, &mut |_, _| {}, &CancellationToken::new());
    assert_eq!(done.expect("space").messages, messages.0.len() as u64);
    let mbox = place.join("Folder.mbox");
    let mut read = Messages::default();
    let mut store = open(&mbox, "Folder.mbox", SourceType::Mbox, &Limits::new(std::env::temp_dir())).expect("an mbox");
    store.scan(&mut read).expect("an mbox");
    std::fs::remove_file(&mbox).expect("it is there");
    assert_eq!(read.0.len(), messages.0.len());
    for ((flags, seconds, bytes), back) in messages.0.iter().zip(&read.0) {
        assert_eq!((flags, seconds), (&back.0, &back.1));
        let wanted = wanted(bytes);
        let got = taken_out(&back.2, &wanted);
        assert!(got == wanted, "{:?} was {:?}", String::from_utf8_lossy(&got), String::from_utf8_lossy(&wanted));
    }
});
