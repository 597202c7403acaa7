//! Appending messages.
//!
//! One loop over three things that can happen: the server answers, more input comes, a result can be handed over.
//! With LITERAL+ (RFC 7888) messages leave without waiting, up to a window of messages and bytes; else each waits for
//! the server's consent. A server that knows neither LITERAL+ nor LITERAL- is sent nothing behind a message before it
//! has answered: hMailServer takes what it finds there for a part of the message (`IMAPCommandAppend::ParseBinary`). A server may answer late, early, or stop reading until its answers are read: none of it
//! blocks the loop.
//!
//! With MULTIAPPEND (RFC 3502) the messages between two commits are one command, which the server takes or refuses
//! whole; it is let through whatever its size, since its end depends on nobody but us. When the input ends before
//! the commit, the command is not finished and nothing of it is stored.
//!
//! After a BAD the connection is given up at once: a server that did not understand an APPEND may take the message
//! that follows for commands. The same goes for a command of several messages that is refused while their bytes are
//! on the way. What was refused is reported as such, so that another run does not stumble over it again.

use crate::{
    destination::flag_list,
    faults::{self, Done},
    session::{Heard, Session, Tag},
    uids,
    wire::{Command, Status, command::Part, date},
};
use bytes::Bytes;
use gatepost_transfer::{Appended, Fault, FaultKind, Flags, InternalDate, Outgoing, Rejection, RemoteFolder};
use std::collections::VecDeque;
use tokio::sync::mpsc;

/// How many messages may wait for their answer before another command begins.
const WINDOW_MESSAGES: usize = 1_000;
/// How many bytes of messages may wait for their answer before another command begins.
const WINDOW_BYTES: u64 = 8 << 20;
/// How many bytes may wait to be sent before no more input is taken, and when it is taken again.
const QUEUE_HIGH: usize = 1 << 20;
const QUEUE_LOW: usize = 256 << 10;

/// Appends what the input delivers and reports what became of each message.
pub(crate) async fn append(
    session: &mut Session,
    folder: &RemoteFolder,
    uid_validity: u32,
    append_limit: Option<u64>,
    input: mpsc::Receiver<Outgoing>,
    results: mpsc::Sender<Appended>,
) -> Result<(), Fault> {
    let mut appending = Appending {
        folder: Command::new("APPEND").folder(&session.wire_name(&folder.native)),
        folder_name: folder.path.to_string(),
        uid_validity,
        append_limit,
        several: session.offers("MULTIAPPEND"),
        alone: !session.offers("LITERAL+") && !session.offers("LITERAL-") && !session.offers("MULTIAPPEND"),
        session,
        waiting: VecDeque::new(),
        messages: 0,
        bytes: 0,
        place: Place::Between,
        refusing: None,
        ready: VecDeque::new(),
        ended: false,
        full: false,
    };
    let result = appending.run(input, &results).await;
    let ready = std::mem::take(&mut appending.ready);
    for appended in ready {
        // What was answered before a fault is worth knowing; who does not want to know has gone.
        if results.send(appended).await.is_err() {
            break;
        }
    }
    if result.is_err() {
        session.connection.give_up();
    }
    result
}

/// An APPEND whose answer has not come.
struct Sent {
    tag: Tag,
    /// Its messages, by the caller's names.
    keys: Vec<u32>,
    bytes: u64,
    /// Whether its last message has been handed over.
    whole: bool,
}

/// Where the input stands.
enum Place {
    /// Between two messages, or before the first.
    Between,
    /// The server has been asked and has not agreed yet; the message's data wait in the channel. The text is sent
    /// next, when the folder's name had to be asked for; `at_once`: its data need no further consent.
    Asked { text: Option<Bytes>, at_once: bool, left: u64 },
    /// A message's data are sent.
    Sending { left: u64 },
    /// The message was refused before its data were sent: they are dropped.
    Skipping,
}

/// A command was refused before it was whole: what belongs to it is refused as it comes.
struct Refusing {
    rejection: Rejection,
    /// What ends the connection after it, when the server may be out of step.
    then: Option<Fault>,
}

struct Appending<'a> {
    session: &'a mut Session,
    /// How each command begins.
    folder: Command,
    folder_name: String,
    uid_validity: u32,
    append_limit: Option<u64>,
    /// Whether one command takes several messages.
    several: bool,
    /// Whether nothing may follow a message before it was answered.
    alone: bool,
    waiting: VecDeque<Sent>,
    /// How many messages wait for their answer, and how many bytes they have.
    messages: usize,
    bytes: u64,
    place: Place,
    refusing: Option<Refusing>,
    /// Results that could not be handed over yet.
    ready: VecDeque<Appended>,
    /// Whether the input has ended.
    ended: bool,
    /// Whether so much waits to be sent that no input is taken.
    full: bool,
}

impl Appending<'_> {
    async fn run(
        &mut self,
        mut input: mpsc::Receiver<Outgoing>,
        results: &mpsc::Sender<Appended>,
    ) -> Result<(), Fault> {
        loop {
            let unfinished = usize::from(self.is_unfinished());
            if self.ended && self.ready.is_empty() && self.waiting.len() == unfinished {
                if let Some(fault) = self.refusing.take().and_then(|refusing| refusing.then) {
                    return Err(fault);
                }
                // What was not committed cannot be finished; the others were answered.
                let whole = unfinished == 0 && matches!(self.place, Place::Between | Place::Skipping);
                return if whole { Ok(()) } else { Err(self.cut_short()) };
            }
            while self.takes() {
                match input.try_recv() {
                    Ok(piece) => self.take(piece)?,
                    Err(_) => break,
                }
            }
            let takes = self.takes();
            // No answer is due to a command that waits for more input: the clock must not run for it.
            let due =
                self.waiting.len() > usize::from(self.is_unfinished()) || matches!(self.place, Place::Asked { .. });
            let listens = due || self.session.connection.unsent() > 0;
            let low = if self.full { QUEUE_LOW } else { 0 };
            tokio::select! {
                biased;
                permit = results.reserve(), if !self.ready.is_empty() => match permit {
                    Ok(permit) => permit.send(self.ready.pop_front().expect("the branch is guarded by it")),
                    Err(_) => return Err(unwanted()),
                },
                event = self.session.connection.drive(low), if listens => {
                    if let Some(event) = event? {
                        let heard = self.session.sort(event)?;
                        self.hear(heard)?;
                    }
                }
                piece = input.recv(), if takes => match piece {
                    Some(piece) => self.take(piece)?,
                    None => self.ended = true,
                },
                () = results.closed(), if self.ready.is_empty() => return Err(unwanted()),
            }
        }
    }

    /// Whether more input is taken now.
    fn takes(&mut self) -> bool {
        let unsent = self.session.connection.unsent();
        self.full = if self.full { unsent >= QUEUE_LOW } else { unsent >= QUEUE_HIGH };
        let room = match self.alone {
            true => self.waiting.is_empty(),
            false => self.messages < WINDOW_MESSAGES && self.bytes < WINDOW_BYTES,
        };
        let at_will = self.ready.len() < WINDOW_MESSAGES && (room || self.refusing.is_some());
        !self.ended
            && !self.full
            && match self.place {
                Place::Between => self.is_unfinished() || at_will,
                Place::Asked { .. } => false,
                Place::Sending { .. } | Place::Skipping => true,
            }
    }

    /// Whether the last command waits for more input, without which its answer cannot come.
    fn is_unfinished(&self) -> bool {
        self.waiting.back().is_some_and(|sent| !sent.whole)
    }

    fn cut_short(&self) -> Fault {
        Fault::new(
            FaultKind::Lost,
            format!(
                "Messages for {} were not handed over whole; the connection was given up before they were stored.",
                self.session.connection.server()
            ),
        )
    }

    fn take(&mut self, piece: Outgoing) -> Result<(), Fault> {
        match (piece, &mut self.place) {
            (Outgoing::Begin { key, size, internal_date, flags }, Place::Between) => {
                self.begin(key, size, internal_date, &flags);
                Ok(())
            }
            (Outgoing::Data(data), Place::Sending { left }) if data.len() as u64 <= *left => {
                *left -= data.len() as u64;
                self.session.connection.send_data(data);
                Ok(())
            }
            (Outgoing::End, Place::Sending { left: 0 }) => {
                self.place = Place::Between;
                if !self.several || !self.is_unfinished() {
                    self.finish();
                }
                Ok(())
            }
            (Outgoing::Commit, Place::Between) => {
                if self.is_unfinished() {
                    self.finish();
                }
                self.refusing.take().and_then(|refusing| refusing.then).map_or(Ok(()), Err)
            }
            (Outgoing::Data(_), Place::Skipping) => Ok(()),
            (Outgoing::End, Place::Skipping) => {
                self.place = Place::Between;
                Ok(())
            }
            _ => Err(Fault::new(
                FaultKind::Internal,
                "A message was handed over with another length than it was announced with; nothing of it was stored.",
            )),
        }
    }

    /// A command's last byte.
    fn finish(&mut self) {
        self.session.connection.send(b"\r\n");
        if let Some(sent) = self.waiting.back_mut() {
            sent.whole = true;
        }
    }

    fn begin(&mut self, key: u32, size: u64, date: InternalDate, flags: &Flags) {
        if let Some(refusing) = &self.refusing {
            self.ready.push_back(Appended { key, result: Err(refusing.rejection.clone()) });
            self.place = Place::Skipping;
            return;
        }
        // A message that is too large is refused by its size alone, if the server is asked first.
        let oversize = self.append_limit.is_some_and(|limit| size > limit);
        let at_once = !oversize && self.session.may_send_at_once(size);
        let mut text = String::with_capacity(96);
        if !flags.is_empty() {
            let flags = flag_list(flags);
            if flags != "()" {
                text.push(' ');
                text.push_str(&flags);
            }
        }
        if let Some(date) = date::format(date) {
            text.push_str(" \"");
            text.push_str(&date);
            text.push('"');
        }
        text.push_str(&format!(" {{{size}{}}}\r\n", if at_once { "+" } else { "" }));
        let asks_for_name = !self.is_unfinished() && self.open();
        self.place = if asks_for_name {
            Place::Asked { text: Some(text.into()), at_once, left: size }
        } else {
            self.session.connection.send(text.as_bytes());
            if at_once { Place::Sending { left: size } } else { Place::Asked { text: None, at_once, left: size } }
        };
        if let Some(sent) = self.waiting.back_mut() {
            sent.keys.push(key);
            sent.bytes += size;
        }
        self.messages += 1;
        self.bytes += size;
    }

    /// Begins a command, up to the folder's name; true when the server must agree to the name first.
    fn open(&mut self) -> bool {
        let tag = self.session.new_tag();
        tracing::debug!(server = self.session.connection.server(), %tag, "{}", self.folder.shown());
        self.waiting.push_back(Sent { tag, keys: Vec::new(), bytes: 0, whole: false });
        if self.session.waits(&self.folder) {
            self.session.connection.send(format!("{tag} ").as_bytes());
            for part in self.folder.parts() {
                match part {
                    Part::Raw(bytes) => self.session.connection.send(bytes),
                    Part::Literal(bytes) => {
                        self.session.connection.send(format!("{{{}}}\r\n", bytes.len()).as_bytes());
                    }
                }
            }
            return true;
        }
        self.session.begin(tag, &self.folder);
        false
    }

    fn hear(&mut self, heard: Heard) -> Result<(), Fault> {
        match heard {
            Heard::Continue(_) => {
                self.agreed();
                Ok(())
            }
            Heard::Done(tag, done) => {
                let Some(at) = self.waiting.iter().position(|sent| sent.tag == tag) else { return Ok(()) };
                let sent = self.waiting.remove(at).expect("the position was just found");
                self.messages -= sent.keys.len();
                self.bytes -= sent.bytes;
                if sent.whole { self.answered(&sent, &done) } else { self.refused_early(&sent, &done) }
            }
            Heard::Other(_) => Ok(()),
        }
    }

    /// The server wants what comes next.
    fn agreed(&mut self) {
        let Place::Asked { text, at_once, left } = &mut self.place else { return };
        let (at_once, left) = (*at_once, *left);
        let Some(text) = text.take() else {
            self.place = Place::Sending { left };
            return;
        };
        for part in self.folder.parts() {
            if let Part::Literal(name) = part {
                self.session.connection.send(name);
            }
        }
        self.session.connection.send(&text);
        if at_once {
            self.place = Place::Sending { left };
        }
    }

    /// A command ended before it was sent whole.
    fn refused_early(&mut self, sent: &Sent, done: &Done) -> Result<(), Fault> {
        if done.is_ok() {
            return Err(Fault::new(
                FaultKind::Protocol,
                format!("{} confirmed a message before it was sent.", self.session.connection.server()),
            ));
        }
        self.answered(sent, done)?;
        let server = self.session.connection.server();
        match self.place {
            // The server waits for nothing more: the message is skipped, the command is over.
            Place::Asked { .. } => {
                self.place = Place::Skipping;
                if sent.keys.len() > 1 {
                    self.refusing = Some(Refusing { rejection: rejection(done, true), then: None });
                }
            }
            // A server must take what it was told would come (RFC 7888 section 4): the one message goes on.
            Place::Sending { .. } if sent.keys.len() == 1 => {}
            Place::Between if sent.keys.len() == 1 => self.session.connection.send(b"\r\n"),
            Place::Sending { .. } | Place::Between | Place::Skipping => {
                let words = done.words();
                let sentence =
                    format!("{server} refused messages while they were sent; the connection was given up: {words:?}.");
                let then = Some(Fault::new(FaultKind::Lost, sentence));
                self.refusing = Some(Refusing { rejection: rejection(done, true), then });
                if matches!(self.place, Place::Sending { .. }) {
                    self.place = Place::Skipping;
                }
            }
        }
        Ok(())
    }

    /// A command ended.
    fn answered(&mut self, sent: &Sent, done: &Done) -> Result<(), Fault> {
        let together = sent.keys.len() > 1;
        let server = self.session.connection.server();
        match done.status {
            Status::Ok => {
                let (uids, gone) = match self.uids(done, sent.keys.len()) {
                    Ok(uids) => (uids, None),
                    Err(fault) => (None, Some(fault)),
                };
                let mut uids = uids.into_iter().flatten();
                let stored = sent.keys.iter().map(|key| Appended { key: *key, result: Ok(uids.next()) });
                self.ready.extend(stored);
                gone.map_or(Ok(()), Err)
            }
            Status::No => {
                let fault = faults::refused(server, "APPEND", done);
                // LIMIT is also what Dovecot says of a message that is too large.
                if fault.kind == FaultKind::Throttled && !done.has_code(&["LIMIT"]) && !done.is_hiccup() {
                    return Err(fault);
                }
                self.refuse(sent, rejection(done, together));
                Ok(())
            }
            _ => {
                let fault = faults::refused(server, "APPEND", done);
                // Exchange throttles with BAD too.
                if fault.kind == FaultKind::Throttled {
                    return Err(fault);
                }
                // The refusal is the message's, or the messages' together; what is lost is the connection alone.
                let what = if together { "several messages together" } else { "a message" };
                let words = done.words();
                let fault = Fault::new(
                    FaultKind::Lost,
                    format!("{server} did not understand {what}: {words:?}; the connection was given up."),
                );
                self.refuse(sent, Rejection { over_quota: false, no_folder: false, ..rejection(done, together) });
                Err(fault)
            }
        }
    }

    fn refuse(&mut self, sent: &Sent, rejection: Rejection) {
        let refused = sent.keys.iter().map(|key| Appended { key: *key, result: Err(rejection.clone()) });
        self.ready.extend(refused);
    }

    /// The UIDs of a command's messages (APPENDUID, RFC 4315); the n-th is the n-th message's (RFC 3502).
    fn uids(&self, done: &Done, messages: usize) -> Result<Option<Vec<u32>>, Fault> {
        let Some(code) = done.code.as_ref().filter(|code| code.name == "APPENDUID") else { return Ok(None) };
        let mut words = code.args.split_ascii_whitespace();
        let epoch = words.next().and_then(|word| word.parse::<u32>().ok());
        if epoch.is_some_and(|epoch| self.uid_validity != 0 && epoch != self.uid_validity) {
            return Err(Fault::new(
                FaultKind::FolderGone,
                format!(
                    "The folder \"{}\" at {} was replaced by another of the same name while messages were appended to it.",
                    self.folder_name,
                    self.session.connection.server()
                ),
            ));
        }
        let Some(ranges) = words.next().and_then(uids::ranges) else { return Ok(None) };
        let uids: Vec<u32> = ranges.into_iter().flat_map(|(from, to)| from..=to).take(messages + 1).collect();
        Ok(Some(uids).filter(|uids| uids.len() == messages))
    }
}

fn rejection(done: &Done, together: bool) -> Rejection {
    Rejection { words: done.words(), over_quota: done.is_over_quota(), no_folder: done.is_no_folder(), together }
}

/// The receiver of the results is gone.
fn unwanted() -> Fault {
    Fault::new(FaultKind::Cancelled, "Appending was stopped; the connection was given up.")
}
