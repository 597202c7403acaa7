//! Opening a folder and listing what is in it: EXAMINE and SELECT, FETCH of everything but bodies, quota, limits.

use crate::{
    session::Session,
    wire::{Command, Response, Status, Value, date, value},
};
use gatepost_transfer::{Fault, FaultKind, Flags, FolderState, InternalDate, Limits, MessageMeta, Quota, RemoteFolder};
use std::collections::BTreeMap;

/// How a folder is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// EXAMINE: nothing can be changed.
    ReadOnly,
    /// SELECT.
    ReadWrite,
}

impl Session {
    /// Opens a folder.
    pub(crate) async fn open_folder(&mut self, folder: &RemoteFolder, mode: Mode) -> Result<FolderState, Fault> {
        self.open = None;
        let name = self.wire_name(&folder.native);
        let mut command = Command::new(match mode {
            Mode::ReadOnly => "EXAMINE",
            Mode::ReadWrite => "SELECT",
        })
        .folder(&name);
        let condstore = self.offers("CONDSTORE") || self.offers("QRESYNC");
        if condstore {
            command = command.raw(" (CONDSTORE)");
        }
        let mut state = FolderState::default();
        let mut read_only = false;
        let done = self.run_ok(&command, |response| take_state(&mut state, response)).await?;
        if let Some(code) = &done.code {
            read_only = code.name == "READ-ONLY";
        }
        if mode == Mode::ReadWrite && read_only {
            return Err(Fault::new(
                FaultKind::Refused,
                format!(
                    "{} opens the folder \"{}\" read-only. Check the account's rights to it.",
                    self.server(),
                    folder.path
                ),
            ));
        }
        self.open = Some((folder.clone(), condstore && state.highest_modseq.is_some()));
        Ok(state)
    }

    /// The open folder, for sentences.
    pub(crate) fn open_name(&self) -> String {
        self.open
            .as_ref()
            .map_or_else(|| "no folder".to_owned(), |(folder, _)| format!("the folder \"{}\"", folder.path))
    }

    /// Lists the open folder's messages from this UID on.
    pub(crate) async fn list_messages(&mut self, from_uid: u32) -> Result<Vec<MessageMeta>, Fault> {
        let from_uid = from_uid.max(1);
        let command = Command::new(format!("UID FETCH {from_uid}:* (UID FLAGS INTERNALDATE RFC822.SIZE)"));
        let mut found: BTreeMap<u32, Found> = BTreeMap::new();
        self.run_ok(&command, |response| {
            let Some(items) = fetch_items(response) else { return };
            let Some(uid) = uid_of(items) else { return };
            // `n:*` means the last message when all UIDs are below n (RFC 3501 section 6.4.8).
            if uid >= from_uid {
                found.entry(uid).or_default().take(items);
            }
        })
        .await?;
        let undated = found.values().filter(|f| f.listed && f.date.is_none()).count();
        if undated > 0 {
            tracing::warn!(server = %self.server(), undated, "messages without INTERNALDATE in {}", self.open_name());
        }
        Ok(found.into_iter().filter(|(_, f)| f.listed).map(|(uid, f)| f.meta(uid)).collect())
    }

    /// The flags of messages that changed since a modification sequence; `None` without CONDSTORE.
    pub(crate) async fn changed(&mut self, up_to: u32, since: u64) -> Result<Option<Vec<(u32, Flags)>>, Fault> {
        if !self.open.as_ref().is_some_and(|(_, condstore)| *condstore) {
            return Ok(None);
        }
        if up_to == 0 {
            return Ok(Some(Vec::new()));
        }
        let command = Command::new(format!("UID FETCH 1:{up_to} (UID FLAGS) (CHANGEDSINCE {since})"));
        let mut changed = BTreeMap::new();
        self.run_ok(&command, |response| {
            if let Some(items) = fetch_items(response)
                && let Some(uid) = uid_of(items).filter(|uid| *uid <= up_to)
                && let Some(flags) = item(items, "FLAGS").and_then(flags_of)
            {
                changed.insert(uid, flags);
            }
        })
        .await?;
        Ok(Some(changed.into_iter().collect()))
    }

    /// What the server can do and takes.
    pub(crate) async fn read_limits(&mut self) -> Result<Limits, Fault> {
        let mut append_limit = self.capabilities.iter().find_map(|c| c.strip_prefix("APPENDLIMIT=")?.parse().ok());
        if append_limit.is_none() && self.offers("APPENDLIMIT") {
            // RFC 7889: each folder has a limit of its own; the INBOX's stands for all.
            let command = Command::new("STATUS INBOX (APPENDLIMIT)");
            self.run(&command, |response| {
                if let Response::Data { name, values, .. } = response
                    && name == "STATUS"
                    && let Some(items) = values.get(1).and_then(Value::list)
                {
                    append_limit = item(items, "APPENDLIMIT").and_then(Value::number);
                }
            })
            .await?;
        }
        let mut quota: Option<Quota> = None;
        if self.offers("QUOTA") {
            let command = Command::new("GETQUOTAROOT INBOX");
            let done = self
                .run(&command, |response| {
                    if let Response::Data { name, values, .. } = response
                        && name == "QUOTA"
                        && let Some(found) = values.get(1).and_then(Value::list).and_then(storage)
                        && quota.is_none_or(|q| found.limit.saturating_sub(found.used) < q.limit.saturating_sub(q.used))
                    {
                        quota = Some(found);
                    }
                })
                .await?;
            if !done.is_ok() {
                tracing::debug!(server = %self.server(), "GETQUOTAROOT was refused: {}", done.words());
            }
        }
        let separator = self.separator_for_new().await?;
        Ok(Limits {
            separator,
            server: self.server_name.clone(),
            capabilities: self.capabilities.iter().cloned().collect(),
            append_limit,
            quota,
        })
    }
}

/// A quota's STORAGE, which counts in units of 1,024 bytes (RFC 9208 section 5.1).
fn storage(resources: &[Value]) -> Option<Quota> {
    resources.chunks_exact(3).find_map(|resource| {
        let named = resource[0].text().is_some_and(|name| name.eq_ignore_ascii_case("STORAGE"));
        let used = resource[1].number()?.saturating_mul(1024);
        named.then_some(Quota { used, limit: resource[2].number()?.saturating_mul(1024) })
    })
}

fn take_state(state: &mut FolderState, response: &Response) {
    match response {
        Response::Data { number: Some(number), name, .. } if name == "EXISTS" => state.messages = *number,
        Response::Status { tag: None, status: Status::Ok, code: Some(code), .. } => {
            let number = code.number();
            let small = number.and_then(|n| u32::try_from(n).ok());
            match code.name.as_str() {
                "UIDVALIDITY" => state.uid_validity = small.unwrap_or(0),
                "UIDNEXT" => state.uid_next = small,
                "HIGHESTMODSEQ" => state.highest_modseq = number,
                "NOMODSEQ" => state.highest_modseq = None,
                "PERMANENTFLAGS" => {
                    let values = value::parse(code.args.as_bytes()).unwrap_or_default();
                    if let Some(names) = values.first().and_then(Value::list) {
                        let names: Vec<String> = names.iter().filter_map(Value::text).collect();
                        state.new_keywords = names.iter().any(|n| n == "\\*");
                        state.permanent_flags = Some(names.iter().filter(|n| *n != "\\*").collect());
                    }
                }
                _ => {}
            }
        }
        _ => {}
    }
}

#[derive(Default)]
struct Found {
    /// Whether it came with what a listing asks for; a change of flags alone is none.
    listed: bool,
    size: u64,
    date: Option<InternalDate>,
    flags: Flags,
}

impl Found {
    fn take(&mut self, items: &[Value]) {
        if let Some(flags) = item(items, "FLAGS").and_then(flags_of) {
            self.flags = flags;
        }
        if let Some(size) = item(items, "RFC822.SIZE").and_then(Value::number) {
            self.size = size;
            self.listed = true;
        }
        if let Some(value) = item(items, "INTERNALDATE") {
            self.date = value.bytes().and_then(date::parse);
            self.listed = true;
        }
    }

    /// A message without a date counts as one from the beginning of time: the same in each listing.
    fn meta(self, uid: u32) -> MessageMeta {
        let internal_date = self.date.unwrap_or(InternalDate { seconds: 0, zone_minutes: 0 });
        MessageMeta { uid, size: self.size, internal_date, flags: self.flags }
    }
}

/// The items of a FETCH response.
pub(crate) fn fetch_items(response: &Response) -> Option<&[Value]> {
    match response {
        Response::Data { number: Some(_), name, values } if name == "FETCH" => values.first()?.list(),
        _ => None,
    }
}

/// An item's value, by its name.
pub(crate) fn item<'a>(items: &'a [Value], name: &str) -> Option<&'a Value> {
    items.chunks_exact(2).find_map(|pair| match &pair[0] {
        Value::Atom(key) if key.eq_ignore_ascii_case(name) => Some(&pair[1]),
        _ => None,
    })
}

/// The UID among the items.
pub(crate) fn uid_of(items: &[Value]) -> Option<u32> {
    item(items, "UID")?.number().and_then(|n| u32::try_from(n).ok()).filter(|uid| *uid > 0)
}

fn flags_of(value: &Value) -> Option<Flags> {
    Some(value.list()?.iter().filter_map(Value::text).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_counts_in_kibibytes() {
        let read = |text: &str| storage(value::parse(text.as_bytes()).unwrap()[0].list().unwrap());
        assert_eq!(read("(MESSAGE 1 2 STORAGE 10 512)"), Some(Quota { used: 10_240, limit: 524_288 }));
        assert_eq!(read("(MESSAGE 1 2)"), None);
        assert_eq!(read("()"), None);
    }
}
