//! The writers of archives, judged by the programs that everybody uses: python3's mailbox, zipfile and tarfile.

use gatepost_testkit::archives::mbox::{Quoting, mbox};
use gatepost_testkit::archives::tar::{Tar, kind};
use gatepost_testkit::archives::zimbra::{Exported, Zimbra};
use gatepost_testkit::archives::zip::Zip;
use gatepost_testkit::archives::{eml, hostile};
use std::process::Command;

/// What a line of Python says of a file.
fn python(bytes: &[u8], program: &str) -> String {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), bytes).expect("space");
    let out = Command::new("python3").arg("-c").arg(program).arg(file.path()).output().expect("python3 runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}

#[test]
fn a_zip_holds_what_was_put_in() {
    let zip = Zip::new().file("Caixa/açaí.eml", &eml(1)).stored("b.eml", &eml(2)).link("c", "/etc/passwd").finish();
    let said = python(
        &zip,
        "import sys,zipfile;z=zipfile.ZipFile(sys.argv[1]);print(z.testzip(),z.namelist(),len(z.read('b.eml')))",
    );
    assert_eq!(said, format!("None ['Caixa/açaí.eml', 'b.eml', 'c'] {}", eml(2).len()));
}

#[test]
fn a_zip_bomb_is_as_large_as_it_says() {
    let zip = hostile::zip_bomb(3, 50_000_000);
    assert!(zip.len() < 200_000, "{}", zip.len());
    let said = python(
        &zip,
        "import sys,zipfile;z=zipfile.ZipFile(sys.argv[1]);print(z.testzip(),sum(i.file_size for i in z.infolist()))",
    );
    assert_eq!(said, "None 150000000");
}

#[test]
fn a_tar_holds_what_was_put_in_with_names_of_any_length() {
    let long = "pasta/".repeat(60) + "x.eml";
    let tar = Tar::new()
        .file("a.eml", &eml(1))
        .file(&long, &eml(2))
        .special("link", kind::SYMBOLIC_LINK, "/etc/passwd")
        .finish_gz();
    let program = "import sys,tarfile;t=tarfile.open(sys.argv[1]);print([(len(m.name),m.size,m.issym()) for m in t])";
    let said = python(&tar, program);
    let expected = format!("[(5, {}, False), ({}, {}, False), (4, 0, True)]", eml(1).len(), long.len(), eml(2).len());
    assert_eq!(said, expected);
}

#[test]
fn an_mbox_has_a_separator_for_each_message_and_quotes_what_looks_like_one() {
    let inside = b"Subject: x\r\n\r\nFrom here on\r\n>From there\r\n".to_vec();
    let messages = vec![eml(1), inside, eml(3)];
    for (quoting, lines) in [(Quoting::Once, 3), (Quoting::Each, 3), (Quoting::Counted, 3), (Quoting::CountedOnly, 4)] {
        let said = python(&mbox(quoting, &messages), "import sys,mailbox;print(len(mailbox.mbox(sys.argv[1])))");
        assert_eq!(said, lines.to_string(), "{quoting:?}");
    }
    let each = String::from_utf8(mbox(Quoting::Each, &messages)).expect("text");
    assert!(each.contains("\n>From here on\n>>From there\n"), "{each}");
}

#[test]
fn an_export_of_zimbra_splits_a_folder_after_499_items() {
    let mut export = Zimbra::new();
    for number in 0..500 {
        let message = Exported { folder: "/Inbox", date: 1, flags: "u", tags: "", subject: "a/b", bytes: eml(number) };
        export = export.message(&message);
    }
    let program = "import sys,tarfile;n=tarfile.open(sys.argv[1]).getnames();\
        print(len([x for x in n if x.startswith('Inbox/')]),[x for x in n if x.startswith('Inbox!')])";
    let said = python(&export.finish(), program);
    assert_eq!(said, "998 ['Inbox!1/0000000757-a_b.eml.meta', 'Inbox!1/0000000757-a_b.eml']");
}

#[test]
fn zips_in_zips_go_as_deep_as_was_asked_for() {
    let program = "import sys,zipfile,io\nb=open(sys.argv[1],'rb').read();n=0\n\
        while True:\n z=zipfile.ZipFile(io.BytesIO(b));n+=1;name=z.namelist()[0]\n if name!='inner.zip': break\n b=z.read(name)\nprint(n)";
    assert_eq!(python(&hostile::nested_zip(1000), program), "1000");
}
