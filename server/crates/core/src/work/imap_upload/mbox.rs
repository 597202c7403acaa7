//! Messages on their way into an mbox, as Python's `mailbox` reads one: `From ` lines end a message wherever they stand,
//! so that lines of a message that look like one are quoted (mboxrd).

use gatepost_transfer::{Digester, Digests, Fault, FaultKind, Incoming, LedgerRow, Source, UidSet};
use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};
use time::{OffsetDateTime, macros::format_description};
use tokio::sync::mpsc;

/// An mbox that is being written, or nothing where only digests are wanted.
pub(super) struct Mbox {
    out: Option<BufWriter<File>>,
    /// Why the last message could not be given.
    why: Option<String>,
}

impl Mbox {
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        Ok(Self { out: Some(BufWriter::new(file)), why: None })
    }

    pub const fn sink() -> Self {
        Self { out: None, why: None }
    }

    /// Why the last message could not be given.
    pub fn why(&self) -> Option<&str> {
        self.why.as_deref()
    }

    /// Adds a message of the open folder; `None` where the source does not give it.
    pub async fn add(&mut self, source: &mut dyn Source, row: &LedgerRow) -> Result<Option<Digests>, Fault> {
        self.why = None;
        let (ask, wanted) = mpsc::channel(1);
        let (out, mut incoming) = mpsc::channel(8);
        let asking = async move {
            let _ = ask.send([row.uid].into_iter().collect::<UidSet>()).await;
        };
        let taking = async {
            let (mut digester, mut quoting, mut whole) = (Digester::new(), Quoting::default(), false);
            while let Some(piece) = incoming.recv().await {
                match piece {
                    Incoming::Begin { .. } => {
                        if let Some(out) = &mut self.out {
                            writeln!(out, "From gatepost {}", asctime(row.internal_date.seconds))?;
                        }
                    }
                    Incoming::Data(bytes) => {
                        digester.update(&bytes);
                        if let Some(out) = &mut self.out {
                            quoting.write(&bytes, out)?;
                        }
                    }
                    Incoming::End => {
                        if let Some(out) = &mut self.out {
                            quoting.end(out)?;
                        }
                        whole = true;
                    }
                    Incoming::Gone { .. } => {}
                    Incoming::Unreadable { words, .. } => self.why = Some(words),
                }
            }
            Ok::<_, io::Error>(whole.then(|| digester.finish()))
        };
        let (fetched, (), taken) = tokio::join!(source.fetch(wanted, out), asking, taking);
        let failed =
            |cause| Fault::new(FaultKind::Internal, "An mbox could not be written. Is the disk full?").because(cause);
        let taken = taken.map_err(failed)?;
        fetched.map(|()| taken)
    }

    pub fn finish(self) -> io::Result<()> {
        match self.out {
            Some(mut out) => out.flush(),
            None => Ok(()),
        }
    }
}

/// `Thu Jan  1 00:00:00 1970`, in UTC; a date that cannot be written so is the beginning of time.
fn asctime(seconds: i64) -> String {
    let format = format_description!(
        "[weekday repr:short] [month repr:short] [day padding:space] [hour]:[minute]:[second] [year]"
    );
    let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    at.format(format).unwrap_or_else(|_| "Thu Jan  1 00:00:00 1970".to_owned())
}

/// Line ends become LF, and a line that begins with any number of `>` and `From ` gets one `>` more.
#[derive(Default)]
struct Quoting {
    /// The beginning of a line, as long as it may turn out to need quoting.
    held: Vec<u8>,
    within: bool,
    after_cr: bool,
}

impl Quoting {
    fn write(&mut self, bytes: &[u8], out: &mut impl Write) -> io::Result<()> {
        for &byte in bytes {
            if std::mem::take(&mut self.after_cr) && byte != b'\n' {
                self.byte(b'\r', out)?;
            }
            match byte {
                b'\r' => self.after_cr = true,
                b'\n' => {
                    self.give(out)?;
                    out.write_all(b"\n")?;
                    self.within = false;
                }
                other => self.byte(other, out)?,
            }
        }
        Ok(())
    }

    fn byte(&mut self, byte: u8, out: &mut impl Write) -> io::Result<()> {
        if self.within {
            return out.write_all(&[byte]);
        }
        self.held.push(byte);
        let letters = self.held.iter().skip_while(|b| **b == b'>').count();
        let rest = &self.held[self.held.len() - letters..];
        if rest == b"From " {
            out.write_all(b">")?;
            return self.give(out);
        }
        // A line of nothing but `>` is not held for ever.
        if b"From ".starts_with(rest) && self.held.len() < 4096 { Ok(()) } else { self.give(out) }
    }

    fn give(&mut self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(&self.held)?;
        self.held.clear();
        self.within = true;
        Ok(())
    }

    /// Ends the message with an empty line.
    fn end(&mut self, out: &mut impl Write) -> io::Result<()> {
        if std::mem::take(&mut self.after_cr) {
            self.byte(b'\r', out)?;
        }
        let ended = !self.within && self.held.is_empty();
        self.give(out)?;
        self.within = false;
        out.write_all(if ended { b"\n" } else { b"\n\n" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_would_part_a_message_are_quoted_however_the_bytes_come() {
        for (text, expect) in [
            ("a\r\nFrom b\r\n", "a\n>From b\n\n"),
            (">From x\r\n>>From y\r\n>Frown\r\n", ">>From x\n>>>From y\n>Frown\n\n"),
            ("From", "From\n\n"),
            ("x From y\n\n", "x From y\n\n\n"),
            ("a\rb\r", "a\rb\r\n\n"),
            ("", "\n"),
        ] {
            for step in [1, 2, 3, 100] {
                let (mut quoting, mut out) = (Quoting::default(), Vec::new());
                for piece in text.as_bytes().chunks(step) {
                    quoting.write(piece, &mut out).expect("memory");
                }
                quoting.end(&mut out).expect("memory");
                assert_eq!(String::from_utf8_lossy(&out), expect, "{text:?} by {step}");
            }
        }
    }

    #[test]
    fn dates_are_written_as_mbox_has_them() {
        assert_eq!(asctime(0), "Thu Jan  1 00:00:00 1970");
        assert_eq!(asctime(1_308_700_000), "Tue Jun 21 23:46:40 2011");
        assert_eq!(asctime(i64::MAX), "Thu Jan  1 00:00:00 1970");
    }
}
