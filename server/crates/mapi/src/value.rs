//! Properties and their values (MS-OXCDATA section 2.11).

use std::collections::BTreeMap;

/// A GUID as its sixteen bytes lie in a file: the first three groups little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guid(pub [u8; 16]);

impl Guid {
    /// One of the sets {xxxxxxxx-0000-0000-C000-000000000046}, as nearly all of Outlook's are.
    #[must_use]
    pub const fn office(first: u32) -> Self {
        let [a, b, c, d] = first.to_le_bytes();
        Self([a, b, c, d, 0, 0, 0, 0, 0xC0, 0, 0, 0, 0, 0, 0, 0x46])
    }
}

/// What a property is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A property id below 0x8000 (MS-OXPROPS).
    Tag(u16),
    /// A named property with a number (PidLid…), of a property set.
    Lid(Guid, u32),
    /// A named property with a name (PidName…), of a property set.
    Name(Guid, String),
}

/// A property's value. Text is decoded; what no code page could decode is given byte by byte as Latin-1.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// PtypInteger16.
    Int16(i16),
    /// PtypInteger32 and PtypErrorCode.
    Int32(i32),
    /// PtypInteger64 and PtypCurrency.
    Int64(i64),
    /// PtypFloating32 and PtypFloating64.
    Float(f64),
    /// PtypFloatingTime: days since 1899-12-30.
    AppTime(f64),
    /// PtypBoolean.
    Bool(bool),
    /// PtypTime: 100 ns since 1601-01-01T00:00:00Z.
    Time(i64),
    /// PtypString and PtypString8.
    Text(String),
    /// PtypBinary, and PtypObject's own bytes.
    Bytes(Vec<u8>),
    /// PtypGuid.
    Guid(Guid),
    /// The multi-valued kinds.
    Many(Vec<Value>),
    /// A value too large to be held: so many bytes, to be read by [`Object::open`](crate::Object::open). Text stands
    /// there as the file has it, in the encoding given.
    Large {
        /// Bytes as stored.
        bytes: u64,
        /// What they are.
        kind: LargeKind,
    },
}

/// What the bytes of a large value are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LargeKind {
    /// Bytes.
    Binary,
    /// UTF-16LE.
    Unicode,
    /// Text in the item's code page.
    String8,
}

/// The properties of one object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Properties {
    values: BTreeMap<Key, Value>,
}

impl Properties {
    /// Sets one; the last of the same name wins.
    pub fn insert(&mut self, key: Key, value: Value) {
        self.values.insert(key, value);
    }

    /// Each of them, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Value)> {
        self.values.iter()
    }

    /// One by its name.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<&Value> {
        self.values.get(key)
    }

    /// One by its id.
    #[must_use]
    pub fn tag(&self, id: u16) -> Option<&Value> {
        self.values.get(&Key::Tag(id))
    }

    /// A text that is not empty.
    #[must_use]
    pub fn text(&self, id: u16) -> Option<&str> {
        match self.tag(id)? {
            Value::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// An integer of any width, or a truth value.
    #[must_use]
    pub fn integer(&self, id: u16) -> Option<i64> {
        match self.tag(id)? {
            Value::Int16(n) => Some(i64::from(*n)),
            Value::Int32(n) => Some(i64::from(*n)),
            Value::Int64(n) => Some(*n),
            Value::Bool(b) => Some(i64::from(*b)),
            _ => None,
        }
    }

    /// A time, in 100 ns since 1601.
    #[must_use]
    pub fn time(&self, id: u16) -> Option<i64> {
        match self.tag(id)? {
            Value::Time(t) => Some(*t),
            _ => None,
        }
    }

    /// Bytes that are held.
    #[must_use]
    pub fn bytes(&self, id: u16) -> Option<&[u8]> {
        match self.tag(id)? {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
}
