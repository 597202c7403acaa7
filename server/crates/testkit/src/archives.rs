//! Writers of archives of mail: mbox, zip, tar, Zimbra's exports, and what strangers do to them.
//!
//! They write byte by byte what a test asks for, also names and sizes that no sound program would write, and know
//! nothing of whoever reads them.

pub mod damage;
pub mod hostile;
pub mod mbox;
pub mod tar;
pub mod zimbra;
pub mod zip;

use std::io::Write as _;

/// Compresses as gzip.
///
/// # Panics
/// Never: memory takes what is written.
#[must_use]
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).and_then(|()| out.finish()).expect("memory takes what is written")
}

/// A short message, the same for the same number.
#[must_use]
pub fn eml(number: usize) -> Vec<u8> {
    format!(
        "From: Ana <ana@example.test>\r\nTo: joao@example.test\r\nSubject: Mensagem {number}\r\n\
         Date: Thu, 29 Feb 2024 12:{:02}:{:02} +0000\r\nMessage-ID: <eml-{number}@example.test>\r\n\r\n\
         Texto da mensagem {number}.\r\n",
        number / 60 % 60,
        number % 60
    )
    .into_bytes()
}
