//! What a reader of a file gives: objects with properties, large values as streams, attachments one at a time.

use crate::{Key, Properties};
use std::io::Read;

/// Why something of an item cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file has it, but not in a form that can be read.
    #[error("{0}")]
    Damaged(String),
    /// Reading the file, or writing the result, failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Anything with properties.
pub trait Object {
    /// Its properties. Values above 64 KiB are [`Value::Large`](crate::Value::Large).
    fn properties(&self) -> &Properties;

    /// The bytes of a binary or text value, as the file has them (text: UTF-16LE or the item's code page), whether it
    /// is large or not; `None` where it has none.
    ///
    /// # Errors
    /// Where its bytes cannot be found. Damage met later comes as an error of the stream.
    fn open(&self, key: &Key) -> Result<Option<Box<dyn Read + '_>>, Error>;
}

/// An item of a folder, or one that is attached to another.
pub trait Message: Object {
    /// Its recipients, in their order (PidTagRecipientType, PidTagDisplayName, PidTagEmailAddress, …).
    fn recipients(&self) -> &[Properties];

    /// How many attachments it has.
    fn attachments(&self) -> usize;

    /// One of them, from 0.
    ///
    /// # Errors
    /// Where it cannot be read at all.
    fn attachment(&self, index: usize) -> Result<Box<dyn Attachment + '_>, Error>;
}

/// An attachment.
pub trait Attachment: Object {
    /// The item inside it, where it is one (PidTagAttachMethod 5).
    ///
    /// # Errors
    /// Where there should be one and it cannot be read.
    fn embedded(&self) -> Result<Option<Box<dyn Message + '_>>, Error>;
}
