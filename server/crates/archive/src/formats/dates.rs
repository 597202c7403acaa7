//! Dates as programs have written them: of mbox separators, of Received and Date fields. Lenient, because a date that is
//! thrown away cannot be guessed again.

use gatepost_transfer::InternalDate;
use time::{Date, Month, Time, UtcOffset};

/// Reads a date in any of the usual orders:
/// `Mon Jun  3 12:50:27 1996`, `Sat Jan 01 00:00:00 +0000 2022`, `Tue, 9 Jun 2009 23:58:45 -0400 (EDT)`,
/// `3-Jun-96 12:50 PDT`. What comes in front of it is passed over. Without a zone it is UTC (RFC 4155).
pub(crate) fn parse(text: &str) -> Option<InternalDate> {
    let mut found = Found::default();
    let mut depth = 0_u32;
    let mut token = String::new();
    // Comments are left out (RFC 5322 section 3.2.2); commas and dashes between names and numbers part them.
    for c in text.chars().take(1000).chain([' ']) {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            c if c.is_whitespace() || c == ',' => {
                found.token(&token);
                token.clear();
            }
            c => token.push(c),
        }
    }
    found.finish()
}

#[derive(Default)]
struct Found {
    day: Option<u8>,
    month: Option<Month>,
    year: Option<i32>,
    /// A number of one or two digits that came after the day.
    short: Option<i32>,
    time: Option<Time>,
    zone: Option<i16>,
}

impl Found {
    fn token(&mut self, token: &str) {
        if token.is_empty() || is_weekday(token) {
            return;
        }
        if let Some(month) = month(token) {
            // A second month begins another date: what came before was a name such as May.
            if self.month.is_some() && self.time.is_none() {
                *self = Self::default();
            }
            self.month.get_or_insert(month);
        } else if let Some(time) = clock(token) {
            self.time.get_or_insert(time);
        } else if let Some(zone) = zone(token).filter(|_| self.time.is_some()) {
            self.zone.get_or_insert(zone);
        } else if token.len() <= 11 && token.matches('-').count() == 2 {
            token.split('-').for_each(|part| self.token(part));
        } else if let Some(n) = number(token) {
            match token.len() {
                1 | 2 if self.day.is_none() => self.day = u8::try_from(n).ok(),
                1 | 2 => self.short = self.short.or(Some(n)),
                3 | 4 => self.year = self.year.or(Some(n)),
                _ => {}
            }
        } else if self.time.is_none() {
            *self = Self::default();
        }
    }

    fn finish(self) -> Option<InternalDate> {
        // RFC 5322 section 4.3: two digits below 50 are of this century, three are counted from 1900.
        let year = match self.year.or(self.short)? {
            n @ 0..50 => n + 2000,
            n @ 50..1000 => n + 1900,
            n => n,
        };
        let date = Date::from_calendar_date(year, self.month?, self.day?).ok()?;
        let zone = self.zone.unwrap_or(0);
        let offset = UtcOffset::from_whole_seconds(i32::from(zone) * 60).ok()?;
        let at = date.with_time(self.time?).assume_offset(offset);
        (1970..2200).contains(&at.year()).then(|| InternalDate::from_time(at))
    }
}

fn number(token: &str) -> Option<i32> {
    (token.len() <= 4 && token.bytes().all(|b| b.is_ascii_digit())).then(|| token.parse().ok())?
}

fn is_weekday(token: &str) -> bool {
    let token = token.trim_end_matches('.').to_ascii_lowercase();
    ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].iter().any(|day| token.starts_with(day))
        && (token.len() == 3 || token.ends_with("day"))
}

fn month(token: &str) -> Option<Month> {
    let token = token.trim_end_matches('.').to_ascii_lowercase();
    let months = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let n = months.iter().position(|name| *name == token || name[..3] == *token)?;
    Month::try_from(u8::try_from(n + 1).ok()?).ok()
}

fn clock(token: &str) -> Option<Time> {
    let mut parts = token.split(':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next().unwrap_or("0"));
    if parts.next().is_some() || hour.len() > 2 || minute.len() != 2 {
        return None;
    }
    let second: u8 = second.split('.').next()?.parse().ok()?;
    // A leap second is written as :60 (RFC 5322 section 3.3).
    Time::from_hms(hour.parse().ok()?, minute.parse().ok()?, second.min(59)).ok()
}

/// Minutes east of UTC.
fn zone(token: &str) -> Option<i16> {
    let named = match token.to_ascii_uppercase().as_str() {
        "UT" | "UTC" | "GMT" | "Z" => 0,
        "EDT" => -4,
        "EST" | "CDT" => -5,
        "CST" | "MDT" => -6,
        "MST" | "PDT" => -7,
        "PST" => -8,
        "BRT" => -3,
        "BRST" => -2,
        "WEST" | "BST" | "CET" | "MET" => 1,
        "WET" => 0,
        "CEST" | "MEST" | "EET" => 2,
        "EEST" | "MSK" => 3,
        "JST" => 9,
        _ => return signed_zone(token),
    };
    Some(named * 60)
}

fn signed_zone(token: &str) -> Option<i16> {
    let (sign, digits) = match token.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let digits = digits.replace(':', "");
    if digits.len() != 4 {
        return None;
    }
    let (hours, minutes): (i16, i16) = (digits.get(..2)?.parse().ok()?, digits.get(2..)?.parse().ok()?);
    // RFC 5322 section 4.3: what is no zone is -0000. More than a day is none.
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_every_usual_order() {
        let cases = [
            ("Mon Jun  3 12:50:27 1996", Some("1996-06-03T12:50:27+00:00")),
            ("- Mon Jun  3 12:50:27 1996", Some("1996-06-03T12:50:27+00:00")),
            ("1844000000000000000@xxx Sat Jan 01 00:00:00 +0000 2022", Some("2022-01-01T00:00:00+00:00")),
            ("1844@xxx Sat Jan 01 10:00:00 -0300 2022", Some("2022-01-01T10:00:00-03:00")),
            ("\"naveen.andrews@enron.com\" Wed Jan 30 18:07:01 2002", Some("2002-01-30T18:07:01+00:00")),
            ("Tue, 9 Jun 2009 23:58:45 -0400", Some("2009-06-09T23:58:45-04:00")),
            ("Tue, 9 Jun 2009 23:58:45 -0400 (Eastern 5 May 1999)", Some("2009-06-09T23:58:45-04:00")),
            ("9 Jun 09 23:58 EDT", Some("2009-06-09T23:58:00-04:00")),
            ("9 Jun 99 23:58:60 GMT", Some("1999-06-09T23:58:59+00:00")),
            ("03-Jun-1996 12:50:27 PDT", Some("1996-06-03T12:50:27-07:00")),
            ("may@example.org Mon Jun 3 12:50 1996", Some("1996-06-03T12:50:00+00:00")),
            ("May I ask Mon Jun 3 12:50 1996", Some("1996-06-03T12:50:00+00:00")),
            ("Mon Jun 3 12:50:27 PDT 1996", Some("1996-06-03T12:50:27-07:00")),
            ("here on it gets 12:50 better", None),
            ("Mon Jun 31 12:50:27 1996", None),
            ("Mon Jun 3 25:50:27 1996", None),
            ("Thu, 1 Jan 1601 00:00:00 +0000", None),
            ("date", None),
            ("", None),
        ];
        for (text, wanted) in cases {
            assert_eq!(parse(text).map(|d| d.to_string()).as_deref(), wanted, "{text}");
        }
    }
}
