//! What async-imap hands over, as the witness understands it.

use crate::wire::date;
use async_imap::imap_proto::{AttributeValue, MessageSection, NameAttribute, Response, SectionPath};
use gatepost_transfer::{Flags, InternalDate, ReadMessage};

/// async-imap hands quoted names over as they were quoted. It does not tell a quoted name from a literal; what
/// cannot be the inside of a quoted string is left alone.
pub(super) fn unescaped(name: String) -> String {
    let mut out = String::with_capacity(name.len());
    let mut chars = name.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return name,
            '\\' => match chars.next() {
                Some(c @ ('"' | '\\')) => out.push(c),
                _ => return name,
            },
            c => out.push(c),
        }
    }
    out
}

pub(super) fn uid(items: &[AttributeValue<'_>]) -> Option<u32> {
    items.iter().find_map(|item| match item {
        AttributeValue::Uid(uid) => Some(*uid),
        _ => None,
    })
}

pub(super) fn header<'a>(items: &'a [AttributeValue<'_>]) -> Option<&'a [u8]> {
    items.iter().find_map(|item| match item {
        AttributeValue::BodySection {
            section: Some(SectionPath::Full(MessageSection::Header)),
            data: Some(header),
            ..
        } => Some(&**header),
        _ => None,
    })
}

/// A message of a listing; a FETCH response without a size is a change of flags that nobody asked for.
pub(super) fn message(response: &Response<'_>) -> Option<ReadMessage> {
    let Response::Fetch(_, items) = response else { return None };
    let mut message = ReadMessage {
        uid: uid(items)?,
        size: 0,
        internal_date: InternalDate { seconds: 0, zone_minutes: 0 },
        flags: Flags::default(),
        message_id: None,
    };
    let mut listed = false;
    for item in items {
        match item {
            AttributeValue::Flags(flags) => message.flags = flags.iter().collect(),
            AttributeValue::InternalDate(text) => {
                message.internal_date = date::parse(text.as_bytes()).unwrap_or(message.internal_date);
            }
            AttributeValue::Rfc822Size(size) => {
                message.size = u64::from(*size);
                listed = true;
            }
            _ => {}
        }
    }
    message.message_id = header(items).and_then(message_id);
    listed.then_some(message)
}

/// The Message-Id in a header block, unfolded and trimmed.
pub(super) fn message_id(header: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(header);
    let mut lines = text.lines();
    let first = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim_end().eq_ignore_ascii_case("Message-ID").then_some(value)
    })?;
    let mut value = first.to_owned();
    for line in lines.take_while(|line| line.starts_with([' ', '\t'])) {
        value.push_str(line);
    }
    let value = value.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

pub(super) fn attribute(attribute: &NameAttribute<'_>) -> String {
    match attribute {
        NameAttribute::NoSelect => "\\noselect".into(),
        NameAttribute::All => "\\all".into(),
        NameAttribute::Archive => "\\archive".into(),
        NameAttribute::Drafts => "\\drafts".into(),
        NameAttribute::Flagged => "\\flagged".into(),
        NameAttribute::Junk => "\\junk".into(),
        NameAttribute::Sent => "\\sent".into(),
        NameAttribute::Trash => "\\trash".into(),
        NameAttribute::Extension(name) => name.to_ascii_lowercase(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_names_are_unescaped_and_others_left_alone() {
        for (name, expected) in
            [(r"a", "a"), (r#"a\"b"#, "a\"b"), (r"a\\b", r"a\b"), (r"a\b", r"a\b"), (r#"a"b"#, r#"a"b"#)]
        {
            assert_eq!(unescaped(name.into()), expected);
        }
    }

    #[test]
    fn a_message_id_is_unfolded_and_trimmed() {
        let cases: &[(&str, Option<&str>)] = &[
            ("Message-ID: <a@b>\r\n\r\n", Some("<a@b>")),
            ("message-id:\r\n <a@b>\r\n\r\n", Some("<a@b>")),
            ("Message-Id :  <a\r\n\t@b> \r\n", Some("<a\t@b>")),
            ("Message-ID:  \r\n\r\n", None),
            ("\r\n", None),
            ("Subject: Message-ID: x\r\n", None),
        ];
        for (header, expected) in cases {
            assert_eq!(message_id(header.as_bytes()).as_deref(), *expected, "{header}");
        }
    }
}
