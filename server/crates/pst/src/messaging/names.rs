//! Named properties (MS-PST 2.4.7): which name stands behind an id from 0x8000.

use crate::{
    error::Result,
    ltp::{Context, PropertyContext},
    messaging::nids,
    ndb::Ndb,
    raw::{u16_at, u32_at},
};
use gatepost_mapi::{Guid, Key};
use std::io::Read;

/// The names of one file.
#[derive(Debug, Default)]
pub struct Names {
    /// By id less 0x8000.
    keys: Vec<Option<Key>>,
}

/// PS_MAPI and PS_PUBLIC_STRINGS, which have numbers instead of places in the list.
const MAPI: Guid = Guid(*b"\x28\x03\x02\0\0\0\0\0\xC0\0\0\0\0\0\0\x46");
const PUBLIC_STRINGS: Guid = Guid(*b"\x29\x03\x02\0\0\0\0\0\xC0\0\0\0\0\0\0\x46");

/// More than 32,768 names of 255 characters cannot be.
const MOST_BYTES: u64 = 17 << 20;

impl Names {
    pub fn read(ndb: &Ndb) -> Result<Self> {
        let Some(node) = ndb.node(nids::NAMES)? else {
            ndb.damage.add("The file has no list of named properties: categories and the like may be missing.");
            return Ok(Self::default());
        };
        let properties = PropertyContext::open(Context::new(ndb), node.data, node.subnodes)?;
        let stream = |id| -> Result<Vec<u8>> {
            let mut bytes = Vec::new();
            if let Some(entry) = properties.entry(id) {
                // What comes before the damage is worth having.
                if let Err(error) = properties.open_value(entry)?.take(MOST_BYTES).read_to_end(&mut bytes) {
                    ndb.damage.add(format!("Part of the list of named properties is lost. {error}"));
                }
            }
            Ok(bytes)
        };
        Ok(Self::parse(&stream(2)?, &stream(3)?, &stream(4)?))
    }

    fn parse(guids: &[u8], entries: &[u8], strings: &[u8]) -> Self {
        let mut keys = Vec::new();
        for entry in entries.chunks_exact(8) {
            let (Some(name), Some(set), Some(place)) = (u32_at(entry, 0), u16_at(entry, 4), u16_at(entry, 6)) else {
                continue;
            };
            let guid = match set >> 1 {
                0 => Guid([0; 16]),
                1 => MAPI,
                2 => PUBLIC_STRINGS,
                n => match guids.get(usize::from(n - 3) * 16..).and_then(|rest| rest.first_chunk()) {
                    Some(guid) => Guid(*guid),
                    None => continue,
                },
            };
            let key = if set & 1 == 0 {
                Key::Lid(guid, name)
            } else {
                let at = name as usize;
                let text = u32_at(strings, at).and_then(|length| {
                    strings.get(at.checked_add(4)?..at.checked_add(4)?.checked_add(length as usize)?)
                });
                let Some(text) = text else { continue };
                // Many entries may point at one long text: no name is longer than this (MS-OXCPRPT 4.1.1).
                Key::Name(guid, crate::ltp::utf16(&text[..text.len().min(1024)]))
            };
            let place = usize::from(place);
            if place >= 0x8000 {
                continue;
            }
            if keys.len() <= place {
                keys.resize(place + 1, None);
            }
            keys[place] = Some(key);
        }
        Self { keys }
    }

    /// The name of a property; ids without one stay what they are.
    pub fn key(&self, id: u16) -> Key {
        let place = id.checked_sub(0x8000).map(usize::from);
        place.and_then(|place| self.keys.get(place)?.clone()).unwrap_or(Key::Tag(id))
    }

    /// The id of a name.
    pub fn id(&self, key: &Key) -> Option<u16> {
        if let Key::Tag(id) = key {
            return Some(*id);
        }
        let place = self.keys.iter().position(|known| known.as_ref() == Some(key))?;
        u16::try_from(place + 0x8000).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_found_both_ways_and_broken_entries_are_passed_over() {
        let guids = [7; 16];
        let mut entries = Vec::new();
        for (name, set, place) in [(0x8233_u32, 3_u16 << 1, 0_u16), (0, 2 << 1 | 1, 2), (9, 9 << 1, 3), (500, 5, 4)] {
            entries.extend(name.to_le_bytes());
            entries.extend(set.to_le_bytes());
            entries.extend(place.to_le_bytes());
        }
        let names = Names::parse(&guids, &entries, b"\x04\0\0\0K\0w\0");
        let lid = Key::Lid(Guid([7; 16]), 0x8233);
        let keyword = Key::Name(PUBLIC_STRINGS, "Kw".into());
        assert_eq!((names.key(0x8000), names.id(&lid)), (lid, Some(0x8000)));
        assert_eq!((names.key(0x8002), names.id(&keyword)), (keyword, Some(0x8002)));
        for id in [0x37, 0x8001, 0x8003, 0x8004, 0xFFFF] {
            assert_eq!(names.key(id), Key::Tag(id));
        }
    }
}
