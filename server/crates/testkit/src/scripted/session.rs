//! One connection of the scripted server: reads commands, asks the rules and the schedule of faults, and sends each
//! command to where it is answered. A command that has come whole is carried out whole, whatever becomes of the line.

use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::command::Command;
use super::faults::{Blow, FaultKind, Welcome};
use super::impersonate::{self, Quirk};
use super::input::{Input, Received};
use super::rule::Action;
use super::state::Doing;
use super::view::Selected;
use super::{Mailbox, Shared, State, append, listing, login, mischief};
use crate::wire::{mutf7_decode, quote};

/// After so long an answer that nobody reads holds its connection.
const UNREAD: Duration = Duration::from_millis(100);

/// Serves a connection until it ends.
pub(super) fn serve(stream: &TcpStream, shared: &Arc<Shared>, id: u64) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(UNREAD))?;
    let mut writer = Output { stream: stream.try_clone()?, shared, id };
    let (welcome, greeting) = {
        let mut state = shared.lock();
        let welcome = state.faults.as_mut().map_or(Welcome::Served(None), super::faults::Faults::at_connection);
        (welcome, state.greeting.clone())
    };
    let cut_after = match welcome {
        Welcome::Served(cut_after) => cut_after,
        Welcome::Closed => return Ok(()),
        Welcome::Bye(words) => return writer.write_all(format!("* BYE {words}\r\n").as_bytes()),
    };
    writer.write_all(greeting.as_bytes())?;
    let mut input = Input::new(stream.try_clone()?, Arc::clone(shared), id, cut_after);
    let mut session = Session { id, ..Session::default() };
    loop {
        let mut go_ahead = Output { stream: stream.try_clone()?, shared, id };
        let received = input.command(|| go_ahead.write_all(b"+ go ahead\r\n"), append::consent)?;
        let segments = match received {
            Received::Line(mut segments) => {
                let mut state = shared.lock();
                let swallowed = impersonate::swallow(&state.quirks, &mut segments, || input.take_buffered());
                state.shows(Quirk::SwallowsWhatFollows, swallowed > 0);
                segments
            }
            Received::End => return Ok(()),
            Received::Broken(words) => return writer.write_all(format!("* BYE {words}\r\n").as_bytes()),
            Received::Refused(segments, refusal) => {
                if let Some(command) = Command::parse(segments) {
                    shared.record(&command);
                    writer.write_all(format!("{} {refusal}\r\n", command.tag).as_bytes())?;
                }
                continue;
            }
        };
        if let Some(mechanism) = session.sasl.take() {
            let crate::wire::Segment::Text(line) = &segments[0] else { return Ok(()) };
            let answer = session.authenticate(&mut shared.lock(), &mechanism.0, &mechanism.1, line);
            writer.write_all(&answer)?;
            continue;
        }
        let Some(command) = Command::parse(segments) else {
            writer.write_all(b"* BAD that is no command\r\n")?;
            continue;
        };
        shared.record(&command);
        if matches!(command.name.as_str(), "SELECT" | "EXAMINE" | "STATUS" | "LIST") {
            shared.settled(id);
        }
        let action = {
            let mut state = shared.lock();
            mischief::play(&mut state);
            state.rules.iter_mut().find_map(|rule| rule.fires(&command.shown).then(|| rule.action.clone()))
        };
        let ends = match action {
            Some(action) => session.by_rule(shared, &mut writer, &command, action)?,
            None => session.by_fault(shared, &mut writer, &mut input, &command)?,
        };
        if ends || command.name == "LOGOUT" {
            return Ok(());
        }
    }
}

/// The way to the client, which may take its time.
struct Output<'a> {
    stream: TcpStream,
    shared: &'a Shared,
    id: u64,
}

impl Write for Output<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.stream.write(bytes) {
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    self.shared.lock().now(self.id, Doing::Held);
                }
                written => {
                    self.shared.lock().now(self.id, Doing::Work);
                    return written;
                }
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

fn replace_tag(bytes: &[u8], tag: &str) -> Vec<u8> {
    const MARK: &[u8] = b"{tag}";
    let mut out = Vec::with_capacity(bytes.len() + 16);
    let mut rest = bytes;
    while let Some(at) = rest.windows(MARK.len()).position(|window| window == MARK) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(tag.as_bytes());
        rest = &rest[at + MARK.len()..];
    }
    out.extend_from_slice(rest);
    out
}

#[derive(Debug, Default)]
pub(super) struct Session {
    id: u64,
    pub(super) logged_in: bool,
    pub(super) selected: Option<Selected>,
    /// Tag and mechanism of an AUTHENTICATE whose data come on the next line.
    pub(super) sasl: Option<(String, String)>,
    /// The client has shown that it knows modification sequences (RFC 7162 section 3.1).
    pub(super) condstore: bool,
    /// The client wants VANISHED in place of EXPUNGE.
    pub(super) qresync: bool,
}

/// The untagged lines so far, and how the tagged one will be.
pub(super) type Answer = Result<(Vec<u8>, String), String>;

/// An answer whose tagged line is `OK done`.
pub(super) fn done(lines: impl Into<String>) -> Answer {
    Ok((lines.into().into_bytes(), "done".to_owned()))
}

impl Session {
    /// What a rule says; true where the connection ends.
    fn by_rule(
        &mut self,
        shared: &Shared,
        writer: &mut Output<'_>,
        command: &Command,
        action: Action,
    ) -> io::Result<bool> {
        let fill_in = |bytes: &[u8]| replace_tag(bytes, &command.tag);
        match action {
            Action::Close => return Ok(true),
            Action::ReplyThenClose(bytes) => {
                writer.write_all(&fill_in(&bytes))?;
                return Ok(true);
            }
            Action::Reply(bytes) => writer.write_all(&fill_in(&bytes))?,
            Action::Stall => {
                let mut state = shared.lock();
                state.now(self.id, Doing::Held);
                let stalled = |state: &mut State| !state.ended && !state.rules.is_empty();
                state = shared.changed.wait_while(state, stalled).unwrap_or_else(PoisonError::into_inner);
                drop(state);
                return Ok(true);
            }
            Action::PerformThenClose => {
                self.answer(&mut shared.lock(), command);
                return Ok(true);
            }
            Action::Before(bytes) => {
                let answer = self.answer(&mut shared.lock(), command);
                writer.write_all(&fill_in(&bytes))?;
                writer.write_all(&answer)?;
            }
        }
        Ok(false)
    }

    /// What the schedule of faults says, mostly nothing; true where the connection ends.
    fn by_fault(
        &mut self,
        shared: &Shared,
        writer: &mut Output<'_>,
        input: &mut Input,
        command: &Command,
    ) -> io::Result<bool> {
        let blow = shared.lock().faults.as_mut().and_then(|faults| faults.at_command(&command.name));
        match blow {
            None => {
                let answer = self.answer(&mut shared.lock(), command);
                writer.write_all(&answer)?;
                // BYE without LOGOUT: the mailbox is not what it was.
                return Ok(answer.starts_with(b"* BYE"));
            }
            Some(Blow::CutBefore) => return Ok(true),
            Some(Blow::CutAfter) => {
                self.answer(&mut shared.lock(), command);
                return Ok(true);
            }
            Some(Blow::CutAnswer { in_literal }) => {
                let mut state = shared.lock();
                let answer = self.answer(&mut state, command);
                let literal = find_literal(&answer).filter(|_| in_literal);
                let kind = if literal.is_some() { FaultKind::CutInLiteral } else { FaultKind::CutInAnswer };
                let within = literal.unwrap_or(0..answer.len());
                let at = within.start + state.faults.as_mut().map_or(0, |faults| faults.below(within.len()));
                state.count_fault(kind);
                drop(state);
                writer.write_all(&answer[..at])?;
                return Ok(true);
            }
            Some(Blow::Refuse(words)) => writer.write_all(format!("{} {words}\r\n", command.tag).as_bytes())?,
            Some(Blow::Bye(words)) => {
                writer.write_all(format!("* BYE {words}\r\n").as_bytes())?;
                return Ok(true);
            }
            Some(Blow::Stall { performed }) => {
                if performed {
                    self.answer(&mut shared.lock(), command);
                }
                input.swallow();
                return Ok(true);
            }
            Some(Blow::Garbage { bytes, then_end }) => {
                writer.write_all(&bytes)?;
                if then_end {
                    return Ok(true);
                }
                let answer = self.answer(&mut shared.lock(), command);
                writer.write_all(&answer)?;
            }
        }
        Ok(false)
    }

    /// The whole default answer to a command.
    fn answer(&mut self, state: &mut State, command: &Command) -> Vec<u8> {
        if command.name == "AUTHENTICATE" {
            let mechanism = command.text(0).to_ascii_uppercase();
            return if let Some(data) = command.arguments.get(1) {
                self.authenticate(state, &command.tag, &mechanism, data.bytes())
            } else {
                self.sasl = Some((command.tag.clone(), mechanism));
                b"+ \r\n".to_vec()
            };
        }
        let before_login = matches!(command.name.as_str(), "CAPABILITY" | "NOOP" | "LOGOUT" | "LOGIN" | "ID");
        if !self.logged_in && !before_login {
            return format!("{} BAD log in first\r\n", command.tag).into_bytes();
        }
        // RFC 3501 section 7.4.1: no EXPUNGE while sequence numbers are in use.
        let by_number = matches!(command.name.as_str(), "FETCH" | "STORE" | "SEARCH");
        let Some(mut lines) = self.news(state, !by_number) else {
            return b"* BYE the mailbox has another UIDVALIDITY\r\n".to_vec();
        };
        let tagged = match self.perform(state, command) {
            Ok((answer, done)) => {
                lines.extend_from_slice(&answer);
                format!("{} OK {done}\r\n", command.tag)
            }
            Err(refusal) => format!("{} {refusal}\r\n", command.tag),
        };
        if !by_number {
            lines.extend_from_slice(&self.news(state, true).unwrap_or_default());
        }
        lines.extend_from_slice(tagged.as_bytes());
        lines
    }

    fn perform(&mut self, state: &mut State, command: &Command) -> Answer {
        needs(state, command)?;
        match command.name.as_str() {
            "CAPABILITY" => {
                let before = state.capability_before.as_ref().filter(|_| !self.logged_in);
                done(format!("* CAPABILITY {}\r\n", before.unwrap_or(&state.capability)))
            }
            "NOOP" | "CHECK" => done(""),
            "LOGOUT" => done("* BYE logging out\r\n"),
            "ID" => done("* ID (\"name\" \"gatepost-testkit\")\r\n"),
            "ENABLE" => Ok((self.enable(state, command), "enabled".to_owned())),
            "LOGIN" => {
                let known = (command.text(0), command.text(1));
                self.logged_in = state.users.is_empty() || state.users.contains(&known);
                if self.logged_in { done("") } else { Err(login::WRONG.to_owned()) }
            }
            "NAMESPACE" => {
                let own = || format!("((\"\" {})) NIL NIL", quote(&state.separator.to_string()));
                done(format!("* NAMESPACE {}\r\n", state.namespace.clone().unwrap_or_else(own)))
            }
            "LIST" | "LSUB" => listing::list(state, command),
            "STATUS" => {
                self.condstore |= command.shown.to_ascii_uppercase().contains("HIGHESTMODSEQ");
                listing::status_of(state, command)
            }
            "CREATE" => listing::create(state, &decoded(&command.text(0))),
            "DELETE" => {
                let name = decoded(&command.text(0));
                if name == "INBOX" {
                    return Err("NO [CANNOT] the INBOX stays".to_owned());
                }
                state.remove(&name).ok_or("NO [NONEXISTENT] there is no such mailbox")?;
                done("")
            }
            "SUBSCRIBE" | "UNSUBSCRIBE" => {
                mailbox(state, &decoded(&command.text(0)))?.subscribed = command.name == "SUBSCRIBE";
                done("")
            }
            "GETQUOTAROOT" => listing::quota_root(state, &decoded(&command.text(0))),
            "GETQUOTA" => done(listing::quota(state)),
            "APPEND" => append::append(state, command),
            "SELECT" | "EXAMINE" => self.open(state, command),
            "CLOSE" => {
                if let Some(selected) = self.selected.take()
                    && selected.writable
                    && let Some(mailbox) = find(state, &selected.name)
                {
                    mailbox.messages.retain(|message| !message.flags.iter().any(|flag| flag == "\\Deleted"));
                    mailbox.settle();
                }
                done("")
            }
            "UNSELECT" => {
                self.selected = None;
                done("")
            }
            "FETCH" | "UID FETCH" => self.fetch(state, command),
            "SEARCH" | "UID SEARCH" => self.search(state, command),
            "STORE" | "UID STORE" => self.store(state, command),
            "EXPUNGE" | "UID EXPUNGE" => self.expunge(state, command),
            _ => Err(format!("BAD {} is not known here", command.name)),
        }
    }

    fn enable(&mut self, state: &State, command: &Command) -> Vec<u8> {
        let mut line = "* ENABLED".to_owned();
        for wanted in command.arguments.iter().map(|value| value.text().to_ascii_uppercase()) {
            if !matches!(wanted.as_str(), "CONDSTORE" | "QRESYNC") || !state.offers(&wanted) {
                continue;
            }
            self.condstore = true;
            self.qresync |= wanted == "QRESYNC";
            line = line + " " + &wanted;
        }
        (line + "\r\n").into_bytes()
    }
}

/// Commands of extensions are known only to servers that offer them.
fn needs(state: &State, command: &Command) -> Result<(), String> {
    let capability = match command.name.as_str() {
        "NAMESPACE" => "NAMESPACE",
        "ENABLE" => "ENABLE",
        "ID" => "ID",
        "UNSELECT" => "UNSELECT",
        "GETQUOTA" | "GETQUOTAROOT" => "QUOTA",
        "UID EXPUNGE" => "UIDPLUS",
        _ => return Ok(()),
    };
    if state.offers(capability) { Ok(()) } else { Err(format!("BAD {} is not known here", command.name)) }
}

/// Where the bytes of one of the answer's literals are: the longest.
fn find_literal(answer: &[u8]) -> Option<std::ops::Range<usize>> {
    let mut longest: Option<std::ops::Range<usize>> = None;
    let mut at = 0;
    while let Some(end) = answer[at..].windows(3).position(|window| window == b"}\r\n").map(|found| at + found) {
        at = end + 3;
        let size = crate::wire::announced_literal(&answer[..=end]).map_or(0, |(size, _)| size);
        if size > 1 && at + size <= answer.len() {
            if longest.as_ref().is_none_or(|known| known.len() < size) {
                longest = Some(at..at + size);
            }
            at += size;
        }
    }
    longest
}

pub(super) fn decoded(encoded: &str) -> String {
    if encoded.eq_ignore_ascii_case("INBOX") {
        return "INBOX".to_owned();
    }
    mutf7_decode(encoded).unwrap_or_else(|| encoded.to_owned())
}

pub(super) fn find<'a>(state: &'a mut State, name: &str) -> Option<&'a mut Mailbox> {
    state.mailboxes.iter_mut().find(|mailbox| mailbox.name == name)
}

pub(super) fn mailbox<'a>(state: &'a mut State, name: &str) -> Result<&'a mut Mailbox, String> {
    let missing = !state.mailboxes.iter().any(|mailbox| mailbox.name == name);
    if state.shows(Quirk::SaysBadToMissingFolders, missing) {
        return Err("BAD Folder could not be found.".to_owned());
    }
    find(state, name).ok_or_else(|| "NO [NONEXISTENT] there is no such mailbox".to_owned())
}
