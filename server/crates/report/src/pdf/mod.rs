//! The report on paper. `sheet` draws on one page, `flow` and `table` fill page after page, `sections` say what stands
//! where, `finish` makes the file, `proof` takes one apart again.

mod charts;
mod finish;
mod flow;
mod fonts;
mod ink;
mod proof;
mod sections;
mod sheet;
mod table;

use crate::{model::Report, seal::SignatureFile, texts::Lang};
use flow::Flow;
use fonts::Fonts;
pub use proof::{check_pdf, enclosed};

/// A report with what belongs to it on paper.
#[derive(Clone, Copy, Debug)]
pub struct Paper<'a> {
    /// What is shown.
    pub report: &'a Report,
    /// Its canonical bytes; attached to the file.
    pub document: &'a [u8],
    /// The signature over them; attached to the file.
    pub signature: &'a SignatureFile,
}

/// Why there is no PDF.
#[derive(Debug, thiserror::Error)]
pub enum PdfError {
    /// A font of the program cannot be read.
    #[error("a font of this program cannot be read; the program is damaged")]
    Font,
    /// The file could not be put together.
    #[error("the PDF could not be written: {0}")]
    Write(String),
}

/// The report as a PDF file. Takes a second or two for thousands of rows: call it where waiting blocks nobody.
///
/// # Errors
/// Only faults of the program; no content of a report makes it fail.
pub fn pdf(paper: &Paper<'_>, lang: Lang) -> Result<Vec<u8>, PdfError> {
    let mut flow = Flow::new(Fonts::new().ok_or(PdfError::Font)?, lang);
    sections::all(&mut flow, paper);
    let head = format!("{} · {}", lang.report(), paper.report.job.domain);
    let head = flow.fit(&head, flow::LABEL, flow::MEASURE * 0.7);
    let foot = format!(
        "Gatepost {} · {} · SHA-256 {}…",
        paper.report.generator.version,
        lang.moment(&paper.report.generated_at),
        paper.signature.digest.get(..16).unwrap_or_default()
    );
    let (sheets, fonts, places) = flow.finish(&head, &foot);
    finish::file(sheets, &fonts, &places, paper, lang)
}
