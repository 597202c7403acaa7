//! Pictures that Outlook keeps as OLE objects within rich text (MS-OXCMAIL section 2.2.3.4.3): taken out of them, so that
//! mail programs can show them where they stand. The objects themselves stay attachments.

use crate::{Key, Message, rtf::Picture, tags};
use cfb::CompoundFile;
use std::io::{Cursor, Read};

/// Larger objects are not looked into.
const LARGEST: u64 = 8 << 20;
/// Nor are more than these, one after the other.
const LARGEST_SUM: usize = 16 << 20;
const MOST: usize = 200;
/// PidTagAttachMethod of an OLE object.
const OLE: i64 = 6;

/// For each attachment that stands within the text, in the order of their places, its picture, if it is one.
pub(crate) fn pictures(message: &dyn Message) -> Vec<Option<Picture>> {
    let mut placed: Vec<(i64, usize)> = Vec::new();
    for index in 0..message.attachments().min(MOST) {
        // One that cannot be opened may have stood there, too; where, is not known.
        let Ok(attachment) = message.attachment(index) else { continue };
        // -1 as an unsigned number means nowhere.
        match attachment.properties().integer(tags::RENDERING_POSITION) {
            Some(position) if (0..0xFFFF_FFFF).contains(&position) => placed.push((position, index)),
            _ => {}
        }
    }
    placed.sort_unstable();
    let mut sum = 0;
    let mut take = |index: usize| {
        let attachment = message.attachment(index).ok()?;
        if attachment.properties().integer(tags::ATTACH_METHOD) != Some(OLE) || sum > LARGEST_SUM {
            return None;
        }
        let stream = attachment.open(&Key::Tag(tags::ATTACH_DATA)).ok()??;
        let mut bytes = Vec::new();
        stream.take(LARGEST).read_to_end(&mut bytes).ok()?;
        let picture = picture(bytes)?;
        sum += picture.data.len();
        Some(picture)
    };
    placed.into_iter().map(|(_, index)| take(index)).collect()
}

/// The picture in an OLE object.
fn picture(object: Vec<u8>) -> Option<Picture> {
    let mut file = CompoundFile::open(Cursor::new(object)).ok()?;
    let stream = file.open_stream("/CONTENTS").ok()?;
    let mut data = Vec::new();
    stream.take(LARGEST).read_to_end(&mut data).ok()?;
    let (mime, extension) = match data.as_slice() {
        [b'B', b'M', ..] => ("image/bmp", "bmp"),
        [0x89, b'P', b'N', b'G', ..] => ("image/png", "png"),
        [0xFF, 0xD8, 0xFF, ..] => ("image/jpeg", "jpg"),
        [b'G', b'I', b'F', b'8', ..] => ("image/gif", "gif"),
        [40, 0, 0, 0, ..] => {
            data = bitmap(data)?;
            ("image/bmp", "bmp")
        }
        _ => return None,
    };
    Some(Picture { mime, extension, data })
}

/// A bitmap without its file's header gets one (BITMAPFILEHEADER).
fn bitmap(data: Vec<u8>) -> Option<Vec<u8>> {
    let number = |at: usize| data.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes);
    // Planes and bits a pixel share four bytes.
    let depth = number(12)? >> 16;
    let colors = match (number(32)?, depth) {
        (0, 1..=8) => 1 << depth,
        (used, 1..=8) => used.min(256),
        _ => 0,
    };
    // Masks follow where the colours are told by them.
    let masks = if number(16)? == 3 && matches!(depth, 16 | 32) { 12 } else { 0 };
    let start = 54 + masks + colors * 4;
    let size = u32::try_from(data.len()).ok()?.checked_add(14)?;
    let mut file = Vec::with_capacity(data.len() + 14);
    file.extend(b"BM");
    file.extend(size.to_le_bytes());
    file.extend([0; 4]);
    file.extend(start.to_le_bytes());
    file.extend(data);
    Some(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Value, memory::Item, mime, rtf};
    use std::io::Write;

    fn object(contents: &[u8]) -> Vec<u8> {
        let mut file = CompoundFile::create(Cursor::new(Vec::new())).unwrap();
        file.create_stream("/CONTENTS").unwrap().write_all(contents).unwrap();
        file.flush().unwrap();
        file.into_inner().into_inner()
    }

    #[test]
    fn a_bitmap_gets_the_header_that_makes_it_a_file() {
        let mut dib = vec![0; 40];
        dib[0] = 40;
        dib[12] = 1;
        dib[14] = 8;
        dib.extend([7; 1_030]);
        let found = picture(object(&dib)).unwrap();
        assert_eq!((&found.data[..2], found.data[10], found.data[11]), (&b"BM"[..], 54, 4));
        assert_eq!(found.data[14..], dib);
        assert_eq!(picture(object(b"nothing")), None);
        assert_eq!(picture(b"nothing".to_vec()), None);
    }

    #[test]
    fn pictures_are_shown_in_the_order_of_their_places() {
        let mut item = Item::new("IPM.Note");
        let rich = rtf::write::literal(b"{\\rtf1 a{\\object\\objattph }b{\\object\\objattph }c{\\object\\objattph }}");
        item.set(tags::RTF, Value::Bytes(rich));
        for (position, contents) in [(9, &b"BMsecond"[..]), (3, b"BMfirst"), (20, b"no picture")] {
            let mut attachment = Item::default();
            attachment.set(tags::ATTACH_METHOD, Value::Int32(6)).set(tags::RENDERING_POSITION, Value::Int32(position));
            attachment.set(tags::ATTACH_DATA, Value::Bytes(object(contents)));
            item.add(attachment);
        }
        let mut out = Vec::new();
        assert!(mime::write(&item, &mut out).unwrap().is_empty());
        let message = mail_parser::MessageParser::default().parse(&out).unwrap();
        let html = message.body_html(0).unwrap();
        let places: Vec<_> = ["picture1@body.rtf", "picture2@body.rtf"].iter().map(|id| html.find(id)).collect();
        assert!(places[0].is_some() && places[0] < places[1] && !html.contains("<!--"), "{html}");
        assert_eq!(message.attachment(0).unwrap().contents(), b"BMfirst");
        assert_eq!(message.attachment(1).unwrap().contents(), b"BMsecond");
        assert_eq!(message.attachment_count(), 5);
    }
}
