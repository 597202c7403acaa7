//! Refusals and errors of the witness's connection, in words.

use crate::{faults, wire::printable};
use async_imap::{error::Error, imap_proto::ResponseCode};
use gatepost_transfer::{Fault, FaultKind};

pub(super) fn words(code: Option<&ResponseCode<'_>>, information: Option<&str>) -> String {
    let information = printable(information.unwrap_or_default().as_bytes(), 300);
    match code {
        Some(code) => {
            let code = printable(format!("{code:?}").as_bytes(), 60);
            format!("[{code}] {information}")
        }
        None => information,
    }
}

/// async-imap's errors in words. Its texts may hold what the server sent, somebody's mail for instance: they stay
/// out, unless the server meant them for us.
pub(super) fn fault(server: &str, timeouts: crate::account::Timeouts, command: &str, error: Error) -> Fault {
    let (kind, answered, words) = match error {
        Error::Io(e) if e.kind() == std::io::ErrorKind::Other => {
            return Fault::new(
                FaultKind::Protocol,
                format!("The witness cannot understand what {server} sent to {command}."),
            );
        }
        Error::Io(e) => return faults::io(server, timeouts, e),
        Error::ConnectionLost => return faults::lost(server),
        Error::No(words) => match words.strip_prefix("BYE ") {
            Some(goodbye) => return faults::bye(server, None, goodbye),
            None => (FaultKind::Refused, "NO", words),
        },
        Error::Bad(words) => (FaultKind::Refused, "BAD", words),
        _ => {
            return Fault::new(
                FaultKind::Protocol,
                format!("The witness cannot understand what {server} sent to {command}."),
            );
        }
    };
    let lower = words.to_ascii_lowercase();
    let any = |texts: &[&str]| texts.iter().any(|text| lower.contains(text));
    let kind = if any(&["nonexistent", "trycreate", "doesn't exist", "does not exist"]) {
        FaultKind::FolderGone
    } else if any(&["unavailable", "inuse", "limit", "throttled", "too many"]) || faults::says_slow_down(&words) {
        FaultKind::Throttled
    } else {
        kind
    };
    let mut fault = Fault::new(
        kind,
        format!("{server} answered {answered} to {command}: {:?}.", printable(spoken(&words).as_bytes(), 300)),
    );
    fault.retry_after = (kind == FaultKind::Throttled).then(|| faults::time_to_wait(&words));
    fault
}

/// The server's own words. async-imap tells a refusal in the debug form of what it read.
pub(super) fn spoken(told: &str) -> String {
    let quoted = ["information: Some(\"", "info: Some(\""].iter().find_map(|before| told.split_once(before));
    let Some((_, quoted)) = quoted else { return told.to_owned() };
    let mut words = String::with_capacity(quoted.len());
    let mut rest = quoted.chars();
    while let Some(letter) = rest.next() {
        match letter {
            '"' => break,
            '\\' => words.extend(rest.next()),
            letter => words.push(letter),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_in_the_servers_own_words() {
        for (told, expected) in [
            (r#"code: None, info: Some("[AUTHENTICATIONFAILED] No \"ana\".")"#, r#"[AUTHENTICATIONFAILED] No "ana"."#),
            (r#"outcome: Outcome { code: None, information: Some("Internal error") }"#, "Internal error"),
            ("code: None, info: None", "code: None, info: None"),
            ("plain words", "plain words"),
        ] {
            assert_eq!(spoken(told), expected);
        }
    }
}
