//! A heap on a node (MS-PST 2.3.1): small items in the blocks of a node's data, by 32-bit ids.

use super::Context;
use crate::{
    PstError,
    error::Result,
    ndb::{Block, DataTree},
    raw::{u16_at, u32_at},
};
use std::{ops::Range, sync::Arc};

/// A heap; its blocks are read when something in them is asked for.
pub struct Heap<'p> {
    pub context: Context<'p>,
    tree: DataTree,
    /// The block that was used last: most heaps have one.
    first: Arc<Block>,
    /// What the heap holds: 0xBC properties, 0x7C a table.
    pub client: u8,
    /// The item that everything begins with.
    pub root: u32,
}

/// An item of a heap.
pub struct Item {
    block: Arc<Block>,
    range: Range<usize>,
}

impl std::ops::Deref for Item {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // The range was checked against this block.
        &self.block.data[self.range.clone()]
    }
}

impl<'p> Heap<'p> {
    pub fn open(context: Context<'p>, data: u64) -> Result<Self> {
        let tree = DataTree::open(context.ndb, data)?;
        let Some(&id) = tree.blocks().first() else {
            return Err(PstError::damaged("An item has no data."));
        };
        let first = context.block(id)?;
        let head = &first.data;
        let (Some(0xEC), Some(&client), Some(root)) = (head.get(2), head.get(3), u32_at(head, 4)) else {
            return Err(PstError::damaged("The data of an item does not begin as it must."));
        };
        Ok(Self { context, tree, client, root, first })
    }

    /// How many bytes fit into its blocks.
    pub fn room(&self) -> usize {
        self.tree.blocks().len().saturating_mul(self.context.ndb.format.block_max())
    }

    /// An item; id 0 is an empty one.
    pub fn get(&self, id: u32) -> Result<Item> {
        if id == 0 {
            return Ok(Item { block: Arc::clone(&self.first), range: 0..0 });
        }
        let bits = self.context.ndb.format.heap_index_bits();
        let index = ((id >> 5) & ((1 << bits) - 1)) as usize;
        let number = (id >> (5 + bits)) as usize;
        let missing = || PstError::damaged("A value is not where the item says that it is.");
        if index == 0 || id & 0x1F != 0 {
            return Err(missing());
        }
        let block = match number {
            0 => Arc::clone(&self.first),
            _ => self.context.block(*self.tree.blocks().get(number).ok_or_else(missing)?)?,
        };
        let range = allocation(&block.data, index).ok_or_else(missing)?;
        Ok(Item { block, range })
    }
}

/// Where an item lies, by the map at the end of its block. The map's count of freed items is not looked at: some
/// writers leave it 0.
fn allocation(data: &[u8], index: usize) -> Option<Range<usize>> {
    let map = usize::from(u16_at(data, 0)?);
    if index > usize::from(u16_at(data, map)?) {
        return None;
    }
    let at = map + 4 + (index - 1) * 2;
    let range = usize::from(u16_at(data, at)?)..usize::from(u16_at(data, at + 2)?);
    (range.start <= range.end && range.end <= data.len()).then_some(range)
}
