//! An item: its properties, its recipients, its attachments.

use super::{
    Names, PstAttachment, kind, kinds, nids,
    properties::{Bag, MOST_ATTACHED, MOST_HELD, weight},
};
use crate::{
    PstError,
    error::Result,
    ltp::{CodePage, Context, PropertyContext, Table},
    ndb::Subnode,
};
use gatepost_mapi::{Attachment, Error, Key, Message, Object, Properties, Value, tags};
use std::{
    collections::HashSet,
    io::Read,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

/// An item of a folder, or one inside another.
pub struct PstMessage<'p> {
    pub(super) bag: Bag<'p>,
    recipients: Vec<Properties>,
    attachments: Vec<u32>,
    nesting: Nesting,
}

/// How deep items are nested, how many were opened so far, and how many bytes of properties were read for them: a
/// damaged or hostile file could name itself, or the same bytes again and again.
#[derive(Clone, Default)]
pub(super) struct Nesting {
    depth: usize,
    opened: Arc<AtomicUsize>,
    read: Arc<AtomicU64>,
}

/// How deep items may be nested, and how many may be opened below one.
const MOST_DEEP: usize = 32;
const MOST_OPENED: usize = 10_000;

/// Bytes of properties that are read for one item and all that is attached to it. A writer opens an attachment some
/// three times.
const MOST_READ: u64 = 4 << 30;

/// Recipients and attachments beyond which a table is not believed.
const MOST_ROWS: usize = 100_000;

impl Nesting {
    pub fn below(&self) -> Result<Self> {
        if self.depth + 1 >= MOST_DEEP || self.opened.fetch_add(1, Ordering::Relaxed) >= MOST_OPENED {
            return Err(PstError::damaged("Items are nested too deeply, or too many of them: not read further."));
        }
        Ok(Self { depth: self.depth + 1, opened: Arc::clone(&self.opened), read: Arc::clone(&self.read) })
    }

    /// Counts what is about to be held, unless too much was already.
    fn count(&self, bytes: usize) -> Result<()> {
        if self.read.fetch_add(bytes as u64, Ordering::Relaxed) >= MOST_READ {
            return Err(PstError::damaged("The item and what is attached to it are too large: not read further."));
        }
        Ok(())
    }
}

impl<'p> PstMessage<'p> {
    pub(crate) fn open(
        context: Context<'p>,
        names: &'p Names,
        data: u64,
        subnodes: u64,
        page: CodePage,
    ) -> Result<Self> {
        Self::nested(context, names, data, subnodes, page, Nesting::default())
    }

    pub(super) fn nested(
        context: Context<'p>,
        names: &'p Names,
        data: u64,
        subnodes: u64,
        page: CodePage,
        nesting: Nesting,
    ) -> Result<Self> {
        let properties = PropertyContext::open(context, data, subnodes)?;
        let number = |id| match properties.get(id, CodePage::default()) {
            Some(Value::Int32(number)) => CodePage::new(i64::from(number)),
            _ => None,
        };
        let page = number(tags::MESSAGE_CODEPAGE).or_else(|| number(tags::INTERNET_CODEPAGE)).unwrap_or(page);
        let bag = Bag::read(properties, names, page, MOST_HELD);
        nesting.count(bag.held)?;
        let mut message = Self { bag, recipients: Vec::new(), attachments: Vec::new(), nesting };
        if let Err(error) = message.read_recipients() {
            message.note(format!("The list of recipients cannot be read. {error}"));
        }
        message.find_attachments();
        Ok(message)
    }

    /// What was wrong and was read around, so far: streams may add to it.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        self.bag.context.context().notes.list()
    }

    fn note(&self, sentence: String) {
        self.bag.context.context().notes.add(sentence);
    }

    fn subnode(&self, nid: u32) -> Result<Option<Subnode>> {
        self.bag.context.subnodes.find(self.bag.context.context().ndb, nid)
    }

    fn table(&self, nid: u32) -> Result<Option<Table<'p>>> {
        let Some(node) = self.subnode(nid)? else { return Ok(None) };
        Table::open(self.bag.context.context().clone(), node.data, node.subnodes).map(Some)
    }

    fn read_recipients(&mut self) -> Result<()> {
        let Some(table) = self.table(nids::RECIPIENTS)? else { return Ok(()) };
        let mut walk = table.ids();
        // The order of the rows is that of their numbers.
        let mut numbers = Vec::new();
        while let Some(id) = table.next_id(&mut walk) {
            match id {
                Ok((_, number)) if numbers.len() < MOST_ROWS => numbers.push(number),
                Ok(_) => break,
                Err(error) => self.note(format!("A recipient is lost. {error}")),
            }
        }
        numbers.sort_unstable();
        let mut held = 0;
        for number in numbers {
            if held > MOST_HELD {
                self.note("The list of recipients is too long to be held; its end is left out.".to_owned());
                break;
            }
            let row = match table.row(number) {
                Ok(Some(row)) => row,
                Ok(None) => continue,
                Err(error) => {
                    self.note(format!("A recipient is lost. {error}"));
                    continue;
                }
            };
            let mut properties = Properties::default();
            for &column in table.columns() {
                match table.value(&row, column, self.bag.page) {
                    Ok(Some(value)) => {
                        held += weight(&value);
                        properties.insert(self.bag.names.key(column.id), value);
                    }
                    Ok(None) => {}
                    Err(error) => self.note(format!("Part of a recipient is lost. {error}")),
                }
            }
            self.recipients.push(properties);
        }
        self.nesting.count(held)
    }

    /// The rows of the table in their order; then, if it is damaged, what else there is.
    fn find_attachments(&mut self) {
        let mut rows: Vec<(usize, u32)> = Vec::new();
        let mut whole = true;
        match self.table(nids::ATTACHMENTS) {
            Ok(None) => {}
            Ok(Some(table)) => {
                let mut walk = table.ids();
                while let Some(id) = table.next_id(&mut walk)
                    && rows.len() < MOST_ROWS
                {
                    match id {
                        Ok((nid, number)) => rows.push((number, nid)),
                        Err(_) => whole = false,
                    }
                }
            }
            Err(error) => {
                self.note(format!("The list of attachments cannot be read. {error}"));
                whole = false;
            }
        }
        let named = rows.len();
        self.attachments = once_each(rows);
        if self.attachments.len() < named {
            self.note("The list of attachments names some of them more than once.".to_owned());
        }
        if !whole || self.attachments.is_empty() && self.says_attachments() {
            let ndb = self.bag.context.context().ndb;
            let known: HashSet<u32> = self.attachments.iter().copied().collect();
            let there = self.bag.context.subnodes.list(ndb, MOST_ROWS, |nid| kind(nid) == kinds::ATTACHMENT);
            self.attachments.extend(there.iter().map(|node| node.nid).filter(|nid| !known.contains(nid)));
        }
    }

    /// PidTagMessageFlags, mfHasAttach.
    fn says_attachments(&self) -> bool {
        self.bag.properties.integer(tags::MESSAGE_FLAGS).is_some_and(|flags| flags & 0x10 != 0)
    }
}

impl Object for PstMessage<'_> {
    fn properties(&self) -> &Properties {
        &self.bag.properties
    }

    fn open(&self, key: &Key) -> std::result::Result<Option<Box<dyn Read + '_>>, Error> {
        self.bag.open(key)
    }
}

impl Message for PstMessage<'_> {
    fn recipients(&self) -> &[Properties] {
        &self.recipients
    }

    fn attachments(&self) -> usize {
        self.attachments.len()
    }

    fn attachment(&self, index: usize) -> std::result::Result<Box<dyn Attachment + '_>, Error> {
        let missing = || PstError::damaged("An attachment is in the item's list, and not in the file.");
        let &nid = self.attachments.get(index).ok_or_else(missing)?;
        let node = self.subnode(nid)?.ok_or_else(missing)?;
        let context = self.bag.context.context().clone();
        let properties = PropertyContext::open(context, node.data, node.subnodes)?;
        let bag = Bag::read(properties, self.bag.names, self.bag.page, MOST_ATTACHED);
        self.nesting.count(bag.held)?;
        Ok(Box::new(PstAttachment::new(bag, self.nesting.clone())))
    }
}

/// The nodes that rows name, in the order of the rows' numbers, each where it is first.
fn once_each(mut rows: Vec<(usize, u32)>) -> Vec<u32> {
    rows.sort_unstable();
    let mut known = HashSet::new();
    rows.into_iter().map(|(_, nid)| nid).filter(|nid| known.insert(*nid)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attachment_that_is_listed_again_and_again_is_there_once() {
        let rows = (0..1_000).rev().map(|number| (number, 0x8025)).chain([(3, 0x8045), (1_000, 0x8065)]).collect();
        assert_eq!(once_each(rows), [0x8025, 0x8045, 0x8065]);
    }

    #[test]
    fn items_and_what_is_attached_share_one_bound_of_bytes() {
        let nesting = Nesting::default();
        let below = nesting.below().expect("not deep");
        for _ in 0..MOST_READ >> 30 {
            below.count(1 << 30).expect("within the bound");
        }
        assert!(nesting.count(1).is_err());
    }
}
