//! A message as an entry of an mbox, so that it is read again without loss: the `From ` line of RFC 4155 with its date in
//! UTC, flags and keywords in the fields that mail programs keep them in, quoting as in mboxrd (each line of the body
//! that begins with `From ` behind any number of `>` gets one more), and an empty line at the end.
//!
//! A line of the header that begins with `From ` is quoted too, and stays so: readers take quoting off in bodies alone.
//!
//! Lines end with LF, as RFC 4155 asks. A message whose line ends would be others when it is read again (a signed part
//! with LF alone) stands as it is, behind a `From ` line that ends with CRLF, by which our reader knows it.

use gatepost_transfer::{Flags, InternalDate};
use memchr::{memchr, memchr_iter};
use std::io::{self, Write};
use time::OffsetDateTime;

/// Fields in which programs keep what belongs to the mbox and not to the message. A message that brings one of its own
/// has it under another name, as formail does it: it would be read as its state, its length or its folders.
const OWNED: [&str; 13] = [
    "Status",
    "X-Status",
    "X-Keywords",
    "X-UID",
    "X-IMAP",
    "X-IMAPbase",
    "X-Mozilla-Status",
    "X-Mozilla-Status2",
    "X-Mozilla-Keys",
    "X-Gmail-Labels",
    "X-Unsent",
    "Content-Length",
    "Lines",
];
/// What is put in front of its name then.
const OLD: &[u8] = b"Old-";
/// Where a line of keywords is folded.
const FOLD: usize = 72;
/// The longest address that a `From ` line names (RFC 5321 section 4.5.3.1.3).
const LONGEST_ADDRESS: usize = 254;

/// Which line ends a message has, told piece by piece.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LineEnds {
    last: [u8; 2],
    other: bool,
}

impl LineEnds {
    /// Takes the next bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        if self.other || bytes.is_empty() {
            return;
        }
        let before = |at: usize, back: usize| match at.checked_sub(back) {
            Some(at) => bytes[at],
            None => self.last[2 + at - back],
        };
        // "\r\r\n" would be read as "\r\n".
        let other = memchr_iter(b'\n', bytes).any(|at| before(at, 1) != b'\r' || before(at, 2) == b'\r');
        let last = [before(bytes.len(), 2), before(bytes.len(), 1)];
        (self.other, self.last) = (other, last);
    }

    /// Whether each line ends with CRLF, so that LF alone can stand for it.
    pub(crate) const fn are_plain(self) -> bool {
        // The line end that is added would go with a CR at the end.
        !self.other && self.last[1] != b'\r'
    }
}

/// The line in front of a message, and its flags; `head` is the beginning of the message, which begins with a field, `lf`
/// how lines end.
pub(crate) fn opening(date: InternalDate, flags: &Flags, head: &[u8], lf: bool) -> Vec<u8> {
    let end = if lf { "\n" } else { "\r\n" };
    let mut text = format!("From {} {}{end}", sender(head).unwrap_or("MAILER-DAEMON"), asctime(date));
    // It always begins with a field: what is no header in the message does not make it no message.
    text.push_str(if flags.contains("\\Seen") { "Status: RO" } else { "Status: O" });
    text.push_str(end);
    let letters = [("\\Answered", 'A'), ("\\Flagged", 'F'), ("\\Draft", 'T'), ("\\Deleted", 'D')];
    let letters: String = letters.iter().filter(|(flag, _)| flags.contains(flag)).map(|(_, letter)| letter).collect();
    if !letters.is_empty() {
        text.push_str("X-Status: ");
        text.push_str(&letters);
        text.push_str(end);
    }
    let mut line = 0;
    for keyword in flags.iter().filter(|flag| !flag.starts_with('\\')) {
        let begin = match line {
            0 => "X-Keywords: ".to_owned(),
            n if n + 1 + keyword.len() > FOLD => format!("{end} "),
            _ => " ".to_owned(),
        };
        line = if begin.ends_with("\n ") { 1 } else { line + begin.len() } + keyword.len();
        text.push_str(&begin);
        text.push_str(keyword);
    }
    if line > 0 {
        text.push_str(end);
    }
    text.into_bytes()
}

/// The date as asctime writes it, in UTC (RFC 4155 appendix A).
fn asctime(date: InternalDate) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let at = OffsetDateTime::from_unix_timestamp(date.seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let day = DAYS[usize::from(at.weekday().number_days_from_monday())];
    let month = MONTHS[usize::from(u8::from(at.month()) - 1)];
    let (hour, minute, second) = at.to_hms();
    format!("{day} {month} {:2} {hour:02}:{minute:02}:{second:02} {:04}", at.day(), at.year())
}

/// The address that a message was sent from: of its Return-Path, else of its From field.
fn sender(head: &[u8]) -> Option<&str> {
    let (mut from, mut at) = (None, 0);
    while at < head.len() {
        let start = at;
        // With the lines that go on with it.
        loop {
            at = memchr(b'\n', &head[at..]).map_or(head.len(), |n| at + n + 1);
            if !matches!(head.get(at), Some(b' ' | b'\t')) {
                break;
            }
        }
        let field = &head[start..at];
        if matches!(field, b"\n" | b"\r\n") {
            break;
        }
        if is_named(field, "Return-Path") {
            if let Some(address) = address(field) {
                return Some(address);
            }
        } else if from.is_none() && is_named(field, "From") {
            from = address(field);
        }
    }
    from
}

/// The address in a field: in its last angle brackets, else its only word.
fn address(field: &[u8]) -> Option<&str> {
    let value = field[memchr(b':', field)? + 1..].trim_ascii();
    let bare = match memchr::memrchr(b'<', value) {
        Some(at) => &value[at + 1..memchr(b'>', &value[at..]).map(|n| at + n)?],
        None => value,
    };
    // Only what can be taken for nothing else than one word: no comment, no quotes, no second address.
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.@".contains(b);
    let fits = bare.len() <= LONGEST_ADDRESS && bare.iter().all(plain);
    let (local, domain) = std::str::from_utf8(bare).ok().filter(|_| fits)?.split_once('@')?;
    // Gmail's own separators name a number at "xxx".
    (!local.is_empty() && !domain.is_empty() && !domain.contains('@') && domain != "xxx")
        .then(|| std::str::from_utf8(bare).ok())?
}

fn is_named(line: &[u8], name: &str) -> bool {
    line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()))
        && line[name.len()..].trim_ascii_start().starts_with(b":")
}

/// Writes a message behind its opening.
pub(crate) struct Quoted<W> {
    out: W,
    lf: bool,
    header: bool,
    /// Whether a line has begun.
    within: bool,
    /// A CR at the end of what was taken, that may be the first half of a line's end.
    cr: bool,
}

impl<W: Write> Quoted<W> {
    /// Writes to `out`, lines with LF where `lf` says so, else as they are.
    pub(crate) const fn new(out: W, lf: bool) -> Self {
        Self { out, lf, header: true, within: false, cr: false }
    }

    /// Takes the next bytes: all of them, or lines. A line in pieces is quoted by its first, which must be longer than
    /// any quoting that is to be kept.
    pub(crate) fn take(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let end = memchr(b'\n', bytes);
            let (line, rest) = bytes.split_at(end.map_or(bytes.len(), |at| at + 1));
            self.line(line, end.is_some())?;
            bytes = rest;
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8], ended: bool) -> io::Result<()> {
        if !self.within {
            self.begin(line)?;
        }
        if std::mem::take(&mut self.cr) && line != b"\n" {
            self.out.write_all(b"\r")?;
        }
        self.within = !ended;
        if !self.lf {
            return self.out.write_all(line);
        }
        if let Some(text) = line.strip_suffix(b"\r\n") {
            self.out.write_all(text)?;
            return self.out.write_all(b"\n");
        }
        self.cr = !ended && line.ends_with(b"\r");
        self.out.write_all(&line[..line.len() - usize::from(self.cr)])
    }

    /// What stands in front of a line.
    fn begin(&mut self, line: &[u8]) -> io::Result<()> {
        match line.first() {
            Some(b'\n') => self.header = false,
            Some(b'\r') if line == b"\r\n" => self.header = false,
            Some(b'>') if !self.header => {
                let quotes = line.iter().take_while(|b| **b == b'>').count();
                if line[quotes..].starts_with(b"From ") {
                    self.out.write_all(b">")?;
                }
            }
            Some(b'F') if line.starts_with(b"From ") => self.out.write_all(b">")?,
            Some(_) if self.header && OWNED.iter().any(|name| is_named(line, name)) => self.out.write_all(OLD)?,
            _ => {}
        }
        Ok(())
    }

    /// Ends the message: with a line's end and, where it had no body, with the end of its header; then the empty line.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        let end: &[u8] = if self.lf { b"\n" } else { b"\r\n" };
        if self.within {
            self.out.write_all(end)?;
        }
        if self.header {
            self.out.write_all(end)?;
        }
        self.out.write_all(end)
    }
}

#[cfg(test)]
mod tests {
    use super::super::MboxStore;
    use super::*;
    use crate::containers::section::Section;
    use crate::testing::{SeenMessage, read};
    use gatepost_transfer::FolderPath;
    use proptest::prelude::*;

    const DATE: InternalDate = InternalDate { seconds: 1_709_208_000, zone_minutes: 0 };

    /// An mbox of these messages, each taken in pieces of so many bytes.
    fn mbox(messages: &[Vec<u8>], flags: &Flags, piece: usize) -> Vec<u8> {
        let mut all = Vec::new();
        for message in messages {
            let mut ends = LineEnds::default();
            message.chunks(piece).for_each(|piece| ends.update(piece));
            all.extend(opening(DATE, flags, message, ends.are_plain()));
            let mut quoted = Quoted::new(&mut all, ends.are_plain());
            // As from a file: lines, and long ones in pieces.
            for line in message.split_inclusive(|b| *b == b'\n') {
                line.chunks(piece.max(64)).for_each(|piece| quoted.take(piece).unwrap());
            }
            quoted.finish().unwrap();
        }
        all
    }

    fn back(mbox: &[u8]) -> Vec<SeenMessage> {
        let mut store = MboxStore::new(Section::of_bytes(mbox.to_vec()), FolderPath::new(["x"]));
        let seen = read(&mut store).unwrap();
        assert!(seen.losses.is_empty() && seen.unreadable.is_empty(), "{:?} {:?}", seen.losses, seen.unreadable);
        seen.messages
    }

    /// What was read without what the mbox has added.
    fn without_own(bytes: &[u8]) -> Vec<u8> {
        let own =
            |line: &&[u8]| ["Status: ", "X-Status: ", "X-Keywords: "].iter().any(|f| line.starts_with(f.as_bytes()));
        let added = bytes.split_inclusive(|b| *b == b'\n').take_while(own).map(<[u8]>::len).sum::<usize>();
        let (mut out, mut header) = (Vec::new(), true);
        for line in bytes[added..].split_inclusive(|b| *b == b'\n') {
            header &= !matches!(line, b"\n" | b"\r\n");
            out.extend_from_slice(if header { line.strip_prefix(OLD).unwrap_or(line) } else { line });
        }
        out
    }

    /// A message that ends its header and its last line.
    fn ended(message: &[u8]) -> Vec<u8> {
        let mut out = message.to_vec();
        if !out.is_empty() && !out.ends_with(b"\n") {
            out.extend_from_slice(b"\r\n");
        }
        if !out.split(|b| *b == b'\n').rev().skip(1).any(|line| matches!(line, b"" | b"\r")) {
            out.extend_from_slice(b"\r\n");
        }
        out
    }

    fn check(messages: &[Vec<u8>], piece: usize) {
        let written = mbox(messages, &Flags::default(), piece);
        let read: Vec<Vec<u8>> = back(&written).iter().map(|m| without_own(&m.bytes)).collect();
        let wanted: Vec<Vec<u8>> = messages.iter().map(|m| ended(m)).collect();
        let text = |all: &[Vec<u8>]| all.iter().map(|m| String::from_utf8_lossy(m).into_owned()).collect::<Vec<_>>();
        assert_eq!(text(&read), text(&wanted), "{:?}", String::from_utf8_lossy(&written));
    }

    #[test]
    fn a_message_comes_back_as_it_was() {
        let cases: [&[u8]; 12] = [
            b"A: 1\r\n\r\nFrom x\r\n>From y\r\n>>From z\r\n> From\r\nFrom:\r\n",
            b"A: 1\r\n\r\nx\r\n\r\nFrom a@b.test Thu Feb 29 12:00:00 2024\r\nSubject: y\r\n\r\nz\r\n",
            b"Status: R\r\nx-status: F\r\nContent-Length : 4\r\nX-Gmail-Labels: Work\r\nX-Keywords: a\r\n b\r\n\r\nx\r\n",
            b"A: 1\r\n\r\nStatus: of the body\r\n",
            b"A: 1\r\n\r\n",
            b"A: 1\r\n",
            b"A: 1",
            b"A: 1\r\n\r\nx",
            b"A: 1\r\n\r\nx\r",
            b"A: 1\r\n\r\nx\n>From y\nFrom z\r\n\r\r\n",
            b"A: 1\r\n\r\nx\r\n\r\n\r\n",
            b"A: 1\n\nx\n\n",
        ];
        for case in cases {
            check(&[case.to_vec()], 7);
        }
        check(&cases.map(<[u8]>::to_vec), 1_000);
    }

    #[test]
    fn a_line_in_pieces_is_quoted_as_one() {
        let long = [&b"A: 1\r\n\r\n"[..], &[b'>'; 10], b"From ", &[b'x'; 300], b"\r\n", &[b'y'; 127], b"\r\n"].concat();
        check(&[long], 64);
    }

    #[test]
    fn flags_keywords_and_the_date_come_back() {
        let many: Vec<String> = (0..100).map(|n| format!("Categoria-{n}")).collect();
        for flags in [
            "",
            "\\Seen",
            "\\Answered \\Deleted \\Draft \\Flagged",
            "\\Seen $Forwarded Urgente Cafe_da_manha",
            &many.join(" "),
        ] {
            let flags = Flags::from(flags);
            for seconds in [0, 1_709_208_000, 4_102_444_800] {
                let date = InternalDate { seconds, zone_minutes: -180 };
                let mut written = opening(date, &flags, b"", true);
                assert!(written.split(|b| *b == b'\n').all(|line| line.len() < 80));
                let mut quoted = Quoted::new(&mut written, true);
                quoted.take(b"Status: RO\r\nX-Unsent: 1\r\n\r\nx\r\n").unwrap();
                quoted.finish().unwrap();
                let read = back(&written);
                assert_eq!((&read[0].found.flags, read[0].found.internal_date.seconds), (&flags, seconds));
                assert_eq!(read[0].found.note, None);
            }
        }
    }

    #[test]
    fn the_line_in_front_names_the_sender_in_one_word() {
        let cases = [
            ("From: Ana <ana@example.test>\r\n\r\n", "ana@example.test"),
            ("Return-Path: <bounce@list.test>\r\nFrom: ana@example.test\r\n", "bounce@list.test"),
            ("Return-Path: <>\r\nfrom : ana@example.test\r\n", "ana@example.test"),
            ("From: \"Ana, a longa\"\r\n <ana@example.test>\r\n", "ana@example.test"),
            ("From: \"a b\"@example.test\r\n", "MAILER-DAEMON"),
            ("From: Ana (at home) ana@example.test\r\n", "MAILER-DAEMON"),
            ("From: <ana@[10.0.0.1]>\r\n", "MAILER-DAEMON"),
            ("From: <1@xxx>\r\n", "MAILER-DAEMON"),
            ("X: 1\r\n\r\nFrom: ana@example.test\r\n", "MAILER-DAEMON"),
            ("", "MAILER-DAEMON"),
        ];
        for (head, sender) in cases {
            let line = String::from_utf8(opening(DATE, &Flags::default(), head.as_bytes(), true)).unwrap();
            assert_eq!(line, format!("From {sender} Thu Feb 29 12:00:00 2024\nStatus: O\n"), "{head}");
        }
        let date = InternalDate { seconds: 833_806_227, zone_minutes: 0 };
        assert_eq!(asctime(date), "Mon Jun  3 12:50:27 1996");
    }

    proptest! {
        #[test]
        fn any_messages_come_back(
            messages in prop::collection::vec((
                prop::collection::vec(prop_oneof![
                    Just("A: 1\r\n"), Just("Status: R\r\n"), Just(" more\r\n"), Just("b: \n"), Just("Lines:3\r\n"),
                ], 0..4),
                prop::collection::vec(prop_oneof![
                    Just("From "), Just(">"), Just(">>From a@b.test Mon Jun  3 12:50:27 1996\r\n"), Just("\r\n"),
                    Just("From a@b.test Mon Jun  3 12:50:27 1996\r\nA: 1\r\n"), Just("\n"), Just("\r"), Just("x"),
                ], 0..12),
            ), 1..4),
            piece in 1_usize..40,
        ) {
            let messages: Vec<Vec<u8>> =
                messages.iter().map(|(head, body)| format!("A: 0\r\n{}\r\n{}", head.concat(), body.concat()).into()).collect();
            check(&messages, piece);
        }
    }
}
