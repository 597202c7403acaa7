//! What went wrong, in words: transport errors, refusals and goodbyes as [`Fault`]s.

use crate::{
    account::Timeouts,
    wire::{Code, Status, WireError},
};
use gatepost_transfer::{Fault, FaultKind};
use std::{io as std_io, time::Duration};

/// How long a server that names no time is left alone; and one that counts what was transferred.
const LEAVE_ALONE: Duration = Duration::from_secs(60);
const LEAVE_ALONE_LONG: Duration = Duration::from_secs(600);
/// The longest time that a server is believed.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

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
        if says_slow_down(&self.text) {
            // Gmail's code for too much traffic is OVERQUOTA, too.
            return false;
        }
        self.has_code(&["OVERQUOTA"])
            || (self.code.is_none()
                && has_words(
                    &self.text,
                    &["quota exceeded", "quota has been exceeded", "over quota", "mailbox is full", "mailbox full"],
                ))
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
                        "folder could not be found",
                    ],
                ))
    }

    /// Whether it is what Gmail says when something fails of which it tells no more. It passes when a server is
    /// overloaded, and it stays where one message cannot be handled.
    pub(crate) fn is_hiccup(&self) -> bool {
        has_words(&self.text, &["system error (failure)"])
    }
}

/// For how long the server wants to be left alone; `None` where it does not ask for it.
fn slow_down(code: Option<&Code>, text: &str) -> Option<Duration> {
    // RFC 5530 has the first three; THROTTLED is Yahoo's, and Dovecot's and Gmail's for some limits.
    let by_code = code.is_some_and(|code| ["UNAVAILABLE", "INUSE", "LIMIT", "THROTTLED"].contains(&code.name.as_str()));
    if !by_code && !says_slow_down(text) {
        return None;
    }
    Some(time_to_wait(text))
}

/// For how long a server that wants it is left alone.
pub(crate) fn time_to_wait(text: &str) -> Duration {
    let default = if has_words(text, &["bandwidth"]) { LEAVE_ALONE_LONG } else { LEAVE_ALONE };
    named_time(text).unwrap_or(default).min(LONGEST)
}

/// Whether it asks to be left alone, in words.
pub(crate) fn says_slow_down(text: &str) -> bool {
    const WORDS: [&str; 16] = [
        "throttl",
        "too many connections",
        "too many simultaneous",
        "too many concurrent",
        "too many requests",
        "too many commands",
        "too many login",
        "maximum number of connections",
        "connection limit",
        "try again later",
        "rate limit",
        "bandwidth limit",
        "back off",
        "server unavailable",
        "authenticated but not connected",
        "system error (failure)",
    ];
    has_words(text, &WORDS)
}

/// A time that the text names: `Suggested Backoff Time: 299961 milliseconds`, `try again in 5 minutes`.
fn named_time(text: &str) -> Option<Duration> {
    let words: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    words.windows(2).find_map(|pair| {
        let number: u64 = pair[0].parse().ok()?;
        let unit = pair[1].to_ascii_lowercase();
        let milliseconds = match unit.as_str() {
            "ms" | "millisecond" | "milliseconds" => 1,
            "s" | "sec" | "secs" | "second" | "seconds" => 1_000,
            "min" | "mins" | "minute" | "minutes" => 60_000,
            "hour" | "hours" => 3_600_000,
            _ => return None,
        };
        Some(Duration::from_millis(number.saturating_mul(milliseconds)))
    })
}

fn has_words(text: &str, words: &[&str]) -> bool {
    let text = text.to_ascii_lowercase();
    words.iter().any(|w| text.contains(w))
}

/// A command that the run needs was refused.
pub(crate) fn refused(server: &str, command: &str, done: &Done) -> Fault {
    let words = done.words();
    if done.has_code(&["EXPUNGEISSUED"]) {
        // RFC 5530 section 3: others deleted messages meanwhile. What was answered may not be all: it is asked anew.
        return Fault::new(
            FaultKind::Lost,
            format!("At {server}, messages were deleted while {command} was answered: {words:?}."),
        );
    }
    let answered = if done.status == Status::Bad { "BAD" } else { "NO" };
    // What only reads cannot fill an account: there the code means that too much was transferred.
    let fills = ["APPEND", "CREATE", "UID STORE", "SUBSCRIBE"].iter().any(|name| command.starts_with(name));
    if done.is_over_quota() && (fills || !done.has_code(&["OVERQUOTA"])) {
        return Fault::new(
            FaultKind::Quota,
            format!("The account at {server} is full: {words:?}. Raise its quota or make room, then run again."),
        );
    }
    let transferred = done.has_code(&["OVERQUOTA"]).then_some(LEAVE_ALONE_LONG);
    if let Some(time) = slow_down(done.code.as_ref(), &done.text).or(transferred) {
        let mut fault = Fault::new(FaultKind::Throttled, format!("{server} asks to slow down ({command}): {words:?}."));
        fault.retry_after = Some(time);
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
    let transferred = code.is_some_and(|code| code.name == "OVERQUOTA").then_some(LEAVE_ALONE_LONG);
    if let Some(time) = slow_down(code, text).or(transferred) {
        let mut fault =
            Fault::new(FaultKind::Throttled, format!("{server} closed the connection to slow us down: {text:?}."));
        fault.retry_after = Some(time);
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
            ("", "Your quota has been exceeded.", FaultKind::Quota),
            ("", "Folder could not be found.", FaultKind::FolderGone),
            ("NONEXISTENT", "x", FaultKind::FolderGone),
            ("TRYCREATE", "x", FaultKind::FolderGone),
            ("", "Mailbox doesn't exist: a", FaultKind::FolderGone),
            ("AUTHENTICATIONFAILED", "x", FaultKind::Login),
            ("NOPERM", "x", FaultKind::Refused),
            ("", "no", FaultKind::Refused),
        ];
        for (code, text, kind) in cases {
            let fault = refused("h:1", "APPEND", &done(Status::No, code, text));
            assert_eq!(fault.kind, kind, "{code} {text}");
            assert!(fault.sentence.contains(text));
        }
    }

    /// What servers say when they want to be left alone, and for how many seconds.
    const SLOW_DOWN: [(&str, &str, u64); 22] = [
        // RFC 5530 section 3: the server is busy, or another session holds the mailbox.
        ("UNAVAILABLE", "User's backend down for maintenance.", 60),
        ("INUSE", "Mailbox in use", 60),
        ("LIMIT", "Too many flags in folder", 60),
        ("THROTTLED", "x", 60),
        // Dovecot's mail_max_userip_connections, at the log-in: github.com/mscdex/node-imap/issues/606.
        ("UNAVAILABLE", "Maximum number of connections from user+IP exceeded (mail_max_userip_connections=16)", 60),
        ("", "Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)", 60),
        // Gmail: support.google.com/mail/answer/97150; github.com/zone-eu/wildduck/issues/35.
        ("ALERT", "Too many simultaneous connections. (Failure)", 60),
        // Gmail, to FETCH: github.com/ljmerza/ha-email-sensor/issues/16.
        ("OVERQUOTA", "Account exceeded command or bandwidth limits.", 600),
        ("ALERT", "Account exceeded bandwidth limits. (Failure)", 600),
        ("", "Account exceeded command or bandwidth limits. (Failure)", 600),
        // Gmail: github.com/OfflineIMAP/offlineimap/issues/682.
        ("", "System Error (Failure)", 60),
        // Exchange Online: github.com/imapsync/imapsync/issues/272, .../198, with NO and with BAD.
        ("", "Request is throttled. Suggested Backoff Time: 299961 milliseconds", 299),
        ("", "Request is throttled. Suggested Backoff Time: 89117 milliseconds.", 89),
        // Exchange 2013 and later: github.com/lefcha/imapfilter/issues/146.
        ("", "Server Unavailable. 15", 60),
        // Exchange Online, after the log-in: github.com/mscdex/node-imap/issues/523.
        ("", "User is authenticated but not connected.", 60),
        // No server in particular.
        ("", "Too many connections from you", 60),
        ("", "Too many concurrent sessions, back off", 60),
        ("", "Too many requests; retry in 5 minutes", 300),
        ("LIMIT", "wait 90 seconds", 90),
        ("", "Rate limit reached", 60),
        ("", "throttled for 2 hours", 7_200),
        ("", "throttled for 99999999999999999 hours", 86_400),
    ];

    #[test]
    fn a_server_that_wants_to_be_left_alone_is_and_for_as_long_as_it_says() {
        for (code, text, seconds) in SLOW_DOWN {
            for status in [Status::No, Status::Bad] {
                for command in ["the log-in", "UID FETCH 1:5 (UID FLAGS)", "EXAMINE \"INBOX\""] {
                    let fault = refused("h:1", command, &done(status, code, text));
                    assert_eq!(fault.kind, FaultKind::Throttled, "{code} {text}");
                    assert_eq!(fault.retry_after.map(|time| time.as_secs()), Some(seconds), "{code} {text}");
                    assert!(fault.sentence.contains(text));
                }
            }
            let code = (!code.is_empty()).then(|| Code { name: code.into(), args: String::new() });
            let fault = bye("h:1", code.as_ref(), text);
            assert_eq!((fault.kind, fault.retry_after.map(|t| t.as_secs())), (FaultKind::Throttled, Some(seconds)));
        }
    }

    #[test]
    fn overquota_is_a_full_account_only_where_something_is_written() {
        let full = done(Status::No, "OVERQUOTA", "Quota exceeded");
        assert_eq!(refused("h:1", "APPEND", &full).kind, FaultKind::Quota);
        assert_eq!(refused("h:1", "CREATE \"a\"", &full).kind, FaultKind::Quota);
        assert_eq!(refused("h:1", "UID FETCH 1 (UID BODY.PEEK[])", &full).kind, FaultKind::Throttled);
        let traffic = done(Status::No, "OVERQUOTA", "Account exceeded command or bandwidth limits.");
        assert!(!traffic.is_over_quota());
        assert_eq!(refused("h:1", "APPEND", &traffic).kind, FaultKind::Throttled);
    }

    #[test]
    fn a_goodbye_keeps_the_servers_words() {
        assert_eq!(bye("h:1", None, "shutting down").kind, FaultKind::Lost);
        let throttled = bye("h:1", None, "Too many simultaneous connections");
        assert_eq!(throttled.kind, FaultKind::Throttled);
        assert!(throttled.retry_after.is_some() && throttled.sentence.contains("simultaneous"));
    }
}
