//! An archive on its way from one end to the other: watched, at the speed that both hosts grant.

use gatepost_core::{EngineMoved, ToolRun};
use gatepost_tools::tgz::{Broken, Contents, Watcher};
use gatepost_transfer::Throttle;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    time::{Instant, sleep, timeout},
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
pub(super) struct Pace<'a> {
    /// What its bytes wait for: the whole wave's pace, whatever it is at the moment.
    pub throttle: &'a Throttle,
    /// Messages in a second, on the average.
    pub messages_per_second: Option<f64>,
}

impl Pace<'_> {
    /// Waits until so many more bytes may pass, after so many messages in this time.
    async fn wait(self, bytes: usize, messages: u64, took: Duration) {
        self.throttle.pass(bytes as u64).await;
        let early = self.least(messages).saturating_sub(took);
        if !early.is_zero() {
            sleep(early).await;
        }
    }

    /// How long so many messages must have taken at least.
    #[expect(clippy::cast_precision_loss, reason = "a rate need not be exact")]
    fn least(self, messages: u64) -> Duration {
        let rate = self.messages_per_second.filter(|rate| *rate > 0.0);
        let seconds = rate.map_or(0.0, |rate| messages as f64 / rate);
        Duration::try_from_secs_f64(seconds).unwrap_or(SILENCE)
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
    pace: Pace<'_>,
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
        (run.moved)(EngineMoved { folder: None, messages: 0, bytes: now - *said, uids: &[] });
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
        tokio::select! {
            () = pace.wait(read, watcher.contents().messages, began.elapsed()) => {}
            () = run.cancel.cancelled() => {
                taken = false;
                break;
            }
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
    use flate2::{Compression, write::GzEncoder};
    use gatepost_contract::Level;
    use gatepost_transfer::Pacer;
    use std::{io::Write, path::Path, sync::Arc};
    use tokio::io::duplex;
    use tokio_util::sync::CancellationToken;

    #[tokio::test]
    async fn an_archive_keeps_the_pace_that_its_wave_has_at_the_moment() {
        // A tar without entries is all zeros.
        let mut gzip = GzEncoder::new(Vec::new(), Compression::none());
        gzip.write_all(&[0; 4 * PIECE]).expect("memory takes it");
        let archive = gzip.finish().expect("memory takes it");
        let ((mut sender, mut from), (mut to, mut taker)) = (duplex(8 * PIECE), duplex(8 * PIECE));
        sender.write_all(&archive).await.expect("there is room");
        drop(sender);
        let (pacer, throttle) = (Arc::new(Pacer::new(1)), Throttle::default());
        throttle.follow(Some(pacer.clone()));
        let (cancel, note, moved) = (CancellationToken::new(), |_: Level, _: String| {}, |_: EngineMoved<'_>| {});
        let run = ToolRun { work: Path::new("/"), log: Path::new("/"), note: &note, moved: &moved, cancel: &cancel };
        let pace = Pace { throttle: &throttle, messages_per_second: None };
        let take = async {
            // The first piece passes at once; the others would take most of a day.
            let mut taken = vec![0; PIECE];
            taker.read_exact(&mut taken).await.expect("it reads");
            pacer.set_rate(u64::MAX);
            taker.read_to_end(&mut taken).await.expect("it reads");
            taken
        };
        let both = async { tokio::join!(carry(&mut from, &mut to, pace, b"", &run), take) };
        let (flowed, taken) = timeout(Duration::from_secs(600), both).await.expect("the new pace");
        assert!(flowed.whole.is_ok() && taken == archive, "{flowed:?}");
    }

    #[test]
    fn messages_take_the_time_that_both_hosts_grant_them() {
        let throttle = Throttle::default();
        let pace = |messages_per_second| Pace { throttle: &throttle, messages_per_second };
        assert_eq!(pace(Some(0.5)).least(10), Duration::from_secs(20));
        assert_eq!(pace(None).least(u64::MAX), Duration::ZERO);
        assert_eq!(pace(Some(0.0)).least(1), Duration::ZERO);
    }
}
