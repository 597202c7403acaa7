//! imap_upload.py: appends the messages of one mbox to one folder of an IMAP account.
//!
//! Its exit code is 0 even when every message was refused; its last line holds the figures. It does not verify a
//! certificate, so it is only ever given an address on this machine: whoever calls it carries the connection on, with
//! the certificate verified.

use crate::{Ended, Limits, Line, Program, Stop, Stream};
use std::{ffi::OsString, net::SocketAddr, path::Path, time::Duration};

/// Starts the script with a password from standard input. By itself it asks on a terminal, and without one it fails, for it
/// has replaced the stream that Python's `getpass` then warns on.
const LAUNCHER: &str = "import getpass, runpy, sys\n\
    getpass.getpass = lambda *prompt, **more: sys.stdin.readline().rstrip('\\n')\n\
    del sys.argv[0]\n\
    runpy.run_path(sys.argv[0], run_name='__main__')\n";

/// A call of imap_upload.py for one folder.
#[derive(Clone, Copy, Debug)]
pub struct Upload<'a> {
    /// The script.
    pub script: &'a Path,
    /// Where it connects, without TLS.
    pub server: SocketAddr,
    /// Who logs in.
    pub user: &'a str,
    /// The folder, as the server writes it, decoded.
    pub folder: &'a str,
    /// The mbox.
    pub mbox: &'a Path,
    /// The mbox that gets what is refused.
    pub errors: &'a Path,
}

impl Upload<'_> {
    /// The program. The password goes in by standard input.
    #[must_use]
    pub fn program(&self, password: &str, work: &Path) -> Program {
        let python = "/usr/bin/python3";
        let arguments: Vec<OsString> = vec![
            // Unbuffered, so that its lines come when they are printed; the script before its options.
            "-u".into(),
            "-c".into(),
            LAUNCHER.into(),
            self.script.into(),
            format!("--host={}", self.server.ip()).into(),
            format!("--port={}", self.server.port()).into(),
            format!("--user={}", self.user).into(),
            format!("--box={}", self.folder).into(),
            "--retry=3".into(),
            {
                let mut option = OsString::from("--error=");
                option.push(self.errors);
                option
            },
            self.mbox.into(),
        ];
        Program {
            environment: vec![("PYTHONIOENCODING".to_owned(), "utf-8".into())],
            input: Some(format!("{password}\n").into_bytes()),
            limits: Limits {
                time: Duration::from_secs(24 * 60 * 60),
                silence: Some(Duration::from_secs(30 * 60)),
                output: 1 << 30,
                memory: Some(8 << 30),
                file: None,
                log: 16 << 20,
            },
            ..Program::new(Path::new(python), arguments, work)
        }
    }
}

/// What the script says of its work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Figures {
    /// Messages that it says were stored.
    pub ok: u64,
    /// Messages that were too large, where that counts as a warning.
    pub warning: u64,
    /// Messages that were refused.
    pub error: u64,
}

/// What imap_upload.py printed, as it comes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Messages that it has begun, and how many it has counted.
    pub progress: Option<(u64, u64)>,
    /// The last line's figures; without them it did not come to its end.
    pub figures: Option<Figures>,
    /// Refused messages: their number in the mbox from 1, and why. At most [`REFUSALS`](Self::REFUSALS).
    pub refusals: Vec<(u64, String)>,
    /// The last other line: what it complained of where it ended early.
    pub last_words: Option<String>,
}

impl Report {
    /// How many refusals are kept.
    pub const REFUSALS: usize = 10_000;

    /// Takes a line.
    pub fn take(&mut self, line: &Line) {
        let text = line.text.trim();
        if let Some(figures) = figures(text) {
            self.figures = Some(figures);
        } else if let Some((number, total, rest)) = message(text) {
            self.progress = Some((number, total));
            if let Some(why) = rest.rsplit_once("ERROR (").map(|(_, why)| why.trim_end_matches(')'))
                && self.refusals.len() < Self::REFUSALS
            {
                self.refusals.push((number, why.to_owned()));
            }
        } else if !text.is_empty() && !is_prompt(text, line.stream) {
            self.last_words = Some(text.to_owned());
        }
    }
}

/// `Done. (OK: 3, WARNING: 0, ERROR: 1)`
fn figures(text: &str) -> Option<Figures> {
    let inside = text.strip_prefix("Done. (")?.strip_suffix(')')?;
    let mut numbers = inside.split(", ").map(|part| part.split_once(": ").and_then(|(_, n)| n.parse().ok()));
    let figures = Figures { ok: numbers.next()??, warning: numbers.next()??, error: numbers.next()?? };
    numbers.next().is_none().then_some(figures)
}

/// ` 1/30 131.0 B   subject   OK (1 sec)`
fn message(text: &str) -> Option<(u64, u64, &str)> {
    let (number, rest) = text.split_once('/')?;
    let (total, rest) = rest.split_once(' ')?;
    Some((number.trim().parse().ok()?, total.parse().ok()?, rest))
}

/// What Python says when it reads a password without a terminal.
fn is_prompt(text: &str, stream: Stream) -> bool {
    stream == Stream::Err && (text.contains("GetPassWarning") || text.contains("Password") || text.contains("getpass"))
}

/// How the upload of one mbox ended, in a sentence where it is not whole.
#[must_use]
pub fn failure(ended: &Ended, report: &Report) -> Option<String> {
    let last = report.last_words.as_ref().map(|words| format!(" It said: {words}")).unwrap_or_default();
    match (ended.stopped, report.figures) {
        (Some(Stop::Cancelled), _) => Some("imap_upload.py was stopped.".to_owned()),
        (Some(_), _) => Some(format!("imap_upload.py went on for too long and was stopped.{last}")),
        (None, None) => Some(format!("imap_upload.py ended with {} before it was through.{last}", ended.exit)),
        (None, Some(figures)) if figures.error + figures.warning > 0 => {
            Some(format!("imap_upload.py says that {} messages were refused.", figures.error + figures.warning))
        }
        (None, Some(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Exit;

    fn report(lines: &[(Stream, &str)]) -> Report {
        let mut report = Report::default();
        for (stream, text) in lines {
            report.take(&Line { stream: *stream, text: (*text).to_owned() });
        }
        report
    }

    const ENDED: Ended = Ended { exit: Exit::Code(0), stopped: None, left_running: 0 };

    #[test]
    fn the_truth_is_in_its_last_line() {
        let report = report(&[
            (Stream::Out, "IMAP Upload (v2.0.0)"),
            (Stream::Err, "/usr/lib/python3.11/getpass.py:91: GetPassWarning: Can not control echo on the terminal."),
            (Stream::Out, "Connecting to 127.0.0.1:4143."),
            (Stream::Out, " 1/30 131.0 B   Olá                             OK (1 sec)"),
            (Stream::Out, " 2/30   4.2 MB  ERROR (or so)                  ERROR (b'[TOOBIG] too large')"),
            (Stream::Out, "Done. (OK: 29, WARNING: 0, ERROR: 1)"),
        ]);
        assert_eq!(report.figures, Some(Figures { ok: 29, warning: 0, error: 1 }));
        assert_eq!(report.refusals, [(2, "b'[TOOBIG] too large'".to_owned())]);
        assert!(failure(&ENDED, &report).is_some_and(|s| s.contains("1 messages were refused")));
    }

    #[test]
    fn an_end_without_figures_is_no_success() {
        let early = report(&[(Stream::Out, "IMAP4 error: b'[AUTHENTICATIONFAILED]'")]);
        let sentence = failure(&ENDED, &early).expect("a failure");
        assert!(sentence.contains("AUTHENTICATIONFAILED"), "{sentence}");
        assert!(failure(&ENDED, &Report::default()).is_some());
        let whole = report(&[(Stream::Out, "Done. (OK: 3, WARNING: 0, ERROR: 0)")]);
        assert_eq!(failure(&ENDED, &whole), None);
    }

    #[test]
    fn the_password_is_on_no_command_line() {
        let upload = Upload {
            script: Path::new("/opt/imap_upload.py"),
            server: ([127, 0, 0, 1], 4143).into(),
            user: "ana@example.com",
            folder: "Sent Items",
            mbox: Path::new("/w/1.mbox"),
            errors: Path::new("/w/errors.mbox"),
        };
        let program = upload.program("open sesame", Path::new("/w"));
        assert!(program.arguments.iter().all(|a| !a.to_string_lossy().contains("sesame")));
        assert!(!format!("{program:?}").contains("sesame"));
        assert_eq!(program.input.as_deref(), Some(b"open sesame\n".as_slice()));
    }
}
