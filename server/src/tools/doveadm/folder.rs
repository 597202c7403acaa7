//! One folder: filled by dsync where it is empty, else copied in small batches, so that little is done again after a
//! failure and a message that cannot be copied is found and named.

use super::{Call, Outcome, sentence, unsayable};
use gatepost_contract::{CauseKind, Level};
use gatepost_core::{EngineFolder, EngineMoved, EngineRefusal};
use gatepost_tools::doveadm::{self, End};
use gatepost_transfer::{Fault, UidSet};
use std::time::{Duration, Instant};

/// How much is copied by one call.
const BATCH_MESSAGES: u64 = 500;
const BATCH_BYTES: u64 = 64 << 20;
/// So many messages that are refused one after another are no fault of theirs.
const IN_A_ROW: usize = 5;
/// How often a call is repeated that ended with "again", and how long is waited before the first time.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);

impl Call<'_> {
    /// Moves a folder; false where nothing more can be done for any other.
    pub(super) async fn folder(&mut self, folder: &EngineFolder, outcome: &mut Outcome) -> Result<bool, Fault> {
        let name = &folder.dest.native;
        let (end, status) = self.status(name).await?;
        let Some((messages, next, _)) = status else {
            let hopeless = matches!(end, End::Hopeless(_));
            let again = matches!(end, End::Again(_));
            let words = sentence(end, "doveadm does not know this folder.");
            outcome.trouble(name, &words, again);
            return Ok(!hopeless);
        };
        let (end, at_source) = self.status(&self.name_at_source(&folder.source.native)).await?;
        let Some((at_source, _, uid_validity)) = at_source else {
            let again = matches!(end, End::Again(_));
            outcome.trouble(name, &sentence(end, "doveadm does not find this folder at the old server."), again);
            return Ok(true);
        };
        if uid_validity != u64::from(folder.uid_validity) {
            let words = "The old server has begun to number its messages anew. The next run lists the folder whole.";
            outcome.trouble(name, words, true);
            return Ok(true);
        }
        // dsync leaves no message out, and takes away what the source does not have.
        let may_fill =
            !self.job.is_live && messages == 0 && folder.source.native == *name && at_source == folder.pending;
        if may_fill {
            let began = Instant::now();
            match self.fill(folder, (at_source, uid_validity), next).await? {
                None => {}
                Some(End::Fine) => {
                    outcome.filled += 1;
                    outcome.stored += folder.pending;
                    self.moved(folder, folder.pending, folder.uids.ranges());
                    self.wait(self.pace(folder.pending, began.elapsed())).await?;
                    return Ok(true);
                }
                Some(End::Full(words)) => {
                    outcome.trouble(name, &words, false);
                    return Ok(false);
                }
                Some(end) => {
                    let words = sentence(end, "");
                    match self.status(name).await?.1 {
                        Some((0, now, _)) if now == next => {
                            (self.run.note)(Level::Warn, format!("{name} is copied by imapc instead: {words}"));
                        }
                        // To sync once more could take away what is deleted at the source meanwhile. What has come is
                        // recognised by our own reading, and the next run copies the rest.
                        _ => {
                            outcome.trouble(name, &words, true);
                            return Ok(true);
                        }
                    }
                }
            }
        }
        self.copy(folder, next, outcome).await
    }

    /// Fills a folder that is empty, and whose next UID is this one; not where something has come to it meanwhile.
    async fn fill(&self, folder: &EngineFolder, by_imap: (u64, u64), next: u64) -> Result<Option<End>, Fault> {
        let name = &folder.dest.native;
        let from = self.from(&folder.source.native, by_imap).await?;
        if self.status(name).await?.1.is_none_or(|(messages, now, _)| (messages, now) != (0, next)) {
            return Ok(None);
        }
        let program = self.doveadm(&self.filling).fill(name, &from);
        Ok(Some(self.run(program).await?.0))
    }

    async fn copy(&mut self, folder: &EngineFolder, mut next: u64, outcome: &mut Outcome) -> Result<bool, Fault> {
        let name = &folder.dest.native;
        if let Err(fault) = unsayable(doveadm::folder(&folder.source.native)) {
            outcome.trouble(name, &fault.sentence, false);
            return Ok(true);
        }
        let source = self.name_at_source(&folder.source.native);
        let size = folder.bytes.checked_div(folder.pending).unwrap_or_default().max(1);
        let mut batches = in_batches(&folder.uids, (BATCH_BYTES / size).clamp(1, BATCH_MESSAGES));
        batches.reverse();
        outcome.copied += 1;
        let (mut tries, mut in_a_row) = (0, 0);
        while let Some(batch) = batches.pop() {
            let began = Instant::now();
            let program = self.doveadm(&self.copying).copy(&source, batch.ranges(), name);
            let (end, report) = self.run(program).await?;
            let now = self.status(name).await?.1.map(|(_, next, _)| next);
            let stored = now.map_or(0, |now| now.saturating_sub(next));
            let named: Vec<(u32, String)> = report.failed.into_iter().filter(|(uid, _)| batch.contains(*uid)).collect();
            let left: UidSet = named.iter().map(|(uid, _)| *uid).collect();
            outcome.stored += stored.min(batch.len());
            // Only where it is through is it known which ones it says it stored.
            let claimed = if end == End::Fine { batch.ranges() } else { &[] };
            self.moved(folder, stored.min(batch.len()), claimed);
            next = now.unwrap_or(next);
            if end == End::Fine {
                (tries, in_a_row) = (0, 0);
                self.wait(self.pace(stored, began.elapsed())).await?;
                continue;
            }
            // What is left of the batch is known where nothing was stored, or all that was not named as left.
            let left = if stored == 0 && now.is_some() {
                batch
            } else if !left.is_empty() && stored + left.len() == batch.len() {
                left
            } else {
                // Something was stored, by doveadm or by a delivery: to copy the batch once more could double it.
                outcome.trouble(name, &sentence(end, ""), true);
                return Ok(true);
            };
            match end {
                End::Fine => {}
                End::Again(_) if tries < TRIES => {
                    tries += 1;
                    self.wait(PAUSE * tries).await?;
                    batches.push(left);
                }
                End::Again(words) => {
                    outcome.trouble(name, &words, true);
                    return Ok(true);
                }
                End::Hopeless(words) => {
                    outcome.trouble(name, &words, false);
                    return Ok(false);
                }
                End::Full(words) if !is_about_size(&words) => {
                    outcome.trouble(name, &words, false);
                    return Ok(false);
                }
                End::Full(words) | End::Failed(words) => {
                    let all_named = named.len() as u64 == left.len();
                    if !all_named && left.len() > 1 {
                        let mut halves = in_batches(&left, left.len().div_ceil(2));
                        halves.reverse();
                        batches.extend(halves);
                        continue;
                    }
                    let one = || left.iter().map(|uid| (uid, words.clone())).collect();
                    let refused: Vec<(u32, String)> = if all_named { named } else { one() };
                    in_a_row = if stored == 0 { in_a_row + refused.len() } else { 0 };
                    if in_a_row >= IN_A_ROW {
                        outcome.trouble(name, &format!("doveadm fails at every message. {words}"), false);
                        return Ok(true);
                    }
                    outcome.refused.extend(refused.into_iter().map(|(uid, cause)| refusal(folder, uid, cause)));
                }
            }
        }
        Ok(true)
    }

    fn moved(&self, folder: &EngineFolder, messages: u64, uids: &[(u32, u32)]) {
        // doveadm does not say how large they were.
        let bytes = u128::from(folder.bytes) * u128::from(messages) / u128::from(folder.pending.max(1));
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        (self.run.moved)(EngineMoved { folder: Some(&folder.source.native), messages, bytes, uids });
    }

    /// How long to wait after so many messages, so that the rate is kept on average.
    fn pace(&self, messages: u64, took: Duration) -> Duration {
        let due = self.job.messages_per_second.filter(|rate| *rate > 0.0).map(|rate| messages as f64 / rate);
        due.map_or(Duration::ZERO, |due| Duration::from_secs_f64(due.min(3600.0)).saturating_sub(took))
    }

    async fn wait(&self, time: Duration) -> Result<(), Fault> {
        tokio::select! {
            () = tokio::time::sleep(time) => Ok(()),
            () = self.run.cancel.cancelled() => Err(Fault::cancelled()),
        }
    }
}

fn refusal(folder: &EngineFolder, uid: u32, cause: String) -> EngineRefusal {
    let kind = if is_about_size(&cause) { CauseKind::TooLarge } else { CauseKind::Refused };
    EngineRefusal { folder: folder.source.native.clone(), uid, kind, cause }
}

/// Dovecot's quota refuses a message that is too large with the code of a full mailbox.
fn is_about_size(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    words.contains("mail size") || words.contains("too large") || words.contains("larger than")
}

/// UIDs in batches of so many, in their order.
fn in_batches(uids: &UidSet, most: u64) -> Vec<UidSet> {
    let most = usize::try_from(most.max(1)).unwrap_or(usize::MAX);
    let all: Vec<u32> = uids.iter().collect();
    all.chunks(most).map(|chunk| chunk.iter().copied().collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_hold_every_uid_once_and_in_order() {
        let uids: UidSet = [1, 2, 3, 7, 9, 10].into_iter().collect();
        let batches = in_batches(&uids, 4);
        assert_eq!(
            batches.iter().map(|b| b.ranges().to_vec()).collect::<Vec<_>>(),
            [vec![(1, 3), (7, 7)], vec![(9, 10)]]
        );
        assert_eq!(in_batches(&uids, 0).len(), 6);
        assert!(in_batches(&UidSet::default(), 4).is_empty());
    }

    #[test]
    fn a_message_that_is_too_large_is_not_a_full_mailbox() {
        assert!(is_about_size("It said: Mail size is larger than the maximum size allowed by server configuration"));
        assert!(!is_about_size("It said: Quota exceeded (mailbox for user is full)"));
    }
}
