//! readpst of libpst: a PST's items as files, one for each.
//!
//! Its exit code says nothing of its completeness (it is 0 for damaged files as well) and its count of "items done"
//! includes folders: what it really wrote is counted in its directory, by whoever reads that.

use crate::{Ended, Exit, Limits, Line, Program};
use std::{ffi::OsString, path::Path, time::Duration};

/// How much of the disk is left free, whatever a file claims to hold.
const ROOM: u64 = 1 << 30;

/// A call of readpst that writes every item of a PST below a directory, as `FOLDER/N.eml`, `N.vcf`, `N.ics`.
///
/// `-j 0` because its parallel mode loses messages without a word, `-D` because it leaves out deleted items otherwise,
/// `-e` because its recursive mode gives up at a folder that is named `mbox`.
#[must_use]
pub fn extract(readpst: &Path, pst: &Path, into: &Path, work: &Path) -> Program {
    let arguments: [OsString; 7] =
        ["-e".into(), "-D".into(), "-j".into(), "0".into(), "-o".into(), into.into(), pst.into()];
    Program {
        limits: Limits {
            time: Duration::from_secs(24 * 60 * 60),
            // It prints a line for each folder; one folder of a large file takes its time.
            silence: Some(Duration::from_secs(4 * 60 * 60)),
            output: 256 << 20,
            memory: Some(8 << 30),
            // No message is larger.
            file: Some(4 << 30),
            log: 16 << 20,
        },
        room: Some(ROOM),
        ..Program::new(readpst, arguments, work)
    }
}

/// What readpst says of a folder.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Said {
    /// The folder's own name, without those above it.
    pub folder: String,
    /// What it calls done: items written, and folders below.
    pub done: u64,
    /// What it calls skipped: no loss by itself, but items of kinds that it does not write are among them.
    pub skipped: u64,
}

/// What readpst printed, as it comes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Its figures, folder by folder, in the order in which it finished them.
    pub folders: Vec<Said>,
    /// The folder that it works on.
    pub at: Option<String>,
    /// Lines that are no progress, which it prints on its standard output too: its complaints. At most
    /// [`COMPLAINTS`](Self::COMPLAINTS).
    pub complaints: Vec<String>,
    /// How many there were in all.
    pub complained: u64,
}

impl Report {
    /// How many complaints are kept.
    pub const COMPLAINTS: usize = 1000;

    /// Takes a line.
    pub fn take(&mut self, line: &Line) {
        let text = line.text.trim();
        if let Some(rest) = text.strip_prefix("Processing Folder \"") {
            self.at = Some(rest.trim_end_matches('"').to_owned());
        } else if let Some(said) = said(text) {
            self.folders.push(said);
        } else if !text.is_empty() && text != "Opening PST file and indexes..." {
            self.complained += 1;
            if self.complaints.len() < Self::COMPLAINTS {
                self.complaints.push(text.to_owned());
            }
        }
    }
}

/// `"Inbox" - 9 items done, 2 items skipped.`; a name may have any character in it.
fn said(text: &str) -> Option<Said> {
    let (name, figures) = text.strip_prefix('"')?.rsplit_once("\" - ")?;
    let (done, skipped) = figures.strip_suffix(" items skipped.")?.split_once(" items done, ")?;
    Some(Said { folder: name.to_owned(), done: done.parse().ok()?, skipped: skipped.parse().ok()? })
}

/// Why its output cannot be used at all, in a sentence; `None` where it ended as it does when it has read the file.
#[must_use]
pub fn failure(ended: &Ended, report: &Report) -> Option<String> {
    let last = report.complaints.last().map(|words| format!(" It said: {words}")).unwrap_or_default();
    match (ended.stopped, ended.exit) {
        (None, Exit::Code(0)) => None,
        (Some(_), _) => Some(format!("readpst was stopped before it had read the whole file.{last}")),
        (None, exit) => Some(format!(
            "readpst ended with {exit} and has not read the file.{last} Take the built-in reader (tool native), which \
             reads damaged files too."
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Stop, Stream};

    fn report(lines: &[&str]) -> Report {
        let mut report = Report::default();
        for text in lines {
            report.take(&Line { stream: Stream::Out, text: (*text).to_owned() });
        }
        report
    }

    #[test]
    fn its_figures_are_read_folder_by_folder() {
        let report = report(&[
            "Opening PST file and indexes...",
            "Processing Folder \"Inbox\"",
            "Processing Folder \"A \"quoted\" - name\"",
            "\t\"A \"quoted\" - name\" - 3 items done, 1 items skipped.",
            "\t\"Inbox\" - 9 items done, 2 items skipped.",
        ]);
        let said = |folder: &str, done, skipped| Said { folder: folder.to_owned(), done, skipped };
        assert_eq!(report.folders, [said("A \"quoted\" - name", 3, 1), said("Inbox", 9, 2)]);
        assert_eq!(report.complained, 0);
    }

    #[test]
    fn everything_else_that_it_prints_is_a_complaint() {
        let lines: Vec<String> = (0..2000).map(|n| format!("read_from_file: tell {n}")).collect();
        let report = report(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!((report.complained, report.complaints.len()), (2000, Report::COMPLAINTS));
    }

    #[test]
    fn an_end_that_is_no_success_has_a_sentence() {
        let ended = |exit, stopped| Ended { exit, stopped, left_running: 0 };
        let spoken = report(&["Error opening File"]);
        assert_eq!(failure(&ended(Exit::Code(0), None), &spoken), None);
        let failed = failure(&ended(Exit::Code(1), None), &spoken).expect("a failure");
        assert!(failed.contains("exit code 1") && failed.contains("Error opening File"), "{failed}");
        assert!(failure(&ended(Exit::Signal(11), None), &spoken).is_some_and(|s| s.contains("signal 11")));
        assert!(failure(&ended(Exit::Code(0), Some(Stop::Time)), &spoken).is_some_and(|s| s.contains("stopped")));
    }
}
