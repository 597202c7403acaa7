//! What lies at the destination without a source message of its own, and what is missing where it belongs: messages
//! that were moved, copied twice, or taken out and put back. Message-Id, size and date say which belong together.

use super::listing::{Entry, Listing};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

/// Which source message a destination message stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    /// The source folder, by its place in the verification.
    pub slot: u32,
    /// The UID there.
    pub uid: u32,
}

impl Claim {
    pub const NONE: Self = Self { slot: u32::MAX, uid: 0 };
}

/// A folder of the destination with what it holds and for what each message stands.
#[derive(Debug, Default)]
pub(super) struct Place {
    pub listing: Listing,
    pub claims: Vec<Claim>,
}

impl Place {
    pub fn new(listing: Listing) -> Self {
        let claims = vec![Claim::NONE; listing.len()];
        Self { listing, claims }
    }

    /// Claims a message; `None` where there is none, `Err` where it stands for another one already.
    pub fn claim(&mut self, uid: u32, claim: Claim) -> Option<Result<Entry, ()>> {
        let at = self.listing.position(uid)?;
        if self.claims[at] != Claim::NONE {
            return Some(Err(()));
        }
        self.claims[at] = claim;
        Some(Ok(self.listing.entries()[at]))
    }
}

/// A destination message that stands for no source message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stray {
    pub entry: Entry,
    /// Its folder, by its place among those of the destination.
    pub place: u32,
    /// Whether it has been found to be something by now.
    spent: bool,
}

/// A source message whose copy is not where it was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lost {
    pub entry: Entry,
    pub slot: u32,
    /// The folder where its copy belongs; `None` where there is none.
    pub place: Option<u32>,
    /// Whether it was given up.
    pub waived: bool,
    /// Whether it was given up because its copy lies in another folder.
    pub elsewhere: bool,
}

/// A message with a copy in its place, and what copies of it look like.
#[derive(Clone, Copy, Debug)]
struct Linked {
    key: u64,
    claim: Claim,
}

/// Two messages of one destination folder that look the same but for their dates: the bytes tell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Twins {
    pub place: u32,
    /// The one that stands for a source message: UID, size, and for which.
    pub linked: (u32, u64),
    pub claim: Claim,
    /// Which stray the other one is.
    stray: usize,
    /// The other one: UID and size.
    pub other: (u32, u64),
}

/// Strays that look alike, by what tells them apart, in the order in which they came.
#[derive(Debug)]
struct Alike<K>(BTreeMap<K, VecDeque<usize>>);

impl<K> Default for Alike<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Copy + Ord> Alike<K> {
    fn add(&mut self, by: K, stray: usize) {
        self.0.entry(by).or_default().push_back(stray);
    }

    /// Takes one of this kind.
    fn of(&mut self, by: &K) -> Option<usize> {
        let strays = self.0.get_mut(by)?;
        let stray = strays.pop_front();
        if strays.is_empty() {
            self.0.remove(by);
        }
        stray
    }

    /// Takes one of another kind.
    fn but(&mut self, by: &K) -> Option<usize> {
        let other = self.0.keys().find(|key| *key != by).copied()?;
        self.of(&other)
    }
}

/// Everything that may belong together across folders.
#[derive(Debug, Default)]
pub(super) struct Strays {
    strays: Vec<Stray>,
    linked: Vec<Linked>,
    pub lost: Vec<Lost>,
    pub twins: Vec<Twins>,
}

impl Strays {
    /// Takes what a folder of the destination holds, once every source folder that goes there has claimed its own.
    /// `thorough`: messages without a Message-Id are compared too, whatever their date.
    pub fn take(&mut self, place: u32, folder: &Place, thorough: bool) {
        let from = self.strays.len();
        for (entry, claim) in folder.listing.entries().iter().zip(&folder.claims) {
            if *claim == Claim::NONE {
                self.strays.push(Stray { entry: *entry, place, spent: false });
            } else if let Some(key) = entry.key() {
                self.linked.push(Linked { key, claim: *claim });
            }
        }
        let mut alike: HashMap<u64, Alike<i64>> = HashMap::new();
        for (n, stray) in self.strays.iter().enumerate().skip(from) {
            alike.entry(stray.entry.loose_key()).or_default().add(stray.entry.date, n);
        }
        if alike.is_empty() {
            return;
        }
        for (entry, claim) in folder.listing.entries().iter().zip(&folder.claims) {
            if *claim == Claim::NONE {
                continue;
            }
            let Some(strays) = alike.get_mut(&entry.loose_key()) else { continue };
            let stray = match entry.id {
                0 => match strays.of(&entry.date) {
                    None if thorough => strays.but(&entry.date),
                    same => same,
                },
                // What has the same key needs no bytes to be told.
                _ => strays.but(&entry.date),
            };
            let Some(stray) = stray else { continue };
            let other = self.strays[stray].entry;
            self.twins.push(Twins {
                place,
                linked: (entry.uid, entry.size),
                claim: *claim,
                stray,
                other: (other.uid, other.size),
            });
        }
    }

    /// For each lost message a stray in the folder where it belongs that looks like it: put back, or restored.
    pub fn put_back(&self) -> Vec<(usize, usize)> {
        let key = |place, entry: &Entry| (place, entry.loose_key(), entry.date);
        let wanted: HashSet<(u32, u64, i64)> =
            self.lost.iter().filter_map(|lost| Some(key(lost.place?, &lost.entry))).collect();
        let mut there: HashMap<(u32, u64, i64), VecDeque<usize>> = HashMap::new();
        for (n, stray) in self.strays.iter().enumerate() {
            let key = key(stray.place, &stray.entry);
            if wanted.contains(&key) {
                there.entry(key).or_default().push_back(n);
            }
        }
        let mut pairs = Vec::new();
        for (n, lost) in self.lost.iter().enumerate() {
            let strays = lost.place.and_then(|place| there.get_mut(&key(place, &lost.entry)));
            if let Some(stray) = strays.and_then(VecDeque::pop_front) {
                pairs.push((n, stray));
            }
        }
        pairs
    }

    /// For each lost message a stray in another folder that is it; of waived ones only for those that were known to lie
    /// in one, and these come first.
    pub fn misplaced(&mut self, found: &HashSet<usize>) -> Vec<(usize, Stray)> {
        let open = |(n, lost): &(usize, &Lost)| !found.contains(n) && (!lost.waived || lost.elsewhere);
        let wanted: HashSet<u64> =
            self.lost.iter().enumerate().filter(open).filter_map(|(_, lost)| lost.entry.key()).collect();
        let mut there: HashMap<u64, Alike<u32>> = HashMap::new();
        for (n, stray) in self.strays.iter().enumerate().filter(|(_, stray)| !stray.spent) {
            if let Some(key) = stray.entry.key().filter(|key| wanted.contains(key)) {
                there.entry(key).or_default().add(stray.place, n);
            }
        }
        let mut pairs = Vec::new();
        let all = || self.lost.iter().enumerate().filter(open);
        let in_order = all().filter(|(_, lost)| lost.elsewhere).chain(all().filter(|(_, lost)| !lost.elsewhere));
        for (n, lost) in in_order {
            let Some(strays) = lost.entry.key().and_then(|key| there.get_mut(&key)) else { continue };
            if let Some(stray) = strays.but(&lost.place.unwrap_or(u32::MAX)) {
                pairs.push((n, self.strays[stray]));
                self.strays[stray].spent = true;
            }
        }
        pairs
    }

    /// The strays that are copies of a message that has its own, with which: of messages that are equal to each other
    /// the first. `exact`: pairs of which the bytes were found to be the same.
    pub fn doubled(&mut self, exact: &[Twins]) -> Vec<(Claim, Stray)> {
        let mut pairs = Vec::new();
        for twins in exact {
            let stray = &mut self.strays[twins.stray];
            if !std::mem::replace(&mut stray.spent, true) {
                pairs.push((twins.claim, *stray));
            }
        }
        let wanted: HashSet<u64> =
            self.strays.iter().filter(|stray| !stray.spent).filter_map(|stray| stray.entry.key()).collect();
        if wanted.is_empty() {
            return pairs;
        }
        let mut owners: HashMap<u64, Claim> = HashMap::new();
        for linked in self.linked.iter().filter(|linked| wanted.contains(&linked.key)) {
            owners.entry(linked.key).or_insert(linked.claim);
        }
        for stray in self.strays.iter_mut().filter(|stray| !stray.spent) {
            if let Some(claim) = stray.entry.key().and_then(|key| owners.get(&key)) {
                stray.spent = true;
                pairs.push((*claim, *stray));
            }
        }
        pairs
    }

    /// A stray has been found to be a message's own copy: it is one no longer.
    pub fn spend(&mut self, stray: usize) {
        let stray = &mut self.strays[stray];
        stray.spent = true;
        stray.place = u32::MAX;
    }

    pub fn stray(&self, stray: usize) -> &Stray {
        &self.strays[stray]
    }

    /// How many strays a folder holds.
    pub fn count(&self, place: u32) -> i64 {
        self.strays.iter().filter(|stray| stray.place == place).count() as i64
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{at_work::at_work, listing::tests::sample},
        *,
    };

    const CLAIM: Claim = Claim { slot: 0, uid: 5 };

    fn place(entries: &[Entry], claimed: &[u32]) -> Place {
        let mut place = Place::new(Listing::of(entries.to_vec()));
        for uid in claimed {
            place.claim(*uid, Claim { slot: 0, uid: *uid }).unwrap().unwrap();
        }
        place
    }

    fn lost(uid: u32, place: Option<u32>) -> Lost {
        Lost { entry: sample(uid), slot: 0, place, waived: false, elsewhere: false }
    }

    #[test]
    fn a_message_stands_for_one_source_message_only() {
        let mut place = place(&[sample(1), sample(2)], &[1]);
        assert_eq!(place.claim(1, CLAIM), Some(Err(())));
        assert_eq!(place.claim(2, CLAIM), Some(Ok(sample(2))));
        assert_eq!(place.claim(3, CLAIM), None);
    }

    #[test]
    fn a_lost_message_is_found_in_another_folder_and_each_stray_serves_once() {
        let mut strays = Strays::default();
        strays.take(0, &place(&[sample(1)], &[1]), false);
        strays.take(1, &place(&[Entry { uid: 90, ..sample(7) }], &[]), false);
        strays.lost = vec![lost(7, Some(0)), lost(7, Some(0)), lost(8, Some(0))];
        let found = strays.misplaced(&HashSet::new());
        assert_eq!(found.iter().map(|(n, s)| (*n, s.entry.uid, s.place)).collect::<Vec<_>>(), [(0, 90, 1)]);
        assert!(strays.misplaced(&HashSet::new()).is_empty());
    }

    #[test]
    fn a_message_that_was_put_back_is_found_in_its_own_folder() {
        let mut strays = Strays::default();
        let same = Entry { uid: 90, ..sample(7) };
        let redated = Entry { date: 5, uid: 91, ..sample(8) };
        strays.take(0, &place(&[same, redated], &[]), false);
        strays.lost = vec![lost(7, Some(0)), lost(8, Some(0)), lost(7, None)];
        assert_eq!(strays.put_back(), [(0, 0)]);
    }

    #[test]
    fn copies_too_many_are_found_in_their_folder_and_in_others() {
        let mut strays = Strays::default();
        strays.take(0, &place(&[sample(1), Entry { uid: 50, ..sample(1) }, sample(60)], &[1]), false);
        strays.take(1, &place(&[Entry { uid: 70, ..sample(1) }], &[]), false);
        let doubled = strays.doubled(&[]);
        let seen: Vec<_> = doubled.iter().map(|(claim, s)| (claim.uid, s.entry.uid, s.place)).collect();
        assert_eq!(seen, [(1, 50, 0), (1, 70, 1)]);
        assert_eq!(strays.count(0), 2);
    }

    #[test]
    fn what_differs_in_its_date_or_has_no_message_id_is_a_matter_for_the_bytes() {
        let redated = Entry { date: 5, uid: 50, ..sample(1) };
        let nameless = |uid, date| Entry { id: 0, uid, date, ..sample(1) };
        let cases = [
            (sample(1), redated, false, 1),
            (nameless(1, 1000), nameless(50, 1000), false, 1),
            (nameless(1, 1000), nameless(50, 5), false, 0),
            (nameless(1, 1000), nameless(50, 5), true, 1),
        ];
        for (linked, stray, thorough, twins) in cases {
            let mut strays = Strays::default();
            strays.take(0, &place(&[linked, stray], &[1]), thorough);
            assert_eq!(strays.twins.len(), twins, "{stray:?}");
            assert_eq!(strays.doubled(&strays.twins.clone()).len(), twins);
        }
    }
    #[test]
    fn a_mailbox_full_of_messages_that_look_alike_is_matched_in_good_time() {
        let nameless = |uid| Entry { id: 0, uid, date: i64::from(uid), ..sample(1) };
        let half = 60_000;
        let entries: Vec<Entry> = (1..=2 * half).map(nameless).collect();
        let claimed: Vec<u32> = (1..=half).collect();
        let began = at_work();
        for thorough in [false, true] {
            let mut strays = Strays::default();
            strays.take(0, &place(&entries, &claimed), thorough);
            assert_eq!(strays.twins.len(), if thorough { half as usize } else { 0 });
            let lost = |uid| Lost { entry: nameless(uid), ..lost(uid, Some(0)) };
            strays.lost = (half + 1..=2 * half).rev().map(lost).collect();
            assert_eq!(strays.put_back().len(), half as usize);
        }
        // Every one with every other takes minutes.
        let took = at_work() - began;
        assert!(took.as_secs() < 30, "{took:?}");
    }

    #[test]
    fn what_was_given_up_where_it_lies_is_matched_before_what_is_missing() {
        let mut strays = Strays::default();
        strays.take(1, &place(&[Entry { uid: 90, ..sample(7) }], &[]), false);
        let waived = |elsewhere| Lost { waived: true, elsewhere, ..lost(7, Some(0)) };
        strays.lost = vec![waived(false), lost(7, Some(0)), waived(true)];
        assert_eq!(strays.misplaced(&HashSet::new()).iter().map(|(n, _)| *n).collect::<Vec<_>>(), [2]);
    }
}
