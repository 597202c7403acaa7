//! The pipeline of one lane in one folder: chunks are claimed, the source streams them, digests are taken as the bytes
//! pass, the destination appends, and the ledger records what was acknowledged, in batches. At most a few pieces of
//! messages are in memory at a time.
//!
//! A chunk is one command at the destination where it has MULTIAPPEND. Several lanes upload chunks of one folder at
//! the same time, but each ends its command only when all chunks before have been answered: the destination gives out
//! UIDs at that moment, and so they keep the source's order.

use super::{
    Copy, Folder, Lines,
    board::{Board, CHUNK_MESSAGES, Chunk, Manner, Row, UNORDERED},
    survey::Ready,
};
use crate::{
    Appended, Arrival, Digester, Digests, Fault, FaultKind, Flags, Incoming, Mender, Outgoing, Refusal, UidSet,
};
use bytes::Bytes;
use gatepost_contract::Level;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Pieces of at most 64 KiB between source and destination: with the two sockets' buffers, what is in flight.
const PIECES_IN_FLIGHT: usize = 16;
/// Chunks that are claimed before the source asks for them: without any it would idle for a round trip after each.
const CHUNKS_AHEAD: usize = 2;
/// Acknowledgements that may wait for the ledger.
const ANSWERS_IN_FLIGHT: usize = 1024;
/// How many acknowledgements are written at once, and how long the first may wait for the others.
const BATCH: usize = 512;
const BATCH_WAIT: Duration = Duration::from_millis(250);

/// How many messages a lane sends at once: few at first and on slow lines, since what a broken line leaves half sent is
/// sent again from its beginning.
#[derive(Debug)]
pub(super) struct Pace(AtomicUsize);

impl Pace {
    /// Between the least and the most, a command that took less than this is followed by a larger one, and one that
    /// took longer than that by a smaller one.
    const SHORT: Duration = Duration::from_millis(1_000);
    const LONG: Duration = Duration::from_millis(4_000);
    const LEAST: usize = 10;

    fn most(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn learn(&self, took: Duration) {
        let most = self.most();
        if took < Self::SHORT {
            self.0.store((most * 2).min(CHUNK_MESSAGES), Ordering::Relaxed);
        } else if took > Self::LONG {
            self.0.store((most / 2).max(Self::LEAST), Ordering::Relaxed);
        }
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self(AtomicUsize::new(25))
    }
}

/// What was acknowledged.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sent {
    pub messages: u64,
    pub bytes: u64,
    pub refused: u64,
    /// Recognised at the destination instead of sent there.
    pub adopted: u64,
}

/// What is under way between the parts of one pipeline.
#[derive(Default)]
struct Flight {
    /// Messages that were claimed and are not acknowledged yet, with their chunk.
    rows: HashMap<u32, (Row, u64, Manner)>,
    /// How many messages of each chunk the source has not delivered yet.
    missing: HashMap<u64, usize>,
    /// Digests of the messages that have passed, and their size once mended.
    passed: HashMap<u32, (Digests, Option<u64>)>,
    /// Commands that were not answered whole yet, by number.
    commands: BTreeMap<u64, Command>,
    command_of: HashMap<u32, u64>,
}

/// Messages that the destination stores at once, and the chunks that end with them.
#[derive(Default)]
struct Command {
    unanswered: usize,
    ends: Vec<u64>,
    closed: bool,
    began: Option<Instant>,
}

struct Line<'a> {
    copy: &'a Copy<'a>,
    board: &'a Board<'a>,
    lane: usize,
    pace: &'a Pace,
    folder: &'a Folder<'a>,
    ready: &'a Ready,
    flight: Mutex<Flight>,
    /// Ends the pipeline without a fault of the lines: the account is full, the folder is gone.
    stop: CancellationToken,
}

impl Line<'_> {
    fn flight(&self) -> MutexGuard<'_, Flight> {
        self.flight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a line broke off, the message that it was busy with is remembered. One at which lines break off again and
    /// again is left for the next run, so that it does not stop all others.
    fn suspect(&self, fetched: &Result<(), Fault>, appended: &Result<(), Fault>, passing: Option<u32>, got_on: bool) {
        let broke_off = |result: &Result<(), Fault>| result.as_ref().err().is_some_and(Fault::breaks_the_line);
        let (suspect, side, fault) = if broke_off(fetched) {
            let flight = self.flight();
            let next = flight.rows.keys().filter(|uid| !flight.passed.contains_key(uid)).min().copied();
            (passing.or(next), "source", fetched)
        } else if broke_off(appended) {
            // Of messages that were sent together nobody knows which it was.
            let first = self.flight().passed.keys().min().copied().or(passing);
            (first.filter(|_| self.folder.is_delicate()), "destination", appended)
        } else {
            return;
        };
        if self.folder.strike(suspect, got_on)
            && let (Some(uid), Err(fault)) = (suspect, fault)
        {
            self.copy.watch.note(
                Level::Error,
                "message",
                format!(
                    "{}, UID {uid}: the {side} breaks off at this message again and again. It is left for the next run. {}",
                    self.folder.path(),
                    fault.sentence
                ),
            );
        }
    }
}

/// Sends chunks of a folder until none is left for this lane.
pub(super) async fn send(
    copy: &Copy<'_>,
    (board, lane, pace): (&Board<'_>, usize, &Pace),
    folder: &Folder<'_>,
    ready: &Ready,
    lines: &mut Lines,
) -> (Sent, Result<(), Fault>) {
    let line =
        Line { copy, board, lane, pace, folder, ready, flight: Mutex::default(), stop: CancellationToken::new() };
    let (ask, wanted) = mpsc::channel(CHUNKS_AHEAD);
    let (from_source, incoming) = mpsc::channel(PIECES_IN_FLIGHT);
    let (outgoing, to_dest) = mpsc::channel(PIECES_IN_FLIGHT);
    let (answers, answered) = mpsc::channel(ANSWERS_IN_FLIGHT);
    let mut pump = Pump {
        line: &line,
        dropped: BTreeSet::new(),
        refusals: Vec::new(),
        gone: Vec::new(),
        command: 0,
        held: 0,
        ending: Vec::new(),
        began: BTreeSet::new(),
        passing: None,
    };
    let mut books = Books { line: &line, sent: Sent::default(), fault: None };
    let Lines { source, dest, .. } = lines;
    let (claimed, fetched, pumped, appended, booked) = tokio::join!(
        claim(&line, ask),
        source.fetch(wanted, from_source),
        pump.run(incoming, outgoing),
        dest.append(&ready.target, ready.dest.uid_validity, to_dest, answers),
        books.keep(answered),
    );
    let mut sent = books.sent;
    sent.refused += pump.refusals.len() as u64;
    let settled = pump.settle().await;
    line.suspect(&fetched, &appended, pump.passing, sent.messages > 0);
    // The first cause first: a source that broke off makes the destination break off, and so on.
    let fault = booked
        .and(books.fault.map_or(Ok(()), Err))
        .and(settled)
        .and(claimed)
        .and(fetched)
        .and(pumped)
        .and(appended)
        .and(if copy.cancel.is_cancelled() { Err(Fault::cancelled()) } else { Ok(()) });
    (sent, fault)
}

/// Claims chunks as the source gets ready for them.
async fn claim(line: &Line<'_>, ask: mpsc::Sender<UidSet>) -> Result<(), Fault> {
    loop {
        let permit = tokio::select! {
            permit = ask.reserve() => permit,
            () = line.stop.cancelled() => return Ok(()),
        };
        // The source has ended; its own fault says why.
        let Ok(permit) = permit else { return Ok(()) };
        let Some(chunk) = line.board.claim(line.folder.step, line.lane, line.pace.most()).await? else { return Ok(()) };
        let chunk = sift(line, chunk).await?;
        if chunk.rows.is_empty() {
            line.board.answered(line.folder.step, [chunk.number]);
            continue;
        }
        let uids: UidSet = chunk.rows.iter().map(|r| r.uid).collect();
        {
            let mut flight = line.flight();
            *flight.missing.entry(chunk.number).or_default() += chunk.rows.len();
            flight.rows.extend(chunk.rows.into_iter().map(|r| (r.uid, (r, chunk.number, chunk.manner))));
        }
        permit.send(uids);
    }
}

/// Leaves out what was set aside, and what the destination has said it will not take: that is not streamed only to be
/// refused.
async fn sift(line: &Line<'_>, mut chunk: Chunk) -> Result<Chunk, Fault> {
    chunk.rows.retain(|r| !line.folder.is_aside(r.uid));
    let Some(limit) = line.copy.append_limit() else { return Ok(chunk) };
    let refusals: Vec<Refusal> = chunk
        .rows
        .iter()
        .filter(|r| r.size > limit)
        .map(|r| Refusal {
            uid: r.uid,
            cause: format!(
                "The message has {} bytes; the destination takes {limit} at most (APPENDLIMIT). Raise the limit there \
                 and retry, or waive the message.",
                r.size
            ),
        })
        .collect();
    if !refusals.is_empty() {
        line.copy.ledger.refused(line.folder.id, &refusals).await?;
        line.copy.watch.done(line.folder.step, refusals.len() as u64, 0);
        line.copy.count(|outcome| outcome.quarantined += refusals.len() as u64);
        chunk.rows.retain(|r| r.size <= limit);
    }
    Ok(chunk)
}

/// Turns what the source delivers into what the destination takes.
struct Pump<'a> {
    line: &'a Line<'a>,
    dropped: BTreeSet<String>,
    refusals: Vec<Refusal>,
    gone: Vec<u32>,
    /// The number of the command that is being handed over, and how many messages it has so far.
    command: u64,
    held: usize,
    /// Chunks whose last message is in it.
    ending: Vec<u64>,
    /// Chunks of which something was handed over and something is still to come.
    began: BTreeSet<u64>,
    /// The message that passes at the moment.
    passing: Option<u32>,
}

/// The message that passes at the moment.
struct Passing {
    uid: u32,
    digester: Digester,
    mender: Option<Mender>,
}

impl Pump<'_> {
    async fn run(
        &mut self,
        mut incoming: mpsc::Receiver<Incoming>,
        outgoing: mpsc::Sender<Outgoing>,
    ) -> Result<(), Fault> {
        // A budget that is spent: what was handed over before is finished.
        let mut held_up = None;
        let mut passing: Option<Passing> = None;
        loop {
            let piece = if passing.is_some() {
                incoming.recv().await
            } else {
                // Between two messages is the place to stop.
                tokio::select! {
                    piece = incoming.recv() => piece,
                    () = self.line.copy.cancel.cancelled() => None,
                    () = self.line.stop.cancelled() => None,
                }
            };
            let Some(piece) = piece else { break };
            let closed = match piece {
                Incoming::Gone { uid } => {
                    self.gone.push(uid);
                    self.delivered(uid, &outgoing).await.is_err()
                }
                Incoming::Unreadable { uid, words } => {
                    let cause =
                        format!("The source does not deliver it: {words} Repair it there and retry, or waive it.");
                    self.refusals.push(Refusal { uid, cause });
                    self.delivered(uid, &outgoing).await.is_err()
                }
                Incoming::Begin { uid, size } => {
                    if let Err(fault) = self.line.copy.admit(size).await {
                        held_up = Some(fault);
                        break;
                    }
                    let (begin, mender) = self.begin(uid, size)?;
                    passing = Some(Passing { uid, digester: Digester::new(), mender });
                    outgoing.send(begin).await.is_err()
                }
                Incoming::Data(bytes) => match &mut passing {
                    Some(passing) => {
                        passing.digester.update(&bytes);
                        let bytes = match &mut passing.mender {
                            Some(mender) => Bytes::from(mender.mend(&bytes)),
                            None => bytes,
                        };
                        outgoing.send(Outgoing::Data(bytes)).await.is_err()
                    }
                    None => false,
                },
                Incoming::End => match passing.take() {
                    Some(passing) => self.end(passing, &outgoing).await.is_err(),
                    None => false,
                },
            };
            self.passing = passing.as_ref().map(|p| p.uid);
            if closed {
                // The destination ended; its own fault says why.
                return Ok(());
            }
        }
        if passing.is_none() && self.held > 0 && outgoing.send(Outgoing::Commit).await.is_ok() {
            self.close();
        }
        held_up.map_or(Ok(()), Err)
    }

    fn begin(&mut self, uid: u32, size: u64) -> Result<(Outgoing, Option<Mender>), Fault> {
        let (row, number, manner) = match self.line.flight().rows.get(&uid) {
            Some((row, number, manner)) => (row.clone(), *number, *manner),
            None => {
                return Err(Fault::new(
                    FaultKind::Protocol,
                    format!("The source sent message {uid} of {}, which was not asked for.", self.line.folder.path()),
                ));
            }
        };
        self.began.insert(number);
        let mended = row.mended.filter(|_| manner == Manner::Mended);
        let begin = Outgoing::Begin {
            key: uid,
            size: mended.unwrap_or(size),
            internal_date: row.internal_date,
            flags: self.keepable(&row.flags),
        };
        Ok((begin, mended.map(|_| Mender::default())))
    }

    async fn end(&mut self, passing: Passing, outgoing: &mpsc::Sender<Outgoing>) -> Result<(), ()> {
        let Passing { uid, digester, mender } = passing;
        let mended_size = digester.mended_size();
        if let Some(rest) = mender.map(Mender::end).filter(|rest| !rest.is_empty()) {
            outgoing.send(Outgoing::Data(Bytes::from_static(rest))).await.map_err(drop)?;
        }
        let manner = {
            let mut flight = self.line.flight();
            flight.passed.insert(uid, (digester.finish(), mended_size));
            flight.command_of.insert(uid, self.command);
            let command = flight.commands.entry(self.command).or_default();
            command.unanswered += 1;
            command.began.get_or_insert_with(Instant::now);
            flight.rows.get(&uid).map_or(Manner::Together, |(_, _, manner)| *manner)
        };
        self.held += 1;
        outgoing.send(Outgoing::End).await.map_err(drop)?;
        if manner != Manner::Together {
            self.commit(outgoing).await?;
        }
        self.delivered(uid, outgoing).await
    }

    /// The source has delivered a message, or said that it cannot. The last one of a chunk ends its command.
    async fn delivered(&mut self, uid: u32, outgoing: &mpsc::Sender<Outgoing>) -> Result<(), ()> {
        let ended = {
            let mut flight = self.line.flight();
            let Some((_, number, _)) = flight.rows.get(&uid) else { return Ok(()) };
            let number = *number;
            let missing = flight.missing.get_mut(&number).map(|missing| {
                *missing -= 1;
                *missing
            });
            (missing == Some(0)).then(|| {
                flight.missing.remove(&number);
                number
            })
        };
        let Some(number) = ended else { return Ok(()) };
        self.began.remove(&number);
        self.ending.push(number);
        if self.held == 0 {
            let ended = std::mem::take(&mut self.ending);
            self.line.board.answered(self.line.folder.step, ended);
            return Ok(());
        }
        // A message that a source delivers late, by itself, holds up the chunk it belongs to and nothing else.
        if self.began.is_empty() { self.commit(outgoing).await } else { Ok(()) }
    }

    async fn commit(&mut self, outgoing: &mpsc::Sender<Outgoing>) -> Result<(), ()> {
        if self.held == 0 {
            return Ok(());
        }
        if let Some(first) = self.ending.iter().copied().filter(|n| *n != UNORDERED).min() {
            tokio::select! {
                () = self.line.board.turn(self.line.folder.step, first, self.line.lane) => {}
                // The destination broke off: nothing is answered any more.
                () = outgoing.closed() => return Err(()),
            }
        }
        outgoing.send(Outgoing::Commit).await.map_err(drop)?;
        self.close();
        Ok(())
    }

    fn close(&mut self) {
        let ends = std::mem::take(&mut self.ending);
        let answered = {
            let mut flight = self.line.flight();
            let command = flight.commands.entry(self.command).or_default();
            command.closed = true;
            command.ends = ends;
            if command.unanswered == 0 { flight.commands.remove(&self.command) } else { None }
        };
        if let Some(command) = answered {
            self.line.board.answered(self.line.folder.step, command.ends);
        }
        self.command += 1;
        self.held = 0;
    }

    /// Records what the source could not deliver.
    async fn settle(&mut self) -> Result<(), Fault> {
        let (copy, folder) = (self.line.copy, self.line.folder);
        if !self.refusals.is_empty() {
            copy.ledger.refused(folder.id, &self.refusals).await?;
        }
        if !self.gone.is_empty() {
            copy.ledger.vanished(folder.id, &self.gone).await?;
            copy.watch.note(
                Level::Info,
                "message",
                format!("{}: {} messages were deleted at the source during the run.", folder.path(), self.gone.len()),
            );
        }
        Ok(())
    }

    fn keepable(&mut self, flags: &Flags) -> Flags {
        let (kept, dropped) = flags.split_by(&self.line.ready.dest);
        for flag in dropped.iter() {
            if self.dropped.insert(flag.to_ascii_lowercase()) && self.line.ready.first_to_drop(flag) {
                self.line.copy.watch.note(
                    Level::Warn,
                    "flags",
                    format!("{}: the destination cannot keep the flag {flag}.", self.line.folder.path()),
                );
            }
        }
        kept
    }
}

/// Keeps the ledger.
struct Books<'a> {
    line: &'a Line<'a>,
    sent: Sent,
    /// What a refusal means for the whole folder or account.
    fault: Option<Fault>,
}

impl Books<'_> {
    async fn keep(&mut self, mut answers: mpsc::Receiver<Appended>) -> Result<(), Fault> {
        let mut batch = Vec::with_capacity(BATCH);
        while let Some(first) = answers.recv().await {
            // Others may wait for their turn: the board hears of an answer before the ledger does.
            self.answered(&first);
            batch.push(first);
            let deadline = tokio::time::sleep(BATCH_WAIT);
            tokio::pin!(deadline);
            while batch.len() < BATCH {
                tokio::select! {
                    next = answers.recv() => match next {
                        Some(answer) => {
                            self.answered(&answer);
                            batch.push(answer);
                        }
                        None => break,
                    },
                    () = &mut deadline => break,
                }
            }
            self.write(&mut batch).await?;
        }
        Ok(())
    }

    /// One message more of its command was answered.
    fn answered(&self, appended: &Appended) {
        let command = {
            let mut flight = self.line.flight();
            let Some(number) = flight.command_of.remove(&appended.key) else { return };
            let Some(command) = flight.commands.get_mut(&number) else { return };
            command.unanswered = command.unanswered.saturating_sub(1);
            if command.unanswered == 0 && command.closed { flight.commands.remove(&number) } else { None }
        };
        if let Some(command) = command {
            if let Some(began) = command.began {
                self.line.pace.learn(began.elapsed());
            }
            self.line.board.answered(self.line.folder.step, command.ends);
        }
    }

    async fn write(&mut self, batch: &mut Vec<Appended>) -> Result<(), Fault> {
        let (copy, folder) = (self.line.copy, self.line.folder);
        let (mut arrivals, mut refusals, mut bytes) = (Vec::new(), Vec::new(), 0);
        let (mut singly, mut mended) = (Vec::new(), Vec::new());
        for Appended { key: uid, result } in batch.drain(..) {
            let (passed, row) = {
                let mut flight = self.line.flight();
                (flight.passed.remove(&uid), flight.rows.remove(&uid))
            };
            let Some((row, _, manner)) = row else { continue };
            match (result, passed) {
                (Ok(dest_uid), Some((digests, _))) => {
                    let dropped_flags = row.flags.split_by(&self.line.ready.dest).1;
                    if dest_uid.is_none() {
                        self.line.ready.note_nameless();
                    }
                    bytes += digests.size;
                    arrivals.push(Arrival { uid, dest_uid, digests, dropped_flags, adopted: false });
                }
                (Ok(_), None) => {
                    return Err(Fault::new(
                        FaultKind::Protocol,
                        format!("The destination acknowledged message {uid} before it was sent whole."),
                    ));
                }
                (Err(rejection), _) if rejection.over_quota && !rejection.together => self.stop(Fault::new(
                    FaultKind::Quota,
                    format!(
                        "The account at the destination is full: {} Raise its quota, then run the sync again; it goes \
                         on where it stopped.",
                        rejection.words
                    ),
                )),
                (Err(rejection), _) if rejection.no_folder => self.stop(Fault::new(
                    FaultKind::Lost,
                    format!("The folder {} has gone from the destination: {}", folder.dest(), rejection.words),
                )),
                (Err(rejection), _) if rejection.together => singly.push(row),
                (Err(_), Some((_, Some(size)))) if manner != Manner::Mended => {
                    mended.push(Row { mended: Some(size), ..row });
                }
                (Err(rejection), _) => {
                    copy.watch.note(
                        Level::Warn,
                        "message",
                        format!("{}, UID {uid} was refused: {}", folder.path(), rejection.words),
                    );
                    refusals.push(Refusal { uid, cause: format!("The destination refused it: {}", rejection.words) });
                }
            }
        }
        self.line.board.again(folder.step, Manner::Singly, singly);
        if !mended.is_empty() {
            copy.watch.note(
                Level::Info,
                "message",
                format!(
                    "{}: {} messages with bare line ends or NULs were refused; they are sent again with these mended.",
                    folder.path(),
                    mended.len()
                ),
            );
        }
        self.line.board.again(folder.step, Manner::Mended, mended);
        if !arrivals.is_empty() {
            copy.ledger.arrived(folder.id, &arrivals).await?;
            self.sent.messages += arrivals.len() as u64;
            self.sent.bytes += bytes;
            self.line.board.progress();
            copy.watch.done(folder.step, arrivals.len() as u64, bytes);
        }
        if !refusals.is_empty() {
            copy.ledger.refused(folder.id, &refusals).await?;
            self.sent.refused += refusals.len() as u64;
            copy.watch.done(folder.step, refusals.len() as u64, 0);
        }
        Ok(())
    }

    /// Nothing more is sent; what is under way is still answered.
    fn stop(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
        self.line.stop.cancel();
    }
}
