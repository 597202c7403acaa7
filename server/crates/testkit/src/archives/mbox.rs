//! mbox in its kinds, Google's Takeout and Thunderbird's tree of folders.

use std::io;
use std::path::Path;

/// How lines that look like separators are kept from being taken for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quoting {
    /// mboxo: `From ` becomes `>From `, which nothing can undo for certain.
    Once,
    /// mboxrd: one `>` more on every line of `>`s before `From `.
    Each,
    /// mboxcl: as mboxrd, and a Content-Length.
    Counted,
    /// mboxcl2: not at all; only Content-Length tells.
    CountedOnly,
}

/// Messages in one file, with LF line ends, each behind a separator of the given second and as many as are asked for.
#[must_use]
pub fn mbox(quoting: Quoting, messages: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for (number, message) in messages.iter().enumerate() {
        let second = number % 60;
        out.extend_from_slice(format!("From ana@example.test Thu Feb 29 12:00:{second:02} 2024\n").as_bytes());
        out.extend_from_slice(&one(quoting, message));
        out.push(b'\n');
    }
    out
}

fn one(quoting: Quoting, message: &[u8]) -> Vec<u8> {
    let text = unix(message);
    let head = text.windows(2).position(|pair| pair == b"\n\n").map_or(text.len(), |at| at + 1);
    let (head, body) = text.split_at(head);
    let mut quoted = Vec::with_capacity(body.len());
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let bare = line.iter().take_while(|byte| **byte == b'>').count();
        let quote = match quoting {
            Quoting::Once => line.starts_with(b"From "),
            Quoting::Each | Quoting::Counted => line[bare..].starts_with(b"From "),
            Quoting::CountedOnly => false,
        };
        if quote {
            quoted.push(b'>');
        }
        quoted.extend_from_slice(line);
    }
    let mut out = head.to_vec();
    if matches!(quoting, Quoting::Counted | Quoting::CountedOnly) {
        // The blank line before the body is not counted.
        out.extend_from_slice(format!("Content-Length: {}\n", quoted.len().saturating_sub(1)).as_bytes());
    }
    out.extend_from_slice(&quoted);
    out
}

/// With LF line ends.
#[must_use]
pub fn unix(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len());
    for (at, byte) in message.iter().enumerate() {
        if *byte != b'\r' || message.get(at + 1) != Some(&b'\n') {
            out.push(*byte);
        }
    }
    out
}

/// An mbox as Google's Takeout writes it: labels in a header field, separators with a thread's number.
#[must_use]
pub fn takeout(messages: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (number, (labels, message)) in messages.iter().enumerate() {
        let thread = 1_844_000_000_000_000_000_u64 + number as u64;
        out.extend_from_slice(format!("From {thread}@xxx Thu Feb 29 12:00:00 +0000 2024\r\n").as_bytes());
        out.extend_from_slice(format!("X-GM-THRID: {thread}\r\nX-Gmail-Labels: {labels}\r\n").as_bytes());
        out.extend_from_slice(message);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// Thunderbird's local folders: `Name` holds mail, `Name.sbd` what lies below it, `Name.msf` an index.
///
/// # Errors
/// Where it cannot be written.
pub fn thunderbird(root: &Path, folders: &[(&str, Vec<u8>)]) -> io::Result<()> {
    std::fs::create_dir_all(root)?;
    for (path, mbox) in folders {
        let mut levels: Vec<&str> = path.split('/').collect();
        let name = levels.pop().unwrap_or_default();
        let mut dir = root.to_path_buf();
        for level in levels {
            dir.push(format!("{level}.sbd"));
        }
        std::fs::create_dir_all(&dir)?;
        std::fs::write(dir.join(name), mbox)?;
        std::fs::write(dir.join(format!("{name}.msf")), "// <!-- <mdb:mork:z v=\"1.4\"/> -->\n")?;
    }
    Ok(())
}
