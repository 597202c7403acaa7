//! Reads everything of an account for judging copies: folders, digests, flags, dates. Opens with EXAMINE and reads with
//! BODY.PEEK, so reading changes nothing. It does not know what the other side holds; `compare` does.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::client::{Account, RawClient};
use crate::date::InternalDate;
use crate::error::{Error, Result};
use crate::mail::Profile;
use crate::wire::{Value, quote};

/// One message as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Folder, levels joined by `/`, without the server's prefix.
    pub folder: String,
    /// UID on that server; 0 for a message that is only generated.
    pub uid: u32,
    /// Size in bytes.
    pub size: usize,
    /// BLAKE3 of all bytes.
    pub digest: blake3::Hash,
    /// Flags and keywords, sorted, without `\Recent`; system flags in the spelling of RFC 9051.
    pub flags: Vec<String>,
    /// INTERNALDATE as the server wrote it.
    pub date_text: String,
    /// The same, understood.
    pub date: InternalDate,
}

/// Everything that an account holds.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// All folders: path and attributes, also those that cannot be selected.
    pub folders: BTreeMap<String, Vec<String>>,
    /// All messages, folder by folder in the server's order.
    pub messages: Vec<Message>,
}

impl Snapshot {
    /// Reads an account.
    pub fn read(account: &Account) -> Result<Snapshot> {
        Snapshot::read_without(account, None)
    }

    /// Reads an account as if no message had the header field of this name: for copies by tools that add one.
    pub fn read_without(account: &Account, field: Option<&str>) -> Result<Snapshot> {
        let mut client = RawClient::log_in(account)?;
        let mut snapshot = Snapshot::default();
        for folder in client.list()? {
            if folder.selectable() {
                read_folder(&mut client, &folder.encoded, &folder.path, field, &mut snapshot.messages)?;
            }
            snapshot.folders.insert(folder.path, folder.attributes);
        }
        client.log_out()?;
        Ok(snapshot)
    }

    /// What reading would give if a server held exactly the generated mail.
    #[must_use]
    pub fn of_generated(profile: &Profile) -> Snapshot {
        let mut snapshot = Snapshot::default();
        for folder in profile.folders() {
            snapshot.folders.insert(folder, Vec::new());
        }
        for message in profile.generate() {
            snapshot.messages.push(Message {
                folder: message.folder,
                uid: 0,
                size: message.bytes.len(),
                digest: blake3::hash(&message.bytes),
                flags: sorted_flags(message.flags.into_iter()),
                date_text: message.internal_date.to_string(),
                date: message.internal_date,
            });
        }
        snapshot
    }

    /// Whether the folder exists and can be selected.
    #[must_use]
    pub fn selectable(&self, folder: &str) -> bool {
        self.folders.get(folder).is_some_and(|attributes| {
            !attributes
                .iter()
                .any(|name| name.eq_ignore_ascii_case("\\NoSelect") || name.eq_ignore_ascii_case("\\NonExistent"))
        })
    }

    /// The messages of one folder.
    pub fn folder<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = &'a Message> {
        self.messages.iter().filter(move |message| message.folder == folder)
    }

    /// Bytes of all messages.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.messages.iter().map(|message| message.size as u64).sum()
    }
}

fn read_folder(
    client: &mut RawClient,
    encoded: &str,
    path: &str,
    field: Option<&str>,
    messages: &mut Vec<Message>,
) -> Result<()> {
    let mut exists = 0_u32;
    for line in client.command(&format!("EXAMINE {}", quote(encoded)))? {
        if line.get(2).is_some_and(|word| word.bytes().eq_ignore_ascii_case(b"EXISTS")) {
            exists = line[1].number().unwrap_or(0);
        }
    }
    if exists == 0 {
        return Ok(());
    }
    let before = messages.len();
    let command = "UID FETCH 1:* (UID FLAGS INTERNALDATE BODY.PEEK[])";
    client.command_each(&format!("UID FETCH in {path}"), command, |line| {
        if line.get(2).is_some_and(|word| word.bytes().eq_ignore_ascii_case(b"FETCH")) {
            // An answer without a body is an unsolicited change of flags (RFC 9051 section 7.5.2).
            if let Some(message) = read_message(path, field, line.get(3).map(Value::list).unwrap_or_default())? {
                messages.push(message);
            }
        }
        Ok(())
    })?;
    let read = messages.len() - before;
    if read != exists as usize {
        return Err(Error::Protocol(format!("{path}: the server announced {exists} messages and sent {read}")));
    }
    Ok(())
}

fn read_message(folder: &str, without: Option<&str>, items: &[Value]) -> Result<Option<Message>> {
    let (mut uid, mut flags, mut date_text, mut body) = (None, None, None, None);
    for pair in items.chunks_exact(2) {
        match pair[0].text().to_ascii_uppercase().as_str() {
            "UID" => uid = pair[1].number::<u32>(),
            "FLAGS" => flags = Some(sorted_flags(pair[1].list().iter().map(Value::text))),
            "INTERNALDATE" => date_text = Some(pair[1].text()),
            "BODY[]" => body = Some(pair[1].bytes()),
            _ => {}
        }
    }
    let Some(body) = body else { return Ok(None) };
    let body = &*without.map_or(Cow::Borrowed(body), |field| leave_out(body, field));
    let incomplete = || Error::Protocol(format!("{folder}: a message came without UID, FLAGS or INTERNALDATE"));
    let date_text = date_text.ok_or_else(incomplete)?;
    let date = InternalDate::parse(&date_text)
        .ok_or_else(|| Error::Protocol(format!("{folder}: INTERNALDATE {date_text:?}")))?;
    Ok(Some(Message {
        folder: folder.to_owned(),
        uid: uid.ok_or_else(incomplete)?,
        size: body.len(),
        digest: blake3::hash(body),
        flags: flags.ok_or_else(incomplete)?,
        date_text,
        date,
    }))
}

/// The message without the lines of its header that begin with this field's name.
fn leave_out<'a>(message: &'a [u8], field: &str) -> Cow<'a, [u8]> {
    let mut kept = Vec::new();
    let (mut from, mut at) = (0, 0);
    for line in message.split_inclusive(|&byte| byte == b'\n') {
        if line == b"\r\n" || line == b"\n" {
            break;
        }
        let name = line.split(|&byte| byte == b':').next().unwrap_or_default();
        if name.eq_ignore_ascii_case(field.as_bytes()) {
            kept.extend_from_slice(&message[from..at]);
            from = at + line.len();
        }
        at += line.len();
    }
    if from == 0 && kept.is_empty() {
        return Cow::Borrowed(message);
    }
    kept.extend_from_slice(&message[from..]);
    Cow::Owned(kept)
}

fn sorted_flags(flags: impl Iterator<Item = String>) -> Vec<String> {
    const SYSTEM: [&str; 5] = ["\\Answered", "\\Deleted", "\\Draft", "\\Flagged", "\\Seen"];
    let mut sorted: Vec<String> = flags
        .filter(|flag| !flag.eq_ignore_ascii_case("\\Recent"))
        .map(|flag| {
            let system = SYSTEM.iter().find(|system| system.eq_ignore_ascii_case(&flag));
            system.map_or(flag, |system| (*system).to_owned())
        })
        .collect();
    sorted.sort();
    sorted.dedup();
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_field_is_left_out_and_the_body_is_kept() {
        let cases: [(&[u8], &[u8]); 5] = [
            (b"X-T: 1\r\nA: b\r\n\r\nX-T: 2\r\n", b"A: b\r\n\r\nX-T: 2\r\n"),
            (b"A: b\r\nx-t: 1\r\nC: d\r\nX-T: 2", b"A: b\r\nC: d\r\n"),
            (b"A: b\r\nX-TT: 1\r\n\r\n", b"A: b\r\nX-TT: 1\r\n\r\n"),
            (b"X-T: 1\r\n", b""),
            (b"", b""),
        ];
        for (message, expected) in cases {
            assert_eq!(&*leave_out(message, "X-T"), expected);
        }
    }
}
