//! The files of a mailbox as one account: its folders are the union of theirs.
//!
//! A message's UID says which file it is in and which number it has in that file's folder, so a file that is added gives
//! new and higher UIDs. A message that an earlier file holds in the same folder, byte by byte but for its line ends, is
//! not listed again; repeats within one file are.

use crate::{
    ArchiveError,
    catalogue::{Catalogue, CataloguedFolder, SCAN_VERSION},
};
use gatepost_contract::SpecialUse;
use gatepost_transfer::{FolderPath, FolderState, RemoteFolder, UidSet};
use std::collections::BTreeMap;

/// How many bits of a UID are a message's number.
const NUMBER_BITS: u32 = 24;

/// A folder of the account.
#[derive(Debug)]
pub(super) struct AccountFolder {
    pub remote: RemoteFolder,
    /// What each file has of it, by slot.
    pub parts: Vec<Part>,
}

/// What one file has of a folder.
#[derive(Debug)]
pub(super) struct Part {
    /// The file's number among the opened ones.
    pub file: usize,
    slot: u8,
    /// The folder's number in the file's catalogue.
    pub folder: usize,
    count: u32,
    bytes: u64,
    /// Numbers of messages that an earlier file holds.
    hidden: UidSet,
    hidden_bytes: u64,
}

impl Part {
    /// A message's UID.
    pub fn uid(&self, number: u32) -> u32 {
        (u32::from(self.slot) << NUMBER_BITS) | number
    }

    /// The number of a message that is listed.
    pub fn number(&self, uid: u32) -> Option<u32> {
        let number = uid & ((1 << NUMBER_BITS) - 1);
        let ours = uid >> NUMBER_BITS == u32::from(self.slot) && (1..=self.count).contains(&number);
        (ours && !self.hidden.contains(number)).then_some(number)
    }

    /// The first number whose UID is not below this one; `None` where there is none.
    pub fn from(&self, uid: u32) -> Option<u32> {
        let first = self.uid(1).max(uid);
        (first <= self.uid(self.count)).then(|| first - self.uid(0))
    }

    /// Whether a message is listed.
    pub fn shows(&self, number: u32) -> bool {
        !self.hidden.contains(number)
    }

    fn listed(&self) -> u64 {
        u64::from(self.count) - self.hidden.len()
    }
}

impl AccountFolder {
    /// How it stands. `epoch` is the account's.
    pub fn state(&self, epoch: u32) -> FolderState {
        FolderState {
            messages: u32::try_from(self.messages()).unwrap_or(u32::MAX),
            uid_validity: epoch,
            uid_next: Some(self.parts.last().map_or(1, |part| part.uid(part.count) + 1)),
            // A file never changes; what changes is which files there are, and the counts tell that.
            highest_modseq: Some(1),
            permanent_flags: None,
            new_keywords: false,
        }
    }

    /// How many messages are listed.
    pub fn messages(&self) -> u64 {
        self.parts.iter().map(Part::listed).sum()
    }

    /// Their bytes.
    pub fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.bytes.saturating_sub(part.hidden_bytes)).sum()
    }

    /// Every UID.
    pub fn uids(&self) -> UidSet {
        let of_part = |part: &Part| {
            let all = UidSet::from_ranges((part.count > 0).then_some((1, part.count)));
            let ranges: Vec<(u32, u32)> =
                all.minus(&part.hidden).ranges().iter().map(|(a, b)| (part.uid(*a), part.uid(*b))).collect();
            ranges
        };
        UidSet::from_ranges(self.parts.iter().flat_map(of_part))
    }

    /// Which part a UID belongs to, and its number there.
    pub fn find(&self, uid: u32) -> Option<(&Part, u32)> {
        self.parts.iter().find_map(|part| Some((part, part.number(uid)?)))
    }
}

/// Joins files, which come by ascending slot.
pub(super) fn join(files: &[(u8, &Catalogue)]) -> Result<Vec<AccountFolder>, ArchiveError> {
    let mut joined: BTreeMap<FolderPath, AccountFolder> = BTreeMap::new();
    for (file, (slot, catalogue)) in files.iter().enumerate() {
        for (number, folder) in catalogue.folders().iter().enumerate() {
            if folder.without_mail && folder.special_use.is_none() {
                continue;
            }
            let own = joined
                .entry(folder.path.clone())
                .or_insert_with(|| AccountFolder { remote: remote(folder.path.clone(), None), parts: Vec::new() });
            own.remote.special_use = own.remote.special_use.or(folder.special_use);
            let (hidden, hidden_bytes) = hidden(files, &own.parts, catalogue, folder)?;
            own.parts.push(Part {
                file,
                slot: *slot,
                folder: number,
                count: folder.messages,
                bytes: folder.bytes,
                hidden,
                hidden_bytes,
            });
        }
    }
    let inbox = FolderPath::inbox();
    joined
        .entry(inbox.clone())
        .or_insert_with(|| AccountFolder { remote: remote(inbox, Some(SpecialUse::Inbox)), parts: Vec::new() });
    Ok(joined.into_values().collect())
}

fn remote(path: FolderPath, special_use: Option<SpecialUse>) -> RemoteFolder {
    RemoteFolder { native: path.to_string(), path, special_use, selectable: true }
}

/// The messages of a folder that earlier files hold too, and their bytes.
fn hidden(
    files: &[(u8, &Catalogue)],
    earlier: &[Part],
    catalogue: &Catalogue,
    folder: &CataloguedFolder,
) -> Result<(UidSet, u64), ArchiveError> {
    let mut numbers = Vec::new();
    for part in earlier {
        let other = files[part.file].1;
        let others = &other.folders()[part.folder];
        let mut theirs = other.keys(others).peekable();
        // Messages of the other file whose digests begin alike.
        let mut alike: Vec<u32> = Vec::new();
        let mut alike_key = None;
        for key in catalogue.keys(folder) {
            let (key, number) = key?;
            if alike_key != Some(key) {
                alike.clear();
                alike_key = Some(key);
                while let Some(next) = theirs.next_if(|next| next.as_ref().map_or(true, |(other, _)| *other <= key)) {
                    let (other, number) = next?;
                    if other == key {
                        alike.push(number);
                    }
                }
            }
            if !alike.is_empty() && is_one_of(catalogue, folder, number, (other, others, &alike))? {
                numbers.push(number);
            }
        }
    }
    let hidden: UidSet = numbers.into_iter().collect();
    let mut bytes = 0;
    for number in hidden.iter() {
        bytes += catalogue.entry(folder, number)?.map_or(0, |entry| entry.size());
    }
    Ok((hidden, bytes))
}

/// Whether a message has the same bytes as one of these others.
fn is_one_of(
    catalogue: &Catalogue,
    folder: &CataloguedFolder,
    number: u32,
    (other, others, alike): (&Catalogue, &CataloguedFolder, &[u32]),
) -> Result<bool, ArchiveError> {
    let digest = |entry: Option<crate::Entry>| entry.and_then(|e| e.content.ok()).map(|digests| digests.canonical);
    let ours = digest(catalogue.entry(folder, number)?);
    for number in alike {
        if ours.is_some() && digest(other.entry(others, *number)?) == ours {
            return Ok(true);
        }
    }
    Ok(false)
}

/// How many messages of each file earlier files hold.
pub(crate) fn overlaps(files: &[(u8, &Catalogue)]) -> Result<Vec<u64>, ArchiveError> {
    let mut order: Vec<usize> = (0..files.len()).collect();
    order.sort_by_key(|n| files[*n].0);
    let sorted: Vec<(u8, &Catalogue)> = order.iter().map(|n| files[*n]).collect();
    let mut counts = vec![0; files.len()];
    for folder in join(&sorted)? {
        for part in folder.parts {
            counts[order[part.file]] += part.hidden.len();
        }
    }
    Ok(counts)
}

/// The epoch of all UIDs: the same as long as the account is the same and its files are scanned alike, whichever of them
/// there are at the moment.
pub(super) fn epoch(seed: &str) -> u32 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(seed.as_bytes());
    hasher.update(&SCAN_VERSION.to_le_bytes());
    let mut epoch = [0; 4];
    hasher.finalize_xof().fill(&mut epoch);
    u32::from_le_bytes(epoch).max(1)
}
