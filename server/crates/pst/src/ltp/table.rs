//! A table context (MS-PST 2.3.4): rows by the index of their ids, cells by their columns.

use super::{
    Context,
    bth::{Bth, Records},
    heap::{Heap, Item},
    property::{Body, body, load},
    value::{self, CodePage, Stored},
};
use crate::{
    PstError,
    error::Result,
    ndb::{Block, DataTree, Subnodes},
    raw::{u16_at, u32_at},
};
use gatepost_mapi::Value;
use std::{ops::Range, sync::Arc};

/// A table; rows are read one at a time.
pub struct Table<'p> {
    heap: Heap<'p>,
    subnodes: Subnodes,
    columns: Vec<Column>,
    row: usize,
    bits: usize,
    rows: Rows,
    /// Rows in each block of the matrix but the last.
    per_block: usize,
    index: Option<Bth>,
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub id: u16,
    pub kind: u16,
    offset: usize,
    bit: usize,
}

enum Rows {
    None,
    Item(Item),
    Tree(DataTree),
}

/// Every row begins with its id and its version, of four bytes each (MS-PST 2.3.4.4.1).
const NARROWEST: usize = 8;

/// A row's bytes.
pub struct Row {
    bytes: Bytes,
    range: Range<usize>,
}

enum Bytes {
    Block(Arc<Block>),
    Copy(Vec<u8>),
}

impl Row {
    fn bytes(&self) -> &[u8] {
        let all = match &self.bytes {
            Bytes::Block(block) => &block.data[..],
            Bytes::Copy(bytes) => &bytes[..],
        };
        all.get(self.range.clone()).unwrap_or_default()
    }

    /// PidTagLtpRowId: in the first column of every table.
    pub fn id(&self) -> u32 {
        u32_at(self.bytes(), 0).unwrap_or(0)
    }
}

/// A walk through the ids of all rows, and where each stands in the matrix.
pub struct RowIds {
    records: Option<Records>,
    /// Without an index the matrix itself is gone through.
    next: usize,
}

impl<'p> Table<'p> {
    pub fn open(context: Context<'p>, data: u64, subnodes: u64) -> Result<Self> {
        let heap = Heap::open(context, data)?;
        let damaged = || PstError::damaged("A table of the file is damaged.");
        if heap.client != 0x7C {
            return Err(damaged());
        }
        let info = heap.get(heap.root)?;
        let count = usize::from(*info.get(1).ok_or_else(damaged)?);
        let (Some(bits), Some(row), Some(index), Some(matrix)) =
            (u16_at(&info, 6), u16_at(&info, 8), u32_at(&info, 10), u32_at(&info, 14))
        else {
            return Err(damaged());
        };
        let columns = (0..count).map_while(|i| {
            let at = 22 + i * 8;
            Some(Column {
                kind: u16_at(&info, at)?,
                id: u16_at(&info, at + 2)?,
                offset: usize::from(u16_at(&info, at + 4)?),
                bit: usize::from(*info.get(at + 7)?),
            })
        });
        let columns = columns.collect();
        let subnodes = Subnodes::new(subnodes);
        let (rows, per_block) = match body(&heap, subnodes, matrix) {
            _ if usize::from(row) < NARROWEST => (Rows::None, 0),
            Ok(Body::Empty) => (Rows::None, 0),
            Ok(Body::Item(item)) => (Rows::Item(item), 0),
            Ok(Body::Tree(tree)) => {
                let first = tree.blocks().first().map_or(Ok(0), |&id| heap.context.ndb.block_size(id));
                let size = first.or_else(|_| tree.blocks().get(1).map_or(Ok(0), |&id| heap.context.ndb.block_size(id)));
                let per_block = size.unwrap_or(0) / usize::from(row);
                (Rows::Tree(tree), per_block)
            }
            Err(error) => {
                heap.context.notes.add(error.to_string());
                (Rows::None, 0)
            }
        };
        // Where the index is lost, the rows are taken as they stand.
        let index = if index == 0 { None } else { Bth::open(&heap, index).ok() };
        Ok(Self { heap, subnodes, columns, row: usize::from(row), bits: usize::from(bits), rows, per_block, index })
    }

    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    pub fn column(&self, id: u16) -> Option<Column> {
        self.columns.iter().copied().find(|column| column.id == id)
    }

    /// A walk through all rows.
    pub fn ids(&self) -> RowIds {
        RowIds { records: self.index.map(|index| index.records(&self.heap)), next: 0 }
    }

    /// The next row's id and number; after an error the walk goes on.
    pub fn next_id(&self, walk: &mut RowIds) -> Option<Result<(u32, usize)>> {
        let Some(records) = &mut walk.records else {
            let number = walk.next;
            walk.next += 1;
            return match self.row(number) {
                Ok(row) => row.map(|row| Ok((row.id(), number))),
                Err(error) if number < self.capacity() => Some(Err(error)),
                Err(_) => None,
            };
        };
        Some(records.next(&self.heap)?.and_then(|record| {
            // Four bytes number the row, two of them in ANSI files.
            let key = record.width - self.index.map_or(0, |index| index.data());
            let number = match record.width - key {
                2 => u16_at(&record, key).map(usize::from),
                _ => u32_at(&record, key).map(|n| n as usize),
            };
            u32_at(&record, 0).zip(number).ok_or_else(|| PstError::damaged("The index of a table is damaged."))
        }))
    }

    /// How many rows the matrix has room for.
    fn capacity(&self) -> usize {
        match &self.rows {
            Rows::None => 0,
            Rows::Item(item) => item.len() / self.row,
            Rows::Tree(tree) => tree.blocks().len() * self.per_block,
        }
    }

    /// A row by its number; `None` behind the last.
    pub fn row(&self, number: usize) -> Result<Option<Row>> {
        match &self.rows {
            Rows::None => Ok(None),
            Rows::Item(item) => {
                let bytes = number.checked_mul(self.row).and_then(|at| item.get(at..at.checked_add(self.row)?));
                Ok(bytes.map(|bytes| Row { range: 0..bytes.len(), bytes: Bytes::Copy(bytes.to_vec()) }))
            }
            Rows::Tree(tree) => {
                let Some(&id) = number.checked_div(self.per_block).and_then(|block| tree.blocks().get(block)) else {
                    return Ok(None);
                };
                let block = self.heap.context.block(id)?;
                let at = number % self.per_block * self.row;
                if at + self.row > block.data.len() {
                    return Ok(None);
                }
                Ok(Some(Row { bytes: Bytes::Block(block), range: at..at + self.row }))
            }
        }
    }

    /// A cell; `None` where the row has none, or of a type that is not known.
    pub fn value(&self, row: &Row, column: Column, page: CodePage) -> Result<Option<Value>> {
        let bytes = row.bytes();
        let present = bytes.get(self.bits + column.bit / 8).is_none_or(|byte| byte & (0x80 >> (column.bit % 8)) != 0);
        if !present {
            return Ok(None);
        }
        match Stored::in_row(column.kind) {
            Stored::Here(width) => {
                let cell = bytes.get(column.offset..column.offset + width);
                Ok(cell.and_then(|cell| value::parse(column.kind, cell, page)))
            }
            Stored::There => match u32_at(bytes, column.offset) {
                Some(id) => load(&self.heap, body(&self.heap, self.subnodes, id)?, column.kind, page),
                None => Ok(None),
            },
        }
    }
}
