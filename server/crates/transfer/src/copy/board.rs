//! Who does what: the folders of a copy, the chunks of those that are being sent, and the lanes that take them.
//!
//! Every folder is *queued*, *surveyed* by one lane, then *sent* by any number of lanes, chunk by chunk, and at last
//! *done*. When a line breaks while a folder is being sent, the others finish the chunks they have and take no new ones
//! (*draining*); the last one to leave puts the folder back into the queue, because only a survey can tell what became
//! of the messages in doubt. Two folders that go to one place are never at work at the same time.
//!
//! No lock is held while anybody waits.

use super::survey::Ready;
use crate::{Fault, Flags, FolderPath, InternalDate, Ledger, LedgerRow};
use gatepost_contract::{FolderId, MessageId};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

/// How many messages one chunk holds at most, and how many bytes, unless one message alone weighs more.
pub(super) const CHUNK_MESSAGES: usize = 200;
const CHUNK_BYTES: u64 = 6 << 20;
/// How many rows are read from the ledger at once.
const PAGE: u32 = 2_000;

/// The number of chunks that are sent once more, and have lost their place.
pub(super) const UNORDERED: u64 = u64::MAX;

/// A message to be sent.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub uid: u32,
    pub size: u64,
    pub internal_date: InternalDate,
    pub flags: Flags,
    /// Its size once mended; only where it is to be mended.
    pub mended: Option<u64>,
}

impl From<LedgerRow> for Row {
    fn from(row: LedgerRow) -> Self {
        let LedgerRow { uid, size, internal_date, flags, .. } = row;
        Self { uid, size, internal_date, flags, mended: None }
    }
}

/// How a chunk's messages are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// Stored all or none, where the destination can.
    Together,
    /// Each by itself: they were refused together.
    Singly,
    /// Each by itself, with bare line ends and NULs mended: they were refused as they are.
    Mended,
}

/// Messages that one lane sends at once.
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    /// Its place in the folder's order.
    pub number: u64,
    pub manner: Manner,
    pub rows: Vec<Row>,
}

/// What a lane does next.
pub(super) enum Next {
    /// Survey this folder.
    Survey(usize),
    /// Send chunks of this folder, which was surveyed as told.
    Send(usize, Arc<Ready>),
    /// Nothing is left.
    End,
}

/// Chunks of a folder that is being sent.
struct Sending {
    ready: Arc<Ready>,
    /// Rows read from the ledger and not given out.
    rows: VecDeque<Row>,
    /// The last row that was read.
    read_to: Option<MessageId>,
    all_read: bool,
    reading: bool,
    /// Chunks to be sent in another manner.
    again: VecDeque<Chunk>,
    next_number: u64,
    /// Chunks that were given out and not answered yet, and the lane that has each.
    open: BTreeMap<u64, usize>,
    lanes: usize,
    draining: bool,
    given_up: bool,
    wants_finish: bool,
    careful: bool,
}

enum Phase {
    Queued { not_before: Option<Instant> },
    Surveying,
    Sending(Sending),
    Done,
}

struct Entry {
    id: FolderId,
    /// Equal for folders that go to one place.
    place: FolderPath,
    weight: u64,
    phase: Phase,
}

struct State {
    entries: Vec<Entry>,
    lanes: usize,
    fatal: Option<Fault>,
    tries: u32,
    pausing_until: Option<Instant>,
    /// Everybody waits until then: a server asked for it.
    not_before: Option<Instant>,
}

/// What became of a lane's part in a folder.
pub(super) enum Left {
    /// Others go on, or chunks are left.
    Others,
    /// All was sent: this lane finishes the folder.
    Finish,
}

pub(super) struct Board<'a> {
    state: Mutex<State>,
    changed: Notify,
    ledger: &'a dyn Ledger,
    pub cancel: &'a CancellationToken,
}

/// A folder as the board takes it.
pub(super) struct NewEntry {
    pub id: FolderId,
    pub place: FolderPath,
    pub weight: u64,
    /// Nothing is to be done in it.
    pub done: bool,
}

impl<'a> Board<'a> {
    pub fn new(entries: Vec<NewEntry>, ledger: &'a dyn Ledger, cancel: &'a CancellationToken) -> Self {
        let entries = entries
            .into_iter()
            .map(|NewEntry { id, place, weight, done }| Entry {
                id,
                place,
                weight,
                phase: if done { Phase::Done } else { Phase::Queued { not_before: None } },
            })
            .collect();
        let state = State { entries, lanes: 0, fatal: None, tries: 0, pausing_until: None, not_before: None };
        Self { state: Mutex::new(state), changed: Notify::new(), ledger, cancel }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A lane begins to take part.
    pub fn enter(&self) {
        self.lock().lanes += 1;
    }

    /// A lane that cannot go on leaves the work to the others; false where there are none.
    pub fn retire(&self) -> bool {
        let mut state = self.lock();
        if state.lanes > 1 {
            state.lanes -= 1;
            drop(state);
            self.changed.notify_waiters();
            true
        } else {
            false
        }
    }

    /// How many lanes take part.
    pub fn lanes(&self) -> usize {
        self.lock().lanes
    }

    /// Ends the whole copy.
    pub fn fail(&self, fault: Fault) {
        self.lock().fatal.get_or_insert(fault);
        self.changed.notify_waiters();
    }

    /// What ended the whole copy.
    pub fn take_fatal(&self) -> Option<Fault> {
        self.lock().fatal.take()
    }

    /// Something was achieved: breaking off does not count as being stuck.
    pub fn progress(&self) {
        let mut state = self.lock();
        (state.tries, state.pausing_until) = (0, None);
    }

    /// One more failure in a row, and when to try again. Lanes that break off while another one pauses already have
    /// met the same trouble: they share its pause and do not count.
    pub fn another_try(&self, pause: impl FnOnce(u32) -> Duration) -> (u32, Instant, bool) {
        let mut state = self.lock();
        let now = Instant::now();
        if let Some(until) = state.pausing_until.filter(|until| *until > now) {
            return (state.tries, until, false);
        }
        state.tries += 1;
        let until = now + pause(state.tries);
        state.pausing_until = Some(until);
        (state.tries, until, true)
    }

    /// Nobody begins anything before then.
    pub fn hold_until(&self, at: Instant) {
        let mut state = self.lock();
        state.not_before = Some(state.not_before.map_or(at, |other| other.max(at)));
    }

    /// Waits for something to do.
    pub async fn next(&self) -> Next {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let wake = match self.try_next() {
                Ok(next) => return next,
                Err(wake) => wake,
            };
            let timer = async {
                match wake {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = &mut changed => {}
                () = timer => {}
                () = self.cancel.cancelled() => return Next::End,
            }
        }
    }

    /// Something to do now, or when to look again.
    fn try_next(&self) -> Result<Next, Option<Instant>> {
        let mut state = self.lock();
        if state.fatal.is_some() || self.cancel.is_cancelled() {
            return Ok(Next::End);
        }
        if state.entries.iter().all(|e| matches!(e.phase, Phase::Done)) {
            return Ok(Next::End);
        }
        let now = Instant::now();
        if let Some(at) = state.not_before.filter(|at| *at > now) {
            return Err(Some(at));
        }
        let mut wake: Option<Instant> = None;
        let mut best: Option<usize> = None;
        for (n, entry) in state.entries.iter().enumerate() {
            let Phase::Queued { not_before } = entry.phase else { continue };
            if let Some(at) = not_before.filter(|at| *at > now) {
                wake = Some(wake.map_or(at, |other| other.min(at)));
                continue;
            }
            let taken = |e: &Entry| {
                e.id != entry.id && e.place == entry.place && matches!(e.phase, Phase::Surveying | Phase::Sending(_))
            };
            if state.entries.iter().any(taken) {
                continue;
            }
            if best.is_none_or(|b: usize| state.entries[b].weight < entry.weight) {
                best = Some(n);
            }
        }
        if let Some(n) = best {
            state.entries[n].phase = Phase::Surveying;
            return Ok(Next::Survey(n));
        }
        // Help where most is left.
        let helpable = state.entries.iter_mut().enumerate().filter_map(|(n, e)| match &mut e.phase {
            Phase::Sending(sending) if sending.has_work() => Some((n, sending)),
            _ => None,
        });
        if let Some((n, sending)) = helpable.min_by_key(|(_, s)| s.lanes) {
            sending.lanes += 1;
            return Ok(Next::Send(n, sending.ready.clone()));
        }
        Err(wake)
    }

    /// A survey found messages to send; the lane that surveyed takes part in sending them.
    /// `careful` sends each message by itself.
    pub fn publish(&self, folder: usize, ready: Arc<Ready>, careful: bool) {
        self.lock().entries[folder].phase = Phase::Sending(Sending {
            ready,
            rows: VecDeque::new(),
            read_to: None,
            all_read: false,
            reading: false,
            again: VecDeque::new(),
            next_number: 0,
            open: BTreeMap::new(),
            lanes: 1,
            draining: false,
            given_up: false,
            wants_finish: false,
            careful,
        });
        self.changed.notify_waiters();
    }

    /// A folder is through, or given up.
    pub fn done(&self, folder: usize) {
        self.lock().entries[folder].phase = Phase::Done;
        self.changed.notify_waiters();
    }

    /// A folder that failed on its own is not taken up again; lanes that still work in it finish what they have.
    pub fn give_up(&self, folder: usize) {
        let mut state = self.lock();
        match &mut state.entries[folder].phase {
            // The lane that finishes the folder has left it: nobody else would end it.
            Phase::Sending(sending) if !sending.wants_finish => {
                sending.draining = true;
                sending.given_up = true;
            }
            phase => *phase = Phase::Done,
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// The folders that are not done.
    pub fn unfinished(&self) -> Vec<usize> {
        let state = self.lock();
        state.entries.iter().enumerate().filter(|(_, e)| !matches!(e.phase, Phase::Done)).map(|(n, _)| n).collect()
    }

    /// A survey broke off: the folder is surveyed again, not before then.
    pub fn requeue(&self, folder: usize, not_before: Instant) {
        self.lock().entries[folder].phase = Phase::Queued { not_before: Some(not_before) };
        self.changed.notify_waiters();
    }

    /// The next chunk of a folder; `None` when none is left for this lane.
    ///
    /// `most` is how many messages it holds at most.
    pub async fn claim(&self, folder: usize, lane: usize, most: usize) -> Result<Option<Chunk>, Fault> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let (id, after) = {
                let mut state = self.lock();
                if state.fatal.is_some() || self.cancel.is_cancelled() {
                    return Ok(None);
                }
                let lanes = state.lanes.max(1);
                let entry = &mut state.entries[folder];
                let Phase::Sending(sending) = &mut entry.phase else { return Ok(None) };
                if sending.draining {
                    return Ok(None);
                }
                if let Some(chunk) = sending.take(lanes, most) {
                    if chunk.number != UNORDERED {
                        sending.open.insert(chunk.number, lane);
                    }
                    return Ok(Some(chunk));
                }
                if sending.all_read {
                    return Ok(None);
                }
                if sending.reading {
                    (None, None)
                } else {
                    sending.reading = true;
                    (Some(entry.id), sending.read_to)
                }
            };
            let Some(id) = id else {
                // Another lane reads the next page at the moment.
                changed.await;
                continue;
            };
            let page = self.ledger.pending(id, after, PAGE).await;
            let mut state = self.lock();
            if let Phase::Sending(sending) = &mut state.entries[folder].phase {
                sending.reading = false;
                match page {
                    Ok(page) => {
                        sending.all_read = page.len() < PAGE as usize;
                        sending.read_to = page.last().map(|r| r.id).or(sending.read_to);
                        sending.rows.extend(page.into_iter().map(Row::from));
                    }
                    Err(fault) => {
                        sending.all_read = true;
                        drop(state);
                        self.changed.notify_waiters();
                        return Err(fault);
                    }
                }
            }
            drop(state);
            self.changed.notify_waiters();
        }
    }

    /// These are to be sent in another manner.
    pub fn again(&self, folder: usize, manner: Manner, rows: Vec<Row>) {
        if rows.is_empty() {
            return;
        }
        if let Phase::Sending(sending) = &mut self.lock().entries[folder].phase {
            sending.again.push_back(Chunk { number: UNORDERED, manner, rows });
        }
        self.changed.notify_waiters();
    }

    /// Waits until every chunk before this one that another lane has was answered, so that the destination's UIDs keep
    /// the order. On one connection the server keeps it.
    pub async fn turn(&self, folder: usize, number: u64, lane: usize) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let state = self.lock();
                let waits = match &state.entries[folder].phase {
                    Phase::Sending(sending) => {
                        !sending.draining && sending.open.range(..number).any(|(_, other)| *other != lane)
                    }
                    _ => false,
                };
                if !waits || state.fatal.is_some() || self.cancel.is_cancelled() {
                    return;
                }
            }
            tokio::select! {
                () = changed => {}
                () = self.cancel.cancelled() => return,
            }
        }
    }

    /// These chunks were answered, or nothing of them was sent.
    pub fn answered(&self, folder: usize, numbers: impl IntoIterator<Item = u64>) {
        if let Phase::Sending(sending) = &mut self.lock().entries[folder].phase {
            for number in numbers {
                sending.open.remove(&number);
            }
        }
        self.changed.notify_waiters();
    }

    /// Nobody takes new chunks of the folder; it will be surveyed again.
    pub fn drain(&self, folder: usize) {
        if let Phase::Sending(sending) = &mut self.lock().entries[folder].phase {
            sending.draining = true;
        }
        self.changed.notify_waiters();
    }

    /// A lane leaves a folder. The last one finishes it, or puts it back into the queue where it was to be drained.
    pub fn leave(&self, folder: usize, not_before: Option<Instant>) -> Left {
        let mut state = self.lock();
        let Phase::Sending(sending) = &mut state.entries[folder].phase else { return Left::Others };
        sending.lanes -= 1;
        if sending.lanes > 0 {
            return Left::Others;
        }
        if sending.draining {
            let given_up = sending.given_up;
            state.entries[folder].phase = if given_up { Phase::Done } else { Phase::Queued { not_before } };
            drop(state);
            self.changed.notify_waiters();
            return Left::Others;
        }
        if sending.has_work() || self.cancel.is_cancelled() {
            drop(state);
            self.changed.notify_waiters();
            return Left::Others;
        }
        sending.wants_finish = true;
        sending.lanes = 1;
        Left::Finish
    }
}

impl Sending {
    fn has_work(&self) -> bool {
        !self.draining && !self.wants_finish && (!self.all_read || !self.rows.is_empty() || !self.again.is_empty())
    }

    /// A chunk from what was read. Small folders are cut into smaller chunks, so that every lane has its share.
    fn take(&mut self, lanes: usize, most: usize) -> Option<Chunk> {
        if self.rows.is_empty() {
            return self.again.pop_front();
        }
        let share = if self.all_read { (self.rows.len() / lanes).max(50) } else { CHUNK_MESSAGES };
        let most = share.min(most).min(CHUNK_MESSAGES);
        if self.rows.len() < most && !self.all_read {
            return None;
        }
        let (mut rows, mut bytes) = (Vec::with_capacity(most), 0);
        while rows.len() < most
            && let Some(row) = self.rows.front()
            && (rows.is_empty() || bytes + row.size <= CHUNK_BYTES)
        {
            bytes += row.size;
            rows.extend(self.rows.pop_front());
        }
        let number = self.next_number;
        self.next_number += 1;
        let manner = if self.careful { Manner::Singly } else { Manner::Together };
        Some(Chunk { number, manner, rows })
    }
}
