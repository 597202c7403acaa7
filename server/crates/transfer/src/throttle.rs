//! Bytes in a second, shared by every run that is bound by the same limit. What passes makes a debt that time pays off;
//! while there is one, nothing else passes: a message is never cut, and over time the rate is kept.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// Whoever waits looks again so often: the rate may have changed.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A rate that several share.
#[derive(Debug)]
pub struct Pacer(Mutex<State>);

#[derive(Debug)]
struct State {
    bytes_per_second: f64,
    debt: f64,
    at: Instant,
}

impl Pacer {
    /// So many bytes in a second, at least one.
    #[must_use]
    pub fn new(bytes_per_second: u64) -> Self {
        let state = State { bytes_per_second: bytes_per_second.max(1) as f64, debt: 0.0, at: Instant::now() };
        Self(Mutex::new(state))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many from now on.
    pub fn set_rate(&self, bytes_per_second: u64) {
        let mut state = self.state();
        state.pay();
        state.bytes_per_second = bytes_per_second.max(1) as f64;
    }

    /// The bytes in a second.
    #[must_use]
    pub fn rate(&self) -> u64 {
        self.state().bytes_per_second as u64
    }

    /// Lets so many bytes pass, or says how long to wait before asking again.
    fn ask(&self, bytes: u64) -> Result<(), Duration> {
        let mut state = self.state();
        state.pay();
        if state.debt > 0.0 {
            let wait = Duration::try_from_secs_f64(state.debt / state.bytes_per_second).unwrap_or(LOOK_AGAIN);
            return Err(wait.clamp(Duration::from_millis(1), LOOK_AGAIN));
        }
        state.debt += bytes as f64;
        Ok(())
    }
}

impl State {
    fn pay(&mut self) {
        let now = Instant::now();
        let paid = now.saturating_duration_since(self.at).as_secs_f64() * self.bytes_per_second;
        (self.debt, self.at) = ((self.debt - paid).max(0.0), now);
    }
}

/// What one run waits for: the pacer that it follows at the moment, if any.
#[derive(Debug, Default)]
pub struct Throttle(Mutex<Option<Arc<Pacer>>>);

impl Throttle {
    fn pacer(&self) -> Option<Arc<Pacer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Follows this pacer from now on, or none.
    pub fn follow(&self, pacer: Option<Arc<Pacer>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = pacer;
    }

    /// The bytes in a second that all who follow the same pacer may have together, where there is a limit.
    #[must_use]
    pub fn rate(&self) -> Option<u64> {
        self.pacer().map(|pacer| pacer.rate())
    }

    /// Waits until so many bytes may pass.
    pub async fn pass(&self, bytes: u64) {
        // Asked anew each time: it may follow another one by now, or none.
        while let Some(Err(wait)) = self.pacer().map(|pacer| pacer.ask(bytes)) {
            tokio::time::sleep(wait).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn following(pacer: &Arc<Pacer>) -> Throttle {
        let throttle = Throttle::default();
        throttle.follow(Some(pacer.clone()));
        throttle
    }

    #[tokio::test(start_paused = true)]
    async fn runs_that_follow_the_same_pacer_share_its_rate() {
        let pacer = Arc::new(Pacer::new(1_000));
        let (a, b) = (following(&pacer), following(&pacer));
        let began = Instant::now();
        for _ in 0..5 {
            a.pass(1_000).await;
            b.pass(1_000).await;
        }
        let took = began.elapsed().as_secs_f64();
        assert!((8.9..9.5).contains(&took), "ten kilobytes at one a second, the last not waited for: {took}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_larger_than_a_second_passes_and_is_paid_for_afterwards() {
        let pacer = Arc::new(Pacer::new(1_000));
        let run = following(&pacer);
        let began = Instant::now();
        run.pass(10_000).await;
        assert_eq!(began.elapsed(), Duration::ZERO);
        run.pass(1).await;
        assert!((9.9..10.5).contains(&began.elapsed().as_secs_f64()));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_follows_a_new_rate_and_a_limit_that_is_lifted() {
        let pacer = Arc::new(Pacer::new(1));
        let run = Arc::new(following(&pacer));
        run.pass(1_000_000).await;
        let began = Instant::now();
        let waiting = tokio::spawn({
            let run = run.clone();
            async move { run.pass(1_000_000).await }
        });
        tokio::time::sleep(Duration::from_secs(5)).await;
        pacer.set_rate(1_000_000);
        waiting.await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
        run.follow(None);
        let began = Instant::now();
        run.pass(u64::MAX).await;
        assert_eq!((began.elapsed(), run.rate()), (Duration::ZERO, None));
    }
}
