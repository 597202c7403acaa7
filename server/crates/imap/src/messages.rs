//! What is in the open folder, bodies aside: the listing, the UIDs, the flags, what changed. Listings stream; what
//! is kept of them while they pass is one range for each run of UIDs.

use crate::{
    mailbox::{fetch_items, flags_of, item, uid_of},
    session::{Heard, Session},
    uids::{Portion, Portions, Seen, ranges},
    wire::{Command, Event, Response, Value, date},
};
use gatepost_transfer::{ChangedSince, Fault, Flags, InternalDate, MessageMeta, UidSet, Which};
use std::collections::{HashMap, VecDeque};
use tokio::sync::mpsc;

/// How many UIDs one command names, and how many such commands are under way.
const PORTION: u32 = 20_000;
const COMMANDS: usize = 4;
/// How many ranges or numbers are asked for in one response line; more are listed message by message. Lines have an
/// end: ours is [`MAX_TEXT`](crate::wire::MAX_TEXT), servers may have another.
const MAX_RANGES: u32 = 60_000;

impl Session {
    /// Lists messages of the open folder. When the receiver goes away the connection is given up.
    pub(crate) async fn list_messages(&mut self, which: &Which, out: &mpsc::Sender<MessageMeta>) -> Result<(), Fault> {
        let listed = self.list_each(which, out).await;
        match listed {
            Ok(true) => Ok(()),
            Ok(false) => {
                self.connection.give_up();
                Ok(())
            }
            Err(fault) => Err(fault),
        }
    }

    /// The same; false when the receiver is gone.
    async fn list_each(&mut self, which: &Which, out: &mpsc::Sender<MessageMeta>) -> Result<bool, Fault> {
        let (mut portions, from) = match which {
            Which::These(uids) => (Portions::of(uids), None),
            // A `*` alone means the last message, also when all UIDs are below (RFC 3501 section 6.4.8).
            Which::From(from) => (Portions::of(&UidSet::default()), Some((*from).max(1))),
        };
        let wanted = |uid: u32| match which {
            Which::From(from) => uid >= *from,
            Which::These(uids) => uids.contains(uid),
        };
        let mut sets = from
            .map(|from| format!("{from}:*"))
            .into_iter()
            .chain(std::iter::from_fn(move || portions.next(PORTION).map(|portion| portion.to_string())))
            .fuse();
        let (mut waiting, mut seen, mut undated) = (VecDeque::new(), Seen::default(), 0u32);
        let labels = if self.filter.is_some() { " X-GM-LABELS" } else { "" };
        loop {
            while waiting.len() < COMMANDS
                && let Some(set) = sets.next()
            {
                let command = Command::new(format!("UID FETCH {set} (UID FLAGS INTERNALDATE RFC822.SIZE{labels})"));
                waiting.push_back((self.start(&command), command));
            }
            if waiting.is_empty() {
                break;
            }
            let heard = tokio::select! {
                biased;
                heard = self.hear() => heard?,
                () = out.closed() => return Ok(false),
            };
            match heard {
                Heard::Other(Event::Response(response)) => {
                    let Some(items) = fetch_items(&response) else { continue };
                    let Some(meta) = meta_of(items) else { continue };
                    let belongs = self.filter.as_ref().is_none_or(|filter| filter.keeps(items, self.utf8));
                    if !belongs || !wanted(meta.uid) || !seen.insert(meta.uid) {
                        continue;
                    }
                    undated += u32::from(meta.internal_date == UNDATED);
                    if out.send(meta).await.is_err() {
                        return Ok(false);
                    }
                }
                Heard::Done(tag, done) => {
                    let Some(at) = waiting.iter().position(|(waits, _)| *waits == tag) else { continue };
                    let (_, command) = waiting.remove(at).expect("the position was just found");
                    if !done.is_ok() {
                        if !waiting.is_empty() {
                            // What is under way would be taken for an answer to the next command.
                            self.connection.give_up();
                        }
                        return Err(self.refused(&command, &done));
                    }
                }
                Heard::Continue(_) | Heard::Other(_) => {}
            }
        }
        if undated > 0 {
            tracing::warn!(server = %self.server(), undated, "messages without INTERNALDATE in {}", self.open_name());
        }
        Ok(true)
    }

    /// Which UIDs the open folder holds.
    pub(crate) async fn list_uids(&mut self) -> Result<UidSet, Fault> {
        if let Some(filter) = self.filter.clone() {
            let (mut seen, utf8) = (Seen::default(), self.utf8);
            self.run_ok(&Command::new("UID FETCH 1:* (UID X-GM-LABELS)"), |response| {
                if let Some(uid) = filter.kept_uid(response, utf8) {
                    seen.insert(uid);
                }
            })
            .await?;
            return Ok(seen.into_set());
        }
        let messages = self.open.as_ref().map_or(0, |open| open.state.messages);
        if self.offers("ESEARCH") && self.ranges_at_most() <= MAX_RANGES {
            let mut found = None;
            let command = Command::new("UID SEARCH RETURN (ALL) ALL");
            self.run_ok(&command, |response| found = found.take().or_else(|| esearch(response))).await?;
            if let Some(ranges) = found {
                return Ok(UidSet::from_ranges(ranges));
            }
        } else if messages <= MAX_RANGES {
            let mut found: Option<Seen> = None;
            let command = Command::new("UID SEARCH ALL");
            self.run_ok(&command, |response| {
                if let Response::Data { name, values, .. } = response
                    && name == "SEARCH"
                {
                    let seen = found.get_or_insert_default();
                    for uid in values.iter().filter_map(uid) {
                        seen.insert(uid);
                    }
                }
            })
            .await?;
            // Some servers say nothing when there is nothing.
            if found.is_some() || messages == 0 {
                return Ok(found.unwrap_or_default().into_set());
            }
        }
        let mut seen = Seen::default();
        self.run_ok(&Command::new("UID FETCH 1:* (UID)"), |response| {
            if let Some(uid) = fetch_items(response).and_then(uid_of) {
                seen.insert(uid);
            }
        })
        .await?;
        Ok(seen.into_set())
    }

    /// How many ranges a set of the open folder's UIDs may have, or of UIDs that it lacks: not more than there are
    /// messages, nor more than there are gaps between them.
    fn ranges_at_most(&self) -> u32 {
        let Some(open) = &self.open else { return u32::MAX };
        let messages = open.state.messages;
        open.state.uid_next.map_or(messages, |next| next.saturating_sub(messages).min(messages)).saturating_add(1)
    }

    /// The flags of messages of the open folder.
    pub(crate) async fn list_flags(&mut self, uids: &UidSet) -> Result<Vec<(u32, Flags)>, Fault> {
        let mut portions = Portions::of(uids);
        let commands: Vec<Command> = std::iter::from_fn(|| portions.next(PORTION))
            .map(|portion: Portion| Command::new(format!("UID FETCH {portion} (UID FLAGS)")))
            .collect();
        let mut found = HashMap::new();
        let ends = self
            .run_each(&commands, COMMANDS, |response| {
                found.extend(flags_in(response).filter(|(uid, _)| uids.contains(*uid)));
            })
            .await?;
        for (command, done) in commands.iter().zip(ends) {
            if !done.is_ok() {
                return Err(self.refused(command, &done));
            }
        }
        Ok(sorted(found))
    }

    /// What changed since a modification sequence; `None` where the folder keeps none.
    pub(crate) async fn changed(&mut self, up_to: u32, since: u64) -> Result<Option<ChangedSince>, Fault> {
        if !self.open.as_ref().is_some_and(|open| open.modseqs) {
            return Ok(None);
        }
        // The server may name every UID that is missing (RFC 7162 section 3.2.6).
        let tells_vanished = self.qresync && self.ranges_at_most() <= MAX_RANGES;
        let (mut flags, mut vanished) = (HashMap::new(), Vec::new());
        if up_to > 0 {
            let modifier = if tells_vanished { " VANISHED" } else { "" };
            let command = format!("UID FETCH 1:{up_to} (UID FLAGS) (CHANGEDSINCE {since}{modifier})");
            self.run_ok(&Command::new(command), |response| {
                flags.extend(flags_in(response).filter(|(uid, _)| *uid <= up_to));
                vanished.extend(vanished_in(response));
            })
            .await?;
        }
        let within = |(from, to): (u32, u32)| (from <= up_to).then_some((from, to.min(up_to)));
        let vanished = UidSet::from_ranges(vanished.into_iter().flatten().filter_map(within));
        Ok(Some(ChangedSince { flags: sorted(flags), vanished: tells_vanished.then_some(vanished) }))
    }
}

/// A message without a date counts as one from the beginning of time: the same in each listing.
const UNDATED: InternalDate = InternalDate { seconds: 0, zone_minutes: 0 };

/// What a listing tells of a message; a response with a change of flags alone is none.
fn meta_of(items: &[Value]) -> Option<MessageMeta> {
    let size = item(items, "RFC822.SIZE").and_then(Value::number);
    let date = item(items, "INTERNALDATE");
    if size.is_none() && date.is_none() {
        return None;
    }
    Some(MessageMeta {
        uid: uid_of(items)?,
        size: size.unwrap_or(0),
        internal_date: date.and_then(Value::bytes).and_then(date::parse).unwrap_or(UNDATED),
        flags: item(items, "FLAGS").and_then(flags_of).unwrap_or_default(),
    })
}

/// A message's flags in a FETCH response.
fn flags_in(response: &Response) -> impl Iterator<Item = (u32, Flags)> {
    let items = fetch_items(response);
    items.and_then(|items| Some((uid_of(items)?, item(items, "FLAGS").and_then(flags_of)?))).into_iter()
}

fn sorted(found: HashMap<u32, Flags>) -> Vec<(u32, Flags)> {
    let mut all: Vec<_> = found.into_iter().collect();
    all.sort_unstable_by_key(|(uid, _)| *uid);
    all
}

fn uid(value: &Value) -> Option<u32> {
    value.number().and_then(|n| u32::try_from(n).ok()).filter(|uid| *uid > 0)
}

/// The set behind ALL in an ESEARCH response (RFC 4731); one without ALL found nothing.
fn esearch(response: &Response) -> Option<Vec<(u32, u32)>> {
    let Response::Data { name, values, .. } = response else { return None };
    if name != "ESEARCH" {
        return None;
    }
    let named = |value: &Value| value.bytes().is_some_and(|b| b.eq_ignore_ascii_case(b"ALL"));
    match values.iter().position(named) {
        Some(at) => ranges(&values.get(at + 1)?.text()?),
        None => Some(Vec::new()),
    }
}

/// The UIDs of a VANISHED response (RFC 7162 section 3.2.10), whether earlier or now.
fn vanished_in(response: &Response) -> Option<Vec<(u32, u32)>> {
    let Response::Data { name, values, .. } = response else { return None };
    if name != "VANISHED" {
        return None;
    }
    ranges(&values.iter().find_map(|value| if value.list().is_some() { None } else { value.text() })?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::value;

    fn data(name: &str, text: &str) -> Response {
        Response::Data { number: None, name: name.into(), values: value::parse(text.as_bytes()).unwrap() }
    }

    #[test]
    fn the_sets_of_esearch_and_vanished_are_read() {
        assert_eq!(esearch(&data("ESEARCH", "(TAG \"g1\") UID ALL 2,10:11")), Some(vec![(2, 2), (10, 11)]));
        assert_eq!(esearch(&data("ESEARCH", "(TAG \"g1\") UID")), Some(vec![]));
        assert_eq!(esearch(&data("ESEARCH", "(TAG \"g1\") UID ALL x")), None);
        assert_eq!(esearch(&data("SEARCH", "2 10")), None);
        assert_eq!(vanished_in(&data("VANISHED", "(EARLIER) 300:310,405")), Some(vec![(300, 310), (405, 405)]));
        assert_eq!(vanished_in(&data("VANISHED", "7")), Some(vec![(7, 7)]));
        assert_eq!(vanished_in(&data("VANISHED", "(EARLIER)")), None);
    }

    #[test]
    fn a_change_of_flags_is_no_listing() {
        let meta = |text: &str| meta_of(&value::parse(text.as_bytes()).unwrap());
        assert_eq!(meta("UID 7 FLAGS (\\Seen)"), None);
        assert_eq!(meta("UID 7 FLAGS (\\Seen) MODSEQ (12)"), None);
        assert_eq!(meta("FLAGS () RFC822.SIZE 5"), None);
        let listed = meta("UID 7 FLAGS (\\Seen) RFC822.SIZE 5").unwrap();
        assert_eq!((listed.uid, listed.size, listed.internal_date), (7, 5, UNDATED));
    }
}
