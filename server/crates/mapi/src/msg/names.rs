//! The names of named properties (MS-OXMSG section 2.2.3).

use crate::{Guid, Key, sets};
use std::collections::BTreeMap;

/// PS_MAPI.
const MAPI: Guid = Guid::office(0x0002_0328);

/// What the ids from 0x8000 on stand for.
#[derive(Default)]
pub(super) struct Names {
    keys: BTreeMap<u16, Key>,
}

impl Names {
    /// Reads them from the three streams of the mapping; what cannot be read is left out.
    pub fn read(stream: impl Fn(&str) -> std::io::Result<Option<Vec<u8>>>) -> Self {
        let bytes = |name: &str| stream(name).ok().flatten().unwrap_or_default();
        let (guids, entries, strings) =
            (bytes("__substg1.0_00020102"), bytes("__substg1.0_00030102"), bytes("__substg1.0_00040102"));
        let mut keys = BTreeMap::new();
        for entry in entries.chunks_exact(8).take(0x7FFF) {
            let number = u32::from_le_bytes([entry[0], entry[1], entry[2], entry[3]]);
            let kind = u16::from_le_bytes([entry[4], entry[5]]);
            let index = u16::from_le_bytes([entry[6], entry[7]]);
            let Some(set) = guid(&guids, usize::from(kind >> 1)) else { continue };
            let key = if kind & 1 == 0 {
                Key::Lid(set, number)
            } else {
                let Some(name) = name(&strings, number) else { continue };
                Key::Name(set, name)
            };
            if let Some(id) = index.checked_add(0x8000) {
                keys.insert(id, key);
            }
        }
        Self { keys }
    }

    /// The name of a property.
    pub fn key(&self, id: u16) -> Key {
        self.keys.get(&id).filter(|_| id >= 0x8000).cloned().unwrap_or(Key::Tag(id))
    }
}

fn guid(guids: &[u8], index: usize) -> Option<Guid> {
    match index {
        1 => Some(MAPI),
        2 => Some(sets::PUBLIC_STRINGS),
        3.. => guids.get((index - 3) * 16..(index - 2) * 16)?.try_into().ok().map(Guid),
        _ => None,
    }
}

/// A name in the stream of strings: its length in bytes, then UTF-16LE.
fn name(strings: &[u8], offset: u32) -> Option<String> {
    let rest = strings.get(usize::try_from(offset).ok()?..)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok().filter(|l| *l <= 1_024)?;
    Some(crate::codepage::decode(rest.get(..length)?, 1200).into_owned())
}
