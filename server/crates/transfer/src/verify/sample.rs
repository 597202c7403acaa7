//! Which messages a deep verification reads when it does not read all: the first, the last and the largest of every
//! folder, and of the others as many as the share says. The same seed over the same messages chooses the same ones.

use super::listing::Entry;
use gatepost_contract::FolderId;

/// A share of a mailbox's messages.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// How many of a hundred.
    pub percent: f64,
    /// At least so many of the mailbox, as far as it has them.
    pub at_least: u64,
    /// What decides which.
    pub seed: u64,
}

impl Sample {
    /// The share of each folder, 0 to 1, in a mailbox of so many messages.
    pub(super) fn share(&self, mailbox: u64) -> f64 {
        let least = if mailbox == 0 { 1.0 } else { self.at_least as f64 / mailbox as f64 };
        (self.percent / 100.0).max(least).clamp(0.0, 1.0)
    }

    /// The chosen of a folder's messages, by their UIDs in ascending order.
    pub(super) fn choose(&self, folder: FolderId, entries: &[Entry], share: f64) -> Vec<u32> {
        let count = ((entries.len() as f64 * share).ceil() as usize).min(entries.len());
        let mut ranked: Vec<(u64, u32)> =
            entries.iter().map(|entry| (self.rank(folder, entry.uid), entry.uid)).collect();
        if count < ranked.len() {
            ranked.select_nth_unstable(count);
            ranked.truncate(count);
        }
        let mut chosen: Vec<u32> = ranked.into_iter().map(|(_, uid)| uid).collect();
        let largest = entries.iter().max_by_key(|entry| entry.size);
        chosen.extend([entries.first(), entries.last(), largest].into_iter().flatten().map(|entry| entry.uid));
        chosen.sort_unstable();
        chosen.dedup();
        chosen
    }

    /// A message's place in the order that the seed makes.
    fn rank(&self, folder: FolderId, uid: u32) -> u64 {
        let mut bytes = [0; 20];
        bytes[..8].copy_from_slice(&self.seed.to_le_bytes());
        bytes[8..16].copy_from_slice(&folder.0.to_le_bytes());
        bytes[16..].copy_from_slice(&uid.to_le_bytes());
        let hash = blake3::hash(&bytes);
        let mut first = [0; 8];
        first.copy_from_slice(&hash.as_bytes()[..8]);
        u64::from_le_bytes(first)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::listing::tests::sample as entry, *};

    fn sample(percent: f64, seed: u64) -> Sample {
        Sample { percent, at_least: 200, seed }
    }

    #[test]
    fn a_seed_chooses_the_same_messages_every_time_and_another_seed_others() {
        let entries: Vec<Entry> = (1..=10_000).map(entry).collect();
        let choose = |seed| sample(5.0, seed).choose(FolderId(3), &entries, 0.05);
        assert_eq!(choose(7), choose(7));
        assert_ne!(choose(7), choose(8));
        assert!((500..=503).contains(&choose(7).len()));
        assert_ne!(choose(7), sample(5.0, 7).choose(FolderId(4), &entries, 0.05));
    }

    #[test]
    fn the_first_the_last_and_the_largest_are_always_among_them() {
        let mut entries: Vec<Entry> = (10..=5_000).map(entry).collect();
        entries[1234].size = 99_999;
        for seed in 0..20 {
            let chosen = sample(0.0, seed).choose(FolderId(1), &entries, 0.0);
            assert_eq!(chosen, [10, 1244, 5_000]);
        }
        assert!(sample(5.0, 1).choose(FolderId(1), &[], 1.0).is_empty());
    }

    #[test]
    fn of_a_small_mailbox_all_are_read_and_of_a_large_one_at_least_so_many() {
        for (mailbox, percent, expected) in
            [(0, 5.0, 1.0), (150, 5.0, 1.0), (2_000, 5.0, 0.1), (100_000, 5.0, 0.05), (100_000, 300.0, 1.0)]
        {
            let share = sample(percent, 1).share(mailbox);
            assert!((share - expected).abs() < 1e-9, "{mailbox}: {share}");
        }
        let entries: Vec<Entry> = (1..=150).map(entry).collect();
        assert_eq!(sample(5.0, 1).choose(FolderId(1), &entries, 1.0).len(), 150);
    }
}
