//! Recognising messages that are at the destination already: after a kill, after a change of UIDVALIDITY, on a
//! server that does not tell UIDs, and where somebody copied mail before us.
//!
//! A message is recognised only by its bytes, line endings apart. Size and date narrow the choice without reading
//! anything; then both sides are read and digested. A destination message can stand for one source message only, so true duplicates stay as many
//! as they were.

use crate::{
    Arrival, Digester, Digests, Fault, Flags, Incoming, InternalDate, LedgerRow, MessageMeta, Source, UidSet,
    reading::fetch_set,
};
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

/// Finds for each candidate the destination message of the same content, where there is one.
pub(crate) async fn recognise(
    source: &mut (dyn Source + '_),
    dest: &mut (dyn Source + '_),
    candidates: Vec<Candidate>,
    unclaimed: &[MessageMeta],
    cancel: &CancellationToken,
) -> Result<Vec<Arrival>, Fault> {
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
        return Ok(Vec::new());
    }
    unclaimed.sort_unstable_by_key(|m| m.uid);
    let unread = candidates.iter().filter(|c| c.digests.is_none()).map(|c| c.uid).collect();
    let source_digests = digest_all(source, &unread, cancel).await?;
    let dest_digests = digest_all(dest, &unclaimed.iter().map(|m| m.uid).collect(), cancel).await?;

    // By content; within it the same date first, then the order of UIDs.
    let mut by_content: HashMap<crate::Digest, Vec<&MessageMeta>> = HashMap::new();
    for message in unclaimed {
        if let Some(digests) = dest_digests.get(&message.uid) {
            by_content.entry(digests.canonical).or_default().push(message);
        }
    }
    let mut arrivals = Vec::new();
    let mut later = Vec::new();
    let digested = |c: &Candidate| c.digests.or_else(|| source_digests.get(&c.uid).copied());
    for exact_date in [true, false] {
        let round: Vec<&Candidate> = if exact_date { candidates.iter().collect() } else { std::mem::take(&mut later) };
        for candidate in round {
            let Some(digests) = digested(candidate) else { continue };
            let Some(same) = by_content.get_mut(&digests.canonical) else { continue };
            let found =
                same.iter().position(|m| !exact_date || m.internal_date.seconds == candidate.internal_date.seconds);
            match found {
                Some(at) => arrivals.push(Arrival {
                    uid: candidate.uid,
                    dest_uid: Some(same.remove(at).uid),
                    digests,
                    dropped_flags: Flags::default(),
                    adopted: true,
                }),
                None if exact_date => later.push(candidate),
                None => {}
            }
        }
    }
    Ok(arrivals)
}

/// Reads messages and digests them; those that have gone meanwhile are left out.
async fn digest_all(
    store: &mut (dyn Source + '_),
    uids: &UidSet,
    cancel: &CancellationToken,
) -> Result<HashMap<u32, Digests>, Fault> {
    let mut all = HashMap::new();
    if uids.is_empty() {
        return Ok(all);
    }
    let (out, mut pieces) = mpsc::channel(16);
    let digest = async {
        let mut current: Option<(u32, Digester)> = None;
        while let Some(piece) = pieces.recv().await {
            match piece {
                Incoming::Begin { uid, .. } => current = Some((uid, Digester::new())),
                Incoming::Data(bytes) => {
                    if let Some((_, digester)) = &mut current {
                        digester.update(&bytes);
                    }
                }
                Incoming::End => {
                    if let Some((uid, digester)) = current.take() {
                        all.insert(uid, digester.finish());
                    }
                    if cancel.is_cancelled() {
                        break;
                    }
                }
                Incoming::Gone { .. } | Incoming::Unreadable { .. } => {}
            }
        }
        drop(pieces);
    };
    let (fetched, ()) = tokio::join!(fetch_set(store, uids.clone(), out), digest);
    fetched?;
    if cancel.is_cancelled() { Err(Fault::cancelled()) } else { Ok(all) }
}
