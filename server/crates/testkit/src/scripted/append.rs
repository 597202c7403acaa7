//! APPEND with one message or several (RFC 3502): all or none. And the server's consent to literals, which a server
//! may refuse before they are sent (RFC 7888 section 4, RFC 7889).

use super::State;
use super::command::Command;
use super::impersonate::Quirk;
use super::input::Consent;
use super::session::{Answer, decoded, find};
use crate::date::InternalDate;
use crate::wire::{Segment, Value, parse_values};

/// The largest literal that LITERAL- lets pass unasked (RFC 7888 section 5).
const LITERAL_MINUS: usize = 4096;

/// What the server says to a literal.
pub(super) fn consent(state: &mut State, line: &[Segment], size: usize, plus: bool) -> Consent {
    if plus {
        let offered = state.offers("LITERAL+") || state.offers("LITERAL-") && size <= LITERAL_MINUS;
        return if offered { Consent::Take } else { Consent::Close("such literals were not offered".to_owned()) };
    }
    let Some(values) = parse_values(line.to_vec()).filter(|values| values.len() > 2) else { return Consent::GoAhead };
    if !values[1].bytes().eq_ignore_ascii_case(b"APPEND") {
        return Consent::GoAhead;
    }
    if let Some(refusal) = state.faults.as_mut().and_then(super::faults::Faults::at_literal) {
        return Consent::Refuse(refusal);
    }
    let before: usize = line
        .iter()
        .map(|segment| match segment {
            Segment::Literal(bytes) => bytes.len(),
            Segment::Text(_) => 0,
        })
        .sum();
    let name = state.own_name(decoded(&values[2].text()));
    if find(state, &name).is_none_or(|mailbox| !mailbox.selectable()) {
        return Consent::Refuse("NO [TRYCREATE] there is no such mailbox".to_owned());
    }
    if state.append_limit().is_some_and(|limit| size > limit) {
        return Consent::Refuse("NO [TOOBIG] the message is too large".to_owned());
    }
    if state.quota.is_some() && state.room() < before + size {
        return Consent::Refuse("NO [OVERQUOTA] the account is full".to_owned());
    }
    Consent::GoAhead
}

pub(super) fn append(state: &mut State, command: &Command) -> Answer {
    let name = state.own_name(decoded(&command.text(0)));
    if find(state, &name).is_none_or(|mailbox| !mailbox.selectable()) {
        return Err("NO [TRYCREATE] there is no such mailbox".to_owned());
    }
    let new = messages(command)?;
    for (bytes, date, flags) in &new {
        if let Some(refusal) = state.quirky_refusal(&name, bytes, date.unix_seconds, flags) {
            return Err(refusal);
        }
    }
    if new.len() > 1 && !state.offers("MULTIAPPEND") {
        return Err("BAD one message at a time".to_owned());
    }
    refusal(state, &new)?;
    let tells_uids = state.offers("UIDPLUS");
    let mut uids = Vec::with_capacity(new.len());
    for (bytes, date, flags) in new {
        let bytes = state.kept(bytes);
        let known = state.has(Quirk::DropsDuplicates)
            && find(state, &name).is_some_and(|mailbox| mailbox.messages.iter().any(|old| old.bytes == bytes));
        let dropped = state.shows(Quirk::DropsDuplicates, known);
        let Some(mailbox) = find(state, &name) else { break };
        let flags = mailbox.permitted(flags);
        uids.push(mailbox.push(bytes, date, flags));
        if dropped {
            mailbox.messages.pop();
        }
    }
    state.arrived(&name, &uids);
    let Some(mailbox) = find(state, &name) else { return Err("NO [TRYCREATE] there is no such mailbox".to_owned()) };
    mailbox.settle();
    let code = if tells_uids {
        format!("[APPENDUID {} {}] ", mailbox.uid_validity, super::fetch::write_set(&uids))
    } else {
        String::new()
    };
    Ok((Vec::new(), format!("{code}appended")))
}

type New = (Vec<u8>, InternalDate, Vec<String>);

/// The messages of an APPEND with their dates and flags.
fn messages(command: &Command) -> Result<Vec<New>, String> {
    let mut new = Vec::new();
    let (mut flags, mut date) = (Vec::new(), None);
    for argument in command.arguments.iter().skip(1) {
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
    if new.is_empty() { Err("BAD APPEND without a message".to_owned()) } else { Ok(new) }
}

/// Why the messages are not taken, where one of them cannot be.
fn refusal(state: &mut State, new: &[New]) -> Result<(), String> {
    let limit = state.append_limit();
    let bare =
        |bytes: &[u8]| bytes.iter().enumerate().any(|(at, &byte)| byte == b'\n' && (at == 0 || bytes[at - 1] != b'\r'));
    for (bytes, ..) in new {
        if limit.is_some_and(|limit| bytes.len() > limit) {
            return Err("NO [TOOBIG] the message is too large".to_owned());
        }
        if state.refuses_nul && bytes.contains(&0) {
            return Err("NO the message contains NUL characters".to_owned());
        }
        if state.refuses_bare_lf && bare(bytes) {
            return Err("NO the message contains bare newlines".to_owned());
        }
    }
    if let Some(faults) = state.faults.as_mut().filter(|faults| faults.full_for > 0) {
        faults.full_for -= 1;
        faults.count(super::FaultKind::QuotaFull);
        return Err("NO [OVERQUOTA] the account is full".to_owned());
    }
    let size: usize = new.iter().map(|(bytes, ..)| bytes.len()).sum();
    if state.quota.is_some() && state.room() < size {
        return Err("NO [OVERQUOTA] the account is full".to_owned());
    }
    Ok(())
}
