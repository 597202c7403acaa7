//! FETCH items of one message, sequence sets, and the header lines that were asked for.

use std::ops::RangeInclusive;

use super::mailbox::StoredMessage;
use crate::wire::Value;

/// A sequence set such as `1:3,7,10:*`, where `*` is `last`.
pub(super) fn parse_set(set: &str, last: u32) -> Option<Vec<RangeInclusive<u32>>> {
    let number = |text: &str| if text == "*" { Some(last) } else { text.parse().ok().filter(|&number| number > 0) };
    set.split(',')
        .map(|part| {
            let (from, to) = part.split_once(':').unwrap_or((part, part));
            let (from, to) = (number(from)?, number(to)?);
            Some(from.min(to)..=from.max(to))
        })
        .collect()
}

/// Whether a set contains a number.
pub(super) fn contains(set: &[RangeInclusive<u32>], number: u32) -> bool {
    set.iter().any(|range| range.contains(&number))
}

/// UIDs as a set, ascending: `1:3,7`.
pub(super) fn write_set(uids: &[u32]) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for &uid in uids {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == uid => *last = uid,
            _ => ranges.push((uid, uid)),
        }
    }
    let shown: Vec<String> = ranges
        .into_iter()
        .map(|(from, to)| if from == to { from.to_string() } else { format!("{from}:{to}") })
        .collect();
    shown.join(",")
}

/// The names of the items asked for: a list, one atom, or a macro.
pub(super) fn items(argument: &Value) -> Vec<String> {
    let names: Vec<String> = match argument {
        Value::List(values) => values.iter().map(Value::text).collect(),
        Value::Atom(_) | Value::String(_) => vec![argument.text()],
    };
    match names.as_slice() {
        [one] if one.eq_ignore_ascii_case("FAST") => vec!["FLAGS".into(), "INTERNALDATE".into(), "RFC822.SIZE".into()],
        _ => names,
    }
}

/// Whether reading this item sets `\Seen`.
pub(super) fn marks_seen(item: &str) -> bool {
    let upper = item.to_ascii_uppercase();
    upper.starts_with("BODY[") || upper == "RFC822" || upper == "RFC822.TEXT"
}

/// Writes `name value` of one item; `None` when the server does not know it.
pub(super) fn write_item(message: &StoredMessage, item: &str, out: &mut Vec<u8>) -> Option<()> {
    let upper = item.to_ascii_uppercase();
    match upper.as_str() {
        "UID" => out.extend_from_slice(format!("UID {}", message.uid).as_bytes()),
        "FLAGS" => out.extend_from_slice(format!("FLAGS ({})", message.flags.join(" ")).as_bytes()),
        "INTERNALDATE" => out.extend_from_slice(format!("INTERNALDATE \"{}\"", message.date).as_bytes()),
        "RFC822.SIZE" => out.extend_from_slice(format!("RFC822.SIZE {}", message.bytes.len()).as_bytes()),
        "MODSEQ" => out.extend_from_slice(format!("MODSEQ ({})", message.modseq).as_bytes()),
        "RFC822" => literal("RFC822", &message.bytes, out),
        "RFC822.HEADER" => literal("RFC822.HEADER", split(&message.bytes).0, out),
        "RFC822.TEXT" => literal("RFC822.TEXT", split(&message.bytes).1, out),
        _ => {
            let rest = upper.strip_prefix("BODY.PEEK[").or_else(|| upper.strip_prefix("BODY["))?;
            let (section, partial) = rest.split_once(']')?;
            let (header, text) = split(&message.bytes);
            let fields;
            let part: &[u8] = match section {
                "" => &message.bytes,
                "HEADER" => header,
                "TEXT" => text,
                _ => {
                    fields = header_fields(header, section)?;
                    &fields
                }
            };
            let mut name = format!("BODY[{section}]");
            let mut part = part;
            if let Some(range) = partial.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')) {
                let (start, count) = range.split_once('.')?;
                let (start, count): (usize, usize) = (start.parse().ok()?, count.parse().ok()?);
                let from = start.min(part.len());
                part = &part[from..from.saturating_add(count).min(part.len())];
                name.push_str(&format!("<{start}>"));
            }
            literal(&name, part, out);
        }
    }
    Some(())
}

fn literal(name: &str, bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{name} {{{}}}\r\n", bytes.len()).as_bytes());
    out.extend_from_slice(bytes);
}

/// Header with its empty line, and body.
fn split(message: &[u8]) -> (&[u8], &[u8]) {
    if message.starts_with(b"\r\n") {
        return message.split_at(2);
    }
    let end = message.windows(4).position(|window| window == b"\r\n\r\n").map_or(message.len(), |at| at + 4);
    message.split_at(end)
}

/// `HEADER.FIELDS (A B)` and `HEADER.FIELDS.NOT (A B)`; the section comes in upper case.
fn header_fields(header: &[u8], section: &str) -> Option<Vec<u8>> {
    let (not, names) = match section.strip_prefix("HEADER.FIELDS.NOT ") {
        Some(names) => (true, names),
        None => (false, section.strip_prefix("HEADER.FIELDS ")?),
    };
    let names = names.trim().strip_prefix('(')?.strip_suffix(')')?;
    let names: Vec<String> = names.split_ascii_whitespace().map(|name| name.trim_matches('"').to_owned()).collect();
    let mut chosen = Vec::new();
    let mut keep = false;
    for line in header.split_inclusive(|&byte| byte == b'\n') {
        if line == b"\r\n" {
            break;
        }
        if !line.starts_with(b" ") && !line.starts_with(b"\t") {
            let name = line.split(|&byte| byte == b':').next().unwrap_or_default();
            let name = String::from_utf8_lossy(name).trim().to_ascii_uppercase();
            keep = names.contains(&name) != not;
        }
        if keep {
            chosen.extend_from_slice(line);
        }
    }
    chosen.extend_from_slice(b"\r\n");
    Some(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::date::InternalDate;

    #[test]
    fn items_are_written_as_a_server_writes_them() {
        let message = StoredMessage {
            uid: 7,
            bytes: b"A: 1\r\nMessage-ID:\r\n <x@y>\r\nB: 2\r\n\r\nbody".to_vec(),
            date: InternalDate { unix_seconds: 0, zone_minutes: -210 },
            flags: vec!["\\Seen".into(), "x".into()],
            modseq: 4,
        };
        for (item, expected) in [
            ("uid", "UID 7"),
            ("MODSEQ", "MODSEQ (4)"),
            ("FLAGS", "FLAGS (\\Seen x)"),
            ("INTERNALDATE", "INTERNALDATE \"31-Dec-1969 20:30:00 -0330\""),
            ("BODY.PEEK[TEXT]", "BODY[TEXT] {4}\r\nbody"),
            ("BODY.PEEK[]<3.4>", "BODY[]<3> {4}\r\n1\r\nM"),
            ("BODY.PEEK[]<900.4>", "BODY[]<900> {0}\r\n"),
            (
                "BODY.PEEK[HEADER.FIELDS (Message-Id)]",
                "BODY[HEADER.FIELDS (MESSAGE-ID)] {23}\r\nMessage-ID:\r\n <x@y>\r\n\r\n",
            ),
            (
                "BODY.PEEK[HEADER.FIELDS.NOT (Message-Id)]",
                "BODY[HEADER.FIELDS.NOT (MESSAGE-ID)] {14}\r\nA: 1\r\nB: 2\r\n\r\n",
            ),
        ] {
            let mut out = Vec::new();
            write_item(&message, item, &mut out).expect(item);
            assert_eq!(String::from_utf8_lossy(&out), expected);
        }
        assert_eq!(write_item(&message, "X-UNKNOWN", &mut Vec::new()), None);
    }

    #[test]
    fn sets_know_the_star_in_both_orders() {
        let set = parse_set("2,*:5", 9).expect("a set");
        let chosen: Vec<u32> = (1..=10).filter(|&number| contains(&set, number)).collect();
        assert_eq!(chosen, [2, 5, 6, 7, 8, 9]);
        assert_eq!(parse_set("0", 9), None);
        assert_eq!(parse_set("a:b", 9), None);
        assert_eq!(write_set(&[1, 2, 3, 7, 9, 10]), "1:3,7,9:10");
    }
}
