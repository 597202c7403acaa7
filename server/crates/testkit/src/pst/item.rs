//! What lies in a folder: properties, recipients and attachments. Mail here; other kinds in `kinds`.

use super::value::{Name, Value, sets};
use std::collections::BTreeMap;

/// An item: mail, or anything else that a folder holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Item {
    pub(super) properties: BTreeMap<Name, Value>,
    pub(super) recipients: Vec<Recipient>,
    pub(super) attachments: Vec<Attachment>,
    /// Whether the folder's table has a row of it; without one only the node tree knows it.
    pub(super) listed: bool,
}

/// How somebody is addressed (PidTagRecipientType).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecipientKind {
    /// MAPI_TO.
    To = 1,
    /// MAPI_CC.
    Cc = 2,
    /// MAPI_BCC.
    Bcc = 3,
}

/// Somebody who is addressed.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipient {
    pub(super) properties: BTreeMap<u16, Value>,
}

impl Recipient {
    /// Somebody with an SMTP address.
    #[must_use]
    pub fn new(kind: RecipientKind, name: &str, address: &str) -> Self {
        let properties = BTreeMap::from([
            (0x0C15, Value::Int32(kind as i32)),
            (0x3001, name.into()),
            (0x3002, "SMTP".into()),
            (0x3003, address.into()),
            (0x39FE, address.into()),
            (0x0FFE, Value::Int32(6)),
        ]);
        Self { properties }
    }

    /// Somebody known to an Exchange only by its own kind of address, and its SMTP address, where that is stored too.
    #[must_use]
    pub fn exchange(kind: RecipientKind, name: &str, distinguished: &str, smtp: Option<&str>) -> Self {
        let mut recipient = Self::new(kind, name, distinguished).with(0x3002, "EX".into());
        match smtp {
            Some(smtp) => recipient.properties.insert(0x39FE, smtp.into()),
            None => recipient.properties.remove(&0x39FE),
        };
        recipient
    }

    /// Sets a property.
    #[must_use]
    pub fn with(mut self, id: u16, value: Value) -> Self {
        self.properties.insert(id, value);
        self
    }
}

/// What is attached.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A file.
    Data(Vec<u8>),
    /// Another item.
    Message(Box<Item>),
    /// An OLE object.
    Ole(Vec<u8>),
    /// Nothing: only a path to it.
    Reference(String),
}

/// Something attached.
#[derive(Clone, Debug, PartialEq)]
pub struct Attachment {
    pub(super) properties: BTreeMap<Name, Value>,
    pub(super) content: Content,
}

impl Attachment {
    /// A file of a name and a type.
    #[must_use]
    pub fn file(name: &str, mime: &str, data: impl Into<Vec<u8>>) -> Self {
        Self::of(Content::Data(data.into())).named(name).tag(0x370E, mime.into())
    }

    /// An image that the HTML body shows by `cid:`.
    #[must_use]
    pub fn inline(name: &str, mime: &str, content_id: &str, data: impl Into<Vec<u8>>) -> Self {
        Self::file(name, mime, data)
            .tag(0x3712, content_id.into())
            .tag(0x3714, Value::Int32(4))
            .tag(0x7FFE, Value::Bool(true))
    }

    /// Another item.
    #[must_use]
    pub fn message(item: Item) -> Self {
        let subject = item.properties.get(&Name::Tag(0x0037)).cloned();
        let attached = Self::of(Content::Message(Box::new(item)));
        match subject {
            Some(subject) => attached.tag(0x3001, subject),
            None => attached,
        }
    }

    /// Without a name or a type.
    #[must_use]
    pub fn of(content: Content) -> Self {
        Self { properties: BTreeMap::from([(Name::Tag(0x370B), Value::Int32(-1))]), content }
    }

    fn named(self, name: &str) -> Self {
        let short: String = name.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
        self.tag(0x3704, short.as_str().into()).tag(0x3707, name.into()).tag(0x3001, name.into())
    }

    /// Sets a property.
    #[must_use]
    pub fn tag(self, id: u16, value: Value) -> Self {
        self.set(Name::Tag(id), value)
    }

    /// Sets a property.
    #[must_use]
    pub fn set(mut self, name: Name, value: Value) -> Self {
        self.properties.insert(name, value);
        self
    }

    pub(super) fn bytes(&self) -> usize {
        match &self.content {
            Content::Data(bytes) | Content::Ole(bytes) => bytes.len(),
            Content::Message(_) => 1024,
            Content::Reference(path) => path.len(),
        }
    }
}

impl Item {
    /// An item of a class, with nothing else.
    #[must_use]
    pub fn of_class(class: &str) -> Self {
        Self { listed: true, ..Self::default() }.tag(0x001A, class.into())
    }

    /// Mail that was read, with a subject.
    #[must_use]
    pub fn mail(subject: &str) -> Self {
        Self::of_class("IPM.Note").subject(subject).tag(0x0E07, Value::Int32(1)).tag(0x0017, Value::Int32(1))
    }

    /// Its subject, and the topic that Outlook keeps beside it.
    #[must_use]
    pub fn subject(self, subject: &str) -> Self {
        self.tag(0x0037, subject.into()).tag(0x0070, subject.into())
    }

    /// Sets a property by its id.
    #[must_use]
    pub fn tag(self, id: u16, value: Value) -> Self {
        self.set(Name::Tag(id), value)
    }

    /// Sets a property.
    #[must_use]
    pub fn set(mut self, name: Name, value: Value) -> Self {
        self.properties.insert(name, value);
        self
    }

    /// Takes a property away.
    #[must_use]
    pub fn without(mut self, id: u16) -> Self {
        self.properties.remove(&Name::Tag(id));
        self
    }

    /// Who wrote and sent it.
    #[must_use]
    pub fn from(self, name: &str, address: &str) -> Self {
        [(0x0042, 0x0064, 0x0065), (0x0C1A, 0x0C1E, 0x0C1F)].into_iter().fold(self, |item, (shown, kind, at)| {
            item.tag(shown, name.into()).tag(kind, "SMTP".into()).tag(at, address.into())
        })
    }

    /// Who wrote and sent it, by an Exchange's own kind of address.
    #[must_use]
    pub fn from_exchange(self, name: &str, distinguished: &str, smtp: Option<&str>) -> Self {
        let item = self.from(name, distinguished).tag(0x0064, "EX".into()).tag(0x0C1E, "EX".into());
        match smtp {
            Some(smtp) => item.tag(0x5D01, smtp.into()).tag(0x5D02, smtp.into()),
            None => item,
        }
    }

    /// Addresses somebody.
    #[must_use]
    pub fn recipient(mut self, recipient: Recipient) -> Self {
        self.recipients.push(recipient);
        self
    }

    /// To whom it goes.
    #[must_use]
    pub fn to(self, name: &str, address: &str) -> Self {
        self.recipient(Recipient::new(RecipientKind::To, name, address))
    }

    /// Who gets a copy.
    #[must_use]
    pub fn cc(self, name: &str, address: &str) -> Self {
        self.recipient(Recipient::new(RecipientKind::Cc, name, address))
    }

    /// Who gets a copy that others do not see.
    #[must_use]
    pub fn bcc(self, name: &str, address: &str) -> Self {
        self.recipient(Recipient::new(RecipientKind::Bcc, name, address))
    }

    /// When it was sent, in seconds since 1970; it is received five seconds later.
    #[must_use]
    pub fn date(self, seconds: i64) -> Self {
        self.tag(0x0039, Value::Time(seconds))
            .tag(0x0E06, Value::Time(seconds + 5))
            .tag(0x3007, Value::Time(seconds + 5))
            .tag(0x3008, Value::Time(seconds + 5))
    }

    /// The id that its sender gave it, with its angle brackets.
    #[must_use]
    pub fn message_id(self, id: &str) -> Self {
        self.tag(0x1035, id.into())
    }

    /// Its body as text.
    #[must_use]
    pub fn text(self, text: &str) -> Self {
        self.tag(0x1000, text.into())
    }

    /// Its body as HTML, in the code page given.
    #[must_use]
    pub fn html(self, html: impl Into<Vec<u8>>, code_page: i32) -> Self {
        self.tag(0x1013, Value::Binary(html.into())).tag(0x3FDE, Value::Int32(code_page))
    }

    /// Its body as compressed RTF: see [`rtf_compressed`](super::rtf_compressed).
    #[must_use]
    pub fn rtf(self, compressed: impl Into<Vec<u8>>) -> Self {
        self.tag(0x1009, Value::Binary(compressed.into())).tag(0x0E1F, Value::Bool(true))
    }

    /// The header that it came with.
    #[must_use]
    pub fn headers(self, headers: &str) -> Self {
        self.tag(0x007D, headers.into())
    }

    /// PidTagMessageFlags: 1 read, 8 unsent.
    #[must_use]
    pub fn flags(self, flags: i32) -> Self {
        self.tag(0x0E07, Value::Int32(flags))
    }

    /// Marked for follow-up.
    #[must_use]
    pub fn flagged(self) -> Self {
        self.tag(0x1090, Value::Int32(2))
    }

    /// Its categories.
    #[must_use]
    pub fn categories(self, categories: &[&str]) -> Self {
        let texts = categories.iter().map(|text| (*text).to_owned()).collect();
        self.set(Name::Named(sets::PUBLIC_STRINGS, "Keywords".to_owned()), Value::Texts(texts))
    }

    /// Attaches something.
    #[must_use]
    pub fn attach(mut self, attachment: Attachment) -> Self {
        self.attachments.push(attachment);
        self
    }

    /// Leaves it out of its folder's table, as damage does: only the node tree knows where it belongs.
    #[must_use]
    pub fn unlisted(mut self) -> Self {
        self.listed = false;
        self
    }
}
