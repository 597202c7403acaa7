//! IMAP's date-time (RFC 9051 section 9): an instant and the zone it was written in.

use std::fmt;

use time::{Date, Month, OffsetDateTime, Time, UtcOffset};

/// An INTERNALDATE. Two dates are equal here only if instant and zone are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InternalDate {
    /// Seconds since 1970-01-01 00:00:00 UTC.
    pub unix_seconds: i64,
    /// Minutes east of UTC: `-0330` is -210.
    pub zone_minutes: i32,
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl InternalDate {
    /// Reads `17-Jul-1996 02:44:25 -0700`; the day may be one digit, with or without a space before it.
    #[must_use]
    pub fn parse(text: &str) -> Option<InternalDate> {
        let mut parts = text.trim().split_ascii_whitespace();
        let mut day_month_year = parts.next()?.split('-');
        let day: u8 = day_month_year.next()?.parse().ok()?;
        let month_name = day_month_year.next()?;
        let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month_name))? + 1;
        let year: i32 = day_month_year.next()?.parse().ok()?;
        let mut clock = parts.next()?.split(':').map(str::parse::<u8>);
        let (hour, minute, second) = (clock.next()?.ok()?, clock.next()?.ok()?, clock.next()?.ok()?);
        let zone = parts.next()?;
        let sign = match zone.as_bytes().first()? {
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        let digits: i32 = zone.get(1..).filter(|digits| digits.len() == 4)?.parse().ok()?;
        let zone_minutes = sign * (digits / 100 * 60 + digits % 100);
        let date = Date::from_calendar_date(year, Month::try_from(u8::try_from(month).ok()?).ok()?, day).ok()?;
        let local = date.with_time(Time::from_hms(hour, minute, second).ok()?).assume_utc();
        Some(InternalDate { unix_seconds: local.unix_timestamp() - i64::from(zone_minutes) * 60, zone_minutes })
    }

    /// The date in its zone, for the `Date:` header and for printing; `None` outside the years that `time` knows.
    #[must_use]
    pub fn local(self) -> Option<OffsetDateTime> {
        let zone = UtcOffset::from_whole_seconds(self.zone_minutes * 60).ok()?;
        OffsetDateTime::from_unix_timestamp(self.unix_seconds).ok()?.checked_to_offset(zone)
    }

    /// `+0545`.
    #[must_use]
    pub fn zone(self) -> String {
        let sign = if self.zone_minutes < 0 { '-' } else { '+' };
        let minutes = self.zone_minutes.abs();
        format!("{sign}{:02}{:02}", minutes / 60, minutes % 60)
    }

    /// `Wed, 17 Jul 1996 02:44:25 -0700`, as the `Date:` header has it (RFC 5322 section 3.3).
    #[must_use]
    pub fn rfc5322(self) -> String {
        let Some(local) = self.local() else { return "Thu, 01 Jan 1970 00:00:00 +0000".to_owned() };
        let weekday = &local.weekday().to_string()[..3];
        let month = MONTHS[usize::from(u8::from(local.month())) - 1];
        let (hour, minute, second) = (local.hour(), local.minute(), local.second());
        format!(
            "{weekday}, {:02} {month} {:04} {hour:02}:{minute:02}:{second:02} {}",
            local.day(),
            local.year(),
            self.zone()
        )
    }
}

impl fmt::Display for InternalDate {
    /// `17-Jul-1996 02:44:25 -0700`, the day with two digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(local) = self.local() else { return f.write_str("01-Jan-1970 00:00:00 +0000") };
        let month = MONTHS[usize::from(u8::from(local.month())) - 1];
        let (hour, minute, second) = (local.hour(), local.minute(), local.second());
        write!(f, "{:02}-{month}-{:04} {hour:02}:{minute:02}:{second:02} {}", local.day(), local.year(), self.zone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_reads_and_prints_the_same() {
        for (text, unix) in [
            ("17-Jul-1996 02:44:25 -0700", 837_596_665),
            ("01-Jan-1970 00:00:00 +0000", 0),
            ("29-Feb-2024 23:59:59 +1400", 1_709_200_799),
            ("31-Dec-1999 22:00:00 -0330", 946_690_200),
            ("05-Mar-2019 10:00:00 +0545", 1_551_759_300),
        ] {
            let date = InternalDate::parse(text).expect(text);
            assert_eq!((date.unix_seconds, date.to_string().as_str()), (unix, text));
        }
        assert_eq!(
            InternalDate::parse(" 5-Mar-2019 10:00:00 +0545").expect("padded").to_string(),
            "05-Mar-2019 10:00:00 +0545"
        );
        assert_eq!(
            InternalDate { unix_seconds: 837_596_665, zone_minutes: -420 }.rfc5322(),
            "Wed, 17 Jul 1996 02:44:25 -0700"
        );
    }

    #[test]
    fn nonsense_is_no_date() {
        for text in [
            "",
            "yesterday",
            "32-Jan-2000 00:00:00 +0000",
            "01-Xxx-2000 00:00:00 +0000",
            "01-Jan-2000 00:00:00",
            "01-Jan-2000 00:00:00 UTC",
        ] {
            assert_eq!(InternalDate::parse(text), None, "{text}");
        }
    }
}
