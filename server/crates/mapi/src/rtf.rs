//! Bodies in rich text: decompression (MS-OXRTFCP), the HTML or text that was put into it (MS-OXRTFEX), and else a
//! plain rendering of it as text and as HTML.
//!
//! It knows the RTF of mail programs, not of documents: no headers and footers, no drawings, no lists beyond
//! the text of their bullets.

mod convert;
mod fonts;
mod lzfu;
mod picture;
mod rich;
mod token;

pub use convert::{Converted, convert, object_mark};
pub use lzfu::Decompressor;
#[cfg(any(test, feature = "fixtures"))]
pub use lzfu::write;
pub use picture::Picture;
pub(crate) use picture::content_id;
