//! Whole messages, made from items in memory and read again by a parser that is not ours.

use super::write;
use crate::{Key, LargeKind, Object, Value, memory::Item, rtf, sets, tags};
use mail_parser::{Message, MessageParser, MimeHeaders, PartType};

const NOON: i64 = 129_116_667_540_000_000;

fn written(item: &Item) -> Vec<u8> {
    let mut out = Vec::new();
    let notes = write(item, &mut out).unwrap();
    assert!(notes.is_empty(), "{notes:?}");
    check(&out);
    let mut again = Vec::new();
    write(item, &mut again).unwrap();
    assert_eq!(out, again, "the same item gives the same bytes");
    out
}

/// What every message must keep to.
fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    assert!(!bytes.contains(&0), "no NUL");
    assert!(!text.replace("\r\n", "").contains(['\r', '\n']), "lines end with CRLF: {text}");
    if let Some(line) = text.split("\r\n").find(|line| line.len() > 998) {
        panic!("a line is too long: {line}");
    }
    assert!(bytes.is_ascii(), "all of it is US-ASCII: {text}");
    assert!(bytes.ends_with(b"\r\n"));
}

fn parsed(bytes: &[u8]) -> Message<'_> {
    MessageParser::default().parse(bytes).unwrap()
}

fn mail() -> Item {
    let mut item = Item::new("IPM.Note");
    item.text(tags::SUBJECT, "Relatório de migração").text(tags::BODY, "Olá,\r\n\r\ntudo certo.\r\n");
    item.text(tags::REPRESENTING_NAME, "João da Silva").text(tags::REPRESENTING_ADDRESS, "joao@a.test");
    item.text(tags::MESSAGE_ID, "<1@a.test>").set(tags::CLIENT_SUBMIT_TIME, Value::Time(NOON));
    item.recipient(1, "Lima, Ana", "ana@b.test").recipient(2, "", "c@b.test").recipient(3, "D", "d@b.test");
    item
}

#[test]
fn a_message_without_a_header_of_its_own_gets_one_from_its_properties() {
    let mut item = mail();
    item.set(tags::IMPORTANCE, Value::Int32(2)).set(tags::READ_RECEIPT, Value::Bool(true));
    item.text(tags::IN_REPLY_TO, "<0@a.test>").text(tags::REFERENCES, "<x@a.test> <0@a.test>");
    let keywords = vec![Value::Text("Clientes".into()), Value::Text("Árvore".into())];
    item.named(Key::Name(sets::PUBLIC_STRINGS, "Keywords".into()), Value::Many(keywords));
    let bytes = written(&item);
    let message = parsed(&bytes);
    assert_eq!(message.subject(), Some("Relatório de migração"));
    assert_eq!(message.from().unwrap().first().unwrap().address(), Some("joao@a.test"));
    assert_eq!(message.from().unwrap().first().unwrap().name(), Some("João da Silva"));
    assert_eq!(message.to().unwrap().first().unwrap().name(), Some("Lima, Ana"));
    assert_eq!(message.cc().unwrap().first().unwrap().address(), Some("c@b.test"));
    assert_eq!(message.bcc().unwrap().first().unwrap().address(), Some("d@b.test"));
    assert_eq!(message.message_id(), Some("1@a.test"));
    assert_eq!(message.date().unwrap().to_rfc3339(), "2010-02-26T14:05:54Z");
    assert_eq!(message.in_reply_to().as_text(), Some("0@a.test"));
    assert_eq!(message.body_text(0).unwrap(), "Olá,\r\n\r\ntudo certo.\r\n");
    let text = String::from_utf8(bytes).unwrap();
    for line in ["Importance: high", "Disposition-Notification-To: =?utf-8?B?", "Keywords: =?utf-8?B?"] {
        assert!(text.contains(line), "{line} in {text}");
    }
}

#[test]
fn the_header_it_came_with_is_used_again_and_completed() {
    let mut item = mail();
    item.text(
        tags::TRANSPORT_HEADERS,
        "Received: from x by y; Fri, 26 Feb 2010 11:00:00 -0300\r\nFrom: \"Joao\" <joao@a.test>\r\n\
         Subject: =?iso-8859-1?Q?Relat=F3rio_de_migra=E7=E3o?=\r\nDate: Fri, 26 Feb 2010 11:05:54 -0300\r\n\
         Content-Type: multipart/mixed; boundary=old\r\n\r\n",
    );
    let text = String::from_utf8(written(&item)).unwrap();
    let expected = "Received: from x by y; Fri, 26 Feb 2010 11:00:00 -0300\r\nFrom: \"Joao\" <joao@a.test>\r\n\
                    Subject: =?iso-8859-1?Q?Relat=F3rio_de_migra=E7=E3o?=\r\nDate: Fri, 26 Feb 2010 11:05:54 -0300\r\n\
                    To: \"Lima, Ana\" <ana@b.test>\r\n";
    assert!(text.starts_with(expected), "{text}");
    assert!(!text.contains("boundary=old"));
    // A subject that was edited in Outlook is shown as Outlook shows it.
    item.text(tags::SUBJECT, "Outro assunto");
    assert_eq!(parsed(&written(&item)).subject(), Some("Outro assunto"));
}

#[test]
fn html_with_images_and_attachments_keeps_its_order_and_its_bytes() {
    let mut item = mail();
    let html = "<html><body>é<img src=\"cid:Logo@1\"></body></html>".to_owned();
    item.set(tags::HTML, Value::Bytes(encoding_rs::WINDOWS_1252.encode(&html).0.into_owned()));
    item.set(tags::INTERNET_CODEPAGE, Value::Int32(1252));
    let data: Vec<u8> = (0..=255).cycle().take(10_000).collect();
    let mut image = Item::default();
    image.set(tags::ATTACH_METHOD, Value::Int32(1)).text(tags::ATTACH_LONG_FILENAME, "logo.png");
    image.text(tags::ATTACH_MIME_TAG, "image/png").text(tags::ATTACH_CONTENT_ID, "logo@1");
    image.set(tags::ATTACH_DATA, Value::Bytes(vec![1, 2, 3]));
    item.add(image);
    item.attach("Orçamento nº 7.xlsx", "", &data);
    let bytes = written(&item);
    let message = parsed(&bytes);
    assert_eq!(message.body_html(0).unwrap(), html);
    assert_eq!(message.attachment_count(), 2);
    let names: Vec<_> = message.attachments().map(|a| a.attachment_name().unwrap().to_owned()).collect();
    assert_eq!(names, ["logo.png", "Orçamento nº 7.xlsx"]);
    assert_eq!(message.attachment(1).unwrap().contents(), data);
    let kinds: Vec<String> = message
        .parts
        .iter()
        .map(|p| {
            p.content_type().map(|c| format!("{}/{}", c.ctype(), c.subtype().unwrap_or_default())).unwrap_or_default()
        })
        .collect();
    assert_eq!(
        kinds,
        [
            "multipart/mixed",
            "multipart/related",
            "multipart/alternative",
            "text/plain",
            "text/html",
            "image/png",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        ]
    );
    assert_eq!(message.attachment(0).unwrap().content_id(), Some("logo@1"));
}

#[test]
fn a_body_in_rtf_only_becomes_the_html_that_was_put_into_it() {
    let rich = b"{\\rtf1\\ansi\\ansicpg1252\\fromhtml1{\\fonttbl{\\f0 Arial;}}{\\*\\htmltag84 <p>}Ol\\'e1{\\*\\htmltag92 </p>}}";
    for rtf in [rtf::write::literal(rich), rtf::write::stored(rich)] {
        let mut item = Item::new("IPM.Note");
        item.text(tags::SUBJECT, "x");
        let size = rtf.len() as u64;
        item.large(tags::RTF, Value::Large { bytes: size, kind: LargeKind::Binary }, rtf);
        let bytes = written(&item);
        let message = parsed(&bytes);
        assert_eq!(message.body_html(0).unwrap().trim_end(), "<p>Olá</p>");
        assert_eq!(message.parts.len(), 1);
    }
}

#[test]
fn a_message_in_a_message_is_one_again() {
    let mut inner = mail();
    inner.attach("a.bin", "application/octet-stream", b"\0\x01\x02");
    let mut middle = Item::new("IPM.Note");
    middle.text(tags::SUBJECT, "no meio").embed(inner);
    let mut outer = mail();
    outer.embed(middle);
    let bytes = written(&outer);
    let message = parsed(&bytes);
    let PartType::Message(middle) = &message.attachment(0).unwrap().body else { panic!("no message") };
    assert_eq!(middle.subject(), Some("no meio"));
    let PartType::Message(inner) = &middle.attachment(0).unwrap().body else { panic!("no message") };
    assert_eq!(inner.subject(), Some("Relatório de migração"));
    assert_eq!(inner.attachment(0).unwrap().contents(), b"\0\x01\x02");
}

#[test]
fn messages_that_lie_too_deep_are_said_and_not_followed() {
    let mut item = mail();
    for _ in 0..40 {
        let mut outer = Item::new("IPM.Note");
        outer.embed(item);
        item = outer;
    }
    let mut out = Vec::new();
    let notes = write(&item, &mut out).unwrap();
    assert!(notes.summary().unwrap().contains("too deep"));
    check(&out);
}

#[test]
fn what_cannot_be_read_is_said_in_its_place() {
    let mut item = mail();
    let mut broken = Item::default();
    broken.set(tags::ATTACH_METHOD, Value::Int32(1)).text(tags::ATTACH_LONG_FILENAME, "cut.bin");
    broken.large(tags::ATTACH_DATA, Value::Large { bytes: 900, kind: LargeKind::Binary }, vec![7; 600]).broken();
    item.add(broken);
    let mut empty = Item::default();
    empty.set(tags::ATTACH_METHOD, Value::Int32(5)).text(tags::DISPLAY_NAME, "gone");
    item.add(empty);
    let mut out = Vec::new();
    let notes = write(&item, &mut out).unwrap();
    check(&out);
    let said = notes.summary().unwrap();
    assert!(said.contains("the attachment cut.bin is cut: the block at 4096 is damaged"), "{said}");
    assert!(said.contains("the attachment gone cannot be read"), "{said}");
    let message = parsed(&out);
    assert_eq!(message.attachment(0).unwrap().contents(), [7; 600]);
    assert_eq!(message.attachment(1).unwrap().attachment_name(), Some("gone.txt"));
}

#[test]
fn what_would_make_a_message_too_large_is_left_out_and_said() {
    let mut item = mail();
    let mut deep = Item::new("IPM.Note");
    deep.attach("c.bin", "application/octet-stream", &[3; 100]);
    item.attach("a.bin", "application/octet-stream", &[1; 3_000]);
    let mut stated = Item::default();
    stated.set(tags::ATTACH_METHOD, Value::Int32(1)).text(tags::ATTACH_LONG_FILENAME, "stated.bin");
    stated.large(tags::ATTACH_DATA, Value::Large { bytes: 1 << 40, kind: LargeKind::Binary }, vec![7; 600]);
    item.add(stated);
    item.attach("b.bin", "application/octet-stream", &[2; 90_000]).embed(deep);
    let mut out = Vec::new();
    let notes = super::write_within(&item, &mut out, 20_000).unwrap();
    check(&out);
    assert!(out.len() < 22_000, "{}", out.len());
    let message = parsed(&out);
    assert_eq!(message.attachment(0).unwrap().contents(), [1; 3_000]);
    assert_eq!(message.attachment(1).unwrap().attachment_name(), Some("stated.bin.txt"));
    assert!(message.attachment(2).unwrap().contents().len() < 15_000);
    let said = notes.summary().unwrap();
    for what in ["stated.bin cannot be read: the message would", "b.bin is cut: the message would"] {
        assert!(said.contains(what), "{what}: {said}");
    }
}

#[test]
fn a_body_that_cannot_be_read_is_said_in_its_place() {
    let mut item = Item::new("IPM.Note");
    item.large(tags::HTML, Value::Large { bytes: 900, kind: LargeKind::Binary }, vec![b'x'; 600]).broken();
    let mut out = Vec::new();
    let notes = write(&item, &mut out).unwrap();
    check(&out);
    assert!(notes.summary().unwrap().contains("its HTML body cannot be read: the block at 4096 is damaged"));
    assert!(parsed(&out).body_text(0).unwrap().contains("could not be read from the file"));
}

#[test]
fn a_large_body_passes_through_whole() {
    let text = "linha com ação\r\n".repeat(600_000);
    let raw: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut item = mail();
    item.large(tags::BODY, Value::Large { bytes: raw.len() as u64, kind: LargeKind::Unicode }, raw);
    assert_eq!(parsed(&written(&item)).body_text(0).unwrap(), text);
}

#[test]
fn signed_content_is_unchanged() {
    let entity = "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; boundary=\"b\"\r\n\r\n--b\r\n\
                  Content-Type: text/plain\r\n\r\nsigned = text\r\n--b\r\nContent-Type: application/pkcs7-signature\r\n\r\nx\r\n--b--\r\n";
    let mut item = Item::new("IPM.Note.SMIME.MultipartSigned");
    item.text(tags::SUBJECT, "s").attach("smime.p7m", "multipart/signed", entity.as_bytes());
    let text = String::from_utf8(written(&item)).unwrap();
    assert!(text.ends_with(entity), "{text}");

    let der = [0x30, 0x80, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x03, 0xA0];
    let mut item = Item::new("IPM.Note.SMIME");
    item.text(tags::SUBJECT, "e").attach("smime.p7m", "application/pkcs7-mime", &der);
    let bytes = written(&item);
    let message = parsed(&bytes);
    let kind = message.content_type().unwrap();
    assert_eq!((kind.subtype(), kind.attribute("smime-type")), (Some("pkcs7-mime"), Some("enveloped-data")));
    assert_eq!(message.parts[0].contents(), der);
}

#[test]
fn a_delivery_report_is_one_again() {
    let mut item = Item::new("REPORT.IPM.Note.NDR");
    item.text(tags::SUBJECT, "Undeliverable: x").text(tags::ORIGINAL_SUBJECT, "x");
    item.text(tags::REPORTING_MTA, "mx.a.test").recipient(1, "Ana", "ana@b.test");
    let bytes = written(&item);
    let message = parsed(&bytes);
    assert_eq!(message.content_type().unwrap().attribute("report-type"), Some("delivery-status"));
    let text = String::from_utf8_lossy(&bytes);
    for line in ["Reporting-MTA: dns; mx.a.test", "Final-Recipient: rfc822; ana@b.test", "Status: 5.0.0", "Subject: x"]
    {
        assert!(text.contains(line), "{line} in {text}");
    }
}

#[test]
fn a_meeting_request_carries_its_calendar() {
    let mut item = mail();
    item.text(tags::MESSAGE_CLASS, "IPM.Schedule.Meeting.Request");
    item.named(Key::Lid(sets::APPOINTMENT, 0x820D), Value::Time(NOON));
    item.named(Key::Lid(sets::APPOINTMENT, 0x820E), Value::Time(NOON + 36_000_000_000));
    item.named(Key::Lid(sets::APPOINTMENT, 0x8208), Value::Text("Sala 1; térreo".into()));
    let bytes = written(&item);
    let message = parsed(&bytes);
    let part = message.parts.iter().find(|p| p.is_content_type("text", "calendar")).unwrap();
    assert_eq!(part.content_type().unwrap().attribute("method"), Some("REQUEST"));
    let text = part.text_contents().unwrap();
    for line in [
        "METHOD:REQUEST",
        "DTSTART:20100226T140554Z",
        "DTEND:20100226T150554Z",
        "LOCATION:Sala 1\\; térreo",
        "ORGANIZER;CN=\"João da Silva\":mailto:joao@a.test",
        "ATTENDEE;CUTYPE=RESOURCE",
    ] {
        assert!(text.replace("\r\n ", "").contains(line), "{line} in {text}");
    }
}

#[test]
fn an_item_with_nothing_in_it_is_still_a_message() {
    let bytes = written(&Item::new("IPM.Note"));
    assert!(parsed(&bytes).parts.len() == 1);
}

/// A sequence that is the same at each run (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap_or(0) % sides
    }

    fn text(&mut self) -> String {
        const PIECES: [&str; 28] = [
            "a",
            " ",
            "\r\n",
            "\n",
            "\r",
            "\0",
            "é",
            "日本",
            "😀",
            "=?utf-8?B?",
            "?=",
            "\"",
            "<",
            ">",
            ",",
            ";",
            ":",
            "@a.test",
            "Subject: x\r\n",
            "Date: ",
            "From: ",
            "cid:",
            "--=_",
            ".",
            "\t",
            "\u{1}",
            "=?",
            "wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww",
        ];
        let mut text = String::new();
        for _ in 0..self.roll(12) {
            let piece = PIECES[self.roll(PIECES.len())];
            let times = if self.roll(20) == 0 { 200 } else { 1 };
            (0..times).for_each(|_| text.push_str(piece));
        }
        text
    }
}

#[test]
fn whatever_an_item_holds_it_becomes_a_clean_message() {
    let classes =
        ["IPM.Note", "REPORT.IPM.Note.IPNRN", "IPM.Schedule.Meeting.Request", "IPM.Note.SMIME", "IPM.Contact"];
    // More rounds by hand: GATEPOST_ROUNDS=100000.
    let rounds: u64 = std::env::var("GATEPOST_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(500);
    for round in 1..=rounds {
        let mut dice = Dice(round.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let mut item = Item::new(classes[dice.roll(classes.len())]);
        for tag in [
            tags::SUBJECT,
            tags::BODY,
            tags::TRANSPORT_HEADERS,
            tags::REPRESENTING_NAME,
            tags::REPRESENTING_ADDRESS,
            tags::MESSAGE_ID,
            tags::REFERENCES,
            tags::DISPLAY_TO,
            tags::CONVERSATION_TOPIC,
            tags::REPORT_TEXT,
            tags::ORIGINAL_SUBJECT,
        ] {
            if dice.roll(3) > 0 {
                item.text(tag, &dice.text());
            }
        }
        if dice.roll(2) == 0 {
            item.set(tags::HTML, Value::Bytes(dice.text().into_bytes()));
        } else {
            item.set(tags::RTF, Value::Bytes(rtf::write::literal(dice.text().as_bytes())));
        }
        let keywords = vec![Value::Text(dice.text()), Value::Text(dice.text())];
        item.named(Key::Name(sets::PUBLIC_STRINGS, "Keywords".into()), Value::Many(keywords));
        item.named(Key::Name(sets::INTERNET_HEADERS, "X-Odd".into()), Value::Text(dice.text()));
        item.named(Key::Lid(sets::APPOINTMENT, 0x820D), Value::Time(NOON));
        item.recipient(i32::try_from(dice.roll(4)).unwrap(), &dice.text(), &dice.text());
        let mut attachment = Item::default();
        attachment.text(tags::ATTACH_LONG_FILENAME, &dice.text()).text(tags::ATTACH_MIME_TAG, &dice.text());
        attachment.text(tags::ATTACH_CONTENT_ID, &dice.text()).text(tags::ATTACH_CONTENT_LOCATION, &dice.text());
        attachment.set(tags::ATTACH_DATA, Value::Bytes(dice.text().into_bytes()));
        item.add(attachment);
        let mut out = Vec::new();
        write(&item, &mut out).unwrap();
        let signed = item.properties().text(tags::MESSAGE_CLASS) == Some("IPM.Note.SMIME");
        if !signed {
            check(&out);
        }
        assert!(MessageParser::default().parse(&out).is_some(), "{round}");
        crate::item::write(&item, &mut std::io::sink()).unwrap();
    }
}
