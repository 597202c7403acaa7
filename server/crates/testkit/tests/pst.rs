//! The writer of PST files, judged by two readers that know nothing of it: readpst and pffexport.

use gatepost_testkit::pst::{Attachment, Encoding, Item, Layout, Options, Pst, Tree, everything, load};
use std::path::Path;
use std::process::Command;

/// Whether a program is there; tests say so and pass where it is not, except in CI.
fn has(program: &str) -> bool {
    let found = Command::new(program).arg("-V").output().is_ok();
    if !found {
        assert!(std::env::var_os("CI").is_none(), "{program} is not installed");
        eprintln!("left out: no {program}");
    }
    found
}

/// How many files of each ending readpst writes.
fn readpst(file: &Path) -> (usize, usize, usize) {
    let out = tempfile::tempdir().expect("a directory");
    let status = Command::new("readpst")
        .args(["-q", "-e", "-D", "-j", "0", "-o"])
        .arg(out.path())
        .arg(file)
        .status()
        .expect("readpst runs");
    assert!(status.success(), "{}", file.display());
    let files = below(out.path());
    let count = |ending: &str| files.iter().filter(|file| file.ends_with(ending)).count();
    (count(".eml"), count(".ics"), count(".vcf"))
}

/// The paths that pffexport writes, below the store's own folder.
fn pffexport(file: &Path) -> Vec<String> {
    let out = tempfile::tempdir().expect("a directory");
    let status = Command::new("pffexport")
        .args(["-q", "-t"])
        .arg(out.path().join("out"))
        .arg(file)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .expect("pffexport runs");
    assert!(status.success(), "{}", file.display());
    below(&out.path().join("out.export"))
}

fn below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(below(&path));
        }
        found.push(path.to_string_lossy().into_owned());
    }
    found
}

#[test]
fn both_readers_find_every_item_in_every_layout_and_encoding() {
    if !has("readpst") || !has("pffexport") {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    for layout in [Layout::Ansi, Layout::Unicode, Layout::FourK] {
        for encoding in [Encoding::None, Encoding::Permute, Encoding::Cyclic] {
            let path = dir.path().join(format!("{layout:?}-{encoding:?}.pst"));
            let options = Options { layout, encoding, ..Options::default() };
            let mut pst = Pst::create(&path, options).expect("a file");
            everything(&mut pst).expect("space");
            pst.finish().expect("space");
            // Notes, tasks and lists are what readpst skips.
            assert_eq!(readpst(&path), (12, 2, 1), "{layout:?} {encoding:?}");
            let paths = pffexport(&path);
            let count = |name: &str| paths.iter().filter(|path| path.ends_with(name)).count();
            // Ten mails with two in each other, without the one that no table lists and the meeting request.
            assert_eq!(count("OutlookHeaders.txt"), 12, "{layout:?} {encoding:?}");
            let others =
                ["Meeting.txt", "Contact.txt", "DistributionList.txt", "Appointment.txt", "Task.txt", "Note.txt"];
            for name in others {
                assert_eq!(count(name), 1, "{name} {layout:?} {encoding:?}");
            }
            assert_eq!(count("/Caixa de Entrada/Clientes _ Ação/2024"), 1, "{layout:?} {encoding:?}");
        }
    }
}

#[test]
fn trees_of_many_levels_and_tables_of_many_blocks_are_read_whole() {
    if !has("readpst") {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    for layout in [Layout::Ansi, Layout::Unicode, Layout::FourK] {
        let path = dir.path().join(format!("{layout:?}.pst"));
        let options = Options { layout, entries_per_page: 3, ..Options::default() };
        let mut pst = Pst::create(&path, options).expect("a file");
        load(&mut pst, 700, 2_000, 3).expect("space");
        pst.finish().expect("space");
        assert_eq!(readpst(&path).0, 700, "{layout:?}");
    }
}

#[test]
fn an_attachment_of_many_blocks_comes_out_byte_for_byte() {
    if !has("pffexport") {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let data: Vec<u8> = (0..9_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for layout in [Layout::Ansi, Layout::Unicode, Layout::FourK] {
        let path = dir.path().join(format!("{layout:?}.pst"));
        let options = Options { layout, encoding: Encoding::Cyclic, tree: Tree::Offline, ..Options::default() };
        let mut pst = Pst::create(&path, options).expect("a file");
        let folder = pst.folder(pst.top(), "Inbox");
        let item = Item::mail("large").from("a", "a@example.test").date(1).text("x");
        pst.item(folder, &item.attach(Attachment::file("large.bin", "application/octet-stream", data.clone())))
            .expect("space");
        pst.finish().expect("space");
        let out = dir.path().join("out");
        let status = Command::new("pffexport")
            .args(["-q", "-t"])
            .arg(&out)
            .arg(&path)
            .stdout(std::process::Stdio::null())
            .status()
            .expect("pffexport runs");
        assert!(status.success());
        let exported = dir.path().join("out.export");
        let file = below(&exported).into_iter().find(|path| path.ends_with("large.bin")).expect("the attachment");
        assert!(std::fs::read(file).expect("readable") == data, "{layout:?}");
        std::fs::remove_dir_all(&exported).expect("removable");
    }
}

#[test]
fn the_same_items_make_the_same_file() {
    let write = || {
        let mut pst = Pst::memory(Options::default());
        everything(&mut pst).expect("memory");
        pst.bytes()
    };
    assert!(write() == write());
}
