//! Named properties: the map from a property set and a number or a name to an id above 0x8000 (MS-PST 2.4.7).

use super::encode::checksum;
use super::ndb::Bytes;
use super::value::{Name, Value, sets};
use std::collections::BTreeMap;

/// How many buckets the map's own index has.
const BUCKETS: u32 = 251;

pub(super) struct Names {
    ids: BTreeMap<Name, u16>,
    order: Vec<Name>,
}

impl Names {
    /// A map with the names of categories and reminders in it: no store of Outlook's has an empty one, and libpff
    /// refuses it.
    pub(super) fn new() -> Self {
        let mut names = Self { ids: BTreeMap::new(), order: Vec::new() };
        names.id(&Name::Named(sets::PUBLIC_STRINGS, "Keywords".to_owned()));
        names.id(&Name::Lid(sets::COMMON, 0x8503));
        names
    }

    /// The id that a name has in this file.
    pub(super) fn id(&mut self, name: &Name) -> u16 {
        if let Name::Tag(id) = name {
            return *id;
        }
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let id = 0x8000 + self.order.len() as u16;
        self.ids.insert(name.clone(), id);
        self.order.push(name.clone());
        id
    }

    /// The properties of the node that holds the map.
    pub(super) fn properties(&self) -> BTreeMap<u16, Value> {
        let (mut guids, mut entries, mut strings) = (Vec::<[u8; 16]>::new(), Bytes::default(), Bytes::default());
        let mut buckets: BTreeMap<u16, Vec<u8>> = BTreeMap::new();
        for (index, name) in self.order.iter().enumerate() {
            let (set, text) = match name {
                Name::Tag(_) => continue,
                Name::Lid(set, _) => (set, None),
                Name::Named(set, text) => (set, Some(text)),
            };
            // 1 and 2 stand for two sets that every file has; others follow in the order of their list.
            let set = match *set {
                sets::MAPI => 1,
                sets::PUBLIC_STRINGS => 2,
                set => {
                    let at = guids.iter().position(|known| *known == set).unwrap_or_else(|| {
                        guids.push(set);
                        guids.len() - 1
                    });
                    at + 3
                }
            };
            let (number, hash) = match (name, text) {
                (_, Some(text)) => {
                    let at = strings.0.len() as u32;
                    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
                    strings.u32(wide.len() as u32);
                    strings.0.extend_from_slice(&wide);
                    strings.0.resize(strings.0.len().next_multiple_of(4), 0);
                    (at, checksum(&wide))
                }
                (Name::Lid(_, number), None) => (*number, *number),
                _ => continue,
            };
            let kind = (set << 1) | usize::from(text.is_some());
            entries.u32(number).u16(kind).u16(index);
            let mut entry = Bytes::default();
            entry.u32(hash).u16(kind).u16(index);
            let bucket = (hash ^ kind as u32) % BUCKETS;
            buckets.entry(0x1000 + bucket as u16).or_default().append(&mut entry.0);
        }
        let mut out: BTreeMap<u16, Value> =
            buckets.into_iter().map(|(bucket, bytes)| (bucket, Value::Binary(bytes))).collect();
        out.insert(0x0001, Value::Int32(BUCKETS.cast_signed()));
        out.insert(0x0002, Value::Binary(guids.concat()));
        out.insert(0x0003, Value::Binary(entries.0));
        out.insert(0x0004, Value::Binary(strings.0));
        out
    }
}
