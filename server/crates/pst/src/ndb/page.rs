//! One page of a B-tree (MS-PST 2.2.2.7.7): checked, and its entries by number or by key. Knows no other page.

use super::Format;
use crate::raw::{crc, signature, u16_at, u32_at, wide_at};
use std::sync::Arc;

/// Which of the two trees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Block = 0x80,
    Node = 0x81,
}

/// An entry of the node B-tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    pub nid: u32,
    pub data: u64,
    pub subnodes: u64,
    pub parent: u32,
}

/// An entry of the block B-tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub offset: u64,
    /// Bytes as stored.
    pub stored: usize,
    /// Bytes once inflated; the same where nothing is deflated.
    pub full: usize,
}

/// A pointer to a page below.
#[derive(Clone, Copy, Debug)]
pub struct Child {
    pub key: u64,
    pub id: u64,
    pub offset: u64,
}

/// A page whose frame holds together.
#[derive(Clone)]
pub struct Page {
    bytes: Arc<[u8]>,
    format: Format,
    pub kind: Kind,
    pub level: u8,
    pub id: u64,
    /// Whether checksum and signature agree with the content.
    pub sound: bool,
    count: usize,
    width: usize,
}

impl Page {
    /// `None` where the bytes are no such page.
    pub fn parse(bytes: Arc<[u8]>, format: Format, kind: Kind, offset: u64) -> Option<Self> {
        let (body, entries) = (format.page_body(), format.page_entries());
        if bytes.len() != format.page_size() || bytes[body] != kind as u8 || bytes[body + 1] != kind as u8 {
            return None;
        }
        let (count, width, level) = if format == Format::Unicode4k {
            (usize::from(u16_at(&bytes, entries)?), bytes[entries + 4], bytes[entries + 5])
        } else {
            (usize::from(bytes[entries]), bytes[entries + 2], bytes[entries + 3])
        };
        let width = usize::from(width);
        let least = match (level > 0, kind, format.wide()) {
            (true, _, false) | (false, Kind::Block, false) => 12,
            (true, _, true) | (false, Kind::Block, true) => 24,
            (false, Kind::Node, false) => 16,
            (false, Kind::Node, true) => 32,
        };
        // An index page that points at nothing is as good as none; an empty leaf is an empty tree.
        if width < least || count * width > entries || level > MAX_LEVEL || (level > 0 && count == 0) {
            return None;
        }
        let (checksum, id) = if format.wide() {
            (u32_at(&bytes, body + 4)?, wide_at(&bytes, body + 8, true)?)
        } else {
            (u32_at(&bytes, body + 8)?, wide_at(&bytes, body + 4, false)?)
        };
        let sound = checksum == crc(&bytes[..body]) && u16_at(&bytes, body + 2)? == signature(offset, id);
        Some(Self { bytes, format, kind, level, id, sound, count, width })
    }

    pub fn len(&self) -> usize {
        self.count
    }

    fn key(&self, index: usize) -> u64 {
        let key = wide_at(&self.bytes, index * self.width, self.format.wide()).unwrap_or(0);
        match self.kind {
            // The lowest bit of a block id is reserved and must be ignored (MS-PST 2.2.2.2).
            Kind::Block => key & !1,
            Kind::Node => key & 0xFFFF_FFFF,
        }
    }

    /// The smallest and the largest key.
    pub fn range(&self) -> Option<(u64, u64)> {
        let last = self.count.checked_sub(1)?;
        Some((self.key(0), self.key(last)))
    }

    /// The entry of a leaf with exactly this key.
    pub fn find(&self, key: u64) -> Option<usize> {
        let index = self.below(key)?;
        if self.key(index) == key {
            return Some(index);
        }
        // Where a page is damaged, its order may be too.
        if self.sound { None } else { (0..self.count).find(|&index| self.key(index) == key) }
    }

    /// The last entry whose key is not above this one.
    pub fn below(&self, key: u64) -> Option<usize> {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low.midpoint(high);
            if self.key(middle) <= key {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low.checked_sub(1)
    }

    pub fn child(&self, index: usize) -> Option<Child> {
        let (wide, at) = (self.format.wide(), index * self.width);
        let step = if wide { 8 } else { 4 };
        Some(Child {
            key: self.key(index),
            id: wide_at(&self.bytes, at + step, wide)?,
            offset: wide_at(&self.bytes, at + 2 * step, wide)?,
        })
    }

    pub fn node(&self, index: usize) -> Option<Node> {
        let (wide, at) = (self.format.wide(), index * self.width);
        let step = if wide { 8 } else { 4 };
        Some(Node {
            nid: u32::try_from(self.key(index)).ok()?,
            data: wide_at(&self.bytes, at + step, wide)? & !1,
            subnodes: wide_at(&self.bytes, at + 2 * step, wide)? & !1,
            parent: u32_at(&self.bytes, at + 3 * step)?,
        })
    }

    pub fn place(&self, index: usize) -> Option<Place> {
        let (wide, at) = (self.format.wide(), index * self.width);
        let step = if wide { 8 } else { 4 };
        let stored = usize::from(u16_at(&self.bytes, at + 2 * step)?);
        let full = match self.format {
            Format::Unicode4k => usize::from(u16_at(&self.bytes, at + 2 * step + 2)?),
            _ => stored,
        };
        Some(Place { offset: wide_at(&self.bytes, at + step, wide)?, stored, full })
    }
}

/// 15 entries a page and 8 levels are more nodes than a file can hold.
const MAX_LEVEL: u8 = 8;
