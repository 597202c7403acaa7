//! The data of a node (MS-PST 2.2.2.8.3.2): one block, or many under XBLOCKs and XXBLOCKs; whole or as a stream.

use super::{Block, Ndb, block::is_internal};
use crate::{
    PstError,
    error::Result,
    notes::Notes,
    raw::{u32_at, wide_at},
};
use std::{
    io::{self, Read},
    sync::Arc,
};

/// The data blocks of a node, in order.
#[derive(Clone, Debug, Default)]
pub struct DataTree {
    blocks: Vec<u64>,
    /// The size that the list of the blocks claims; 0 where there is none.
    claimed: u64,
}

/// More blocks than the largest value can have (4 GiB in blocks of 8 KiB): whoever claims more is not believed.
const MOST_BLOCKS: u64 = 1 << 20;

/// Up to so many blocks a value's size is counted; above, its list is believed.
const COUNTED: usize = 256;

impl DataTree {
    /// By the id of its block; 0 is no data.
    pub fn open(ndb: &Ndb, id: u64) -> Result<Self> {
        let id = id & !1;
        if id == 0 {
            return Ok(Self::default());
        }
        if !is_internal(id) {
            return Ok(Self { blocks: vec![id], claimed: 0 });
        }
        let (level, claimed, top) = Self::list(ndb, id)?;
        if level == 1 {
            return Ok(Self { blocks: top, claimed });
        }
        // No block lies in the file twice.
        let most = MOST_BLOCKS.min(ndb.bytes().len() / ndb.format.block_align() as u64);
        let mut blocks = Vec::new();
        for id in top {
            let (level, _, mut below) = Self::list(ndb, id)?;
            if level != 1 || (blocks.len() + below.len()) as u64 > most {
                return Err(PstError::damaged("The list of the blocks of a value is damaged."));
            }
            blocks.append(&mut below);
        }
        Ok(Self { blocks, claimed })
    }

    fn list(ndb: &Ndb, id: u64) -> Result<(u8, u64, Vec<u64>)> {
        let block = ndb.block(id)?;
        let data = &block.data;
        let (Some(1), Some(&level @ 1..=2)) = (data.first(), data.get(1)) else {
            return Err(PstError::damaged("The list of the blocks of a value is damaged."));
        };
        let wide = ndb.format.wide();
        let step = if wide { 8 } else { 4 };
        let count = data.get(2..4).map_or(0, |n| usize::from(u16::from_le_bytes([n[0], n[1]])));
        let ids: Vec<u64> = (0..count).map_while(|i| wide_at(data, 8 + i * step, wide)).map(|id| id & !1).collect();
        if ids.len() < count {
            return Err(PstError::damaged("The list of the blocks of a value is cut off."));
        }
        Ok((level, u32_at(data, 4).map_or(0, u64::from), ids))
    }

    pub fn blocks(&self) -> &[u64] {
        &self.blocks
    }

    /// How many bytes there are in all.
    pub fn size(&self, ndb: &Ndb) -> Result<u64> {
        if self.claimed > 0 && self.blocks.len() > COUNTED {
            return Ok(self.claimed);
        }
        self.blocks.iter().try_fold(0, |sum, &id| Ok(sum + ndb.block_size(id)? as u64))
    }

    /// All of it, if it is not above `limit`.
    pub fn read(&self, ndb: &Ndb, notes: &Notes, limit: usize) -> Result<Option<Vec<u8>>> {
        let most = self.blocks.len().saturating_mul(ndb.format.block_max()).min(limit);
        let mut all = Vec::with_capacity(if self.blocks.len() > 1 { most } else { 0 });
        for &id in &self.blocks {
            let block = ndb.block(id)?;
            if let Some(flaw) = &block.flaw {
                notes.add(flaw);
            }
            if all.len() + block.data.len() > limit {
                return Ok(None);
            }
            all.extend_from_slice(&block.data);
        }
        Ok(Some(all))
    }
}

/// A node's data as a stream; one block is held at a time.
pub struct DataReader<'p> {
    ndb: &'p Ndb,
    notes: Arc<Notes>,
    blocks: std::vec::IntoIter<u64>,
    block: Block,
    at: usize,
    /// What may still come: no value is larger than its file.
    left: u64,
}

impl<'p> DataReader<'p> {
    pub fn new(ndb: &'p Ndb, notes: Arc<Notes>, tree: DataTree) -> Self {
        Self { ndb, notes, blocks: tree.blocks.into_iter(), block: Block::default(), at: 0, left: most(ndb) }
    }
}

/// The largest value that a file of this size can hold; deflated blocks shrink to a thousandth at most.
pub fn most(ndb: &Ndb) -> u64 {
    let factor = if ndb.format == super::Format::Unicode4k { 1032 } else { 1 };
    ndb.bytes().len().saturating_mul(factor).min(u64::from(u32::MAX))
}

impl Read for DataReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let rest = self.block.data.get(self.at..).unwrap_or_default();
            if !rest.is_empty() {
                let n = rest.len().min(buffer.len());
                buffer[..n].copy_from_slice(&rest[..n]);
                self.at += n;
                return Ok(n);
            }
            let Some(id) = self.blocks.next() else { return Ok(0) };
            self.at = usize::MAX;
            self.ndb.block_once(id, &mut self.block)?;
            if let Some(flaw) = &self.block.flaw {
                self.notes.add(flaw);
            }
            self.left = self
                .left
                .checked_sub(self.block.data.len() as u64)
                .ok_or_else(|| PstError::damaged("A value claims to be larger than its file."))?;
            self.at = 0;
        }
    }
}
