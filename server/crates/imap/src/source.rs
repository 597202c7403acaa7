//! An IMAP account as a source: lists and streams messages. Opens with EXAMINE and fetches with BODY.PEEK only;
//! the same reading serves a destination, which opens with SELECT.
//!
//! When the receiver of a fetch is dropped, what the server still sends cannot be told from what a later command
//! would be answered: the connection is given up, and later calls fail as lost.

use crate::{
    mailbox::{Mode, fetch_items, uid_of},
    session::{Heard, Session, Tag},
    uids::{Portion, Portions},
    wire::{Command, Event, MAX_CHUNK, Response, Value, WireError, decoder::is_body},
};
use async_trait::async_trait;
use bytes::Bytes;
use gatepost_transfer::{
    Fault, FaultKind, Flags, FolderState, Incoming, Limits, MessageMeta, RemoteFolder, Source, UidSet,
};
use std::collections::{BTreeSet, VecDeque};
use tokio::sync::mpsc;

/// How many messages one FETCH asks for.
const PORTION: u32 = 256;
/// How many FETCH commands are under way.
const COMMANDS: usize = 3;
/// The same where each asks for one message only.
const SINGLE_COMMANDS: usize = 32;

/// Where this server puts the UID of a message whose body was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UidPlace {
    /// Not seen yet: the first message is fetched alone.
    Unknown,
    /// In front of the body, as nearly all do.
    Before,
    /// Behind the body, when it is too late: each message is fetched by a command of its own.
    Behind,
}

pub(crate) struct ImapSource {
    pub(crate) session: Session,
    mode: Mode,
    uid_place: UidPlace,
}

impl ImapSource {
    pub(crate) fn new(session: Session, mode: Mode) -> Self {
        Self { session, mode, uid_place: UidPlace::Unknown }
    }

    fn portion_and_depth(&self) -> (u32, usize) {
        match self.uid_place {
            UidPlace::Unknown => (1, 1),
            UidPlace::Before => (PORTION, COMMANDS),
            UidPlace::Behind => (1, SINGLE_COMMANDS),
        }
    }
}

#[async_trait]
impl Source for ImapSource {
    async fn limits(&mut self) -> Result<Limits, Fault> {
        self.session.read_limits().await
    }

    async fn folders(&mut self) -> Result<Vec<RemoteFolder>, Fault> {
        self.session.list_folders().await
    }

    async fn open(&mut self, folder: &RemoteFolder) -> Result<FolderState, Fault> {
        self.session.open_folder(folder, self.mode).await
    }

    async fn list(&mut self, from_uid: u32) -> Result<Vec<MessageMeta>, Fault> {
        self.session.list_messages(from_uid).await
    }

    async fn changed_flags(&mut self, up_to_uid: u32, since: u64) -> Result<Option<Vec<(u32, Flags)>>, Fault> {
        self.session.changed(up_to_uid, since).await
    }

    async fn fetch(&mut self, uids: &UidSet, out: mpsc::Sender<Incoming>) -> Result<(), Fault> {
        let fetch =
            Fetch { left: Portions::of(uids), again: VecDeque::new(), waiting: VecDeque::new(), body: None, out };
        fetch.run(self).await
    }

    async fn close(&mut self) {
        self.session.log_out().await;
    }
}

/// A FETCH under way.
struct Asked {
    tag: Tag,
    command: Command,
    uids: Portion,
    arrived: BTreeSet<u32>,
}

/// A fetch of several portions.
struct Fetch {
    left: Portions,
    /// Messages of portions that were refused as a whole, each to be asked for alone.
    again: VecDeque<u32>,
    waiting: VecDeque<Asked>,
    /// The UID of the message whose body passes at the moment.
    body: Option<u32>,
    out: mpsc::Sender<Incoming>,
}

/// The receiver is gone.
struct Unwanted;

impl Fetch {
    async fn run(mut self, source: &mut ImapSource) -> Result<(), Fault> {
        match self.all(source).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(Unwanted)) => {
                source.session.connection.give_up();
                Ok(())
            }
            Err(fault) => {
                // What is under way would be taken for an answer to the next command.
                source.session.connection.give_up();
                Err(fault)
            }
        }
    }

    async fn all(&mut self, source: &mut ImapSource) -> Result<Result<(), Unwanted>, Fault> {
        loop {
            self.ask(source);
            if self.waiting.is_empty() {
                return Ok(Ok(()));
            }
            let heard = tokio::select! {
                heard = source.session.hear() => heard?,
                () = self.out.closed() => return Ok(Err(Unwanted)),
            };
            let delivered = match heard {
                Heard::Other(Event::BodyBegin { uid, size, .. }) => self.begin(source, uid, size).await?,
                Heard::Other(Event::BodyData(data)) if self.body.is_some() => self.send(Incoming::Data(data)).await,
                Heard::Other(Event::Response(response)) => self.response(source, &response).await?,
                Heard::Done(tag, done) => match self.waiting.iter().position(|asked| asked.tag == tag) {
                    Some(at) => {
                        let asked = self.waiting.remove(at).expect("the position was just found");
                        self.done(source, asked, &done).await?
                    }
                    None => Ok(()),
                },
                Heard::Other(_) | Heard::Continue(_) => Ok(()),
            };
            if delivered.is_err() {
                return Ok(Err(Unwanted));
            }
        }
    }

    /// Keeps enough commands under way.
    fn ask(&mut self, source: &mut ImapSource) {
        let (most, depth) = source.portion_and_depth();
        while self.waiting.len() < depth {
            let uids = match self.again.pop_front() {
                Some(uid) => Portion::one(uid),
                None => match self.left.next(most) {
                    Some(portion) => portion,
                    None => return,
                },
            };
            let command = Command::new(format!("UID FETCH {uids} (UID BODY.PEEK[])"));
            let tag = source.session.start(&command);
            self.waiting.push_back(Asked { tag, command, uids, arrived: BTreeSet::new() });
        }
    }

    /// A body begins.
    async fn begin(
        &mut self,
        source: &mut ImapSource,
        uid: Option<u32>,
        size: u64,
    ) -> Result<Result<(), Unwanted>, Fault> {
        if source.uid_place == UidPlace::Unknown {
            source.uid_place = if uid.is_some() { UidPlace::Before } else { UidPlace::Behind };
        }
        let Some(uid) = uid.or_else(|| self.waiting.front().and_then(|asked| asked.uids.single())) else {
            return Err(out_of_order(source, "a body without its UID"));
        };
        if self.body.is_some() {
            return Err(out_of_order(source, "a body within a body"));
        }
        if !self.arrive(uid) {
            // Nobody asked for it, or it came before: it passes unseen.
            return Ok(Ok(()));
        }
        self.body = Some(uid);
        Ok(self.send(Incoming::Begin { uid, size }).await)
    }

    /// Marks a message as arrived; false when it is not waited for.
    fn arrive(&mut self, uid: u32) -> bool {
        let asked = self.waiting.iter_mut().find(|asked| asked.uids.contains(uid));
        asked.is_some_and(|asked| asked.arrived.insert(uid))
    }

    /// A response is complete; where it had a body, the body is too.
    async fn response(&mut self, source: &mut ImapSource, response: &Response) -> Result<Result<(), Unwanted>, Fault> {
        let Some(items) = fetch_items(response) else { return Ok(Ok(())) };
        let uid = uid_of(items);
        if let Some(body) = self.body.take() {
            if uid.is_some_and(|uid| uid != body) {
                return Err(out_of_order(source, "a body with another message's UID"));
            }
            return Ok(self.send(Incoming::End).await);
        }
        let body = items.chunks_exact(2).find_map(|pair| match &pair[0] {
            Value::Atom(key) if is_body(key) => Some(&pair[1]),
            _ => None,
        });
        let Some(uid) = uid.or_else(|| self.waiting.front().and_then(|asked| asked.uids.single())) else {
            return Ok(Ok(()));
        };
        let bytes = match body {
            // A short body may come quoted.
            Some(Value::String(bytes)) => bytes.clone(),
            // RFC 2180 section 4.1.3: a server may answer NIL for what it cannot show. That is no empty message.
            Some(Value::Nil) => {
                let words = "it answered NIL in place of the message.".to_owned();
                let unreadable = self.arrive(uid);
                return Ok(if unreadable { self.send(Incoming::Unreadable { uid, words }).await } else { Ok(()) });
            }
            _ => return Ok(Ok(())),
        };
        if !self.arrive(uid) {
            return Ok(Ok(()));
        }
        Ok(self.send_whole(uid, bytes).await)
    }

    async fn send_whole(&mut self, uid: u32, mut bytes: Bytes) -> Result<(), Unwanted> {
        self.send(Incoming::Begin { uid, size: bytes.len() as u64 }).await?;
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(MAX_CHUNK));
            self.send(Incoming::Data(piece)).await?;
        }
        self.send(Incoming::End).await
    }

    /// A command ended: what did not come is gone, or could not be read.
    async fn done(
        &mut self,
        source: &ImapSource,
        asked: Asked,
        done: &crate::faults::Done,
    ) -> Result<Result<(), Unwanted>, Fault> {
        let missing: Vec<u32> = asked.uids.uids().filter(|uid| !asked.arrived.contains(uid)).collect();
        let gone = done.has_code(&["EXPUNGEISSUED", "NONEXISTENT"]);
        match done.status {
            crate::wire::Status::No if !gone && !missing.is_empty() => {
                let Some(uid) = asked.uids.single() else {
                    self.again.extend(missing);
                    return Ok(Ok(()));
                };
                let mut fault = source.session.refused(&asked.command, done);
                if matches!(fault.kind, FaultKind::Refused) {
                    let words = std::mem::take(&mut fault.sentence);
                    return Ok(self.send(Incoming::Unreadable { uid, words }).await);
                }
                return Err(fault);
            }
            crate::wire::Status::Ok | crate::wire::Status::No => {}
            _ => return Err(source.session.refused(&asked.command, done)),
        }
        for uid in missing {
            if self.send(Incoming::Gone { uid }).await.is_err() {
                return Ok(Err(Unwanted));
            }
        }
        Ok(Ok(()))
    }

    async fn send(&self, incoming: Incoming) -> Result<(), Unwanted> {
        self.out.send(incoming).await.map_err(|_| Unwanted)
    }
}

fn out_of_order(source: &ImapSource, what: &'static str) -> Fault {
    crate::faults::wire(&source.session.server(), WireError::Syntax { what, near: String::new() })
}
