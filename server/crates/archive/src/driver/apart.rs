//! Work that blocks, on a thread apart: it ends soon after nobody waits for it any more.

use gatepost_transfer::{Fault, FaultKind};
use tokio::{
    runtime::Handle,
    sync::mpsc::{self, error::TrySendError},
};
use tokio_util::sync::CancellationToken;

/// What blocking work speaks through.
pub(super) struct Line {
    handle: Handle,
    pub stop: CancellationToken,
}

impl Line {
    /// Hands something over, waiting for room; false when nobody wants it any more.
    pub fn send<T>(&self, out: &mpsc::Sender<T>, item: T) -> bool {
        match out.try_send(item) {
            Ok(()) => true,
            Err(TrySendError::Closed(_)) => false,
            Err(TrySendError::Full(item)) => self.handle.block_on(async {
                tokio::select! {
                    sent = out.send(item) => sent.is_ok(),
                    () = self.stop.cancelled() => false,
                }
            }),
        }
    }

    /// Waits for the next thing to do; `None` when there will be none, or nobody wants what comes of it.
    pub fn next<W, T>(&self, wanted: &mut mpsc::Receiver<W>, out: &mpsc::Sender<T>) -> Option<W> {
        self.handle.block_on(async {
            tokio::select! {
                next = wanted.recv() => next,
                () = out.closed() => None,
                () = self.stop.cancelled() => None,
            }
        })
    }
}

/// Does blocking work. Where the future is dropped, the work is told to stop.
pub(super) async fn apart<T: Send + 'static>(
    work: impl FnOnce(&Line) -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let line = Line { handle: Handle::current(), stop: CancellationToken::new() };
    let _stop = line.stop.clone().drop_guard();
    match tokio::task::spawn_blocking(move || work(&line)).await {
        Ok(done) => done,
        Err(error) => Err(Fault::new(
            FaultKind::Internal,
            "The reading of a file broke off. Start the run again; if it breaks off again, the log tells where.",
        )
        .because(error)),
    }
}
