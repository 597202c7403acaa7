//! Hours and days of a budget: how long until they begin, and how long work lasts within them. Pure.

use std::time::Duration;
use time::{OffsetDateTime, Time};

/// What cannot be done within ten years is said to last ten years.
const MOST_DAYS: u32 = 3_650;

/// How long it is until the hours begin; `None` within them.
pub(super) fn until_hours(now: OffsetDateTime, from: Time, to: Time) -> Option<Duration> {
    let time = now.time();
    let within = if from <= to { from <= time && time < to } else { from <= time || time < to };
    (!within).then(|| until(now, from))
}

/// How long it is until the clock shows this time next.
pub(super) fn until(now: OffsetDateTime, time: Time) -> Duration {
    let mut at = now.replace_time(time);
    if at <= now {
        at += time::Duration::DAY;
    }
    Duration::try_from(at - now).unwrap_or(Duration::from_secs(1))
}

/// Work that is to be done within the hours and the bytes of each day.
#[derive(Clone, Debug)]
pub(super) struct Work {
    /// Seconds of work.
    pub seconds: f64,
    /// Bytes to move.
    pub bytes: u64,
    /// Bytes that a day may have, and what is left of them today.
    pub per_day: Option<u64>,
    pub today: Option<u64>,
    pub hours: Option<(Time, Time)>,
}

impl Work {
    /// How long it lasts from now on, waits included.
    pub fn lasts(&self, now: OffsetDateTime) -> Duration {
        let midnight = now.replace_time(Time::MIDNIGHT);
        let began = (now - midnight).as_seconds_f64();
        // As parts of the work: what is left, and what a day's bytes allow.
        let mut left = 1.0_f64;
        let part = |bytes: Option<u64>| match bytes {
            Some(bytes) if self.bytes > 0 => bytes as f64 / self.bytes as f64,
            _ => f64::INFINITY,
        };
        for day in 0..MOST_DAYS {
            let mut room = part(if day == 0 { self.today } else { self.per_day });
            for (from, to) in self.windows().into_iter().flatten() {
                let from = if day == 0 { from.max(began) } else { from };
                if from >= to {
                    continue;
                }
                let in_time = if self.seconds > 0.0 { (to - from) / self.seconds } else { f64::INFINITY };
                if left <= room.min(in_time) {
                    let end = f64::from(day) * 86_400.0 + from + left * self.seconds;
                    return Duration::try_from_secs_f64((end - began).max(0.0)).unwrap_or_default();
                }
                let done = room.min(in_time);
                left -= done;
                room -= done;
            }
        }
        Duration::from_secs(u64::from(MOST_DAYS) * 86_400)
    }

    /// The parts of a day that may be worked, in seconds since midnight.
    fn windows(&self) -> [Option<(f64, f64)>; 2] {
        let seconds = |time: Time| (time - Time::MIDNIGHT).as_seconds_f64();
        match self.hours {
            None => [Some((0.0, 86_400.0)), None],
            Some((from, to)) if from <= to => [Some((seconds(from), seconds(to))), None],
            Some((from, to)) => [Some((0.0, seconds(to))), Some((seconds(from), 86_400.0))],
        }
    }
}
