//! The items of a folder: by its contents table, and what the table does not name.

use super::{Index, kind, kinds, sibling};
use crate::{
    error::Result,
    ltp::{CodePage, Column, Context, RowIds, Table},
    ndb::Ndb,
};
use gatepost_mapi::{Value, tags};
use std::collections::HashSet;

/// An item, not yet read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemRef {
    /// Its node; what [`Pst::message`](crate::Pst::message) takes.
    pub nid: u32,
    /// PidTagMessageClass as the folder's table has it: what is known of an item that cannot be read.
    pub class: Option<String>,
    /// Its subject as the folder's table has it.
    pub subject: Option<String>,
    /// Whether it was found beside the index of the file, after damage.
    pub salvaged: bool,
}

/// A walk through the items of a folder, in the order of their node ids.
pub struct Items<'p> {
    ndb: &'p Ndb,
    index: &'p Index,
    folder: u32,
    table: Option<(Table<'p>, RowIds)>,
    class: Option<Column>,
    subject: Option<Column>,
    told: HashSet<u32>,
    rest: std::slice::Iter<'p, (u32, u32)>,
    /// Rows that may still be walked over, and those among them that name items of no folder or of another.
    rows: usize,
    strangers: usize,
    damaged: bool,
    page: CodePage,
}

/// Rows of a table beside those of the items that the file has: as many may name what is lost or lies elsewhere.
const MOST_STRANGERS: usize = 100_000;
const MOST_ROWS: usize = 1 << 20;

impl<'p> Items<'p> {
    pub(crate) fn new(ndb: &'p Ndb, index: &'p Index, folder: u32, page: CodePage) -> Self {
        let mut damaged = false;
        let shared = index.shares_table(folder);
        let own = if shared { Ok(None) } else { contents(ndb, folder) };
        let opened = own.unwrap_or_else(|error| {
            ndb.damage.add(format!("The table of a folder's items cannot be read. {error}"));
            damaged = true;
            None
        });
        let column = |id| opened.as_ref().and_then(|table| table.column(id));
        let (class, subject) = (column(tags::MESSAGE_CLASS), column(tags::SUBJECT));
        let table = opened.map(|table| {
            let walk = table.ids();
            (table, walk)
        });
        // Without a table everything that names this folder is in it.
        let rest = if table.is_none() { index.items_in(folder) } else { &[] };
        damaged |= table.is_none() && !shared && kind(folder) == kinds::FOLDER;
        let strangers = index.items().saturating_add(MOST_STRANGERS);
        let rows = index.items().saturating_mul(4).saturating_add(MOST_ROWS);
        let (told, rest) = (HashSet::new(), rest.iter());
        Self { ndb, index, folder, table, class, subject, told, rest, rows, strangers, damaged, page }
    }

    /// Whether parts of the folder's table were lost, so far.
    #[must_use]
    pub fn damaged(&self) -> bool {
        self.damaged
    }

    fn listed(&mut self) -> Option<ItemRef> {
        let page = self.page;
        let (table, walk) = self.table.as_mut()?;
        while let Some(id) = table.next_id(walk) {
            self.rows = self.rows.saturating_sub(1);
            if self.rows == 0 || self.strangers == 0 {
                self.ndb
                    .damage
                    .add("The table of a folder has more rows than the file has items; its end is left out.");
                self.damaged = true;
                break;
            }
            let Ok((nid, number)) = id else {
                self.damaged = true;
                continue;
            };
            if nid == 0 || !self.told.insert(nid) {
                continue;
            }
            if !self.index.belongs(nid, self.folder) {
                self.strangers -= 1;
            }
            let row = table.row(number).unwrap_or_else(|_| {
                self.damaged = true;
                None
            });
            let text = |column: Option<Column>| match table.value(row.as_ref()?, column?, page) {
                Ok(Some(Value::Text(text))) if !text.is_empty() => Some(text),
                _ => None,
            };
            let subject = text(self.subject).map(|subject| match subject.strip_prefix('\u{1}') {
                Some(rest) => rest.chars().skip(1).collect(),
                None => subject,
            });
            return Some(ItemRef { nid, class: text(self.class), subject, salvaged: self.index.salvaged(nid) });
        }
        self.table = None;
        self.rest = self.index.items_in(self.folder).iter();
        None
    }
}

/// The table of a folder's items.
pub fn contents(ndb: &Ndb, folder: u32) -> Result<Option<Table<'_>>> {
    if kind(folder) != kinds::FOLDER {
        return Ok(None);
    }
    let Some(node) = ndb.node(sibling(folder, kinds::CONTENTS_TABLE))? else { return Ok(None) };
    Table::open(Context::new(ndb), node.data, node.subnodes).map(Some)
}

impl Iterator for Items<'_> {
    type Item = ItemRef;

    fn next(&mut self) -> Option<ItemRef> {
        if self.table.is_some()
            && let Some(item) = self.listed()
        {
            return Some(item);
        }
        // An item that names this folder, and that no folder's table names.
        let (ndb, index, told) = (self.ndb, self.index, &self.told);
        let nid = self.rest.find(|(_, nid)| !told.contains(nid) && !index.listed(ndb, *nid))?.1;
        Some(ItemRef { nid, class: None, subject: None, salvaged: true })
    }
}
