//! The properties of one object of a `.msg` file (MS-OXMSG section 2.4): short values in one stream, each other in its
//! own.

use super::Shared;
use crate::{Error, Guid, Key, LargeKind, Properties, Value, codepage, tags};
use std::{
    collections::BTreeMap,
    io::{Read, Seek},
    path::{Path, PathBuf},
};

/// The stream of short values.
pub(super) const STREAM: &str = "__properties_version1.0";
/// Values above this are given as streams.
const HELD: u64 = 64 << 10;
/// More values of a multi-valued property are not believed.
const MOST_VALUES: usize = 4_096;

/// Which object it is: the headers of their property streams differ.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Top,
    Embedded,
    /// A recipient or an attachment.
    Part,
}

/// Properties, and where the streams of their values are.
pub(super) struct Bag {
    pub properties: Properties,
    streams: BTreeMap<Key, PathBuf>,
}

impl Bag {
    /// Reads them; text that is not Unicode is in `page`, where the object does not say otherwise.
    pub fn read<F: Read + Seek>(shared: &Shared<F>, path: &Path, kind: Kind, page: Option<u32>) -> Result<Self, Error> {
        let stream = shared.read(&path.join(STREAM), 4 << 20)?;
        let stream = stream.ok_or_else(|| Error::Damaged("It has no properties.".to_owned()))?;
        let header = match kind {
            Kind::Top => 32,
            Kind::Embedded => 24,
            Kind::Part => 8,
        };
        let entries: Vec<(u32, [u8; 8])> = stream
            .get(header..)
            .unwrap_or_default()
            .chunks_exact(16)
            .filter_map(|e| Some((u32::from_le_bytes(e[..4].try_into().ok()?), e[8..].try_into().ok()?)))
            .collect();
        let mut bag = Self { properties: Properties::default(), streams: BTreeMap::new() };
        // Short values first: among them is the code page that texts need.
        for (tag, raw) in &entries {
            if let Some(value) = short(*tag as u16, *raw) {
                bag.properties.insert(shared.names.key((tag >> 16) as u16), value);
            }
        }
        let page = page.filter(|_| bag.properties.tag(tags::MESSAGE_CODEPAGE).is_none()).unwrap_or(bag.codepage());
        for (tag, _) in &entries {
            let key = shared.names.key((tag >> 16) as u16);
            // A value that cannot be read is left out; the others are not.
            if bag.properties.get(&key).is_none()
                && let Ok(Some(value)) = long(shared, path, *tag, page)
            {
                bag.streams.insert(key.clone(), path.join(format!("__substg1.0_{tag:08X}")));
                bag.properties.insert(key, value);
            }
        }
        Ok(bag)
    }

    /// The code page of its text.
    pub fn codepage(&self) -> u32 {
        let p = &self.properties;
        codepage::number(p, tags::MESSAGE_CODEPAGE)
            .filter(|n| *n != 1200)
            .or_else(|| codepage::number(p, tags::INTERNET_CODEPAGE).filter(|n| !matches!(n, 1200 | 20127)))
            .unwrap_or(codepage::WESTERN)
    }

    /// The bytes of a value.
    pub fn open<'a, F: Read + Seek + 'a>(
        &'a self,
        shared: &'a Shared<F>,
        key: &Key,
    ) -> Result<Option<Box<dyn Read + 'a>>, Error> {
        match self.streams.get(key) {
            Some(path) => Ok(Some(Box::new(shared.stream(path)?))),
            None => Ok(None),
        }
    }
}

/// A value of fixed length.
fn short(kind: u16, raw: [u8; 8]) -> Option<Value> {
    let four = [raw[0], raw[1], raw[2], raw[3]];
    Some(match kind {
        0x0002 => Value::Int16(i16::from_le_bytes([raw[0], raw[1]])),
        0x0003 | 0x000A => Value::Int32(i32::from_le_bytes(four)),
        0x0004 => Value::Float(f64::from(f32::from_le_bytes(four))),
        0x0005 => Value::Float(f64::from_le_bytes(raw)),
        0x0006 | 0x0014 => Value::Int64(i64::from_le_bytes(raw)),
        0x0007 => Value::AppTime(f64::from_le_bytes(raw)),
        0x000B => Value::Bool(raw[0] != 0),
        0x0040 => Value::Time(i64::from_le_bytes(raw)),
        _ => return None,
    })
}

/// A value with a stream of its own.
fn long<F: Read + Seek>(shared: &Shared<F>, path: &Path, tag: u32, page: u32) -> Result<Option<Value>, Error> {
    let kind = tag as u16;
    let own = path.join(format!("__substg1.0_{tag:08X}"));
    if kind & 0x1000 != 0 {
        return many(shared, &own, kind & 0xFFF, page);
    }
    let large = match kind {
        0x001E => LargeKind::String8,
        0x001F => LargeKind::Unicode,
        0x0102 | 0x0048 => LargeKind::Binary,
        _ => return Ok(None),
    };
    if !shared.file.borrow().is_stream(&own) {
        return Ok(None);
    }
    let length = shared.file.borrow().entry(&own)?.len();
    if length > HELD {
        return Ok(Some(Value::Large { bytes: length, kind: large }));
    }
    Ok(shared.read(&own, HELD)?.and_then(|bytes| value(kind, bytes, page)))
}

fn value(kind: u16, bytes: Vec<u8>, page: u32) -> Option<Value> {
    let text = |number| Value::Text(codepage::decode(&bytes, number).trim_end_matches('\0').to_owned());
    Some(match kind {
        0x001E => text(page),
        0x001F => text(1200),
        0x0048 => Value::Guid(Guid(bytes.try_into().ok()?)),
        0x0102 => Value::Bytes(bytes),
        _ => return None,
    })
}

/// A multi-valued property: those of fixed length in one stream, the others in one each.
fn many<F: Read + Seek>(shared: &Shared<F>, own: &Path, kind: u16, page: u32) -> Result<Option<Value>, Error> {
    let Some(lengths) = shared.read(own, 1 << 20)? else { return Ok(None) };
    let size = match kind {
        0x0002 => 2,
        0x0003 | 0x0004 => 4,
        0x0005..=0x0007 | 0x0014 | 0x0040 => 8,
        0x0048 => 16,
        _ => 0,
    };
    let mut values = Vec::new();
    if size > 0 {
        for chunk in lengths.chunks_exact(size).take(MOST_VALUES) {
            let mut raw = [0; 8];
            raw[..size.min(8)].copy_from_slice(&chunk[..size.min(8)]);
            let one = if size == 16 { value(kind, chunk.to_vec(), page) } else { short(kind, raw) };
            values.extend(one);
        }
        return Ok(Some(Value::Many(values)));
    }
    let count = lengths.len() / if kind == 0x0102 { 8 } else { 4 };
    for number in 0..count.min(MOST_VALUES) {
        let path = PathBuf::from(format!("{}-{number:08X}", own.display()));
        if let Some(bytes) = shared.read(&path, HELD)? {
            values.extend(value(kind, bytes, page));
        }
    }
    Ok(Some(Value::Many(values)))
}
