//! What an item's properties are called and hold.

/// What a property is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// A property id below 0x8000.
    Tag(u16),
    /// A named property with a number, of a property set.
    Lid([u8; 16], u32),
    /// A named property with a name, of a property set.
    Named([u8; 16], String),
}

/// Property sets (MS-OXPROPS section 1.3.2) as their bytes lie in a file.
pub mod sets {
    const fn set(first: u32, second: u16, third: u16, rest: [u8; 8]) -> [u8; 16] {
        let (a, b, c) = (first.to_le_bytes(), second.to_le_bytes(), third.to_le_bytes());
        let r = rest;
        [a[0], a[1], a[2], a[3], b[0], b[1], c[0], c[1], r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7]]
    }
    const OUTLOOK: [u8; 8] = [0xC0, 0, 0, 0, 0, 0, 0, 0x46];
    /// PS_MAPI.
    pub const MAPI: [u8; 16] = set(0x0002_0328, 0, 0, OUTLOOK);
    /// PS_PUBLIC_STRINGS: categories, and whatever has a name.
    pub const PUBLIC_STRINGS: [u8; 16] = set(0x0002_0329, 0, 0, OUTLOOK);
    /// PS_INTERNET_HEADERS.
    pub const INTERNET_HEADERS: [u8; 16] = set(0x0002_0386, 0, 0, OUTLOOK);
    /// PSETID_Appointment.
    pub const APPOINTMENT: [u8; 16] = set(0x0006_2002, 0, 0, OUTLOOK);
    /// PSETID_Task.
    pub const TASK: [u8; 16] = set(0x0006_2003, 0, 0, OUTLOOK);
    /// PSETID_Address.
    pub const ADDRESS: [u8; 16] = set(0x0006_2004, 0, 0, OUTLOOK);
    /// PSETID_Common.
    pub const COMMON: [u8; 16] = set(0x0006_2008, 0, 0, OUTLOOK);
    /// PSETID_Log.
    pub const LOG: [u8; 16] = set(0x0006_200A, 0, 0, OUTLOOK);
    /// PSETID_Note.
    pub const NOTE: [u8; 16] = set(0x0006_200E, 0, 0, OUTLOOK);
    /// PSETID_Meeting.
    pub const MEETING: [u8; 16] = set(0x6ED8_DA90, 0x450B, 0x101B, [0x98, 0xDA, 0x00, 0xAA, 0x00, 0x3F, 0x13, 0x05]);
}

/// What a property holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// PtypInteger16.
    Int16(i16),
    /// PtypInteger32.
    Int32(i32),
    /// PtypInteger64.
    Int64(i64),
    /// PtypFloating64.
    Float64(f64),
    /// PtypFloatingTime.
    AppTime(f64),
    /// PtypBoolean.
    Bool(bool),
    /// PtypTime, given in seconds since 1970.
    Time(i64),
    /// PtypTime as it lies there: 100 ns since 1601, whatever that means.
    FileTime(i64),
    /// PtypString; in the ANSI layout PtypString8 in the file's code page.
    Text(String),
    /// PtypString8, byte by byte.
    Text8(Vec<u8>),
    /// PtypBinary.
    Binary(Vec<u8>),
    /// PtypGuid.
    Guid([u8; 16]),
    /// PtypMultipleInteger32.
    Int32s(Vec<i32>),
    /// PtypMultipleString; in the ANSI layout PtypMultipleString8.
    Texts(Vec<String>),
    /// PtypMultipleBinary.
    Binaries(Vec<Vec<u8>>),
    /// A type of which only the number is known, and its bytes.
    Raw(u16, Vec<u8>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// A value as it is stored: what fits into four bytes lies in the table itself.
pub(super) enum Stored {
    Inline(u32),
    Bytes(Vec<u8>),
}

const EPOCH_1601: i64 = 11_644_473_600;

/// How texts are stored in a file.
#[derive(Clone, Copy)]
pub(super) enum Texts {
    /// UTF-16LE.
    Wide,
    /// A code page.
    Narrow(&'static encoding_rs::Encoding),
}

impl Texts {
    fn bytes(self, text: &str) -> Vec<u8> {
        match self {
            Self::Wide => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            Self::Narrow(encoding) => {
                let mut out = Vec::with_capacity(text.len());
                let mut buffer = [0; 4];
                for char in text.chars() {
                    match encoding.encode(char.encode_utf8(&mut buffer)) {
                        (bytes, _, false) => out.extend_from_slice(&bytes),
                        _ => out.push(b'?'),
                    }
                }
                out
            }
        }
    }
}

impl Value {
    /// Its type's number (MS-OXCDATA 2.11.1).
    pub(super) fn kind(&self, texts: Texts) -> u16 {
        let wide = matches!(texts, Texts::Wide);
        match self {
            Self::Int16(_) => 0x0002,
            Self::Int32(_) => 0x0003,
            Self::Float64(_) => 0x0005,
            Self::AppTime(_) => 0x0007,
            Self::Bool(_) => 0x000B,
            Self::Int64(_) => 0x0014,
            Self::Text(_) if wide => 0x001F,
            Self::Text(_) | Self::Text8(_) => 0x001E,
            Self::Time(_) | Self::FileTime(_) => 0x0040,
            Self::Guid(_) => 0x0048,
            Self::Binary(_) => 0x0102,
            Self::Int32s(_) => 0x1003,
            Self::Texts(_) if wide => 0x101F,
            Self::Texts(_) => 0x101E,
            Self::Binaries(_) => 0x1102,
            Self::Raw(kind, _) => *kind,
        }
    }

    /// Its bytes.
    pub(super) fn stored(&self, texts: Texts) -> Stored {
        match self {
            Self::Int16(n) => Stored::Inline(u32::from(n.cast_unsigned())),
            Self::Int32(n) => Stored::Inline(n.cast_unsigned()),
            Self::Bool(b) => Stored::Inline(u32::from(*b)),
            Self::Int64(n) | Self::FileTime(n) => Stored::Bytes(n.to_le_bytes().to_vec()),
            Self::Time(seconds) => Stored::Bytes(((seconds + EPOCH_1601) * 10_000_000).to_le_bytes().to_vec()),
            Self::Float64(n) | Self::AppTime(n) => Stored::Bytes(n.to_le_bytes().to_vec()),
            Self::Text(text) => Stored::Bytes(texts.bytes(text)),
            Self::Text8(bytes) | Self::Binary(bytes) | Self::Raw(_, bytes) => Stored::Bytes(bytes.clone()),
            Self::Guid(bytes) => Stored::Bytes(bytes.to_vec()),
            Self::Int32s(many) => Stored::Bytes(many.iter().flat_map(|n| n.to_le_bytes()).collect()),
            Self::Texts(many) => Stored::Bytes(variable(many.iter().map(|text| texts.bytes(text)).collect())),
            Self::Binaries(many) => Stored::Bytes(variable(many.clone())),
        }
    }
}

/// Multi-valued properties of variable size: how many, where each begins, and all of them (MS-PST 2.3.3.4.2).
fn variable(many: Vec<Vec<u8>>) -> Vec<u8> {
    let mut out = (many.len() as u32).to_le_bytes().to_vec();
    let mut at = 4 + 4 * many.len();
    for value in &many {
        out.extend_from_slice(&(at as u32).to_le_bytes());
        at += value.len();
    }
    out.extend(many.into_iter().flatten());
    out
}
