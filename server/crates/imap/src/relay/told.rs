//! What a server tells on its way to a program: passed on as it comes, but for results of searches that are narrowed to
//! a view. Answers of our own are put in between two responses and never into one.

use super::guard::{Literal, literal};
use gatepost_transfer::UidSet;
use std::collections::VecDeque;

/// How much of a line is looked at from its beginning, and from its end.
const HEAD: usize = 128;
const TAIL: usize = 32;
const SEARCH: &[u8] = b"* SEARCH";

/// What a program's command waits for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The server asks for a literal.
    GoOn,
    /// A command is done.
    Done { tag: String, ok: bool },
}

/// The server's side of a connection.
#[derive(Debug, Default)]
pub(super) struct Told {
    out: Vec<u8>,
    answers: Vec<u8>,
    events: VecDeque<Event>,
    /// Where the current line begins and how it ends, as far as it has come.
    head: Vec<u8>,
    tail: Vec<u8>,
    /// The line goes on a response that a literal has interrupted.
    goes_on: bool,
    literal: u64,
    /// The program has not asked whether it may go on: it is not told so.
    hides_go_on: bool,
    /// What searches may find, where that is narrowed.
    seen: Option<UidSet>,
    /// A number of a search's result.
    number: Vec<u8>,
    /// What follows in a search's result is no list of messages (`(MODSEQ 917)`, RFC 7162).
    verbatim: bool,
}

impl Told {
    /// From here on searches find only these.
    pub fn show(&mut self, seen: UidSet) {
        self.seen = Some(seen);
    }

    /// Whether the program is not to be told when the server asks for a literal.
    pub fn hide_go_on(&mut self, hide: bool) {
        self.hides_go_on = hide;
    }

    /// Says something to the program at the next place between two responses.
    pub fn answer(&mut self, bytes: Vec<u8>) {
        self.answers.extend(bytes);
        self.give_answers();
    }

    pub fn event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub fn out(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    fn give_answers(&mut self) {
        if self.head.is_empty() && !self.goes_on && self.literal == 0 {
            self.out.append(&mut self.answers);
        }
    }

    /// Takes what has come, up to the next event; gives how much that was.
    pub fn take(&mut self, all: &[u8]) -> usize {
        let mut bytes = all;
        while !bytes.is_empty() && self.events.is_empty() {
            if self.literal > 0 {
                let now = usize::try_from(self.literal).unwrap_or(usize::MAX).min(bytes.len());
                self.out.extend_from_slice(&bytes[..now]);
                self.literal -= now as u64;
                bytes = &bytes[now..];
                continue;
            }
            let end = bytes.iter().position(|b| *b == b'\n').map_or(bytes.len(), |at| at + 1);
            let (piece, rest) = bytes.split_at(end);
            bytes = rest;
            for byte in piece {
                self.byte(*byte);
            }
            if piece.ends_with(b"\n") {
                self.end_of_line();
            }
        }
        all.len() - bytes.len()
    }

    fn byte(&mut self, byte: u8) {
        if self.head.len() < HEAD {
            self.head.push(byte);
        }
        if self.tail.len() >= TAIL {
            self.tail.remove(0);
        }
        self.tail.push(byte);
        if self.hides_go_on && !self.goes_on && self.head.first() == Some(&b'+') {
            return;
        }
        if self.seen.is_some() && !self.goes_on && !self.verbatim && self.is_search() {
            self.result(byte);
        } else {
            self.out.push(byte);
        }
    }

    /// Whether the line is a search's result, and past its name.
    fn is_search(&self) -> bool {
        self.head.len() > SEARCH.len()
            && self.head[..SEARCH.len()].eq_ignore_ascii_case(SEARCH)
            && matches!(self.head[SEARCH.len()], b' ' | b'\r' | b'\n')
    }

    /// A byte of `* SEARCH 2 84 882`: numbers that are not to be seen are left out with the space before them.
    fn result(&mut self, byte: u8) {
        if byte.is_ascii_digit() && self.number.first() == Some(&b' ') && self.number.len() < 20 {
            self.number.push(byte);
            return;
        }
        let number = std::mem::take(&mut self.number);
        if number.len() > 1 {
            let uid = std::str::from_utf8(&number[1..]).ok().and_then(|digits| digits.parse().ok());
            if uid.is_some_and(|uid| self.seen.as_ref().is_some_and(|seen| seen.contains(uid))) {
                self.out.extend(number);
            }
        } else {
            self.out.extend(number);
        }
        self.verbatim = byte == b'(';
        if byte == b' ' { self.number.push(byte) } else { self.out.push(byte) }
    }

    fn end_of_line(&mut self) {
        let head = std::mem::take(&mut self.head);
        let tail = std::mem::take(&mut self.tail);
        self.verbatim = false;
        let began = !std::mem::take(&mut self.goes_on);
        if began {
            let text = String::from_utf8_lossy(&head);
            let mut words = text.split_ascii_whitespace();
            let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            if first.starts_with('+') {
                self.hides_go_on = false;
                self.events.push_back(Event::GoOn);
                return self.give_answers();
            }
            let is_state = ["OK", "NO", "BAD", "BYE", "PREAUTH"].iter().any(|s| second.eq_ignore_ascii_case(s));
            if first != "*" {
                self.events.push_back(Event::Done { tag: first.to_owned(), ok: second.eq_ignore_ascii_case("OK") });
            }
            if is_state || first != "*" {
                // Words for people announce no literal, however they end.
                return self.give_answers();
            }
        }
        if let Some(Literal { size, .. }) = literal(&tail) {
            self.goes_on = true;
            self.literal = size;
        }
        self.give_answers();
    }
}
