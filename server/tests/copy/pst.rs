//! `gatepost pst`: what is in a file of Outlook's, and everything of it as files.

use crate::{
    cli::{ended, summary},
    common::{kit, number},
};
use gatepost_testkit::{
    pst::{self, Encoding, Layout, Options, Pst},
    samples,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

fn gatepost(dir: &Path, arguments: &[&OsStr]) -> (i32, String, String) {
    ended(kit::gatepost(dir).arg("pst").args(arguments))
}

#[track_caller]
fn listed(dir: &Path, file: &Path) -> Value {
    let (code, out, err) = gatepost(dir, &["ls".as_ref(), file.as_os_str(), "--json".as_ref()]);
    assert_eq!(code, 0, "{}: {out}{err}", file.display());
    summary(&out)
}

fn everything(path: &Path, options: Options) {
    let mut file = Pst::create(path, options).expect("a file");
    pst::everything(&mut file).expect("disk space");
    file.finish().expect("disk space");
}

/// Every file below a directory, by its path there.
fn files(directory: &Path) -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    let mut left = vec![directory.to_owned()];
    while let Some(next) = left.pop() {
        for entry in fs::read_dir(next).expect("it can be read") {
            let path = entry.expect("it can be read").path();
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

#[test]
fn ls_tells_every_folder_with_its_items_by_class_in_every_layout() {
    let dir = tempfile::tempdir().expect("a directory");
    for (layout, encoding, format, called) in [
        (Layout::Ansi, Encoding::Cyclic, "ANSI", "cyclic"),
        (Layout::Unicode, Encoding::Permute, "Unicode", "permute"),
        (Layout::FourK, Encoding::None, "4K", "none"),
    ] {
        let file = dir.path().join(format!("{called}.pst"));
        everything(&file, Options { layout, encoding, ..Options::default() });
        let told = listed(dir.path(), &file);
        assert!(told["format"].as_str().is_some_and(|text| text.contains(format)), "{told}");
        assert_eq!(told["encoding"], called, "{told}");
        assert_eq!(told["damage"], json!([]), "{told}");
        let of = |path: &str| {
            let folders = told["folders"].as_array().expect("a list");
            folders.iter().find(|folder| folder["path"] == path).unwrap_or_else(|| panic!("no {path}: {told}")).clone()
        };
        assert_eq!(of("Caixa de Entrada")["classes"], json!({"IPM.Note": 3, "IPM.Schedule.Meeting.Request": 1}));
        assert_eq!(of("Contatos")["classes"], json!({"IPM.Contact": 1, "IPM.DistList": 1}));
        assert_eq!(of("Vazia"), json!({"path": "Vazia", "items": 0, "classes": {}}));
        let items: i64 =
            told["folders"].as_array().expect("a list").iter().map(|folder| number(&folder["items"])).sum();
        assert_eq!(items, 18, "{told}");
    }
    let (code, out, err) = gatepost(dir.path(), &["ls".as_ref(), dir.path().join("permute.pst").as_os_str()]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("Caixa de Entrada") && out.contains("2 IPM.") || out.contains("3 IPM.Note"), "{out}");
}

#[test]
fn export_writes_each_message_and_item_once_and_overwrites_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("ana.pst");
    everything(&file, Options::default());
    let to = dir.path().join("out");
    let export = || gatepost(dir.path(), &["export".as_ref(), file.as_os_str(), to.as_os_str(), "--json".as_ref()]);
    let (code, out, err) = export();
    assert_eq!(code, 0, "{out}{err}");
    let first = summary(&out);
    assert_eq!((number(&first["messages"]), number(&first["items"])), (12, 6), "{first}");
    let written = files(&to);
    let ending = |end: &str| written.keys().filter(|name| name.ends_with(end)).count();
    assert_eq!((ending(".eml"), ending(".vcf"), ending(".ics"), ending(".txt")), (12, 2, 3, 1), "{written:?}");
    assert!(written.keys().any(|name| name.starts_with("Caixa de Entrada/") && name.ends_with(" Texto simples.eml")));
    let eml = written.iter().find(|(name, _)| name.ends_with("Anexo com nome em português.eml")).expect("it is there");
    let text = fs::read_to_string(eml.1).expect("it is text");
    assert!(text.contains("Subject: ") && text.contains("\r\n"), "{text}");

    let mine = &written["Caixa de Entrada/00001 Texto simples.eml"];
    fs::write(mine, "mine").expect("it can be written");
    let (code, out, _) = export();
    let again = summary(&out);
    assert_eq!((code, number(&again["messages"]), number(&again["already_there"])), (0, 1, 17), "{again}");
    assert_eq!(fs::read(mine).expect("it is there"), b"mine");
    assert_eq!(files(&to).len(), 19);
}

#[test]
fn export_writes_an_mbox_for_each_folder_and_overwrites_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("ana.pst");
    everything(&file, Options::default());
    let to = dir.path().join("out");
    let export = |format: &str| {
        let arguments = ["export".as_ref(), file.as_os_str(), to.as_os_str(), "--json".as_ref(), "--format".as_ref()];
        gatepost(dir.path(), &[&arguments[..], &[format.as_ref()]].concat())
    };
    let (code, out, err) = export("maildir");
    assert!(code == 2 && err.contains("eml") && err.contains("mbox") && !to.exists(), "{code} {out}{err}");
    let (code, out, err) = export("mbox");
    assert_eq!(code, 0, "{out}{err}");
    let first = summary(&out);
    assert_eq!((number(&first["messages"]), number(&first["items"])), (12, 6), "{first}");
    let written = files(&to);
    let text = |name: &str| {
        let path = written.get(name).unwrap_or_else(|| panic!("no {name}: {written:?}"));
        String::from_utf8(fs::read(path).expect("it is there")).expect("it is text")
    };
    let year = text("Caixa de Entrada/Clientes _ Ação/2024.mbox");
    assert!(year.starts_with("From ana@example.test ") && !year.contains('\r'), "{year}");
    assert!(year.contains("\nStatus: RO\nX-Keywords: Cafe_da_manha Urgente\n"), "{year}");
    assert_eq!(text("Vazia.mbox"), "");
    let ending = |end: &str| written.keys().filter(|name| name.ends_with(end)).count();
    assert_eq!((ending(".eml"), ending(".vcf"), ending(".ics"), ending(".txt")), (0, 2, 3, 1), "{written:?}");

    let (code, out, _) = export("mbox");
    let again = summary(&out);
    assert_eq!((code, number(&again["messages"]), number(&again["already_there"])), (0, 0, 18), "{again}");
    assert_eq!(files(&to).len(), written.len());
}

#[test]
fn what_is_no_pst_is_refused_with_a_sentence_and_without_a_trace() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("empty.pst"), "").expect("a file");
    fs::write(dir.path().join("text.pst"), "Dear reader, this is no file of Outlook's.\n").expect("a file");
    for (arguments, code, says) in [
        (&["ls", "empty.pst"][..], 1, "empty"),
        (&["ls", "text.pst"], 1, "no Outlook data file"),
        (&["export", "text.pst", "out"], 1, "no Outlook data file"),
        (&["ls", "nowhere.pst"], 2, "nowhere.pst"),
        (&["ls", "."], 2, "is a directory"),
        (&["ls"], 2, "FILE"),
        (&["export", "text.pst"], 2, "DIR"),
    ] {
        let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
        let (ended_with, out, err) = gatepost(dir.path(), &arguments);
        assert!(ended_with == code && err.contains(says) && out.is_empty(), "{arguments:?}: {ended_with} {out}{err}");
    }
    assert!(!dir.path().join("out").exists());
}

#[test]
fn a_file_that_is_cut_is_read_as_far_as_it_goes_and_that_is_said() {
    let dir = tempfile::tempdir().expect("a directory");
    let whole = dir.path().join("whole.pst");
    everything(&whole, Options::default());
    let bytes = fs::read(&whole).expect("it is there");
    for percent in [25, 50, 75, 90, 99] {
        let file = dir.path().join(format!("{percent}.pst"));
        fs::write(&file, &bytes[..bytes.len() * percent / 100]).expect("a file");
        let told = listed(dir.path(), &file);
        assert!(told["damage"].as_array().is_some_and(|damage| !damage.is_empty()), "{percent} %: {told}");
        let to = dir.path().join(percent.to_string());
        let (code, out, err) =
            gatepost(dir.path(), &["export".as_ref(), file.as_os_str(), to.as_os_str(), "--json".as_ref()]);
        assert_eq!(code, 3, "{percent} %: {out}{err}");
        let exported = summary(&out);
        let written = number(&exported["messages"]) + number(&exported["items"]);
        assert_eq!(files(&to).len() as i64, written, "{percent} %: {exported}");
    }
}

/// Files of the samples with their folders, as they were measured by several readers.
const MEASURED: &[(&str, &[(&str, i64)])] = &[
    ("aspose-Outlook.pst", &[("Inbox", 8), ("Sent Items", 6), ("Calendar", 1), ("Contacts", 1)]),
    ("aspose-Test_part1.pst", &[("Sent Items", 31), ("Calendar", 9), ("Contacts", 21)]),
    (
        "ost-exchange2010.ost",
        &[
            ("Deleted Items", 10),
            ("Inbox", 12),
            ("Inbox/sub1", 25),
            ("Inbox/sub2", 29),
            ("Sent Items", 6),
            ("Calendar", 1),
            ("Sync Issues", 9),
        ],
    ),
    ("pstsdk-sample2-ansi.pst", &[("Sample2", 1)]),
];

#[test]
fn real_files_hold_what_was_measured() {
    let Some(samples) = samples() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    for (name, folders) in MEASURED {
        let file = samples.join("pst").join(name);
        let told = listed(dir.path(), &file);
        let items: BTreeMap<String, i64> = told["folders"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|folder| (folder["path"].as_str().expect("text").to_owned(), number(&folder["items"])))
            .filter(|(_, items)| *items > 0)
            .collect();
        let expected = folders.iter().map(|(path, items)| ((*path).to_owned(), *items)).collect();
        assert_eq!(items, expected, "{name}");
        let to = dir.path().join(name);
        let (code, out, err) =
            gatepost(dir.path(), &["export".as_ref(), file.as_os_str(), to.as_os_str(), "--json".as_ref()]);
        assert_eq!(code, 0, "{name}: {out}{err}");
        let exported = summary(&out);
        let all: i64 = folders.iter().map(|(_, items)| items).sum();
        assert_eq!(number(&exported["messages"]) + number(&exported["items"]), all, "{name}: {exported}");
        assert_eq!(files(&to).len() as i64, all, "{name}");
    }
}
