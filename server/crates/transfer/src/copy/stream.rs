//! The pipeline of one folder: the source streams, digests are taken as the bytes pass, the destination appends,
//! and the ledger records what it acknowledged, in batches. At most a few chunks are in memory at a time.

use super::{Copy, FolderTask, Lines};
use crate::{
    Appended, Arrival, Digester, Digests, Fault, FaultKind, Flags, FolderState, Incoming, LedgerRow, Outgoing, Refusal,
    RemoteFolder, UidSet,
};
use gatepost_contract::Level;
use std::{
    collections::{BTreeSet, HashMap},
    sync::Mutex,
    time::Duration,
};
use tokio::sync::mpsc;

/// Chunks of at most 64 KiB between source and destination: with the two sockets' buffers, what is in flight.
const CHUNKS_IN_FLIGHT: usize = 16;
/// Acknowledgements that may wait for the ledger.
const ANSWERS_IN_FLIGHT: usize = 1024;
/// How many acknowledgements are written at once, and how long the first may wait for the others.
const BATCH: usize = 500;
const BATCH_WAIT: Duration = Duration::from_millis(250);

/// What was acknowledged.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sent {
    pub messages: u64,
    pub bytes: u64,
    pub refused: u64,
    /// Acknowledged, but the server did not say under which UID.
    pub without_uid: u64,
}

/// What was acknowledged, and how it ended.
pub(super) struct Streamed {
    pub sent: Sent,
    pub fault: Result<(), Fault>,
}

/// Digests of the messages that have passed and are not acknowledged yet, by UID.
type Passed = Mutex<HashMap<u32, Digests>>;

pub(super) async fn send(
    copy: &Copy<'_>,
    lines: &mut Lines,
    task: &FolderTask<'_>,
    target: &RemoteFolder,
    dest: &FolderState,
    pending: &[&LedgerRow],
) -> Streamed {
    let rows: HashMap<u32, &LedgerRow> = pending.iter().map(|r| (r.uid, *r)).collect();
    let uids: UidSet = pending.iter().map(|r| r.uid).collect();
    let passed: Passed = Mutex::default();
    let (from_source, incoming) = mpsc::channel(CHUNKS_IN_FLIGHT);
    let (outgoing, to_dest) = mpsc::channel(CHUNKS_IN_FLIGHT);
    let (answers, answered) = mpsc::channel(ANSWERS_IN_FLIGHT);

    let mut pump = Pump { copy, task, dest, rows: &rows, passed: &passed, dropped: BTreeSet::new(), unreadable: 0 };
    let Lines { source, dest: destination, .. } = lines;
    let mut books = Books { copy, task, dest, rows: &rows, passed: &passed, sent: Sent::default(), over_quota: None };
    let (fetched, pumped, appended, booked) = tokio::join!(
        source.fetch(&uids, from_source),
        pump.run(incoming, outgoing),
        destination.append(target, to_dest, answers),
        books.keep(answered),
    );
    let quota = books.over_quota.take();
    books.sent.refused += pump.unreadable;
    // The first cause first: a source that broke off makes the destination break off, and so on.
    let fault = booked
        .and(quota.map_or(Ok(()), Err))
        .and(fetched)
        .and(pumped)
        .and(appended)
        .and(if copy.cancel.is_cancelled() { Err(Fault::cancelled()) } else { Ok(()) });
    Streamed { sent: books.sent, fault }
}

/// Turns what the source delivers into what the destination takes.
struct Pump<'a> {
    copy: &'a Copy<'a>,
    task: &'a FolderTask<'a>,
    dest: &'a FolderState,
    rows: &'a HashMap<u32, &'a LedgerRow>,
    passed: &'a Passed,
    dropped: BTreeSet<String>,
    unreadable: u64,
}

impl Pump<'_> {
    async fn run(
        &mut self,
        mut incoming: mpsc::Receiver<Incoming>,
        outgoing: mpsc::Sender<Outgoing>,
    ) -> Result<(), Fault> {
        let mut current: Option<(u32, Digester)> = None;
        let (mut gone, mut unreadable) = (Vec::new(), Vec::new());
        loop {
            let piece = if current.is_some() {
                incoming.recv().await
            } else {
                // Between two messages is the place to stop.
                tokio::select! {
                    piece = incoming.recv() => piece,
                    () = self.copy.cancel.cancelled() => None,
                }
            };
            let Some(piece) = piece else { break };
            let out = match piece {
                Incoming::Gone { uid } => {
                    gone.push(uid);
                    continue;
                }
                Incoming::Unreadable { uid, words } => {
                    let cause =
                        format!("The source does not deliver it: {words} Repair it there and retry, or waive it.");
                    unreadable.push(Refusal { uid, cause });
                    continue;
                }
                Incoming::Begin { uid, size } => {
                    let Some(row) = self.rows.get(&uid) else {
                        return Err(Fault::new(
                            FaultKind::Protocol,
                            format!(
                                "The source sent message {uid} of {}, which was not asked for.",
                                self.task.placed.source
                            ),
                        ));
                    };
                    current = Some((uid, Digester::new()));
                    Outgoing::Begin {
                        key: uid,
                        size,
                        internal_date: row.internal_date,
                        flags: self.keepable(&row.flags),
                    }
                }
                Incoming::Data(bytes) => {
                    if let Some((_, digester)) = &mut current {
                        digester.update(&bytes);
                    }
                    Outgoing::Data(bytes)
                }
                Incoming::End => {
                    if let Some((uid, digester)) = current.take() {
                        self.passed.lock().expect("no holder panics").insert(uid, digester.finish());
                    }
                    Outgoing::End
                }
            };
            if outgoing.send(out).await.is_err() {
                // The destination ended; its own fault says why.
                break;
            }
        }
        if !unreadable.is_empty() {
            self.copy.ledger.refused(self.task.placed.id, &unreadable).await?;
            self.unreadable = unreadable.len() as u64;
        }
        if !gone.is_empty() {
            self.copy.ledger.vanished(self.task.placed.id, &gone).await?;
            self.copy.watch.note(
                Level::Info,
                "message",
                format!(
                    "{}: {} messages were deleted at the source during the run.",
                    self.task.placed.source,
                    gone.len()
                ),
            );
        }
        Ok(())
    }

    fn keepable(&mut self, flags: &Flags) -> Flags {
        let (kept, dropped) = flags.split_by(self.dest);
        for flag in dropped.iter() {
            if self.dropped.insert(flag.to_ascii_lowercase()) {
                self.copy.watch.note(
                    Level::Warn,
                    "flags",
                    format!("{}: the destination cannot keep the flag {flag}.", self.task.placed.source),
                );
            }
        }
        kept
    }
}

/// Keeps the ledger.
struct Books<'a> {
    copy: &'a Copy<'a>,
    task: &'a FolderTask<'a>,
    dest: &'a FolderState,
    rows: &'a HashMap<u32, &'a LedgerRow>,
    passed: &'a Passed,
    sent: Sent,
    over_quota: Option<Fault>,
}

impl Books<'_> {
    async fn keep(&mut self, mut answers: mpsc::Receiver<Appended>) -> Result<(), Fault> {
        let mut batch = Vec::with_capacity(BATCH);
        while let Some(first) = answers.recv().await {
            batch.push(first);
            let deadline = tokio::time::sleep(BATCH_WAIT);
            tokio::pin!(deadline);
            while batch.len() < BATCH {
                tokio::select! {
                    next = answers.recv() => match next {
                        Some(answer) => batch.push(answer),
                        None => break,
                    },
                    () = &mut deadline => break,
                }
            }
            self.write(&mut batch).await?;
        }
        Ok(())
    }

    async fn write(&mut self, batch: &mut Vec<Appended>) -> Result<(), Fault> {
        let (mut arrivals, mut refusals, mut bytes) = (Vec::new(), Vec::new(), 0);
        for Appended { key: uid, result } in batch.drain(..) {
            let digests = self.passed.lock().expect("no holder panics").remove(&uid);
            match (result, digests) {
                (Ok(dest_uid), Some(digests)) => {
                    let dropped_flags = self.rows.get(&uid).map(|r| r.flags.split_by(self.dest).1).unwrap_or_default();
                    self.sent.without_uid += u64::from(dest_uid.is_none());
                    bytes += digests.size;
                    arrivals.push(Arrival { uid, dest_uid, digests, dropped_flags, adopted: false });
                }
                (Ok(_), None) => {
                    return Err(Fault::new(
                        FaultKind::Protocol,
                        format!("The destination acknowledged message {uid} before it was sent whole."),
                    ));
                }
                (Err(rejection), _) if rejection.over_quota => {
                    self.over_quota.get_or_insert_with(|| {
                        Fault::new(
                            FaultKind::Quota,
                            format!(
                                "The account at the destination is full: {} Raise its quota, then run the sync again; it \
                                 goes on where it stopped.",
                                rejection.words
                            ),
                        )
                    });
                }
                (Err(rejection), _) if rejection.no_folder => {
                    self.over_quota.get_or_insert_with(|| {
                        Fault::new(
                            FaultKind::FolderGone,
                            format!(
                                "The folder {} has gone from the destination: {}",
                                self.task.placed.dest, rejection.words
                            ),
                        )
                    });
                }
                (Err(rejection), _) => {
                    self.copy.watch.note(
                        Level::Warn,
                        "message",
                        format!("{}, UID {uid} was refused: {}", self.task.placed.source, rejection.words),
                    );
                    refusals.push(Refusal { uid, cause: format!("The destination refused it: {}", rejection.words) });
                }
            }
        }
        let ledger = self.copy.ledger;
        if !arrivals.is_empty() {
            ledger.arrived(self.task.placed.id, &arrivals).await?;
            self.sent.messages += arrivals.len() as u64;
            self.sent.bytes += bytes;
            self.copy.watch.done(self.task.step, arrivals.len() as u64, bytes);
        }
        if !refusals.is_empty() {
            ledger.refused(self.task.placed.id, &refusals).await?;
            self.sent.refused += refusals.len() as u64;
            self.copy.watch.done(self.task.step, refusals.len() as u64, 0);
        }
        Ok(())
    }
}
