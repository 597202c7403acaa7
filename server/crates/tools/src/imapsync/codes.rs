//! How imapsync ended, in sentences. With errors its exit code is that of the most frequent kind, so that what it says
//! besides is looked at too.

use super::{Report, Task, Trouble};
use crate::{Ended, Exit, Stop};

/// Why imapsync did not come to a good end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What happened, and what to do.
    pub sentence: String,
    /// Whether the same once more may end well, without anybody doing anything.
    pub again: bool,
}

impl Failure {
    fn new(sentence: impl Into<String>, again: bool) -> Self {
        Self { sentence: sentence.into(), again }
    }
}

/// Why it did not come to a good end, where it did not.
#[must_use]
pub fn failure(ended: &Ended, report: &Report, task: Task) -> Option<Failure> {
    if let Some(stop) = ended.stopped {
        return Some(match stop {
            Stop::Cancelled => Failure::new("imapsync was stopped.", true),
            Stop::Time => Failure::new("imapsync took longer than a run may take, and was stopped.", true),
            Stop::Silence => Failure::new(
                "imapsync said nothing for too long, and was stopped. One of the servers may not answer any more.",
                true,
            ),
            Stop::Output => {
                Failure::new("imapsync printed more than it should ever have to say, and was stopped.", false)
            }
            Stop::Room => Failure::new("imapsync left too little room on the disk, and was stopped.", false),
        });
    }
    let last = report.last_complaint().map(|words| format!(" It said: {words}")).unwrap_or_default();
    let code = match ended.exit {
        Exit::Code(code) => code,
        Exit::Signal(signal) => {
            return Some(Failure::new(
                format!("imapsync was ended by signal {signal} before it was through.{last}"),
                true,
            ));
        }
    };
    if code == 0 {
        return incomplete(report, task);
    }
    if is_told_by_messages(code, report) {
        return None;
    }
    let (what, again) = meaning(code);
    let mut sentence = format!("imapsync ended with code {code}: {what}");
    if code != 113 && report.refused.iter().any(|r| r.trouble == Trouble::Quota) {
        sentence.push_str(" The account at the destination is full as well.");
    }
    sentence.push_str(&last);
    // Refused messages are named one by one, and the next run leaves them out.
    let again = again || report.refused.iter().any(|r| r.trouble == Trouble::Lost) && code != 113;
    Some(Failure { sentence, again })
}

/// Whether all that went wrong is that messages were refused, each of which is named.
fn is_told_by_messages(code: i32, report: &Report) -> bool {
    let named = report.refused.iter().filter(|r| !matches!(r.trouble, Trouble::Quota | Trouble::Lost)).count() as u64;
    let Some(statistics) = &report.statistics else { return false };
    matches!(code, 111 | 114 | 115 | 119)
        && statistics.folders_done == statistics.folders_total
        && named == report.refused.len() as u64
        && report.complaints.is_empty()
        && statistics.errors.is_some_and(|errors| errors <= named)
}

/// What a code of 0 hides.
fn incomplete(report: &Report, task: Task) -> Option<Failure> {
    if report.exit.is_none() {
        return Some(Failure::new(
            "imapsync ended without its last line: it may have been ended by something else.",
            true,
        ));
    }
    if task != Task::Copy {
        return None;
    }
    let Some(statistics) = &report.statistics else {
        return Some(Failure::new("imapsync ended without its figures: nobody knows how far it came.", true));
    };
    match (statistics.folders_done, statistics.folders_total) {
        (Some(done), Some(total)) if done < total => Some(Failure::new(
            format!("imapsync left off after {done} of {total} folders; it lost a connection, as a rule."),
            true,
        )),
        _ => None,
    }
}

/// What a code means and what to do, and whether the same once more may end well.
#[must_use]
pub(super) fn meaning(code: i32) -> (&'static str, bool) {
    match code {
        6 => ("it was ended by a signal.", true),
        7 => ("it was asked to end.", true),
        8 => ("another imapsync is at work in its directory.", true),
        10 | 101 | 102 => ("it could not connect.", true),
        12 => ("TLS could not be agreed on.", false),
        16 | 161 | 162 => ("a log-in was refused.", false),
        21 => ("a folder is not at the source.", false),
        64 => ("it does not know one of its options. Install version 2.229 or later.", false),
        66 => ("it could not read one of its files.", false),
        69 | 70 => ("it failed inside. Its log says more.", false),
        111 => ("some messages failed; each is named.", false),
        112 => ("so many messages failed that it gave up; those that it named are in quarantine.", true),
        113 => ("the account at the destination is full. Make room there, then start the run again.", false),
        114 => ("the destination refused messages; each is named.", false),
        115 => ("the source did not deliver messages; each is named.", false),
        116 => ("a folder could not be made at the destination.", false),
        117 => ("a folder could not be opened.", false),
        118 => ("it reached the limit of what it may transfer.", true),
        119 => ("the destination took messages for viruses; each is named.", false),
        120 => ("flags could not be set.", false),
        121 => ("a folder could not be searched.", false),
        127 => ("it, or the Perl that runs it, is not installed. `gatepost doctor` says what is missing.", false),
        _ => ("its log says more.", false),
    }
}
