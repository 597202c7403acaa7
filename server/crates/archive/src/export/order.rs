//! Hands messages that several threads have made to the mbox files, in the order of the store.
//!
//! Each message has a number, and one thread that makes it. Whoever brings the number that is due writes it and all that
//! wait behind it; whoever is too far ahead waits, so that little is held.

use super::mboxes::{Made, Mboxes};
use crate::ArchiveError;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

/// How many bytes may wait for those in front of them, before their thread waits too.
const MOST_WAITING: usize = 4 << 20;
/// What is said where threads that read the same file did not find the same in it.
const CHANGED: &str = "The file was changed while it was read. Let it come to rest, or copy it, and begin again.";
/// How many buffers are kept to be used again, and how large each may be.
const SPARE: usize = 8;
const LARGEST_SPARE: usize = 512 << 10;

/// What all threads share.
pub(super) struct Order {
    state: Mutex<State>,
    /// Something was written, or it came to an end.
    moved: Condvar,
}

struct State {
    /// The number that is due.
    next: u64,
    /// What was brought too early; a number may be that of nothing to be written here.
    waiting: BTreeMap<u64, Option<Made>>,
    /// Bytes of these.
    held: usize,
    /// `None` while a thread writes.
    files: Option<Mboxes>,
    spare: Vec<Vec<u8>>,
    stopped: bool,
    /// Threads that have not come to their end.
    threads: u64,
    /// The numbers of those that wait.
    stuck: BTreeSet<u64>,
}

impl State {
    /// Whether all wait for a number that nobody will bring.
    fn is_stalled(&self) -> bool {
        self.held > MOST_WAITING
            && self.files.is_some()
            && !self.waiting.contains_key(&self.next)
            && self.stuck.len() as u64 == self.threads
            && self.stuck.iter().all(|number| *number > self.next)
    }
}

impl Order {
    /// For numbers from 1, which so many threads bring.
    pub fn new(files: Mboxes, threads: u64) -> Self {
        let state = State {
            next: 1,
            waiting: BTreeMap::new(),
            held: 0,
            files: Some(files),
            spare: Vec::new(),
            stopped: false,
            threads,
            stuck: BTreeSet::new(),
        };
        Self { state: Mutex::new(state), moved: Condvar::new() }
    }

    /// A buffer to make a message in.
    pub fn buffer(&self) -> Vec<u8> {
        self.lock().spare.pop().unwrap_or_default()
    }

    /// Takes what has a number, and writes what is due. Every number must come once.
    ///
    /// # Errors
    /// Where a file cannot be written, or the threads have not read the same; [`ArchiveError::Stopped`] where another
    /// thread has failed.
    pub fn hand_over(&self, number: u64, made: Option<Made>) -> Result<(), ArchiveError> {
        let mut state = self.lock();
        state.held += made.as_ref().map_or(0, Made::held);
        state.waiting.insert(number, made);
        loop {
            if state.stopped {
                return Err(ArchiveError::Stopped);
            }
            let due = state.next;
            if state.waiting.contains_key(&due)
                && let Some(mut files) = state.files.take()
            {
                let made = state.waiting.remove(&due).flatten();
                drop(state);
                let (held, written) = match made {
                    Some(made) => (made.held(), files.add(made)),
                    None => (0, Ok(Vec::new())),
                };
                state = self.lock();
                state.files = Some(files);
                state.next += 1;
                state.held -= held;
                match written {
                    Ok(buffer) if (1..=LARGEST_SPARE).contains(&buffer.capacity()) && state.spare.len() < SPARE => {
                        state.spare.push(buffer);
                    }
                    Ok(_) => {}
                    Err(error) => {
                        state.stopped = true;
                        self.moved.notify_all();
                        return Err(error.into());
                    }
                }
                self.moved.notify_all();
            } else if state.held <= MOST_WAITING || number < due {
                return Ok(());
            } else {
                state.stuck.insert(number);
                if state.is_stalled() {
                    state.stopped = true;
                    self.moved.notify_all();
                    return Err(ArchiveError::Damaged(CHANGED.to_owned()));
                }
                state = self.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.stuck.remove(&number);
            }
        }
    }

    /// A thread brings no more. Whoever waits looks whether anybody will.
    fn through(&self) {
        let mut state = self.lock();
        state.threads = state.threads.saturating_sub(1);
        drop(state);
        self.moved.notify_all();
    }

    /// Nobody waits for more: a thread has ended before its time.
    pub fn stop(&self) {
        self.lock().stopped = true;
        self.moved.notify_all();
    }

    /// The files, where everything was handed over.
    pub fn into_files(self) -> Option<Mboxes> {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        state.files.filter(|_| state.waiting.is_empty() && !state.stopped)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stops the others where a thread ends before its time, be it by a panic.
pub(super) struct Lookout<'a> {
    order: Option<&'a Order>,
}

impl<'a> Lookout<'a> {
    pub const fn new(order: Option<&'a Order>) -> Self {
        Self { order }
    }

    /// The thread came to its end.
    pub fn through(mut self) {
        if let Some(order) = self.order.take() {
            order.through();
        }
    }
}

impl Drop for Lookout<'_> {
    fn drop(&mut self) {
        if let Some(order) = self.order {
            order.stop();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn long() -> Option<Made> {
        Some(Made::of_bytes(vec![b'x'; MOST_WAITING + 1]))
    }

    #[test]
    fn who_waits_for_a_number_that_never_comes_is_told() {
        let order = Order::new(Mboxes::default(), 2);
        let (one, other) = (Lookout::new(Some(&order)), Lookout::new(Some(&order)));
        std::thread::scope(|scope| {
            // Whichever comes first: the end of the one, or the wait of the other.
            let waiting = scope.spawn(|| order.hand_over(2, long()));
            one.through();
            let told = waiting.join().unwrap().unwrap_err();
            assert!(matches!(&told, ArchiveError::Damaged(why) if why == CHANGED), "{told}");
        });
        drop(other);
        assert!(order.into_files().is_none());
    }
}
