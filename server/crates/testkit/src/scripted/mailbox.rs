//! The scripted server's mailboxes. Dates keep their zone, bytes stay as they came.

use std::collections::BTreeMap;

use crate::date::InternalDate;

/// UIDVALIDITY of mailboxes of which none was before them.
pub(super) const FIRST_VALIDITY: u32 = 1_700_000_001;

/// A message in a scripted mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMessage {
    /// UID, ascending.
    pub uid: u32,
    /// The message.
    pub bytes: Vec<u8>,
    /// INTERNALDATE.
    pub date: InternalDate,
    /// Flags and keywords.
    pub flags: Vec<String>,
    /// Modification sequence (RFC 7162); the server keeps it.
    pub modseq: u64,
}

/// A mailbox of the scripted server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// Name with the server's separator, decoded.
    pub name: String,
    /// LIST attributes: `\Sent`, `\NoSelect`, …
    pub attributes: Vec<String>,
    /// UIDVALIDITY; change it to make every UID known so far void.
    pub uid_validity: u32,
    /// The next UID.
    pub uid_next: u32,
    /// Whether LSUB shows it.
    pub subscribed: bool,
    /// PERMANENTFLAGS. `\*` allows new keywords.
    pub permanent_flags: Vec<String>,
    /// The messages by UID.
    pub messages: Vec<StoredMessage>,
    history: History,
}

/// What modification sequences are made from: how the mailbox was when it was last looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct History {
    uid_validity: u32,
    highest: u64,
    known: BTreeMap<u32, Vec<String>>,
    /// UIDs that have gone, with the modification sequence of their going.
    vanished: Vec<(u64, u32)>,
}

impl Mailbox {
    /// An empty mailbox that takes every flag and keyword.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Mailbox {
        let permanent = ["\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft", "\\*"];
        Mailbox {
            name: name.into(),
            attributes: Vec::new(),
            uid_validity: FIRST_VALIDITY,
            uid_next: 1,
            subscribed: false,
            permanent_flags: permanent.map(str::to_owned).to_vec(),
            messages: Vec::new(),
            history: History { highest: 1, ..History::default() },
        }
    }

    /// With a LIST attribute such as `\Sent` or `\NoSelect`.
    #[must_use]
    pub fn attribute(mut self, attribute: impl Into<String>) -> Mailbox {
        self.attributes.push(attribute.into());
        self
    }

    /// With a message.
    #[must_use]
    pub fn message(mut self, bytes: impl Into<Vec<u8>>, date: InternalDate, flags: &[&str]) -> Mailbox {
        self.push(bytes.into(), date, flags.iter().map(|&flag| flag.to_owned()).collect());
        self
    }

    /// Adds a message; answers its UID.
    pub fn push(&mut self, bytes: Vec<u8>, date: InternalDate, flags: Vec<String>) -> u32 {
        let uid = self.uid_next;
        self.uid_next += 1;
        self.messages.push(StoredMessage { uid, bytes, date, flags, modseq: 0 });
        uid
    }

    /// A new UIDVALIDITY, and new UIDs for all messages, as after a mailbox was rebuilt.
    pub fn renumber(&mut self, uid_validity: u32) {
        self.uid_validity = uid_validity;
        self.uid_next = 1;
        for message in &mut self.messages {
            message.uid = self.uid_next;
            self.uid_next += 1;
        }
    }

    /// HIGHESTMODSEQ.
    #[must_use]
    pub fn highest_modseq(&self) -> u64 {
        self.history.highest
    }

    /// Gives new modification sequences to what changed since the last call, however it was changed.
    pub(super) fn settle(&mut self) {
        let history = &mut self.history;
        if history.uid_validity != self.uid_validity {
            *history = History { uid_validity: self.uid_validity, highest: history.highest, ..History::default() };
        }
        let next = history.highest + 1;
        let mut before = std::mem::take(&mut history.known);
        for message in &mut self.messages {
            if before.remove(&message.uid).as_ref() != Some(&message.flags) {
                message.modseq = next;
                history.highest = next;
            }
            history.known.insert(message.uid, message.flags.clone());
        }
        if !before.is_empty() {
            history.highest = next;
            history.vanished.extend(before.into_keys().map(|uid| (next, uid)));
        }
    }

    /// UIDs that have gone since a modification sequence.
    pub(super) fn vanished_since(&self, modseq: u64) -> Vec<u32> {
        let mut uids: Vec<u32> =
            self.history.vanished.iter().filter(|(at, _)| *at > modseq).map(|(_, uid)| *uid).collect();
        uids.sort_unstable();
        uids
    }

    /// The place of a message by its UID.
    pub(super) fn place(&self, uid: u32) -> Option<usize> {
        self.messages.binary_search_by_key(&uid, |message| message.uid).ok()
    }

    pub(super) fn selectable(&self) -> bool {
        !self
            .attributes
            .iter()
            .any(|name| name.eq_ignore_ascii_case("\\NoSelect") || name.eq_ignore_ascii_case("\\NonExistent"))
    }

    /// Which of these flags the mailbox keeps.
    pub(super) fn permitted(&self, flags: Vec<String>) -> Vec<String> {
        let any_keyword = self.permanent_flags.iter().any(|flag| flag == "\\*");
        let mut kept: Vec<String> = Vec::new();
        for flag in flags {
            let named = self.permanent_flags.iter().any(|known| known.eq_ignore_ascii_case(&flag));
            let new_keyword = any_keyword && !flag.starts_with('\\');
            if (named || new_keyword) && !kept.iter().any(|known| known.eq_ignore_ascii_case(&flag)) {
                kept.push(flag);
            }
        }
        kept
    }
}
