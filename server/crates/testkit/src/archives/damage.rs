//! Damage to files: the same for the same seed.

use rand::{Rng as _, SeedableRng as _};

/// The first so many hundredths of it.
#[must_use]
pub fn cut(bytes: &[u8], percent: usize) -> Vec<u8> {
    bytes[..bytes.len() * percent / 100].to_vec()
}

/// With so many bytes changed behind an offset.
#[must_use]
pub fn flipped(bytes: &[u8], from: usize, count: usize, seed: u64) -> Vec<u8> {
    let mut out = bytes.to_vec();
    if from >= out.len() {
        return out;
    }
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    for _ in 0..count {
        let at = random.random_range(from..out.len());
        // Never by nothing.
        out[at] ^= random.random_range(1..=255_u8);
    }
    out
}

/// With zeros in place of what lies there, as far as it reaches.
#[must_use]
pub fn zeroed(bytes: &[u8], from: usize, count: usize) -> Vec<u8> {
    let mut out = bytes.to_vec();
    let end = (from + count).min(out.len());
    out[from.min(end)..end].fill(0);
    out
}
