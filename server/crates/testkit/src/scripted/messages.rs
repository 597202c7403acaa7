//! Commands on the messages of the open mailbox: FETCH, SEARCH, STORE, EXPUNGE.

use super::command::Command;
use super::impersonate::{self, Quirk};
use super::session::{Answer, Session};
use super::view::{Selected, flags_line, vanished};
use super::{Mailbox, State, fetch};
use crate::wire::Value;

/// Numbers and places of the messages in a set of UIDs or of numbers, as far as they are still there.
fn chosen(mailbox: &Mailbox, selected: &Selected, set: &str, by_uid: bool) -> Result<Vec<(usize, usize)>, String> {
    let count = u32::try_from(selected.told.len()).unwrap_or(u32::MAX);
    let last = if by_uid { selected.told.last().map_or(0, |(uid, _)| *uid) } else { count };
    let ranges = fetch::parse_set(set, last).ok_or_else(|| format!("BAD {set} is no set of messages"))?;
    let hits = (1..).zip(&selected.told).filter_map(|(number, (uid, _))| {
        let named = fetch::contains(&ranges, if by_uid { *uid } else { number });
        Some((usize::try_from(number).ok()?, mailbox.place(*uid).filter(|_| named)?))
    });
    Ok(hits.collect())
}

impl Session {
    pub(super) fn fetch(&mut self, state: &mut State, command: &Command) -> Answer {
        let offered = state.offers("CONDSTORE") || state.offers("QRESYNC");
        let (qresync, mut condstore) = (self.qresync, self.condstore);
        let by_uid = command.name.starts_with("UID");
        let mut items = fetch::items(command.arguments.get(1).ok_or("BAD what is to be fetched?")?);
        let has = |items: &[String], name: &str| items.iter().any(|item| item.eq_ignore_ascii_case(name));
        if by_uid && !has(&items, "UID") {
            items.insert(0, "UID".to_owned());
        }
        let modifiers = command.arguments.get(2).map(Value::list).unwrap_or_default();
        let mut since: Option<u64> = None;
        let mut wants_vanished = false;
        let mut at = 0;
        while let Some(modifier) = modifiers.get(at) {
            match modifier.text().to_ascii_uppercase().as_str() {
                "CHANGEDSINCE" if offered => {
                    at += 1;
                    since = Some(modifiers.get(at).and_then(Value::number).ok_or("BAD since when?")?);
                    condstore = true;
                }
                "VANISHED" if qresync && by_uid => wants_vanished = true,
                other => return Err(format!("BAD the modifier {other} is not known here")),
            }
            at += 1;
        }
        if wants_vanished && since.is_none() {
            return Err("BAD VANISHED needs CHANGEDSINCE".to_owned());
        }
        if has(&items, "MODSEQ") {
            if !offered {
                return Err("BAD MODSEQ is not known here".to_owned());
            }
            condstore = true;
        } else if since.is_some() {
            // RFC 7162 section 3.1.4.1: CHANGEDSINCE asks for MODSEQ too.
            items.push("MODSEQ".to_owned());
        }
        self.condstore = condstore;
        let set = command.text(0);
        let extras = state.labels(self.selected.as_ref().map(|selected| selected.name.as_str()), &items);
        let asks_bytes = items.iter().any(|item| item.to_ascii_uppercase().starts_with("BODY"));
        let storage = state.shows(Quirk::TellsStorageSize, has(&items, "RFC822.SIZE"));
        let (withholds, quotes) = (state.has(Quirk::KeepsDamagedItems), state.has(Quirk::QuotesEmptyParts));
        let mut counts = [(Quirk::KeepsDamagedItems, false), (Quirk::QuotesEmptyParts, false)];
        let throttled = state.shows(Quirk::SaysThrottledInOk, true);
        let (mailbox, selected) = self.current(state)?;
        let marks_seen = selected.writable && items.iter().any(|item| fetch::marks_seen(item));
        let chosen = chosen(mailbox, selected, &set, by_uid)?;
        let mut lines = Vec::new();
        if let Some(since) = since.filter(|_| wants_vanished) {
            let ranges = fetch::parse_set(&set, u32::MAX).unwrap_or_default();
            lines.extend_from_slice(vanished(mailbox, since, |uid| fetch::contains(&ranges, uid)).as_bytes());
        }
        for (number, place) in chosen {
            let message = &mut mailbox.messages[place];
            if since.is_some_and(|since| message.modseq <= since) {
                continue;
            }
            if withholds && asks_bytes && impersonate::is_damaged(&message.bytes) {
                counts[0].1 = true;
                continue;
            }
            if marks_seen && !message.flags.iter().any(|flag| flag == "\\Seen") {
                message.flags.push("\\Seen".to_owned());
            }
            lines.extend_from_slice(format!("* {number} FETCH (").as_bytes());
            for (nth, item) in items.iter().enumerate() {
                if nth > 0 {
                    lines.push(b' ');
                }
                if storage && item.eq_ignore_ascii_case("RFC822.SIZE") {
                    let size = impersonate::storage_size(&message.bytes);
                    lines.extend_from_slice(format!("RFC822.SIZE {size}").as_bytes());
                    continue;
                }
                if let Some(()) = extras.get(&message.uid).and_then(|extras| extras.write(item, &mut lines)) {
                    continue;
                }
                fetch::write_item(message, item, &mut lines).ok_or_else(|| format!("BAD {item} is not known here"))?;
                if quotes && lines.ends_with(b" {0}\r\n") {
                    counts[1].1 = true;
                    lines.truncate(lines.len() - 5);
                    lines.extend_from_slice(b"\"\"");
                }
            }
            lines.extend_from_slice(b")\r\n");
        }
        if marks_seen {
            mailbox.settle();
        }
        for (quirk, shown) in counts {
            state.shows(quirk, shown);
        }
        Ok((lines, if throttled { "Success [THROTTLED]" } else { "fetched" }.to_owned()))
    }

    /// ALL, a set, `UID` set, `HEADER name text`, `DELETED`, `UNDELETED`; all criteria must hold. With RETURN
    /// (RFC 4731) the answer is an ESEARCH.
    pub(super) fn search(&mut self, state: &mut State, command: &Command) -> Answer {
        let offered = state.offers("ESEARCH");
        let (mailbox, selected) = self.current(state)?;
        let mut hits = chosen(mailbox, selected, "1:*", true)?;
        let mut arguments = command.arguments.iter();
        let mut returns: Option<Vec<String>> = None;
        while let Some(argument) = arguments.next() {
            let word = argument.text();
            let mut next = || arguments.next().ok_or("BAD a criterion is cut short");
            let deleted = |at: usize| mailbox.messages[at].flags.iter().any(|flag| flag == "\\Deleted");
            match word.to_ascii_uppercase().as_str() {
                "RETURN" if offered => {
                    returns = Some(next()?.list().iter().map(|option| option.text().to_ascii_uppercase()).collect());
                }
                "ALL" => {}
                "DELETED" => hits.retain(|&(_, at)| deleted(at)),
                "UNDELETED" => hits.retain(|&(_, at)| !deleted(at)),
                "UID" => {
                    let wanted = chosen(mailbox, selected, &next()?.text(), true)?;
                    hits.retain(|hit| wanted.contains(hit));
                }
                "HEADER" => {
                    let (name, text) = (next()?.text(), next()?.text().to_lowercase());
                    hits.retain(|&(_, at)| {
                        let item = format!("BODY.PEEK[HEADER.FIELDS ({name})]");
                        let mut out = Vec::new();
                        let written = fetch::write_item(&mailbox.messages[at], &item, &mut out);
                        let found = String::from_utf8_lossy(&out).to_lowercase();
                        let field = found.split_once("\r\n").map_or("", |(_, field)| field);
                        written.is_some() && field.len() > 2 && field.contains(&text)
                    });
                }
                set => {
                    let wanted = chosen(mailbox, selected, set, false)?;
                    hits.retain(|hit| wanted.contains(hit));
                }
            }
        }
        let by_uid = command.name.starts_with("UID");
        let numbers: Vec<u32> = hits
            .iter()
            .map(|&(number, at)| if by_uid { mailbox.messages[at].uid } else { u32::try_from(number).unwrap_or(0) })
            .collect();
        let line = match returns {
            None => numbers.iter().fold("* SEARCH".to_owned(), |line, number| format!("{line} {number}")),
            Some(options) => {
                let mut line = format!("* ESEARCH (TAG \"{}\"){}", command.tag, if by_uid { " UID" } else { "" });
                let wants = |option: &str| options.iter().any(|known| known == option);
                if let (Some(first), Some(last)) = (numbers.first(), numbers.last()) {
                    for (name, value) in
                        [("MIN", first.to_string()), ("MAX", last.to_string()), ("ALL", fetch::write_set(&numbers))]
                    {
                        if wants(name) || name == "ALL" && options.is_empty() {
                            line += &format!(" {name} {value}");
                        }
                    }
                }
                if wants("COUNT") {
                    line += &format!(" COUNT {}", numbers.len());
                }
                line
            }
        };
        Ok((format!("{line}\r\n").into_bytes(), "searched".to_owned()))
    }

    pub(super) fn store(&mut self, state: &mut State, command: &Command) -> Answer {
        let condstore = self.condstore;
        let (mailbox, selected) = self.current(state)?;
        if !selected.writable {
            return Err("NO [READ-ONLY] the mailbox is examined".to_owned());
        }
        let by_uid = command.name.starts_with("UID");
        let how = command.text(1).to_ascii_uppercase();
        let flags: Vec<String> = command.arguments[2.min(command.arguments.len())..]
            .iter()
            .flat_map(|value| match value {
                Value::List(values) => values.iter().map(Value::text).collect(),
                Value::Atom(_) | Value::String(_) => vec![value.text()],
            })
            .collect();
        let mut lines = Vec::new();
        let chosen = chosen(mailbox, selected, &command.text(0), by_uid)?;
        for &(_, place) in &chosen {
            let old = mailbox.messages[place].flags.clone();
            let new = match how.trim_end_matches(".SILENT") {
                "FLAGS" => mailbox.permitted(flags.clone()),
                "+FLAGS" => mailbox.permitted(old.into_iter().chain(flags.clone()).collect()),
                "-FLAGS" => {
                    old.into_iter().filter(|flag| !flags.iter().any(|gone| gone.eq_ignore_ascii_case(flag))).collect()
                }
                _ => return Err("BAD flags are stored with FLAGS, +FLAGS or -FLAGS".to_owned()),
            };
            mailbox.messages[place].flags = new;
        }
        mailbox.settle();
        for (number, place) in chosen {
            let message = &mailbox.messages[place];
            if let Some(told) = selected.told.get_mut(number - 1) {
                told.1 = message.modseq;
            }
            if !how.ends_with(".SILENT") {
                lines.extend_from_slice(flags_line(number, message, condstore).as_bytes());
            } else if condstore {
                // RFC 7162 section 3.1.3: the new modification sequence is told all the same.
                let line = format!("* {number} FETCH (UID {} MODSEQ ({}))\r\n", message.uid, message.modseq);
                lines.extend_from_slice(line.as_bytes());
            }
        }
        Ok((lines, "stored".to_owned()))
    }

    /// Removes what is marked; the news tell of it.
    pub(super) fn expunge(&mut self, state: &mut State, command: &Command) -> Answer {
        let (mailbox, selected) = self.current(state)?;
        if !selected.writable {
            return Err("NO [READ-ONLY] the mailbox is examined".to_owned());
        }
        let only = if command.name == "UID EXPUNGE" {
            Some(fetch::parse_set(&command.text(0), u32::MAX).ok_or("BAD which messages?")?)
        } else {
            None
        };
        mailbox.messages.retain(|message| {
            let meant = only.as_ref().is_none_or(|set| fetch::contains(set, message.uid));
            !(meant && message.flags.iter().any(|flag| flag == "\\Deleted"))
        });
        mailbox.settle();
        Ok((Vec::new(), "expunged".to_owned()))
    }
}
