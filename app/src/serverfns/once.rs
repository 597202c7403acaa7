//! What is shown once, between the form that made it and the page that shows it: in memory only, for a session is
//! stored, and a secret must not be.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

const SHOWN_WITHIN: Duration = Duration::from_secs(120);

/// Things that wait to be shown, each by a key that only their maker's page knows.
pub struct Once<T>(Mutex<Option<HashMap<String, (Instant, T)>>>);

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Once<T> {
    /// Nothing waits.
    pub const fn new() -> Self {
        Self(Mutex::new(None))
    }

    fn with<R>(&self, change: impl FnOnce(&mut HashMap<String, (Instant, T)>) -> R) -> R {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = waiting.get_or_insert_with(HashMap::new);
        waiting.retain(|_, (since, _)| since.elapsed() < SHOWN_WITHIN);
        change(waiting)
    }

    /// Keeps something for the next page.
    pub fn keep(&self, key: String, what: T) {
        self.with(|waiting| waiting.insert(key, (Instant::now(), what)));
    }

    /// Hands it out, once.
    pub fn take(&self, key: &str) -> Option<T> {
        self.with(|waiting| waiting.remove(key)).map(|(_, what)| what)
    }
}

#[cfg(test)]
mod tests {
    use super::Once;

    #[test]
    fn what_is_kept_is_handed_out_once_and_only_by_its_key() {
        static WAITING: Once<u8> = Once::new();
        WAITING.keep("ana".to_owned(), 7);
        assert_eq!(WAITING.take("rui"), None);
        assert_eq!(WAITING.take("ana"), Some(7));
        assert_eq!(WAITING.take("ana"), None);
    }
}
