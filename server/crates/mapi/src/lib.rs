//! MAPI objects as mail.
//!
//! Outlook keeps items as bags of properties (MS-OXPROPS), not as messages. This crate turns such an item into what
//! other programs understand: mail as RFC 5322 with MIME, contacts as vCard, appointments and tasks as iCalendar. It
//! knows nothing of the file that an item lies in: whoever reads one implements [`Message`].

mod object;
mod value;

pub use object::{Attachment, Error, Message, Object};
pub use value::{Guid, Key, LargeKind, Properties, Value, tags};
