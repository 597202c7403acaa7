//! What a copy says at its end: in words, as JSON, by its exit code, and in whose words it broke off.

use super::super::{
    Exit,
    table::{Table, bytes},
};
use gatepost_contract::MessageState;
use gatepost_core::standalone::CopySummary;
use std::{collections::BTreeMap, path::Path};

/// What is said of a file that lacks mail of its own, after the sentences that name what.
pub(super) const LACKING: &str = "The file itself lacks mail; what is missing is named above.";

/// What `--json` prints.
#[derive(serde::Serialize)]
pub(super) struct Printed<'a> {
    #[serde(flatten)]
    pub(super) summary: &'a CopySummary,
    /// Sentences about mail that the file itself lacks: it is cut off, or a part of it cannot be read.
    pub(super) losses: &'a [String],
}

/// What stopped the command, in its own words: there is no log here that others could point to.
pub(super) fn plainly(error: anyhow::Error, state: &Path) -> anyhow::Error {
    if error.chain().any(is_full) {
        return anyhow::anyhow!(
            "The disk is full: there is no room for {}, or for what lies beside it while a file is read. Make room, then \
             run the same command again; what was copied is recorded.",
            state.display()
        );
    }
    match error.downcast() {
        Ok(gatepost_core::Error::Internal(cause)) => anyhow::Error::from_boxed(cause),
        Ok(other) => other.into(),
        Err(other) => other,
    }
}

fn is_full(cause: &(dyn std::error::Error + 'static)) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    // The bound on the disk has words of its own, with the figures; only the system's refusal has a number.
    cause.downcast_ref::<std::io::Error>().is_some_and(|error| {
        error.raw_os_error().is_some() && matches!(error.kind(), StorageFull | QuotaExceeded)
    })
        // SQLITE_FULL, as the state file's database says it.
        || cause.to_string().contains("database or disk is full")
}

pub(super) fn planned(folders: &BTreeMap<String, (u64, u64)>) -> Table {
    let mut table = Table::new(&["folder", "messages", "bytes"]);
    for (folder, (messages, bytes)) in folders {
        table.row([folder.clone(), messages.to_string(), bytes.to_string()]);
    }
    table
}

pub(super) fn in_words(s: &CopySummary, lacking: bool, state: &Path) -> String {
    let mut words = format!(
        "{} folders, {} messages copied ({}), {} were there already, in {:.1} s.",
        s.folders,
        s.transferred,
        bytes(s.bytes),
        s.already_there,
        s.seconds
    );
    if s.quarantined > 0 {
        words.push_str(&format!(" {} were refused and are in quarantine.", s.quarantined));
    }
    if !s.failed_folders.is_empty() {
        words.push_str(&format!(" {} folders could not be finished.", s.failed_folders.len()));
    }
    if s.residue > 0 {
        words.push_str(&format!(" {} have not arrived.", s.residue));
    }
    match s.verified {
        Some(true) if lacking => {
            words.push_str(" Both sides were read again: every message that the file still holds has arrived.");
        }
        Some(true) => words.push_str(" Both mailboxes were read again: every message has arrived."),
        Some(false) => words.push_str(" Both mailboxes were read again: something is missing or differs."),
        None => {}
    }
    if lacking {
        words.push_str(&format!(" {LACKING}"));
    }
    if s.interrupted {
        words.push_str(&format!(
            " Interrupted: what was copied is recorded in {}. Run the same command again to go on.",
            state.display()
        ));
    }
    words
}

/// The messages that are left over, one a line, and how many more there are.
pub(super) fn left_over(s: &CopySummary) -> Vec<String> {
    // After an interruption it is no news that messages are still to come.
    let named = s.left_over.iter().filter(|m| !(s.interrupted && m.cause.is_none()));
    let mut lines: Vec<String> = named
        .map(|m| {
            let cause = match (&m.cause, m.state) {
                (Some(cause), _) => cause.as_str(),
                (None, MessageState::Arrived) => "arrived, but differs from the source",
                (None, _) => "not copied yet; run the same command again",
            };
            format!("  {}, UID {}: {cause}", m.folder, m.uid).replace(char::is_control, "\u{fffd}")
        })
        .collect();
    let more = s.residue.saturating_sub(s.left_over.len() as u64);
    if more > 0 && !lines.is_empty() {
        lines.push(format!("  and {more} more"));
    }
    if !lines.is_empty() {
        lines.insert(0, "Left over:".to_owned());
    }
    lines
}

/// `lacking`: whether the file itself lacks mail, of which nothing can be proved.
pub(super) fn exit_of(summary: &CopySummary, lacking: bool) -> Exit {
    if summary.interrupted {
        Exit::Interrupted
    } else if lacking
        || summary.residue > 0
        || !summary.failed_folders.is_empty()
        || summary.quarantined > 0
        || summary.verified == Some(false)
    {
        Exit::LeftOver
    } else {
        Exit::Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepost_core::standalone::LeftOver;
    use gatepost_transfer::Fault;

    #[test]
    fn what_is_left_over_decides_the_exit_code() {
        let clean = CopySummary {
            folders: 1,
            transferred: 2,
            already_there: 3,
            quarantined: 0,
            bytes: 4,
            seconds: 0.5,
            residue: 0,
            verified: Some(true),
            left_over: Vec::new(),
            failed_folders: Vec::new(),
            interrupted: false,
        };
        assert_eq!(exit_of(&clean, false), Exit::Done);
        assert_eq!(exit_of(&CopySummary { residue: 1, ..clean.clone() }, false), Exit::LeftOver);
        assert_eq!(exit_of(&CopySummary { quarantined: 1, ..clean.clone() }, false), Exit::LeftOver);
        assert_eq!(exit_of(&CopySummary { verified: Some(false), ..clean.clone() }, false), Exit::LeftOver);
        assert_eq!(exit_of(&CopySummary { interrupted: true, residue: 1, ..clean.clone() }, false), Exit::Interrupted);
        assert_eq!(exit_of(&clean, true), Exit::LeftOver, "a file that lacks mail is not proved whole");
        assert_eq!(exit_of(&CopySummary { interrupted: true, ..clean.clone() }, true), Exit::Interrupted);
        let said = |lacking| in_words(&clean, lacking, Path::new("x.db"));
        assert!(said(false).ends_with("every message has arrived."), "{}", said(false));
        assert!(!said(true).contains("every message has arrived.") && said(true).ends_with(LACKING), "{}", said(true));
        let losses = ["It is cut off.".to_owned()];
        let json = serde_json::to_value(Printed { summary: &clean, losses: &losses }).expect("plain data");
        assert_eq!(json["losses"], serde_json::json!(["It is cut off."]));
        let mut names: Vec<&str> = json.as_object().expect("an object").keys().map(String::as_str).collect();
        names.sort_unstable();
        let expected = [
            "already_there",
            "bytes",
            "failed_folders",
            "folders",
            "left_over",
            "losses",
            "quarantined",
            "residue",
            "seconds",
            "transferred",
            "verified",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn a_full_disk_is_said_as_that_and_no_log_is_pointed_to() {
        use gatepost_archive::ArchiveError;
        use std::io;
        let full = || io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error());
        let inside = gatepost_core::Error::Internal;
        let spool = || Fault::from(ArchiveError::Io(full()));
        for error in [
            anyhow::Error::from(spool()),
            inside(Box::new(spool())).into(),
            inside("error returned from database: (code: 13) database or disk is full".into()).into(),
        ] {
            let said = format!("{:#}", plainly(error, Path::new("/var/ana.db")));
            assert!(said.starts_with("The disk is full") && said.contains("/var/ana.db"), "{said}");
            assert!(!said.contains("log") && !said.contains("our side"), "{said}");
        }
        // The bound on the disk keeps its own words.
        let room = || ArchiveError::Io(io::Error::new(io::ErrorKind::StorageFull, "7 must stay free."));
        for error in [anyhow::Error::from(room()), inside(Box::new(Fault::from(room()))).into()] {
            let said = format!("{:#}", plainly(error, Path::new("/var/ana.db")));
            assert!(said.starts_with("7 must stay free.") && !said.contains("The disk is full"), "{said}");
        }
        let other = Fault::from(ArchiveError::Io(io::ErrorKind::PermissionDenied.into()));
        let said = format!("{:#}", plainly(inside(Box::new(other)).into(), Path::new("x")));
        assert!(said.starts_with("A file cannot be read or written: permission denied"), "{said}");
        assert!(!said.contains("log"), "{said}");
        let said = format!("{:#}", plainly(gatepost_core::Error::NotFound("mailbox").into(), Path::new("x")));
        assert_eq!(said, gatepost_core::Error::NotFound("mailbox").to_string());
    }

    #[test]
    fn messages_that_are_left_over_are_named_with_their_causes_and_the_rest_is_counted() {
        let message = |uid, cause: Option<&str>| LeftOver {
            folder: "Sent\u{1b}[2J".into(),
            uid,
            state: MessageState::Quarantined,
            cause: cause.map(str::to_owned),
        };
        let mut summary = CopySummary {
            folders: 1,
            transferred: 0,
            already_there: 0,
            quarantined: 1,
            bytes: 0,
            seconds: 0.1,
            residue: 5,
            verified: None,
            left_over: vec![message(7, Some("The destination refused it: too large")), message(9, None)],
            failed_folders: Vec::new(),
            interrupted: false,
        };
        let lines = [
            "Left over:",
            "  Sent\u{fffd}[2J, UID 7: The destination refused it: too large",
            "  Sent\u{fffd}[2J, UID 9: not copied yet; run the same command again",
            "  and 3 more",
        ];
        assert_eq!(left_over(&summary), lines);
        summary.interrupted = true;
        assert_eq!(left_over(&summary).len(), 3, "what is merely still to come is not named then");
        summary.left_over.clear();
        assert!(left_over(&summary).is_empty());
    }
}
