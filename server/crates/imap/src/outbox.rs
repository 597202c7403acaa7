//! Bytes that wait to be sent. Messages are not copied: their pieces are queued as they came, and leave together with
//! the text between them in one vectored write.

use bytes::{Buf, Bytes, BytesMut};
use std::{collections::VecDeque, io::IoSlice};

/// Smaller pieces are copied next to each other; a slice of its own would cost more.
const SMALL: usize = 1 << 10;
/// How many pieces leave with one write.
pub(crate) const SLICES: usize = 64;

/// Bytes in the order in which they leave.
#[derive(Default)]
pub(crate) struct Outbox {
    queue: VecDeque<Bytes>,
    /// What comes behind the queue, still growing.
    tail: BytesMut,
    len: usize,
}

impl Outbox {
    /// How many bytes wait.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether none waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Adds text, by copying it.
    pub(crate) fn text(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
        self.len += bytes.len();
    }

    /// Adds a piece of a message.
    pub(crate) fn data(&mut self, bytes: Bytes) {
        if bytes.len() < SMALL {
            return self.text(&bytes);
        }
        if !self.tail.is_empty() {
            self.queue.push_back(self.tail.split().freeze());
        }
        self.len += bytes.len();
        self.queue.push_back(bytes);
    }

    /// The next pieces to send; how many of the slices are in use.
    pub(crate) fn fill<'a>(&'a self, slices: &mut [IoSlice<'a>; SLICES]) -> usize {
        let pieces = self.queue.iter().map(Bytes::as_ref).chain([self.tail.as_ref()]).filter(|piece| !piece.is_empty());
        let mut count = 0;
        for (slot, piece) in slices.iter_mut().zip(pieces) {
            *slot = IoSlice::new(piece);
            count += 1;
        }
        count
    }

    /// So many bytes were sent.
    pub(crate) fn advance(&mut self, mut sent: usize) {
        self.len -= sent;
        while let Some(first) = self.queue.front_mut() {
            if sent < first.len() {
                return first.advance(sent);
            }
            sent -= first.len();
            self.queue.pop_front();
        }
        self.tail.advance(sent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_leave_in_order_however_they_are_cut(
            pieces in proptest::collection::vec((any::<bool>(), 0usize..5_000, any::<u8>()), 0..150),
            cuts in proptest::collection::vec(1usize..9_000, 1..50),
        ) {
            let mut outbox = Outbox::default();
            let (mut expected, mut sent) = (Vec::new(), Vec::new());
            let mut cuts = cuts.iter().cycle();
            for (text, length, byte) in pieces {
                let piece = vec![byte; length];
                expected.extend_from_slice(&piece);
                if text { outbox.text(&piece) } else { outbox.data(piece.into()) }
                take(&mut outbox, *cuts.next().unwrap(), &mut sent);
            }
            while !outbox.is_empty() {
                take(&mut outbox, *cuts.next().unwrap(), &mut sent);
            }
            prop_assert_eq!(sent, expected);
            prop_assert_eq!(outbox.fill(&mut [IoSlice::new(&[]); SLICES]), 0);
        }
    }

    fn take(outbox: &mut Outbox, most: usize, sent: &mut Vec<u8>) {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let count = outbox.fill(&mut slices);
        let all: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.iter().copied()).take(most).collect();
        sent.extend_from_slice(&all);
        let taken = all.len();
        outbox.advance(taken);
    }
}
