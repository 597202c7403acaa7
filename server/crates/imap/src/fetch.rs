//! Streaming messages: bodies are handed on as they pass.
//!
//! Messages come in the order in which they were asked for. Servers may carry out pipelined commands at the same time
//! (RFC 3501 section 5.5), and Dovecot does whenever our side does not read fast enough: the messages of two FETCH
//! commands would come mixed. So the next command leaves when the last message of the one before has begun to come,
//! which no server interrupts; and where sets follow each other, two become one command.
//!
//! When the receiver is dropped, what the server still sends cannot be told from what a later command would be
//! answered: the connection is given up, and later calls fail as lost.

use crate::{
    faults::Done,
    mailbox::{fetch_items, uid_of},
    session::{Heard, Session, Tag},
    uids::{Portion, Portions, Seen},
    wire::{Command, Event, MAX_CHUNK, Response, Status, Value, WireError, decoder::is_body},
};
use bytes::Bytes;
use gatepost_transfer::{Fault, FaultKind, Incoming, UidSet};
use std::collections::VecDeque;
use tokio::sync::mpsc;

/// How many messages one FETCH asks for at most.
const PORTION: u32 = 1_000;
/// How many FETCH commands are under way where each asks for one message only.
const SINGLE_COMMANDS: usize = 32;

/// Where a server puts the UID of a message whose body was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UidPlace {
    /// Not seen yet: the first message is fetched alone.
    Unknown,
    /// In front of the body, as nearly all do.
    Before,
    /// Behind the body, when it is too late: each message is fetched by a command of its own.
    Behind,
}

/// Streams messages of the open folder, set after set.
pub(crate) async fn fetch(
    session: &mut Session,
    uid_place: &mut UidPlace,
    wanted: mpsc::Receiver<UidSet>,
    out: mpsc::Sender<Incoming>,
) -> Result<(), Fault> {
    let mut fetch = Fetch {
        session,
        uid_place,
        wanted: Some(wanted),
        left: None,
        again: VecDeque::new(),
        waiting: VecDeque::new(),
        body: None,
        out,
    };
    match fetch.all().await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(Unwanted)) => {
            fetch.session.connection.give_up();
            Ok(())
        }
        Err(fault) => {
            // What is under way would be taken for an answer to the next command.
            fetch.session.connection.give_up();
            Err(fault)
        }
    }
}

/// A FETCH under way.
struct Asked {
    tag: Tag,
    command: Command,
    uids: Portion,
    arrived: Seen,
    /// How many have not begun to come.
    missing: u64,
    /// Whether only their UIDs are asked for: what has them is there, although it was not delivered.
    probe: bool,
}

/// A fetch of several sets.
struct Fetch<'a> {
    session: &'a mut Session,
    uid_place: &'a mut UidPlace,
    /// Where sets come from; `None` when it has ended.
    wanted: Option<mpsc::Receiver<UidSet>>,
    /// What is left of the present set.
    left: Option<Portions>,
    /// Messages of portions that were refused as a whole, each to be asked for alone.
    again: VecDeque<u32>,
    waiting: VecDeque<Asked>,
    /// The UID of the message whose body passes at the moment.
    body: Option<u32>,
    out: mpsc::Sender<Incoming>,
}

/// The receiver is gone.
struct Unwanted;

impl Fetch<'_> {
    async fn all(&mut self) -> Result<Result<(), Unwanted>, Fault> {
        loop {
            self.ask();
            let hungry = self.is_hungry();
            if self.waiting.is_empty() && !hungry {
                return Ok(Ok(()));
            }
            let heard = tokio::select! {
                biased;
                heard = self.session.hear(), if !self.waiting.is_empty() => heard?,
                set = next(&mut self.wanted), if hungry => {
                    match set {
                        Some(set) => self.left = Some(Portions::of(&set)),
                        None => self.wanted = None,
                    }
                    continue;
                }
                () = self.out.closed() => return Ok(Err(Unwanted)),
            };
            let delivered = match heard {
                Heard::Other(Event::BodyBegin { uid, size, .. }) => self.begin(uid, size).await?,
                Heard::Other(Event::BodyData(data)) if self.body.is_some() => self.send(Incoming::Data(data)).await,
                Heard::Other(Event::Response(response)) => self.response(&response).await?,
                Heard::Done(tag, done) => match self.waiting.iter().position(|asked| asked.tag == tag) {
                    Some(at) => {
                        let asked = self.waiting.remove(at).expect("the position was just found");
                        self.done(asked, &done).await?
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

    /// How many messages the next command asks for, if there may be one now.
    fn room(&self) -> Option<u32> {
        let all_begun = || self.waiting.iter().all(|asked| asked.missing == 0) && self.waiting.len() < 2;
        match self.uid_place {
            UidPlace::Unknown => self.waiting.is_empty().then_some(1),
            UidPlace::Before => all_begun().then_some(PORTION),
            UidPlace::Behind => (self.waiting.len() < SINGLE_COMMANDS).then_some(1),
        }
    }

    /// Whether another set is needed.
    fn is_hungry(&self) -> bool {
        self.wanted.is_some() && self.left.is_none() && self.again.is_empty() && self.room().is_some()
    }

    /// Asks for more, where it is time to.
    fn ask(&mut self) {
        while let Some(most) = self.room() {
            let uids = match self.again.pop_front() {
                Some(uid) => Portion::one(uid),
                None => match self.left.as_mut().and_then(|left| left.next(most)) {
                    Some(portion) => self.add_next_set(portion, most),
                    None => {
                        self.left = None;
                        if !self.take_set() {
                            return;
                        }
                        continue;
                    }
                },
            };
            let command = Command::new(format!("UID FETCH {uids} (UID BODY.PEEK[])"));
            let tag = self.session.start(&command);
            self.waiting.push_back(Asked {
                tag,
                command,
                missing: uids.len(),
                uids,
                arrived: Seen::default(),
                probe: false,
            });
        }
    }

    /// Asks whether messages are there that were not delivered. Exchange answers OK without what it cannot convert.
    fn probe(&mut self, missing: Vec<u32>) {
        let mut portions = Portions::of(&missing.into_iter().collect());
        while let Some(uids) = portions.next(PORTION) {
            let command = Command::new(format!("UID FETCH {uids} (UID)"));
            let tag = self.session.start(&command);
            let missing = uids.len();
            self.waiting.push_back(Asked { tag, command, missing, uids, arrived: Seen::default(), probe: true });
        }
    }

    /// Takes the next set, where one is there already.
    fn take_set(&mut self) -> bool {
        let Some(Ok(set)) = self.wanted.as_mut().map(mpsc::Receiver::try_recv) else { return false };
        self.left = Some(Portions::of(&set));
        true
    }

    /// Adds what there is of the next set, where it follows.
    fn add_next_set(&mut self, mut portion: Portion, most: u32) -> Portion {
        let spent = self.left.as_ref().is_none_or(|left| left.first().is_none());
        if spent
            && portion.len() < u64::from(most)
            && self.take_set()
            && let Some(left) = &mut self.left
            && left.first() > portion.last()
        {
            left.fill(&mut portion, most);
        }
        portion
    }

    /// A body begins.
    async fn begin(&mut self, uid: Option<u32>, size: u64) -> Result<Result<(), Unwanted>, Fault> {
        if *self.uid_place == UidPlace::Unknown {
            *self.uid_place = if uid.is_some() { UidPlace::Before } else { UidPlace::Behind };
        }
        let Some(uid) = uid.or_else(|| self.waiting.front().and_then(|asked| asked.uids.single())) else {
            return Err(out_of_order(self.session, "a body without its UID"));
        };
        if self.body.is_some() {
            return Err(out_of_order(self.session, "a body within a body"));
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
        asked.is_some_and(|asked| {
            let new = asked.arrived.insert(uid);
            asked.missing -= u64::from(new);
            new
        })
    }

    /// A response is complete; where it had a body, the body is too.
    async fn response(&mut self, response: &Response) -> Result<Result<(), Unwanted>, Fault> {
        let Some(items) = fetch_items(response) else { return Ok(Ok(())) };
        let uid = uid_of(items);
        if let Some(body) = self.body.take() {
            if uid.is_some_and(|uid| uid != body) {
                return Err(out_of_order(self.session, "a body with another message's UID"));
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
            None if self.waiting.iter().any(|asked| asked.probe && asked.uids.contains(uid)) => {
                let words = "it answered OK and did not send the message, which it still lists.".to_owned();
                let new = self.arrive(uid);
                return Ok(if new { self.send(Incoming::Unreadable { uid, words }).await } else { Ok(()) });
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
    async fn done(&mut self, asked: Asked, done: &Done) -> Result<Result<(), Unwanted>, Fault> {
        let missing: Vec<u32> = asked.uids.uids().filter(|uid| !asked.arrived.contains(*uid)).collect();
        let gone = done.has_code(&["EXPUNGEISSUED", "NONEXISTENT"]);
        match done.status {
            // Told to be gone, asked for alone: that is an answer. Of many, it only says that not all came.
            Status::No if !(missing.is_empty() || gone && asked.uids.single().is_some()) => {
                let Some(uid) = asked.uids.single() else {
                    self.again.extend(missing);
                    return Ok(Ok(()));
                };
                let mut fault = self.session.refused(&asked.command, done);
                if fault.kind == FaultKind::Refused || done.is_hiccup() {
                    let words = std::mem::take(&mut fault.sentence);
                    return Ok(self.send(Incoming::Unreadable { uid, words }).await);
                }
                return Err(fault);
            }
            Status::Ok if !asked.probe && !gone && !missing.is_empty() => {
                self.probe(missing);
                return Ok(Ok(()));
            }
            Status::Ok | Status::No => {}
            _ => return Err(self.session.refused(&asked.command, done)),
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

/// The next set; `None` when there will be none.
async fn next(wanted: &mut Option<mpsc::Receiver<UidSet>>) -> Option<UidSet> {
    match wanted {
        Some(wanted) => wanted.recv().await,
        None => None,
    }
}

fn out_of_order(session: &Session, what: &'static str) -> Fault {
    crate::faults::wire(&session.server(), WireError::Syntax { what, near: String::new() })
}
