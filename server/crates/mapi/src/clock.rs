//! Times as MAPI has them, and as mail and calendars write them. It knows no zones and no present time.

use std::fmt;

/// Seconds from 1601-01-01 to 1970-01-01.
const EPOCH: i64 = 11_644_473_600;
/// What Outlook writes for "no date": 4501-01-01, and whatever lies beyond it.
const NONE_FROM: i64 = 0x0CB3_4557_A3DD_4000;
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/// A time in UTC, or a wall clock's where it says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment {
    /// Seconds since 1970-01-01.
    pub seconds: i64,
}

impl Moment {
    /// From 100 ns since 1601; `None` where that means no date.
    pub fn from_filetime(ticks: i64) -> Option<Self> {
        (ticks > 0 && ticks < NONE_FROM).then(|| Self { seconds: ticks / 10_000_000 - EPOCH })
    }

    /// From minutes since 1601, as recurrences count (MS-OXOCAL section 2.2.1.44.1).
    pub fn from_minutes(minutes: u32) -> Self {
        Self { seconds: i64::from(minutes) * 60 - EPOCH }
    }

    pub fn parts(self) -> Parts {
        let days = self.seconds.div_euclid(86_400);
        let second = self.seconds.rem_euclid(86_400);
        // Civil from days: years begin in March, so that the leap day is their last.
        let z = days + 719_468;
        let era = z.div_euclid(146_097);
        let doe = z.rem_euclid(146_097);
        let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let month = if mp < 10 { mp + 3 } else { mp - 9 };
        Parts {
            year: yoe + era * 400 + i64::from(month <= 2),
            month,
            day: doy - (153 * mp + 2) / 5 + 1,
            hour: second / 3_600,
            minute: second / 60 % 60,
            second: second % 60,
            weekday: (days + 4).rem_euclid(7),
        }
    }

    /// From a day of the calendar.
    pub fn from_date(year: i64, month: i64, day: i64) -> Self {
        let y = if month <= 2 { year - 1 } else { year };
        let era = y.div_euclid(400);
        let yoe = y.rem_euclid(400);
        let doy = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
        let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
        Self { seconds: (era * 146_097 + doe - 719_468) * 86_400 }
    }

    /// `20260131T235900`.
    pub fn basic(self) -> String {
        let p = self.parts();
        format!("{:04}{:02}{:02}T{:02}{:02}{:02}", p.year, p.month, p.day, p.hour, p.minute, p.second)
    }

    /// `20260131`.
    pub fn basic_date(self) -> String {
        let p = self.parts();
        format!("{:04}{:02}{:02}", p.year, p.month, p.day)
    }
}

/// A moment on the calendar.
pub(crate) struct Parts {
    pub year: i64,
    pub month: i64,
    pub day: i64,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
    /// 0 is Sunday.
    pub weekday: i64,
}

/// As RFC 5322 section 3.3 writes it.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let p = self.parts();
        let day = usize::try_from(p.weekday).ok().and_then(|d| DAYS.get(d)).unwrap_or(&"Sun");
        let month = usize::try_from(p.month - 1).ok().and_then(|m| MONTHS.get(m)).unwrap_or(&"Jan");
        write!(f, "{day}, {} {month} {:04} {:02}:{:02}:{:02} +0000", p.day, p.year, p.hour, p.minute, p.second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_mail_and_calendars_write_it() {
        for (ticks, mail, basic) in [
            (116_444_736_000_000_000, "Thu, 1 Jan 1970 00:00:00 +0000", "19700101T000000"),
            (129_116_667_540_000_000, "Fri, 26 Feb 2010 14:05:54 +0000", "20100226T140554"),
            (125_963_423_990_000_000, "Tue, 29 Feb 2000 23:59:59 +0000", "20000229T235959"),
        ] {
            let moment = Moment::from_filetime(ticks).unwrap();
            assert_eq!((moment.to_string().as_str(), moment.basic().as_str()), (mail, basic));
        }
    }

    #[test]
    fn a_day_is_the_same_there_and_back() {
        for day in (-100_000..400_000).step_by(37) {
            let p = Moment { seconds: day * 86_400 }.parts();
            assert_eq!(Moment::from_date(p.year, p.month, p.day).seconds, day * 86_400);
        }
    }

    #[test]
    fn what_outlook_writes_for_no_date_is_none() {
        for ticks in [0, -1, 0x0CB3_4557_A3DD_4000, i64::MAX] {
            assert_eq!(Moment::from_filetime(ticks), None);
        }
    }
}
