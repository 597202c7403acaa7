//! The bottom layer: blocks, pages, the two B-trees, the allocation maps and the header (MS-PST section 2.2).

use super::encode::{checksum, cyclic, permute, signature};
use super::writer::{Options, Tree};
use std::io::{self, Seek, SeekFrom, Write};

/// How wide a file's ids are and how large its pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Layout {
    /// Outlook 97 to 2002: ids of 32 bits, texts in a code page (wVer 14).
    Ansi,
    /// Outlook 2003 and later: ids of 64 bits, texts in UTF-16 (wVer 23).
    #[default]
    Unicode,
    /// Offline stores since Outlook 2013: pages of 4 KiB, blocks up to 64 KiB that may be compressed (wVer 36).
    FourK,
}

/// How data blocks are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Encoding {
    /// Not at all.
    None,
    /// By a fixed substitution, as Outlook does by default.
    #[default]
    Permute,
    /// By a substitution that turns with the block's id.
    Cyclic,
}

impl Layout {
    pub(super) fn wide(self) -> bool {
        self != Self::Ansi
    }

    fn by<T>(self, ansi: T, unicode: T, four_k: T) -> T {
        match self {
            Self::Ansi => ansi,
            Self::Unicode => unicode,
            Self::FourK => four_k,
        }
    }

    fn page(self) -> usize {
        self.by(512, 512, 4096)
    }

    /// Where a B-tree page's counts begin.
    fn entries_area(self) -> usize {
        self.by(496, 488, 4056)
    }

    fn trailer(self) -> usize {
        self.by(12, 16, 24)
    }

    fn slot(self) -> u64 {
        self.by(64, 64, 512)
    }

    /// The most that a block holds.
    pub(super) fn block(self) -> usize {
        self.by(8180, 8176, 65_512)
    }

    fn id(self) -> usize {
        if self.wide() { 8 } else { 4 }
    }

    /// Where the first allocation map lies, how far one reaches, and what is kept free behind it for the other maps.
    fn maps(self) -> (u64, u64, u64) {
        self.by((0x4400, 253_952, 2048), (0x4400, 253_952, 2048), (0x22000, 16_678_912, 0x3000))
    }
}

/// A little-endian writer into memory.
#[derive(Default)]
pub(super) struct Bytes(pub Vec<u8>);

impl Bytes {
    pub(super) fn u8(&mut self, n: u8) -> &mut Self {
        self.0.push(n);
        self
    }
    pub(super) fn u16(&mut self, n: usize) -> &mut Self {
        self.0.extend_from_slice(&(n as u16).to_le_bytes());
        self
    }
    pub(super) fn u32(&mut self, n: u32) -> &mut Self {
        self.0.extend_from_slice(&n.to_le_bytes());
        self
    }
    pub(super) fn u64(&mut self, n: u64) -> &mut Self {
        self.0.extend_from_slice(&n.to_le_bytes());
        self
    }
    /// An id or an offset, as wide as the layout has them.
    fn id(&mut self, layout: Layout, n: u64) -> &mut Self {
        if layout.wide() { self.u64(n) } else { self.u32(n as u32) }
    }
    fn fill(&mut self, until: usize, with: u8) -> &mut Self {
        self.0.resize(until, with);
        self
    }
}

/// A subnode: its id, its data and its own subnodes.
pub(super) type Subnode = (u32, u64, u64);

struct Block {
    id: u64,
    offset: u64,
    stored: usize,
    plain: usize,
}

struct Node {
    nid: u32,
    data: u64,
    subnodes: u64,
    parent: u32,
}

pub(super) struct Ndb<W> {
    out: W,
    pub(super) layout: Layout,
    encoding: Encoding,
    ost: bool,
    compress: bool,
    /// The most entries of a B-tree's page: few make a deep tree of little data.
    per_page: usize,
    /// Where the next thing may lie, and how far the file is written.
    position: u64,
    written: u64,
    /// How many allocation maps there are so far; a file without any begins right behind its header.
    maps: u64,
    next_block: u64,
    next_page: u64,
    blocks: Vec<Block>,
    nodes: Vec<Node>,
    /// The slots in use: ranges in their order.
    used: Vec<(u64, u64)>,
    next_nid: [u32; 32],
}

impl<W: Write + Seek> Ndb<W> {
    pub(super) fn new(out: W, options: &Options) -> Self {
        let Options { layout, encoding, maps, .. } = *options;
        let (first, _, kept) = layout.maps();
        let mut next_nid = [0x400; 32];
        // The folders that every file has take the first numbers.
        next_nid[2] = 0x410;
        (next_nid[3], next_nid[4], next_nid[8]) = (0x4000, 0x1_0000, 0x8000);
        Self {
            out,
            layout,
            encoding,
            ost: options.tree == Tree::Offline,
            compress: options.compress && layout == Layout::FourK,
            per_page: options.entries_per_page.max(2),
            position: if maps { first + kept } else { 1024 },
            written: 0,
            maps: u64::from(maps),
            next_block: 4,
            next_page: 4,
            blocks: Vec::new(),
            nodes: Vec::new(),
            used: if maps { vec![(first, first + kept)] } else { Vec::new() },
            next_nid,
        }
    }

    /// A node id of a type, not used before.
    pub(super) fn nid(&mut self, kind: u8) -> u32 {
        let next = &mut self.next_nid[usize::from(kind)];
        *next += 1;
        (*next << 5) | u32::from(kind)
    }

    pub(super) fn node(&mut self, nid: u32, data: u64, subnodes: u64, parent: u32) {
        self.nodes.push(Node { nid, data, subnodes, parent });
    }

    fn place(&mut self, bytes: u64, align: u64) -> u64 {
        let (first, reach, kept) = self.layout.maps();
        let mut at = self.position.div_ceil(align) * align;
        let next_map = first + self.maps * reach;
        if self.maps > 0 && at + bytes > next_map {
            self.maps += 1;
            self.used.push((next_map, next_map + kept));
            at = next_map + kept;
        }
        self.position = at + bytes;
        self.used.push((at, at + bytes));
        at
    }

    fn put(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        if at == self.written {
            self.out.write_all(bytes)?;
        } else {
            // What is skipped reads as zeros, also in a file without holes.
            self.out.seek(SeekFrom::Start(at))?;
            self.out.write_all(bytes)?;
        }
        self.written = at + bytes.len() as u64;
        Ok(())
    }

    /// Writes one block; `internal` are those that only hold ids.
    pub(super) fn block(&mut self, plain: &[u8], internal: bool) -> io::Result<u64> {
        let id = self.next_block | if internal { 2 } else { 0 };
        self.next_block += 4;
        let mut data = plain.to_vec();
        if !internal {
            match self.encoding {
                Encoding::None => {}
                Encoding::Permute => permute(&mut data),
                Encoding::Cyclic => cyclic(&mut data, (id & 0xFFFF_FFFF) as u32),
            }
            if self.compress {
                let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
                packed.write_all(&data)?;
                let packed = packed.finish()?;
                if packed.len() < data.len() {
                    data = packed;
                }
            }
        }
        let (layout, stored) = (self.layout, data.len());
        let slot = layout.slot() as usize;
        let total = (stored + layout.trailer()).div_ceil(slot) * slot;
        let offset = self.place(total as u64, layout.slot());
        let check = checksum(&data);
        let mut bytes = Bytes(data);
        bytes.fill(total - layout.trailer(), 0);
        bytes.u16(stored).u16(usize::from(signature(offset, id)));
        match layout {
            Layout::Ansi => bytes.u32(id as u32).u32(check),
            Layout::Unicode => bytes.u32(check).u64(id),
            Layout::FourK => bytes.u32(check).u64(id).u16(2).u16(plain.len()).u32(0),
        };
        self.put(offset, &bytes.0)?;
        self.blocks.push(Block { id, offset, stored, plain: plain.len() });
        Ok(id)
    }

    /// Writes the blocks of one stream, and what joins them (MS-PST 2.2.2.8.3.2).
    pub(super) fn data(&mut self, blocks: &[impl AsRef<[u8]>]) -> io::Result<u64> {
        let mut level = Vec::new();
        for block in blocks {
            let block = block.as_ref();
            level.push((self.block(block, false)?, block.len()));
        }
        if level.is_empty() {
            return self.block(&[], false);
        }
        let per_block = (self.layout.block() - 8) / self.layout.id();
        let mut depth = 0;
        while level.len() > 1 {
            depth += 1;
            let mut above = Vec::new();
            for ids in level.chunks(per_block) {
                let total: usize = ids.iter().map(|(_, bytes)| bytes).sum();
                let mut bytes = Bytes::default();
                bytes.u8(1).u8(depth).u16(ids.len()).u32(total as u32);
                for (id, _) in ids {
                    bytes.id(self.layout, *id);
                }
                above.push((self.block(&bytes.0, true)?, total));
            }
            level = above;
        }
        Ok(level[0].0)
    }

    pub(super) fn stream(&mut self, bytes: &[u8]) -> io::Result<u64> {
        let blocks: Vec<&[u8]> = bytes.chunks(self.layout.block()).collect();
        self.data(&blocks)
    }

    /// Writes a node's subnodes: a leaf, or leaves below an index (MS-PST 2.2.2.8.3.3).
    pub(super) fn subnodes(&mut self, mut subnodes: Vec<Subnode>) -> io::Result<u64> {
        if subnodes.is_empty() {
            return Ok(0);
        }
        subnodes.sort_unstable();
        let layout = self.layout;
        let per_block = ((layout.block() - 8) / (3 * layout.id())).min(self.per_page * 16);
        let head = |level: u8, entries: usize| {
            let mut bytes = Bytes::default();
            bytes.u8(2).u8(level).u16(entries);
            if layout.wide() {
                bytes.u32(0);
            }
            bytes
        };
        let mut leaves = Vec::new();
        for entries in subnodes.chunks(per_block) {
            let mut bytes = head(0, entries.len());
            for (nid, data, below) in entries {
                bytes.id(layout, u64::from(*nid)).id(layout, *data).id(layout, *below);
            }
            leaves.push((entries[0].0, self.block(&bytes.0, true)?));
        }
        if leaves.len() == 1 {
            return Ok(leaves[0].1);
        }
        let mut bytes = head(1, leaves.len());
        for (nid, block) in &leaves {
            bytes.id(layout, u64::from(*nid)).id(layout, *block);
        }
        self.block(&bytes.0, true)
    }

    fn page(&mut self, kind: u8, body: Vec<u8>, at: Option<u64>) -> io::Result<(u64, u64)> {
        let layout = self.layout;
        let map = at.is_some();
        let offset = match at {
            Some(at) => at,
            None => self.place(layout.page() as u64, layout.page() as u64),
        };
        let id = if map {
            offset
        } else {
            self.next_page += 4;
            self.next_page
        };
        let mut bytes = Bytes(body);
        bytes.fill(layout.page() - layout.trailer(), 0);
        let check = checksum(&bytes.0);
        let signature = if map { 0 } else { signature(offset, id) };
        bytes.u8(kind).u8(kind).u16(usize::from(signature));
        match layout {
            Layout::Ansi => bytes.u32(id as u32).u32(check),
            Layout::Unicode => bytes.u32(check).u64(id),
            Layout::FourK => bytes.u32(check).u64(id).u64(1),
        };
        self.put(offset, &bytes.0)?;
        Ok((id, offset))
    }

    /// Writes a B-tree of pages and gives its root (MS-PST 2.2.2.7.7).
    fn tree(&mut self, kind: u8, leaves: Vec<(u64, Vec<u8>)>) -> io::Result<(u64, u64)> {
        let layout = self.layout;
        let mut level = 0;
        let mut size = leaves.first().map_or(layout.id() * 3, |(_, bytes)| bytes.len());
        let mut entries = leaves;
        loop {
            let most = (layout.entries_area() / size).min(self.per_page);
            let mut above = Vec::new();
            let mut rest = entries.as_slice();
            while !rest.is_empty() || above.is_empty() {
                let (page, more) = rest.split_at(most.min(rest.len()));
                rest = more;
                let mut bytes = Bytes(page.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect());
                bytes.fill(layout.entries_area(), 0);
                match layout {
                    Layout::FourK => bytes.u16(page.len()).u16(layout.entries_area() / size).u8(size as u8).u8(level),
                    _ => bytes.u8(page.len() as u8).u8((layout.entries_area() / size) as u8).u8(size as u8).u8(level),
                };
                let (id, offset) = self.page(kind, bytes.0, None)?;
                let key = page.first().map_or(0, |(key, _)| *key);
                let mut entry = Bytes::default();
                entry.id(layout, key).id(layout, id).id(layout, offset);
                above.push((key, entry.0, id, offset));
            }
            if let [(_, _, id, offset)] = above.as_slice() {
                return Ok((*id, *offset));
            }
            entries = above.into_iter().map(|(key, bytes, _, _)| (key, bytes)).collect();
            size = layout.id() * 3;
            level += 1;
        }
    }

    /// Writes the trees, the maps and the header.
    pub(super) fn finish(mut self) -> io::Result<W> {
        let layout = self.layout;
        self.nodes.sort_by_key(|node| node.nid);
        self.blocks.sort_by_key(|block| block.id);
        let nodes = std::mem::take(&mut self.nodes)
            .iter()
            .map(|node| {
                let mut bytes = Bytes::default();
                bytes.id(layout, u64::from(node.nid)).id(layout, node.data).id(layout, node.subnodes).u32(node.parent);
                if layout.wide() {
                    bytes.u32(0);
                }
                (u64::from(node.nid), bytes.0)
            })
            .collect();
        let blocks = std::mem::take(&mut self.blocks)
            .iter()
            .map(|block| {
                let mut bytes = Bytes::default();
                bytes.id(layout, block.id).id(layout, block.offset).u16(block.stored);
                match layout {
                    Layout::Ansi => bytes.u16(2),
                    Layout::Unicode => bytes.u16(2).u32(0),
                    Layout::FourK => bytes.u16(block.plain).u16(2).u16(0),
                };
                (block.id, bytes.0)
            })
            .collect();
        let nodes = self.tree(0x81, nodes)?;
        let blocks = self.tree(0x80, blocks)?;
        let end = self.position.div_ceil(layout.page() as u64) * layout.page() as u64;
        if end > self.written {
            let missing = (end - self.written) as usize;
            let from = self.written;
            self.put(from, &vec![0; missing])?;
        }
        let last_map = self.write_maps()?;
        self.write_header(end, last_map, nodes, blocks)?;
        self.out.flush()?;
        Ok(self.out)
    }

    /// One bit for each slot in use (MS-PST 2.2.2.7.2).
    fn write_maps(&mut self) -> io::Result<u64> {
        let (first, reach, _) = self.layout.maps();
        let slot = self.layout.slot();
        let used = std::mem::take(&mut self.used);
        let (mut last, mut next) = (first, 0);
        for map in 0..self.maps {
            let from = first + map * reach;
            let mut bits = vec![0_u8; (reach / slot / 8) as usize];
            while let Some((begin, end)) = used.get(next)
                && *begin < from + reach
            {
                for place in (begin - from) / slot..(end - from).div_ceil(slot) {
                    bits[(place / 8) as usize] |= 0x80 >> (place % 8);
                }
                next += 1;
            }
            let mut body = if self.layout == Layout::Ansi { vec![0; 4] } else { Vec::new() };
            body.append(&mut bits);
            self.page(0x84, body, Some(from))?;
            last = from;
        }
        Ok(last)
    }

    fn write_header(&mut self, end: u64, last_map: u64, nodes: (u64, u64), blocks: (u64, u64)) -> io::Result<()> {
        let layout = self.layout;
        let mut bytes = Bytes(b"!BDN\0\0\0\0".to_vec());
        bytes.0.extend_from_slice(if self.ost { b"SO" } else { b"SM" });
        bytes.u16(layout.by(14, 23, 36)).u16(if self.ost { 12 } else { 19 }).u8(1).u8(1).u32(0).u32(0);
        if layout.wide() {
            bytes.u64(0).u64(self.next_page + 4);
        } else {
            bytes.u32(self.next_block as u32).u32((self.next_page + 4) as u32);
        }
        bytes.u32(1);
        for next in self.next_nid {
            bytes.u32(next + 1);
        }
        if layout.wide() {
            bytes.u64(0);
        }
        // ROOT (MS-PST 2.2.2.5)
        bytes.u32(0).id(layout, end).id(layout, last_map).id(layout, 0).id(layout, 0);
        bytes.id(layout, nodes.0).id(layout, nodes.1).id(layout, blocks.0).id(layout, blocks.1);
        bytes.u8(2).u8(0).u16(0);
        if layout.wide() {
            bytes.u32(0);
        }
        let maps = bytes.0.len() + 256;
        bytes.fill(maps, 0xFF);
        bytes.u8(0x80).u8(self.encoding as u8).u16(0);
        if layout.wide() {
            bytes.u64(self.next_block).u32(0);
            bytes.fill(564, 0);
            let full = checksum(&bytes.0[8..8 + 516]);
            bytes.0[524..528].copy_from_slice(&full.to_le_bytes());
        } else {
            bytes.fill(512, 0);
        }
        let partial = checksum(&bytes.0[8..8 + 471]);
        bytes.0[4..8].copy_from_slice(&partial.to_le_bytes());
        self.put(0, &bytes.0)
    }
}
