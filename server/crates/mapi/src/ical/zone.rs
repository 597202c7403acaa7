//! Time zones as MAPI keeps them (MS-OXOCAL sections 2.2.1.39 and 2.2.1.41), as VTIMEZONE and for reckoning.

use crate::{Key, Properties, Value, clock::Moment, lines::Lines, lines::parameter, sets};

/// A day of the year on which a zone changes: SYSTEMTIME, where a year of 0 means the nth weekday of the month.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Change {
    year: i64,
    month: i64,
    weekday: i64,
    /// The day, or which of the weekdays, 5 being the last.
    day: i64,
    hour: i64,
    minute: i64,
}

/// A time zone, by the rule that holds now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Zone {
    pub name: String,
    /// Minutes west of UTC.
    bias: i64,
    standard_bias: i64,
    daylight_bias: i64,
    standard: Change,
    daylight: Change,
}

/// The zone of an item's recurrence; `None` where it has none, or it is damaged.
pub(super) fn of(p: &Properties) -> Option<Zone> {
    let bytes = |number: u32| match p.get(&Key::Lid(sets::APPOINTMENT, number)) {
        Some(Value::Bytes(bytes)) => Some(bytes.as_slice()),
        _ => None,
    };
    let description = super::text(p, sets::APPOINTMENT, 0x8234);
    [0x8260, 0x825E]
        .into_iter()
        .find_map(|number| bytes(number).and_then(definition))
        .or_else(|| bytes(0x8233).and_then(|blob| structure(blob, description)))
}

fn number(bytes: &[u8], at: usize) -> Option<i64> {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map(|b| i64::from(i32::from_le_bytes(b)))
}

fn short(bytes: &[u8], at: usize) -> Option<i64> {
    bytes.get(at..at + 2).and_then(|b| b.try_into().ok()).map(|b| i64::from(u16::from_le_bytes(b)))
}

fn change(bytes: &[u8], at: usize) -> Option<Change> {
    let field = |n: usize| short(bytes, at + 2 * n);
    Some(Change {
        year: field(0)?,
        month: field(1)?,
        weekday: field(2)?,
        day: field(3)?,
        hour: field(4)?,
        minute: field(5)?,
    })
}

/// PidLidTimeZoneStruct.
fn structure(blob: &[u8], description: &str) -> Option<Zone> {
    let zone = Zone {
        name: String::new(),
        bias: number(blob, 0)?,
        standard_bias: number(blob, 4)?,
        daylight_bias: number(blob, 8)?,
        standard: change(blob, 14)?,
        daylight: change(blob, 32)?,
    };
    let name = if description.is_empty() { format!("UTC{}", offset(-zone.bias)) } else { description.to_owned() };
    Zone { name, ..zone }.checked()
}

/// PidLidAppointmentTimeZoneDefinition…: of its rules the one that is in effect, else the last.
fn definition(blob: &[u8]) -> Option<Zone> {
    const RULE: usize = 66;
    const IN_EFFECT: i64 = 2;
    let header = usize::try_from(short(blob, 2)?).ok()?;
    let length = usize::try_from(short(blob, 6)?).ok()?;
    let name = crate::codepage::decode(blob.get(8..8 + length * 2)?, 1200).into_owned();
    let count = usize::try_from(short(blob, 8 + length * 2)?).ok()?;
    let rules = blob.get(4 + header..)?;
    let rule = |n: usize| rules.get(n * RULE..(n + 1) * RULE);
    let last = count.min(1_024).checked_sub(1)?;
    let chosen = (0..=last).rev().find(|n| rule(*n).and_then(|r| short(r, 4)).is_some_and(|f| f & IN_EFFECT != 0));
    let rule = rule(chosen.unwrap_or(last))?;
    Zone {
        name,
        bias: number(rule, 22)?,
        standard_bias: number(rule, 26)?,
        daylight_bias: number(rule, 30)?,
        standard: change(rule, 34)?,
        daylight: change(rule, 50)?,
    }
    .checked()
}

impl Zone {
    fn checked(self) -> Option<Self> {
        let fits = |c: &Change| c.month <= 12 && c.weekday <= 6 && c.day <= 31 && c.hour < 24 && c.minute < 60;
        let biases = [self.bias, self.standard_bias, self.daylight_bias].iter().all(|b| b.abs() <= 26 * 60);
        (biases && fits(&self.standard) && fits(&self.daylight) && self.name.len() < 256).then_some(self)
    }

    /// Whether it has summer time.
    fn changes(&self) -> bool {
        self.standard.month > 0 && self.daylight.month > 0
    }

    /// The wall's clock at a time of UTC.
    pub fn local(&self, utc: Moment) -> Moment {
        let standard = utc.seconds - (self.bias + self.standard_bias) * 60;
        if !self.changes() {
            return Moment { seconds: standard };
        }
        let year = Moment { seconds: standard }.parts().year;
        let summer_wall = utc.seconds - (self.bias + self.daylight_bias) * 60;
        // Each change is told by the clock that holds until then.
        let begun = standard >= self.daylight.in_year(year).seconds;
        let ended = summer_wall >= self.standard.in_year(year).seconds;
        let north = self.daylight.in_year(year) < self.standard.in_year(year);
        let summer = if north { begun && !ended } else { begun || !ended };
        Moment { seconds: if summer { summer_wall } else { standard } }
    }

    /// The time of UTC at which the wall's clock shows this.
    pub fn utc(&self, local: Moment) -> Moment {
        let guess = local.seconds + (self.bias + self.standard_bias) * 60;
        let shown = self.local(Moment { seconds: guess });
        Moment { seconds: guess - (shown.seconds - local.seconds) }
    }

    /// As a component.
    pub fn write(&self, lines: &mut Lines) {
        lines.raw("BEGIN:VTIMEZONE");
        lines.text("TZID", &self.name);
        let standard = offset(-(self.bias + self.standard_bias));
        let daylight = offset(-(self.bias + self.daylight_bias));
        let parts: &[(&str, &Change, &str, &str)] = if self.changes() {
            &[("STANDARD", &self.standard, &daylight, &standard), ("DAYLIGHT", &self.daylight, &standard, &daylight)]
        } else {
            &[("STANDARD", &self.standard, &standard, &standard)]
        };
        for (name, change, from, to) in parts {
            lines.raw(&format!("BEGIN:{name}"));
            if self.changes() {
                lines.raw(&format!("DTSTART:{}", change.in_year(1601).basic()));
                lines.raw(&change.rule());
            } else {
                lines.raw("DTSTART:16010101T000000");
            }
            lines.raw(&format!("TZOFFSETFROM:{from}"));
            lines.raw(&format!("TZOFFSETTO:{to}"));
            lines.raw(&format!("END:{name}"));
        }
        lines.raw("END:VTIMEZONE");
    }

    /// As the parameter of a time.
    pub fn parameter(&self) -> String {
        let plain = self.name.bytes().all(|b| b.is_ascii_alphanumeric() || b" -_/+.".contains(&b));
        if plain { format!("TZID={}", self.name) } else { format!("TZID={}", parameter(&self.name)) }
    }
}

impl Change {
    fn in_year(&self, year: i64) -> Moment {
        let day = if self.year > 0 {
            self.day.max(1)
        } else {
            let first = Moment::from_date(year, self.month, 1).parts().weekday;
            let mut day = 1 + (self.weekday - first).rem_euclid(7) + 7 * (self.day.clamp(1, 5) - 1);
            let (next_year, next_month) = if self.month == 12 { (year + 1, 1) } else { (year, self.month + 1) };
            let end = Moment::from_date(next_year, next_month, 1).seconds;
            while Moment::from_date(year, self.month, 1).seconds + (day - 1) * 86_400 >= end {
                day -= 7;
            }
            day
        };
        let start = Moment::from_date(year, self.month, 1).seconds + (day - 1) * 86_400;
        Moment { seconds: start + self.hour * 3_600 + self.minute * 60 }
    }

    fn rule(&self) -> String {
        const DAYS: [&str; 7] = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"];
        if self.year > 0 {
            return format!("RRULE:FREQ=YEARLY;BYMONTH={};BYMONTHDAY={}", self.month, self.day.max(1));
        }
        let nth = if self.day >= 5 { -1 } else { self.day.max(1) };
        let day = usize::try_from(self.weekday).ok().and_then(|d| DAYS.get(d)).unwrap_or(&"SU");
        format!("RRULE:FREQ=YEARLY;BYMONTH={};BYDAY={nth}{day}", self.month)
    }
}

/// Minutes east of UTC as `+hhmm`.
fn offset(minutes: i64) -> String {
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("{sign}{:02}{:02}", minutes.abs() / 60, minutes.abs() % 60)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// PidLidTimeZoneStruct of the Pacific: from the second Sunday of March to the first of November.
    pub(in crate::ical) fn pacific() -> Vec<u8> {
        let mut blob = Vec::new();
        for n in [480_i32, 0, -60] {
            blob.extend(n.to_le_bytes());
        }
        for fields in [[0_u16, 0, 11, 0, 1, 2, 0, 0, 0], [0, 0, 3, 0, 2, 2, 0, 0, 0]] {
            blob.extend(fields.iter().flat_map(|f| f.to_le_bytes()));
        }
        blob
    }

    #[test]
    fn the_wall_clock_knows_summer_time() {
        let zone = structure(&pacific(), "Pacific").unwrap();
        for (utc, local) in [
            ((2020, 3, 8, 9), (8, 1)),
            ((2020, 3, 8, 10), (8, 3)),
            ((2020, 7, 1, 19), (1, 12)),
            ((2020, 11, 1, 8), (1, 1)),
            ((2020, 11, 1, 9), (1, 1)),
            ((2020, 12, 1, 20), (1, 12)),
        ] {
            let moment = Moment { seconds: Moment::from_date(utc.0, utc.1, utc.2).seconds + utc.3 * 3_600 };
            let parts = zone.local(moment).parts();
            assert_eq!((parts.day, parts.hour), local, "{utc:?}");
        }
    }

    #[test]
    fn a_zone_is_written_with_its_rules() {
        let mut lines = Lines::default();
        structure(&pacific(), "Pacific").unwrap().write(&mut lines);
        for line in [
            "BEGIN:STANDARD\r\nDTSTART:16011104T020000\r\nRRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU\r\n\
             TZOFFSETFROM:-0700\r\nTZOFFSETTO:-0800\r\n",
            "BEGIN:DAYLIGHT\r\nDTSTART:16010311T020000\r\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU\r\n",
        ] {
            assert!(lines.text.contains(line), "{}", lines.text);
        }
    }

    #[test]
    fn damage_gives_no_zone() {
        let blob = pacific();
        for cut in 0..44 {
            assert_eq!(structure(&blob[..cut], "x"), None, "{cut}");
            definition(&blob[..cut]);
        }
    }
}
