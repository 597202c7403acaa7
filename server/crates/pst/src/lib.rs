//! A lenient reader of PST and OST files (MS-PST).
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use gatepost_mapi::Message as _;
//! let pst = gatepost_pst::Pst::open_path("archive.pst".as_ref())?;
//! for folder in pst.folders()? {
//!     for item in pst.items(folder.nid)? {
//!         match pst.message(item.nid) {
//!             Ok(message) => println!("{} attachments", message.attachments()),
//!             Err(why) => println!("{:?} is lost: {why}", item.subject),
//!         }
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Four layers, each knowing only the one below: pages and blocks (`ndb`), heaps and tables (`ltp`), folders and
//! items (`messaging`), and the file as its user sees it ([`Pst`]). What an item means (mail, a contact) is
//! `gatepost-mapi`'s business.
//!
//! The rules that hold everywhere: a length or an offset from the file is a claim; a wrong checksum is a note and no
//! refusal; what is lost is named; memory does not grow with the file, except 8 bytes for each item.

mod bytes;
mod error;
mod ltp;
mod messaging;
mod ndb;
mod notes;
mod pst;
mod raw;
mod salvage;

pub use bytes::{Bytes, FileBytes};
pub use error::PstError;
pub use messaging::{Folder, ItemRef, Items, PstAttachment, PstMessage, Role};
pub use ndb::{Encoding, Format};
pub use pst::Pst;
