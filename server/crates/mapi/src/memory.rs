//! Items in memory, for tests: of this crate, and of others by the feature `fixtures`.

use crate::{Attachment, Error, Key, Message, Object, Properties, Value, tags};
use std::{
    collections::BTreeMap,
    io::{self, Cursor, Read},
};

/// An item or an attachment in memory.
#[derive(Clone, Debug, Default)]
pub struct Item {
    properties: Properties,
    large: BTreeMap<Key, Vec<u8>>,
    recipients: Vec<Properties>,
    attachments: Vec<Item>,
    inside: Option<Box<Item>>,
    broken: bool,
}

impl Item {
    /// An item of a class.
    #[must_use]
    pub fn new(class: &str) -> Self {
        let mut item = Self::default();
        item.text(tags::MESSAGE_CLASS, class);
        item
    }

    /// Sets a property by its id.
    pub fn set(&mut self, tag: u16, value: Value) -> &mut Self {
        self.properties.insert(Key::Tag(tag), value);
        self
    }

    /// Sets a text.
    pub fn text(&mut self, tag: u16, text: &str) -> &mut Self {
        self.set(tag, Value::Text(text.to_owned()))
    }

    /// Sets a named property.
    pub fn named(&mut self, key: Key, value: Value) -> &mut Self {
        self.properties.insert(key, value);
        self
    }

    /// Sets a value that is given as a stream.
    pub fn large(&mut self, tag: u16, value: Value, bytes: Vec<u8>) -> &mut Self {
        self.large.insert(Key::Tag(tag), bytes);
        self.set(tag, value)
    }

    /// Makes the stream of its large values end with an error.
    pub fn broken(&mut self) -> &mut Self {
        self.broken = true;
        self
    }

    /// Adds a recipient: 1 To, 2 Cc, 3 Bcc.
    pub fn recipient(&mut self, kind: i32, name: &str, address: &str) -> &mut Self {
        let mut row = Properties::default();
        row.insert(Key::Tag(tags::RECIPIENT_TYPE), Value::Int32(kind));
        row.insert(Key::Tag(tags::DISPLAY_NAME), Value::Text(name.to_owned()));
        row.insert(Key::Tag(tags::ADDRESS_TYPE), Value::Text("SMTP".to_owned()));
        row.insert(Key::Tag(tags::EMAIL_ADDRESS), Value::Text(address.to_owned()));
        self.recipients.push(row);
        self
    }

    /// Adds an attachment with data.
    pub fn attach(&mut self, name: &str, mime: &str, data: &[u8]) -> &mut Self {
        let mut attachment = Self::default();
        attachment.set(tags::ATTACH_METHOD, Value::Int32(1));
        attachment.text(tags::ATTACH_LONG_FILENAME, name).text(tags::ATTACH_MIME_TAG, mime);
        attachment.set(tags::ATTACH_DATA, Value::Bytes(data.to_vec()));
        self.add(attachment)
    }

    /// Adds an item as an attachment.
    pub fn embed(&mut self, item: Self) -> &mut Self {
        let mut attachment = Self::default();
        attachment.set(tags::ATTACH_METHOD, Value::Int32(5));
        attachment.inside = Some(Box::new(item));
        self.add(attachment)
    }

    /// Adds an attachment.
    pub fn add(&mut self, attachment: Self) -> &mut Self {
        self.attachments.push(attachment);
        self
    }
}

impl Object for Item {
    fn properties(&self) -> &Properties {
        &self.properties
    }

    fn open(&self, key: &Key) -> Result<Option<Box<dyn Read + '_>>, Error> {
        let bytes = match (self.large.get(key), self.properties.get(key)) {
            (Some(bytes), _) if self.broken => return Ok(Some(Box::new(Cursor::new(bytes.as_slice()).chain(Broken)))),
            (Some(bytes), _) | (None, Some(Value::Bytes(bytes))) => bytes.clone(),
            (None, Some(Value::Text(text))) => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            _ => return Ok(None),
        };
        Ok(Some(Box::new(Cursor::new(bytes))))
    }
}

struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("the block at 4096 is damaged"))
    }
}

impl Message for Item {
    fn recipients(&self) -> &[Properties] {
        &self.recipients
    }

    fn attachments(&self) -> usize {
        self.attachments.len()
    }

    fn attachment(&self, index: usize) -> Result<Box<dyn Attachment + '_>, Error> {
        match self.attachments.get(index) {
            Some(attachment) => Ok(Box::new(Borrowed(attachment))),
            None => Err(Error::Damaged("there is no such attachment".to_owned())),
        }
    }
}

struct Borrowed<'a>(&'a Item);

impl Object for Borrowed<'_> {
    fn properties(&self) -> &Properties {
        self.0.properties()
    }

    fn open(&self, key: &Key) -> Result<Option<Box<dyn Read + '_>>, Error> {
        self.0.open(key)
    }
}

impl Attachment for Borrowed<'_> {
    fn embedded(&self) -> Result<Option<Box<dyn Message + '_>>, Error> {
        Ok(self.0.inside.as_deref().map(|item| Box::new(item.clone()) as Box<dyn Message>))
    }
}
