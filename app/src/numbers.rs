//! How figures and times are written, the same on the server and in the browser.

use serde::{Deserialize, Serialize};

/// The signs that a language writes numbers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbers {
    /// Between groups of three digits.
    pub group: char,
    /// Before the fraction.
    pub decimal: char,
}

impl Numbers {
    /// English.
    pub const ENGLISH: Self = Self { group: ',', decimal: '.' };
    /// Brazilian Portuguese.
    pub const PORTUGUESE: Self = Self { group: '.', decimal: ',' };

    /// A whole number with groups of three digits.
    #[must_use]
    pub fn count(self, number: i64) -> String {
        let digits = number.unsigned_abs().to_string();
        let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
        if number < 0 {
            text.push('-');
        }
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                text.push(self.group);
            }
            text.push(digit);
        }
        text
    }

    /// Tenths, with one digit after the decimal sign.
    fn tenths(self, tenths: i64) -> String {
        format!("{}{}{}", self.count(tenths / 10), self.decimal, (tenths % 10).abs())
    }

    /// Bytes in SI units: `812 B`, `4.2 kB`, `17.0 GB`.
    #[must_use]
    pub fn size(self, bytes: i64) -> String {
        let mut unit = "B";
        let mut scale = 1_i64;
        for (name, at) in [("kB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000)] {
            if bytes.abs() >= at {
                (unit, scale) = (name, at);
            }
        }
        if scale == 1 { format!("{bytes} B") } else { format!("{} {unit}", self.tenths(bytes / (scale / 10))) }
    }

    /// A percentage with one digit, rounded down: only what is whole is shown as 100%.
    #[must_use]
    pub fn percent(self, percent: f64) -> String {
        // f64 → i64 saturates, and NaN becomes 0.
        let tenths = (percent * 10.0 + 1e-6).floor() as i64;
        if tenths % 10 == 0 { format!("{}%", self.count(tenths / 10)) } else { format!("{}%", self.tenths(tenths)) }
    }

    /// Seconds as `45 s`, `3 min 20 s`, `2 h 05 min`.
    #[must_use]
    pub fn duration(self, seconds: i64) -> String {
        match seconds.max(0) {
            seconds @ 0..60 => format!("{seconds} s"),
            seconds @ 60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
            seconds => format!("{} h {:02} min", self.count(seconds / 3600), seconds % 3600 / 60),
        }
    }
}

/// `2026-11-21T04:12:09Z` as `2026-11-21 04:12 UTC`. What is no RFC 3339 text in UTC comes back as it is.
#[must_use]
pub fn minute(at: &str) -> String {
    match (at.get(..10), at.get(10..11), at.get(11..16)) {
        (Some(day), Some("T" | " "), Some(time)) if at.ends_with('Z') || at.ends_with("+00:00") => {
            format!("{day} {time} UTC")
        }
        _ => at.to_owned(),
    }
}

/// The time of day to the second, for log lines.
#[must_use]
pub fn clock(at: &str) -> &str {
    at.get(11..19).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::{Numbers, clock, minute};

    #[test]
    fn figures_are_written_as_the_language_writes_them() {
        assert_eq!(Numbers::ENGLISH.count(1_234_567), "1,234,567");
        assert_eq!(Numbers::PORTUGUESE.count(-1_234), "-1.234");
        assert_eq!(Numbers::ENGLISH.count(999), "999");
        for (bytes, text) in [(0, "0 B"), (999, "999 B"), (4_230, "4,2 kB"), (17_000_000_000, "17,0 GB")] {
            assert_eq!(Numbers::PORTUGUESE.size(bytes), text);
        }
        assert_eq!(Numbers::ENGLISH.size(i64::MAX), "9,223,372.0 TB");
    }

    #[test]
    fn a_percentage_is_never_rounded_up_to_the_whole() {
        for (percent, text) in [(100.0, "100%"), (99.99, "99.9%"), (0.0, "0%"), (12.34, "12.3%"), (f64::NAN, "0%")] {
            assert_eq!(Numbers::ENGLISH.percent(percent), text);
        }
    }

    #[test]
    fn durations_keep_two_units() {
        for (seconds, text) in [(-3, "0 s"), (45, "45 s"), (200, "3 min 20 s"), (7_500, "2 h 05 min")] {
            assert_eq!(Numbers::ENGLISH.duration(seconds), text);
        }
    }

    #[test]
    fn times_are_shown_to_the_minute_in_utc() {
        assert_eq!(minute("2026-11-21T04:12:09.123Z"), "2026-11-21 04:12 UTC");
        assert_eq!(minute("2026-11-21T04:12:09-03:00"), "2026-11-21T04:12:09-03:00");
        assert_eq!(minute("yesterday"), "yesterday");
        assert_eq!(clock("2026-11-21T04:12:09.123Z"), "04:12:09");
    }
}
