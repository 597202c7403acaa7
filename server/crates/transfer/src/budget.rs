//! What a host may be asked for, shared by every run that talks to it: connections at a time, messages in a second,
//! bytes in a day, hours of the day. Knows no protocol, no store and no clock of its own but the machine's: whoever
//! makes a budget tells it what was spent before, and may take what is spent to keep it ([`Budget::take_unsaved`]).

mod calendar;
#[cfg(test)]
mod tests;

use crate::{Fault, FaultKind};
use gatepost_contract::Level;
use std::{
    collections::BTreeMap,
    ops::AddAssign,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use time::{Date, OffsetDateTime, Time};
use tokio::{sync::Notify, time::Instant};

/// How often somebody who waits for a connection looks by itself, whoever may have told.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The limits of a host; what is `None` is not limited.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostLimits {
    /// Connections at a time, over all runs.
    pub connections: Option<u32>,
    /// Messages in a second.
    pub messages_per_second: Option<f64>,
    /// Bytes in a day (UTC), both ways together.
    pub bytes_per_day: Option<u64>,
    /// Bytes in a day that are read from the host.
    pub download_per_day: Option<u64>,
    /// Bytes in a day that are written to the host.
    pub upload_per_day: Option<u64>,
    /// The hours in which the host may be worked, UTC; over midnight where the first is later than the second.
    pub hours: Option<(Time, Time)>,
}

impl HostLimits {
    /// Whether the bytes of a day have to be counted.
    #[must_use]
    pub const fn counts_bytes(&self) -> bool {
        self.bytes_per_day.is_some() || self.download_per_day.is_some() || self.upload_per_day.is_some()
    }
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the host.
    Down,
    /// To the host.
    Up,
}

/// Bytes both ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bytes {
    /// Read from the host.
    pub down: u64,
    /// Written to the host.
    pub up: u64,
}

impl Bytes {
    const NONE: Self = Self { down: 0, up: 0 };

    const fn of(way: Way, bytes: u64) -> Self {
        match way {
            Way::Down => Self { down: bytes, up: 0 },
            Way::Up => Self { down: 0, up: bytes },
        }
    }

    const fn minus(self, less: Self) -> Self {
        Self { down: self.down.saturating_sub(less.down), up: self.up.saturating_sub(less.up) }
    }

    const fn both(self) -> u64 {
        self.down.saturating_add(self.up)
    }
}

impl AddAssign for Bytes {
    fn add_assign(&mut self, more: Self) {
        self.down = self.down.saturating_add(more.down);
        self.up = self.up.saturating_add(more.up);
    }
}

/// A host's budget.
#[derive(Debug)]
pub struct Budget {
    host: String,
    limits: HostLimits,
    state: Mutex<State>,
    freed: Notify,
}

#[derive(Debug)]
struct State {
    /// Connections that are in use.
    in_use: u32,
    /// How many processes share the host.
    sharers: u32,
    /// When the next message may begin.
    next: Option<Instant>,
    /// The day of `saved` and `saving`.
    day: Date,
    /// What is known to be written down as spent on that day, by anybody.
    saved: Bytes,
    /// What is being written down at this moment.
    saving: Bytes,
    /// What was spent here and is not yet written down, by day.
    unsaved: BTreeMap<Date, Bytes>,
}

impl State {
    fn on(&mut self, today: Date) {
        if self.day != today {
            (self.day, self.saved, self.saving) = (today, Bytes::NONE, Bytes::NONE);
        }
    }

    fn spent(&self) -> Bytes {
        let mut spent = self.saved;
        spent += self.saving;
        spent += self.unsaved.get(&self.day).copied().unwrap_or_default();
        spent
    }
}

/// A connection that counts in the budget as long as this lives.
#[derive(Debug)]
pub struct Granted(Option<Arc<Budget>>);

impl Drop for Granted {
    fn drop(&mut self) {
        if let Some(budget) = self.0.take() {
            budget.give_back();
            budget.freed.notify_waiters();
        }
    }
}

/// A sentence for the log about a wait that begins.
pub type Tell<'a> = dyn Fn(Level, String) + Send + Sync + 'a;

impl Budget {
    /// Without limits.
    #[must_use]
    pub fn unlimited() -> Arc<Self> {
        Self::new("", HostLimits::default(), Bytes::default())
    }

    /// With these limits, of which so many bytes were spent today. `host` is what sentences call it.
    #[must_use]
    pub fn new(host: &str, limits: HostLimits, spent_today: Bytes) -> Arc<Self> {
        let state = State {
            in_use: 0,
            sharers: 1,
            next: None,
            day: OffsetDateTime::now_utc().date(),
            saved: spent_today,
            saving: Bytes::NONE,
            unsaved: BTreeMap::new(),
        };
        Arc::new(Self { host: host.to_owned(), limits, state: Mutex::new(state), freed: Notify::new() })
    }

    /// What sentences call the host.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The limits.
    #[must_use]
    pub const fn limits(&self) -> &HostLimits {
        &self.limits
    }

    /// Whether nothing is limited.
    #[must_use]
    pub fn is_unlimited(&self) -> bool {
        self.limits == HostLimits::default()
    }

    /// The bytes spent today.
    #[must_use]
    pub fn spent_today(&self) -> Bytes {
        let mut state = self.state();
        state.on(OffsetDateTime::now_utc().date());
        state.spent()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many processes work with the host at the moment: each takes its share of the connections and the rate.
    pub fn share(&self, sharers: u32) {
        self.state().sharers = sharers.max(1);
        self.freed.notify_waiters();
    }

    /// Takes what was spent and is not yet written down, by day. [`Budget::saved`] or [`Budget::not_saved`] is to
    /// follow for each.
    pub fn take_unsaved(&self) -> Vec<(Date, Bytes)> {
        let mut state = self.state();
        let taken: Vec<(Date, Bytes)> = std::mem::take(&mut state.unsaved).into_iter().collect();
        let today = state.day;
        for (_, bytes) in taken.iter().filter(|(day, _)| *day == today) {
            state.saving += *bytes;
        }
        taken
    }

    /// What was taken is written down; `total` is what everybody together has spent on that day.
    pub fn saved(&self, day: Date, taken: Bytes, total: Bytes) {
        let mut state = self.state();
        if state.day == day {
            state.saving = state.saving.minus(taken);
            state.saved = Bytes { down: state.saved.down.max(total.down), up: state.saved.up.max(total.up) };
        }
    }

    /// What was taken could not be written down; it is given back.
    pub fn not_saved(&self, day: Date, taken: Bytes) {
        let mut state = self.state();
        if state.day == day {
            state.saving = state.saving.minus(taken);
        }
        *state.unsaved.entry(day).or_default() += taken;
    }

    /// Waits for a free connection on each side at once, and for the hours of both. Nothing is held while it waits, so
    /// that two who need the same two hosts never wait for each other.
    pub async fn connections(source: &Arc<Self>, dest: &Arc<Self>, tell: &Tell<'_>) -> (Granted, Granted) {
        let mut told = None;
        loop {
            // Listening begins before looking: what is freed in between is not missed.
            let (mut at_source, mut at_dest) =
                (std::pin::pin!(source.freed.notified()), std::pin::pin!(dest.freed.notified()));
            at_source.as_mut().enable();
            at_dest.as_mut().enable();
            let why = match Self::ask_both(source, dest, OffsetDateTime::now_utc()) {
                Ok(granted) => return granted,
                Err(why) => why,
            };
            if told.as_ref() != Some(&why) {
                tell(Level::Warn, why.clone());
                told = Some(why);
            }
            tokio::select! {
                () = at_source => {}
                () = at_dest => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
    }

    /// A connection on each side, if there is one now.
    #[must_use]
    pub fn try_connections(source: &Arc<Self>, dest: &Arc<Self>) -> Option<(Granted, Granted)> {
        Self::ask_both(source, dest, OffsetDateTime::now_utc()).ok()
    }

    fn ask_both(source: &Arc<Self>, dest: &Arc<Self>, now: OffsetDateTime) -> Result<(Granted, Granted), String> {
        source.is_open(now)?;
        dest.is_open(now)?;
        let one = |budget: &Arc<Self>| Granted(Some(budget.clone()));
        if Arc::ptr_eq(source, dest) {
            // A host that is both sides has to grant two, whatever its limit.
            source.take(2, 2)?;
            return Ok((one(source), one(dest)));
        }
        source.take(1, 1)?;
        if let Err(why) = dest.take(1, 1) {
            source.give_back();
            return Err(why);
        }
        Ok((one(source), one(dest)))
    }

    fn take(&self, wanted: u32, least: u32) -> Result<(), String> {
        let mut state = self.state();
        if let Some(all) = self.limits.connections {
            let most = (all / state.sharers).max(least);
            if state.in_use + wanted > most {
                let sentence =
                    format!("Waiting for a connection: the {most} that the budget of {} allows are in use.", self.host);
                return Err(sentence);
            }
        }
        state.in_use += wanted;
        Ok(())
    }

    fn give_back(&self) {
        let mut state = self.state();
        state.in_use = state.in_use.saturating_sub(1);
    }

    fn is_open(&self, now: OffsetDateTime) -> Result<(), String> {
        match self.closed(now) {
            Some((until, why)) => Err(self.waiting(now + until, &why)),
            None => Ok(()),
        }
    }

    /// How long the host may not be worked, and why.
    fn closed(&self, now: OffsetDateTime) -> Option<(Duration, String)> {
        let (from, to) = self.limits.hours?;
        let wait = calendar::until_hours(now, from, to)?;
        let clock = |t: Time| format!("{:02}:{:02}", t.hour(), t.minute());
        Some((wait, format!("it may be worked from {} to {} UTC only", clock(from), clock(to))))
    }

    fn waiting(&self, until: OffsetDateTime, why: &str) -> String {
        let (date, hour, minute) = (until.date(), until.hour(), until.minute());
        format!("Waiting for the budget of {} until {date} {hour:02}:{minute:02} UTC: {why}.", self.host)
    }

    /// Waits until a message of so many bytes may pass from one host to the other, and counts it.
    ///
    /// # Errors
    /// A [`FaultKind::Throttled`] that says until when, where the wait is so long that connections are better closed:
    /// the hours are over, or the bytes of the day are spent.
    pub async fn pass(source: &Arc<Self>, dest: &Arc<Self>, bytes: u64) -> Result<(), Fault> {
        source.admit(Way::Down, bytes, true).await?;
        // On a host that is both sides it is still one message.
        dest.admit(Way::Up, bytes, !Arc::ptr_eq(source, dest)).await
    }

    async fn admit(&self, way: Way, bytes: u64, counts: bool) -> Result<(), Fault> {
        if self.is_unlimited() {
            return Ok(());
        }
        let now = OffsetDateTime::now_utc();
        match self.ask(now, way, bytes, counts) {
            Answer::Now => Ok(()),
            Answer::Soon(wait) => {
                tokio::time::sleep(wait).await;
                Ok(())
            }
            Answer::Later(wait, why) => {
                let mut fault = Fault::new(FaultKind::Throttled, self.waiting(now + wait, &why));
                fault.retry_after = Some(wait.max(Duration::from_secs(1)));
                Err(fault)
            }
        }
    }

    /// The messages in a second that this process may have, where they are limited.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        let share = f64::from(self.state().sharers);
        self.limits.messages_per_second.filter(|rate| *rate > 0.0).map(|rate| rate / share)
    }

    /// Counts bytes that another program has moved without asking.
    ///
    /// # Errors
    /// Why it must stop now, where nothing more may be moved today or at this hour.
    pub fn moved(&self, way: Way, bytes: u64) -> Result<(), String> {
        let now = OffsetDateTime::now_utc();
        if let Some((until, why)) = self.closed(now) {
            return Err(self.waiting(now + until, &why));
        }
        if !self.limits.counts_bytes() {
            return Ok(());
        }
        let mut state = self.state();
        state.on(now.date());
        *state.unsaved.entry(now.date()).or_default() += Bytes::of(way, bytes);
        // What has passed has passed: the next byte is what may not.
        match self.exceeded(state.spent(), way, 1) {
            Some((most, what)) => {
                let why = format!("its {} for today{what} are spent", size(most));
                Err(self.waiting(now + calendar::until(now, Time::MIDNIGHT), &why))
            }
            None => Ok(()),
        }
    }

    /// Whether a message may pass at this time; its bytes are spent then, and with `counts` it is one of the rate.
    fn ask(&self, now: OffsetDateTime, way: Way, bytes: u64, counts: bool) -> Answer {
        if let Some((wait, why)) = self.closed(now) {
            return Answer::Later(wait, why);
        }
        let mut state = self.state();
        state.on(now.date());
        if let Some((most, what)) = self.exceeded(state.spent(), way, bytes) {
            let why = format!("its {} for today{what} are spent", size(most));
            return Answer::Later(calendar::until(now, Time::MIDNIGHT), why);
        }
        if self.limits.counts_bytes() {
            *state.unsaved.entry(now.date()).or_default() += Bytes::of(way, bytes);
        }
        let rate = self.limits.messages_per_second.filter(|rate| counts && *rate > 0.0);
        let Some(rate) = rate else { return Answer::Now };
        let instant = Instant::now();
        let at = state.next.map_or(instant, |next| next.max(instant));
        state.next = Some(at + Duration::from_secs_f64(f64::from(state.sharers) / rate));
        Answer::Soon(at - instant)
    }

    /// The limit that so many more bytes would exceed. A message that is larger than a whole day's bytes passes alone.
    fn exceeded(&self, spent: Bytes, way: Way, bytes: u64) -> Option<(u64, &'static str)> {
        let l = &self.limits;
        let one_way = match way {
            Way::Down => (l.download_per_day, spent.down, " that may be read"),
            Way::Up => (l.upload_per_day, spent.up, " that may be written"),
        };
        [(l.bytes_per_day, spent.both(), ""), one_way].into_iter().find_map(|(most, spent, what)| {
            let most = most?;
            (spent > 0 && spent.saturating_add(bytes) > most).then_some((most, what))
        })
    }

    /// How long so much work will last at least: `at_pace` is the time that it takes where nothing is limited. The
    /// rate, the bytes of each day and the hours make it longer.
    #[must_use]
    pub fn lasts(&self, way: Way, messages: u64, bytes: u64, at_pace: Duration) -> Duration {
        let (share, spent) = {
            let mut state = self.state();
            state.on(OffsetDateTime::now_utc().date());
            (f64::from(state.sharers), state.spent())
        };
        let rate = self.limits.messages_per_second.filter(|rate| *rate > 0.0);
        let at_rate = rate.map_or(0.0, |rate| messages as f64 * share / rate);
        let way_limit = match way {
            Way::Down => (self.limits.download_per_day, spent.down),
            Way::Up => (self.limits.upload_per_day, spent.up),
        };
        let per_day = [(self.limits.bytes_per_day, spent.both()), way_limit];
        let most = per_day.iter().filter_map(|(most, _)| *most).min();
        let today = per_day.iter().filter_map(|(most, spent)| Some((*most)?.saturating_sub(*spent))).min();
        let work = calendar::Work {
            seconds: at_pace.as_secs_f64().max(at_rate),
            bytes,
            per_day: most,
            today,
            hours: self.limits.hours,
        };
        work.lasts(OffsetDateTime::now_utc())
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

/// Bytes for people, in powers of 1000 as providers give their limits.
#[must_use]
pub fn size(bytes: u64) -> String {
    let (unit, name) = match bytes {
        0..1_000 => return format!("{bytes} bytes"),
        1_000..1_000_000 => (1e3, "kB"),
        1_000_000..1_000_000_000 => (1e6, "MB"),
        1_000_000_000..1_000_000_000_000 => (1e9, "GB"),
        _ => (1e12, "TB"),
    };
    let number = format!("{:.2}", bytes as f64 / unit);
    format!("{} {name}", number.trim_end_matches('0').trim_end_matches('.'))
}
