//! Whatever a person writes as a schedule, it is refused with a sentence or its moments go on in order, five minutes apart
//! or more, within the hours, and no job starts after them. The lines are the expression, the time zone, the hours and the
//! minutes of the longest delay.
#![no_main]

// The rule knows of the store only the words of a schedule; with it the whole database would be built here.
extern crate self as gatepost_store;

use libfuzzer_sys::fuzz_target;
use time::{Duration, macros::datetime};

#[path = "../../crates/core/src/schedules/rule.rs"]
#[allow(dead_code, reason = "the service uses the rest")]
mod rule;

pub mod schedules {
    #[derive(Clone, Debug)]
    pub struct Terms {
        pub expression: String,
        pub time_zone: String,
        pub window: Option<String>,
        pub jitter_minutes: i64,
        pub enabled: bool,
    }
}

fuzz_target!(|text: &str| {
    let mut lines = text.lines();
    let mut line = || lines.next().unwrap_or_default().to_owned();
    let terms = schedules::Terms {
        expression: line(),
        time_zone: line(),
        window: Some(line()).filter(|hours| !hours.is_empty()),
        jitter_minutes: line().parse().unwrap_or(0),
        enabled: true,
    };
    let now = datetime!(2026-03-28 23:17:31 UTC);
    let rule = match rule::Rule::new(&terms, now) {
        Ok(rule) => rule,
        Err(wrong) => return assert!(!wrong.is_empty() && wrong.iter().all(|wrong| !wrong.why.is_empty())),
    };
    let mut last = now;
    for n in 0..60 {
        let Some(next) = rule.after(last) else {
            assert!(n > 0, "what was accepted comes once at least");
            break;
        };
        assert!(next > last && (n == 0 || next - last >= Duration::minutes(5)), "{next} after {last}");
        assert!(rule.is_open(next), "{next}");
        for job in [1, 7, i64::MAX] {
            let delay = rule.delay(job, next);
            assert!((Duration::ZERO..=rule.longest_delay()).contains(&delay), "{delay} for job {job}");
            assert!(rule.is_open(next + delay), "job {job} at {next} and {delay}");
        }
        last = next;
    }
});
