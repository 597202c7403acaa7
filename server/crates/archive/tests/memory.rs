//! One line of gigabytes and one message of hundreds of megabytes pass in bounded memory. The only test of its process,
//! since it reads what the whole process weighed.

use gatepost_archive::{
    ArchiveError, Content, FolderNumber, FoundFolder, FoundItem, FoundMessage, Limits, Visitor, open,
};
use gatepost_contract::SourceType;
use gatepost_testkit::archives::hostile;
use gatepost_testkit::pst::{Attachment, Item, Options, Pst};
use std::io::{BufWriter, Seek as _, SeekFrom, Write};
use std::path::Path;

/// Counts the bytes of messages and keeps none.
#[derive(Default)]
struct Counted {
    messages: u64,
    bytes: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Visitor for Counted {
    fn folder(&mut self, _: FoundFolder) -> Result<FolderNumber, ArchiveError> {
        Ok(0)
    }
    fn message(&mut self, _: FolderNumber, _: FoundMessage, content: Content<'_>) -> Result<(), ArchiveError> {
        self.messages += 1;
        content(self)
    }
    fn unreadable(&mut self, _: FolderNumber, _: FoundMessage, why: String) -> Result<(), ArchiveError> {
        Err(ArchiveError::Unreadable(why))
    }
    fn item(&mut self, _: FolderNumber, _: FoundItem, _: Content<'_>) -> Result<(), ArchiveError> {
        Ok(())
    }
    fn damage(&mut self, _: String) -> Result<(), ArchiveError> {
        Ok(())
    }
    fn progress(&mut self, _: u64, _: u64) -> Result<(), ArchiveError> {
        Ok(())
    }
}

/// The most memory that this process held so far, in MB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a line");
    line.split_whitespace().nth(1).and_then(|kilobytes| kilobytes.parse::<u64>().ok()).expect("a number") / 1024
}

fn count(path: &Path, kind: SourceType, work: &Path) -> Counted {
    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
    let mut counted = Counted::default();
    open(path, &name, kind, &Limits::new(work)).expect("readable").scan(&mut counted).expect("readable");
    counted
}

#[test]
fn large_lines_and_large_messages_pass_in_bounded_memory() {
    let dir = tempfile::tempdir().expect("a folder");
    // A line of 2 GB, of which the disk holds the ends alone: between them lies a hole.
    let line = 2 << 30;
    {
        let mut out = std::fs::File::create(dir.path().join("line.mbox")).expect("a file");
        out.write_all(b"From ana@example.test Thu Feb 29 12:00:00 2024\nSubject: one line\n\nx").expect("space");
        out.seek(SeekFrom::Start(line)).expect("a place");
        out.write_all(b"x\n").expect("space");
        std::fs::create_dir(dir.path().join("eml")).expect("a folder");
        let mut out = BufWriter::new(std::fs::File::create(dir.path().join("eml/large.eml")).expect("a file"));
        hostile::large_eml(&mut out, 200_000_000).expect("space");
        out.flush().expect("space");
    }
    let before = peak();

    let mbox = count(&dir.path().join("line.mbox"), SourceType::Mbox, dir.path());
    assert_eq!(mbox.messages, 1);
    // All but the line that parts messages, at most.
    assert!(mbox.bytes > line - 100, "{}", mbox.bytes);
    std::fs::remove_file(dir.path().join("line.mbox")).expect("removable");
    let eml = count(&dir.path().join("eml"), SourceType::Eml, dir.path());
    assert_eq!(eml.messages, 1);
    assert!(eml.bytes >= 199_000_000, "{}", eml.bytes);
    assert!(peak().saturating_sub(before) < 64, "{} MB before, {} MB at most", before, peak());

    // A store with a large attachment. The writer holds it; the reader must not.
    let path = dir.path().join("large.pst");
    let mut pst = Pst::create(&path, Options::default()).expect("a file");
    let folder = pst.folder(pst.top(), "Inbox");
    let data = vec![7; 60_000_000];
    for _ in 0..2 {
        let attachment = Attachment::file("large.bin", "application/octet-stream", data.clone());
        pst.item(folder, &Item::mail("large").text("x").attach(attachment)).expect("space");
    }
    pst.finish().expect("space");
    drop(data);
    std::fs::write("/proc/self/clear_refs", "5").expect("the peak starts anew");
    let before = peak();
    let pst = count(&path, SourceType::Pst, dir.path());
    assert_eq!(pst.messages, 2);
    assert!(pst.bytes > 160_000_000, "{}", pst.bytes);
    assert!(peak().saturating_sub(before) < 64, "{} MB before, {} MB at most", before, peak());
}
