//! Lists, tables and properties (MS-PST 2.3): heaps on nodes, B-trees on heaps, and the property and table contexts
//! that are made of them. Knows what a property is, and not what it means.

mod bth;
mod context;
mod heap;
mod property;
mod table;
mod value;

pub use context::Context;
pub use property::{Entry, PropertyContext};
pub use table::{Column, RowIds, Table};
pub use value::{CodePage, LARGE, Stored, utf16};
