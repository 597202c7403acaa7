//! S/MIME (MS-OXOSMIME): the signed or encrypted content that the message came with, unchanged, so that signatures hold.

use super::{Within, Writer, attachment::Slot, bound::before_base64, encode, words::Header};
use crate::{Key, Message, class, tags};
use std::io::{self, Read};

/// The attachment that holds the content.
pub(crate) struct Signed<'a> {
    slot: Slot<'a>,
    /// Whether it is a whole MIME entity, with its own Content-Type, or the bytes of a CMS object.
    entity: bool,
}

/// How much of the content is looked at to see what it is.
const LOOK: usize = 1_024;

/// Finds the content of an S/MIME message: its only attachment.
pub(crate) fn find<'a>(class: &str, slots: &mut Vec<Slot<'a>>) -> Option<Signed<'a>> {
    if !class::is(class, "IPM.Note.SMIME") && !class::is(class, "IPM.Note.Secure") || slots.len() != 1 {
        return None;
    }
    let mime = slots[0].shape.mime.as_str();
    let entity = class::is(class, "IPM.Note.SMIME.MultipartSigned") || mime == "multipart/signed";
    let opaque = matches!(mime, "application/pkcs7-mime" | "application/x-pkcs7-mime" | "")
        || slots[0].shape.name.to_ascii_lowercase().ends_with(".p7m");
    if !(entity || opaque) {
        return None;
    }
    let slot = slots.remove(0);
    Some(Signed { slot, entity })
}

impl Writer<'_> {
    /// Writes the content after the message's own header.
    pub(super) fn signed<'a>(
        &mut self,
        message: &'a dyn Message,
        mut signed: Signed<'a>,
        mut header: Header,
    ) -> io::Result<()> {
        let name = signed.slot.shape.name.clone();
        let object = match signed.slot.open(message) {
            Ok(object) => object,
            Err(why) => return self.missing(&name, &why, header),
        };
        let mut stream = match object.open(&Key::Tag(tags::ATTACH_DATA)) {
            Ok(Some(stream)) => stream,
            Ok(None) => return self.missing(&name, "it is empty", header),
            Err(error) => return self.missing(&name, &error.to_string(), header),
        };
        let mut start = Vec::with_capacity(LOOK);
        if let Err(error) = stream.by_ref().take(LOOK as u64).read_to_end(&mut start) {
            return self.missing(&name, &error.to_string(), header);
        }
        let looks_like_entity = start.get(..8).is_some_and(|s| s.eq_ignore_ascii_case(b"Content-"));
        let whole = start.as_slice().chain(stream);
        let mut whole = Within::new(whole, before_base64(self.left.get()));
        let result = if looks_like_entity {
            self.out.write_all(&header.bytes)?;
            encode::verbatim(&mut whole, self.out)
        } else if let Some(boundary) = boundary(&start).filter(|_| signed.entity) {
            // The entity's own header was left out: what follows tells its boundary.
            header.name("Content-Type");
            header.raw(" multipart/signed");
            header.parameter("protocol", "application/pkcs7-signature");
            header.parameter("boundary", boundary);
            header.end();
            header.end();
            self.out.write_all(&header.bytes)?;
            encode::verbatim(&mut whole, self.out)
        } else {
            header.name("Content-Type");
            header.raw(" application/pkcs7-mime");
            if let Some(kind) = smime_type(&start) {
                header.parameter("smime-type", kind);
            }
            header.parameter("name", "smime.p7m");
            header.end();
            header.field("Content-Transfer-Encoding", "base64");
            header.name("Content-Disposition");
            header.raw(" attachment");
            header.parameter("filename", "smime.p7m");
            header.end();
            header.end();
            self.out.write_all(&header.bytes)?;
            encode::base64(&mut whole, self.out)
        };
        self.copied(result, || "its signed or encrypted content is cut".to_owned())
    }
}

/// The boundary of a multipart body whose header is missing: its first line that begins with two hyphens.
fn boundary(start: &[u8]) -> Option<&str> {
    let line = start.split(|b| *b == b'\n').find(|line| line.starts_with(b"--"))?;
    let name = std::str::from_utf8(line).ok()?.trim_end().strip_prefix("--")?;
    (!name.is_empty() && name.len() <= 70 && name.is_ascii()).then_some(name)
}

/// What a CMS object is, by the object identifier at its start (RFC 5652 section 3).
fn smime_type(start: &[u8]) -> Option<&'static str> {
    const CMS: [u8; 10] = [0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07];
    let head = start.get(..start.len().min(64))?;
    let at = head.windows(CMS.len()).position(|w| w == CMS)?;
    match head.get(at + CMS.len())? {
        2 => Some("signed-data"),
        3 => Some("enveloped-data"),
        _ => None,
    }
}
