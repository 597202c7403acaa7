//! The nodes below a node (MS-PST 2.2.2.8.3.3): an SLBLOCK, or an SIBLOCK over many of them.

use super::{Block, Ndb};
use crate::{
    PstError,
    error::Result,
    raw::{u16_at, u32_at, wide_at},
};

/// The subnodes of one node, looked up when they are asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subnodes {
    root: u64,
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subnode {
    pub nid: u32,
    pub data: u64,
    pub subnodes: u64,
}

impl Subnodes {
    pub fn new(root: u64) -> Self {
        Self { root: root & !1 }
    }

    /// One by its id.
    pub fn find(self, ndb: &Ndb, nid: u32) -> Result<Option<Subnode>> {
        if self.root == 0 {
            return Ok(None);
        }
        let mut block = ndb.block(self.root)?;
        let mut table = Entries::parse(&block, ndb.format.wide())?;
        if table.level == 1 {
            // The last leaf that does not begin behind it.
            let Some(below) = (0..table.count).map_while(|i| table.branch(i)).take_while(|(key, _)| *key <= nid).last()
            else {
                return Ok(None);
            };
            block = ndb.block(below.1)?;
            table = Entries::parse(&block, ndb.format.wide())?;
            if table.level != 0 {
                return Err(damaged());
            }
        }
        Ok((0..table.count).map_while(|i| table.leaf(i)).find(|entry| entry.nid == nid))
    }

    /// All of them that `wanted` takes, at most `limit`; leaves that cannot be read are passed over.
    pub fn list(self, ndb: &Ndb, limit: usize, wanted: impl Fn(u32) -> bool) -> Vec<Subnode> {
        let mut all = Vec::new();
        let mut leaves = vec![self.root];
        let mut first = true;
        while let Some(id) = leaves.pop() {
            if id == 0 || all.len() >= limit {
                break;
            }
            let Ok(block) = ndb.block(id) else { continue };
            let Ok(table) = Entries::parse(&block, ndb.format.wide()) else { continue };
            if table.level == 0 {
                all.extend((0..table.count).map_while(|i| table.leaf(i)).filter(|entry| wanted(entry.nid)));
            } else if first {
                leaves.extend((0..table.count).rev().map_while(|i| table.branch(i)).map(|(_, id)| id));
            }
            first = false;
        }
        all.truncate(limit);
        all
    }
}

fn damaged() -> PstError {
    PstError::damaged("The list of what belongs to an item is damaged.")
}

struct Entries<'b> {
    data: &'b [u8],
    wide: bool,
    level: u8,
    count: usize,
}

impl<'b> Entries<'b> {
    fn parse(block: &'b Block, wide: bool) -> Result<Self> {
        let data = &block.data[..];
        match (data.first(), data.get(1), u16_at(data, 2)) {
            (Some(2), Some(&level @ 0..=1), Some(count)) => Ok(Self { data, wide, level, count: usize::from(count) }),
            _ => Err(damaged()),
        }
    }

    /// Where entries of so many ids begin: ANSI blocks have no padding in their head.
    fn at(&self, index: usize, ids: usize) -> usize {
        if self.wide { 8 + index * ids * 8 } else { 4 + index * ids * 4 }
    }

    fn leaf(&self, index: usize) -> Option<Subnode> {
        let at = self.at(index, 3);
        let step = if self.wide { 8 } else { 4 };
        Some(Subnode {
            nid: u32_at(self.data, at)?,
            data: wide_at(self.data, at + step, self.wide)? & !1,
            subnodes: wide_at(self.data, at + 2 * step, self.wide)? & !1,
        })
    }

    fn branch(&self, index: usize) -> Option<(u32, u64)> {
        let at = self.at(index, 2);
        Some((u32_at(self.data, at)?, wide_at(self.data, at + if self.wide { 8 } else { 4 }, self.wide)? & !1))
    }
}
