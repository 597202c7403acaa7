//! What a program may say through a relay. Bytes go in and bytes come out; there is no socket here.
//!
//! A program that only reads may change nothing, whatever it believes that it must: `SELECT` becomes `EXAMINE`, and
//! what would store, append or delete is answered with `NO` and reaches no server. One that writes may make folders,
//! append and set flags, and delete nothing. A command that is not known is not passed on.
//!
//! What the server takes for a command has to be taken for one here, and nothing else may pass unread. So bytes pass
//! unread only after the server itself has asked for so many of them; nothing is sent while it is not known whether it
//! will; and at most one command at a time can make it ask.

use super::told::{Event, Told};
use gatepost_transfer::UidSet;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// The longest line of a command.
const LONGEST_LINE: usize = 1 << 20;
/// How much of a command is kept to understand it.
const KEPT: usize = 16 << 10;
/// How many commands may wait for their answers.
const UNDER_WAY: usize = 4096;

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

/// A relayed connection has to end: what the program says can be understood in more than one way, or has no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unfit;

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
    /// IDLE was said, and the server has not yet agreed.
    Idle,
    /// The server idles: nothing but DONE may follow (RFC 2177).
    Idling,
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
    /// The tags of the commands that the server has not answered. No two of them are alike: which of them an answer is
    /// for could not be known.
    under_way: HashSet<String>,
    /// Folders that are being opened: the command's tag and the folder.
    opening: Vec<(String, String)>,
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
            under_way: HashSet::new(),
            opening: Vec::new(),
            told,
            to_server: Vec::new(),
        }
    }

    /// Takes what the program said.
    pub fn said(&mut self, bytes: &[u8]) -> Result<(), Unfit> {
        self.take(bytes)
    }

    /// Takes what the server told.
    pub fn told(&mut self, mut bytes: &[u8]) -> Result<(), Unfit> {
        while !bytes.is_empty() {
            bytes = &bytes[self.told.take(bytes)..];
            let Some(event) = self.told.event() else { continue };
            match event {
                Event::GoOn => match self.state {
                    State::Asked(0) => {
                        self.state = State::Line { first: false };
                        self.go_on()?;
                    }
                    State::Asked(size) => {
                        self.state = State::Literal(size);
                        self.go_on()?;
                    }
                    State::Idle => {
                        self.state = State::Idling;
                        self.go_on()?;
                    }
                    _ => {}
                },
                Event::Done { tag, ok } => {
                    self.under_way.remove(&tag);
                    if let Some(at) = self.opening.iter().position(|(opening, _)| *opening == tag) {
                        let (_, folder) = self.opening.swap_remove(at);
                        self.show(ok.then_some(folder));
                    }
                    let waits = matches!(self.state, State::Asked(_) | State::Idle | State::Idling);
                    if waits && self.command.tag == tag {
                        // The literal is not wanted, or the idling is over: what follows is another command.
                        self.state = State::Line { first: true };
                        self.command = Command::default();
                        self.told.hide_go_on(false);
                        self.go_on()?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes what was said before the server had asked for it.
    fn go_on(&mut self) -> Result<(), Unfit> {
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

    fn take(&mut self, mut bytes: &[u8]) -> Result<(), Unfit> {
        while !bytes.is_empty() {
            match self.state {
                State::Asked(_) | State::Idle => {
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
                State::Line { .. } | State::Idling => {
                    let end = bytes.iter().position(|b| *b == b'\n').map_or(bytes.len(), |at| at + 1);
                    let (piece, rest) = bytes.split_at(end);
                    if self.line.len() + piece.len() > LONGEST_LINE {
                        return Err(Unfit);
                    }
                    self.line.extend_from_slice(piece);
                    bytes = rest;
                    if self.line.ends_with(b"\n") {
                        let line = std::mem::take(&mut self.line);
                        self.whole_line(line)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn whole_line(&mut self, mut line: Vec<u8>) -> Result<(), Unfit> {
        // However it ended its line, the server sees where.
        let end = line.len() - if line.ends_with(b"\r\n") { 2 } else { 1 };
        line.truncate(end);
        let clean = !line.iter().any(|b| matches!(b, b'\r' | b'\n' | 0));
        line.extend_from_slice(b"\r\n");
        let first = match self.state {
            State::Idling => {
                self.end_idling(&line);
                return Ok(());
            }
            State::Line { first } => first,
            State::Asked(_) | State::Literal(_) | State::Idle => return Err(Unfit),
        };
        let literal = literal(&line);
        if let Some(plus) = literal.and_then(|literal| literal.plus) {
            // The server may not know this form (RFC 7888) and take the literal for commands: it is to ask for it.
            line.remove(plus);
        }
        if first {
            self.begin_command(&line, literal.is_some(), clean);
        } else if !clean || literal.is_none() && looks_like_literal(&line) {
            return Err(Unfit);
        } else {
            self.keep(&line);
            self.pass(&line);
        }
        let refused = self.command.refused.is_some();
        match literal {
            // Nobody has asked for it, and nobody will.
            Some(Literal { waits: true, .. }) if refused => self.end_command(),
            Some(Literal { size: 0, .. }) if refused => self.state = State::Line { first: false },
            Some(Literal { size, .. }) if refused => self.state = State::Literal(size),
            Some(Literal { size, waits, .. }) => {
                self.state = State::Asked(size);
                self.told.hide_go_on(!waits);
            }
            None => self.end_command(),
        }
        Ok(())
    }

    /// A line while the server idles.
    fn end_idling(&mut self, line: &[u8]) {
        if line.trim_ascii().eq_ignore_ascii_case(b"DONE") {
            self.to_server.extend_from_slice(b"DONE\r\n");
            self.command = Command::default();
            self.state = State::Line { first: true };
            return;
        }
        let text = String::from_utf8_lossy(line);
        let tag = text.split(' ').next().map(str::trim).filter(|tag| is_tag(tag)).unwrap_or("*").to_owned();
        self.told.answer(format!("{tag} BAD Gatepost: idling is ended by DONE\r\n").into_bytes());
    }

    fn begin_command(&mut self, line: &[u8], literal: bool, clean: bool) {
        let text = String::from_utf8_lossy(line);
        // One space between words (RFC 3501 section 9): what a server makes of more of them is not known.
        let mut words = text.trim_end_matches("\r\n").split(' ');
        let tag = words.next().unwrap_or_default().to_owned();
        let mut word = words.next().unwrap_or_default().to_ascii_uppercase();
        if word == "UID" {
            word = format!("UID {}", words.next().unwrap_or_default().to_ascii_uppercase());
        }
        self.command = Command { tag, word, text: Vec::new(), refused: None };
        self.keep(line);
        let verdict = if !clean || !is_tag(&self.command.tag) || !literal && looks_like_literal(line) {
            Verdict::Refuse("Gatepost: this is no command")
        } else if self.under_way.contains(&self.command.tag) {
            Verdict::Refuse("Gatepost: another command of this tag is under way")
        } else if self.under_way.len() >= UNDER_WAY {
            Verdict::Refuse("Gatepost: too many commands are under way")
        } else if literal && !takes_literals(&self.command.word) {
            Verdict::Refuse("Gatepost: this command takes no literal")
        } else {
            verdict(&self.rights, &self.command.word, &text, literal)
        };
        match verdict {
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
        if self.command.refused.is_none() {
            self.under_way.insert(self.command.tag.clone());
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
            "IDLE" => {
                self.state = State::Idle;
                self.command = command;
            }
            "SELECT" | "EXAMINE" => {
                self.opening.extend(mailbox(&command.text).map(|folder| (command.tag, folder)));
            }
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
        // Searches would be answered in a form that is not narrowed (RFC 9051 section 7.3.4), and folders be called
        // otherwise than in the view (RFC 6855).
        "ENABLE" if matches!(rights, Rights::Read(Some(_))) => {
            return Verdict::Refuse("Gatepost: nothing is enabled where only some messages are to be seen");
        }
        // Only then is it sure that the server will ask to go on.
        "IDLE" if text.split_ascii_whitespace().nth(2).is_some() => {
            return Verdict::Refuse("Gatepost: this is no command");
        }
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
            let first = text.split_ascii_whitespace().nth(3).unwrap_or_default().to_ascii_uppercase();
            if literal || first.starts_with("RETURN") {
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

/// Commands with arguments that may be strings; a literal anywhere else is nothing that a server has to understand.
fn takes_literals(word: &str) -> bool {
    matches!(
        word,
        "APPEND"
            | "SELECT"
            | "EXAMINE"
            | "CREATE"
            | "SUBSCRIBE"
            | "LIST"
            | "LSUB"
            | "XLIST"
            | "STATUS"
            | "COPY"
            | "UID COPY"
            | "SEARCH"
            | "UID SEARCH"
            | "SORT"
            | "UID SORT"
            | "THREAD"
            | "UID THREAD"
            | "ID"
            | "GETQUOTA"
            | "GETQUOTAROOT"
            | "GETACL"
            | "MYRIGHTS"
            | "LISTRIGHTS"
            | "GETMETADATA"
    )
}

/// The literal that a line announces (RFC 3501 section 4.3, RFC 7888).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Literal {
    pub size: u64,
    /// Whether its sender waits until it is asked for.
    pub waits: bool,
    /// Where the sign stands by which it does not wait.
    plus: Option<usize>,
}

pub(super) fn literal(line: &[u8]) -> Option<Literal> {
    let line = line.strip_suffix(b"\n")?;
    let line = line.strip_suffix(b"\r").unwrap_or(line).strip_suffix(b"}")?;
    let (line, plus) = match line.strip_suffix(b"+") {
        Some(line) => (line, Some(line.len())),
        None => (line, None),
    };
    let open = line.iter().rposition(|b| *b == b'{')?;
    let digits = &line[open + 1..];
    if digits.is_empty() || digits.len() > 18 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let size = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(Literal { size, waits: plus.is_none(), plus })
}

/// Whether some server might take the end of a line for the announcement of a literal although [`literal`] does not.
fn looks_like_literal(line: &[u8]) -> bool {
    let Some(line) = line.trim_ascii_end().strip_suffix(b"}") else { return false };
    let open = line.iter().rposition(|b| *b == b'{');
    open.is_some_and(|open| !line[open..].contains(&b'"'))
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
            let Literal { size, .. } = literal(&rest[..line])?;
            rest.get(line..line + usize::try_from(size).ok()?)?.to_vec()
        }
        _ => rest.split(|b| matches!(b, b' ' | b'\r' | b'\n')).next()?.to_vec(),
    };
    String::from_utf8(name).ok()
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
