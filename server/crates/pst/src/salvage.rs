//! What is done where the index of a file is lost: one pass over the whole file collects the leaf pages and the blocks
//! whose checksums and signatures hold, and they answer in place of the trees.
//!
//! A file also holds older versions of its pages. The newest page that covers a range of keys is believed about that
//! range; older ones only where no newer one says anything.

mod cover;

use crate::{
    error::Result,
    ndb::{Format, Kind, Ndb, Node, Page, Place, ending_at, inflated_size},
    raw::u16_at,
};
use cover::Cover;
use std::{collections::HashSet, ops::RangeInclusive};

/// A leaf page that is sound.
struct Leaf {
    first: u64,
    last: u64,
    offset: u64,
    /// Grows with time: the higher, the newer.
    id: u64,
}

/// A block that is sound.
struct Found {
    id: u64,
    offset: u64,
    stored: u16,
    full: u16,
}

/// The index of a file that was searched.
#[derive(Default)]
pub struct Salvage {
    /// By first key.
    nodes: Vec<Leaf>,
    places: Vec<Leaf>,
    /// By id.
    blocks: Vec<Found>,
}

/// What is kept at most: together 48 MB.
const MOST_LEAVES: usize = 500_000;
const MOST_BLOCKS: usize = 1_000_000;

/// How much is read at once.
const STEP: usize = 1 << 20;
/// How far back from a key its page is looked for: pages begin at most so many places before the key that they hold.
const LOOK_BACK: usize = 256;

impl Salvage {
    /// Goes through the file once.
    pub fn search(ndb: &Ndb) -> Self {
        let mut found = Self::default();
        let (bytes, format) = (ndb.bytes(), ndb.format);
        let overlap = format.block_max().max(format.page_size());
        let mut window: Vec<u8> = Vec::new();
        let mut base = 0_u64;
        let mut lost = false;
        loop {
            // The window keeps the end of the last step: what lies across the border is seen whole once.
            let kept = window.len();
            let want = usize::try_from(bytes.len() - base - kept as u64).map_or(STEP, |rest| rest.min(STEP));
            if want == 0 {
                break;
            }
            window.resize(kept + want, 0);
            if bytes.fill_at(base + kept as u64, &mut window[kept..]).is_err() {
                // A bad sector is as lost as a bad page.
                window[kept..].fill(0);
                lost = true;
            }
            found.look(&window, base, kept, format);
            let drop = window.len().saturating_sub(overlap) & !4095;
            window.drain(..drop);
            base += drop as u64;
        }
        if lost {
            ndb.damage.add("Parts of the file could not be read from the disk.");
        }
        if found.nodes.len() + found.places.len() >= MOST_LEAVES || found.blocks.len() >= MOST_BLOCKS {
            ndb.damage.add("The file is too large to be salvaged as a whole; what lies far behind may be missing.");
        }
        found.nodes.sort_unstable_by_key(|leaf| (leaf.first, leaf.id));
        found.places.sort_unstable_by_key(|leaf| (leaf.first, leaf.id));
        found.blocks.sort_unstable_by_key(|block| (block.id, block.offset));
        ndb.damage.add(format!(
            "The index of the file is damaged. The file was searched: {} index pages and {} blocks of data were found.",
            found.nodes.len() + found.places.len(),
            found.blocks.len()
        ));
        found
    }

    /// Looks at what ends in the new part of the window, which begins at `from`.
    fn look(&mut self, window: &[u8], base: u64, from: usize, format: Format) {
        let (size, align) = (format.page_size(), format.block_align());
        let mut end = (from + 1).next_multiple_of(align);
        while end <= window.len() {
            if end.is_multiple_of(512) && end >= size {
                self.page(&window[end - size..end], base + (end - size) as u64, format);
            }
            if self.blocks.len() < MOST_BLOCKS
                && let Some((id, offset, stored)) = ending_at(window, base, end, format)
            {
                let full = if format == Format::Unicode4k { inflated_size(window, end) } else { None };
                let stored = u16::try_from(stored).unwrap_or(u16::MAX);
                let full = full.and_then(|n| u16::try_from(n).ok()).unwrap_or(stored);
                self.blocks.push(Found { id, offset, stored, full });
            }
            end += align;
        }
    }

    fn page(&mut self, bytes: &[u8], offset: u64, format: Format) {
        let body = format.page_body();
        let kind = match bytes[body] {
            0x80 => Kind::Block,
            0x81 => Kind::Node,
            _ => return,
        };
        if u16_at(bytes, body + 2).is_none() || self.nodes.len() + self.places.len() >= MOST_LEAVES {
            return;
        }
        let Some(page) = Page::parse(bytes.into(), format, kind, offset) else { return };
        let Some((first, last)) = page.range() else { return };
        if page.level > 0 || !page.sound || last < first {
            return;
        }
        let leaf = Leaf { first, last, offset, id: page.id };
        if kind == Kind::Node { self.nodes.push(leaf) } else { self.places.push(leaf) }
    }

    /// A node as the newest page that holds it has it.
    pub fn node(&self, ndb: &Ndb, nid: u32) -> Result<Option<Node>> {
        for leaf in candidates(&self.nodes, u64::from(nid)) {
            if let Some(page) = ndb.page(Kind::Node, leaf.offset)?
                && let Some(node) = page.find(u64::from(nid)).and_then(|index| page.node(index))
            {
                return Ok(Some(node));
            }
        }
        Ok(None)
    }

    /// Where a block may lie: as pages say, the newest first, then as it was met itself.
    pub fn places(&self, ndb: &Ndb, id: u64) -> Result<Vec<Place>> {
        let mut places = Vec::new();
        for leaf in candidates(&self.places, id) {
            if let Some(page) = ndb.page(Kind::Block, leaf.offset)?
                && let Some(place) = page.find(id).and_then(|index| page.place(index))
                && !places.contains(&place)
            {
                places.push(place);
            }
        }
        let start = self.blocks.partition_point(|block| block.id < id);
        for block in self.blocks[start..].iter().take_while(|block| block.id == id).take(LOOK_BACK) {
            let place =
                Place { offset: block.offset, stored: usize::from(block.stored), full: usize::from(block.full) };
            if !places.contains(&place) {
                places.push(place);
            }
        }
        Ok(places)
    }

    /// Tells every node in one of the ranges, once each.
    pub fn nodes(&self, ndb: &Ndb, ranges: &[RangeInclusive<u32>], tell: &mut dyn FnMut(Node)) -> Result<()> {
        let mut newest: Vec<&Leaf> = self.nodes.iter().collect();
        newest.sort_unstable_by_key(|leaf| std::cmp::Reverse((leaf.id, leaf.offset)));
        let mut cover = Cover::default();
        let mut told = HashSet::new();
        for leaf in newest {
            let Some(page) = ndb.page(Kind::Node, leaf.offset)? else { continue };
            for node in (0..page.len()).filter_map(|index| page.node(index)) {
                let wanted = ranges.iter().any(|range| range.contains(&node.nid));
                if wanted && !cover.contains(u64::from(node.nid)) && told.insert(node.nid) {
                    tell(node);
                }
            }
            cover.add(leaf.first, leaf.last);
        }
        Ok(())
    }
}

/// The leaves that may hold the key, newest first.
fn candidates(leaves: &[Leaf], key: u64) -> Vec<&Leaf> {
    let end = leaves.partition_point(|leaf| leaf.first <= key);
    let mut all: Vec<&Leaf> =
        leaves[end.saturating_sub(LOOK_BACK)..end].iter().filter(|leaf| leaf.last >= key).collect();
    all.sort_unstable_by_key(|leaf| std::cmp::Reverse((leaf.id, leaf.offset)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw::{crc, signature};

    /// A leaf of the node B-tree in the Unicode layout, as a file would have it at `offset`.
    fn leaf(bytes: &mut [u8], offset: usize, id: u64, nodes: &[(u32, u32)]) {
        let page = &mut bytes[offset..offset + 512];
        for (entry, (nid, parent)) in page.chunks_exact_mut(32).zip(nodes) {
            entry[..4].copy_from_slice(&nid.to_le_bytes());
            entry[24..28].copy_from_slice(&parent.to_le_bytes());
        }
        page[488..492].copy_from_slice(&[nodes.len() as u8, 15, 32, 0]);
        page[496..498].fill(0x81);
        page[498..500].copy_from_slice(&signature(offset as u64, id).to_le_bytes());
        let checksum = crc(&page[..496]);
        page[500..504].copy_from_slice(&checksum.to_le_bytes());
        page[504..512].copy_from_slice(&id.to_le_bytes());
    }

    #[test]
    fn the_newest_page_is_believed_and_what_was_deleted_stays_deleted() {
        let mut bytes = vec![0; 16 << 10];
        bytes[..12].copy_from_slice(b"!BDN\0\0\0\0SM\x17\0");
        // Old: four items, one of them in a range of which no newer page speaks. New: the second is gone, the third
        // was moved to another folder.
        leaf(&mut bytes, 0x2000, 10, &[(0x24, 0x122), (0x44, 0x122), (0x64, 0x122), (0x204, 0x122)]);
        leaf(&mut bytes, 0x2800, 20, &[(0x24, 0x122), (0x64, 0x8022)]);
        // Newest of all, and spoilt: it is not believed.
        leaf(&mut bytes, 0x3000, 30, &[(0x24, 0x9999)]);
        bytes[0x3000 + 24] ^= 1;
        let ndb = Ndb::open(Box::new(bytes)).expect("a header");
        let mut told = Vec::new();
        let lost = ndb.walk_nodes(&mut |node| told.push((node.nid, node.parent))).expect("memory");
        told.sort_unstable();
        assert_eq!(told, [(0x24, 0x122), (0x64, 0x8022), (0x204, 0x122)]);
        assert_eq!(lost, [0..=u32::MAX]);
        assert_eq!(ndb.node(0x64).expect("memory").map(|node| node.parent), Some(0x8022));
    }
}
