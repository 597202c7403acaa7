//! Little-endian numbers out of byte slices: out of bounds is `None`, never a panic.

pub fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// A file offset or block id: 8 bytes wide, or 4 in ANSI files.
pub fn wide_at(bytes: &[u8], at: usize, wide: bool) -> Option<u64> {
    if wide { u64_at(bytes, at) } else { u32_at(bytes, at).map(u64::from) }
}

/// CRC-32 as MS-PST 5.3 has it: initial value 0 and no final inversion.
pub fn crc(bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(u32::MAX);
    hasher.update(bytes);
    hasher.finalize() ^ u32::MAX
}

/// The signature of a page or block (MS-PST 5.5).
pub fn signature(offset: u64, id: u64) -> u16 {
    let mixed = (offset ^ id) as u32;
    ((mixed >> 16) as u16) ^ (mixed as u16)
}
