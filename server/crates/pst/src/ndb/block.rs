//! One block (MS-PST 2.2.2.8): read, checked against its trailer, inflated and decoded.

use super::{Encoding, Format, Place};
use crate::{
    Bytes, PstError,
    error::Result,
    raw::{crc, u16_at, u32_at, wide_at},
};
use flate2::{Decompress, FlushDecompress, Status};

/// A block's content.
#[derive(Default)]
pub struct Block {
    pub data: Vec<u8>,
    /// What was wrong and was read around.
    pub flaw: Option<String>,
}

/// Whether a block holds pointers (never encoded) and not data.
pub fn is_internal(id: u64) -> bool {
    id & 2 != 0
}

/// The last bytes of a block.
struct Trailer {
    size: usize,
    checksum: u32,
    id: u64,
}

impl Trailer {
    fn parse(bytes: &[u8], format: Format) -> Option<Self> {
        let size = usize::from(u16_at(bytes, 0)?);
        Some(if format.wide() {
            Self { size, checksum: u32_at(bytes, 4)?, id: wide_at(bytes, 8, true)? & !1 }
        } else {
            Self { size, checksum: u32_at(bytes, 8)?, id: wide_at(bytes, 4, false)? & !1 }
        })
    }
}

/// Reads the block that lies there.
pub fn read(bytes: &dyn Bytes, format: Format, encoding: Encoding, id: u64, place: Place) -> Result<Block> {
    let mut block = Block::default();
    read_into(bytes, format, encoding, id, place, &mut block)?;
    Ok(block)
}

/// Reads the block that lies there into one whose memory is used again.
pub fn read_into(
    bytes: &dyn Bytes,
    format: Format,
    encoding: Encoding,
    id: u64,
    place: Place,
    into: &mut Block,
) -> Result<()> {
    if place.stored > format.block_max() {
        return Err(PstError::damaged(format!("A block is said to have {} bytes, which none can have.", place.stored)));
    }
    let extent = format.block_extent(place.stored);
    let end = place.offset.checked_add(place.stored as u64).filter(|&end| end <= bytes.len());
    if end.is_none() {
        return Err(PstError::damaged("A block lies behind the end of the file."));
    }
    let whole = place.offset + extent as u64 <= bytes.len();
    let data = &mut into.data;
    data.resize(if whole { extent } else { place.stored }, 0);
    bytes.fill_at(place.offset, data)?;
    let mut flaw = None;
    if whole {
        let trailer = Trailer::parse(&data[extent - format.block_trailer()..], format);
        let Some(trailer) = trailer else { return Err(PstError::damaged("A block has no trailer.")) };
        let sound = trailer.checksum == crc(&data[..place.stored]);
        if !sound && trailer.id != id {
            return Err(PstError::damaged("Where a block should be, there is something else."));
        }
        if !sound {
            flaw = Some(format!("The checksum of the block at {} is wrong.", place.offset));
        } else if trailer.id != id || trailer.size != place.stored {
            flaw = Some(format!("The block at {} bears another name than it should.", place.offset));
        }
    } else {
        flaw = Some("The last block of the file has no trailer.".to_owned());
    }
    data.truncate(place.stored);
    let decode = !is_internal(id);
    if place.full != place.stored && place.full > 0 {
        let (full, sound) = inflate(data, place.full)?;
        *data = full;
        if !sound {
            flaw.get_or_insert_with(|| format!("The deflated block at {} has a wrong checksum.", place.offset));
        }
    }
    if decode {
        encoding.decode(data, id);
    }
    into.flaw = flaw;
    Ok(())
}

/// Inflates to at most the size that the index says; and whether the stream's own checksum held.
fn inflate(data: &[u8], full: usize) -> Result<(Vec<u8>, bool)> {
    let mut out = Vec::with_capacity(full);
    // Blocks carry a zlib frame; a bare deflate stream is taken as well.
    let zlib = matches!(data, [a, b, ..] if a & 0x0F == 8 && (u16::from(*a) * 256 + u16::from(*b)).is_multiple_of(31));
    let mut inflater = Decompress::new(zlib);
    let status = inflater.decompress_vec(data, &mut out, FlushDecompress::Finish);
    match status {
        Ok(Status::StreamEnd) => Ok((out, true)),
        // All of it came, and something in it is wrong.
        _ if out.len() == full => Ok((out, false)),
        _ => Err(PstError::damaged("A deflated block cannot be inflated.")),
    }
}

/// Checks whether a block ends at `end` of `window`, which begins at `base` in the file; for the search through a
/// file without an index. Gives id, offset and stored size.
pub fn ending_at(window: &[u8], base: u64, end: usize, format: Format) -> Option<(u64, u64, usize)> {
    let trailer_at = end.checked_sub(format.block_trailer())?;
    let bytes = window.get(trailer_at..end)?;
    let trailer = Trailer::parse(bytes, format)?;
    if trailer.size == 0 || trailer.id == 0 {
        return None;
    }
    let start = end.checked_sub(format.block_extent(trailer.size))?;
    let offset = base + start as u64;
    if u16_at(bytes, 2)? != crate::raw::signature(offset, trailer.id) {
        return None;
    }
    (crc(window.get(start..start + trailer.size)?) == trailer.checksum).then_some((trailer.id, offset, trailer.size))
}

/// How large the block inflates to, by its trailer (4K files only).
pub fn inflated_size(window: &[u8], end: usize) -> Option<usize> {
    u16_at(window, end.checked_sub(24)? + 18).map(usize::from)
}
