//! A property context (MS-PST 2.3.3): the properties of a folder, an item, an attachment.

use super::{
    Context,
    bth::Bth,
    heap::{Heap, Item},
    value::{self, CodePage, LARGE, Stored, kinds},
};
use crate::{
    PstError,
    error::Result,
    ndb::{DataReader, DataTree, Subnode, Subnodes},
    raw::{u16_at, u32_at},
};
use gatepost_mapi::{LargeKind, Value};
use std::io::{Cursor, Read};

/// Properties, not yet read.
pub struct PropertyContext<'p> {
    heap: Heap<'p>,
    pub subnodes: Subnodes,
    entries: Vec<Entry>,
}

/// One of them.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub id: u16,
    pub kind: u16,
    value: u32,
}

/// Outlook's own items have some hundred properties.
const MOST: usize = 8192;

/// Where the bytes of a value are.
pub enum Body {
    Item(Item),
    Tree(DataTree),
    Empty,
}

/// The bytes behind an id that is a heap's or a subnode's.
pub fn body(heap: &Heap<'_>, subnodes: Subnodes, id: u32) -> Result<Body> {
    if id == 0 {
        return Ok(Body::Empty);
    }
    if id & 0x1F == 0 {
        return heap.get(id).map(Body::Item);
    }
    let ndb = heap.context.ndb;
    match subnodes.find(ndb, id)? {
        Some(node) => DataTree::open(ndb, node.data).map(Body::Tree),
        None => Err(PstError::damaged("A value of an item is missing.")),
    }
}

/// A value of a heap or a subnode: held if it is small.
pub fn load(heap: &Heap<'_>, body: Body, kind: u16, page: CodePage) -> Result<Option<Value>> {
    let context = &heap.context;
    match body {
        Body::Empty => Ok(value::parse(kind, &[], page)),
        Body::Item(item) => Ok(value::parse(kind, &item, page)),
        Body::Tree(tree) => {
            let limit = if kind & 0x1000 == 0 { LARGE } else { 16 * LARGE };
            if let Some(bytes) = tree.read(context.ndb, &context.notes, limit)? {
                return Ok(value::parse(kind, &bytes, page));
            }
            let kind = match kind {
                kinds::UNICODE => LargeKind::Unicode,
                kinds::STRING8 => LargeKind::String8,
                kind if kind & 0x1000 != 0 => {
                    return Err(PstError::damaged("A list of values of an item is too long to be one."));
                }
                _ => LargeKind::Binary,
            };
            Ok(Some(Value::Large { bytes: tree.size(context.ndb)?, kind }))
        }
    }
}

impl<'p> PropertyContext<'p> {
    /// Of a node with this data and these subnodes.
    pub fn open(context: Context<'p>, data: u64, subnodes: u64) -> Result<Self> {
        let heap = Heap::open(context, data)?;
        if heap.client != 0xBC {
            return Err(PstError::damaged("Where an item's properties should be, there is something else."));
        }
        let tree = Bth::open(&heap, heap.root)?;
        let mut entries: Vec<Entry> = Vec::new();
        let mut records = tree.records(&heap);
        while let Some(record) = records.next(&heap) {
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    heap.context.notes.add(format!("Some properties are lost. {error}"));
                    continue;
                }
            };
            let (Some(id), Some(kind), Some(value)) = (u16_at(&record, 0), u16_at(&record, 2), u32_at(&record, 4))
            else {
                return Err(PstError::damaged("The list of an item's properties is damaged."));
            };
            if entries.len() >= MOST {
                heap.context.notes.add(format!("The item has more than {MOST} properties; the others are left out."));
                break;
            }
            entries.push(Entry { id, kind, value });
        }
        entries.sort_by_key(|entry| entry.id);
        Ok(Self { heap, subnodes: Subnodes::new(subnodes), entries })
    }

    pub fn context(&self) -> &Context<'p> {
        &self.heap.context
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub fn entry(&self, id: u16) -> Option<Entry> {
        let index = self.entries.partition_point(|entry| entry.id < id);
        self.entries.get(index).copied().filter(|entry| entry.id == id)
    }

    /// A value; `None` for a type that is not known.
    pub fn value(&self, entry: Entry, page: CodePage) -> Result<Option<Value>> {
        match Stored::in_context(entry.kind) {
            Stored::Here(width) => Ok(value::parse(entry.kind, &entry.value.to_le_bytes()[..width], page)),
            Stored::There => load(&self.heap, body(&self.heap, self.subnodes, entry.value)?, entry.kind, page),
        }
    }

    /// A value by its id; damage counts as absence.
    pub fn get(&self, id: u16, page: CodePage) -> Option<Value> {
        self.value(self.entry(id)?, page).ok().flatten()
    }

    /// The bytes of a value, whatever its size.
    pub fn open_value(&self, entry: Entry) -> Result<Box<dyn Read + 'p>> {
        let context = &self.heap.context;
        Ok(match Stored::in_context(entry.kind) {
            Stored::Here(width) => Box::new(Cursor::new(entry.value.to_le_bytes()[..width].to_vec())),
            Stored::There => match body(&self.heap, self.subnodes, entry.value)? {
                Body::Empty => Box::new(std::io::empty()),
                Body::Item(item) => Box::new(Cursor::new(item.to_vec())),
                Body::Tree(tree) => Box::new(DataReader::new(context.ndb, context.notes.clone(), tree)),
            },
        })
    }

    /// The subnode that a property of type object points to (MS-PST 2.3.3.5).
    pub fn object(&self, entry: Entry) -> Result<Option<Subnode>> {
        let Body::Item(item) = body(&self.heap, self.subnodes, entry.value)? else { return Ok(None) };
        let Some(nid) = u32_at(&item, 0) else { return Ok(None) };
        self.subnodes.find(self.heap.context.ndb, nid)
    }
}
