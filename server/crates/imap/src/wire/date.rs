//! INTERNALDATE's format (RFC 3501 section 9, `date-time`): `17-Jul-1996 02:44:25 -0700`.

use gatepost_transfer::InternalDate;
use time::{Date, Month, PrimitiveDateTime, Time};

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Writes a date; `None` where the format has no room for its year.
#[must_use]
pub fn format(date: InternalDate) -> Option<String> {
    let at = date.to_time().filter(|at| (1..=9999).contains(&at.year()))?;
    let sign = if date.zone_minutes < 0 { '-' } else { '+' };
    let zone = date.zone_minutes.unsigned_abs();
    Some(format!(
        "{:02}-{}-{:04} {:02}:{:02}:{:02} {sign}{:02}{:02}",
        at.day(),
        MONTHS[usize::from(u8::from(at.month())) - 1],
        at.year(),
        at.hour(),
        at.minute(),
        at.second(),
        zone / 60,
        zone % 60
    ))
}

/// Reads a date. The day may be padded with a space, the zone may be missing (UTC), a leap second counts as the
/// second before.
#[must_use]
pub fn parse(text: &[u8]) -> Option<InternalDate> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let mut words = text.split_ascii_whitespace();
    let mut date = words.next()?.split('-');
    let day: u8 = date.next()?.parse().ok()?;
    let month = date.next()?;
    let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))?;
    let month = Month::try_from(u8::try_from(month + 1).ok()?).ok()?;
    let year: i32 = date.next()?.parse().ok()?;
    let mut clock = words.next()?.split(':').map(|n| n.parse::<u8>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next().unwrap_or(Some(0))?);
    let zone_minutes = words.next().map_or(Some(0), zone)?;
    let at = PrimitiveDateTime::new(
        Date::from_calendar_date(year, month, day).ok()?,
        Time::from_hms(hour, minute, second.min(59)).ok()?,
    );
    Some(InternalDate { seconds: at.assume_utc().unix_timestamp() - i64::from(zone_minutes) * 60, zone_minutes })
}

fn zone(text: &str) -> Option<i16> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ if text.eq_ignore_ascii_case("GMT") || text.eq_ignore_ascii_case("UTC") => return Some(0),
        _ => return None,
    };
    let digits: u16 = text.get(1..).filter(|d| d.len() == 4)?.parse().ok()?;
    let (hours, minutes) = (digits / 100, digits % 100);
    (hours < 24 && minutes < 60).then(|| sign * i16::try_from(hours * 60 + minutes).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dates_are_read_and_written() {
        let cases = [
            ("17-Jul-1996 02:44:25 -0700", 837_596_665, -420),
            ("01-Jan-1970 00:00:00 +0000", 0, 0),
            ("31-Dec-1969 23:59:59 +0000", -1, 0),
            ("29-Feb-2024 12:00:00 +0545", 1_709_187_300, 345),
            ("01-Mar-2038 00:00:00 -0330", 2_151_027_000, -210),
        ];
        for (text, seconds, zone_minutes) in cases {
            let date = InternalDate { seconds, zone_minutes };
            assert_eq!(parse(text.as_bytes()), Some(date), "{text}");
            assert_eq!(format(date).as_deref(), Some(text));
        }
    }

    #[test]
    fn deviations_are_understood_and_nonsense_is_not() {
        let first = parse(b"01-Jan-1970 00:00:00 +0000");
        for text in
            [" 1-Jan-1970 00:00:00 +0000", "1-jan-1970 00:00:00 +0000", "01-Jan-1970 00:00:00", "1-Jan-1970 00:00 GMT"]
        {
            assert_eq!(parse(text.as_bytes()), first, "{text}");
        }
        for text in [
            "",
            "01-Jan",
            "31-Feb-2020 00:00:00 +0000",
            "01-Jan-1970 25:00:00 +0000",
            "01-Foo-1970 00:00:00 +0000",
            "01-Jan-1970 00:00:00 +9900",
            "01-Jan-1970 00:00:00 1",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_date_comes_back(seconds in -62_000_000_000i64..253_000_000_000, zone_minutes in -1439i16..1440) {
            let date = InternalDate { seconds, zone_minutes };
            if let Some(text) = format(date) {
                prop_assert_eq!(parse(text.as_bytes()), Some(date));
            }
        }

        #[test]
        fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = parse(&bytes);
        }
    }
}
