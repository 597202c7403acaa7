//! The real imapsync, which is in no registry: these run where `GATEPOST_REAL_IMAPSYNC` says where it is.

use crate::common::{
    Journey, NEW_PASSWORD, OLD_PASSWORD, USER, deliver, letter, mailbox, number, raw::Raw, stat, text,
};
use gatepost_testkit::{Account, Cyrus, Dovecot, Generated, Snapshot, at_hand, compare, cyrus_or_explain};
use serde_json::{Value, json};
use std::{collections::HashMap, io::Write as _, path::PathBuf};

/// Where it is, with a word to whoever runs the tests where it is not.
fn real() -> Option<String> {
    let path = std::env::var("GATEPOST_REAL_IMAPSYNC").ok().filter(|path| !path.is_empty());
    match &path {
        Some(path) => assert!(PathBuf::from(path).is_file(), "GATEPOST_REAL_IMAPSYNC: there is no file {path}"),
        // Not `eprintln`: the test harness keeps that to itself when a test passes.
        None => drop(std::io::stderr().write_all(b"left out: GATEPOST_REAL_IMAPSYNC does not say where imapsync is\n")),
    }
    path
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Dovecot,
    /// `/`, folders beside INBOX.
    Cyrus,
    /// `.`, folders below INBOX.
    OldCyrus,
}

/// Held until the end: dropping it ends the server.
enum Server {
    Dovecot(Dovecot),
    Cyrus(Cyrus),
}

impl Kind {
    fn start(self, password: &str) -> Option<Server> {
        let cyrus = |new: bool| Cyrus::builder().user(USER, password).alt_namespace(new).unix_separator(new).start();
        Some(match self {
            Kind::Dovecot => Server::Dovecot(Dovecot::builder().user(USER, password).start().expect("a server")),
            Kind::Cyrus | Kind::OldCyrus if !at_hand(cyrus_or_explain()) => return None,
            Kind::Cyrus => Server::Cyrus(cyrus(true).expect("a server")),
            Kind::OldCyrus => Server::Cyrus(cyrus(false).expect("a server")),
        })
    }

    /// Whether the server holds a folder of this name.
    fn holds(self, name: &str) -> bool {
        match self {
            Kind::Dovecot => true,
            Kind::Cyrus => !name.contains(NOT_IN_CYRUS),
            Kind::OldCyrus => !name.contains(NOT_IN_CYRUS) && !name.contains('.'),
        }
    }
}

const NOT_IN_CYRUS: [char; 9] = ['"', '\\', '%', '^', '#', '$', '`', '{', '}'];

impl Server {
    fn account(&self) -> Account {
        match self {
            Server::Dovecot(server) => server.account(USER),
            Server::Cyrus(server) => server.account(USER),
        }
    }
}

const FOLDERS: [&str; 16] = [
    "a=b",
    "a=b/c=d=",
    "=",
    "Notas ",
    " à frente",
    "Clientes/Ação & Cia",
    "Clientes/Ação & Cia/São João – Filial №2",
    "Projetos 📁/Migração ✉️ 2024",
    "日本語=本",
    "R&D",
    "(x) [y] #1 $HOME `id` {z}",
    "it's=@{[die]}",
    "Contratos v1.2",
    "Aspas \"duplas\" e \\ barra",
    "\"=\\",
    "a*b=~",
];

/// Two letters in every folder, and in INBOX what imapsync leaves out unless it goes by UID.
fn mail(kinds: [Kind; 2]) -> Vec<Generated> {
    let mut nameless = letter("INBOX", "nameless", &["\\Seen"]);
    let text = String::from_utf8(nameless.bytes).expect("text");
    nameless.bytes = text.replace("Message-Id: <nameless@b.example>\r\n", "").into_bytes();
    let twin = || letter("INBOX", "twin", &["\\Flagged"]);
    let mut all = vec![nameless, twin(), twin()];
    for (n, folder) in FOLDERS.iter().filter(|name| kinds.iter().all(|kind| kind.holds(name))).enumerate() {
        all.push(letter(folder, &format!("first-{n}"), &["\\Seen", "\\Answered", "$Forwarded", "Urgente"]));
        all.push(letter(folder, &format!("second-{n}"), &["\\Draft", "projeto-x"]));
    }
    all
}

/// A whole migration by imapsync: everything, then what is new and reflagged, each time proved by us and compared by the
/// kit's own reader.
fn moves(from: Kind, to: Kind, map: &[(&str, &str)]) {
    let Some(imapsync) = real() else { return };
    let (Some(old), Some(new)) = (from.start(OLD_PASSWORD), to.start(NEW_PASSWORD)) else { return };
    let (source, dest) = (old.account(), new.account());
    let mail = mail([from, to]);
    let count = i64::try_from(mail.len()).expect("few");
    deliver(&source, mail);
    let map: HashMap<String, String> = map.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect();
    let mut moved = mailbox(USER, source.port);
    moved["tool"] = "imapsync".into();
    moved["folder_map"] = json!(map);
    let journey = Journey::with(&[("MIGRATION_IMAPSYNC_BIN", &imapsync)], dest.port, &[moved]);
    let before = Snapshot::read(&source).expect("it reads");

    let preflight = journey.succeed("preflight");
    let sizes = &preflight["stats"]["imapsync"]["sizes"];
    assert_eq!(number(&sizes["messages_source"]), count, "{from:?} {to:?}: {preflight:#}");
    let first = journey.succeed("initial");
    assert_eq!(claims(&first), (count, count, 0), "{from:?} {to:?}: {first:#}\n{}", journey.log(&first));
    proved(&journey, &source, &dest, &map, count);
    assert_eq!(before.messages, Snapshot::read(&source).expect("it reads").messages, "the source is as it was");

    deliver(&source, [letter("INBOX", "new", &["\\Flagged"]), letter("a=b", "new too", &["Urgente"])]);
    Raw::within(&source, "INBOX", &["STORE 1 +FLAGS (\\Answered urgente)", "STORE 2 -FLAGS (\\Flagged)"]);
    let second = journey.succeed("delta");
    assert_eq!(claims(&second), (2, 2, 0), "{from:?} {to:?}: {second:#}\n{}", journey.log(&second));
    proved(&journey, &source, &dest, &map, count + 2);
    assert_eq!(journey.gate()["gate"], "warning", "only the approval is missing");

    // Nothing is left to copy: it is not even called.
    let third = journey.succeed("delta");
    assert_eq!((stat(&third, "transferred"), &third["stats"]["imapsync"]), (0, &Value::Null), "{third:#}");
    proved(&journey, &source, &dest, &map, count + 2);
}

/// What has arrived by our reading, what imapsync says that it copied, and its exit code.
#[track_caller]
fn claims(run: &Value) -> (i64, i64, i64) {
    let said = &run["stats"]["imapsync"];
    assert!(text(&run["tool"]) == "imapsync", "{run:#}");
    (stat(run, "transferred"), number(&said["transferred"]), number(&said["exit_code"]))
}

#[track_caller]
fn proved(journey: &Journey, source: &Account, dest: &Account, map: &HashMap<String, String>, count: i64) {
    journey.succeed("verify");
    let totals = journey.evidence()["totals"].clone();
    assert_eq!(["source", "arrived", "pending", "quarantined"].map(|of| number(&totals[of])), [count, count, 0, 0]);
    let read = |account| Snapshot::read(account).expect("it reads");
    let found = compare(&read(source), &read(dest), map);
    assert!(found.is_empty(), "{found}");
    assert_eq!(found.same, usize::try_from(count).expect("few"));
}

#[test]
fn dovecot_moves_to_dovecot_by_the_real_imapsync_with_folders_that_change_places() {
    // Two go where the other was: no rule may be used on what another has written.
    let map = [("R&D", "x=y"), ("a=b", "="), ("=", "a=b"), ("a=b/c=d=", "=/c=d=")];
    moves(Kind::Dovecot, Kind::Dovecot, &map);
}

#[test]
fn dovecot_moves_to_cyrus_by_the_real_imapsync() {
    moves(Kind::Dovecot, Kind::Cyrus, &[]);
}

#[test]
fn dovecot_moves_to_cyrus_with_everything_below_the_inbox_by_the_real_imapsync() {
    moves(Kind::Dovecot, Kind::OldCyrus, &[]);
}

#[test]
fn cyrus_moves_to_dovecot_by_the_real_imapsync() {
    moves(Kind::Cyrus, Kind::Dovecot, &[]);
}

#[test]
fn cyrus_with_everything_below_the_inbox_moves_to_dovecot_by_the_real_imapsync() {
    moves(Kind::OldCyrus, Kind::Dovecot, &[]);
}
