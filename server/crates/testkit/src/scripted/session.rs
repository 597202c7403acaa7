//! One connection of the scripted server: reads commands, asks the rules, gives the default answers.

use std::io::{self, BufReader, Write};
use std::net::TcpStream;
use std::sync::{Arc, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::command::Command;
use super::fetch;
use super::rule::Action;
use super::{Mailbox, Shared, State};
use crate::date::InternalDate;
use crate::wire::{Value, mutf7_decode, mutf7_encode, quote, read_line};

/// Serves a connection until it ends.
pub(super) fn serve(stream: &TcpStream, shared: &Arc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream.try_clone()?;
    let greeting = shared.lock().greeting.clone();
    writer.write_all(greeting.as_bytes())?;
    let mut session = Session::default();
    loop {
        let mut go_ahead = stream.try_clone()?;
        let Some(segments) = read_line(&mut reader, || go_ahead.write_all(b"+ go ahead\r\n"))? else { return Ok(()) };
        if let Some(mechanism) = session.sasl.take() {
            let crate::wire::Segment::Text(line) = &segments[0] else { return Ok(()) };
            let answer = session.authenticate(&mut shared.lock(), &mechanism.0, &mechanism.1, line);
            writer.write_all(&answer)?;
            continue;
        }
        let Some(command) = Command::parse(segments) else {
            writer.write_all(b"* BAD that is no command\r\n")?;
            continue;
        };
        let action = {
            let mut state = shared.lock();
            state.commands.push(command.shown.clone());
            shared.changed.notify_all();
            state.rules.iter_mut().find_map(|rule| rule.fires(&command.shown).then(|| rule.action.clone()))
        };
        let fill_in = |bytes: &[u8]| replace_tag(bytes, &command.tag);
        match action {
            Some(Action::Close) => return Ok(()),
            Some(Action::ReplyThenClose(bytes)) => return writer.write_all(&fill_in(&bytes)),
            Some(Action::Reply(bytes)) => writer.write_all(&fill_in(&bytes))?,
            Some(Action::Stall) => {
                let state = shared.lock();
                let stalled = |state: &mut State| !state.ended && !state.rules.is_empty();
                drop(shared.changed.wait_while(state, stalled).unwrap_or_else(PoisonError::into_inner));
                return Ok(());
            }
            Some(Action::PerformThenClose) => {
                session.answer(&mut shared.lock(), &command);
                return Ok(());
            }
            Some(Action::Before(bytes)) => {
                let answer = session.answer(&mut shared.lock(), &command);
                writer.write_all(&fill_in(&bytes))?;
                writer.write_all(&answer)?;
            }
            None => {
                let answer = session.answer(&mut shared.lock(), &command);
                writer.write_all(&answer)?;
            }
        }
        if command.name == "LOGOUT" {
            return Ok(());
        }
    }
}

fn replace_tag(bytes: &[u8], tag: &str) -> Vec<u8> {
    const MARK: &[u8] = b"{tag}";
    let mut out = Vec::with_capacity(bytes.len() + 16);
    let mut rest = bytes;
    while let Some(at) = rest.windows(MARK.len()).position(|window| window == MARK) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(tag.as_bytes());
        rest = &rest[at + MARK.len()..];
    }
    out.extend_from_slice(rest);
    out
}

#[derive(Debug, Default)]
struct Session {
    logged_in: bool,
    /// Name of the open mailbox, and whether it may be changed.
    selected: Option<(String, bool)>,
    /// Tag and mechanism of an AUTHENTICATE whose data come on the next line.
    sasl: Option<(String, String)>,
}

/// The untagged lines so far, and how the tagged one will be.
type Answer = Result<(Vec<u8>, String), String>;

impl Session {
    /// The whole default answer to a command.
    fn answer(&mut self, state: &mut State, command: &Command) -> Vec<u8> {
        if command.name == "AUTHENTICATE" {
            let mechanism = command.text(0).to_ascii_uppercase();
            return if let Some(data) = command.arguments.get(1) {
                self.authenticate(state, &command.tag, &mechanism, data.bytes())
            } else {
                self.sasl = Some((command.tag.clone(), mechanism));
                b"+ \r\n".to_vec()
            };
        }
        let before_login = matches!(command.name.as_str(), "CAPABILITY" | "NOOP" | "LOGOUT" | "LOGIN" | "ID");
        let answer = if self.logged_in || before_login {
            self.perform(state, command)
        } else {
            Err("BAD log in first".to_owned())
        };
        match answer {
            Ok((mut lines, done)) => {
                lines.extend_from_slice(format!("{} OK {done}\r\n", command.tag).as_bytes());
                lines
            }
            Err(refusal) => format!("{} {refusal}\r\n", command.tag).into_bytes(),
        }
    }

    fn perform(&mut self, state: &mut State, command: &Command) -> Answer {
        let done = |lines: String| Ok((lines.into_bytes(), "done".to_owned()));
        match command.name.as_str() {
            "CAPABILITY" => done(format!("* CAPABILITY {}\r\n", state.capability)),
            "NOOP" | "CHECK" => done(String::new()),
            "LOGOUT" => done("* BYE logging out\r\n".to_owned()),
            "ID" => done("* ID (\"name\" \"gatepost-testkit\")\r\n".to_owned()),
            "ENABLE" => done("* ENABLED\r\n".to_owned()),
            "LOGIN" => {
                let known = (command.text(0), command.text(1));
                self.logged_in = state.users.is_empty() || state.users.contains(&known);
                if self.logged_in { done(String::new()) } else { Err(WRONG.to_owned()) }
            }
            "NAMESPACE" => done(format!("* NAMESPACE ((\"\" {})) NIL NIL\r\n", quote(&state.separator.to_string()))),
            "LIST" | "LSUB" => list(state, command),
            "SELECT" | "EXAMINE" => self.open(state, command),
            "CLOSE" => {
                if let Some((name, true)) = self.selected.take()
                    && let Some(mailbox) = find(state, &name)
                {
                    mailbox.messages.retain(|message| !message.flags.iter().any(|flag| flag == "\\Deleted"));
                }
                done(String::new())
            }
            "UNSELECT" => {
                self.selected = None;
                done(String::new())
            }
            "FETCH" | "UID FETCH" => self.fetch(state, command),
            "SEARCH" | "UID SEARCH" => self.search(state, command),
            "STORE" | "UID STORE" => self.store(state, command),
            "EXPUNGE" | "UID EXPUNGE" => self.expunge(state),
            "APPEND" => append(state, command),
            "CREATE" => {
                let name = decoded(&command.text(0)).trim_end_matches(state.separator).to_owned();
                if state.mailboxes.iter().any(|mailbox| mailbox.name == name && mailbox.selectable()) {
                    return Err("NO [ALREADYEXISTS] the mailbox exists".to_owned());
                }
                state.mailboxes.retain(|mailbox| mailbox.name != name);
                state.mailboxes.push(Mailbox::new(name));
                done(String::new())
            }
            "DELETE" => {
                let name = decoded(&command.text(0));
                mailbox(state, &name)?;
                state.mailboxes.retain(|mailbox| mailbox.name != name);
                done(String::new())
            }
            "SUBSCRIBE" | "UNSUBSCRIBE" => {
                mailbox(state, &decoded(&command.text(0)))?.subscribed = command.name == "SUBSCRIBE";
                done(String::new())
            }
            "STATUS" => {
                let items = command.arguments.get(1).map(Value::list).unwrap_or_default();
                let line = status(mailbox(state, &decoded(&command.text(0)))?, items);
                done(line)
            }
            "GETQUOTAROOT" => {
                let name = decoded(&command.text(0));
                mailbox(state, &name)?;
                done(format!("* QUOTAROOT {} \"User\"\r\n{}", quote(&mutf7_encode(&name)), quota(state)))
            }
            "GETQUOTA" => done(quota(state)),
            _ => Err(format!("BAD {} is not known here", command.name)),
        }
    }

    /// AUTHENTICATE PLAIN (RFC 4616) and XOAUTH2.
    fn authenticate(&mut self, state: &mut State, tag: &str, mechanism: &str, data: &[u8]) -> Vec<u8> {
        let refuse = |text: &str| format!("{tag} {text}\r\n").into_bytes();
        if data == b"*" {
            return refuse("BAD cancelled");
        }
        let Some(text) = STANDARD.decode(data).ok().and_then(|bytes| String::from_utf8(bytes).ok()) else {
            // The second, empty line of a client that was told of a failed XOAUTH2.
            return refuse(if data.is_empty() { WRONG } else { "BAD not base64" });
        };
        self.logged_in = match mechanism {
            "PLAIN" => {
                let mut parts = text.split('\0').skip(1).map(str::to_owned);
                let known = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
                state.users.is_empty() || state.users.contains(&known)
            }
            "XOAUTH2" => {
                let mut parts = text.split('\x01');
                let user = parts.next().and_then(|part| part.strip_prefix("user=")).unwrap_or_default();
                let token = parts.next().and_then(|part| part.strip_prefix("auth=Bearer ")).unwrap_or_default();
                state.tokens.contains(&(user.to_owned(), token.to_owned()))
            }
            _ => return refuse("NO [CANNOT] this mechanism is not known here"),
        };
        if self.logged_in { refuse("OK done") } else { refuse(WRONG) }
    }

    fn open(&mut self, state: &mut State, command: &Command) -> Answer {
        self.selected = None;
        let name = decoded(&command.text(0));
        let mailbox = mailbox(state, &name)?;
        if !mailbox.selectable() {
            return Err("NO the mailbox cannot be selected".to_owned());
        }
        let writable = command.name == "SELECT";
        let mut keywords: Vec<&str> = vec!["\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft"];
        for flag in mailbox.messages.iter().flat_map(|message| &message.flags) {
            if !keywords.contains(&flag.as_str()) {
                keywords.push(flag);
            }
        }
        let permanent = if writable { mailbox.permanent_flags.join(" ") } else { String::new() };
        let lines = format!(
            "* FLAGS ({})\r\n* OK [PERMANENTFLAGS ({permanent})] kept\r\n* {} EXISTS\r\n* 0 RECENT\r\n\
             * OK [UIDVALIDITY {}] valid\r\n* OK [UIDNEXT {}] next\r\n",
            keywords.join(" "),
            mailbox.messages.len(),
            mailbox.uid_validity,
            mailbox.uid_next
        );
        self.selected = Some((name, writable));
        let code = if writable { "[READ-WRITE] selected" } else { "[READ-ONLY] examined" };
        Ok((lines.into_bytes(), code.to_owned()))
    }

    /// The open mailbox, and whether it may be changed.
    fn current<'a>(&self, state: &'a mut State) -> Result<(&'a mut Mailbox, bool), String> {
        let (name, writable) = self.selected.as_ref().ok_or("BAD no mailbox is selected")?;
        Ok((mailbox(state, name)?, *writable))
    }

    fn fetch(&self, state: &mut State, command: &Command) -> Answer {
        let (mailbox, writable) = self.current(state)?;
        let by_uid = command.name.starts_with("UID");
        let mut items = fetch::items(command.arguments.get(1).ok_or("BAD what is to be fetched?")?);
        if by_uid && !items.iter().any(|item| item.eq_ignore_ascii_case("UID")) {
            items.insert(0, "UID".to_owned());
        }
        let marks_seen = writable && items.iter().any(|item| fetch::marks_seen(item));
        let chosen = chosen(mailbox, &command.text(0), by_uid)?;
        let mut lines = Vec::new();
        for at in chosen {
            let message = &mut mailbox.messages[at];
            if marks_seen && !message.flags.iter().any(|flag| flag == "\\Seen") {
                message.flags.push("\\Seen".to_owned());
            }
            lines.extend_from_slice(format!("* {} FETCH (", at + 1).as_bytes());
            for (number, item) in items.iter().enumerate() {
                if number > 0 {
                    lines.push(b' ');
                }
                fetch::write_item(message, item, &mut lines).ok_or_else(|| format!("BAD {item} is not known here"))?;
            }
            lines.extend_from_slice(b")\r\n");
        }
        Ok((lines, "fetched".to_owned()))
    }

    /// ALL, a set, `UID` set, `HEADER name text`, `DELETED`, `UNDELETED`; all criteria must hold.
    fn search(&self, state: &mut State, command: &Command) -> Answer {
        let (mailbox, _) = self.current(state)?;
        let mut hits: Vec<usize> = (0..mailbox.messages.len()).collect();
        let mut words = command.arguments.iter().map(Value::text);
        while let Some(word) = words.next() {
            let mut argument = || words.next().ok_or("BAD a criterion is cut short");
            let deleted = |at: usize| mailbox.messages[at].flags.iter().any(|flag| flag == "\\Deleted");
            match word.to_ascii_uppercase().as_str() {
                "ALL" => {}
                "DELETED" => hits.retain(|&at| deleted(at)),
                "UNDELETED" => hits.retain(|&at| !deleted(at)),
                "UID" => {
                    let wanted = chosen(mailbox, &argument()?, true)?;
                    hits.retain(|at| wanted.contains(at));
                }
                "HEADER" => {
                    let (name, text) = (argument()?, argument()?.to_lowercase());
                    hits.retain(|&at| {
                        let item = format!("BODY.PEEK[HEADER.FIELDS ({name})]");
                        let mut out = Vec::new();
                        let written = fetch::write_item(&mailbox.messages[at], &item, &mut out);
                        let found = String::from_utf8_lossy(&out).to_lowercase();
                        let field = found.split_once("\r\n").map_or("", |(_, field)| field);
                        written.is_some() && field.len() > 2 && field.contains(&text)
                    });
                }
                set => {
                    let wanted = chosen(mailbox, set, false)?;
                    hits.retain(|at| wanted.contains(at));
                }
            }
        }
        let by_uid = command.name.starts_with("UID");
        let numbers =
            hits.iter().map(|&at| if by_uid { mailbox.messages[at].uid.to_string() } else { (at + 1).to_string() });
        let line = numbers.fold("* SEARCH".to_owned(), |line, number| line + " " + &number);
        Ok((format!("{line}\r\n").into_bytes(), "searched".to_owned()))
    }

    fn store(&self, state: &mut State, command: &Command) -> Answer {
        let (mailbox, writable) = self.current(state)?;
        if !writable {
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
        for at in chosen(mailbox, &command.text(0), by_uid)? {
            let old = mailbox.messages[at].flags.clone();
            let new = match how.trim_end_matches(".SILENT") {
                "FLAGS" => mailbox.permitted(flags.clone()),
                "+FLAGS" => mailbox.permitted(old.into_iter().chain(flags.clone()).collect()),
                "-FLAGS" => {
                    old.into_iter().filter(|flag| !flags.iter().any(|gone| gone.eq_ignore_ascii_case(flag))).collect()
                }
                _ => return Err("BAD flags are stored with FLAGS, +FLAGS or -FLAGS".to_owned()),
            };
            mailbox.messages[at].flags = new;
            if !how.ends_with(".SILENT") {
                let message = &mailbox.messages[at];
                let line = format!("* {} FETCH (UID {} FLAGS ({}))\r\n", at + 1, message.uid, message.flags.join(" "));
                lines.extend_from_slice(line.as_bytes());
            }
        }
        Ok((lines, "stored".to_owned()))
    }

    fn expunge(&self, state: &mut State) -> Answer {
        let (mailbox, writable) = self.current(state)?;
        if !writable {
            return Err("NO [READ-ONLY] the mailbox is examined".to_owned());
        }
        let mut lines = Vec::new();
        let mut at = 0;
        while at < mailbox.messages.len() {
            if mailbox.messages[at].flags.iter().any(|flag| flag == "\\Deleted") {
                mailbox.messages.remove(at);
                lines.extend_from_slice(format!("* {} EXPUNGE\r\n", at + 1).as_bytes());
            } else {
                at += 1;
            }
        }
        Ok((lines, "expunged".to_owned()))
    }
}

const WRONG: &str = "NO [AUTHENTICATIONFAILED] wrong user or password";

fn decoded(encoded: &str) -> String {
    if encoded.eq_ignore_ascii_case("INBOX") {
        return "INBOX".to_owned();
    }
    mutf7_decode(encoded).unwrap_or_else(|| encoded.to_owned())
}

fn find<'a>(state: &'a mut State, name: &str) -> Option<&'a mut Mailbox> {
    state.mailboxes.iter_mut().find(|mailbox| mailbox.name == name)
}

fn mailbox<'a>(state: &'a mut State, name: &str) -> Result<&'a mut Mailbox, String> {
    find(state, name).ok_or_else(|| "NO [NONEXISTENT] there is no such mailbox".to_owned())
}

/// Positions of the messages in a set of UIDs or sequence numbers.
fn chosen(mailbox: &Mailbox, set: &str, by_uid: bool) -> Result<Vec<usize>, String> {
    let count = u32::try_from(mailbox.messages.len()).unwrap_or(u32::MAX);
    let last = if by_uid { mailbox.messages.last().map_or(0, |message| message.uid) } else { count };
    let ranges = fetch::parse_set(set, last).ok_or_else(|| format!("BAD {set} is no set of messages"))?;
    let numbers = (1..).zip(&mailbox.messages);
    let hits = numbers
        .enumerate()
        .filter(|(_, (number, message))| fetch::contains(&ranges, if by_uid { message.uid } else { *number }));
    Ok(hits.map(|(at, _)| at).collect())
}

fn list(state: &State, command: &Command) -> Answer {
    let separator = quote(&state.separator.to_string());
    // With selection options (RFC 5258) the options come first.
    let options = usize::from(matches!(command.arguments.first(), Some(Value::List(_))));
    let selection: Vec<String> =
        command.arguments.first().map(Value::list).unwrap_or_default().iter().map(Value::text).collect();
    let reference = command.text(options);
    let patterns: Vec<String> = match command.arguments.get(options + 1) {
        Some(Value::List(patterns)) => patterns.iter().map(Value::text).collect(),
        Some(pattern) => vec![pattern.text()],
        None => return Err("BAD LIST needs a pattern".to_owned()),
    };
    if command.name == "LIST" && patterns == [""] {
        return Ok((format!("* LIST (\\NoSelect) {separator} \"\"\r\n").into_bytes(), "listed".to_owned()));
    }
    let returns = command.arguments.get(options + 3).map(Value::list).unwrap_or_default();
    let status_items = returns
        .iter()
        .position(|option| option.bytes().eq_ignore_ascii_case(b"STATUS"))
        .and_then(|at| returns.get(at + 1))
        .map(Value::list);
    let has = |name: &str| selection.iter().any(|option| option.eq_ignore_ascii_case(name));
    let mut lines = String::new();
    for mailbox in &state.mailboxes {
        let encoded = mutf7_encode(&mailbox.name);
        let matches = patterns
            .iter()
            .any(|pattern| wildcard(format!("{reference}{pattern}").as_bytes(), encoded.as_bytes(), state.separator));
        let subscribed_only = command.name == "LSUB" || has("SUBSCRIBED");
        let special_only = has("SPECIAL-USE");
        let special = mailbox.attributes.iter().any(|name| !name.eq_ignore_ascii_case("\\NoSelect"));
        if !matches || subscribed_only && !mailbox.subscribed || special_only && !special {
            continue;
        }
        let mut attributes = mailbox.attributes.clone();
        let below = format!("{}{}", mailbox.name, state.separator);
        let children = state.mailboxes.iter().any(|other| other.name.starts_with(&below));
        attributes.push(if children { "\\HasChildren" } else { "\\HasNoChildren" }.to_owned());
        if mailbox.subscribed && command.name == "LIST" {
            attributes.push("\\Subscribed".to_owned());
        }
        lines += &format!("* {} ({}) {separator} {}\r\n", command.name, attributes.join(" "), quote(&encoded));
        if let Some(items) = status_items
            && mailbox.selectable()
        {
            lines += &status(mailbox, items);
        }
    }
    Ok((lines.into_bytes(), "listed".to_owned()))
}

/// `*` matches everything, `%` all but the separator (RFC 3501 section 6.3.8).
fn wildcard(pattern: &[u8], name: &[u8], separator: char) -> bool {
    let Some((&first, rest)) = pattern.split_first() else { return name.is_empty() };
    match first {
        b'*' | b'%' => (0..=name.len())
            .take_while(|&taken| first == b'*' || taken == 0 || char::from(name[taken - 1]) != separator)
            .any(|taken| wildcard(rest, &name[taken..], separator)),
        _ => name.first() == Some(&first) && wildcard(rest, &name[1..], separator),
    }
}

fn status(mailbox: &Mailbox, items: &[Value]) -> String {
    let seen = |flags: &[String]| flags.iter().any(|flag| flag == "\\Seen");
    let values: Vec<String> = items
        .iter()
        .filter_map(|item| {
            let name = item.text().to_ascii_uppercase();
            let value = match name.as_str() {
                "MESSAGES" => mailbox.messages.len().to_string(),
                "UIDNEXT" => mailbox.uid_next.to_string(),
                "UIDVALIDITY" => mailbox.uid_validity.to_string(),
                "UNSEEN" => mailbox.messages.iter().filter(|message| !seen(&message.flags)).count().to_string(),
                "RECENT" => "0".to_owned(),
                "SIZE" => mailbox.messages.iter().map(|message| message.bytes.len()).sum::<usize>().to_string(),
                _ => return None,
            };
            Some(format!("{name} {value}"))
        })
        .collect();
    format!("* STATUS {} ({})\r\n", quote(&mutf7_encode(&mailbox.name)), values.join(" "))
}

fn quota(state: &State) -> String {
    let storage = state.quota.map_or_else(String::new, |(used, limit)| format!("STORAGE {used} {limit}"));
    format!("* QUOTA \"User\" ({storage})\r\n")
}

/// APPEND with one message or several (RFC 3502); all or none.
fn append(state: &mut State, command: &Command) -> Answer {
    let name = decoded(&command.text(0));
    let Some(mailbox) = find(state, &name).filter(|mailbox| mailbox.selectable()) else {
        return Err("NO [TRYCREATE] there is no such mailbox".to_owned());
    };
    let mut new = Vec::new();
    let (mut flags, mut date) = (Vec::new(), None);
    for argument in &command.arguments[1..] {
        match argument {
            Value::List(values) => flags = values.iter().map(Value::text).collect(),
            Value::Atom(_) => return Err("BAD APPEND wants flags, a date and a literal".to_owned()),
            Value::String(bytes) => match InternalDate::parse(&argument.text()).filter(|_| date.is_none()) {
                Some(given) => date = Some(given),
                None => {
                    // A fixed day where none is given: nothing here depends on the clock.
                    let date = date.take().unwrap_or(InternalDate { unix_seconds: 1_700_000_000, zone_minutes: 0 });
                    new.push((bytes.clone(), date, std::mem::take(&mut flags)));
                }
            },
        }
    }
    if new.is_empty() {
        return Err("BAD APPEND without a message".to_owned());
    }
    let uids: Vec<String> = new
        .into_iter()
        .map(|(bytes, date, flags)| {
            let flags = mailbox.permitted(flags);
            mailbox.push(bytes, date, flags).to_string()
        })
        .collect();
    Ok((Vec::new(), format!("[APPENDUID {} {}] appended", mailbox.uid_validity, uids.join(","))))
}
