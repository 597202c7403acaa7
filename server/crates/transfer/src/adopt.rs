//! Recognising messages that are at the destination already: after a kill, after a change of UIDVALIDITY, on a
//! server that does not tell UIDs, and where somebody copied mail before us.
//!
//! A message is recognised only by its bytes: line endings apart, then also apart from what servers are known to repair
//! in silence ([`LooseDigester`]), and at last apart from how its fields and parts are written down ([`alike`]);
//! verification judges what that did to it. Size and date narrow the choice without reading anything; then both sides are
//! read and digested. A destination message can stand for one source message only, so true duplicates stay as many as
//! they were.

mod alike;

use crate::{
    Arrival, Digest, Digester, Digests, Fault, FaultKind, Flags, Incoming, InternalDate, LedgerRow, MessageMeta,
    Refusal, Source, UidSet, digest::LooseDigester, reading::fetch_set,
};
use alike::Name;
use gatepost_contract::CauseKind;
use std::collections::{HashMap, HashSet};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A source message that may be there already.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    uid: u32,
    size: u64,
    internal_date: InternalDate,
    digests: Option<Digests>,
}

impl From<&LedgerRow> for Candidate {
    fn from(row: &LedgerRow) -> Self {
        Self { uid: row.uid, size: row.size, internal_date: row.internal_date, digests: row.digests }
    }
}

/// What looking at the destination told.
#[derive(Debug, Default)]
pub(crate) struct Recognised {
    /// Messages that are there.
    pub arrivals: Vec<Arrival>,
    /// Messages that the source does not deliver, so that nobody knows whether they are there.
    pub unreadable: Vec<Refusal>,
}

/// Finds for each candidate the destination message of the same content, where there is one.
pub(crate) async fn recognise(
    source: &mut (dyn Source + '_),
    dest: &mut (dyn Source + '_),
    candidates: Vec<Candidate>,
    unclaimed: &[MessageMeta],
    cancel: &CancellationToken,
) -> Result<Recognised, Fault> {
    let sizes: HashSet<u64> = candidates.iter().map(|c| c.size).collect();
    let dates: HashSet<i64> = candidates.iter().map(|c| c.internal_date.seconds).collect();
    let mut unclaimed: Vec<&MessageMeta> =
        unclaimed.iter().filter(|m| sizes.contains(&m.size) || dates.contains(&m.internal_date.seconds)).collect();
    let sizes: HashSet<u64> = unclaimed.iter().map(|m| m.size).collect();
    let dates: HashSet<i64> = unclaimed.iter().map(|m| m.internal_date.seconds).collect();
    let candidates: Vec<Candidate> = candidates
        .into_iter()
        .filter(|c| sizes.contains(&c.size) || dates.contains(&c.internal_date.seconds))
        .collect();
    if candidates.is_empty() {
        return Ok(Recognised::default());
    }
    unclaimed.sort_unstable_by_key(|m| m.uid);
    let unread = candidates.iter().filter(|c| c.digests.is_none()).map(|c| c.uid).collect();
    let (read_source, unreadable) = digest_all(source, &unread, cancel).await?;
    let (read_dest, in_doubt) = digest_all(dest, &unclaimed.iter().map(|m| m.uid).collect(), cancel).await?;
    if let Some(Refusal { uid, cause, .. }) = in_doubt.first() {
        // What cannot be compared may be ours.
        return Err(Fault::new(
            FaultKind::Damaged,
            format!("Message {uid} at the destination cannot be compared with the source's: {cause}"),
        ));
    }

    let mut free: Vec<Option<(&MessageMeta, Read)>> =
        unclaimed.into_iter().map(|m| read_dest.get(&m.uid).map(|read| (m, *read))).collect();
    let known = |c: &Candidate| c.digests.map(|digests| Read { digests, loose: None, name: None });
    let mut left: Vec<(&Candidate, Read)> = candidates
        .iter()
        .filter_map(|c| read_source.get(&c.uid).copied().or_else(|| known(c)).map(|read| (c, read)))
        .collect();
    let mut arrivals = Vec::new();
    // The same bytes and date first, then the order of UIDs.
    for (loose, exact_date) in [(false, true), (false, false), (true, true)] {
        if loose {
            // What the ledger knows does not tell the loose digest.
            let unread = left.iter().filter(|(_, read)| read.loose.is_none()).map(|(c, _)| c.uid).collect();
            let (now_read, _) = digest_all(source, &unread, cancel).await?;
            for (candidate, read) in &mut left {
                *read = now_read.get(&candidate.uid).copied().unwrap_or(*read);
            }
        }
        let key = |read: &Read| if loose { read.loose } else { Some(read.digests.canonical) };
        let mut by_content: HashMap<Digest, Vec<usize>> = HashMap::new();
        for (n, slot) in free.iter().enumerate() {
            if let Some(key) = slot.as_ref().and_then(|(_, read)| key(read)) {
                by_content.entry(key).or_default().push(n);
            }
        }
        left.retain(|(candidate, read)| {
            let Some(same) = key(read).and_then(|key| by_content.get_mut(&key)) else { return true };
            let found = same.iter().position(|n| {
                let date = free[*n].as_ref().map(|(m, _)| m.internal_date.seconds);
                !exact_date || date == Some(candidate.internal_date.seconds)
            });
            let Some(at) = found else { return true };
            let Some((message, _)) = free[same.remove(at)].take() else { return true };
            arrivals.push(Arrival {
                uid: candidate.uid,
                dest_uid: Some(message.uid),
                digests: read.digests,
                dropped_flags: Flags::default(),
                adopted: true,
            });
            false
        });
    }
    arrivals.extend(alike::pair((&mut *source, &mut *dest), &left, &mut free, cancel).await?);
    let unreadable = unreadable
        .into_iter()
        .map(|Refusal { uid, kind, cause }| {
            let cause = format!("The source does not deliver it: {cause} Repair it there and retry, or waive it.");
            Refusal { uid, kind, cause }
        })
        .collect();
    Ok(Recognised { arrivals, unreadable })
}

/// What reading a message gave.
#[derive(Clone, Copy, Debug)]
struct Read {
    digests: Digests,
    loose: Option<Digest>,
    /// What its header calls it.
    name: Option<Digest>,
}

/// Reads messages and digests them; those that have gone meanwhile are left out.
async fn digest_all(
    store: &mut (dyn Source + '_),
    uids: &UidSet,
    cancel: &CancellationToken,
) -> Result<(HashMap<u32, Read>, Vec<Refusal>), Fault> {
    let (mut all, mut unreadable) = (HashMap::new(), Vec::new());
    if uids.is_empty() {
        return Ok((all, unreadable));
    }
    let (out, mut pieces) = mpsc::channel(16);
    let digest = async {
        let mut current: Option<(u32, Digester, LooseDigester, Name)> = None;
        while let Some(piece) = pieces.recv().await {
            match piece {
                Incoming::Begin { uid, .. } => {
                    current = Some((uid, Digester::new(), LooseDigester::new(), Name::new()));
                }
                Incoming::Data(bytes) => {
                    if let Some((_, digester, loose, name)) = &mut current {
                        digester.update(&bytes);
                        loose.update(&bytes);
                        name.update(&bytes);
                    }
                }
                Incoming::End => {
                    if let Some((uid, digester, loose, name)) = current.take() {
                        let (digests, loose) = (digester.finish(), Some(loose.finish()));
                        all.insert(uid, Read { digests, loose, name: name.finish() });
                    }
                    if cancel.is_cancelled() {
                        break;
                    }
                }
                Incoming::Gone { .. } => {}
                Incoming::Unreadable { uid, words } => {
                    unreadable.push(Refusal { uid, kind: CauseKind::Unreadable, cause: words });
                }
            }
        }
        drop(pieces);
    };
    let (fetched, ()) = tokio::join!(fetch_set(store, uids.clone(), out), digest);
    fetched?;
    let missing: Vec<u32> =
        uids.iter().filter(|uid| !all.contains_key(uid) && !unreadable.iter().any(|u| u.uid == *uid)).collect();
    if !missing.is_empty() && !cancel.is_cancelled() {
        // Gone, or only said to be: what is still there has not been compared.
        let there = store.uids().await?;
        if let Some(uid) = missing.iter().find(|uid| there.contains(**uid)) {
            let sentence = format!("Message {uid} is there, but the server does not deliver it to be compared.");
            return Err(Fault::new(FaultKind::Damaged, sentence));
        }
    }
    if cancel.is_cancelled() { Err(Fault::cancelled()) } else { Ok((all, unreadable)) }
}
