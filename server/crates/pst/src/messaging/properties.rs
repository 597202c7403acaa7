//! An object's properties under their names, and any of their values as a stream.

use super::Names;
use crate::ltp::{CodePage, PropertyContext, Stored};
use gatepost_mapi::{Error, Key, Properties, Value, tags};
use std::io::Read;

/// A property context together with what was read of it.
pub struct Bag<'p> {
    pub context: PropertyContext<'p>,
    pub names: &'p Names,
    pub page: CodePage,
    pub properties: Properties,
    /// What they take in memory, about.
    pub held: usize,
}

/// What a subject begins with where a mark of two characters says how long its prefix is.
const PREFIX_MARK: char = '\u{1}';

/// Bytes of properties that are held of one object: a hundred of the largest.
pub const MOST_HELD: usize = 8 << 20;

/// And of an attachment: many are open at once.
pub const MOST_ATTACHED: usize = 2 << 20;

/// What a value takes in memory, about.
pub fn weight(value: &Value) -> usize {
    let more = match value {
        Value::Text(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::Many(values) => values.iter().map(weight).sum(),
        _ => 0,
    };
    size_of::<Value>() + more
}

impl<'p> Bag<'p> {
    /// Reads all properties, up to so many bytes; what cannot be read becomes a note.
    pub fn read(context: PropertyContext<'p>, names: &'p Names, page: CodePage, most: usize) -> Self {
        let mut properties = Properties::default();
        let mut held = 0;
        for &entry in context.entries() {
            match context.value(entry, page) {
                Ok(Some(value)) => {
                    held += weight(&value);
                    if held > most {
                        context.context().notes.add("The item has more and larger properties than can be held.");
                        break;
                    }
                    properties.insert(names.key(entry.id), value);
                }
                // A type that nobody knows.
                Ok(None) => {}
                Err(error) => {
                    context.context().notes.add(format!("Property 0x{:04X} cannot be read. {error}", entry.id));
                }
            }
        }
        if let Some(Value::Text(subject)) = properties.tag(tags::SUBJECT)
            && subject.starts_with(PREFIX_MARK)
        {
            // MS-PST 2.5.3.1.1.1: two characters that say how long the prefix (`RE: `) is.
            let clean = subject.chars().skip(2).collect();
            properties.insert(Key::Tag(tags::SUBJECT), Value::Text(clean));
        }
        Self { context, names, page, properties, held }
    }

    /// The bytes of a value.
    pub fn open(&self, key: &Key) -> Result<Option<Box<dyn Read + '_>>, Error> {
        if let Some(Value::Bytes(bytes)) = self.properties.get(key) {
            return Ok(Some(Box::new(&bytes[..])));
        }
        let Some(entry) = self.names.id(key).and_then(|id| self.context.entry(id)) else { return Ok(None) };
        if Stored::in_context(entry.kind) != Stored::There {
            return Ok(None);
        }
        Ok(Some(self.context.open_value(entry)?))
    }
}
