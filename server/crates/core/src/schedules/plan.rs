//! What is due: from a schedule's moments, from what was decided last, and from the present. Pure.
//!
//! The rule. Of the moments that have passed since the last decision the newest is started when it is on time, and, after
//! Gatepost was down or the clock jumped ahead, it is caught up once if runs may start at this hour; otherwise it is
//! missed. The older ones are missed in any case. A clock that went back makes nothing due again.

use super::rule::Rule;
use std::collections::VecDeque;
use time::{Duration, OffsetDateTime};

/// A start that is no later than this is on time.
const ON_TIME: Duration = Duration::minutes(2);
/// It is looked so far back and no further.
const LOOKED_BACK: Duration = Duration::days(7);
/// So many missed moments are written down, the newest; the oldest of them tells of those before.
const WRITTEN: usize = 10;

/// A moment and what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    /// The moment by the schedule alone.
    pub moment: OffsetDateTime,
    /// What becomes of it.
    pub verdict: Verdict,
}

/// What becomes of a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Start now.
    Start,
    /// Start now, so much too late.
    CatchUp(Duration),
    /// It is too late; so many more before it are not written down.
    Missed(u64),
}

/// What is due for a job after `last`, oldest first.
pub(crate) fn due(rule: &Rule, job: i64, last: OffsetDateTime, now: OffsetDateTime) -> Vec<Due> {
    let mut passed: VecDeque<OffsetDateTime> = VecDeque::new();
    let mut unwritten = 0_u64;
    let mut at = last.max(now - LOOKED_BACK);
    while let Some(next) = rule.after(at).filter(|next| *next <= now) {
        at = next;
        // Those behind it wait for it: were one of them decided first, this one would never be.
        if next + rule.delay(job, next) > now {
            break;
        }
        passed.push_back(next);
        // One more than is written: the newest may be started.
        if passed.len() > WRITTEN + 1 {
            passed.pop_front();
            unwritten += 1;
        }
    }
    let Some(newest) = passed.pop_back() else { return Vec::new() };
    let mut found: Vec<Due> = passed.into_iter().map(|moment| Due { moment, verdict: Verdict::Missed(0) }).collect();
    if let Some(oldest) = found.first_mut() {
        oldest.verdict = Verdict::Missed(unwritten);
    }
    let late = now - (newest + rule.delay(job, newest));
    let verdict = match late {
        late if late <= ON_TIME => Verdict::Start,
        late if rule.is_open(now) => Verdict::CatchUp(late),
        _ => Verdict::Missed(0),
    };
    found.push(Due { moment: newest, verdict });
    found
}

/// From where it is looked for what is due when nothing says since when: every start that is due just now is found.
pub(crate) fn just_before(rule: &Rule, now: OffsetDateTime) -> OffsetDateTime {
    now - rule.longest_delay() - ON_TIME
}

/// When a job's runs start next after a moment, with what it waits beyond the schedule's own.
pub(crate) fn next(rule: &Rule, job: i64, now: OffsetDateTime) -> Option<OffsetDateTime> {
    // The moment before may still be waited for: no delay is longer than twelve hours.
    let mut at = now - Duration::hours(12) - Duration::MINUTE;
    loop {
        at = rule.after(at)?;
        let start = at + rule.delay(job, at);
        if start > now {
            return Some(start);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepost_store::schedules::Terms;
    use time::macros::datetime;

    fn rule(expression: &str, window: Option<&str>, jitter_minutes: i64) -> Rule {
        let terms = Terms {
            expression: expression.into(),
            time_zone: "UTC".into(),
            window: window.map(str::to_owned),
            jitter_minutes,
            enabled: true,
        };
        Rule::new(&terms, datetime!(2026-11-21 0:00 UTC)).unwrap()
    }

    fn told(due: &[Due]) -> Vec<String> {
        let told = |due: &Due| {
            let (hour, minute) = (due.moment.hour(), due.moment.minute());
            let what = match due.verdict {
                Verdict::Start => "start".to_owned(),
                Verdict::CatchUp(late) => format!("caught up after {} min", late.whole_minutes()),
                Verdict::Missed(0) => "missed".to_owned(),
                Verdict::Missed(more) => format!("missed, and {more} before"),
            };
            format!("{hour:02}:{minute:02} {what}")
        };
        due.iter().map(told).collect()
    }

    #[test]
    fn the_newest_moment_starts_or_is_caught_up_once_and_the_older_ones_are_missed() {
        let noon = datetime!(2026-11-21 12:00 UTC);
        let at_night = Some("20:00-06:00");
        for (what, expression, window, last, now, expect) in [
            ("nothing has passed", "0 */6 * * *", None, noon, datetime!(2026-11-21 17:59:59 UTC), vec![]),
            ("on the second", "0 */6 * * *", None, noon, datetime!(2026-11-21 18:00 UTC), vec!["18:00 start"]),
            ("a slow tick", "0 */6 * * *", None, noon, datetime!(2026-11-21 18:01:50 UTC), vec!["18:00 start"]),
            (
                "down for an hour",
                "0 */6 * * *",
                None,
                noon,
                datetime!(2026-11-21 19:00 UTC),
                vec!["18:00 caught up after 60 min"],
            ),
            (
                "down for a day",
                "0 */6 * * *",
                None,
                noon,
                datetime!(2026-11-22 13:00 UTC),
                vec!["18:00 missed", "00:00 missed", "06:00 missed", "12:00 caught up after 60 min"],
            ),
            (
                "up again in the window",
                "0 22 * * *",
                at_night,
                noon,
                datetime!(2026-11-22 05:59 UTC),
                vec!["22:00 caught up after 479 min"],
            ),
            ("up again after it", "0 22 * * *", at_night, noon, datetime!(2026-11-22 06:00 UTC), vec!["22:00 missed"]),
            ("the clock went back", "0 */6 * * *", None, noon, datetime!(2026-11-21 11:00 UTC), vec![]),
            (
                "the clock jumped a year ahead",
                "0 0 * * *",
                None,
                noon,
                datetime!(2027-11-21 12:00 UTC),
                vec![
                    "00:00 missed",
                    "00:00 missed",
                    "00:00 missed",
                    "00:00 missed",
                    "00:00 missed",
                    "00:00 missed",
                    "00:00 caught up after 720 min",
                ],
            ),
            (
                "more than are written",
                "0 * * * *",
                None,
                noon,
                datetime!(2026-11-22 12:30 UTC),
                vec![
                    "02:00 missed, and 13 before",
                    "03:00 missed",
                    "04:00 missed",
                    "05:00 missed",
                    "06:00 missed",
                    "07:00 missed",
                    "08:00 missed",
                    "09:00 missed",
                    "10:00 missed",
                    "11:00 missed",
                    "12:00 caught up after 30 min",
                ],
            ),
        ] {
            assert_eq!(told(&due(&rule(expression, window, 0), 7, last, now)), expect, "{what}");
        }
    }

    #[test]
    fn every_moment_before_the_end_of_the_hours_has_its_turn_in_its_order() {
        let rule = rule("*/5 * * * *", Some("20:00-06:00"), 12);
        let from = datetime!(2026-11-22 5:30 UTC);
        for job in 0..30 {
            let (mut last, mut started) = (from, Vec::new());
            for tick in 0..=160 {
                let now = from + Duration::seconds(15 * tick);
                for due in due(&rule, job, last, now) {
                    last = due.moment;
                    started.push(due.moment.minute());
                }
            }
            assert_eq!(started, [35, 40, 45, 50, 55], "job {job}");
        }
    }

    #[test]
    fn a_job_waits_its_delay_and_the_next_start_counts_it_too() {
        let rule = rule("0 */6 * * *", None, 30);
        let noon = datetime!(2026-11-21 12:00 UTC);
        let evening = datetime!(2026-11-21 18:00 UTC);
        let delay = rule.delay(7, evening);
        assert!(delay > Duration::ZERO);
        assert_eq!(due(&rule, 7, noon, evening + delay - Duration::SECOND), []);
        assert_eq!(told(&due(&rule, 7, noon, evening + delay)), ["18:00 start"]);
        assert_eq!(next(&rule, 7, noon + Duration::hours(1)), Some(evening + delay));
        assert_eq!(next(&rule, 7, evening), Some(evening + delay), "its own start is still to come");
    }
}
