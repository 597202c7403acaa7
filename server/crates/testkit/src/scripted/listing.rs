//! What is told of mailboxes without opening them: LIST, LSUB, STATUS, quota; and CREATE.

use super::command::Command;
use super::session::{Answer, decoded, done, mailbox};
use super::{Mailbox, State};
use crate::wire::{Value, mutf7_encode, quote};

pub(super) fn list(state: &State, command: &Command) -> Answer {
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
    let extended = options > 0 || command.arguments.len() > 2;
    if extended && !state.offers("LIST-EXTENDED") && !state.offers("LIST-STATUS") {
        return Err("BAD LIST takes a reference and a pattern".to_owned());
    }
    let returns = command.arguments.get(options + 3).map(Value::list).unwrap_or_default();
    let status_items = returns
        .iter()
        .position(|option| option.bytes().eq_ignore_ascii_case(b"STATUS"))
        .and_then(|at| returns.get(at + 1))
        .map(Value::list);
    if status_items.is_some() && !state.offers("LIST-STATUS") {
        return Err("BAD the option STATUS is not known here".to_owned());
    }
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
            lines += &status(state, mailbox, items);
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

pub(super) fn status_of(state: &mut State, command: &Command) -> Answer {
    let name = state.own_name(decoded(&command.text(0)));
    let items = command.arguments.get(1).map(Value::list).unwrap_or_default();
    if !mailbox(state, &name)?.selectable() {
        return Err("NO the mailbox cannot be selected".to_owned());
    }
    let found = state.mailboxes.iter().find(|mailbox| mailbox.name == name);
    done(found.map(|mailbox| status(state, mailbox, items)).unwrap_or_default())
}

fn status(state: &State, mailbox: &Mailbox, items: &[Value]) -> String {
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
                "HIGHESTMODSEQ" if state.offers("CONDSTORE") => mailbox.highest_modseq().to_string(),
                "APPENDLIMIT" => state.append_limit().map_or_else(|| "NIL".to_owned(), |limit| limit.to_string()),
                _ => return None,
            };
            Some(format!("{name} {value}"))
        })
        .collect();
    format!("* STATUS {} ({})\r\n", quote(&mutf7_encode(&mailbox.name)), values.join(" "))
}

pub(super) fn create(state: &mut State, name: &str) -> Answer {
    let name = name.trim_end_matches(state.separator).to_owned();
    if let Some(refusal) = state.quirky_name(&name) {
        return Err(refusal);
    }
    if state.mailboxes.iter().any(|mailbox| mailbox.name == name && mailbox.selectable()) {
        return Err("NO [ALREADYEXISTS] the mailbox exists".to_owned());
    }
    state.mailboxes.retain(|mailbox| mailbox.name != name);
    let mut mailbox = Mailbox::new(name);
    mailbox.uid_validity = state.validity;
    if let Some(permanent) = &state.permanent_flags {
        mailbox.permanent_flags.clone_from(permanent);
    }
    mailbox.settle();
    state.mailboxes.push(mailbox);
    done("")
}

pub(super) fn quota_root(state: &mut State, name: &str) -> Answer {
    mailbox(state, name)?;
    done(format!("* QUOTAROOT {} \"User\"\r\n{}", quote(&mutf7_encode(name)), quota(state)))
}

pub(super) fn quota(state: &State) -> String {
    let storage = state.quota.map_or_else(String::new, |(_, limit)| format!("STORAGE {} {limit}", state.used_kib()));
    format!("* QUOTA \"User\" ({storage})\r\n")
}
