//! `gatepost copy` from files: each kind into a real server, again, after a kill, and what cannot be.

use crate::{
    cli::{ended, summary, url},
    common::{NEW_PASSWORD, USER, assert_same, kit, mail, new_server, number, old_server, wait_for},
};
use gatepost_testkit::{
    Account, Proxy, Snapshot,
    archives::{
        damage, eml,
        mbox::{Quoting, mbox, thunderbird, unix},
        zimbra::{Exported, Zimbra},
        zip::Zip,
    },
    dovecot, fill,
    proxy::{Direction, Hold},
    pst::{self, Options, Pst},
    samples,
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Stdio},
};

/// A copy of a file to a port of this machine, as JSON at the end.
fn copy(dir: &Path, source: &Path, dest: u16) -> Command {
    fs::write(dir.join("new"), NEW_PASSWORD).expect("a file");
    let mut command = kit::gatepost(dir);
    command
        .args(["copy", "--dest", &url(USER, dest), "--dest-password-file", "new", "--state", "state.db", "--json"])
        .arg("--source")
        .arg(source);
    command
}

/// A copy that ends with everything in its place.
#[track_caller]
fn whole(command: &mut Command) -> Value {
    let (code, out, err) = ended(command);
    assert_eq!(code, 0, "{out}{err}");
    let summary = summary(&out);
    assert_eq!(number(&summary["residue"]), 0, "{summary}");
    assert_eq!(summary["losses"], serde_json::json!([]), "{summary}");
    summary
}

/// By folder: the messages' bytes, as digests, sorted.
type Held = BTreeMap<String, Vec<blake3::Hash>>;

fn held(account: &Account) -> Held {
    let snapshot = Snapshot::read(account).expect("it can be read");
    let mut held = Held::new();
    for message in snapshot.messages {
        held.entry(message.folder).or_default().push(message.digest);
    }
    sorted(held)
}

fn sorted(mut held: Held) -> Held {
    held.values_mut().for_each(|all| all.sort_unstable_by_key(|digest| *digest.as_bytes()));
    held
}

/// What should lie where: folders with the numbers of their messages.
fn expected(folders: &[(&str, std::ops::Range<usize>)]) -> Held {
    let digests = |numbers: &std::ops::Range<usize>| numbers.clone().map(|n| blake3::hash(&eml(n))).collect();
    sorted(folders.iter().map(|(folder, numbers)| ((*folder).to_owned(), digests(numbers))).collect())
}

fn letters(numbers: std::ops::Range<usize>) -> Vec<Vec<u8>> {
    numbers.map(eml).collect()
}

/// Copies a file in every depth, and again with and without what was recorded: nothing is added.
#[track_caller]
fn copied_once(source: &Path, messages: i64) -> Held {
    let new = new_server().start().expect("a server");
    let dir = tempfile::tempdir().expect("a directory");
    let port = new.imap_port();
    let first = whole(copy(dir.path(), source, port).arg("--verify"));
    assert_eq!((number(&first["transferred"]), &first["verified"]), (messages, &Value::Bool(true)), "{first}");
    let there = held(&new.account(USER));
    let again = whole(copy(dir.path(), source, port).args(["--verify", "--deep"]));
    assert_eq!((number(&again["transferred"]), number(&again["already_there"])), (0, messages), "{again}");
    assert_eq!(again["verified"], true, "{again}");
    // Whoever knows nothing of the first copy recognises its messages by their bytes.
    let elsewhere = tempfile::tempdir().expect("a directory");
    let anew = whole(copy(elsewhere.path(), source, port).args(["--verify", "--deep"]));
    assert_eq!((number(&anew["transferred"]), number(&anew["already_there"])), (0, messages), "{anew}");
    assert_eq!(held(&new.account(USER)), there);
    assert!(!dir.path().join("state.db.work").exists(), "what was unpacked is cleared away");
    there
}

#[test]
fn an_mbox_arrives_whole_and_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("mail.mbox");
    fs::write(&file, mbox(Quoting::Each, &letters(0..120))).expect("a file");
    let there = copied_once(&file, 120);
    assert_eq!(there.values().map(Vec::len).sum::<usize>(), 120);
    assert_eq!(
        there.values().next(),
        expected(&[("INBOX", 0..120)]).values().next(),
        "the bytes are those of the file"
    );
}

#[test]
fn a_zip_of_eml_files_keeps_its_folders() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("mail.zip");
    let mut zip = Zip::new();
    for n in 0..30 {
        let folder = if n < 20 { "Projetos/Água" } else { "Inbox" };
        zip = zip.file(format!("{folder}/{n}.eml"), &eml(n));
    }
    fs::write(&file, zip.finish()).expect("a file");
    assert_eq!(copied_once(&file, 30), expected(&[("Projetos/Água", 0..20), ("INBOX", 20..30)]));
}

#[test]
fn a_folder_of_eml_files_does_the_same() {
    let dir = tempfile::tempdir().expect("a directory");
    for n in 0..12 {
        let folder = dir.path().join(if n < 5 { "Inbox" } else { "Clientes/2024" });
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join(format!("{n}.eml")), eml(n)).expect("a file");
    }
    assert_eq!(copied_once(dir.path(), 12), expected(&[("INBOX", 0..5), ("Clientes/2024", 5..12)]));
}

#[test]
fn a_zimbra_export_keeps_folders_flags_and_dates() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("ana.tgz");
    let mut export = Zimbra::new();
    for n in 0..510 {
        let (folder, flags) = if n < 505 { ("/Inbox", "u") } else { ("/Inbox/Clientes", "fr") };
        let subject = format!("Mensagem {n}");
        let bytes = eml(n);
        export = export.message(&Exported { folder, date: 1_700_000_000, flags, tags: "", subject: &subject, bytes });
    }
    export = export.contact("/Contacts", "Maria", "maria@example.test");
    fs::write(&file, export.finish()).expect("a file");
    let new = new_server().start().expect("a server");
    let state = tempfile::tempdir().expect("a directory");
    let first = whole(copy(state.path(), &file, new.imap_port()).arg("--verify"));
    assert_eq!((number(&first["transferred"]), &first["verified"]), (510, &Value::Bool(true)), "{first}");
    let there = Snapshot::read(&new.account(USER)).expect("it can be read");
    assert_eq!(held(&new.account(USER)), expected(&[("INBOX", 0..505), ("INBOX/Clientes", 505..510)]));
    assert!(there.folder("INBOX").all(|m| m.flags.is_empty() && m.date.unix_seconds == 1_700_000_000));
    assert!(there.folder("INBOX/Clientes").all(|m| m.flags == ["\\Answered", "\\Flagged", "\\Seen"]));
    copied_once(&file, 510);
}

#[test]
fn a_maildir_arrives_as_its_own_server_shows_it() {
    let old = old_server().storage(dovecot::Storage::Maildir).start().expect("a server");
    let account = old.account(USER);
    fill(&account, &mail(200)).expect("the old server takes mail");
    let maildir = old.maildir(USER).folder("INBOX");
    let new = new_server().start().expect("a server");
    let dir = tempfile::tempdir().expect("a directory");
    let first = whole(copy(dir.path(), &maildir, new.imap_port()).arg("--verify"));
    assert_eq!((number(&first["transferred"]), &first["verified"]), (200, &Value::Bool(true)), "{first}");
    assert_same(&account, &new.account(USER));
}

#[test]
fn thunderbirds_folders_arrive_as_a_tree() {
    let dir = tempfile::tempdir().expect("a directory");
    let one = |numbers| mbox(Quoting::Once, &letters(numbers));
    thunderbird(dir.path(), &[("Inbox", one(0..4)), ("Inbox/Clientes", one(4..6)), ("Sent", one(6..9))])
        .expect("a tree");
    assert_eq!(copied_once(dir.path(), 9), expected(&[("INBOX", 0..4), ("INBOX/Clientes", 4..6), ("Sent", 6..9)]));
}

fn everything(path: &Path) {
    let mut file = Pst::create(path, Options::default()).expect("a file");
    pst::everything(&mut file).expect("disk space");
    file.finish().expect("disk space");
}

#[test]
fn a_pst_with_something_of_everything_arrives_whole_and_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("ana.pst");
    everything(&file);
    let there = copied_once(&file, 12);
    let folders: Vec<(&str, usize)> = there.iter().map(|(folder, all)| (folder.as_str(), all.len())).collect();
    assert_eq!(
        folders,
        [
            ("Drafts", 1),
            ("INBOX", 4),
            ("INBOX/Clientes _ Ação", 2),
            ("INBOX/Clientes _ Ação/2024", 3),
            ("Sent", 1),
            ("Trash", 1)
        ]
    );
}

#[test]
fn a_file_that_is_cut_is_copied_as_far_as_it_goes_and_never_proved_whole() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("cut.pst");
    let mut whole = Pst::memory(Options { entries_per_page: 6, ..Options::default() });
    pst::load(&mut whole, 60, 3_000, 4).expect("memory takes it");
    fs::write(&file, damage::cut(&whole.bytes(), 90)).expect("a file");
    let mut cut = vec![file];
    cut.extend(samples().map(|samples| {
        let file = dir.path().join("enron.pst");
        let enron = fs::read(samples.join("pst/enron-lokay.pst")).expect("the sample");
        fs::write(&file, damage::cut(&enron, 25)).expect("a file");
        file
    }));
    for file in &cut {
        let new = new_server().start().expect("a server");
        let state = tempfile::tempdir().expect("a directory");
        let port = new.imap_port();
        let (code, out, err) = ended(copy(state.path(), file, port).arg("--dry-run"));
        assert_eq!(code, 3, "{out}{err}");
        // The second run takes the catalogue of the first, and says the same.
        for _ in 0..2 {
            let (code, out, err) = ended(copy(state.path(), file, port).arg("--verify"));
            assert_eq!(code, 3, "{out}{err}");
            let told = summary(&out);
            let losses = told["losses"].as_array().expect("a list");
            assert!(losses.iter().any(|loss| loss.as_str().is_some_and(|s| s.contains("cut short"))), "{told}");
            for loss in losses {
                assert!(err.contains(&format!("Missing: {}", loss.as_str().expect("text"))), "{loss}\n{err}");
            }
        }
        let mut words = copy(state.path(), file, port);
        words.arg("--verify");
        let arguments: Vec<_> = words.get_args().filter(|a| *a != "--json").map(ToOwned::to_owned).collect();
        let (code, out, err) = ended(kit::gatepost(state.path()).args(arguments));
        assert_eq!(code, 3, "{out}{err}");
        assert!(out.contains("The file itself lacks mail") && !out.contains("every message has arrived"), "{out}");
    }
}

#[test]
fn a_copy_of_a_file_that_is_killed_ends_with_every_message_once() {
    const MESSAGES: usize = 1_200;
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("mail.mbox");
    let text = "All work and no play makes mail a dull thing to read.\r\n".repeat(40);
    let letters: Vec<Vec<u8>> = (0..MESSAGES).map(|n| [eml(n), text.clone().into_bytes()].concat()).collect();
    fs::write(&file, mbox(Quoting::Each, &letters)).expect("a file");
    let new = new_server().start().expect("a server");
    let proxy = Proxy::start(new.imap_port()).expect("a proxy");
    let hold = Hold::default();
    proxy.hold(Direction::ToServer, &hold);
    let bytes: u64 = letters.iter().map(|letter| letter.len() as u64).sum();
    for kill in 0..6_u64 {
        hold.after(bytes * (1 + kill * 5 % 7) / 40);
        let mut command = copy(dir.path(), &file, proxy.port());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts");
        wait_for("the moment of a kill", || {
            let ended = child.try_wait().expect("it is our child");
            assert!(ended.is_none(), "kill {kill} came too late: {ended:?}");
            hold.holds().then_some(())
        });
        child.kill().expect("it runs");
        child.wait().expect("it ends");
        hold.lose();
    }
    let account = new.account(USER);
    let there = held(&account).values().map(Vec::len).sum::<usize>();
    assert!((1..MESSAGES).contains(&there), "the kills were in the middle of the copy: {there} messages were there");
    let last = whole(copy(dir.path(), &file, proxy.port()).args(["--verify", "--deep"]));
    assert_eq!(last["verified"], true, "{last}");
    let digests = letters.iter().map(|letter| blake3::hash(letter)).collect();
    let arrived = held(&account);
    assert_eq!(arrived.values().next(), sorted(Held::from([("x".to_owned(), digests)])).values().next());
    assert_eq!(arrived.len(), 1);
}

#[test]
fn a_file_that_was_changed_is_copied_by_what_it_holds_now() {
    let new = new_server().start().expect("a server");
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("mail.mbox");
    for (count, transferred) in [(10, 10), (14, 4)] {
        fs::write(&file, mbox(Quoting::Each, &letters(0..count))).expect("a file");
        let copied = whole(copy(dir.path(), &file, new.imap_port()).arg("--verify"));
        assert_eq!(
            (number(&copied["transferred"]), &copied["verified"]),
            (transferred, &Value::Bool(true)),
            "{copied}"
        );
    }
    assert_eq!(held(&new.account(USER)).values().map(Vec::len).sum::<usize>(), 14);
    let dry = ended(copy(dir.path(), &file, new.imap_port()).arg("--dry-run"));
    assert_eq!((dry.0, number(&summary(&dry.1)["residue"])), (0, 0), "{dry:?}");
}

#[test]
fn what_is_no_file_of_mail_is_refused_with_a_sentence() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("empty.pst"), "").expect("a file");
    fs::write(dir.path().join("text.pst"), "Dear reader, this is no file of Outlook's.\n").expect("a file");
    fs::write(dir.path().join("mail.mbox"), unix(&mbox(Quoting::Each, &letters(0..1)))).expect("a file");
    for (source, options, code, says) in [
        ("nowhere.pst", &[][..], 2, "--source is neither a URL"),
        ("empty.pst", &[], 2, "empty"),
        ("text.pst", &[], 2, "--source"),
        ("mail.mbox", &["--source-admin", "root"], 2, "--source-admin is for a server"),
        ("mail.mbox", &["--source-password-file", "new"], 2, "--source-password-file is for a server"),
        ("mail.mbox", &["--insecure-source"], 2, "--insecure-source is for a server"),
    ] {
        let (ended_with, _, err) = ended(copy(dir.path(), Path::new(source), 1).args(options));
        assert!(ended_with == code && err.contains(says), "{source} {options:?}: {ended_with} {err}");
    }
}
