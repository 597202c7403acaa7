//! A bounded cache of what was read: so many bytes, and what was used longest ago goes first (second chance).

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

/// Values by number, together at most `limit` bytes.
pub struct Cache<V> {
    limit: usize,
    held: usize,
    hand: usize,
    slots: Vec<Slot<V>>,
    places: HashMap<u64, usize, BuildHasherDefault<Spread>>,
}

/// Offsets and ids, spread by one multiplication. A file made to collide slows itself down, within the cache's bound.
#[derive(Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, n: u64) {
        let mixed = (self.0 ^ n).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = mixed ^ (mixed >> 32);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

struct Slot<V> {
    key: u64,
    value: V,
    weight: usize,
    used: bool,
}

impl<V: Clone> Cache<V> {
    pub fn new(limit: usize) -> Self {
        Self { limit, held: 0, hand: 0, slots: Vec::new(), places: HashMap::default() }
    }

    pub fn get(&mut self, key: u64) -> Option<V> {
        let slot = &mut self.slots[*self.places.get(&key)?];
        slot.used = true;
        Some(slot.value.clone())
    }

    pub fn insert(&mut self, key: u64, value: V, weight: usize) {
        if weight > self.limit || self.places.contains_key(&key) {
            return;
        }
        while self.held + weight > self.limit {
            self.evict();
        }
        self.places.insert(key, self.slots.len());
        self.slots.push(Slot { key, value, weight, used: false });
        self.held += weight;
    }

    pub fn clear(&mut self) {
        *self = Self::new(self.limit);
    }

    fn evict(&mut self) {
        loop {
            if self.hand >= self.slots.len() {
                self.hand = 0;
            }
            if !std::mem::take(&mut self.slots[self.hand].used) {
                break;
            }
            self.hand += 1;
        }
        let gone = self.slots.swap_remove(self.hand);
        self.held -= gone.weight;
        self.places.remove(&gone.key);
        if let Some(moved) = self.slots.get(self.hand) {
            self.places.insert(moved.key, self.hand);
        }
        self.hand += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_outlives_what_was_not_and_the_bound_holds() {
        let mut cache = Cache::new(100);
        for key in 0..10 {
            cache.insert(key, key * 2, 10);
        }
        assert_eq!(cache.get(3), Some(6));
        for key in 10..19 {
            cache.insert(key, key * 2, 10);
            assert!(cache.held <= 100 && cache.slots.len() == cache.places.len());
        }
        assert_eq!(cache.get(3), Some(6));
        assert_eq!(cache.get(0), None);
        cache.insert(99, 0, 101);
        assert_eq!(cache.get(99), None, "what is heavier than the whole cache is not kept");
    }
}
