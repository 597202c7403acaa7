//! A random pair of accounts: what the source holds, and what kind of server each side is.

use crate::random::Random;
use gatepost_testkit::{
    InternalDate, ScriptedImap,
    scripted::{Faults, Mailbox},
};

pub const USER: &str = "ana@move.example";
pub const PASSWORD: &str = "planted-7788";

const SYSTEM: [&str; 5] = ["\\Seen", "\\Answered", "\\Flagged", "\\Draft", "\\Deleted"];
const KEYWORDS: [&str; 2] = ["$Forwarded", "projeto-x"];
const FOLDERS: [&str; 16] = [
    "Trabalho",
    "Trabalho/2023",
    "Trabalho/Ação & Cia",
    "Arquivo/2019/Janeiro",
    "日本語",
    "Notas fiscais",
    "projetos 📁",
    "Família",
    "a",
    "b",
    "c",
    "d",
    "e",
    "f",
    "g",
    "h",
];

/// Both servers, and what there was before the first run.
pub struct World {
    pub source: ScriptedImap,
    pub dest: ScriptedImap,
    /// The source's mailboxes at the start.
    pub began: Vec<Mailbox>,
    /// The destination's mailboxes at the start.
    pub there: Vec<Mailbox>,
    pub source_separator: char,
    pub dest_separator: char,
    pub append_limit: Option<usize>,
    /// Whether the destination takes all bytes as they are.
    pub takes_all_bytes: bool,
    pub shown: String,
}

impl World {
    /// The destination's name for a source mailbox.
    pub fn place_of(&self, mailbox: &str) -> String {
        mailbox.replace(self.source_separator, &self.dest_separator.to_string())
    }
}

pub fn make(seed: u64) -> World {
    let mut random = Random::new(seed);
    let source_separator = *random.pick(&['/', '.']);
    let dest_separator = *random.pick(&['/', '.']);
    let began = mailboxes(&mut random, source_separator);

    let keywords = !random.one_in(5);
    let permanent: Vec<&str> = SYSTEM.into_iter().chain(keywords.then_some("\\*")).collect();
    let there = copied_before(&mut random, &began, source_separator, dest_separator, &permanent);
    let (source_offers, _) = capability(&mut random, false);
    let (dest_offers, append_limit) = capability(&mut random, true);
    let (no_lf, no_nul) = (random.one_in(3), random.one_in(3));
    let mut faults = |at_destination: bool| {
        let schedule = Faults::seeded(random.next())
            .at_most(u32::try_from(random.below(20)).expect("small"))
            .one_in(u32::try_from(3 + random.below(40)).expect("small"))
            .changes_mailboxes(!random.one_in(3))
            .stalls(random.one_in(3));
        if at_destination { schedule.at_destination() } else { schedule }
    };
    let (source_faults, dest_faults) = (faults(false), faults(true));

    let mut source = ScriptedImap::builder()
        .user(USER, PASSWORD)
        .capability(&source_offers)
        .separator(source_separator)
        .faults(source_faults);
    for mailbox in &began {
        source = source.mailbox(mailbox.clone());
    }
    let mut dest = ScriptedImap::builder()
        .user(USER, PASSWORD)
        .capability(&dest_offers)
        .separator(dest_separator)
        .permanent_flags(&permanent)
        .faults(dest_faults);
    for mailbox in &there {
        dest = dest.mailbox(mailbox.clone());
    }
    if no_lf {
        dest = dest.refuses_bare_lf();
    }
    if no_nul {
        dest = dest.refuses_nul();
    }
    let messages: usize = began.iter().map(|mailbox| mailbox.messages.len()).sum();
    let shown = format!(
        "{messages} messages in {} folders; the source offers {source_offers:?}, the destination {dest_offers:?}, \
         refuses bare LF: {no_lf}, NUL: {no_nul}, keeps keywords: {keywords}",
        began.len()
    );
    World {
        source: source.start().expect("the source starts"),
        dest: dest.start().expect("the destination starts"),
        began,
        there,
        source_separator,
        dest_separator,
        append_limit,
        takes_all_bytes: !no_lf && !no_nul,
        shown,
    }
}

/// Any subset of the extensions, with those that an extension needs.
fn capability(random: &mut Random, destination: bool) -> (String, Option<usize>) {
    let mut offers = vec!["IMAP4rev1".to_owned(), "AUTH=PLAIN".to_owned()];
    let mut maybe = |random: &mut Random, names: &[&str]| {
        if random.one_in(2) {
            offers.extend(names.iter().map(|&name| name.to_owned()));
        }
    };
    for names in [
        &["SASL-IR"][..],
        &["UIDPLUS"],
        &["MULTIAPPEND"],
        &["LIST-EXTENDED", "LIST-STATUS", "SPECIAL-USE"],
        &["ESEARCH"],
        &["NAMESPACE"],
        &["UNSELECT"],
        &["ID"],
        &["QUOTA"],
    ] {
        maybe(random, names);
    }
    match random.below(3) {
        0 => offers.push("LITERAL+".to_owned()),
        1 => offers.push("LITERAL-".to_owned()),
        _ => {}
    }
    match random.below(3) {
        0 => offers.extend(["ENABLE", "CONDSTORE"].map(str::to_owned)),
        1 => offers.extend(["ENABLE", "CONDSTORE", "QRESYNC"].map(str::to_owned)),
        _ => {}
    }
    let limit = (destination && random.one_in(4)).then_some(9_000);
    offers.extend(limit.map(|limit| format!("APPENDLIMIT={limit}")));
    (offers.join(" "), limit)
}

fn mailboxes(random: &mut Random, separator: char) -> Vec<Mailbox> {
    // Several lanes are used only for many folders.
    let count = if random.one_in(4) { 8 + random.below(9) } else { random.below(5) };
    let mut all: Vec<Mailbox> = ["INBOX"]
        .into_iter()
        .chain(FOLDERS.into_iter().take(count))
        .map(|name| Mailbox::new(name.replace('/', &separator.to_string())))
        .collect();
    let messages = random.below(61);
    let mut number = 0;
    while number < messages {
        let (bytes, date, flags) = (bytes(random, number), date(random), flags(random));
        // True duplicates, with the same date and flags or others.
        let copies = if random.one_in(8) { 2 + random.below(2) } else { 1 };
        for _ in 0..copies {
            let at = if random.one_in(2) { 0 } else { random.below(all.len()) };
            let (date, flags) =
                if random.one_in(3) { (self::date(random), self::flags(random)) } else { (date, flags.clone()) };
            all[at].push(bytes.clone(), date, flags);
            number += 1;
        }
        if random.one_in(9) {
            // A hole in the UIDs.
            all[0].uid_next += 1 + u32::try_from(random.below(5)).expect("small");
        }
    }
    all
}

fn date(random: &mut Random) -> InternalDate {
    // Few enough days that dates come twice.
    let unix_seconds = 1_000_000_000 + i64::try_from(random.below(40)).expect("small") * 86_400;
    InternalDate { unix_seconds, zone_minutes: *random.pick(&[0, -180, 345]) }
}

fn flags(random: &mut Random) -> Vec<String> {
    SYSTEM.iter().chain(&KEYWORDS).filter(|_| random.one_in(4)).map(|&flag| flag.to_owned()).collect()
}

/// A message: with a Message-Id, without, with an empty or a repeated one; now and then broken.
fn bytes(random: &mut Random, number: usize) -> Vec<u8> {
    let id = match random.below(6) {
        0 => String::new(),
        1 => "Message-Id:\r\n".to_owned(),
        2 => "Message-Id: <the-same@example.test>\r\n".to_owned(),
        _ => format!("Message-Id: <{number}@example.test>\r\n"),
    };
    let mut message = format!("From: rui@example.test\r\nSubject: {number}\r\n{id}\r\n").into_bytes();
    let size = match random.below(10) {
        0 => 10_000 + random.below(10_000),
        1 | 2 => 3_000 + random.below(3_000),
        _ => random.below(1_500),
    };
    while message.len() < size {
        let line = random.below(70);
        message.extend((0..line).map(|_| b' ' + u8::try_from(random.below(95)).expect("printable")));
        message.extend_from_slice(b"\r\n");
    }
    match random.below(20) {
        0 => message.extend_from_slice(b"a bare\nline feed\n"),
        1 => message.extend_from_slice(b"NUL \0 here\r\n"),
        2 => message.extend_from_slice(b"both\n\0\r\n"),
        3 => message.truncate(message.len() - 1),
        4 => message.extend_from_slice(&[0xc3, 0xa3, 0xff, b'\r', b'\n']),
        _ => {}
    }
    message
}

/// Some of the mail is at the destination already, where somebody copied it before.
fn copied_before(random: &mut Random, began: &[Mailbox], from: char, to: char, permanent: &[&str]) -> Vec<Mailbox> {
    let some = random.one_in(3);
    began
        .iter()
        .filter_map(|mailbox| {
            let mut copy = Mailbox::new(mailbox.name.replace(from, &to.to_string()));
            copy.permanent_flags = permanent.iter().map(|&flag| flag.to_owned()).collect();
            if mailbox.name != "INBOX" && !(some && random.one_in(2)) {
                return None;
            }
            // Nothing that this server would not have taken.
            let clean = |bytes: &[u8]| crate::verdict::canonical(bytes) == bytes && bytes.len() < 9_000;
            for message in mailbox.messages.iter().filter(|message| some && clean(&message.bytes)) {
                if random.one_in(3) {
                    let kept = |flag: &&String| flag.starts_with('\\') || permanent.contains(&"\\*");
                    let flags = message.flags.iter().filter(kept).filter(|_| !random.one_in(4)).cloned().collect();
                    copy.push(message.bytes.clone(), message.date, flags);
                }
            }
            Some(copy)
        })
        .collect()
}
