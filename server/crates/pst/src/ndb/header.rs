//! The header (MS-PST 2.2.2.6): which layout, which encoding, where the two B-trees begin. A header that does not hold
//! together is no refusal: what cannot be believed is left empty, and the trees are rebuilt from the pages.

use super::{Encoding, Format};
use crate::{
    Bytes, PstError,
    error::Result,
    raw::{crc, u16_at, u32_at, wide_at},
};

/// What the header says.
pub struct Header {
    pub format: Format,
    /// `None` where the byte is none of the known ones.
    pub encoding: Option<Encoding>,
    /// Offsets of the root pages of the node and the block B-tree.
    pub node_root: u64,
    pub block_root: u64,
    /// What is wrong with it.
    pub flaws: Vec<String>,
}

const LENGTH: usize = 564;

impl Header {
    pub fn read(bytes: &dyn Bytes) -> Result<Self> {
        let length = bytes.len();
        if length == 0 {
            return Err(PstError::NotAPst("the file is empty (0 bytes)".into()));
        }
        let mut head = vec![0; LENGTH];
        let have = usize::try_from(length).map_or(LENGTH, |length| length.min(LENGTH));
        bytes.fill_at(0, &mut head[..have])?;
        let head = &head[..have];
        let client = head.get(8..10).unwrap_or_default();
        let known_client = client == b"SM" || client == b"SO" || client == b"AB";
        let without_mark = known_client && sane_version(u16_at(head, 10));
        if !head.starts_with(b"!BDN") && !without_mark {
            return Err(PstError::NotAPst(looks_like(head)));
        }
        let Some(version) = u16_at(head, 10) else {
            return Err(PstError::NotAPst(format!("it ends after {have} bytes, within the header")));
        };
        let format = match version {
            14 | 15 => Format::Ansi,
            // 19 to 23 were used in turn while the Unicode layout came; only 23 was released.
            19..=23 => Format::Unicode,
            36 | 37 => Format::Unicode4k,
            other => return Err(PstError::UnknownVersion(other)),
        };
        if have < LENGTH {
            return Err(PstError::damaged(format!(
                "the file ends after {have} bytes, within its header: nothing of it can be read"
            )));
        }
        let mut flaws = Vec::new();
        if !head.starts_with(b"!BDN") {
            flaws.push("The first four bytes are not those of a PST file.".to_owned());
        }
        if u32_at(head, 4) != Some(crc(&head[8..8 + 471])) {
            flaws.push("The checksum of the header is wrong.".to_owned());
        }
        let (root, crypt) = if format.wide() { (180, 513) } else { (164, 461) };
        let encoding = Encoding::from_byte(head[crypt]);
        if encoding.is_none() {
            flaws.push(format!("The header names an unknown encoding ({}).", head[crypt]));
        }
        let wide = format.wide();
        let (end_at, node_at, block_at) = if wide { (4, 44, 60) } else { (4, 24, 32) };
        let at = |offset: usize| wide_at(head, root + offset, wide).unwrap_or(0);
        let end = at(end_at);
        if end > length {
            flaws.push(format!(
                "The file is cut short: it should have {end} bytes and has {length}; what lay behind is lost."
            ));
        }
        Ok(Self { format, encoding, node_root: at(node_at), block_root: at(block_at), flaws })
    }
}

fn sane_version(version: Option<u16>) -> bool {
    matches!(version, Some(14 | 15 | 23 | 36))
}

/// What a file that is no PST looks like, for the person who chose it.
fn looks_like(head: &[u8]) -> String {
    let text = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    let guess = if text.starts_with(b"From ") {
        "it looks like an mbox file"
    } else if head.starts_with(b"PK\x03\x04") {
        "it looks like a zip file"
    } else if head.starts_with(&[0x1F, 0x8B]) {
        "it looks like a gzip file; unpack it first"
    } else if head.starts_with(&[0xD0, 0xCF, 0x11, 0xE0]) {
        "it looks like an Outlook message (.msg) or another OLE document"
    } else if head.starts_with(b"7z\xBC\xAF\x27\x1C") {
        "it looks like a 7-Zip file; unpack it first"
    } else if head.starts_with(b"Rar!") {
        "it looks like a RAR file; unpack it first"
    } else if head.iter().all(|&b| b == 0) {
        "it begins with nothing but zeros; was its copy finished?"
    } else if !text.contains(&0) && std::str::from_utf8(text).or_else(|e| check_cut(text, e)).is_ok() {
        "it is a text file"
    } else {
        "it does not begin with the letters !BDN"
    };
    guess.to_owned()
}

/// A character cut in two at the end of what was read is no reason against text.
fn check_cut(text: &[u8], error: std::str::Utf8Error) -> std::result::Result<&str, std::str::Utf8Error> {
    if error.error_len().is_none() { std::str::from_utf8(&text[..error.valid_up_to()]) } else { Err(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_pst_is_refused_with_a_sentence_that_says_what_it_is() {
        for (bytes, says) in [
            (&b""[..], "empty"),
            (b"From a@b.c Mon Jan 1\n", "mbox"),
            (b"PK\x03\x04........", "zip"),
            (b"just some text\n", "text file"),
            (b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", ".msg"),
            (b"\x00\x01\x02\x03\x80", "!BDN"),
            (&[0; 600], "zeros"),
            (b"!BDN", "ends after 4 bytes"),
        ] {
            let Err(PstError::NotAPst(sentence)) = Header::read(&bytes.to_vec()) else { panic!("{says}") };
            assert!(sentence.contains(says), "{sentence}");
        }
    }

    #[test]
    fn a_future_version_and_a_cut_header_are_told_apart() {
        let mut head = vec![0; 1024];
        head[..12].copy_from_slice(b"!BDN\0\0\0\0SM\x63\0");
        assert!(matches!(Header::read(&head), Err(PstError::UnknownVersion(99))));
        head[10] = 23;
        assert!(matches!(Header::read(&head[..100].to_vec()), Err(PstError::Damaged(_))));
        assert!(Header::read(&head).is_ok_and(|header| !header.flaws.is_empty()));
    }
}
