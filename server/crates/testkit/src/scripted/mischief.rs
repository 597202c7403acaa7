//! Changes that happen to the mailboxes while clients are at work: others deliver, delete, move and flag, folders are
//! renumbered or go. Each change is written down, so that a test can tell what must still be there.

use super::faults::{FaultKind, Faults};
use super::{Mailbox, State, StoredMessage};
use crate::date::InternalDate;

/// A change that happened by the schedule of faults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// These messages have gone from a mailbox, with it or without it.
    Gone {
        /// The mailbox.
        mailbox: String,
        /// The messages as they were.
        messages: Vec<StoredMessage>,
    },
    /// A message was moved.
    Moved {
        /// Where from.
        from: String,
        /// Where to.
        to: String,
        /// The message.
        message: StoredMessage,
    },
    /// A message came.
    Delivered {
        /// The mailbox.
        mailbox: String,
        /// The message.
        message: StoredMessage,
    },
    /// A message has other flags.
    Flagged {
        /// The mailbox.
        mailbox: String,
        /// The message with its new flags.
        message: StoredMessage,
    },
    /// A mailbox has another UIDVALIDITY.
    Renumbered {
        /// The mailbox.
        mailbox: String,
    },
}

const FLAGS: [&str; 5] = ["\\Seen", "\\Answered", "\\Flagged", "$Forwarded", "projeto-x"];

/// Does what the schedule asks for, where it can be done.
pub(super) fn play(state: &mut State) {
    let Some(mut faults) = state.faults.take() else { return };
    if let Some(kind) = faults.at_change()
        && change(state, &mut faults, kind).is_some()
    {
        faults.count(kind);
    }
    state.faults = Some(faults);
}

fn change(state: &mut State, faults: &mut Faults, kind: FaultKind) -> Option<()> {
    if kind == FaultKind::QuotaFull {
        // Each refusal is counted, when it is given.
        faults.full_for = 1 + u32::try_from(faults.below(4)).unwrap_or_default();
        return None;
    }
    let holding: Vec<usize> = (0..state.mailboxes.len()).filter(|&at| state.mailboxes[at].selectable()).collect();
    let at = *holding.get(faults.below(holding.len()))?;
    let name = state.mailboxes[at].name.clone();
    let done = match kind {
        FaultKind::NewEpoch => {
            let validity = state.next_validity(state.mailboxes[at].uid_validity);
            state.mailboxes[at].renumber(validity);
            Change::Renumbered { mailbox: name }
        }
        FaultKind::MessageGone => {
            let from = some_message(&state.mailboxes[at], faults)?;
            let most = (state.mailboxes[at].messages.len() - from).min(3);
            let messages = state.mailboxes[at].messages.drain(from..=from + faults.below(most)).collect();
            Change::Gone { mailbox: name, messages }
        }
        FaultKind::FolderGone => {
            if name == "INBOX" {
                return None;
            }
            Change::Gone { mailbox: name.clone(), messages: state.remove(&name)?.messages }
        }
        FaultKind::NewMail => {
            let message = newcomer(faults);
            let flags = vec![FLAGS[faults.below(FLAGS.len())].to_owned()];
            let mailbox = &mut state.mailboxes[at];
            let flags = mailbox.permitted(flags);
            mailbox.push(message, InternalDate { unix_seconds: 1_720_000_000, zone_minutes: 60 }, flags);
            Change::Delivered { mailbox: name, message: mailbox.messages.last()?.clone() }
        }
        FaultKind::Flags => {
            let of = some_message(&state.mailboxes[at], faults)?;
            let flag = FLAGS[faults.below(FLAGS.len())];
            let mailbox = &mut state.mailboxes[at];
            let mut flags = mailbox.messages[of].flags.clone();
            match flags.iter().position(|known| known == flag) {
                Some(at) => drop(flags.remove(at)),
                None => flags.push(flag.to_owned()),
            }
            mailbox.messages[of].flags = mailbox.permitted(flags);
            Change::Flagged { mailbox: name, message: mailbox.messages[of].clone() }
        }
        FaultKind::Moved => {
            let from = some_message(&state.mailboxes[at], faults)?;
            let others: Vec<usize> = holding.into_iter().filter(|&other| other != at).collect();
            let to = *others.get(faults.below(others.len()))?;
            let message = state.mailboxes[at].messages.remove(from);
            let target = &mut state.mailboxes[to];
            target.push(message.bytes.clone(), message.date, message.flags.clone());
            let to = target.name.clone();
            Change::Moved { from: name, to, message }
        }
        _ => return None,
    };
    for mailbox in &mut state.mailboxes {
        mailbox.settle();
    }
    state.changes.push(done);
    Some(())
}

fn some_message(mailbox: &Mailbox, faults: &mut Faults) -> Option<usize> {
    (!mailbox.messages.is_empty()).then(|| faults.below(mailbox.messages.len()))
}

/// Mail that is like no other.
fn newcomer(faults: &mut Faults) -> Vec<u8> {
    faults.made += 1;
    let place = if faults.is_at_destination() { "here" } else { "there" };
    let text = "It came while others were at work.\r\n".repeat(1 + faults.below(40));
    format!("From: late@example.test\r\nSubject: number {} from {place}\r\n\r\n{text}", faults.made).into_bytes()
}
