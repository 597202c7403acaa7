//! The moments of a schedule: a cron expression of five fields in a time zone, and the hours of the day in which runs may
//! start. Pure: it has no clock and knows no jobs.
//!
//! When clocks change: a moment of the day that is skipped in spring comes with the first moment after the gap; one that
//! comes twice in autumn counts once, the first time. Expressions that name every hour or minute follow the clock on the
//! wall through both hours, and pass over the one that does not exist.

use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use gatepost_store::schedules::Terms;
use jiff::{Timestamp, Zoned, civil, tz::TimeZone};
use time::{Duration, OffsetDateTime};

/// As many moments in a row are looked at for one within the hours: more than the minutes of a day, so that every time of
/// the day is among them that the expression has.
const LOOKED_AT: usize = 3_000;
/// Two moments are no closer than this.
const CLOSEST: Duration = Duration::minutes(5);
/// The longest expression.
const LONGEST: usize = 100;

/// What is wrong with a schedule, by the name of the field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub field: &'static str,
    pub why: String,
}

/// Hours of the day; over midnight where the first is later than the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    from: civil::Time,
    to: civil::Time,
}

impl Window {
    fn read(text: &str) -> Option<Self> {
        let (from, to) = text.split_once('-')?;
        let clock = |text: &str| {
            let (hour, minute) = text.trim().split_once(':')?;
            let digits = |text: &str| (text.len() == 2).then(|| text.parse::<i8>().ok()).flatten();
            civil::Time::new(digits(hour)?, digits(minute)?, 0, 0).ok()
        };
        let window = Self { from: clock(from)?, to: clock(to)? };
        (window.from != window.to).then_some(window)
    }

    fn holds(self, at: civil::Time) -> bool {
        if self.from < self.to { self.from <= at && at < self.to } else { self.from <= at || at < self.to }
    }
}

/// When runs start.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    cron: Cron,
    zone: TimeZone,
    window: Option<Window>,
    jitter: Duration,
}

impl Rule {
    /// Reads and checks what a person says; every fault is told. `now` is where it is looked for the first moment.
    pub fn new(terms: &Terms, now: OffsetDateTime) -> Result<Self, Vec<Wrong>> {
        let rule = Self::read(terms)?;
        rule.check(now).map_err(|wrong| vec![wrong])?;
        Ok(rule)
    }

    /// Reads what was checked before.
    pub fn read(terms: &Terms) -> Result<Self, Vec<Wrong>> {
        let mut wrong = Vec::new();
        let mut told = |field, why: String| wrong.push(Wrong { field, why });
        let cron = match expression(&terms.expression) {
            Ok(cron) => Some(cron),
            Err(why) => {
                told("expression", why);
                None
            }
        };
        let zone = zone(&terms.time_zone);
        if zone.is_none() {
            told("time_zone", "names no time zone; write it as Europe/Lisbon, America/Sao_Paulo or UTC".into());
        }
        let window = terms.window.as_deref().map(Window::read);
        if window == Some(None) {
            told("window", "are two times of the day that differ; write them as 20:00-06:00".into());
        }
        if !(0..=720).contains(&terms.jitter_minutes) {
            told("jitter_minutes", "is a number from 0 to 720".into());
        }
        let (Some(cron), Some(zone), true) = (cron, zone, wrong.is_empty()) else { return Err(wrong) };
        Ok(Self { cron, zone, window: window.flatten(), jitter: Duration::minutes(terms.jitter_minutes) })
    }

    /// That it comes to anything, and not too often.
    fn check(&self, now: OffsetDateTime) -> Result<(), Wrong> {
        let wrong = |field, why: &str| Err(Wrong { field, why: why.into() });
        let Some(first) = self.any_after(now) else {
            return wrong("expression", "never comes: no day of the calendar is like that");
        };
        if self.after(now).is_none() {
            return wrong(
                "window",
                "leaves none of the times that the expression names; widen it or change the expression",
            );
        }
        let mut last = first;
        for _ in 0..LOOKED_AT {
            let Some(next) = self.any_after(last) else { break };
            if next - last < CLOSEST {
                return wrong(
                    "expression",
                    "comes more often than every five minutes; write */5 for the minutes, or more",
                );
            }
            last = next;
        }
        Ok(())
    }

    /// The next moment of the expression, whatever the hours.
    fn any_after(&self, at: OffsetDateTime) -> Option<OffsetDateTime> {
        let next = self.cron.find_next_occurrence(&self.local(at)?, false).ok()?;
        OffsetDateTime::from_unix_timestamp(next.timestamp().as_second()).ok().filter(|next| *next > at)
    }

    /// The first moment after this one; none where there is none.
    pub fn after(&self, at: OffsetDateTime) -> Option<OffsetDateTime> {
        let mut at = at;
        for _ in 0..LOOKED_AT {
            at = self.any_after(at)?;
            if self.is_open(at) {
                return Some(at);
            }
        }
        None
    }

    /// Whether runs may start at this time of the day.
    pub fn is_open(&self, at: OffsetDateTime) -> bool {
        let Some(window) = self.window else { return true };
        self.local(at).is_some_and(|local| window.holds(local.time()))
    }

    /// No job starts later than its moment by more than this.
    pub const fn longest_delay(&self) -> Duration {
        self.jitter
    }

    /// How much later than the moment a job starts: always the same, and never beyond the hours. Where the hours end
    /// sooner than the longest delay, all delays shrink in proportion, so that a later moment starts no earlier.
    pub fn delay(&self, job: i64, moment: OffsetDateTime) -> Duration {
        let most = self.jitter.whole_seconds();
        if most == 0 {
            return Duration::ZERO;
        }
        // Knuth's multiplicative hash: neighbours by id come far from one another.
        let spread = job.unsigned_abs().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        let delay = i64::try_from(spread).unwrap_or(0) % (most + 1);
        let room = self.until_closed(moment).map_or(most, |left| (left.whole_seconds() - 1).clamp(0, most));
        Duration::seconds(delay * room / most)
    }

    /// How long runs may start yet, at a moment within the hours; none where they always may.
    fn until_closed(&self, at: OffsetDateTime) -> Option<Duration> {
        let window = self.window?;
        let local = self.local(at)?;
        let today = local.date().to_datetime(window.to);
        let end = if today > local.datetime() { today } else { local.date().tomorrow().ok()?.to_datetime(window.to) };
        let end = end.to_zoned(self.zone.clone()).ok()?;
        Some(Duration::seconds(end.timestamp().as_second() - local.timestamp().as_second()))
    }

    /// A moment as the zone's clocks show it.
    pub fn on_the_wall(&self, at: OffsetDateTime) -> String {
        self.local(at).map(|local| local.strftime("%Y-%m-%d %H:%M %Z").to_string()).unwrap_or_default()
    }

    fn local(&self, at: OffsetDateTime) -> Option<Zoned> {
        Some(Timestamp::from_second(at.unix_timestamp()).ok()?.to_zoned(self.zone.clone()))
    }
}

/// The name of a time zone as the IANA database writes it.
pub(crate) fn zone_name(name: &str) -> Option<String> {
    zone(name)?.iana_name().map(str::to_owned)
}

fn zone(name: &str) -> Option<TimeZone> {
    let name = name.trim();
    // A machine's own zone is nobody else's.
    (!name.is_empty() && name.len() <= 64 && !name.eq_ignore_ascii_case("local"))
        .then(|| TimeZone::get(name).ok())
        .flatten()
        .filter(|zone| zone.iana_name().is_some())
}

fn expression(text: &str) -> Result<Cron, String> {
    const FIELDS: &str = "minute, hour, day of the month, month, day of the week, as in 0 */6 * * *";
    if text.len() > LONGEST {
        return Err(format!("has at most {LONGEST} characters"));
    }
    if text.trim().is_empty() {
        return Err(format!("has five fields: {FIELDS}"));
    }
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    parser.parse(text.trim()).map_err(|error| match error {
        croner::errors::CronError::InvalidPattern(_) => format!("has five fields: {FIELDS}"),
        croner::errors::CronError::ComponentError(why) => {
            format!("cannot be read ({}); its fields are {FIELDS}", why.trim_end_matches('.').to_lowercase())
        }
        _ => format!("cannot be read; its fields are {FIELDS}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    fn terms(expression: &str, time_zone: &str, window: Option<&str>) -> Terms {
        Terms {
            expression: expression.into(),
            time_zone: time_zone.into(),
            window: window.map(str::to_owned),
            jitter_minutes: 0,
            enabled: true,
        }
    }

    fn rule(expression: &str, time_zone: &str, window: Option<&str>) -> Rule {
        Rule::new(&terms(expression, time_zone, window), datetime!(2026-11-21 04:12 UTC)).unwrap()
    }

    /// The moments of 24 hours and a bit, as clocks on the wall show them.
    fn moments(rule: &Rule, from: OffsetDateTime, hours: i64) -> Vec<String> {
        let mut at = from;
        let mut found = Vec::new();
        while let Some(next) = rule.after(at).filter(|next| *next <= from + Duration::hours(hours)) {
            found.push(rule.local(next).unwrap().strftime("%d %H:%M %Z").to_string());
            at = next;
        }
        found
    }

    #[test]
    fn what_never_comes_or_comes_too_often_or_cannot_be_read_is_refused_with_a_sentence() {
        for (expression, zone, window, jitter, field, says) in [
            ("0 0 31 2 *", "UTC", None, 0, "expression", "never comes"),
            ("0 0 30 2 *", "UTC", None, 0, "expression", "never comes"),
            ("* * * * *", "UTC", None, 0, "expression", "more often than every five minutes"),
            ("0,1 3 * * *", "UTC", None, 0, "expression", "more often than every five minutes"),
            ("", "UTC", None, 0, "expression", "five fields"),
            ("0 */6 * *", "UTC", None, 0, "expression", "five fields"),
            ("0 0 */6 * * *", "UTC", None, 0, "expression", "five fields"),
            ("60 * * * *", "UTC", None, 0, "expression", "out of bounds"),
            ("every day", "UTC", None, 0, "expression", "five fields"),
            ("a b c d e", "UTC", None, 0, "expression", "cannot be read"),
            ("*/0 * * * *", "UTC", None, 0, "expression", "step cannot be zero"),
            (&"0".repeat(200), "UTC", None, 0, "expression", "at most 100"),
            ("0 */6 * * *", "Atlantis/Centre", None, 0, "time_zone", "names no time zone"),
            ("0 */6 * * *", "", None, 0, "time_zone", "names no time zone"),
            ("0 */6 * * *", "local", None, 0, "time_zone", "names no time zone"),
            ("0 */6 * * *", "UTC", Some("20-6"), 0, "window", "20:00-06:00"),
            ("0 */6 * * *", "UTC", Some("25:00-06:00"), 0, "window", "20:00-06:00"),
            ("0 */6 * * *", "UTC", Some("06:00-06:00"), 0, "window", "differ"),
            ("0 12 * * *", "UTC", Some("20:00-06:00"), 0, "window", "leaves none"),
            ("*/5 6-19 * * 1", "UTC", Some("20:00-06:00"), 0, "window", "leaves none"),
            ("0 */6 * * *", "UTC", None, 721, "jitter_minutes", "0 to 720"),
        ] {
            let terms = Terms { jitter_minutes: jitter, ..terms(expression, zone, window) };
            let wrong = Rule::new(&terms, datetime!(2026-11-21 04:12 UTC)).expect_err(expression);
            assert!(
                wrong[0].field == field && wrong[0].why.contains(says),
                "{expression} {zone} {window:?}: {wrong:?}"
            );
        }
    }

    #[test]
    fn a_leap_day_comes_every_four_years_and_not_in_2100() {
        let rule = rule("0 0 29 2 *", "UTC", None);
        let mut at = datetime!(2095-01-01 0:00 UTC);
        let mut years = Vec::new();
        for _ in 0..3 {
            at = rule.after(at).unwrap();
            years.push(at.year());
        }
        assert_eq!(years, [2096, 2104, 2108]);
    }

    #[test]
    fn in_spring_a_skipped_moment_comes_after_the_gap_and_in_autumn_a_doubled_one_comes_once() {
        let spring = datetime!(2026-03-28 23:00 UTC);
        let autumn = datetime!(2026-10-24 22:00 UTC);
        // Portugal changes at 01:00 UTC, Brazil did at midnight of its own.
        for (expression, zone, from, hours, expect) in [
            (
                "0 */6 * * *",
                "Europe/Lisbon",
                spring,
                24,
                vec!["29 00:00 WET", "29 06:00 WEST", "29 12:00 WEST", "29 18:00 WEST", "30 00:00 WEST"],
            ),
            ("30 1 * * *", "Europe/Lisbon", spring, 26, vec!["29 02:00 WEST", "30 01:30 WEST"]),
            ("*/30 1-2 * * *", "Europe/Lisbon", spring, 6, vec!["29 02:00 WEST", "29 02:30 WEST"]),
            (
                "0 */6 * * *",
                "Europe/Lisbon",
                autumn,
                26,
                vec!["25 00:00 WEST", "25 06:00 WET", "25 12:00 WET", "25 18:00 WET", "26 00:00 WET"],
            ),
            ("30 1 * * *", "Europe/Lisbon", autumn, 28, vec!["25 01:30 WEST", "26 01:30 WET"]),
            (
                "30 * * * *",
                "Europe/Lisbon",
                autumn,
                4,
                vec!["24 23:30 WEST", "25 00:30 WEST", "25 01:30 WEST", "25 01:30 WET"],
            ),
            (
                "0 0 * * *",
                "America/Sao_Paulo",
                datetime!(2018-11-03 12:00 UTC),
                40,
                vec!["04 01:00 -02", "05 00:00 -02"],
            ),
        ] {
            assert_eq!(moments(&rule(expression, zone, None), from, hours), expect, "{expression} {zone}");
        }
    }

    #[test]
    fn a_window_over_midnight_holds_its_first_minute_and_not_its_last() {
        let rule = rule("0 */2 * * *", "Europe/Lisbon", Some("20:00-06:00"));
        let found = moments(&rule, datetime!(2026-11-21 11:00 UTC), 24);
        assert_eq!(found, ["21 20:00 WET", "21 22:00 WET", "22 00:00 WET", "22 02:00 WET", "22 04:00 WET"]);
    }

    #[test]
    fn a_delay_is_always_the_same_for_a_job_spreads_jobs_and_stays_within_the_hours() {
        let terms = Terms { jitter_minutes: 60, ..terms("30 5 * * *", "UTC", Some("20:00-06:00")) };
        let rule = Rule::new(&terms, datetime!(2026-11-21 04:12 UTC)).unwrap();
        let moment = datetime!(2026-11-22 05:30 UTC);
        let delays: Vec<Duration> = (1..=200).map(|job| rule.delay(job, moment)).collect();
        assert_eq!(delays, (1..=200).map(|job| rule.delay(job, moment)).collect::<Vec<_>>());
        assert!(delays.iter().all(|delay| rule.is_open(moment + *delay)), "none begins after 06:00");
        let late = delays.iter().filter(|delay| **delay > Duration::minutes(15)).count();
        assert!(late > 20, "they are spread: {late} of 200 wait a quarter of an hour or more");
        let sooner = datetime!(2026-11-22 5:25 UTC);
        assert!((1..=200).all(|job| sooner + rule.delay(job, sooner) <= moment + rule.delay(job, moment)));
    }
}
