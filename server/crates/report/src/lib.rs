//! A migration's report: data to JSON with a published schema, to PDF, and their signature. Knows no database and no
//! clock: whoever asks for a report hands in its data and its moment.

mod customer;
mod model;
mod pdf;
mod schema;
mod seal;
mod texts;

pub use model::*;
pub use pdf::{Paper, PdfError, check_pdf, enclosed, pdf};
pub use schema::{SCHEMA_PATH, schema};
pub use seal::{Distrust, ReportKey, SignatureFile, Signet, Trusted, canonical, check, digest};
pub use texts::Lang;
