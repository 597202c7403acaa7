//! The open mailbox as one connection knows it: SELECT and EXAMINE, and the news of what others did to it since.

use super::command::Command;
use super::session::{Answer, Session, decoded, find, mailbox};
use super::{Mailbox, State, fetch};
use crate::wire::Value;

/// An open mailbox.
#[derive(Debug)]
pub(super) struct Selected {
    pub(super) name: String,
    pub(super) writable: bool,
    uid_validity: u32,
    /// UID and modification sequence of each message that the client was told of, in the order of their numbers.
    pub(super) told: Vec<(u32, u64)>,
}

impl Session {
    pub(super) fn open(&mut self, state: &mut State, command: &Command) -> Answer {
        self.selected = None;
        let name = state.own_name(decoded(&command.text(0)));
        let (condstore, knows) = (state.offers("CONDSTORE") || state.offers("QRESYNC"), self.qresync);
        let mailbox = mailbox(state, &name)?;
        if !mailbox.selectable() {
            return Err("NO the mailbox cannot be selected".to_owned());
        }
        let parameters = command.arguments.get(1).map(Value::list).unwrap_or_default();
        let mut resync = None;
        let mut at = 0;
        while let Some(parameter) = parameters.get(at) {
            match parameter.text().to_ascii_uppercase().as_str() {
                "CONDSTORE" if condstore => self.condstore = true,
                "QRESYNC" if knows => {
                    at += 1;
                    resync = parameters.get(at).map(Value::list);
                }
                other => return Err(format!("BAD the parameter {other} is not known here")),
            }
            at += 1;
        }
        let writable = command.name == "SELECT";
        let mut keywords: Vec<&str> = vec!["\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft"];
        for flag in mailbox.messages.iter().flat_map(|message| &message.flags) {
            if !keywords.contains(&flag.as_str()) {
                keywords.push(flag);
            }
        }
        let permanent = if writable { mailbox.permanent_flags.join(" ") } else { String::new() };
        let mut lines = format!(
            "* FLAGS ({})\r\n* OK [PERMANENTFLAGS ({permanent})] kept\r\n* {} EXISTS\r\n* 0 RECENT\r\n\
             * OK [UIDVALIDITY {}] valid\r\n* OK [UIDNEXT {}] next\r\n",
            keywords.join(" "),
            mailbox.messages.len(),
            mailbox.uid_validity,
            mailbox.uid_next
        );
        if condstore {
            lines += &format!("* OK [HIGHESTMODSEQ {}] kept\r\n", mailbox.highest_modseq());
        }
        if let Some([validity, since, ..]) = resync
            && validity.number() == Some(mailbox.uid_validity)
        {
            let since = since.number().unwrap_or(0);
            lines += &vanished(mailbox, since, |_| true);
            for (number, message) in (1..).zip(&mailbox.messages).filter(|(_, message)| message.modseq > since) {
                lines += &flags_line(number, message, true);
            }
        }
        let told = mailbox.messages.iter().map(|message| (message.uid, message.modseq)).collect();
        self.selected = Some(Selected { name, writable, uid_validity: mailbox.uid_validity, told });
        let code = if writable { "[READ-WRITE] selected" } else { "[READ-ONLY] examined" };
        Ok((lines.into_bytes(), code.to_owned()))
    }

    /// The open mailbox with what the client knows of it.
    pub(super) fn current<'a>(&mut self, state: &'a mut State) -> Result<(&'a mut Mailbox, &mut Selected), String> {
        let selected = self.selected.as_mut().ok_or("BAD no mailbox is selected")?;
        Ok((mailbox(state, &selected.name)?, selected))
    }

    /// Tells what changed in the open mailbox; `None` when its UIDs mean nothing any more. `expunges` only where
    /// message numbers may change.
    pub(super) fn news(&mut self, state: &mut State, expunges: bool) -> Option<Vec<u8>> {
        let Some(selected) = &mut self.selected else { return Some(Vec::new()) };
        // A mailbox that has gone is refused by name, command by command.
        let Some(mailbox) = find(state, &selected.name) else { return Some(Vec::new()) };
        if mailbox.uid_validity != selected.uid_validity {
            return None;
        }
        let mut lines = String::new();
        let gone: Vec<usize> = (0..selected.told.len())
            .rev()
            .filter(|&at| expunges && mailbox.place(selected.told[at].0).is_none())
            .collect();
        if self.qresync && !gone.is_empty() {
            let mut uids: Vec<u32> = gone.iter().map(|&at| selected.told[at].0).collect();
            uids.reverse();
            lines += &format!("* VANISHED {}\r\n", fetch::write_set(&uids));
        }
        for at in gone {
            selected.told.remove(at);
            if !self.qresync {
                lines += &format!("* {} EXPUNGE\r\n", at + 1);
            }
        }
        let last = selected.told.last().map_or(0, |(uid, _)| *uid);
        let new = mailbox.messages.iter().filter(|message| message.uid > last);
        let before = selected.told.len();
        selected.told.extend(new.map(|message| (message.uid, message.modseq)));
        if selected.told.len() > before {
            lines += &format!("* {} EXISTS\r\n", selected.told.len());
        }
        for (at, (uid, modseq)) in selected.told.iter_mut().enumerate() {
            if let Some(message) = mailbox.place(*uid).map(|place| &mailbox.messages[place])
                && message.modseq != *modseq
            {
                *modseq = message.modseq;
                lines += &flags_line(at + 1, message, self.condstore);
            }
        }
        Some(lines.into_bytes())
    }
}

/// A message's flags as untagged FETCH.
pub(super) fn flags_line(number: usize, message: &super::StoredMessage, with_modseq: bool) -> String {
    let modseq = if with_modseq { format!(" MODSEQ ({})", message.modseq) } else { String::new() };
    format!("* {number} FETCH (UID {} FLAGS ({}){modseq})\r\n", message.uid, message.flags.join(" "))
}

/// What has gone since a modification sequence, of the UIDs that are wanted (RFC 7162 section 3.2.10.1).
pub(super) fn vanished(mailbox: &Mailbox, since: u64, wanted: impl Fn(u32) -> bool) -> String {
    let mut uids = mailbox.vanished_since(since);
    uids.retain(|&uid| wanted(uid));
    if uids.is_empty() { String::new() } else { format!("* VANISHED (EARLIER) {}\r\n", fetch::write_set(&uids)) }
}
