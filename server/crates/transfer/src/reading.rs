//! Reading from a store in the two ways that all of the engine shares: a listing in portions, and one set of messages.

use crate::{Fault, Incoming, MessageMeta, Source, UidSet, Which};
use tokio::sync::mpsc;

/// How many listed messages come at once.
pub(crate) const PORTION: usize = 1_000;

/// Lists into `take`, which works with the portions of the other end of `out`; what `take` found wrong comes first.
pub(crate) async fn listing<S: Source + ?Sized, T>(
    store: &mut S,
    which: Which,
    out: mpsc::Sender<MessageMeta>,
    take: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    let (listed, taken) = tokio::join!(store.list(which, out), take);
    let taken = taken?;
    listed.map(|()| taken)
}

/// A listing that comes in portions, so that memory does not grow with the folder. Dropping it ends the listing.
pub(crate) struct Portions(mpsc::Receiver<MessageMeta>);

pub(crate) fn portions() -> (mpsc::Sender<MessageMeta>, Portions) {
    let (out, listed) = mpsc::channel(PORTION);
    (out, Portions(listed))
}

impl Portions {
    /// The next portion; `None` at the end.
    pub async fn next(&mut self) -> Option<Vec<MessageMeta>> {
        let mut portion = Vec::with_capacity(PORTION);
        while portion.len() < PORTION {
            let room = PORTION - portion.len();
            if self.0.recv_many(&mut portion, room).await == 0 {
                break;
            }
        }
        (!portion.is_empty()).then_some(portion)
    }
}

/// A listing as a whole, by ascending UID.
pub(crate) async fn list_all<S: Source + ?Sized>(store: &mut S, which: Which) -> Result<Vec<MessageMeta>, Fault> {
    let (out, mut listed) = mpsc::channel(PORTION);
    let mut all = Vec::new();
    let take = async { while listed.recv_many(&mut all, PORTION).await > 0 {} };
    let (listed, ()) = tokio::join!(store.list(which, out), take);
    listed?;
    all.sort_unstable_by_key(|m| m.uid);
    Ok(all)
}

/// Fetches one set of messages.
pub(crate) async fn fetch_set<S: Source + ?Sized>(
    store: &mut S,
    uids: UidSet,
    out: mpsc::Sender<Incoming>,
) -> Result<(), Fault> {
    let (ask, wanted) = mpsc::channel(1);
    let asking = async move {
        // Who does not want it any more has ended with a fault of its own.
        let _ = ask.send(uids).await;
    };
    tokio::join!(store.fetch(wanted, out), asking).0
}
