//! How long a first copy may take, from a small sample. Pure: the caller holds the clock.

use super::report::Duration;

/// What was fetched to measure.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sample {
    /// Whole messages.
    pub(super) messages: u64,
    /// Their bytes.
    pub(super) bytes: u64,
    /// How long that took.
    pub(super) seconds: f64,
}

impl Sample {
    /// A range: from what the source's speed allows by the kinder of the two measures (messages, bytes), to three
    /// times what it allows by the harsher, since the destination writes slower than the source reads and its speed
    /// is not measured. `None` where nothing was fetched, or nothing is to do.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a rough range
    pub(super) fn estimate(&self, messages: u64, bytes: u64) -> Option<Duration> {
        if self.messages == 0 || messages == 0 {
            return None;
        }
        let seconds = self.seconds.max(0.001);
        let by_messages = messages as f64 * seconds / self.messages as f64;
        let by_bytes = bytes as f64 * seconds / self.bytes.max(1) as f64;
        Some(Duration {
            low_seconds: by_messages.min(by_bytes).floor() as u64,
            high_seconds: (3.0 * by_messages.max(by_bytes)).ceil().max(1.0) as u64,
            sample_messages: self.messages,
            sample_bytes: self.bytes,
            sample_millis: (self.seconds * 1000.0).round() as u64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_is_a_range_that_grows_with_the_work() {
        let sample = Sample { messages: 50, bytes: 1_000_000, seconds: 2.0 };
        for (messages, bytes, expect) in [
            (50, 1_000_000, Some((2, 6))),
            (5_000, 100_000_000, Some((200, 600))),
            (5_000, 10_000_000, Some((20, 600))),
            (100, 1_000_000_000, Some((4, 6_000))),
            (0, 0, None),
        ] {
            let told = sample.estimate(messages, bytes).map(|d| (d.low_seconds, d.high_seconds));
            assert_eq!(told, expect, "{messages} messages, {bytes} bytes");
        }
        assert_eq!(Sample::default().estimate(10, 10), None);
        let instant = Sample { messages: 1, bytes: 0, seconds: 0.0 };
        assert!(instant.estimate(10, 10).is_some_and(|d| d.low_seconds <= d.high_seconds && d.high_seconds >= 1));
    }
}
