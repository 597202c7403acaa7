//! What a folder holds, as the witness listed it, as small as it can be kept: 32 bytes a message, and each set of flags
//! once.

use crate::{Fault, FaultKind, Flags, ReadMessage, Reader};
use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};
use tokio::sync::mpsc;

/// A message of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// A hash of its Message-Id; 0 where it has none.
    pub id: u64,
    /// INTERNALDATE, in seconds since 1970.
    pub date: i64,
    /// RFC822.SIZE.
    pub size: u64,
    /// Its UID.
    pub uid: u32,
    /// Its flags, in the account's [`FlagSets`].
    pub flags: u32,
}

impl Entry {
    /// What a copy has in common with its message: Message-Id, size and date. `None` where it has no Message-Id, since
    /// the others alone tell too little.
    pub fn key(&self) -> Option<u64> {
        (self.id != 0).then(|| hash(&(self.id, self.size, self.date)))
    }

    /// The same without the date, and of every message: it needs the bytes to tell more.
    pub fn loose_key(&self) -> u64 {
        hash(&(self.id, self.size))
    }
}

/// The sets of flags that one account uses.
#[derive(Debug, Default)]
pub(super) struct FlagSets {
    sets: Vec<Flags>,
    known: HashMap<String, u32>,
}

impl FlagSets {
    pub fn number(&mut self, flags: Flags) -> u32 {
        let text = flags.to_string();
        if let Some(number) = self.known.get(&text) {
            return *number;
        }
        let number = u32::try_from(self.sets.len()).expect("a folder has fewer messages than UIDs");
        self.sets.push(flags);
        self.known.insert(text, number);
        number
    }

    pub fn get(&self, number: u32) -> &Flags {
        &self.sets[number as usize]
    }
}

/// A folder's messages by ascending UID.
#[derive(Debug, Default)]
pub(super) struct Listing(Vec<Entry>);

impl Listing {
    /// Lists the open folder, which said that it holds `expected` messages.
    pub async fn read(reader: &mut dyn Reader, expected: u32, sets: &mut FlagSets) -> Result<Self, Fault> {
        let (out, mut messages) = mpsc::channel::<ReadMessage>(512);
        // What a server says is no reason to take memory: beyond this it grows as messages come.
        let mut all: Vec<Entry> = Vec::with_capacity(expected.min(1 << 20) as usize);
        let collect = async {
            while let Some(message) = messages.recv().await {
                all.push(entry(message, sets));
            }
        };
        let (read, ()) = tokio::join!(reader.read(None, out), collect);
        read?;
        let before = all.len();
        all.sort_by_key(|entry| entry.uid);
        all.dedup_by_key(|entry| entry.uid);
        if all.len() < before {
            return Err(Fault::new(FaultKind::Protocol, "A server listed two messages of one folder under one UID."));
        }
        Ok(Self(all))
    }

    #[cfg(test)]
    pub fn of(mut entries: Vec<Entry>) -> Self {
        entries.sort_by_key(|entry| entry.uid);
        Self(entries)
    }

    pub fn entries(&self) -> &[Entry] {
        &self.0
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Where a UID stands.
    pub fn position(&self, uid: u32) -> Option<usize> {
        self.0.binary_search_by_key(&uid, |entry| entry.uid).ok()
    }
}

fn entry(message: ReadMessage, sets: &mut FlagSets) -> Entry {
    Entry {
        // 0 stands for none; that a hash is 0 by itself would only make a message look as if it had none.
        id: message.message_id.as_deref().map_or(0, |id| hash(&id)),
        date: message.internal_date.seconds,
        size: message.size,
        uid: message.uid,
        flags: sets.number(message.flags),
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn sample(uid: u32) -> Entry {
        Entry { id: hash(&format!("<{uid}@x>")), date: 1000, size: 100, uid, flags: 0 }
    }

    #[test]
    fn a_message_of_a_listing_takes_32_bytes() {
        assert_eq!(size_of::<Entry>(), 32);
    }

    #[test]
    fn equal_sets_of_flags_are_held_once() {
        let mut sets = FlagSets::default();
        let numbers: Vec<u32> =
            ["\\Seen", "a \\Seen", "\\seen A", "\\Seen a", ""].map(|f| sets.number(Flags::from(f))).into();
        assert_eq!((numbers[0], numbers[1] == numbers[3], numbers[4]), (0, true, sets.sets.len() as u32 - 1));
        assert_eq!(*sets.get(numbers[2]), Flags::from("A \\Seen"));
    }

    #[test]
    fn without_a_message_id_only_the_loose_key_remains() {
        let named = sample(1);
        assert!(named.key().is_some());
        let nameless = Entry { id: 0, ..named };
        assert_eq!(nameless.key(), None);
        let redated = Entry { date: 5, ..named };
        assert_eq!((redated.loose_key() == named.loose_key(), redated.key() == named.key()), (true, false));
    }
}
