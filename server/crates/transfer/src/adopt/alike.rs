//! The same mail in other bytes: a server that rebuilds what it stores, or adds to its header, keeps the text, the
//! attachments and the fields. What has the same name and date is compared as verification compares it.

use super::{Candidate, Read};
use crate::{
    Arrival, Digest, Fault, Flags, Incoming, MessageMeta, Source, UidSet,
    reading::fetch_set,
    verify::mime::{self, Likeness},
};
use std::collections::{HashMap, HashSet};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How many bytes of each side are in memory at once, whatever a server lists: a lane holds at most twice as many, and
/// what comparing one pair takes. A longer message is not compared.
const AT_ONCE: u64 = 4 << 20;
/// With how many others of its name and date a message is compared.
const TRIES: usize = 8;
/// A header longer than this names nothing.
const LONGEST_HEADER: usize = 256 << 10;

/// A message at the destination that stands for none yet.
pub(super) type Free<'m> = Option<(&'m MessageMeta, Read)>;

/// Pairs what is left with what is free, where one is the other in other bytes.
pub(super) async fn pair(
    (source, dest): (&mut (dyn Source + '_), &mut (dyn Source + '_)),
    left: &[(&Candidate, Read)],
    free: &mut [Free<'_>],
    cancel: &CancellationToken,
) -> Result<Vec<Arrival>, Fault> {
    let mut named: HashMap<(i64, Option<Digest>), Vec<usize>> = HashMap::new();
    for (slot, message) in free.iter().enumerate() {
        if let Some((message, read)) = message.as_ref().filter(|(_, read)| read.digests.size <= AT_ONCE) {
            named.entry((message.internal_date.seconds, read.name)).or_default().push(slot);
        }
    }
    let choices = |(candidate, read): &(&Candidate, Read)| -> &[usize] {
        // Only what was read just now has a name.
        let comparable = read.loose.is_some() && read.digests.size <= AT_ONCE;
        let choices = named.get(&(candidate.internal_date.seconds, read.name)).filter(|_| comparable);
        choices.map_or(&[], Vec::as_slice)
    };
    let (mut tried, mut arrivals) = (HashSet::new(), Vec::new());
    let mut open: Vec<usize> = (0..left.len()).filter(|n| !choices(&left[*n]).is_empty()).collect();
    for _ in 0..TRIES {
        let (mut pairs, mut chosen) = (Vec::new(), HashSet::new());
        for n in &open {
            let next = choices(&left[*n])
                .iter()
                .find(|slot| free[**slot].is_some() && !chosen.contains(*slot) && !tried.contains(&(*n, **slot)));
            if let Some(slot) = next {
                chosen.insert(*slot);
                tried.insert((*n, *slot));
                pairs.push((*n, *slot));
            }
        }
        if pairs.is_empty() {
            break;
        }
        let mut pairs = pairs.as_slice();
        while !pairs.is_empty() {
            let sizes = pairs.iter().map(|(n, slot)| {
                let there = free[*slot].as_ref().map_or(0, |(_, read)| read.digests.size);
                (left[*n].1.digests.size, there)
            });
            let (now, later) = pairs.split_at(fitting(sizes));
            pairs = later;
            let ours = contents(&mut *source, now.iter().map(|(n, _)| left[*n].0.uid).collect(), cancel);
            let at_dest = now.iter().filter_map(|(_, slot)| free[*slot].as_ref().map(|(message, _)| message.uid));
            let theirs = contents(&mut *dest, at_dest.collect(), cancel);
            let (mut ours, mut theirs) = tokio::try_join!(ours, theirs)?;
            for (n, slot) in now {
                let (candidate, read) = left[*n];
                let Some(there) = free[*slot].as_ref().map(|(message, _)| message.uid) else { continue };
                let (Some(a), Some(b)) = (ours.remove(&candidate.uid), theirs.remove(&there)) else { continue };
                // Foreign bytes that bring the parser down are like nothing.
                let likeness = tokio::task::spawn_blocking(move || mime::compare(&a, &b)).await;
                if !matches!(likeness, Ok(Likeness::Equivalent | Likeness::Rewritten)) {
                    continue;
                }
                free[*slot] = None;
                open.retain(|open| open != n);
                arrivals.push(Arrival {
                    uid: candidate.uid,
                    dest_uid: Some(there),
                    digests: read.digests,
                    dropped_flags: Flags::default(),
                    adopted: true,
                });
            }
        }
    }
    Ok(arrivals)
}

/// How many of these pairs, of so many bytes each, are in memory at once.
fn fitting(sizes: impl Iterator<Item = (u64, u64)>) -> usize {
    let (mut ours, mut theirs) = (0_u64, 0_u64);
    let fit = |(source, dest): &(u64, u64)| {
        (ours, theirs) = (ours.saturating_add(*source), theirs.saturating_add(*dest));
        ours.max(theirs) <= AT_ONCE
    };
    // One at least, so that it goes on.
    sizes.take_while(fit).count().max(1)
}

/// The bytes of these messages; without those that have gone, are not delivered, or are beyond what may be in memory.
async fn contents(
    store: &mut (dyn Source + '_),
    uids: UidSet,
    cancel: &CancellationToken,
) -> Result<HashMap<u32, Vec<u8>>, Fault> {
    let (out, mut pieces) = mpsc::channel(16);
    let gather = async {
        let (mut all, mut room) = (HashMap::new(), AT_ONCE);
        let mut current: Option<(u32, Vec<u8>)> = None;
        while let Some(piece) = pieces.recv().await {
            match piece {
                Incoming::Begin { uid, .. } => current = Some((uid, Vec::new())),
                Incoming::Data(bytes) => {
                    let Some((_, content)) = &mut current else { continue };
                    if let Some(left) = room.checked_sub(bytes.len() as u64) {
                        room = left;
                        content.extend_from_slice(&bytes);
                    } else {
                        // It is longer than when it was read before.
                        room += content.len() as u64;
                        current = None;
                    }
                }
                Incoming::End => all.extend(current.take()),
                Incoming::Gone { .. } | Incoming::Unreadable { .. } => {}
            }
            if cancel.is_cancelled() {
                break;
            }
        }
        drop(pieces);
        all
    };
    let (fetched, all) = tokio::join!(fetch_set(store, uids, out), gather);
    if cancel.is_cancelled() {
        return Err(Fault::cancelled());
    }
    fetched.map(|()| all)
}

/// Takes a message's name as it passes: its Message-Id, or else its Date.
pub(super) struct Name {
    header: Vec<u8>,
    whole: bool,
}

impl Name {
    /// Starts a message.
    pub fn new() -> Self {
        // A message may have no header at all: it begins with the empty line then.
        Self { header: vec![b'\n'], whole: false }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        if self.whole || self.header.len() > LONGEST_HEADER {
            return;
        }
        // The end may lie between two pieces.
        let from = self.header.len().saturating_sub(3);
        self.header.extend_from_slice(bytes);
        let after = &self.header[from..];
        let end = memchr::memmem::find(after, b"\n\r\n").into_iter().chain(memchr::memmem::find(after, b"\n\n")).min();
        if let Some(end) = end {
            self.header.truncate(from + end + 1);
            self.whole = true;
        }
    }

    /// The name; `None` where the header has neither.
    pub fn finish(self) -> Option<Digest> {
        if self.header.len() > LONGEST_HEADER {
            return None;
        }
        let of = |name: &[u8]| self.field(name).map(|value| Digest(*blake3::hash(&value).as_bytes()));
        of(b"message-id").or_else(|| of(b"date"))
    }

    /// A field's value without white space, which is written in many ways.
    fn field(&self, name: &[u8]) -> Option<Vec<u8>> {
        let mut lines = self.header.split(|byte| *byte == b'\n');
        let first = lines.by_ref().find_map(|line| {
            let colon = memchr::memchr(b':', line)?;
            line[..colon].trim_ascii_end().eq_ignore_ascii_case(name).then(|| &line[colon + 1..])
        })?;
        let folded = lines.take_while(|line| line.starts_with(b" ") || line.starts_with(b"\t"));
        let value = std::iter::once(first).chain(folded).flatten().filter(|byte| !byte.is_ascii_whitespace());
        let value: Vec<u8> = value.copied().collect();
        (!value.is_empty()).then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_fits_is_in_memory_at_once_on_either_side() {
        for (sizes, expect) in [
            (&[(1, 1), (1, 1)][..], 2),
            (&[(AT_ONCE, 1), (1, 1)], 1),
            (&[(1, AT_ONCE - 1), (1, 1), (1, 1)], 2),
            (&[(u64::MAX, 1), (u64::MAX, 1)], 1),
        ] {
            assert_eq!(fitting(sizes.iter().copied()), expect, "{sizes:?}");
        }
    }

    fn name(pieces: &[&str]) -> Option<Digest> {
        let mut name = Name::new();
        for piece in pieces {
            name.update(piece.as_bytes());
        }
        name.finish()
    }

    #[test]
    fn a_message_is_named_by_its_message_id_however_it_is_written() {
        let plain = name(&["Subject: x\r\nMessage-Id: <a@b>\r\n\r\nbody"]);
        assert!(plain.is_some());
        for same in [
            &["MESSAGE-ID:\r\n <a@b>\r\nSubject: y\r\n\r\n"][..],
            &["Message-Id : <a@b>\n\nMessage-Id: <c@d>\n"],
            &["Message-Id: <a", "@b>\r", "\n\r", "\nDate: x\r\n"],
            &["Message-Id: <a@b>"],
        ] {
            assert_eq!(name(same), plain, "{same:?}");
        }
        assert_ne!(name(&["Message-Id: <c@d>\r\n\r\n"]), plain);
    }

    #[test]
    fn without_one_it_is_named_by_its_date_and_a_body_names_nothing() {
        let date = name(&["Date: Mon, 1 Jan 2024 10:00:00 +0000\r\nMessage-Id: \r\n\r\n"]);
        assert!(date.is_some());
        assert_eq!(name(&["Date:  Mon,  1 Jan 2024 10:00:00\r\n +0000\r\n\r\n"]), date);
        assert_eq!(name(&["Subject: x\r\n\r\nMessage-Id: <a@b>\r\n"]), None);
        assert_eq!(name(&["\r\nMessage-Id: <a@b>\r\n"]), None);
        assert_eq!(name(&[]), None);
    }
}
