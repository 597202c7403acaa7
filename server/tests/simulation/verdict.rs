//! Whether a destination holds what it should: exactly the source's messages, each as often as there, with its bytes,
//! its date and its flags, beside what the destination's own user did meanwhile.

use crate::world::World;
use gatepost_testkit::scripted::{Change, FaultKind, Mailbox, ScriptedImap, StoredMessage};
use std::collections::{BTreeMap, BTreeSet};

/// A message's bytes with every line end as CRLF and without NUL.
pub fn canonical(bytes: &[u8]) -> Vec<u8> {
    let mut mended = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            0 => {}
            b'\r' => {
                mended.extend_from_slice(b"\r\n");
                at += usize::from(bytes.get(at) == Some(&b'\n'));
            }
            b'\n' => mended.extend_from_slice(b"\r\n"),
            other => mended.push(other),
        }
    }
    mended
}

/// What is known of the messages of one content in one folder.
#[derive(Default)]
struct Group {
    /// At the source now.
    live: Vec<StoredMessage>,
    /// At the source once.
    gone: usize,
    /// Everything that was ever seen of it on either side.
    ever: Vec<StoredMessage>,
    /// At the destination now.
    copies: Vec<StoredMessage>,
    /// Put there by others than the copy.
    added: usize,
    /// Taken away there by the user.
    removed: usize,
    /// Its flags were changed there by the user.
    reflagged: bool,
}

/// Groups by folder at the destination and canonical content.
#[derive(Default)]
struct Groups(BTreeMap<(String, Vec<u8>), Group>);

impl Groups {
    fn of(&mut self, folder: &str, message: &StoredMessage) -> &mut Group {
        let group = self.0.entry((folder.to_owned(), canonical(&message.bytes))).or_default();
        group.ever.push(message.clone());
        group
    }
}

fn all_mailboxes(server: &ScriptedImap) -> Vec<Mailbox> {
    server.mailbox_names().iter().filter_map(|name| server.mailbox(name)).collect()
}

/// What is wrong with the destination; nothing where it holds what it should.
pub fn differences(world: &World) -> Vec<String> {
    let mut groups = Groups::default();
    for mailbox in &world.began {
        let place = world.place_of(&mailbox.name);
        for message in &mailbox.messages {
            groups.of(&place, message);
        }
    }
    for mailbox in all_mailboxes(&world.source) {
        let place = world.place_of(&mailbox.name);
        for message in &mailbox.messages {
            groups.of(&place, message).live.push(message.clone());
        }
    }
    for change in world.source.changes() {
        match change {
            Change::Gone { mailbox, messages } => {
                for message in &messages {
                    groups.of(&world.place_of(&mailbox), message).gone += 1;
                }
            }
            Change::Flagged { mailbox, message } | Change::Delivered { mailbox, message } => {
                groups.of(&world.place_of(&mailbox), &message);
            }
            Change::Moved { .. } | Change::Renumbered { .. } => {}
        }
    }
    for mailbox in &world.there {
        for message in &mailbox.messages {
            // It stands for a message of the source, and is no further one.
            groups.of(&mailbox.name, message);
        }
    }
    for change in world.dest.changes() {
        match change {
            Change::Gone { mailbox, messages } => {
                for message in &messages {
                    groups.of(&mailbox, message).removed += 1;
                }
            }
            Change::Moved { from, to, message } => {
                groups.of(&from, &message).removed += 1;
                groups.of(&to, &message).added += 1;
            }
            Change::Delivered { mailbox, message } => groups.of(&mailbox, &message).added += 1,
            Change::Flagged { mailbox, message } => groups.of(&mailbox, &message).reflagged = true,
            Change::Renumbered { .. } => {}
        }
    }
    let mut keeps = BTreeMap::new();
    for mailbox in all_mailboxes(&world.dest) {
        for message in &mailbox.messages {
            groups.0.entry((mailbox.name.clone(), canonical(&message.bytes))).or_default().copies.push(message.clone());
        }
        keeps.insert(mailbox.name.clone(), mailbox.permanent_flags.iter().any(|flag| flag == "\\*"));
    }
    let counts = world.dest.fault_counts();
    let refused = [FaultKind::No, FaultKind::Bad, FaultKind::NoLiteral, FaultKind::QuotaFull];
    let may_mend = !world.takes_all_bytes || refused.iter().any(|kind| counts.contains_key(kind));
    let mut found = Vec::new();
    for ((folder, content), group) in &groups.0 {
        let too_large = world.append_limit.is_some_and(|limit| content.len() > limit);
        let keywords = keeps.get(folder).copied().unwrap_or(true);
        if let Err(wrong) = group.judge(too_large, keywords, may_mend) {
            let shown: String = String::from_utf8_lossy(content).chars().take(110).collect();
            found.push(format!("{folder}: {wrong} [{} bytes, {shown:?}]", content.len()));
        }
    }
    for folder in world.source.mailbox_names() {
        if world.dest.mailbox(&world.place_of(&folder)).is_none() {
            found.push(format!("{folder}: the folder is missing"));
        }
    }
    found
}

impl Group {
    fn judge(&self, too_large: bool, keywords: bool, may_mend: bool) -> Result<(), String> {
        let (live, copies) = (if too_large { 0 } else { self.live.len() }, self.copies.len());
        let least = live.max(self.added).saturating_sub(self.removed);
        let most = live + self.gone + self.added;
        if copies < least {
            return Err(format!(
                "LOST: {copies} where {least} must be ({live} at the source, {} put there, {} taken away)",
                self.added, self.removed
            ));
        }
        if copies > most {
            let shown = |messages: &[StoredMessage]| {
                let each =
                    messages.iter().map(|message| format!("UID {} of {} bytes", message.uid, message.bytes.len()));
                each.collect::<Vec<_>>().join(", ")
            };
            return Err(format!(
                "DOUBLED: {copies} ({}) where {most} may be ({live} at the source: {}; {} gone from there, {} put there)",
                shown(&self.copies),
                shown(&self.live),
                self.gone,
                self.added
            ));
        }
        let ever: Vec<BTreeSet<String>> = self.ever.iter().map(|message| kept(message, keywords)).collect();
        let union: BTreeSet<&String> = ever.iter().flatten().collect();
        let live: Vec<BTreeSet<String>> = self.live.iter().map(|message| kept(message, keywords)).collect();
        for copy in &self.copies {
            let exact = self.ever.iter().any(|message| message.bytes == copy.bytes);
            let mended = may_mend && canonical(&copy.bytes) == copy.bytes;
            if !exact && !mended {
                return Err("ALTERED: other bytes than at the source".to_owned());
            }
            if !self.ever.iter().any(|message| message.date == copy.date) {
                return Err(format!("DATE: {} is not the source's", copy.date));
            }
            if self.reflagged || self.added > 0 {
                continue;
            }
            let flags = kept(copy, true);
            if let Some(strange) = flags.iter().find(|flag| !union.contains(flag)) {
                return Err(format!("FLAG: {strange} was never at the source"));
            }
            // Where a message went from the source, the copy may be that one's.
            let lacking = live.iter().all(|at_source| !at_source.is_subset(&flags));
            if self.gone == 0 && !live.is_empty() && lacking {
                return Err(format!("FLAG: {flags:?} where the source has {live:?}"));
            }
        }
        Ok(())
    }
}

fn kept(message: &StoredMessage, keywords: bool) -> BTreeSet<String> {
    message.flags.iter().filter(|flag| keywords || flag.starts_with('\\')).cloned().collect()
}
