//! An archive on its way from one end to the other: watched, at the speed that both hosts grant.

use gatepost_core::{EngineMoved, ToolRun};
use gatepost_tools::tgz::{Broken, Contents, Watcher};
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    time::{sleep, timeout},
};

/// How much is looked at and handed on at once.
const PIECE: usize = 16 << 10;
/// How long nothing may move. A server prepares a large mailbox before it sends its first byte, and takes as long for one
/// that it was sent.
const SILENCE: Duration = Duration::from_secs(2 * 60 * 60);
/// How often it is said what has gone by.
const SAY_EVERY: Duration = Duration::from_millis(250);

/// How fast it may go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    bytes: Option<f64>,
    messages: Option<f64>,
}

impl Pace {
    pub fn new(bytes: Option<u64>, messages: Option<f64>) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a rate need not be exact")]
        let bytes = bytes.filter(|rate| *rate > 0).map(|rate| rate as f64);
        Self { bytes, messages: messages.filter(|rate| *rate > 0.0) }
    }

    /// How long so much must have taken at least.
    #[expect(clippy::cast_precision_loss, reason = "a rate need not be exact")]
    fn least(self, bytes: u64, messages: u64) -> Duration {
        let seconds = |rate: Option<f64>, amount: u64| rate.map_or(0.0, |rate| amount as f64 / rate);
        Duration::try_from_secs_f64(seconds(self.bytes, bytes).max(seconds(self.messages, messages))).unwrap_or(SILENCE)
    }
}

/// What became of an archive.
#[derive(Debug)]
pub(super) struct Flowed {
    /// Bytes of it.
    pub bytes: u64,
    /// What was seen in it.
    pub contents: Contents,
    /// Whether it was whole.
    pub whole: Result<Contents, Broken>,
    /// Whether everything that came was taken at the other end.
    pub taken: bool,
    /// Whether nothing moved for too long.
    pub stalled: bool,
    /// Whether the sender ended it. Otherwise the sender may be at work still.
    pub ended: bool,
}

/// Hands an archive on until it ends. Only where it was whole, the other end is told so by `word` and closed.
pub(super) async fn carry(
    from: &mut DuplexStream,
    to: &mut DuplexStream,
    pace: Pace,
    word: &[u8],
    run: &ToolRun<'_>,
) -> Flowed {
    let began = Instant::now();
    let (mut watcher, mut buffer) = (Watcher::default(), vec![0; PIECE]);
    let (mut said, mut said_at) = (0, began);
    let (mut taken, mut stalled, mut ended) = (true, false, false);
    // Messages are counted where they have arrived: the archive's are only claims.
    let say = |watcher: &Watcher, said: &mut u64| {
        let now = watcher.bytes();
        (run.moved)(EngineMoved { folder: None, messages: 0, bytes: now - *said });
        *said = now;
    };
    loop {
        let read = tokio::select! {
            read = timeout(SILENCE, from.read(&mut buffer)) => read,
            () = run.cancel.cancelled() => break,
        };
        let read = match read {
            Ok(Ok(0) | Err(_)) => {
                ended = true;
                break;
            }
            Ok(Ok(read)) => read,
            Err(_) => {
                stalled = true;
                break;
            }
        };
        watcher.take(&buffer[..read]);
        if watcher.is_damaged() {
            break;
        }
        match timeout(SILENCE, to.write_all(&buffer[..read])).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => {
                taken = false;
                break;
            }
            Err(_) => {
                (taken, stalled) = (false, true);
                break;
            }
        }
        if said_at.elapsed() >= SAY_EVERY {
            said_at = Instant::now();
            say(&watcher, &mut said);
        }
        let early = pace.least(watcher.bytes(), watcher.contents().messages).saturating_sub(began.elapsed());
        if !early.is_zero() {
            tokio::select! {
                () = sleep(early) => {}
                () = run.cancel.cancelled() => break,
            }
        }
    }
    say(&watcher, &mut said);
    let whole = match watcher.finish() {
        // What was not taken cannot have been imported whole.
        Ok(_) if !taken => Err(Broken::Cut { bytes: watcher.bytes() }),
        other => other,
    };
    if whole.is_ok() {
        let told = timeout(SILENCE, async {
            to.write_all(word).await?;
            to.shutdown().await
        });
        taken = matches!(told.await, Ok(Ok(())));
    }
    Flowed { bytes: watcher.bytes(), contents: watcher.contents(), whole, taken, stalled, ended }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slower_of_two_rates_counts() {
        let pace = Pace::new(Some(1000), Some(0.5));
        assert_eq!(pace.least(4000, 0), Duration::from_secs(4));
        assert_eq!(pace.least(4000, 10), Duration::from_secs(20));
        assert_eq!(Pace::new(None, None).least(u64::MAX, u64::MAX), Duration::ZERO);
        assert_eq!(Pace::new(Some(0), Some(0.0)).least(1, 1), Duration::ZERO);
    }
}
