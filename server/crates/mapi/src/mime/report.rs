//! Delivery reports and read receipts (MS-OXOMSG section 2.2.2): multipart/report as RFC 6522 has it, with what RFC 3464
//! and RFC 8098 say in fields.

use super::{Part, address, attachment::Slot, body::Text, encode, words};
use crate::{Message, clock::Moment, tags};

/// The parts of a report: what a person reads, what a program reads, and what it is about.
pub(crate) fn plan<'a>(message: &'a dyn Message, class: &str, body: Part<'a>, attached: Vec<Slot<'a>>) -> Part<'a> {
    let ending = class.rsplit('.').next().unwrap_or_default().to_ascii_uppercase();
    let receipt = matches!(ending.as_str(), "IPNRN" | "IPNNRN");
    let (kind, status) = if receipt {
        ("message/disposition-notification", disposition(message, ending == "IPNRN"))
    } else {
        ("message/delivery-status", delivery(message, ending == "NDR"))
    };
    let said = for_people(message);
    let made = || Part::Made { kind: "text/plain; charset=utf-8".into(), text: said.clone() };
    let body = match body {
        Part::Text { text: Text::Held { lines, .. }, .. } if lines.trim_ascii().is_empty() => made(),
        // Outlook's HTML leaves out what the server itself said.
        Part::Text { subtype: "html", text } if !said.is_empty() => Part::Multi {
            subtype: "alternative",
            parameters: Vec::new(),
            parts: vec![made(), Part::Text { subtype: "html", text }],
        },
        other => other,
    };
    let mut parts = vec![body, Part::Made { kind: kind.into(), text: status }];
    if attached.is_empty() {
        parts.extend(original(message).map(|text| Part::Made { kind: "text/rfc822-headers".into(), text }));
    }
    parts.extend(attached.into_iter().map(Part::Attachment));
    let kind = if receipt { "disposition-notification" } else { "delivery-status" };
    Part::Multi { subtype: "report", parameters: vec![("report-type", kind)], parts }
}

/// What a report says where it has no text.
fn for_people(message: &dyn Message) -> Vec<u8> {
    let mut text = String::new();
    let p = message.properties();
    for tag in [tags::REPORT_TEXT, tags::SUPPLEMENTARY_INFO] {
        if let Some(said) = p.text(tag) {
            text.push_str(said.trim_end());
            text.push_str("\r\n");
        }
    }
    for row in message.recipients() {
        let said = [tags::REPORT_TEXT, tags::SUPPLEMENTARY_INFO].into_iter().find_map(|tag| row.text(tag));
        let mailbox = address::recipient(row);
        if let Some(said) = said {
            let whom = mailbox.address.filter(|a| *a != mailbox.name).map_or(String::new(), |a| format!(" <{a}>"));
            text.push_str(&format!("{}{whom}\r\n{}\r\n", mailbox.name, said.trim_end()));
        }
    }
    encode::lines(text.as_bytes()).into_owned()
}

/// A line of a field's value: fields of a status are US-ASCII.
fn field(out: &mut String, name: &str, value: &str) {
    let value: String = words::clean(value).chars().map(|c| if c.is_ascii() { c } else { '?' }).take(900).collect();
    out.push_str(&format!("{name}: {}\r\n", value.trim()));
}

/// The fields of RFC 3464.
fn delivery(message: &dyn Message, failed: bool) -> Vec<u8> {
    let p = message.properties();
    let mut out = String::new();
    field(&mut out, "Reporting-MTA", &format!("dns; {}", p.text(tags::REPORTING_MTA).unwrap_or("unknown")));
    if let Some(sent) = p.time(tags::ORIGINAL_SUBMIT_TIME).and_then(Moment::from_filetime) {
        field(&mut out, "Arrival-Date", &sent.to_string());
    }
    for row in message.recipients() {
        let mailbox = address::recipient(row);
        out.push_str("\r\n");
        match &mailbox.address {
            Some(address) => field(&mut out, "Final-Recipient", &format!("rfc822; {address}")),
            None => field(&mut out, "Final-Recipient", &format!("x-mapi; {}", mailbox.name)),
        }
        field(&mut out, "Action", if failed { "failed" } else { "delivered" });
        // 511 stands for 5.1.1.
        let status =
            row.integer(tags::NDR_STATUS).filter(|n| (100..1_000).contains(n)).map(|n| (n / 100, n / 10 % 10, n % 10));
        let (class, subject, detail) = status.unwrap_or(if failed { (5, 0, 0) } else { (2, 0, 0) });
        field(&mut out, "Status", &format!("{class}.{subject}.{detail}"));
        if let Some(remote) = row.text(tags::REMOTE_MTA) {
            field(&mut out, "Remote-MTA", &format!("dns; {remote}"));
        }
        if let Some(info) = row.text(tags::SUPPLEMENTARY_INFO) {
            field(&mut out, "Diagnostic-Code", &format!("x-supplementary-info; {info}"));
        }
    }
    out.into_bytes()
}

/// The fields of RFC 8098.
fn disposition(message: &dyn Message, read: bool) -> Vec<u8> {
    let p = message.properties();
    let mut out = String::new();
    let reader = address::author(message).and_then(|m| m.address);
    if let Some(address) = reader {
        field(&mut out, "Final-Recipient", &format!("rfc822; {address}"));
    }
    if let Some(id) = p.text(tags::ORIGINAL_MESSAGE_ID).or_else(|| p.text(tags::IN_REPLY_TO)) {
        field(&mut out, "Original-Message-ID", id);
    }
    let what = if read { "displayed" } else { "deleted" };
    field(&mut out, "Disposition", &format!("manual-action/MDN-sent-automatically; {what}"));
    out.into_bytes()
}

/// What is known of the message that the report is about.
fn original(message: &dyn Message) -> Option<Vec<u8>> {
    let p = message.properties();
    let mut header = words::Header::default();
    if let Some(subject) = p.text(tags::ORIGINAL_SUBJECT) {
        header.field("Subject", subject);
    }
    if let Some(sent) = p.time(tags::ORIGINAL_SUBMIT_TIME).and_then(Moment::from_filetime) {
        header.field("Date", &sent.to_string());
    }
    if let Some(id) = p.text(tags::ORIGINAL_MESSAGE_ID) {
        header.field("Message-ID", id.trim());
    }
    (!header.bytes.is_empty()).then_some(header.bytes)
}
