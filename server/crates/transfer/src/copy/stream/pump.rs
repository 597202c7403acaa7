//! Turns what the source delivers into what the destination takes: takes digests as the bytes pass, mends where that was
//! asked for, and ends each command when its chunk's turn has come.

use super::{
    super::board::{Manner, UNORDERED},
    Line,
};
use crate::{Digester, Fault, FaultKind, Flags, Incoming, Mender, Outgoing, Refusal};
use bytes::Bytes;
use gatepost_contract::{CauseKind, Level};
use std::{collections::BTreeSet, time::Instant};
use tokio::sync::mpsc;

/// Turns what the source delivers into what the destination takes.
pub(super) struct Pump<'a> {
    line: &'a Line<'a>,
    dropped: BTreeSet<String>,
    /// Messages that the source could not deliver.
    pub refusals: Vec<Refusal>,
    gone: Vec<u32>,
    /// The number of the command that is being handed over, and how many messages it has so far.
    command: u64,
    held: usize,
    /// Chunks whose last message is in it.
    ending: Vec<u64>,
    /// Chunks of which something was handed over and something is still to come.
    began: BTreeSet<u64>,
    /// The message that passes at the moment.
    pub passing: Option<u32>,
}

/// The message that passes at the moment.
struct Passing {
    uid: u32,
    digester: Digester,
    mender: Option<Mender>,
}

impl<'a> Pump<'a> {
    pub fn new(line: &'a Line<'a>) -> Self {
        Self {
            line,
            dropped: BTreeSet::new(),
            refusals: Vec::new(),
            gone: Vec::new(),
            command: 0,
            held: 0,
            ending: Vec::new(),
            began: BTreeSet::new(),
            passing: None,
        }
    }

    pub async fn run(
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
                    self.refusals.push(Refusal { uid, kind: CauseKind::Unreadable, cause });
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
    pub async fn settle(&mut self) -> Result<(), Fault> {
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
