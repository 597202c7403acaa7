//! Keeps the ledger of one pipeline: what was acknowledged is recorded in batches, what was refused is sent again in
//! another manner or quarantined.

use super::{
    super::board::{Manner, Row},
    Line, Sent,
};
use crate::{Appended, Arrival, Fault, FaultKind, Refusal};
use gatepost_contract::{CauseKind, Level};
use std::time::Duration;
use tokio::sync::mpsc;

/// How many acknowledgements are written at once, and how long the first may wait for the others.
const BATCH: usize = 512;
const BATCH_WAIT: Duration = Duration::from_millis(250);

/// Keeps the ledger.
pub(super) struct Books<'a> {
    line: &'a Line<'a>,
    pub sent: Sent,
    /// What a refusal means for the whole folder or account.
    pub fault: Option<Fault>,
}

impl<'a> Books<'a> {
    pub fn new(line: &'a Line<'a>) -> Self {
        Self { line, sent: Sent::default(), fault: None }
    }

    pub async fn keep(&mut self, mut answers: mpsc::Receiver<Appended>) -> Result<(), Fault> {
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
                    let kind = if says_too_large(&rejection.words) { CauseKind::TooLarge } else { CauseKind::Refused };
                    let cause = format!("The destination refused it: {}", rejection.words);
                    refusals.push(Refusal { uid, kind, cause });
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
            copy.watch.copied(arrivals.len() as u64, bytes);
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

/// Whether a server refuses a message for its size: RFC 7889 and RFC 5530 have codes for it that not all use.
fn says_too_large(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    ["toobig", "too big", "too large", "maximum message size", "message size exceeds", "exceeds the maximum"]
        .iter()
        .any(|text| words.contains(text))
}

#[cfg(test)]
mod tests {
    use super::says_too_large;

    #[test]
    fn a_refusal_for_size_is_told_from_others() {
        for (words, large) in [
            ("[TOOBIG] Message too big", true),
            ("Maximum message size exceeded", true),
            ("[LIMIT] Message size exceeds fixed maximum message size.", true),
            ("Message contains bare newlines", false),
        ] {
            assert_eq!(says_too_large(words), large, "{words}");
        }
    }
}
