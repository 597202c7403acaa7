//! What went wrong, in words: transport errors, refusals and goodbyes as [`Fault`]s.

use crate::{
    account::Timeouts,
    wire::{Code, Status, WireError},
};
use gatepost_transfer::{Fault, FaultKind};
use std::{io as std_io, time::Duration};

/// How long a server that names no time is left alone.
const LEAVE_ALONE: Duration = Duration::from_secs(60);

/// How a command ended.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    pub(crate) status: Status,
    pub(crate) code: Option<Code>,
    pub(crate) text: String,
}

impl Done {
    pub(crate) fn is_ok(&self) -> bool {
        self.status == Status::Ok
    }

    pub(crate) fn has_code(&self, names: &[&str]) -> bool {
        self.code.as_ref().is_some_and(|code| names.contains(&code.name.as_str()))
    }

    /// The server's own words with its code.
    pub(crate) fn words(&self) -> String {
        match &self.code {
            Some(code) => format!("[{}] {}", code.name, self.text).trim_end().to_owned(),
            None => self.text.clone(),
        }
    }

    /// Whether it says that the account is full (RFC 5530), in a code or in words.
    pub(crate) fn is_over_quota(&self) -> bool {
        self.has_code(&["OVERQUOTA"])
            || (self.code.is_none()
                && has_words(&self.text, &["quota exceeded", "over quota", "mailbox is full", "mailbox full"]))
    }

    /// Whether it says that the folder is not there.
    pub(crate) fn is_no_folder(&self) -> bool {
        self.has_code(&["TRYCREATE", "NONEXISTENT"])
            || (self.code.is_none()
                && has_words(
                    &self.text,
                    &[
                        "doesn't exist",
                        "does not exist",
                        "no such mailbox",
                        "no such folder",
                        "unknown mailbox",
                        "mailbox not found",
                    ],
                ))
    }

    fn is_throttled(&self) -> bool {
        is_throttled(self.code.as_ref(), &self.text)
    }
}

fn is_throttled(code: Option<&Code>, text: &str) -> bool {
    code.is_some_and(|code| ["UNAVAILABLE", "INUSE", "LIMIT", "THROTTLED"].contains(&code.name.as_str()))
        || has_words(
            text,
            &[
                "throttl",
                "too many connections",
                "too many simultaneous",
                "try again later",
                "rate limit",
                "bandwidth limit",
            ],
        )
}

fn has_words(text: &str, words: &[&str]) -> bool {
    let text = text.to_ascii_lowercase();
    words.iter().any(|w| text.contains(w))
}

/// A command that the run needs was refused.
pub(crate) fn refused(server: &str, command: &str, done: &Done) -> Fault {
    let words = done.words();
    let answered = if done.status == Status::Bad { "BAD" } else { "NO" };
    if done.is_over_quota() {
        return Fault::new(
            FaultKind::Quota,
            format!("The account at {server} is full: {words:?}. Raise its quota or make room, then run again."),
        );
    }
    if done.is_throttled() {
        let mut fault = Fault::new(FaultKind::Throttled, format!("{server} asks to slow down ({command}): {words:?}."));
        fault.retry_after = Some(LEAVE_ALONE);
        return fault;
    }
    if done.is_no_folder() {
        return Fault::new(
            FaultKind::FolderGone,
            format!(
                "{server} says that the folder is not there ({command}): {words:?}. It may have been renamed or deleted."
            ),
        );
    }
    let kind = if done.has_code(&["AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "EXPIRED", "PRIVACYREQUIRED"]) {
        FaultKind::Login
    } else {
        FaultKind::Refused
    };
    Fault::new(kind, format!("{server} answered {answered} to {command}: {words:?}."))
}

/// The server closes the connection and says why.
pub(crate) fn bye(server: &str, code: Option<&Code>, text: &str) -> Fault {
    if is_throttled(code, text) {
        let mut fault =
            Fault::new(FaultKind::Throttled, format!("{server} closed the connection to slow us down: {text:?}."));
        fault.retry_after = Some(LEAVE_ALONE);
        return fault;
    }
    Fault::new(FaultKind::Lost, format!("{server} closed the connection: {text:?}."))
}

/// The transport failed.
pub(crate) fn io(server: &str, timeouts: Timeouts, error: std_io::Error) -> Fault {
    match error.kind() {
        std_io::ErrorKind::TimedOut => Fault::new(
            FaultKind::Timeout,
            format!(
                "Nothing moved on the connection to {server} for {} seconds.",
                timeouts.read.min(timeouts.write).as_secs_f32()
            ),
        ),
        std_io::ErrorKind::UnexpectedEof => lost(server),
        _ => lost(server).because(error),
    }
}

/// The connection broke off.
pub(crate) fn lost(server: &str) -> Fault {
    Fault::new(FaultKind::Lost, format!("The connection to {server} broke off."))
}

/// What came cannot be understood. The excerpt stays out of the sentence: it may be somebody's mail.
pub(crate) fn wire(server: &str, error: WireError) -> Fault {
    Fault::new(FaultKind::Protocol, format!("{server} sent something that is not IMAP; the connection was given up."))
        .because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(status: Status, code: &str, text: &str) -> Done {
        let code = (!code.is_empty()).then(|| Code { name: code.into(), args: String::new() });
        Done { status, code, text: text.into() }
    }

    #[test]
    fn refusals_become_kinds() {
        let cases = [
            ("OVERQUOTA", "full", FaultKind::Quota),
            ("", "Quota exceeded (mailbox for user is full)", FaultKind::Quota),
            ("NONEXISTENT", "x", FaultKind::FolderGone),
            ("TRYCREATE", "x", FaultKind::FolderGone),
            ("", "Mailbox doesn't exist: a", FaultKind::FolderGone),
            ("UNAVAILABLE", "x", FaultKind::Throttled),
            ("INUSE", "x", FaultKind::Throttled),
            ("LIMIT", "x", FaultKind::Throttled),
            ("THROTTLED", "x", FaultKind::Throttled),
            ("AUTHENTICATIONFAILED", "x", FaultKind::Login),
            ("NOPERM", "x", FaultKind::Refused),
            ("", "no", FaultKind::Refused),
        ];
        for (code, text, kind) in cases {
            let fault = refused("h:1", "X", &done(Status::No, code, text));
            assert_eq!(fault.kind, kind, "{code} {text}");
            assert!(fault.sentence.contains(text));
        }
    }

    #[test]
    fn a_goodbye_keeps_the_servers_words() {
        assert_eq!(bye("h:1", None, "shutting down").kind, FaultKind::Lost);
        let throttled = bye("h:1", None, "Too many simultaneous connections");
        assert_eq!(throttled.kind, FaultKind::Throttled);
        assert!(throttled.retry_after.is_some() && throttled.sentence.contains("simultaneous"));
    }
}
