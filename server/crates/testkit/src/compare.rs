//! Compares two snapshots as multisets of messages. It knows nothing of servers.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use crate::snapshot::{Message, Snapshot};

/// What differs between a source and its copy.
#[derive(Debug, Clone, Default)]
pub struct Differences {
    /// Source folders (as the destination should call them) that the destination does not have.
    pub folders_missing: Vec<String>,
    /// Source messages that the destination does not hold in the mapped folder.
    pub missing: Vec<Message>,
    /// Destination messages that no source message explains.
    pub extra: Vec<Message>,
    /// The same bytes in the right folder at another instant: (source, destination).
    pub date_differs: Vec<(Message, Message)>,
    /// The same bytes, folder and instant with other flags: (source, destination).
    pub flags_differ: Vec<(Message, Message)>,
    /// Pairs at the same instant, written in another zone. Told, not judged: most servers keep no zone.
    pub zones_differ: usize,
    /// Messages that agree in everything.
    pub same: usize,
}

impl Differences {
    /// Whether the copy is whole. Zones alone do not count.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// Number of differences, zones not counted.
    #[must_use]
    pub fn count(&self) -> usize {
        self.folders_missing.len()
            + self.missing.len()
            + self.extra.len()
            + self.date_differs.len()
            + self.flags_differ.len()
    }

    /// A sentence for each difference.
    pub fn details(&self) -> impl Iterator<Item = String> {
        let folders = self.folders_missing.iter().map(|folder| format!("folder missing: {folder:?}"));
        let missing = self.missing.iter().map(|message| format!("missing: {}", name(message)));
        let extra = self.extra.iter().map(|message| format!("extra: {}", name(message)));
        let dates = self
            .date_differs
            .iter()
            .map(|(a, b)| format!("date differs: {}: {} became {}", name(a), a.date_text, b.date_text));
        let flags = self
            .flags_differ
            .iter()
            .map(|(a, b)| format!("flags differ: {}: ({}) became ({})", name(a), a.flags.join(" "), b.flags.join(" ")));
        folders.chain(missing).chain(extra).chain(dates).chain(flags)
    }
}

/// Where a source folder should be at the destination: an exact entry of the map; else the longest entry `Parent/*`
/// whose parent it lies below (`Arquivo Morto/*` = `Archive/*`); else the same path.
#[must_use]
pub fn mapped(folder: &str, map: &HashMap<String, String>) -> String {
    if let Some(destination) = map.get(folder) {
        return destination.clone();
    }
    map.iter()
        .filter_map(|(from, to)| {
            let below = folder.strip_prefix(from.strip_suffix('*')?)?;
            (from.ends_with("/*") && !below.is_empty()).then_some((from.len(), to, below))
        })
        .max_by_key(|(length, _, _)| *length)
        .map_or_else(|| folder.to_owned(), |(_, to, below)| format!("{}{below}", to.trim_end_matches('*')))
}

/// Compares a source with its copy. Several source folders may map to one destination folder.
#[must_use]
pub fn compare(source: &Snapshot, dest: &Snapshot, folder_map: &HashMap<String, String>) -> Differences {
    let mut found = Differences::default();
    let wanted: BTreeSet<String> = source
        .folders
        .keys()
        .filter(|folder| source.selectable(folder))
        .map(|folder| mapped(folder, folder_map))
        .collect();
    found.folders_missing = wanted.into_iter().filter(|folder| !dest.selectable(folder)).collect();

    type Key = (String, [u8; 32]);
    let mut groups: BTreeMap<Key, (Vec<&Message>, Vec<&Message>)> = BTreeMap::new();
    for message in &source.messages {
        let key = (mapped(&message.folder, folder_map), *message.digest.as_bytes());
        groups.entry(key).or_default().0.push(message);
    }
    for message in &dest.messages {
        let key = (message.folder.clone(), *message.digest.as_bytes());
        groups.entry(key).or_default().1.push(message);
    }
    for (mut sources, mut dests) in groups.into_values() {
        // The closest pairs first: otherwise one wrong copy among duplicates would make all of them look wrong.
        let same_instant = |a: &Message, b: &Message| a.date.unix_seconds == b.date.unix_seconds;
        for (source, dest) in pair_off(&mut sources, &mut dests, |a, b| same_instant(a, b) && a.flags == b.flags) {
            found.same += 1;
            found.zones_differ += usize::from(source.date.zone_minutes != dest.date.zone_minutes);
        }
        let pairs = pair_off(&mut sources, &mut dests, same_instant);
        found.flags_differ.extend(pairs.into_iter().map(|(a, b)| (a.clone(), b.clone())));
        let pairs = pair_off(&mut sources, &mut dests, |a, b| a.flags == b.flags);
        found.date_differs.extend(pairs.into_iter().map(|(a, b)| (a.clone(), b.clone())));
        let pairs = pair_off(&mut sources, &mut dests, |_, _| true);
        for (a, b) in pairs {
            found.date_differs.push((a.clone(), b.clone()));
            found.flags_differ.push((a.clone(), b.clone()));
        }
        found.missing.extend(sources.into_iter().cloned());
        found.extra.extend(dests.into_iter().cloned());
    }
    found
}

fn pair_off<'a>(
    sources: &mut Vec<&'a Message>,
    dests: &mut Vec<&'a Message>,
    matches: impl Fn(&Message, &Message) -> bool,
) -> Vec<(&'a Message, &'a Message)> {
    let mut pairs = Vec::new();
    sources.retain(|source| {
        let Some(at) = dests.iter().position(|dest| matches(source, dest)) else { return true };
        pairs.push((*source, dests.remove(at)));
        false
    });
    pairs
}

/// How many differences are named when printed.
const SHOWN: usize = 20;

impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} the same, {} missing, {} extra, {} with another date, {} with other flags, {} folders missing",
            self.same,
            self.missing.len(),
            self.extra.len(),
            self.date_differs.len(),
            self.flags_differ.len(),
            self.folders_missing.len()
        )?;
        for line in self.details().take(SHOWN) {
            writeln!(f, "{line}")?;
        }
        if self.count() > SHOWN {
            writeln!(f, "… and {} more", self.count() - SHOWN)?;
        }
        Ok(())
    }
}

fn name(message: &Message) -> String {
    let digest = message.digest.to_hex();
    format!("{:?} uid {} ({} bytes, {}…)", message.folder, message.uid, message.size, &digest[..12])
}
