//! How often somebody may do something: attempts counted by key. What the keys are, and what is counted, is the
//! callers' business.

use crate::{Error, Result};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock};
use std::{
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::atomic::{AtomicUsize, Ordering},
};

/// Attempts between two tidyings, at least. Each goes through all keys; it is done no more often than there are keys,
/// so that an attempt costs the same however many clients there are.
const TIDY: usize = 1024;

/// Counts attempts by key, and refuses those that are too many.
pub(crate) struct Limiter<K: Hash + Eq + Clone> {
    inner: DefaultKeyedRateLimiter<K>,
    until_tidied: AtomicUsize,
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    /// So many a minute, at once or spread.
    pub fn per_minute(count: NonZeroU32) -> Self {
        Self::new(Quota::per_minute(count))
    }

    fn new(quota: Quota) -> Self {
        Self { inner: RateLimiter::keyed(quota), until_tidied: AtomicUsize::new(TIDY) }
    }

    /// Counts an attempt.
    ///
    /// # Errors
    /// [`Error::TooMany`] with the time to wait.
    pub fn check(&self, key: &K) -> Result<()> {
        if self.until_tidied.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.inner.retain_recent();
            self.until_tidied.store(self.inner.len().max(TIDY), Ordering::Relaxed);
        }
        self.inner.check_key(key).map_err(|until| {
            let wait = until.wait_time_from(governor::clock::DefaultClock::default().now());
            Error::TooMany { retry_after: wait.as_secs() + 1 }
        })
    }
}

/// A client as limits know it: an IPv4 address, or the /64 of an IPv6 address, which one subscriber has to itself
/// (RFC 6177).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Client(IpAddr);

impl From<IpAddr> for Client {
    fn from(ip: IpAddr) -> Self {
        // A listener on [::] sees IPv4 clients as mapped addresses, which all lie in one /64.
        Self(match ip.to_canonical() {
            IpAddr::V6(v6) => Ipv6Addr::from(u128::from(v6) & !u128::from(u64::MAX)).into(),
            v4 => v4,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(ip: &str) -> Client {
        ip.parse::<IpAddr>().expect("an address").into()
    }

    #[test]
    fn a_client_is_an_ipv4_address_or_a_network_of_64_bits() {
        for (one, other) in [
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("fe80::1", "fe80::2"),
        ] {
            assert_eq!(client(one), client(other));
        }
        for (one, other) in [
            ("2001:db8:1:2::1", "2001:db8:1:3::1"),
            ("192.0.2.1", "192.0.2.2"),
            ("::ffff:192.0.2.1", "::ffff:192.0.2.2"),
        ] {
            assert_ne!(client(one), client(other));
        }
    }

    #[test]
    fn what_is_long_past_is_tidied_away_now_and_then_and_not_at_each_attempt() {
        // A nanosecond makes up for an attempt: every key is past at once.
        let limiter = Limiter::<usize>::new(Quota::per_second(NonZeroU32::new(1_000_000_000).expect("not zero")));
        for key in 1..TIDY {
            limiter.check(&key).expect("no more than one each");
        }
        assert_eq!(limiter.inner.len(), TIDY - 1, "nothing was tidied away yet");
        limiter.check(&TIDY).expect("the first");
        assert!(limiter.inner.len() < TIDY / 2, "{} keys are left", limiter.inner.len());
    }

    #[test]
    fn each_key_is_counted_for_itself() {
        let limiter = Limiter::per_minute(NonZeroU32::new(2).expect("not zero"));
        // On a slow machine some are forgiven in the meantime.
        let mut checks = (0..1_000).map(|_| limiter.check(&1));
        let refused = checks.position(|checked| matches!(checked, Err(Error::TooMany { retry_after: 1..=31 })));
        assert!(refused.is_some_and(|count| count >= 2), "{refused:?}");
        assert!(limiter.check(&2).is_ok());
    }
}
