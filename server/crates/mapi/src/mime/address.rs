//! Who wrote and who received: from the many ways in which MAPI keeps an address to mailboxes of RFC 5322.

use super::words::Header;
use crate::{Guid, Message, Properties, Value, tags};

/// A one-off entry id's provider (MS-OXCDATA section 2.2.5.1).
const ONE_OFF: Guid =
    Guid([0x81, 0x2B, 0x1F, 0xA4, 0xBE, 0xA3, 0x10, 0x19, 0x9D, 0x6E, 0x00, 0xDD, 0x01, 0x0F, 0x54, 0x02]);
/// An address book entry id's provider (MS-OXCDATA section 2.2.5.2).
const ADDRESS_BOOK: Guid =
    Guid([0xDC, 0xA7, 0x40, 0xC8, 0xC0, 0x42, 0x10, 0x1A, 0xB4, 0xB9, 0x08, 0x00, 0x2B, 0x2F, 0xE1, 0x82]);

/// A person or a list; without an address it is written as an empty group (RFC 5322 section 3.4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mailbox {
    pub name: String,
    pub address: Option<String>,
}

/// What a recipient is: PidTagRecipientType without its flags.
pub(crate) const TO: i64 = 1;
pub(crate) const CC: i64 = 2;
pub(crate) const BCC: i64 = 3;

/// The recipient type of a row of the recipient table.
pub(crate) fn kind(recipient: &Properties) -> i64 {
    recipient.integer(tags::RECIPIENT_TYPE).unwrap_or(TO) & 0xF
}

/// A row of the recipient table.
pub(crate) fn recipient(row: &Properties) -> Mailbox {
    let smtp = row.text(tags::SMTP_ADDRESS);
    let entry = row.bytes(tags::ENTRY_ID).or_else(|| row.bytes(tags::RECIPIENT_ENTRY));
    let name = row.text(tags::DISPLAY_NAME).or_else(|| row.text(tags::RECIPIENT_DISPLAY_NAME));
    mailbox(name, row.text(tags::ADDRESS_TYPE), row.text(tags::EMAIL_ADDRESS), &[smtp], entry)
}

/// Whom the message is from (PidTagSentRepresenting…), or where that says nothing, who sent it.
pub(crate) fn author<M: Message + ?Sized>(message: &M) -> Option<Mailbox> {
    let p = message.properties();
    let found = mailbox(
        p.text(tags::REPRESENTING_NAME),
        p.text(tags::REPRESENTING_TYPE),
        p.text(tags::REPRESENTING_ADDRESS),
        &[p.text(tags::REPRESENTING_SMTP)],
        p.bytes(tags::REPRESENTING_ENTRY),
    );
    let Some(mut author) = known(found, p.text(tags::REPRESENTING_ADDRESS), message) else { return sender(message) };
    if author.address.as_deref().is_none_or(is_capsule)
        && let Some(sender) = sender(message)
    {
        // Where nobody sent for somebody else, the address of one is that of the other.
        let same_raw = match (p.text(tags::REPRESENTING_ADDRESS), p.text(tags::SENDER_ADDRESS)) {
            (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
            _ => false,
        };
        if (same_raw || sender.name == author.name) && !sender.address.as_deref().is_none_or(is_capsule) {
            author.address = sender.address;
        }
    }
    Some(author)
}

/// Who sent the message.
pub(crate) fn sender<M: Message + ?Sized>(message: &M) -> Option<Mailbox> {
    let p = message.properties();
    let found = mailbox(
        p.text(tags::SENDER_NAME),
        p.text(tags::SENDER_TYPE),
        p.text(tags::SENDER_ADDRESS),
        &[p.text(tags::SENDER_SMTP), p.text(tags::CREATOR_SMTP)],
        p.bytes(tags::SENDER_ENTRY),
    );
    known(found, p.text(tags::SENDER_ADDRESS), message)
}

/// An Exchange address is looked up among the recipients, who often include the sender. `None` where nothing is known.
fn known<M: Message + ?Sized>(mut found: Mailbox, raw: Option<&str>, message: &M) -> Option<Mailbox> {
    let exchange = raw.filter(|raw| raw.starts_with('/') && found.address.as_deref().is_none_or(is_capsule));
    if let Some(raw) = exchange {
        let same = message
            .recipients()
            .iter()
            .find(|row| row.text(tags::EMAIL_ADDRESS).is_some_and(|other| other.eq_ignore_ascii_case(raw)));
        if let Some(address) = same.and_then(|row| row.text(tags::SMTP_ADDRESS)).and_then(smtp) {
            found.address = Some(address);
        }
    }
    (!found.name.is_empty() || found.address.is_some()).then_some(found)
}

fn is_capsule(address: &str) -> bool {
    address.starts_with("IMCEA")
}

/// Whom answers go to (PidTagReplyRecipientEntries, a list of entry ids: MS-OXCDATA section 2.3.3).
pub(crate) fn reply_to(properties: &Properties) -> Vec<Mailbox> {
    let mut found = Vec::new();
    if let Some(list) = properties.bytes(tags::REPLY_ENTRIES) {
        let mut rest = list.get(8..).unwrap_or_default();
        while let Some((length, more)) = rest.split_first_chunk::<4>() {
            let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
            let Some(entry) = more.get(..length) else { break };
            if let Some(mailbox) = of_entry(entry) {
                found.push(mailbox);
            }
            // Entries are padded to four bytes.
            rest = more.get(length.next_multiple_of(4)..).unwrap_or_default();
            if length == 0 || found.len() == 100 {
                break;
            }
        }
    }
    found
}

fn mailbox(
    name: Option<&str>,
    kind: Option<&str>,
    raw: Option<&str>,
    smtps: &[Option<&str>],
    entry: Option<&[u8]>,
) -> Mailbox {
    let name = name.map(display).unwrap_or_default();
    let plain = kind.is_none_or(|kind| kind.eq_ignore_ascii_case("SMTP"));
    let address = smtps
        .iter()
        .flatten()
        .find_map(|a| smtp(a))
        .or_else(|| raw.and_then(smtp))
        .or_else(|| entry.and_then(of_entry).and_then(|m| m.address))
        .or_else(|| smtp(&name))
        .or_else(|| raw.filter(|raw| !plain || raw.starts_with('/')).map(|raw| capsule(kind.unwrap_or("EX"), raw)));
    Mailbox { name, address }
}

/// A display name as people read it: Outlook quotes addresses that it took for names.
fn display(name: &str) -> String {
    let name = name.trim().trim_matches('\0');
    let inner = name.strip_prefix('\'').and_then(|n| n.strip_suffix('\'')).unwrap_or(name);
    inner.trim().to_owned()
}

/// An address that can stand in mail, or `None`.
pub(crate) fn smtp(text: &str) -> Option<String> {
    let text = text.trim().trim_matches(['<', '>', '\'', '\0']).trim();
    let text = text.strip_prefix("mailto:").or_else(|| text.strip_prefix("SMTP:")).unwrap_or(text);
    let (local, domain) = text.rsplit_once('@')?;
    let domain_fits = !domain.is_empty()
        && domain.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._[]:".contains(&b))
        && domain.len() <= 255;
    if local.is_empty() || local.len() > 400 || !domain_fits || !local.bytes().all(|b| (0x20..0x7F).contains(&b)) {
        return None;
    }
    let atom = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&b);
    if local.bytes().all(atom) || (local.starts_with('"') && local.ends_with('"') && local.len() > 2) {
        Some(text.to_owned())
    } else if local.bytes().any(|b| b"<>(),;:\\\"@ ".contains(&b)) && !local.contains(' ') {
        Some(format!("\"{}\"@{domain}", local.replace('\\', "\\\\").replace('"', "\\\"")))
    } else {
        None
    }
}

/// An address that is none of the Internet's, as Exchange itself hands it out (MS-OXCMAIL section 2.1.3.1.3, IMCEA).
/// Nobody can be reached there: the domain is the reserved one.
fn capsule(kind: &str, raw: &str) -> String {
    let mut out = String::from("IMCEA");
    out.extend(kind.chars().filter(char::is_ascii_alphanumeric));
    out.push('-');
    for byte in raw.bytes().take(250) {
        match byte {
            b'/' => out.push('_'),
            b'-' | b'=' => out.push(char::from(byte)),
            b if b.is_ascii_alphanumeric() => out.push(char::from(b)),
            b => out.push_str(&format!("+{b:02X}")),
        }
    }
    out.push_str("@invalid");
    out
}

/// The mailbox inside a one-off entry id, or inside one of the address book.
pub(crate) fn of_entry(entry: &[u8]) -> Option<Mailbox> {
    let provider = entry.get(4..20)?;
    if provider == ADDRESS_BOOK.0 {
        let raw = entry.get(28..)?;
        let text: String = raw.iter().take_while(|b| **b != 0).map(|b| char::from(*b)).collect();
        return Some(Mailbox { name: String::new(), address: smtp(&text).or_else(|| Some(capsule("EX", &text))) })
            .filter(|_| !text.is_empty());
    }
    if provider != ONE_OFF.0 {
        return None;
    }
    let flags = u16::from_le_bytes([*entry.get(22)?, *entry.get(23)?]);
    let mut texts: Vec<String> = Vec::with_capacity(3);
    let rest = entry.get(24..)?;
    if flags & 0x8000 != 0 {
        let units: Vec<u16> = rest.chunks_exact(2).map(|c| u16::from_le_bytes([c[0], c[1]])).collect();
        texts.extend(units.split(|u| *u == 0).take(3).map(String::from_utf16_lossy));
    } else {
        let texts_of = rest.split(|b| *b == 0).take(3);
        texts.extend(texts_of.map(|t| crate::codepage::decode(t, crate::codepage::WESTERN).into_owned()));
    }
    let [name, kind, raw] = texts.try_into().ok()?;
    let found = mailbox(Some(&name), Some(&kind), Some(&raw), &[], None);
    (!found.name.is_empty() || found.address.is_some()).then_some(found)
}

/// Writes a field of addresses; nothing where there are none.
pub(crate) fn write(header: &mut Header, name: &str, mailboxes: &[Mailbox]) {
    let mut written = 0;
    for mailbox in mailboxes {
        let label = mailbox.name.trim();
        if label.is_empty() && mailbox.address.is_none() {
            continue;
        }
        if written == 0 {
            header.name(name);
        } else {
            header.raw(",");
        }
        written += 1;
        match &mailbox.address {
            Some(address) if label.is_empty() || label.eq_ignore_ascii_case(address) => header.word(address),
            Some(address) => {
                header.phrase(label);
                header.word(&format!("<{address}>"));
            }
            None => {
                header.phrase(label);
                header.raw(":;");
            }
        }
    }
    if written > 0 {
        header.end();
    }
}

/// The recipients of one kind.
pub(crate) fn recipients<M: Message + ?Sized>(message: &M, which: i64, meeting: bool) -> Vec<Mailbox> {
    let rows = message.recipients().iter();
    // A meeting's third kind is a resource: a room, which everybody saw.
    let kind_of = |row: &Properties| match kind(row) {
        BCC if meeting => TO,
        kind => kind,
    };
    let mut found: Vec<Mailbox> = rows.filter(|row| kind_of(row) == which).map(recipient).collect();
    let shown = match which {
        TO => tags::DISPLAY_TO,
        CC => tags::DISPLAY_CC,
        _ => return found,
    };
    if message.recipients().is_empty()
        && let Some(text) = message.properties().text(shown)
    {
        let one = |name: &str| Mailbox { address: smtp(name.trim_matches(['\'', ' '])), name: display(name) };
        found.extend(text.split(';').filter(|name| !name.trim().is_empty()).take(5_000).map(one));
    }
    found
}

/// The texts of a multi-valued property.
pub(crate) fn texts(value: Option<&Value>) -> Vec<&str> {
    match value {
        Some(Value::Many(values)) => {
            values.iter().filter_map(|v| if let Value::Text(t) = v { Some(t.as_str()) } else { None }).collect()
        }
        Some(Value::Text(text)) => vec![text],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Key;

    fn row(pairs: &[(u16, &str)]) -> Properties {
        let mut row = Properties::default();
        for (tag, text) in pairs {
            row.insert(Key::Tag(*tag), Value::Text((*text).to_owned()));
        }
        row
    }

    #[test]
    fn an_address_is_found_wherever_it_stands() {
        for (pairs, address) in [
            (&[(0x3003, "ana@a.test"), (0x3002, "SMTP")][..], Some("ana@a.test")),
            (&[(0x3003, "/O=A/OU=B/CN=ANA"), (0x3002, "EX"), (0x39FE, "ana@a.test")], Some("ana@a.test")),
            (&[(0x3003, "/O=A/CN=ANA"), (0x3002, "EX")], Some("IMCEAEX-_O=A_CN=ANA@invalid")),
            (&[(0x3001, "'ana@a.test'")], Some("ana@a.test")),
            (&[(0x3001, "Ana")], None),
            (&[(0x3003, "two words@a.test")], None),
            (&[(0x3003, "a,b@a.test")], Some("\"a,b\"@a.test")),
        ] {
            assert_eq!(recipient(&row(pairs)).address.as_deref(), address, "{pairs:?}");
        }
    }

    #[test]
    fn a_one_off_entry_gives_its_mailbox() {
        let mut entry = vec![0; 4];
        entry.extend(ONE_OFF.0);
        entry.extend([0, 0, 0x01, 0x90]);
        for text in ["Ana Lima", "SMTP", "ana@a.test"] {
            entry.extend(text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes));
        }
        let ana = Mailbox { name: "Ana Lima".into(), address: Some("ana@a.test".into()) };
        assert_eq!(of_entry(&entry), Some(ana.clone()));
        let mut list = vec![1, 0, 0, 0, 0, 0, 0, 0];
        list.extend(u32::try_from(entry.len()).unwrap().to_le_bytes());
        list.extend(&entry);
        let mut properties = Properties::default();
        properties.insert(Key::Tag(tags::REPLY_ENTRIES), Value::Bytes(list));
        assert_eq!(reply_to(&properties), [ana]);
    }

    #[test]
    fn names_without_an_address_are_written_as_empty_groups() {
        let mut header = Header::new();
        let list = [
            Mailbox { name: "Lima, Ana".into(), address: Some("ana@a.test".into()) },
            Mailbox { name: "The team".into(), address: None },
            Mailbox { name: "b@b.test".into(), address: Some("b@b.test".into()) },
        ];
        write(&mut header, "To", &list);
        assert_eq!(
            String::from_utf8(header.bytes).unwrap(),
            "To: \"Lima, Ana\" <ana@a.test>, The team:;, b@b.test\r\n"
        );
    }
}
