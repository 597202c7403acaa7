//! What doveadm prints, and what its exit codes mean (doveadm(1) and sysexits(3)).

use crate::{Ended, Exit, Line, Stop, Stream};

/// How many lines are kept.
const LINES: usize = 20;

/// What doveadm complained of, as it comes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Its standard output, for commands that answer. At most [`ANSWERS`](Self::ANSWERS) lines.
    pub answers: Vec<String>,
    /// The last of its errors and warnings, without what stands in front of them.
    pub errors: Vec<String>,
    /// Messages that `copy` names as not copied: their UIDs at the source, and why. It copies those behind them. At most
    /// [`ANSWERS`](Self::ANSWERS).
    pub failed: Vec<(u32, String)>,
}

impl Report {
    /// How many lines of an answer are kept.
    pub const ANSWERS: usize = 10_000;

    /// Takes a line; gives it back without its prefix where it is an error.
    pub fn take(&mut self, line: &Line) -> Option<&str> {
        let text = line.text.trim_end();
        if line.stream == Stream::Out {
            if self.answers.len() < Self::ANSWERS {
                self.answers.push(text.to_owned());
            }
            return None;
        }
        // `doveadm(ana@example.com)<123><…>: Error: words`; a backtrace is of no use to anybody who reads this.
        let words = [" Error: ", " Fatal: ", " Panic: ", "Fatal: ", "Error: ", " Warning: "]
            .into_iter()
            .find_map(|mark| text.find(mark).map(|at| &text[at + mark.len()..]));
        let words = match words {
            Some(words) if words.starts_with("Raw backtrace") => return None,
            Some(words) => words.trim(),
            None if text.contains(": Info: ") || text.contains(": Debug: ") || text.trim().is_empty() => return None,
            None => text.trim(),
        };
        if self.failed.len() < Self::ANSWERS {
            self.failed.extend(not_copied(words));
        }
        if self.errors.len() == LINES {
            self.errors.remove(0);
        }
        self.errors.push(words.to_owned());
        self.errors.last().map(String::as_str)
    }

    fn has(&self, words: &str) -> bool {
        self.errors.iter().any(|line| line.contains(words))
    }

    fn words(&self) -> String {
        self.errors.last().map(|words| format!(" It said: {words}")).unwrap_or_default()
    }
}

/// `Copying message UID 5 from 'gatepost-source/Obras' failed: words`; a folder's name may have anything in it.
fn not_copied(words: &str) -> Option<(u32, String)> {
    let (uid, rest) = words.strip_prefix("Copying message UID ")?.split_once(" from '")?;
    let (_, why) = rest.rsplit_once("' failed: ")?;
    Some((uid.parse().ok()?, why.to_owned()))
}

/// Messages, next UID and UIDVALIDITY of a folder, from what [`super::Doveadm::status`] prints. `None` where it tells
/// nothing of that folder: the name in the command may have meant others too.
#[must_use]
pub fn status(answers: &[String], folder: &str) -> Option<(u64, u64, u64)> {
    let mut lines = answers.iter().map(|line| line.split('\t').collect::<Vec<_>>());
    let head = lines.next()?;
    let column = |name: &str| head.iter().position(|column| *column == name);
    let (mailbox, columns) = (column("mailbox")?, [column("messages")?, column("uidnext")?, column("uidvalidity")?]);
    let row = lines.find(|row| row.get(mailbox) == Some(&folder))?;
    let number = |at: usize| row.get(at)?.parse().ok();
    Some((number(columns[0])?, number(columns[1])?, number(columns[2])?))
}

/// How a call of doveadm ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// With code 0. What it has done is another question.
    Fine,
    /// 2 or 75: the same call may end well a little later.
    Again(String),
    /// 73: the new mailbox has no room.
    Full(String),
    /// Nothing that this program is asked for can work before somebody has changed something.
    Hopeless(String),
    /// This call has failed; another one may do better.
    Failed(String),
}

impl End {
    /// What a call's end means, from its exit code and its words.
    #[must_use]
    pub fn of(ended: &Ended, report: &Report) -> Self {
        let words = report.words();
        if report.has("Error reading configuration")
            || report.has("Error in configuration")
            || report.has("Unknown setting")
        {
            return Self::Hopeless(format!(
                "doveadm cannot read its settings: MIGRATION_DOVEADM_CONFIG must name the configuration of the new \
                 server's Dovecot (2.3), and Gatepost must be allowed to read it.{words}"
            ));
        }
        let code = match (ended.stopped, ended.exit) {
            (Some(Stop::Cancelled), _) => return Self::Failed("doveadm was stopped.".to_owned()),
            (Some(_), _) => return Self::Failed(format!("doveadm went on for too long and was stopped.{words}")),
            (None, Exit::Signal(signal)) => {
                return Self::Failed(format!("doveadm died of signal {signal} in the middle of its work.{words}"));
            }
            (None, Exit::Code(code)) => code,
        };
        match code {
            0 => Self::Fine,
            2 => Self::Again(format!(
                "The mailbox changed while doveadm worked on it (exit code 2), so that not everything may have come.{words}"
            )),
            75 => Self::Again(format!("doveadm met something that may pass (exit code 75).{words}")),
            73 => Self::Full(format!(
                "The new mailbox is full (exit code 73): raise its quota, then start the run again.{words}"
            )),
            77 => Self::Hopeless(format!(
                "doveadm was refused access (exit code 77): by the old server, or by this machine, where it must run as a \
                 user who may read Dovecot's auth-userdb socket and write the mail.{words}"
            )),
            67 => Self::Hopeless(format!(
                "The new server's Dovecot knows no such user (exit code 67). Correct the log-in name at the new server, or \
                 make the mailbox.{words}"
            )),
            64 => Self::Hopeless(format!(
                "doveadm did not understand its command (exit code 64): it is of another version than 2.3.{words}"
            )),
            78 => Self::Hopeless(format!("doveadm's settings are wrong (exit code 78).{words}")),
            126 | 127 => Self::Hopeless(format!(
                "doveadm could not be started (exit code {code}). `gatepost doctor` says what is missing.{words}"
            )),
            68 => Self::Failed(format!("doveadm did not find the folder or the server (exit code 68).{words}")),
            code => Self::Failed(format!("doveadm ended with exit code {code}.{words}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(lines: &[&str]) -> Report {
        let mut report = Report::default();
        for text in lines {
            report.take(&Line { stream: Stream::Err, text: (*text).to_owned() });
        }
        report
    }

    fn ended(exit: Exit) -> Ended {
        Ended { exit, stopped: None, left_running: 0 }
    }

    #[test]
    fn errors_are_told_without_their_prefix_and_information_is_none() {
        let report = report(&[
            "doveadm(ana@example.com): Info: imapc(127.0.0.1:24143): Connected to 127.0.0.1:24143",
            "dsync(ana@example.com)<12><x>: Warning: imapc(127.0.0.1:1): connect failed - reconnecting",
            "dsync(ana@example.com): Panic: file lib-event.c: line 506: assertion failed",
            "dsync(ana@example.com): Error: Raw backtrace: #0 t_askpass",
            "Fatal: Error reading configuration: stat(/nonexistent) failed",
        ]);
        assert_eq!(
            report.errors,
            [
                "imapc(127.0.0.1:1): connect failed - reconnecting",
                "file lib-event.c: line 506: assertion failed",
                "Error reading configuration: stat(/nonexistent) failed"
            ]
        );
    }

    #[test]
    fn messages_that_were_not_copied_are_named() {
        let report = report(&[
            "doveadm(a): Error: Copying message UID 5 from 'x/It's' failed: y' failed: Mail size is larger than allowed",
            "doveadm(a): Error: Copying message UID x from 'INBOX' failed: nonsense",
            "doveadm(a): Error: Copying message UID 7",
        ]);
        assert_eq!(report.failed, [(5, "Mail size is larger than allowed".to_owned())]);
        assert_eq!(report.errors.len(), 3);
    }

    #[test]
    fn every_exit_code_is_said_plainly() {
        type Is = fn(&End) -> bool;
        let table: [(Exit, &str, Is); 10] = [
            (Exit::Code(0), "", |e| matches!(e, End::Fine)),
            (Exit::Code(2), "changed while", |e| matches!(e, End::Again(_))),
            (Exit::Code(75), "may pass", |e| matches!(e, End::Again(_))),
            (Exit::Code(73), "full", |e| matches!(e, End::Full(_))),
            (Exit::Code(77), "refused access", |e| matches!(e, End::Hopeless(_))),
            (Exit::Code(67), "no such user", |e| matches!(e, End::Hopeless(_))),
            (Exit::Code(68), "did not find", |e| matches!(e, End::Failed(_))),
            (Exit::Code(64), "another version", |e| matches!(e, End::Hopeless(_))),
            (Exit::Code(65), "exit code 65", |e| matches!(e, End::Failed(_))),
            (Exit::Signal(6), "signal 6", |e| matches!(e, End::Failed(_))),
        ];
        for (exit, words, is) in table {
            let end = End::of(&ended(exit), &report(&["doveadm(a): Error: some words"]));
            assert!(is(&end), "{exit}: {end:?}");
            let (End::Again(s) | End::Full(s) | End::Hopeless(s) | End::Failed(s)) = &end else { continue };
            assert!(s.contains(words) && s.ends_with("It said: some words"), "{s}");
        }
    }

    #[test]
    fn settings_that_cannot_be_read_are_no_passing_trouble_whatever_the_code_says() {
        let end = End::of(&ended(Exit::Code(75)), &report(&["Fatal: Error reading configuration: stat(/x) failed"]));
        assert!(matches!(&end, End::Hopeless(s) if s.contains("MIGRATION_DOVEADM_CONFIG")), "{end:?}");
    }

    #[test]
    fn the_status_of_the_very_folder_is_taken() {
        let answers: Vec<String> =
            ["mailbox\tmessages\tuidnext\tuidvalidity", "P100\t9\t10\t5", "P%\t3\t4\t7"].map(str::to_owned).to_vec();
        assert_eq!(status(&answers, "P%"), Some((3, 4, 7)));
        assert_eq!(status(&answers, "P"), None);
        assert_eq!(status(&[], "P"), None);
        assert_eq!(status(&["nonsense".to_owned()], "P"), None);
    }
}
