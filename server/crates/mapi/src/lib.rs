//! MAPI objects as mail.
//!
//! Outlook keeps items as bags of properties (MS-OXPROPS), not as messages. This crate turns such an item into what
//! other programs understand: mail as RFC 5322 with MIME, contacts as vCard, appointments and tasks as iCalendar. It
//! knows nothing of the file that an item lies in: whoever reads one implements [`Message`].
//!
//! [`mime::write`] gives the message, [`facts()`] what belongs beside it (date, flags, keywords), [`item::write`] the
//! file of an item that is no mail. The same item gives the same bytes at every call.

mod class;
mod clock;
mod codepage;
mod facts;
pub mod ical;
pub mod item;
mod lines;
#[cfg(any(test, feature = "fixtures"))]
pub mod memory;
pub mod mime;
pub mod msg;
mod notes;
mod object;
pub mod rtf;
pub mod sets;
pub mod tags;
mod value;
pub mod vcard;

pub use class::Kind;
pub use facts::{Facts, facts};
pub use notes::Notes;
pub use object::{Attachment, Error, Message, Object};
pub use value::{Guid, Key, LargeKind, Properties, Value};
