//! A writer of PST and OST files, made from [MS-PST] alone, for tests of whatever reads them.
//!
//! It shares no code with gatepost-pst: what tests a reader must not share its mistakes. It writes what a test asks for,
//! in the three layouts that occur and in their encodings; it does not know Outlook's indexes for searching, its
//! density list or its views, so Outlook may repair such a file when it opens it. The layout with pages of 4 KiB is not
//! in [MS-PST]: it follows what libpff's documentation says and what real files show.
//!
//! ```no_run
//! use gatepost_testkit::pst::{Item, Options, Pst};
//! let mut pst = Pst::create("ana.pst".as_ref(), Options::default()).expect("a writable folder");
//! let inbox = pst.folder(pst.top(), "Inbox");
//! let item = Item::mail("Olá").from("Ana", "ana@example.test").text("Bom dia");
//! pst.item(inbox, &item).expect("disk space");
//! pst.finish().expect("disk space");
//! ```

mod encode;
mod examples;
mod folder;
mod item;
mod kinds;
mod ltp;
mod names;
mod ndb;
mod rtf;
mod value;
mod writer;

pub use examples::{everything, load, small};
pub use folder::{FolderId, Role};
pub use item::{Attachment, Content, Item, Recipient, RecipientKind};
pub use ndb::{Encoding, Layout};
pub use rtf::{rtf_compressed, rtf_uncompressed};
pub use value::{Name, Value, sets};
pub use writer::{Options, Pst, Tree};
