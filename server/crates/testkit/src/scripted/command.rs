//! One command as received: how it is recorded, and whether it could have changed anything.

use crate::wire::{Segment, Value, parse_values};

/// A command with its arguments.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) tag: String,
    /// Upper case; `UID FETCH` is one name.
    pub(super) name: String,
    pub(super) arguments: Vec<Value>,
    /// As recorded and as rules see it.
    pub(super) shown: String,
}

impl Command {
    /// `None` for a line that is no command.
    pub(super) fn parse(segments: Vec<Segment>) -> Option<Command> {
        let mut values = parse_values(segments)?.into_iter();
        let tag = values.next()?.text();
        let mut name = values.next()?.text().to_ascii_uppercase();
        let mut arguments: Vec<Value> = values.collect();
        if name == "UID" && !arguments.is_empty() {
            name = format!("UID {}", arguments.remove(0).text().to_ascii_uppercase());
        }
        let mut shown = name.clone();
        for (at, argument) in arguments.iter().enumerate() {
            shown.push(' ');
            let secret = match name.as_str() {
                "LOGIN" => at == 1,
                "AUTHENTICATE" => at >= 1,
                _ => false,
            };
            if secret {
                shown.push_str("***");
            } else {
                show(argument, name == "APPEND" && at > 0, &mut shown);
            }
        }
        Some(Command { tag, name, arguments, shown })
    }

    pub(super) fn text(&self, at: usize) -> String {
        self.arguments.get(at).map(Value::text).unwrap_or_default()
    }
}

/// Dates are short strings, messages are not: a string in an APPEND that is no date is shown by its size.
fn show(value: &Value, in_append: bool, out: &mut String) {
    match value {
        Value::String(bytes) if in_append && crate::date::InternalDate::parse(&value.text()).is_none() => {
            out.push_str(&format!("{{{}}}", bytes.len()));
        }
        Value::List(values) => {
            out.push('(');
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    out.push(' ');
                }
                show(value, in_append, out);
            }
            out.push(')');
        }
        Value::Atom(_) | Value::String(_) => out.push_str(&value.text()),
    }
}

/// Whether a recorded command leaves mailboxes as they are.
pub(super) fn only_reads(shown: &str) -> bool {
    const READING: [&str; 18] = [
        "CAPABILITY",
        "NOOP",
        "LOGOUT",
        "LOGIN",
        "AUTHENTICATE",
        "STARTTLS",
        "ID",
        "ENABLE",
        "NAMESPACE",
        "LIST",
        "LSUB",
        "EXAMINE",
        "STATUS",
        "GETQUOTAROOT",
        "GETQUOTA",
        "UID SEARCH",
        "SEARCH",
        "UNSELECT",
    ];
    let begins = |name: &str| shown == name || shown.strip_prefix(name).is_some_and(|rest| rest.starts_with(' '));
    if begins("FETCH") || begins("UID FETCH") {
        // BODY[…] without PEEK and the old RFC822, RFC822.TEXT set \Seen (RFC 3501 section 6.4.5).
        let upper = shown.to_ascii_uppercase();
        return !upper.contains("BODY[")
            && !upper
                .split([' ', '(', ')'])
                .any(|item| matches!(item, "RFC822" | "RFC822.TEXT") || item.starts_with("BINARY["));
    }
    READING.iter().any(|name| begins(name)) || begins("IDLE") || begins("DONE")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(segments: Vec<Segment>) -> Command {
        Command::parse(segments).expect("a command")
    }

    #[test]
    fn a_record_shows_no_password_and_no_message() {
        let login = command(vec![Segment::Text(b"a LOGIN \"ana\" \"se cret\"".to_vec())]);
        assert_eq!(login.shown, "LOGIN ana ***");
        let plain = command(vec![Segment::Text(b"a AUTHENTICATE PLAIN AGFuYQBzZWNyZXQ=".to_vec())]);
        assert_eq!(plain.shown, "AUTHENTICATE PLAIN ***");
        let append = command(vec![
            Segment::Text(b"a append \"Itens\" (\\Seen x) \"17-Jul-1996 02:44:25 -0700\" ".to_vec()),
            Segment::Literal(b"Subject: x".to_vec()),
            Segment::Text(Vec::new()),
        ]);
        assert_eq!(append.shown, "APPEND Itens (\\Seen x) 17-Jul-1996 02:44:25 -0700 {10}");
    }

    #[test]
    fn only_peeking_commands_count_as_reading() {
        for (shown, reads) in [
            ("EXAMINE INBOX", true),
            ("SELECT INBOX", false),
            ("UID FETCH 1:* (UID FLAGS BODY.PEEK[])", true),
            ("UID FETCH 1:* (BODY[])", false),
            ("FETCH 1 RFC822", false),
            ("UID FETCH 1 (RFC822.SIZE BODYSTRUCTURE)", true),
            ("UID STORE 1 +FLAGS (\\Seen)", false),
            ("APPEND INBOX {3}", false),
            ("IDENTIFY", false),
            ("LISTRIGHTS", false),
            ("CLOSE", false),
            ("EXPUNGE", false),
        ] {
            assert_eq!(only_reads(shown), reads, "{shown}");
        }
    }
}
