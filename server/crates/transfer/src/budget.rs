//! What a host may be asked for, shared by every run that talks to it: connections at a time, messages in a second,
//! bytes in a day, hours of the day. Knows no protocol and no clock of its own but the machine's.

use gatepost_contract::Level;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use time::{OffsetDateTime, Time};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

/// The limits of a host; what is `None` is not limited.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostLimits {
    /// Connections at a time, over all runs.
    pub connections: Option<u32>,
    /// Messages in a second.
    pub messages_per_second: Option<f64>,
    /// Bytes in a day (UTC).
    pub bytes_per_day: Option<u64>,
    /// The hours in which the host may be worked, UTC; over midnight where the first is later than the second.
    pub hours: Option<(Time, Time)>,
}

/// A host's budget.
#[derive(Debug)]
pub struct Budget {
    host: String,
    limits: HostLimits,
    connections: Option<Arc<Semaphore>>,
    spent: Mutex<Spent>,
}

#[derive(Debug, Default)]
struct Spent {
    /// When the next message may begin.
    next: Option<Instant>,
    /// The day, as its Julian number, and the bytes spent on it.
    day: i32,
    bytes: u64,
}

/// A connection that counts in the budget as long as this lives.
#[derive(Debug)]
pub struct Granted {
    _permit: Option<OwnedSemaphorePermit>,
}

/// A sentence for the log about a wait that begins.
pub type Tell<'a> = dyn Fn(Level, String) + Send + Sync + 'a;

impl Budget {
    /// Without limits.
    #[must_use]
    pub fn unlimited() -> Arc<Self> {
        Self::new("", HostLimits::default(), 0)
    }

    /// With these limits, of which so many bytes were spent today.
    #[must_use]
    pub fn new(host: &str, limits: HostLimits, spent_today: u64) -> Arc<Self> {
        let connections = limits.connections.map(|n| Arc::new(Semaphore::new(n.max(1) as usize)));
        let spent = Spent { next: None, day: OffsetDateTime::now_utc().to_julian_day(), bytes: spent_today };
        Arc::new(Self { host: host.to_owned(), limits, connections, spent: Mutex::new(spent) })
    }

    /// The limits.
    #[must_use]
    pub fn limits(&self) -> &HostLimits {
        &self.limits
    }

    /// The bytes spent today.
    #[must_use]
    pub fn spent_today(&self) -> u64 {
        let spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        if spent.day == OffsetDateTime::now_utc().to_julian_day() { spent.bytes } else { 0 }
    }

    /// Waits for a free connection.
    pub async fn connection(&self, tell: &Tell<'_>) -> Granted {
        let Some(connections) = &self.connections else { return Granted { _permit: None } };
        if let Ok(permit) = connections.clone().try_acquire_owned() {
            return Granted { _permit: Some(permit) };
        }
        tell(
            Level::Info,
            format!("All {} connections that {} may have are in use; waiting for one.", self.most(), self.host),
        );
        Granted { _permit: connections.clone().acquire_owned().await.ok() }
    }

    /// A free connection, if there is one now.
    #[must_use]
    pub fn try_connection(&self) -> Option<Granted> {
        match &self.connections {
            None => Some(Granted { _permit: None }),
            Some(connections) => {
                connections.clone().try_acquire_owned().ok().map(|permit| Granted { _permit: Some(permit) })
            }
        }
    }

    fn most(&self) -> u32 {
        self.limits.connections.unwrap_or_default()
    }

    /// Waits until a message of so many bytes may pass, and counts it. Says so when the wait is long enough to be
    /// noticed, with the time at which it ends.
    pub async fn admit(&self, bytes: u64, tell: &Tell<'_>) {
        loop {
            match self.ask(OffsetDateTime::now_utc(), bytes) {
                Answer::Now => return,
                Answer::Soon(wait) => return tokio::time::sleep(wait).await,
                Answer::Later(wait, why) => {
                    let until = OffsetDateTime::now_utc() + wait;
                    let (hour, minute) = (until.hour(), until.minute());
                    tell(Level::Warn, format!("{why} Going on at {} {hour:02}:{minute:02} UTC.", until.date()));
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    /// Whether a message may pass at this time; counts it unless it has to ask again later.
    fn ask(&self, now: OffsetDateTime, bytes: u64) -> Answer {
        if let Some((from, to)) = self.limits.hours
            && let Some(wait) = until_hours(now, from, to)
        {
            let clock = |t: Time| format!("{:02}:{:02}", t.hour(), t.minute());
            let sentence = format!("{} may be worked from {} to {} UTC only.", self.host, clock(from), clock(to));
            return Answer::Later(wait, sentence);
        }
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        let today = now.to_julian_day();
        if spent.day != today {
            (spent.day, spent.bytes) = (today, 0);
        }
        if let Some(most) = self.limits.bytes_per_day
            && spent.bytes > 0
            && spent.bytes.saturating_add(bytes) > most
        {
            let wait = until(now, Time::MIDNIGHT);
            return Answer::Later(wait, format!("{} has had its {most} bytes for today.", self.host));
        }
        spent.bytes = spent.bytes.saturating_add(bytes);
        let Some(rate) = self.limits.messages_per_second.filter(|rate| *rate > 0.0) else { return Answer::Now };
        let instant = Instant::now();
        let at = spent.next.map_or(instant, |next| next.max(instant));
        spent.next = Some(at + Duration::from_secs_f64(1.0 / rate));
        Answer::Soon(at - instant)
    }
}

/// Whether a message may pass.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Now,
    /// After so long; it is counted already.
    Soon(Duration),
    /// Not before so long, and why; it is to ask again.
    Later(Duration, String),
}

/// How long it is until the hours begin; `None` within them.
fn until_hours(now: OffsetDateTime, from: Time, to: Time) -> Option<Duration> {
    let time = now.time();
    let within = if from <= to { from <= time && time < to } else { from <= time || time < to };
    (!within).then(|| until(now, from))
}

/// How long it is until the clock shows this time next.
fn until(now: OffsetDateTime, time: Time) -> Duration {
    let mut at = now.replace_time(time);
    if at <= now {
        at += time::Duration::DAY;
    }
    Duration::try_from(at - now).unwrap_or(Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::{datetime, time};

    fn budget(limits: HostLimits) -> Arc<Budget> {
        Budget::new("imap.example.com", limits, 0)
    }

    #[test]
    fn hours_may_go_over_midnight() {
        let night = |now| until_hours(now, time!(22:00), time!(6:00));
        assert_eq!(night(datetime!(2026-03-01 23:30 UTC)), None);
        assert_eq!(night(datetime!(2026-03-01 05:59 UTC)), None);
        assert_eq!(night(datetime!(2026-03-01 06:00 UTC)), Some(Duration::from_secs(16 * 3600)));
        let day = |now| until_hours(now, time!(8:00), time!(18:00));
        assert_eq!(day(datetime!(2026-03-01 18:00 UTC)), Some(Duration::from_secs(14 * 3600)));
        assert_eq!(day(datetime!(2026-03-01 08:00 UTC)), None);
    }

    #[test]
    fn a_days_bytes_are_not_exceeded_and_come_back_at_midnight() {
        let budget = budget(HostLimits { bytes_per_day: Some(1_000), ..HostLimits::default() });
        assert_eq!(budget.ask(datetime!(2026-03-01 12:00 UTC), 900), Answer::Now);
        assert!(matches!(
            budget.ask(datetime!(2026-03-01 12:00 UTC), 200),
            Answer::Later(wait, _) if wait == Duration::from_secs(12 * 3600)
        ));
        assert_eq!(budget.ask(datetime!(2026-03-02 00:00 UTC), 200), Answer::Now);
    }

    #[test]
    fn a_message_that_is_larger_than_a_days_bytes_passes_alone() {
        let budget = budget(HostLimits { bytes_per_day: Some(1_000), ..HostLimits::default() });
        assert_eq!(budget.ask(datetime!(2026-03-01 12:00 UTC), 5_000), Answer::Now);
        assert!(matches!(budget.ask(datetime!(2026-03-01 12:00 UTC), 1), Answer::Later(..)));
    }

    #[tokio::test(start_paused = true)]
    async fn messages_pass_at_the_rate() {
        let budget = budget(HostLimits { messages_per_second: Some(4.0), ..HostLimits::default() });
        let began = Instant::now();
        for _ in 0..9 {
            budget.admit(1, &|_, _| {}).await;
        }
        assert_eq!(began.elapsed().as_secs(), 2);
    }

    #[tokio::test]
    async fn connections_are_shared_and_given_back() {
        let budget = budget(HostLimits { connections: Some(2), ..HostLimits::default() });
        let first = budget.connection(&|_, _| {}).await;
        let second = budget.try_connection();
        assert!(second.is_some());
        assert!(budget.try_connection().is_none());
        drop(first);
        assert!(budget.try_connection().is_some());
    }
}
