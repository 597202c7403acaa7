//! What strangers send: names that lead elsewhere, links, bombs, files that are something else. Each ends in a sentence
//! or is read without harm.

mod common;

use common::{Found, limits, scan, scan_bytes};
use gatepost_archive::{ArchiveError, Limits, open};
use gatepost_contract::SourceType;
use gatepost_testkit::archives::tar::{Tar, kind};
use gatepost_testkit::archives::zip::Zip;
use gatepost_testkit::archives::{eml, gzip, hostile};
use gatepost_testkit::pst::{Item, Options, Pst};

/// That no folder's name leads elsewhere or breaks a line.
fn assert_harmless(found: &Found) {
    assert_readable(found);
    for level in found.folders.iter().flat_map(|folder| folder.path.levels()) {
        assert!(level != "." && level != "..", "{level:?}");
    }
}

/// That every folder's name is one line with something in it, and that they do not go on for ever.
fn assert_readable(found: &Found) {
    for folder in &found.folders {
        // The INBOX above, where the file's own top is that.
        assert!(folder.path.levels().len() <= limits().depth + 1, "{} levels", folder.path.levels().len());
        for level in folder.path.levels() {
            assert!(!level.is_empty(), "{:?}", folder.path);
            assert!(!level.chars().any(char::is_control), "{:?}", folder.path);
            assert!(level.len() <= 4096, "a name of {} bytes", level.len());
        }
    }
}

/// That every entry is accounted for: it is a message, or a loss is told. A note would let a mailbox pass for whole.
fn assert_nothing_is_dropped(found: &Found, entries: usize, what: &str) {
    let told = found.messages.len() + found.unreadable.len();
    assert!(
        told == entries || (told < entries && !found.losses.is_empty()),
        "{what}: {told} of {entries}, {:?} and {:?}",
        found.losses,
        found.damage
    );
}

#[test]
fn names_that_lead_elsewhere_are_made_safe_in_a_zip() {
    for name in hostile::names() {
        let zip = Zip::new().file("good/1.eml", &eml(1)).stored(&name, &eml(2)).finish();
        let shown = String::from_utf8_lossy(&name[..name.len().min(40)]).into_owned();
        let found = scan_bytes(&zip, "mail.zip", SourceType::Eml).unwrap_or_else(|error| panic!("{shown:?}: {error}"));
        assert_harmless(&found);
        assert!(found.messages.iter().any(|message| message.bytes == eml(1)), "{shown:?}");
        assert_nothing_is_dropped(&found, 2, &shown);
    }
}

#[test]
fn names_that_lead_elsewhere_are_made_safe_in_a_tar() {
    for name in hostile::names().into_iter().filter(|name| !name.is_empty() && !name.contains(&0)) {
        let tar = Tar::new().file("good/1.eml", &eml(1)).file(&name, &eml(2)).finish_gz();
        let shown = String::from_utf8_lossy(&name[..name.len().min(40)]).into_owned();
        let found = scan_bytes(&tar, "mail.tgz", SourceType::Tgz).unwrap_or_else(|error| panic!("{shown:?}: {error}"));
        assert_harmless(&found);
        assert!(found.messages.iter().any(|message| message.bytes == eml(1)), "{shown:?}");
        assert_nothing_is_dropped(&found, 2, &shown);
    }
}

#[test]
fn links_and_devices_are_not_followed_and_told() {
    let secret = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(secret.path(), b"Subject: secret\r\n\r\nroot:x:0:0\r\n").expect("space");
    let target = secret.path().to_str().expect("text");
    let zip = Zip::new().file("1.eml", &eml(1)).link("link.eml", target).finish();
    let tar = Tar::new()
        .file("1.eml", &eml(1))
        .special("link.eml", kind::SYMBOLIC_LINK, target)
        .special("hard.eml", kind::HARD_LINK, target)
        .special("device.eml", kind::DEVICE, "")
        .special("pipe.eml", kind::PIPE, "")
        .finish_gz();
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("1.eml"), eml(1)).expect("space");
    std::os::unix::fs::symlink(target, dir.path().join("link.eml")).expect("a link");
    std::os::unix::fs::symlink("/", dir.path().join("root")).expect("a link");
    let all = [
        ("zip", scan_bytes(&zip, "mail.zip", SourceType::Eml)),
        ("tar", scan_bytes(&tar, "mail.tgz", SourceType::Tgz)),
        ("folder", scan(dir.path(), SourceType::Eml)),
    ];
    for (what, found) in all {
        let found = found.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(found.messages.len(), 1, "{what}");
        assert!(!found.damage.is_empty(), "{what} does not tell of its links");
        let text = found.damage.join("\n");
        assert!(!text.contains("root:x"), "{what}: {text}");
    }
}

#[test]
fn a_zip_in_a_zip_a_thousand_deep_is_not_opened() {
    let found = scan_bytes(&hostile::nested_zip(1000), "deep.zip", SourceType::Eml);
    match found {
        Ok(found) => {
            assert!(found.messages.is_empty());
            assert!(!found.losses.is_empty(), "nothing is said");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// What is said of bytes within narrow bounds.
fn bounded(bytes: &[u8], name: &str, kind: SourceType, narrow: impl Fn(&mut Limits)) -> Result<Found, ArchiveError> {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).expect("space");
    let mut bounds = limits();
    narrow(&mut bounds);
    let mut found = Found::default();
    open(&path, name, kind, &bounds)?.scan(&mut found)?;
    Ok(found)
}

#[test]
fn what_grows_beyond_the_bounds_when_it_is_opened_is_refused() {
    let small = |bounds: &mut Limits| bounds.unpacked = 20_000_000;
    let all = [
        ("a zip", bounded(&hostile::zip_bomb(4, 10_000_000), "bomb.zip", SourceType::Eml, small)),
        ("a zip that lies", bounded(&hostile::lying_zip(100, 60_000_000), "lie.zip", SourceType::Eml, small)),
        ("a gzip", bounded(&hostile::gzip_bomb(60_000_000), "bomb.tgz", SourceType::Tgz, small)),
        (
            "a tar",
            bounded(&gzip(&Tar::new().file("1.eml", &vec![0; 60_000_000]).finish()), "big.tgz", SourceType::Tgz, small),
        ),
    ];
    for (what, found) in all {
        match found {
            Err(error) => assert!(error.to_string().len() > 20, "{what}: {error}"),
            Ok(found) => {
                let bytes: usize = found.messages.iter().map(|message| message.bytes.len()).sum();
                assert!(bytes <= 20_000_000, "{what} gave {bytes} bytes");
                assert!(!found.losses.is_empty() || !found.unreadable.is_empty(), "{what}: nothing is said");
            }
        }
    }
}

#[test]
fn more_entries_than_are_allowed_are_refused() {
    let few = |bounds: &mut Limits| bounds.entries = 10;
    let zip = (0..20).fold(Zip::new(), |zip, number| zip.file(format!("{number}.eml"), &eml(number))).finish();
    let tar = (0..20).fold(Tar::new(), |tar, number| tar.file(format!("{number}.eml"), &eml(number))).finish_gz();
    for (what, found) in [
        ("zip", bounded(&zip, "many.zip", SourceType::Eml, few)),
        ("tar", bounded(&tar, "many.tgz", SourceType::Tgz, few)),
    ] {
        assert!(matches!(found, Err(ArchiveError::TooMuch(_))), "{what}: {:?}", found.map(|found| found.counts()));
    }
}

#[test]
fn folders_five_hundred_deep_are_read_and_filed_where_it_is_allowed() {
    let dir = tempfile::tempdir().expect("a folder");
    hostile::deep_folders(dir.path(), 500).expect("folders");
    let name = ["a"; 500].join("/") + "/message.eml";
    let all = [
        ("folder", scan(dir.path(), SourceType::Eml)),
        ("zip", scan_bytes(&Zip::new().file(&name, &eml(1)).finish(), "deep.zip", SourceType::Eml)),
        ("tar", scan_bytes(&Tar::new().file(&name, &eml(1)).finish_gz(), "deep.tgz", SourceType::Tgz)),
    ];
    for (what, found) in all {
        let found = found.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_harmless(&found);
        assert_eq!(found.messages.len(), 1, "{what}: {:?}", found.damage);
    }
    let mut pst = Pst::memory(Options::default());
    let deepest = (0..500).fold(pst.top(), |parent, _| pst.folder(parent, "a"));
    pst.item(deepest, &Item::mail("deep").text("x")).expect("memory");
    let found = scan_bytes(&pst.bytes(), "deep.pst", SourceType::Pst).expect("a store");
    assert_harmless(&found);
    assert_eq!(found.messages.len(), 1, "pst: {:?}", found.damage);
}

#[test]
fn names_of_folders_in_a_store_are_made_safe() {
    let mut pst = Pst::memory(Options::default());
    let long = "n".repeat(4000);
    let names = ["..", ".", "a/b", "new\nline", "nul\0inside", "", " ", "\u{202E}x", long.as_str(), "INBOX", "inbox"];
    for name in names {
        let folder = pst.folder(pst.top(), name);
        pst.item(folder, &Item::mail(name).text("x")).expect("memory");
    }
    let found = scan_bytes(&pst.bytes(), "names.pst", SourceType::Pst).expect("a store");
    // No name of a store's folder leads anywhere: `..` is a name like others there.
    assert_readable(&found);
    assert_eq!(found.messages.len(), names.len(), "{:?}", found.counts());
}

#[test]
fn a_file_that_is_something_else_is_refused_with_what_it_is() {
    let zip = Zip::new().file("1.eml", &eml(1)).finish();
    let mut future = Pst::memory(Options::default()).bytes();
    future[10] = 99;
    let pst = Pst::memory(Options::default()).bytes();
    let text = b"This is a letter to my bank, and nothing else.\n".repeat(100);
    let kinds = [SourceType::Pst, SourceType::Mbox, SourceType::Eml, SourceType::Tgz];
    let refused: [(&str, &[u8], &[SourceType]); 9] = [
        ("empty.pst", b"", &kinds),
        ("text.pst", &text, &[SourceType::Pst, SourceType::Tgz]),
        ("future.pst", &future, &[SourceType::Pst]),
        ("short.pst", &pst[..100], &[SourceType::Pst]),
        ("mail.zip", &zip, &[SourceType::Pst, SourceType::Tgz]),
        ("mail.pst", &pst, &[SourceType::Tgz]),
        ("zeros.pst", &[0; 4096], &kinds),
        ("half.tgz", &gzip(b"")[..5], &[SourceType::Tgz]),
        ("image.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", &kinds),
    ];
    for (name, bytes, kinds) in refused {
        for kind in kinds {
            match scan_bytes(bytes, name, *kind) {
                Ok(found) => {
                    let nothing = found.messages.is_empty() && found.items.is_empty();
                    assert!(nothing && !found.losses.is_empty(), "{name} as {kind}: {:?}", found.counts());
                }
                Err(error) => {
                    let text = error.to_string();
                    assert!(text.len() > 20, "{name} as {kind}: {text:?}");
                }
            }
        }
    }
}

#[test]
fn an_entry_behind_a_password_is_told_and_the_others_are_read() {
    let zip = Zip::new().file("1.eml", &eml(1)).encrypted("2.eml").file("3.eml", &eml(3)).finish();
    let found = scan_bytes(&zip, "mail.zip", SourceType::Eml).expect("a zip");
    assert_eq!(found.messages.len(), 2, "{:?}", found.damage);
    assert_nothing_is_dropped(&found, 3, "the zip");
}

#[test]
fn an_archive_that_is_cut_gives_what_is_there_and_says_so() {
    let tar = (0..50).fold(Tar::new(), |tar, number| tar.file(format!("{number}.eml"), &eml(number))).finish();
    let whole = gzip(&tar);
    let found = match scan_bytes(&whole[..whole.len() / 2], "cut.tgz", SourceType::Tgz) {
        Ok(found) => found,
        Err(error) => panic!("{error}"),
    };
    assert!(!found.losses.is_empty(), "nothing is said of the cut");
    assert!(!found.messages.is_empty() && found.messages.len() < 50, "{}", found.messages.len());
}
