//! A B-tree on a heap (MS-PST 2.3.2): records of fixed width, in the order of their keys.

use super::heap::{Heap, Item};
use crate::{PstError, error::Result, raw::u32_at};

/// The head of such a tree.
#[derive(Clone, Copy, Debug)]
pub struct Bth {
    key: usize,
    data: usize,
    levels: u8,
    root: u32,
}

/// The widest record: a key of 16 bytes and 32 of data.
const WIDEST: usize = 48;
/// Three levels hold more records than a heap can.
const MAX_LEVELS: u8 = 4;

impl Bth {
    pub fn open(heap: &Heap<'_>, id: u32) -> Result<Self> {
        let head = heap.get(id)?;
        let damaged = || PstError::damaged("The index of an item's values is damaged.");
        let (Some(0xB5), Some(&key), Some(&data), Some(&levels), Some(root)) =
            (head.first(), head.get(1), head.get(2), head.get(3), u32_at(&head, 4))
        else {
            return Err(damaged());
        };
        let (key, data) = (usize::from(key), usize::from(data));
        if key < 2 || key + data > WIDEST || levels > MAX_LEVELS {
            return Err(damaged());
        }
        Ok(Self { key, data, levels, root })
    }

    /// The width of a record's data.
    pub fn data(&self) -> usize {
        self.data
    }

    /// All records, in order.
    pub fn records(self, heap: &Heap<'_>) -> Records {
        // Every record lies in the heap once: whoever meets more than fit into it goes in circles.
        let budget = heap.room() / (self.key + self.data) + 16;
        let stack = if self.root == 0 { Vec::new() } else { vec![Step::Go(self.root, self.levels)] };
        Records { tree: self, stack, budget }
    }
}

enum Step {
    Go(u32, u8),
    At(Item, usize, u8),
}

/// A walk through the records; it keeps a path of at most five items.
pub struct Records {
    tree: Bth,
    stack: Vec<Step>,
    budget: usize,
}

/// One record.
pub struct Record {
    bytes: [u8; WIDEST],
    pub width: usize,
}

impl std::ops::Deref for Record {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.width]
    }
}

impl Records {
    /// The next one. After an error the walk goes on behind what could not be read.
    pub fn next(&mut self, heap: &Heap<'_>) -> Option<Result<Record>> {
        loop {
            match self.stack.pop()? {
                Step::Go(id, level) => {
                    self.budget = self.budget.checked_sub(1)?;
                    match heap.get(id) {
                        Ok(item) => self.stack.push(Step::At(item, 0, level)),
                        Err(error) => return Some(Err(error)),
                    }
                }
                Step::At(item, at, level) => {
                    let width = self.tree.key + if level == 0 { self.tree.data } else { 4 };
                    let Some(record) = item.get(at..at + width) else { continue };
                    if level == 0 {
                        self.budget = self.budget.checked_sub(1)?;
                        let mut bytes = [0; WIDEST];
                        bytes[..width].copy_from_slice(record);
                        self.stack.push(Step::At(item, at + width, level));
                        return Some(Ok(Record { bytes, width }));
                    }
                    let below = u32_at(record, self.tree.key).unwrap_or(0);
                    self.stack.push(Step::At(item, at + width, level));
                    self.stack.push(Step::Go(below, level - 1));
                }
            }
        }
    }
}
