//! What a PST holds, written as mbox files and read again from them: the same messages with the same flags and dates, in
//! the same order.

mod common;

use common::{Found, limits, sample, scan};
use gatepost_archive::{ExportFormat, Exported, FolderNames, export, open};
use gatepost_contract::SourceType;
use gatepost_testkit::pst::{self, Encoding, Layout, Options, Pst};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tokio_util::sync::CancellationToken;

/// Every file below a directory, by its path there.
fn files(directory: &Path) -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    let mut left = vec![directory.to_owned()];
    while let Some(next) = left.pop() {
        for entry in std::fs::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                left.push(path);
            } else {
                let name = path.strip_prefix(directory).expect("it lies there").to_string_lossy().into_owned();
                found.insert(name, path);
            }
        }
    }
    found
}

/// A message as it was before it went into an mbox: without the fields in front that tell its state, with the names that
/// its own fields had, as far as `original` had them.
fn taken_out(bytes: &[u8], original: &[u8]) -> Vec<u8> {
    let lines: Vec<&[u8]> = bytes.split_inclusive(|b| *b == b'\n').collect();
    let state =
        |line: &&&[u8]| ["Status: ", "X-Status: ", "X-Keywords: ", " "].iter().any(|f| line.starts_with(f.as_bytes()));
    let front = lines.iter().take_while(state).count();
    let mut out = Vec::new();
    let mut header = true;
    for line in &lines[front..] {
        header &= !line.trim_ascii().is_empty();
        let renamed = line
            .strip_prefix(b"Old-")
            .filter(|line| header && !original.windows(line.len() + 4).any(|w| w == [b"Old-", *line].concat()));
        out.extend_from_slice(renamed.unwrap_or(line));
    }
    out
}

fn written(file: &Path, threads: usize, to: &Path) -> Exported {
    let again = || open(file, "x.pst", SourceType::Pst, &limits());
    export(&again, ExportFormat::Mbox, threads, to, &mut |_, _| {}, &CancellationToken::new()).expect("it is written")
}

/// Writes a file as mbox and compares what is read from that with what is in the file.
fn round_trip(name: &str, file: &Path) -> usize {
    let found: Found = scan(file, SourceType::Pst).expect(name);
    let dir = tempfile::tempdir().expect("a folder");
    let done = written(file, 2, dir.path());
    let counts = (found.messages.len() as u64, found.items.len() as u64, found.unreadable.len());
    assert_eq!((done.messages, done.items, done.unreadable.len()), counts, "{name}");
    let mut left = files(dir.path());
    let mut names = FolderNames::default();
    for path in found.counts().into_keys() {
        let folder = found.folders.iter().find(|folder| folder.path.to_string() == path).expect("it was told");
        let mbox = format!("{}.mbox", names.of(&folder.path));
        let place = left.remove(&mbox).unwrap_or_else(|| panic!("{name}: no {mbox} in {left:?}"));
        let read = scan(&place, SourceType::Mbox).unwrap_or_else(|error| panic!("{name} {mbox}: {error}"));
        assert!(
            read.losses.is_empty() && read.unreadable.is_empty() && read.items.is_empty(),
            "{name} {mbox}: {read:?}"
        );
        let there: Vec<_> = found.messages.iter().filter(|message| message.folder == path).collect();
        assert_eq!(read.messages.len(), there.len(), "{name} {mbox}");
        for (back, original) in read.messages.iter().zip(there) {
            let (flags, date) = (&back.found.flags, back.found.internal_date.seconds);
            assert_eq!((flags, date), (&original.found.flags, original.found.internal_date.seconds), "{name} {mbox}");
            let mut whole = original.bytes.clone();
            if !whole.ends_with(b"\n") {
                whole.extend_from_slice(b"\r\n");
            }
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let taken_out = taken_out(&back.bytes, &whole);
            assert!(taken_out == whole, "{name} {mbox}:\n{}\nwas\n{}", text(&taken_out), text(&whole));
        }
    }
    // What is no mail lies in files of its own; folders without anything are empty files.
    let mut items: Vec<Vec<u8>> = found.items.iter().map(|item| item.bytes.clone()).collect();
    for (other, place) in left {
        let bytes = std::fs::read(place).expect("readable");
        if bytes.is_empty() && other.ends_with(".mbox") {
            continue;
        }
        let at =
            items.iter().position(|item| *item == bytes).unwrap_or_else(|| panic!("{name}: {other} is of nothing"));
        items.remove(at);
    }
    assert!(items.is_empty(), "{name}: {} items are in no file", items.len());
    found.messages.len()
}

#[test]
fn a_file_of_every_layout_comes_back_from_mbox() {
    let dir = tempfile::tempdir().expect("a folder");
    for (layout, encoding) in
        [(Layout::Ansi, Encoding::Cyclic), (Layout::Unicode, Encoding::Permute), (Layout::FourK, Encoding::None)]
    {
        let file = dir.path().join("everything.pst");
        let mut pst = Pst::create(&file, Options { layout, encoding, ..Options::default() }).expect("a file");
        pst::everything(&mut pst).expect("space");
        pst.finish().expect("space");
        assert_eq!(round_trip(&format!("{layout:?}"), &file), 12);
    }
}

#[test]
fn many_messages_come_back_in_their_order() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("load.pst");
    let mut pst = Pst::create(&file, Options::default()).expect("a file");
    pst::load(&mut pst, 300, 20, 5).expect("space");
    pst.finish().expect("space");
    assert_eq!(round_trip("load", &file), 300);
    // One thread writes what several write.
    let (one, three) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    assert_eq!(written(&file, 1, one.path()), written(&file, 3, three.path()));
    let bytes = |dir: &Path| {
        files(dir).into_iter().map(|(name, path)| (name, std::fs::read(path).expect("readable"))).collect::<Vec<_>>()
    };
    assert!(bytes(one.path()) == bytes(three.path()));
}

#[test]
fn every_sample_comes_back_from_mbox() {
    let Some(samples) = gatepost_testkit::samples() else { return };
    let dir = tempfile::tempdir().expect("a folder");
    let mut messages = 0;
    for entry in std::fs::read_dir(samples.join("pst")).expect("the samples") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        // Neither is one that can be opened.
        if matches!(name.as_str(), "aspose-not-a-pst.pst" | "aspose-badheader.pst") {
            continue;
        }
        messages += round_trip(&name, &sample(&samples, &format!("pst/{name}"), dir.path()));
    }
    assert_eq!(messages, 229);
}
