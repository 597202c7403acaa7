//! Copies between Dovecot and the two other servers that Debian has, Cyrus and Courier: whole, again with what changed,
//! and after a kill. What each of these servers does to mail by itself is written down in the kit's `cyrus` and
//! `courier`; here the copy is held to arrive as the server stores it, and not to be sent again because of that.

mod common;

use common::{
    NEW_PASSWORD, OLD_PASSWORD, USER, count_meanwhile, deliver, kit, letter, mail, number, raw::Raw, wait_for,
};
use gatepost_testkit::{
    Account, Courier, Cyrus, Differences, Dovecot, Generated, Proxy, Snapshot, SpecialUse, at_hand, compare,
    courier_or_explain, cyrus_or_explain,
    proxy::{Direction, Hold},
    put,
};
use serde_json::Value;
use std::{
    collections::HashMap,
    path::Path,
    process::{Command, Stdio},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Dovecot,
    /// As Cyrus 3 is delivered: `/`, folders beside INBOX.
    Cyrus,
    /// As Cyrus 2 was: `.`, folders below INBOX.
    OldCyrus,
    Courier,
}

/// Held until the end: dropping it ends the server.
enum Server {
    Dovecot(Dovecot),
    Cyrus(Cyrus),
    Courier(Courier),
}

impl Kind {
    /// Whether it can run here.
    fn at_hand(self) -> bool {
        match self {
            Kind::Dovecot => true,
            Kind::Cyrus | Kind::OldCyrus => at_hand(cyrus_or_explain()),
            Kind::Courier => at_hand(courier_or_explain()),
        }
    }

    fn start(self, password: &str) -> Server {
        let cyrus = |new: bool| Cyrus::builder().user(USER, password).alt_namespace(new).unix_separator(new).start();
        match self {
            Kind::Dovecot => Server::Dovecot(Dovecot::builder().user(USER, password).start().expect("a server")),
            Kind::Cyrus => Server::Cyrus(cyrus(true).expect("a server")),
            Kind::OldCyrus => Server::Cyrus(cyrus(false).expect("a server")),
            Kind::Courier => Server::Courier(Courier::builder().user(USER, password).start().expect("a server")),
        }
    }

    /// Whether the server takes a folder of this name.
    fn holds_folder(self, name: &str) -> bool {
        match self {
            Kind::Dovecot => true,
            Kind::Cyrus | Kind::OldCyrus => !name.contains(['"', '\\']),
            Kind::Courier => !name.contains('📁'),
        }
    }

    /// What the server makes of a message without a word.
    fn stores(self, bytes: &[u8]) -> Vec<u8> {
        let mut stored = bytes.to_vec();
        match self {
            Kind::Cyrus | Kind::OldCyrus => {
                let end = header(bytes).len();
                stored[..end].iter_mut().filter(|byte| !byte.is_ascii()).for_each(|byte| *byte = b'X');
            }
            Kind::Courier if !stored.ends_with(b"\n") => stored.extend_from_slice(b"\r\n"),
            Kind::Dovecot | Kind::Courier => {}
        }
        stored
    }

    /// The character that stands between the levels, and so in no name.
    fn separator(self) -> char {
        if matches!(self, Kind::OldCyrus | Kind::Courier) { '.' } else { '/' }
    }
}

impl Server {
    fn account(&self) -> Account {
        match self {
            Server::Dovecot(server) => server.account(USER),
            Server::Cyrus(server) => server.account(USER),
            Server::Courier(server) => server.account(USER),
        }
    }
}

fn header(bytes: &[u8]) -> &[u8] {
    if bytes.starts_with(b"\r\n") {
        return &[];
    }
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    &bytes[..end.unwrap_or(bytes.len())]
}

/// Two servers, the mail of the old one, and a record of what was copied.
struct Move {
    old: Server,
    new: Server,
    kinds: (Kind, Kind),
    letters: Vec<Generated>,
    dir: tempfile::TempDir,
}

impl Move {
    /// `None` where one of the servers is missing.
    fn prepare(from: Kind, to: Kind, messages: usize) -> Option<Self> {
        if !from.at_hand() || !to.at_hand() {
            return None;
        }
        let (old, new) = (from.start(OLD_PASSWORD), to.start(NEW_PASSWORD));
        let mut profile = mail(messages);
        profile.special_use = SpecialUse::None;
        profile.separator = from.separator();
        let fits = |one: &Generated| {
            from.holds_folder(&one.folder) && to.holds_folder(&one.folder) && from.stores(&one.bytes) == one.bytes
        };
        let letters: Vec<Generated> = profile.generate().filter(fits).collect();
        deliver(&old.account(), letters.clone());
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("old"), OLD_PASSWORD).expect("a file");
        std::fs::write(dir.path().join("new"), NEW_PASSWORD).expect("a file");
        Some(Self { old, new, kinds: (from, to), letters, dir })
    }

    /// A run to its end; the summary.
    #[track_caller]
    fn copy(&self) -> Value {
        let ports = (self.old.account().port, self.new.account().port);
        let output = command(self.dir.path(), ports).output().expect("the program starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{:?}: {}\n{text}\n{told}", self.kinds, output.status);
        serde_json::from_str(text.lines().last().expect("a line")).expect("JSON")
    }

    fn add(&mut self, letters: Vec<Generated>) {
        deliver(&self.old.account(), letters.clone());
        self.letters.extend(letters);
    }

    /// What the kit's own reader finds different, once it knows what the new server makes of mail.
    fn difference(&self) -> Differences {
        let mut source = Snapshot::read(&self.old.account()).expect("the source can be read");
        let dest = Snapshot::read(&self.new.account()).expect("the destination can be read");
        let stored: HashMap<blake3::Hash, blake3::Hash> = self
            .letters
            .iter()
            .map(|one| (blake3::hash(&one.bytes), blake3::hash(&self.kinds.1.stores(&one.bytes))))
            .collect();
        for message in &mut source.messages {
            message.digest = stored.get(&message.digest).copied().expect("the source holds what was delivered");
        }
        let separator = self.kinds.1.separator();
        // Cyrus made this parent a folder that can be opened, and by its name it is taken for the archive.
        let archive = matches!(self.kinds.0, Kind::Cyrus | Kind::OldCyrus);
        let renamed = |name: &String| {
            let levels = name.split('/').map(|level| match level {
                "Arquivo Morto" if archive => "Archive".to_owned(),
                level => level.replace(separator, "_"),
            });
            (name.clone(), levels.collect::<Vec<_>>().join("/"))
        };
        let renames = source.folders.keys().map(renamed).collect::<HashMap<_, _>>();
        compare(&source, &dest, &renames)
    }

    #[track_caller]
    fn assert_same(&self) {
        let found = self.difference();
        assert!(found.is_empty(), "{:?}: {found}", self.kinds);
        assert_eq!(found.same, self.letters.len(), "{:?}", self.kinds);
    }
}

fn command(dir: &Path, (old, new): (u16, u16)) -> Command {
    let user = USER.replace('@', "%40");
    let url = |port: u16| format!("imap://{user}@127.0.0.1:{port}");
    let mut command = kit::gatepost(dir);
    command
        .args(["copy", "--json", "--state", "state.db", "--source", &url(old), "--dest", &url(new)])
        .args(["--source-password-file", "old"])
        .args(["--dest-password-file", "new"]);
    command
}

const MESSAGES: usize = 200;

fn moves(from: Kind, to: Kind) {
    let Some(mut journey) = Move::prepare(from, to, MESSAGES) else { return };
    let there = journey.letters.len();
    let first = journey.copy();
    assert_eq!(number(&first["transferred"]), there as i64, "{first}");
    journey.assert_same();

    journey.add(vec![letter("INBOX", "new", &["\\Flagged"]), letter("Pasta nova", "first", &[])]);
    let source = journey.old.account();
    Raw::within(&source, "INBOX", &["STORE 1 +FLAGS (\\Answered urgente)", "STORE 2 -FLAGS (\\Seen)"]);
    let second = journey.copy();
    assert_eq!((number(&second["transferred"]), number(&second["already_there"])), (2, there as i64), "{second}");
    journey.assert_same();

    let third = journey.copy();
    assert_eq!((number(&third["transferred"]), number(&third["already_there"])), (0, there as i64 + 2), "{third}");
    journey.assert_same();
}

#[test]
fn dovecot_moves_to_cyrus() {
    moves(Kind::Dovecot, Kind::Cyrus);
}

#[test]
fn dovecot_moves_to_cyrus_with_dots_and_everything_below_the_inbox() {
    moves(Kind::Dovecot, Kind::OldCyrus);
}

#[test]
fn cyrus_moves_to_dovecot() {
    moves(Kind::Cyrus, Kind::Dovecot);
}

#[test]
fn cyrus_with_dots_and_everything_below_the_inbox_moves_to_dovecot() {
    moves(Kind::OldCyrus, Kind::Dovecot);
}

#[test]
fn courier_moves_to_dovecot() {
    moves(Kind::Courier, Kind::Dovecot);
}

#[test]
fn dovecot_moves_to_courier() {
    moves(Kind::Dovecot, Kind::Courier);
}

/// How many messages an account has once its server has ended with what a killed client had sent: it stores that also
/// after the client has gone.
fn settled(account: &Account, line: &Proxy) -> usize {
    let count = || count_meanwhile(account);
    wait_for("the server to end with what it was sent", || {
        let first = (line.open_connections() == 0).then(count)??;
        count().filter(|second| *second == first)
    })
}

/// Kills the copy when so many hundredths of the mail's bytes have gone to the new server, several times, then lets it
/// come to its end.
fn killed(from: Kind, to: Kind) {
    let Some(journey) = Move::prepare(from, to, MESSAGES) else { return };
    let bytes: u64 = journey.letters.iter().map(|one| one.bytes.len() as u64).sum();
    let line = Proxy::start(journey.new.account().port).expect("a proxy");
    let hold = Hold::default();
    line.hold(Direction::ToServer, &hold);
    let mut passed = 0;
    for hundredths in [20, 40, 60] {
        hold.after((bytes * hundredths / 100).saturating_sub(passed));
        let ports = (journey.old.account().port, line.port());
        let mut child = command(journey.dir.path(), ports)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        wait_for("the moment of a kill", || {
            let ended = child.try_wait().expect("it is our child");
            assert!(ended.is_none(), "{:?}: the kill came too late: {ended:?}", journey.kinds);
            hold.holds().then_some(())
        });
        child.kill().expect("it runs");
        child.wait().expect("it ends");
        hold.lose();
        passed = line.bytes(Direction::ToServer);
    }
    let there = settled(&journey.new.account(), &line);
    assert!(there < journey.letters.len(), "the kills were in the middle: {there} were there");
    journey.copy();
    journey.assert_same();
    let again = journey.copy();
    assert_eq!(number(&again["transferred"]), 0, "{again}");
    journey.assert_same();
}

#[test]
fn a_copy_to_cyrus_that_is_killed_ends_with_every_message_once() {
    killed(Kind::Dovecot, Kind::Cyrus);
}

#[test]
fn a_copy_to_courier_that_is_killed_ends_with_every_message_once() {
    killed(Kind::Dovecot, Kind::Courier);
}

/// Mail that is there already is recognised, also where the server stores it with other bytes than it was sent.
fn forgotten(to: Kind) {
    let Some(journey) = Move::prepare(Kind::Dovecot, to, MESSAGES) else { return };
    assert!(journey.letters.iter().any(|one| to.stores(&one.bytes) != one.bytes), "some are stored with other bytes");
    let there = number(&journey.copy()["transferred"]);
    for file in ["state.db", "state.db-wal", "state.db-shm"] {
        let removed = std::fs::remove_file(journey.dir.path().join(file));
        assert!(removed.is_ok() || file != "state.db");
    }
    let again = journey.copy();
    assert_eq!((number(&again["transferred"]), number(&again["already_there"])), (0, there), "{again}");
    journey.assert_same();
}

#[test]
fn without_its_record_a_second_copy_to_cyrus_doubles_nothing() {
    forgotten(Kind::Cyrus);
}

#[test]
fn without_its_record_a_second_copy_to_courier_doubles_nothing() {
    forgotten(Kind::Courier);
}

/// The second reading takes what the server changed by itself for the same message.
#[test]
fn what_a_server_changes_by_itself_is_verified_as_the_same_message() {
    for to in [Kind::Cyrus, Kind::Courier] {
        let Some(journey) = Move::prepare(Kind::Dovecot, to, 60) else { continue };
        let ports = (journey.old.account().port, journey.new.account().port);
        let output = command(journey.dir.path(), ports).arg("--verify").output().expect("the program starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(text.contains("\"verified\":true"), "{to:?}: {text}{told}");
    }
}

/// One bad message among good ones: the good ones arrive together, the bad one is kept back with the server's words.
#[test]
fn what_cyrus_refuses_is_mended_or_kept_back_and_stops_nothing() {
    let Some(journey) = Move::prepare(Kind::Dovecot, Kind::Cyrus, 0) else { return };
    let raw = |subject: &str, text: &[u8]| {
        let head = format!("Subject: {subject}\r\nMessage-Id: <{subject}@b.example>\r\n");
        Generated { bytes: [head.as_bytes(), text].concat(), ..letter("INBOX", subject, &[]) }
    };
    let letters = [
        raw("one", b"\r\ngood\r\n"),
        raw("bare", b"\r\na bare\nline end\r\n"),
        raw("two", b"\r\ngood\r\n"),
        raw("header", b"this is no field\r\n\r\nbad\r\n"),
        raw("three", b"\r\ngood\r\n"),
    ];
    put(&journey.old.account(), letters.clone()).expect("Dovecot takes everything");
    let ports = (journey.old.account().port, journey.new.account().port);
    let output = command(journey.dir.path(), ports).output().expect("the program starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let summary: Value = serde_json::from_str(text.lines().last().expect("a line")).expect("JSON");
    assert_eq!((number(&summary["transferred"]), number(&summary["quarantined"])), (4, 1), "{summary}");
    let found = Snapshot::read(&journey.new.account()).expect("it reads");
    let there: Vec<blake3::Hash> = found.messages.iter().map(|one| one.digest).collect();
    let mended = raw("bare", b"\r\na bare\r\nline end\r\n");
    let wanted = [&letters[0], &mended, &letters[2], &letters[4]].map(|one| blake3::hash(&one.bytes));
    assert!(wanted.iter().all(|one| there.contains(one)) && there.len() == 4, "{found:?}");
    let again = command(journey.dir.path(), ports).output().expect("the program starts");
    assert!(String::from_utf8_lossy(&again.stdout).contains("\"transferred\":0"), "{again:?}");
}

#[test]
fn names_that_the_new_server_refuses_are_changed_and_told() {
    for (to, name, instead) in [
        (Kind::Cyrus, "Aspas \"duplas\" e \\ barra", "Aspas _duplas_ e _ barra"),
        (Kind::Cyrus, "a^b", "a_b"),
        (Kind::OldCyrus, "50 % v1.2", "50 _ v1_2"),
        (Kind::Courier, "Projetos 📁", "Projetos _"),
    ] {
        let Some(mut journey) = Move::prepare(Kind::Dovecot, to, 0) else { continue };
        journey.add(vec![letter(name, "one", &[])]);
        let ports = (journey.old.account().port, journey.new.account().port);
        let planned = command(journey.dir.path(), ports).arg("--dry-run").output().expect("the program starts");
        assert!(planned.status.success(), "{planned:?}");
        journey.copy();
        let found = Snapshot::read(&journey.new.account()).expect("it reads");
        assert_eq!(found.folder(instead).count(), 1, "{name}: {:?}", found.folders.keys());
    }
}
