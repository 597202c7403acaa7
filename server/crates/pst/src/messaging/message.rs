//! An item: its properties, its recipients, its attachments.

use super::{
    Names, PstAttachment, kind, kinds, nids,
    properties::{Bag, MOST_HELD, weight},
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
        atomic::{AtomicUsize, Ordering},
    },
};

/// An item of a folder, or one inside another.
pub struct PstMessage<'p> {
    pub(super) bag: Bag<'p>,
    recipients: Vec<Properties>,
    attachments: Vec<u32>,
    nesting: Nesting,
}

/// How deep items are nested, and how many were opened so far: a damaged or hostile file could name itself.
#[derive(Clone, Default)]
pub(super) struct Nesting {
    depth: usize,
    opened: Arc<AtomicUsize>,
}

/// How deep items may be nested, and how many may be opened below one.
const MOST_DEEP: usize = 32;
const MOST_OPENED: usize = 10_000;

/// Recipients and attachments beyond which a table is not believed.
const MOST_ROWS: usize = 100_000;

impl Nesting {
    pub fn below(&self) -> Result<Self> {
        if self.depth + 1 >= MOST_DEEP || self.opened.fetch_add(1, Ordering::Relaxed) >= MOST_OPENED {
            return Err(PstError::damaged("Items are nested too deeply, or too many of them: not read further."));
        }
        Ok(Self { depth: self.depth + 1, opened: Arc::clone(&self.opened) })
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
        let bag = Bag::read(properties, names, page);
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
        Ok(())
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
        rows.sort_unstable();
        self.attachments = rows.into_iter().map(|(_, nid)| nid).collect();
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
        Ok(Box::new(PstAttachment::new(Bag::read(properties, self.bag.names, self.bag.page), self.nesting.clone())))
    }
}
