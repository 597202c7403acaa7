//! zip with names of any bytes, sizes that may lie, and links.

use std::io::Write as _;

/// A zip in memory.
#[derive(Default)]
pub struct Zip {
    out: Vec<u8>,
    directory: Vec<u8>,
    count: u16,
}

struct Entry<'a> {
    name: &'a [u8],
    method: u16,
    flags: u16,
    checksum: u32,
    packed: u64,
    plain: u64,
    /// Unix mode, as it stands in the outer attributes.
    mode: u32,
}

const UTF8: u16 = 1 << 11;
const REGULAR: u32 = 0o100_644;

impl Zip {
    /// With nothing in it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A file, deflated.
    ///
    /// # Panics
    /// Never: memory takes what is written.
    #[must_use]
    pub fn file(self, name: impl AsRef<[u8]>, data: &[u8]) -> Self {
        let mut packed = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        let packed = packed.write_all(data).and_then(|()| packed.finish()).expect("memory takes what is written");
        let (name, checksum) = (name.as_ref(), crc32fast::hash(data));
        let entry = Entry {
            name,
            method: 8,
            flags: UTF8,
            checksum,
            packed: packed.len() as u64,
            plain: data.len() as u64,
            mode: REGULAR,
        };
        self.add(&entry, &packed)
    }

    /// A file as it is.
    #[must_use]
    pub fn stored(self, name: impl AsRef<[u8]>, data: &[u8]) -> Self {
        let (name, bytes) = (name.as_ref(), data.len() as u64);
        let checksum = crc32fast::hash(data);
        self.add(&Entry { name, method: 0, flags: UTF8, checksum, packed: bytes, plain: bytes, mode: REGULAR }, data)
    }

    /// A file whose deflated bytes and sizes are given, true or not.
    #[must_use]
    pub fn packed(self, name: &str, data: &[u8], packed: u64, plain: u64, checksum: u32) -> Self {
        let name = name.as_bytes();
        self.add(&Entry { name, method: 8, flags: UTF8, checksum, packed, plain, mode: REGULAR }, data)
    }

    /// A symbolic link.
    #[must_use]
    pub fn link(self, name: &str, target: &str) -> Self {
        let (name, data) = (name.as_bytes(), target.as_bytes());
        let (checksum, bytes) = (crc32fast::hash(data), data.len() as u64);
        self.add(&Entry { name, method: 0, flags: UTF8, checksum, packed: bytes, plain: bytes, mode: 0o120_777 }, data)
    }

    /// A file that only a password opens.
    #[must_use]
    pub fn encrypted(self, name: &str) -> Self {
        let (name, data) = (name.as_bytes(), [7; 32]);
        self.add(&Entry { name, method: 8, flags: UTF8 | 1, checksum: 1, packed: 32, plain: 20, mode: REGULAR }, &data)
    }

    /// A file with a name in another code page (no flag says that it is UTF-8).
    #[must_use]
    pub fn unmarked(self, name: &[u8], data: &[u8]) -> Self {
        let (checksum, bytes) = (crc32fast::hash(data), data.len() as u64);
        self.add(&Entry { name, method: 0, flags: 0, checksum, packed: bytes, plain: bytes, mode: REGULAR }, data)
    }

    fn add(mut self, entry: &Entry<'_>, data: &[u8]) -> Self {
        let offset = self.out.len() as u32;
        let common = |out: &mut Vec<u8>| {
            out.extend_from_slice(&20_u16.to_le_bytes());
            out.extend_from_slice(&entry.flags.to_le_bytes());
            out.extend_from_slice(&entry.method.to_le_bytes());
            // 2024-02-29, 12:00:00.
            out.extend_from_slice(&0x6000_u16.to_le_bytes());
            out.extend_from_slice(&0x585D_u16.to_le_bytes());
            out.extend_from_slice(&entry.checksum.to_le_bytes());
            out.extend_from_slice(&(entry.packed.min(u64::from(u32::MAX)) as u32).to_le_bytes());
            out.extend_from_slice(&(entry.plain.min(u64::from(u32::MAX)) as u32).to_le_bytes());
            out.extend_from_slice(&(entry.name.len() as u16).to_le_bytes());
            out.extend_from_slice(&0_u16.to_le_bytes());
        };
        self.out.extend_from_slice(b"PK\x03\x04");
        common(&mut self.out);
        self.out.extend_from_slice(entry.name);
        self.out.extend_from_slice(data);
        self.directory.extend_from_slice(b"PK\x01\x02");
        // Made on Unix, so that the mode counts.
        self.directory.extend_from_slice(&0x0314_u16.to_le_bytes());
        common(&mut self.directory);
        self.directory.extend_from_slice(&[0; 6]);
        self.directory.extend_from_slice(&(entry.mode << 16).to_le_bytes());
        self.directory.extend_from_slice(&offset.to_le_bytes());
        self.directory.extend_from_slice(entry.name);
        self.count += 1;
        self
    }

    /// Its bytes.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        let Self { mut out, directory, count } = self;
        let (offset, bytes) = (out.len() as u32, directory.len() as u32);
        out.extend_from_slice(&directory);
        out.extend_from_slice(b"PK\x05\x06\0\0\0\0");
        out.extend_from_slice(&count.to_le_bytes());
        out.extend_from_slice(&count.to_le_bytes());
        out.extend_from_slice(&bytes.to_le_bytes());
        out.extend_from_slice(&offset.to_le_bytes());
        out.extend_from_slice(&[0, 0]);
        out
    }
}
