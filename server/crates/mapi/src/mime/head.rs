//! The header of a message: the fields it came with where it has them, and from its properties what they do not say.

use super::{
    address::{self, BCC, CC, Mailbox, TO},
    reuse::{self, Field},
    words::{self, Header},
};
use crate::{Key, LargeKind, Message, Value, class, clock::Moment, codepage, facts, sets, tags};
use base64::{Engine, engine::general_purpose::STANDARD};

/// Headers above this are no headers.
const LONGEST: u64 = 1 << 20;

/// Writes every field but those that describe the content.
pub(crate) fn write<M: Message + ?Sized>(message: &M, header: &mut Header) {
    let p = message.properties();
    let transport = match codepage::held_text(message, &Key::Tag(tags::TRANSPORT_HEADERS), LONGEST) {
        Ok(codepage::Held::Is(text)) => Some(text),
        _ => None,
    };
    let fields = transport.as_deref().map(reuse::fields).unwrap_or_default();
    let meeting = class::is_meeting(p.text(tags::MESSAGE_CLASS).unwrap_or_default());
    let has = |name: &str| fields.iter().any(|field| field.is(name));
    let subject = p.text(tags::SUBJECT).map(|s| strip_prefix_mark(s).trim());
    for field in &fields {
        // Outlook lets people edit a subject: what it shows is the property.
        let edited = field.is("Subject") && subject.is_some_and(|s| !same_text(s, field));
        match subject {
            Some(subject) if edited => header.field("Subject", subject),
            _ => reuse::write(field, header),
        }
    }
    if !has("Date")
        && let Some(sent) = sent(message)
    {
        header.field("Date", &sent.to_string());
    }
    let author = address::author(message);
    if !has("From")
        && let Some(author) = &author
    {
        address::write(header, "From", std::slice::from_ref(author));
        let sender = address::sender(message).filter(|s| s.address.is_some() && !same_address(s, author));
        if let Some(sender) = sender.filter(|_| !has("Sender")) {
            address::write(header, "Sender", &[sender]);
        }
    }
    if !has("Reply-To") && fields.is_empty() {
        let reply: Vec<Mailbox> = address::reply_to(p);
        if !(reply.len() == 1 && author.as_ref().is_some_and(|a| same_address(a, &reply[0]))) {
            address::write(header, "Reply-To", &reply);
        }
    }
    for (name, which) in [("To", TO), ("Cc", CC), ("Bcc", BCC)] {
        if !has(name) {
            address::write(header, name, &address::recipients(message, which, meeting));
        }
    }
    if !has("Subject")
        && let Some(subject) = subject
    {
        header.field("Subject", subject);
    }
    for (name, tag) in
        [("Message-ID", tags::MESSAGE_ID), ("In-Reply-To", tags::IN_REPLY_TO), ("References", tags::REFERENCES)]
    {
        if let Some(ids) = p.text(tag).filter(|_| !has(name)).map(ids).filter(|ids| !ids.is_empty()) {
            header.name(name);
            for id in ids {
                header.word(&id);
            }
            header.end();
        }
    }
    written_from_properties(message, &fields, author.as_ref(), header);
}

fn written_from_properties<M: Message + ?Sized>(
    message: &M,
    fields: &[Field<'_>],
    author: Option<&Mailbox>,
    header: &mut Header,
) {
    let p = message.properties();
    let has = |name: &str| fields.iter().any(|field| field.is(name));
    match p.integer(tags::IMPORTANCE) {
        Some(0) if !has("Importance") => {
            header.field("Importance", "low");
            header.field("X-Priority", "5");
        }
        Some(2) if !has("Importance") => {
            header.field("Importance", "high");
            header.field("X-Priority", "1");
        }
        _ => {}
    }
    let sensitivity = match p.integer(tags::SENSITIVITY) {
        Some(1) => Some("Personal"),
        Some(2) => Some("Private"),
        Some(3) => Some("Company-Confidential"),
        _ => None,
    };
    if let Some(sensitivity) = sensitivity.filter(|_| !has("Sensitivity")) {
        header.field("Sensitivity", sensitivity);
    }
    let wanted = |tag: u16, name: &str| p.integer(tag) == Some(1) && !has(name);
    if let Some(author) = author.filter(|a| a.address.as_deref().is_some_and(|a| !a.starts_with("IMCEA"))) {
        if wanted(tags::READ_RECEIPT, "Disposition-Notification-To") {
            address::write(header, "Disposition-Notification-To", std::slice::from_ref(author));
        }
        if wanted(tags::DELIVERY_RECEIPT, "Return-Receipt-To") {
            address::write(header, "Return-Receipt-To", std::slice::from_ref(author));
        }
    }
    if let Some(reply_by) = p.time(tags::REPLY_TIME).and_then(Moment::from_filetime).filter(|_| !has("Reply-By")) {
        header.field("Reply-By", &reply_by.to_string());
    }
    if fields.is_empty() {
        if let Some(topic) = p.text(tags::CONVERSATION_TOPIC) {
            header.field("Thread-Topic", topic);
        }
        if let Some(index) = p.bytes(tags::CONVERSATION_INDEX).filter(|i| i.len() >= 22 && i.len() < 4_000) {
            header.name("Thread-Index");
            // 54 bytes of it make a line of 72 characters; white space in it means nothing.
            for line in index.chunks(48) {
                header.word(&STANDARD.encode(line));
            }
            header.end();
        }
        internet_headers(message, header);
    }
    let categories = facts::categories(p);
    if !categories.is_empty() && !has("Keywords") {
        header.field("Keywords", &categories.join(", "));
    }
    let request = match p.get(&Key::Lid(sets::COMMON, 0x8530)) {
        Some(Value::Text(request)) if !request.is_empty() => Some(request),
        _ => None,
    };
    if let Some(request) = request.filter(|_| !has("X-Message-Flag")) {
        header.field("X-Message-Flag", request);
    }
}

/// Fields that Outlook or a server keeps as named properties (MS-OXCMAIL section 2.2.3.7).
fn internet_headers<M: Message + ?Sized>(message: &M, header: &mut Header) {
    for (key, value) in message.properties().iter() {
        let (Key::Name(set, name), Value::Text(text)) = (key, value) else { continue };
        let start = name.get(..2).is_some_and(|s| s.eq_ignore_ascii_case("x-"))
            || name.get(..5).is_some_and(|s| s.eq_ignore_ascii_case("list-"));
        let fits = name.len() < 70 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if *set == sets::INTERNET_HEADERS && start && fits && !text.is_empty() && text.len() < 10_000 {
            header.field(name, text);
        }
    }
}

/// When the message was sent, or where it was not, when it came into being.
pub(crate) fn sent<M: Message + ?Sized>(message: &M) -> Option<Moment> {
    [tags::CLIENT_SUBMIT_TIME, tags::DELIVERY_TIME, tags::CREATION_TIME, tags::LAST_MODIFICATION_TIME]
        .into_iter()
        .find_map(|tag| message.properties().time(tag).and_then(Moment::from_filetime))
}

/// Outlook's subject may begin with U+0001 and a character that tells how long its prefix is (MS-PST section 2.5.3.1.1.1).
pub(crate) fn strip_prefix_mark(subject: &str) -> &str {
    match subject.strip_prefix('\u{1}') {
        Some(rest) => rest.char_indices().nth(1).map_or("", |(at, _)| &rest[at..]),
        None => subject,
    }
}

fn same_text(subject: &str, field: &Field<'_>) -> bool {
    let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect::<String>();
    let plain = field.value.trim() == subject;
    // What the header itself holds undecoded cannot be compared: it stays.
    plain || !field.value.is_ascii() || {
        let (shown, came) = (letters(subject), letters(&words::decoded(field.value)));
        shown == came || came.contains("=?") || shown.contains('\u{FFFD}')
    }
}

fn same_address(one: &Mailbox, other: &Mailbox) -> bool {
    match (&one.address, &other.address) {
        (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
        _ => one.name == other.name,
    }
}

/// Message ids of a text, each within angles.
fn ids(text: &str) -> Vec<String> {
    let mut ids: Vec<String> = text
        .split(|c: char| c.is_whitespace() || c.is_control() || c == ',')
        .map(|id| id.trim_matches(['<', '>']))
        .filter(|id| !id.is_empty() && id.len() < 900 && id.bytes().all(|b| (0x21..0x7F).contains(&b)))
        .map(|id| format!("<{id}>"))
        .collect();
    ids.truncate(1_000);
    ids
}

/// Whether a value is there, whatever its size.
pub(crate) fn is_there(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Text(text)) => !text.trim_matches('\0').is_empty(),
        Some(Value::Bytes(bytes)) => !bytes.is_empty(),
        Some(Value::Large { bytes, kind }) => *bytes > if *kind == LargeKind::Unicode { 1 } else { 0 },
        _ => false,
    }
}
