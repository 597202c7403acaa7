//! An IMAP account as a destination: makes folders, appends messages, sets flags. Deletes nothing.
//!
//! Appending is one loop over three things that can happen: the server answers, more input comes, a result can be
//! handed over. With LITERAL+ (RFC 7888) messages leave without waiting, up to a window of messages and bytes; else
//! each waits for the server's consent. A server may answer late, early, or stop reading until its answers are
//! read: none of it blocks the loop.
//!
//! After a BAD the connection is given up at once: a server that did not understand an APPEND may take the message
//! that follows for commands. The message is reported as refused, so that another run does not stumble over it again.

use crate::{
    faults::{self, Done},
    mailbox::Mode,
    session::{Heard, Session, Tag},
    source::ImapSource,
    uids::Portions,
    wire::{Command, Status, command::is_flag, date},
};
use async_trait::async_trait;
use gatepost_transfer::{
    Appended, Destination, Fault, FaultKind, Flags, FolderPath, FolderState, Incoming, Limits, MessageMeta, Outgoing,
    Rejection, RemoteFolder, Source, UidSet,
};
use std::collections::{BTreeMap, VecDeque};
use tokio::sync::mpsc;

/// How many messages may wait for their answer.
const WINDOW_MESSAGES: usize = 64;
/// How many bytes of messages may wait for their answer; one message may be larger.
const WINDOW_BYTES: u64 = 4 << 20;
/// How many bytes may wait to be sent before no more input is taken, and when it is taken again.
const QUEUE_HIGH: usize = 512 << 10;
const QUEUE_LOW: usize = 128 << 10;
/// How many UIDs one STORE names, and how many such commands are under way.
const STORE_PORTION: u32 = 1_000;
const STORE_COMMANDS: usize = 32;

pub(crate) struct ImapDestination {
    reading: ImapSource,
    /// What the server said it takes at most; asked for once.
    append_limit: Option<u64>,
}

impl ImapDestination {
    pub(crate) fn new(session: Session) -> Self {
        let append_limit = session.capabilities.iter().find_map(|c| c.strip_prefix("APPENDLIMIT=")?.parse().ok());
        Self { reading: ImapSource::new(session, Mode::ReadWrite), append_limit }
    }
}

#[async_trait]
impl Source for ImapDestination {
    async fn limits(&mut self) -> Result<Limits, Fault> {
        let limits = self.reading.limits().await?;
        self.append_limit = limits.append_limit;
        Ok(limits)
    }

    async fn folders(&mut self) -> Result<Vec<RemoteFolder>, Fault> {
        self.reading.folders().await
    }

    async fn open(&mut self, folder: &RemoteFolder) -> Result<FolderState, Fault> {
        self.reading.open(folder).await
    }

    async fn list(&mut self, from_uid: u32) -> Result<Vec<MessageMeta>, Fault> {
        self.reading.list(from_uid).await
    }

    async fn changed_flags(&mut self, up_to_uid: u32, since: u64) -> Result<Option<Vec<(u32, Flags)>>, Fault> {
        self.reading.changed_flags(up_to_uid, since).await
    }

    async fn fetch(&mut self, uids: &UidSet, out: mpsc::Sender<Incoming>) -> Result<(), Fault> {
        self.reading.fetch(uids, out).await
    }

    async fn close(&mut self) {
        self.reading.close().await;
    }
}

#[async_trait]
impl Destination for ImapDestination {
    async fn create(&mut self, path: &FolderPath) -> Result<RemoteFolder, Fault> {
        self.reading.session.create_folder(path).await
    }

    async fn append(
        &mut self,
        folder: &RemoteFolder,
        input: mpsc::Receiver<Outgoing>,
        results: mpsc::Sender<Appended>,
    ) -> Result<(), Fault> {
        let session = &mut self.reading.session;
        let mut appending = Appending {
            folder: session.wire_name(&folder.native),
            append_limit: self.append_limit,
            session,
            waiting: VecDeque::new(),
            bytes: 0,
            message: Message::Between,
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
            self.reading.session.connection.give_up();
        }
        result
    }

    async fn set_flags(&mut self, changes: &[(u32, Flags)]) -> Result<(), Fault> {
        let result = set_flags(&mut self.reading.session, changes).await;
        if result.is_err() {
            self.reading.session.connection.give_up();
        }
        result
    }
}

/// An APPEND whose answer has not come.
struct Sent {
    tag: Tag,
    key: u32,
    size: u64,
}

/// Where the message that comes in at the moment stands.
enum Message {
    /// None does.
    Between,
    /// The server has been asked and has not agreed yet; its data wait in the channel.
    Asked { tag: Tag, left: u64 },
    /// Its data are sent.
    Sending { tag: Tag, left: u64 },
    /// The server refused it before its data were sent: they are dropped.
    Skipping,
}

struct Appending<'a> {
    session: &'a mut Session,
    folder: Vec<u8>,
    append_limit: Option<u64>,
    waiting: VecDeque<Sent>,
    bytes: u64,
    message: Message,
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
            if self.ended && self.ready.is_empty() && self.waiting.len() == usize::from(self.in_transit()) {
                // A message whose sender died cannot be finished; the others were answered.
                let whole = matches!(self.message, Message::Between | Message::Skipping);
                return if whole { Ok(()) } else { Err(self.cut_short()) };
            }
            while self.takes() {
                match input.try_recv() {
                    Ok(piece) => self.take(piece)?,
                    Err(_) => break,
                }
            }
            let takes = self.takes();
            let listens = !self.waiting.is_empty() || self.session.connection.unsent() > 0;
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
        let room =
            || self.waiting.len() < WINDOW_MESSAGES && self.bytes < WINDOW_BYTES && self.ready.len() < WINDOW_MESSAGES;
        !self.ended
            && !self.full
            && match self.message {
                Message::Between => room(),
                Message::Asked { .. } => false,
                Message::Sending { .. } | Message::Skipping => true,
            }
    }

    /// Whether the message that comes in at the moment waits for an answer, which it cannot get before its end.
    fn in_transit(&self) -> bool {
        match self.message {
            Message::Asked { tag, .. } | Message::Sending { tag, .. } => {
                self.waiting.back().is_some_and(|sent| sent.tag == tag)
            }
            Message::Between | Message::Skipping => false,
        }
    }

    fn cut_short(&self) -> Fault {
        Fault::new(
            FaultKind::Lost,
            format!(
                "A message for {} was not handed over whole; the connection was given up before it was stored.",
                self.session.connection.server()
            ),
        )
    }

    fn take(&mut self, piece: Outgoing) -> Result<(), Fault> {
        match (piece, &mut self.message) {
            (Outgoing::Begin { key, size, internal_date, flags }, Message::Between) => {
                self.begin(key, size, date::format(internal_date).as_deref(), &flags);
                Ok(())
            }
            (Outgoing::Data(data), Message::Sending { left, .. }) if data.len() as u64 <= *left => {
                *left -= data.len() as u64;
                self.session.connection.send(&data);
                Ok(())
            }
            (Outgoing::End, Message::Sending { left: 0, .. }) => {
                self.session.connection.send(b"\r\n");
                self.message = Message::Between;
                Ok(())
            }
            (Outgoing::Data(_), Message::Skipping) => Ok(()),
            (Outgoing::End, Message::Skipping) => {
                self.message = Message::Between;
                Ok(())
            }
            _ => Err(Fault::new(
                FaultKind::Internal,
                "A message was handed over with another length than it was announced with; nothing of it was stored.",
            )),
        }
    }

    fn begin(&mut self, key: u32, size: u64, date: Option<&str>, flags: &Flags) {
        let tag = self.session.new_tag();
        let mut command = Command::new("APPEND").folder(&self.folder);
        let flags = flag_list(flags);
        if flags != "()" {
            command = command.raw(" ").raw(&flags);
        }
        if let Some(date) = date {
            command = command.raw(" \"").raw(date).raw("\"");
        }
        // A message that is too large is refused by its size alone, if the server is asked first.
        let oversize = self.append_limit.is_some_and(|limit| size > limit);
        let at_once = !oversize && self.session.may_send_at_once(size);
        let command = command.raw(format!(" {{{size}{}}}", if at_once { "+" } else { "" }));
        tracing::debug!(server = self.session.connection.server(), %tag, "{}", command.shown());
        self.session.connection.send(format!("{tag} ").as_bytes());
        for part in command.parts() {
            match part {
                crate::wire::command::Part::Raw(bytes) => self.session.connection.send(bytes),
                crate::wire::command::Part::Literal(bytes) => {
                    self.session.connection.send(format!("{{{}+}}\r\n", bytes.len()).as_bytes());
                    self.session.connection.send(bytes);
                }
            }
        }
        self.session.connection.send(b"\r\n");
        self.message = if at_once { Message::Sending { tag, left: size } } else { Message::Asked { tag, left: size } };
        self.waiting.push_back(Sent { tag, key, size });
        self.bytes += size;
    }

    fn hear(&mut self, heard: Heard) -> Result<(), Fault> {
        match heard {
            Heard::Continue(_) => {
                if let Message::Asked { tag, left } = self.message {
                    self.message = Message::Sending { tag, left };
                }
                Ok(())
            }
            Heard::Done(tag, done) => {
                let Some(at) = self.waiting.iter().position(|sent| sent.tag == tag) else { return Ok(()) };
                let sent = self.waiting.remove(at).expect("the position was just found");
                self.bytes -= sent.size;
                match self.message {
                    Message::Asked { tag: asked, .. } if asked == tag => self.message = Message::Skipping,
                    Message::Sending { tag: sending, .. } if sending == tag && done.is_ok() => {
                        return Err(Fault::new(
                            FaultKind::Protocol,
                            format!("{} confirmed a message before it was sent.", self.session.connection.server()),
                        ));
                    }
                    _ => {}
                }
                self.answered(sent.key, &done)
            }
            Heard::Other(_) => Ok(()),
        }
    }

    fn answered(&mut self, key: u32, done: &Done) -> Result<(), Fault> {
        let result = match done.status {
            Status::Ok => {
                let uid = done.code.as_ref().filter(|code| code.name == "APPENDUID");
                Ok(uid.and_then(|code| code.args.split_ascii_whitespace().nth(1)?.parse().ok()))
            }
            Status::No => {
                let fault = faults::refused(self.session.connection.server(), "APPEND", done);
                // LIMIT is also what Dovecot says of a message that is too large.
                if fault.kind == FaultKind::Throttled && !done.has_code(&["LIMIT"]) {
                    return Err(fault);
                }
                Err(Rejection { words: done.words(), over_quota: done.is_over_quota(), no_folder: done.is_no_folder() })
            }
            _ => {
                self.ready.push_back(Appended {
                    key,
                    result: Err(Rejection { words: done.words(), over_quota: false, no_folder: false }),
                });
                return Err(faults::refused(self.session.connection.server(), "APPEND", done));
            }
        };
        self.ready.push_back(Appended { key, result });
        Ok(())
    }
}

/// The receiver of the results is gone.
fn unwanted() -> Fault {
    Fault::new(FaultKind::Cancelled, "Appending was stopped; the connection was given up.")
}

/// A flag list; a flag that is no atom cannot be sent and is left out.
fn flag_list(flags: &Flags) -> String {
    let sendable: Vec<&str> = flags.iter().filter(|flag| is_flag(flag)).collect();
    format!("({})", sendable.join(" "))
}

async fn set_flags(session: &mut Session, changes: &[(u32, Flags)]) -> Result<(), Fault> {
    let mut by_flags: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for (uid, flags) in changes {
        by_flags.entry(flag_list(flags)).or_default().push(*uid);
    }
    let mut commands = by_flags
        .into_iter()
        .flat_map(|(flags, uids)| {
            let mut portions = Portions::of(&uids.into_iter().collect());
            std::iter::from_fn(move || {
                let uids = portions.next(STORE_PORTION)?;
                Some(Command::new(format!("UID STORE {uids} FLAGS.SILENT {flags}")))
            })
        })
        .fuse();
    let mut waiting = VecDeque::new();
    loop {
        while waiting.len() < STORE_COMMANDS
            && let Some(command) = commands.next()
        {
            waiting.push_back((session.start(&command), command));
        }
        let Some((tag, command)) = waiting.pop_front() else { return Ok(()) };
        let done = session.finish(tag, |_| {}).await?;
        if !done.is_ok() && !done.has_code(&["EXPUNGEISSUED", "NONEXISTENT"]) {
            return Err(session.refused(&command, &done));
        }
    }
}
