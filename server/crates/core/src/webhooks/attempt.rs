//! What follows from an attempt to deliver: the schedule of retries, as a pure function of how the attempt ended.

use crate::courier::{Reply, Undelivered};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc2822};

/// Seconds to wait after the first, second, … failed attempt. After the last there is no other.
const DELAYS: [i64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
/// The longest that a receiver may ask to wait.
const MAX_RETRY_AFTER: i64 = 86_400;
/// How much of a receiver's answer is kept, in characters.
const EXCERPT: usize = 300;

/// What happens next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It has arrived.
    Delivered,
    /// It is tried again.
    Again(OffsetDateTime),
    /// It is given up.
    GivenUp,
    /// The receiver wants nothing any more.
    Gone,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub next: Next,
    pub response_status: Option<u16>,
    /// Why it failed.
    pub error: Option<String>,
}

/// Judges the attempt of a number, from 1. `spread` is random, 0 to 1: it keeps receivers that come back from being
/// called by everybody at once.
pub(super) fn judge(answer: &Result<Reply, Undelivered>, attempt: i64, now: OffsetDateTime, spread: f64) -> Ended {
    let again = |asked: i64| match usize::try_from(attempt - 1).ok().and_then(|n| DELAYS.get(n)) {
        None => Next::GivenUp,
        Some(delay) => {
            let usual = *delay as f64 * (1.0 + 0.1 * spread.clamp(0.0, 1.0));
            Next::Again(now + Duration::seconds_f64(usual.max(asked.clamp(0, MAX_RETRY_AFTER) as f64)))
        }
    };
    match answer {
        Ok(reply) if (200..300).contains(&reply.status) => {
            Ended { next: Next::Delivered, response_status: Some(reply.status), error: None }
        }
        Ok(reply) => {
            let asked = reply.retry_after.as_deref().map_or(0, |text| retry_after(text, now));
            let next = if reply.status == 410 { Next::Gone } else { again(asked) };
            Ended { next, response_status: Some(reply.status), error: Some(sentence(reply)) }
        }
        Err(undelivered) => Ended { next: again(0), response_status: None, error: Some(undelivered.0.clone()) },
    }
}

fn sentence(reply: &Reply) -> String {
    let status = reply.status;
    match status {
        410 => "The receiver answered 410: it wants no more of these. The webhook was disabled.".to_owned(),
        300..=399 => format!(
            "The receiver answered {status}, a redirect. Redirects are not followed: enter the address that it leads to."
        ),
        _ => match excerpt(&reply.excerpt) {
            words if words.is_empty() => format!("The receiver answered {status}."),
            words => format!("The receiver answered {status}: {words}"),
        },
    }
}

/// The beginning of a foreign text on one line, without control characters.
fn excerpt(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let line = words.collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(EXCERPT) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

/// Seconds from now: a number or a date (RFC 9110 section 10.2.3); 0 for anything else.
fn retry_after(text: &str, now: OffsetDateTime) -> i64 {
    let text = text.trim();
    match text.parse::<u32>() {
        Ok(seconds) => seconds.into(),
        Err(_) => OffsetDateTime::parse(text, &Rfc2822).map_or(0, |at| (at - now).whole_seconds().max(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    /// How often a message is attempted.
    const ATTEMPTS: i64 = DELAYS.len() as i64 + 1;
    const NOW: OffsetDateTime = datetime!(2026-11-21 04:12:00 UTC);

    fn reply(status: u16) -> Reply {
        Reply { status, ..Reply::default() }
    }

    fn wait(ended: &Ended) -> i64 {
        match ended.next {
            Next::Again(at) => (at - NOW).whole_seconds(),
            _ => panic!("{ended:?}"),
        }
    }

    #[test]
    fn any_2xx_has_arrived_410_ends_it_and_all_else_is_tried_again() {
        for (status, expect) in
            [(200, Next::Delivered), (204, Next::Delivered), (299, Next::Delivered), (410, Next::Gone)]
        {
            assert_eq!(judge(&Ok(reply(status)), 1, NOW, 0.0).next, expect, "{status}");
        }
        for status in [101, 300, 302, 307, 400, 401, 404, 409, 429, 500, 503] {
            let ended = judge(&Ok(reply(status)), 1, NOW, 0.0);
            assert_eq!((wait(&ended), ended.response_status), (5, Some(status)));
            assert!(ended.error.is_some_and(|e| e.contains(&status.to_string())), "{status}");
        }
        let broken = judge(&Err(Undelivered("It hung up.".into())), 1, NOW, 0.0);
        assert_eq!((wait(&broken), broken.response_status, broken.error.as_deref()), (5, None, Some("It hung up.")));
    }

    #[test]
    fn the_waits_grow_over_three_days_and_then_it_is_given_up() {
        let failed = Ok(reply(500));
        let waits: Vec<i64> = (1..ATTEMPTS).map(|n| wait(&judge(&failed, n, NOW, 0.0))).collect();
        assert_eq!(waits, DELAYS);
        assert_eq!(judge(&failed, ATTEMPTS, NOW, 0.0).next, Next::GivenUp);
        assert_eq!(judge(&failed, ATTEMPTS + 7, NOW, 0.0).next, Next::GivenUp);
        assert_eq!(wait(&judge(&failed, 2, NOW, 1.0)), 330, "at most a tenth more");
    }

    #[test]
    fn a_receiver_may_ask_for_a_longer_wait_and_not_for_a_shorter_one() {
        for (asked, seconds) in [
            ("120", 120),
            ("1", 5),
            ("Sat, 21 Nov 2026 04:22:00 GMT", 600),
            ("Sat, 21 Nov 2026 04:02:00 GMT", 5),
            ("999999999", 86_400),
            ("-5", 5),
            ("soon", 5),
            ("", 5),
        ] {
            let reply = Reply { retry_after: Some(asked.into()), ..reply(503) };
            assert_eq!(wait(&judge(&Ok(reply), 1, NOW, 0.0)), seconds, "{asked:?}");
        }
    }

    #[test]
    fn what_a_receiver_says_is_kept_on_one_line_and_short() {
        let reply = Reply { excerpt: format!("no\0\r\n such \u{7}hook {}", "x".repeat(1000)), ..reply(404) };
        let error = judge(&Ok(reply), 1, NOW, 0.0).error.unwrap();
        assert!(error.starts_with("The receiver answered 404: no such hook xxx"), "{error}");
        assert!(error.chars().count() < 340 && !error.contains(char::is_control));
    }
}
