//! How the witness reads bytes: small messages many at a time, with the next command under way before the last one has
//! been answered, large ones in pieces. One body, or a few pieces, is in memory at a time; the server never waits for
//! the next question.
//!
//! A server may hold back the end of a command while it answers the next (Dovecot does): what comes is told by its UID
//! and place, and never by the command that is being waited for.

use super::{ImapReader, PIECE, values::uid};
use crate::uids::{Portion, Portions};
use async_imap::imap_proto::{AttributeValue, Response};
use gatepost_transfer::{Digester, Digests, Fault, FaultKind, UidSet};
use std::collections::VecDeque;
use tokio::sync::mpsc;

/// Messages and bytes that one command asks for.
const BATCH_MESSAGES: usize = 128;
const BATCH_BYTES: u64 = 4 << 20;
/// Commands under way.
const AHEAD: usize = 3;

impl ImapReader {
    pub(super) async fn digest_all(
        &mut self,
        wanted: &[(u32, u64)],
        out: &mpsc::Sender<(u32, Digests)>,
    ) -> Result<(), Fault> {
        let mut rest = wanted;
        let mut under_way = VecDeque::new();
        loop {
            while under_way.len() < AHEAD && rest.first().is_some_and(|(_, size)| *size <= PIECE) {
                let batch = small(&mut rest);
                let mut portions = Portions::of(&batch.iter().map(|(uid, _)| *uid).collect::<UidSet>());
                while let Some(portion) = portions.next(u32::MAX) {
                    let begun = self.begin(format!("UID FETCH {portion} (UID BODY.PEEK[])")).await?;
                    under_way.push_back((portion, begun));
                }
            }
            if let Some((portion, begun)) = under_way.pop_front() {
                let mut digests = Vec::new();
                let asked =
                    |uid| portion.contains(uid) || under_way.iter().any(|(p, _): &(Portion, _)| p.contains(uid));
                let read = self
                    .finish(begun, |response| {
                        if let Some((uid, body)) = body(response)
                            && asked(uid)
                        {
                            digests.push((uid, Digester::of(body)));
                        }
                    })
                    .await;
                // What came before a fault has been read all the same.
                for digest in digests {
                    if out.send(digest).await.is_err() {
                        self.abandon(!under_way.is_empty());
                        return Ok(());
                    }
                }
                read?;
            } else if let Some(((uid, size), others)) = rest.split_first() {
                rest = others;
                let mut digester = Digester::new();
                if self.in_pieces(*uid, *size, u64::MAX, |piece| digester.update(piece)).await?
                    && out.send((*uid, digester.finish())).await.is_err()
                {
                    return Ok(());
                }
            } else {
                return Ok(());
            }
        }
    }

    /// The bytes of one message; `None` when it is not there, or has more than `most`.
    pub(super) async fn whole(&mut self, uid: u32, most: u64) -> Result<Option<Vec<u8>>, Fault> {
        let mut bytes = Vec::new();
        let there = self.in_pieces(uid, 0, most, |piece| bytes.extend_from_slice(piece)).await?;
        Ok((there && bytes.len() as u64 <= most).then_some(bytes))
    }

    /// Reads a message of about `size` bytes in pieces, and no further than a little beyond `most`; false when it is
    /// not there.
    async fn in_pieces(&mut self, uid: u32, size: u64, most: u64, mut take: impl FnMut(&[u8])) -> Result<bool, Fault> {
        let (mut asked, mut at) = (0, 0);
        let mut under_way = VecDeque::new();
        let (mut ended, mut excess) = (false, false);
        loop {
            // Ahead of the answers only as far as the message reaches, so that nothing is asked for in vain.
            while !ended && (under_way.is_empty() || (under_way.len() < AHEAD && asked < size)) {
                let command = format!("UID FETCH {uid} (UID BODY.PEEK[]<{asked}.{PIECE}>)");
                under_way.push_back((asked, self.begin(command).await?));
                asked += PIECE;
            }
            let Some((from, begun)) = under_way.pop_front() else { return Ok(true) };
            self.finish(begun, |response| {
                if let Some((found, origin, piece)) = part(response)
                    && found == uid
                    && origin.is_none_or(|origin| origin == at)
                    && !ended
                {
                    let length = piece.len() as u64;
                    excess |= length > PIECE;
                    if !excess {
                        take(piece);
                    }
                    at += length;
                    // A piece that is shorter than asked for is the last one.
                    ended = length < PIECE || at > most;
                }
            })
            .await?;
            if excess {
                return Err(Fault::new(
                    FaultKind::Protocol,
                    format!("{} sent more of a message than was asked for (BODY.PEEK with a range).", self.server),
                ));
            }
            if at == from && !ended {
                // Nothing came for it: the message is not there, or ended with the piece before.
                if at == 0 {
                    self.abandon(!under_way.is_empty());
                    return Ok(false);
                }
                ended = true;
            }
        }
    }
}

/// Takes the next messages that are small enough for one command.
fn small<'w>(rest: &mut &'w [(u32, u64)]) -> &'w [(u32, u64)] {
    let (mut count, mut bytes) = (0, 0);
    for (_, size) in rest.iter().take(BATCH_MESSAGES) {
        if *size > PIECE || (count > 0 && bytes + size > BATCH_BYTES) {
            break;
        }
        count += 1;
        bytes += size;
    }
    let (batch, others) = rest.split_at(count);
    *rest = others;
    batch
}

fn body<'a>(response: &'a Response<'_>) -> Option<(u32, &'a [u8])> {
    part(response).map(|(uid, _, bytes)| (uid, bytes))
}

/// A message's UID, where its bytes begin, if the server says so, and the bytes.
fn part<'a>(response: &'a Response<'_>) -> Option<(u32, Option<u64>, &'a [u8])> {
    let Response::Fetch(_, items) = response else { return None };
    let uid = uid(items)?;
    items.iter().find_map(|item| match item {
        AttributeValue::BodySection { section: None, index, data } => {
            Some((uid, index.map(u64::from), data.as_deref().unwrap_or_default()))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_asks_for_no_more_than_its_share() {
        let wanted: Vec<(u32, u64)> =
            (1..=300).map(|uid| (uid, if uid == 200 { PIECE + 1 } else { 100_000 })).collect();
        let mut rest = wanted.as_slice();
        let mut sizes = Vec::new();
        while rest.first().is_some_and(|(_, size)| *size <= PIECE) {
            sizes.push(small(&mut rest).len());
        }
        assert_eq!((sizes.iter().sum::<usize>(), rest[0].0), (199, 200));
        assert!(sizes.iter().all(|count| (1..=41).contains(count)), "{sizes:?}");
        let mut tiny: &[(u32, u64)] = &[(1, 0); 1000];
        assert_eq!(small(&mut tiny).len(), BATCH_MESSAGES);
    }
}
