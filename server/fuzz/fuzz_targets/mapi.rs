//! Whatever an item holds, it becomes a message with CRLF line ends, lines of 998 bytes at most and no NUL, the same at
//! every call, that a reader of mail parses; and what is no mail becomes lines of text. The input is a class and values,
//! parted by 0xff: class, header, subject, text, HTML, RTF, recurrence, name of an attachment, its content.
#![no_main]

use gatepost_mapi::{Guid, Key, Value, facts, item, memory::Item, mime, sets, tags};
use libfuzzer_sys::fuzz_target;
use std::io;

const CLASSES: [&str; 12] = [
    "IPM.Note",
    "REPORT.IPM.Note.NDR",
    "IPM.Schedule.Meeting.Request",
    "IPM.Schedule.Meeting.Resp.Pos",
    "IPM.Appointment",
    "IPM.Task",
    "IPM.Contact",
    "IPM.DistList",
    "IPM.StickyNote",
    "IPM.Activity",
    "IPM.Post",
    "IPM.TaskRequest",
];

fn build(bytes: &[u8]) -> Item {
    let mut parts = bytes.split(|byte| *byte == 0xFF);
    let mut next = || parts.next().unwrap_or_default();
    let class = next();
    let number = class.first().copied().unwrap_or_default();
    let mut built = Item::new(CLASSES[usize::from(number) % CLASSES.len()]);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (header, subject, body, html, rtf, recurrence, name, content) =
        (next(), next(), next(), next(), next(), next(), next(), next());
    built.text(tags::TRANSPORT_HEADERS, &text(header)).text(tags::SUBJECT, &text(subject));
    if !body.is_empty() {
        built.text(tags::BODY, &text(body));
    }
    if !html.is_empty() {
        built.set(tags::HTML, Value::Bytes(html.to_vec()));
    }
    if !rtf.is_empty() {
        built.set(tags::RTF, Value::Bytes(rtf.to_vec()));
    }
    for (set, lid) in [(sets::APPOINTMENT, 0x8216), (sets::TASK, 0x8116), (sets::APPOINTMENT, 0x8233)] {
        let set: Guid = set;
        built.named(Key::Lid(set, lid), Value::Bytes(recurrence.to_vec()));
    }
    for lid in [0x820D_u32, 0x820E] {
        let at = recurrence.get(..8).and_then(|bytes| bytes.try_into().ok()).map_or(0, i64::from_le_bytes);
        built.named(Key::Lid(sets::APPOINTMENT, lid), Value::Time(at));
    }
    built.recipient(i32::from(number >> 4), &text(name), &text(subject));
    if !content.is_empty() {
        built.attach(&text(name), &text(&content[..content.len().min(40)]), content);
    }
    built
}

fuzz_target!(|bytes: &[u8]| {
    let built = build(bytes);
    let told = facts(&built);
    assert_eq!(format!("{told:?}"), format!("{:?}", facts(&built)));
    let write = || -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        mime::write(&built, &mut out).map_err(io::Error::other)?;
        Ok(out)
    };
    let message = write().expect("memory takes what is written");
    assert_eq!(message, write().expect("memory takes what is written"));
    assert!(!message.contains(&0), "a NUL");
    for line in message.split(|byte| *byte == b'\n') {
        assert!(line.len() <= 999, "a line of {} bytes", line.len());
        let bare = line.strip_suffix(b"\r").unwrap_or(line);
        assert!(!bare.contains(&b'\r'), "a lone CR");
        assert!(bare.len() < line.len() || line.is_empty(), "a lone LF after {:?}", String::from_utf8_lossy(line));
    }
    assert!(mail_parser::MessageParser::default().parse(&message).is_some());

    let mut saved = Vec::new();
    item::write(&built, &mut saved).expect("memory takes what is written");
    assert!(std::str::from_utf8(&saved).is_ok(), "no UTF-8");
});
