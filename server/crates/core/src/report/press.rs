//! How many reports are made at once. A turn covers all of the work: what is read for a report, its bytes, and its pages.

use crate::{Error, Result};
use std::sync::{Arc, LazyLock};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Two at a time; the others wait. Links ask for them without a log-in.
pub(super) static PRESS: LazyLock<Press> = LazyLock::new(|| Press::new(2));

/// The places at which reports are made.
#[derive(Debug)]
pub(super) struct Press(Arc<Semaphore>);

/// One of them, until it is dropped.
#[derive(Debug)]
#[must_use = "the place is free again when this is dropped"]
pub(super) struct Turn {
    _place: OwnedSemaphorePermit,
}

impl Press {
    fn new(places: usize) -> Self {
        Self(Arc::new(Semaphore::new(places)))
    }

    /// Waits for a place.
    pub(super) async fn turn(&self) -> Result<Turn> {
        Ok(Turn { _place: Arc::clone(&self.0).acquire_owned().await.map_err(Error::internal)? })
    }
}

impl Turn {
    /// Does what blocks, on a thread of its own. That thread cannot be stopped, so the place goes with it and is not free
    /// before it has ended, even where nobody waits for it any more.
    pub(super) async fn work<T: Send + 'static>(
        self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<(T, Self)> {
        let (made, turn) = tokio::task::spawn_blocking(move || (work(), self)).await.map_err(Error::internal)?;
        Ok((made?, turn))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[tokio::test]
    async fn a_place_is_taken_until_the_work_has_ended_even_where_nobody_waits_for_it() {
        let press = Press::new(1);
        let (begun, begins) = tokio::sync::oneshot::channel();
        let (end, ends) = mpsc::channel::<()>();
        let turn = press.turn().await.unwrap();
        let asked = tokio::spawn(turn.work(move || {
            let _ = begun.send(());
            let _ = ends.recv();
            Ok(())
        }));
        begins.await.unwrap();
        asked.abort();
        assert!(asked.await.unwrap_err().is_cancelled());
        assert_eq!(press.0.available_permits(), 0, "the work goes on");
        end.send(()).unwrap();
        let (made, turn) = press.turn().await.unwrap().work(|| Ok(7)).await.unwrap();
        assert_eq!((made, press.0.available_permits()), (7, 0), "the turn is given back to its owner");
        drop(turn);
        let refused = press.turn().await.unwrap().work(|| Err::<(), _>(Error::NotFound("x"))).await;
        assert!(refused.is_err());
        assert_eq!(press.0.available_permits(), 1);
    }
}
