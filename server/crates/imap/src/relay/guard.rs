//! What a program may say through a relay. Bytes go in and bytes come out; there is no socket here.
//!
//! A program that only reads may change nothing, whatever it believes that it must: `SELECT` becomes `EXAMINE`, and
//! what would store, append or delete is answered with `NO` and reaches no server. One that writes may make folders,
//! append and set flags, and delete nothing. A command that is not known is not passed on.

use super::told::{Event, Told};
use gatepost_transfer::UidSet;
use std::{collections::HashMap, sync::Arc};

/// The longest line of a command.
const LONGEST_LINE: usize = 1 << 20;
/// How much of a command is kept to understand it.
const KEPT: usize = 16 << 10;

/// What may be done through a relay.
#[derive(Clone, Debug)]
pub(super) enum Rights {
    /// Reading. Where there is a view, searches by UID find only what is in it.
    Read(Option<View>),
    /// Making folders, appending, setting flags.
    Write,
}

/// Which messages of which folders are to be seen; folders by their names as the server writes them.
pub(super) type View = Arc<HashMap<String, UidSet>>;

/// Why a relayed connection has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// What is to be done with a command.
enum Verdict {
    Pass,
    /// With another word in the place of the command's.
    As(&'static str),
    Refuse(&'static str),
}

#[derive(Debug)]
enum State {
    /// Within a line; `first` for the one that names the command.
    Line { first: bool },
    /// A literal was announced and the server has not yet asked for it.
    Asked(u64),
    /// Within a literal.
    Literal(u64),
}

/// What is known of the command that is being said.
#[derive(Debug, Default)]
struct Command {
    tag: String,
    word: String,
    text: Vec<u8>,
    /// Refused, and why: the rest of it is swallowed.
    refused: Option<&'static str>,
}

/// Both directions of one connection.
#[derive(Debug)]
pub(super) struct Guard {
    rights: Rights,
    state: State,
    line: Vec<u8>,
    command: Command,
    /// Said before the server has asked for it.
    held: Vec<u8>,
    /// After IDLE the next line is no command.
    idles: bool,
    /// A folder is being opened: the command's tag and the folder.
    opening: Option<(String, String)>,
    told: Told,
    to_server: Vec<u8>,
}

impl Guard {
    pub fn new(rights: Rights) -> Self {
        let mut told = Told::default();
        if matches!(rights, Rights::Read(Some(_))) {
            told.show(UidSet::default());
        }
        Self {
            rights,
            state: State::Line { first: true },
            line: Vec::new(),
            command: Command::default(),
            held: Vec::new(),
            idles: false,
            opening: None,
            told,
            to_server: Vec::new(),
        }
    }

    /// Takes what the program said.
    pub fn said(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        if matches!(self.state, State::Asked(_)) {
            self.held.extend_from_slice(bytes);
            return Ok(());
        }
        self.take(bytes)
    }

    /// Takes what the server told.
    pub fn told(&mut self, mut bytes: &[u8]) -> Result<(), TooLong> {
        while !bytes.is_empty() {
            bytes = &bytes[self.told.take(bytes)..];
            let Some(event) = self.told.event() else { continue };
            match event {
                Event::GoOn => {
                    if let State::Asked(size) = self.state {
                        self.state = State::Literal(size);
                        self.go_on()?;
                    }
                }
                Event::Done { tag, ok } => {
                    if let Some((_, folder)) = self.opening.take_if(|(opening, _)| *opening == tag) {
                        self.show(ok.then_some(folder));
                    }
                    if matches!(self.state, State::Asked(_)) && self.command.tag == tag {
                        // The literal is not wanted: what follows is another command.
                        self.state = State::Line { first: true };
                        self.command = Command::default();
                        self.go_on()?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes what was said before the server had asked for it.
    fn go_on(&mut self) -> Result<(), TooLong> {
        let held = std::mem::take(&mut self.held);
        self.take(&held)
    }

    /// What is to be sent to the server.
    pub fn for_server(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.to_server)
    }

    /// What is to be sent to the program.
    pub fn for_program(&mut self) -> Vec<u8> {
        self.told.out()
    }

    /// Whether the program has said so much that the server has not asked for that nothing more should be read.
    pub fn is_full(&self) -> bool {
        self.held.len() > KEPT
    }

    fn take(&mut self, mut bytes: &[u8]) -> Result<(), TooLong> {
        while !bytes.is_empty() {
            match self.state {
                State::Asked(_) => {
                    self.held.extend_from_slice(bytes);
                    return Ok(());
                }
                State::Literal(left) => {
                    let now = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    let (piece, rest) = bytes.split_at(now);
                    self.keep(piece);
                    self.pass(piece);
                    bytes = rest;
                    let left = left - now as u64;
                    self.state = if left == 0 { State::Line { first: false } } else { State::Literal(left) };
                }
                State::Line { first } => {
                    let end = bytes.iter().position(|b| *b == b'\n').map_or(bytes.len(), |at| at + 1);
                    let (piece, rest) = bytes.split_at(end);
                    if self.line.len() + piece.len() > LONGEST_LINE {
                        return Err(TooLong);
                    }
                    self.line.extend_from_slice(piece);
                    bytes = rest;
                    if self.line.ends_with(b"\n") {
                        let line = std::mem::take(&mut self.line);
                        self.whole_line(&line, first);
                    }
                }
            }
        }
        Ok(())
    }

    fn whole_line(&mut self, line: &[u8], first: bool) {
        if first && std::mem::take(&mut self.idles) {
            // DONE (RFC 2177), or whatever ends the waiting.
            self.to_server.extend_from_slice(line);
            return;
        }
        let literal = literal(line);
        if first {
            self.begin_command(line, literal.is_some());
        } else {
            self.keep(line);
            self.pass(line);
        }
        match literal {
            // Nobody has asked for it, and nobody will.
            Some((_, true)) if self.command.refused.is_some() => self.end_command(),
            Some((0, false)) => self.state = State::Line { first: false },
            Some((size, false)) => self.state = State::Literal(size),
            Some((size, true)) => self.state = State::Asked(size),
            None => self.end_command(),
        }
    }

    fn begin_command(&mut self, line: &[u8], literal: bool) {
        let text = String::from_utf8_lossy(line);
        let mut words = text.split_ascii_whitespace();
        let tag = words.next().unwrap_or_default().to_owned();
        let mut word = words.next().unwrap_or_default().to_ascii_uppercase();
        if word == "UID" {
            word = format!("UID {}", words.next().unwrap_or_default().to_ascii_uppercase());
        }
        self.command = Command { tag, word, text: Vec::new(), refused: None };
        self.keep(line);
        match verdict(&self.rights, &self.command.word, &text, literal) {
            Verdict::Pass => self.pass(line),
            Verdict::As(word) => {
                // The tag ends at the first space, and the command's word at the next or at the line's end.
                let after_tag = line.iter().position(|b| *b == b' ').map_or(line.len(), |at| at + 1);
                let rest = &line[after_tag..];
                let word_ends = rest.iter().position(|b| matches!(b, b' ' | b'\r' | b'\n')).unwrap_or(rest.len());
                let changed = [&line[..after_tag], word.as_bytes(), &rest[word_ends..]].concat();
                self.pass(&changed);
            }
            Verdict::Refuse(why) => self.command.refused = Some(why),
        }
    }

    fn end_command(&mut self) {
        let command = std::mem::take(&mut self.command);
        self.state = State::Line { first: true };
        if let Some(why) = command.refused {
            let tag = if is_tag(&command.tag) { command.tag.as_str() } else { "*" };
            self.told.answer(format!("{tag} NO [CANNOT] {why}\r\n").into_bytes());
            return;
        }
        match command.word.as_str() {
            "IDLE" => self.idles = true,
            "SELECT" | "EXAMINE" => self.opening = mailbox(&command.text).map(|folder| (command.tag, folder)),
            "CLOSE" | "UNSELECT" => self.show(None),
            _ => {}
        }
    }

    /// From here on searches find only what is in the view of this folder.
    fn show(&mut self, folder: Option<String>) {
        if let Rights::Read(Some(view)) = &self.rights {
            let seen = folder.and_then(|folder| view.get(&folder).cloned()).unwrap_or_default();
            self.told.show(seen);
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = KEPT.saturating_sub(self.command.text.len()).min(bytes.len());
        self.command.text.extend_from_slice(&bytes[..room]);
    }

    fn pass(&mut self, bytes: &[u8]) {
        if self.command.refused.is_none() {
            self.to_server.extend_from_slice(bytes);
        }
    }
}

fn verdict(rights: &Rights, word: &str, text: &str, literal: bool) -> Verdict {
    match word {
        "CAPABILITY" | "NOOP" | "LOGOUT" | "ID" | "NAMESPACE" | "LIST" | "LSUB" | "XLIST" | "STATUS" | "EXAMINE"
        | "UNSELECT" | "CHECK" | "IDLE" | "ENABLE" | "GETQUOTA" | "GETQUOTAROOT" | "GETACL" | "MYRIGHTS"
        | "LISTRIGHTS" | "GETMETADATA" => return Verdict::Pass,
        // It would take away what is marked as deleted (RFC 3501 section 6.4.2).
        "CLOSE" => return Verdict::As("NOOP"),
        _ => {}
    }
    match (rights, word) {
        (Rights::Read(_), "SELECT") => Verdict::As("EXAMINE"),
        (Rights::Write | Rights::Read(None), "FETCH" | "UID FETCH" | "SEARCH" | "UID SEARCH") => Verdict::Pass,
        (Rights::Write | Rights::Read(None), "SORT" | "THREAD" | "UID SORT" | "UID THREAD") => Verdict::Pass,
        // A program that does not search would take what it is not shown for what is to be copied.
        (Rights::Read(Some(_)), "UID FETCH") if !is_open(text) => Verdict::Pass,
        (Rights::Read(Some(_)), "FETCH" | "UID FETCH") => {
            Verdict::Refuse("Gatepost: what is to be copied is told by searches only")
        }
        (Rights::Read(Some(_)), "UID SEARCH") => {
            if text.to_ascii_uppercase().contains("SEARCH RETURN") {
                Verdict::Refuse("Gatepost: what is to be copied is told by plain searches only")
            } else {
                Verdict::Pass
            }
        }
        (Rights::Read(_), _) => Verdict::Refuse("Gatepost: the source is never changed"),
        (Rights::Write, "SELECT" | "CREATE" | "SUBSCRIBE" | "APPEND" | "COPY" | "UID COPY") => Verdict::Pass,
        (Rights::Write, "STORE" | "UID STORE") if !literal && !text.to_ascii_uppercase().contains("\\DELETED") => {
            Verdict::Pass
        }
        (Rights::Write, _) => Verdict::Refuse("Gatepost: nothing is deleted at the destination"),
    }
}

/// Whether the set of `tag UID FETCH set …` goes to the last message, whichever that is.
fn is_open(text: &str) -> bool {
    text.split_ascii_whitespace().nth(3).is_none_or(|set| set.contains('*'))
}

/// The literal that a line announces: its size, and whether the server has to ask for it (RFC 7888).
pub(super) fn literal(line: &[u8]) -> Option<(u64, bool)> {
    let line = line.strip_suffix(b"\n")?;
    let line = line.strip_suffix(b"\r").unwrap_or(line).strip_suffix(b"}")?;
    let (line, waits) = match line.strip_suffix(b"+").or_else(|| line.strip_suffix(b"-")) {
        Some(line) => (line, false),
        None => (line, true),
    };
    let open = line.iter().rposition(|b| *b == b'{')?;
    let digits = &line[open + 1..];
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    let size = std::str::from_utf8(digits).ok()?.bytes().all(|b| b.is_ascii_digit());
    size.then(|| std::str::from_utf8(digits).ok()?.parse().ok()).flatten().map(|size| (size, waits))
}

fn is_tag(tag: &str) -> bool {
    (1..=64).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_graphic() && !b"(){%*\"\\+".contains(&b))
}

/// The mailbox of `tag SELECT mailbox` (RFC 3501 section 9: an atom, a quoted string or a literal).
fn mailbox(text: &[u8]) -> Option<String> {
    let mut rest = text;
    for _ in 0..2 {
        let at = rest.iter().position(|b| *b == b' ')?;
        rest = &rest[at + 1..];
    }
    let name = match rest.first()? {
        b'"' => {
            let mut name = Vec::new();
            let mut bytes = rest[1..].iter();
            loop {
                match bytes.next()? {
                    b'"' => break name,
                    b'\\' => name.push(*bytes.next()?),
                    other => name.push(*other),
                }
            }
        }
        b'{' => {
            let line = rest.iter().position(|b| *b == b'\n')? + 1;
            let (size, _) = literal(&rest[..line])?;
            rest.get(line..line + usize::try_from(size).ok()?)?.to_vec()
        }
        _ => rest.split(|b| matches!(b, b' ' | b'\r' | b'\n')).next()?.to_vec(),
    };
    String::from_utf8(name).ok()
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
