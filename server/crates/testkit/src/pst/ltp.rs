//! The middle layer: the heap on a node, B-trees on the heap, property contexts and table contexts (MS-PST section 2.3).

use super::ndb::{Bytes, Layout, Ndb, Subnode};
use super::value::{Stored, Texts, Value};
use std::collections::{BTreeMap, HashMap};
use std::io::{self, Seek, Write};

/// The largest allocation of a heap; what is larger becomes a subnode.
const LARGEST: usize = 3580;

/// Allocations, spread over the blocks of one stream.
struct Heap {
    layout: Layout,
    client: u8,
    root: u32,
    /// Whether the count of freed allocations is left at what some writers leave there.
    blocks: Vec<Vec<Vec<u8>>>,
    filled: usize,
}

impl Heap {
    fn new(layout: Layout, client: u8) -> Self {
        Self { layout, client, root: 0, blocks: vec![Vec::new()], filled: 12 }
    }

    /// What a block of the heap begins with: its header, a page header, or one with a bitmap (MS-PST 2.3.1.2 to 4).
    fn head(block: usize) -> usize {
        match block {
            0 => 12,
            block if block % 128 == 8 => 66,
            _ => 2,
        }
    }

    /// Takes an allocation and gives its id (MS-PST 2.3.1.1; 14 bits of index in files with pages of 4 KiB).
    fn add(&mut self, bytes: Vec<u8>) -> u32 {
        let index_bits = if self.layout == Layout::FourK { 14 } else { 11 };
        let block = self.blocks.len() - 1;
        let count = self.blocks[block].len();
        let map = 4 + 2 * (count + 2) + 1;
        if self.filled + bytes.len() + map > self.layout.block() || count + 1 >= 1 << index_bits {
            self.blocks.push(Vec::new());
            self.filled = Self::head(block + 1);
        }
        let block = self.blocks.len() - 1;
        self.filled += bytes.len();
        self.blocks[block].push(bytes);
        ((block as u32) << (5 + index_bits)) | ((self.blocks[block].len() as u32) << 5)
    }

    /// Changes what was taken first.
    fn set_first(&mut self, bytes: Vec<u8>) {
        self.blocks[0][0] = bytes;
    }

    fn out(self) -> Vec<Vec<u8>> {
        let Self { client, root, blocks, .. } = self;
        let finish = |(number, allocations): (usize, Vec<Vec<u8>>)| {
            let head = Self::head(number);
            let mut offsets = vec![head];
            offsets.extend(allocations.iter().scan(head, |at, bytes| {
                *at += bytes.len();
                Some(*at)
            }));
            let end = offsets[offsets.len() - 1];
            let map = end + end % 2;
            let mut block = Bytes::default();
            block.u16(map);
            if number == 0 {
                block.u8(0xEC).u8(client).u32(root).u32(0);
            }
            block.0.resize(head, 0);
            block.0.extend(allocations.iter().flatten());
            block.0.resize(map, 0);
            block.u16(allocations.len()).u16(0);
            for offset in offsets {
                block.u16(offset);
            }
            block.0
        };
        blocks.into_iter().enumerate().map(finish).collect()
    }

    /// A B-tree on the heap (MS-PST 2.3.2): records of equal length in the order of their keys; gives its root.
    fn tree(&mut self, key: usize, data: usize, records: &[Vec<u8>]) -> (u32, u8) {
        if records.is_empty() {
            return (0, 0);
        }
        let mut entries: Vec<(Vec<u8>, u32)> = records
            .chunks(LARGEST / (key + data))
            .map(|chunk| (chunk[0][..key].to_vec(), self.add(chunk.concat())))
            .collect();
        let mut level = 0;
        while entries.len() > 1 {
            level += 1;
            entries = entries
                .chunks(LARGEST / (key + 4))
                .map(|chunk| {
                    let bytes: Vec<u8> =
                        chunk.iter().flat_map(|(key, hid)| key.iter().copied().chain(hid.to_le_bytes())).collect();
                    (chunk[0].0.clone(), self.add(bytes))
                })
                .collect();
        }
        (entries[0].1, level)
    }
}

fn tree_header(key: usize, data: usize, (root, level): (u32, u8)) -> Vec<u8> {
    let mut bytes = Bytes::default();
    bytes.u8(0xB5).u8(key as u8).u8(data as u8).u8(level).u32(root);
    bytes.0
}

/// Ids for the subnodes that hold large values of one node.
pub(super) struct Large {
    next: u32,
    pub(super) subnodes: Vec<Subnode>,
}

impl Large {
    pub(super) fn new() -> Self {
        Self { next: 0x400, subnodes: Vec::new() }
    }

    fn id(&mut self) -> u32 {
        self.next += 1;
        (self.next << 5) | 0x1F
    }

    /// Keeps a value where it fits: nowhere, on the heap, or in a subnode. Gives what refers to it.
    fn keep<W: Write + Seek>(&mut self, ndb: &mut Ndb<W>, heap: &mut Heap, bytes: Vec<u8>) -> io::Result<u32> {
        if bytes.is_empty() {
            return Ok(0);
        }
        if bytes.len() <= LARGEST {
            return Ok(heap.add(bytes));
        }
        let (id, data) = (self.id(), ndb.stream(&bytes)?);
        self.subnodes.push((id, data, 0));
        Ok(id)
    }
}

/// Writes a property context; large values are added to `large`. Gives the id of its data.
pub(super) fn properties<W: Write + Seek>(
    ndb: &mut Ndb<W>,
    texts: Texts,
    properties: &BTreeMap<u16, Value>,
    large: &mut Large,
) -> io::Result<u64> {
    let mut heap = Heap::new(ndb.layout, 0xBC);
    heap.root = heap.add(vec![0; 8]);
    let mut records = Vec::with_capacity(properties.len());
    for (id, value) in properties {
        let stored = match value.stored(texts) {
            Stored::Inline(n) => n,
            Stored::Bytes(bytes) => large.keep(ndb, &mut heap, bytes)?,
        };
        let mut record = Bytes::default();
        record.u16(usize::from(*id)).u16(usize::from(value.kind(texts))).u32(stored);
        records.push(record.0);
    }
    let tree = heap.tree(2, 6, &records);
    heap.set_first(tree_header(2, 6, tree));
    ndb.data(&heap.out())
}

/// A column of a table: a property's id and its type.
pub(super) type Column = (u16, u16);

/// A row: its id, and its cells.
pub(super) type Row = (u32, BTreeMap<u16, Value>);

/// Types of columns.
pub(super) mod kinds {
    pub(in crate::pst) const INT: u16 = 0x0003;
    pub(in crate::pst) const BOOL: u16 = 0x000B;
    pub(in crate::pst) const TIME: u16 = 0x0040;
    pub(in crate::pst) const TEXT: u16 = 0x001F;
}

fn width(kind: u16) -> usize {
    match kind {
        kinds::BOOL => 1,
        kinds::TIME => 8,
        _ => 4,
    }
}

/// Writes a table context (MS-PST 2.3.4). Gives the ids of its data and of its subnodes.
pub(super) fn table<W: Write + Seek>(
    ndb: &mut Ndb<W>,
    texts: Texts,
    columns: &[Column],
    rows: &[Row],
) -> io::Result<(u64, u64)> {
    // PidTagLtpRowId and PidTagLtpRowVer stand first in each row.
    let mut order = vec![(0x67F2, kinds::INT), (0x67F3, kinds::INT)];
    let narrow = matches!(texts, Texts::Narrow(_));
    let kind = |kind| if narrow && kind == kinds::TEXT { 0x001E } else { kind };
    order.extend(columns.iter().filter(|(_, kind)| width(*kind) > 1).map(|(id, k)| (*id, kind(*k))));
    order.extend(columns.iter().filter(|(_, kind)| width(*kind) == 1).copied());
    let mut offsets = Vec::new();
    let (mut end, mut end_of_wide) = (0, 0);
    for (_, kind) in &order {
        offsets.push(end);
        end += width(*kind);
        if width(*kind) > 1 {
            end_of_wide = end;
        }
    }
    let row_bytes = end + order.len().div_ceil(8);

    let layout = ndb.layout;
    let mut heap = Heap::new(layout, 0x7C);
    heap.root = heap.add(vec![0; 22 + 8 * order.len()]);
    let mut large = Large::new();
    let index_bytes = if layout.wide() { 4 } else { 2 };
    let mut index: Vec<(u32, usize)> = rows.iter().enumerate().map(|(at, (id, _))| (*id, at)).collect();
    index.sort_unstable();
    let records: Vec<Vec<u8>> = index
        .iter()
        .map(|(id, at)| id.to_le_bytes().into_iter().chain((*at as u32).to_le_bytes()).take(4 + index_bytes).collect())
        .collect();
    let index_header = heap.add(vec![0; 8]);
    let index_tree = heap.tree(4, index_bytes, &records);
    let index_header_bytes = tree_header(4, index_bytes, index_tree);
    heap.blocks[0][1] = index_header_bytes;

    let mut matrix = Vec::with_capacity(rows.len());
    let mut known: HashMap<Vec<u8>, u32> = HashMap::new();
    for (at, (id, cells)) in rows.iter().enumerate() {
        let mut row = vec![0; row_bytes];
        for (column, ((tag, kind), offset)) in order.iter().zip(&offsets).enumerate() {
            let bytes = match *tag {
                0x67F2 => id.to_le_bytes().to_vec(),
                0x67F3 => (at as u32 + 1).to_le_bytes().to_vec(),
                tag => match cells.get(&tag).map(|value| value.stored(texts)) {
                    None => continue,
                    Some(Stored::Inline(n)) => n.to_le_bytes()[..width(*kind)].to_vec(),
                    Some(Stored::Bytes(bytes)) if width(*kind) == 8 => bytes,
                    Some(Stored::Bytes(bytes)) => {
                        // Rows share equal short texts, which keeps large tables small.
                        let hid = match known.get(&bytes) {
                            Some(hid) => *hid,
                            None => {
                                let hid = large.keep(ndb, &mut heap, bytes.clone())?;
                                if bytes.len() < 64 && known.len() < 1000 {
                                    known.insert(bytes, hid);
                                }
                                hid
                            }
                        };
                        hid.to_le_bytes().to_vec()
                    }
                },
            };
            row[*offset..offset + bytes.len()].copy_from_slice(&bytes);
            row[end + column / 8] |= 0x80 >> (column % 8);
        }
        matrix.push(row);
    }
    let rows_at = if matrix.is_empty() {
        0
    } else if matrix.len() * row_bytes <= LARGEST {
        heap.add(matrix.concat())
    } else {
        // Each block holds whole rows, and all but the last are full (MS-PST 2.3.4.4).
        let per_block = layout.block() / row_bytes;
        let mut blocks: Vec<Vec<u8>> = matrix.chunks(per_block).map(<[Vec<u8>]>::concat).collect();
        let last = blocks.len() - 1;
        for block in &mut blocks[..last] {
            block.resize(layout.block(), 0);
        }
        let (id, data) = (large.id(), ndb.data(&blocks)?);
        large.subnodes.push((id, data, 0));
        id
    };

    let mut info = Bytes::default();
    info.u8(0x7C).u8(order.len() as u8).u16(end_of_wide).u16(end_of_wide).u16(end).u16(row_bytes);
    info.u32(index_header).u32(rows_at).u32(0);
    let mut described: Vec<_> = order.iter().zip(&offsets).enumerate().collect();
    described.sort_by_key(|(_, ((id, kind), _))| (u32::from(*id) << 16) | u32::from(*kind));
    for (bit, ((id, kind), offset)) in described {
        info.u16(usize::from(*kind)).u16(usize::from(*id)).u16(*offset).u8(width(*kind) as u8).u8(bit as u8);
    }
    heap.set_first(info.0);
    let data = ndb.data(&heap.out())?;
    Ok((data, ndb.subnodes(large.subnodes)?))
}
