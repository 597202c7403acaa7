//! What a stranger may send: names that lead elsewhere, archives that grow when they are opened, lines without an end.

use super::{eml, zip::Zip};
use std::io::{self, Write};
use std::path::Path;

/// Names of entries that must not be taken as they stand.
#[must_use]
pub fn names() -> Vec<Vec<u8>> {
    let texts = [
        "../outside.eml",
        "a/../../outside.eml",
        "/etc/passwd.eml",
        "//host/share.eml",
        "C:\\Windows\\a.eml",
        "..\\outside.eml",
        "a/./b.eml",
        "a//b.eml",
        ".",
        "..",
        "",
        " ",
        "nul\0inside.eml",
        "new\nline.eml",
        "carriage\rreturn.eml",
        "bell\x07.eml",
        "\u{202E}lme.exe",
        "trailing. ",
        "CON.eml",
        "INBOX/x.eml",
        "inbox/y.eml",
    ];
    let mut all: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    all.push([vec![b'n'; 4000], b".eml".to_vec()].concat());
    all.push([vec![b'd'; 4000], b"/x.eml".to_vec()].concat());
    all.push(b"not-utf8-\xFF\xFE.eml".to_vec());
    all.push(["a"; 500].join("/").into_bytes());
    all.push([["a"; 500].join("/"), "x.eml".to_owned()].join("/").into_bytes());
    all
}

/// A zip in a zip, so many deep; the innermost holds one message.
#[must_use]
pub fn nested_zip(levels: usize) -> Vec<u8> {
    let mut inner = Zip::new().stored("message.eml", &eml(0)).finish();
    for _ in 1..levels {
        inner = Zip::new().stored("inner.zip", &inner).finish();
    }
    inner
}

/// A zip of so many entries that each give so many bytes of zeros.
#[must_use]
pub fn zip_bomb(entries: usize, bytes: u64) -> Vec<u8> {
    let packed = deflated_zeros(bytes);
    let mut zip = Zip::new();
    for number in 0..entries {
        zip = zip.packed(&format!("{number}.eml"), &packed, packed.len() as u64, bytes, zeros_checksum(bytes));
    }
    zip.finish()
}

/// A zip whose entry gives more than it says.
#[must_use]
pub fn lying_zip(said: u64, given: u64) -> Vec<u8> {
    let packed = deflated_zeros(given);
    Zip::new().packed("small.eml", &packed, packed.len() as u64, said, zeros_checksum(given)).finish()
}

/// A gzip that gives so many zeros.
///
/// # Panics
/// Never: memory takes what is written.
#[must_use]
pub fn gzip_bomb(bytes: u64) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    zeros(bytes, &mut out).and_then(|()| out.finish()).expect("memory takes what is written")
}

/// Writes a message with so many bytes of body, in lines of 76.
///
/// # Errors
/// Where it cannot be written.
pub fn large_eml(out: &mut dyn Write, bytes: u64) -> io::Result<()> {
    out.write_all(b"From: ana@example.test\r\nSubject: large\r\nDate: Thu, 29 Feb 2024 12:00:00 +0000\r\n\r\n")?;
    let line = [vec![b'x'; 76], b"\r\n".to_vec()].concat();
    let chunk = line.repeat(800);
    for _ in 0..bytes / chunk.len() as u64 {
        out.write_all(&chunk)?;
    }
    out.write_all(b"end\r\n")
}

/// Makes folders in each other, so many deep, with a message in the deepest.
///
/// # Errors
/// Where they cannot be made.
pub fn deep_folders(root: &Path, levels: usize) -> io::Result<()> {
    let path = root.join(vec!["a"; levels].join("/"));
    std::fs::create_dir_all(&path)?;
    std::fs::write(path.join("message.eml"), eml(1))
}

fn zeros(bytes: u64, out: &mut dyn Write) -> io::Result<()> {
    let chunk = vec![0; 1 << 20];
    let mut left = bytes;
    while left > 0 {
        let now = left.min(chunk.len() as u64);
        out.write_all(&chunk[..now as usize])?;
        left -= now;
    }
    Ok(())
}

fn deflated_zeros(bytes: u64) -> Vec<u8> {
    let mut out = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    zeros(bytes, &mut out).and_then(|()| out.finish()).expect("memory takes what is written")
}

fn zeros_checksum(bytes: u64) -> u32 {
    struct Sum(crc32fast::Hasher);
    impl Write for Sum {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.update(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut sum = Sum(crc32fast::Hasher::new());
    zeros(bytes, &mut sum).expect("a checksum takes what is written");
    sum.0.finalize()
}
