//! A recurrence as a rule of iCalendar (RFC 5545 section 3.3.10).

use super::recurrence::{Ends, Pattern, Recurrence};
use crate::clock::Moment;

const DAYS: [&str; 7] = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"];
const YEARLY: u16 = 0x200D;

/// The rule; `None` where iCalendar has none for it (calendars that are not Gregorian). `until` tells how the last
/// beginning is written.
pub(super) fn rule(recurrence: &Recurrence, until: &dyn Fn(Moment) -> String) -> Option<String> {
    if recurrence.foreign_calendar {
        return None;
    }
    let day_of_year = Moment::from_minutes(recurrence.start_day).parts();
    let yearly = recurrence.frequency == YEARLY;
    // Years are kept as twelve months.
    let months = if yearly { (recurrence.period / 12).max(1) } else { recurrence.period.max(1) };
    let month = if yearly { format!(";BYMONTH={}", day_of_year.month) } else { String::new() };
    let frequency = if yearly { "YEARLY" } else { "MONTHLY" };
    let (frequency, interval, days) = match recurrence.pattern {
        Pattern::Daily => ("DAILY", (recurrence.period / 1_440).max(1), String::new()),
        // Every weekday is kept as daily by some and as weekly by others.
        Pattern::Weekly(days) => ("WEEKLY", recurrence.period.max(1), format!(";BYDAY={}", list(days, "")?)),
        Pattern::Monthly(day) if (29..=31).contains(&day) => {
            // Where a month is shorter, its last day is meant: the last of those that there are.
            let all = (28..=day).map(|d| d.to_string()).collect::<Vec<_>>().join(",");
            (frequency, months, format!("{month};BYMONTHDAY={all};BYSETPOS=-1"))
        }
        Pattern::Monthly(day) if (1..=28).contains(&day) => (frequency, months, format!("{month};BYMONTHDAY={day}")),
        Pattern::Monthly(_) => return None,
        Pattern::MonthlyNth { days, nth } => {
            let nth = match nth {
                1..=4 => nth.to_string(),
                5 => "-1".to_owned(),
                _ => return None,
            };
            let days = if days.count_ones() == 1 {
                format!(";BYDAY={}", list(days, &nth)?)
            } else {
                format!(";BYDAY={};BYSETPOS={nth}", list(days, "")?)
            };
            (frequency, months, month + &days)
        }
    };
    let interval = if interval > 1 { format!(";INTERVAL={interval}") } else { String::new() };
    let end = match recurrence.ends {
        Ends::Never => String::new(),
        Ends::After(count) => format!(";COUNT={}", count.max(1)),
        Ends::By(day) => {
            let last = Moment::from_minutes(day.saturating_add(recurrence.start_offset.min(2_880)));
            format!(";UNTIL={}", until(last))
        }
    };
    let week = match (recurrence.pattern, usize::try_from(recurrence.first_day)) {
        (Pattern::Weekly(_), Ok(first)) if recurrence.period > 1 => {
            DAYS.get(first).map_or(String::new(), |day| format!(";WKST={day}"))
        }
        _ => String::new(),
    };
    Some(format!("FREQ={frequency}{interval}{days}{end}{week}"))
}

fn list(days: u32, nth: &str) -> Option<String> {
    let named: Vec<String> =
        (0..7).filter(|bit| days & (1 << bit) != 0).map(|bit| format!("{nth}{}", DAYS[bit])).collect();
    (!named.is_empty()).then(|| named.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pattern_has_its_rule() {
        // 2015-01-01, in minutes since 1601.
        let start_day = 217_742_400;
        let by = |frequency, pattern, period, ends| Recurrence {
            frequency,
            pattern,
            period,
            ends,
            first_day: 1,
            deleted: Vec::new(),
            modified: Vec::new(),
            start_day,
            start_offset: 600,
            end_offset: 660,
            exceptions: Vec::new(),
            foreign_calendar: false,
        };
        for (recurrence, expected) in [
            (by(0x200A, Pattern::Daily, 2_880, Ends::Never), "FREQ=DAILY;INTERVAL=2"),
            (by(0x200B, Pattern::Weekly(0x3E), 1, Ends::After(5)), "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;COUNT=5"),
            (by(0x200B, Pattern::Weekly(0x02), 2, Ends::Never), "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;WKST=MO"),
            (by(0x200C, Pattern::Monthly(15), 3, Ends::Never), "FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=15"),
            (by(0x200C, Pattern::Monthly(30), 1, Ends::Never), "FREQ=MONTHLY;BYMONTHDAY=28,29,30;BYSETPOS=-1"),
            (
                by(0x200C, Pattern::MonthlyNth { days: 0x10, nth: 5 }, 1, Ends::By(start_day + 14_400)),
                "FREQ=MONTHLY;BYDAY=-1TH;UNTIL=20150111T100000",
            ),
            (
                by(0x200C, Pattern::MonthlyNth { days: 0x3E, nth: 1 }, 1, Ends::Never),
                "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1",
            ),
            (by(0x200D, Pattern::Monthly(1), 12, Ends::Never), "FREQ=YEARLY;BYMONTH=1;BYMONTHDAY=1"),
        ] {
            assert_eq!(rule(&recurrence, &Moment::basic).as_deref(), Some(expected));
        }
    }
}
