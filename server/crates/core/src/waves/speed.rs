//! How fast waves may be: one [`Pacer`] for all runs of a wave in this process, kept in step with what the wave says and
//! with how many processes share it.

use crate::{Gatepost, Result};
use gatepost_contract::{RunId, WaveId};
use gatepost_store::waves;
use gatepost_transfer::{Pacer, Throttle};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

/// The pacers of this process.
#[derive(Debug, Default)]
pub(crate) struct Speeds(Mutex<HashMap<WaveId, Weak<Pacer>>>);

impl Speeds {
    /// The pacer of a wave, at this rate from now on.
    fn of(&self, wave: WaveId, rate: u64) -> Arc<Pacer> {
        let mut pacers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pacers.retain(|_, pacer| pacer.strong_count() > 0);
        if let Some(pacer) = pacers.get(&wave).and_then(Weak::upgrade) {
            pacer.set_rate(rate);
            return pacer;
        }
        let pacer = Arc::new(Pacer::new(rate));
        pacers.insert(wave, Arc::downgrade(&pacer));
        pacer
    }
}

impl Gatepost {
    /// Brings a run's speed in step with the wave that it is in at the moment.
    pub(crate) async fn keep_speed(&self, run: RunId, throttle: &Throttle) -> Result<()> {
        let limit = waves::speed_limit(&mut *self.store().reader().await?, run).await?;
        throttle.follow(limit.map(|(wave, bytes_per_second, workers)| {
            let count = |n: i64| u64::try_from(n).unwrap_or(1).max(1);
            self.speeds().of(wave, (count(bytes_per_second) / count(workers)).max(1))
        }));
        Ok(())
    }
}
