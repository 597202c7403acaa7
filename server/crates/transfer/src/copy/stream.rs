//! The pipeline of one lane in one folder: chunks are claimed, the source streams them, digests are taken as the bytes
//! pass, the destination appends, and the ledger records what was acknowledged, in batches. At most a few pieces of
//! messages are in memory at a time.
//!
//! A chunk is one command at the destination where it has MULTIAPPEND. Several lanes upload chunks of one folder at
//! the same time, but each ends its command only when all chunks before have been answered: the destination gives out
//! UIDs at that moment, and so they keep the source's order.

mod books;
mod pump;

use super::{
    Copy, Folder, Lines,
    board::{Board, CHUNK_MESSAGES, Chunk, Manner, Row},
    survey::Ready,
};
use crate::{Digests, Fault, Refusal, UidSet};
use books::Books;
use gatepost_contract::{CauseKind, Level};
use pump::Pump;
use std::{
    collections::{BTreeMap, HashMap},
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
    fn suspect(
        &self,
        fetched: &Result<(), Fault>,
        appended: &Result<(), Fault>,
        passing: Option<u32>,
        got_on: bool,
    ) -> Option<Refusal> {
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
            return None;
        };
        if !self.folder.strike(suspect, got_on) {
            return None;
        }
        let (Some(uid), Err(fault)) = (suspect, fault) else { return None };
        self.copy.watch.note(
            Level::Error,
            "message",
            format!(
                "{}, UID {uid}: the {side} breaks off at this message again and again. It is left for the next run. {}",
                self.folder.path(),
                fault.sentence
            ),
        );
        let cause = format!(
            "The {side} breaks off at it again and again: {} Run a delta sync; where that does not help, have the \
             {side}'s log looked at, or waive it.",
            fault.sentence
        );
        Some(Refusal { uid, kind: CauseKind::Disconnects, cause })
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
    let mut pump = Pump::new(&line);
    let mut books = Books::new(&line);
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
    let hindered = match line.suspect(&fetched, &appended, pump.passing, sent.messages > 0) {
        Some(hindered) => copy.ledger.hindered(folder.id, &[hindered]).await,
        None => Ok(()),
    };
    // The first cause first: a source that broke off makes the destination break off, and so on.
    let fault = booked
        .and(books.fault.map_or(Ok(()), Err))
        .and(settled)
        .and(hindered)
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
            kind: CauseKind::TooLarge,
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
