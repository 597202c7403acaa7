//! An attachment: data, an item, or an OLE object.

use super::{PstMessage, message::Nesting, properties::Bag};
use crate::{
    PstError,
    ltp::{Entry, LARGE},
    ndb::{DataReader, DataTree, Subnode},
};
use gatepost_mapi::{Attachment, Error, Key, LargeKind, Message, Object, Properties, Value, tags};
use std::io::Read;

/// What is attached to an item.
pub struct PstAttachment<'p> {
    bag: Bag<'p>,
    nesting: Nesting,
}

/// PidTagAttachMethod: an item.
const EMBEDDED: i64 = 5;
/// PtypObject.
const OBJECT: u16 = 0x000D;

impl<'p> PstAttachment<'p> {
    pub(super) fn new(mut bag: Bag<'p>, nesting: Nesting) -> Self {
        // An OLE object is a subnode of its own; to the outside it is data as any other.
        if let Ok(Some(node)) = ole(&bag) {
            let context = bag.context.context();
            let value = DataTree::open(context.ndb, node.data).and_then(|tree| {
                Ok(match tree.read(context.ndb, &context.notes, LARGE)? {
                    Some(bytes) => Value::Bytes(bytes),
                    None => Value::Large { bytes: tree.size(context.ndb)?, kind: LargeKind::Binary },
                })
            });
            match value {
                Ok(value) => bag.properties.insert(Key::Tag(tags::ATTACH_DATA), value),
                Err(error) => context.notes.add(format!("An attached object cannot be read. {error}")),
            }
        }
        Self { bag, nesting }
    }
}

fn object(bag: &Bag<'_>) -> Option<Entry> {
    bag.context.entry(tags::ATTACH_DATA).filter(|entry| entry.kind == OBJECT)
}

fn ole(bag: &Bag<'_>) -> Result<Option<Subnode>, PstError> {
    match object(bag) {
        Some(entry) if bag.properties.integer(tags::ATTACH_METHOD) != Some(EMBEDDED) => bag.context.object(entry),
        _ => Ok(None),
    }
}

impl Object for PstAttachment<'_> {
    fn properties(&self) -> &Properties {
        &self.bag.properties
    }

    fn open(&self, key: &Key) -> Result<Option<Box<dyn Read + '_>>, Error> {
        if *key == Key::Tag(tags::ATTACH_DATA)
            && matches!(self.bag.properties.get(key), Some(Value::Large { .. }))
            && let Some(node) = ole(&self.bag)?
        {
            let context = self.bag.context.context();
            let tree = DataTree::open(context.ndb, node.data)?;
            return Ok(Some(Box::new(DataReader::new(context.ndb, context.notes.clone(), tree))));
        }
        self.bag.open(key)
    }
}

impl Attachment for PstAttachment<'_> {
    fn embedded(&self) -> Result<Option<Box<dyn Message + '_>>, Error> {
        if self.bag.properties.integer(tags::ATTACH_METHOD) != Some(EMBEDDED) {
            return Ok(None);
        }
        let missing = || PstError::damaged("An attached item is missing.");
        let entry = object(&self.bag).ok_or_else(missing)?;
        let node = self.bag.context.object(entry)?.ok_or_else(missing)?;
        let context = self.bag.context.context().clone();
        let message = PstMessage::nested(
            context,
            self.bag.names,
            node.data,
            node.subnodes,
            self.bag.page,
            self.nesting.below()?,
        )?;
        Ok(Some(Box::new(message)))
    }
}
