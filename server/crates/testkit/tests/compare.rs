//! The comparison: it finds each kind of planted difference, and nothing else.

use std::collections::HashMap;

use gatepost_testkit::compare::mapped;
use gatepost_testkit::{Differences, Profile, Snapshot, compare};

fn snapshot() -> Snapshot {
    Snapshot::of_generated(&Profile { messages: 60, average_bytes: 500, ..Profile::default() })
}

fn counts(found: &Differences) -> [usize; 5] {
    let Differences { folders_missing, missing, extra, date_differs, flags_differ, .. } = found;
    [folders_missing.len(), missing.len(), extra.len(), date_differs.len(), flags_differ.len()]
}

#[test]
fn each_planted_difference_is_found_and_named() {
    type Plant = fn(&mut Snapshot);
    // Index 20 is no twin of another message.
    let cases: [(&str, Plant, [usize; 5], &str); 11] = [
        ("nothing", |_| {}, [0, 0, 0, 0, 0], "60 the same"),
        ("a lost message", |dest| drop(dest.messages.remove(20)), [0, 1, 0, 0, 0], "missing: "),
        ("a doubled message", |dest| dest.messages.push(dest.messages[20].clone()), [0, 0, 1, 0, 0], "extra: "),
        ("one byte changed", |dest| dest.messages[20].digest = blake3::hash(b"other"), [0, 1, 1, 0, 0], "missing: "),
        ("a second later", |dest| dest.messages[20].date.unix_seconds += 1, [0, 0, 0, 1, 0], "date differs: "),
        ("a lost flag", |dest| dest.messages[20].flags = vec!["x".into()], [0, 0, 0, 0, 1], "flags differ: "),
        (
            "date and flags",
            |dest| {
                dest.messages[20].date.unix_seconds += 1;
                dest.messages[20].flags = vec!["x".into()];
            },
            [0, 0, 0, 1, 1],
            "date differs: ",
        ),
        ("the wrong folder", |dest| dest.messages[20].folder = "Vazia".into(), [0, 1, 1, 0, 0], "extra: "),
        ("an empty folder", |dest| drop(dest.folders.remove("Vazia")), [1, 0, 0, 0, 0], "folder missing: \"Vazia\""),
        (
            "a folder that cannot be selected",
            |dest| drop(dest.folders.insert("Vazia".into(), vec!["\\NoSelect".into()])),
            [1, 0, 0, 0, 0],
            "folder missing: \"Vazia\"",
        ),
        ("only another zone", |dest| dest.messages[20].date.zone_minutes += 60, [0, 0, 0, 0, 0], "60 the same"),
    ];
    for (what, plant, expected, named) in cases {
        let source = snapshot();
        let mut dest = source.clone();
        plant(&mut dest);
        let found = compare(&source, &dest, &HashMap::new());
        assert_eq!(counts(&found), expected, "{what}: {found}");
        assert!(found.to_string().contains(named), "{what}: {found}");
        assert_eq!(found.is_empty(), expected == [0; 5]);
    }
}

#[test]
fn one_lost_copy_among_true_duplicates_is_one_missing_message() {
    let source = snapshot();
    let twin = (0..source.messages.len())
        .find(|&at| (0..at).any(|other| source.messages[other] == source.messages[at]))
        .expect("a true duplicate");
    let mut dest = source.clone();
    dest.messages.remove(twin);
    assert_eq!(counts(&compare(&source, &dest, &HashMap::new())), [0, 1, 0, 0, 0]);
}

#[test]
fn mapped_folders_are_compared_where_they_went() {
    let map: HashMap<String, String> =
        [("Enviados", "Sent"), ("Arquivo Morto/*", "Archive/*"), ("Arquivo Morto/2019/*", "Old/*")]
            .map(|(from, to)| (from.to_owned(), to.to_owned()))
            .into();
    for (folder, expected) in [
        ("Enviados", "Sent"),
        ("Enviados/x", "Enviados/x"),
        ("Arquivo Morto", "Arquivo Morto"),
        ("Arquivo Morto/x/y", "Archive/x/y"),
        ("Arquivo Morto/2019/Janeiro", "Old/Janeiro"),
    ] {
        assert_eq!(mapped(folder, &map), expected);
    }
    let source = snapshot();
    let mut dest = source.clone();
    for message in &mut dest.messages {
        message.folder = mapped(&message.folder, &map);
    }
    dest.folders = source.folders.iter().map(|(path, attributes)| (mapped(path, &map), attributes.clone())).collect();
    assert!(compare(&source, &dest, &map).is_empty());
    assert!(!compare(&source, &dest, &HashMap::new()).is_empty());
}

#[test]
fn only_the_first_twenty_differences_are_named() {
    let found = compare(&snapshot(), &Snapshot::default(), &HashMap::new());
    let text = found.to_string();
    assert_eq!(text.lines().count(), 22, "{text}");
    assert!(text.ends_with(&format!("… and {} more\n", found.count() - 20)), "{text}");
}
