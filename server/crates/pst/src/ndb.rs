//! The node database (MS-PST 2.2): nodes by id, blocks by id, through two B-trees of pages. Knows nothing of what a
//! node holds.
//!
//! Everything is read when it is asked for, through two caches of fixed size. Where a page of a tree is not what it
//! should be, the file is searched once for the pages that are sound ([`crate::salvage`]), and those answer instead.

mod block;
mod cache;
mod crypt;
mod data;
mod header;
mod layout;
mod page;
mod subnodes;

pub use block::{Block, ending_at, inflated_size};
pub use crypt::Encoding;
pub use data::{DataReader, DataTree};
pub use layout::Format;
pub use page::{Kind, Node, Page, Place};
pub use subnodes::{Subnode, Subnodes};

use crate::{Bytes, PstError, error::Result, notes::Notes, salvage::Salvage};
use cache::Cache;
use header::Header;
use std::{
    ops::RangeInclusive,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

/// Bytes of tree pages and of blocks that are held at most.
const PAGE_CACHE: usize = 12 << 20;
const BLOCK_CACHE: usize = 4 << 20;

/// An open file.
pub struct Ndb {
    bytes: Box<dyn Bytes>,
    pub format: Format,
    pub encoding: Encoding,
    /// What is wrong with the file as a whole.
    pub damage: Arc<Notes>,
    roots: [u64; 2],
    pages: Mutex<Cache<Page>>,
    blocks: Mutex<Cache<Arc<Block>>>,
    salvage: OnceLock<Salvage>,
}

/// What a search in a tree came to.
enum Found {
    Entry(Page, usize),
    Absent,
    Broken,
}

impl Ndb {
    pub fn open(bytes: Box<dyn Bytes>) -> Result<Self> {
        let header = Header::read(&*bytes)?;
        let damage = Arc::new(Notes::default());
        for flaw in header.flaws {
            damage.add(flaw);
        }
        let mut ndb = Self {
            bytes,
            format: header.format,
            encoding: header.encoding.unwrap_or(Encoding::None),
            damage,
            roots: [header.block_root, header.node_root],
            pages: Mutex::new(Cache::new(PAGE_CACHE)),
            blocks: Mutex::new(Cache::new(BLOCK_CACHE)),
            salvage: OnceLock::new(),
        };
        ndb.settle_encoding();
        Ok(ndb)
    }

    pub fn bytes(&self) -> &dyn Bytes {
        &*self.bytes
    }

    /// Some writers say "none" and encode all the same, and a damaged header may say anything: the heap signature of
    /// a node that every file has tells.
    fn settle_encoding(&mut self) {
        for nid in [0x21, 0x61, 0x122] {
            let Ok(Some(node)) = self.node(nid) else { continue };
            let said = self.encoding;
            for encoding in [said, Encoding::None, Encoding::Permute, Encoding::Cyclic] {
                self.encoding = encoding;
                lock(&self.blocks).clear();
                let first =
                    DataTree::open(self, node.data).ok().and_then(|tree| self.block(*tree.blocks().first()?).ok());
                if first.is_some_and(|block| block.data.get(2) == Some(&0xEC)) {
                    if encoding != said {
                        self.damage.add(format!("The header names the encoding {said}; the data is in {encoding}."));
                    }
                    return;
                }
            }
            self.encoding = said;
            lock(&self.blocks).clear();
        }
    }

    /// A node by its id.
    pub fn node(&self, nid: u32) -> Result<Option<Node>> {
        match self.find(Kind::Node, u64::from(nid))? {
            Found::Entry(page, index) => Ok(page.node(index)),
            Found::Absent => Ok(None),
            Found::Broken => self.salvage().node(self, nid),
        }
    }

    /// A block by its id.
    pub fn block(&self, id: u64) -> Result<Arc<Block>> {
        let id = id & !1;
        if let Some(block) = lock(&self.blocks).get(id) {
            return Ok(block);
        }
        let block = Arc::new(self.read_block(id)?);
        lock(&self.blocks).insert(id, Arc::clone(&block), block.data.len() + 128);
        Ok(block)
    }

    /// A block that is not wanted again: read into `block`, past the cache.
    pub fn block_once(&self, id: u64, block: &mut Block) -> Result<()> {
        let id = id & !1;
        if let Some(known) = lock(&self.blocks).get(id) {
            block.data.clone_from(&known.data);
            block.flaw.clone_from(&known.flaw);
            return Ok(());
        }
        if let Found::Entry(page, index) = self.find(Kind::Block, id)?
            && let Some(place) = page.place(index)
            && block::read_into(&*self.bytes, self.format, self.encoding, id, place, block).is_ok()
        {
            return Ok(());
        }
        *block = self.read_block(id)?;
        Ok(())
    }

    fn read_block(&self, id: u64) -> Result<Block> {
        let read = |place| block::read(&*self.bytes, self.format, self.encoding, id, place);
        let first = match self.find(Kind::Block, id)? {
            Found::Entry(page, index) => match page.place(index) {
                Some(place) => read(place),
                None => Err(PstError::damaged("An entry of the block index is cut off.")),
            },
            Found::Absent => return Err(PstError::damaged("A block is not in the index of the file.")),
            Found::Broken => Err(PstError::damaged("The index of blocks is damaged where a block should be found.")),
        };
        match first {
            Err(PstError::Damaged(why)) => {
                for place in self.salvage().places(self, id)? {
                    if let Ok(mut block) = read(place) {
                        block.flaw.get_or_insert_with(|| "A block was found by searching the file.".to_owned());
                        return Ok(block);
                    }
                }
                Err(PstError::Damaged(why))
            }
            other => other,
        }
    }

    /// How many bytes a block holds, without reading it.
    pub fn block_size(&self, id: u64) -> Result<usize> {
        if let Found::Entry(page, index) = self.find(Kind::Block, id & !1)?
            && let Some(place) = page.place(index)
        {
            return Ok(if place.full > 0 { place.full } else { place.stored });
        }
        self.block(id).map(|block| block.data.len())
    }

    fn find(&self, kind: Kind, key: u64) -> Result<Found> {
        let mut offset = self.roots[kind as usize & 1];
        let mut expected = None;
        let mut sound = true;
        loop {
            let Some(page) = self.page(kind, offset)? else { return Ok(Found::Broken) };
            if expected.is_some_and(|(id, level)| page.level >= level || (page.id != id && !page.sound)) {
                return Ok(Found::Broken);
            }
            sound &= page.sound;
            if page.level == 0 {
                return Ok(match page.find(key) {
                    Some(index) => Found::Entry(page, index),
                    None if sound => Found::Absent,
                    None => Found::Broken,
                });
            }
            let Some(child) = page.below(key).and_then(|index| page.child(index)) else {
                return Ok(if sound { Found::Absent } else { Found::Broken });
            };
            expected = Some((child.id, page.level));
            offset = child.offset;
        }
    }

    /// The page there; `None` where it is none of this tree.
    pub fn page(&self, kind: Kind, offset: u64) -> Result<Option<Page>> {
        if let Some(page) = lock(&self.pages).get(offset) {
            return Ok(Some(page).filter(|page| page.kind == kind));
        }
        let size = self.format.page_size();
        if offset == 0 || offset.checked_add(size as u64).is_none_or(|end| end > self.bytes.len()) {
            return Ok(None);
        }
        let mut bytes = vec![0; size];
        self.bytes.fill_at(offset, &mut bytes)?;
        let page = Page::parse(bytes.into(), self.format, kind, offset);
        match &page {
            Some(page) => {
                if !page.sound {
                    self.damage.add(format!("The checksum of the index page at {offset} is wrong."));
                }
                lock(&self.pages).insert(offset, page.clone(), size + 128);
            }
            None => self.damage.add(format!("The index page at {offset} cannot be read.")),
        }
        Ok(page)
    }

    /// Goes through all nodes in the order of their ids, and gives back the ranges of ids whose pages are lost: what
    /// salvage knows of those was told afterwards.
    pub fn walk_nodes(&self, tell: &mut dyn FnMut(Node)) -> Result<Vec<RangeInclusive<u32>>> {
        let mut lost: Vec<RangeInclusive<u32>> = Vec::new();
        // A page lies in one place only: whoever visits more of them than fit into the file goes in circles.
        let mut budget = self.bytes.len() / self.format.page_size() as u64 + 1;
        let mut stack = vec![(self.roots[1], None, 0, u32::MAX)];
        while let Some((offset, expected, low, high)) = stack.pop() {
            budget = budget.saturating_sub(1);
            let page = if budget == 0 { None } else { self.page(Kind::Node, offset)? };
            let fits =
                |page: &Page| expected.is_none_or(|(id, level)| page.level < level && (page.id == id || page.sound));
            let Some(page) = page.filter(fits) else {
                lost.push(low..=high);
                continue;
            };
            if page.level == 0 {
                (0..page.len()).filter_map(|index| page.node(index)).for_each(&mut *tell);
                continue;
            }
            let mut end = high;
            for index in (0..page.len()).rev() {
                let Some(child) = page.child(index) else { continue };
                let start = u32::try_from(child.key).unwrap_or(u32::MAX);
                stack.push((child.offset, Some((child.id, page.level)), start, end));
                end = start.saturating_sub(1);
            }
        }
        if !lost.is_empty() {
            self.salvage().nodes(self, &lost, tell)?;
        }
        Ok(lost)
    }

    fn salvage(&self) -> &Salvage {
        self.salvage.get_or_init(|| Salvage::search(self))
    }
}

/// A lock whose holder panicked still guards a cache that is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
