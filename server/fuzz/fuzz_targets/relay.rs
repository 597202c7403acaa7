//! Whatever a program says through a relay, a server that follows RFC 3501 never takes it for a command that the relay's
//! rights forbid, nor for bytes that it did not ask for; and whatever both sides say, what comes out does not depend on
//! how it was cut. The first byte says which rights and whether there is an honest server; of an honest one the second
//! says how the words are cut and which literals it refuses. Otherwise the pieces, with 0xff between them, begin with `C`
//! for the program and with `S` for the server.
#![no_main]

use gatepost_transfer::UidSet;
use guard::{Guard, Rights};
use libfuzzer_sys::fuzz_target;
use std::{collections::HashMap, sync::Arc};

#[path = "../../crates/imap/src/relay/guard.rs"]
#[allow(dead_code, reason = "the relay's socket uses the rest")]
mod guard;
#[path = "../../crates/imap/src/relay/told.rs"]
mod told;

const READING: [&str; 25] = [
    "CAPABILITY",
    "NOOP",
    "LOGOUT",
    "ID",
    "NAMESPACE",
    "LIST",
    "LSUB",
    "XLIST",
    "STATUS",
    "EXAMINE",
    "UNSELECT",
    "CHECK",
    "IDLE",
    "ENABLE",
    "GETQUOTA",
    "GETQUOTAROOT",
    "GETACL",
    "MYRIGHTS",
    "LISTRIGHTS",
    "GETMETADATA",
    "FETCH",
    "SEARCH",
    "SORT",
    "THREAD",
    "DONE",
];
const WRITING: [&str; 6] = ["SELECT", "CREATE", "SUBSCRIBE", "APPEND", "COPY", "STORE"];

fn rights(number: u8) -> Rights {
    match number % 3 {
        0 => Rights::Read(None),
        1 => Rights::Read(Some(Arc::new(HashMap::from([("INBOX".into(), UidSet::from_ranges([(2, 4), (9, 9)]))])))),
        _ => Rights::Write,
    }
}

enum State {
    Line { first: bool },
    Literal(u64),
    Idle,
}

/// A server that reads as leniently as any does, and answers at once.
struct Server {
    writes: bool,
    refuses: u8,
    state: State,
    line: Vec<u8>,
    tag: String,
    word: String,
}

impl Server {
    fn take(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut answers = Vec::new();
        for byte in bytes {
            if let State::Literal(left) = &mut self.state {
                *left -= 1;
                if *left == 0 {
                    self.state = State::Line { first: false };
                }
                continue;
            }
            self.line.push(*byte);
            if *byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                answers.extend(self.whole(&String::from_utf8_lossy(&line)).into_bytes());
            }
        }
        answers
    }

    fn whole(&mut self, line: &str) -> String {
        let first = match self.state {
            State::Line { first } => first,
            State::Literal(_) => panic!("a line within a literal"),
            State::Idle => {
                assert!(line.trim().eq_ignore_ascii_case("DONE"), "{line:?} while the server idles");
                self.state = State::Line { first: true };
                return format!("{} OK\r\n", self.tag);
            }
        };
        if first {
            let mut words = line.split_ascii_whitespace();
            self.tag = words.next().unwrap_or_default().to_owned();
            let mut word = words.next().unwrap_or_default().to_ascii_uppercase();
            if word == "UID" {
                word = words.next().unwrap_or_default().to_ascii_uppercase();
            }
            self.word = word;
        }
        let known = READING.contains(&self.word.as_str()) || self.writes && WRITING.contains(&self.word.as_str());
        assert!(known, "{line:?} was passed on");
        assert!(self.word != "STORE" || !line.to_ascii_uppercase().contains("\\DELETED"), "{line:?} deletes");
        let end = line.trim_end_matches(|c: char| c.is_ascii_whitespace());
        let inside = end.strip_suffix('}').and_then(|end| end.rsplit_once('{')).map(|(_, inside)| inside);
        // The forms that are not asked for (RFC 7888), or that not every server knows (RFC 3516).
        let unasked = inside.and_then(|inside| inside.strip_suffix(['+', '-']));
        assert!(unasked.is_none_or(|digits| digits.parse::<u64>().is_err()), "{line:?}");
        match inside.and_then(|digits| digits.parse::<u64>().ok()) {
            Some(size) => {
                self.refuses = self.refuses.rotate_left(1);
                if self.refuses & 1 == 1 {
                    self.state = State::Line { first: true };
                    return format!("{} NO too large\r\n", self.tag);
                }
                self.state = if size == 0 { State::Line { first: false } } else { State::Literal(size) };
                "+ go on\r\n".to_owned()
            }
            None if self.word == "IDLE" => {
                self.state = State::Idle;
                "+ idling\r\n".to_owned()
            }
            None => {
                self.state = State::Line { first: true };
                format!("* SEARCH 1 2 9\r\n{} OK\r\n", self.tag)
            }
        }
    }
}

fn honest(which: u8, how: u8, said: &[u8]) {
    let mut guard = Guard::new(rights(which));
    let state = State::Line { first: true };
    let (line, tag, word) = (Vec::new(), String::new(), String::new());
    let mut server = Server { writes: which % 3 == 2, refuses: how, state, line, tag, word };
    for piece in said.chunks(usize::from(how % 16) + 1) {
        if guard.said(piece).is_err() {
            return;
        }
        loop {
            let out = guard.for_server();
            if out.is_empty() {
                break;
            }
            if guard.told(&server.take(&out)).is_err() {
                return;
            }
        }
    }
}

/// What came out on both sides, and whether it ended early.
fn talk(which: u8, pieces: &[u8], whole: bool) -> (Vec<u8>, Vec<u8>, bool) {
    let mut guard = Guard::new(rights(which));
    let (mut server, mut program, mut unfit) = (Vec::new(), Vec::new(), false);
    for piece in pieces.split(|byte| *byte == 0xFF) {
        let Some((who, text)) = piece.split_first() else { continue };
        for text in text.chunks(if whole { text.len().max(1) } else { 1 }) {
            unfit = unfit || if *who == b'S' { guard.told(text) } else { guard.said(text) }.is_err();
        }
        server.extend(guard.for_server());
        program.extend(guard.for_program());
    }
    (server, program, unfit)
}

fuzz_target!(|input: &[u8]| {
    let [first, rest @ ..] = input else { return };
    if first & 0x80 == 0 {
        let Some((how, said)) = rest.split_first() else { return };
        honest(*first, *how, said);
    } else {
        assert_eq!(talk(*first, rest, true), talk(*first, rest, false));
    }
});
